//! With coherent caches the plugin changes nothing: real software, each of whose accesses is compared with QEMU's.
//!
//! Whatever the plugin decodes, translates or learns wrongly makes what the model has differ from what QEMU has, and it
//! says at which instruction. Payloads cannot show that: their authors know the same instructions as the
//! decoder's. So kernels and boot loaders run here, as Debian has them; and payloads, for T32 and several CPUs.

mod software;

use libtest_mimic::{Failed, Trial};
use setway::{
    bench::Bench,
    catalog::{isa::Isa, qemu::VersionFile, schedule::Choice},
};
use setway_testing::{catalog, details, on_debian, run_of, workspace};

use software::Software;

fn main() {
    let mut trials = Vec::new();
    let qemus = catalog().map(|catalog| catalog.qemus).unwrap_or_default();
    for qemu in qemus.into_iter().filter(has_model) {
        for software in Software::all() {
            let (name, qemu) = (format!("{}::{}", software.name, qemu.name), qemu.clone());
            trials.push(Trial::test(name, move || software.compares(&qemu)));
        }
        for isa in Isa::ALL {
            let (name, qemu) = (format!("payload-{isa}::{}", qemu.name), qemu.clone());
            trials.push(Trial::test(name, move || payload(isa, &qemu)));
        }
    }
    if trials.is_empty() {
        trials.push(Trial::test("catalog", || {
            catalog().map(drop)?;
            Err("there is no QEMU that can carry the model".into())
        }));
    }
    // Kernels, boot loaders and both versions of QEMU come from Debian's archive.
    setway_testing::run(trials.into_iter().map(on_debian));
}

/// Whether there is a plugin for a QEMU.
fn has_model(qemu: &VersionFile) -> bool {
    qemu.plugin_api
        .is_some_and(setway::provide::build::plugin::supports)
}

/// Payloads of an instruction set, one with two CPUs, judge the same: a difference is a gap, and so no verdict.
fn payload(isa: Isa, qemu: &VersionFile) -> Result<(), Failed> {
    let coherent: Choice = "coherent".parse()?;
    let catalog = catalog()?;
    let target = catalog.target("reference")?;
    let plain = ["COH-LOOP/csw", "COH-CPUS", "EXA-RT/set-way"].map(|id| run_of(id, isa));
    let (workspace, name) = (workspace(), Some(qemu.name.as_str()));
    let (bench, runs) = Bench::prepare(workspace, &catalog, target, name, Some(&coherent), &plain)
        .map_err(|error| error.to_string())?;
    for run in runs {
        let outcome = bench.run(&run);
        if outcome.judgement.verdict.is_bad() {
            return Err(details(&bench, &outcome).into());
        }
    }
    Ok(())
}
