//! A PL011, or the part of one that the Server Base System Architecture calls its UART: they carry data
//! by the same registers, and only a PL011 has something to set up.

use arm_pl011_uart::{
    DataBits, LineConfig, PL011Registers, Parity, StopBits, Uart, UniqueMmioPointer,
};
use core::{
    fmt::Write,
    ptr::NonNull,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Where the UART is; 0 before [`init`].
static BASE: AtomicUsize = AtomicUsize::new(0);

/// The reference clock of the `virt` board's UART, and a rate that every terminal knows. Only used
/// where nobody has enabled the UART before us, as on emulators, to which neither matters.
const CLOCK_HZ: u32 = 24_000_000;
const BAUD: u32 = 115_200;

/// UARTCR, and its bit UARTEN.
const CONTROL: usize = 0x30;
const ENABLED: u32 = 1;

/// Takes the UART at `base`.
///
/// # Safety
///
/// `base` must be the address of a PL011 or SBSA UART that is accessible from now on and that nothing else
/// in this image drives. Only one CPU at a time may write to it.
pub unsafe fn init(base: u64) {
    BASE.store(base as usize, Ordering::Relaxed);
}

/// Leaves the PL011 as firmware has set it up, or else enables it. An SBSA UART has none of the registers
/// that this needs.
pub fn enable() {
    let control = BASE.load(Ordering::Relaxed) + CONTROL;
    let Some(control) = NonNull::new(control as *mut u32) else {
        return;
    };
    // SAFETY: a register of the PL011 that `init`'s caller vouched for, and the pointer goes before the
    // driver comes; reading it has no effect.
    let control = unsafe { UniqueMmioPointer::new(control).read_unsafe() };
    if control & ENABLED != 0 {
        return;
    }
    if let Some(mut uart) = uart() {
        let line = LineConfig {
            data_bits: DataBits::Bits8,
            parity: Parity::None,
            stop_bits: StopBits::One,
        };
        // The only error is a rate that cannot be divided down to, and the rate is a constant.
        let _ = uart.enable(line, BAUD, CLOCK_HZ);
    }
}

/// Writes to the UART, waiting until it has taken everything.
pub fn write(text: &str) {
    if let Some(mut uart) = uart() {
        // The console cannot fail.
        let _ = uart.write_str(text);
    }
}

/// The driver of the UART that [`init`] was given.
fn uart() -> Option<Uart<'static>> {
    let base = NonNull::new(BASE.load(Ordering::Relaxed) as *mut PL011Registers)?;
    // SAFETY: `init`'s caller vouched for the address, and that only one CPU at a time writes to the console. The
    // value does not outlive the statement that asked for it.
    Some(Uart::new(unsafe { UniqueMmioPointer::new(base) }))
}
