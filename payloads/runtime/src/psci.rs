//! PSCI (Arm DEN0022), in whichever state the image runs, by the conduit that the device tree names.

use crate::board::Conduit;
use core::sync::atomic::{AtomicBool, Ordering};
use setway_architecture::registers::Sctlr;
pub use smccc::psci::Error;
use smccc::psci::{self, AffinityState, LowestAffinityLevel};
#[cfg(target_arch = "aarch64")]
use smccc::{Hvc, Smc};

/// The conduits as far as PSCI uses them: arguments and results in r0 to r3. Those of smccc 0.2.3 for AArch32 may
/// keep r6 in r7, which they then change.
#[cfg(target_arch = "arm")]
macro_rules! conduit {
    ($name:ident, $extension:literal, $instruction:literal) => {
        struct $name;

        impl smccc::Call for $name {
            fn call32(function: u32, args: [u32; 7]) -> [u32; 8] {
                let mut result = [0; 8];
                // SAFETY: the callee does what PSCI says, and keeps all other registers (DEN0028, SMCCC 1.1).
                unsafe {
                    core::arch::asm!(
                        concat!(".arch_extension ", $extension),
                        $instruction,
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
    };
}

#[cfg(target_arch = "arm")]
conduit!(Hvc, "virt", "hvc #0");
#[cfg(target_arch = "arm")]
conduit!(Smc, "sec", "smc #0");

/// Whether PSCI is called by SMC, as firmware has it, and not by HVC, as hypervisors have it.
static BY_SMC: AtomicBool = AtomicBool::new(false);

/// Learns how PSCI is called.
pub fn init(conduit: Option<Conduit>) {
    BY_SMC.store(conduit == Some(Conduit::Smc), Ordering::Relaxed);
}

/// Calls a function of PSCI by the conduit of this machine.
macro_rules! call {
    (@ $function:ident($($argument:expr),*)) => {
        if BY_SMC.load(Ordering::Relaxed) {
            <Smc as smccc::Call>::$function($($argument),*)
        } else {
            <Hvc as smccc::Call>::$function($($argument),*)
        }
    };
    ($function:ident($($argument:expr),*)) => {
        if BY_SMC.load(Ordering::Relaxed) {
            psci::$function::<Smc>($($argument),*)
        } else {
            psci::$function::<Hvc>($($argument),*)
        }
    };
}

/// Ends the machine.
pub fn system_off() -> ! {
    // Does not return where PSCI is right; nothing is to be done where it is not.
    let _ = call!(system_off());
    loop {
        core::hint::spin_loop();
    }
}

/// Starts the machine again. Returns if PSCI does not.
pub fn system_reset() {
    let _ = call!(system_reset());
}

/// Turns this CPU off.
pub fn cpu_off() -> ! {
    loop {
        // Does not return where PSCI is right.
        let _ = call!(cpu_off());
    }
}

/// Starts the CPU `mpidr` at `entry`, with `context` in its first register.
pub fn cpu_on(mpidr: usize, entry: usize, context: usize) -> Result<(), Error> {
    #[cfg(target_arch = "aarch64")]
    return call!(cpu_on(mpidr as u64, entry as u64, context as u64));
    #[cfg(target_arch = "arm")]
    return call!(cpu_on_32(mpidr as u32, entry as u32, context as u32));
}

/// The same, called by HVC while data is big-endian. The MMU is off meanwhile, whose tables are little-endian, and no
/// memory is accessed.
pub fn cpu_on_big_endian(mpidr: usize, entry: usize, context: usize) -> Result<(), Error> {
    let result: usize;
    // SAFETY: the image runs at its physical address and is in memory, so it can be fetched with the MMU off; SCTLR is as
    // before afterwards. The callee keeps all registers but the first four (DEN0028, SMCCC 1.1).
    #[cfg(target_arch = "aarch64")]
    unsafe {
        core::arch::asm!(
            "mrs {was}, sctlr_el1",
            "bic {now}, {was}, #{m}",
            "bic {now}, {now}, #{c}",
            "orr {now}, {now}, #{ee}",
            "msr sctlr_el1, {now}",
            "isb",
            "hvc #0",
            "msr sctlr_el1, {was}",
            "isb",
            was = out(reg) _,
            now = out(reg) _,
            m = const Sctlr::M.bits(),
            c = const Sctlr::C.bits(),
            ee = const Sctlr::EE.bits(),
            inlateout("x0") psci::PSCI_CPU_ON_64 as usize => result,
            inlateout("x1") mpidr => _,
            inlateout("x2") entry => _,
            inlateout("x3") context => _,
            options(nostack),
        );
    }
    // SAFETY: as above. CPSR.E and SCTLR.EE are both set: PSCI does not say which of them counts.
    #[cfg(target_arch = "arm")]
    unsafe {
        core::arch::asm!(
            ".arch_extension virt",
            "mrc p15, 0, {was}, c1, c0, 0",
            "bic {now}, {was}, #{m}",
            "bic {now}, {now}, #{c}",
            "orr {now}, {now}, #{ee}",
            "mcr p15, 0, {now}, c1, c0, 0",
            "isb",
            "setend be",
            "hvc #0",
            "setend le",
            "mcr p15, 0, {was}, c1, c0, 0",
            "isb",
            was = out(reg) _,
            now = out(reg) _,
            m = const Sctlr::M.bits(),
            c = const Sctlr::C.bits(),
            ee = const Sctlr::EE.bits(),
            inlateout("r0") psci::PSCI_CPU_ON_32 as usize => result,
            inlateout("r1") mpidr => _,
            inlateout("r2") entry => _,
            inlateout("r3") context => _,
            options(nostack),
        );
    }
    match result as i32 {
        0 => Ok(()),
        error => Err(error.into()),
    }
}

/// What stands in the upper halves of a 32-bit call's registers, where they have one.
const ONES: u64 = 0xffff_ffff << 32;

/// A 32-bit call with three arguments. No callee may look at the `upper` halves of their registers (DEN0028, 3.1). What
/// it returns in the first register, bits 31:0.
#[cfg_attr(
    target_arch = "arm",
    expect(unused_variables, reason = "registers of AArch32 have no upper half")
)]
fn call_32(function: u32, arguments: [usize; 3], upper: u64) -> u32 {
    #[cfg(target_arch = "aarch64")]
    {
        let mut registers = [0; 17];
        for (register, argument) in registers.iter_mut().zip(arguments) {
            *register = argument as u64 & 0xffff_ffff | upper;
        }
        call!(@ call64(function, registers))[0] as u32
    }
    #[cfg(target_arch = "arm")]
    {
        let [first, second, third] = arguments.map(|it| it as u32);
        call!(@ call32(function, [first, second, third, 0, 0, 0, 0]))[0]
    }
}

/// As [`cpu_on`], by a 32-bit call.
pub fn cpu_on_32(mpidr: usize, entry: usize, context: usize) -> Result<(), Error> {
    done(call_32(psci::PSCI_CPU_ON_32, [mpidr, entry, context], 0))
}

/// The same with ones in the upper halves of the registers, where they have one.
pub fn cpu_on_32_under_ones(mpidr: usize, entry: usize, context: usize) -> Result<(), Error> {
    done(call_32(psci::PSCI_CPU_ON_32, [mpidr, entry, context], ONES))
}

fn done(result: u32) -> Result<(), Error> {
    match result as i32 {
        0 => Ok(()),
        error => Err(error.into()),
    }
}

/// What AFFINITY_INFO says of the CPU `mpidr`, by a 32-bit call with ones in the upper halves of its registers.
pub fn affinity_info_32(mpidr: usize) -> u32 {
    call_32(psci::PSCI_AFFINITY_INFO_32, [mpidr, 0, 0], ONES)
}

/// Whether the CPU `mpidr` is off.
pub fn is_off(mpidr: usize) -> bool {
    #[cfg(target_arch = "aarch64")]
    let state = call!(affinity_info(mpidr as u64, LowestAffinityLevel::All));
    #[cfg(target_arch = "arm")]
    let state = call!(affinity_info_32(mpidr as u32, LowestAffinityLevel::All));
    state == Ok(AffinityState::Off)
}
