//! What the Arm architecture says, as types, tables and pure functions.
//!
//! A wrong bit in a payload, a hypervisor or the harness would look like a finding. So a fact of the
//! architecture stands here, once, beside its source and its test, and nowhere else:
//!
//! - [`registers`]: the values of system registers, with their fields by name;
//! - [`maintenance`]: the cache maintenance ops, and the operands of those by set/way;
//! - [`trap`]: what an instruction that traps to EL2 was, and what is owed to the guest for it;
//! - [`decode`]: which memory an instruction touches;
//! - [`translate`]: where an address leads, and how that may be cached;
//! - [`image`]: the headers that Linux gave bootable images.
//!
//! Everything is pure: registers and memory come in as values and closures, nothing is remembered. What
//! a guest does not use costs it nothing.
//!
//! References are to the Arm Architecture Reference Manual for A-profile, DDI 0487, by the names it gives
//! to registers, pseudocode functions and sections.
#![no_std]
#![forbid(unsafe_code)]

pub mod decode;
pub mod image;
pub mod maintenance;
pub mod registers;
pub mod translate;
pub mod trap;
