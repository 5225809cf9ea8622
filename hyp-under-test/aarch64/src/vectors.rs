//! The EL2 vectors: in from the guest with all its registers, and back.

use crate::{traps, vcpu::Vcpu};
use core::{arch::global_asm, ffi::c_void};
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
pub fn enter(vcpu: &mut Vcpu) -> ! {
    // SAFETY: the vCPU lies at the end of this CPU's stack, and its registers are valid.
    unsafe { enter_guest((&raw mut *vcpu).cast()) }
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

// SP_EL2 is the vCPU: x0-x30 from offset 0, pc at 248, spsr at 256 (asserted beside the struct).
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
    "    stp     x0, x1, [sp]",
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
    "    stp     x2, x3, [sp, #16]",
    "    stp     x4, x5, [sp, #32]",
    "    stp     x6, x7, [sp, #48]",
    "    stp     x8, x9, [sp, #64]",
    "    stp     x10, x11, [sp, #80]",
    "    stp     x12, x13, [sp, #96]",
    "    stp     x14, x15, [sp, #112]",
    "    stp     x16, x17, [sp, #128]",
    "    stp     x18, x19, [sp, #144]",
    "    stp     x20, x21, [sp, #160]",
    "    stp     x22, x23, [sp, #176]",
    "    stp     x24, x25, [sp, #192]",
    "    stp     x26, x27, [sp, #208]",
    "    stp     x28, x29, [sp, #224]",
    "    mrs     x2, elr_el2",
    "    mrs     x3, spsr_el2",
    "    stp     x30, x2, [sp, #240]",
    "    str     x3, [sp, #256]",
    "    mov     x0, sp",
    "    blr     x1",
    "guest_entry:",
    "    ldp     x30, x2, [sp, #240]",
    "    ldr     x3, [sp, #256]",
    "    msr     elr_el2, x2",
    "    msr     spsr_el2, x3",
    "    ldp     x28, x29, [sp, #224]",
    "    ldp     x26, x27, [sp, #208]",
    "    ldp     x24, x25, [sp, #192]",
    "    ldp     x22, x23, [sp, #176]",
    "    ldp     x20, x21, [sp, #160]",
    "    ldp     x18, x19, [sp, #144]",
    "    ldp     x16, x17, [sp, #128]",
    "    ldp     x14, x15, [sp, #112]",
    "    ldp     x12, x13, [sp, #96]",
    "    ldp     x10, x11, [sp, #80]",
    "    ldp     x8, x9, [sp, #64]",
    "    ldp     x6, x7, [sp, #48]",
    "    ldp     x4, x5, [sp, #32]",
    "    ldp     x2, x3, [sp, #16]",
    "    ldp     x0, x1, [sp]",
    "    eret",
    ".global enter_guest",
    "enter_guest:",
    "    mov     sp, x0",
    "    b       guest_entry",
    sync = sym traps::synchronous,
    other = sym traps::unexpected,
);
