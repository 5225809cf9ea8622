//! How the boot CPU commands another one.
//!
//! The two can disagree about whether memory is cacheable, so the mailbox is only ever accessed past
//! the caches: through the non-cacheable mapping by a CPU whose MMU is on, directly by one whose MMU
//! is off. It lies with the arena, outside the memory that a payload maintains by VA.

use crate::clock::Deadline;
use core::arch::asm;
use setway_architecture::maintenance::SetWayOp;
use setway_cases::{Command, Found, bare::Bare};

/// What the CPUs exchange; each field has one writer.
#[repr(C, align(4096))]
pub struct Mailbox {
    /// The number of commands given, from bit 8, and the last of them. One word, so that the other
    /// CPU sees all of it or nothing, in AArch32 too.
    command: u32,
    /// The same, once it is done.
    done: u32,
    /// 1 once the other CPU runs, 0 before.
    started: u32,
    /// What the other CPU found when it started.
    found: Found,
    /// What a command needs: an address, low word first, and a value.
    operands: [u32; 3],
    /// What the last command has to say.
    answer: u32,
}

impl Mailbox {
    /// A mailbox without a command.
    pub const fn new() -> Self {
        Self {
            command: 0,
            done: 0,
            started: 0,
            found: Found::NOTHING,
            operands: [0; 3],
            answer: 0,
        }
    }

    /// Gives the other CPU a command about an address and a value, of which most commands need neither.
    ///
    /// # Safety
    ///
    /// `mailbox` must be a non-cacheable address of the mailbox that the other CPU serves, and the last command must be
    /// done. If `command` is [`Command::Store`] or [`Command::Fetch`], `at` must be memory that nothing else uses.
    pub unsafe fn give(mailbox: *mut Mailbox, command: Command, at: *mut u32, value: u32) {
        let address = at as u64;
        let operands = [address as u32, (address >> 32) as u32, value];
        // SAFETY: our caller's; this CPU is the only writer of both fields, and the other one reads the operands only
        // once it has the command.
        unsafe {
            (&raw mut (*mailbox).operands).write_volatile(operands);
            barrier();
            let next = ((&raw const (*mailbox).command).read_volatile() >> 8) + 1;
            (&raw mut (*mailbox).command).write_volatile(next << 8 | command as u32);
            barrier();
        }
    }

    /// Waits until the other CPU has done what it was given, and says what it answers.
    ///
    /// # Safety
    ///
    /// As for [`Mailbox::give`].
    pub unsafe fn wait_for(mailbox: *mut Mailbox) -> u32 {
        // SAFETY: our caller's; the other CPU writes its answer first.
        unsafe {
            let word = (&raw const (*mailbox).command).read_volatile();
            while (&raw const (*mailbox).done).read_volatile() != word {
                wait();
            }
            barrier();
            (&raw const (*mailbox).answer).read_volatile()
        }
    }

    /// Waits until the other CPU runs, or `deadline` is over. Says whether it runs.
    ///
    /// # Safety
    ///
    /// As for [`Mailbox::give`].
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

    /// What the other CPU found when it started; [`Found::NOTHING`] before it runs.
    ///
    /// # Safety
    ///
    /// As for [`Mailbox::give`].
    pub unsafe fn found(mailbox: *mut Mailbox) -> Found {
        // SAFETY: our caller's; the other CPU writes this field before it says that it runs.
        unsafe { (&raw const (*mailbox).found).read_volatile() }
    }

    /// Another CPU's main program: obeys commands until one turns it off.
    ///
    /// # Safety
    ///
    /// `locate` must return the non-cacheable address of one and the same mailbox, whether this CPU's
    /// MMU is on or off, and this must be the only CPU that serves it.
    pub unsafe fn serve<I: Bare>(locate: impl Fn() -> *mut Mailbox, found: Found) {
        // SAFETY: our caller's, and this CPU is the only writer of `found`, `started` and `done`.
        unsafe {
            (&raw mut (*locate()).found).write_volatile(found);
            barrier();
            (&raw mut (*locate()).started).write_volatile(1);
        }
        let mut last = 0;
        loop {
            // SAFETY: the mailbox that `locate` gives, whose `command` the boot CPU alone writes.
            let word = unsafe { (&raw const (*locate()).command).read_volatile() };
            if word == last {
                wait();
                continue;
            }
            last = word;
            // SAFETY: the mailbox that `locate` gives; with the command came what it needs.
            let [low, high, value] = unsafe { (&raw const (*locate()).operands).read_volatile() };
            let at = (u64::from(high) << 32 | u64::from(low)) as usize as *mut u32;
            // SAFETY: what `give` was called with, whose caller says so.
            let answer = unsafe { obey::<I>(word & 0xff, at, value) };
            // SAFETY: the mailbox that `locate` gives, whose `answer` and `done` this CPU alone writes.
            unsafe {
                (&raw mut (*locate()).answer).write_volatile(answer.unwrap_or(0));
                barrier();
                (&raw mut (*locate()).done).write_volatile(word);
            }
            if answer.is_none() {
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

/// Does one command and returns its answer, if there may be another command.
///
/// # Safety
///
/// If `command` is [`Command::Store`] or [`Command::Fetch`], `at` must be aligned memory, and nobody else may use it.
unsafe fn obey<I: Bare>(command: u32, at: *mut u32, value: u32) -> Option<u32> {
    match command {
        // SAFETY: the caller's.
        c if c == Command::Store as u32 => unsafe { at.write_volatile(value) },
        // SAFETY: the caller's.
        c if c == Command::Fetch as u32 => return Some(unsafe { at.read_volatile() }),
        c if c == Command::SetWay as u32 => {
            // SAFETY: the op cleans.
            unsafe { I::set_way(SetWayOp::Csw, 0) }
        }
        c if c == Command::Contextidr as u32 => I::write_contextidr(7),
        c if c == Command::CachesOn as u32 => I::set_caches(true, true),
        c if c == Command::CachesOff as u32 => I::set_caches(false, false),
        c if c == Command::Hammer as u32 => return Some(setway_cases::hammer::<I>(value)),
        c if c == Command::Disturb as u32 => I::disturb(),
        c if c == Command::Select as u32 => I::select_cache(value.into()),
        c if c == Command::Selected as u32 => return Some(I::selected_cache() as u32),
        _ => return setway_cases::obey::<I>(command).then_some(0),
    }
    Some(0)
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
