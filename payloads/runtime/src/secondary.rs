//! The other CPUs: started with their caches off, commanded through a mailbox each, and turned off.
//!
//! Cases number them from 1, in the order of the device tree. What belongs to one lies where its own MPIDR says, so that
//! it finds its stack whatever arguments a hypervisor gives it.

use crate::{board::Board, clock::Deadline, exclusive::SyncUnsafeCell, mailbox::Mailbox, psci};
use core::sync::atomic::{AtomicUsize, Ordering};
use setway_cases::{Call, Command, Found, MAX_CPUS, Place, Start, bare::Bare};

/// What two CPUs use at once, by [`slot`] of the other one: each field has one writer, every access is volatile and past
/// the caches, and no reference to it is ever made.
#[unsafe(link_section = ".arena.mailbox")]
static MAILBOXES: SyncUnsafeCell<[Mailbox; MAX_CPUS]> =
    SyncUnsafeCell::new([const { Mailbox::new() }; MAX_CPUS]);

/// How large another CPU's stack is. It does little, and cases need a part of the cache that the payload
/// leaves alone.
pub const STACK_SIZE: usize = 0x1000;

/// Memory for a stack.
#[repr(C, align(4096))]
pub struct Stack([u8; STACK_SIZE]);

/// The stacks of the other CPUs, by [`slot`]. No other CPU touches one, and it starts anew only after PSCI has reported
/// its CPU to be off.
#[unsafe(link_section = ".stack.secondary")]
pub static STACKS: SyncUnsafeCell<[Stack; MAX_CPUS]> =
    SyncUnsafeCell::new([const { Stack([0; STACK_SIZE]) }; MAX_CPUS]);

/// MPIDR of each CPU, the boot CPU first; all ones where there is none.
static MPIDR: [AtomicUsize; MAX_CPUS] = [const { AtomicUsize::new(!0) }; MAX_CPUS];

/// The place of what belongs to the CPU `mpidr`: the low bits of Aff0, as the entry points compute it, too.
const fn slot(mpidr: usize) -> usize {
    mpidr % MAX_CPUS
}

/// Says at which address the calling CPU, as its MMU is now, finds some memory past the caches.
///
/// # Safety
///
/// What it returns must be the same memory, and not cacheable.
pub unsafe trait PastCaches: Bare {
    /// The address for the memory at the physical address `address`.
    fn past_caches(address: usize) -> usize;
}

/// The mailbox of the CPU `mpidr`.
fn mailbox<I: PastCaches>(mpidr: usize) -> *mut Mailbox {
    let address = I::past_caches(MAILBOXES.get() as usize) as *mut Mailbox;
    address.wrapping_add(slot(mpidr))
}

/// Finds out which CPUs there are; `own` is the affinity of this one. A CPU whose place another has is not used.
pub fn init(board: &Board<'_>, own: u64) {
    MPIDR[0].store(own as usize, Ordering::Relaxed);
    let mut used = 1 << slot(own as usize);
    let mut number = 1;
    for &mpidr in &board.cpus {
        let place = 1 << slot(mpidr as usize);
        if mpidr != own && used & place == 0 {
            used |= place;
            MPIDR[number].store(mpidr as usize, Ordering::Relaxed);
            number += 1;
        }
    }
}

/// MPIDR affinity of CPU `cpu`; the boot CPU is number 0.
pub fn mpidr(cpu: usize) -> usize {
    MPIDR[cpu].load(Ordering::Relaxed)
}

/// Starts CPU `cpu` at the address `entry` as `how` says, and waits until it can take commands. False if PSCI refused, or
/// the CPU does not reach its entry point.
pub fn start<I: PastCaches>(cpu: usize, entry: usize, how: &Start) -> bool {
    let mpidr = mpidr(cpu);
    // SAFETY: the mailbox, past the caches, while its CPU is off.
    unsafe { mailbox::<I>(mpidr).write_volatile(Mailbox::new()) }
    let cpu_on = match how.call {
        Call::Native => psci::cpu_on,
        Call::Narrow => psci::cpu_on_32,
        Call::NarrowUnderOnes => psci::cpu_on_32_under_ones,
        Call::BigEndian => psci::cpu_on_big_endian,
    };
    (how.before)();
    let started = cpu_on(mpidr, entry, how.context as usize).is_ok();
    // SAFETY: the mailbox, past the caches.
    started && unsafe { Mailbox::runs(mailbox::<I>(mpidr), Deadline::after(START_LIMIT)) }
}

/// What AFFINITY_INFO says of CPU `cpu`, by a 32-bit call with ones in the upper halves of its registers, where they have
/// one.
pub fn affinity_by_32_bit_call(cpu: usize) -> u32 {
    psci::affinity_info_32(mpidr(cpu))
}

/// Seconds after which a CPU counts as not started. A simulator with caches is slow.
const START_LIMIT: u64 = 8;

/// How often AFFINITY_INFO is asked before a CPU counts as not going off. Each is a trap: many more
/// would run into the harness's limit before the case could say what is wrong.
const POLLS: u32 = 10_000;

/// Has CPU `cpu` turn itself off, and waits until PSCI says that it is. False if it never does.
pub fn stop<I: PastCaches>(cpu: usize) -> bool {
    give::<I>(cpu, Command::Off, 0);
    wait_for::<I>(cpu);
    let mpidr = mpidr(cpu);
    (0..POLLS).any(|_| psci::is_off(mpidr))
}

/// Gives CPU `cpu` a command, which must not be about a place.
///
/// # Panics
///
/// If it is.
pub fn give<I: PastCaches>(cpu: usize, command: Command, value: u32) {
    assert!(!matches!(command, Command::Store | Command::Fetch));
    // SAFETY: the mailbox, past the caches.
    unsafe {
        Mailbox::give(
            mailbox::<I>(mpidr(cpu)),
            command,
            core::ptr::null_mut(),
            value,
        )
    }
}

/// Waits until CPU `cpu` has done what it was given, and says what it answers.
pub fn wait_for<I: PastCaches>(cpu: usize) -> u32 {
    // SAFETY: the mailbox, past the caches.
    unsafe { Mailbox::wait_for(mailbox::<I>(mpidr(cpu))) }
}

/// Has CPU `cpu` store `value` at `place`, and waits until it has.
pub fn store<I: PastCaches>(cpu: usize, place: Place, value: u32) {
    access::<I>(cpu, Command::Store, place, value);
}

/// Has CPU `cpu` load the word at `place`.
pub fn load<I: PastCaches>(cpu: usize, place: Place) -> u32 {
    access::<I>(cpu, Command::Fetch, place, 0)
}

/// Has CPU `cpu` access the word at `place`.
///
/// # Panics
///
/// If the place has no room for it.
fn access<I: PastCaches>(cpu: usize, command: Command, place: Place, value: u32) -> u32 {
    let at = place.as_ptr().cast::<u32>();
    assert!(size_of::<u32>() <= place.size() && at.is_aligned());
    // SAFETY: the mailbox, past the caches; and a place is memory that nothing but the case uses, which waits.
    unsafe { Mailbox::give(mailbox::<I>(mpidr(cpu)), command, at, value) }
    wait_for::<I>(cpu)
}

/// What CPU `cpu` found when it started.
pub fn found<I: PastCaches>(cpu: usize) -> Found {
    // SAFETY: the mailbox, past the caches.
    unsafe { Mailbox::found(mailbox::<I>(mpidr(cpu))) }
}

/// The main program of the CPU `own`, an affinity, once its own registers are set up; `found` is what it found.
pub fn main<I: PastCaches>(own: u64, found: Found) -> ! {
    // SAFETY: the mailbox, past the caches, and this is the one CPU whose it is.
    unsafe { Mailbox::serve::<I>(|| mailbox::<I>(own as usize), found) }
    psci::cpu_off()
}
