//! What guests wait for, as blocks are executed and as records have it.
//!
//! A call for every block takes its time, so this is done only where it is asked for. QEMU's own counters are no help: on
//! 11.1 Linux's machine of two CPUs on one thread aborts with them, and `gen_plugin_u64_ptr` in accel/tcg/plugin-gen.c
//! multiplies the number of the CPU in place, which is a constant of the block there. QEMU says only that a block begins,
//! so one that an exception ends early counts in full; hypervisors take few at their own level.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use setway_architecture::decode::Instruction;
use setway_cache_model::{Awaited, Waited, Waits};
use setway_protocol::{record, word::Trap};

/// Whether any CPU waits for something. While none does, blocks need not be looked at.
static WAITING: AtomicBool = AtomicBool::new(false);

/// A block of instructions, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
pub struct Length {
    /// Its exception level.
    pub el: u8,
    /// How many instructions it has.
    pub instructions: u32,
}

/// Whether a block that begins now has to be [counted](Costs::executes).
#[inline(always)]
pub fn is_counting() -> bool {
    WAITING.load(Relaxed)
}

/// What every guest has waited for since it was last asked.
#[derive(Debug)]
pub struct Costs {
    waits: Waits,
    lengths: Vec<&'static Length>,
}

impl Costs {
    /// Nobody waits, and nobody has.
    pub fn new(cpus: usize) -> Self {
        Self {
            waits: Waits::new(cpus),
            lengths: Vec::new(),
        }
    }

    /// Forgets all that was counted on so many CPUs.
    pub fn restart(&mut self, cpus: usize) {
        self.waits = Waits::new(cpus);
        self.changed();
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
    fn changed(&self) {
        WAITING.store(self.waits.is_waiting(), Relaxed);
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
