//! Vectors at another place, for exceptions that arrive as SCTLR.TE and EE have it: in either instruction set, and with
//! data of either endianness.
//!
//! Each entry is `MOV LR, LR` in A32, so that all of them fall through to what follows the table. Its lower half is
//! `B .+0x20` in T32. Which exception it was shows in the mode.

use core::arch::global_asm;

/// What is added to a vector's offset if it is one of these.
pub const MOVED: u64 = 0x100;

unsafe extern "C" {
    static moved_vectors: u8;
}

/// Where the table is.
pub fn address() -> u32 {
    (&raw const moved_vectors) as u32
}

global_asm!(
    ".section .text.moved_vectors, \"ax\"",
    ".arm",
    ".balign 32",
    ".global moved_vectors",
    "moved_vectors:",
    "    .rept   8",
    "    .inst   0xe1a0e00e",
    "    .endr",
    // Arrived in A32; and the T32 entry of a reset, of which there is none.
    "    b       moved_arm",
    ".thumb",
    "    .rept   7",
    "    b.w     moved_thumb",
    "    .endr",
    // Arrived in T32. TPIDRPRW takes CPSR on arrival, of which MRS does not show T; TPIDRURW keeps r0 meanwhile.
    "moved_thumb:",
    "    mcr     p15, 0, r0, c13, c0, 2",
    "    mrs     r0, cpsr",
    "    orr     r0, r0, #0x20",
    "    mcr     p15, 0, r0, c13, c0, 4",
    "    mrc     p15, 0, r0, c13, c0, 2",
    "    setend  le",
    "    .balign 4",
    "    bx      pc",
    "    nop",
    ".arm",
    "    b       1f",
    "moved_arm:",
    "    mcr     p15, 0, r0, c13, c0, 2",
    "    mrs     r0, cpsr",
    "    mcr     p15, 0, r0, c13, c0, 4",
    "    mrc     p15, 0, r0, c13, c0, 2",
    "    setend  le",
    "1:  stmia   sp, {{r0-r14}}^",
    "    nop",
    "    mrs     r1, cpsr",
    "    and     r1, r1, #0x1f",
    "    mov     r0, #{moved}",
    "    cmp     r1, #0x1b",
    "    addeq   r0, r0, #0x04",
    "    cmp     r1, #0x13",
    "    addeq   r0, r0, #0x08",
    "    cmp     r1, #0x17",
    "    addeq   r0, r0, #0x0c",
    "    cmp     r1, #0x12",
    "    addeq   r0, r0, #0x18",
    "    cmp     r1, #0x11",
    "    addeq   r0, r0, #0x1c",
    "    b       probe_exit",
    moved = const MOVED,
);
