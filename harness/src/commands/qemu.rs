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
    workspace::Workspace,
};

/// Fetches or lists the managed versions.
pub fn qemu(
    workspace: &Workspace,
    catalog: &Catalog,
    command: &QemuCommand,
) -> Result<bool, Error> {
    let mut text = String::new();
    // Writing to a string cannot fail.
    match command {
        QemuCommand::Fetch { version, force } => {
            let (name, files) = (version.as_deref(), &catalog.qemus);
            let qemu = if *force {
                Qemu::fetch_again(workspace, name, files)
            } else {
                Qemu::resolve(workspace, name, files)
            };
            let qemu = qemu.map_err(provide::Error::from)?;
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
            let listed = qemu::list(workspace, &catalog.qemus).map_err(provide::Error::from)?;
            for (index, listed) in listed.iter().enumerate() {
                let default = if index == 0 { "default" } else { "" };
                let place = if listed.fetched {
                    listed.path.display().to_string()
                } else {
                    "not fetched".to_owned()
                };
                let _ = writeln!(text, "{:<6} {default:<8} {place}", listed.file.name);
            }
        }
    }
    super::print(&text)?;
    Ok(true)
}
