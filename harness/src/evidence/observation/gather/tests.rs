//! Observations that are whole, and every way in which one can be not.

use std::{os::unix::process::ExitStatusExt, process::ExitStatus, time::Duration};

use setway_architecture::trap::esr::Esr;
use setway_protocol::{
    RecordWriter,
    Value::{self, Count, Hex, Text},
};

use super::*;
use crate::{
    evidence::{exception_log::Exception, excerpt::Excerpt},
    judge::{Verdict, judge},
    lab::capture::End,
};

const MARK: u64 = 0x4800_1794;
const BUILDS: Builds = Builds {
    guest: 1,
    hypervisor: Some(2),
    unseen_exits: Vec::new(),
    hosted: false,
};
const HVC: u32 = 0x5a00_0000;
const CISW: u32 = 0x6214_1c1c;

type Fields = Vec<(&'static str, Value<'static>)>;

/// What guest and hypervisor say, before it is written down.
struct Script {
    guest: Vec<(&'static str, Fields)>,
    hypervisor: Vec<(&'static str, Fields)>,
    exceptions: Vec<(u32, u64)>,
}

fn run() -> Run {
    *Run::all()
        .iter()
        .find(|run| run.label() == "SW-REPEAT.a64")
        .unwrap()
}

/// A run that is in order: one step of one set/way op, and one check.
fn script() -> Script {
    let mark = |n, total| {
        (
            kind::MARK,
            vec![
                ("n", Count(n)),
                ("set_way", Count(total)),
                ("vm_reg", Count(0)),
                ("flush", Count(total)),
            ],
        )
    };
    Script {
        guest: vec![
            (
                kind::BEGIN,
                vec![
                    ("proto", Count(1)),
                    ("case", Text("SW-REPEAT")),
                    ("isa", Text("a64")),
                    ("build", Hex(BUILDS.guest)),
                    ("mark", Hex(MARK)),
                ],
            ),
            (
                kind::STEP,
                vec![
                    ("n", Count(0)),
                    ("name", Text("op")),
                    ("set_way", Count(1)),
                    ("vm_reg", Count(0)),
                    ("flush", Count(1)),
                ],
            ),
            (
                kind::CHECK,
                vec![("name", Text("x0")), ("want", Hex(1)), ("got", Hex(1))],
            ),
        ],
        hypervisor: vec![
            (
                kind::BEGIN,
                vec![
                    ("proto", Count(1)),
                    ("policy", Text("none")),
                    ("build", Hex(2)),
                ],
            ),
            mark(0, 0),
            (
                kind::SET_WAY_FLUSH,
                vec![("vcpu", Count(0)), ("pc", Hex(4)), ("cache", Text("on"))],
            ),
            mark(1, 1),
            (
                kind::TRAPS,
                vec![
                    ("reg", Text("DC CISW")),
                    ("dir", Text("w")),
                    ("count", Count(1)),
                ],
            ),
            (
                kind::TOTALS,
                vec![
                    ("flushes", Count(1)),
                    ("lines", Count(9)),
                    ("lost", Count(0)),
                ],
            ),
        ],
        exceptions: vec![(HVC, MARK), (CISW, 4), (HVC, MARK)],
    }
}

fn observe(script: &Script) -> Observation {
    let mut console = String::new();
    for (stream, records) in [
        (Stream::Guest, &script.guest),
        (Stream::Hypervisor, &script.hypervisor),
    ] {
        let mut writer = RecordWriter::new(stream);
        for (kind, fields) in records {
            writer.write(&mut console, kind, fields).unwrap();
        }
        if !records.is_empty() {
            writer.end(&mut console).unwrap();
        }
    }
    observe_console(script, console)
}

fn observe_console(script: &Script, console: String) -> Observation {
    let mut log = crate::evidence::exception_log::ExceptionLog::default();
    let exceptions = script.exceptions.iter();
    log.exceptions = exceptions
        .map(|&(esr, elr)| Exception { esr: Esr(esr), elr })
        .collect();
    let capture = Capture {
        console: console.into_bytes(),
        log,
        log_text: Excerpt::default(),
        stderr: String::new(),
        end: End::Exited(ExitStatus::from_raw(0)),
        duration: Duration::ZERO,
    };
    Observation::of(&capture, &run(), &BUILDS)
}

#[track_caller]
fn assert_no_verdict(script: &Script, because: &str) {
    let judgement = judge(&observe(script));
    assert_eq!(judgement.verdict, Verdict::NoVerdict, "{judgement:?}");
    let reason = judgement.reason.unwrap();
    assert!(reason.contains(because), "{reason}");
}

fn set(records: &mut [(&'static str, Fields)], at: usize, name: &str, value: Value<'static>) {
    let field = records[at]
        .1
        .iter_mut()
        .find(|(field, _)| *field == name)
        .unwrap();
    field.1 = value;
}

#[test]
fn a_run_in_order_has_no_gap() {
    let observation = observe(&script());
    assert_eq!(observation.gaps, []);
    let counts = Counts {
        set_way: 1,
        vm_reg: 0,
        flush: Some(1),
    };
    assert_eq!(
        (observation.steps[0].expected, observation.steps[0].observed),
        (counts, counts)
    );
    assert_eq!(
        observation.account.unwrap().events,
        ["set_way_flush vcpu=0 cache=on"]
    );
    assert_eq!(observation.registers["DC CISW"], 1);
}

#[test]
fn a_step_that_costs_something_else_fails() {
    let mut script = script();
    set(&mut script.guest, 1, "set_way", Count(2));
    assert_eq!(judge(&observe(&script)).verdict, Verdict::Fail);
}

#[test]
fn a_missing_stream_is_no_verdict() {
    let mut script = script();
    script.hypervisor.clear();
    assert_no_verdict(&script, "no record of the hypervisor's stream");
    script.guest.clear();
    assert_no_verdict(&script, "no record of the guest's stream");
}

#[test]
fn another_case_isa_protocol_or_policy_is_no_verdict() {
    for (name, value) in [
        ("case", Text("SW-LOOP")),
        ("isa", Text("a32")),
        ("proto", Count(9)),
        ("build", Hex(9)),
    ] {
        let mut script = script();
        set(&mut script.guest, 0, name, value);
        assert_no_verdict(&script, "was asked for");
    }
    let mut script = script();
    set(&mut script.hypervisor, 0, "policy", Text("tvm-shared"));
    assert_no_verdict(
        &script,
        "the hypervisor's stream was asked for policy `none` and says `tvm-shared`",
    );
}

#[test]
fn totals_come_once_and_whole() {
    let mut script = script();
    script.hypervisor.pop();
    assert_no_verdict(&script, "0 records of its totals");
    let mut script = self::script();
    script.hypervisor.push(script.hypervisor[5].clone());
    assert_no_verdict(&script, "2 records of its totals");
}

#[test]
fn an_overflowing_trace_changes_no_verdict() {
    let mut script = script();
    set(&mut script.hypervisor, 5, "lost", Count(3));
    let observation = observe(&script);
    assert_eq!(judge(&observation).verdict, Verdict::Pass);
    assert_eq!(observation.account.map(|account| account.lost), Some(3));
}

#[test]
fn registers_are_known_and_counted_once() {
    let mut script = script();
    script.hypervisor.push(script.hypervisor[4].clone());
    assert_no_verdict(&script, "traps of `DC CISW`");
    set(&mut script.hypervisor, 6, "reg", Text("DC MADE UP"));
    assert_no_verdict(&script, "traps of `DC MADE UP`");
    set(&mut script.hypervisor, 6, "reg", Text("UNDEF injected"));
    assert_eq!(observe(&script).gaps, []);
}

#[test]
fn a_stream_that_begins_in_the_middle_is_no_verdict() {
    let mut script = script();
    script.guest.swap(0, 1);
    assert_no_verdict(&script, "does not begin with `begin`");
}

#[test]
fn missing_marks_are_no_verdict() {
    let mut script = script();
    script.exceptions.pop();
    assert_no_verdict(&script, "1 steps need 2 marks, and 1 are in QEMU's log");
    let mut script = self::script();
    script.hypervisor.remove(3);
    assert_no_verdict(&script, "1 are in the hypervisor's stream");
}

#[test]
fn observing_nothing_is_no_verdict() {
    let mut script = script();
    script.guest.truncate(1);
    assert_no_verdict(&script, "neither steps nor checks");
}

#[test]
fn a_step_out_of_order_is_no_verdict() {
    let mut script = script();
    set(&mut script.guest, 1, "n", Count(1));
    assert_no_verdict(&script, "step 0 is due");
}

#[test]
fn an_unknown_record_or_a_missing_field_is_no_verdict() {
    let mut script = script();
    script.guest[2].0 = "guess";
    assert_no_verdict(&script, "unknown kind");
    let mut script = self::script();
    script.guest[2].1.pop();
    assert_no_verdict(&script, "no usable field `got`");
}

#[test]
fn two_accounts_that_differ_are_our_own_error() {
    let mut script = script();
    script.exceptions.insert(1, (CISW, 8));
    set(&mut script.guest, 1, "set_way", Count(2));
    assert_no_verdict(&script, "an error of Setway's own");
    let mut script = self::script();
    script.exceptions.push((CISW, 8));
    assert_no_verdict(
        &script,
        "for all traps of DC CISW QEMU's log counts 2 and the hypervisor 1",
    );
}

#[test]
fn a_crash_explains_everything_else() {
    let mut script = script();
    script.guest[2] = (kind::PANIC, vec![("msg", Text("at boot"))]);
    script.hypervisor.clear();
    let judgement = judge(&observe(&script));
    assert_eq!(
        (judgement.verdict, judgement.reason.as_deref()),
        (Verdict::Crash, Some("panic: at boot"))
    );

    let mut script = self::script();
    script.hypervisor[4] = (
        kind::DIED,
        vec![("reason", Text("data abort")), ("pc", Hex(4))],
    );
    let judgement = judge(&observe(&script));
    assert_eq!(judgement.verdict, Verdict::Crash);
    assert_eq!(
        judgement.reason.unwrap(),
        "the guest died: reason=data abort pc=0x4"
    );
}

#[test]
fn a_console_without_records_is_no_verdict() {
    let observation = observe_console(&script(), "U-Boot 2024.01\r\n=> ".to_owned());
    assert_eq!(judge(&observation).verdict, Verdict::NoVerdict);
}
