//! JUnit's XML, for CI systems. A crash, a timeout and a missing verdict are errors, a broken rule is
//! a failure, and a known finding that is allowed is skipped: what is red here makes the exit code 1.

use std::time::Duration;

use chrono::{DateTime, FixedOffset};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use setway_report::{RunReport, RunResult, Target, Totals, Verdict};

use super::{Error, human, idle_targets, text::printable};

/// The whole report.
pub fn text(report: &RunReport) -> Result<String, Error> {
    let report = printable(report);
    let mut document = quick_junit::Report::new("setway");
    document.set_time(Duration::from_millis(report.wall_ms));
    let targets = report.targets.iter();
    document.add_test_suites(targets.map(|target| suite(&report, target)));
    let text = document.to_string()?;
    Ok(without_skipped(&text) + "\n")
}

/// The schema of Jenkins' xUnit plugin (`junit-10.xsd`) has no `skipped` on `testsuites`, only on each `testsuite`.
fn without_skipped(text: &str) -> String {
    const START: &str = "<testsuites ";
    let Some((head, rest)) = text.split_once(START) else {
        return text.to_owned();
    };
    let (tag, rest) = rest.split_once('>').unwrap_or((rest, ""));
    let attributes = tag.split_inclusive("\" ");
    let kept = attributes.filter(|attribute| !attribute.starts_with("skipped=\""));
    format!("{head}{START}{}>{rest}", kept.collect::<String>())
}

/// When the first of the report's invocations began.
fn started(report: &RunReport) -> Option<DateTime<FixedOffset>> {
    let times = report.origins.iter().map(|origin| &origin.started);
    let times = times.filter_map(|time| DateTime::parse_from_rfc3339(time).ok());
    times.min()
}

fn suite(report: &RunReport, target: &Target) -> TestSuite {
    let class = class(report, target);
    let mut suite = TestSuite::new(class.clone());
    suite.set_time(Duration::from_millis(target.wall_ms));
    if let Some(time) = started(report) {
        suite.set_timestamp(time);
    }
    if let Some(origin) = report.origins.first().filter(|it| !it.host.name.is_empty()) {
        let host = ("hostname".into(), origin.host.name.as_str().into());
        suite.extra.extend([host]);
    }
    for (name, value) in properties(report, target) {
        suite.add_property((name.as_str(), value.as_str()));
    }
    let results = report.results_of(target);
    suite.add_test_cases(results.map(|result| test_case(report, result, &class)));
    if idle_targets(report).any(|idle| idle.id == target.id) {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message("nothing ran: all runs were skipped");
        status.set_type("nothing_ran");
        let mut case = TestCase::new("something runs", status);
        case.set_classname(class);
        suite.add_test_case(case);
    }
    suite
}

/// What the suite's names begin with: CI systems keep their history by class and name, so a class has to say
/// which hypervisor, which machine and which QEMU. A dot would begin a new level.
fn class(report: &RunReport, target: &Target) -> String {
    let class = |qemu: &str| {
        let (hypervisor, _) = target.label.split_once('@').unwrap_or((&target.label, ""));
        let qemu = qemu.replace('.', "_");
        format!("setway.{hypervisor}.{}.qemu-{qemu}", target.machine)
    };
    // Of QEMU the series, so that a distribution's update does not begin a new history; unless two targets
    // differ in the rest of the version.
    let series = |qemu: &str| qemu.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    let is_same =
        |it: &&Target| it.label == target.label && series(&it.qemu) == series(&target.qemu);
    if report.targets.iter().filter(is_same).count() > 1 {
        class(&target.qemu)
    } else {
        class(&series(&target.qemu))
    }
}

/// Everything about a target and where the report comes from.
fn properties(report: &RunReport, target: &Target) -> Vec<(String, String)> {
    let mut properties = Vec::new();
    let mut add = |name: &str, value: &str| properties.push((name.to_owned(), value.to_owned()));
    add("target", &target.label);
    if let Some(version) = &target.hypervisor_version {
        add("hypervisor_version", version);
    }
    add("profile", &target.profile);
    add("machine", &target.machine);
    add("qemu", &target.qemu);
    if let Some(reason) = &target.without_cache_model {
        add("without_cache_model", reason);
    }
    for artifact in &target.artifacts {
        if let Some(hash) = &artifact.sha256 {
            add(&format!("sha256.{}", artifact.name), hash);
        }
    }
    let totals = Totals::of(report.results_of(target));
    add("vacuous_passes", &totals.vacuous.to_string());
    add("excused_values", &totals.excused.to_string());
    add("known_findings", &totals.known.to_string());
    add("lost_boots", &totals.lost_boots.to_string());
    for origin in &report.origins {
        let (tool, checkout, host) = (&origin.tool, &origin.checkout, &origin.host);
        if checkout.root.is_empty() {
            continue;
        }
        add("tool", &format!("{} {}", tool.name, tool.version));
        add("checkout", &checkout.root);
        add("revision", &super::revision(checkout));
        add(
            "host",
            &format!("{}, {}, {}", host.name, host.system, host.architecture),
        );
        add("command", &origin.command.join(" "));
    }
    properties
}

fn test_case(report: &RunReport, result: &RunResult, class: &str) -> TestCase {
    let verdict = result.verdict;
    let reason = result.reason.as_deref();
    let allowed = result
        .finding
        .as_ref()
        .filter(|_| verdict.is_bad() && report.allow_findings);
    let status = match (verdict, allowed) {
        (_, Some(finding)) => {
            let mut status = TestCaseStatus::skipped();
            let (id, title) = (&finding.id, &finding.title);
            let reason = reason.unwrap_or_default();
            status.set_message(format!("finding {id}: {title} ({verdict}: {reason})"));
            status
        }
        (Verdict::Pass, None) => TestCaseStatus::success(),
        (Verdict::Skip, None) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason.unwrap_or_default());
            status
        }
        (verdict, None) => {
            let kind = match verdict {
                Verdict::Fail => NonSuccessKind::Failure,
                _ => NonSuccessKind::Error,
            };
            let mut status = TestCaseStatus::non_success(kind);
            status.set_message(reason.unwrap_or_default());
            status.set_type(verdict.name());
            let details = human::details(report, result);
            status.set_description(anstream::adapter::strip_str(&details).to_string());
            status
        }
    };
    let mut case = TestCase::new(result.label(), status);
    // The mutant, too, is a part of what has a history.
    let mutant = result.mutant.iter().map(|mutant| format!(".{mutant}"));
    case.set_classname(format!(
        "{class}.{}{}",
        result.rule,
        mutant.collect::<String>()
    ));
    case.set_time(Duration::from_millis(result.duration_ms));
    // Some readers know no properties of test cases.
    if !result.notes.is_empty() {
        case.set_system_out(result.notes.join("\n"));
    }
    case
}
