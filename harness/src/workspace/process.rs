//! Child processes that cannot outlive the harness.
//!
//! A run that hangs must be killed with all it started, and nothing must outlive an interrupted
//! harness. So each child leads a process group of its own, dies with the thread that
//! started it, is killed when its handle is dropped, and is known to the signal handler.

use std::{
    collections::BTreeSet,
    io::{self, Read},
    os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd},
    os::unix::process::CommandExt,
    process::{Command, ExitStatus, Output, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    io::FdFlags,
    process::{
        Pid, Signal, WaitId, WaitIdOptions, getpid, getppid, kill_process, kill_process_group,
        set_parent_process_death_signal, waitid,
    },
};

/// The groups that are alive, for the signal handler.
static GROUPS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// How often a child that has closed its outputs is asked whether it has ended.
const POLL: Duration = Duration::from_millis(1);

/// A child and the process group it leads.
#[derive(Debug)]
pub struct Child {
    child: std::process::Child,
    group: Option<Pid>,
}

impl Child {
    /// Starts `command`, to which each of `inherited` stays open under its own number.
    pub fn spawn(mut command: Command, inherited: &[OwnedFd]) -> io::Result<Self> {
        command.process_group(0);
        let numbers = inherited.iter().map(AsRawFd::as_raw_fd).collect();
        bind_to_this_thread(&mut command, numbers);
        // The lock is held over the start so that the signal handler cannot miss a new group.
        let mut groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
        let child = command.spawn()?;
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        groups.extend(group.map(Pid::as_raw_pid));
        Ok(Self { child, group })
    }

    /// The child's own handle, for its pipes.
    pub fn handle(&mut self) -> &mut std::process::Child {
        &mut self.child
    }

    /// Kills the whole group.
    pub fn kill(&self) {
        if let Some(group) = self.group {
            // An error means that nobody is left to kill.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Asks the child to end by itself, as one that has something left to write would.
    pub fn ask_to_end(&self) {
        if let Some(pid) = self.group {
            // An error means that it has ended.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Waits for the end, until `deadline`. Whatever is left of the group then goes as well.
    pub fn wait_until(&mut self, deadline: Instant) -> io::Result<Option<ExitStatus>> {
        while !self.has_ended()? {
            if Instant::now() >= deadline {
                return Ok(None);
            }
            thread::sleep(POLL);
        }
        self.reap().map(Some)
    }

    /// Waits for the end, however long that takes.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        if let Some(pid) = self.group {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            rustix::io::retry_on_intr(|| waitid(WaitId::Pid(pid), options))?;
        }
        self.reap()
    }

    /// Whether the child has ended; it stays a zombie, so that its number stays its own.
    fn has_ended(&self) -> io::Result<bool> {
        let Some(pid) = self.group else {
            return Ok(true);
        };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(pid), options)?.is_some())
    }

    fn reap(&mut self) -> io::Result<ExitStatus> {
        self.kill();
        if let Some(group) = self.group.take() {
            let mut groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
            groups.remove(&group.as_raw_pid());
        }
        self.child.wait()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Killed, so this does not block; an error means that it was waited for before.
        let _ = self.reap();
    }
}

/// Runs `command` to its end.
pub fn status(command: Command) -> io::Result<ExitStatus> {
    Child::spawn(command, &[])?.wait()
}

/// Runs `command` to its end and keeps what it says.
pub fn output(mut command: Command) -> io::Result<Output> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Child::spawn(command, &[])?;
    let (out, err) = (child.handle().stdout.take(), child.handle().stderr.take());
    let (stdout, stderr) = thread::scope(|scope| -> io::Result<_> {
        let stderr = thread::Builder::new().spawn_scoped(scope, || read_all(err))?;
        Ok((read_all(out), stderr.join().unwrap_or_default()))
    })?;
    let status = child.wait()?;
    Ok(Output {
        status,
        stdout,
        stderr,
    })
}

/// All there is in a pipe; an error of a pipe is its end.
pub fn read_all(pipe: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
    bytes
}

/// Makes the child die with this thread, and leaves `inherited` open in it.
fn bind_to_this_thread(command: &mut Command, inherited: Vec<RawFd>) {
    let parent = getpid();
    let prepare = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        if getppid() != Some(parent) {
            return Err(io::Error::other("the parent is gone"));
        }
        for number in &inherited {
            // SAFETY: the descriptor is open in the parent until `spawn` has returned, because the
            // caller of `Child::spawn` owns it; fork copied it, and nothing has closed it since.
            let inherited = unsafe { BorrowedFd::borrow_raw(*number) };
            rustix::io::fcntl_setfd(inherited, FdFlags::empty())?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes a few system calls and touches no lock and
    // no allocator (`io::Error::other` allocates, but only when the parent has died and nobody is
    // left to read the answer).
    unsafe { command.pre_exec(prepare) };
}

/// On SIGINT, SIGTERM and SIGHUP kills every child, removes every [passing](super::passing) directory, and ends with the shell's code for SIGINT.
pub fn die_on_signals() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        let groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
        for group in groups.iter().copied().filter_map(Pid::from_raw) {
            // An error means that nobody is left to kill.
            let _ = kill_process_group(group, Signal::KILL);
        }
        super::passing::remove_all();
        // The lock is still held: no new child can start before the process is gone.
        std::process::exit(130);
    })
}
