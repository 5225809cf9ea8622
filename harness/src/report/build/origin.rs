//! Where a report comes from: this program, the checkout that it tests, this machine, and the files that run.

use std::{
    collections::HashMap,
    env, fs, io,
    num::NonZero,
    path::{Path, PathBuf},
    thread::{self, JoinHandle},
};

use chrono::{SecondsFormat, Utc};
use setway_report::{Artifact, Checkout, Host, Origin, Tool};

use crate::{provide::sha256::Sha256, workspace::Workspace};

/// Files of this length and more are not hashed, because that would be felt at each start.
const TOO_LONG: u64 = 128 << 20;

/// This invocation, which tests the checkout `workspace`.
pub fn origin(workspace: &Workspace) -> Origin {
    let words = env::args_os().map(|word| word.to_string_lossy().into_owned());
    Origin {
        tool: Tool {
            name: "setway".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: option_env!("SETWAY_COMMIT").map(str::to_owned),
        },
        checkout: checkout(workspace),
        host: host(),
        started: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
        command: words.collect(),
    }
}

fn checkout(workspace: &Workspace) -> Checkout {
    let revision = workspace.revision();
    Checkout {
        root: workspace.root().display().to_string(),
        dirty: revision.as_ref().map(|it| it.is_modified),
        commit: revision.map(|it| it.commit),
    }
}

fn host() -> Host {
    let names = rustix::system::uname();
    let text = |name: &std::ffi::CStr| name.to_string_lossy().into_owned();
    let cpus = thread::available_parallelism().map_or(1, NonZero::get);
    Host {
        name: text(names.nodename()),
        system: format!("{} {}", text(names.sysname()), text(names.release())),
        architecture: text(names.machine()),
        cpus: cpus as u64,
    }
}

/// A file that will be run: what it is, and where.
pub type NamedFile = (String, PathBuf);

/// Describes files in a thread of its own, because reading them takes as long as a run; each list of `files`
/// becomes one of artifacts.
///
/// # Errors
///
/// If the system gives no thread.
pub fn describe(files: Vec<Vec<NamedFile>>) -> io::Result<JoinHandle<Vec<Vec<Artifact>>>> {
    thread::Builder::new().spawn(move || {
        let mut known = HashMap::new();
        let mut artifact = |(name, path): &NamedFile| {
            let (bytes, sha256) = known
                .entry(path.clone())
                .or_insert_with(|| hash(path))
                .clone();
            Artifact {
                name: name.clone(),
                path: path.display().to_string(),
                bytes,
                sha256,
            }
        };
        let mut all = |files: &Vec<NamedFile>| files.iter().map(&mut artifact).collect();
        files.iter().map(&mut all).collect()
    })
}

/// A file's length and SHA-256. The run itself notices if it cannot be read.
fn hash(path: &Path) -> (u64, Option<String>) {
    let bytes = fs::metadata(path).map_or(0, |data| data.len());
    let hash = if bytes < TOO_LONG {
        Sha256::of_file(path).ok().map(|hash| hash.to_string())
    } else {
        None
    };
    (bytes, hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_described_by_length_and_hash() {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let (here, gone) = (dir.path().join("here"), dir.path().join("gone"));
        fs::write(&here, "abc").expect("the directory can be written");
        let files = vec![vec![("a".to_owned(), here)], vec![("b".to_owned(), gone)]];
        let described = describe(files).expect("a thread");
        let described = described.join().expect("the thread does not panic");
        let [a] = described[0].as_slice() else {
            panic!("one file gives one artifact: {described:?}")
        };
        // FIPS 180-4's example.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((a.name.as_str(), a.bytes), ("a", 3));
        assert_eq!(a.sha256.as_deref(), Some(abc));
        assert_eq!((described[1][0].bytes, &described[1][0].sha256), (0, &None));
    }
}
