//! What can be made to run: a machine, real or simulated, by one interface.
//!
//! [`crate::lab::qemu::Process`] is a QEMU; [`crate::lab::replay::Replay`] plays what an earlier run said. A board
//! needs an implementation of [`Machine`] and nothing else here: the event loop, the limits and sessions are written
//! against the trait.

use std::{fmt::Debug, io, process::ExitStatus, time::Instant};

/// Something that happens on a machine, in the order in which the harness hears of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Bytes from its console.
    Console(Vec<u8>),
    /// Bytes from its exception log, the witness outside of guest and hypervisor.
    ExceptionLog(Vec<u8>),
    /// Bytes that its simulator writes about itself.
    Stderr(Vec<u8>),
    /// It has ended, and everything that it said has been heard. The status is `None` if it cannot be found out, or if
    /// the machine has none.
    Ended(Option<ExitStatus>),
    /// Nothing until the given time.
    Late,
}

/// A machine.
pub trait Machine: Debug + Send {
    /// What reports and errors call it: `QEMU`.
    fn name(&self) -> &str;

    /// Whether it has an exception log.
    fn has_exception_log(&self) -> bool;

    /// Turns it on.
    ///
    /// # Errors
    ///
    /// If it cannot be started at all.
    fn start(&mut self) -> io::Result<()>;

    /// Waits for the next event, until `until` at most.
    fn next(&mut self, until: Instant) -> Event;

    /// Writes to its console.
    ///
    /// # Errors
    ///
    /// If it has gone; [`Machine::next`] then gives its end.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Asks it to end by itself, as one that still has something to write would. It may not.
    fn ask_to_end(&mut self);

    /// Turns it off, whatever it does. What it has said can still be heard.
    fn stop(&mut self);
}
