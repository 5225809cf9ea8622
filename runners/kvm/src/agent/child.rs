//! The child that runs one guest.

use std::{
    io::{self, Read},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use setway_protocol::{Channel, Key, parse, record::Over, word::GuestEnd};

use super::request::Request;
use crate::end::End;

/// How much longer than the guest the child may take.
const GRACE: Duration = Duration::from_secs(3);

/// Most bytes that are kept of what a child writes on stderr.
const OUTPUT_LIMIT: usize = 256 << 10;

/// How a child ended.
#[derive(Debug)]
pub struct Finished {
    /// How its guest ended, or that the child itself failed.
    pub end: End,
    /// It had to be killed, or died, and may have left things behind.
    pub died: bool,
}

/// Runs `request` in a child, which traces with the instance `instance` and seals its records with `key`.
pub fn run(request: &Request, instance: &str, build: u64, key: Key) -> Finished {
    match try_run(request, instance, build, key) {
        Ok(finished) => finished,
        Err(error) => Finished {
            end: End::because(GuestEnd::Error, format_args!("cannot run a child: {error}")),
            died: true,
        },
    }
}

fn try_run(request: &Request, instance: &str, build: u64, key: Key) -> io::Result<Finished> {
    let mut command = Command::new("/proc/self/exe");
    let numbers = [
        ("--vcpus", request.vcpus),
        ("--seconds", request.seconds),
        ("--request", request.n),
        ("--build", build),
    ];
    for (option, number) in numbers {
        command.args([option, &number.to_string()]);
    }
    // One word each, so that nothing which they hold is taken for an option.
    command.arg(format!("--command-line={}", request.arguments));
    command.arg(format!("--instance={instance}"));
    command.arg(format!("--key={key}"));
    command.args(["--", &request.image]);
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let limit = Duration::from_secs(request.seconds) + GRACE;
    let heard = listen(&mut child, Instant::now() + limit);
    let killed = !matches!(heard, Ok((_, true)));
    if killed {
        // It may have ended meanwhile.
        let _ = child.kill();
    }
    let status = child.wait()?;
    let output = heard.map(|(output, _)| output).unwrap_or_default();
    Ok(judge(
        &String::from_utf8_lossy(&output),
        key,
        status,
        killed,
    ))
}

/// Reads what the child writes on stderr until it closes that, or until `deadline`. True if it was closed.
fn listen(child: &mut Child, deadline: Instant) -> io::Result<(Vec<u8>, bool)> {
    let mut output = Vec::new();
    let Some(mut stderr) = child.stderr.take() else {
        return Ok((output, false));
    };
    let mut bytes = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // A time that does not fit is as good as any.
        let left = Timespec::try_from(left).ok();
        let ready = {
            let mut fds = [PollFd::new(&stderr, PollFlags::IN)];
            match poll(&mut fds, left.as_ref()) {
                Err(rustix::io::Errno::INTR) => continue,
                ready => ready?,
            }
        };
        if ready == 0 {
            return Ok((output, false));
        }
        match stderr.read(&mut bytes)? {
            0 => return Ok((output, true)),
            count if output.len() < OUTPUT_LIMIT => output.extend_from_slice(&bytes[..count]),
            _ => {}
        }
    }
}

/// What to make of a child that wrote `output`, sealed with `key`, and ended as `status`.
fn judge(output: &str, key: Key, status: ExitStatus, killed: bool) -> Finished {
    let told = output.lines().rev().find_map(|line| {
        let record = parse(line, Channel::Console(Some(key)))?.ok()?;
        let over = Over::try_from(record).ok()?;
        Some(End::of(&over))
    });
    if let (Some(end), false, Some(_)) = (told, killed, status.code()) {
        return Finished { end, died: false };
    }
    let last = output.lines().rev().find(|line| !line.trim().is_empty());
    let last = last.unwrap_or("it wrote nothing");
    let why = if killed {
        "took too long, killed"
    } else {
        "failed"
    };
    let message = format_args!("the child {why} ({status}): {last}");
    Finished {
        end: End::because(GuestEnd::Error, message),
        died: true,
    }
}
