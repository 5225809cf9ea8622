//! What the architecture says of an instruction that traps to EL2.
//!
//! A hypervisor that emulates an instruction owes the guest everything the instruction would have
//! done: the right transfer register, the condition code, the next PC and ITSTATE, or an UNDEF as the
//! CPU would have raised it. None of it needs hardware, so it is kept apart from the hypervisors and
//! tested on the host. The harness reads QEMU's exception log with the same tables.

pub mod aarch32;
pub mod abort;
pub mod entry;
pub mod esr;
pub mod sysreg;
pub mod undef;
