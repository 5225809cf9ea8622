//! What a guest waits for: the instructions that are executed for it between an instruction that traps and its next.
//!
//! A guest is about to execute an instruction that may trap. If the block that its CPU executes next is at EL2, it
//! has trapped, and whatever the CPU executes from there until EL2 returns to a guest is counted, at whichever
//! exception level: the hypervisor, and where there is one the kernel and the processes of its host. What other CPUs
//! do meanwhile is not.

use std::collections::BTreeMap;

use setway_architecture::{
    decode::{Encoding, Instruction},
    trap::sysreg::{Key, vm_reg},
};

/// What may trap and is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Awaited {
    /// An op by set/way.
    SetWay,
    /// A write of a VM register.
    VmRegister,
}

impl Awaited {
    /// What a guest's instruction may trap for; `None` if not for what is counted.
    pub fn of(instruction: Instruction) -> Option<Self> {
        let key = match instruction {
            Instruction::SetWay { .. } => return Some(Awaited::SetWay),
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
        vm_reg(key).map(|_| Awaited::VmRegister)
    }
}

/// What one CPU does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It runs a guest, or a host of its own accord.
    Free,
    /// Its guest is about to execute what may trap.
    MayTrap(Awaited),
    /// So many instructions have been executed since its guest has trapped.
    Trapped(Awaited, u64),
}

/// The instructions between traps of one kind and what the guest executed next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waited {
    /// What trapped.
    pub what: Awaited,
    /// Something was maintained by VA before the guest went on.
    pub flushed: bool,
    /// How many traps there were.
    pub traps: u64,
    /// The least number of instructions.
    pub least: u64,
    /// The median.
    pub median: u64,
    /// The greatest.
    pub most: u64,
    /// All of them together.
    pub total: u64,
}

/// What every guest has waited for since it was last asked.
#[derive(Debug)]
pub struct Waits {
    phases: Vec<Phase>,
    /// The counts of each kind of trap.
    counts: BTreeMap<(Awaited, bool), Vec<u64>>,
}

impl Waits {
    /// Nobody waits, and nobody has.
    pub fn new(cpus: usize) -> Self {
        Self {
            phases: vec![Phase::Free; cpus],
            counts: BTreeMap::new(),
        }
    }

    /// Whether a CPU waits for anything, so that what is executed has to be told.
    pub fn is_waiting(&self) -> bool {
        self.phases.iter().any(|phase| *phase != Phase::Free)
    }

    /// The guest of `cpu` is about to execute an instruction that may trap for `what`. Returns whether that changes
    /// anything.
    #[inline]
    pub fn guest_before(&mut self, cpu: usize, what: Option<Awaited>) -> bool {
        let phase = what.map_or(Phase::Free, Phase::MayTrap);
        std::mem::replace(&mut self.phases[cpu], phase) != phase
    }

    /// `cpu` is about to execute so many instructions at an exception level.
    #[inline]
    pub fn executes(&mut self, cpu: usize, el: u8, instructions: u64) {
        self.phases[cpu] = match self.phases[cpu] {
            Phase::MayTrap(what) if el == 2 => Phase::Trapped(what, instructions),
            Phase::Trapped(what, count) => Phase::Trapped(what, count + instructions),
            Phase::Free | Phase::MayTrap(_) => Phase::Free,
        };
    }

    /// `cpu` is about to return to a guest; `flushed` says whether anything was maintained since it left.
    pub fn guest_goes_on(&mut self, cpu: usize, flushed: bool) {
        let phase = std::mem::replace(&mut self.phases[cpu], Phase::Free);
        if let Phase::Trapped(what, count) = phase {
            self.counts.entry((what, flushed)).or_default().push(count);
        }
    }

    /// What was counted, by the kind of trap. It begins again.
    pub fn take(&mut self) -> Vec<Waited> {
        let counts = std::mem::take(&mut self.counts);
        let waited = counts.into_iter().map(|((what, flushed), mut counts)| {
            counts.sort_unstable();
            Waited {
                what,
                flushed,
                traps: counts.len() as u64,
                least: counts.first().copied().unwrap_or(0),
                median: counts.get(counts.len() / 2).copied().unwrap_or(0),
                most: counts.last().copied().unwrap_or(0),
                total: counts.iter().sum(),
            }
        });
        waited.collect()
    }
}

#[cfg(test)]
mod tests {
    use setway_architecture::decode::a64;

    use super::*;

    const OP: Option<Awaited> = Some(Awaited::SetWay);

    #[test]
    fn what_is_executed_between_a_trap_and_the_return_counts_at_every_level() {
        let mut waits = Waits::new(2);
        for more in [0, 10, 2] {
            waits.guest_before(0, OP);
            waits.executes(0, 2, 5);
            waits.executes(1, 2, 1000);
            waits.executes(0, 1, more);
            waits.executes(0, 0, 1);
            waits.guest_goes_on(0, false);
            waits.executes(0, 1, 1000);
        }
        assert!(!waits.is_waiting());
        let one = Waited {
            what: Awaited::SetWay,
            flushed: false,
            traps: 3,
            least: 6,
            median: 8,
            most: 16,
            total: 30,
        };
        assert_eq!(waits.take(), [one]);
        assert_eq!(waits.take(), []);
    }

    #[test]
    fn what_does_not_trap_is_not_waited_for() {
        let mut waits = Waits::new(1);
        waits.guest_before(0, OP);
        waits.executes(0, 1, 5);
        waits.executes(0, 2, 5);
        waits.guest_goes_on(0, false);
        assert_eq!(waits.take(), []);
    }

    #[test]
    fn a_flush_makes_another_kind_of_trap() {
        let mut waits = Waits::new(1);
        for flushed in [true, false] {
            waits.guest_before(0, OP);
            waits.executes(0, 2, 5);
            waits.guest_goes_on(0, flushed);
        }
        let kinds: Vec<bool> = waits.take().iter().map(|it| it.flushed).collect();
        assert_eq!(kinds, [false, true]);
    }

    #[test]
    fn writes_of_vm_registers_are_distinguished_from_others() {
        // MSR CONTEXTIDR_EL1, X0; MSR TPIDR_EL1, X0; DC CSW, X0.
        for (word, what) in [
            (0xd518_d020, Some(Awaited::VmRegister)),
            (0xd518_d080, None),
            (0xd508_7a40, Some(Awaited::SetWay)),
        ] {
            assert_eq!(Awaited::of(a64(word)), what, "{word:#x}");
        }
    }
}
