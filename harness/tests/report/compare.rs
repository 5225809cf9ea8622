//! Merging and comparing reports.

use setway::report::{diff, merge::merge, title};
use setway_report::{RunReport, Verdict};

use crate::{fixture, golden, here, plain};

/// Every second result of `report`, from the one numbered `first`.
fn part(report: &RunReport, first: usize) -> RunReport {
    let mut part = report.clone();
    let results = report.results.iter().skip(first).step_by(2);
    part.results = results.cloned().collect();
    part.count_all();
    part
}

#[test]
fn parts_make_the_whole_again() {
    let whole = fixture("real.json");
    let merged = merge([part(&whole, 0), part(&whole, 1)]).expect("two reports");
    assert_eq!(merged.results.len(), whole.results.len());
    assert_eq!(
        (&merged.summary, merged.totals),
        (&whole.summary, whole.totals)
    );
    let ids = |report: &RunReport| {
        report
            .targets
            .iter()
            .map(|it| it.id.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&merged), ids(&whole));
    assert!(diff::changes(&whole, &merged).is_empty());
}

#[test]
fn runs_on_another_qemu_are_another_target() {
    let old = fixture("one-target.json");
    let mut new = old.clone();
    new.targets[0].qemu = "10.0.2".to_owned();
    new.results
        .iter_mut()
        .for_each(|it| it.qemu = "10.0.2".to_owned());
    assert!(diff::changes(&old, &new).is_empty());
    let merged = merge([old, new]).expect("two reports");
    let titles = merged.targets.iter().map(|it| title(&merged, it));
    let titles: Vec<String> = titles.collect();
    assert_eq!(
        titles,
        ["reference on QEMU 11.1.3", "reference on QEMU 10.0.2"]
    );
}

#[test]
fn other_files_are_another_target() {
    let old = fixture("one-target.json");
    let mut new = old.clone();
    new.targets[0].artifacts[0].sha256 = Some("0".repeat(64));
    let merged = merge([old, new]).expect("two reports");
    assert_eq!(merged.targets.len(), 2);
    let [a, b] = &merged.targets[..] else {
        unreachable!("there are two")
    };
    assert_ne!(title(&merged, a), title(&merged, b));
    // What one part did not run does not make it another target.
    let old = fixture("one-target.json");
    let mut new = old.clone();
    new.targets[0].artifacts.truncate(1);
    assert_eq!(merge([new, old]).expect("two reports").targets.len(), 1);
}

#[test]
fn times_of_garbage_add_up_to_the_most() {
    let mut old = fixture("one-target.json");
    (old.wall_ms, old.targets[0].wall_ms) = (u64::MAX, u64::MAX);
    let merged = merge([old.clone(), old]).expect("two reports");
    assert_eq!(
        (merged.wall_ms, merged.targets[0].wall_ms),
        (u64::MAX, u64::MAX)
    );
}

#[test]
fn a_merged_report_allows_what_all_of_its_parts_allow() {
    let (mut allows, strict) = (fixture("real.json"), fixture("one-target.json"));
    allows.allow_findings = true;
    assert!(
        !merge([allows.clone(), strict])
            .expect("reports")
            .allow_findings
    );
    assert!(
        merge([allows.clone(), allows])
            .expect("reports")
            .allow_findings
    );
}

#[test]
fn differences_are_named() {
    let old = fixture("one-target.json");
    let mut new = old.clone();
    let result = &mut new.results[0];
    result.verdict = Verdict::Pass;
    result.reason = None;
    let observed = result.observed.as_mut().expect("the run was made");
    observed.steps[0].observed.flush = Some(7);
    observed.registers.insert("DC CSW".to_owned(), 3);
    // Times and addresses are no difference.
    result.duration_ms += 1;
    new.wall_ms += 1;
    new.results.pop();
    let changes = diff::changes(&old, &new);
    assert_eq!(changes.runs.len(), 2);
    assert_eq!(changes.same, old.results.len() - 2);
    golden::agrees(
        &here().join("golden/diff.txt"),
        &plain(&diff::text(&changes)),
    );
}
