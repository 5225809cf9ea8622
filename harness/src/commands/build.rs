//! `setway build`.

use std::fmt::Write as _;

use crate::{
    cli::BuildArgs,
    commands::Error,
    provide::{
        self,
        build::{self, Images},
    },
    workspace::Workspace,
};

/// Builds every image and prints where it is, or only checks the sources.
pub fn build(workspace: &Workspace, args: &BuildArgs) -> Result<bool, Error> {
    if args.check {
        build::check_all(workspace).map_err(provide::Error::from)?;
        return Ok(true);
    }
    let images = Images::build_all(workspace).map_err(provide::Error::from)?;
    let mut text = String::new();
    for image in images.iter() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:<12} {}", image.recipe.name, image.flat.display());
    }
    super::print(&text)?;
    Ok(true)
}
