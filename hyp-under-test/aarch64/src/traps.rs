//! The guest's synchronous exceptions to EL2, one arm of [`synchronous`] each.

use crate::{
    emulation::{self, inject_undef, read, step, transfer},
    geometry, ids, interrupts, psci, registers, report, stage2, sysreg,
    trace::{COUNTERS, EVENTS, Event},
    vcpu::{self, Vcpu},
};
use core::sync::atomic::{AtomicUsize, Ordering};
use setway_architecture::{
    maintenance::SetWayOp,
    translate,
    trap::{
        aarch32::{self, psr},
        esr::{Esr, ec},
        sysreg::{Backing, Key, SET_WAY_OPS, VM_REGS, data_op, set_way_op, vm_reg},
    },
};
use setway_policy::{Mutant, Policy, SetWayResponse};
use setway_runtime::{mrs, msr};

/// A synchronous exception of the guest. Called by the vector, with this CPU's vCPU.
pub extern "C" fn synchronous(vcpu: &mut Vcpu) {
    let esr = Esr(mrs!("esr_el2") as u32);
    if !count_set_way(vcpu, esr) {
        handle(vcpu, esr);
    }
}

/// Handles a set/way op for which there is nothing to do but count and step: all but the first of a loop that has tens of
/// thousands. Returns whether it was one. The mutants take the long way.
#[inline(always)]
fn count_set_way(vcpu: &mut Vcpu, esr: Esr) -> bool {
    let nothing = SetWayResponse {
        flush: false,
        execute: false,
        state: vcpu.state,
    };
    if vcpu.policy.mutant.is_some() || Policy::default().set_way(vcpu.state) != nothing {
        return false;
    }
    let counter = data_op(esr).and_then(|op| COUNTERS.set_way.get(op));
    let Some(counter) = counter.filter(|_| aarch32::is_unconditional(esr, vcpu.spsr)) else {
        return false;
    };
    counter.add(1);
    vcpu.pc += esr.length();
    vcpu.spsr = aarch32::step(vcpu.spsr);
    true
}

/// Handles any of them. It is a function of its own, so that the set/way op that costs nothing saves no registers for it.
#[inline(never)]
fn handle(vcpu: &mut Vcpu, esr: Esr) {
    let before = vcpu.state;
    dispatch(vcpu, esr);
    vcpu::after_trap(vcpu, before);
}

#[inline]
fn dispatch(vcpu: &mut Vcpu, esr: Esr) {
    match esr.class() {
        ec::SYS64 | ec::CP15_RT | ec::CP15_RRT => register_access(vcpu, esr),
        ec::VMRS => vmrs(vcpu, esr),
        ec::DABT_LOWER | ec::IABT_LOWER => abort(vcpu, esr),
        ec::WFX => interrupts::wait(vcpu, esr),
        ec::HVC64 | ec::HVC32 => {
            if vcpu.policy.is(Mutant::HvcStepped) {
                step(vcpu, esr);
            }
            match esr.immediate() {
                0 => psci::call(vcpu),
                // Reserved (DEN0028, 2.9), so there is no such call.
                _ => vcpu.x[0] = !0,
            }
        }
        ec::SMC32 if !aarch32::passes(esr, vcpu.spsr) => step(vcpu, esr),
        ec::SMC64 | ec::SMC32 => {
            // The guest's firmware is the hypervisor, by HVC. To SMCCC (DEN0028) an unknown call is -1. Unlike
            // HVC, SMC traps before it is executed.
            vcpu.x[0] = if vcpu.policy.is(Mutant::SmcResultZero) {
                0
            } else {
                !0
            };
            step(vcpu, esr);
            if vcpu.policy.is(Mutant::SmcSteppedTwice) {
                step(vcpu, esr);
            }
        }
        // An instruction of a feature that the guest's ID registers hide.
        _ if aarch32::passes(esr, vcpu.spsr) => inject_undef(vcpu, esr),
        _ => step(vcpu, esr),
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
    if vcpu.policy.is(Mutant::TagOpsExecuted)
        && set_way_op(key).is_some_and(|op| SET_WAY_OPS[op].tags)
    {
        return step(vcpu, esr);
    }
    // The ops on tags are UNDEFINED without FEAT_MTE2, which the guest's ID registers hide (DDI 0487, DC IGSW).
    if let Some(op) = set_way_op(key)
        && !SET_WAY_OPS[op].tags
        && !esr.is_read()
        && !vcpu.policy.is(Mutant::SetWayRefused)
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
        if vcpu.policy.is(Mutant::IdReadClobbersFlags) {
            vcpu.spsr &= !psr::FLAGS;
        }
    } else if let Some(reg) = vm_reg(key)
        && vcpu.policy.is(Mutant::ReadsTrap)
    {
        let reg = &VM_REGS[reg];
        let value = reg.part.extract(sysreg::get(reg.backing));
        if esr.class() == ec::CP15_RRT
            && let Some(rt2) = vcpu.x.get_mut(esr.rt2())
        {
            *rt2 = value >> 32;
        }
        read(vcpu, esr, value);
    } else if !geometry::traps(vcpu.policy) || !geometry::access(vcpu, key, esr) {
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

/// A set/way op: what it means is the policy's business.
#[inline]
fn set_way(vcpu: &mut Vcpu, op: usize, esr: Esr) {
    let policy = vcpu.policy;
    COUNTERS.set_way[op].add(1);
    let response = policy.set_way(vcpu.state);
    if response.flush {
        let cache_on = policy.cache_on(sysreg::sctlr());
        flush(vcpu);
        EVENTS.push(Event::SetWayFlush {
            vcpu: vcpu.index,
            pc: vcpu.pc,
            cache_on,
        });
    }
    if response.state != vcpu.state {
        vcpu.state = response.state;
        vcpu::load_hcr(vcpu);
    }
    if response.execute {
        execute(SET_WAY_OPS[op].op, transfer(vcpu, esr.rt()));
    }
    if policy.is(Mutant::IswExecutedRaw) && SET_WAY_OPS[op].op == SetWayOp::Isw {
        let operand = transfer(vcpu, esr.rt());
        // SAFETY: not safe for the guest, which may lose data: that is the point.
        unsafe {
            core::arch::asm!("dc isw, {}", in(reg) operand, options(nostack, preserves_flags))
        }
    }
    if policy.mutant.is_some() {
        clobber(vcpu, policy);
    }
}

/// A write of a VM register: performed first, so that the flush sees what the guest sees next.
fn write_vm_reg(vcpu: &mut Vcpu, place: usize, esr: Esr) {
    COUNTERS.vm_reg[place].add(1);
    let was = sysreg::sctlr();
    emulation::write_vm_reg(vcpu, &VM_REGS[place], esr);
    let policy = vcpu.policy;
    let response = policy.vm_reg_written(vcpu.state, was, sysreg::sctlr());
    let missing = policy.is(Mutant::FlushMissingOnThird) && vcpu.index >= 2;
    let needless =
        policy.is(Mutant::FlushOnAnySctlrWrite) && VM_REGS[place].backing == Backing::SctlrEl1;
    if response.flush && !missing || needless {
        flush(vcpu);
    }
    EVENTS.push(Event::ToggleCache {
        vcpu: vcpu.index,
        pc: vcpu.pc,
        was: response.was,
        now: response.now,
    });
    if response.state != vcpu.state {
        vcpu.state = response.state;
        vcpu::load_hcr(vcpu);
    }
}

fn flush(vcpu: &Vcpu) {
    /// For a mutant: the vCPU that made the last flush.
    static LAST: AtomicUsize = AtomicUsize::new(NOBODY);
    const NOBODY: usize = usize::MAX;
    if vcpu.policy.is(Mutant::FlushAfterOthersSkipped) {
        let last = LAST.swap(vcpu.index, Ordering::Relaxed);
        if last != NOBODY && last != vcpu.index {
            return;
        }
    }
    let flush = || COUNTERS.lines.add(stage2::flush(vcpu.policy, vcpu.index));
    if vcpu.policy.mutant.is_some() {
        interrupts::around_flush(vcpu.policy, flush);
    } else {
        flush();
    }
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

/// A stage 2 abort: memory that is touched for the first time, or an access that is the guest's own mistake and is to
/// end as it would on the machine.
fn abort(vcpu: &mut Vcpu, esr: Esr) {
    // HPFAR_EL2.FIPA is IPA[51:12], from bit 4.
    let ipa = mrs!("hpfar_el2") >> 4 << 12;
    let is_refused = vcpu.policy.is(Mutant::FaultOnFetchRefused)
        && esr.class() == ec::IABT_LOWER
        && !stage2::is_paged(ipa);
    if esr.is_translation_fault() && !is_refused {
        match stage2::fault(vcpu.policy, ipa, vcpu.index) {
            Ok(()) if vcpu.policy.mutant.is_some() => return fault_wrongly(vcpu, esr),
            Ok(()) => return,
            Err(stage2::MapError::NoTables) => died(vcpu, "no stage 2 table left", esr),
            Err(stage2::MapError::NotTheGuests) => {}
        }
    }
    if esr.is_maintenance() && !esr.is_stage1_walk() {
        // There is no line of it to maintain.
        return step(vcpu, esr);
    }
    emulation::inject_abort(vcpu, esr, walk_level(vcpu, esr));
}

/// The mutants' mistakes about memory that is touched for the first time.
#[cold]
fn fault_wrongly(vcpu: &mut Vcpu, esr: Esr) {
    match vcpu.policy.mutant {
        Some(Mutant::FaultClobbersX9) => vcpu.x[9] = 0,
        Some(Mutant::FaultClobbersFlags) => vcpu.spsr &= !psr::FLAGS,
        Some(Mutant::FaultStepped) if esr.is_write() => step(vcpu, esr),
        _ => {}
    }
}

/// The level of the walk of stage 1 that led nowhere, if it was one.
fn walk_level(vcpu: &Vcpu, esr: Esr) -> u32 {
    if !esr.is_stage1_walk() {
        return 0;
    }
    let registers = translate::Registers {
        sctlr_el1: sysreg::sctlr().bits(),
        ttbr0_el1: sysreg::get(Backing::Ttbr0El1),
        ttbr1_el1: sysreg::get(Backing::Ttbr1El1),
        tcr_el1: sysreg::get(Backing::TcrEl1),
        ..translate::Registers::default()
    };
    let context = translate::Context {
        el: 1,
        aarch64: vcpu.aarch64,
    };
    let memory = stage2::guest_memory();
    let mut read = |step: translate::Step| {
        let at = step.pa;
        if !memory.contains(&at) {
            return None;
        }
        // SAFETY: the guest's memory, which the hypervisor has at its physical address; descriptors are aligned.
        Some(unsafe {
            match step.len {
                4 => (at as *const u32).read_volatile().into(),
                _ => (at as *const u64).read_volatile(),
            }
        })
    };
    let far = mrs!("far_el2");
    match translate::translate(&registers, context, translate::Kind::Data, far, &mut read) {
        Ok(_) => 0,
        Err(fault) => fault.level.into(),
    }
}

/// The guest cannot go on.
fn died(vcpu: &Vcpu, reason: &'static str, esr: Esr) -> ! {
    report::died(vcpu, reason, esr);
    psci::system_off()
}

/// The mutants that lose state in a trap, or time.
#[cold]
fn clobber(vcpu: &mut Vcpu, policy: Policy) {
    match policy.mutant {
        Some(Mutant::CalleeSavedClobbered) => vcpu.x[if vcpu.aarch64 { 19 } else { 4 }] = 0,
        // A, I and F stand at the same place in both states.
        Some(Mutant::MasksClobbered) => vcpu.spsr &= !(0b111 << 6),
        // SAFETY: the guest's register, which only selects what CCSIDR_EL1 shows.
        Some(Mutant::CsselrLost) => unsafe { msr!("csselr_el1", 0) },
        Some(Mutant::FlagsClobbered) => vcpu.spsr &= !psr::FLAGS,
        Some(Mutant::SimdClobbered) => {
            // SAFETY: not safe for the guest, which is the point.
            unsafe { core::arch::asm!(".arch_extension simd", "movi v8.2d, #0", options(nostack)) }
        }
        Some(Mutant::TrapSlow) => (0..5_000).for_each(|_| core::hint::spin_loop()),
        _ => {
            registers::lose(vcpu);
            interrupts::after_set_way(vcpu);
        }
    }
}
