//! Making obligations of what runs have reported, to be looked at and committed.

use std::collections::BTreeMap;

use setway_cases::bare::Expected;

use super::{Demand, Reported, lines};
use crate::catalog::{
    isa::Isa,
    obligation::{Obligation, Obligations, Ops, OwedCheck, OwedStep, Want, number},
};

/// What runs of cases have reported.
#[derive(Debug, Default)]
pub struct Reports {
    cases: BTreeMap<(String, Isa), Sides>,
}

/// What runs of one case have reported where loads should see new data, and where old.
#[derive(Debug, Default)]
struct Sides {
    fresh: Option<Obligation>,
    stale: Option<Obligation>,
}

/// A report that nothing can be owed by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// Two runs report different things.
    #[error("{case}.{isa} has not reported the same twice")]
    Twice {
        /// The case.
        case: String,
        /// The instruction set.
        isa: Isa,
    },
    /// No rule leads to the right value of a check.
    #[error("{case}.{isa}: `{check}` wants {want}, which is not `from` with bits set")]
    NoRule {
        /// The case.
        case: String,
        /// The instruction set.
        isa: Isa,
        /// The check.
        check: String,
        /// What it wants.
        want: String,
    },
}

impl Reports {
    /// Takes up what a run has reported that met its rule.
    ///
    /// # Errors
    ///
    /// If that cannot be held against other runs.
    pub fn add(&mut self, case: &str, isa: Isa, reported: &Reported) -> Result<(), Conflict> {
        let owed = obligation(case, isa, reported)?;
        let sides = self.cases.entry((case.to_owned(), isa)).or_default();
        let side = match reported.expected {
            Expected::Fresh => &mut sides.fresh,
            Expected::Stale => &mut sides.stale,
        };
        match side {
            Some(before) if *before != owed => Err(Conflict::Twice {
                case: case.to_owned(),
                isa,
            }),
            _ => {
                *side = Some(owed);
                Ok(())
            }
        }
    }

    /// Has `obligations` hold what was reported.
    pub fn accept(self, obligations: &mut Obligations) {
        for ((case, isa), Sides { fresh, stale }) in self.cases {
            let before = obligations.of(&case, isa);
            // What was not seen now stays as it was, if it was anything.
            let (fresh, stale) = match (fresh, stale) {
                (Some(fresh), Some(stale)) => (fresh, stale),
                (Some(fresh), None) => (fresh.clone(), before.cloned().unwrap_or(fresh)),
                (None, Some(stale)) => (before.cloned().unwrap_or(stale.clone()), stale),
                (None, None) => continue,
            };
            let owed = both(fresh, stale);
            obligations.set(&case, isa, owed);
        }
    }
}

/// What is owed according to the reports of both sides. Where they do not have the same checks, there is but one.
fn both(fresh: Obligation, stale: Obligation) -> Obligation {
    let names = |owed: &Obligation| -> Vec<String> {
        owed.checks.iter().map(|it| it.name.clone()).collect()
    };
    if names(&fresh) != names(&stale) {
        return fresh;
    }
    let checks = fresh.checks.into_iter().zip(stale.checks);
    let checks = checks.map(|(fresh, stale)| OwedCheck {
        stale: stale.stale,
        ..fresh
    });
    Obligation {
        steps: fresh.steps,
        checks: checks.collect(),
    }
}

fn obligation(case: &str, isa: Isa, reported: &Reported) -> Result<Obligation, Conflict> {
    let lines = lines(reported.caches);
    let steps = reported.steps.iter().map(|step| {
        let Demand {
            set_way,
            vm_reg,
            flush,
        } = Demand::of(step);
        OwedStep {
            name: step.name.clone(),
            // No case has as many ops for any other reason.
            set_way: if set_way > 1 && lines.contains(&set_way) {
                Ops::Geometry
            } else {
                Ops::Exactly(set_way)
            },
            vm_reg,
            flush,
        }
    });
    let checks = reported.checks.iter().map(|check| {
        let from = check.from.as_deref().and_then(number);
        let found = number(&check.want).and_then(|want| Want::found(want, from));
        let found = found.ok_or_else(|| Conflict::NoRule {
            case: case.to_owned(),
            isa,
            check: check.name.clone(),
            want: check.want.clone(),
        })?;
        Ok(OwedCheck {
            of: check.of,
            name: check.name.clone(),
            fresh: found,
            stale: found,
        })
    });
    Ok(Obligation {
        steps: steps.collect(),
        checks: checks.collect::<Result<_, _>>()?,
    })
}
