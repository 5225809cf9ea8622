//! A boot that serves many runs, one after the other.
//!
//! Where a hypervisor takes long to boot, an agent on its own system starts a guest each time it is asked
//! to. The session asks by a line on the console, and takes from console and log what belongs to that run:
//! on the console, everything up to the agent's `over`; in the log, everything between the two boundaries
//! that the agent sets. A machine that does not answer any more is killed, and the run is told so; the
//! next run gets a new boot.

use std::{
    fmt,
    io::{self, BufRead, BufReader, PipeReader, Read, Write as _},
    ops::ControlFlow,
    process::{ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use setway_protocol::{
    Channel, Key, RecordWriter, Requester, Stream, parse,
    record::{self, Message, Over},
    word::{GuestEnd, InstructionSet},
};

use super::capture::{self, Capture, End, Inherited, Limit, Limits};
use crate::{
    evidence::{
        exception_log::{Boundary, ExceptionLog},
        excerpt::Excerpt,
    },
    workspace::process::Child,
};

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
pub struct Session {
    child: Child,
    stdin: ChildStdin,
    heard: Receiver<Heard>,
    requests: RecordWriter<Requester>,
    /// What the agent seals its records with.
    key: Key,
    asked: u64,
    /// What the console showed before the first run.
    pub boot: Vec<u8>,
    /// From the start to the agent's first word.
    pub booted_in: Duration,
    stderr: Vec<u8>,
    limits: Limits,
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

/// What the readers hear.
#[derive(Debug)]
enum Heard {
    /// A line of the console, or what came of it before its end.
    Console(Vec<u8>),
    /// Some of QEMU's stderr.
    Stderr(Vec<u8>),
    /// The part of the log that belongs to a run.
    Log(Box<(ExceptionLog, Excerpt)>),
    /// A run has taken more exceptions than it may.
    TooManyExceptions,
}

/// How much longer than its guest may take a run is waited for: the agent has a deadline of its own, and
/// says what became of the guest.
const GRACE: Duration = Duration::from_secs(8);

/// How long to wait for the log of a run that is over.
const LOG: Duration = Duration::from_secs(5);

/// How long to listen to a machine that has crashed or was killed.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What is wrong if that was in vain.
const NO_BOUNDARIES: &str = "QEMU's log does not say which part of it belongs to the run";

impl Session {
    /// Boots what `command` makes, and waits until its agent, which has this `key`, is ready.
    pub fn start(
        command: impl FnOnce(&Inherited) -> io::Result<Command>,
        memory: Option<u64>,
        key: Key,
        limits: Limits,
        crash: &dyn Fn(&str) -> bool,
    ) -> Result<Self, NoSession> {
        let cannot = |error: io::Error| NoSession {
            reason: format!("QEMU cannot be started: {error}"),
            console: Vec::new(),
            duration: Duration::ZERO,
        };
        let started = Instant::now();
        let mut session = Self::spawn(command, memory, key, limits).map_err(cannot)?;
        let deadline = started + limits.boot;
        let mut console = Vec::new();
        let reason = loop {
            match session.next(deadline) {
                Next::Console(line) => {
                    console.extend_from_slice(&line);
                    let line = String::from_utf8_lossy(&line);
                    match agent_says(&line, key) {
                        Some(Message::Ready(_)) => break None,
                        Some(Message::Failed(failed)) => break Some(failed.msg.to_string()),
                        _ if crash(&line) => break Some(line.trim_end().to_owned()),
                        _ => {}
                    }
                }
                Next::Other => {}
                Next::Late => {
                    let seconds = limits.boot.as_secs_f64();
                    break Some(format!("no word of its agent within {seconds} s"));
                }
                Next::Limit(limit) => break Some(format!("it went over a limit: {limit:?}")),
                Next::Ended(status) => break Some(session.ended(status)),
            }
        };
        session.booted_in = started.elapsed();
        match reason {
            None => {
                session.boot = console;
                Ok(session)
            }
            Some(reason) => Err(NoSession {
                reason,
                console,
                duration: session.booted_in,
            }),
        }
    }

    fn spawn(
        command: impl FnOnce(&Inherited) -> io::Result<Command>,
        memory: Option<u64>,
        key: Key,
        limits: Limits,
    ) -> io::Result<Self> {
        let (mut child, log_reader) = capture::spawn(command, memory, Stdio::piped())?;
        let handle = child.handle();
        let missing = || io::Error::other("a pipe of the child is missing");
        let stdin = handle.stdin.take().ok_or_else(missing)?;
        let stdout = handle.stdout.take().ok_or_else(missing)?;
        let stderr = handle.stderr.take().ok_or_else(missing)?;
        let (say, heard) = mpsc::channel();
        let (say_stderr, say_log) = (say.clone(), say.clone());
        thread::spawn(move || read_lines(stdout, &say, Heard::Console));
        thread::spawn(move || read_lines(stderr, &say_stderr, Heard::Stderr));
        thread::spawn(move || read_log(log_reader, limits.exceptions, &say_log));
        Ok(Self {
            child,
            stdin,
            heard,
            requests: RecordWriter::new(),
            key,
            asked: 0,
            boot: Vec::new(),
            booted_in: Duration::ZERO,
            stderr: Vec::new(),
            limits,
        })
    }

    /// Has the agent run a guest. `crash` knows a line by which the hypervisor says that it died. Says as
    /// well whether the session can go on.
    pub fn run(
        &mut self,
        request: &Request<'_>,
        limits: Limits,
        crash: &dyn Fn(&str) -> bool,
    ) -> (Capture, ControlFlow<()>) {
        let started = Instant::now();
        self.asked += 1;
        let line = self.line(request, limits);
        self.stderr.clear();
        let mut run = Collected::default();
        let (end, flow) = match self.stdin.write_all(line.as_bytes()) {
            Ok(()) => self.follow(&mut run, started + limits.time + GRACE, limits, crash),
            // The machine has gone; it says why when its end is seen.
            Err(_) => self.follow(&mut run, started + LOG, limits, crash),
        };
        let duration = started.elapsed();
        let (log, log_text) = run.log.map(|log| *log).unwrap_or_default();
        let stderr = String::from_utf8_lossy(&self.stderr).trim_end().to_owned();
        let capture = Capture {
            console: run.console,
            log,
            log_text,
            stderr,
            end,
            duration,
            key: Some(self.key),
        };
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

    /// Collects what there is of a run, until it is over and its log is there. A machine that will not serve
    /// another is killed.
    fn follow(
        &mut self,
        run: &mut Collected,
        mut deadline: Instant,
        limits: Limits,
        crash: &dyn Fn(&str) -> bool,
    ) -> (End, ControlFlow<()>) {
        let mut end = None;
        let end = loop {
            if run.over && run.log.is_some() {
                return (end.unwrap_or(End::Over), ControlFlow::Continue(()));
            }
            match self.next_of(run, deadline) {
                Next::Console(line) => {
                    let line = String::from_utf8_lossy(&line);
                    if let Some(Message::Over(over)) = agent_says(&line, self.key) {
                        run.over = true;
                        if over.n != self.asked {
                            let said = said(&over);
                            break End::Failed(format!(
                                "the agent answers another request: {said}"
                            ));
                        }
                        end = Some(guest_end(&over, limits));
                        deadline = Instant::now() + LOG;
                    } else if end.is_none() && crash(&line) {
                        // What follows says more.
                        end = Some(End::Failed(line.trim_end().to_owned()));
                        deadline = Instant::now() + LAST_WORDS;
                    } else if run.console.len() > limits.console {
                        break End::Stopped(Limit::Console(limits.console));
                    }
                }
                Next::Other => {}
                Next::Late => {
                    break match (run.over, end) {
                        (true, Some(End::Over) | None) => End::Failed(NO_BOUNDARIES.to_owned()),
                        (_, Some(end)) => end,
                        (false, None) => End::Stopped(Limit::Time(limits.time)),
                    };
                }
                Next::Limit(limit) => break End::Stopped(limit),
                Next::Ended(status) => {
                    break end.unwrap_or_else(|| End::Failed(self.ended(status)));
                }
            }
        };
        self.child.kill();
        let deadline = Instant::now() + LAST_WORDS;
        while !matches!(self.next_of(run, deadline), Next::Late | Next::Ended(_)) {}
        (end, ControlFlow::Break(()))
    }

    /// Waits for the next thing to be heard, and keeps it.
    fn next_of(&mut self, run: &mut Collected, deadline: Instant) -> Next {
        let timeout = deadline.saturating_duration_since(Instant::now());
        match self.heard.recv_timeout(timeout) {
            Ok(Heard::Console(line)) => {
                run.console.extend_from_slice(&line);
                Next::Console(line)
            }
            Ok(Heard::Stderr(text)) => {
                self.stderr.extend_from_slice(&text);
                match self.stderr.len() > self.limits.stderr {
                    true => Next::Limit(Limit::Stderr(self.limits.stderr)),
                    false => Next::Other,
                }
            }
            Ok(Heard::Log(log)) => {
                run.log = Some(log);
                Next::Other
            }
            Ok(Heard::TooManyExceptions) => Next::Limit(Limit::Exceptions(self.limits.exceptions)),
            Err(RecvTimeoutError::Timeout) => Next::Late,
            // All outputs are closed.
            Err(RecvTimeoutError::Disconnected) => Next::Ended(self.child.wait().ok()),
        }
    }

    fn next(&mut self, deadline: Instant) -> Next {
        self.next_of(&mut Collected::default(), deadline)
    }

    /// How the machine ended, where it should not have.
    fn ended(&self, status: Option<ExitStatus>) -> String {
        let stderr = String::from_utf8_lossy(&self.stderr);
        let said = stderr.lines().next().unwrap_or("and said nothing");
        let status = status.map_or_else(|| "unknown status".to_owned(), |it| it.to_string());
        format!("QEMU ended with {status}: {said}")
    }
}

/// What there is of a run.
#[derive(Default)]
struct Collected {
    console: Vec<u8>,
    /// The agent says that the guest has ended.
    over: bool,
    log: Option<Box<(ExceptionLog, Excerpt)>>,
}

/// What to make of what was heard.
enum Next {
    Console(Vec<u8>),
    Other,
    Limit(Limit),
    Late,
    Ended(Option<ExitStatus>),
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

/// Passes on line by line what comes, and at the end what there is without one.
fn read_lines(from: impl Read, say: &Sender<Heard>, what: fn(Vec<u8>) -> Heard) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    // An error of a pipe is its end. A line without end is passed on in parts.
    while (&mut from)
        .take(LINE)
        .read_until(b'\n', &mut line)
        .is_ok_and(|read| read > 0)
    {
        if say.send(what(std::mem::take(&mut line))).is_err() {
            return;
        }
    }
}

/// The longest line that is passed on whole.
const LINE: u64 = 1 << 16;

/// Reads the log and passes on the part of each run.
fn read_log(from: PipeReader, limit: usize, say: &Sender<Heard>) {
    let mut from = BufReader::with_capacity(1 << 16, from);
    let mut line = Vec::new();
    let fresh = || (ExceptionLog::hosted(), Excerpt::default());
    let (mut log, mut text) = fresh();
    let mut within = false;
    while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        text.push(&line);
        let boundary = log.line(&String::from_utf8_lossy(&line));
        line.clear();
        match boundary {
            Some(Boundary::Begins) => {
                (log, text) = fresh();
                within = true;
            }
            Some(Boundary::Ends) if within => {
                let done = std::mem::replace(&mut log, ExceptionLog::hosted());
                let part = Box::new((done, std::mem::take(&mut text)));
                within = false;
                if say.send(Heard::Log(part)).is_err() {
                    return;
                }
            }
            Some(Boundary::Ends) => {}
            None if within && log.charged() > limit => {
                let _ = say.send(Heard::TooManyExceptions);
                break;
            }
            None => {}
        }
    }
    // Of a run that was cut short.
    if within {
        log.close();
        // Nobody listens any more if it is not of interest.
        let _ = say.send(Heard::Log(Box::new((log, text))));
    }
}

impl fmt::Display for NoSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

#[cfg(test)]
mod tests;
