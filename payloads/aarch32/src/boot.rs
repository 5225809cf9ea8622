//! From the head's relocation to `main`.
//!
//! The aarch32-rt crate's start code is of no use here: it destroys r2, where the device tree is,
//! is linked for one address, and its exception handlers keep too little of the state.

use core::arch::global_asm;
use setway_runtime::exclusive::SyncUnsafeCell;

/// The boot CPU's stack.
#[repr(C, align(4096))]
struct Stack([u8; 0x1_0000]);

#[used]
#[unsafe(link_section = ".stack.boot_stack")]
static BOOT_STACK: SyncUnsafeCell<Stack> = SyncUnsafeCell::new(Stack([0; 0x1_0000]));

global_asm!(
    ".section .init.entry, \"ax\"",
    ".arm",
    ".fpu neon",
    ".global entry",
    "entry:",
    // Supervisor mode, as the boot protocol has it; asynchronous aborts, IRQs and FIQs masked.
    "    cpsid   aif, #0x13",
    "    ldr     sp, =boot_stack_end",
    "    ldr     r0, =bss_begin",
    "    ldr     r1, =bss_end",
    "    mov     r3, #0",
    "1:  cmp     r0, r1",
    "    strlo   r3, [r0], #4",
    "    blo     1b",
    "    bl      enable_fpu",
    "    mov     r0, r2",
    "    b       {main}",
    // Lets SVC mode use SIMD and floating point. Uses r3.
    ".global enable_fpu",
    "enable_fpu:",
    "    mrc     p15, 0, r3, c1, c0, 2",
    "    orr     r3, r3, #0xf00000",
    "    mcr     p15, 0, r3, c1, c0, 2",
    "    isb",
    "    mov     r3, #0x40000000",
    "    vmsr    fpexc, r3",
    "    bx      lr",
    "    .ltorg",
    main = sym crate::main,
);
