//! Access to coprocessor 15 registers, by their names or by their MRC and MCR operands.

/// Makes of a list of registers a macro that reads them and one that writes them. `$d` is a dollar sign.
macro_rules! registers {
    ($d:tt $($name:ident $operands:literal)*) => {
        /// Reads a 32-bit register of the list, by its name.
        macro_rules! read {
            $( ($name) => { $crate::cp15::mrc!($operands) }; )*
        }

        /// Writes a 32-bit register, by its name or by its operands. Unsafe where it stands, because what it does
        /// depends on the register.
        macro_rules! write {
            $( ($name, $d value:expr) => { $crate::cp15::mcr!($operands, $d value) }; )*
            ($d other:literal, $d value:expr) => { $crate::cp15::mcr!($d other, $d value) };
        }

        pub(crate) use {read, write};
    };
}

/// Reads the 32-bit register with these operands, which is one of the list below.
macro_rules! mrc {
    ($operands:literal) => {{
        let value: u32;
        #[allow(unused_unsafe, reason = "used inside unsafe blocks too")]
        // SAFETY: reading a register of the list changes nothing.
        unsafe {
            core::arch::asm!(concat!("mrc ", $operands), out(reg) value,
                options(nomem, nostack, preserves_flags));
        }
        value
    }};
}

/// Writes the 32-bit register with these operands.
macro_rules! mcr {
    ($operands:literal, $value:expr) => {
        core::arch::asm!(concat!("mcr ", $operands), in(reg) $value as u32, options(nostack, preserves_flags))
    };
}

pub(crate) use {mcr, mrc};

// Reading any of these changes nothing, which is not true of every register: that of ICC_IAR1, for one, acknowledges
// an interrupt.
registers! { $
    MIDR "p15, 0, {}, c0, c0, 0"
    CTR "p15, 0, {}, c0, c0, 1"
    MPIDR "p15, 0, {}, c0, c0, 5"
    ID_MMFR0 "p15, 0, {}, c0, c1, 4"
    ID_MMFR4 "p15, 0, {}, c0, c2, 6"
    CCSIDR "p15, 1, {}, c0, c0, 0"
    CLIDR "p15, 1, {}, c0, c0, 1"
    CSSELR "p15, 2, {}, c0, c0, 0"
    CCSIDR2 "p15, 1, {}, c0, c0, 2"
    SCTLR "p15, 0, {}, c1, c0, 0"
    TTBR0 "p15, 0, {}, c2, c0, 0"
    TTBR1 "p15, 0, {}, c2, c0, 1"
    TTBCR "p15, 0, {}, c2, c0, 2"
    DACR "p15, 0, {}, c3, c0, 0"
    DFSR "p15, 0, {}, c5, c0, 0"
    IFSR "p15, 0, {}, c5, c0, 1"
    ADFSR "p15, 0, {}, c5, c1, 0"
    AIFSR "p15, 0, {}, c5, c1, 1"
    DFAR "p15, 0, {}, c6, c0, 0"
    IFAR "p15, 0, {}, c6, c0, 2"
    MAIR0 "p15, 0, {}, c10, c2, 0"
    MAIR1 "p15, 0, {}, c10, c2, 1"
    AMAIR0 "p15, 0, {}, c10, c3, 0"
    AMAIR1 "p15, 0, {}, c10, c3, 1"
    TPIDRPRW "p15, 0, {}, c13, c0, 4"
    CONTEXTIDR "p15, 0, {}, c13, c0, 1"
}
