//! What cases need of interrupts: one that software raises, one of the virtual timer, and what a CPU says of them.
//!
//! Payloads run with all interrupts masked. A case opens a window to them by running a probe with PSTATE.I clear,
//! which then ends by the vector of IRQ.

/// The interrupt that software raises, an SGI.
pub const SOFTWARE: u32 = 1;
/// The virtual timer's interrupt, a PPI (Arm BSA, PPI assignments).
pub const TIMER: u32 = 27;

/// CNTV_CTL.ENABLE.
pub const ENABLE: u64 = 1 << 0;
/// CNTV_CTL.IMASK.
pub const IMASK: u64 = 1 << 1;
/// CNTV_CTL.ISTATUS: the timer's condition is met.
pub const ISTATUS: u64 = 1 << 2;

/// The interrupt controller and the generic timer, as the boot CPU sees them.
pub trait Interrupts {
    /// Has [`SOFTWARE`] and [`TIMER`] reach this CPU. False if there is no interrupt controller that is known.
    fn start() -> bool;

    /// Raises [`SOFTWARE`] for this CPU.
    fn raise();

    /// Whether an IRQ is pending, masked or not: ISR.I.
    fn is_pending() -> bool;

    /// Acknowledges the pending interrupt and ends it, having stopped the timer if it is the timer's. `None` if
    /// none is pending.
    fn acknowledge() -> Option<u32>;

    /// CNTVCT.
    fn count() -> u64;

    /// CNTPCT.
    fn physical_count() -> u64;

    /// CNTFRQ; 0 if nobody has set it.
    fn frequency() -> u64;

    /// Turns the virtual timer on, to expire in so many counts: at most 2^31 - 1.
    fn set_timer(counts: u64);

    /// CNTV_CTL.
    fn timer_control() -> u64;

    /// Turns the virtual timer off.
    fn stop_timer();

    /// Where an interrupt's handler returns to: the return address and the saved PSTATE (ELR_EL1 and SPSR_EL1, or
    /// LR_irq and SPSR_irq).
    fn returns_to() -> (u64, u64);
}
