//! Statics that change: those that one party uses, and those that are only ever used by pointer.

use core::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, Ordering},
};

/// A static that one party uses: the one that takes it.
pub struct Exclusive<T> {
    value: UnsafeCell<T>,
    is_taken: AtomicBool,
}

// SAFETY: `take` gives a reference to one taker, who may be on any CPU, hence `Send`.
unsafe impl<T: Send> Sync for Exclusive<T> {}

impl<T> Exclusive<T> {
    /// A cell that nobody has taken.
    pub const fn new(value: T) -> Self {
        Self {
            value: UnsafeCell::new(value),
            is_taken: AtomicBool::new(false),
        }
    }

    /// The value, for good. `None` if it was taken before.
    #[must_use]
    #[expect(
        clippy::mut_from_ref,
        reason = "it gives one reference in all its life"
    )]
    pub fn take(&'static self) -> Option<&'static mut T> {
        if self.is_taken.swap(true, Ordering::Acquire) {
            return None;
        }
        // SAFETY: of all callers only the first gets here.
        Some(unsafe { &mut *self.value.get() })
    }
}

/// A static that is only ever used by pointer, as `core::cell::SyncUnsafeCell` will be once it is stable: for
/// memory that nobody initialises, such as a stack, and for what several CPUs use at once.
///
/// Nothing guards it, and in a guest nothing could: a lock needs exclusive accesses, which are only sure to
/// work on memory that is cacheable (DDI 0487, Synchronization and semaphores), and payloads turn their
/// caches off. Its users argue.
#[repr(transparent)]
pub struct SyncUnsafeCell<T>(UnsafeCell<T>);

// SAFETY: all that is safe is to ask for the pointer; what is done with it is its user's duty.
unsafe impl<T> Sync for SyncUnsafeCell<T> {}

impl<T> SyncUnsafeCell<T> {
    /// A cell that holds `value`.
    pub const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Where the value is. Whoever uses the pointer argues that meanwhile nobody uses it in a way that conflicts.
    pub const fn get(&self) -> *mut T {
        self.0.get()
    }
}
