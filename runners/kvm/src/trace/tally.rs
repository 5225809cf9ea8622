//! Counting what a trace holds.

use std::collections::BTreeMap;

use setway_architecture::trap::sysreg::{SET_WAY_OPS, VM_REGS, set_way_op, vm_reg};

use super::event::{Event, What};
use crate::guest_records::Counts;

/// Most flushes and toggles that are listed one by one.
const LISTED: usize = 1024;

/// The counts of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The totals at each mark.
    pub marks: Vec<Counts>,
    /// Flushes by set/way and toggles, each with the number of its vCPU.
    pub listed: Vec<(usize, What)>,
    /// Of each of [`SET_WAY_OPS`], how often it trapped.
    pub set_way: [u64; SET_WAY_OPS.len()],
    /// Of each of [`VM_REGS`], how often a write of it trapped.
    pub vm_reg: [u64; VM_REGS.len()],
    /// Of each class, how often the guest left for it.
    pub exits: BTreeMap<u32, u64>,
    /// The totals at the end.
    pub totals: Counts,
    /// Events that did not fit.
    pub lost: u64,
}

/// Counts `events`, which are in the order of their times, of the vCPUs whose threads are `threads`. A
/// mark is an HVC that returns to `mark`.
pub fn tally(events: &[Event], threads: &[u32], mark: Option<u64>, lost: u64) -> Tally {
    let mut tally = Tally {
        marks: Vec::new(),
        listed: Vec::new(),
        set_way: [0; _],
        vm_reg: [0; _],
        exits: BTreeMap::new(),
        totals: Counts::default(),
        lost,
    };
    for event in events {
        if let Some(vcpu) = threads.iter().position(|thread| *thread == event.thread) {
            tally.add(vcpu, event.what, mark);
        }
    }
    tally
}

impl Tally {
    fn add(&mut self, vcpu: usize, what: What, mark: Option<u64>) {
        match what {
            What::SetWayFlush { .. } => self.list(vcpu, what, true),
            What::ToggleCache { was, now, .. } => self.list(vcpu, what, was != now),
            What::Write { key } => {
                let op = set_way_op(key);
                // KVM refuses the ops on tags to a guest without tags, and not all versions trace that.
                if let Some(op) = op.filter(|op| !SET_WAY_OPS[*op].tags) {
                    self.set_way[op] += 1;
                    self.totals.set_way += 1;
                } else if let Some(reg) = vm_reg(key) {
                    self.vm_reg[reg] += 1;
                    self.totals.vm_reg += 1;
                }
            }
            What::Hvc { pc } if Some(pc) == mark => self.marks.push(self.totals),
            What::Hvc { .. } => {}
            What::Exit { class } => *self.exits.entry(class).or_default() += 1,
        }
    }

    fn list(&mut self, vcpu: usize, what: What, flushes: bool) {
        self.totals.flush += u64::from(flushes);
        if self.listed.len() < LISTED {
            self.listed.push((vcpu, what));
        } else {
            self.lost += 1;
        }
    }

    /// What trapped, by name.
    pub fn traps(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let ops = SET_WAY_OPS.iter().map(|op| op.name).zip(self.set_way);
        let regs = VM_REGS.iter().map(|reg| reg.name).zip(self.vm_reg);
        ops.chain(regs).filter(|(_, count)| *count > 0)
    }

    /// What was counted between the marks of step `n`, if both came.
    pub fn step(&self, n: u64) -> Option<Counts> {
        let at = |n: u64| self.marks.get(usize::try_from(n).ok()?);
        let (before, after) = (at(2 * n)?, at(2 * n + 1)?);
        Some(Counts {
            set_way: after.set_way - before.set_way,
            vm_reg: after.vm_reg - before.vm_reg,
            flush: after.flush - before.flush,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use setway_architecture::trap::sysreg::Key;

    const MARK: u64 = 0x4020_1004;

    fn events(whats: &[What]) -> Vec<Event> {
        let event = |(time, what)| Event {
            time,
            thread: 71,
            what,
        };
        (0..).zip(whats.iter().copied()).map(event).collect()
    }

    #[test]
    fn totals_are_told_at_marks() {
        let key = Key::a64(1, 0, 7, 14, 2);
        let sctlr = Key::a64(3, 0, 1, 0, 0);
        let toggle = |was, now| What::ToggleCache { pc: 8, was, now };
        let events = events(&[
            What::Hvc { pc: 0x10 },
            What::Hvc { pc: MARK },
            What::Exit { class: 0x18 },
            What::Write { key },
            What::SetWayFlush { pc: 4, cache: true },
            What::Write { key: sctlr },
            toggle(true, true),
            What::Hvc { pc: MARK },
            What::Write { key: sctlr },
            toggle(true, false),
        ]);
        let tally = tally(&events, &[70, 71], Some(MARK), 3);
        let counts = |set_way, vm_reg, flush| Counts {
            set_way,
            vm_reg,
            flush,
        };
        assert_eq!(tally.marks, [counts(0, 0, 0), counts(1, 1, 1)]);
        assert_eq!(tally.step(0), Some(counts(1, 1, 1)));
        assert_eq!(tally.step(1), None);
        assert_eq!(tally.totals, counts(1, 2, 2));
        assert_eq!(tally.listed.len(), 3);
        assert!(tally.listed.iter().all(|(vcpu, _)| *vcpu == 1));
        let traps: Vec<_> = tally.traps().collect();
        assert_eq!(traps, [("DC CISW", 1), ("SCTLR_EL1", 2)]);
        assert_eq!(tally.exits, BTreeMap::from([(0x18, 1)]));
        assert_eq!(tally.lost, 3);
    }

    #[test]
    fn other_threads_and_other_registers_do_not_count() {
        let key = Key::a64(3, 3, 9, 12, 0);
        let mine = tally(&events(&[What::Write { key }]), &[71], None, 0);
        assert_eq!(mine.totals, Counts::default());
        let other = tally(&events(&[What::Exit { class: 1 }]), &[72], None, 0);
        assert!(other.exits.is_empty());
    }

    #[test]
    fn what_is_not_listed_is_lost_but_counted() {
        let flush = What::SetWayFlush { pc: 0, cache: true };
        let tally = tally(&events(&[flush; LISTED + 2]), &[71], None, 0);
        assert_eq!(tally.listed.len(), LISTED);
        assert_eq!(tally.lost, 2);
        assert_eq!(tally.totals.flush, LISTED as u64 + 2);
    }
}
