//! PSCI (Arm DEN0022) for the guest, by HVC; and the firmware's PSCI for us, by SMC.

use crate::{
    report,
    trace::{COUNTERS, MARKS},
    vcpu::{self, Entry, Power, Vcpu},
};
use core::ptr::addr_of_mut;
use setway_runtime::board::MAX_CPUS;
use smccc::Smc;

/// Function ids (DEN0022, 5). The 64-bit forms, which only AArch64 callers have, take wider arguments.
mod function {
    pub const VERSION: u32 = 0x8400_0000;
    pub const CPU_SUSPEND: u32 = 0x8400_0001;
    pub const CPU_SUSPEND_64: u32 = 0xc400_0001;
    pub const CPU_OFF: u32 = 0x8400_0002;
    pub const CPU_ON: u32 = 0x8400_0003;
    pub const CPU_ON_64: u32 = 0xc400_0003;
    pub const AFFINITY_INFO: u32 = 0x8400_0004;
    pub const AFFINITY_INFO_64: u32 = 0xc400_0004;
    pub const MIGRATE_INFO_TYPE: u32 = 0x8400_0006;
    pub const SYSTEM_OFF: u32 = 0x8400_0008;
    pub const SYSTEM_RESET: u32 = 0x8400_0009;
    pub const FEATURES: u32 = 0x8400_000a;

    /// All that there are.
    pub const ALL: [u32; 12] = [
        VERSION,
        CPU_SUSPEND,
        CPU_SUSPEND_64,
        CPU_OFF,
        CPU_ON,
        CPU_ON_64,
        AFFINITY_INFO,
        AFFINITY_INFO_64,
        MIGRATE_INFO_TYPE,
        SYSTEM_OFF,
        SYSTEM_RESET,
        FEATURES,
    ];

    /// Whether a guest may call it.
    pub fn exists(id: u32, aarch64: bool) -> bool {
        ALL.contains(&id) && (aarch64 || id & 1 << 30 == 0)
    }
}

/// Return values.
mod result {
    pub const SUCCESS: u64 = 0;
    pub const NOT_SUPPORTED: u64 = -1i64 as u64;
    pub const INVALID_PARAMETERS: u64 = -2i64 as u64;
    pub const ALREADY_ON: u64 = -4i64 as u64;
    pub const ON_PENDING: u64 = -5i64 as u64;
    pub const INTERNAL_FAILURE: u64 = -6i64 as u64;
    /// PSCI_VERSION: 1.1.
    pub const VERSION: u64 = 0x1_0001;
    /// MIGRATE_INFO_TYPE: there is nothing to migrate.
    pub const NO_TRUSTED_OS: u64 = 2;
}

/// A call of the guest. HVC has been executed: the PC is behind it already.
pub fn call(vcpu: &mut Vcpu) {
    let id = vcpu.x[0] as u32;
    let wide = id & 1 << 30 != 0;
    let arg = |n: usize| {
        if wide {
            vcpu.x[n]
        } else {
            vcpu.x[n] & 0xffff_ffff
        }
    };
    let value = match id {
        _ if !function::exists(id, vcpu.aarch64) => result::NOT_SUPPORTED,
        function::VERSION => {
            MARKS.push(COUNTERS.totals());
            result::VERSION
        }
        function::CPU_SUSPEND | function::CPU_SUSPEND_64 => cpu_suspend(arg(1)),
        function::CPU_ON | function::CPU_ON_64 => cpu_on(vcpu.aarch64, arg(1), arg(2), arg(3)),
        function::CPU_OFF => cpu_off(vcpu),
        function::AFFINITY_INFO | function::AFFINITY_INFO_64 => match vcpu::by_mpidr(arg(1)) {
            Some(index) => vcpu::power(index) as u64,
            None => result::INVALID_PARAMETERS,
        },
        function::MIGRATE_INFO_TYPE => result::NO_TRUSTED_OS,
        function::FEATURES if function::exists(arg(1) as u32, vcpu.aarch64) => result::SUCCESS,
        function::SYSTEM_OFF => {
            report::ended();
            system_off()
        }
        function::SYSTEM_RESET => {
            report::ended();
            system_reset()
        }
        _ => result::NOT_SUPPORTED,
    };
    vcpu.x[0] = value;
}

/// The power states of CPU_SUSPEND: there is standby, from which a CPU may wake at once, and no
/// powerdown (bit 16 of the original format).
fn cpu_suspend(power_state: u64) -> u64 {
    if power_state & 1 << 16 == 0 {
        result::SUCCESS
    } else {
        result::INVALID_PARAMETERS
    }
}

/// The stack on which a CPU starts, until it leaves it for its vCPU's.
static mut START_STACKS: [aarch64_rt::Stack<1>; MAX_CPUS] =
    [const { aarch64_rt::Stack::new() }; MAX_CPUS];

fn cpu_on(aarch64: bool, mpidr: u64, pc: u64, context: u64) -> u64 {
    let Some(index) = vcpu::by_mpidr(mpidr) else {
        return result::INVALID_PARAMETERS;
    };
    if !vcpu::set_power(index, Power::Off, Power::Pending) {
        return match vcpu::power(index) {
            Power::Pending => result::ON_PENDING,
            _ => result::ALREADY_ON,
        };
    }
    // AArch32: bit 0 of the entry point chooses T32.
    let t32 = !aarch64 && pc & 1 != 0;
    let pc = if aarch64 { pc } else { pc & !1 };
    let entry = Entry {
        aarch64,
        pc,
        x0: context,
        x1: 0,
        x2: 0,
        t32,
    };
    // SAFETY: the CPU is off, so nobody uses its stack; all CPUs map it alike.
    let stack = unsafe { addr_of_mut!(START_STACKS[index]) };
    // A CPU that has just said CPU_OFF may still be on its way.
    for _ in 0..1_000_000 {
        // SAFETY: likewise, and the stack is static.
        let started = unsafe {
            aarch64_rt::start_core::<Smc, _, 1>(mpidr, stack, move || vcpu::run(index, entry))
        };
        match started {
            Ok(()) => return result::SUCCESS,
            Err(smccc::psci::Error::AlreadyOn) => core::hint::spin_loop(),
            Err(_) => break,
        }
    }
    vcpu::set_power(index, Power::Pending, Power::Off);
    result::INTERNAL_FAILURE
}

fn cpu_off(vcpu: &Vcpu) -> u64 {
    vcpu::set_power(vcpu.index, Power::On, Power::Off);
    // Returns only if it failed.
    let _ = smccc::psci::cpu_off::<Smc>();
    vcpu::set_power(vcpu.index, Power::Off, Power::On);
    result::INTERNAL_FAILURE
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
