//! A shell script plays machine and agent: it says what one would say, and gives up as one would.

use std::process::Command;

use super::*;
use crate::lab::qemu::{Inherited, Process};
use setway_protocol::{Agent, Hex, VERSION, boundary, record::Ready};

const KEY: Key = Key::new([1; 16]);

/// What the script can print: the agent's records, and the two boundaries as QEMU logs them.
fn phrases() -> [String; 4] {
    let mut agent = RecordWriter::<Agent>::keyed(KEY);
    let mut record = |message: Message| {
        let mut line = String::new();
        agent.write_any(&mut line, &message).unwrap();
        line.trim_end().to_owned()
    };
    let ready = record(Message::Ready(Ready {
        proto: VERSION,
        build: Hex(0),
        kernel: "6.1".into(),
    }));
    let over = record(Message::Over(Over {
        n: 1,
        end: GuestEnd::Off,
        msg: None,
    }));
    let svc = |immediate: u16| {
        format!(
            "Taking exception 2 [SVC] on CPU 0\n...from EL0 to EL1\n\
             ...with ESR 0x15/0x5600{immediate:04x}\n...with ELR 0x400000\n...to EL1 PC 0xffff000000000000"
        )
    };
    [ready, over, svc(boundary::BEGINS), svc(boundary::ENDS)]
}

/// Runs `script`, which has the phrases in $ready, $over, $begins and $ends, and the log in $log.
fn start(script: &'static str, boot: Duration) -> Result<Session<Process>, NoSession> {
    let command = move |inherited: &Inherited| {
        let mut command = Command::new("bash");
        let [ready, over, begins, ends] = phrases();
        command
            .args(["-c", script])
            .env("log", &inherited.log)
            .envs([
                ("ready", ready),
                ("over", over),
                ("begins", begins),
                ("ends", ends),
            ]);
        Ok(command)
    };
    let limits = Limits { boot, ..limits() };
    let machine = Process::new(command, None).expect("a pipe");
    Session::start(machine, KEY, limits, &crash)
}

fn limits() -> Limits {
    Limits {
        time: Duration::from_millis(300),
        boot: Duration::from_secs(20),
        exceptions: 10,
        console: 1000,
        stderr: 1000,
    }
}

fn crash(line: &str) -> bool {
    line.contains("Kernel panic")
}

const REQUEST: Request = Request {
    image: "/payload.img",
    isa: InstructionSet::A64,
    vcpus: 1,
    arguments: "case=X",
};

fn run(script: &'static str) -> (Capture, ControlFlow<()>) {
    let boot = limits().boot;
    start(script, boot).unwrap().run(&REQUEST, limits(), &crash)
}

#[test]
fn a_run_has_what_lies_between_its_boundaries() {
    let script = concat!(
        "trap() { printf 'Taking exception 1 [Undefined Instruction] on CPU 0\\n...from EL1 to EL2\\n",
        "...with ESR 0x18/0x62141c1c\\n...with ELR 0x%x\\n...to EL2 PC 0x0\\n' $1 >> $log; }; ",
        "echo boots; echo \"$ready\"; trap 1; read request; echo \"$begins\" >> $log; trap 2; trap 3; ",
        "echo guest; echo \"$ends\" >> $log; trap 4; echo \"asked: ${request%% n=*}\"; echo \"$over\"; sleep 9",
    );
    let (capture, flow) = run(script);
    assert_eq!(flow, ControlFlow::Continue(()));
    assert_eq!(capture.end, End::Over);
    let elrs: Vec<u64> = capture
        .log
        .expect("QEMU has a log")
        .exceptions
        .iter()
        .map(|it| it.elr)
        .collect();
    assert_eq!(elrs, [2, 3]);
    let console = String::from_utf8(capture.console).unwrap();
    assert!(
        console.starts_with("guest\nasked: %sw r 0 run\n"),
        "{console}"
    );
}

#[test]
fn a_machine_that_never_gets_ready_says_how_it_ended() {
    for (script, boot, because) in [
        (
            "echo boots; sleep 9",
            600,
            "the agent did not answer within 0.6 s",
        ),
        ("echo no such disk >&2; exit 3", 20_000, "no such disk"),
        (
            "echo '[0.1] Kernel panic - not syncing'; sleep 9",
            20_000,
            "Kernel panic",
        ),
    ] {
        let error = start(script, Duration::from_millis(boot)).unwrap_err();
        assert!(error.reason.contains(because), "{}", error.reason);
    }
}

#[test]
fn a_machine_that_breaks_in_a_run_is_not_used_again() {
    for (script, because) in [
        (
            "echo \"$ready\"; read r; echo '[0.1] Kernel panic'; sleep 9",
            "Kernel panic",
        ),
        (
            "echo \"$ready\"; read r; echo gone >&2; exit 4",
            "exit status: 4: gone",
        ),
        (
            "echo \"$ready\"; read r; echo \"$over\"; sleep 9",
            NO_BOUNDARIES,
        ),
    ] {
        let (capture, flow) = run(script);
        assert_eq!(flow, ControlFlow::Break(()), "{because}");
        let End::Failed(reason) = capture.end else {
            panic!("{because}: {:?}", capture.end)
        };
        assert!(reason.contains(because), "{reason}");
    }
}

#[test]
fn endless_output_and_endless_traps_are_cut() {
    let (capture, flow) = run("echo \"$ready\"; read r; yes");
    assert_eq!(capture.end, End::Stopped(Limit::Console(1000)));
    assert_eq!(flow, ControlFlow::Break(()));
    let script = concat!(
        "echo \"$ready\"; read r; echo \"$begins\" >> $log; while :; do printf 'Taking exception 1 [x] on CPU 0\\n",
        "...from EL1 to EL2\\n...with ESR 0x18/0x62141c1c\\n...with ELR 0x1\\n...to EL2 PC 0x0\\n' >> $log; done",
    );
    let (capture, flow) = run(script);
    assert_eq!(capture.end, End::Stopped(Limit::Exceptions(10)));
    assert_eq!(flow, ControlFlow::Break(()));
}

#[test]
fn a_guest_that_the_agent_does_not_end_is_given_up() {
    let (capture, flow) = run("echo \"$ready\"; read r; echo guest; sleep 30");
    assert_eq!(capture.end, End::Stopped(Limit::Time(limits().time)));
    assert_eq!(flow, ControlFlow::Break(()));
}
