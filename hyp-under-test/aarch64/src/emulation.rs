//! What is owed to the guest for an instruction that trapped: its operands, its effect, the step over it, or
//! the exception that it would have been.

use crate::{interrupts, sysreg, trace::COUNTERS, vcpu::Vcpu};
use core::sync::atomic::{AtomicU64, Ordering};
use setway_architecture::{
    registers::Sctlr,
    trap::{
        aarch32::{self, psr},
        abort::Abort,
        entry::{Cause, Entry32, Entry64, Features},
        esr::{Esr, ec},
        sysreg::{Backing, Part, VmReg},
        undef,
    },
};
use setway_policy::{Mutant, Policy};
use setway_runtime::{mrs, msr};

/// Completes a read that trapped; a read to XZR only steps.
pub fn read(vcpu: &mut Vcpu, esr: Esr, value: u64) {
    if vcpu.policy.mutant.is_some() {
        read_wrongly(vcpu, esr, value);
    } else if let Some(rt) = vcpu.x.get_mut(esr.rt()) {
        *rt = value;
    }
    step(vcpu, esr);
}

/// The mutants' mistakes about the register that is read into.
#[cold]
fn read_wrongly(vcpu: &mut Vcpu, esr: Esr, value: u64) {
    let mut place = esr.rt();
    match vcpu.policy.mutant {
        Some(Mutant::XzrReadHitsSp) if place == 31 => {
            // SAFETY: not right for the guest, which is the point.
            unsafe { msr!("sp_el0", value) }
        }
        Some(Mutant::ReadBankIgnored) if !vcpu.aarch64 => place = user_bank(place),
        Some(Mutant::ReadHitsNeighbour) => {
            if let Some(next) = vcpu.x.get_mut(place + 1) {
                *next = value;
            }
        }
        _ => {}
    }
    let cut = vcpu.policy.is(Mutant::ReadCut);
    if let Some(rt) = vcpu.x.get_mut(place) {
        *rt = if cut {
            *rt & !0xffff_ffff | value & 0xffff_ffff
        } else {
            value
        };
    }
}

/// The register of the user bank that stands for the one that the AArch64 view has at `rt`: x16 to x30 are the
/// banks of IRQ, SVC, ABT, UND and FIQ.
fn user_bank(rt: usize) -> usize {
    match rt {
        16 | 18 | 20 | 22 | 30 => 14,
        17 | 19 | 21 | 23 | 29 => 13,
        24..=28 => rt - 16,
        rt => rt,
    }
}

/// Performs a write of a VM register.
pub fn write_vm_reg(vcpu: &Vcpu, reg: &VmReg, esr: Esr) {
    let policy = vcpu.policy;
    let mut value = transfer(vcpu, esr.rt());
    if esr.class() == ec::CP15_RRT {
        let rt2 = if policy.is(Mutant::Rt2FourBits) {
            esr.rt2() & 0xf
        } else {
            esr.rt2()
        };
        let high = transfer(vcpu, rt2);
        value = value & 0xffff_ffff | high << 32;
        if policy.is(Mutant::McrrHighHalfLost) {
            value &= 0xffff_ffff;
        }
        if policy.is(Mutant::McrrHalvesSwapped) {
            value = value.rotate_left(32);
        }
    }
    let dropped = policy.is(Mutant::VmRegWriteDropped) && reg.backing == Backing::ContextidrEl1;
    if !dropped {
        let old = match reg.part {
            Part::Low | Part::High if policy.is(Mutant::HalfWriteClobbers) => 0,
            _ => sysreg::get(reg.backing),
        };
        let new = reg.part.insert(old, value);
        sysreg::set(
            reg.backing,
            if policy.mutant.is_some() {
                spoilt(policy, reg, old, new)
            } else {
                new
            },
        );
    }
    if policy.is(Mutant::VmRegAliased) && reg.backing == Backing::AmairEl1 {
        sysreg::set(Backing::MairEl1, !sysreg::get(Backing::MairEl1));
    }
}

/// What the mutants write to a VM register instead of `new` that write another value.
#[cold]
fn spoilt(policy: Policy, reg: &VmReg, old: u64, new: u64) -> u64 {
    match policy.mutant {
        Some(Mutant::AsidLost) if matches!(reg.backing, Backing::Ttbr0El1 | Backing::Ttbr1El1) => {
            new & !(0xffff << 48)
        }
        Some(Mutant::VmRegOred) if matches!(reg.backing, Backing::Ttbr1El1 | Backing::FarEl1) => {
            old | new
        }
        Some(Mutant::SctlrOnlyMc) if reg.backing == Backing::SctlrEl1 => {
            let kept = !(Sctlr::M | Sctlr::C).bits();
            old & kept | new & !kept
        }
        _ => new,
    }
}

/// The value of transfer register `rt`; 31 is the zero register.
pub fn transfer(vcpu: &Vcpu, rt: usize) -> u64 {
    let rt = match vcpu.policy.mutant {
        Some(Mutant::XzrIsX30) => rt.min(30),
        Some(Mutant::BankedRtIgnored) if !vcpu.aarch64 => user_bank(rt),
        Some(Mutant::SpBankIgnored) if !vcpu.aarch64 && user_bank(rt) == 13 => 13,
        Some(Mutant::RtFourBits) if !vcpu.aarch64 => rt & 0xf,
        Some(Mutant::RtMappedTwice) if !vcpu.aarch64 => match (vcpu.spsr & psr::MODE, rt) {
            // In FIQ mode r8 to r14 are at x24 to x30, and in IRQ mode r13 and r14 at x17 and x16.
            (0x11, 24..) => rt - 16,
            (0x12, 16 | 17) => 30 - rt,
            _ => rt,
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
        if policy.is(Mutant::BtypeKept) && vcpu.aarch64 {
            vcpu.spsr |= before & psr::BTYPE;
        }
    }
}

/// Makes the instruction that trapped UNDEFINED.
pub fn inject_undef(vcpu: &mut Vcpu, esr: Esr) {
    let policy = vcpu.policy;
    COUNTERS.undef.add(1);
    let cause = mistaken(policy, cause(vcpu));
    let wrong_vector = policy.is(Mutant::UndefWrongVector);
    let return_after = policy.is(Mutant::UndefReturnAfter);
    if vcpu.aarch64 {
        let mut entry = undef::aarch64(&cause);
        if return_after {
            entry.elr_el1 += esr.length();
        }
        if policy.mutant.is_some() {
            entry = spoilt_entry(policy, &cause, entry);
        }
        enter_aarch64(vcpu, entry);
        vcpu.pc += if wrong_vector { 0x400 } else { 0 };
        if policy.is(Mutant::UndefVectorSp0) {
            vcpu.pc = cause.vbar;
        }
    } else {
        let mut entry = undef::aarch32(&cause);
        if return_after {
            entry.lr += esr.length();
        }
        if policy.is(Mutant::UndefElrLost) {
            entry.lr = vcpu.x[LR_UND];
        }
        if !policy.is(Mutant::UndefSpsrLost) {
            // SAFETY: the guest's register of an exception taken to Undefined mode.
            unsafe { msr!("spsr_und", entry.spsr) }
        }
        enter_aarch32(vcpu, entry, LR_UND);
        vcpu.pc += if wrong_vector { 4 } else { 0 };
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

/// The mutants' mistakes about an abort that the guest is given.
#[cold]
fn abort_wrongly(vcpu: &mut Vcpu, far: u64) {
    const FAULT_STATUS: u64 = 0x3f;
    /// From the class of an abort taken from the same exception level to that of one from a lower one.
    const SAME_LEVEL: u64 = 1 << 26;
    let esr = sysreg::get(Backing::EsrEl1);
    match vcpu.policy.mutant {
        Some(Mutant::AbortClassOther) if vcpu.aarch64 => {
            sysreg::set(Backing::EsrEl1, esr & !SAME_LEVEL)
        }
        Some(Mutant::AbortFarLost) => sysreg::set(Backing::FarEl1, far),
        Some(Mutant::AbortTranslation) if vcpu.aarch64 => {
            sysreg::set(Backing::EsrEl1, esr & !FAULT_STATUS | 0b000111)
        }
        Some(Mutant::AbortTranslation) => sysreg::set(Backing::Ifsr32El2, 0b0101),
        Some(Mutant::AbortReturnAfter) if vcpu.aarch64 => {
            // SAFETY: not right for the guest, which is the point.
            unsafe { msr!("elr_el1", mrs!("elr_el1") + 4) }
        }
        Some(Mutant::AbortReturnAfter) => vcpu.x[LR_ABT] += 4,
        _ => {}
    }
}

/// What the mutants take for the cause of an UNDEF.
fn mistaken(policy: Policy, mut cause: Cause) -> Cause {
    /// VBAR of the first UNDEF; 0 before it.
    static FIRST_VBAR: AtomicU64 = AtomicU64::new(0);
    match policy.mutant {
        Some(Mutant::UndefTeIgnored) => cause.sctlr.remove(Sctlr::TE),
        Some(Mutant::UndefEeIgnored) => cause.sctlr.remove(Sctlr::EE),
        Some(Mutant::UndefStepOver) => cause.spsr &= !psr::SS,
        Some(Mutant::UndefVbarFixed) => {
            let first = FIRST_VBAR.load(Ordering::Relaxed);
            if first == 0 {
                FIRST_VBAR.store(cause.vbar, Ordering::Relaxed);
            } else {
                cause.vbar = first;
            }
        }
        _ => {}
    }
    cause
}

/// How the mutants enter AArch64 with an UNDEF that enter it otherwise than by `entry`.
#[cold]
fn spoilt_entry(policy: Policy, cause: &Cause, mut entry: Entry64) -> Entry64 {
    /// ESR_EL1.IL.
    const IL: u64 = 1 << 25;
    match policy.mutant {
        Some(Mutant::UndefIlClear) => entry.esr_el1 &= !IL,
        Some(Mutant::UndefSpsrLost) => entry.spsr_el1 = mrs!("spsr_el1"),
        Some(Mutant::UndefElrLost) => entry.elr_el1 = mrs!("elr_el1"),
        Some(Mutant::UndefFromEl0Vector) if cause.is_from_el0() => entry.pc = cause.vbar + 0x200,
        _ => {}
    }
    entry
}

/// Makes an access that ended on stage 2 the External abort that it is; `level` is that of the walk of stage 1, if it
/// was one.
pub fn inject_abort(vcpu: &mut Vcpu, esr: Esr, level: u32) {
    let cause = cause(vcpu);
    let abort = Abort::of(esr, level);
    let far = mrs!("far_el2");
    let was = sysreg::get(Backing::FarEl1);
    if vcpu.aarch64 {
        sysreg::set(Backing::FarEl1, far);
        enter_aarch64(vcpu, abort.aarch64(&cause));
        return abort_wrongly(vcpu, was);
    }
    /// TTBCR.EAE: the long-descriptor format.
    const EAE: u64 = 1 << 31;
    let fsr = abort.fsr(sysreg::get(Backing::TcrEl1) & EAE != 0);
    let (status, address) = if abort.fetch {
        (Backing::Ifsr32El2, Part::High)
    } else {
        (Backing::EsrEl1, Part::Low)
    };
    sysreg::set(status, fsr);
    let both = address.insert(sysreg::get(Backing::FarEl1), far);
    sysreg::set(Backing::FarEl1, both);
    let entry = abort.aarch32(&cause);
    // SAFETY: the guest's register of an exception taken to Abort mode.
    unsafe { msr!("spsr_abt", entry.spsr) }
    enter_aarch32(vcpu, entry, LR_ABT);
    abort_wrongly(vcpu, was);
}

/// Where the AArch64 view has LR of Abort mode and of Undefined mode (DDI 0487, mapping of the general-purpose
/// registers between the Execution states).
const LR_ABT: usize = 20;
const LR_UND: usize = 22;

/// What an exception of the guest's depends on.
fn cause(vcpu: &Vcpu) -> Cause {
    Cause {
        pc: vcpu.pc,
        spsr: vcpu.spsr,
        vbar: mrs!("vbar_el1"),
        sctlr: sysreg::sctlr(),
        features: features(),
    }
}

/// Has the guest go on at its vector in AArch64.
fn enter_aarch64(vcpu: &mut Vcpu, entry: Entry64) {
    // SAFETY: the guest's registers of an exception taken to EL1.
    unsafe {
        msr!("elr_el1", entry.elr_el1);
        msr!("spsr_el1", entry.spsr_el1);
        msr!("esr_el1", entry.esr_el1);
    }
    vcpu.pc = entry.pc;
    vcpu.spsr = entry.pstate;
}

/// Has the guest go on at its vector in AArch32, whose LR is register `lr` of the AArch64 view.
fn enter_aarch32(vcpu: &mut Vcpu, entry: Entry32, lr: usize) {
    vcpu.x[lr] = entry.lr;
    vcpu.pc = entry.pc;
    vcpu.spsr = entry.cpsr;
}

/// What exception entry depends on, from the ID registers.
fn features() -> Features {
    let field = |reg: u64, at: u32| reg >> at & 0xf;
    let pfr1 = mrs!("id_aa64pfr1_el1");
    Features {
        pan: field(mrs!("id_aa64mmfr1_el1"), 20) != 0,
        ssbs: field(pfr1, 4) != 0,
        mte: field(pfr1, 8) >= 2,
        nmi: field(pfr1, 36) != 0,
    }
}
