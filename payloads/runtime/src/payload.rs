//! The common main program of the guests: find the case, run it, report.

use crate::{board::Board, bootargs, console::Records, head};
use setway_architecture::registers::{self, Clidr};
use setway_cases::{
    Arguments, CASES, Context, Isa, IsaName,
    bare::{Bare, Expected},
    body,
    random::Programs,
};
use setway_protocol::{
    Guest, Hex, VERSION,
    record::{self, GuestBegin},
    word::{CacheType, CheckKind, InstructionSet},
};

/// What the CPU and the image say of themselves, for the first record.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// The image's hash.
    pub build: u64,
    /// Preferred return address of the mark's HVC.
    pub mark: u64,
    /// MIDR.
    pub midr: u64,
    /// CTR.
    pub ctr: u64,
}

/// Bytes that a record shows.
const SEEN: usize = 64;

/// The instruction set that the command line asks for, if any.
pub fn requested_isa(board: &Board<'_>) -> Option<IsaName> {
    IsaName::by_name(bootargs::value(board.bootargs, "isa")?)
}

/// Runs the case that the command line names and reports it; or, asked with `list`, names them all.
///
/// # Panics
///
/// If the command line names no case of this instruction set.
pub fn run<I: Bare>(board: &Board<'_>, identity: Identity) {
    let id = bootargs::value(board.bootargs, "case").unwrap_or("list");
    if id == "list" {
        return list::<I>(identity);
    }
    let Some(body) = body::<I>(id) else {
        panic!("no case is called {id}")
    };
    let mut cx = Context::<I>::new(board.memory.clone(), arguments(board.bootargs));
    body(&mut cx);
    report(&cx, id, identity);
}

/// What the command line says to cases for the bare machine.
fn arguments(bootargs: &str) -> Arguments {
    let number = |key: &str| bootargs::value(bootargs, key).and_then(|text| text.parse().ok());
    Arguments {
        expected: bootargs::value(bootargs, "expect")
            .and_then(Expected::by_name)
            .unwrap_or_default(),
        programs: Programs {
            first: number("seed").unwrap_or_default(),
            count: number("programs").unwrap_or_default(),
            detail: number("detail"),
        },
    }
}

fn begin<I: Isa>(records: &mut Records<Guest>, id: &str, identity: Identity) {
    records.emit(&GuestBegin {
        proto: VERSION,
        build: Hex(identity.build),
        base: Hex(head::base()),
        isa: match I::NAME {
            IsaName::A64 => InstructionSet::A64,
            IsaName::A32 => InstructionSet::A32,
            IsaName::T32 => InstructionSet::T32,
        },
        case: id.into(),
        mark: Hex(identity.mark),
        midr: Hex(identity.midr),
        clidr: Hex(I::clidr().0),
        ctr: Hex(identity.ctr),
    });
}

fn list<I: Isa>(identity: Identity) {
    let mut records = Records::new();
    begin::<I>(&mut records, "list", identity);
    for case in CASES.iter().filter(|case| case.isas.contains(&I::NAME)) {
        records.emit(&record::Case { id: case.id.into() });
    }
    records.end();
}

fn report<I: Isa>(cx: &Context<I>, id: &str, identity: Identity) {
    let mut records = Records::new();
    begin::<I>(&mut records, id, identity);
    caches::<I>(&mut records);
    for (n, step) in (0..).zip(cx.steps()) {
        records.emit(&record::Step {
            n,
            name: step.name.into(),
            set_way: step.demanded.set_way,
            vm_reg: step.demanded.vm_reg,
            flush: step.demanded.flush,
        });
    }
    for (check, detail) in cx.checks() {
        records.emit(&record::Check {
            of: check.of,
            name: check.name.as_str().into(),
            want: Hex(check.want),
            got: Hex(check.got),
            from: check.from.map(Hex),
            detail: detail.map(Into::into),
        });
    }
    let (programs, seen) = cx.programs();
    for (seed, digest) in (cx.arguments().programs.first..).zip(programs) {
        records.emit(&record::Program {
            seed,
            digest: Hex(digest.sum()),
        });
    }
    for bytes in seen.chunks(SEEN) {
        let bytes = bytes.into();
        records.emit(&record::Seen { bytes });
    }
    if cx.lost() > 0 {
        records.emit(&record::Check {
            of: CheckKind::State,
            name: "records that did not fit".into(),
            want: Hex(0),
            got: Hex(cx.lost()),
            from: None,
            detail: None,
        });
    }
    records.end();
}

/// The caches that the CPU reports.
fn caches<I: Isa>(records: &mut Records<Guest>) {
    for level in Clidr::LEVELS {
        use registers::CacheType::*;
        let kinds: &[CacheType] = match I::clidr().cache_type(level) {
            None => &[],
            Instruction => &[CacheType::Instruction],
            Data => &[CacheType::Data],
            Separate => &[CacheType::Data, CacheType::Instruction],
            Unified => &[CacheType::Unified],
        };
        for &kind in kinds {
            records.emit(&record::Cache {
                level: level.into(),
                kind,
                ccsidr: Hex(I::ccsidr(level, kind == CacheType::Instruction).0),
            });
        }
    }
}
