//! The second CPU: started with its caches off, told what to do through a mailbox.
//!
//! The two CPUs can disagree about whether memory is cacheable, so the mailbox is only ever accessed
//! past the caches: through the non-cacheable mapping by a CPU whose MMU is on, directly by one
//! whose MMU is off.

use crate::{caches, execute, isa, stage1, sysreg};
use core::{
    arch::naked_asm,
    hint::spin_loop,
    sync::atomic::{AtomicU64, Ordering},
};
use setway_cases::{Command, Isa, SetWay};
use setway_runtime::board::Board;
use smccc::{Hvc, psci};

/// What the CPUs tell each other. It lies with the arena, outside the memory that switches maintain.
#[repr(C, align(4096))]
struct Mailbox {
    /// The number of commands given, in the upper half, and the last of them.
    command: u64,
    /// The same, once it is done.
    done: u64,
    /// Whether the second CPU found its M or C set.
    started_with_caches: u64,
}

#[unsafe(link_section = ".arena.mailbox")]
static mut MAILBOX: Mailbox = Mailbox { command: 0, done: 0, started_with_caches: 0 };

/// A stack for the second CPU.
#[repr(C, align(4096))]
struct Stack([u8; 0x8000]);

#[unsafe(link_section = ".stack.secondary")]
static mut STACK: Stack = Stack([0; 0x8000]);

/// MPIDR of the second CPU, and !0 if there is none.
static MPIDR: AtomicU64 = AtomicU64::new(!0);

/// Finds out which CPU is the second one, and clears the mailbox while no cache is on.
pub fn init(board: &Board<'_>) {
    let own = sysreg::read!("mpidr_el1") & 0xff_00ff_ffff;
    if let Some(&other) = board.cpus.iter().find(|&&mpidr| mpidr != own) {
        MPIDR.store(other, Ordering::Relaxed);
    }
    // SAFETY: caches are off and there is no second CPU yet.
    unsafe { (&raw mut MAILBOX).write_volatile(Mailbox { command: 0, done: 0, started_with_caches: 0 }) }
}

/// The mailbox as this CPU has to address it now.
fn mailbox() -> *mut Mailbox {
    let address = (&raw mut MAILBOX) as u64;
    let mmu_on = sysreg::read!("sctlr_el1") & 1 != 0;
    (if mmu_on { stage1::uncached(address) } else { address }) as *mut Mailbox
}

/// Starts the second CPU. Returns whether PSCI did it.
pub fn start() -> bool {
    // The new CPU reads its code and stack past the caches: have them in memory.
    caches::set(true, true);
    let entry = secondary_entry as *const () as u64;
    let stack_end = (&raw mut STACK) as u64 + size_of::<Stack>() as u64;
    psci::cpu_on::<Hvc>(MPIDR.load(Ordering::Relaxed), entry, stack_end).is_ok()
}

/// Has the second CPU do `command`, and waits until it has.
pub fn command(command: Command) {
    let mailbox = mailbox();
    // SAFETY: the mailbox is only accessed through volatile operations, uncached on both sides, and
    // each field has one writer.
    unsafe {
        let next = ((*mailbox).command >> 32) + 1;
        let word = next << 32 | command as u64;
        (&raw mut (*mailbox).command).write_volatile(word);
        barrier();
        while (&raw const (*mailbox).done).read_volatile() != word {
            spin_loop();
        }
    }
}

/// Whether the second CPU found M or C set. Waits until it has said so.
pub fn started_with_caches() -> bool {
    let mailbox = mailbox();
    loop {
        // SAFETY: as in `command`.
        match unsafe { (&raw const (*mailbox).started_with_caches).read_volatile() } {
            0 => spin_loop(),
            answer => return answer == 2,
        }
    }
}

fn barrier() {
    // SAFETY: a barrier.
    unsafe { core::arch::asm!("dsb sy", options(nostack)) }
}

/// Where the second CPU starts, with the end of its stack in x0.
#[unsafe(naked)]
extern "C" fn secondary_entry() -> ! {
    naked_asm!("mov sp, x0", "b {main}", main = sym secondary_main)
}

extern "C" fn secondary_main() -> ! {
    let answer = if caches::any_on() { 2 } else { 1 };
    execute::install_vectors();
    stage1::set_registers();
    // SAFETY: as in `command`; this CPU is the only writer of these two fields.
    unsafe { (&raw mut (*mailbox()).started_with_caches).write_volatile(answer) }
    let mut last = 0;
    loop {
        // SAFETY: likewise.
        let word = unsafe { (&raw const (*mailbox()).command).read_volatile() };
        if word == last {
            spin_loop();
            continue;
        }
        last = word;
        let off = obey(word as u32);
        barrier();
        // SAFETY: likewise.
        unsafe { (&raw mut (*mailbox()).done).write_volatile(word) }
        if off {
            let _ = psci::cpu_off::<Hvc>();
        }
    }
}

/// Does one command; returns whether it was to turn this CPU off.
fn obey(command: u32) -> bool {
    match command {
        c if c == Command::SetWay as u32 => isa::A64::set_way(SetWay::Clean, 0),
        c if c == Command::Contextidr as u32 => isa::A64::write_contextidr(7),
        c if c == Command::CachesOn as u32 => caches::set(true, true),
        c if c == Command::CachesOff as u32 => caches::set(false, false),
        _ => return true,
    }
    false
}
