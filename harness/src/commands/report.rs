//! `setway report`: work with reports that are files. No machine is needed.

use std::path::{Path, PathBuf};

use fs_err as fs;
use setway_report::RunReport;

use crate::{
    cli::{Format, ReportCommand},
    commands::Error,
    report::{diff, document, human, junit, merge, tap},
};

/// Does what `command` says.
pub fn report(command: &ReportCommand) -> Result<bool, Error> {
    match command {
        ReportCommand::Render {
            files,
            format,
            allow_findings,
        } => {
            let mut report = read_all(files)?;
            report.allow_findings |= allow_findings;
            super::print(&rendered(&report, *format)?)?;
            Ok(true)
        }
        ReportCommand::Merge { files, output } => {
            let text = document::to_text(&read_all(files)?)?;
            match output {
                Some(file) => fs::write(file, text)?,
                None => super::print(&text)?,
            }
            Ok(true)
        }
        ReportCommand::Diff { old, new } => {
            let read = |path: &Path| document::read(path);
            let changes = diff::changes(&read(old)?, &read(new)?);
            super::print(&diff::text(&changes))?;
            Ok(changes.is_empty())
        }
    }
}

/// `report` in a format.
pub fn rendered(report: &RunReport, format: Format) -> Result<String, Error> {
    match format {
        Format::Human => Ok(human::text(report)),
        Format::Json => Ok(document::to_text(report)?),
        Format::Junit => Ok(junit::text(report)?),
        Format::Tap => Ok(tap::text(report)),
    }
}

/// The reports in `files` as one.
fn read_all(files: &[PathBuf]) -> Result<RunReport, Error> {
    let reports = files.iter().map(|file| document::read(file));
    let reports = reports.collect::<Result<Vec<_>, _>>()?;
    let merged = merge::merge(reports);
    Ok(merged.expect("the command line names at least one file"))
}
