//! Real hypervisors as tests: that findings still show, and that whatever ends a hypervisor, its kernel, its
//! VMM or its guest is reported as what it is.
//!
//! The whole catalogue under all of them takes minutes; `.ci/run` does that. What depends on timing alone is
//! ignored: `cargo test --test hypervisors -- --ignored`.

use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use setway::{
    bench::{Bench, Worker},
    catalog::{finding::Finding, isa::Isa, schedule::Choice},
    judge::{Verdict, finding},
    plan::Run,
};
use setway_testing::{catalog, details, misbehaving, on_debian, prepare, run_of};

fn main() {
    let mut trials = vec![
        Trial::test("unplugged::no_dev_kvm", || {
            ends("kvm-unplugged", "/dev/kvm")
        }),
        Trial::test("unplugged::kernel_panic", || {
            ends("kvm-panic", "Kernel panic - not syncing: ")
        }),
        Trial::test("unplugged::xen_panic", || {
            ends("xen-panic", "Panic on CPU 0: (XEN) ")
        }),
        Trial::test("doomed::each_guest_has_its_own_end", doomed),
        Trial::test("without_code::qemu_as_vmm", vmm),
    ];
    match catalog() {
        Ok(catalog) => trials.extend(catalog.findings.into_iter().map(|finding| {
            let name = format!("findings::{}", finding.id);
            let timing = finding.depends_on_timing();
            Trial::test(name, move || shows(&finding)).with_ignored_flag(timing)
        })),
        Err(error) => trials.push(Trial::test("findings", move || {
            Err(error.to_string().into())
        })),
    }
    // Kernels and hypervisors come from Debian's archive.
    setway_testing::run(trials.into_iter().map(on_debian));
}

/// A bench for `runs` under `hypervisor`, without caches.
fn bench(hypervisor: &str, runs: &[Run]) -> Result<Bench, setway::Error> {
    let (bench, _) = prepare(hypervisor, Some(&Choice::Off), runs)?;
    Ok(bench)
}

/// Under `hypervisor` nothing runs: each run crashes, and the reason says why.
fn ends(hypervisor: &str, because: &str) -> Result<(), Failed> {
    let run = run_of("SW-REPEAT", Isa::A64);
    let bench = bench(hypervisor, &[run])?;
    let judgement = bench.run(&run).judgement;
    let reason = judgement.reason.unwrap_or_default();
    if judgement.verdict == Verdict::Crash && reason.contains(because) {
        Ok(())
    } else {
        Err(format!(
            "expected a crash because of {because:?}, got {}: {reason}",
            judgement.verdict
        )
        .into())
    }
}

/// In one boot, guests that hang, fail and behave: what becomes of one is not the next one's business.
fn doomed() -> Result<(), Failed> {
    let good = run_of("VMR-VALUE", Isa::A32);
    let expected = [
        (
            misbehaving("hang"),
            Verdict::Timeout,
            "still running after 3 s",
        ),
        (good, Verdict::Pass, ""),
        (misbehaving("panic"), Verdict::Crash, "panic"),
        (
            misbehaving("stray"),
            Verdict::Crash,
            "the guest ended by crash",
        ),
        (
            misbehaving("reset"),
            Verdict::Crash,
            "the guest ended by reset",
        ),
        (
            misbehaving("silent"),
            Verdict::NoVerdict,
            "no record of the guest's stream",
        ),
        (misbehaving("truncated"), Verdict::NoVerdict, "cut off"),
        (
            misbehaving("forge-over"),
            Verdict::NoVerdict,
            "the agent's stream, and is not sealed with this run's key",
        ),
        (
            misbehaving("forge-key"),
            Verdict::NoVerdict,
            "not sealed with this run's key",
        ),
        (misbehaving("nothing"), Verdict::Pass, ""),
        (good, Verdict::Pass, ""),
    ];
    let runs: Vec<Run> = expected.iter().map(|(run, ..)| *run).collect();
    let mut bench = bench("kvm-doomed", &runs)?;
    bench.limits.time = Duration::from_secs(3);
    let mut worker = Worker::default();
    for (run, verdict, because) in &expected {
        let judgement = bench.run_on(&mut worker, run, bench.limits).judgement;
        let reason = judgement.reason.unwrap_or_default();
        if judgement.verdict != *verdict || !reason.contains(because) {
            let what = run.mutant.unwrap_or(run.case.id);
            return Err(format!(
                "{what}: expected {verdict} because of {because:?}, got {}: {reason}",
                judgement.verdict
            )
            .into());
        }
    }
    match worker.boots() {
        1 => Ok(()),
        boots => Err(format!("all that took {boots} boots").into()),
    }
}

/// A hypervisor that is all in its file boots and is judged like any other.
fn vmm() -> Result<(), Failed> {
    let runs = Isa::ALL.map(|isa| run_of("SW-REPEAT", isa));
    let bench = bench("kvm-qemu", &runs)?;
    for run in &runs {
        let outcome = bench.run(run);
        if outcome.judgement.verdict != Verdict::Pass {
            return Err(details(&bench, &outcome).into());
        }
    }
    Ok(())
}

/// A finding that does not show any more is news.
fn shows(finding: &Finding) -> Result<(), Failed> {
    for label in &finding.hypervisors {
        let mut runs = finding::runs(finding, &[label]);
        if runs.is_empty() {
            return Err(format!("{} shows in no run of {label}", finding.id).into());
        }
        // One that needs caches takes a while, and so does one for which Linux boots each time.
        let hosted = catalog()?.target(label)?.hypervisor.hosted;
        if hosted || runs.iter().all(|run| run.caches.is_some()) {
            runs.truncate(1);
        }
        let (bench, _) = prepare(label, None, &runs)?;
        let mut worker = Worker::default();
        for run in &runs {
            let certain = finding::gone(std::slice::from_ref(finding), &[label], run).is_some();
            if !certain && !finding.depends_on_timing() {
                continue;
            }
            let mut tries = if finding.depends_on_timing() {
                TRIES
            } else {
                1
            };
            loop {
                let outcome = bench.run_on(&mut worker, run, bench.limits);
                let known = outcome.known.as_ref();
                if known.is_some_and(|known| known.is_of(&finding.id)) {
                    break;
                }
                tries -= 1;
                if tries == 0 {
                    return Err(format!("{label}: {}", details(&bench, &outcome)).into());
                }
            }
            if finding.depends_on_timing() {
                break;
            }
        }
    }
    Ok(())
}

/// How often to try to see what depends on timing.
const TRIES: u32 = 60;
