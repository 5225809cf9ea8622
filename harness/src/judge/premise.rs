//! Whether a pass could have been anything else: what a case needs here to be able to fail, and does not have.

use setway_cache_model::Schedule;

use crate::{
    catalog::machine::Machine,
    evidence::{
        observation::{Observation, Step},
        witness::WitnessId,
    },
    plan::Run,
};

/// Nobody counts flushes.
const UNCOUNTED: &str =
    "needs a witness of flushes: this hypervisor does not count them, and the cache model is off";

/// Flushes are the hypervisor's own word.
const OWN_WORD: &str = "needs a second witness of flushes: only the hypervisor itself counts them, and the cache model is off";

/// What a pass of `run` would need to mean anything on `machine`; `None` if it could have failed.
pub fn missing(machine: &Machine, run: &Run, observation: &Observation) -> Option<&'static str> {
    let can_be_stale = run
        .caches
        .is_some_and(|it| it.schedule != Schedule::Coherent);
    let premise = machine.missing_premise(run.case, can_be_stale);
    premise.or_else(|| unwitnessed(observation))
}

/// What is missing to know the flushes that the rule demands.
fn unwitnessed(observation: &Observation) -> Option<&'static str> {
    let demanding = || {
        observation
            .steps
            .iter()
            .filter(|it| it.expected.flush.is_some())
    };
    if demanding().any(|step| step.flush_witnesses().next().is_none()) {
        return Some(UNCOUNTED);
    }
    let own_word = |step: &Step| step.flush_witnesses().all(|it| it == WitnessId::Hypervisor);
    demanding().any(own_word).then_some(OWN_WORD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        evidence::witness::{Account, Counted},
        judge::tests::passing,
    };

    #[test]
    fn flushes_that_only_the_hypervisor_counts_are_its_own_word() {
        let heard = |witnesses: &[WitnessId]| {
            let mut observation = passing();
            observation.steps[0].witnesses = witnesses
                .iter()
                .map(|witness| Account {
                    witness: *witness,
                    counted: Counted {
                        flush: Some(1),
                        ..Counted::default()
                    },
                })
                .collect();
            unwitnessed(&observation)
        };
        assert_eq!(heard(&[]), Some(UNCOUNTED));
        assert_eq!(heard(&[WitnessId::Hypervisor]), Some(OWN_WORD));
        assert_eq!(heard(&[WitnessId::CacheModel]), None);
        assert_eq!(heard(&[WitnessId::Hypervisor, WitnessId::CacheModel]), None);
    }
}
