//! AArch32 state as EL2 sees it: condition codes, ITSTATE, and the PSTATE after an instruction.

use super::esr::Esr;

/// PSTATE of an AArch32 guest in SPSR_EL2 (DDI 0487, SPSR_EL2, "taken from AArch32 state").
pub mod psr {
    /// The mode field; bit 4 set means AArch32.
    pub const MODE: u64 = 0x1f;
    /// M\[4\]: the guest runs in AArch32 state.
    pub const AARCH32: u64 = 1 << 4;
    /// Undefined mode.
    pub const UND: u64 = 0x1b;
    /// Abort mode.
    pub const ABT: u64 = 0x17;
    /// T32 state.
    pub const T: u64 = 1 << 5;
    /// IRQs masked.
    pub const I: u64 = 1 << 7;
    /// SErrors masked.
    pub const A: u64 = 1 << 8;
    /// Big-endian data.
    pub const E: u64 = 1 << 9;
    /// The type of the branch that led here, in an AArch64 SPSR (FEAT_BTI); an AArch32 SPSR has IT there.
    pub const BTYPE: u64 = 0x3 << 10;
    /// IT\[7:2\].
    pub const IT_HIGH: u64 = 0x3f << 10;
    /// Illegal Execution state.
    pub const IL: u64 = 1 << 20;
    /// Software step, in an AArch64 SPSR and in SPSR_EL2; an AArch32 SPSR has DIT there.
    pub const SS: u64 = 1 << 21;
    /// Privileged access never.
    pub const PAN: u64 = 1 << 22;
    /// Speculative store bypass safe.
    pub const SSBS: u64 = 1 << 23;
    /// Data-independent timing, where SPSR_EL2 has it; an AArch32 SPSR has it in bit 21.
    pub const DIT: u64 = 1 << 24;
    /// IT\[1:0\].
    pub const IT_LOW: u64 = 0x3 << 25;
    /// N, Z, C and V.
    pub const FLAGS: u64 = 0xf << 28;
}

/// ITSTATE of `spsr`: the condition in bits 7:5, and with bits 4:0 what is left of the block.
pub const fn itstate(spsr: u64) -> u64 {
    (spsr & psr::IT_HIGH) >> 8 | (spsr & psr::IT_LOW) >> 25
}

/// `spsr` with ITSTATE replaced.
pub const fn with_itstate(spsr: u64, it: u64) -> u64 {
    spsr & !(psr::IT_HIGH | psr::IT_LOW) | (it & 0xfc) << 8 | (it & 0x3) << 25
}

/// ITSTATE after one instruction (ITAdvance() of DDI 0487).
pub const fn it_advance(it: u64) -> u64 {
    if it & 0x7 == 0 {
        0
    } else {
        it & 0xe0 | it << 1 & 0x1f
    }
}

/// Whether condition `cond` holds for the flags of `spsr` (ConditionHolds() of DDI 0487).
pub const fn condition_holds(cond: u32, spsr: u64) -> bool {
    let n = spsr >> 31 & 1 != 0;
    let z = spsr >> 30 & 1 != 0;
    let c = spsr >> 29 & 1 != 0;
    let v = spsr >> 28 & 1 != 0;
    let base = match cond >> 1 & 7 {
        0 => z,
        1 => c,
        2 => n,
        3 => v,
        4 => c && !z,
        5 => n == v,
        6 => n == v && !z,
        _ => true,
    };
    // 0b1111 is "always" too, not the inverse of 0b1110.
    if cond & 1 != 0 && cond & 0xf != 0xf {
        !base
    } else {
        base
    }
}

/// The condition AL.
const ALWAYS: u32 = 0b1110;

/// Whether it shows at a glance that a trapped instruction passes its condition.
#[inline(always)]
pub const fn is_unconditional(esr: Esr, spsr: u64) -> bool {
    spsr & psr::AARCH32 == 0 || matches!(esr.condition(), Some(ALWAYS))
}

/// Whether a trapped instruction passes its condition. Most CPUs do not trap one that fails; the
/// architecture lets them (DDI 0487, ESR_EL2, ISS.COND).
pub const fn passes(esr: Esr, spsr: u64) -> bool {
    if spsr & psr::AARCH32 == 0 {
        return true;
    }
    match esr.condition() {
        Some(cond) => condition_holds(cond, spsr),
        // Without ISS.CV only T32's IT block can say; outside one the instruction has no condition.
        None => match itstate(spsr) {
            0 => true,
            it => condition_holds((it >> 4) as u32, spsr),
        },
    }
}

/// SPSR_EL2 after a trapped instruction was stepped over: that of a guest that has executed it.
///
/// PSTATE.SS is 0 then, so that a guest that steps through its code takes its software step exception here and not one
/// instruction later (DDI 0487, "Software Step exceptions", the software step state machine). BTYPE is 0, as behind
/// every instruction that is no indirect branch (DDI 0487, PSTATE.BTYPE). ITSTATE has advanced.
#[inline]
pub const fn step(spsr: u64) -> u64 {
    let spsr = spsr & !psr::SS;
    if spsr & psr::AARCH32 == 0 {
        return spsr & !psr::BTYPE;
    }
    match itstate(spsr) {
        0 => spsr,
        it => with_itstate(spsr, it_advance(it)),
    }
}
