//! A trace of the kernel's own: an instance of tracefs with KVM's events, on only while our VM runs.

use std::{
    fs, io,
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process,
};

use rustix::{fs::OFlags, mount::MountFlags};

use super::{
    event::{Event, KINDS},
    format::{Decoder, FormatError},
    page,
};

/// Where tracefs belongs.
const ROOT: &str = "/sys/kernel/tracing";

/// What every instance of the agent's is called, followed by the number of its process.
const PREFIX: &str = "setway-";

/// Room for a page of the ring buffer. Kernels use 4 KiB, and can be told to use up to 64 KiB.
const PAGE: usize = 64 << 10;

/// Why nothing can be traced.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// A file of tracefs.
    #[error(
        "cannot trace KVM: {}: {source}\n  next: run it as root on a kernel with tracefs, or without counting, with --no-trace", path.display()
    )]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// An event is not as we know it.
    #[error(transparent)]
    Format(#[from] FormatError),
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> TraceError {
    move |source| TraceError::File {
        path: path.into(),
        source,
    }
}

/// Mounts tracefs, if it is not mounted.
pub fn mount() -> Result<(), TraceError> {
    let root = Path::new(ROOT);
    if root.join("events").is_dir() {
        return Ok(());
    }
    rustix::mount::mount("tracefs", root, "tracefs", MountFlags::empty(), None)
        .map_err(|error| failed(root)(error.into()))
}

/// An instance of tracefs.
#[derive(Debug)]
pub struct Instance {
    directory: PathBuf,
    /// It is removed when this is dropped.
    owned: bool,
}

impl Instance {
    /// Makes an instance with room for `kib` KiB of events on each CPU, and none of its events on.
    pub fn create(kib: u32) -> Result<Self, TraceError> {
        mount()?;
        let instances = Path::new(ROOT).join("instances");
        remove_orphans(&instances);
        let directory = instances.join(format!("{PREFIX}{}", process::id()));
        fs::create_dir(&directory).map_err(failed(&directory))?;
        let instance = Self {
            directory,
            owned: true,
        };
        instance.write("tracing_on", "0")?;
        // Events that find no room are dropped and counted, rather than the oldest overwritten: what is
        // left is whole up to there.
        instance.write("options/overwrite", "0")?;
        // One clock for all CPUs.
        instance.write("trace_clock", "mono")?;
        instance.write("buffer_size_kb", &kib.to_string())?;
        for kind in &KINDS {
            instance.write(&format!("events/kvm/{}/enable", kind.name), "1")?;
        }
        Ok(instance)
    }

    /// Uses the instance called `name`, which another process has made and will remove.
    pub fn borrow(name: &str) -> Self {
        Self {
            directory: Path::new(ROOT).join("instances").join(name),
            owned: false,
        }
    }

    /// The name to borrow it by.
    pub fn name(&self) -> String {
        let name = self.directory.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    fn write(&self, file: &str, text: &str) -> Result<(), TraceError> {
        let path = self.directory.join(file);
        let mut options = fs::OpenOptions::new();
        let opened = options.write(true).open(&path);
        opened
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(failed(&path))
    }

    fn read(&self, file: &str) -> Result<String, TraceError> {
        let path = self.directory.join(file);
        fs::read_to_string(&path).map_err(failed(&path))
    }

    /// Ends a trace that its session could not end.
    pub fn reset(&self) -> Result<(), TraceError> {
        self.write("tracing_on", "0")?;
        self.drain(|_| {})
    }

    /// Starts to trace.
    pub fn start(self) -> Result<Session, TraceError> {
        let decoder = Decoder::new(|event| self.read(&format!("events/kvm/{event}/format")))?;
        let session = Session {
            dropped: self.dropped()?,
            decoder,
            instance: self,
        };
        // A child that was killed in the middle has left its events.
        session.instance.write("tracing_on", "0")?;
        session.instance.drain(|_| ())?;
        session.instance.write("tracing_on", "1")?;
        Ok(session)
    }

    /// The directories of the CPUs.
    fn cpus(&self) -> Result<Vec<PathBuf>, TraceError> {
        let path = self.directory.join("per_cpu");
        let entries = fs::read_dir(&path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.map_err(failed(&path))?;
        Ok(entries.iter().map(fs::DirEntry::path).collect())
    }

    /// Events that have found no room so far.
    fn dropped(&self) -> Result<u64, TraceError> {
        let mut dropped = 0;
        for cpu in self.cpus()? {
            let path = cpu.join("stats");
            let text = fs::read_to_string(&path).map_err(failed(&path))?;
            dropped += dropped_in(&text);
        }
        Ok(dropped)
    }

    /// Takes everything out of the buffer, page by page.
    fn drain(&self, mut page: impl FnMut(&[u8])) -> Result<(), TraceError> {
        let mut buffer = vec![0; PAGE];
        for cpu in self.cpus()? {
            let path = cpu.join("trace_pipe_raw");
            let mut options = fs::OpenOptions::new();
            options
                .read(true)
                .custom_flags(OFlags::NONBLOCK.bits() as i32);
            let mut pipe = options.open(&path).map_err(failed(&path))?;
            loop {
                match pipe.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(bytes) => page(&buffer[..bytes]),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(failed(&path)(error)),
                }
            }
        }
        Ok(())
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if self.owned {
            // If it cannot be removed, whoever comes next does it.
            let _ = fs::remove_dir(&self.directory);
        }
    }
}

/// The number of dropped events in a `stats` file.
fn dropped_in(stats: &str) -> u64 {
    let count = |line: &str| {
        let (name, number) = line.split_once(": ")?;
        let counts = matches!(name, "overrun" | "commit overrun" | "dropped events");
        counts.then(|| number.trim().parse().unwrap_or(0))
    };
    stats.lines().filter_map(count).sum::<u64>()
}

/// Removes instances of processes that are no more: killed ones leave theirs behind.
fn remove_orphans(instances: &Path) {
    for entry in fs::read_dir(instances).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// A trace that is on.
#[derive(Debug)]
pub struct Session {
    instance: Instance,
    decoder: Decoder,
    /// Events that had been dropped before.
    dropped: u64,
}

/// What was traced.
#[derive(Debug, Default)]
pub struct Taken {
    /// The events, in the order of their times.
    pub events: Vec<Event>,
    /// Events that found no room.
    pub lost: u64,
}

impl Session {
    /// Ends the trace and reads it.
    pub fn stop(self) -> Result<Taken, TraceError> {
        self.instance.write("tracing_on", "0")?;
        let mut events = Vec::new();
        self.instance.drain(|bytes| {
            let found = page::events(bytes);
            events.extend(found.filter_map(|(time, bytes)| self.decoder.decode(time, bytes)));
        })?;
        // Stable, so that events of one CPU and one time stay as they were.
        events.sort_by_key(|event| event.time);
        let lost = self.instance.dropped()?.saturating_sub(self.dropped);
        Ok(Taken { events, lost })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_loss_is_counted() {
        let stats = "entries: 12\noverrun: 3\ncommit overrun: 1\nbytes: 900\n\
             oldest event ts: 12.000001\nnow ts: 13.5\ndropped events: 40\nread events: 7\n";
        assert_eq!(dropped_in(stats), 44);
    }
}
