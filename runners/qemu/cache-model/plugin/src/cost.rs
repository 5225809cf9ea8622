//! What guests wait for, as blocks are executed and as records have it.
//!
//! QEMU says only that a block begins, so a block that an exception ends early counts in full; hypervisors take few at
//! their own level.

use setway_architecture::decode::Instruction;
use setway_cache_model::{Awaited, Waited, Waits};
use setway_protocol::{record, word::Trap};

use crate::api::Switch;

/// A block of instructions, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
pub struct Length {
    /// Its exception level.
    pub el: u8,
    /// How many instructions it has.
    pub instructions: u32,
}

/// What every guest has waited for since it was last asked.
#[derive(Debug)]
pub struct Costs {
    waits: Waits,
    /// Whether any CPU waits for something. While none does, blocks need not be looked at.
    pub waiting: Switch,
    lengths: Vec<&'static Length>,
}

impl Costs {
    /// Nobody waits, and nobody has.
    pub fn new(cpus: usize) -> Self {
        Self {
            waits: Waits::new(cpus),
            waiting: Switch::new(),
            lengths: Vec::new(),
        }
    }

    /// Forgets all that was counted on so many CPUs.
    pub fn restart(&mut self, cpus: usize) {
        self.waits = Waits::new(cpus);
        self.changed();
    }

    /// Whether the guest of `cpu` waits.
    pub fn is_counting(&self, cpu: usize) -> bool {
        self.waits.is_counting(cpu)
    }

    /// What is to be known of a block when it is executed. There are few kinds of block, and they last.
    pub fn length(&mut self, el: u8, instructions: usize) -> &'static Length {
        let length = Length {
            el,
            instructions: instructions.try_into().unwrap_or(u32::MAX),
        };
        let known = self.lengths.iter().find(|it| ***it == length);
        known.copied().unwrap_or_else(|| {
            let length: &'static Length = Box::leak(Box::new(length));
            self.lengths.push(length);
            length
        })
    }

    /// The guest of `cpu` is about to execute an instruction.
    #[inline]
    pub fn guest_before(&mut self, cpu: usize, instruction: Instruction) {
        if self.waits.guest_before(cpu, Awaited::of(instruction)) {
            self.changed();
        }
    }

    /// `cpu` is about to execute a block.
    #[inline]
    pub fn executes(&mut self, cpu: usize, block: &Length) {
        self.waits
            .executes(cpu, block.el, block.instructions.into());
        self.changed();
    }

    /// `cpu` is about to return to a guest; `flushed` says whether anything was maintained since it left.
    pub fn guest_goes_on(&mut self, cpu: usize, flushed: bool) {
        self.waits.guest_goes_on(cpu, flushed);
        self.changed();
    }

    /// What was counted, one record for each kind of trap, and begins again.
    pub fn take(&mut self) -> Vec<record::Cost> {
        self.waits.take().into_iter().map(cost).collect()
    }

    #[inline]
    fn changed(&mut self) {
        self.waiting.set(self.waits.is_waiting());
    }
}

fn cost(waited: Waited) -> record::Cost {
    record::Cost {
        of: match (waited.what, waited.flushed) {
            (Awaited::SetWay, false) => Trap::SetWay,
            (Awaited::SetWay, true) => Trap::SetWayFlush,
            (Awaited::VmRegister, false) => Trap::VmRegister,
            (Awaited::VmRegister, true) => Trap::Toggle,
        },
        traps: waited.traps,
        least: waited.least,
        median: waited.median,
        most: waited.most,
        total: waited.total,
    }
}
