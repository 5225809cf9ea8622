//! Access to coprocessor 15 registers, by their MRC and MCR operands.

/// Reads a 32-bit register that may be read without side effects.
macro_rules! read {
    ($operands:literal) => {{
        let value: u32;
        #[allow(unused_unsafe, reason = "used inside unsafe blocks too")]
        // SAFETY: reading one of the registers named in this crate changes nothing.
        unsafe {
            core::arch::asm!(concat!("mrc ", $operands), out(reg) value, options(nomem, nostack, preserves_flags));
        }
        value
    }};
}

/// Writes a 32-bit register. Unsafe where it stands, because what it does depends on the register.
macro_rules! write {
    ($operands:literal, $value:expr) => {
        core::arch::asm!(concat!("mcr ", $operands), in(reg) $value as u32, options(nostack, preserves_flags))
    };
}

pub(crate) use {read, write};
