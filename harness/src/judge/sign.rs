//! What a red run shows, by kind: a mutant has to be killed by what it was made to show.

use std::collections::BTreeSet;

use setway_protocol::word::CheckKind;

use super::{Verdict, failure::Failure, outcome::Outcome};
use crate::evidence::observation::Check;

/// A kind of evidence against a hypervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    /// How often the guest trapped, or its memory was flushed.
    Counts,
    /// The guest's registers, PC or PSTATE; also that the guest or the hypervisor did not come to its end.
    State,
    /// What the guest loaded from memory, where caches are not coherent.
    Data,
    /// What the cache model saw a flush leave undone, or a load miss, that no check of the guest compares.
    Maintenance,
    /// More instructions or lines than the profile grants.
    Cost,
}

impl Sign {
    /// All of them.
    pub const ALL: [Sign; 5] = [
        Sign::Counts,
        Sign::State,
        Sign::Data,
        Sign::Maintenance,
        Sign::Cost,
    ];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Sign::Counts => "counts",
            Sign::State => "state",
            Sign::Data => "data",
            Sign::Maintenance => "maintenance",
            Sign::Cost => "cost",
        }
    }

    /// What `outcome` shows. A run that is not red shows none.
    pub fn of(outcome: &Outcome) -> BTreeSet<Sign> {
        let judgement = &outcome.judgement;
        let mut signs = match judgement.verdict {
            Verdict::Pass | Verdict::Skip => return BTreeSet::new(),
            Verdict::Crash | Verdict::Timeout | Verdict::NoVerdict => BTreeSet::from([Sign::State]),
            Verdict::Fail => judgement.failures.iter().filter_map(Self::shown).collect(),
        };
        let has_wrong_data = outcome.has_wrong_data();
        let wrong = |check: &&Check| !check.holds();
        let checks = outcome.observation.iter().flat_map(|it| &it.checks);
        // Where no cache can spoil it, data is wrong because a register was.
        let mut state = checks
            .filter(wrong)
            .filter(|check| check.of != CheckKind::Data || !has_wrong_data);
        if state.next().is_some() {
            signs.insert(Sign::State);
        }
        if has_wrong_data {
            signs.insert(Sign::Data);
        }
        signs
    }

    /// What a failure shows by itself; `None` for a check, whose kind the guest gives.
    fn shown(failure: &Failure) -> Option<Self> {
        match failure {
            Failure::Step { .. } | Failure::Flushes { .. } | Failure::OtherTraps { .. } => {
                Some(Sign::Counts)
            }
            Failure::Cost { .. } => Some(Sign::Cost),
            Failure::Check { .. } => None,
            Failure::Stale { .. }
            | Failure::Lost { .. }
            | Failure::Half { .. }
            | Failure::Missed { .. } => Some(Sign::Maintenance),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        evidence::{
            capture::{End, Limit},
            observation::Observation,
        },
        judge::{judge, tests::passing},
        plan::Run,
    };

    /// What a run of `case` shows whose observation `change` has made wrong.
    fn signs(case: &str, change: impl FnOnce(&mut Observation)) -> Vec<Sign> {
        let mut observation = passing();
        change(&mut observation);
        let run = Run::all().into_iter().find(|run| run.case.id == case);
        let run = run.expect("the catalogue has the case");
        let mut outcome = Outcome::without_observation(&run, judge(&observation));
        outcome.observation = Some(observation);
        Sign::of(&outcome).into_iter().collect()
    }

    #[test]
    fn each_kind_of_evidence_has_its_sign() {
        let wrong = |of| {
            move |it: &mut Observation| {
                it.checks[0].of = of;
                it.checks[0].got = "0x12".to_owned();
            }
        };
        let counts = |it: &mut Observation| it.steps[0].observed.set_way += 1;
        assert_eq!(signs("SW-REPEAT", |_| ()), []);
        assert_eq!(signs("SW-REPEAT", counts), [Sign::Counts]);
        assert_eq!(signs("SW-REPEAT", wrong(CheckKind::State)), [Sign::State]);
        assert_eq!(
            signs("COH-REACH", wrong(CheckKind::Register)),
            [Sign::State]
        );
        assert_eq!(signs("COH-REACH", wrong(CheckKind::Data)), [Sign::Data]);
        // A case that no cache can spoil.
        assert_eq!(signs("SW-REPEAT", wrong(CheckKind::Data)), [Sign::State]);
        let both = |it: &mut Observation| {
            counts(it);
            wrong(CheckKind::Data)(it);
        };
        assert_eq!(signs("COH-REACH", both), [Sign::Counts, Sign::Data]);
        let hangs = |it: &mut Observation| it.end = End::Stopped(Limit::Exceptions(1));
        assert_eq!(signs("SW-REPEAT", hangs), [Sign::State]);
    }
}
