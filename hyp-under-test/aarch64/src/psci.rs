//! PSCI (Arm DEN0022) for the guest, by HVC; and the firmware's PSCI for the hypervisor, by SMC.

use crate::{
    report, stage2, sysreg,
    trace::{COUNTERS, MARKS},
    vcpu::{self, Entry, Power, Vcpu},
};
use setway_architecture::{registers::Sctlr, trap::aarch32::psr};
use setway_policy::{Mutant, Policy};
use setway_runtime::{board::MAX_CPUS, exclusive::SyncUnsafeCell};
use smccc::{
    Smc,
    psci::{
        Error, MigrateType, PSCI_AFFINITY_INFO_32, PSCI_AFFINITY_INFO_64, PSCI_CPU_OFF,
        PSCI_CPU_ON_32, PSCI_CPU_ON_64, PSCI_CPU_SUSPEND_32, PSCI_CPU_SUSPEND_64, PSCI_FEATURES,
        PSCI_MIGRATE_INFO_TYPE, PSCI_SYSTEM_OFF, PSCI_SYSTEM_RESET, PSCI_VERSION, Version,
    },
};

/// What there is for a guest (DEN0022, 5). The 64-bit forms, which only AArch64 callers have, take wider
/// arguments.
const FUNCTIONS: [u32; 12] = [
    PSCI_VERSION,
    PSCI_CPU_SUSPEND_32,
    PSCI_CPU_SUSPEND_64,
    PSCI_CPU_OFF,
    PSCI_CPU_ON_32,
    PSCI_CPU_ON_64,
    PSCI_AFFINITY_INFO_32,
    PSCI_AFFINITY_INFO_64,
    PSCI_MIGRATE_INFO_TYPE,
    PSCI_SYSTEM_OFF,
    PSCI_SYSTEM_RESET,
    PSCI_FEATURES,
];

/// The version that this is.
const VERSION: Version = Version { major: 1, minor: 1 };

/// Whether a guest may call function `id`.
fn exists(id: u32, aarch64: bool) -> bool {
    FUNCTIONS.contains(&id) && (aarch64 || !is_wide(id))
}

/// Whether a call of function `id` is answered.
fn is_answered(policy: Policy, id: u32, aarch64: bool) -> bool {
    match policy.mutant {
        Some(Mutant::WideCallNarrowCaller) => exists(id, true),
        Some(Mutant::CallFormIgnored) => exists(id, aarch64) || exists(id & !WIDE, aarch64),
        _ => exists(id, aarch64),
    }
}

/// The bit of a function's id that makes a call a 64-bit one (DEN0028).
const WIDE: u32 = 1 << 30;

/// Whether function `id` is a 64-bit form.
fn is_wide(id: u32) -> bool {
    id & WIDE != 0
}

/// A call of the guest. HVC has been executed: the PC is past it already.
pub fn call(vcpu: &mut Vcpu) {
    let id = vcpu.x[0] as u32;
    let arg = |n: usize| {
        if is_wide(id) || vcpu.policy.is(Mutant::CallArgsWide) {
            vcpu.x[n]
        } else {
            vcpu.x[n] & 0xffff_ffff
        }
    };
    let policy = vcpu.policy;
    let answered = is_answered(policy, id, vcpu.aarch64);
    let function = match policy.mutant {
        Some(Mutant::CallFormIgnored) if !FUNCTIONS.contains(&id) => id & !WIDE,
        _ => id,
    };
    let result = match function {
        _ if !answered => unknown(policy),
        PSCI_VERSION => {
            MARKS.push(COUNTERS.totals());
            Ok(u32::from(VERSION).into())
        }
        PSCI_CPU_SUSPEND_32 | PSCI_CPU_SUSPEND_64 if policy.is(Mutant::SuspendRefused) => {
            Err(Error::NotSupported)
        }
        PSCI_CPU_SUSPEND_32 | PSCI_CPU_SUSPEND_64 => cpu_suspend(arg(1)),
        PSCI_CPU_ON_32 | PSCI_CPU_ON_64 => cpu_on(vcpu, arg(1), arg(2), arg(3)),
        PSCI_CPU_OFF => Err(cpu_off(vcpu)),
        PSCI_AFFINITY_INFO_32 | PSCI_AFFINITY_INFO_64 => affinity_info(policy, arg(1), arg(2)),
        PSCI_MIGRATE_INFO_TYPE => Ok(MigrateType::MigrationNotRequired as u64),
        PSCI_FEATURES => features(policy, arg(1) as u32, vcpu.aarch64),
        PSCI_SYSTEM_OFF => {
            report::ended();
            system_off()
        }
        PSCI_SYSTEM_RESET => {
            report::ended();
            system_reset()
        }
        _ => Err(Error::NotSupported),
    };
    if policy.mutant.is_some() {
        clobber(vcpu, function);
    }
    vcpu.x[0] = result.unwrap_or_else(|error| i64::from(error) as u64);
}

/// The mutants that lose state in a call.
#[cold]
fn clobber(vcpu: &mut Vcpu, function: u32) {
    match vcpu.policy.mutant {
        Some(Mutant::CallClobbersX4) => vcpu.x[4] = 0,
        // PSTATE.I stands at the same place in both states.
        Some(Mutant::SuspendUnmasks)
            if matches!(function, PSCI_CPU_SUSPEND_32 | PSCI_CPU_SUSPEND_64) =>
        {
            vcpu.spsr &= !psr::I
        }
        Some(Mutant::CallClobbersSimd) => {
            // SAFETY: not safe for the guest, which is the point.
            unsafe { core::arch::asm!(".arch_extension simd", "movi v8.2d, #0", options(nostack)) }
        }
        Some(Mutant::CallerTvmCleared) if matches!(function, PSCI_CPU_ON_32 | PSCI_CPU_ON_64) => {
            vcpu.state.tvm = false;
            vcpu::load_hcr(vcpu);
        }
        _ => {}
    }
}

/// A call of what does not exist.
fn unknown(policy: Policy) -> Result<u64, Error> {
    if policy.is(Mutant::UnknownCallZero) {
        return Ok(0);
    }
    Err(Error::NotSupported)
}

/// Whether function `id` exists, and what options it has: none.
fn features(policy: Policy, id: u32, aarch64: bool) -> Result<u64, Error> {
    let known = match policy.mutant {
        Some(Mutant::FeaturesAll) => true,
        Some(Mutant::FeaturesNone) => false,
        Some(Mutant::FeaturesWideMissing) => exists(id, false),
        _ => exists(id, aarch64),
    };
    if known {
        Ok(0)
    } else {
        Err(Error::NotSupported)
    }
}

/// The vCPU that a caller calls `mpidr`.
fn target(policy: Policy, mpidr: u64) -> Option<usize> {
    let compared = match policy.mutant {
        Some(Mutant::AffinityCut) => 0xff,
        Some(Mutant::AffinityWithoutAff2) => 0xffff,
        _ => !0,
    };
    vcpu::by_mpidr(mpidr & compared)
}

/// Whether a CPU is on. Of levels there is 0 alone, which is all that PSCI 1.0 demands.
fn affinity_info(policy: Policy, mpidr: u64, level: u64) -> Result<u64, Error> {
    if level != 0 && !policy.is(Mutant::AffinityLevelIgnored) {
        return Err(Error::InvalidParameters);
    }
    match target(policy, mpidr) {
        Some(_) if policy.is(Mutant::AffinityAlwaysOn) => Ok(Power::On as u64),
        Some(index) => Ok(vcpu::power(index) as u64),
        None if policy.is(Mutant::AffinityUnknownOff) => Ok(Power::Off as u64),
        None => Err(Error::InvalidParameters),
    }
}

/// The power states of CPU_SUSPEND: there is standby, from which a CPU may wake at once, and no
/// powerdown (bit 16 of the original format); bits 31:26 and 23:17 are reserved.
fn cpu_suspend(power_state: u64) -> Result<u64, Error> {
    const POWERDOWN: u64 = 1 << 16;
    const RESERVED: u64 = 0x3f << 26 | 0x7f << 17;
    if power_state & (POWERDOWN | RESERVED) == 0 {
        Ok(0)
    } else {
        Err(Error::InvalidParameters)
    }
}

/// Whether there is memory of the guest's at an entry point, and code can stand there.
fn can_start_at(pc: u64, aarch64: bool) -> bool {
    let is_aligned = if aarch64 { pc & 3 == 0 } else { pc & 3 != 2 };
    is_aligned && stage2::guest_memory().contains(&pc)
}

/// Whether a caller's data is big-endian: a CPU that it starts begins so as well (DEN0022, 6.4.3).
fn is_big_endian(caller: &Vcpu) -> bool {
    if caller.aarch64 {
        sysreg::sctlr().contains(Sctlr::EE)
    } else {
        caller.spsr & psr::E != 0
    }
}

/// The stack on which a CPU starts, by its vCPU's index. The CPU that has made the vCPU pending owns it, and then
/// the started CPU, until it leaves it for its vCPU's.
static START_STACKS: SyncUnsafeCell<[aarch64_rt::Stack<1>; MAX_CPUS]> =
    SyncUnsafeCell::new([const { aarch64_rt::Stack::new() }; MAX_CPUS]);

fn cpu_on(caller: &Vcpu, mpidr: u64, pc: u64, context: u64) -> Result<u64, Error> {
    let (policy, aarch64) = (caller.policy, caller.aarch64);
    let Some(index) = target(policy, mpidr) else {
        return match policy.mutant {
            Some(Mutant::CpuOnUnknownAccepted) => Ok(0),
            _ => Err(Error::InvalidParameters),
        };
    };
    if policy.is(Mutant::CpuOnTwoOnly) && index > 1 {
        return Err(Error::InvalidParameters);
    }
    // Before the vCPU becomes pending, which others would see.
    if vcpu::power(index) == Power::Off && !can_start_at(pc, aarch64) {
        return Err(Error::InvalidAddress);
    }
    if !vcpu::try_power(index, Power::Off, Power::Pending) {
        return match policy.mutant {
            Some(Mutant::CpuOnAlreadyAccepted) => Ok(0),
            Some(Mutant::CpuOnAlreadyInvalid) => Err(Error::InvalidParameters),
            _ => Err(match vcpu::power(index) {
                Power::Pending => Error::OnPending,
                _ => Error::AlreadyOn,
            }),
        };
    }
    let context = match policy.mutant {
        Some(Mutant::ContextLost) => 0,
        Some(Mutant::ContextCut) => context & 0xffff_ffff,
        _ => context,
    };
    // AArch32: bit 0 of the entry point chooses T32.
    let t32 = !aarch64 && pc & 1 != 0 && !policy.is(Mutant::CpuOnThumbIgnored);
    let pc = if aarch64 { pc } else { pc & !1 };
    let entry = Entry {
        aarch64,
        pc,
        x0: context,
        x1: 0,
        x2: 0,
        t32,
        big_endian: is_big_endian(caller) && !policy.is(Mutant::CallerEndianIgnored),
    };
    let stack = START_STACKS
        .get()
        .cast::<aarch64_rt::Stack<1>>()
        .wrapping_add(index);
    // A CPU that has just said CPU_OFF may still be on its way.
    for _ in 0..1_000_000 {
        // SAFETY: the stack is static and in bounds, and all CPUs map it alike. Nobody uses it: the vCPU was off,
        // and only `cpu_off` says so, which runs on the vCPU's own stack, as all does on that CPU once `vcpu::run`
        // has left the start stack for good. So a CPU that is still on its way off is not on it either. Nobody else
        // prepares it: the vCPU is pending now, and it was this call that made it so.
        let started = unsafe {
            aarch64_rt::start_core::<Smc, _, 1>(mpidr, stack, move || vcpu::run(index, entry))
        };
        match started {
            Ok(()) => return Ok(0),
            Err(Error::AlreadyOn) => core::hint::spin_loop(),
            Err(_) => break,
        }
    }
    vcpu::set_power(index, Power::Off);
    Err(Error::InternalFailure)
}

/// Turns this CPU off. Returns only if the firmware does not.
fn cpu_off(vcpu: &Vcpu) -> Error {
    vcpu::keep(vcpu);
    vcpu::set_power(vcpu.index, Power::Off);
    let _ = smccc::psci::cpu_off::<Smc>();
    // If another vCPU has found it off meanwhile and made it pending, it is that vCPU's to say.
    let _ = vcpu::try_power(vcpu.index, Power::Off, Power::On);
    Error::InternalFailure
}

/// Ends the machine.
pub fn system_off() -> ! {
    let _ = smccc::psci::system_off::<Smc>();
    loop {
        core::hint::spin_loop();
    }
}

fn system_reset() -> ! {
    let _ = smccc::psci::system_reset::<Smc>();
    loop {
        core::hint::spin_loop();
    }
}
