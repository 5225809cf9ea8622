//! vCPUs: one for each physical CPU, running there and nowhere else.
//!
//! A [`Vcpu`] lies at the top of its CPU's EL2 stack. While the guest runs, SP_EL2 points at it, so
//! the vector saves the guest's registers where it finds SP, and the stack of the handler grows
//! below them.

use crate::{controls, geometry, interrupts, policy, stage2, vectors};
use core::{
    mem::MaybeUninit,
    sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering},
};
use setway_architecture::{
    registers::{Hcr, Mpidr, Sctlr},
    trap::aarch32::psr,
};
use setway_policy::{Mutant, Policy, VcpuState};
use setway_runtime::{board::MAX_CPUS, exclusive::SyncUnsafeCell, mrs, msr};

/// HCR_EL2 except for TVM and RW.
const HCR: Hcr = Hcr::VM
    .union(Hcr::SWIO)
    .union(Hcr::FB)
    .union(Hcr::BSU_INNER_SHAREABLE)
    .union(Hcr::TID3)
    .union(Hcr::TID5)
    .union(Hcr::TSC)
    .union(Hcr::TSW)
    .union(Hcr::API)
    .union(Hcr::APK);

/// What a guest vCPU starts with.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// EL1 is AArch64.
    pub aarch64: bool,
    /// Where it starts.
    pub pc: u64,
    /// x0, or r0.
    pub x0: u64,
    /// r1.
    pub x1: u64,
    /// r2.
    pub x2: u64,
    /// AArch32: starts in T32 state.
    pub t32: bool,
    /// Its data is big-endian.
    pub big_endian: bool,
}

/// A vCPU, as its own CPU sees it.
#[repr(C, align(16))]
pub struct Vcpu {
    /// x0–x30 of the guest; AArch32 registers where "Mapping of the
    /// general-purpose registers between the Execution states" of DDI 0487 has them.
    pub x: [u64; 31],
    /// Its PC.
    pub pc: u64,
    /// Its PSTATE.
    pub spsr: u64,
    /// Which one it is.
    pub index: usize,
    /// What the policy knows of it.
    pub state: VcpuState,
    /// EL1 is AArch64.
    pub aarch64: bool,
    /// The policy that this run follows.
    pub policy: Policy,
}

const STACK_SIZE: usize = 0x4000;

/// The EL2 stack of one CPU, with its vCPU at the end.
#[repr(C, align(4096))]
struct Stack {
    space: [u8; STACK_SIZE],
    vcpu: Vcpu,
}

/// The stack of each CPU, by its vCPU's index. Only [`run`] asks for one, and only for that of its own CPU.
static STACKS: SyncUnsafeCell<[MaybeUninit<Stack>; MAX_CPUS]> =
    SyncUnsafeCell::new([const { MaybeUninit::uninit() }; MAX_CPUS]);

/// A vCPU at the end of the EL2 stack of the CPU that this runs on. There is one on each CPU, and [`run`] makes it.
pub struct InPlace(*mut Vcpu);

impl InPlace {
    /// Where it is.
    pub fn into_ptr(self) -> *mut Vcpu {
        self.0
    }
}

/// PSCI's view of a vCPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Power {
    /// Running.
    On = 0,
    /// Not running.
    Off = 1,
    /// CPU_ON was called and it has not arrived yet.
    Pending = 2,
}

/// Number of vCPUs.
static COUNT: AtomicUsize = AtomicUsize::new(0);
/// MPIDR affinity of each.
static MPIDR: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(0) }; MAX_CPUS];
/// [`Power`] of each.
static POWER: [AtomicU8; MAX_CPUS] = [const { AtomicU8::new(Power::Off as u8) }; MAX_CPUS];

/// Learns which CPUs there are.
pub fn init(cpus: &[u64]) {
    for (slot, mpidr) in MPIDR.iter().zip(cpus) {
        slot.store(*mpidr, Ordering::Relaxed);
    }
    COUNT.store(cpus.len(), Ordering::Relaxed);
}

/// The index of the vCPU with affinity `mpidr`.
pub fn by_mpidr(mpidr: u64) -> Option<usize> {
    (0..COUNT.load(Ordering::Relaxed)).find(|&n| MPIDR[n].load(Ordering::Relaxed) == mpidr)
}

/// The affinity of vCPU `index`.
pub fn mpidr(index: usize) -> u64 {
    MPIDR[index].load(Ordering::Relaxed)
}

/// The power state of vCPU `index`.
pub fn power(index: usize) -> Power {
    match POWER[index].load(Ordering::Acquire) {
        0 => Power::On,
        1 => Power::Off,
        _ => Power::Pending,
    }
}

/// Changes the state of vCPU `index`, for the one whose it is to change: the vCPU itself while it is on, and
/// the CPU that made it pending.
pub fn set_power(index: usize, to: Power) {
    POWER[index].store(to as u8, Ordering::Release);
}

/// Changes the state of vCPU `index` if it is `from`; false if it is not.
#[must_use]
pub fn try_power(index: usize, from: Power, to: Power) -> bool {
    POWER[index]
        .compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Acquire)
        .is_ok()
}

/// Runs the first vCPU on this CPU.
pub fn run_boot_cpu(entry: Entry) -> ! {
    let own = own_affinity();
    let Some(index) = by_mpidr(own) else {
        panic!("the device tree has no CPU {own:#x}")
    };
    run(index, entry)
}

/// The affinity of this CPU.
fn own_affinity() -> u64 {
    Mpidr(mrs!("mpidr_el1")).affinity()
}

/// Runs vCPU `index` on this CPU, from reset.
pub fn run(index: usize, entry: Entry) -> ! {
    let policy = policy();
    let mut state = policy.reset();
    let started = own_affinity() != mpidr(0);
    if policy.is(Mutant::SecondaryTvmClear) && started {
        state.tvm = false;
    }
    let mut x = [0; 31];
    (x[0], x[1], x[2]) = (entry.x0, entry.x1, entry.x2);
    let mut spsr = match (entry.aarch64, entry.t32) {
        // EL1 with SP_EL1, all masked; Supervisor mode, all masked.
        (true, _) => 0x3c5,
        (false, false) => 0x1d3,
        (false, true) => 0x1f3,
    };
    if entry.big_endian && !entry.aarch64 {
        spsr |= psr::E;
    }
    if started && policy.mutant.is_some() {
        spsr = started_otherwise(policy, index, &entry, spsr);
    }
    let vcpu = Vcpu {
        x,
        pc: entry.pc,
        spsr,
        index,
        state,
        aarch64: entry.aarch64,
        policy,
    };
    reset_registers(&vcpu, entry.big_endian);
    if started && policy.mutant.is_some() {
        start_with_other_sctlr(&vcpu);
    }
    set_power(index, Power::On);
    // SAFETY: in bounds, since `index` is a vCPU's. Each CPU runs its own vCPU only, and is not in it now: it has
    // been turned on and is still on the stack that it started on, so nobody uses this one.
    let place = unsafe {
        let stacks = STACKS.get().cast::<Stack>();
        let place = &raw mut (*stacks.add(index)).vcpu;
        place.write(vcpu);
        place
    };
    vectors::enter(InPlace(place))
}

/// SCTLR and PSTATE of each vCPU when it was last turned off, for the mutants that keep them; 0 if it was not.
static KEPT: [[AtomicU64; 2]; MAX_CPUS] = [const { [const { AtomicU64::new(0) }; 2] }; MAX_CPUS];

/// `vcpu` is about to be turned off.
pub fn keep(vcpu: &Vcpu) {
    for (kept, value) in KEPT[vcpu.index].iter().zip([mrs!("sctlr_el1"), vcpu.spsr]) {
        kept.store(value, Ordering::Relaxed);
    }
}

/// The PSTATE with which the mutants start vCPU `index` that start one otherwise than by `spsr`.
#[cold]
fn started_otherwise(policy: Policy, index: usize, entry: &Entry, spsr: u64) -> u64 {
    /// AArch32's PSTATE.E, and AArch64's D.
    const E_OR_D: u64 = 1 << 9;
    let kept = KEPT[index][1].load(Ordering::Relaxed);
    match policy.mutant {
        // A, I and F stand at the same place in both states.
        Some(Mutant::StartedUnmasked) => spsr & !(0b111 << 6),
        Some(Mutant::StartedDebugUnmasked) if entry.aarch64 => spsr & !E_OR_D,
        Some(Mutant::StartedAtSp0) if entry.aarch64 => spsr & !1,
        Some(Mutant::StartedBigEndian) if !entry.aarch64 => spsr | E_OR_D,
        // All but T, which the entry point gives.
        Some(Mutant::StartedWithPstate) if kept != 0 => kept & !psr::T | spsr & psr::T,
        _ => spsr,
    }
}

/// Gives a vCPU the SCTLR with which the mutants start it that start one otherwise.
#[cold]
fn start_with_other_sctlr(vcpu: &Vcpu) {
    let kept = Sctlr::from_bits_retain(KEPT[vcpu.index][0].load(Ordering::Relaxed));
    let more = match vcpu.policy.mutant {
        Some(Mutant::StartedWithCaches) => kept & (Sctlr::C | Sctlr::I),
        Some(Mutant::StartedBigEndian) if vcpu.aarch64 => Sctlr::EE,
        _ => return,
    };
    // SAFETY: the guest's own register, before the guest runs.
    unsafe { msr!("sctlr_el1", mrs!("sctlr_el1") | more.bits()) }
}

/// Gives this CPU's EL1 and EL2 registers what the guest starts with.
fn reset_registers(vcpu: &Vcpu, big_endian: bool) {
    stage2::enable();
    controls::reset();
    // SAFETY: EL2 controls and the guest's own registers, before the guest runs.
    unsafe {
        vectors::install();
        msr!("hstr_el2", 0);
        // The guest uses both timers without traps, and sees the physical count in the virtual one.
        msr!("cnthctl_el2", 0b11);
        msr!("cntvoff_el2", 0);
        msr!("vpidr_el2", mrs!("midr_el1"));
        msr!("vmpidr_el2", mrs!("mpidr_el1"));
        let sctlr = match (vcpu.aarch64, big_endian) {
            (true, true) => Sctlr::EL1_RESET | Sctlr::EE,
            (true, false) => Sctlr::EL1_RESET,
            (false, _) => Sctlr::AARCH32_RESET,
        };
        msr!("sctlr_el1", sctlr.bits());
        msr!("cpacr_el1", 0);
        msr!("vbar_el1", 0);
        msr!("tcr_el1", 0);
        msr!("contextidr_el1", 0);
    }
    load_hcr(vcpu);
}

/// Sets this CPU's HCR_EL2 according to the vCPU's state.
pub fn load_hcr(vcpu: &Vcpu) {
    let mut hcr = HCR;
    hcr.set(Hcr::TVM, vcpu.state.tvm);
    hcr.set(Hcr::RW, vcpu.aarch64);
    hcr.set(Hcr::TID2, geometry::traps(vcpu.policy));
    hcr.set(Hcr::TWI, interrupts::traps_wfi(vcpu.policy));
    hcr.set(Hcr::IMO, interrupts::routed_away(vcpu.policy));
    if !vcpu.policy.traps_set_way() {
        hcr.remove(Hcr::TSW);
    }
    hcr.set(
        Hcr::TRVM,
        vcpu.policy.is(Mutant::ReadsTrap) && vcpu.state.tvm,
    );
    if vcpu.policy.is(Mutant::DefaultCacheable) {
        hcr.set(Hcr::DC, mrs!("sctlr_el1") & Sctlr::M.bits() == 0);
    }
    if vcpu.policy.is(Mutant::PassThroughNoSwio) {
        hcr.remove(Hcr::SWIO);
    }
    // SAFETY: governs the guest; the exception return that follows synchronizes it.
    unsafe { msr!("hcr_el2", hcr.bits()) }
}

/// The one TVM that all vCPUs of the mutant `tvm-shared` have.
static SHARED_TVM: AtomicU8 = AtomicU8::new(1);

/// A trap has been handled; the policy's state was `before`.
#[inline]
pub fn after_trap(vcpu: &mut Vcpu, before: VcpuState) {
    if vcpu.policy.is(Mutant::DefaultCacheable) {
        load_hcr(vcpu);
    }
    if vcpu.policy.is(Mutant::TvmShared) {
        share_tvm(vcpu, before);
    }
}

/// What this vCPU's TVM has become, all become; if the trap left it as it was, it becomes what another vCPU's
/// has.
#[cold]
fn share_tvm(vcpu: &mut Vcpu, before: VcpuState) {
    if vcpu.state != before {
        SHARED_TVM.store(vcpu.state.tvm.into(), Ordering::Relaxed);
    } else {
        vcpu.state.tvm = SHARED_TVM.load(Ordering::Relaxed) != 0;
        load_hcr(vcpu);
    }
}
