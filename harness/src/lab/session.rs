//! A boot that serves many runs, one after the other.
//!
//! Where a hypervisor takes long to boot, an agent on its own system starts a guest each time it is asked
//! to. The session asks by a line on the console, and takes from console and log what belongs to that run:
//! on the console, everything up to the agent's `over`; in the log, everything between the two boundaries
//! that the agent sets. A machine that does not answer any more is killed, and the run reports that; the
//! next run gets a new boot.

use std::{
    fmt,
    ops::ControlFlow,
    process::ExitStatus,
    time::{Duration, Instant},
};

use setway_protocol::{
    Channel, Key, RecordWriter, Requester, Stream, parse,
    record::{self, Message, Over},
    word::{GuestEnd, InstructionSet},
};

use super::{
    machine::Machine,
    tape::{Heard, Limits, Part, Tape},
};
use crate::evidence::capture::{Capture, End, Limit};

/// What an agent is asked to run.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The image, as a file of the agent's system.
    pub image: &'a str,
    /// The instruction set.
    pub isa: InstructionSet,
    /// How many vCPUs.
    pub vcpus: u32,
    /// The guest's command line.
    pub arguments: &'a str,
}

/// A machine with an agent that waits for requests.
#[derive(Debug)]
pub struct Session<M> {
    tape: Tape<M>,
    requests: RecordWriter<Requester>,
    /// What the agent seals its records with.
    key: Key,
    asked: u64,
    /// What the console showed before the first run.
    pub boot: Vec<u8>,
    /// From the start to the agent's first record.
    pub booted_in: Duration,
}

/// Why there is no session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoSession {
    /// What happened.
    pub reason: String,
    /// The console up to then.
    pub console: Vec<u8>,
    /// From the start until then.
    pub duration: Duration,
}

/// How much longer than its guest may take a run is waited for: the agent has a deadline of its own, and
/// says what became of the guest.
const GRACE: Duration = Duration::from_secs(8);

/// How long to wait for the log of a run that is over.
const LOG: Duration = Duration::from_secs(5);

/// How long to listen to a machine that has crashed or was killed.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What is wrong if it has not come by then.
const NO_BOUNDARIES: &str = "QEMU's log does not say which part of it belongs to the run";

impl<M: Machine> Session<M> {
    /// Boots `machine`, and waits until its agent, which has this `key`, is ready.
    ///
    /// # Errors
    ///
    /// If the agent does not get ready, with what the console showed.
    pub fn start(
        machine: M,
        key: Key,
        limits: Limits,
        crash: &dyn Fn(&str) -> bool,
    ) -> Result<Self, NoSession> {
        let name = machine.name().to_owned();
        let mut tape =
            Tape::start(machine, limits, Part::BetweenBoundaries, true).map_err(|error| {
                NoSession {
                    reason: format!("{name} cannot be started: {error}"),
                    console: Vec::new(),
                    duration: Duration::ZERO,
                }
            })?;
        let deadline = tape.started() + limits.boot;
        let reason = loop {
            match tape.next(deadline) {
                Heard::Line(line) => match agent_says(&line, key) {
                    Some(Message::Ready(_)) => break None,
                    Some(Message::Failed(failed)) => break Some(failed.msg.to_string()),
                    _ if crash(&line) => break Some(line.trim_end().to_owned()),
                    _ => {}
                },
                Heard::Log => {}
                Heard::Late => {
                    let seconds = limits.boot.as_secs_f64();
                    break Some(format!("the agent did not answer within {seconds} s"));
                }
                Heard::Limit(limit) => break Some(format!("it exceeded a limit: {limit:?}")),
                Heard::Ended(status) => break Some(ended(&mut tape, status)),
            }
        };
        let booted_in = tape.started().elapsed();
        let console = tape.take_console();
        match reason {
            None => Ok(Self {
                tape,
                requests: RecordWriter::new(),
                key,
                asked: 0,
                boot: console,
                booted_in,
            }),
            Some(reason) => Err(NoSession {
                reason,
                console,
                duration: booted_in,
            }),
        }
    }

    /// Has the agent run a guest. `crash` knows a line by which the hypervisor says that it died. Gives as
    /// well whether the session can go on.
    pub fn run(
        &mut self,
        request: &Request<'_>,
        limits: Limits,
        crash: &dyn Fn(&str) -> bool,
    ) -> (Capture, ControlFlow<()>) {
        let began = Instant::now();
        self.asked += 1;
        let line = self.line(request, limits);
        self.tape.forget_stderr();
        let patience = match self.tape.machine().write(line.as_bytes()) {
            Ok(()) => limits.time + GRACE,
            // The machine has gone; it says why when its end is seen.
            Err(_) => LOG,
        };
        let (end, flow) = self.follow(began + patience, limits, crash);
        let mut capture = self.tape.take(end, began);
        capture.key = Some(self.key);
        (capture, flow)
    }

    /// The request as a line.
    fn line(&mut self, request: &Request<'_>, limits: Limits) -> String {
        let seconds = limits.time.as_secs_f64().ceil() as u64;
        let mut line = String::new();
        // Writing to a string cannot fail.
        let _ = self.requests.write(
            &mut line,
            &record::Run {
                n: self.asked,
                image: request.image.into(),
                isa: request.isa,
                vcpus: request.vcpus.into(),
                seconds,
                arguments: request.arguments.into(),
            },
        );
        line
    }

    /// Listens until a run is over and its log is there. A machine that will not serve another is stopped.
    fn follow(
        &mut self,
        mut deadline: Instant,
        limits: Limits,
        crash: &dyn Fn(&str) -> bool,
    ) -> (End, ControlFlow<()>) {
        let mut end = None;
        let mut over = false;
        let end = loop {
            if over && self.tape.has_log() {
                return (end.unwrap_or(End::Over), ControlFlow::Continue(()));
            }
            match self.tape.next(deadline) {
                Heard::Line(line) => {
                    if let Some(Message::Over(record)) = agent_says(&line, self.key) {
                        over = true;
                        if record.n != self.asked {
                            let said = said(&record);
                            break End::Failed(format!(
                                "the agent answers another request: {said}"
                            ));
                        }
                        end = Some(guest_end(&record, limits));
                        deadline = Instant::now() + LOG;
                    } else if end.is_none() && crash(&line) {
                        // What follows says more.
                        end = Some(End::Failed(line.trim_end().to_owned()));
                        deadline = Instant::now() + LAST_WORDS;
                    }
                }
                Heard::Log => {}
                Heard::Late => {
                    break match (over, end) {
                        (true, Some(End::Over) | None) => End::Failed(NO_BOUNDARIES.to_owned()),
                        (_, Some(end)) => end,
                        (false, None) => End::Stopped(Limit::Time(limits.time)),
                    };
                }
                Heard::Limit(limit) => break End::Stopped(limit),
                Heard::Ended(status) => {
                    break end.unwrap_or_else(|| End::Failed(ended(&mut self.tape, status)));
                }
            }
        };
        self.tape.stop(LAST_WORDS);
        (end, ControlFlow::Break(()))
    }
}

/// How a machine ended that should not have.
fn ended<M: Machine>(tape: &mut Tape<M>, status: Option<ExitStatus>) -> String {
    let stderr = tape.stderr();
    let said = stderr.lines().next().unwrap_or("no output on stderr");
    let status = status.map_or_else(|| "unknown status".to_owned(), |it| it.to_string());
    format!("{} ended with {status}: {said}", tape.machine().name())
}

/// What the agent, which has this `key`, says on `line`, if it does.
fn agent_says(line: &str, key: Key) -> Option<Message<'_>> {
    let record = parse(line, Channel::Console(Some(key)))?.ok()?;
    let message = Message::try_from(record).ok()?;
    let is_agents = record.stream == Stream::Agent;
    is_agents.then_some(message)
}

/// How the agent says that a run ended.
fn said(over: &Over<'_>) -> String {
    match over.msg {
        Some(message) => format!("{}: {message}", over.end),
        None => over.end.to_string(),
    }
}

/// What the agent's word for the end of a guest means.
fn guest_end(over: &Over<'_>, limits: Limits) -> End {
    match over.end {
        GuestEnd::Off => End::Over,
        GuestEnd::Timeout => End::Stopped(Limit::Time(limits.time)),
        GuestEnd::Error => End::Failed(format!("the guest could not be run: {}", said(over))),
        GuestEnd::Reset | GuestEnd::Crash => {
            End::Failed(format!("the guest ended by {}", said(over)))
        }
    }
}

impl fmt::Display for NoSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

#[cfg(test)]
mod tests;
