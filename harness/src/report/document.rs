//! Reports as files: JSON is written and read here.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use setway_report::{RUN_SCHEMA, RunReport, Target};

/// Why a file is no report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is not JSON, or lacks a field.
    #[error("{} is not a report: {source}\n  next: name a results.json, or what `run --format json` printed", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// It is another document.
    #[error("{} has the schema `{schema}`, and reports of runs have `{RUN_SCHEMA}`", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        schema: String,
    },
}

/// Any document as text, with a newline at its end.
pub fn to_text(document: &impl Serialize) -> Result<String, super::Error> {
    let text = serde_json::to_string_pretty(document)?;
    Ok(text + "\n")
}

/// The report in `path`; `-` is stdin.
pub fn read(path: &Path) -> Result<RunReport, Error> {
    let failed = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let text = if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map_err(failed)?;
        text
    } else {
        fs::read_to_string(path).map_err(failed)?
    };
    parse(&text, path)
}

/// The report that `text`, the contents of `path`, is.
pub fn parse(text: &str, path: &Path) -> Result<RunReport, Error> {
    /// What every document has.
    #[derive(Deserialize)]
    struct Head {
        schema: String,
    }
    let failed = |source| Error::Parse {
        path: path.to_owned(),
        source,
    };
    let Head { schema } = serde_json::from_str(text).map_err(failed)?;
    if schema != RUN_SCHEMA {
        let path = path.to_owned();
        return Err(Error::Schema { path, schema });
    }
    let mut report = serde_json::from_str(text).map_err(failed)?;
    complete(&mut report);
    Ok(report)
}

/// Adds what documents did not have at first: targets, which the results name, and totals.
fn complete(report: &mut RunReport) {
    for result in report.results.iter_mut().filter(|it| it.target.is_none()) {
        let mut targets = report.targets.iter();
        let known = targets.find(|it| it.label == result.hypervisor && it.qemu == result.qemu);
        let id = match known {
            Some(target) => target.id.clone(),
            None => {
                let target = target_of(result);
                let id = target.id.clone();
                report.targets.push(target);
                id
            }
        };
        result.target = Some(id);
    }
    if let [only] = report.targets.as_mut_slice() {
        only.wall_ms = report.wall_ms;
    }
    report.count_all();
}

/// As much as a result says of its target.
fn target_of(result: &setway_report::RunResult) -> Target {
    let label = &result.hypervisor;
    Target {
        id: format!("{label} on QEMU {}", result.qemu),
        label: label.clone(),
        hypervisor: name_of(label).to_owned(),
        hypervisor_version: result.hypervisor_version.clone(),
        machine: result.machine.clone(),
        qemu: result.qemu.clone(),
        profile: result.profile.clone(),
        ..Target::default()
    }
}

/// The hypervisor alone, of a label that may have a version and a machine: `kvm-qemu` of `kvm-qemu-7.3@virt-max`.
fn name_of(label: &str) -> &str {
    let (name, _machine) = label.split_once('@').unwrap_or((label, ""));
    match name.rsplit_once('-') {
        Some((name, version)) if version.starts_with(|it: char| it.is_ascii_digit()) => name,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_has_the_hypervisors_name_first() {
        for (label, name) in [
            ("reference", "reference"),
            ("reference@virt-max", "reference"),
            ("kvm-qemu-7.3@virt-max", "kvm-qemu"),
            ("xen-domu-4.20", "xen-domu"),
        ] {
            assert_eq!(name_of(label), name);
        }
    }

    #[test]
    fn what_is_no_report_of_runs_is_refused() {
        let said = |text: &str| {
            let refused = parse(text, Path::new("x.json"));
            refused.expect_err("it is no report").to_string()
        };
        assert!(said("{").contains("x.json is not a report"));
        assert!(said(r#"{"schema":"setway.run/1"}"#).contains("missing field"));
        let other = said(r#"{"schema":"setway.list/1"}"#);
        assert!(other.contains("has the schema `setway.list/1`"), "{other}");
    }
}
