//! Programs for Linux on Arm: static executables, so that they run on any kernel without more.
//!
//! A Rust that has the musl target has all that takes, a C library and a linker, too. Debian's gets its
//! standard library for Arm and a static glibc from packages of that architecture.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    Error,
    active::{active_rustc, ask},
};
use crate::{
    catalog::{package::PackageFiles, source::Source},
    provide::package::Unpacked,
    workspace::Workspace,
};

/// The target of a Rust that brings its own C library.
pub const MUSL: &str = "aarch64-unknown-linux-musl";

/// The target that Debian has a C library for.
pub const GNU: &str = "aarch64-unknown-linux-gnu";

/// What the fetched tree is called, and the file that describes it.
const TREE: &str = "rust-debian-linux-arm64";
const DESCRIPTION: &str = "toolchain/debian-linux-arm64.toml";

/// The package whose version has to be the compiler's.
const STANDARD_LIBRARY: &str = "libstd-rust-web-dev";

/// What precedes a program's own objects, and what follows them.
const FIRST: [(Place, &str); 3] = [
    (Place::Libc, "crt1.o"),
    (Place::Libc, "crti.o"),
    (Place::Libgcc, "crtbeginT.o"),
];
const LAST: [(Place, &str); 2] = [(Place::Libgcc, "crtend.o"), (Place::Libc, "crtn.o")];

/// The libraries, which need each other.
const LIBRARIES: [&str; 3] = ["c", "gcc", "gcc_eh"];

#[derive(Clone, Copy)]
enum Place {
    Libc,
    Libgcc,
}

/// Finds the linker that the active Rust brings, or says why there is none. (A C compiler for Arm might do
/// instead, but would have to be asked for.)
pub(super) fn find_linker() -> Result<(), String> {
    let libraries = ask(active_rustc().args(["--print", "target-libdir"]))?;
    let linker = Path::new(&libraries).with_file_name("bin").join(LINKER);
    if linker.exists() {
        Ok(())
    } else {
        Err(format!("the active Rust comes without `{LINKER}`"))
    }
}

/// The linker that comes with rustup's Rust.
const LINKER: &str = "rust-lld";

/// Has cargo link for musl with Rust's own linker and what comes with the target, so that no C compiler
/// for Arm is needed.
pub(super) fn link_with_own(command: &mut Command) {
    command
        .env(linker_variable(MUSL), LINKER)
        .env(FLAGS, "-Clink-self-contained=yes");
}

/// The variable by which cargo learns what linker to use for `target`.
pub(super) fn linker_variable(target: &str) -> String {
    let target = target.replace('-', "_").to_uppercase();
    format!("CARGO_TARGET_{target}_LINKER")
}

/// The variable that adds flags for rustc, and what it has between two of them.
pub(super) const FLAGS: &str = "CARGO_ENCODED_RUSTFLAGS";
const NEXT_FLAG: &str = "\u{1f}";

/// The libraries for Debian's Rust.
#[derive(Debug, Clone)]
pub struct Libraries {
    sysroot: PathBuf,
    libc: PathBuf,
    libgcc: PathBuf,
}

impl Libraries {
    /// The libraries, fetched if need be, for the compiler that calls itself `rustc`.
    ///
    /// # Errors
    ///
    /// If they cannot be had, or are of another release.
    pub fn ensure(workspace: &Workspace, rustc: &str) -> Result<Self, Error> {
        let unpacked = description(workspace)?.ensure(workspace, TREE)?;
        let libraries = Self::of(&unpacked).ok_or_else(|| {
            Error::StandardLibrary(format!("{DESCRIPTION} must name sysroot, libc and libgcc"))
        })?;
        let mut packages = unpacked.packages.iter();
        let version = packages.find(|(name, _)| name == STANDARD_LIBRARY);
        let version = version.map_or("", |(_, version)| version);
        if is_of_release(rustc, version) {
            return Ok(libraries);
        }
        Err(Error::Mismatch {
            rustc: rustc.to_owned(),
            library: version.to_owned(),
            roots: unpacked.tree.with_file_name(""),
        })
    }

    /// Whether they have been fetched.
    ///
    /// # Errors
    ///
    /// If there is no place for fetched files.
    pub fn is_here(workspace: &Workspace) -> Result<bool, Error> {
        Ok(description(workspace)?.is_here(workspace, TREE)?)
    }

    fn of(unpacked: &Unpacked) -> Option<Self> {
        let file = |name: &str| unpacked.files.get(name).cloned();
        Some(Self {
            sysroot: file("sysroot")?,
            libc: file("libc")?,
            libgcc: file("libgcc")?,
        })
    }

    /// The arguments with which rustc links a static executable with them, and with a linker that is one
    /// and no C compiler.
    pub(super) fn flags(&self) -> String {
        let object = |(place, name): (Place, &str)| match place {
            Place::Libc => self.libc.join(name).display().to_string(),
            Place::Libgcc => self.libgcc.join(name).display().to_string(),
        };
        let mut all = vec![
            "-Ctarget-feature=+crt-static".to_owned(),
            "-Crelocation-model=static".to_owned(),
            "-Clinker-flavor=ld".to_owned(),
            format!("--sysroot={}", self.sysroot.display()),
        ];
        let mut link = |kind: &str, argument: String| all.push(format!("-{kind}={argument}"));
        for item in FIRST {
            link("Zpre-link-arg", object(item));
        }
        link("Clink-arg", format!("-L{}", self.libc.display()));
        link("Clink-arg", format!("-L{}", self.libgcc.display()));
        link("Clink-arg", "--start-group".to_owned());
        for library in LIBRARIES {
            link("Clink-arg", format!("-l{library}"));
        }
        link("Clink-arg", "--end-group".to_owned());
        for item in LAST {
            link("Clink-arg", object(item));
        }
        all.join(NEXT_FLAG)
    }
}

fn description(workspace: &Workspace) -> Result<PackageFiles, Error> {
    Ok(Source::read_one(&workspace.runners().join(DESCRIPTION))?)
}

/// Whether Debian's `version` is of the release that `rustc` ("rustc 1.96.0 (…)") is.
fn is_of_release(rustc: &str, version: &str) -> bool {
    let release = rustc.split(' ').nth(1);
    release.is_some_and(|release| {
        let rest = version.strip_prefix(release);
        rest.is_some_and(|rest| rest.starts_with(['+', '-', '~']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_description_has_the_compilers_suites_and_all_files() {
        let workspace = Workspace::find().expect("tests run in a checkout");
        let own = description(&workspace).expect("the committed file parses");
        let compiler = workspace.runners().join("toolchain/debian.toml");
        let text = std::fs::read_to_string(compiler).expect("a committed file");
        let compiler: toml::Table = toml::from_str(&text).expect("TOML");
        let suites: Vec<toml::Value> = own.suites.iter().map(|it| it.clone().into()).collect();
        assert_eq!(compiler["suites"], toml::Value::Array(suites));
        let unpacked = Unpacked {
            tree: PathBuf::new(),
            files: own
                .files
                .keys()
                .map(|name| (name.clone(), name.into()))
                .collect(),
            packages: Vec::new(),
        };
        assert!(Libraries::of(&unpacked).is_some());
    }

    #[test]
    fn the_standard_library_is_of_the_compilers_release() {
        let rustc = "rustc 1.96.0 (ac68 2026-05-25) (built from a source tarball)";
        assert!(is_of_release(rustc, "1.96.0+dfsg1-1~deb12u2"));
        assert!(!is_of_release(rustc, "1.97.0+dfsg1-1~deb12u1"));
        assert!(!is_of_release(rustc, "1.96.01"));
        assert!(!is_of_release("", ""));
    }

    #[test]
    fn the_start_files_enclose_the_program() {
        let flags = Libraries {
            sysroot: "/a tree/usr".into(),
            libc: "/c".into(),
            libgcc: "/g".into(),
        }
        .flags();
        let flags: Vec<&str> = flags.split(NEXT_FLAG).collect();
        assert!(flags.contains(&"--sysroot=/a tree/usr"));
        let first = flags
            .iter()
            .position(|flag| *flag == "-Zpre-link-arg=/c/crt1.o");
        let group = flags
            .iter()
            .position(|flag| *flag == "-Clink-arg=--start-group");
        assert!(first.is_some() && first < group);
        assert_eq!(flags.last(), Some(&"-Clink-arg=/c/crtn.o"));
    }

    #[test]
    fn cargo_names_a_targets_linker_in_capitals() {
        assert_eq!(
            linker_variable(MUSL),
            "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER"
        );
    }
}
