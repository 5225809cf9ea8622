//! `setway doctor`.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    Error, build, fetch, paths, qemu,
    toolchain::{self, DebianRust},
};

/// One thing that a run needs.
struct Finding {
    what: &'static str,
    /// What there is, or what is wrong and the command that mends it.
    state: Result<String, Lack>,
}

struct Lack {
    reason: String,
    mend: String,
}

/// Programs of the Debian base system that fetching needs, and the linker that the harness itself
/// was built with.
const PROGRAMS: [(&str, &str, &str); 3] = [
    ("apt-get", "apt", "fetching needs a Debian system"),
    ("dpkg-deb", "dpkg", "fetching needs a Debian system"),
    ("cc", "gcc libc6-dev", "build scripts need a linker"),
];

/// Prints what there is and what is missing.
pub fn doctor() -> Result<bool, Error> {
    let mut findings: Vec<Finding> = PROGRAMS.iter().map(program).collect();
    findings.push(Finding {
        what: "cache directory",
        state: cache(),
    });
    findings.push(Finding {
        what: "QEMU",
        state: qemu_here(),
    });
    findings.push(Finding {
        what: "Rust for guests",
        state: guest_rust(),
    });
    let mut text = String::new();
    for Finding { what, state } in &findings {
        // Writing to a string cannot fail.
        let _ = match state {
            Ok(state) => writeln!(text, "ok       {what}: {state}"),
            Err(Lack { reason, mend }) => {
                writeln!(text, "missing  {what}: {reason}\n         mend: {mend}")
            }
        };
    }
    super::print(&text)?;
    Ok(findings.iter().all(|finding| finding.state.is_ok()))
}

fn program((name, packages, why): &(&'static str, &str, &str)) -> Finding {
    let found = Command::new(name)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let state = match found {
        Ok(_) => Ok("on PATH".to_owned()),
        Err(error) => Err(Lack {
            reason: format!("{error}; {why}"),
            mend: format!("apt-get install {packages}"),
        }),
    };
    Finding { what: name, state }
}

fn cache() -> Result<String, Lack> {
    let dir = fetch::cache_dir().map_err(|error| Lack {
        reason: error.to_string(),
        mend: "export SETWAY_CACHE=DIR".to_owned(),
    })?;
    writable(&dir).map_err(|error| Lack {
        reason: format!("{}: {error}", dir.display()),
        mend: "export SETWAY_CACHE=DIR, a directory that you may write to".to_owned(),
    })?;
    Ok(dir.display().to_string())
}

fn writable(dir: &Path) -> std::io::Result<()> {
    fs::create_dir_all(dir)?;
    let probe: PathBuf = dir.join(format!(".probe-{}", std::process::id()));
    fs::write(&probe, "")?;
    fs::remove_file(&probe)
}

fn qemu_here() -> Result<String, Lack> {
    let lack = |reason: String| Lack {
        reason,
        mend: "cargo run -- qemu fetch".to_owned(),
    };
    let all =
        qemu::list(&paths::runners().join("qemu")).map_err(|error| lack(error.to_string()))?;
    match all.first() {
        Some(default) if default.fetched => Ok(format!(
            "{} in {}",
            default.file.name,
            default.path.display()
        )),
        Some(default) => Err(lack(format!(
            "{} is not fetched yet; `run` would",
            default.file.name
        ))),
        None => Err(lack("no version file in runners/qemu".to_owned())),
    }
}

fn guest_rust() -> Result<String, Lack> {
    let lack = |reason: String| Lack {
        reason,
        mend: "cargo run -- build".to_owned(),
    };
    let runners = paths::runners().join("toolchain");
    let fetched = DebianRust::is_here(&runners).map_err(|error| lack(error.to_string()))?;
    if !fetched {
        let targets = format!("{} {}", build::AARCH64, build::AARCH32);
        return match toolchain::active_fits(&[build::AARCH64, build::AARCH32]) {
            Ok(_) => Ok("the active Rust".to_owned()),
            Err(reason) => Err(Lack {
                reason: format!("{reason}, and Debian's is not fetched yet; `run` would"),
                mend: format!("cargo run -- build, or rustup target add {targets}"),
            }),
        };
    }
    Ok("Debian's Rust".to_owned())
}
