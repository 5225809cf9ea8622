//! The cache model's plugin: a shared object for each generation of QEMU's plugin interface, built by
//! the host's own Rust when it is first needed.

use std::path::PathBuf;

use fs_err as fs;

use super::{
    Error,
    kept::{self, Store, replace},
};
use crate::{provide::rust, workspace::Workspace};

/// The cargo package.
const PACKAGE: &str = "setway-cache-plugin";

/// The generations that the package can be built for.
const GENERATIONS: [u32; 2] = [4, 7];

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

/// Builds the plugin for generation `api`, if its sources have changed.
///
/// # Errors
///
/// If it cannot be built.
pub fn build(workspace: &Workspace, api: u32) -> Result<Plugin, Error> {
    let dir = workspace.target().join("setway/plugin");
    let path = dir.join(format!("api-{api}.so"));
    let target_dir = workspace.target().join("host");
    let product = kept::Product {
        package: PACKAGE,
        compiler: format!("api-{api}"),
        target_dir: &target_dir,
        files: vec![path.clone()],
        stamp: dir.join(format!("api-{api}.stamp")),
    };
    Store::open(workspace)?.keep(&product, || {
        let feature = format!("api-{api}");
        let status = rust::build_for_host(workspace.root(), &target_dir, PACKAGE, &feature)?;
        if !status.success() {
            return Err(Error::Cargo {
                package: PACKAGE.to_owned(),
                target: "this machine",
                status,
            });
        }
        let built = target_dir.join("plugin/libsetway_cache_plugin.so");
        replace(&path, &fs::read(&built)?)?;
        Ok(0)
    })?;
    Ok(Plugin {
        path,
        fetches: api >= 5,
    })
}
