//! The steps from a request to an unpacked tree: configure, update, download, unpack, rename.

use std::{
    fs::Metadata,
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use fs_err::{self as fs, File};

use super::{
    CommandFailure, Error,
    chosen::{Package, versions, wanted},
    progress::{Progress, megabytes},
    root::{AptRequest, AptRoot, Host, VERSIONS},
    sources::{Archive, INDEX_TARGET_FORMAT},
    tree,
};
use crate::{
    provide::sha256::Sha256,
    workspace::{
        Workspace,
        process::{self, Child},
    },
};

/// One fetch under way. Its directory outlives a failure, so that the next try resumes.
pub struct Fetch<'a> {
    request: &'a AptRequest,
    architecture: &'a str,
    place: &'a Path,
    work: PathBuf,
    log: PathBuf,
    progress: Progress,
}

impl<'a> Fetch<'a> {
    /// Prepares to fetch `request` to `place`, without writing there.
    pub fn new(request: &'a AptRequest, place: &'a Path) -> Result<Self, Error> {
        let architecture = request.architecture()?;
        programs()?;
        let work = place.with_added_extension("fetch");
        let log = place.with_added_extension("log");
        for dir in ["lists/partial", "cache/archives/partial", NOTHING] {
            fs::create_dir_all(work.join(dir))?;
        }
        File::create(&log)?;
        Ok(Self {
            request,
            architecture,
            place,
            work,
            log,
            progress: Progress::start(&request.name),
        })
    }

    /// Fetches all, lets `finish` complete the tree, and moves it to its place.
    pub fn run<E: From<Error>>(
        self,
        finish: impl FnOnce(&AptRoot) -> Result<(), E>,
    ) -> Result<(), E> {
        self.write_configuration()?;
        self.progress.stage("updating package lists");
        self.apt("updating package lists", ["update"])?;
        let packages = wanted(self.request, self.plan()?)?;
        let bytes = packages.iter().map(|package| package.bytes).sum();
        let text = format!("downloading {} MB", megabytes(bytes));
        self.progress.measured(&text, bytes);
        self.download(&packages)?;
        let root = self.unpack(&packages)?;
        self.progress.stage("finishing");
        finish(&AptRoot::at(root.clone())?)?;
        self.settle(&root)?;
        self.progress.finish(bytes);
        Ok(())
    }

    /// Moves the complete tree to its place, and removes what was needed on the way.
    fn settle(&self, root: &Path) -> Result<(), Error> {
        let old = self.place.with_added_extension("old");
        if self.place.exists() {
            // It is fetched again, and may be in use until now.
            fs::rename(self.place, &old)?;
        }
        fs::rename(root, self.place)?;
        for dir in [&old, &self.work] {
            if dir.exists() {
                fs::remove_dir_all(dir)?;
            }
        }
        Ok(fs::remove_file(&self.log)?)
    }

    /// The private configuration, which apt reads after the system's, so that proxies and the like
    /// stay, and everything that names a place, runs a hook or slackens a check is replaced.
    fn write_configuration(&self) -> Result<(), Error> {
        let archive = find_archive(&self.work)?.ok_or(Error::NoArchive)?;
        self.write("sources.list", &archive.sources_list(&self.request.suites))?;
        self.write(
            "status",
            &assumed_status(&self.request.assume, self.architecture),
        )?;
        let configuration = format!(
            "#clear APT::Update::Pre-Invoke; #clear APT::Update::Post-Invoke;\n\
             #clear APT::Update::Post-Invoke-Success; #clear DPkg::Pre-Install-Pkgs;\n\
             #clear APT::Architectures; #clear APT::Default-Release;\n\
             APT::Architecture \"{architecture}\"; APT::Architectures {{ \"{architecture}\"; }};\n\
             APT::Install-Recommends \"false\"; APT::Install-Suggests \"false\";\n\
             APT::Sandbox::User \"\"; APT::Update::Error-Mode \"any\";\n\
             Acquire::AllowInsecureRepositories \"false\"; APT::Get::AllowUnauthenticated \"false\";\n\
             Acquire::Languages \"none\"; Acquire::Retries \"3\";\n\
             Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n\
             Acquire::IndexTargets::deb::CNF::DefaultEnabled \"false\";\n\
             Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled \"false\";\n\
             Dir::State \"{work}\"; Dir::State::Lists \"{work}/lists\";\n\
             Dir::State::status \"{work}/status\"; Dir::Cache \"{work}/cache\";\n\
             Dir::Cache::archives \"archives\"; Dir::Log \"{work}\";\n\
             Dir::Etc::SourceList \"{work}/sources.list\"; Dir::Etc::SourceParts \"/dev/null\";\n\
             Dir::Etc::Preferences \"/dev/null\"; Dir::Etc::PreferencesParts \"/dev/null\";\n",
            architecture = self.architecture,
            work = self.work.display(),
        );
        self.write("apt.conf", &configuration)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        Ok(fs::write(self.work.join(name), text)?)
    }

    fn install<'b>(&'b self, mode: &'b str) -> impl Iterator<Item = &'b str> {
        let release = self.request.release.as_deref();
        let release = release.into_iter().flat_map(|name| ["-t", name]);
        let packages = self.request.packages.iter().map(String::as_str);
        release.chain(["--yes", mode, "install"]).chain(packages)
    }

    /// What the request amounts to now. A try before this one may have downloaded other versions, so
    /// what is unpacked must be of this list; and apt lists only what it would have to download, so
    /// it is shown a place without archives.
    fn plan(&self) -> Result<Vec<Package>, Error> {
        let nowhere = format!("-oDir::Cache::archives={}/{NOTHING}", self.work.display());
        // Without that it would be the MD5 sum, "for compatibility".
        let arguments = [nowhere.as_str(), "-oAcquire::ForceHash=SHA256"];
        let arguments = arguments.into_iter().chain(self.install("--print-uris"));
        let text = self.apt("choosing packages", arguments)?;
        let packages = text.lines().map(Package::from_uri);
        packages.filter_map(Result::transpose).collect()
    }

    /// Downloads `packages`, of which there may be fewer than in the plan. `install` can only have
    /// all of it.
    fn download(&self, packages: &[Package]) -> Result<(), Error> {
        self.remove_wrong(packages)?;
        let what = "downloading packages";
        if self.request.only.is_empty() {
            self.apt(what, self.install("--download-only"))?;
        } else {
            let exact = packages
                .iter()
                .map(|package| format!("{}={}", package.name, package.version));
            let exact: Vec<String> = exact.collect();
            let exact = exact.iter().map(String::as_str);
            self.apt(what, std::iter::once("download").chain(exact))?;
        }
        Ok(())
    }

    /// Removes what an earlier try has left, unless it is what the archive has: apt only looks at its length.
    fn remove_wrong(&self, packages: &[Package]) -> Result<(), Error> {
        for package in packages {
            let path = self.archives().join(&package.file);
            if path.exists() && Sha256::of_file(&path)? != package.sha256 {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// Runs apt-get with the private configuration and returns its standard output. Everything it
    /// says is in the log, and the progress follows the files that arrive. Its `download` puts them
    /// where it was started.
    fn apt<'b>(
        &self,
        what: &str,
        arguments: impl IntoIterator<Item = &'b str>,
    ) -> Result<String, Error> {
        let open = |path: &Path| -> Result<Stdio, Error> {
            let mut options = fs::OpenOptions::new();
            let file = options.create(true).append(true).open(path)?;
            Ok(file.into_file().into())
        };
        let output = self.work.join("output");
        File::create(&output)?;
        let mut command = Command::new("apt-get");
        command
            .arg("--config-file")
            .arg(self.work.join("apt.conf"))
            .args(arguments)
            .current_dir(self.archives())
            .env("LC_ALL", "C")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .stdout(open(&output)?)
            .stderr(open(&self.log)?);
        let mut child = Child::spawn(command, &[]).map_err(apt_does_not_start)?;
        let status = loop {
            if let Some(status) = child.wait_until(Instant::now())? {
                break status;
            }
            self.progress.set(files_size(&self.archives()));
            thread::sleep(Duration::from_millis(50));
        };
        let text = fs::read_to_string(&output)?;
        if status.success() {
            Ok(text)
        } else {
            let errors = fs::read_to_string(&self.log)?;
            Err(self.failure(what, &format!("{text}{errors}")))
        }
    }

    fn archives(&self) -> PathBuf {
        self.work.join("cache/archives")
    }

    fn failure(&self, what: &str, output: &str) -> Error {
        // The log then holds all there is to know, even if a write to it fails: it is only a copy.
        let _ = fs::write(&self.log, output);
        Error::Command(Box::new(CommandFailure {
            what: what.to_owned(),
            name: self.request.name.clone(),
            tail: tail(output),
            log: self.log.clone(),
            advice: advice(output),
        }))
    }

    /// Unpacks all packages beside their final place.
    fn unpack(&self, packages: &[Package]) -> Result<PathBuf, Error> {
        let root = self.place.with_added_extension("partial");
        if root.exists() {
            fs::remove_dir_all(&root)?;
        }
        let archives = self.archives();
        let files = packages.iter().map(|package| tree::Archive {
            path: archives.join(&package.file),
            sha256: package.sha256,
        });
        let files: Vec<tree::Archive> = files.collect();
        match tree::unpack(&files, &root, &self.request.omit, &self.progress)? {
            Ok(()) => {
                fs::write(root.join(VERSIONS), versions(packages))?;
                Ok(root)
            }
            Err(broken) => {
                if !is_about_space(&broken.output) {
                    // Whatever is wrong with it, the next try should not meet it again.
                    let _ = fs::remove_file(&broken.package);
                }
                // Frees the space; what cannot be removed now, the next try will name.
                let _ = fs::remove_dir_all(&root);
                let name = broken.package.display();
                Err(self.failure("unpacking packages", &format!("{name}: {}", broken.output)))
            }
        }
    }
}

/// Whether this machine can fetch at all, as far as is known without a network.
///
/// # Errors
///
/// If it cannot, why.
pub fn check(workspace: &Workspace) -> Result<(), Error> {
    Host::current()?;
    programs()?;
    let archive = find_archive(workspace.cache()?)?;
    archive.map(drop).ok_or(Error::NoArchive)
}

fn programs() -> Result<(), Error> {
    for program in ["apt-get", "dpkg-deb", "tar"] {
        let mut command = Command::new(program);
        if command.arg("--version").output().is_err() {
            return Err(Error::NoProgram(program));
        }
    }
    Ok(())
}

fn apt_does_not_start(source: io::Error) -> Error {
    Error::Start {
        program: "apt-get",
        source,
    }
}

/// A directory of the work directory that stays empty.
const NOTHING: &str = "nothing";

/// Finds the Debian archive in apt's configuration: from its package lists if there are any, else
/// from the addresses an update would fetch.
fn find_archive(work: &Path) -> Result<Option<Archive>, Error> {
    let ask = |arguments: &[&str]| -> Result<String, Error> {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("LC_ALL", "C");
        let output = process::output(command).map_err(apt_does_not_start)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let targets = ask(&["indextargets", "--format", INDEX_TARGET_FORMAT])?;
    if let Some(archive) = Archive::from_index_targets(&targets) {
        return Ok(Some(archive));
    }
    let lists = format!("-oDir::State::Lists={}/{NOTHING}", work.display());
    let uris = ask(&[&lists, "-oDebug::NoLocking=1", "update", "--print-uris"])?;
    Ok(Archive::from_update_uris(&uris))
}

/// A dpkg status file in which these packages, and what they are known to provide, are installed.
fn assumed_status(packages: &[String], architecture: &str) -> String {
    let stanza = |name: &String| {
        format!(
            "Package: {name}\nStatus: install ok installed\nMaintainer: none\n\
             Architecture: {architecture}\nVersion: 99:99\nDescription: the host's own\n\n"
        )
    };
    packages.iter().map(stanza).collect()
}

fn files_size(dir: &Path) -> u64 {
    [dir.to_path_buf(), dir.join("partial")]
        .iter()
        .flat_map(|dir| fs::read_dir(dir).into_iter().flatten().flatten())
        .filter_map(|entry| entry.metadata().ok())
        .filter(Metadata::is_file)
        .map(|metadata| metadata.len())
        .sum()
}

/// The last lines, which with apt hold the errors.
fn tail(output: &str) -> String {
    let lines: Vec<&str> = output
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let last = &lines[lines.len().saturating_sub(6)..];
    last.iter()
        .map(|line| format!("    {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Apt, dpkg and tar each have their own words for a full disk.
fn is_about_space(output: &str) -> bool {
    let words = ["No space left", "enough free space", "Wrote only"];
    words.iter().any(|word| output.contains(word))
}

/// What to do about a failure, from what apt or dpkg said.
fn advice(output: &str) -> String {
    let has = |words: &[&str]| words.iter().any(|word| output.contains(word));
    let text = if has(&["its SHA-256 is"]) {
        "try again: that file was removed, and is downloaded anew"
    } else if is_about_space(output) {
        "free some space, or set SETWAY_CACHE to a directory with 2 GB free, and try again; what \
         was downloaded is kept"
    } else if has(&[
        "does not have a Release file",
        "no longer has a Release file",
        "404",
    ]) {
        "the configured mirror does not carry one of the suites; choose another mirror, or take \
         the suite out of the version file under runners/"
    } else if has(&["NO_PUBKEY", "not signed", "signatures"]) {
        "the suite's signature could not be checked: install or update debian-archive-keyring"
    } else if has(&[
        "Unable to locate package",
        "has no installation candidate",
        "is not valid for APT::Default-Release",
    ]) {
        "the package or release is not in these suites; correct the version file under runners/"
    } else if has(&[
        "Could not resolve",
        "Failed to fetch",
        "Could not connect",
        "Connection",
        "timed out",
    ]) {
        "check the network (and apt's proxy settings) and try again; what was downloaded is kept"
    } else {
        "read the log, then try again"
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_follows_the_cause() {
        assert!(advice("E: Unable to locate package x").contains("version file"));
        assert!(advice("write error: No space left on device").contains("free some space"));
        assert!(advice("Could not resolve 'mirror.test'").contains("network"));
        assert!(advice("W: The repository is not signed.").contains("keyring"));
    }

    #[test]
    fn the_tail_is_short_and_without_blank_lines() {
        let output = "1\n2\n\n3\n4\n5\n6\n7\n";
        assert_eq!(tail(output).lines().count(), 6);
    }
}
