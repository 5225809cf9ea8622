//! The second CPU: started with its caches off, told what to do through the mailbox, and turned off.

use crate::{board::Board, mailbox::Mailbox, psci};
use core::sync::atomic::{AtomicUsize, Ordering};
use setway_cases::{Command, machine::Machine};

#[unsafe(link_section = ".arena.mailbox")]
static mut MAILBOX: Mailbox = Mailbox::new();

/// A stack for the second CPU. It does little, and cases need a part of the cache that the payload leaves
/// alone.
#[repr(C, align(4096))]
struct Stack([u8; 0x4000]);

#[unsafe(link_section = ".stack.secondary")]
static mut STACK: Stack = Stack([0; 0x4000]);

/// MPIDR of the second CPU; all ones if there is none.
static MPIDR: AtomicUsize = AtomicUsize::new(!0);

/// Says at which address the calling CPU, as its MMU is now, finds some memory past the caches.
///
/// # Safety
///
/// What it returns must be the same memory, and not cacheable.
pub unsafe trait PastCaches: Machine {
    /// The address for the memory at the physical address `address`.
    fn past_caches(address: usize) -> usize;
}

fn mailbox<I: PastCaches>() -> *mut Mailbox {
    I::past_caches((&raw mut MAILBOX) as usize) as *mut Mailbox
}

/// Finds out which CPU is the second one; `own` is the affinity of this one.
pub fn init(board: &Board<'_>, own: u64) {
    if let Some(&other) = board.cpus.iter().find(|&&mpidr| mpidr != own) {
        MPIDR.store(other as usize, Ordering::Relaxed);
    }
}

/// Starts the second CPU at the address `entry`, with the end of its stack in the first register, and waits until
/// it can take commands. False if PSCI refused.
pub fn start<I: PastCaches>(entry: usize) -> bool {
    // SAFETY: the mailbox, past the caches, while the second CPU is off.
    unsafe { mailbox::<I>().write_volatile(Mailbox::new()) }
    let stack_end = (&raw mut STACK) as usize + size_of::<Stack>();
    let started = psci::cpu_on(MPIDR.load(Ordering::Relaxed), entry, stack_end).is_ok();
    if started {
        started_with_caches::<I>();
    }
    started
}

/// How often AFFINITY_INFO is asked before a CPU counts as not going off. Each is a trap: many more
/// would run into the harness's limit before the case could say what is wrong.
const POLLS: u32 = 10_000;

/// Has the second CPU turn itself off, and waits until PSCI says that it is. False if it never does.
pub fn stop<I: PastCaches>() -> bool {
    command::<I>(Command::Off);
    let mpidr = MPIDR.load(Ordering::Relaxed);
    (0..POLLS).any(|_| psci::is_off(mpidr))
}

/// Has the second CPU do `command`, and waits until it has.
pub fn command<I: PastCaches>(command: Command) {
    // SAFETY: the mailbox, past the caches.
    unsafe { Mailbox::command(mailbox::<I>(), command) }
}

/// Has the second CPU store `value` at `at`, and waits until it has.
///
/// # Safety
///
/// `at` must be memory that nothing else uses.
pub unsafe fn store<I: PastCaches>(at: *mut u32, value: u32) {
    // SAFETY: the mailbox, past the caches, and as for `at` the caller's.
    unsafe { Mailbox::store(mailbox::<I>(), at, value) }
}

/// Whether the second CPU found M or C set when it started.
pub fn started_with_caches<I: PastCaches>() -> bool {
    // SAFETY: likewise.
    unsafe { Mailbox::started_with_caches(mailbox::<I>()) }
}

/// The second CPU's main program, once its own registers are set up.
pub fn main<I: PastCaches>(caches_on: bool) -> ! {
    // SAFETY: the mailbox, past the caches, and this is the one second CPU.
    unsafe { Mailbox::serve::<I>(mailbox::<I>, caches_on) }
    psci::cpu_off()
}
