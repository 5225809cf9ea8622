//! What state a CPU is in: exception level, Execution state and instruction set.

/// The state in which an instruction is executed. QEMU's blocks belong to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// The exception level.
    pub el: u8,
    /// AArch64, or AArch32.
    pub aarch64: bool,
    /// T32, if in AArch32.
    pub t32: bool,
    /// The level that controls translation uses AArch64, as it may above an EL0 in AArch32.
    pub aarch64_regime: bool,
}

impl State {
    /// A number for the translation regime. EL0 and EL1 share one, but not with EL2, nor the two Execution states
    /// with each other.
    #[inline]
    pub fn regime(self) -> u64 {
        u64::from(self.el >= 2) << 1 | u64::from(self.aarch64_regime)
    }

    /// The state that an exception return to `spsr` enters, if EL1 is AArch64 or not.
    pub fn from_spsr(spsr: u64, el1_is_aarch64: bool) -> Self {
        let aarch64 = spsr >> 4 & 1 == 0;
        Self {
            el: if aarch64 {
                (spsr >> 2 & 3) as u8
            } else {
                aarch32_level(spsr)
            },
            aarch64,
            t32: !aarch64 && is_t32(spsr),
            aarch64_regime: aarch64 || el1_is_aarch64,
        }
    }

    /// The state of a CPU without AArch64.
    pub fn from_cpsr(cpsr: u64) -> Self {
        Self {
            el: aarch32_level(cpsr),
            aarch64: false,
            t32: is_t32(cpsr),
            aarch64_regime: false,
        }
    }

    /// AArch64 with this PSTATE.
    pub fn from_pstate(pstate: u64) -> Self {
        Self {
            el: (pstate >> 2 & 3) as u8,
            aarch64: true,
            t32: false,
            aarch64_regime: true,
        }
    }
}

/// PSTATE.T.
fn is_t32(cpsr: u64) -> bool {
    cpsr >> 5 & 1 != 0
}

/// The exception level of an AArch32 mode, where EL3 is not AArch32 (DDI 0487, ELFromM32).
fn aarch32_level(cpsr: u64) -> u8 {
    match cpsr & 0x1f {
        0x10 => 0,
        0x1a => 2,
        0x16 => 3,
        _ => 1,
    }
}
