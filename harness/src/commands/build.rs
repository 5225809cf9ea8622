//! `setway build`.

use std::fmt::Write as _;

use crate::{
    Error,
    cli::BuildArgs,
    provide::build::{self, Images},
    workspace::paths,
};

/// Builds every image and prints where it is, or only checks the sources.
pub fn build(args: &BuildArgs) -> Result<bool, Error> {
    if args.check {
        build::check_all(&paths::root(), &paths::target())?;
        return Ok(true);
    }
    let images = Images::build_all(&paths::root(), &paths::target())?;
    let mut text = String::new();
    for image in images.iter() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:<12} {}", image.recipe.name, image.flat.display());
    }
    super::print(&text)?;
    Ok(true)
}
