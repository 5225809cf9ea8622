//! What a guest waited for, in instructions, by the cache model's count.

use std::ops::Range;

use setway_protocol::{record, word::Trap};

/// The instructions that were executed between traps of one kind and what the guest executed next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// How many traps of the guest there had been when it was told.
    pub after: usize,
    /// The kind of trap.
    pub of: Trap,
    /// How many of them there were.
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

impl Cost {
    /// What was told after `after` traps.
    pub(super) fn of(cost: &record::Cost, after: usize) -> Self {
        Self {
            after,
            of: cost.of,
            traps: cost.traps,
            least: cost.least,
            median: cost.median,
            most: cost.most,
            total: cost.total,
        }
    }

    /// Whether the traps were within `span`. They are told of when the guest calls, and so before its mark traps.
    pub fn is_in(&self, span: &Range<usize>) -> bool {
        self.after > span.start && self.after <= span.end
    }

    /// Whether it is of ops by set/way, and not of writes of VM registers.
    pub fn is_of_set_way(&self) -> bool {
        matches!(self.of, Trap::SetWay | Trap::SetWayFlush)
    }

    /// Whether the hypervisor maintained anything for them.
    pub fn has_flushed(&self) -> bool {
        matches!(self.of, Trap::SetWayFlush | Trap::Toggle)
    }
}
