//! PSCI (Arm DEN0022), in whichever state the image runs.

use crate::board::Conduit;
use smccc::{
    Hvc, Smc,
    psci::{self, AffinityState, Error, LowestAffinityLevel},
};

/// Ends the machine.
pub fn system_off(conduit: Option<Conduit>) -> ! {
    // Neither call returns where PSCI is right; nothing is to be done where it is not.
    let _ = match conduit {
        Some(Conduit::Smc) => psci::system_off::<Smc>(),
        _ => psci::system_off::<Hvc>(),
    };
    loop {
        core::hint::spin_loop();
    }
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
