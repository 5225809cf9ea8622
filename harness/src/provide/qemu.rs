//! Which QEMU a run uses: a managed version from `runners/qemu`, or one that is already here.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use crate::{
    catalog::qemu::{OLDEST, Version, VersionFile},
    provide::apt::{self, AptRequest, AptRoot},
    workspace::Workspace,
};

/// The system emulator, which runs AArch64 and AArch32 machines.
const PROGRAM: &str = "qemu-system-aarch64";

/// Why there is no QEMU to run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The current directory cannot be found out, to which the path is relative.
    #[error("cannot find {path}: {source}")]
    Path {
        /// The path.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// The system has no room for another process.
    #[error("cannot start {}: {source}", path.display())]
    Start {
        /// The program.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// The name is neither a managed version nor a file.
    #[error(
        "there is no QEMU `{name}`: managed versions are {known}; or give the path of a \
         qemu-system-aarch64"
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The program does not start or is something else.
    #[error("{path} is not a QEMU system emulator that runs here: {reason}\n  next: {advice}")]
    NotQemu {
        /// The program.
        path: PathBuf,
        /// What it did instead.
        reason: String,
        /// What to do now.
        advice: String,
    },
    /// The program is a QEMU without the traps this is about.
    #[error(
        "{path} is QEMU {version}; set/way traps need {OLDEST} or newer, see `setway qemu list`"
    )]
    TooOld {
        /// The program.
        path: PathBuf,
        /// Its version.
        version: Version,
    },
    /// Fetching failed.
    #[error(transparent)]
    Fetch(#[from] apt::Error),
    /// Fetching is impossible here, and there is no installed QEMU either.
    #[error(
        "{fetch}; and there is no qemu-system-aarch64 on PATH to use instead\n  next: install QEMU {OLDEST} or newer"
    )]
    Nothing {
        /// Why nothing can be fetched.
        fetch: apt::Error,
    },
}

/// One line of `setway qemu list`.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The managed version.
    pub file: VersionFile,
    /// Where it is or will be.
    pub path: PathBuf,
    /// Whether it is there already.
    pub fetched: bool,
}

/// Where each of `files` is or would be.
///
/// # Errors
///
/// If there is no place for fetched files.
pub fn list(workspace: &Workspace, files: &[VersionFile]) -> Result<Vec<Listed>, Error> {
    let list = |file: &VersionFile| {
        let path = AptRoot::place(workspace, &file.request())?;
        Ok(Listed {
            fetched: path.is_dir(),
            path,
            file: file.clone(),
        })
    };
    files.iter().map(list).collect()
}

impl VersionFile {
    /// What to fetch.
    fn request(&self) -> AptRequest {
        AptRequest {
            name: format!("qemu-{}", self.name),
            suites: self.suites.clone(),
            release: self.release.clone(),
            packages: vec![self.package.clone()],
            ..AptRequest::default()
        }
    }
}

/// A QEMU that runs here.
#[derive(Debug, Clone)]
pub struct Qemu {
    version: Version,
    origin: Origin,
}

#[derive(Debug, Clone)]
enum Origin {
    Managed { file: VersionFile, root: AptRoot },
    Installed { path: PathBuf },
}

impl Qemu {
    /// The QEMU that the user's `--qemu` means: the name of a managed version, which is fetched if
    /// need be, or a path. Without a choice it is the newest managed version or, on a machine that
    /// cannot fetch from Debian at all, the one on `PATH`.
    ///
    /// # Errors
    ///
    /// If there is no such QEMU, or it cannot be had or does not run.
    pub fn resolve(
        workspace: &Workspace,
        choice: Option<&str>,
        files: &[VersionFile],
    ) -> Result<Self, Error> {
        let Some(choice) = choice else {
            return Self::default_choice(workspace, files);
        };
        if let Some(file) = files.iter().find(|file| file.name == choice) {
            Self::managed(workspace, file.clone())
        } else if choice.contains('/') || Path::new(choice).exists() {
            Self::installed(Path::new(choice))
        } else {
            Err(unknown(choice, files))
        }
    }

    /// Fetches the managed version called `name`, or the newest one, even if it is here.
    ///
    /// # Errors
    ///
    /// If there is no such version, or it cannot be had or does not run.
    pub fn fetch_again(
        workspace: &Workspace,
        name: Option<&str>,
        files: &[VersionFile],
    ) -> Result<Self, Error> {
        let file = match name {
            None => Self::newest(files)?,
            Some(name) => {
                let found = files.iter().find(|file| file.name == name);
                found.cloned().ok_or_else(|| unknown(name, files))?
            }
        };
        AptRoot::fetch_again(workspace, &file.request())?;
        Self::managed(workspace, file)
    }

    fn default_choice(workspace: &Workspace, files: &[VersionFile]) -> Result<Self, Error> {
        match Self::managed(workspace, Self::newest(files)?) {
            Err(Error::Fetch(fetch)) if fetch.is_not_debian() => Self::fallback(fetch),
            result => result,
        }
    }

    /// What [`resolve`](Self::resolve) would return without a choice, if nothing must be fetched
    /// for it; else the version to be fetched.
    ///
    /// # Errors
    ///
    /// If there is no QEMU, and can be none, or it does not run.
    pub fn find(
        workspace: &Workspace,
        files: &[VersionFile],
    ) -> Result<Result<Self, VersionFile>, Error> {
        let newest = Self::newest(files)?;
        match AptRoot::find(workspace, &newest.request()).and_then(|root| match root {
            Some(_) => Ok(true),
            None => apt::check(workspace).map(|()| false),
        }) {
            Ok(true) => Self::managed(workspace, newest).map(Ok),
            Ok(false) => Ok(Err(newest)),
            Err(fetch) if fetch.is_not_debian() => Self::fallback(fetch).map(Ok),
            Err(fetch) => Err(fetch.into()),
        }
    }

    fn newest(files: &[VersionFile]) -> Result<VersionFile, Error> {
        files.first().cloned().ok_or_else(|| Error::Unknown {
            name: "default".to_owned(),
            known: "none, as runners/qemu is empty".to_owned(),
        })
    }

    /// The QEMU to use where nothing can be fetched.
    fn fallback(fetch: apt::Error) -> Result<Self, Error> {
        let path = find_on_path(PROGRAM).ok_or(Error::Nothing { fetch })?;
        Self::installed(&path)
    }

    /// A managed version, fetched if need be, and as it was fetched.
    ///
    /// # Errors
    ///
    /// If it cannot be had, has changed, or does not run.
    pub fn managed(workspace: &Workspace, file: VersionFile) -> Result<Self, Error> {
        let root = AptRoot::ensure(workspace, &file.request())?;
        let mut qemu = Self {
            version: OLDEST,
            origin: Origin::Managed { file, root },
        };
        let (path, advice) = (qemu.path(), qemu.advice());
        if let Origin::Managed { root, .. } = &qemu.origin
            // One that is gone does not start either, which is answered below.
            && path.is_file()
        {
            root.check([path.as_path()], &advice)?;
        }
        qemu.version = qemu.ask_version()?;
        Ok(qemu)
    }

    /// What to do if it does not run.
    fn advice(&self) -> String {
        match &self.origin {
            Origin::Managed { file, .. } => {
                format!(
                    "fetch it again with `setway qemu fetch --force {}`",
                    file.name
                )
            }
            Origin::Installed { .. } => {
                "name a managed version of `setway qemu list`, or the path of a qemu-system-aarch64"
                    .to_owned()
            }
        }
    }

    /// A QEMU outside Setway's care: a `qemu-system-aarch64`, or a directory with one.
    pub fn installed(path: &Path) -> Result<Self, Error> {
        let path = if path.is_dir() {
            path.join(PROGRAM)
        } else {
            path.to_path_buf()
        };
        // A mere name would be looked up on PATH when it is started.
        let path = std::path::absolute(&path).map_err(|source| Error::Path { path, source })?;
        let mut qemu = Self {
            version: OLDEST,
            origin: Origin::Installed { path },
        };
        qemu.version = qemu.ask_version()?;
        Ok(qemu)
    }

    /// One that does not exist.
    #[cfg(test)]
    pub fn imagined() -> Self {
        Self {
            version: OLDEST,
            origin: Origin::Installed {
                path: PROGRAM.into(),
            },
        }
    }

    fn ask_version(&self) -> Result<Version, Error> {
        let path = self.path();
        let mut command = self.command();
        let output = command.arg("--version").stdin(Stdio::null()).output();
        let version = match output {
            Ok(output) => read_version(&output),
            Err(source) if source.kind() == io::ErrorKind::WouldBlock => {
                return Err(Error::Start { path, source });
            }
            Err(error) => Err(error.to_string()),
        };
        let version = version.map_err(|reason| Error::NotQemu {
            path: path.clone(),
            reason,
            advice: self.advice(),
        })?;
        if version < OLDEST {
            return Err(Error::TooOld { path, version });
        }
        Ok(version)
    }

    /// A command that starts the emulator, with nothing but what it needs to find its own files.
    pub fn command(&self) -> Command {
        match &self.origin {
            Origin::Managed { root, .. } => {
                let mut command = root.command(Path::new("usr/bin").join(PROGRAM));
                command.arg("-L").arg(root.path().join("usr/share/qemu"));
                if let Ok(triple) = root.triple() {
                    let modules = root.path().join("usr/lib").join(triple).join("qemu");
                    command.env("QEMU_MODULE_DIR", modules);
                }
                command
            }
            Origin::Installed { .. } => Command::new(self.path()),
        }
    }

    /// The emulator's file.
    pub fn path(&self) -> PathBuf {
        match &self.origin {
            Origin::Managed { root, .. } => root.path().join("usr/bin").join(PROGRAM),
            Origin::Installed { path } => path.clone(),
        }
    }

    /// The version it gave itself.
    pub fn version(&self) -> Version {
        self.version
    }

    /// What reports call it: the managed name, or the version of an installed one.
    pub fn name(&self) -> String {
        match &self.origin {
            Origin::Managed { file, .. } => file.name.clone(),
            Origin::Installed { .. } => self.version.to_string(),
        }
    }

    /// The version file, if this is a managed one.
    pub fn version_file(&self) -> Option<&VersionFile> {
        match &self.origin {
            Origin::Managed { file, .. } => Some(file),
            Origin::Installed { .. } => None,
        }
    }

    /// The generation of its plugin interface, as far as `files` give it: that of the managed version of the
    /// same series.
    pub fn plugin_api(&self, files: &[VersionFile]) -> Option<u32> {
        let own = self.version_file();
        let same = || {
            files
                .iter()
                .find(|file| self.version.is_of_series(&file.name))
        };
        own.or_else(same)?.plugin_api
    }

    /// A warning, if Debian has moved on to another version than the file's name says.
    pub fn drift(&self) -> Option<String> {
        let file = self.version_file()?;
        (!self.version.is_of_series(&file.name)).then(|| {
            format!(
                "QEMU `{}` is {} in Debian now; rename {} and check its plugin_api",
                file.name,
                self.version,
                file.path.display()
            )
        })
    }
}

fn unknown(name: &str, files: &[VersionFile]) -> Error {
    let known: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    Error::Unknown {
        name: name.to_owned(),
        known: known.join(", "),
    }
}

fn read_version(output: &Output) -> Result<Version, String> {
    let text = String::from_utf8_lossy(&output.stdout);
    Version::from_banner(&text).ok_or_else(|| {
        let errors = String::from_utf8_lossy(&output.stderr);
        let said = text
            .lines()
            .chain(errors.lines())
            .find(|line| !line.trim().is_empty());
        match said {
            Some(line) => format!("`--version` answers `{}`", line.trim()),
            None => format!("`--version` ends with {}", output.status),
        }
    })
}

fn find_on_path(program: &str) -> Option<PathBuf> {
    let dirs = std::env::var_os("PATH")?;
    let mut files = std::env::split_paths(&dirs).map(|dir| dir.join(program));
    files.find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_qemu_says_what_it_is() {
        let error = Qemu::installed(Path::new("/bin/echo")).expect_err("echo is no QEMU");
        assert!(error.to_string().contains("`--version` answers"), "{error}");
        assert!(Qemu::installed(Path::new("/nonexistent/qemu")).is_err());
    }

    #[test]
    fn a_mere_name_is_a_file_here_and_not_on_path() {
        let error = Qemu::installed(Path::new("echo")).expect_err("there is no file `echo` here");
        let here = std::env::current_dir().expect("tests run in a directory");
        let here = here.join("echo");
        let said = error.to_string();
        assert!(said.starts_with(&here.display().to_string()), "{said}");
        assert!(!said.contains("answers"), "{said}");
    }
}
