//! What the types of relocation mean for an image that moves.

use object::elf;

use super::{ABS32, ABS64, MOVT, THUMB_MOVT};

/// What a relocation of some type means for an image that moves.
pub enum Effect {
    /// The place needs nothing.
    None,
    /// The place needs nothing, unless the linker made a table of addresses for it.
    Got,
    /// The place is corrected in this way.
    Entry(u32),
    /// The place cannot be corrected.
    Unsupported,
}

/// For AArch64.
pub fn aarch64(kind: elf::RelocationType) -> Effect {
    match kind {
        elf::R_AARCH64_ABS64 => Effect::Entry(ABS64),
        elf::R_AARCH64_ADR_GOT_PAGE | elf::R_AARCH64_LD64_GOT_LO12_NC => Effect::Got,
        elf::R_AARCH64_NONE
        | elf::R_AARCH64_PREL64
        | elf::R_AARCH64_PREL32
        | elf::R_AARCH64_PREL16
        | elf::R_AARCH64_PLT32
        | elf::R_AARCH64_LD_PREL_LO19
        | elf::R_AARCH64_ADR_PREL_LO21
        | elf::R_AARCH64_ADR_PREL_PG_HI21
        | elf::R_AARCH64_ADR_PREL_PG_HI21_NC
        | elf::R_AARCH64_ADD_ABS_LO12_NC
        | elf::R_AARCH64_LDST8_ABS_LO12_NC
        | elf::R_AARCH64_LDST16_ABS_LO12_NC
        | elf::R_AARCH64_LDST32_ABS_LO12_NC
        | elf::R_AARCH64_LDST64_ABS_LO12_NC
        | elf::R_AARCH64_LDST128_ABS_LO12_NC
        | elf::R_AARCH64_TSTBR14
        | elf::R_AARCH64_CONDBR19
        | elf::R_AARCH64_JUMP26
        | elf::R_AARCH64_CALL26 => Effect::None,
        _ => Effect::Unsupported,
    }
}

/// For AArch32.
pub fn arm(kind: elf::RelocationType) -> Effect {
    match kind {
        elf::R_ARM_ABS32 | elf::R_ARM_TARGET1 => Effect::Entry(ABS32),
        elf::R_ARM_MOVT_ABS => Effect::Entry(MOVT),
        elf::R_ARM_THM_MOVT_ABS => Effect::Entry(THUMB_MOVT),
        // The lower half of an address does not change.
        elf::R_ARM_MOVW_ABS_NC | elf::R_ARM_THM_MOVW_ABS_NC => Effect::None,
        elf::R_ARM_NONE
        | elf::R_ARM_PC24
        | elf::R_ARM_REL32
        | elf::R_ARM_PREL31
        | elf::R_ARM_CALL
        | elf::R_ARM_JUMP24
        | elf::R_ARM_PLT32
        | elf::R_ARM_V4BX
        | elf::R_ARM_MOVW_PREL_NC
        | elf::R_ARM_MOVT_PREL
        | elf::R_ARM_ALU_PC_G0
        | elf::R_ARM_ALU_PC_G0_NC
        | elf::R_ARM_PC13
        | elf::R_ARM_THM_PC22
        | elf::R_ARM_THM_PC8
        | elf::R_ARM_THM_PC12
        | elf::R_ARM_THM_JUMP24
        | elf::R_ARM_THM_JUMP19
        | elf::R_ARM_THM_PC11
        | elf::R_ARM_THM_PC9
        | elf::R_ARM_THM_MOVW_PREL_NC
        | elf::R_ARM_THM_MOVT_PREL
        | elf::R_ARM_THM_ALU_PREL_11_0 => Effect::None,
        _ => Effect::Unsupported,
    }
}
