//! What guests wait for, as blocks are executed and as records have it.
//!
//! Blocks at EL2 are told of one by one. Where there may be a host below, which is wherever the model does not watch from
//! the start, the instructions of blocks there are only added up, for all CPUs together: there are many, and to ask which
//! CPU it is would be felt. (QEMU can add by itself, but 11.1 spoils a constant of the block by that, unless it is
//! CPU 0: `gen_plugin_u64_ptr` in accel/tcg/plugin-gen.c multiplies the constant in place.) QEMU says only that a block
//! begins, so one that an exception ends early counts in full; hypervisors take few at their own level.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use setway_architecture::decode::Instruction;
use setway_cache_model::{Awaited, Waited, Waits};
use setway_protocol::{record, word::Trap};

/// A block of instructions, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
pub struct Length {
    /// How many instructions it has.
    pub instructions: u32,
}

/// Whether any CPU waits for something. While none does, blocks need not be looked at.
static WAITING: AtomicBool = AtomicBool::new(false);

/// Whether a block that begins now has to be [counted](Costs::executes).
#[inline(always)]
pub fn is_counting() -> bool {
    WAITING.load(Relaxed)
}

/// Instructions that were executed below EL2.
static BELOW: AtomicU64 = AtomicU64::new(0);

/// A block below EL2 is about to be executed. One thread runs all CPUs, so nobody else adds meanwhile.
#[inline(always)]
pub fn executes_below(block: &Length) {
    BELOW.store(below() + u64::from(block.instructions), Relaxed);
}

fn below() -> u64 {
    BELOW.load(Relaxed)
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

    /// Whether the guest of `cpu` waits.
    pub fn is_counting(&self, cpu: usize) -> bool {
        self.waits.is_counting(cpu)
    }

    /// What is to be known of a block when it is executed. There are few kinds of block, and they last.
    pub fn length(&mut self, instructions: usize) -> &'static Length {
        let length = Length {
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
        let what = Awaited::of(instruction);
        if what.is_some() || is_counting() {
            let below = what.map_or(0, |_| below());
            self.waits.guest_before(cpu, what, below);
            self.changed();
        }
    }

    /// `cpu` is about to execute a block at EL2.
    #[inline]
    pub fn executes(&mut self, cpu: usize, block: &Length) {
        self.waits.executes(cpu, block.instructions.into(), below);
        self.changed();
    }

    /// `cpu` is about to return to a guest; `flushed` says whether anything was maintained since it left.
    pub fn guest_goes_on(&mut self, cpu: usize, flushed: bool) {
        self.waits.guest_goes_on(cpu, below(), flushed);
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
