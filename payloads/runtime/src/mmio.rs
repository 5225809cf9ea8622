//! Accesses that a hypervisor can emulate.
//!
//! A hypervisor that emulates a device learns of an access from the syndrome of the data abort, and the
//! syndrome gives which register and how wide for plain loads and stores of one register alone (DDI 0487,
//! ESR_EL2, ISS encoding for a Data Abort, ISV). For volatile accesses the compiler may choose others, so
//! for AArch32 the instructions stand here; for AArch64 the crate that calls them has its own.

use core::arch::asm;
use safe_mmio::{MmioOps, set_mmio_ops};

struct SingleRegister;

macro_rules! load {
    ($instruction:literal, $from:expr) => {{
        let value: u32;
        // SAFETY: the caller's.
        unsafe {
            asm!(concat!($instruction, " {}, [{}]"), out(reg) value, in(reg) $from,
                options(nostack, preserves_flags));
        }
        value
    }};
}

macro_rules! store {
    ($instruction:literal, $to:expr, $value:expr) => {
        // SAFETY: the caller's.
        unsafe {
            asm!(concat!($instruction, " {}, [{}]"), in(reg) $value, in(reg) $to,
                options(nostack, preserves_flags));
        }
    };
}

impl MmioOps for SingleRegister {
    unsafe fn read_u8(src: *const u8) -> u8 {
        load!("ldrb", src) as u8
    }

    unsafe fn read_u16(src: *const u16) -> u16 {
        load!("ldrh", src) as u16
    }

    unsafe fn read_u32(src: *const u32) -> u32 {
        load!("ldr", src)
    }

    // No single register has 64 bits: two accesses, the low half first.
    unsafe fn read_u64(src: *const u64) -> u64 {
        let src = src.cast::<u32>();
        let low = load!("ldr", src);
        u64::from(load!("ldr", src.wrapping_add(1))) << 32 | u64::from(low)
    }

    unsafe fn write_u8(dst: *mut u8, value: u8) {
        store!("strb", dst, u32::from(value));
    }

    unsafe fn write_u16(dst: *mut u16, value: u16) {
        store!("strh", dst, u32::from(value));
    }

    unsafe fn write_u32(dst: *mut u32, value: u32) {
        store!("str", dst, value);
    }

    unsafe fn write_u64(dst: *mut u64, value: u64) {
        let dst = dst.cast::<u32>();
        store!("str", dst, value as u32);
        store!("str", dst.wrapping_add(1), (value >> 32) as u32);
    }
}

set_mmio_ops!(SingleRegister);
