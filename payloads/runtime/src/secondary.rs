//! The second CPU: started with its caches off, commanded through the mailbox, and turned off.

use crate::{board::Board, clock::Deadline, exclusive::SyncUnsafeCell, mailbox::Mailbox, psci};
use core::sync::atomic::{AtomicUsize, Ordering};
use setway_cases::{Command, Place, SECONDARY_CONTEXT, bare::Bare};

/// What both CPUs use at once: each field has one writer, every access is volatile and past the caches, and no
/// reference to it is ever made.
#[unsafe(link_section = ".arena.mailbox")]
static MAILBOX: SyncUnsafeCell<Mailbox> = SyncUnsafeCell::new(Mailbox::new());

/// How large the second CPU's stack is. It does little, and cases need a part of the cache that the payload
/// leaves alone.
pub const STACK_SIZE: usize = 0x4000;

/// Memory for a stack.
#[repr(C, align(4096))]
pub struct Stack([u8; STACK_SIZE]);

/// The second CPU's stack. It finds that by itself: a hypervisor may get its arguments wrong. No other CPU
/// touches it, and it starts anew only after PSCI has reported the CPU to be off.
#[unsafe(link_section = ".stack.secondary")]
pub static STACK: SyncUnsafeCell<Stack> = SyncUnsafeCell::new(Stack([0; STACK_SIZE]));

/// MPIDR of the second CPU; all ones if there is none.
static MPIDR: AtomicUsize = AtomicUsize::new(!0);

/// Says at which address the calling CPU, as its MMU is now, finds some memory past the caches.
///
/// # Safety
///
/// What it returns must be the same memory, and not cacheable.
pub unsafe trait PastCaches: Bare {
    /// The address for the memory at the physical address `address`.
    fn past_caches(address: usize) -> usize;
}

fn mailbox<I: PastCaches>() -> *mut Mailbox {
    I::past_caches(MAILBOX.get() as usize) as *mut Mailbox
}

/// Finds out which CPU is the second one; `own` is the affinity of this one.
pub fn init(board: &Board<'_>, own: u64) {
    if let Some(&other) = board.cpus.iter().find(|&&mpidr| mpidr != own) {
        MPIDR.store(other as usize, Ordering::Relaxed);
    }
}

/// Starts the second CPU at the address `entry`, with [`SECONDARY_CONTEXT`] in the first register, and waits
/// until it can take commands. False if PSCI refused, or the CPU does not reach its entry point.
pub fn start<I: PastCaches>(entry: usize) -> bool {
    start_by::<I>(entry, psci::cpu_on)
}

/// The same by a 32-bit call, with ones in the upper halves of its registers where they have one.
pub fn start_by_32_bit_call<I: PastCaches>(entry: usize) -> bool {
    start_by::<I>(entry, psci::cpu_on_32)
}

/// What AFFINITY_INFO says of the second CPU, by such a call.
pub fn affinity_by_32_bit_call() -> u32 {
    psci::affinity_info_32(MPIDR.load(Ordering::Relaxed))
}

/// PSCI's CPU_ON, of a CPU by its MPIDR, at an address, with a context.
type CpuOn = fn(usize, usize, usize) -> Result<(), psci::Error>;

fn start_by<I: PastCaches>(entry: usize, cpu_on: CpuOn) -> bool {
    // SAFETY: the mailbox, past the caches, while the second CPU is off.
    unsafe { mailbox::<I>().write_volatile(Mailbox::new()) }
    let context = SECONDARY_CONTEXT as usize;
    let started = cpu_on(MPIDR.load(Ordering::Relaxed), entry, context).is_ok();
    // SAFETY: the mailbox, past the caches.
    started && unsafe { Mailbox::runs(mailbox::<I>(), Deadline::after(START_LIMIT)) }
}

/// Seconds after which a CPU counts as not started. A simulator with caches is slow.
const START_LIMIT: u64 = 8;

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

/// Has the second CPU store `value` at `place`, and waits until it has.
///
/// # Panics
///
/// If the place has no room for it.
pub fn store<I: PastCaches>(place: Place, value: u32) {
    let at = place.as_ptr().cast::<u32>();
    assert!(size_of::<u32>() <= place.size() && at.is_aligned());
    // SAFETY: the mailbox, past the caches; and a place is memory that nothing but the case uses, which waits.
    unsafe { Mailbox::store(mailbox::<I>(), at, value) }
}

/// Whether the second CPU found M or C set when it started.
pub fn started_with_caches<I: PastCaches>() -> bool {
    // SAFETY: the mailbox, past the caches.
    unsafe { Mailbox::started_with_caches(mailbox::<I>()) }
}

/// What the second CPU found in its first register when it started.
pub fn context<I: PastCaches>() -> u32 {
    // SAFETY: the mailbox, past the caches.
    unsafe { Mailbox::context(mailbox::<I>()) }
}

/// The second CPU's main program, once its own registers are set up; `context` is what it found in the
/// first one.
pub fn main<I: PastCaches>(context: usize, caches_on: bool) -> ! {
    // SAFETY: the mailbox, past the caches, and this is the one second CPU.
    unsafe { Mailbox::serve::<I>(mailbox::<I>, context as u32, caches_on) }
    psci::cpu_off()
}
