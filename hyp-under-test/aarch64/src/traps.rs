//! The guest's synchronous exceptions to EL2, one arm of [`synchronous`] each.

use crate::{
    ids, psci, report, stage2, sysreg,
    trace::{COUNTERS, EVENTS, Event},
    vcpu::{self, Vcpu},
};
use setway_architecture::{
    maintenance::SetWayOp,
    trap::{
        aarch32::{self, psr},
        esr::{Esr, ec},
        sysreg::{Backing, Key, Part, SET_WAY_OPS, VM_REGS, set_way_op, vm_reg},
        undef::{self, Features},
    },
};
use setway_policy::{Mutant, Policy};
use setway_runtime::{mrs, msr};

/// A synchronous exception of the guest. Called by the vector, with this CPU's vCPU.
pub extern "C" fn synchronous(vcpu: &mut Vcpu) {
    let before = vcpu.state;
    handle(vcpu);
    if vcpu.policy.is(Mutant::TvmShared) {
        vcpu::share_tvm(vcpu, before);
    }
}

#[inline]
fn handle(vcpu: &mut Vcpu) {
    let esr = Esr(mrs!("esr_el2") as u32);
    match esr.class() {
        ec::SYS64 | ec::CP15_RT | ec::CP15_RRT => register_access(vcpu, esr),
        ec::VMRS => vmrs(vcpu, esr),
        ec::DABT_LOWER | ec::IABT_LOWER => abort(vcpu, esr),
        ec::HVC64 | ec::HVC32 => psci::call(vcpu),
        ec::SMC32 if !aarch32::passes(esr, vcpu.spsr) => step(vcpu, esr),
        ec::SMC64 | ec::SMC32 => {
            // The guest's firmware is us, by HVC. To SMCCC (DEN0028) an unknown call is -1. Unlike
            // HVC, SMC traps before it is executed.
            vcpu.x[0] = !0;
            step(vcpu, esr);
        }
        _ => died(vcpu, "unexpected exception", esr),
    }
}

/// An interrupt or SError. They are routed to the guest, so this is the hypervisor's mistake.
pub extern "C" fn unexpected(vcpu: &mut Vcpu) {
    died(
        vcpu,
        "interrupt or SError at EL2",
        Esr(mrs!("esr_el2") as u32),
    )
}

/// A system register or instruction.
fn register_access(vcpu: &mut Vcpu, esr: Esr) {
    if !aarch32::passes(esr, vcpu.spsr) {
        return step(vcpu, esr);
    }
    let Some(key) = Key::of(esr) else {
        return inject_undef(vcpu, esr);
    };
    if let Some(op) = set_way_op(key)
        && !esr.is_read()
    {
        set_way(vcpu, op, esr);
        step(vcpu, esr);
    } else if let Some(reg) = vm_reg(key)
        && !esr.is_read()
    {
        write_vm_reg(vcpu, reg, esr);
        step(vcpu, esr);
    } else if let Some(value) = ids::value(key)
        && esr.is_read()
    {
        read(vcpu, esr, value);
    } else {
        inject_undef(vcpu, esr);
    }
}

/// AArch32's reads of the ID registers of SIMD and floating point.
fn vmrs(vcpu: &mut Vcpu, esr: Esr) {
    if !aarch32::passes(esr, vcpu.spsr) {
        return step(vcpu, esr);
    }
    match ids::media_and_vfp(esr.vmrs_register()) {
        Some(value) => read(vcpu, esr, value),
        None => inject_undef(vcpu, esr),
    }
}

/// Completes a read that trapped; a read to XZR only steps.
fn read(vcpu: &mut Vcpu, esr: Esr, value: u64) {
    if let Some(rt) = vcpu.x.get_mut(esr.rt()) {
        *rt = value;
    }
    step(vcpu, esr);
}

/// A set/way op: what it means is the policy's business.
#[inline]
fn set_way(vcpu: &mut Vcpu, op: usize, esr: Esr) {
    let policy = vcpu.policy;
    COUNTERS.set_way[op].add(1);
    let outcome = policy.set_way(vcpu.state);
    if outcome.flush {
        let cache_on = policy.cache_on(sysreg::sctlr());
        flush(vcpu);
        EVENTS.push(Event::SetWayFlush {
            vcpu: vcpu.index,
            pc: vcpu.pc,
            cache_on,
        });
    }
    if outcome.state != vcpu.state {
        vcpu.state = outcome.state;
        vcpu::load_hcr(vcpu);
    }
    if outcome.execute {
        execute(SET_WAY_OPS[op].op, transfer(vcpu, policy, esr.rt()));
    }
    if policy.mutant.is_some() {
        clobber(vcpu, policy);
    }
}

/// A write of a VM register: performed first, so that the flush sees what the guest sees next.
fn write_vm_reg(vcpu: &mut Vcpu, place: usize, esr: Esr) {
    let policy = vcpu.policy;
    let reg = &VM_REGS[place];
    COUNTERS.vm_reg[place].add(1);
    let was = sysreg::sctlr();
    let mut value = transfer(vcpu, policy, esr.rt());
    if esr.class() == ec::CP15_RRT {
        let high = transfer(vcpu, policy, esr.rt2());
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
    let outcome = policy.vm_reg_written(vcpu.state, was, sysreg::sctlr());
    if outcome.flush {
        flush(vcpu);
    }
    let (was, now) = (outcome.was, outcome.now);
    EVENTS.push(Event::ToggleCache {
        vcpu: vcpu.index,
        pc: vcpu.pc,
        was,
        now,
    });
    if outcome.state != vcpu.state {
        vcpu.state = outcome.state;
        vcpu::load_hcr(vcpu);
    }
}

fn flush(vcpu: &Vcpu) {
    COUNTERS.lines.add(stage2::flush(vcpu.policy, vcpu.index));
    COUNTERS.flushes.add(1);
}

/// Executes a set/way op on this CPU. An invalidate of a guest must not lose what others have dirty.
#[cold]
fn execute(op: SetWayOp, operand: u64) {
    // SAFETY: neither loses data.
    unsafe {
        match op {
            SetWayOp::Csw => {
                core::arch::asm!("dc csw, {}", in(reg) operand, options(nostack, preserves_flags))
            }
            SetWayOp::Isw | SetWayOp::Cisw => {
                core::arch::asm!("dc cisw, {}", in(reg) operand, options(nostack, preserves_flags))
            }
        }
    }
}

/// The value of transfer register `rt`; 31 is the zero register.
fn transfer(vcpu: &Vcpu, policy: Policy, rt: usize) -> u64 {
    let rt = match policy.mutant {
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
fn step(vcpu: &mut Vcpu, esr: Esr) {
    let policy = vcpu.policy;
    let t32 = vcpu.spsr & (psr::AARCH32 | psr::T) == psr::AARCH32 | psr::T;
    if !(t32 && policy.is(Mutant::PcNotAdvancedT32)) {
        vcpu.pc += esr.length();
    }
    if !policy.is(Mutant::ItstateNotAdvanced) {
        vcpu.spsr = aarch32::step(vcpu.spsr);
    }
}

/// Makes the instruction that trapped UNDEFINED.
fn inject_undef(vcpu: &mut Vcpu, esr: Esr) {
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

/// A stage 2 abort: memory that is touched for the first time.
fn abort(vcpu: &mut Vcpu, esr: Esr) {
    // HPFAR_EL2.FIPA is IPA[51:12], from bit 4.
    let ipa = mrs!("hpfar_el2") >> 4 << 12;
    if !esr.is_translation_fault() {
        died(vcpu, "abort that is no translation fault", esr);
    }
    match stage2::fault(ipa, vcpu.index) {
        Ok(()) => {}
        Err(stage2::MapError::NotTheGuests) => {
            died(vcpu, "access to memory that is not the guest's", esr)
        }
        Err(stage2::MapError::NoTables) => died(vcpu, "no stage 2 table left", esr),
    }
}

/// The guest cannot go on.
fn died(vcpu: &Vcpu, reason: &'static str, esr: Esr) -> ! {
    report::died(vcpu, reason, esr);
    psci::system_off()
}

/// The mutants that lose state in a trap.
#[cold]
fn clobber(vcpu: &mut Vcpu, policy: Policy) {
    match policy.mutant {
        Some(Mutant::CalleeSavedClobbered) => vcpu.x[if vcpu.aarch64 { 19 } else { 4 }] = 0,
        Some(Mutant::FlagsClobbered) => vcpu.spsr &= !psr::FLAGS,
        Some(Mutant::SimdClobbered) => {
            // SAFETY: not safe for the guest, which is the point.
            unsafe { core::arch::asm!(".arch_extension simd", "movi v8.2d, #0", options(nostack)) }
        }
        _ => {}
    }
}
