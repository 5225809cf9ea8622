//! What a case records while it runs: steps and checks, buffered until it is over.

use crate::{
    bare::Expected,
    isa::{Isa, Probe, Registers},
    random::{Digest, MOST_PROGRAMS, MOST_SEEN, Programs},
};
use core::{fmt::Write, marker::PhantomData, ops::Range};
use heapless::{String, Vec};
use setway_protocol::word::CheckKind;

/// What the policy demands of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Set/way ops that trap.
    pub set_way: u64,
    /// VM register writes that trap.
    pub vm_reg: u64,
    /// Flushes of the VM's memory.
    pub flush: u64,
}

/// A measured phase.
#[derive(Clone, Debug)]
pub struct Step {
    /// What the guest did.
    pub name: &'static str,
    /// What that should cost.
    pub demanded: Counts,
}

/// A comparison.
#[derive(Clone, Debug)]
pub struct Check {
    /// What it is a value of.
    pub of: CheckKind,
    /// What was compared.
    pub name: String<64>,
    /// The right value.
    pub want: u64,
    /// The value found.
    pub got: u64,
    /// What the right value was computed from, if it is no constant of the case.
    pub from: Option<u64>,
}

/// What the command line says besides the case's name. Only cases for the bare machine ask.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arguments {
    /// What its loads should see.
    pub expected: Expected,
    /// The random programs to run.
    pub programs: Programs,
}

/// A running case.
pub struct Context<I: Isa> {
    steps: Vec<Step, 16>,
    checks: Vec<Check, 256>,
    lost: u64,
    memory: Range<u64>,
    programs: Vec<Digest, MOST_PROGRAMS>,
    seen: Vec<u8, MOST_SEEN>,
    arguments: Arguments,
    isa: PhantomData<I>,
}

impl<I: Isa> Context<I> {
    /// A context with nothing recorded, of a guest that has `memory`.
    pub const fn new(memory: Range<u64>, arguments: Arguments) -> Self {
        Self {
            programs: Vec::new(),
            seen: Vec::new(),
            arguments,
            steps: Vec::new(),
            checks: Vec::new(),
            lost: 0,
            memory,
            isa: PhantomData,
        }
    }

    /// The guest's memory.
    pub fn memory(&self) -> Range<u64> {
        self.memory.clone()
    }

    /// Measures `action`, which the policy lets cost `demanded`.
    pub fn step<T>(
        &mut self,
        name: &'static str,
        demanded: Counts,
        action: impl FnOnce() -> T,
    ) -> T {
        I::mark();
        let value = action();
        I::mark();
        self.measured(name, demanded);
        value
    }

    /// Records a step that the case has bracketed with marks itself, because it learns only on the
    /// way what the policy lets it cost.
    pub fn measured(&mut self, name: &'static str, demanded: Counts) {
        self.lost += u64::from(self.steps.push(Step { name, demanded }).is_err());
    }

    /// Compares a value with what it has to be.
    pub fn check(&mut self, name: impl core::fmt::Display, want: u64, got: u64) {
        let mut text = String::new();
        // A name that does not fit is cut: the values are what counts.
        let _ = write!(text, "{name}");
        let of = if text.starts_with("load") {
            CheckKind::Data
        } else {
            CheckKind::Register
        };
        self.lost += u64::from(
            self.checks
                .push(Check {
                    of,
                    name: text,
                    want,
                    got,
                    from: None,
                })
                .is_err(),
        );
    }

    /// What the command line says.
    pub fn arguments(&self) -> &Arguments {
        &self.arguments
    }

    /// Records what the loads of a random program saw, summed up.
    pub fn program(&mut self, digest: Digest) {
        self.lost += u64::from(self.programs.push(digest).is_err());
    }

    /// Records what a load of the program saw that is wanted in detail.
    pub fn saw(&mut self, bytes: &[u8]) {
        self.lost += u64::from(self.seen.extend_from_slice(bytes).is_err());
    }

    /// The random programs so far, and what the one of interest saw.
    pub fn programs(&self) -> (&[Digest], &[u8]) {
        (&self.programs, &self.seen)
    }

    /// The steps so far.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The checks so far, and how many did not fit.
    pub fn checks(&self) -> (&[Check], u64) {
        (&self.checks, self.lost)
    }

    /// Runs a probe from `regs`, and checks that it ended as it should with every register as it
    /// should be. Only what differs is recorded one by one.
    pub fn probe(&mut self, probe: &Probe, regs: &Registers) {
        let mut after = *regs;
        after.flags = probe.flags;
        let mut want = after;
        for &(reg, value) in probe.changes {
            want.gpr[reg] = value;
        }
        let exit = I::execute(probe, &mut after);
        let before = self.checks.len();
        self.compare(probe, "vector", probe.exit.vector, exit.vector);
        self.compare(probe, "return address", probe.exit.link, exit.link);
        self.compare(probe, "saved PSTATE", probe.exit.saved, exit.saved);
        self.compare(probe, "syndrome", probe.exit.syndrome, exit.syndrome);
        self.compare(probe, "PSTATE on arrival", probe.exit.state, exit.state);
        self.registers(probe, &want, &after);
        if let Some((reg, value)) = probe.writes {
            self.compare(probe, reg.name, value, (reg.read)());
        }
        if self.checks.len() == before {
            self.check(probe, 0, 0);
        }
    }

    fn registers(&mut self, probe: &Probe, want: &Registers, got: &Registers) {
        for n in 0..I::GPRS {
            self.compare(probe, format_args!("r{n}"), want.gpr[n], got.gpr[n]);
        }
        for n in 0..I::SIMD {
            self.compare(
                probe,
                format_args!("v{n} low"),
                want.simd[n][0],
                got.simd[n][0],
            );
            self.compare(
                probe,
                format_args!("v{n} high"),
                want.simd[n][1],
                got.simd[n][1],
            );
        }
        self.compare(probe, "sp", want.sp, got.sp);
        self.compare(probe, "flags", want.flags, got.flags);
    }

    fn compare(&mut self, probe: &Probe, what: impl core::fmt::Display, want: u64, got: u64) {
        if want != got {
            self.check(format_args!("{probe}: {what}"), want, got);
        }
    }
}
