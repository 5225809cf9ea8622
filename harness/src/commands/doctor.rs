//! `setway doctor`.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    catalog::Catalog,
    commands::Error,
    provide::{
        apt, build,
        package::{self, Unpacked},
        qemu::Qemu,
        rust::{self, Product, Toolchain, linux::MUSL},
    },
    workspace::Workspace,
};

/// One thing that a run needs.
struct Answer {
    what: String,
    /// What there is, or what is wrong and the command that fixs it.
    state: Result<String, Lack>,
}

struct Lack {
    reason: String,
    fix: String,
    /// It will be had when it is asked for, and a run of what comes with Setway does without.
    later: bool,
}

impl Lack {
    /// What the reason itself advises is better than `fix`.
    fn of(reason: impl ToString, fix: impl Into<String>) -> Self {
        let reason = reason.to_string();
        let (reason, fix) = match reason.split_once("\n  next: ") {
            Some((reason, advice)) => (reason.to_owned(), advice.to_owned()),
            None => (reason, fix.into()),
        };
        Self {
            reason,
            fix,
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
pub fn doctor(workspace: &Workspace) -> Result<bool, Error> {
    let (catalog, mistakes) = Catalog::read(workspace);
    let mut answers = vec![
        answer("cc", linker()),
        answer("cache directory", cache(workspace)),
        answer("Rust for guests", guest_rust(workspace)),
        answer("Rust for Linux on Arm", program_rust(workspace)),
    ];
    let has_cache = workspace.cache().is_ok();
    if has_cache {
        answers.push(answer("QEMU", qemu_here(workspace, &catalog)));
    }
    for mistake in mistakes.iter() {
        let lack = Lack::of(
            mistake,
            "correct that file; runners/README.md explains every key",
        );
        answers.push(answer("data files", Err(lack)));
    }
    let versions = catalog.versions.values().flatten();
    for version in versions.filter(|_| has_cache) {
        let what = format!("{} {}", version.hypervisor, version.version);
        let found = version
            .find(workspace)
            .map(|it| it.map(|it| (it.version(), it)));
        let target = what.replace(' ', "-");
        answers.push(answer(&what, packaged(found, &target)));
    }
    for hypervisor in catalog.hypervisors.iter().filter(|_| has_cache) {
        let name = &hypervisor.name;
        let found = hypervisor
            .initramfs
            .as_ref()
            .and_then(|it| it.find(workspace, name));
        if let Some(found) = found {
            // The versions of all are more than a line.
            let count = |it: Unpacked| (format!("{} packages", it.packages.len()), it);
            let found = found.map(|it| it.map(count));
            answers.push(answer(&format!("{name} initramfs"), packaged(found, name)));
        }
    }
    let lacks = |answer: &Answer, later| matches!(&answer.state, Err(lack) if lack.later == later);
    if !has_cache {
        // Nothing can be fetched, whatever apt can do.
    } else if answers.iter().any(|answer| lacks(answer, false)) {
        answers.push(answer("fetching", can_fetch(workspace)));
    } else if answers.iter().any(|answer| lacks(answer, true)) {
        answers.push(answer(
            "fetching",
            can_fetch(workspace).map_err(Lack::later),
        ));
    }
    let mut text = String::new();
    for Answer { what, state } in &answers {
        // Writing to a string cannot fail.
        let _ = match state {
            Ok(state) => writeln!(text, "ok       {what}: {state}"),
            Err(lack) => {
                let word = if lack.later { "not yet" } else { "missing" };
                let indented = |text: &str| text.replace('\n', "\n         ");
                let (reason, fix) = (indented(&lack.reason), indented(&lack.fix));
                writeln!(text, "{word}  {what}: {reason}\n         fix: {fix}")
            }
        };
    }
    super::print(&text)?;
    Ok(!answers.iter().any(|answer| lacks(answer, false)))
}

fn answer(what: &str, state: Result<String, Lack>) -> Answer {
    Answer {
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
fn can_fetch(workspace: &Workspace) -> Result<String, Lack> {
    match apt::check(workspace) {
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

fn cache(workspace: &Workspace) -> Result<String, Lack> {
    let dir = workspace.cache();
    let dir = dir.map_err(|error| Lack::of(error, "export SETWAY_CACHE=DIR"))?;
    writable(dir).map_err(|error| {
        let fix = "export SETWAY_CACHE=DIR, a directory that you may write to";
        let lack = Lack::of(format!("{}: {error}", dir.display()), fix);
        // What has been fetched can be used all the same.
        if dir.join("roots").is_dir() {
            lack.later()
        } else {
            lack
        }
    })?;
    Ok(dir.display().to_string())
}

fn writable(dir: &Path) -> std::io::Result<()> {
    fs::create_dir_all(dir)?;
    let probe: PathBuf = dir.join(format!(".probe-{}", std::process::id()));
    fs::write(&probe, "")?;
    fs::remove_file(&probe)
}

fn qemu_here(workspace: &Workspace, catalog: &Catalog) -> Result<String, Lack> {
    let lack = |reason: String| Lack::of(reason, "cargo run -- qemu fetch");
    match Qemu::find(workspace, &catalog.qemus) {
        Ok(Ok(qemu)) => Ok(format!("{} in {}", qemu.version(), qemu.path().display())),
        Ok(Err(file)) => Err(lack(format!(
            "{} is not fetched yet; `run` would",
            file.name
        ))),
        Err(error) => Err(lack(error.to_string())),
    }
}

fn guest_rust(workspace: &Workspace) -> Result<String, Lack> {
    let targets = [build::AARCH64, build::AARCH32];
    rust_for(workspace, Product::Guest, &targets, "cargo run -- build")
}

/// Only a hypervisor that is a part of Linux needs a program there.
fn program_rust(workspace: &Workspace) -> Result<String, Lack> {
    rust_for(
        workspace,
        Product::Program,
        &[MUSL],
        "cargo run -- run --hyp kvm",
    )
    .map_err(Lack::later)
}

fn rust_for(
    workspace: &Workspace,
    product: Product,
    targets: &[&str],
    fetch: &str,
) -> Result<String, Lack> {
    let lack = |reason: String| {
        let fix = format!("{fetch}, or rustup target add {}", targets.join(" "));
        Lack::of(reason, fix)
    };
    match Toolchain::find(product, targets, workspace) {
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
    found: Result<Option<(String, Unpacked)>, package::Error>,
    target: &str,
) -> Result<String, Lack> {
    let fix = format!("cargo run -- run --hyp {target}");
    match found {
        Ok(Some((what, unpacked))) => {
            let files: Vec<String> = unpacked
                .files
                .values()
                .map(|path| path.display().to_string())
                .collect();
            Ok(format!("{what} in {}", files.join(", ")))
        }
        Ok(None) => Err(Lack::of("not fetched; `run` would", fix).later()),
        Err(error) => Err(Lack::of(error, fix)),
    }
}
