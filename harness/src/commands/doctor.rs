//! `setway doctor`.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    Error, build, fetch, paths,
    qemu::Qemu,
    toolchain::{self, Product, Toolchain},
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

/// Prints what there is and what is missing.
pub fn doctor() -> Result<bool, Error> {
    let mut findings = vec![
        finding("cc", linker()),
        finding("cache directory", cache()),
        finding("QEMU", qemu_here()),
        finding(
            "Rust for guests",
            rust_for(Product::Guest, &[build::AARCH64, build::AARCH32]),
        ),
    ];
    if findings[2..].iter().any(|finding| finding.state.is_err()) {
        findings.push(finding("fetching", can_fetch()));
    }
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

fn finding(what: &'static str, state: Result<String, Lack>) -> Finding {
    Finding { what, state }
}

/// The linker that the harness itself was built with.
fn linker() -> Result<String, Lack> {
    let mut command = Command::new("cc");
    command.arg("--version").stdout(Stdio::null());
    match command.stderr(Stdio::null()).status() {
        Ok(_) => Ok("on PATH".to_owned()),
        Err(error) => Err(Lack {
            reason: format!("{error}; build scripts need a linker"),
            mend: "apt-get install gcc libc6-dev".to_owned(),
        }),
    }
}

/// What is missing above has to come from somewhere.
fn can_fetch() -> Result<String, Lack> {
    match fetch::check() {
        Ok(()) => Ok("apt knows a Debian archive".to_owned()),
        Err(error) => Err(Lack {
            reason: error.to_string(),
            mend: format!(
                "install QEMU and run `rustup target add {} {}`, or use Debian",
                build::AARCH64,
                build::AARCH32
            ),
        }),
    }
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
    match Qemu::find(&paths::runners().join("qemu")) {
        Ok(Ok(qemu)) => Ok(format!("{} in {}", qemu.version(), qemu.path().display())),
        Ok(Err(file)) => Err(lack(format!(
            "{} is not fetched yet; `run` would",
            file.name
        ))),
        Err(error) => Err(lack(error.to_string())),
    }
}

fn rust_for(product: Product, targets: &[&str]) -> Result<String, Lack> {
    let lack = |reason: String| Lack {
        reason,
        mend: format!(
            "cargo run -- build, or rustup target add {}",
            targets.join(" ")
        ),
    };
    match Toolchain::find(product, targets, &paths::runners().join("toolchain")) {
        Ok(Some(Toolchain::Active)) => Ok("the active Rust".to_owned()),
        Ok(Some(Toolchain::Debian(_))) => Ok("Debian's Rust".to_owned()),
        Ok(None) => {
            let active = toolchain::fits(product, targets).err();
            let active = active.unwrap_or_else(|| format!("{} is set", toolchain::OVERRIDE));
            Err(lack(format!(
                "{active}, and Debian's is not fetched yet; `run` would"
            )))
        }
        Err(error) => Err(lack(error.to_string())),
    }
}
