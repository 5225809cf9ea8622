//! Guests that misbehave on purpose. The harness has to give each its own right verdict.
//!
//! An arm64 `Image`; `misbehave=` on the command line says how. Most ways need no hypervisor; `stray`,
//! `trap-storm`, `reset` and `spy` are for guests of one. One way is to do nothing wrong: what is wrong with the
//! others is then not what all have in common.
#![no_std]
#![no_main]

mod forge;

use aarch64_rt::entry;
use core::{fmt::Write, ops::Range};
use setway_protocol::{
    Guest, Hex, RecordWriter, VERSION,
    record::{Check, GuestBegin},
    word::{CheckKind, InstructionSet},
};
use setway_runtime::{
    board::Board,
    bootargs,
    console::{self, Console, Records},
    head, psci,
};

entry!(main, 16);

/// Does something wrong; what comes after it is a clean end.
type Way = fn(&Board<'_>);

/// What there is to do wrong.
static WAYS: &[(&str, Way)] = &[
    ("silent", |_| {}),
    ("hang", |_| hang()),
    ("garbage", |_| garbage()),
    ("truncated", |_| truncated()),
    ("duplicate", |_| duplicate()),
    ("panic", |_| panic!("on purpose")),
    ("early-off", |_| early_off()),
    ("endless", |_| endless()),
    ("stray", stray),
    ("trap-storm", |_| trap_storm()),
    ("reset", |_| reset()),
    ("spy", spy),
    ("nothing", |_| begun().end()),
    ("forge", |_| forge::hypervisor()),
    ("forge-key", |_| forge::hypervisor_with_key()),
    ("forge-model", |_| forge::model()),
    ("forge-over", |_| forge::over()),
];

fn main(dtb: u64, _: u64, _: u64, _: u64) -> ! {
    // SAFETY: the Linux boot protocol has the device tree's address in x0.
    let board = unsafe { Board::read(dtb as *const u8) };
    let board = board.unwrap_or_else(|error| panic!("{error}"));
    psci::init(board.psci);
    if let Some(port) = board.console {
        // SAFETY: the device tree says that it is there, and nobody else here knows of it. It starts no other CPU.
        unsafe { console::init(port) }
    }
    let name = bootargs::value(board.bootargs, "misbehave").unwrap_or("");
    match WAYS.iter().find(|(way, _)| *way == name) {
        Some((_, misbehave)) => misbehave(&board),
        None => panic!("misbehave={name} is none of the ways"),
    }
    psci::system_off()
}

/// A good first record.
fn begin() -> GuestBegin<'static> {
    GuestBegin {
        proto: VERSION,
        build: Hex(head::build_id()),
        base: Hex(head::base()),
        isa: InstructionSet::A64,
        case: "misbehave".into(),
        mark: Hex(0),
        midr: Hex(0),
        clidr: Hex(0),
        ctr: Hex(0),
    }
}

/// A good check.
fn check() -> Check<'static> {
    Check {
        of: CheckKind::State,
        name: "one".into(),
        want: Hex(1),
        got: Hex(1),
        from: None,
        detail: None,
    }
}

/// A stream that has begun and made one good check.
fn begun() -> Records<Guest> {
    let mut records = Records::new();
    records.emit(&begin());
    records.emit(&check());
    records
}

/// Begins, then never says anything again.
fn hang() {
    begun();
    loop {
        core::hint::spin_loop();
    }
}

/// Writes a whole record with bytes of noise in it.
fn garbage() {
    let mut records = begun();
    let _ = Console.write_str("\x1b[2J\x00\x07%sw g 2 check name=\x01\x02 ~zzzzzzzz\r\n%%%%\r\n");
    records.end();
}

/// Powers off in the middle of a record.
fn truncated() {
    begun();
    let _ = Console.write_str("%sw g 2 check name=two want=0x");
}

/// Says the same record twice.
fn duplicate() {
    let mut writer = RecordWriter::<Guest>::new();
    let _ = writer.write(&mut Console, &begin());
    for _ in 0..2 {
        let mut again = RecordWriter::<Guest>::new();
        let _ = again.write(&mut Nowhere, &begin());
        let _ = again.write(&mut Console, &check());
    }
}

/// Text that nobody reads.
struct Nowhere;

impl Write for Nowhere {
    fn write_str(&mut self, _: &str) -> core::fmt::Result {
        Ok(())
    }
}

/// Powers off before the last record.
fn early_off() {
    begun();
}

/// Never stops talking.
fn endless() {
    begun();
    loop {
        let _ = Console.write_str("all work and no play makes a dull guest\r\n");
    }
}

/// Reads memory that is the hypervisor's.
fn stray(board: &Board<'_>) {
    begun();
    let outside = (board.memory.start - 4096) as *const u64;
    // SAFETY: not safe, which is the point: what comes is an abort, for which there are no vectors, or the end.
    unsafe { outside.read_volatile() };
}

/// Has the machine start again in the middle of a stream.
fn reset() {
    begun();
    psci::system_reset();
}

/// Traps forever.
fn trap_storm() {
    begun();
    loop {
        // SAFETY: changes no data.
        unsafe { core::arch::asm!("dc cisw, xzr", options(nostack)) }
    }
}

/// Looks in all its memory for the key that seals the hypervisor's records.
fn spy(board: &Board<'_>) {
    match find_key(&board.memory) {
        Some(at) => panic!("the key stands at {at:#x}"),
        None => panic!("there is no key in {:#x?}", board.memory),
    }
}

/// Where `memory` has the word `key=` of a command line, with a digit after it.
fn find_key(memory: &Range<u64>) -> Option<u64> {
    // Not as it is, or it would be found here.
    const NOT_KEY: u32 = !u32::from_le_bytes(*b"key=");
    // SAFETY: the hypervisor says that there is memory. What changes meanwhile is not what is looked for.
    let byte = |at: u64| unsafe { (at as *const u8).read_volatile() };
    let is_key = |at: &u64| {
        let word = u32::from_le_bytes([0, 1, 2, 3].map(|n| byte(at + n)));
        !word == NOT_KEY && byte(at + 4).is_ascii_hexdigit()
    };
    let last = memory.end - 16;
    for at in (memory.start..last).step_by(8) {
        // SAFETY: as above. Most of it is zero.
        if unsafe { (at as *const u64).read_volatile() } != 0
            && let Some(key) = (at..at + 8).find(is_key)
        {
            return Some(key);
        }
    }
    None
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    console::panic(Records::<Guest>::new(), info);
    psci::system_off()
}
