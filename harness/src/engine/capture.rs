//! One run of QEMU, from start to end, within limits.

use std::{
    io::{self, BufRead, BufReader, PipeReader, Read},
    os::fd::AsRawFd,
    process::{Command, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use super::{exception_log::ExceptionLog, excerpt::Excerpt, process::Child};

/// What a run may use before it is killed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Wall time.
    pub time: Duration,
    /// Exceptions taken, to whichever level. The longest case needs about 35 000.
    pub exceptions: usize,
    /// Bytes on the console.
    pub console: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(20),
            exceptions: 200_000,
            console: 4 << 20,
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
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself.
    Exited(ExitStatus),
    /// We killed it.
    Stopped(Limit),
}

/// All that a run showed.
#[derive(Debug)]
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
}

/// Where QEMU finds the pipe that its exception log goes to: a path that, in QEMU, opens the
/// descriptor it inherited. So there is no file that could fill the disk or be left behind.
fn descriptor_path(number: i32) -> String {
    format!("/dev/fd/{number}")
}

/// Runs the command that `command` makes for a given path of the exception log.
pub fn capture(
    command: impl FnOnce(&str) -> io::Result<Command>,
    limits: Limits,
) -> io::Result<Capture> {
    let (log_reader, log_writer) = io::pipe()?;
    let mut command = command(&descriptor_path(log_writer.as_raw_fd()))?;
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let start = Instant::now();
    let deadline = start + limits.time;
    let mut child = Child::spawn(command, log_writer.into())?;
    let stdout = child.handle().stdout.take();
    let stderr = child.handle().stderr.take();

    thread::scope(|scope| {
        // Each reader holds a sender; when all have gone, everything has been read.
        let (stop, stopped) = mpsc::channel();
        let stop_console = stop.clone();
        let stop_stderr = stop.clone();
        let console = scope.spawn(move || read_console(stdout, limits.console, &stop_console));
        let log = scope.spawn(move || read_log(log_reader, limits.exceptions, &stop));
        let stderr = scope.spawn(move || {
            let text = read_console(stderr, limits.console, &stop_stderr);
            String::from_utf8_lossy(&text).trim_end().to_owned()
        });

        let left = deadline.saturating_duration_since(Instant::now());
        let exceeded = match stopped.recv_timeout(left) {
            Ok(limit) => Some(limit),
            Err(RecvTimeoutError::Timeout) => Some(Limit::Time(limits.time)),
            Err(RecvTimeoutError::Disconnected) => None,
        };
        let status = match exceeded {
            Some(_) => None,
            None => child.wait_until(deadline)?,
        };
        let end = match (status, exceeded) {
            (Some(status), _) => End::Exited(status),
            (None, Some(limit)) => End::Stopped(limit),
            (None, None) => End::Stopped(Limit::Time(limits.time)),
        };
        drop(child);
        let duration = start.elapsed();
        let (log, log_text) = log.join().unwrap_or_default();
        Ok(Capture {
            console: console.join().unwrap_or_default(),
            log,
            log_text,
            stderr: stderr.join().unwrap_or_default(),
            end,
            duration,
        })
    })
}

/// Reads until the end, or until there is too much.
fn read_console(from: Option<impl Read>, limit: usize, stop: &Sender<Limit>) -> Vec<u8> {
    let mut text = Vec::new();
    let Some(from) = from else { return text };
    // An error of a pipe is its end; what was read before counts.
    let _ = from.take(limit as u64 + 1).read_to_end(&mut text);
    if text.len() > limit {
        text.truncate(limit);
        // Nobody listens any more if another limit came first.
        let _ = stop.send(Limit::Console(limit));
    }
    text
}

fn read_log(from: PipeReader, limit: usize, stop: &Sender<Limit>) -> (ExceptionLog, Excerpt) {
    let (mut log, mut text) = (ExceptionLog::default(), Excerpt::default());
    let mut from = BufReader::with_capacity(1 << 16, from);
    let mut line = Vec::new();
    // An error of a pipe is its end; what was read before counts.
    while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        text.push(&line);
        log.line(&String::from_utf8_lossy(&line));
        line.clear();
        if log.taken > limit {
            // Nobody listens any more if another limit came first.
            let _ = stop.send(Limit::Exceptions(limit));
            break;
        }
    }
    log.close();
    (log, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &'static str) -> impl FnOnce(&str) -> io::Result<Command> {
        move |log| {
            let mut command = Command::new("bash");
            command.args(["-c", script, "bash", log]);
            Ok(command)
        }
    }

    fn limits() -> Limits {
        Limits {
            time: Duration::from_millis(400),
            exceptions: 10,
            console: 1000,
        }
    }

    #[test]
    fn everything_is_kept() {
        let run = capture(
            shell("echo out; echo err >&2; echo log > $1; exit 3"),
            limits(),
        )
        .unwrap();
        assert_eq!(run.console, b"out\n");
        assert_eq!(run.stderr, "err");
        assert_eq!(run.log_text.to_bytes(), b"log\n");
        assert!(matches!(run.end, End::Exited(status) if status.code() == Some(3)));
    }

    #[test]
    fn a_hanging_process_is_killed_with_its_children() {
        let run = capture(shell("sleep 7.125 & sleep 7.125"), limits()).unwrap();
        assert_eq!(run.end, End::Stopped(Limit::Time(limits().time)));
        assert!(run.duration < Duration::from_secs(3));
    }

    #[test]
    fn a_process_that_closes_its_outputs_is_killed_too() {
        let run = capture(
            shell("exec >&- 2>&-; eval \"exec ${1##*/}>&-\"; sleep 7.25"),
            limits(),
        )
        .unwrap();
        assert_eq!(run.end, End::Stopped(Limit::Time(limits().time)));
    }

    #[test]
    fn endless_output_is_cut() {
        let run = capture(shell("yes"), limits()).unwrap();
        assert_eq!(run.end, End::Stopped(Limit::Console(1000)));
        assert_eq!(run.console.len(), 1000);
    }

    #[test]
    fn an_exception_loop_is_cut() {
        let script = "while :; do echo 'Taking exception 1 [Undefined Instruction]
...from EL1 to EL2
...with ESR 0x18/0x62141c1c
...with ELR 0x40200000'; done > $1";
        let run = capture(shell(script), limits()).unwrap();
        assert_eq!(run.end, End::Stopped(Limit::Exceptions(10)));
    }
}
