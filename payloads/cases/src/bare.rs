//! Cases without a hypervisor: what a payload offers them besides what every case can do, and what they expect.
//!
//! They test the machine that the other cases stand on: what the caches themselves do, natively, to a program at
//! EL1.

mod expected;

use crate::{isa::Isa, random::Form};
use core::ops::Range;
use setway_architecture::maintenance::VaOp;

pub use expected::{BySchedule, Expectations, Expected};
pub(crate) use expected::{
    FRESH, IF_CLEAN, IF_CLEAN_BY_VA, IF_EVICTED, STALE, TO_SYSTEM_CACHE, UNLESS_MOVED,
    UNLESS_REFILLED, WITHOUT_SYSTEM_CACHE,
};

/// A page of addresses whose translation is the case's to change. Its table entry lies in the arena.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Where the page is seen; without a valid entry an access aborts.
    pub address: *const u64,
    /// The offset in the arena of the translation table whose first entry it is.
    pub table: usize,
    /// The entry that leads to the page at a physical address, cacheable.
    pub entry: fn(page: usize) -> u64,
    /// Bytes of an entry.
    pub entry_size: usize,
}

/// Cache maintenance at first hand. Everything here is complete when it returns.
pub trait Bare: Isa {
    /// Issues one op by VA.
    ///
    /// # Safety
    ///
    /// `address` must be mapped. If `op` does not clean, nothing may be lost with what the caches hold of its line.
    unsafe fn by_va(op: VaOp, address: *const u8);

    /// Waits for everything before, ops by set/way among it (DSB).
    fn barrier();

    /// The payload's memory that is written to: data and stacks.
    fn own_memory() -> Range<usize>;

    /// The page whose translation may be changed.
    fn window() -> Window;

    /// Says whether table walks go through the caches.
    fn set_walks(cacheable: bool);

    /// Forgets all translations.
    fn invalidate_tlb();

    /// The two instructions of a function that returns `value`, which is below 256.
    fn code(value: u8) -> [u32; 2];

    /// Forgets all instructions that were fetched (IC IALLU, DSB, ISB).
    fn invalidate_instructions();

    /// Calls the function at `address`, whose instructions [`code`](Self::code) made.
    ///
    /// # Safety
    ///
    /// Whatever bytes a fetch finds there must be those of such a function.
    unsafe fn call(address: *const u32) -> u64;

    /// Accesses memory at `address` in one of the ways of [`crate::random::forms`]. What is loaded comes
    /// into `buffer`, what is stored comes from there.
    ///
    /// # Safety
    ///
    /// `form` must be one of this instruction set's, and the memory that it accesses at `address` one that only
    /// the case uses, aligned and mapped as the form needs it.
    unsafe fn access(form: &Form, address: *mut u8, buffer: &mut Buffer);
}

/// The bytes of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(64))]
pub struct Buffer(pub [u8; 64]);
