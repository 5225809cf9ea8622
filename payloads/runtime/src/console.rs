//! The console: a PL011 where the device tree says, with records on top.

use arm_pl011_uart::{
    DataBits, LineConfig, PL011Registers, Parity, StopBits, Uart, UniqueMmioPointer,
};
use core::{
    fmt::{self, Write},
    ptr::NonNull,
    sync::atomic::{AtomicUsize, Ordering},
};
use setway_protocol::{RecordWriter, Stream, Value, kind};

/// Where the UART is; 0 before [`init`].
static UART: AtomicUsize = AtomicUsize::new(0);

/// The reference clock of the `virt` board's UART, and a rate that every terminal knows. Only used
/// where nobody has enabled the UART before us, as on emulators, to which neither matters.
const CLOCK_HZ: u32 = 24_000_000;
const BAUD: u32 = 115_200;

/// UARTCR, and its bit UARTEN.
const CONTROL: usize = 0x30;
const ENABLED: u32 = 1;

/// Takes the PL011 at `base` for the console, as firmware has set it up, or else enables it.
///
/// # Safety
///
/// `base` must be the address of a PL011 that is accessible from now on and that nothing else in this
/// image drives.
pub unsafe fn init(base: u64) {
    UART.store(base as usize, Ordering::Relaxed);
    let control = (base as usize + CONTROL) as *const u32;
    // SAFETY: a register of the PL011 that our caller vouches for; reading it has no effect.
    if unsafe { control.read_volatile() } & ENABLED != 0 {
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

/// The driver of the UART that [`init`] was told of.
fn uart() -> Option<Uart<'static>> {
    let base = NonNull::new(UART.load(Ordering::Relaxed) as *mut PL011Registers)?;
    // SAFETY: `init`'s caller vouched for the address. The value does not outlive the statement that
    // asked for it, and only one CPU writes to the console at a time.
    Some(Uart::new(unsafe { UniqueMmioPointer::new(base) }))
}

/// The console as text.
pub struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        uart().map_or(Ok(()), |mut uart| uart.write_str(text))
    }
}

/// One stream of records on the console.
pub struct Records(RecordWriter);

impl Records {
    /// A stream with no record yet.
    pub const fn new(stream: Stream) -> Self {
        Self(RecordWriter::new(stream))
    }

    /// Emits a record.
    pub fn emit(&mut self, kind: &str, fields: &[(&str, Value<'_>)]) {
        // The console cannot fail; formatting does not.
        let _ = self.0.write(&mut Console, kind, fields);
    }

    /// Emits the record that closes the stream.
    pub fn end(&mut self) {
        let _ = self.0.end(&mut Console);
    }
}

/// Says, as a stream of its own, that the speaker gave up. Whatever was said before is incomplete.
pub fn panic(stream: Stream, info: &core::panic::PanicInfo<'_>) {
    // The line that was interrupted ends here.
    let _ = Console.write_str("\r\n");
    Records::new(stream).emit(kind::PANIC, &[("msg", Value::Args(format_args!("{info}")))]);
}
