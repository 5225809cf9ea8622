//! The guest images: built by cargo, made flat and relocatable, kept until a source changes.
//!
//! Each package gets a cargo invocation of its own, because features that one guest needs would
//! break another. A stamp per image spares a warm run even the question to cargo.

mod flat;
pub mod linux;
pub mod plugin;

use std::collections::BTreeMap;
use std::fs;
use std::hash::Hasher;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use crate::fnv::Fnv;
use crate::provide::rust::{self, Action, Job, Product, Toolchain};
use crate::workspace::lock::Lock;

/// The target of the AArch64 guests, without floating-point registers: nobody saves those.
pub const AARCH64: &str = "aarch64-unknown-none-softfloat";
/// The target of the AArch32 guests.
pub const AARCH32: &str = "armv7a-none-eabi";

/// How one image comes to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// What Setway calls the image.
    pub name: &'static str,
    /// The cargo package, whose binary has the same name.
    pub package: &'static str,
    /// The target it is built for.
    pub target: &'static str,
}

/// Every image there is.
pub const RECIPES: [Recipe; 4] = [
    recipe("hyp-aarch64", "setway-hyp-aarch64", AARCH64),
    recipe("payload-a64", "setway-payload-aarch64", AARCH64),
    recipe("payload-a32", "setway-payload-aarch32", AARCH32),
    recipe("misbehave", "setway-misbehave", AARCH64),
];

const fn recipe(name: &'static str, package: &'static str, target: &'static str) -> Recipe {
    Recipe {
        name,
        package,
        target,
    }
}

/// What the images are made from and by, relative to the workspace. Directories count with all
/// below.
const SOURCES: [&str; 8] = [
    ".cargo",
    "Cargo.lock",
    "Cargo.toml",
    "harness/src/provide/build",
    "hyp-under-test",
    "payloads",
    "runners/toolchain",
    "rust-toolchain.toml",
];

/// Variables that choose another compiler, and so other bytes.
const CHOICES: [&str; 3] = ["RUSTC", "RUSTUP_TOOLCHAIN", rust::OVERRIDE];

/// Why an image could not be built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No image has this name.
    #[error("there is no guest image `{0}`")]
    Unknown(String),
    /// There is no compiler.
    #[error(transparent)]
    Toolchain(#[from] rust::Error),
    /// Cargo failed, and has said why on stderr.
    #[error("cargo failed on the package {package} for {target} ({status}); the reason is above")]
    Cargo {
        /// The package.
        package: String,
        /// The target.
        target: &'static str,
        /// How cargo ended.
        status: ExitStatus,
    },
    /// The executable cannot be made into an image.
    #[error("{path} cannot be made into a flat image: {reason}")]
    Flatten {
        /// The executable.
        path: PathBuf,
        /// What is wrong with it, and where.
        reason: String,
    },
    /// The file system said no.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| Error::Io {
        action,
        path,
        source,
    }
}

/// A finished image.
#[derive(Debug, Clone)]
pub struct Image {
    /// What it was made by.
    pub recipe: Recipe,
    /// The executable, with symbols for reports. It is linked at address 0.
    pub elf: PathBuf,
    /// The flat bytes to put into memory, with the relocation table.
    pub flat: PathBuf,
    /// The id that the image gives in its records, or 0 if it has none.
    pub build: u64,
}

/// The images of a workspace.
#[derive(Debug, Clone)]
pub struct Images {
    by_name: BTreeMap<&'static str, Image>,
}

impl Images {
    /// Builds the images called `names`, as far as their sources have changed. `target` is the
    /// workspace's target directory.
    pub fn build(workspace: &Path, target: &Path, names: &[&str]) -> Result<Self, Error> {
        let recipes = names
            .iter()
            .map(|name| find_recipe(name))
            .collect::<Result<Vec<_>, _>>()?;
        let lock = target.join("setway/build.lock");
        let _lock = Lock::acquire(&lock, "builds guest images").map_err(io_error("lock", &lock))?;
        let mut builder = Builder {
            workspace,
            target,
            sources: fingerprint(workspace, &SOURCES, Product::Guest, &[AARCH64, AARCH32]),
            toolchain: None,
        };
        let mut by_name = BTreeMap::new();
        for recipe in recipes {
            by_name.insert(recipe.name, builder.image(recipe)?);
        }
        Ok(Self { by_name })
    }

    /// Builds every image.
    pub fn build_all(workspace: &Path, target: &Path) -> Result<Self, Error> {
        Self::build(workspace, target, &RECIPES.map(|recipe| recipe.name))
    }

    /// Every image, none of which exists.
    #[cfg(test)]
    pub fn imagined() -> Self {
        let images = RECIPES.map(|recipe| Image {
            recipe,
            elf: recipe.name.into(),
            flat: recipe.name.into(),
            build: 0,
        });
        let by_name = images.map(|image| (image.recipe.name, image)).into();
        Self { by_name }
    }

    /// The image of this name, if it was among those built.
    pub fn get(&self, name: &str) -> Option<&Image> {
        self.by_name.get(name)
    }

    /// All images that were built, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Image> {
        self.by_name.values()
    }
}

fn find_recipe(name: &str) -> Result<Recipe, Error> {
    let found = RECIPES.into_iter().find(|recipe| recipe.name == name);
    found.ok_or_else(|| Error::Unknown(name.to_owned()))
}

/// Runs clippy with warnings as errors on the package of every image, and of every program for Linux.
pub fn check_all(workspace: &Path, target: &Path) -> Result<(), Error> {
    let lock = target.join("setway/build.lock");
    let _lock = Lock::acquire(&lock, "builds guest images").map_err(io_error("lock", &lock))?;
    let mut builder = Builder {
        workspace,
        target,
        sources: 0,
        toolchain: None,
    };
    RECIPES
        .into_iter()
        .try_for_each(|recipe| builder.cargo(recipe, Action::Check))?;
    linux::check_all(workspace, target)
}

struct Builder<'a> {
    workspace: &'a Path,
    target: &'a Path,
    sources: u64,
    toolchain: Option<Toolchain>,
}

impl Builder<'_> {
    fn image(&mut self, recipe: Recipe) -> Result<Image, Error> {
        let images = self.target.join("setway/images");
        let elf = self.target.join("guest").join(recipe.target);
        let mut image = Image {
            recipe,
            elf: elf.join("guest").join(recipe.package),
            flat: images.join(recipe.name).with_added_extension("img"),
            build: 0,
        };
        let stamp = images.join(recipe.name).with_added_extension("stamp");
        if image.flat.exists()
            && let Ok(text) = fs::read_to_string(&stamp)
            && let Some(build) = text.strip_prefix(&self.freshness(&image))
            && let Ok(build) = u64::from_str_radix(build, 16)
        {
            image.build = build;
            return Ok(image);
        }
        self.cargo(recipe, Action::Build)?;
        fs::create_dir_all(&images).map_err(io_error("create", &images))?;
        image.build = flatten(&image)?;
        let text = format!("{}{:016x}", self.freshness(&image), image.build);
        replace(&stamp, text.as_bytes())?;
        Ok(image)
    }

    /// What the stamp of an up-to-date image begins with; its build id follows.
    fn freshness(&self, image: &Image) -> String {
        format!("{:016x} {:016x} ", self.sources, made(image))
    }

    fn cargo(&mut self, recipe: Recipe, action: Action) -> Result<(), Error> {
        let toolchain = match &self.toolchain {
            Some(toolchain) => toolchain,
            None => {
                let runners = self.workspace.join("runners/toolchain");
                let chosen = Toolchain::choose(Product::Guest, &[AARCH64, AARCH32], &runners)?;
                chosen.prepare(self.workspace)?;
                self.toolchain.insert(chosen)
            }
        };
        let status = toolchain.run(&Job {
            workspace: self.workspace,
            package: recipe.package,
            target: recipe.target,
            target_dir: &self.target.join("guest"),
            product: Product::Guest,
            action,
        })?;
        if status.success() {
            Ok(())
        } else {
            Err(Error::Cargo {
                package: recipe.package.to_owned(),
                target: recipe.target,
                status,
            })
        }
    }
}

/// Makes the flat image and returns its build id.
fn flatten(image: &Image) -> Result<u64, Error> {
    let elf = fs::read(&image.elf).map_err(io_error("read", &image.elf))?;
    let flat = flat::flatten(&elf).map_err(|reason| Error::Flatten {
        path: image.elf.clone(),
        reason,
    })?;
    replace(&image.flat, &flat.bytes)?;
    Ok(flat.build)
}

/// Writes a file whole or not at all, and not if it holds these bytes already.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let new = path.with_added_extension("new");
    fs::write(&new, bytes).map_err(io_error("write", &new))?;
    fs::rename(&new, path).map_err(io_error("rename", &new))
}

/// A hash of what was made, so that an image changed or removed behind our back is made again.
fn made(image: &Image) -> u64 {
    let mut hash = Fnv::default();
    hash_path(&mut hash, &image.elf);
    hash_path(&mut hash, &image.flat);
    hash.finish()
}

/// A hash of all that decides the bytes of what is made from `sources`: their names, sizes and times, and
/// the choice of compiler. A rustup toolchain may be updated without a change of name; Debian's is
/// another directory then, and its description is among the sources.
fn fingerprint(workspace: &Path, sources: &[&str], product: Product, targets: &[&str]) -> u64 {
    let mut hash = Fnv::default();
    for name in CHOICES {
        let value = std::env::var_os(name).unwrap_or_default();
        hash.write(value.as_encoded_bytes());
        hash.write_u8(0);
    }
    hash.write(rust::active(product, targets).as_bytes());
    hash.write_u64(fingerprint_of(workspace, sources));
    hash.finish()
}

/// A hash of names, sizes and times of `sources`.
fn fingerprint_of(workspace: &Path, sources: &[&str]) -> u64 {
    let mut hash = Fnv::default();
    for source in sources {
        hash_path(&mut hash, &workspace.join(source));
    }
    hash.finish()
}

fn hash_path(hash: &mut Fnv, path: &Path) {
    // What cannot be read counts as absent here; cargo has the words for it.
    let Ok(metadata) = fs::metadata(path) else {
        return;
    };
    hash.write(path.as_os_str().as_encoded_bytes());
    hash.write_u8(0);
    if metadata.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        paths.iter().for_each(|path| hash_path(hash, path));
    } else {
        let modified = metadata.modified().ok();
        let since = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        hash.write_u64(metadata.len());
        hash.write_u128(since.map_or(0, |time| time.as_nanos()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_follows_names_and_contents() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let payloads = dir.path().join("payloads");
        fs::create_dir(&payloads).expect("a writable directory");
        let fingerprint = || fingerprint(dir.path(), &SOURCES, Product::Guest, &[AARCH64]);
        let empty = fingerprint();
        fs::write(payloads.join("a.rs"), "1").expect("a writable directory");
        let one = fingerprint();
        fs::write(payloads.join("a.rs"), "12").expect("a writable directory");
        let two = fingerprint();
        fs::rename(payloads.join("a.rs"), payloads.join("b.rs")).expect("a writable directory");
        let all = [empty, one, two, fingerprint()];
        assert!((0..4).all(|i| (0..i).all(|j| all[i] != all[j])), "{all:x?}");
    }

    #[test]
    fn an_unknown_image_is_named() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let error = Images::build(dir.path(), dir.path(), &["no-such"]).expect_err("unknown");
        assert!(error.to_string().contains("no-such"));
    }
}
