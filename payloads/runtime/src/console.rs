//! The console, on whatever the device tree says there is, with records on top.

mod uart;
#[cfg(target_os = "none")]
mod xen;

use crate::board::Port;
use core::{
    fmt::{self, Write},
    sync::atomic::{AtomicU8, Ordering},
};
use setway_protocol::{RecordWriter, Stream, Value, kind};

/// What carries the console: one of the constants.
static CARRIER: AtomicU8 = AtomicU8::new(NOTHING);
const NOTHING: u8 = 0;
const UART: u8 = 1;
const XEN: u8 = 2;

/// Takes `port` for the console.
///
/// # Safety
///
/// What `port` names must be there from now on, accessible as a device if it has an address, and nothing
/// else in this image may drive it.
pub unsafe fn init(port: Port) {
    let carrier = match port {
        Port::Pl011(base) => {
            // SAFETY: our caller's.
            unsafe { uart::init(base) }
            uart::enable();
            UART
        }
        Port::SbsaUart(base) => {
            // SAFETY: our caller's.
            unsafe { uart::init(base) }
            UART
        }
        Port::Xen => XEN,
    };
    CARRIER.store(carrier, Ordering::Relaxed);
}

/// The console as text.
pub struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match CARRIER.load(Ordering::Relaxed) {
            UART => uart::write(text),
            #[cfg(target_os = "none")]
            XEN => xen::write(text),
            _ => {}
        }
        Ok(())
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
