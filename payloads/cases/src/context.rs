//! What a case records while it runs: steps and checks, buffered until it is over.
//!
//! # What a check proves
//! Both values of a check come from the guest, so a payload that compares a value with itself would be right
//! every time. The harness therefore holds what each case owes (`expectations/obligations/`): its steps, and its
//! checks in order, each with the value that is right. So that this is possible, a check's name is the same
//! whether the value is right or wrong, and the right value is a constant of the case wherever it can be: the
//! same under every hypervisor, on every machine, with every build. Where it is not, the check carries the value
//! that it was computed `from`.
//!
//! | what is checked | the right value |
//! |---|---|
//! | data that was loaded | the constant that was stored; on the bare machine the new one or the old one, as the command line's `expect` has it |
//! | a probe | a digest of how it ends and of all registers then, addresses being relative to its entry |
//! | a register that a probe writes | the constant that it writes |
//! | a VM register after a trapped write | the constant that was written; for [`NewValue::With`](crate::NewValue) what it held before, with bits set; for [`NewValue::Any`](crate::NewValue) what the same write left without a trap |
//! | the other half of a VM register | what it held before |
//! | all other VM registers | 0: none differs. The bits of what was found are numbers of registers |
//! | where an exception arrives, and how | a constant, the return address being relative to the probe's entry |
//! | how a CPU starts and stops | 0, 1, and [`SECONDARY_CONTEXT`](crate::SECONDARY_CONTEXT) |

mod probe;

use crate::{
    arena::Place,
    bare::Expected,
    isa::Isa,
    random::{Digest, MOST_PROGRAMS, MOST_SEEN, Programs},
};
use core::{
    fmt::{Display, Write},
    marker::PhantomData,
    ops::Range,
};
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

/// What else there is to know of a check.
#[derive(Debug)]
struct Detail {
    /// The check's number.
    check: usize,
    text: String<128>,
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
    steps: Vec<Step, 32>,
    checks: Vec<Check, 128>,
    details: Vec<Detail, 8>,
    lost: u64,
    memory: Range<u64>,
    touched: u64,
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
            details: Vec::new(),
            lost: 0,
            memory,
            touched: 0,
            isa: PhantomData,
        }
    }

    /// The guest's memory.
    pub fn memory(&self) -> Range<u64> {
        self.memory.clone()
    }

    /// A place in memory that was never touched, as long as there is any: each is at the start of a block of 2 MiB of
    /// its own, in the first half of the memory.
    pub fn untouched(&mut self) -> Place {
        const BLOCK: u64 = 2 << 20;
        const BLOCKS: u64 = 6;
        let middle = self.memory.start + (self.memory.end - self.memory.start) / 2;
        let block = (middle & !(BLOCK - 1)) - (1 + self.touched % BLOCKS) * BLOCK;
        self.touched += 1;
        // SAFETY: memory of the guest's, of which neither the image nor the device tree takes as much, nor do cases
        // use it in any other way.
        unsafe { Place::new(block as usize as *mut u8, BLOCK as usize) }
    }

    /// What the command line says.
    pub fn arguments(&self) -> &Arguments {
        &self.arguments
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

    /// Compares what a load of the case's data saw with the constant that it should see.
    pub fn data(&mut self, name: impl Display, want: u64, got: u64) {
        self.check(CheckKind::Data, name, None, want, got);
    }

    /// Compares a register's value with the constant that it should be.
    pub fn register(&mut self, name: impl Display, want: u64, got: u64) {
        self.check(CheckKind::Register, name, None, want, got);
    }

    /// Compares a register's value with one that was computed from `from`.
    pub fn register_from(&mut self, name: impl Display, from: u64, want: u64, got: u64) {
        self.check(CheckKind::Register, name, Some(from), want, got);
    }

    /// Compares anything else with the constant that it should be.
    pub fn state(&mut self, name: impl Display, want: u64, got: u64) {
        self.check(CheckKind::State, name, None, want, got);
    }

    fn check(&mut self, of: CheckKind, name: impl Display, from: Option<u64>, want: u64, got: u64) {
        let check = Check {
            of,
            name: cut(name),
            want,
            got,
            from,
        };
        self.lost += u64::from(self.checks.push(check).is_err());
    }

    /// Says more about the last check. There is room for some details only, since they prove nothing.
    pub fn detail(&mut self, text: impl Display) {
        let detail = Detail {
            check: self.checks.len().saturating_sub(1),
            text: cut(text),
        };
        // That there is no room is what the check's value shows as well.
        let _ = self.details.push(detail);
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

    /// The checks so far, each with its detail, if it has one.
    pub fn checks(&self) -> impl Iterator<Item = (&Check, Option<&str>)> {
        self.checks.iter().enumerate().map(|(n, check)| {
            let mut details = self.details.iter();
            let detail = details.find(|detail| detail.check == n);
            (check, detail.map(|detail| detail.text.as_str()))
        })
    }

    /// How many steps, checks and programs did not fit.
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

/// As much of a text as there is room for: names and details help to find what the values prove.
fn cut<const N: usize>(from: impl Display) -> String<N> {
    let mut text = String::new();
    let _ = write!(text, "{from}");
    text
}
