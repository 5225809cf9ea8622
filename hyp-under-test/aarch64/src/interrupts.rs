//! Interrupts are the guest's own: HCR_EL2 has neither IMO nor FMO, EL2 runs with all of them masked, stage 2 gives
//! the guest the GIC, and WFI does not trap. So the hypervisor does nothing about them, and what stands here is what
//! mutants do.

use crate::{
    emulation::{inject_undef, step},
    vcpu::Vcpu,
};
use core::{
    arch::asm,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};
use setway_architecture::trap::{aarch32::psr, esr::Esr};
use setway_policy::{Mutant, Policy};
use setway_runtime::{
    board::{Board, Gic},
    mrs, msr,
};

/// Where GICv2's distributor and CPU interface are; 0 with another GIC, where mutants leave it alone.
static DISTRIBUTOR: AtomicU64 = AtomicU64::new(0);
static CPU_INTERFACE: AtomicU64 = AtomicU64::new(0);

/// Learns where the interrupt controller is.
pub fn init(board: &Board<'_>) {
    if let Some(Gic::V2 {
        distributor,
        cpu_interface,
    }) = board.gic
    {
        DISTRIBUTOR.store(distributor, Ordering::Relaxed);
        CPU_INTERFACE.store(cpu_interface, Ordering::Relaxed);
    }
}

/// Whether an IRQ is pending: ISR_EL1.I, which at EL2 shows the physical one.
fn is_pending() -> bool {
    mrs!("isr_el1") & psr::I != 0
}

fn physical_count() -> u64 {
    // SAFETY: a barrier, so that the count is not read early.
    unsafe { asm!("isb", options(nostack)) }
    mrs!("cntpct_el0")
}

/// Whether WFI traps.
pub fn traps_wfi(policy: Policy) -> bool {
    matches!(
        policy.mutant,
        Some(Mutant::WfiUndefined | Mutant::WfiLength | Mutant::WfiIgnoresMasked)
    )
}

/// WFI has trapped.
pub fn wait(vcpu: &mut Vcpu, esr: Esr) {
    /// Seconds after which even a mutant goes on.
    const LONGEST: u64 = 3;
    match vcpu.policy.mutant {
        Some(Mutant::WfiUndefined) => return inject_undef(vcpu, esr),
        Some(Mutant::WfiLength) => vcpu.pc += 4 - esr.length(),
        Some(Mutant::WfiIgnoresMasked) => {
            let start = physical_count();
            let masked = vcpu.spsr & psr::I != 0;
            while (masked || !is_pending())
                && physical_count() - start < LONGEST * mrs!("cntfrq_el0")
            {}
        }
        _ => {}
    }
    step(vcpu, esr);
}

/// Whether HCR_EL2.IMO is set, which it never is.
pub fn routed_away(policy: Policy) -> bool {
    policy.is(Mutant::IrqRoutedAway) && HAS_FLUSHED.load(Ordering::Relaxed)
}

/// A flush is over, for the mutant [`Mutant::IrqRoutedAway`].
static HAS_FLUSHED: AtomicBool = AtomicBool::new(false);

/// What mutants do around a flush.
#[cold]
pub fn around_flush(policy: Policy, flush: impl FnOnce()) {
    let start = physical_count();
    flush();
    HAS_FLUSHED.store(true, Ordering::Relaxed);
    match policy.mutant {
        Some(Mutant::CountStopsInFlush) => {
            let offset = mrs!("cntvoff_el2") + (physical_count() - start);
            // SAFETY: not right for the guest, which is the point.
            unsafe { msr!("cntvoff_el2", offset) }
        }
        // SAFETY: not right for the guest, which is the point.
        Some(Mutant::TimerStoppedByFlush) => unsafe { msr!("cntv_ctl_el0", 0u64) },
        Some(Mutant::SgiLeaks) => {
            /// GICD_SGIR, and SGI 15 for this CPU.
            const SGIR: (u64, u32) = (0xf00, 0b10 << 24 | 15);
            let distributor = DISTRIBUTOR.load(Ordering::Relaxed);
            if distributor != 0 {
                // SAFETY: the device tree says that GICD is there, and all but memory is mapped as devices.
                unsafe { ((distributor + SGIR.0) as *mut u32).write_volatile(SGIR.1) }
            }
        }
        _ => {}
    }
}

/// What mutants do after a set/way op has trapped.
#[cold]
pub fn after_set_way(vcpu: &mut Vcpu) {
    match vcpu.policy.mutant {
        Some(Mutant::IrqLost) if is_pending() => {
            /// GICC_IAR and GICC_EOIR.
            const IAR: u64 = 0xc;
            const EOIR: u64 = 0x10;
            let interface = CPU_INTERFACE.load(Ordering::Relaxed);
            if interface != 0 {
                // SAFETY: the device tree says that GICC is there, and all but memory is mapped as devices.
                unsafe {
                    let number = ((interface + IAR) as *const u32).read_volatile();
                    ((interface + EOIR) as *mut u32).write_volatile(number);
                }
            }
        }
        Some(Mutant::IrqUnmasked) if is_pending() => vcpu.spsr &= !psr::I,
        Some(Mutant::IrqMasked) if is_pending() => vcpu.spsr |= psr::I,
        Some(Mutant::ReturnLost) if vcpu.aarch64 => {
            // SAFETY: not right for the guest, which is the point.
            unsafe { msr!("elr_el1", 0u64) }
        }
        // LR_irq (DDI 0487, mapping of the general-purpose registers between the Execution states).
        Some(Mutant::ReturnLost) => vcpu.x[16] = 0,
        _ => {}
    }
}

/// Whether the instruction that trapped is executed again, because an interrupt is pending. Once: it would be for
/// ever where the guest masks it.
pub fn repeats(vcpu: &Vcpu) -> bool {
    static REPEATED: AtomicU64 = AtomicU64::new(0);
    vcpu.policy.is(Mutant::OpRepeated)
        && is_pending()
        && REPEATED.swap(vcpu.pc, Ordering::Relaxed) != vcpu.pc
}
