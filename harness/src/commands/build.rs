//! `setway build`.

use std::fmt::Write as _;

use crate::{Error, build::Images, paths};

/// Builds every image and prints where it is.
pub fn build() -> Result<bool, Error> {
    let images = Images::build_all(&paths::root(), &paths::target())?;
    let mut text = String::new();
    for image in images.iter() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:<12} {}", image.recipe.name, image.flat.display());
    }
    super::print(&text)?;
    Ok(true)
}
