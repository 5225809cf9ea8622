//! What cases for the bare machine need besides.

use crate::{cp15, isa::AArch32, stage1};
use core::{
    arch::{asm, global_asm},
    ops::Range,
};
use setway_architecture::maintenance::VaOp;
use setway_cases::{
    bare::{Bare, Buffer, Window},
    forms_a32, forms_t32,
    random::Form,
};

/// A routine for each row of the table, 64 bytes apart, in A32 or T32.
macro_rules! routines {
    ($begin:literal, $mode:literal, $($direction:ident $len:literal $align:literal $memory:ident $($line:literal),+;)*) => {
        global_asm!(
            concat!(".section .text.", $begin, ", \"ax\""),
            ".fpu neon",
            $mode,
            ".balign 64",
            concat!(".global ", $begin),
            concat!($begin, ":"),
            ".set number, 0",
            $(
                // An error, if the routine before was longer.
                concat!(".org ", $begin, " + 64 * number"),
                ".set number, number + 1",
                $($line,)+
                "bx lr",
            )*
            ".arm",
            options(raw)
        );
    };
}

forms_a32!(routines, "forms_a32", ".arm",);
forms_t32!(routines, "forms_t32", ".thumb",);

unsafe extern "C" {
    static forms_a32: u8;
    static forms_t32: u8;
    static data_begin: u8;
    static runtime_end: u8;
}

impl<const IS_T32: bool> Bare for AArch32<IS_T32> {
    unsafe fn by_va(op: VaOp, address: *const u8) {
        // SAFETY: the caller's.
        unsafe {
            match op {
                VaOp::Ivac => cp15::write!("p15, 0, {}, c7, c6, 1", address),
                VaOp::Cvac => cp15::write!("p15, 0, {}, c7, c10, 1", address),
                VaOp::Cvau => cp15::write!("p15, 0, {}, c7, c11, 1", address),
                VaOp::Civac => cp15::write!("p15, 0, {}, c7, c14, 1", address),
            }
        }
        Self::barrier();
    }

    fn barrier() {
        // SAFETY: a barrier.
        unsafe { asm!("dsb sy", options(nostack)) }
    }

    fn own_memory() -> Range<usize> {
        (&raw const data_begin) as usize..(&raw const runtime_end) as usize
    }

    fn window() -> Window {
        Window {
            address: stage1::window() as *const u64,
            table: stage1::WINDOW_TABLE as usize,
            entry: stage1::page,
            entry_size: 4,
        }
    }

    fn set_walks(cacheable: bool) {
        stage1::set_walks(cacheable);
    }

    fn invalidate_tlb() {
        stage1::invalidate_tlb();
    }

    fn code(value: u8) -> [u32; 2] {
        // MOV R0, #value; BX LR, in A32.
        [0xe3a0_0000 | u32::from(value), 0xe12f_ff1e]
    }

    fn invalidate_instructions() {
        // SAFETY: what was fetched is fetched again.
        unsafe {
            cp15::write!("p15, 0, {}, c7, c5, 0", 0);
            asm!("dsb sy", "isb sy", options(nostack));
        }
    }

    unsafe fn call(address: *const u32) -> u64 {
        // SAFETY: the caller's. Bit 0 of the address is clear: A32.
        let function: extern "C" fn() -> u32 = unsafe { core::mem::transmute(address) };
        function().into()
    }

    unsafe fn access(form: &Form, address: *mut u8, buffer: &mut Buffer) {
        let (begin, t32) = if IS_T32 {
            (&raw const forms_t32, 1)
        } else {
            (&raw const forms_a32, 0)
        };
        let routine = begin.wrapping_add((64 * form.number) | t32);
        // SAFETY: the routine of this number follows the procedure call standard, and accesses the buffer and what
        // the form says, which is the caller's. Bit 0 of its address selects T32.
        unsafe {
            let routine: extern "C" fn(*mut u8, *mut Buffer) = core::mem::transmute(routine);
            routine(address, buffer);
        }
    }
}
