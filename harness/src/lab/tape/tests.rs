//! A shell script plays QEMU.

use std::{io, process::Command};

use super::*;
use crate::lab::qemu::{Inherited, Process};

/// What sets a run apart from that of a machine that has a guest and a hypervisor and then ends.
#[derive(Default)]
struct Setup {
    memory: Option<u64>,
    last: Option<LastLine>,
    hosted: bool,
}

fn shell(script: &'static str) -> impl FnOnce(&Inherited) -> io::Result<Command> {
    move |inherited| {
        let mut command = Command::new("bash");
        command.args(["-c", script, "bash", &inherited.log, &inherited.memory]);
        Ok(command)
    }
}

fn run(script: &'static str, setup: Setup) -> Capture {
    let machine = Process::new(shell(script), setup.memory).expect("a pipe");
    one_run(machine, limits(), setup.last, setup.hosted).expect("bash")
}

fn limits() -> Limits {
    Limits {
        time: Duration::from_millis(400),
        boot: Duration::from_millis(400),
        exceptions: 10,
        console: 1000,
        stderr: 2000,
    }
}

#[test]
fn everything_is_kept() {
    let script = "echo out; echo err >&2; echo log > $1; exit 3";
    let run = run(script, Setup::default());
    assert_eq!(run.console, b"out\n");
    assert_eq!(run.stderr, "err");
    assert_eq!(run.log_text.to_bytes(), b"log\n");
    assert!(matches!(run.end, End::Exited(status) if status.code() == Some(3)));
}

#[test]
fn memory_is_a_file_of_the_right_size() {
    let script = "printf abc | dd of=$2 conv=notrunc status=none; wc -c < $2; head -c 3 $2";
    let setup = Setup {
        memory: Some(1 << 20),
        ..Setup::default()
    };
    let run = run(script, setup);
    assert_eq!(run.console, b"1048576\nabc");
}

#[test]
fn a_hanging_process_is_killed_with_its_children() {
    let run = run("sleep 7.125 & sleep 7.125", Setup::default());
    assert_eq!(run.end, End::Stopped(Limit::Time(limits().time)));
    assert!(run.duration < Duration::from_secs(3));
}

#[test]
fn a_process_that_closes_its_outputs_is_killed_too() {
    let script = "exec >&- 2>&-; eval \"exec ${1##*/}>&-\"; sleep 7.25";
    let run = run(script, Setup::default());
    assert_eq!(run.end, End::Stopped(Limit::Time(limits().time)));
}

#[test]
fn endless_output_is_cut() {
    let run = run("yes", Setup::default());
    assert_eq!(run.end, End::Stopped(Limit::Console(1000)));
    assert_eq!(run.console.len(), 1000);
}

#[test]
fn stderr_has_a_limit_of_its_own() {
    let run = run("yes >&2", Setup::default());
    assert_eq!(run.end, End::Stopped(Limit::Stderr(2000)));
    assert_eq!(run.console, b"");
}

#[test]
fn a_survivor_with_our_pipes_holds_nothing_up() {
    let script = "echo out; setsid sleep 5.25 & exit 0";
    let start = Instant::now();
    let run = run(script, Setup::default());
    assert!(start.elapsed() < Duration::from_secs(4));
    assert!(matches!(run.end, End::Exited(status) if status.success()));
    assert_eq!(run.console, b"out\n");
}

#[test]
fn a_last_line_ends_the_run() {
    let script = "echo one; printf 'the la'; sleep 0.05; echo st; sleep 7.5";
    let last: LastLine = |line| line == "the last";
    let setup = Setup {
        last: Some(last),
        ..Setup::default()
    };
    let run = run(script, setup);
    assert_eq!(run.end, End::Over);
    assert_eq!(run.console, b"one\nthe last\n");
}

const LOOP: &str = "while :; do echo 'Taking exception 1 [Undefined Instruction]
...from EL1 to EL2
...with ESR 0x18/0x62141c1c
...with ELR 0x40200000'; done > $1";

#[test]
fn an_exception_loop_is_cut() {
    let run = run(LOOP, Setup::default());
    assert_eq!(run.end, End::Stopped(Limit::Exceptions(10)));
}

/// Boots up to `attempts` machines that run `script` with the number of the boot before it, and hang unless it says
/// otherwise.
fn boots(script: &'static str, attempts: u32) -> Capture {
    let mut boot = 0;
    let boots = || {
        boot += 1;
        let command = move |inherited: &Inherited| {
            let mut command = Command::new("bash");
            command.args(["-c", script, "bash", &inherited.log]);
            command.env("BOOT", boot.to_string());
            Ok(command)
        };
        Process::new(command, None)
    };
    one_run_of(boots, attempts, limits(), None, false).expect("bash")
}

#[test]
fn a_boot_that_hangs_before_a_guest_is_made_again() {
    let run = boots("echo boot $BOOT; ((BOOT == 2)) || sleep 7.375", 2);
    assert_eq!(run.console, b"boot 2\n");
    assert!(matches!(run.end, End::Exited(status) if status.success()));
    assert_eq!(run.lost_boots, 1);
}

#[test]
fn a_boot_is_not_made_again_without_end() {
    let run = boots("echo boot $BOOT; sleep 7.375", 2);
    assert_eq!(run.console, b"boot 2\n");
    assert_eq!(run.end, End::Stopped(Limit::Time(limits().time)));
    assert_eq!(run.lost_boots, 1);
    assert_eq!(boots("sleep 7.375", 1).lost_boots, 0);
}

#[test]
fn a_guest_that_hangs_gets_no_second_boot() {
    let script = "echo boot $BOOT
        echo 'Exception return from AArch64 EL2 to AArch64 EL1 PC 0x40200000' > $1; sleep 7.375";
    let run = boots(script, 2);
    assert_eq!(run.console, b"boot 1\n");
    assert_eq!(run.lost_boots, 0);
}

#[test]
fn a_hosts_exceptions_are_no_loop() {
    let script = "for i in {1..50}; do echo 'Taking exception 2 [SVC]
...from EL0 to EL1
...with ESR 0x15/0x56000000
...with ELR 0xaaaab0000000'; done > $1";
    let setup = || Setup {
        hosted: true,
        ..Setup::default()
    };
    let capture = run(script, setup());
    assert!(matches!(capture.end, End::Exited(status) if status.success()));
    let log = capture.log.expect("QEMU has a log");
    assert_eq!((log.taken, log.charged()), (50, 0));
    let end = run(LOOP, setup()).end;
    assert_eq!(end, End::Stopped(Limit::Exceptions(10)));
}
