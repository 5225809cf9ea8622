//! The bare machine as tests: no hypervisor, only what its caches do.
//!
//! The cases say what a program should see by what the architecture says of its caches; random programs
//! should see what a second, slow model says. Either finds what is wrong in the model, in the plugin that
//! puts it into QEMU, and in its decoder.

mod expected;
mod random;

use libtest_mimic::{Failed, Trial};
use setway::{
    bench::Bench,
    catalog::{isa::Isa, schedule::Caches},
    plan::{self, Run},
};
use setway_testing::{SharedBench, details, prepare};

/// The runner without a hypervisor.
const BARE: &str = "bare";

fn main() {
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
    setway_testing::run(cases.chain(programs));
}

/// What the caches do does not depend on the instruction set, and random programs try them all. So one of
/// the three does everything, the others only what is most telling.
fn is_worth_it(run: &Run) -> bool {
    run.isa == Isa::A64 || run.caches.is_some_and(|it| it.to_string() == "lazy")
}

/// The bare machine. `None` where QEMU cannot carry the model, so that there is nothing to test.
fn bare() -> Result<Option<&'static Bench>, Failed> {
    static BENCH: SharedBench = SharedBench::new();
    let bench = BENCH.get(|| Ok(prepare(BARE, None, &Run::machine())?.0))?;
    Ok(bench.without_model().is_none().then_some(bench))
}

fn shows_what_it_should(run: &Run) -> Result<(), Failed> {
    let Some(bench) = bare()? else { return Ok(()) };
    let outcome = bench.run(run);
    if outcome.judgement.verdict.is_bad() {
        return Err(details(bench, &outcome).into());
    }
    Ok(())
}
