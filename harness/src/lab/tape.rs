//! The one event loop: it listens to a machine, keeps what belongs to a run, and stops what exceeds its limits.

use std::{
    process::ExitStatus,
    time::{Duration, Instant},
};

use super::machine::{Event, Machine};
use crate::evidence::{
    capture::{Capture, End, Limit},
    exception_log::{Boundary, ExceptionLog},
    excerpt::Excerpt,
};

/// What a run may use before it is killed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Wall time.
    pub time: Duration,
    /// Wall time until a host serves, before the time of a run.
    pub boot: Duration,
    /// Exceptions, as [`ExceptionLog::charged`] counts them. The longest case needs about 35 000.
    pub exceptions: usize,
    /// Bytes on the console.
    pub console: usize,
    /// Bytes on QEMU's own stderr.
    pub stderr: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(20),
            boot: Duration::from_secs(60),
            exceptions: 100_000,
            console: 4 << 20,
            stderr: 1 << 20,
        }
    }
}

/// Which part of the exception log belongs to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// What lies between the two boundaries that an agent sets.
    BetweenBoundaries,
}

/// What the tape has to say of what it hears.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// A line of the console is complete.
    Line(String),
    /// The part of the log that belongs to a run is complete.
    Log,
    /// A limit is exceeded.
    Limit(Limit),
    /// The machine has ended.
    Ended(Option<ExitStatus>),
    /// Nothing more until the given time.
    Late,
}

/// A machine that runs, and what it has said.
#[derive(Debug)]
pub struct Tape<M> {
    machine: M,
    limits: Limits,
    part: Part,
    hosted: bool,
    started: Instant,
    console: Vec<u8>,
    /// Where the line begins that is not complete yet, and where complete ones begin that were not given yet.
    given: usize,
    stderr: Vec<u8>,
    log: ExceptionLog,
    log_text: Excerpt,
    /// A line of the log that is not complete yet.
    log_line: Vec<u8>,
    /// Between boundaries; always, where the whole log counts.
    within: bool,
    /// Lines of the log that were read and not looked at yet.
    log_backlog: Vec<u8>,
    /// The log of the run, once it is complete.
    log_done: Option<(ExceptionLog, Excerpt)>,
    ended: Option<Option<ExitStatus>>,
}

impl<M: Machine> Tape<M> {
    /// Starts `machine`. There is a host beside the guest if it is `hosted`.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn start(
        mut machine: M,
        limits: Limits,
        part: Part,
        hosted: bool,
    ) -> std::io::Result<Self> {
        let started = Instant::now();
        machine.start()?;
        Ok(Self {
            machine,
            limits,
            part,
            hosted,
            started,
            console: Vec::new(),
            given: 0,
            stderr: Vec::new(),
            log: ExceptionLog::new(hosted),
            log_text: Excerpt::default(),
            log_line: Vec::new(),
            within: part == Part::Whole,
            log_backlog: Vec::new(),
            log_done: None,
            ended: None,
        })
    }

    /// The machine.
    pub fn machine(&mut self) -> &mut M {
        &mut self.machine
    }

    /// When it was started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// What it has said of itself so far.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).trim_end().to_owned()
    }

    /// What is on the console so far, and since the last call of this.
    pub fn take_console(&mut self) -> Vec<u8> {
        self.given = 0;
        std::mem::take(&mut self.console)
    }

    /// Forgets what the simulator said of itself, as it is another run's.
    pub fn forget_stderr(&mut self) {
        self.stderr.clear();
    }

    /// Whether the log of the run is complete.
    pub fn has_log(&self) -> bool {
        self.log_done.is_some()
    }

    /// Waits for something to be heard, until `until` at most.
    pub fn next(&mut self, until: Instant) -> Heard {
        loop {
            if let Some(heard) = self.pending() {
                return heard;
            }
            if let Some(status) = self.ended {
                return Heard::Ended(status);
            }
            if Instant::now() >= until {
                return Heard::Late;
            }
            match self.machine.next(until) {
                Event::Console(bytes) => self.console.extend_from_slice(&bytes),
                Event::ExceptionLog(bytes) => self.log_backlog.extend_from_slice(&bytes),
                Event::Stderr(bytes) => {
                    self.stderr.extend_from_slice(&bytes);
                    if self.stderr.len() > self.limits.stderr {
                        self.stderr.truncate(self.limits.stderr);
                        return Heard::Limit(Limit::Stderr(self.limits.stderr));
                    }
                }
                Event::Ended(status) => self.close(status),
                Event::Late => return Heard::Late,
            }
        }
    }

    /// What can be given without listening.
    fn pending(&mut self) -> Option<Heard> {
        if self.console.len() > self.limits.console {
            self.console.truncate(self.limits.console);
            self.given = self.console.len();
            return Some(Heard::Limit(Limit::Console(self.limits.console)));
        }
        if let Some(heard) = self.read_log() {
            return Some(heard);
        }
        let rest = &self.console[self.given..];
        let length = rest.iter().position(|byte| *byte == b'\n')?;
        let line = String::from_utf8_lossy(&rest[..length]).into_owned();
        self.given += length + 1;
        Some(Heard::Line(line))
    }

    /// Looks at the lines of the log that are complete.
    fn read_log(&mut self) -> Option<Heard> {
        let backlog = std::mem::take(&mut self.log_backlog);
        let mut rest = backlog.as_slice();
        let mut heard = None;
        while heard.is_none()
            && let Some(length) = memchr::memchr(b'\n', rest)
        {
            let (line, after) = rest.split_at(length + 1);
            rest = after;
            self.log_line.extend_from_slice(line);
            heard = self.log_line();
        }
        if heard.is_some() {
            self.log_backlog = rest.to_vec();
        } else {
            // The rest has no end of a line, so that nobody has to look at it again.
            self.log_line.extend_from_slice(rest);
        }
        heard
    }

    fn log_line(&mut self) -> Option<Heard> {
        let line = std::mem::take(&mut self.log_line);
        self.log_text.push(&line);
        let boundary = self.log.line(&String::from_utf8_lossy(&line));
        match (self.part, boundary) {
            (Part::BetweenBoundaries, Some(Boundary::Begins)) => {
                // A run begins once. Whoever set another boundary, something of the run is lost.
                let again = self.within || self.has_log();
                self.log = ExceptionLog::new(self.hosted);
                self.log.damaged += usize::from(again);
                self.log_text = Excerpt::default();
                self.within = true;
                None
            }
            (Part::BetweenBoundaries, Some(Boundary::Ends)) if self.within => {
                self.within = false;
                self.finish_log();
                Some(Heard::Log)
            }
            _ if self.within && self.log.charged() > self.limits.exceptions => {
                // No more of it is looked at.
                self.within = false;
                self.finish_log();
                Some(Heard::Limit(Limit::Exceptions(self.limits.exceptions)))
            }
            _ => None,
        }
    }

    fn finish_log(&mut self) {
        let mut log = std::mem::replace(&mut self.log, ExceptionLog::new(self.hosted));
        log.close();
        self.log_done = Some((log, std::mem::take(&mut self.log_text)));
    }

    fn close(&mut self, status: Option<ExitStatus>) {
        self.ended = Some(status);
        if !self.log_line.is_empty() {
            // A line that was cut off.
            self.log_line();
        }
        if self.within {
            self.finish_log();
            self.within = false;
        }
    }

    /// Turns the machine off, and listens to its last words for `last_words` at most.
    pub fn stop(&mut self, last_words: Duration) {
        self.machine.stop();
        self.drain(last_words);
    }

    /// Listens until the machine has ended, for `patience` at most, and keeps all it says.
    pub fn drain(&mut self, patience: Duration) {
        let until = Instant::now() + patience;
        while !matches!(self.next(until), Heard::Ended(_) | Heard::Late) {}
    }

    /// What belongs to a run that began at `began`: everything since the last call of this.
    pub fn take(&mut self, end: End, began: Instant) -> Capture {
        if self.within {
            self.finish_log();
            self.within = self.part == Part::Whole;
        }
        let (log, log_text) = self
            .log_done
            .take()
            .unwrap_or_else(|| (ExceptionLog::new(self.hosted), Excerpt::default()));
        Capture {
            console: self.take_console(),
            log: self.machine.has_exception_log().then_some(log),
            log_text,
            stderr: self.stderr(),
            end,
            duration: began.elapsed(),
            lost_boots: 0,
            key: None,
        }
    }
}

/// Knows the line of the console by which a run ends though the machine goes on.
pub type LastLine = fn(&str) -> bool;

/// How long to read on after the end.
const DRAIN: Duration = Duration::from_secs(2);

/// Makes one run in a boot of its own: starts `machine` and listens until it ends, until a line that `last` knows, or
/// until a limit is exceeded.
///
/// # Errors
///
/// If the machine cannot be started.
pub fn one_run<M: Machine>(
    machine: M,
    limits: Limits,
    last: Option<LastLine>,
    hosted: bool,
) -> std::io::Result<Capture> {
    let mut tape = Tape::start(machine, limits, Part::Whole, hosted)?;
    let began = tape.started();
    let deadline = began + limits.time;
    let end = loop {
        match tape.next(deadline) {
            Heard::Line(line) if last.is_some_and(|last| last(&line)) => break End::Over,
            Heard::Line(_) | Heard::Log => {}
            Heard::Limit(limit) => break End::Stopped(limit),
            Heard::Ended(Some(status)) => break End::Exited(status),
            Heard::Ended(None) => break End::Over,
            Heard::Late => break End::Stopped(Limit::Time(limits.time)),
        }
    };
    if end == End::Over {
        // The cache model writes its account when QEMU ends. One that does not end is stopped.
        tape.machine().ask_to_end();
        tape.drain(DRAIN);
    }
    tape.stop(DRAIN);
    Ok(tape.take(end, began))
}

/// Makes one run as [`one_run`] does, with the machines that `boot` gives, up to `attempts` of them as long as the
/// hypervisor hangs in its own boot. What the last showed, with the number of boots that were lost before.
///
/// # Errors
///
/// If a machine cannot be started.
pub fn one_run_of<M: Machine>(
    mut boot: impl FnMut() -> std::io::Result<M>,
    attempts: u32,
    limits: Limits,
    last: Option<LastLine>,
    hosted: bool,
) -> std::io::Result<Capture> {
    let began = Instant::now();
    let mut lost_boots = 0;
    loop {
        let capture = one_run(boot()?, limits, last, hosted)?;
        if lost_boots + 1 >= attempts || !capture.hung_in_boot() {
            return Ok(Capture {
                lost_boots,
                duration: began.elapsed(),
                ..capture
            });
        }
        lost_boots += 1;
    }
}

#[cfg(test)]
mod tests;
