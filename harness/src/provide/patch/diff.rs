//! What a unified diff makes of a checkout's files, without writing any.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

use diffy::patch_set::{FileMode, FileOperation, FilePatch, ParseOptions, PatchSet};
use fs_err as fs;

use super::Error;
use crate::workspace::Workspace;

/// The files that a patch changes, relative to the checkout, with their new text; `None` for one that it removes.
pub type Edits = BTreeMap<PathBuf, Option<String>>;

/// What the unified diff `text` makes of the hypervisor's files in `workspace`.
///
/// Paths may be as `git diff` writes them, with `a/` and `b/` before them, or relative to the checkout.
///
/// # Errors
///
/// If it is no diff, does not apply, or changes what the hypervisor is not made of.
pub fn edits(workspace: &Workspace, text: &str) -> Result<Edits, Error> {
    let is_git = text.lines().any(|line| line.starts_with("diff --git "));
    let options = if is_git {
        ParseOptions::gitdiff()
    } else {
        ParseOptions::unidiff()
    };
    let mut tree = Tree {
        root: workspace.root(),
        allowed: super::allowed(workspace)?,
        edits: Edits::new(),
    };
    for patch in PatchSet::parse(text, options) {
        tree.apply(&patch.map_err(|error| Error::NoDiff(error.to_string()))?)?;
    }
    let root = workspace.root();
    tree.edits
        .retain(|path, text| fs::read_to_string(root.join(path)).ok() != *text);
    if tree.edits.is_empty() {
        return Err(Error::Nothing);
    }
    Ok(tree.edits)
}

/// The checkout with the edits so far.
struct Tree<'a> {
    root: &'a Path,
    allowed: Vec<String>,
    edits: Edits,
}

impl Tree<'_> {
    fn apply(&mut self, patch: &FilePatch<str>) -> Result<(), Error> {
        let (old, new) = match patch.operation() {
            FileOperation::Create(path) => (None, Some(self.place(path)?)),
            FileOperation::Delete(path) => (Some(self.file(path)?), None),
            FileOperation::Modify { original, modified } => {
                // `diff -u` may have compared a copy of another name, such as FILE.orig.
                let file = self.file(original).or_else(|_| self.file(modified))?;
                (Some(file.clone()), Some(file))
            }
            FileOperation::Rename { from, to } | FileOperation::Copy { from, to } => {
                (Some(self.file(from)?), Some(self.place(to)?))
            }
        };
        for path in old.iter().chain(&new) {
            self.check(path)?;
        }
        let named = new.as_ref().or(old.as_ref()).cloned().unwrap_or_default();
        let links = [patch.old_mode(), patch.new_mode()];
        let is_file = |mode: &&FileMode| matches!(mode, FileMode::Regular | FileMode::Executable);
        let lines = patch.patch().as_text();
        let lines = lines.filter(|_| links.into_iter().flatten().all(|mode| is_file(&mode)));
        let lines = lines.ok_or_else(|| Error::NoText(named.clone()))?;
        if let (None, Some(path)) = (&old, &new)
            && self.text(path).is_some()
        {
            return Err(Error::Exists(path.clone()));
        }
        let before = match &old {
            Some(path) => self.text(path).ok_or_else(|| Error::NoText(path.clone()))?,
            None => String::new(),
        };
        let after = diffy::apply(&before, lines).map_err(|error| {
            let hunk = error.to_string().replace("error applying ", "");
            Error::NoPlace {
                path: named.clone(),
                reason: format!("{hunk} has no place"),
            }
        })?;
        if let (Some(old), false) = (old, matches!(patch.operation(), FileOperation::Copy { .. })) {
            self.edits.insert(old, None);
        }
        if let Some(new) = new {
            self.edits.insert(new, Some(after));
        }
        Ok(())
    }

    /// The text of a file as it is by now; `None` if there is no such file, or it is no text.
    fn text(&self, path: &Path) -> Option<String> {
        match self.edits.get(path) {
            Some(text) => text.clone(),
            None => fs::read_to_string(self.root.join(path)).ok(),
        }
    }

    fn is_there(&self, path: &Path) -> bool {
        let edited = self.edits.get(path).map(Option::is_some);
        edited.unwrap_or_else(|| self.root.join(path).is_file())
    }

    /// The file that a patch calls `name`.
    fn file(&self, name: &str) -> Result<PathBuf, Error> {
        let mut paths = readings(name);
        let found = paths.find(|path| self.is_there(path));
        found.ok_or_else(|| Error::NoFile(name.to_owned()))
    }

    /// Where a new file goes that a patch calls `name`: into a directory that is there.
    fn place(&self, name: &str) -> Result<PathBuf, Error> {
        let is_in = |path: &PathBuf| {
            let above = path.parent().filter(|above| *above != Path::new(""));
            above.is_some_and(|above| above.ancestors().any(|it| self.is_crate(it)))
        };
        let found = readings(name).find(is_in);
        found
            .or_else(|| readings(name).next())
            .ok_or_else(|| Error::NoFile(name.to_owned()))
    }

    fn is_crate(&self, dir: &Path) -> bool {
        self.root.join(dir).join("Cargo.toml").is_file() && dir != Path::new("")
    }

    fn check(&self, path: &Path) -> Result<(), Error> {
        if self.allowed.iter().any(|dir| path.starts_with(dir)) {
            return Ok(());
        }
        Err(Error::Outside {
            path: path.to_owned(),
            allowed: self.allowed.join(", "),
        })
    }
}

/// What a name in a patch may mean, the likelier first: `a/` and `b/` are Git's, and no part of the path. A path that
/// would lead out of the checkout means nothing.
fn readings(name: &str) -> impl Iterator<Item = PathBuf> + use<> {
    let whole = PathBuf::from(name);
    let mut parts = whole.components();
    parts.next();
    let stripped = parts.as_path().to_owned();
    let is_inner = |path: &PathBuf| {
        let mut parts = path.components();
        path.components().next().is_some() && parts.all(|it| matches!(it, Component::Normal(_)))
    };
    [stripped, whole].into_iter().filter(is_inner)
}

#[cfg(test)]
mod tests;
