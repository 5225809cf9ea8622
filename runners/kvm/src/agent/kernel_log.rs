//! What the kernel says while a guest runs.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::OpenOptionsExt,
};

use rustix::fs::OFlags;

/// The level `KERN_WARNING`; smaller is worse.
const WARNING: u32 = 4;

/// Most bytes of one message with what describes it.
const LONGEST: usize = 8 << 10;

/// The kernel's log, from some moment on.
#[derive(Debug)]
pub struct KernelLog(File);

impl KernelLog {
    /// The log from now on.
    pub fn open() -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .custom_flags(OFlags::NONBLOCK.bits() as i32);
        let mut log = Self(options.open("/dev/kmsg")?);
        log.skip();
        Ok(log)
    }

    /// Forgets what has been said so far.
    pub fn skip(&mut self) {
        // A log that cannot be skipped shows too much, not too little.
        let _ = self.0.seek(SeekFrom::End(0));
    }

    /// The warnings, and worse, since the last call.
    pub fn warnings(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        let mut message = [0; LONGEST];
        loop {
            match self.0.read(&mut message) {
                Ok(bytes) if bytes > 0 => {
                    let message = String::from_utf8_lossy(&message[..bytes]);
                    found.extend(warning(&message).map(String::from));
                }
                // Some were overwritten before we came; the next ones are there.
                Err(error)
                    if error.raw_os_error() == Some(rustix::io::Errno::PIPE.raw_os_error()) => {}
                _ => return found,
            }
        }
    }
}

/// The text of a message of the kernel's own, if it is a warning or worse.
///
/// A message of `/dev/kmsg` is `PRIORITY,NUMBER,TIME,FLAGS;TEXT` and lines with properties
/// (Linux Documentation/ABI/testing/dev-kmsg).
fn warning(message: &str) -> Option<&str> {
    let (head, rest) = message.split_once(';')?;
    let priority: u32 = head.split(',').next()?.parse().ok()?;
    // Bits above the level say who speaks; 0 is the kernel.
    (priority <= WARNING).then(|| rest.lines().next().unwrap_or(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_of_the_kernel_are_told() {
        let text = "4,339,5140900,-;kvm [71]: Unsupported guest access at: 40200000\n DEVICE=x\n";
        let want = "kvm [71]: Unsupported guest access at: 40200000";
        assert_eq!(warning(text), Some(want));
        assert_eq!(warning("6,339,5140900,-;Booting Linux\n"), None);
        assert_eq!(warning("12,340,5140900,-;another program\n"), None);
        assert_eq!(warning("nonsense"), None);
    }
}
