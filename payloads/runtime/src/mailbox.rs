//! How the boot CPU commands the second one.
//!
//! The two can disagree about whether memory is cacheable, so the mailbox is only ever accessed past
//! the caches: through the non-cacheable mapping by a CPU whose MMU is on, directly by one whose MMU
//! is off. It lies with the arena, outside the memory that a payload maintains by VA.

use crate::clock::Deadline;
use core::arch::asm;
use setway_architecture::maintenance::SetWayOp;
use setway_cases::{Command, bare::Bare};

/// What the CPUs exchange; each field has one writer.
#[repr(C, align(4096))]
pub struct Mailbox {
    /// The number of commands given, from bit 8, and the last of them. One word, so that the other
    /// CPU sees all of it or nothing, in AArch32 too.
    command: u32,
    /// The same, once it is done.
    done: u32,
    /// 1 if the second CPU found its M and C clear, 2 if not, 0 before it runs.
    started: u32,
    /// What the second CPU found in its first register.
    context: u32,
    /// Where [`Command::Store`] stores, low word first, and what.
    store: [u32; 3],
}

impl Mailbox {
    /// A mailbox without a command.
    pub const fn new() -> Self {
        Self {
            command: 0,
            done: 0,
            started: 0,
            context: 0,
            store: [0; 3],
        }
    }

    /// Has the second CPU store `value` at `at`, and waits until it has.
    ///
    /// # Safety
    ///
    /// As for [`Mailbox::command`], and `at` must be memory that nothing else uses.
    pub unsafe fn store(mailbox: *mut Mailbox, at: *mut u32, value: u32) {
        let address = at as u64;
        let operands = [address as u32, (address >> 32) as u32, value];
        // SAFETY: our caller's; the second CPU reads them only once it has the command.
        unsafe {
            (&raw mut (*mailbox).store).write_volatile(operands);
            barrier();
            Self::command(mailbox, Command::Store);
        }
    }

    /// Has the second CPU do `command`, and waits until it has.
    ///
    /// # Safety
    ///
    /// `mailbox` must be a non-cacheable address of the mailbox that the second CPU serves.
    pub unsafe fn command(mailbox: *mut Mailbox, command: Command) {
        // SAFETY: our caller's, and this CPU is the only writer of `command`.
        unsafe {
            let next = ((&raw const (*mailbox).command).read_volatile() >> 8) + 1;
            let word = next << 8 | command as u32;
            (&raw mut (*mailbox).command).write_volatile(word);
            barrier();
            while (&raw const (*mailbox).done).read_volatile() != word {
                wait();
            }
        }
    }

    /// Waits until the second CPU runs, or `deadline` is over. Says whether it runs.
    ///
    /// # Safety
    ///
    /// As for [`Mailbox::command`].
    pub unsafe fn runs(mailbox: *mut Mailbox, deadline: Deadline) -> bool {
        // SAFETY: our caller's.
        while unsafe { (&raw const (*mailbox).started).read_volatile() } == 0 {
            if deadline.is_over() {
                return false;
            }
            wait();
        }
        true
    }

    /// Waits until the second CPU runs, and says whether it found M or C set.
    ///
    /// # Safety
    ///
    /// As for [`Mailbox::command`].
    pub unsafe fn started_with_caches(mailbox: *mut Mailbox) -> bool {
        loop {
            // SAFETY: our caller's.
            match unsafe { (&raw const (*mailbox).started).read_volatile() } {
                0 => wait(),
                answer => return answer == 2,
            }
        }
    }

    /// Waits until the second CPU runs, and says what it found in its first register.
    ///
    /// # Safety
    ///
    /// As for [`Mailbox::command`].
    pub unsafe fn context(mailbox: *mut Mailbox) -> u32 {
        // SAFETY: our caller's; the second CPU writes this field first.
        unsafe {
            Self::started_with_caches(mailbox);
            (&raw const (*mailbox).context).read_volatile()
        }
    }

    /// The second CPU's main program: obeys commands until one turns it off.
    ///
    /// # Safety
    ///
    /// `locate` must return the non-cacheable address of one and the same mailbox, whether this CPU's
    /// MMU is on or off, and this must be the only CPU that serves it.
    pub unsafe fn serve<I: Bare>(locate: fn() -> *mut Mailbox, context: u32, caches_on: bool) {
        // SAFETY: our caller's, and this CPU is the only writer of `context`, `started` and `done`.
        unsafe {
            (&raw mut (*locate()).context).write_volatile(context);
            barrier();
            (&raw mut (*locate()).started).write_volatile(if caches_on { 2 } else { 1 });
        }
        let mut last = 0;
        loop {
            // SAFETY: the mailbox that `locate` gives, whose `command` the first CPU alone writes.
            let word = unsafe { (&raw const (*locate()).command).read_volatile() };
            if word == last {
                wait();
                continue;
            }
            last = word;
            // SAFETY: the mailbox that `locate` gives; with the command came what it needs.
            let [low, high, value] = unsafe { (&raw const (*locate()).store).read_volatile() };
            let at = (u64::from(high) << 32 | u64::from(low)) as usize as *mut u32;
            // SAFETY: what `store` was called with, whose caller says so.
            let goes_on = unsafe { obey::<I>(word & 0xff, at, value) };
            barrier();
            // SAFETY: the mailbox that `locate` gives, whose `done` this CPU alone writes.
            unsafe { (&raw mut (*locate()).done).write_volatile(word) }
            if !goes_on {
                return;
            }
        }
    }
}

impl Default for Mailbox {
    fn default() -> Self {
        Self::new()
    }
}

/// Does one command; returns whether there may be another.
///
/// # Safety
///
/// If `command` is [`Command::Store`], `at` must be aligned and writable, and nobody else may use it.
unsafe fn obey<I: Bare>(command: u32, at: *mut u32, value: u32) -> bool {
    match command {
        // SAFETY: the caller's.
        c if c == Command::Store as u32 => unsafe { at.write_volatile(value) },
        c if c == Command::SetWay as u32 => {
            // SAFETY: the op cleans.
            unsafe { I::set_way(SetWayOp::Csw, 0) }
        }
        c if c == Command::Contextidr as u32 => I::write_contextidr(7),
        c if c == Command::CachesOn as u32 => I::set_caches(true, true),
        c if c == Command::CachesOff as u32 => I::set_caches(false, false),
        _ => return setway_cases::obey::<I>(command),
    }
    true
}

/// Lets other CPUs go first. `core::hint::spin_loop` is an ISB in A64, which a simulator that runs all
/// CPUs on one thread takes no hint from.
fn wait() {
    // SAFETY: a hint.
    unsafe { asm!("yield", options(nostack, nomem)) }
}

fn barrier() {
    // SAFETY: a barrier.
    unsafe { asm!("dsb sy", options(nostack)) }
}
