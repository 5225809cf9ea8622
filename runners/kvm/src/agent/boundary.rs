//! Boundaries of a run in QEMU's exception log: system calls by whose immediate the harness finds where it
//! begins and ends.
//!
//! Linux takes the number of a system call from x8 and ignores the immediate of the SVC, which the log
//! shows as part of the syndrome.

use std::arch::asm;

pub use setway_protocol::boundary::{BEGINS, ENDS};

/// Executes SVC #`IMMEDIATE`, a boundary of a run.
pub fn cross<const IMMEDIATE: u16>() {
    // SAFETY: the system call is getpid, which does nothing but return a number in x0; Linux keeps all
    // other registers, and touches no memory of this process.
    unsafe {
        asm!(
            "svc #{immediate}",
            immediate = const IMMEDIATE,
            in("x8") libc::SYS_getpid,
            lateout("x0") _,
            options(nostack)
        );
    }
}
