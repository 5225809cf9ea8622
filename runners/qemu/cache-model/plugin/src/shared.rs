//! The plugin's one state, reached from QEMU's callbacks.
//!
//! QEMU runs all CPUs on one thread, and stops them before it calls a plugin at its end, so no two
//! callbacks run at a time. That is checked at each use, by a flag that is set while the state is in use: a second
//! thread, and a callback within a callback, find it set and end QEMU.

use std::{
    cell::UnsafeCell,
    sync::atomic::{
        AtomicBool,
        Ordering::{Acquire, Release},
    },
};

/// A value that one callback at a time may use.
pub struct Shared<T> {
    value: UnsafeCell<Option<T>>,
    /// Guards `value`: who has changed it from false to true may use the value, until it changes it back. A panic
    /// leaves it set; but panics abort.
    busy: AtomicBool,
}

// SAFETY: `with` lets in one caller at a time, by `busy`.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self {
            value: UnsafeCell::new(None),
            busy: AtomicBool::new(false),
        }
    }

    /// Puts the value there.
    ///
    /// # Panics
    ///
    /// If it is in use.
    pub fn set(&self, value: T) {
        self.lock();
        // SAFETY: `busy` was false, and is true until this is done.
        unsafe { *self.value.get() = Some(value) }
        self.busy.store(false, Release);
    }

    /// Uses the value. Without one, returns the default.
    ///
    /// # Panics
    ///
    /// If it is in use.
    #[inline]
    pub fn with<R: Default>(&self, using: impl FnOnce(&mut T) -> R) -> R {
        self.lock();
        // SAFETY: `busy` was false, and is true until this is done.
        let result = unsafe { (*self.value.get()).as_mut().map_or_else(R::default, using) };
        self.busy.store(false, Release);
        result
    }

    #[inline]
    fn lock(&self) {
        assert!(
            !self.busy.swap(true, Acquire),
            "setway cache model: QEMU must run all CPUs on one thread, with -accel tcg,thread=single"
        );
    }
}
