//! JUnit's XML, for CI systems. A crash, a timeout and a missing verdict are errors, a broken rule is
//! a failure.

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::{Report, Section, human};
use crate::{bench::Outcome, commands, judge::Verdict};

/// The whole report.
pub fn text(report: &Report) -> Result<String, commands::Error> {
    let mut document = quick_junit::Report::new("setway");
    document.set_time(report.wall());
    document.add_test_suites(report.sections.iter().map(suite));
    let text = document
        .to_string()
        .map_err(|error| commands::Error::Report(error.to_string()))?;
    Ok(text + "\n")
}

fn suite(section: &Section) -> TestSuite {
    let target = section.bench.target();
    let mut suite = TestSuite::new(format!("setway.{}", target.label()));
    suite.set_time(section.wall);
    suite.add_property(("machine", target.machine.name.as_str()));
    let qemu = section.bench.boot.qemu.version().to_string();
    suite.add_property(("qemu", qemu.as_str()));
    let outcomes = section.outcomes.iter();
    suite.add_test_cases(outcomes.map(|outcome| test_case(section, outcome)));
    suite
}

fn test_case(section: &Section, outcome: &Outcome) -> TestCase {
    let verdict = outcome.judgement.verdict;
    let mut status = match verdict {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Skip => TestCaseStatus::skipped(),
        Verdict::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Crash | Verdict::Timeout | Verdict::NoVerdict => {
            TestCaseStatus::non_success(NonSuccessKind::Error)
        }
    };
    if let Some(reason) = &outcome.judgement.reason {
        status.set_message(reason.as_str());
    }
    if verdict.is_bad() {
        status.set_type(verdict.name());
        status.set_description(
            anstream::adapter::strip_str(&human::details(section, outcome)).to_string(),
        );
    }
    let mut case = TestCase::new(outcome.run.label(), status);
    case.set_classname(outcome.run.case.rule.id);
    case.set_time(outcome.duration);
    let notes = section.notes(outcome);
    if !notes.is_empty() {
        case.set_system_out(notes.join("\n"));
    }
    case
}
