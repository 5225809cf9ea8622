//! Waiting no longer than some time, by the generic timer's virtual count.

use core::arch::asm;

/// A moment to give up at.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(u64);

impl Deadline {
    /// So many seconds from now. Where nobody has set the timer's frequency, that is never.
    pub fn after(seconds: u64) -> Self {
        Self(match frequency() {
            0 => u64::MAX,
            frequency => count().saturating_add(seconds * frequency),
        })
    }

    /// Whether it is past.
    pub fn is_over(self) -> bool {
        count() >= self.0
    }
}

/// CNTVCT.
#[cfg(target_arch = "aarch64")]
pub fn count() -> u64 {
    let count: u64;
    // SAFETY: reading a counter changes nothing. Volatile, because each read is another.
    unsafe { asm!("mrs {}, cntvct_el0", out(reg) count, options(nomem, nostack)) }
    count
}

/// CNTFRQ; 0 if nobody has set it.
#[cfg(target_arch = "aarch64")]
pub fn frequency() -> u64 {
    crate::mrs!("cntfrq_el0")
}

/// CNTVCT.
#[cfg(target_arch = "arm")]
pub fn count() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reading a counter changes nothing. Volatile, because each read is another.
    unsafe {
        asm!("mrrc p15, 1, {}, {}, c14", out(reg) low, out(reg) high, options(nomem, nostack));
    }
    u64::from(high) << 32 | u64::from(low)
}

/// CNTFRQ; 0 if nobody has set it.
#[cfg(target_arch = "arm")]
pub fn frequency() -> u64 {
    let frequency: u32;
    // SAFETY: reading CNTFRQ changes nothing.
    unsafe {
        asm!("mrc p15, 0, {}, c14, c0, 0", out(reg) frequency, options(nomem, nostack));
    }
    frequency.into()
}
