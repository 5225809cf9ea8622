//! Registers that EL2 has no use for: the guest's values stay in them, and nothing is done to keep them. Only the
//! mutants touch them.

use crate::vcpu::Vcpu;
use core::arch::asm;
use setway_architecture::trap::aarch32::psr;
use setway_policy::Mutant;
use setway_runtime::{mrs, msr};

/// PSTATE of AArch32, as SPSR_EL2 has it.
const Q: u64 = 1 << 27;
const GE: u64 = 0xf << 16;
const E: u64 = 1 << 9;

/// Loses the register that the mutant loses in a set/way trap.
#[cold]
pub fn lose(vcpu: &mut Vcpu) {
    let Some(mutant) = vcpu.policy.mutant else {
        return;
    };
    // SAFETY: registers of EL1 and EL0, on which EL2 does not depend. It is not right for the guest, which is the
    // point.
    unsafe {
        match mutant {
            Mutant::FpcrLost => asm!(".arch_extension fp", "msr fpcr, xzr", options(nostack)),
            Mutant::FpsrLost => asm!(".arch_extension fp", "msr fpsr, xzr", options(nostack)),
            Mutant::TpidrLost => msr!("tpidr_el1", 0),
            Mutant::TpidrEl0Lost => msr!("tpidr_el0", 0),
            Mutant::TpidrroLost => msr!("tpidrro_el0", 0),
            Mutant::ParLost => asm!("at s1e2r, {}", in(reg) vcpu.pc, options(nostack)),
            Mutant::FarLost => msr!("far_el1", 0),
            Mutant::EsrLost => msr!("esr_el1", 0),
            Mutant::SpsrLost => msr!("spsr_el1", mrs!("spsr_el2") ^ 0xf << 28),
            Mutant::SpsrAbtLost => msr!("spsr_abt", 0),
            Mutant::SpsrFiqLost => msr!("spsr_fiq", 0),
            Mutant::SpEl0Lost if vcpu.aarch64 => msr!("sp_el0", 0),
            Mutant::CntkctlLost => msr!("cntkctl_el1", 0),
            Mutant::CntvCvalLost => msr!("cntv_cval_el0", 0),
            Mutant::IfsrLost => msr!("ifsr32_el2", 0),
            _ => {}
        }
    }
    if mutant == Mutant::DitLost && vcpu.aarch64 {
        vcpu.spsr &= !psr::DIT;
    }
    if !vcpu.aarch64 {
        match mutant {
            // r8_fiq and SP_usr, where the AArch64 view has them.
            Mutant::FiqBankLost => vcpu.x[24] = 0,
            Mutant::StackLost => vcpu.x[13] = 0,
            Mutant::QLost => vcpu.spsr &= !Q,
            Mutant::GeLost => vcpu.spsr &= !GE,
            Mutant::ELost => vcpu.spsr &= !E,
            _ => {}
        }
    }
}
