//! PSCI (Arm DEN0022), in whichever state the image runs.

use crate::board::Conduit;
use core::sync::atomic::{AtomicBool, Ordering};
#[cfg(target_arch = "aarch64")]
use smccc::Hvc;
use smccc::{
    Smc,
    psci::{self, AffinityState, Error, LowestAffinityLevel},
};

/// HVC as far as PSCI uses it: arguments and results in r0 to r3. That of smccc 0.2.3 for AArch32 may keep r6
/// in r7, which it then changes.
#[cfg(target_arch = "arm")]
struct Hvc;

#[cfg(target_arch = "arm")]
impl smccc::Call for Hvc {
    fn call32(function: u32, args: [u32; 7]) -> [u32; 8] {
        let mut result = [0; 8];
        // SAFETY: the callee does what PSCI says, and keeps all other registers (DEN0028, SMCCC 1.1).
        unsafe {
            core::arch::asm!(
                ".arch_extension virt",
                "hvc #0",
                inlateout("r0") function => result[0],
                inlateout("r1") args[0] => result[1],
                inlateout("r2") args[1] => result[2],
                inlateout("r3") args[2] => result[3],
                options(nostack),
            );
        }
        result
    }

    fn call64(_: u32, _: [u64; 17]) -> [u64; 18] {
        unreachable!("AArch32 has no such calls")
    }
}

/// Whether PSCI is called by SMC. Guests call it by HVC.
static BY_SMC: AtomicBool = AtomicBool::new(false);

/// Learns how PSCI is called.
pub fn init(conduit: Option<Conduit>) {
    BY_SMC.store(conduit == Some(Conduit::Smc), Ordering::Relaxed);
}

/// Ends the machine.
pub fn system_off() -> ! {
    // Neither call returns where PSCI is right; nothing is to be done where it is not.
    let _ = match BY_SMC.load(Ordering::Relaxed) {
        true => psci::system_off::<Smc>(),
        false => psci::system_off::<Hvc>(),
    };
    loop {
        core::hint::spin_loop();
    }
}

/// Starts the machine again. Returns if PSCI does not.
pub fn system_reset() {
    let _ = match BY_SMC.load(Ordering::Relaxed) {
        true => psci::system_reset::<Smc>(),
        false => psci::system_reset::<Hvc>(),
    };
}

/// Turns this CPU off.
pub fn cpu_off() -> ! {
    loop {
        // Does not return where PSCI is right.
        let _ = psci::cpu_off::<Hvc>();
    }
}

/// Starts the CPU `mpidr` at `entry`, with `context` in its first register.
pub fn cpu_on(mpidr: usize, entry: usize, context: usize) -> Result<(), Error> {
    #[cfg(target_arch = "aarch64")]
    return psci::cpu_on::<Hvc>(mpidr as u64, entry as u64, context as u64);
    #[cfg(target_arch = "arm")]
    return psci::cpu_on_32::<Hvc>(mpidr as u32, entry as u32, context as u32);
}

/// Whether the CPU `mpidr` is off.
pub fn is_off(mpidr: usize) -> bool {
    #[cfg(target_arch = "aarch64")]
    let state = psci::affinity_info::<Hvc>(mpidr as u64, LowestAffinityLevel::All);
    #[cfg(target_arch = "arm")]
    let state = psci::affinity_info_32::<Hvc>(mpidr as u32, LowestAffinityLevel::All);
    state == Ok(AffinityState::Off)
}
