//! All that a run showed, as it was heard: what the lab hands on, and everything else is read from.

use std::{process::ExitStatus, time::Duration};

use setway_protocol::Key;

use super::{exception_log::ExceptionLog, excerpt::Excerpt};

/// A limit that a run exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// It was still running after this time.
    Time(Duration),
    /// It had taken this many exceptions.
    Exceptions(usize),
    /// It had written this many bytes to the console.
    Console(usize),
    /// Its simulator had written this many bytes to stderr.
    Stderr(usize),
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// By itself.
    Exited(ExitStatus),
    /// Its guest did, and the machine goes on.
    #[default]
    Over,
    /// Hypervisor, machine or agent gave up, with these words.
    Failed(String),
    /// It was stopped.
    Stopped(Limit),
}

/// All that a run showed.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    /// The console, byte for byte.
    pub console: Vec<u8>,
    /// The exceptions taken to EL2; `None` if the machine has no exception log.
    pub log: Option<ExceptionLog>,
    /// The log's text, as far as a person would read it.
    pub log_text: Excerpt,
    /// What the machine's simulator itself had to say.
    pub stderr: String,
    /// How it ended.
    pub end: End,
    /// From start to end.
    pub duration: Duration,
    /// How many boots before this one hung before a guest was entered.
    pub lost_boots: u32,
    /// The key that the boot's hypervisor or agent was given, if it was to seal records with one.
    pub key: Option<Key>,
}

impl Capture {
    /// Whether it was stopped because it took too long, and by the exception log nothing below EL2 had run by then: the
    /// hypervisor hung in its own boot, whatever its guest would have done.
    pub fn hung_in_boot(&self) -> bool {
        let entered = self.log.as_ref().is_none_or(|log| log.left_el2);
        matches!(self.end, End::Stopped(Limit::Time(_))) && !entered
    }
}
