//! QEMU as a machine: a child process with pipes for console, exception log and stderr.

use std::{
    io::{self, PipeReader, Read, Write as _},
    os::fd::{AsRawFd, OwnedFd},
    process::{ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    thread,
    time::{Duration, Instant},
};

use rustix::fs::MemfdFlags;
use setway_protocol::Key;

use super::machine::{Event, Machine};
use crate::workspace::process::Child;

/// What only this boot of QEMU has. Paths open descriptors that QEMU inherits, so there is no file that could
/// fill the disk or outlive the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inherited {
    /// The key that its hypervisor or agent seals records with, if it does.
    pub key: Option<Key>,
    /// The pipe for its log.
    pub log: String,
    /// The file to keep the machine's memory in, if it is to be in one.
    pub memory: String,
    /// The device tree, if it is not QEMU's own.
    pub device_tree: String,
}

/// A key that nobody knows yet.
///
/// # Errors
///
/// If the system has no random numbers.
pub fn fresh_key() -> io::Result<Key> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(Key::new(bytes))
}

/// A QEMU, before and after its start.
#[derive(Debug)]
pub struct Process {
    prepared: Option<Prepared>,
    running: Option<Running>,
}

/// All that a start needs. What QEMU inherits is open already, so that the command can name it.
#[derive(Debug)]
struct Prepared {
    command: Command,
    inherited: Vec<OwnedFd>,
    log: PipeReader,
}

#[derive(Debug)]
struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    events: Receiver<Event>,
    /// All pipes are closed; what is left is to wait for the end.
    closed: bool,
}

/// The most bytes of one event.
const CHUNK: usize = 1 << 16;

/// How long what has been read waits for more: a fraction of the time in which a pipe fills up.
const MOMENT: Duration = Duration::from_micros(500);

/// How many events may wait. A machine that says more than the harness can read has to wait.
const BACKLOG: usize = 64;

/// How often to see whether the process has ended though another process holds its pipes open.
const POLL: Duration = Duration::from_millis(20);

/// How long to read on after the end. The pipes are then empty and closed, unless the process left
/// a child that holds them and has escaped from its group.
const DRAIN: Duration = Duration::from_secs(2);

impl Process {
    /// What `command` makes for what QEMU inherits, with `memory` bytes of memory in a file, if it is to be in one.
    ///
    /// # Errors
    ///
    /// If pipe or file cannot be made, or `command` fails.
    pub fn new(
        command: impl FnOnce(&Inherited) -> io::Result<Command>,
        memory: Option<u64>,
    ) -> io::Result<Self> {
        let (log, log_writer) = io::pipe()?;
        let memory = memory.map(memory_file).transpose()?;
        let mut command = command(&Inherited {
            log: descriptor_path(&log_writer),
            memory: memory.as_ref().map(descriptor_path).unwrap_or_default(),
            ..Inherited::default()
        })?;
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let prepared = Prepared {
            command,
            inherited: memory.into_iter().chain([log_writer.into()]).collect(),
            log,
        };
        Ok(Self {
            prepared: Some(prepared),
            running: None,
        })
    }
}

impl Machine for Process {
    fn name(&self) -> &str {
        "QEMU"
    }

    fn has_exception_log(&self) -> bool {
        true
    }

    fn start(&mut self) -> io::Result<()> {
        let again = || io::Error::other("it was started before");
        let Prepared {
            command,
            inherited,
            log,
        } = self.prepared.take().ok_or_else(again)?;
        let mut child = Child::spawn(command, &inherited)?;
        // The log ends when QEMU does, so nobody else may hold its writing end.
        drop(inherited);
        let (say, events) = mpsc::sync_channel(BACKLOG);
        let handle = child.handle();
        let stdin = handle.stdin.take();
        // Each reader holds a sender; when all have gone, everything has been read.
        forward(handle.stdout.take(), say.clone(), Event::Console)?;
        forward(handle.stderr.take(), say.clone(), Event::Stderr)?;
        forward(Some(log), say, Event::ExceptionLog)?;
        self.running = Some(Running {
            child,
            stdin,
            events,
            closed: false,
        });
        Ok(())
    }

    fn next(&mut self, until: Instant) -> Event {
        match &mut self.running {
            Some(running) => running.next(until),
            None => Event::Ended(None),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stdin = self.running.as_mut().and_then(|it| it.stdin.as_mut());
        let stdin = stdin.ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?;
        stdin.write_all(bytes)
    }

    fn ask_to_end(&mut self) {
        if let Some(running) = &self.running {
            running.child.ask_to_end();
        }
    }

    fn stop(&mut self) {
        if let Some(running) = &self.running {
            running.child.kill();
        }
    }
}

impl Running {
    fn next(&mut self, until: Instant) -> Event {
        loop {
            let now = Instant::now();
            let wait = POLL.min(until.saturating_duration_since(now));
            if !self.closed {
                match self.events.recv_timeout(wait) {
                    Ok(event) => return event,
                    Err(RecvTimeoutError::Disconnected) => self.closed = true,
                    Err(RecvTimeoutError::Timeout) => {}
                }
            }
            let patience = if self.closed { until } else { Instant::now() };
            match self.child.wait_until(patience) {
                Ok(Some(_)) | Err(_) if !self.closed => {
                    // What it wrote before its end may still be on the way.
                    if let Ok(event) = self.events.recv_timeout(DRAIN) {
                        return event;
                    }
                    self.closed = true;
                }
                Ok(Some(status)) => return Event::Ended(Some(status)),
                Err(_) => return Event::Ended(None),
                Ok(None) if Instant::now() >= until => return Event::Late,
                Ok(None) => {}
            }
        }
    }
}

/// Passes on what is read from `pipe`, in a thread of its own, until its end.
fn forward<R: Read + Send + 'static>(
    pipe: Option<R>,
    say: SyncSender<Event>,
    what: fn(Vec<u8>) -> Event,
) -> io::Result<()> {
    let Some(mut pipe) = pipe else { return Ok(()) };
    // The thread is left alone: it ends when the pipe does.
    thread::Builder::new().spawn(move || {
        let mut chunk = vec![0; CHUNK];
        // An error of a pipe is its end; what was read before counts.
        while let Ok(read @ 1..) = pipe.read(&mut chunk) {
            if say.send(what(chunk[..read].to_vec())).is_err() {
                break;
            }
            // QEMU writes its log line by line. What comes within a moment is read at once, and wakes this up once.
            thread::sleep(MOMENT);
        }
    })?;
    Ok(())
}

fn descriptor_path(descriptor: &impl AsRawFd) -> String {
    format!("/dev/fd/{}", descriptor.as_raw_fd())
}

/// An anonymous file (memfd) of `size` bytes.
fn memory_file(size: u64) -> io::Result<OwnedFd> {
    let file = rustix::fs::memfd_create("setway-memory", MemfdFlags::CLOEXEC)?;
    rustix::fs::ftruncate(&file, size)?;
    Ok(file)
}
