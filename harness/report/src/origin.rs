//! Where a report comes from: which program, checkout and machine, and which files were run.

use serde::{Deserialize, Serialize};

/// One invocation of `setway run`: a report has one, a merged report one for each part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Origin {
    /// The program that wrote it.
    pub tool: Tool,
    /// The checkout that was tested.
    pub checkout: Checkout,
    /// The machine on which the harness ran.
    pub host: Host,
    /// When the invocation began, in UTC, as RFC 3339 writes it: `2026-11-25T02:46:33Z`.
    pub started: String,
    /// Its command line, the program's name first.
    pub command: Vec<String>,
}

/// The program that wrote a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tool {
    /// `setway`.
    pub name: String,
    /// The version of the package.
    pub version: String,
    /// The git commit it was built from; `None` if the build did not record it, as in a checkout, where
    /// [`Checkout::commit`] says what it was built from.
    #[serde(default)]
    pub commit: Option<String>,
}

/// The checkout whose images, data files and expectations were used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Checkout {
    /// Its top directory.
    pub root: String,
    /// The git commit that is checked out; `None` if it is no git checkout or there is no git.
    #[serde(default)]
    pub commit: Option<String>,
    /// Whether files differ from that commit, untracked ones included; `None` if there is no commit.
    #[serde(default)]
    pub dirty: Option<bool>,
}

/// The machine on which the harness ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Host {
    /// Its name in the network.
    pub name: String,
    /// Its operating system and the release of that, such as `Linux 6.12.57`.
    pub system: String,
    /// Its architecture, as the system calls it: `x86_64`, `aarch64`.
    pub architecture: String,
    /// How many CPUs the harness may use.
    pub cpus: u64,
}

/// A file that was part of the runs on a target.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Artifact {
    /// What it is: `qemu`, `plugin`, an image's name such as `payload-a64`, or a placeholder of the
    /// hypervisor's file such as `kernel` or `initramfs`.
    pub name: String,
    /// Where it was.
    pub path: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256, as 64 hexadecimal digits; `None` if the file is too long to be hashed at each start.
    #[serde(default)]
    pub sha256: Option<String>,
}
