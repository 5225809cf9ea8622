//! `setway doctor`.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    Error,
    catalog::hypervisor::Hypervisor,
    provide::{
        apt, build,
        package::{PackagedVersion, Unpacked},
        qemu::Qemu,
        rust::{self, Product, Toolchain, linux::MUSL},
    },
    workspace::paths,
};

/// One thing that a run needs.
struct Finding {
    what: String,
    /// What there is, or what is wrong and the command that mends it.
    state: Result<String, Lack>,
}

struct Lack {
    reason: String,
    mend: String,
    /// It will be had when it is asked for, and a run of what comes with Setway does without.
    later: bool,
}

impl Lack {
    fn of(reason: impl ToString, mend: impl Into<String>) -> Self {
        Self {
            reason: reason.to_string(),
            mend: mend.into(),
            later: false,
        }
    }

    fn later(self) -> Self {
        Self {
            later: true,
            ..self
        }
    }
}

/// Prints what there is and what is missing.
pub fn doctor() -> Result<bool, Error> {
    let mut findings = vec![
        finding("cc", linker()),
        finding("cache directory", cache()),
        finding("QEMU", qemu_here()),
        finding("Rust for guests", guest_rust()),
        finding("Rust for Linux on Arm", program_rust()),
    ];
    for dir in paths::subdirectories(&paths::runners())? {
        for version in PackagedVersion::read_all(&dir)? {
            let what = format!("{} {}", version.hypervisor, version.version);
            let found = version.find().map(|it| it.map(|it| (it.version(), it)));
            let target = what.replace(' ', "-");
            findings.push(finding(&what, packaged(found, &target)));
        }
    }
    for hypervisor in Hypervisor::all()? {
        let name = &hypervisor.name;
        let found = hypervisor.initramfs.and_then(|it| it.find(name));
        if let Some(found) = found {
            // The versions of all are more than a line.
            let count = |it: Unpacked| (format!("{} packages", it.packages.len()), it);
            let found = found.map(|it| it.map(count));
            findings.push(finding(&format!("{name} initramfs"), packaged(found, name)));
        }
    }
    let lacks =
        |finding: &Finding, later| matches!(&finding.state, Err(lack) if lack.later == later);
    if findings[2..].iter().any(|finding| lacks(finding, false)) {
        findings.push(finding("fetching", can_fetch()));
    } else if findings.iter().any(|finding| lacks(finding, true)) {
        findings.push(finding("fetching", can_fetch().map_err(Lack::later)));
    }
    let mut text = String::new();
    for Finding { what, state } in &findings {
        // Writing to a string cannot fail.
        let _ = match state {
            Ok(state) => writeln!(text, "ok       {what}: {state}"),
            Err(lack) => {
                let word = if lack.later { "not yet" } else { "missing" };
                let Lack { reason, mend, .. } = lack;
                writeln!(text, "{word}  {what}: {reason}\n         mend: {mend}")
            }
        };
    }
    super::print(&text)?;
    Ok(!findings.iter().any(|finding| lacks(finding, false)))
}

fn finding(what: &str, state: Result<String, Lack>) -> Finding {
    Finding {
        what: what.to_owned(),
        state,
    }
}

/// The linker that the harness itself was built with.
fn linker() -> Result<String, Lack> {
    let mut command = Command::new("cc");
    command.arg("--version").stdout(Stdio::null());
    match command.stderr(Stdio::null()).status() {
        Ok(_) => Ok("on PATH".to_owned()),
        Err(error) => Err(Lack::of(
            format!("{error}; build scripts need a linker"),
            "apt-get install gcc libc6-dev",
        )),
    }
}

/// What is missing above has to come from somewhere.
fn can_fetch() -> Result<String, Lack> {
    match apt::check() {
        Ok(()) => Ok("apt knows a Debian archive".to_owned()),
        Err(error) => Err(Lack::of(
            error,
            format!(
                "install QEMU and run `rustup target add {} {} {MUSL}`, or use Debian",
                build::AARCH64,
                build::AARCH32
            ),
        )),
    }
}

fn cache() -> Result<String, Lack> {
    let dir = apt::cache_dir().map_err(|error| Lack::of(error, "export SETWAY_CACHE=DIR"))?;
    writable(&dir).map_err(|error| {
        Lack::of(
            format!("{}: {error}", dir.display()),
            "export SETWAY_CACHE=DIR, a directory that you may write to",
        )
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
    let lack = |reason: String| Lack::of(reason, "cargo run -- qemu fetch");
    match Qemu::find(&paths::runners().join("qemu")) {
        Ok(Ok(qemu)) => Ok(format!("{} in {}", qemu.version(), qemu.path().display())),
        Ok(Err(file)) => Err(lack(format!(
            "{} is not fetched yet; `run` would",
            file.name
        ))),
        Err(error) => Err(lack(error.to_string())),
    }
}

fn guest_rust() -> Result<String, Lack> {
    let targets = [build::AARCH64, build::AARCH32];
    rust_for(Product::Guest, &targets, "cargo run -- build")
}

/// Only a hypervisor that is a part of Linux needs a program there.
fn program_rust() -> Result<String, Lack> {
    rust_for(Product::Program, &[MUSL], "cargo run -- run --hyp kvm").map_err(Lack::later)
}

fn rust_for(product: Product, targets: &[&str], fetch: &str) -> Result<String, Lack> {
    let lack = |reason: String| {
        let mend = format!("{fetch}, or rustup target add {}", targets.join(" "));
        Lack::of(reason, mend)
    };
    match Toolchain::find(product, targets, &paths::runners().join("toolchain")) {
        Ok(Some(Toolchain::Active)) => Ok("the active Rust".to_owned()),
        Ok(Some(Toolchain::Debian(_))) => Ok("Debian's Rust".to_owned()),
        Ok(None) => {
            let active = rust::fits(product, targets).err();
            let active = active.unwrap_or_else(|| format!("{} is set", rust::OVERRIDE));
            Err(lack(format!(
                "{active}, and Debian's is not fetched yet; `run` would"
            )))
        }
        Err(error) => Err(lack(error.to_string())),
    }
}

/// What was found of packages, in a word or with its files, for what `--hyp` calls `target`.
fn packaged(
    found: Result<Option<(String, Unpacked)>, Error>,
    target: &str,
) -> Result<String, Lack> {
    let mend = format!("cargo run -- run --hyp {target}");
    match found {
        Ok(Some((what, unpacked))) => {
            let files: Vec<String> = unpacked
                .files
                .values()
                .map(|path| path.display().to_string())
                .collect();
            Ok(format!("{what} in {}", files.join(", ")))
        }
        Ok(None) => Err(Lack::of("not fetched; `run` would", mend).later()),
        Err(error) => Err(Lack::of(error, mend)),
    }
}
