//! The EL2 vectors: in from the guest with all its registers, and back.

use crate::{
    traps,
    vcpu::{InPlace, Vcpu},
};
use core::{arch::global_asm, ffi::c_void, mem::offset_of};
use setway_runtime::{mrs, msr};

unsafe extern "C" {
    static vector_table_el2: u8;
    fn enter_guest(vcpu: *mut c_void) -> !;
}

/// Points this CPU at the vectors.
///
/// # Safety
///
/// Must be called at EL2, on a stack.
pub unsafe fn install() {
    // SAFETY: the table below.
    unsafe { msr!("vbar_el2", &raw const vector_table_el2) }
}

/// Leaves the current stack for good and runs the guest.
pub fn enter(vcpu: InPlace) -> ! {
    // SAFETY: the vCPU lies at the end of this CPU's EL2 stack, which is what `InPlace` says, so SP_EL2 may point at
    // it; its registers are valid; and since the reference is given up here, the vectors' is the only one.
    unsafe { enter_guest(vcpu.into_ptr().cast()) }
}

/// An exception that EL2 itself caused.
#[unsafe(no_mangle)]
extern "C" fn own_exception(vector: u64) -> ! {
    panic!(
        "exception at EL2, vector {vector:#x}: ESR {:#x}, ELR {:#x}, FAR {:#x}",
        mrs!("esr_el2"),
        mrs!("elr_el2"),
        mrs!("far_el2")
    )
}

// The vectors store x30 and the PC as a pair.
const _: () = assert!(offset_of!(Vcpu, pc) == offset_of!(Vcpu, x) + 31 * 8);

// SP_EL2 is the vCPU.
global_asm!(
    ".section .text.vectors, \"ax\"",
    ".macro own_vector offset",
    "    .balign 0x80",
    "    mov     x0, #\\offset",
    "    b       own_exception",
    ".endm",
    // A synchronous exception of the guest. Interrupts are the guest's own and do not come here.
    ".macro guest_vector offset, handler",
    "    .balign 0x80",
    "    stp     x0, x1, [sp, #{x}]",
    "    adr     x1, \\handler",
    "    b       guest_exit",
    ".endm",
    ".balign 0x800",
    ".global vector_table_el2",
    "vector_table_el2:",
    "    .irp    offset, 0x000, 0x080, 0x100, 0x180, 0x200, 0x280, 0x300, 0x380",
    "    own_vector \\offset",
    "    .endr",
    "    guest_vector 0x400, {sync}",
    "    guest_vector 0x480, {other}",
    "    guest_vector 0x500, {other}",
    "    guest_vector 0x580, {other}",
    "    guest_vector 0x600, {sync}",
    "    guest_vector 0x680, {other}",
    "    guest_vector 0x700, {other}",
    "    guest_vector 0x780, {other}",
    ".purgem own_vector",
    ".purgem guest_vector",
    "guest_exit:",
    "    stp     x2, x3, [sp, #{x} + 2 * 8]",
    "    stp     x4, x5, [sp, #{x} + 4 * 8]",
    "    stp     x6, x7, [sp, #{x} + 6 * 8]",
    "    stp     x8, x9, [sp, #{x} + 8 * 8]",
    "    stp     x10, x11, [sp, #{x} + 10 * 8]",
    "    stp     x12, x13, [sp, #{x} + 12 * 8]",
    "    stp     x14, x15, [sp, #{x} + 14 * 8]",
    "    stp     x16, x17, [sp, #{x} + 16 * 8]",
    "    stp     x18, x19, [sp, #{x} + 18 * 8]",
    "    stp     x20, x21, [sp, #{x} + 20 * 8]",
    "    stp     x22, x23, [sp, #{x} + 22 * 8]",
    "    stp     x24, x25, [sp, #{x} + 24 * 8]",
    "    stp     x26, x27, [sp, #{x} + 26 * 8]",
    "    stp     x28, x29, [sp, #{x} + 28 * 8]",
    "    mrs     x2, elr_el2",
    "    mrs     x3, spsr_el2",
    "    stp     x30, x2, [sp, #{x} + 30 * 8]",
    "    str     x3, [sp, #{spsr}]",
    "    mov     x0, sp",
    "    blr     x1",
    "guest_entry:",
    "    ldp     x30, x2, [sp, #{x} + 30 * 8]",
    "    ldr     x3, [sp, #{spsr}]",
    "    msr     elr_el2, x2",
    "    msr     spsr_el2, x3",
    "    ldp     x28, x29, [sp, #{x} + 28 * 8]",
    "    ldp     x26, x27, [sp, #{x} + 26 * 8]",
    "    ldp     x24, x25, [sp, #{x} + 24 * 8]",
    "    ldp     x22, x23, [sp, #{x} + 22 * 8]",
    "    ldp     x20, x21, [sp, #{x} + 20 * 8]",
    "    ldp     x18, x19, [sp, #{x} + 18 * 8]",
    "    ldp     x16, x17, [sp, #{x} + 16 * 8]",
    "    ldp     x14, x15, [sp, #{x} + 14 * 8]",
    "    ldp     x12, x13, [sp, #{x} + 12 * 8]",
    "    ldp     x10, x11, [sp, #{x} + 10 * 8]",
    "    ldp     x8, x9, [sp, #{x} + 8 * 8]",
    "    ldp     x6, x7, [sp, #{x} + 6 * 8]",
    "    ldp     x4, x5, [sp, #{x} + 4 * 8]",
    "    ldp     x2, x3, [sp, #{x} + 2 * 8]",
    "    ldp     x0, x1, [sp, #{x}]",
    "    eret",
    ".global enter_guest",
    "enter_guest:",
    "    mov     sp, x0",
    "    b       guest_entry",
    x = const offset_of!(Vcpu, x),
    spsr = const offset_of!(Vcpu, spsr),
    sync = sym traps::synchronous,
    other = sym traps::unexpected,
);
