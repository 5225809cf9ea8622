//! Captures that are whole, and every way in which one can be not: what is observed, and the verdict.

use std::{os::unix::process::ExitStatusExt, process::ExitStatus, time::Duration};

use setway_architecture::trap::esr::Esr;
use setway_protocol::{
    Guest, Hex, Hypervisor, Key, RecordWriter, Speaker, Stream, Text, VERSION,
    record::{
        self, Died, GuestBegin, HypervisorBegin, HypervisorTotals, Message, Panic, SetWayFlush,
        Traps,
    },
    word::{CheckKind, InstructionSet, OnOff},
};

use super::{Verdict, judge};
use crate::{
    evidence::{
        capture::{Capture, End},
        exception_log::{Exception, ExceptionLog},
        excerpt::Excerpt,
        observation::{Builds, Counts, Gap, Observation},
        witness::WitnessId,
    },
    plan::Run,
};

const MARK: u64 = 0x4800_1794;
const BUILDS: Builds = Builds {
    guest: 1,
    hypervisor: Some(2),
    mutant: None,
    unseen_exits: Vec::new(),
    hosted: false,
};
const HVC: u32 = 0x5a00_0000;
const CISW: u32 = 0x6214_1c1c;

const KEY: Key = Key::new([2; 16]);

/// What guest and hypervisor say, before it is written down.
struct Script {
    guest: Vec<Message<'static>>,
    hypervisor: Vec<Message<'static>>,
    exceptions: Vec<(u32, u64)>,
}

fn run() -> Run {
    *Run::all()
        .iter()
        .find(|run| run.label() == "SW-REPEAT.a64")
        .unwrap()
}

const BEGIN: GuestBegin = GuestBegin {
    proto: VERSION,
    build: Hex(1),
    base: Hex(0x4800_0000),
    isa: InstructionSet::A64,
    case: Text::plain("SW-REPEAT"),
    mark: Hex(MARK),
    midr: Hex(0),
    clidr: Hex(0),
    ctr: Hex(0),
};

const STEP: record::Step = record::Step {
    n: 0,
    name: Text::plain("op"),
    set_way: 1,
    vm_reg: 0,
    flush: 1,
};

const TRAPS: Traps = Traps {
    reg: Text::plain("DC CISW"),
    count: 1,
};

const TOTALS: HypervisorTotals = HypervisorTotals {
    flushes: 1,
    lines: Some(9),
    undef: None,
    lost: 0,
};

/// The first record of the reference hypervisor, or of a mutant of it.
fn hypervisor_begin(mutant: Option<&'static str>) -> Message<'static> {
    Message::HypervisorBegin(HypervisorBegin {
        proto: VERSION,
        build: Hex(2),
        base: None,
        mutant: mutant.map(Text::plain),
    })
}

/// A run that is in order: one step of one set/way op, and one check.
fn script() -> Script {
    let mark = |n, total| {
        Message::Mark(record::Mark {
            n,
            set_way: total,
            vm_reg: 0,
            flush: total,
        })
    };
    Script {
        guest: vec![
            Message::GuestBegin(BEGIN),
            Message::Step(STEP),
            Message::Check(record::Check {
                of: CheckKind::Register,
                name: "x0".into(),
                want: Hex(1),
                got: Hex(1),
                from: None,
                detail: None,
            }),
        ],
        hypervisor: vec![
            hypervisor_begin(None),
            mark(0, 0),
            Message::SetWayFlush(SetWayFlush {
                vcpu: 0,
                pc: Hex(4),
                cache: OnOff::On,
            }),
            mark(1, 1),
            Message::Traps(TRAPS),
            Message::HypervisorTotals(TOTALS),
        ],
        exceptions: vec![(HVC, MARK), (CISW, 4), (HVC, MARK)],
    }
}

fn observe(script: &Script) -> Observation {
    observe_console(script, console(script))
}

/// What is on the console.
fn console(script: &Script) -> String {
    let guest = written(RecordWriter::<Guest>::new(), &script.guest);
    let hypervisor = written(RecordWriter::<Hypervisor>::keyed(KEY), &script.hypervisor);
    guest + &hypervisor
}

/// A whole stream, if it says anything.
fn written<S: Speaker>(mut writer: RecordWriter<S>, records: &[Message]) -> String {
    let mut console = String::new();
    for record in records {
        writer.write_any(&mut console, record).unwrap();
    }
    if let Some(records) = (records.len() as u64).checked_sub(1) {
        let end = record::End {
            records: records + 1,
        };
        writer.write_any(&mut console, &Message::End(end)).unwrap();
    }
    console
}

fn observe_console(script: &Script, console: String) -> Observation {
    Observation::of(&capture(script, console), &run(), &BUILDS)
}

fn capture(script: &Script, console: String) -> Capture {
    let mut log = ExceptionLog::default();
    let exceptions = script.exceptions.iter();
    log.exceptions = exceptions
        .map(|&(esr, elr)| Exception { esr: Esr(esr), elr })
        .collect();
    Capture {
        console: console.into_bytes(),
        log: Some(log),
        log_text: Excerpt::default(),
        stderr: String::new(),
        end: End::Exited(ExitStatus::from_raw(0)),
        duration: Duration::ZERO,
        lost_boots: 0,
        key: Some(KEY),
    }
}

#[track_caller]
fn assert_no_verdict(script: &Script, because: &str) {
    let judgement = judge(&observe(script));
    assert_eq!(judgement.verdict, Verdict::NoVerdict, "{judgement:?}");
    let reason = judgement.reason.unwrap();
    assert!(reason.contains(because), "{reason}");
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
    script.guest[1] = Message::Step(record::Step { set_way: 2, ..STEP });
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
fn another_case_isa_protocol_or_mutant_is_no_verdict() {
    for begin in [
        GuestBegin {
            case: "SW-LOOP".into(),
            ..BEGIN
        },
        GuestBegin {
            isa: InstructionSet::A32,
            ..BEGIN
        },
        GuestBegin { proto: 9, ..BEGIN },
        GuestBegin {
            build: Hex(9),
            ..BEGIN
        },
    ] {
        let mut script = script();
        script.guest[0] = Message::GuestBegin(begin);
        assert_no_verdict(&script, "was asked for");
    }
    let mut script = script();
    script.hypervisor[0] = hypervisor_begin(Some("tvm-shared"));
    assert_no_verdict(
        &script,
        "the hypervisor's stream was asked for mutant `none` and says `tvm-shared`",
    );
}

#[test]
fn totals_come_once_and_whole() {
    let mut script = script();
    script.hypervisor.pop();
    assert_no_verdict(&script, "0 `totals` records");
    let mut script = self::script();
    script.hypervisor.push(script.hypervisor[5]);
    assert_no_verdict(&script, "2 `totals` records");
}

#[test]
fn a_trace_that_lost_events_is_no_verdict() {
    let mut script = script();
    script.hypervisor[5] = Message::HypervisorTotals(HypervisorTotals { lost: 3, ..TOTALS });
    assert_no_verdict(&script, "lost 3 events");
}

#[test]
fn registers_are_known_and_counted_once() {
    let mut script = script();
    script.hypervisor.push(script.hypervisor[4]);
    assert_no_verdict(&script, "traps of `DC CISW`");
    script.hypervisor[6] = Message::Traps(Traps {
        reg: "DC MADE UP".into(),
        ..TRAPS
    });
    assert_no_verdict(&script, "traps of `DC MADE UP`");
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
    assert_no_verdict(&script, "1 steps need 2 marks; the exception log has 1");
    let mut script = self::script();
    script.hypervisor.remove(3);
    assert_no_verdict(&script, "1 steps need 2 marks; the hypervisor has 1");
}

#[test]
fn without_an_exception_log_the_hypervisor_is_the_witness() {
    let board = |script: &Script| {
        let mut capture = capture(script, console(script));
        capture.log = None;
        Observation::of(&capture, &run(), &BUILDS)
    };
    let counted = board(&script());
    assert_eq!(judge(&counted).verdict, Verdict::Pass);
    let witnesses: Vec<_> = counted.steps[0]
        .witnesses
        .iter()
        .map(|it| it.witness)
        .collect();
    assert_eq!(witnesses, [WitnessId::Hypervisor]);
    let builds = Builds {
        hypervisor: None,
        ..BUILDS
    };
    let guest = written(RecordWriter::<Guest>::new(), &script().guest);
    let mut silent = capture(&script(), guest);
    silent.log = None;
    let alone = judge(&Observation::of(&silent, &run(), &builds));
    assert_eq!(alone.verdict, Verdict::NoVerdict);
    let reason = alone.reason.unwrap();
    assert!(
        reason.contains("no witness outside the guest counts"),
        "{reason}"
    );
}

#[test]
fn a_lossy_exception_log_is_no_verdict() {
    let script = script();
    let mut capture = capture(&script, console(&script));
    if let Some(log) = &mut capture.log {
        log.damaged = 1;
    }
    let judgement = judge(&Observation::of(&capture, &run(), &BUILDS));
    assert_eq!(judgement.verdict, Verdict::NoVerdict);
    assert!(judgement.reason.unwrap().contains("lines of it are lost"));
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
    script.guest[1] = Message::Step(record::Step { n: 1, ..STEP });
    assert_no_verdict(&script, "expected step 0, got another");
}

#[test]
fn an_unknown_record_or_a_missing_field_is_no_verdict() {
    for (line, why) in [
        (
            "%sw g 0 guess x=1 ~4eede185",
            "the guest has no record `guess`",
        ),
        ("%sw g 0 case ~8387bcb8", "has no field `id`"),
    ] {
        let observation = observe_console(&script(), format!("{line}\r\n"));
        let reason = observation.gaps[0].to_string();
        assert!(reason.contains(why), "{reason}");
    }
}

#[test]
fn a_hypervisor_without_the_key_is_no_verdict() {
    let script = script();
    let guest = written(RecordWriter::<Guest>::new(), &script.guest);
    let forged = RecordWriter::<Hypervisor>::keyed(Key::default());
    let forged = written(forged, &script.hypervisor);
    let observation = observe_console(&script, guest + &forged);
    let judgement = judge(&observation);
    assert_eq!(judgement.verdict, Verdict::NoVerdict);
    assert!(judgement.reason.unwrap().contains("forged"));
    assert!(observation.gaps.contains(&Gap::Silent(Stream::Hypervisor)));
}

#[test]
fn two_accounts_that_differ_are_our_own_error() {
    let mut script = script();
    script.exceptions.insert(1, (CISW, 8));
    script.guest[1] = Message::Step(record::Step { set_way: 2, ..STEP });
    assert_no_verdict(&script, "internal error");
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
    script.guest[2] = Message::Panic(Panic {
        msg: "at boot".into(),
    });
    script.hypervisor.clear();
    let judgement = judge(&observe(&script));
    assert_eq!(
        (judgement.verdict, judgement.reason.as_deref()),
        (Verdict::Crash, Some("panic: at boot"))
    );

    let mut script = self::script();
    script.hypervisor[4] = Message::Died(Died {
        vcpu: 1,
        reason: "data abort".into(),
        pc: Hex(4),
        esr: Hex(5),
        far: Hex(6),
    });
    let judgement = judge(&observe(&script));
    assert_eq!(judgement.verdict, Verdict::Crash);
    assert_eq!(
        judgement.reason.unwrap(),
        "the guest died: data abort (vCPU 1, PC 0x4, ESR_EL2 0x5, FAR_EL2 0x6)"
    );
}

#[test]
fn a_console_without_records_is_no_verdict() {
    let observation = observe_console(&script(), "U-Boot 2024.01\r\n=> ".to_owned());
    assert_eq!(judge(&observation).verdict, Verdict::NoVerdict);
}
