//! What each format makes of a report.

use setway::report::{human, junit, merge::merge, tap};
use setway_report::{RunReport, Verdict};

use crate::{fixture, golden, here, plain};

fn agrees(name: &str, report: &RunReport) {
    let golden = |extension: &str, text: &str| {
        golden::agrees(&here().join(format!("golden/{name}.{extension}")), text);
    };
    golden("txt", &plain(&human::text(report)));
    golden("tap", &tap::text(report));
    golden(
        "xml",
        &junit::text(report).expect("the report can be rendered"),
    );
}

#[test]
fn one_target_is_a_table() {
    agrees("one-target", &fixture("one-target.json"));
}

#[test]
fn several_targets_are_a_grid_and_share_what_they_have_in_common() {
    agrees("real", &fixture("real.json"));
}

#[test]
fn nothing_but_skips_is_red() {
    let report = fixture("idle.json");
    assert!(!report.is_good());
    agrees("idle", &report);
}

#[test]
fn the_first_documents_are_rendered() {
    let names = ["real", "data", "reference"];
    let all = names.map(|name| fixture(&format!("run-1.first.{name}.json")));
    agrees("first", &merge(all).expect("three reports"));
}

/// The exit code, TAP and JUnit are one truth, whatever is allowed.
#[test]
fn what_is_red_is_red_in_every_format() {
    let mut all: Vec<RunReport> = ["one-target.json", "real.json", "idle.json"]
        .map(fixture)
        .into();
    let mut green = fixture("one-target.json");
    green.results.retain(|it| !it.verdict.is_bad());
    all.push(green);
    for mut report in all {
        for allow in [false, true] {
            report.allow_findings = allow;
            report.count_all();
            let (tap, junit) = (tap::text(&report), junit::text(&report).expect("XML"));
            let not_ok = |line: &str| line.starts_with("not ok") && !line.contains("# TODO ");
            assert_eq!(report.is_good(), !tap.lines().any(not_ok), "{allow}\n{tap}");
            let red = junit.contains("<failure") || junit.contains("<error");
            assert_eq!(report.is_good(), !red, "{allow}\n{junit}");
        }
    }
}

/// Skips, vacuous passes, excuses and findings are counted and named, in every format.
#[test]
fn what_qualifies_a_verdict_is_in_every_format() {
    let report = fixture("real.json");
    let totals = report.totals;
    assert!(totals.vacuous > 0 && totals.excused > 0 && totals.known > 0);
    let skips = report.count(Verdict::Skip);
    assert!(skips > 0);
    let (text, tap, junit) = (
        plain(&human::text(&report)),
        tap::text(&report),
        junit::text(&report).expect("XML"),
    );
    for result in &report.results {
        let named = |what: &str| {
            for (format, text) in [("human", &text), ("TAP", &tap), ("JUnit", &junit)] {
                assert!(text.contains(what), "{format} lacks {what}");
            }
        };
        if let Some(finding) = &result.finding {
            named(&format!("finding {}", finding.id));
        }
        if let Some(lack) = &result.undecided {
            named(lack);
        }
        for check in result.excused() {
            named(&check.name);
        }
        if result.verdict == Verdict::Skip {
            named("COH-DROPPED");
        }
    }
    assert_eq!(tap.matches(" # SKIP ").count(), skips);
    assert_eq!(
        tap.matches(" # TODO finding ").count(),
        totals.known as usize
    );
    assert_eq!(tap.matches(" (vacuous)").count(), totals.vacuous as usize);
    assert_eq!(
        junit.matches("<skipped").count(),
        skips + totals.known as usize
    );
    assert_eq!(
        junit.matches("undecided: ").count(),
        totals.vacuous as usize
    );
}
