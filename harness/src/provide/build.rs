//! The guest images: built by cargo, made flat and relocatable, kept until a source changes.
//!
//! Each package gets a cargo invocation of its own, because features that one guest needs would
//! break another.

mod flat;
pub mod kept;
pub mod linux;
pub mod plugin;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    process::ExitStatus,
};

use fs_err as fs;

use self::kept::{Product, Store, replace};
use crate::{
    provide::rust::{self, Action, Job, Toolchain},
    workspace::{Workspace, crates},
};

/// The target of the AArch64 guests, without floating-point registers: nobody saves those.
pub const AARCH64: &str = "aarch64-unknown-none-softfloat";
/// The target of the AArch32 guests.
pub const AARCH32: &str = "armv7a-none-eabi";

/// How one image is built.
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
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The crates of the workspace are not known.
    #[error(transparent)]
    Crates(#[from] crates::Error),
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
    /// Builds the images called `names`, as far as their sources have changed.
    ///
    /// # Errors
    ///
    /// If there is no such image, or it cannot be built.
    pub fn build(workspace: &Workspace, names: &[&str]) -> Result<Self, Error> {
        let recipes = names
            .iter()
            .map(|name| find_recipe(name))
            .collect::<Result<Vec<_>, _>>()?;
        let store = Store::open(workspace)?;
        let mut builder = Builder::new(workspace);
        let mut by_name = BTreeMap::new();
        for recipe in recipes {
            by_name.insert(recipe.name, builder.image(&store, recipe)?);
        }
        Ok(Self { by_name })
    }

    /// Builds every image.
    ///
    /// # Errors
    ///
    /// If one cannot be built.
    pub fn build_all(workspace: &Workspace) -> Result<Self, Error> {
        Self::build(workspace, &RECIPES.map(|recipe| recipe.name))
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

    /// The same images with `image` in place of the one of its name.
    #[must_use]
    pub fn with(mut self, image: Image) -> Self {
        self.by_name.insert(image.recipe.name, image);
        self
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
///
/// # Errors
///
/// If it finds something, or cannot be run.
pub fn check_all(workspace: &Workspace) -> Result<(), Error> {
    let store = Store::open(workspace)?;
    let mut builder = Builder::new(workspace);
    for recipe in RECIPES {
        store.refresh(recipe.package, &builder.target_dir)?;
        builder.cargo(recipe, Action::Check)?;
    }
    linux::check_all(workspace, &store)
}

struct Builder<'a> {
    workspace: &'a Workspace,
    target_dir: PathBuf,
    toolchain: Option<Toolchain>,
    compiler: String,
}

impl<'a> Builder<'a> {
    fn new(workspace: &'a Workspace) -> Self {
        Self {
            workspace,
            target_dir: workspace.target().join("guest"),
            toolchain: None,
            compiler: rust::active(rust::Product::Guest, &[AARCH64, AARCH32]),
        }
    }

    fn image(&mut self, store: &Store, recipe: Recipe) -> Result<Image, Error> {
        let images = self.workspace.target().join("setway/images");
        let elf = self.target_dir.join(recipe.target).join("guest");
        let elf = elf.join(recipe.package);
        let flat = images.join(recipe.name).with_added_extension("img");
        let product = Product {
            package: recipe.package,
            compiler: self.compiler.clone(),
            target_dir: &self.target_dir.clone(),
            files: vec![elf.clone(), flat.clone()],
            stamp: images.join(recipe.name).with_added_extension("stamp"),
        };
        let kept = store.keep(&product, || {
            self.cargo(recipe, Action::Build)?;
            flatten(&elf, &flat)
        })?;
        Ok(Image {
            recipe,
            elf,
            flat,
            build: kept.build,
        })
    }

    fn cargo(&mut self, recipe: Recipe, action: Action) -> Result<(), Error> {
        let toolchain = match &self.toolchain {
            Some(toolchain) => toolchain,
            None => {
                let targets = [AARCH64, AARCH32];
                let chosen = Toolchain::choose(rust::Product::Guest, &targets, self.workspace)?;
                chosen.prepare(self.workspace)?;
                self.toolchain.insert(chosen)
            }
        };
        let status = toolchain.run(&Job {
            workspace: self.workspace.root(),
            package: recipe.package,
            target: recipe.target,
            target_dir: &self.target_dir,
            product: rust::Product::Guest,
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

/// Makes the flat image `flat` of the executable `elf`, and returns its build id.
fn flatten(elf: &Path, flat: &Path) -> Result<u64, Error> {
    let made = flat::flatten(&fs::read(elf)?).map_err(|reason| Error::Flatten {
        path: elf.to_owned(),
        reason,
    })?;
    replace(flat, &made.bytes)?;
    Ok(made.build)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_image_is_named() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let workspace = Workspace::at(dir.path());
        let error = Images::build(&workspace, &["no-such"]).expect_err("unknown");
        assert!(error.to_string().contains("no-such"));
    }
}
