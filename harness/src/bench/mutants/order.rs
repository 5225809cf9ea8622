//! Which run to try first with a defect: the one that killed it before; then those that killed others of its place,
//! the most deadly first; then the cheapest.

use std::{cmp::Reverse, collections::BTreeMap};

use setway_policy::Site;

use super::kills::Kills;
use crate::{
    catalog::obligation::{Obligations, Ops},
    plan::Run,
};

/// What is known of a defect before anything is run.
#[derive(Clone, Copy, Debug)]
pub struct Hint<'a> {
    /// Labels of runs that killed it before.
    pub killers: &'a [String],
    /// Where the mistake is made; none if that is not known.
    pub sites: &'a [Site],
}

/// `runs`, the likeliest to show the defect first and, among equals, the cheapest.
pub fn ordered<'r>(
    runs: impl IntoIterator<Item = &'r Run>,
    hint: &Hint,
    kills: &Kills,
    owed: Option<&Obligations>,
) -> Vec<&'r Run> {
    let mut deadly: BTreeMap<&str, usize> = BTreeMap::new();
    for (run, count) in hint.sites.iter().flat_map(|site| kills.at(*site)) {
        *deadly.entry(run).or_default() += count;
    }
    let mut runs: Vec<&Run> = runs.into_iter().collect();
    // The key is long, and the sort stable.
    runs.sort_by_cached_key(|run| {
        let label = run.label();
        let known = hint.killers.iter().position(|it| *it == label);
        let count = deadly.get(label.as_str()).copied().unwrap_or_default();
        // A case says much the same in each instruction set, so each is tried in one of them first.
        let again = run
            .case
            .isas
            .first()
            .is_some_and(|isa| run.isa != (*isa).into());
        let known = known.unwrap_or(usize::MAX);
        (known, Reverse(count), again, cost(run, owed))
    });
    runs
}

/// About how long a run takes, in no unit: what it owes, and more with caches and several vCPUs.
pub fn cost(run: &Run, owed: Option<&Obligations>) -> u64 {
    /// About as many as CPUs have lines in their caches, by which loops over them go.
    const LINES: u64 = 40_000;
    /// What it takes to boot and to end, and to flush, in traps.
    const BOOT: u64 = 1_000;
    const FLUSH: u64 = 100;
    let owed = owed.and_then(|owed| owed.of(run.case.id, run.isa));
    let steps = owed.into_iter().flat_map(|owed| &owed.steps);
    let traps = steps.map(|step| {
        let ops = match step.set_way {
            Ops::Exactly(ops) => ops,
            Ops::Geometry => LINES,
        };
        ops + step.vm_reg + FLUSH * step.flush
    });
    let caches = 1 + u64::from(run.caches.is_some());
    (BOOT * u64::from(run.case.cpus) + traps.sum::<u64>()) * caches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_killed_before_comes_first_and_what_is_dear_last() {
        let ids = ["SW-LOOP", "SW-PAIR", "CPU-TVM", "EXA-ZR"];
        let all = Run::all();
        let runs = all.iter().filter(|run| ids.contains(&run.case.id));
        let kills: Kills = toml::from_str("[mutants]\ntvm-shared = ['CPU-TVM.a32']").expect("TOML");
        let hint = Hint {
            killers: &["EXA-ZR.a64".to_owned()],
            sites: &[Site::Vcpu],
        };
        let workspace = crate::workspace::Workspace::find().expect("tests run in a checkout");
        let catalog = crate::catalog::Catalog::load(&workspace).expect("sound files");
        let ordered = ordered(runs, &hint, &kills, Some(&catalog.obligations));
        let labels: Vec<String> = ordered.iter().map(|run| run.label()).collect();
        let place = |label: &str| labels.iter().position(|it| it == label).expect("a run");
        assert_eq!(labels[..2], ["EXA-ZR.a64", "CPU-TVM.a32"]);
        assert!(place("SW-PAIR.a64") < place("SW-LOOP.a64"));
        assert!(place("SW-LOOP.a64") < place("SW-PAIR.a32"));
        assert!(place("SW-PAIR.t32") < place("SW-LOOP.a32"));
    }
}
