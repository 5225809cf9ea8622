//! The cache model's plugin: a shared object for each generation of QEMU's plugin interface, built by
//! the host's own Rust when it is first needed.

use std::path::{Path, PathBuf};

use super::{Error, fingerprint_of, io_error, replace};
use crate::{provide::rust, workspace::lock::Lock};

/// The cargo package.
const PACKAGE: &str = "setway-cache-plugin";

/// The generations that the package can be built for.
const GENERATIONS: [u32; 2] = [4, 7];

/// What it is made from, relative to the workspace.
const SOURCES: [&str; 7] = [
    ".cargo",
    "Cargo.lock",
    "Cargo.toml",
    "payloads/architecture",
    "payloads/protocol",
    "runners/qemu/cache-model",
    "rust-toolchain.toml",
];

/// Whether there is a plugin for this generation of the interface.
pub fn supports(api: u32) -> bool {
    GENERATIONS.contains(&api)
}

/// A plugin that was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugin {
    /// The shared object.
    pub path: PathBuf,
    /// Fetches of instructions see what the model says. A plugin cannot have code translated again before
    /// generation 5 of the interface, which lets it write memory.
    pub fetches: bool,
}

/// Builds the plugin for generation `api`, if its sources have changed, and says where it is.
pub fn build(workspace: &Path, target: &Path, api: u32) -> Result<Plugin, Error> {
    let dir = target.join("setway/plugin");
    let lock = dir.join("build.lock");
    let _lock = Lock::acquire(&lock, "builds the cache model").map_err(io_error("lock", &lock))?;
    let path = dir.join(format!("api-{api}.so"));
    let plugin = Plugin {
        path: path.clone(),
        fetches: api >= 5,
    };
    let stamp = dir.join(format!("api-{api}.stamp"));
    let sources = format!("{:016x}", fingerprint_of(workspace, &SOURCES));
    if path.exists() && std::fs::read_to_string(&stamp).is_ok_and(|text| text == sources) {
        return Ok(plugin);
    }
    let built_in = target.join("host");
    let status = rust::build_for_host(workspace, &built_in, PACKAGE, &format!("api-{api}"))?;
    if !status.success() {
        return Err(Error::Cargo {
            package: PACKAGE.to_owned(),
            target: "this machine",
            status,
        });
    }
    let built = built_in.join("plugin/libsetway_cache_plugin.so");
    let bytes = std::fs::read(&built).map_err(io_error("read", &built))?;
    replace(&path, &bytes)?;
    replace(&stamp, sources.as_bytes())?;
    Ok(plugin)
}
