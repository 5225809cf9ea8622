//! The bare machine as tests: no hypervisor, only what its caches do.
//!
//! The cases say what a program should see by what the architecture says of its caches; random programs
//! should see what a second, slow model says. Either finds what is wrong in the model, in the plugin that
//! puts it into QEMU, and in its decoder.

mod expected;
mod random;

use std::num::NonZero;

use libtest_mimic::{Arguments, Failed, Trial};
use setway::{
    bench::Bench,
    catalog::{Catalog, isa::Isa, schedule::Caches},
    plan::{self, Run},
    report::{build, human},
    workspace::{Workspace, process},
};

/// The runner without a hypervisor.
const BARE: &str = "bare";

fn main() {
    if let Err(error) = process::die_on_signals() {
        eprintln!("cannot catch signals: {error}");
    }
    let mut arguments = Arguments::from_args();
    // Every test is a QEMU, as in the other suite.
    let cpus = std::thread::available_parallelism().map_or(1, NonZero::get);
    arguments.test_threads.get_or_insert(cpus);
    let all = Run::machine();
    let plain = plan::select(&all, &[], &[]).unwrap_or_default();
    let runs = plain.into_iter().flat_map(|run| run.each(None));
    let cases = runs.filter(is_worth_it).map(|run| {
        let caches = run.caches.map_or_else(String::new, |it| it.to_string());
        let name = format!("machine::{}::{}::{caches}", run.case.id, run.isa);
        Trial::test(name, move || shows_what_it_should(&run))
    });
    let programs = Isa::ALL.into_iter().flat_map(|isa| {
        Caches::settled().map(|caches| {
            let name = format!("model::random::{isa}::{caches}");
            Trial::test(name.clone(), move || random::agree(&name, isa, caches))
        })
    });
    let trials = cases.chain(programs).collect();
    libtest_mimic::run(&arguments, trials).exit();
}

/// What the caches do does not depend on the instruction set, and random programs try them all. So one of
/// the three does everything, the others only what is most telling.
fn is_worth_it(run: &Run) -> bool {
    run.isa == Isa::A64 || run.caches.is_some_and(|it| it.to_string() == "lazy")
}

/// The bare machine. `None` where QEMU cannot carry the model, so that there is nothing to test.
fn bare() -> Result<Option<&'static Bench>, Failed> {
    static BENCH: std::sync::OnceLock<Result<Bench, String>> = std::sync::OnceLock::new();
    let bench = BENCH.get_or_init(|| prepare().map_err(|error| error.to_string()));
    let bench = bench.as_ref().map_err(Failed::from)?;
    Ok(bench.without_model().is_none().then_some(bench))
}

fn prepare() -> Result<Bench, setway::Error> {
    let workspace = Workspace::find()?;
    let catalog = Catalog::load(&workspace)?;
    let target = catalog.target(BARE)?;
    let (bench, _) = Bench::prepare(&workspace, &catalog, target, None, None, &Run::machine())?;
    Ok(bench)
}

fn shows_what_it_should(run: &Run) -> Result<(), Failed> {
    let Some(bench) = bare()? else { return Ok(()) };
    let outcome = bench.run(run);
    if !outcome.judgement.verdict.is_bad() {
        return Ok(());
    }
    let report = build::of_one(bench, &outcome, " --hyp bare");
    let text = human::details(&report, &report.results[0]);
    Err(anstream::adapter::strip_str(&text).to_string().into())
}
