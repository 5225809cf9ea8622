//! The console, on whatever the device tree says there is, with records on top.

mod uart;
#[cfg(target_os = "none")]
mod xen;

use crate::board::Port;
use core::{
    fmt::{self, Write},
    hint::spin_loop,
    sync::atomic::{AtomicU8, AtomicUsize, Ordering},
};
use setway_protocol::{Key, Kind, RecordWriter, Speaker, record};

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
/// else in this image may drive it. Only one CPU at a time may write to the console.
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
pub struct Records<S>(RecordWriter<S>);

impl<S: Speaker> Default for Records<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Speaker> Records<S> {
    /// A stream with no record yet.
    pub const fn new() -> Self {
        Self(RecordWriter::new())
    }

    /// A stream with no record yet, whose lines are sealed with `key`.
    pub const fn keyed(key: Key) -> Self {
        Self(RecordWriter::keyed(key))
    }

    /// Emits a record.
    pub fn emit(&mut self, record: &impl Kind) {
        // The console cannot fail; formatting does not.
        let _ = self.0.write(&mut Console, record);
    }

    /// Emits the record that closes the stream.
    pub fn end(&mut self) {
        let _ = self.0.end(&mut Console);
    }
}

/// Waits forever on all CPUs but one of those that give up at the same time, whose records would mix.
///
/// There is no atomic exchange in it: with the caches off, memory need not support exclusives (DDI 0487, "Load-Exclusive and
/// Store-Exclusive instruction usage restrictions"). Where two CPUs still go on, the record of each is damaged, as it was.
fn be_the_only_one() {
    /// An address on the stack of the CPU that speaks.
    static SPEAKS: AtomicUsize = AtomicUsize::new(0);
    /// How often a CPU waits for another that has looked at the same time.
    const TURNS: u32 = 10_000;
    let place = 0;
    let own = (&raw const place).addr();
    let mut is_free = SPEAKS.load(Ordering::Relaxed) == 0;
    if is_free {
        SPEAKS.store(own, Ordering::Relaxed);
        (0..TURNS).for_each(|_| spin_loop());
        is_free = SPEAKS.load(Ordering::Relaxed) == own;
    }
    if !is_free {
        loop {
            spin_loop();
        }
    }
}

/// Says, as a stream of its own, that the speaker gave up. Whatever was said before is incomplete.
pub fn panic<S: Speaker>(mut records: Records<S>, info: &core::panic::PanicInfo<'_>) {
    be_the_only_one();
    // The line that was interrupted ends here.
    let _ = Console.write_str("\r\n");
    records.emit(&record::Panic {
        msg: format_args!("{info}").into(),
    });
}
