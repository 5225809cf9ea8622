//! What is owed to the guest for an instruction that trapped: its operands, its effect, the step over it, or
//! the Undefined Instruction exception that it would have been.

use crate::{interrupts, sysreg, trace::COUNTERS, vcpu::Vcpu};
use setway_architecture::trap::{
    aarch32::{self, psr},
    esr::{Esr, ec},
    sysreg::{Backing, Part, VmReg},
    undef::{self, Features},
};
use setway_policy::Mutant;
use setway_runtime::{mrs, msr};

/// Completes a read that trapped; a read to XZR only steps.
pub fn read(vcpu: &mut Vcpu, esr: Esr, value: u64) {
    if let Some(rt) = vcpu.x.get_mut(esr.rt()) {
        *rt = value;
    }
    step(vcpu, esr);
}

/// Performs a write of a VM register.
pub fn write_vm_reg(vcpu: &Vcpu, reg: &VmReg, esr: Esr) {
    let policy = vcpu.policy;
    let mut value = transfer(vcpu, esr.rt());
    if esr.class() == ec::CP15_RRT {
        let high = transfer(vcpu, esr.rt2());
        value = value & 0xffff_ffff | high << 32;
        if policy.is(Mutant::McrrHighHalfLost) {
            value &= 0xffff_ffff;
        }
    }
    let dropped = policy.is(Mutant::VmRegWriteDropped) && reg.backing == Backing::ContextidrEl1;
    if !dropped {
        let old = match reg.part {
            Part::Low | Part::High if policy.is(Mutant::HalfWriteClobbers) => 0,
            _ => sysreg::get(reg.backing),
        };
        sysreg::set(reg.backing, reg.part.insert(old, value));
    }
    if policy.is(Mutant::VmRegAliased) && reg.backing == Backing::AmairEl1 {
        sysreg::set(Backing::MairEl1, !sysreg::get(Backing::MairEl1));
    }
}

/// The value of transfer register `rt`; 31 is the zero register.
pub fn transfer(vcpu: &Vcpu, rt: usize) -> u64 {
    let rt = match vcpu.policy.mutant {
        Some(Mutant::XzrIsX30) => rt.min(30),
        // x16 to x30 are the banks of IRQ, SVC, ABT, UND and FIQ.
        Some(Mutant::BankedRtIgnored) if !vcpu.aarch64 => match rt {
            16 | 18 | 20 | 22 | 30 => 14,
            17 | 19 | 21 | 23 | 29 => 13,
            24..=28 => rt - 16,
            rt => rt,
        },
        _ => rt,
    };
    vcpu.x.get(rt).copied().unwrap_or(0)
}

/// Steps over the instruction that trapped.
#[inline]
pub fn step(vcpu: &mut Vcpu, esr: Esr) {
    let policy = vcpu.policy;
    let t32 = vcpu.spsr & (psr::AARCH32 | psr::T) == psr::AARCH32 | psr::T;
    if policy.mutant.is_some() && interrupts::repeats(vcpu) {
        return;
    }
    if !(t32 && policy.is(Mutant::PcNotAdvancedT32)) {
        vcpu.pc += esr.length();
    }
    if !policy.is(Mutant::ItstateNotAdvanced) {
        let before = vcpu.spsr;
        vcpu.spsr = aarch32::step(before);
        if policy.is(Mutant::StepSurvivesTrap) {
            vcpu.spsr |= before & psr::SS;
        }
    }
}

/// Makes the instruction that trapped UNDEFINED.
pub fn inject_undef(vcpu: &mut Vcpu, esr: Esr) {
    let policy = vcpu.policy;
    COUNTERS.undef.add(1);
    let sctlr = sysreg::sctlr();
    let vbar = mrs!("vbar_el1");
    let wrong_vector = policy.is(Mutant::UndefWrongVector);
    let return_after = policy.is(Mutant::UndefReturnAfter);
    if vcpu.aarch64 {
        let entry = undef::aarch64(vcpu.pc, vcpu.spsr, vbar, sctlr, features());
        let elr = entry.elr_el1 + if return_after { esr.length() } else { 0 };
        // SAFETY: the guest's registers of an exception taken to EL1.
        unsafe {
            msr!("elr_el1", elr);
            msr!("spsr_el1", entry.spsr_el1);
            msr!("esr_el1", entry.esr_el1);
        }
        vcpu.pc = entry.pc + if wrong_vector { 0x400 } else { 0 };
        vcpu.spsr = entry.pstate;
        if policy.is(Mutant::UndefVectorSp0) {
            vcpu.pc = vbar;
        }
    } else {
        let entry = undef::aarch32(vcpu.pc, vcpu.spsr, vbar, sctlr, features());
        // LR_und is x22.
        vcpu.x[22] = entry.lr_und + if return_after { esr.length() } else { 0 };
        // SAFETY: the guest's register of an exception taken to Undefined mode.
        unsafe { msr!("spsr_und", entry.spsr_und) }
        vcpu.pc = entry.pc + if wrong_vector { 4 } else { 0 };
        vcpu.spsr = entry.cpsr;
    }
    if policy.is(Mutant::UndefFlagsLost) {
        vcpu.spsr &= !psr::FLAGS;
    }
    if policy.is(Mutant::UndefInterruptsOpen) {
        // PSTATE.I stands at the same place in both states.
        vcpu.spsr &= !psr::I;
    }
    if policy.is(Mutant::UndefAdvancesPc) {
        vcpu.pc += 4;
    }
}

/// What exception entry depends on, from the ID registers.
fn features() -> Features {
    let field = |reg: u64, at: u32| reg >> at & 0xf;
    Features {
        pan: field(mrs!("id_aa64mmfr1_el1"), 20) != 0,
        ssbs: field(mrs!("id_aa64pfr1_el1"), 4) != 0,
        mte: field(mrs!("id_aa64pfr1_el1"), 8) >= 2,
    }
}
