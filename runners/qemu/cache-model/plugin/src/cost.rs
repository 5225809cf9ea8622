//! What a guest waits for: the instructions that are executed for it between an instruction that traps and its next.
//!
//! A guest is about to execute an instruction that may trap. If the block that its CPU executes next is at EL2, it
//! has trapped, and whatever the CPU executes from there until EL2 returns to a guest is counted, at whichever
//! exception level: the hypervisor, and where there is one the kernel and the processes of its host. What other CPUs
//! do meanwhile is not. QEMU says only that a block begins, so a block that an exception ends early counts in full;
//! hypervisors take few at their own level.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use setway_architecture::{
    decode::{Encoding, Instruction},
    trap::sysreg::{Key, vm_reg},
};
use setway_protocol::{record, word::Trap};

/// How many CPUs wait for something. While none does, blocks need not be looked at.
static WAITING: AtomicUsize = AtomicUsize::new(0);

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
    WAITING.load(Relaxed) != 0
}

/// What one CPU does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It runs a guest, or a host of its own accord.
    Free,
    /// Its guest is about to execute what may trap.
    MayTrap(What),
    /// So many instructions have been executed since its guest has trapped.
    Trapped(What, u64),
}

/// What may trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    SetWay,
    VmRegister,
}

/// What every guest has waited for since it was last asked.
#[derive(Debug)]
pub struct Costs {
    phases: Vec<Phase>,
    /// The counts of each kind of trap.
    counts: BTreeMap<Trap, Vec<u64>>,
    lengths: Vec<&'static Length>,
}

impl Costs {
    /// Nobody waits, and nobody has.
    pub fn new(cpus: usize) -> Self {
        Self {
            phases: vec![Phase::Free; cpus],
            counts: BTreeMap::new(),
            lengths: Vec::new(),
        }
    }

    /// Forgets all that was counted.
    pub fn restart(&mut self) {
        self.counts.clear();
        self.phases.fill(Phase::Free);
        WAITING.store(0, Relaxed);
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
        let may_trap = may_trap(instruction).map_or(Phase::Free, Phase::MayTrap);
        if self.phases[cpu] != may_trap {
            self.change(cpu, may_trap);
        }
    }

    /// `cpu` is about to execute a block.
    #[inline]
    pub fn executes(&mut self, cpu: usize, block: &Length) {
        let more = u64::from(block.instructions);
        match self.phases[cpu] {
            Phase::Free => {}
            Phase::MayTrap(what) if block.el == 2 => self.change(cpu, Phase::Trapped(what, more)),
            Phase::MayTrap(_) => self.change(cpu, Phase::Free),
            Phase::Trapped(what, count) => self.phases[cpu] = Phase::Trapped(what, count + more),
        }
    }

    /// `cpu` is about to return to a guest; `flushed` says whether anything was maintained since it left.
    pub fn guest_goes_on(&mut self, cpu: usize, flushed: bool) {
        if let Phase::Trapped(what, count) = self.phases[cpu] {
            let trap = match (what, flushed) {
                (What::SetWay, false) => Trap::SetWay,
                (What::SetWay, true) => Trap::SetWayFlush,
                (What::VmRegister, false) => Trap::VmRegister,
                (What::VmRegister, true) => Trap::Toggle,
            };
            self.counts.entry(trap).or_default().push(count);
        }
        self.change(cpu, Phase::Free);
    }

    /// What was counted, one record for each kind of trap, and begins again.
    pub fn take(&mut self) -> Vec<record::Cost> {
        let counts = std::mem::take(&mut self.counts);
        counts.into_iter().map(summary).collect()
    }

    fn change(&mut self, cpu: usize, phase: Phase) {
        self.phases[cpu] = phase;
        let waiting = self.phases.iter().filter(|it| **it != Phase::Free).count();
        WAITING.store(waiting, Relaxed);
    }
}

/// What an instruction of a guest's may trap for; `None` if not for what is counted here.
fn may_trap(instruction: Instruction) -> Option<What> {
    let key = match instruction {
        Instruction::SetWay { .. } => return Some(What::SetWay),
        Instruction::SystemWrite(register) => match register.name {
            Encoding::A64(op0, op1, crn, crm, op2) => {
                Key::a64(op0.into(), op1.into(), crn.into(), crm.into(), op2.into())
            }
            Encoding::Mcr(15, opc1, crn, crm, opc2) => {
                Key::cp15(opc1.into(), crn.into(), crm.into(), opc2.into())
            }
            Encoding::Mcrr(15, opc1, crm) => Key::cp15_64(opc1.into(), crm.into()),
            Encoding::Mcr(..) | Encoding::Mcrr(..) | Encoding::Pstate => return None,
        },
        _ => return None,
    };
    vm_reg(key).map(|_| What::VmRegister)
}

fn summary((trap, mut counts): (Trap, Vec<u64>)) -> record::Cost {
    counts.sort_unstable();
    record::Cost {
        of: trap,
        traps: counts.len() as u64,
        least: counts.first().copied().unwrap_or(0),
        median: counts.get(counts.len() / 2).copied().unwrap_or(0),
        most: counts.last().copied().unwrap_or(0),
        total: counts.iter().sum(),
    }
}

#[cfg(test)]
mod tests {
    use setway_architecture::{decode::a64, maintenance::SetWayOp};

    use super::*;

    const OP: Instruction = Instruction::SetWay {
        op: SetWayOp::Csw,
        rt: 0,
    };

    fn block(el: u8, instructions: u32) -> Length {
        Length { el, instructions }
    }

    #[test]
    fn what_is_executed_between_a_trap_and_the_return_counts_at_every_level() {
        let mut costs = Costs::new(2);
        for more in [0, 10, 2] {
            costs.guest_before(0, OP);
            costs.executes(0, &block(2, 5));
            costs.executes(1, &block(2, 1000));
            costs.executes(0, &block(1, more));
            costs.executes(0, &block(0, 1));
            costs.guest_goes_on(0, false);
            costs.executes(0, &block(1, 1000));
        }
        let taken = costs.take();
        let [cost] = taken.as_slice() else {
            panic!("one kind of trap: {taken:?}")
        };
        let figures = (cost.traps, cost.least, cost.median, cost.most, cost.total);
        assert_eq!((cost.of, figures), (Trap::SetWay, (3, 6, 8, 16, 30)));
        assert!(costs.take().is_empty());
    }

    #[test]
    fn what_does_not_trap_costs_nothing() {
        let mut costs = Costs::new(1);
        costs.guest_before(0, OP);
        costs.executes(0, &block(1, 5));
        costs.executes(0, &block(2, 5));
        costs.guest_goes_on(0, false);
        assert!(costs.take().is_empty());
    }

    #[test]
    fn writes_of_vm_registers_are_distinguished_from_others_and_by_their_flush() {
        // MSR CONTEXTIDR_EL1, X0; MSR TPIDR_EL1, X0.
        for (word, flushed, of) in [
            (0xd518_d020, false, Some(Trap::VmRegister)),
            (0xd518_d020, true, Some(Trap::Toggle)),
            (0xd518_d080, false, None),
        ] {
            let mut costs = Costs::new(1);
            costs.guest_before(0, a64(word));
            costs.executes(0, &block(2, 5));
            costs.guest_goes_on(0, flushed);
            assert_eq!(costs.take().first().map(|it| it.of), of, "{word:#x}");
        }
    }
}
