//! The console that Xen keeps for its guests: the hypercall `console_io` (Xen's public headers
//! `arch-arm.h` and `xen.h`).
//!
//! A hypercall costs much more than a byte, and what Xen prints in between would tear lines apart. So
//! text waits here until its line is whole.

use crate::exclusive::SyncUnsafeCell;
use core::arch::asm;
use setway_architecture::registers::Ctr;

/// What fits in one hypercall; records are shorter.
const SIZE: usize = 256;

/// A line that is not whole yet.
#[repr(C, align(64))]
struct Line {
    bytes: [u8; SIZE],
    len: usize,
}

static LINE: SyncUnsafeCell<Line> = SyncUnsafeCell::new(Line {
    bytes: [0; SIZE],
    len: 0,
});

/// Writes to Xen's console, as soon as there is a line.
pub fn write(text: &str) {
    // SAFETY: the caller of the console's `init` vouched that only one CPU at a time writes to it; and nothing
    // in here writes to it again, so there is no second borrow.
    let Line { bytes, len } = unsafe { &mut *LINE.get() };
    for &byte in text.as_bytes() {
        bytes[*len] = byte;
        *len += 1;
        if byte == b'\n' || *len == SIZE {
            send(&bytes[..*len]);
            *len = 0;
        }
    }
}

/// The hypercall's number, and its operation that writes.
const CONSOLE_IO: usize = 18;
const WRITE: usize = 0;

/// Has Xen print `bytes`.
fn send(bytes: &[u8]) {
    // Xen reads through its caches. If the guest's are off, the bytes went past them, and lines of an older line
    // may be left there: clean ones, as the payload maintains its memory before each switch. If they are on,
    // cleaning does no harm.
    clean_invalidate(bytes);
    // SAFETY: reads the buffer and nothing else; Xen may change the argument registers and the one with the
    // number. What the call returns is not needed: nothing could be done about an error.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!(
            "hvc #0xea1",
            inlateout("x0") WRITE => _,
            inlateout("x1") bytes.len() => _,
            inlateout("x2") bytes.as_ptr() => _,
            inlateout("x16") CONSOLE_IO => _,
            options(nostack),
        );
    }
    // SAFETY: as in AArch64: reads the buffer, and changes no other register.
    #[cfg(target_arch = "arm")]
    unsafe {
        asm!(
            ".arch_extension virt",
            "hvc #0xea1",
            inlateout("r0") WRITE => _,
            inlateout("r1") bytes.len() => _,
            inlateout("r2") bytes.as_ptr() => _,
            inlateout("r12") CONSOLE_IO => _,
            options(nostack),
        );
    }
}

/// CTR, which gives the length of lines.
#[cfg(target_arch = "aarch64")]
fn ctr() -> Ctr {
    Ctr(crate::mrs!("ctr_el0"))
}

/// CTR, which gives the length of lines.
#[cfg(target_arch = "arm")]
fn ctr() -> Ctr {
    let ctr: u32;
    // SAFETY: reading CTR changes nothing.
    unsafe { asm!("mrc p15, 0, {}, c0, c0, 1", out(reg) ctr, options(nomem, nostack)) }
    Ctr(ctr.into())
}

/// Cleans and invalidates by VA, to the point of coherency, the lines that hold `bytes`.
fn clean_invalidate(bytes: &[u8]) {
    let line = ctr().data_line() as usize;
    let range = bytes.as_ptr_range();
    // SAFETY: a barrier, so that what was stored is maintained.
    unsafe { asm!("dsb sy", options(nostack)) }
    for at in (range.start as usize & !(line - 1)..range.end as usize).step_by(line) {
        // SAFETY: no data changes.
        unsafe {
            #[cfg(target_arch = "aarch64")]
            asm!("dc civac, {}", in(reg) at, options(nostack, preserves_flags));
            #[cfg(target_arch = "arm")]
            asm!("mcr p15, 0, {}, c7, c14, 1", in(reg) at, options(nostack, preserves_flags));
        }
    }
    // SAFETY: a barrier: the maintenance is complete before Xen looks.
    unsafe { asm!("dsb sy", options(nostack)) }
}
