use super::*;
use std::collections::BTreeMap;

use crate::{
    catalog::obligation::Want,
    evidence::observation::Counts,
    judge::{Judgement, Verdict},
};

fn step(name: &str, set_way: u64, flush: u64) -> Step {
    let expected = Counts {
        set_way,
        vm_reg: 0,
        flush: Some(flush),
    };
    Step {
        name: name.to_owned(),
        expected,
        observed: expected,
        hypervisor: None,
        maintained: None,
        costs: Vec::new(),
        witnesses: Vec::new(),
        others: BTreeMap::new(),
        others_allowed: 0,
        span: 0..0,
    }
}

fn check(of: CheckKind, name: &str, want: u64, got: u64) -> Check {
    Check {
        of,
        name: name.to_owned(),
        want: format!("{want:#x}"),
        got: format!("{got:#x}"),
        from: None,
        detail: None,
        excuse: None,
    }
}

/// What an honest guest reports, of a case with a second CPU.
fn honest() -> (Vec<Step>, Vec<Check>) {
    let steps = vec![step("set/way op", 1, 1), step("cache off", 0, 0)];
    let checks = vec![
        check(CheckKind::State, "CPU_ON succeeds", 1, 1),
        check(CheckKind::State, "DC CISW, x0", 0xd16e57, 0xd16e57),
        check(CheckKind::State, "DC CISW, x1", 0xd16e57, 0xd16e57),
        check(CheckKind::Data, "load", 0x22, 0x22),
    ];
    (steps, checks)
}

fn reported<'a>(steps: &'a [Step], checks: &'a [Check]) -> Reported<'a> {
    Reported {
        steps,
        checks,
        caches: &[],
        expected: Expected::Fresh,
    }
}

const CASE: &str = "COH-CPUS";

/// What is owed according to [`honest`].
fn owed() -> Obligations {
    let (steps, checks) = honest();
    let mut reports = Reports::default();
    let added = reports.add(CASE, Isa::A64, &reported(&steps, &checks));
    added.expect("it is the first report");
    let mut obligations = Obligations::default();
    reports.accept(&mut obligations);
    obligations
}

/// What is still owed after a report like that of [`honest`], changed by `change`.
fn debts(change: impl FnOnce(&mut Vec<Step>, &mut Vec<Check>)) -> Vec<String> {
    let (mut steps, mut checks) = honest();
    change(&mut steps, &mut checks);
    let debts = super::debts(&owed(), CASE, Isa::A64, &reported(&steps, &checks));
    debts.iter().map(Debt::to_string).collect()
}

#[test]
fn an_honest_guest_owes_nothing() {
    assert!(debts(|_, _| {}).is_empty());
}

#[test]
fn a_wrong_value_is_no_debt() {
    assert!(debts(|_, checks| checks[3].got = "0x11".to_owned()).is_empty());
    assert!(debts(|steps, _| steps[0].observed.set_way = 0).is_empty());
}

/// Attack: a body that does nothing but one check that is right.
#[test]
fn a_body_that_only_says_that_it_is_done_owes_everything() {
    let debts = debts(|steps, checks| {
        steps.clear();
        *checks = vec![check(CheckKind::State, "done", 1, 1)];
    });
    assert_eq!(
        debts,
        [
            "the guest owes step `set/way op` and 1 more",
            "expected state check `CPU_ON succeeds`, the guest reports `done`",
        ]
    );
}

/// Attack: a payload that stops after its first probe.
#[test]
fn a_payload_that_stops_early_owes_the_rest() {
    assert_eq!(
        debts(|_, checks| checks.truncate(2)),
        ["the guest owes state check `DC CISW, x1` and 1 more"]
    );
    assert_eq!(
        debts(|steps, _| steps.truncate(1)),
        ["the guest owes step `cache off`"]
    );
}

/// Attack: a payload that compares what it found with itself.
#[test]
fn a_payload_that_compares_a_value_with_itself_wants_the_wrong_one() {
    assert_eq!(
        debts(|_, checks| checks[3] = check(CheckKind::Data, "load", 0x11, 0x11)),
        ["check `load` must want 0x22; it wants 0x11"]
    );
}

/// Attack: a payload that demands what happens.
#[test]
fn a_payload_that_demands_something_else_owes_the_demand() {
    assert_eq!(
        debts(|steps, _| steps[0] = step("set/way op", 1, 0)),
        [
            "step `set/way op` must demand S/W 1, VM registers 0, flushes 1; it demands S/W 1, VM registers 0, \
             flushes 0"
        ]
    );
}

/// Attack: a payload that gives a load of data for something else.
#[test]
fn the_kind_of_a_check_is_owed_too() {
    assert_eq!(
        debts(|_, checks| checks[3].of = CheckKind::State),
        ["expected data check `load`, the guest reports `load (state check)`"]
    );
}

#[test]
fn order_and_number_are_owed() {
    assert_eq!(
        debts(|_, checks| checks.swap(0, 1)),
        ["expected state check `CPU_ON succeeds`, the guest reports `DC CISW, x0`"]
    );
    assert_eq!(
        debts(|_, checks| checks.push(check(CheckKind::State, "records that did not fit", 0, 0))),
        ["the guest reports state check `records that did not fit`, which the case does not have"]
    );
}

/// Where the second CPU does not start, a case ends. That is red, so nobody gains by it.
#[test]
fn only_a_failed_check_of_state_lets_a_case_end_early() {
    let stopped = |first: Check| {
        debts(move |steps, checks| {
            steps.clear();
            *checks = vec![first];
        })
    };
    let refused = check(CheckKind::State, "CPU_ON succeeds", 1, 0);
    assert!(stopped(refused.clone()).is_empty());
    // What is excused passes, so it explains nothing.
    let excused = Check {
        excuse: Some("the machine does that".to_owned()),
        ..refused.clone()
    };
    assert_eq!(stopped(excused).len(), 2);
    // It does not excuse what is reported.
    let wrong = check(CheckKind::State, "CPU_ON succeeds", 2, 0);
    assert_eq!(
        stopped(wrong),
        ["check `CPU_ON succeeds` must want 0x1; it wants 0x2"]
    );
    let data = debts(|_, checks| {
        checks[0] = check(CheckKind::Data, "CPU_ON succeeds", 1, 0);
        checks.truncate(1);
    });
    assert_eq!(data.len(), 1);
}

#[test]
fn what_is_not_known_is_owed() {
    let debts = super::debts(&Obligations::default(), CASE, Isa::T32, &reported(&[], &[]));
    assert_eq!(
        debts[0].to_string(),
        "it is not known what COH-CPUS owes in t32: accept it with `run --bless`"
    );
}

#[test]
fn a_value_may_be_computed_from_another() {
    let from = |from: Option<u64>, want| Check {
        from: from.map(|from| format!("{from:#x}")),
        ..check(CheckKind::Register, "SCTLR_EL1", want, want)
    };
    let owed = OwedCheck {
        of: CheckKind::Register,
        name: "SCTLR_EL1".to_owned(),
        fresh: Want::From(2),
        stale: Want::From(2),
    };
    let debt = |check: Check| check_debt(&owed, &check, Expected::Fresh);
    assert_eq!(debt(from(Some(0x800), 0x802)), None);
    assert!(debt(from(Some(0x800), 0x800)).is_some());
    let missing = debt(from(None, 0x802)).expect("there is nothing to compute it from");
    assert_eq!(
        missing.to_string(),
        "check `SCTLR_EL1` must want from | 0x2, of which there is nothing; it wants 0x802"
    );
}

#[test]
fn old_data_is_owed_where_it_is_expected() {
    let mut reports = Reports::default();
    for (expected, want) in [(Expected::Fresh, 0x22), (Expected::Stale, 0x11)] {
        let checks = [check(CheckKind::Data, "load", want, want)];
        let reported = Reported {
            expected,
            ..reported(&[], &checks)
        };
        let added = reports.add("MCH-SW/csw", Isa::A64, &reported);
        added.expect("each side is reported once");
    }
    let mut obligations = Obligations::default();
    reports.accept(&mut obligations);
    let checks = [check(CheckKind::Data, "load", 0x22, 0x22)];
    let debts = |expected| {
        let reported = Reported {
            expected,
            ..reported(&[], &checks)
        };
        super::debts(&obligations, "MCH-SW/csw", Isa::A64, &reported)
    };
    assert!(debts(Expected::Fresh).is_empty());
    assert_eq!(debts(Expected::Stale).len(), 1);
}

/// The caches of a Cortex-A57: 512 lines of data, and 32768.
const CACHES: [Cache; 3] = [
    Cache {
        level: 1,
        kind: CacheType::Data,
        ccsidr: 0x701f_e00a,
    },
    Cache {
        level: 1,
        kind: CacheType::Instruction,
        ccsidr: 0x201f_e012,
    },
    Cache {
        level: 2,
        kind: CacheType::Unified,
        ccsidr: 0x70ff_e07a,
    },
];

#[test]
fn a_loop_over_all_lines_has_as_many_ops_as_the_caches_have() {
    assert_eq!(lines(&CACHES)[0], 512 + 32768);
    assert_eq!(lines(&[])[0], 1);
    let owed = OwedStep {
        name: "loop".to_owned(),
        set_way: Ops::Geometry,
        vm_reg: 0,
        flush: 1,
    };
    assert_eq!(step_debt(&owed, &step("loop", 33280, 1), &CACHES), None);
    assert!(step_debt(&owed, &step("loop", 33279, 1), &CACHES).is_some());
    assert_eq!(step_debt(&owed, &step("loop", 1, 1), &[]), None);
}

#[test]
fn two_reports_must_agree() {
    let (steps, mut checks) = honest();
    let mut reports = Reports::default();
    let mut add = |checks: &[Check]| reports.add(CASE, Isa::A64, &reported(&steps, checks));
    assert_eq!(add(&checks), Ok(()));
    assert_eq!(add(&checks), Ok(()));
    checks.pop();
    assert!(matches!(add(&checks), Err(Conflict::Twice { .. })));
    checks[0].from = Some("0x2".to_owned());
    assert!(matches!(add(&checks), Err(Conflict::NoRule { .. })));
}

#[test]
fn what_a_run_owes_outweighs_whether_it_met_its_rule() {
    let debts = [Debt::Unknown {
        case: CASE.to_owned(),
        isa: Isa::A64,
    }];
    let owing = |verdict| Judgement::new(verdict, "x").owing(&debts).verdict;
    assert_eq!(owing(Verdict::Pass), Verdict::NoVerdict);
    assert_eq!(owing(Verdict::Fail), Verdict::NoVerdict);
    // These say why it owes.
    assert_eq!(owing(Verdict::Crash), Verdict::Crash);
    assert_eq!(owing(Verdict::Timeout), Verdict::Timeout);
    assert_eq!(Judgement::pass().owing(&[]), Judgement::pass());
}
