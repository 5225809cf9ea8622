//! The Undefined Instruction exception, as the CPU would take it to EL1.

use super::{
    aarch32::psr,
    entry::{Cause, Entry32, Entry64, Vector32},
};

/// EC is 0, Unknown; ISS is RES0; IL is 1 for this class whatever the instruction's length (DDI 0487, ESR_EL1).
const ESR: u64 = 1 << 25;

/// AArch32.TakeUndefInstrException() (DDI 0487, shared pseudocode).
const VECTOR: Vector32 = Vector32 {
    offset: 0x04,
    mode: psr::UND,
    masks: 0,
    link: (4, 2),
};

/// Its entry in AArch64.
pub const fn aarch64(cause: &Cause) -> Entry64 {
    cause.aarch64(ESR)
}

/// Its entry in AArch32.
pub const fn aarch32(cause: &Cause) -> Entry32 {
    cause.aarch32(VECTOR)
}
