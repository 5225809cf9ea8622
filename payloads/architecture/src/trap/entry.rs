//! Exception entry to EL1, as the CPU would do it: what all exceptions that a hypervisor hands to its guest have in
//! common.

use super::aarch32::{self, psr};
use crate::registers::Sctlr;

/// PSTATE of an AArch64 guest in SPSR_EL2 (DDI 0487, SPSR_EL2, "taken from AArch64 state").
mod pstate {
    /// EL1 with SP_EL1.
    pub const EL1H: u64 = 0b0101;
    /// EL1 with SP_EL0.
    pub const EL1T: u64 = 0b0100;
    pub const DAIF: u64 = 0xf << 6;
    pub const SSBS: u64 = 1 << 12;
    pub const ALLINT: u64 = 1 << 13;
    pub const PAN: u64 = 1 << 22;
    pub const DIT: u64 = 1 << 24;
    pub const TCO: u64 = 1 << 25;
    pub const FLAGS: u64 = 0xf << 28;
}

/// What the CPU implements that exception entry depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// FEAT_PAN.
    pub pan: bool,
    /// FEAT_SSBS.
    pub ssbs: bool,
    /// FEAT_MTE2.
    pub mte: bool,
    /// FEAT_NMI.
    pub nmi: bool,
}

/// What was there when the exception was caused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The address of the instruction that caused it.
    pub pc: u64,
    /// PSTATE, as SPSR_EL2 has it.
    pub spsr: u64,
    /// VBAR_EL1.
    pub vbar: u64,
    /// SCTLR_EL1.
    pub sctlr: Sctlr,
    /// What the CPU implements.
    pub features: Features,
}

/// The state to give an AArch64 guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry64 {
    /// The vector's address, for ELR_EL2.
    pub pc: u64,
    /// PSTATE on entry, for SPSR_EL2.
    pub pstate: u64,
    /// The preferred return address.
    pub elr_el1: u64,
    /// PSTATE before.
    pub spsr_el1: u64,
    /// The syndrome.
    pub esr_el1: u64,
}

/// The state to give an AArch32 guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry32 {
    /// The vector's address, for ELR_EL2.
    pub pc: u64,
    /// CPSR on entry, for SPSR_EL2.
    pub cpsr: u64,
    /// The return address, offset as the exception has it: LR of its mode.
    pub lr: u64,
    /// CPSR before: SPSR of its mode.
    pub spsr: u64,
}

/// An exception of AArch32: where its vector is, and what its mode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vector32 {
    /// The offset of its vector.
    pub offset: u64,
    /// The mode that it is taken to.
    pub mode: u64,
    /// What it masks besides IRQs.
    pub masks: u64,
    /// How far its LR lies past the instruction, in A32 and in T32.
    pub link: (u64, u64),
}

impl Cause {
    /// Whether the exception comes from EL0.
    pub const fn is_from_el0(&self) -> bool {
        if self.spsr & psr::AARCH32 != 0 {
            true
        } else {
            self.spsr & 0b1100 == 0
        }
    }

    /// AArch64.TakeException() to EL1 with syndrome `esr_el1` (DDI 0487, shared pseudocode and the table of vector
    /// offsets).
    pub const fn aarch64(&self, esr_el1: u64) -> Entry64 {
        let Self {
            pc,
            spsr,
            vbar,
            sctlr,
            features,
        } = *self;
        let vector = if spsr & psr::AARCH32 != 0 {
            0x600
        } else {
            match spsr & 0xf {
                pstate::EL1H => 0x200,
                pstate::EL1T => 0x000,
                _ => 0x400,
            }
        };
        let mut new = pstate::EL1H | pstate::DAIF;
        new |= spsr & (pstate::FLAGS | pstate::DIT);
        if features.pan && (!sctlr.contains(Sctlr::SPAN) || spsr & pstate::PAN != 0) {
            new |= pstate::PAN;
        }
        if features.ssbs && sctlr.contains(Sctlr::DSSBS) {
            new |= pstate::SSBS;
        }
        if features.mte {
            new |= pstate::TCO;
        }
        if features.nmi && !sctlr.contains(Sctlr::SPINTMASK) {
            new |= pstate::ALLINT;
        }
        Entry64 {
            pc: vbar + vector,
            pstate: new,
            elr_el1: pc,
            spsr_el1: spsr,
            esr_el1,
        }
    }

    /// AArch32.EnterMode() (DDI 0487, shared pseudocode).
    pub const fn aarch32(&self, to: Vector32) -> Entry32 {
        let Self {
            pc,
            spsr,
            vbar,
            sctlr,
            features,
        } = *self;
        let base = if sctlr.contains(Sctlr::V) {
            0xffff_0000
        } else {
            vbar & 0xffff_ffe0
        };
        let mut cpsr = spsr & !(psr::MODE | psr::T | psr::E | psr::SS | psr::IL | psr::SSBS);
        cpsr = aarch32::with_itstate(cpsr, 0) | to.mode | psr::AARCH32 | psr::I | to.masks;
        if sctlr.contains(Sctlr::TE) {
            cpsr |= psr::T;
        }
        if sctlr.contains(Sctlr::EE) {
            cpsr |= psr::E;
        }
        if features.pan && !sctlr.contains(Sctlr::SPAN) {
            cpsr |= psr::PAN;
        }
        if features.ssbs && sctlr.contains(Sctlr::DSSBS_AARCH32) {
            cpsr |= psr::SSBS;
        }
        // An AArch32 SPSR has DIT where SPSR_EL2 has SS.
        let dit = if spsr & psr::DIT != 0 { 1 << 21 } else { 0 };
        let link = if spsr & psr::T != 0 {
            to.link.1
        } else {
            to.link.0
        };
        Entry32 {
            pc: base + to.offset,
            cpsr,
            lr: (pc + link) & 0xffff_ffff,
            spsr: spsr & !(psr::DIT | psr::SS) | dit,
        }
    }
}
