//! One run of QEMU, from start to end, within limits.

use std::{
    io::{self, BufRead, BufReader, PipeReader, Read},
    os::fd::{AsRawFd, OwnedFd},
    process::{Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::fs::MemfdFlags;
use setway_protocol::Key;

use crate::{
    evidence::{exception_log::ExceptionLog, excerpt::Excerpt},
    workspace::process::Child,
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

/// A limit that a run went over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// It was still running after this time.
    Time(Duration),
    /// It had taken this many exceptions.
    Exceptions(usize),
    /// It had written this many bytes to the console.
    Console(usize),
    /// It had written this many bytes to stderr.
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
    /// Hypervisor, machine or whoever starts the guests gave up, with these words.
    Failed(String),
    /// We killed it.
    Stopped(Limit),
}

/// All that a run showed.
#[derive(Debug, Default)]
pub struct Capture {
    /// The console, byte for byte.
    pub console: Vec<u8>,
    /// The exceptions taken to EL2.
    pub log: ExceptionLog,
    /// The log's text, as far as a person would read it.
    pub log_text: Excerpt,
    /// What QEMU itself had to say.
    pub stderr: String,
    /// How it ended.
    pub end: End,
    /// From start to end.
    pub duration: Duration,
    /// The key that the boot's hypervisor or agent was given, if it was to seal records with one.
    pub key: Option<Key>,
}

/// What only this boot of QEMU has. Paths open descriptors that QEMU inherits, so there is no file that could
/// fill the disk or be left behind.
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
pub fn fresh_key() -> io::Result<Key> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(Key::new(bytes))
}

/// Starts the command that `command` makes, with `stdin`, and with pipes for its other outputs. Returns as well
/// where its log is to be read, which ends when the process does.
pub(super) fn spawn(
    command: impl FnOnce(&Inherited) -> io::Result<Command>,
    memory: Option<u64>,
    stdin: Stdio,
) -> io::Result<(Child, PipeReader)> {
    let (log_reader, log_writer) = io::pipe()?;
    let memory = memory.map(memory_file).transpose()?;
    let mut command = command(&Inherited {
        log: descriptor_path(&log_writer),
        memory: memory.as_ref().map(descriptor_path).unwrap_or_default(),
        ..Inherited::default()
    })?;
    command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let inherited: Vec<OwnedFd> = memory.into_iter().chain([log_writer.into()]).collect();
    Ok((Child::spawn(command, &inherited)?, log_reader))
}

fn descriptor_path(descriptor: &impl AsRawFd) -> String {
    format!("/dev/fd/{}", descriptor.as_raw_fd())
}

/// A file without a name, of `size` bytes.
fn memory_file(size: u64) -> io::Result<OwnedFd> {
    let file = rustix::fs::memfd_create("setway-memory", MemfdFlags::CLOEXEC)?;
    rustix::fs::ftruncate(&file, size)?;
    Ok(file)
}

/// Knows a line of the console.
pub type Line = fn(&str) -> bool;

/// Why to stop a process.
enum Stop {
    /// A line said that the run is over.
    Over,
    /// It goes on too long.
    Limit(Limit),
}

/// What sets a run apart from that of a machine that has a guest and a hypervisor and then ends.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup {
    /// The bytes of a file for the machine's memory, if it is to be in one.
    pub memory: Option<u64>,
    /// A line on the console that this knows ends the run, though the machine goes on.
    pub last: Option<Line>,
    /// There is a host besides the guest.
    pub hosted: bool,
}

/// Runs the command that `command` makes for what QEMU inherits.
pub fn capture(
    command: impl FnOnce(&Inherited) -> io::Result<Command>,
    setup: Setup,
    limits: Limits,
) -> io::Result<Capture> {
    let start = Instant::now();
    let deadline = start + limits.time;
    let (mut child, log_reader) = spawn(command, setup.memory, Stdio::null())?;
    let stdout = child.handle().stdout.take();
    let stderr = child.handle().stderr.take();

    // Each reader holds a sender; when all have gone, everything has been read.
    let (stop, stopped) = mpsc::channel();
    let (stop_console, stop_stderr) = (stop.clone(), stop.clone());
    let console = Reader::start(Vec::new(), move |text| {
        // Here and below, nobody listens any more if something else came first.
        let over = || drop(stop_console.send(Stop::Over));
        if read_text(stdout, limits.console, text, setup.last, over) {
            let _ = stop_console.send(Stop::Limit(Limit::Console(limits.console)));
        }
    });
    let stderr = Reader::start(Vec::new(), move |text| {
        if read_text(stderr, limits.stderr, text, None, || ()) {
            let _ = stop_stderr.send(Stop::Limit(Limit::Stderr(limits.stderr)));
        }
    });
    let log = match setup.hosted {
        true => ExceptionLog::hosted(),
        false => ExceptionLog::default(),
    };
    let log = Reader::start((log, Excerpt::default()), move |log| {
        read_log(log_reader, limits.exceptions, log, &stop);
    });

    let (status, stop) = loop {
        match stopped.recv_timeout(POLL) {
            Ok(stop) => break (None, Some(stop)),
            Err(RecvTimeoutError::Disconnected) => break (child.wait_until(deadline)?, None),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Some(status) = child.wait_until(Instant::now())? {
            break (Some(status), None);
        }
        if Instant::now() >= deadline {
            break (None, None);
        }
    };
    if matches!(stop, Some(Stop::Over)) {
        // The cache model writes its account when QEMU ends. One that does not end is killed below.
        child.ask_to_end(Instant::now() + DRAIN)?;
    }
    drop(child);
    let duration = start.elapsed();
    let give_up = Instant::now() + DRAIN;
    let console = console.finish(give_up);
    let (log, log_text) = log.finish(give_up);
    let stderr = String::from_utf8_lossy(&stderr.finish(give_up))
        .trim_end()
        .to_owned();
    // A limit may have been met in what was left to read behind the end.
    let end = match (stop.or_else(|| stopped.try_recv().ok()), status) {
        (Some(Stop::Over), _) => End::Over,
        (Some(Stop::Limit(limit)), _) => End::Stopped(limit),
        (None, Some(status)) => End::Exited(status),
        (None, None) => End::Stopped(Limit::Time(limits.time)),
    };
    Ok(Capture {
        console,
        log,
        log_text,
        stderr,
        end,
        duration,
        key: None,
    })
}

/// How often to see whether the process has ended, though its pipes are open.
const POLL: Duration = Duration::from_millis(20);

/// How long to read on after the end. The pipes are then empty and closed, unless the process left
/// somebody behind who holds them and has escaped from its group.
const DRAIN: Duration = Duration::from_secs(2);

/// A thread that fills a `T`, and may be left behind.
struct Reader<T> {
    state: Arc<Mutex<T>>,
    thread: thread::JoinHandle<()>,
}

impl<T: Default + Send + 'static> Reader<T> {
    fn start(state: T, read: impl FnOnce(&Mutex<T>) + Send + 'static) -> Self {
        let state = Arc::new(Mutex::new(state));
        let own = Arc::clone(&state);
        let thread = thread::spawn(move || read(&own));
        Self { state, thread }
    }

    /// What was read, at the end or when it is time to give up.
    fn finish(self, give_up: Instant) -> T {
        while !self.thread.is_finished() && Instant::now() < give_up {
            thread::sleep(Duration::from_millis(1));
        }
        std::mem::take(&mut *self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Reads until the end, or until there is too much, and says whether there is. A line that `last` knows is
/// told to `over`.
fn read_text(
    from: Option<impl Read>,
    limit: usize,
    text: &Mutex<Vec<u8>>,
    last: Option<Line>,
    over: impl Fn(),
) -> bool {
    let Some(mut from) = from else { return false };
    let mut chunk = [0; 1 << 12];
    let mut seen = 0;
    // An error of a pipe is its end; what was read before counts.
    while let Ok(read @ 1..) = from.read(&mut chunk) {
        let mut text = text.lock().unwrap_or_else(PoisonError::into_inner);
        text.extend_from_slice(&chunk[..read]);
        if text.len() > limit {
            text.truncate(limit);
            return true;
        }
        let Some(last) = last else { continue };
        while let Some(length) = text[seen..].iter().position(|byte| *byte == b'\n') {
            if last(&String::from_utf8_lossy(&text[seen..seen + length])) {
                over();
            }
            seen += length + 1;
        }
    }
    false
}

fn read_log(
    from: PipeReader,
    limit: usize,
    state: &Mutex<(ExceptionLog, Excerpt)>,
    stop: &Sender<Stop>,
) {
    let mut from = BufReader::with_capacity(1 << 16, from);
    let mut line = Vec::new();
    // An error of a pipe is its end; what was read before counts.
    while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let (log, text) = &mut *state;
        text.push(&line);
        log.line(&String::from_utf8_lossy(&line));
        line.clear();
        if log.charged() > limit {
            let _ = stop.send(Stop::Limit(Limit::Exceptions(limit)));
            break;
        }
    }
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    state.0.close();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &'static str) -> impl FnOnce(&Inherited) -> io::Result<Command> {
        move |inherited| {
            let mut command = Command::new("bash");
            command.args(["-c", script, "bash", &inherited.log, &inherited.memory]);
            Ok(command)
        }
    }

    fn run(script: &'static str, setup: Setup) -> Capture {
        capture(shell(script), setup, limits()).unwrap()
    }

    fn limits() -> Limits {
        Limits {
            time: Duration::from_millis(400),
            boot: Duration::from_millis(400),
            exceptions: 10,
            console: 1000,
            stderr: 2000,
        }
    }

    #[test]
    fn everything_is_kept() {
        let script = "echo out; echo err >&2; echo log > $1; exit 3";
        let run = run(script, Setup::default());
        assert_eq!(run.console, b"out\n");
        assert_eq!(run.stderr, "err");
        assert_eq!(run.log_text.to_bytes(), b"log\n");
        assert!(matches!(run.end, End::Exited(status) if status.code() == Some(3)));
    }

    #[test]
    fn memory_is_a_file_of_the_right_size() {
        let script = "printf abc | dd of=$2 conv=notrunc status=none; wc -c < $2; head -c 3 $2";
        let setup = Setup {
            memory: Some(1 << 20),
            ..Setup::default()
        };
        let run = run(script, setup);
        assert_eq!(run.console, b"1048576\nabc");
    }

    #[test]
    fn a_hanging_process_is_killed_with_its_children() {
        let run = run("sleep 7.125 & sleep 7.125", Setup::default());
        assert_eq!(run.end, End::Stopped(Limit::Time(limits().time)));
        assert!(run.duration < Duration::from_secs(3));
    }

    #[test]
    fn a_process_that_closes_its_outputs_is_killed_too() {
        let script = "exec >&- 2>&-; eval \"exec ${1##*/}>&-\"; sleep 7.25";
        let run = run(script, Setup::default());
        assert_eq!(run.end, End::Stopped(Limit::Time(limits().time)));
    }

    #[test]
    fn endless_output_is_cut() {
        let run = run("yes", Setup::default());
        assert_eq!(run.end, End::Stopped(Limit::Console(1000)));
        assert_eq!(run.console.len(), 1000);
    }

    #[test]
    fn stderr_has_a_limit_of_its_own() {
        let run = run("yes >&2", Setup::default());
        assert_eq!(run.end, End::Stopped(Limit::Stderr(2000)));
        assert_eq!(run.console, b"");
    }

    #[test]
    fn a_survivor_with_our_pipes_holds_nothing_up() {
        let script = "echo out; setsid sleep 5.25 & exit 0";
        let start = Instant::now();
        let run = run(script, Setup::default());
        assert!(start.elapsed() < Duration::from_secs(4));
        assert!(matches!(run.end, End::Exited(status) if status.success()));
        assert_eq!(run.console, b"out\n");
    }

    #[test]
    fn a_last_line_ends_the_run() {
        let script = "echo one; printf 'the la'; sleep 0.05; echo st; sleep 7.5";
        let last: Line = |line| line == "the last";
        let setup = Setup {
            last: Some(last),
            ..Setup::default()
        };
        let run = run(script, setup);
        assert_eq!(run.end, End::Over);
        assert_eq!(run.console, b"one\nthe last\n");
    }

    const LOOP: &str = "while :; do echo 'Taking exception 1 [Undefined Instruction]
...from EL1 to EL2
...with ESR 0x18/0x62141c1c
...with ELR 0x40200000'; done > $1";

    #[test]
    fn an_exception_loop_is_cut() {
        let run = run(LOOP, Setup::default());
        assert_eq!(run.end, End::Stopped(Limit::Exceptions(10)));
    }

    #[test]
    fn a_hosts_exceptions_are_no_loop() {
        let script = "for i in {1..50}; do echo 'Taking exception 2 [SVC]
...from EL0 to EL1
...with ESR 0x15/0x56000000
...with ELR 0xaaaab0000000'; done > $1";
        let setup = Setup {
            hosted: true,
            ..Setup::default()
        };
        let capture = run(script, setup);
        assert!(matches!(capture.end, End::Exited(status) if status.success()));
        assert_eq!((capture.log.taken, capture.log.charged()), (50, 0));
        let end = run(LOOP, setup).end;
        assert_eq!(end, End::Stopped(Limit::Exceptions(10)));
    }
}
