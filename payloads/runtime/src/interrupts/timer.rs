//! The virtual timer and the CPU's own view of interrupts, in the registers of either state.

use core::arch::asm;

/// CNTV_CTL.ENABLE.
const ENABLE: u64 = 1;

/// Reads a register of AArch64, or one of 32 or 64 bits of AArch32. Volatile, because each read is another.
#[cfg(target_arch = "aarch64")]
macro_rules! read {
    ($name:literal, $($aarch32:tt)*) => {
        crate::mrs!($name)
    };
}

#[cfg(target_arch = "arm")]
macro_rules! read {
    ($name:literal, mrc $operands:literal) => {{
        let value: u32;
        // SAFETY: reading this register changes nothing.
        unsafe { asm!(concat!("mrc ", $operands), out(reg) value, options(nomem, nostack)) }
        u64::from(value)
    }};
    ($name:literal, mrrc $opc1:literal) => {{
        let (low, high): (u32, u32);
        // SAFETY: reading this register changes nothing.
        unsafe {
            asm!(concat!("mrrc p15, ", $opc1, ", {}, {}, c14"), out(reg) low, out(reg) high,
                options(nomem, nostack));
        }
        u64::from(high) << 32 | u64::from(low)
    }};
}

/// CNTPCT.
pub fn physical_count() -> u64 {
    synchronize();
    read!("cntpct_el0", mrrc "0")
}

/// CNTV_CTL.
pub fn control() -> u64 {
    synchronize();
    read!("cntv_ctl_el0", mrc "p15, 0, {}, c14, c3, 1")
}

/// Whether ISR.I is set.
pub fn is_irq_pending() -> bool {
    const I: u64 = 1 << 7;
    synchronize();
    read!("isr_el1", mrc "p15, 0, {}, c12, c1, 0") & I != 0
}

/// Turns the virtual timer on, to expire in `counts`.
pub fn set(counts: u64) {
    #[cfg(target_arch = "aarch64")]
    // SAFETY: nobody else uses the timer, and its interrupt is masked.
    unsafe {
        crate::msr!("cntv_tval_el0", counts);
        crate::msr!("cntv_ctl_el0", ENABLE);
    }
    #[cfg(target_arch = "arm")]
    // SAFETY: nobody else uses the timer, and its interrupt is masked.
    unsafe {
        asm!("mcr p15, 0, {}, c14, c3, 0", in(reg) counts as u32, options(nostack));
        asm!("mcr p15, 0, {}, c14, c3, 1", in(reg) ENABLE as u32, options(nostack));
    }
    synchronize();
}

/// Turns the virtual timer off.
pub fn stop() {
    #[cfg(target_arch = "aarch64")]
    // SAFETY: nobody else uses the timer.
    unsafe {
        crate::msr!("cntv_ctl_el0", 0u64);
    }
    #[cfg(target_arch = "arm")]
    // SAFETY: nobody else uses the timer.
    unsafe {
        asm!("mcr p15, 0, {}, c14, c3, 1", in(reg) 0, options(nostack));
    }
    synchronize();
}

/// Waits until what was written to registers and devices has its effect here.
pub fn synchronize() {
    // SAFETY: barriers.
    unsafe { asm!("dsb sy", "isb", options(nostack)) }
}

/// Return address and saved PSTATE of the last interrupt.
#[cfg(target_arch = "aarch64")]
pub fn returns_to() -> (u64, u64) {
    (crate::mrs!("elr_el1"), crate::mrs!("spsr_el1"))
}

/// Return address and saved PSTATE of the last interrupt.
#[cfg(target_arch = "arm")]
pub fn returns_to() -> (u64, u64) {
    let (link, saved): (u32, u32);
    // SAFETY: reading the registers of another mode changes nothing. The payload runs in Supervisor mode.
    unsafe {
        asm!(".arch_extension virt", "mrs {}, lr_irq", "mrs {}, spsr_irq", out(reg) link, out(reg) saved,
            options(nomem, nostack));
    }
    (link.into(), saved.into())
}
