//! What cases for the bare machine need besides.

use crate::{isa::A64, stage1};
use core::{
    arch::{asm, global_asm},
    ops::Range,
};
use setway_architecture::maintenance::VaOp;
use setway_cases::{
    bare::{Bare, Buffer, Window},
    forms_a64,
    random::Form,
};

/// A routine for each row of the table, 64 bytes apart.
macro_rules! routines {
    ($($direction:ident $len:literal $align:literal $memory:ident $($line:literal),+;)*) => {
        global_asm!(
            ".section .text.forms, \"ax\"",
            ".arch_extension fp",
            ".arch_extension simd",
            ".balign 64",
            ".global forms_begin",
            "forms_begin:",
            ".set number, 0",
            $(
                // An error, if the routine before was longer.
                ".org forms_begin + 64 * number",
                ".set number, number + 1",
                $($line,)+
                "ret",
            )*
            options(raw)
        );
    };
}

forms_a64!(routines,);

unsafe extern "C" {
    static forms_begin: u8;
    static data_begin: u8;
    static runtime_end: u8;
}

impl Bare for A64 {
    unsafe fn by_va(op: VaOp, address: *const u8) {
        // SAFETY: the caller's.
        unsafe {
            match op {
                VaOp::Ivac => asm!("dc ivac, {}", in(reg) address, options(nostack)),
                VaOp::Cvac => asm!("dc cvac, {}", in(reg) address, options(nostack)),
                VaOp::Cvau => asm!("dc cvau, {}", in(reg) address, options(nostack)),
                VaOp::Civac => asm!("dc civac, {}", in(reg) address, options(nostack)),
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
            address: stage1::WINDOW as *const u64,
            table: stage1::WINDOW_TABLE as usize,
            entry: stage1::page,
            entry_size: 8,
        }
    }

    fn set_walks(cacheable: bool) {
        stage1::set_walks(cacheable);
    }

    fn invalidate_tlb() {
        stage1::invalidate_tlb();
    }

    fn code(value: u8) -> [u32; 2] {
        // MOV X0, #value; RET.
        [0xd280_0000 | u32::from(value) << 5, 0xd65f_03c0]
    }

    fn invalidate_instructions() {
        // SAFETY: what was fetched is fetched again.
        unsafe { asm!("ic iallu", "dsb sy", "isb", options(nostack)) }
    }

    unsafe fn call(address: *const u32) -> u64 {
        // SAFETY: the caller's.
        let function: extern "C" fn() -> u64 = unsafe { core::mem::transmute(address) };
        function()
    }

    unsafe fn access(form: &Form, address: *mut u8, buffer: &mut Buffer) {
        let routine = (&raw const forms_begin).wrapping_add(64 * form.number);
        // SAFETY: the routine of this number follows the procedure call standard, and accesses the buffer and what
        // the form says, which is the caller's.
        unsafe {
            let routine: extern "C" fn(*mut u8, *mut Buffer) = core::mem::transmute(routine);
            routine(address, buffer);
        }
    }
}
