//! The common main program of the guests: find the case, run it, report.

use crate::{board::Board, bootargs, console::Records, head};
use core::fmt;
use setway_cases::{
    Arguments, CASES, Context, Isa, IsaName,
    bare::{Bare, Expected},
    body,
    random::Programs,
};
use setway_protocol::{Stream, VERSION, Value::*, kind};

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

/// Bytes in hexadecimal, the first one first.
struct HexBytes<'a>(&'a [u8]);

impl fmt::Display for HexBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

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

fn begin<I: Isa>(records: &mut Records, id: &str, identity: Identity) {
    records.emit(
        kind::BEGIN,
        &[
            ("proto", Count(VERSION)),
            ("build", Hex(identity.build)),
            ("base", Hex(head::base())),
            ("isa", Text(I::NAME.name())),
            ("case", Text(id)),
            ("mark", Hex(identity.mark)),
            ("midr", Hex(identity.midr)),
            ("clidr", Hex(I::clidr())),
            ("ctr", Hex(identity.ctr)),
        ],
    );
}

fn list<I: Isa>(identity: Identity) {
    let mut records = Records::new(Stream::Guest);
    begin::<I>(&mut records, "list", identity);
    for case in CASES.iter().filter(|case| case.isas.contains(&I::NAME)) {
        records.emit(kind::CASE, &[("id", Text(case.id))]);
    }
    records.end();
}

fn report<I: Isa>(cx: &Context<I>, id: &str, identity: Identity) {
    let mut records = Records::new(Stream::Guest);
    begin::<I>(&mut records, id, identity);
    let clidr = I::clidr();
    for level in 0..7 {
        let class = clidr >> (3 * level) & 7;
        // CLIDR.Ctype: 1 instruction, 2 data, 3 both, 4 unified.
        for (instruction, present) in [(false, class >= 2), (true, class & 5 == 1)] {
            if present {
                let ccsidr = I::ccsidr(level, instruction);
                let which = if instruction {
                    "i"
                } else if class == 4 {
                    "u"
                } else {
                    "d"
                };
                let fields = [
                    ("level", Count(level + 1)),
                    ("type", Text(which)),
                    ("ccsidr", Hex(ccsidr)),
                ];
                records.emit(kind::CACHE, &fields);
            }
        }
    }
    for (n, step) in (0..).zip(cx.steps()) {
        records.emit(
            kind::STEP,
            &[
                ("n", Count(n)),
                ("name", Text(step.name)),
                ("set_way", Count(step.demanded.set_way)),
                ("vm_reg", Count(step.demanded.vm_reg)),
                ("flush", Count(step.demanded.flush)),
            ],
        );
    }
    let (checks, lost) = cx.checks();
    for check in checks {
        records.emit(
            kind::CHECK,
            &[
                ("name", Text(&check.name)),
                ("want", Hex(check.want)),
                ("got", Hex(check.got)),
            ],
        );
    }
    let (programs, seen) = cx.programs();
    for (seed, digest) in (cx.arguments().programs.first..).zip(programs) {
        let fields = [("seed", Count(seed)), ("digest", Hex(digest.0))];
        records.emit(kind::PROGRAM, &fields);
    }
    for bytes in seen.chunks(SEEN) {
        records.emit(
            kind::SEEN,
            &[("bytes", Args(format_args!("{}", HexBytes(bytes))))],
        );
    }
    if lost > 0 {
        let fields = [
            ("name", Text("records that did not fit")),
            ("want", Hex(0)),
            ("got", Hex(lost)),
        ];
        records.emit(kind::CHECK, &fields);
    }
    records.end();
}
