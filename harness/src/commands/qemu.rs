//! `setway qemu`.

use std::fmt::Write as _;

use crate::{
    catalog::Catalog,
    cli::QemuCommand,
    commands::Error,
    provide::{
        self,
        qemu::{self, Qemu},
    },
};

/// Fetches or lists the managed versions.
pub fn qemu(catalog: &Catalog, command: &QemuCommand) -> Result<bool, Error> {
    let mut text = String::new();
    // Writing to a string cannot fail.
    match command {
        QemuCommand::Fetch { version } => {
            let qemu =
                Qemu::resolve(version.as_deref(), &catalog.qemus).map_err(provide::Error::from)?;
            let path = qemu.path();
            let _ = writeln!(
                text,
                "{} {} {}",
                qemu.name(),
                qemu.version(),
                path.display()
            );
        }
        QemuCommand::List => {
            for (index, listed) in qemu::list(&catalog.qemus)
                .map_err(provide::Error::from)?
                .iter()
                .enumerate()
            {
                let default = if index == 0 { "default" } else { "" };
                let place = match listed.fetched {
                    true => listed.path.display().to_string(),
                    false => "not fetched".to_owned(),
                };
                let _ = writeln!(text, "{:<6} {default:<8} {place}", listed.file.name);
            }
        }
    }
    super::print(&text)?;
    Ok(true)
}
