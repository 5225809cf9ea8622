//! A switch that QEMU looks at before it calls, at much less expense than a call.

use std::ffi::c_uint;

use super::abi;

/// Off at first.
#[derive(Debug)]
pub struct Switch {
    score: *mut std::ffi::c_void,
    is_on: bool,
}

// SAFETY: the address of numbers that QEMU keeps, which its own functions reach from any thread.
unsafe impl Send for Switch {}

impl Switch {
    /// A switch that lasts as long as QEMU.
    pub fn new() -> Self {
        Self {
            // SAFETY: QEMU's constructor, of one number of 64 bits for each CPU, which is 0.
            score: unsafe { abi::qemu_plugin_scoreboard_new(size_of::<u64>()) },
            is_on: false,
        }
    }

    /// Turns it on or off for all CPUs: on one thread, QEMU looks at the number of the CPU for which a block was
    /// translated, and not at that of the one that executes it.
    #[inline]
    pub fn set(&mut self, on: bool) {
        if self.is_on != on {
            self.is_on = on;
            // SAFETY: QEMU's own functions, for CPUs that exist.
            unsafe {
                for cpu in 0..abi::qemu_plugin_num_vcpus() {
                    abi::qemu_plugin_u64_set(self.number(), cpu as c_uint, on.into());
                }
            }
        }
    }

    /// What QEMU looks at.
    pub(super) fn number(&self) -> abi::U64 {
        abi::U64 {
            score: self.score,
            offset: 0,
        }
    }
}
