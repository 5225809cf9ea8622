//! Entry to the guest's Undefined Instruction exception, taken to EL1 as the CPU would take it.

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
    /// The return address, offset as Undefined mode has it.
    pub lr_und: u64,
    /// CPSR before.
    pub spsr_und: u64,
}

/// AArch64.TakeException() to EL1 for an Undefined Instruction exception (EC 0, Unknown reason; DDI 0487, shared pseudocode and
/// the table of vector offsets).
pub const fn aarch64(pc: u64, spsr: u64, vbar: u64, sctlr: Sctlr, features: Features) -> Entry64 {
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
    Entry64 {
        pc: vbar + vector,
        pstate: new,
        elr_el1: pc,
        spsr_el1: spsr,
        // EC is 0, Unknown; ISS is RES0; IL is 1 for this class whatever the instruction's length.
        esr_el1: 1 << 25,
    }
}

/// AArch32.TakeUndefInstrException() (DDI 0487, shared pseudocode).
pub const fn aarch32(pc: u64, spsr: u64, vbar: u64, sctlr: Sctlr, features: Features) -> Entry32 {
    let base = if sctlr.contains(Sctlr::V) {
        0xffff_0000
    } else {
        vbar & 0xffff_ffe0
    };
    let mut cpsr = spsr & !(psr::MODE | psr::T | psr::E | psr::SS | psr::SSBS);
    cpsr = aarch32::with_itstate(cpsr, 0) | psr::UND | psr::AARCH32 | psr::I;
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
    Entry32 {
        pc: base + 4,
        cpsr,
        lr_und: (pc + if spsr & psr::T != 0 { 2 } else { 4 }) & 0xffff_ffff,
        spsr_und: spsr & !(psr::DIT | psr::SS) | dit,
    }
}
