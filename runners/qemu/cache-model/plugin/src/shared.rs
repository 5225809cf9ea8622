//! The plugin's one state, reached from QEMU's callbacks.
//!
//! QEMU runs all CPUs on one thread, and stops them before it calls a plugin at its end, so no two
//! callbacks run at a time. A lock would say the same, and cost as much as all else that a load costs.

use std::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

/// A value that one callback at a time may use.
pub struct Shared<T> {
    value: UnsafeCell<Option<T>>,
    /// For the case that QEMU runs CPUs on threads of their own, against the README's word.
    busy: AtomicBool,
}

// SAFETY: `with` lets in one at a time, as the head comment says.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self {
            value: UnsafeCell::new(None),
            busy: AtomicBool::new(false),
        }
    }

    /// Puts the value there, before QEMU calls anybody.
    pub fn set(&self, value: T) {
        // SAFETY: there is no callback yet that could use it.
        unsafe { *self.value.get() = Some(value) }
    }

    /// Uses the value.
    ///
    /// # Panics
    ///
    /// If somebody else uses it.
    #[inline]
    pub fn with<R: Default>(&self, using: impl FnOnce(&mut T) -> R) -> R {
        assert!(
            !self.busy.load(Relaxed),
            "setway cache model: QEMU must run all CPUs on one thread, with -accel tcg,thread=single"
        );
        self.busy.store(true, Relaxed);
        // SAFETY: nobody else is here.
        let result = unsafe { (*self.value.get()).as_mut().map_or_else(R::default, using) };
        self.busy.store(false, Relaxed);
        result
    }
}
