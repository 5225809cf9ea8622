//! ESR_EL2: why an exception was taken to EL2, and with which operands (DDI 0487, ESR_EL2).

/// Exception classes that a hypervisor of this kind meets.
pub mod ec {
    /// Unknown reason: the instruction is UNDEFINED.
    pub const UNKNOWN: u32 = 0x00;
    /// WFI, WFE and their relatives.
    pub const WFX: u32 = 0x01;
    /// AArch32 MCR or MRC to coprocessor 15.
    pub const CP15_RT: u32 = 0x03;
    /// AArch32 MCRR or MRRC to coprocessor 15.
    pub const CP15_RRT: u32 = 0x04;
    /// SIMD, floating point or SVE.
    pub const SIMD: u32 = 0x07;
    /// AArch32 VMRS of an ID register (MVFR0 to MVFR2).
    pub const VMRS: u32 = 0x08;
    /// AArch32 HVC.
    pub const HVC32: u32 = 0x12;
    /// AArch32 SMC.
    pub const SMC32: u32 = 0x13;
    /// AArch64 SVC.
    pub const SVC64: u32 = 0x15;
    /// AArch64 HVC.
    pub const HVC64: u32 = 0x16;
    /// AArch64 SMC.
    pub const SMC64: u32 = 0x17;
    /// AArch64 MSR, MRS or system instruction.
    pub const SYS64: u32 = 0x18;
    /// Instruction abort from a lower exception level.
    pub const IABT_LOWER: u32 = 0x20;
    /// Instruction abort from the same exception level.
    pub const IABT_SAME: u32 = 0x21;
    /// Data abort from a lower exception level.
    pub const DABT_LOWER: u32 = 0x24;
    /// Data abort from the same exception level.
    pub const DABT_SAME: u32 = 0x25;
}

/// A value of ESR_EL2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Esr(pub u32);

impl Esr {
    /// EC, the exception class.
    #[inline]
    pub const fn class(self) -> u32 {
        self.0 >> 26
    }

    /// The instruction's length in bytes, from IL.
    #[inline]
    pub const fn length(self) -> u64 {
        if self.0 & 1 << 25 != 0 { 4 } else { 2 }
    }

    /// The trapped access is a read (MRS, MRC, MRRC).
    #[inline]
    pub const fn is_read(self) -> bool {
        self.0 & 1 != 0
    }

    /// Rt in the AArch64 view: 31 is XZR, and for AArch32 the banked register's number.
    #[inline]
    pub const fn rt(self) -> usize {
        (self.0 >> 5 & 0x1f) as usize
    }

    /// Rt2 of MCRR and MRRC, in the AArch64 view like [`rt`](Self::rt).
    #[inline]
    pub const fn rt2(self) -> usize {
        (self.0 >> 10 & 0x1f) as usize
    }

    /// The number of the register that a trapped VMRS reads.
    pub const fn vmrs_register(self) -> u32 {
        self.0 >> 10 & 0xf
    }

    /// The condition code of a trapped AArch32 instruction, if the CPU says (ISS.CV).
    pub const fn condition(self) -> Option<u32> {
        if self.0 & 1 << 24 != 0 {
            Some(self.0 >> 20 & 0xf)
        } else {
            None
        }
    }

    /// What an abort is about: DFSC or IFSC.
    pub const fn fault_status(self) -> u32 {
        self.0 & 0x3f
    }

    /// Stage 2 aborted a walk of stage 1's tables (ISS.S1PTW).
    pub const fn is_stage1_walk(self) -> bool {
        self.0 & 1 << 7 != 0
    }

    /// The immediate of HVC, or of SMC in AArch64.
    pub const fn immediate(self) -> u32 {
        self.0 & 0xffff
    }

    /// The abort is that of a write (ISS.WnR).
    pub const fn is_write(self) -> bool {
        self.class() == ec::DABT_LOWER && self.0 & 1 << 6 != 0
    }

    /// The abort is one of cache maintenance by VA, or of an address translation instruction (ISS.CM).
    pub const fn is_maintenance(self) -> bool {
        self.class() == ec::DABT_LOWER && self.0 & 1 << 8 != 0
    }

    /// The fault is a translation fault, at any level (ISS.DFSC or IFSC 0b0001LL).
    pub const fn is_translation_fault(self) -> bool {
        self.0 >> 2 & 0xf == 0b0001
    }
}
