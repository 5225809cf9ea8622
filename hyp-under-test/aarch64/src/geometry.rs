//! The registers that describe caches. A guest reads the CPU's, without a trap; the mutants here have a reason of their own
//! to answer for them (HCR_EL2.TID2), and answer wrongly.

use crate::{
    emulation::{self, step, transfer},
    vcpu::Vcpu,
};
use core::sync::atomic::{AtomicU64, Ordering};
use setway_architecture::{
    registers::Ctr,
    trap::{esr::Esr, sysreg::Key},
};
use setway_policy::{Mutant, Policy};
use setway_runtime::{mrs, msr};

/// What HCR_EL2.TID2 traps (DDI 0487, HCR_EL2.TID2).
#[derive(Clone, Copy)]
enum Register {
    Ctr,
    Ccsidr,
    Ccsidr2,
    Clidr,
    Csselr,
}

/// How each traps from AArch64 and from AArch32.
const REGISTERS: [(Register, Key, Key); 5] = [
    (
        Register::Ctr,
        Key::a64(3, 3, 0, 0, 1),
        Key::cp15(0, 0, 0, 1),
    ),
    (
        Register::Ccsidr,
        Key::a64(3, 1, 0, 0, 0),
        Key::cp15(1, 0, 0, 0),
    ),
    (
        Register::Ccsidr2,
        Key::a64(3, 1, 0, 0, 2),
        Key::cp15(1, 0, 0, 2),
    ),
    (
        Register::Clidr,
        Key::a64(3, 1, 0, 0, 1),
        Key::cp15(1, 0, 0, 1),
    ),
    (
        Register::Csselr,
        Key::a64(3, 2, 0, 0, 0),
        Key::cp15(2, 0, 0, 0),
    ),
];

/// The one CSSELR of all vCPUs of the mutant `csselr-shared`.
static SHARED: AtomicU64 = AtomicU64::new(0);

/// Whether these registers trap.
pub fn traps(policy: Policy) -> bool {
    matches!(
        policy.mutant,
        Some(Mutant::CsselrShared | Mutant::ClidrTooDeep | Mutant::CtrLineTooLarge)
    )
}

/// Does what the trapped access `key` asks for; false if it is to none of these registers.
#[cold]
pub fn access(vcpu: &mut Vcpu, key: Key, esr: Esr) -> bool {
    let mut rows = REGISTERS.into_iter();
    let Some((register, ..)) = rows.find(|(_, a64, cp15)| key == *a64 || key == *cp15) else {
        return false;
    };
    if esr.is_read() {
        let value = shown(vcpu.policy, register);
        emulation::read(vcpu, esr, value);
        return true;
    }
    let value = transfer(vcpu, esr.rt());
    SHARED.store(value, Ordering::Relaxed);
    select(value);
    step(vcpu, esr);
    true
}

/// Has this CPU's CCSIDR_EL1 show the cache that `csselr` names.
fn select(csselr: u64) {
    // SAFETY: the guest's register, which only selects what CCSIDR_EL1 shows.
    unsafe {
        msr!("csselr_el1", csselr);
        core::arch::asm!("isb", options(nostack));
    }
}

/// What the guest reads.
fn shown(policy: Policy, register: Register) -> u64 {
    if policy.is(Mutant::CsselrShared) {
        select(SHARED.load(Ordering::Relaxed));
    }
    match register {
        Register::Ctr if policy.is(Mutant::CtrLineTooLarge) => {
            // 512 words.
            mrs!("ctr_el0") & !(0xf << Ctr::DMIN_LINE_SHIFT) | 9 << Ctr::DMIN_LINE_SHIFT
        }
        Register::Ctr => mrs!("ctr_el0"),
        Register::Clidr if policy.is(Mutant::ClidrTooDeep) => {
            // Ctype3 unified, and LoC 3.
            mrs!("clidr_el1") & !(7 << 24) | 3 << 24 | 0b100 << 6
        }
        Register::Clidr => mrs!("clidr_el1"),
        Register::Ccsidr => mrs!("ccsidr_el1") & 0xffff_ffff,
        Register::Ccsidr2 => mrs!("ccsidr_el1") >> 32,
        Register::Csselr => mrs!("csselr_el1"),
    }
}
