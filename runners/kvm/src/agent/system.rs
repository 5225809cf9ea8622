//! What the first process of a system has to see to itself.

use std::{fs, io, os::fd::OwnedFd};

use rustix::{
    fs::{Mode, OFlags},
    mount::MountFlags,
    stdio,
    system::RebootCommand,
    termios::{OptionalActions, tcdrain, tcgetattr, tcsetattr},
};

/// What is mounted: kind and place.
const MOUNTS: [(&str, &str); 3] = [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev")];

/// Mounts what programs need, and takes the console for stdin, stdout and stderr.
pub fn begin() -> io::Result<()> {
    for (kind, place) in MOUNTS {
        // What is there already, or mounted already, is as good.
        let _ = fs::create_dir(place);
        match rustix::mount::mount(kind, place, kind, MountFlags::empty(), None) {
            Ok(()) | Err(rustix::io::Errno::BUSY) => {}
            Err(error) => return Err(error.into()),
        }
    }
    console()?;
    // The kernel's own lines would stand in the midst of records; the agent reports what matters of them.
    // A kernel without this file says nothing either.
    let _ = fs::write("/proc/sys/kernel/printk", "1");
    Ok(())
}

/// Takes the console, and has it pass bytes as they are.
fn console() -> io::Result<()> {
    let flags = OFlags::RDWR | OFlags::NOCTTY;
    let console: OwnedFd = rustix::fs::open("/dev/console", flags, Mode::empty())?;
    stdio::dup2_stdin(&console)?;
    stdio::dup2_stdout(&console)?;
    stdio::dup2_stderr(&console)?;
    // A console that is no terminal needs nothing.
    if let Ok(mut settings) = tcgetattr(&console) {
        settings.make_raw();
        tcsetattr(&console, OptionalActions::Now, &settings)?;
    }
    Ok(())
}

/// The release of the kernel.
pub fn kernel() -> String {
    let name = rustix::system::uname();
    name.release().to_string_lossy().into_owned()
}

/// Turns the machine off, once the console has said all.
pub fn power_off() {
    let _ = tcdrain(stdio::stdout());
    let _ = rustix::system::reboot(RebootCommand::PowerOff);
}
