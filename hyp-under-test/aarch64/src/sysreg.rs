//! The guest's EL1 registers, by the tables of `setway-architecture`.

use setway_architecture::{registers::Sctlr, trap::sysreg::Backing};
use setway_runtime::{mrs, msr};

macro_rules! backing {
    ($($variant:ident $name:literal)*) => {
        /// The guest's value of a register.
        pub fn get(reg: Backing) -> u64 {
            match reg { $(Backing::$variant => mrs!($name),)* }
        }

        /// Sets the guest's value of a register.
        pub fn set(reg: Backing, value: u64) {
            // SAFETY: these registers govern EL1 and EL0 only; EL2 does not depend on any.
            unsafe {
                match reg { $(Backing::$variant => msr!($name, value),)* }
            }
        }
    };
}

/// The guest's SCTLR_EL1, or SCTLR.
pub fn sctlr() -> Sctlr {
    Sctlr::from_bits_retain(get(Backing::SctlrEl1))
}

backing! {
    SctlrEl1 "sctlr_el1"
    Ttbr0El1 "ttbr0_el1"
    Ttbr1El1 "ttbr1_el1"
    TcrEl1 "tcr_el1"
    EsrEl1 "esr_el1"
    FarEl1 "far_el1"
    Afsr0El1 "afsr0_el1"
    Afsr1El1 "afsr1_el1"
    MairEl1 "mair_el1"
    AmairEl1 "amair_el1"
    ContextidrEl1 "contextidr_el1"
    Dacr32El2 "dacr32_el2"
    Ifsr32El2 "ifsr32_el2"
}
