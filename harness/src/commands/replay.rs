//! `setway replay`: judge kept runs again, without any machine.

use std::path::Path;

use setway_report::RunReport;

use crate::{
    catalog::{Catalog, target::Target},
    cli::ReplayArgs,
    commands::Error,
    evidence::observation::Builds,
    judge::outcome::Court,
    lab::recording::{self, Recording},
    plan::Run,
    report::{
        build::{self, Tested, origin},
        merge,
    },
    workspace::Workspace,
};

/// A kept run, as reports want to know of it.
#[derive(Debug)]
struct Kept {
    recording: Recording,
    target: Target,
}

impl Tested for Kept {
    fn target(&self) -> &Target {
        &self.target
    }

    fn qemu(&self) -> String {
        self.recording.qemu.clone()
    }

    fn hypervisor_version(&self) -> Option<String> {
        None
    }

    fn without_model(&self) -> Option<String> {
        None
    }

    fn builds(&self, _run: &Run) -> Builds {
        self.recording.builds(&self.target)
    }

    fn executables(&self, _run: &Run) -> (Option<&Path>, Option<&Path>) {
        (None, None)
    }
}

/// Judges the recordings that `args` name, and reports.
pub fn replay(workspace: &Workspace, catalog: &Catalog, args: &ReplayArgs) -> Result<bool, Error> {
    let reports = args.dirs.iter().map(|dir| judged(workspace, catalog, dir));
    let reports = reports.collect::<Result<Vec<_>, _>>()?;
    let report = merge::merge(reports).expect("the command line names at least one recording");
    super::print(&super::report::rendered(&report, args.format)?)?;
    Ok(report.is_good())
}

fn judged(workspace: &Workspace, catalog: &Catalog, dir: &Path) -> Result<RunReport, Error> {
    let recording = Recording::read(dir)?;
    let target = catalog.target(&recording.target)?;
    let run = recording.run().map_err(|why| recording::Error::Unusable {
        dir: dir.display().to_string(),
        why,
    })?;
    let capture = recording.play(dir, &target)?;
    let court = Court {
        workspace,
        target: &target,
        findings: &catalog.findings,
        expectations: false,
        obligations: Some(&catalog.obligations),
    };
    let outcome = court.judge(&run, capture, &recording.builds(&target));
    let kept = Kept { recording, target };
    let mut report = build::of_one(&kept, &outcome, "");
    report.origins = vec![origin::origin(workspace)];
    Ok(report)
}
