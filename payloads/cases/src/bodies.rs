//! What the cases do, a module for each family of rules.

pub mod abort;
pub mod bare;
pub mod coherence;
pub mod cost;
pub mod exact;
pub mod geometry;
pub mod interrupts;
pub mod psci;
pub mod random;
pub mod set_way;
pub mod several;
pub mod state;
pub mod toggle;
pub mod undef;
pub mod vcpus;
pub mod vm_reg;

use crate::context::Counts;

/// Nothing traps, nothing is flushed.
const NOTHING: Counts = Counts {
    set_way: 0,
    vm_reg: 0,
    flush: 0,
};
/// One set/way op that finds TVM clear.
const FIRST_SET_WAY: Counts = Counts {
    set_way: 1,
    vm_reg: 0,
    flush: 1,
};
/// One set/way op that finds TVM set.
const NEXT_SET_WAY: Counts = Counts {
    set_way: 1,
    vm_reg: 0,
    flush: 0,
};
/// One VM register write that finds TVM set and does not toggle the cache.
const VM_REG: Counts = Counts {
    set_way: 0,
    vm_reg: 1,
    flush: 0,
};
/// One SCTLR write that finds TVM set and toggles the cache.
const TOGGLE: Counts = Counts {
    set_way: 0,
    vm_reg: 1,
    flush: 1,
};
