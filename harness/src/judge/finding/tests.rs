use super::*;
use crate::{
    catalog::finding::{SymptomCheck, Upstream},
    evidence::observation::Counts,
};

const LABEL: &str = "kvm-7.3";

fn run() -> Run {
    Run::all()[0]
}

fn check(name: &str, got: &str) -> Failure {
    Failure::Check {
        name: name.to_owned(),
        want: "0x5e".to_owned(),
        got: got.to_owned(),
    }
}

fn step(flush: Option<u64>) -> Failure {
    let counts = |vm_reg, flush| Counts {
        set_way: 0,
        vm_reg,
        flush,
    };
    Failure::Step {
        n: 0,
        name: "cache on".to_owned(),
        expected: counts(1, Some(1)),
        observed: counts(0, flush),
    }
}

fn symptom(checks: &[(&str, &str)], sometimes: bool) -> Symptom {
    let checks = checks.iter().map(|(name, got)| SymptomCheck {
        name: (*name).to_owned(),
        got: (*got).to_owned(),
    });
    Symptom {
        case: run().case,
        isas: vec![run().isa],
        caches: Vec::new(),
        hypervisors: Vec::new(),
        sometimes,
        unless: None,
        shows: Shows::Failures {
            checks: checks.collect(),
            steps: Vec::new(),
            stale: false,
            costs: Vec::new(),
        },
    }
}

fn finding(runs: Vec<Symptom>) -> Finding {
    let text = || "x".to_owned();
    Finding {
        id: "f".to_owned(),
        title: text(),
        rules: vec![run().case.rule.id.to_owned()],
        hypervisors: vec![LABEL.to_owned()],
        except: Vec::new(),
        expected: text(),
        happened: text(),
        evidence: text(),
        repeat: text(),
        place: text(),
        since: text(),
        reference: text(),
        reproducer: text(),
        suggestion: text(),
        upstream: Upstream {
            list: text(),
            area: text(),
            known: text(),
            fixed: None,
        },
        runs,
    }
}

fn is_known(finding: &Finding, failures: Vec<Failure>) -> bool {
    let judgement = Judgement::failed(failures);
    known(std::slice::from_ref(finding), &[LABEL], &run(), &judgement).is_some()
}

#[test]
fn a_new_failure_in_place_of_a_known_one_is_new() {
    let two = finding(vec![symptom(&[("TTBR0", "0x0"), ("TTBR1", "0x0")], false)]);
    assert!(is_known(
        &two,
        vec![check("TTBR0", "0x0"), check("TTBR1", "0x0")]
    ));
    // As many failures, and the same first one: it is not the same deviation.
    for other in [check("TTBR1 low", "0x0"), check("TTBR1", "0x1")] {
        assert!(!is_known(&two, vec![check("TTBR0", "0x0"), other]));
    }
    let third = check("MAIR0", "0x0");
    assert!(!is_known(
        &two,
        vec![check("TTBR0", "0x0"), check("TTBR1", "0x0"), third]
    ));
}

#[test]
fn what_is_certain_shows_as_a_whole() {
    let certain = finding(vec![symptom(&[("a", "0x0"), ("b", "0x0")], false)]);
    assert!(!is_known(&certain, vec![check("a", "0x0")]));
    let sometimes = finding(vec![symptom(&[("a", "0x0"), ("b", "0x0")], true)]);
    assert!(is_known(&sometimes, vec![check("a", "0x0")]));
    assert!(!is_known(&sometimes, vec![]));
    assert!(gone(&[certain], &[LABEL], &run()).is_some());
    assert!(gone(&[sometimes], &[LABEL], &run()).is_none());
}

#[test]
fn two_findings_may_show_in_one_run() {
    let both = [
        finding(vec![symptom(&[("a", "0x0")], true)]),
        finding(vec![symptom(&[("b", "0x0")], true)]),
    ];
    let judgement = Judgement::failed(vec![check("a", "0x0"), check("b", "0x0")]);
    assert!(known(&both, &[LABEL], &run(), &judgement).is_some());
    assert!(known(&both[..1], &[LABEL], &run(), &judgement).is_none());
}

#[test]
fn a_stale_load_is_named_by_what_it_saw() {
    let mut symptom = symptom(&[("load, word 0", "0x11111111")], false);
    let Shows::Failures { stale, .. } = &mut symptom.shows else {
        panic!("it names checks")
    };
    *stale = true;
    let finding = finding(vec![symptom]);
    let with = |saw, is_load| {
        let stale = Failure::Stale {
            pc: 0x4000_0000,
            saw,
            newest: 0x2222_2222,
            is_load,
        };
        is_known(&finding, vec![check("load, word 0", "0x11111111"), stale])
    };
    assert!(with(0x1111_1111, true));
    // Another load of other data, and a walk or a fetch, are news.
    assert!(!with(0x3333_3333, true));
    assert!(!with(0x1111_1111, false));
}

#[test]
fn what_shows_by_chance_is_said_to() {
    let by_chance = |sometimes: &[bool]| {
        let rows = sometimes.iter().map(|it| symptom(&[("a", "0x0")], *it));
        let finding = finding(rows.collect());
        let judgement = Judgement::failed(vec![check("a", "0x0")]);
        known(&[finding], &[LABEL], &run(), &judgement).map(|it| it.by_chance)
    };
    assert_eq!(by_chance(&[true]), Some(true));
    assert_eq!(by_chance(&[false]), Some(false));
    assert_eq!(by_chance(&[true, false]), Some(false));
}

#[test]
fn what_is_spoilt_by_another_finding_is_not_missed() {
    let mut certain = finding(vec![symptom(&[("a", "0x0"), ("b", "0x0")], false)]);
    certain.runs[0].unless = Some("race".to_owned());
    let mut race = finding(vec![symptom(&[("start", "0x1")], true)]);
    race.id = "race".to_owned();
    let both = [certain, race];
    let known = |failures| {
        let known = known(&both, &[LABEL], &run(), &Judgement::failed(failures));
        known.map(|it| it.by_chance)
    };
    assert_eq!(
        known(vec![check("a", "0x0"), check("b", "0x0")]),
        Some(false)
    );
    assert_eq!(known(vec![check("a", "0x0")]), None);
    assert_eq!(known(vec![check("start", "0x1")]), Some(true));
    assert_eq!(
        known(vec![check("start", "0x1"), check("a", "0x0")]),
        Some(false)
    );
    assert!(gone(&both, &[LABEL], &run()).is_some());
}

#[test]
fn a_step_is_named_with_what_is_observed() {
    let named = |vm_reg, flush| {
        let mut symptom = symptom(&[], false);
        symptom.shows = Shows::Failures {
            checks: Vec::new(),
            steps: vec![SymptomStep {
                name: "cache on".to_owned(),
                set_way: None,
                vm_reg,
                flush,
            }],
            stale: false,
            costs: Vec::new(),
        };
        finding(vec![symptom])
    };
    assert!(is_known(&named(Some(0), Some(0)), vec![step(Some(0))]));
    assert!(!is_known(&named(Some(0), None), vec![step(Some(0))]));
    assert!(!is_known(&named(Some(0), Some(0)), vec![step(Some(2))]));
    // Under a hypervisor whose flushes nobody counts.
    assert!(is_known(&named(Some(0), Some(0)), vec![step(None)]));
}

#[test]
fn a_crash_is_excused_by_what_the_finding_shows_of_it() {
    let mut symptom = symptom(&[], false);
    symptom.shows = Shows::End(EndKind::Crash, "Internal error: Oops".to_owned());
    let finding = finding(vec![symptom]);
    let judged = |verdict, reason: &str| {
        let judgement = Judgement::new(verdict, reason);
        known(std::slice::from_ref(&finding), &[LABEL], &run(), &judgement).is_some()
    };
    assert!(judged(
        Verdict::Crash,
        "[1.2] Internal error: Oops: 96000004"
    ));
    assert!(!judged(Verdict::Crash, "QEMU was killed by signal 9"));
    assert!(!judged(Verdict::NoVerdict, "Internal error: Oops"));
    assert!(!is_known(&finding, vec![check("a", "0x0")]));
}

#[test]
fn a_run_that_ends_in_one_of_two_ways_is_known_by_either() {
    let end = Symptom {
        shows: Shows::End(EndKind::Timeout, "traps endlessly".to_owned()),
        ..symptom(&[], false)
    };
    let either = finding(vec![symptom(&[("CPU_ON", "0x0")], false), end]);
    let timeout = Judgement::new(Verdict::Timeout, "the guest traps endlessly".to_owned());
    assert!(is_known(&either, vec![check("CPU_ON", "0x0")]));
    assert!(known(std::slice::from_ref(&either), &[LABEL], &run(), &timeout).is_some());
    // A third way is new, and so is none of them.
    let crash = Judgement::new(Verdict::Crash, "the guest traps endlessly".to_owned());
    assert!(known(std::slice::from_ref(&either), &[LABEL], &run(), &crash).is_none());
    assert!(gone(&[either], &[LABEL], &run()).is_some());
}

#[test]
fn findings_that_explain_a_run_together_are_all_named() {
    let one = finding(vec![symptom(&[("TTBR0", "0x0")], false)]);
    let two = Finding {
        id: "g".to_owned(),
        ..finding(vec![symptom(&[("TTBR1", "0x0")], false)])
    };
    let failures = vec![check("TTBR0", "0x0"), check("TTBR1", "0x0")];
    let known = known(&[one, two], &[LABEL], &run(), &Judgement::failed(failures));
    let known = known.expect("both together name every failure");
    assert!(known.is_of("f") && known.is_of("g") && !known.is_of("h"));
}

#[test]
fn a_finding_holds_wherever_the_hypervisor_claims_the_same() {
    let workspace = crate::workspace::Workspace::find().expect("tests run in a checkout");
    let catalog = crate::catalog::Catalog::load(&workspace).expect("the committed files are sound");
    let mut finding = finding(vec![symptom(&[("a", "0x0")], false)]);
    let is_about = |finding: &Finding, label: &str| {
        let names = catalog.target(label).expect("a target").names();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        finding.is_about(&names)
    };
    for (label, expected) in [
        ("kvm-7.3", true),
        ("kvm-7.3@virt-n1", true),
        // With FWB it claims something else.
        ("kvm-7.3@virt-n2", false),
        ("kvm-6.12@virt-n1", false),
        ("kvm-qemu-7.3", false),
    ] {
        assert_eq!(is_about(&finding, label), expected, "{label}");
    }
    finding.hypervisors = vec!["kvm-7.3@virt-n2".to_owned()];
    assert!(is_about(&finding, "kvm-7.3@virt-n2") && !is_about(&finding, "kvm-7.3"));
    finding.hypervisors = vec![LABEL.to_owned()];
    finding.except = vec!["kvm-7.3@virt-n1".to_owned()];
    assert!(is_about(&finding, "kvm-7.3") && !is_about(&finding, "kvm-7.3@virt-n1"));
}
