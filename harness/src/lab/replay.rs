//! A kept transcript as a machine: it says again what an earlier run said, so that sessions, evidence, verdicts and reports
//! can be tested, and old runs judged again, without QEMU.

use std::{collections::VecDeque, io, process::ExitStatus, time::Instant};

use super::machine::{Event, Machine};

/// A machine that plays events.
#[derive(Debug)]
pub struct Replay {
    events: VecDeque<Event>,
    /// It had an exception log.
    has_log: bool,
    /// What was written to its console.
    pub written: Vec<u8>,
}

impl Replay {
    /// A machine that plays `events`, one after the other, and then ends.
    pub fn new(events: impl IntoIterator<Item = Event>) -> Self {
        Self {
            events: events.into_iter().collect(),
            has_log: true,
            written: Vec::new(),
        }
    }

    /// A machine that said this, and ended with `status`.
    pub fn of(console: &[u8], log: Option<&[u8]>, stderr: &[u8], status: ExitStatus) -> Self {
        let log = log.map(<[u8]>::to_vec);
        let mut replay = Self::new([]);
        replay.has_log = log.is_some();
        replay.events.extend(log.map(Event::ExceptionLog));
        replay.events.extend([
            Event::Stderr(stderr.to_vec()),
            Event::Console(console.to_vec()),
            Event::Ended(Some(status)),
        ]);
        replay
    }
}

impl Machine for Replay {
    fn name(&self) -> &str {
        "the transcript"
    }

    fn has_exception_log(&self) -> bool {
        self.has_log
    }

    fn start(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn next(&mut self, _until: Instant) -> Event {
        self.events.pop_front().unwrap_or(Event::Ended(None))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written.extend_from_slice(bytes);
        Ok(())
    }

    fn ask_to_end(&mut self) {}

    fn stop(&mut self) {}
}
