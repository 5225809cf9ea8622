//! The second CPU: started with its caches off, told what to do through the mailbox.

use crate::{caches, cp15, execute, isa, stage1};
use core::{
    arch::naked_asm,
    sync::atomic::{AtomicU32, Ordering},
};
use setway_cases::Command;
use setway_runtime::{board::Board, mailbox::Mailbox};
use smccc::{
    Hvc,
    psci::{self, AffinityState, LowestAffinityLevel},
};

#[unsafe(link_section = ".arena.mailbox")]
static mut MAILBOX: Mailbox = Mailbox::new();

/// A stack for the second CPU.
#[repr(C, align(4096))]
struct Stack([u8; 0x8000]);

#[unsafe(link_section = ".stack.secondary")]
static mut STACK: Stack = Stack([0; 0x8000]);

/// MPIDR of the second CPU; all ones if there is none.
static MPIDR: AtomicU32 = AtomicU32::new(!0);

/// Finds out which CPU is the second one, and clears the mailbox while no cache is on.
pub fn init(board: &Board<'_>) {
    let own = u64::from(cp15::read!("p15, 0, {}, c0, c0, 5") & 0xff_ffff);
    if let Some(&other) = board.cpus.iter().find(|&&mpidr| mpidr != own) {
        MPIDR.store(other as u32, Ordering::Relaxed);
    }
    // SAFETY: caches are off and there is no second CPU yet.
    unsafe { (&raw mut MAILBOX).write_volatile(Mailbox::new()) }
}

/// The mailbox as this CPU has to address it now.
fn mailbox() -> *mut Mailbox {
    let address = (&raw mut MAILBOX) as u32;
    let mmu_on = cp15::read!("p15, 0, {}, c1, c0, 0") & 1 != 0;
    (if mmu_on {
        stage1::uncached(address)
    } else {
        address
    }) as *mut Mailbox
}

/// Starts the second CPU, and waits until it can take commands. False if PSCI refused.
pub fn start() -> bool {
    // The new CPU reads its code and stack past the caches: have them in memory.
    caches::set(true, true);
    // SAFETY: the mailbox, past the caches, while the second CPU is off.
    unsafe { mailbox().write_volatile(Mailbox::new()) }
    let entry = secondary_entry as *const () as u32;
    let stack_end = (&raw mut STACK) as u32 + size_of::<Stack>() as u32;
    let started = psci::cpu_on_32::<Hvc>(MPIDR.load(Ordering::Relaxed), entry, stack_end).is_ok();
    if started {
        started_with_caches();
    }
    started
}

/// Has the second CPU turn itself off, and waits until PSCI says that it is. False if it never does.
pub fn stop() -> bool {
    command(Command::Off);
    let mpidr = MPIDR.load(Ordering::Relaxed);
    (0..1_000_000).any(|_| {
        let state = psci::affinity_info_32::<Hvc>(mpidr, LowestAffinityLevel::All);
        state == Ok(AffinityState::Off)
    })
}

/// Has the second CPU do `command`, and waits until it has.
pub fn command(command: Command) {
    // SAFETY: the mailbox, past the caches.
    unsafe { Mailbox::command(mailbox(), command) }
}

/// Whether the second CPU found M or C set when it started.
pub fn started_with_caches() -> bool {
    // SAFETY: likewise.
    unsafe { Mailbox::started_with_caches(mailbox()) }
}

/// Where the second CPU starts, with the end of its stack in r0. The mode is Supervisor.
#[unsafe(naked)]
extern "C" fn secondary_entry() -> ! {
    naked_asm!(
        "mov sp, r0",
        "bl enable_fpu",
        "b {main}",
        main = sym secondary_main,
    )
}

extern "C" fn secondary_main() -> ! {
    let caches_on = caches::any_on();
    execute::install_vectors(1);
    stage1::set_registers();
    // SAFETY: the mailbox, past the caches, and this is the one second CPU.
    unsafe { Mailbox::serve::<isa::A32>(mailbox, caches_on) }
    loop {
        // Does not return where PSCI is right.
        let _ = psci::cpu_off::<Hvc>();
    }
}
