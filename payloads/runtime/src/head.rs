//! The first bytes of an image: a header that Linux boot loaders recognise, and self-relocation.
//!
//! One image has to run wherever a boot loader or hypervisor puts it, MMU off, and the toolchains'
//! precompiled `core` is position dependent. So images are linked at 0 and keep their relocations:
//! the harness appends to the flat image a table of the words that hold absolute addresses, and
//! patches its place and length into [`__relocs_offset`] and [`__relocs_count`]. The code here adds
//! the load address to each, which is all that an image linked at 0 needs. An entry is the word's
//! offset, with the kind of word in bits 31:30:
//!
//! | kind | word |
//! |---|---|
//! | 0 | 64-bit address |
//! | 1 | 32-bit address |
//! | 2 | A32 MOVT, the upper half of an address |
//! | 3 | T32 MOVT, the upper half of an address |
//!
//! The load address is a multiple of 64 KiB, so MOVW, the lower half, needs nothing.

use core::arch::global_asm;
use setway_architecture::registers::Ctr;

// Words that the harness fills in after linking. They must not be zero at link time, or they would
// end up in .bss, which the file does not have.
/// Offset of the relocation table from the image's start.
#[unsafe(no_mangle)]
#[used]
#[unsafe(link_section = ".data.head")]
static __relocs_offset: u32 = 0;
/// Number of entries in the relocation table.
#[unsafe(no_mangle)]
#[used]
#[unsafe(link_section = ".data.head")]
static __relocs_count: u32 = 0;
/// A hash of the image.
#[unsafe(no_mangle)]
#[used]
#[unsafe(link_section = ".data.head")]
static __build_id: u64 = 0;

/// The hash that identifies this very image in its records.
pub fn build_id() -> u64 {
    // SAFETY: a valid, initialised static; volatile because the harness changes it after linking,
    // which the compiler must not see through.
    unsafe { (&raw const __build_id).read_volatile() }
}

unsafe extern "C" {
    /// The image's first byte.
    static image_begin: u8;
}

/// Where the image is. It is linked at 0, so this is what its symbols have to be moved by.
pub fn base() -> u64 {
    (&raw const image_begin) as u64
}

// The header is that of an arm64 Linux `Image` (Linux Documentation/arch/arm64/booting.rst):
// text_offset 0 and flags "anywhere in memory, 4 KiB pages, little-endian".
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".section .head, \"ax\"",
    ".global head",
    "head:",
    "    b       0f",
    "    .word   0",
    "    .quad   0",
    "    .quad   image_size",
    "    .quad   0xa",
    "    .quad   0",
    "    .quad   0",
    "    .quad   0",
    "    .ascii  \"ARM\\x64\"",
    "    .word   0",
    // x0 holds the device tree's address and stays untouched.
    "0:  adr     x10, head",
    "    adrp    x11, __relocs_offset",
    "    ldr     w12, [x11, :lo12:__relocs_offset]",
    "    adrp    x11, __relocs_count",
    "    ldr     w13, [x11, :lo12:__relocs_count]",
    "    add     x12, x10, x12",
    "1:  cbz     w13, 2f",
    "    ldr     w14, [x12], #4",
    "    ldr     x15, [x10, x14]",
    "    add     x15, x15, x10",
    "    str     x15, [x10, x14]",
    "    sub     w13, w13, #1",
    "    b       1b",
    // The words were written past the caches, where the loader may have left clean copies of them.
    "2:  mrs     x12, ctr_el0",
    "    ubfx    x12, x12, #{dmin_line}, #4",
    "    mov     x13, #4",
    "    lsl     x13, x13, x12",
    "    adrp    x12, image_end",
    "    add     x12, x12, :lo12:image_end",
    "    dsb     sy",
    "3:  dc      ivac, x10",
    "    add     x10, x10, x13",
    "    cmp     x10, x12",
    "    b.lo    3b",
    "    dsb     sy",
    "    b       entry",
    dmin_line = const Ctr::DMIN_LINE_SHIFT,
);

// The header is that of a 32-bit Linux zImage (Linux Documentation/arch/arm/booting.rst and the
// zImage's own head.S): magic at 0x24, start, end, endianness. The end is that of the file, which
// the harness fills up to the end of the image in memory.
#[cfg(target_arch = "arm")]
global_asm!(
    ".section .head, \"ax\"",
    ".arm",
    ".global head",
    "head:",
    // A local name, which the assembler resolves by itself.
    "7:  .rept 8",
    "    nop",
    "    .endr",
    "    b       0f",
    "    .word   0x016f2818",
    "    .word   0",
    "    .word   image_size",
    "    .word   0x04030201",
    // r2 holds the device tree's address and stays untouched.
    "0:  adr     r4, 7b",
    "    ldr     r5, 8f",
    "    ldr     r6, 9f",
    "    ldr     r5, [r4, r5]",
    "    ldr     r6, [r4, r6]",
    "    add     r5, r4, r5",
    "1:  cmp     r6, #0",
    "    beq     5f",
    "    sub     r6, r6, #1",
    "    ldr     r7, [r5], #4",
    "    bic     r8, r7, #0xc0000000",
    "    add     r8, r4, r8",
    "    mov     r7, r7, lsr #30",
    "    cmp     r7, #2",
    "    beq     3f",
    "    bhi     4f",
    // A 32-bit address.
    "    ldr     r9, [r8]",
    "    add     r9, r9, r4",
    "    str     r9, [r8]",
    "    b       1b",
    // A32 MOVT: imm16 is imm4 (19:16) : imm12 (11:0).
    "3:  ldr     r9, [r8]",
    "    ubfx    r10, r9, #16, #4",
    "    ubfx    r11, r9, #0, #12",
    "    orr     r11, r11, r10, lsl #12",
    "    add     r11, r11, r4, lsr #16",
    "    bfi     r9, r11, #0, #12",
    "    lsr     r11, r11, #12",
    "    bfi     r9, r11, #16, #4",
    "    str     r9, [r8]",
    "    b       1b",
    // T32 MOVT: imm16 is imm4 (first halfword 3:0) : i (10) : imm3 (second 14:12) : imm8 (7:0).
    "4:  ldrh    r9, [r8]",
    "    ldrh    r10, [r8, #2]",
    "    and     r11, r10, #0xff",
    "    ubfx    r12, r10, #12, #3",
    "    orr     r11, r11, r12, lsl #8",
    "    ubfx    r12, r9, #10, #1",
    "    orr     r11, r11, r12, lsl #11",
    "    and     r12, r9, #0xf",
    "    orr     r11, r11, r12, lsl #12",
    "    add     r11, r11, r4, lsr #16",
    "    bfi     r10, r11, #0, #8",
    "    lsr     r12, r11, #8",
    "    bfi     r10, r12, #12, #3",
    "    lsr     r12, r11, #11",
    "    bfi     r9, r12, #10, #1",
    "    lsr     r12, r11, #12",
    "    bfi     r9, r12, #0, #4",
    "    strh    r9, [r8]",
    "    strh    r10, [r8, #2]",
    "    b       1b",
    // The words were written past the caches, where the loader may have left clean copies of them;
    // and code has changed: drop what instruction cache and branch predictor know of it.
    "5:  mrc     p15, 0, r5, c0, c0, 1",
    "    ubfx    r5, r5, #{dmin_line}, #4",
    "    mov     r6, #4",
    "    lsl     r6, r6, r5",
    "    ldr     r5, =image_size",
    "    add     r5, r4, r5",
    "    dsb     sy",
    "6:  mcr     p15, 0, r4, c7, c6, 1",
    "    add     r4, r4, r6",
    "    cmp     r4, r5",
    "    blo     6b",
    "    dsb     sy",
    "    mov     r5, #0",
    "    mcr     p15, 0, r5, c7, c5, 0",
    "    mcr     p15, 0, r5, c7, c5, 6",
    "    dsb     sy",
    "    isb     sy",
    "    b       entry",
    // Offsets from `head`, which the linker knows without relocation at run time.
    "8:  .word   relocs_offset_at",
    "9:  .word   relocs_count_at",
    "    .ltorg",
    dmin_line = const Ctr::DMIN_LINE_SHIFT,
);
