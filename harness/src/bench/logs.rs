//! The raw logs of a run that did not pass, left for a person to read.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    evidence::capture::Capture,
    lab::{
        qemu::Inherited,
        recipe::{Boot, quote},
        recording::Recording,
    },
    plan::Run,
};

/// Leaves in a directory below `dir` what a person wants to see of `run`, if there is anything, and removes
/// what an earlier run left. Says so if it cannot: that does not change the verdict.
pub fn keep(dir: &Path, boot: &Boot, run: &Run, capture: Option<&Capture>) -> Option<PathBuf> {
    let dir = dir.join(run.file_stem());
    let clean = match fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    let kept = clean.and_then(|()| match capture {
        Some(capture) => write(&dir, boot, run, capture).map(|()| Some(dir.clone())),
        None => Ok(None),
    });
    kept.unwrap_or_else(|error| {
        eprintln!(
            "cannot keep the logs of {} in {}: {error}",
            run.label(),
            dir.display()
        );
        None
    })
}

fn write(dir: &Path, boot: &Boot, run: &Run, capture: &Capture) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    fs::write(dir.join("console.log"), &capture.console)?;
    fs::write(dir.join("exceptions.log"), capture.log_text.to_bytes())?;
    fs::write(dir.join("stderr.txt"), &capture.stderr)?;
    // The file for the memory has to be made first: `truncate -s 256M memory`, say.
    let files = Inherited {
        key: capture.key,
        log: "exceptions.log".to_owned(),
        memory: "memory".to_owned(),
        device_tree: "device-tree.dtb".to_owned(),
    };
    let command = boot.command(run, &files).map(|command| quote(&command));
    fs::write(dir.join("command.txt"), command.unwrap_or_default())?;
    let target = boot.target.label();
    let qemu = boot.qemu.version().to_string();
    Recording::of(run, &target, &qemu, &boot.builds(run), capture).write(dir)?;
    // Where an agent starts guests, this is what it was given.
    match boot.guest_arguments(run) {
        Ok(arguments) if !arguments.is_empty() => fs::write(dir.join("guest.txt"), arguments),
        _ => Ok(()),
    }
}
