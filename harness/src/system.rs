//! The system that an agent runs on: an initial RAM disk with the agent for `init`, and all payloads.

use std::{fs, hash::Hasher as _, path::PathBuf};

use crate::{
    Error,
    build::{Images, linux},
    fnv::Fnv,
    hypervisor::Agent,
    initramfs::{File, archive},
    paths,
};

/// Where the agent mounts what it needs.
const DIRECTORIES: [&str; 3] = ["proc", "sys", "tmp"];

/// A system.
#[derive(Clone, Debug)]
pub struct System {
    /// Its RAM disk.
    pub initramfs: PathBuf,
    /// The id by which the agent's program knows itself: the FNV-1a hash of its file.
    pub build: u64,
}

/// Makes the system that `agent` runs on under `hypervisor`, with `images`.
pub fn make(hypervisor: &str, agent: &Agent, images: &Images) -> Result<System, Error> {
    let read = |path: PathBuf| fs::read(&path).map_err(Error::io("read", &path));
    let program = read(linux::program(
        &paths::root(),
        &paths::target(),
        &agent.program,
    )?)?;
    let mut build = Fnv::default();
    build.write(&program);
    let images = images.iter().map(|image| {
        let name = format!("{}.img", image.recipe.name);
        Ok::<_, Error>((name, read(image.flat.clone())?))
    });
    let images = images.collect::<Result<Vec<_>, _>>()?;
    let init = File {
        path: "init",
        contents: &program,
        mode: 0o755,
    };
    let images = images.iter().map(|(name, contents)| File {
        path: name,
        contents,
        mode: 0o644,
    });
    let files: Vec<File> = images.chain([init]).collect();
    let bytes = archive(&DIRECTORIES, &files)?;
    // Named by what is in it, so that it can be in use while another is made.
    let mut hash = Fnv::default();
    hash.write(&bytes);
    let dir = paths::target().join("setway/systems");
    fs::create_dir_all(&dir).map_err(Error::io("create", &dir))?;
    let path = dir.join(format!("{hypervisor}-{:016x}.cpio", hash.finish()));
    if !path.exists() {
        let partial = dir.join(format!("{hypervisor}-{}.partial", std::process::id()));
        fs::write(&partial, &bytes).map_err(Error::io("write", &partial))?;
        fs::rename(&partial, &path).map_err(Error::io("rename", &partial))?;
    }
    Ok(System {
        initramfs: path,
        build: build.finish(),
    })
}
