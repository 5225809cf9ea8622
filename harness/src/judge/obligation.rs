//! Holding a run to what its case owes ([`crate::catalog::obligation`]). A run that owes any of it proves nothing,
//! whatever else it shows.
//!
//! A case that finds a second CPU not starting cannot go on. So what is missing at the end is not owed after a
//! failed check of kind `state`: that run is red anyway.

mod accept;

use std::fmt;

use setway_architecture::registers::{Ccsidr, CcsidrFormat};
use setway_cases::bare::Expected;
use setway_protocol::word::{CacheType, CheckKind};

use crate::{
    catalog::{
        isa::Isa,
        obligation::{Obligation, Obligations, Ops, OwedCheck, OwedStep, number},
    },
    evidence::observation::{Cache, Check, Observation, Step},
};

pub use accept::{Conflict, Reports};

/// What a guest has reported of a run.
#[derive(Clone, Copy, Debug)]
pub struct Reported<'a> {
    /// Its steps, with the counts that the case demands.
    pub steps: &'a [Step],
    /// Its checks.
    pub checks: &'a [Check],
    /// The caches of its CPU.
    pub caches: &'a [Cache],
    /// What its loads should see.
    pub expected: Expected,
}

impl<'a> Reported<'a> {
    /// What a run has reported whose loads should see what is `expected`, if that is not always the same.
    pub fn of(observation: &'a Observation, expected: Option<Expected>) -> Self {
        Self {
            steps: &observation.steps,
            checks: &observation.checks,
            caches: &observation.caches,
            expected: expected.unwrap_or_default(),
        }
    }
}

/// Something that a run owes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Debt {
    /// There is no telling what it owes.
    #[error("it is not known what {case} owes in {isa}: accept it with `run --bless`")]
    Unknown {
        /// The case.
        case: String,
        /// The instruction set.
        isa: Isa,
    },
    /// Steps or checks that have not been reported.
    #[error("the guest owes {what} `{name}`{}", and_more(*more))]
    Missing {
        /// Steps or checks.
        what: What,
        /// The first.
        name: String,
        /// How many more.
        more: usize,
    },
    /// One where another is due.
    #[error("expected {what} `{due}`, the guest reports `{reported}`")]
    Order {
        /// Steps or checks.
        what: What,
        /// The one that is due.
        due: String,
        /// The one that comes.
        reported: String,
    },
    /// One more than the case has.
    #[error("the guest reports {what} `{name}`, which the case does not have{}", and_more(*more))]
    Extra {
        /// Steps or checks.
        what: What,
        /// The first.
        name: String,
        /// How many more.
        more: usize,
    },
    /// A step that demands other counts than it should.
    #[error("step `{name}` must demand {due}; it demands {reported}")]
    Demands {
        /// The step.
        name: String,
        /// What it should demand.
        due: Demand,
        /// What it demands.
        reported: Demand,
    },
    /// A check that takes a wrong value for the right one.
    #[error("check `{name}` must want {due}; it wants {reported}")]
    Wants {
        /// The check.
        name: String,
        /// What it should want.
        due: String,
        /// What it wants.
        reported: String,
    },
}

/// What is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A step.
    Step,
    /// A check of a kind.
    Check(CheckKind),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Step => f.write_str("step"),
            What::Check(of) => write!(f, "{of} check"),
        }
    }
}

/// The counts of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    set_way: u64,
    vm_reg: u64,
    flush: u64,
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            set_way,
            vm_reg,
            flush,
        } = self;
        write!(f, "S/W {set_way}, VM registers {vm_reg}, flushes {flush}")
    }
}

impl Demand {
    /// What a reported step demands.
    fn of(step: &Step) -> Self {
        Self {
            set_way: step.expected.set_way,
            vm_reg: step.expected.vm_reg,
            flush: step.expected.flush.unwrap_or_default(),
        }
    }
}

fn and_more(more: usize) -> String {
    match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    }
}

/// What a run of `case` in `isa` still owes that has reported this.
pub fn debts(owed: &Obligations, case: &str, isa: Isa, reported: &Reported) -> Vec<Debt> {
    match owed.of(case, isa) {
        Some(obligation) => of(obligation, reported),
        None => vec![Debt::Unknown {
            case: case.to_owned(),
            isa,
        }],
    }
}

fn of(owed: &Obligation, reported: &Reported) -> Vec<Debt> {
    let gave_up = |check: &Check| check.of == CheckKind::State && !check.holds();
    let may_stop = reported.checks.iter().any(gave_up);
    let mut debts = Vec::new();

    let due = owed.steps.iter().map(|step| (What::Step, &step.name));
    let found = reported.steps.iter().map(|step| (What::Step, &step.name));
    debts.extend(sequence(due.collect(), found.collect(), may_stop));
    let steps = owed.steps.iter().zip(reported.steps);
    let steps = steps.filter(|(due, step)| due.name == step.name);
    debts.extend(steps.filter_map(|(due, step)| step_debt(due, step, reported.caches)));

    let due = owed.checks.iter();
    let due = due.map(|check| (What::Check(check.of), &check.name));
    let found = reported.checks.iter();
    let found = found.map(|check| (What::Check(check.of), &check.name));
    debts.extend(sequence(due.collect(), found.collect(), may_stop));
    let checks = owed.checks.iter().zip(reported.checks);
    let checks = checks.filter(|(due, check)| due.name == check.name);
    debts.extend(checks.filter_map(|(due, check)| check_debt(due, check, reported.expected)));
    debts
}

/// Where two sequences part, if they do. `may_stop` allows that the second is the beginning of the first.
fn sequence(
    due: Vec<(What, &String)>,
    found: Vec<(What, &String)>,
    may_stop: bool,
) -> Option<Debt> {
    let same = due
        .iter()
        .zip(&found)
        .take_while(|(due, found)| due == found);
    let same = same.count();
    match (due.get(same), found.get(same)) {
        (None, None) => None,
        (Some(_), None) if may_stop => None,
        (Some((what, name)), None) => Some(Debt::Missing {
            what: *what,
            name: (*name).clone(),
            more: due.len() - same - 1,
        }),
        (None, Some((what, name))) => Some(Debt::Extra {
            what: *what,
            name: (*name).clone(),
            more: found.len() - same - 1,
        }),
        (Some((what, due)), Some((other, reported))) => Some(Debt::Order {
            what: *what,
            due: (*due).clone(),
            reported: if what == other {
                (*reported).clone()
            } else {
                format!("{reported} ({other})")
            },
        }),
    }
}

/// What a step demands that it should not.
fn step_debt(owed: &OwedStep, step: &Step, caches: &[Cache]) -> Option<Debt> {
    let reported = Demand::of(step);
    let with = |set_way| Demand {
        set_way,
        vm_reg: owed.vm_reg,
        flush: owed.flush,
    };
    let dues = match owed.set_way {
        Ops::Exactly(set_way) => vec![with(set_way)],
        Ops::Geometry => lines(caches).map(with).into(),
    };
    (!dues.contains(&reported)).then(|| Debt::Demands {
        name: owed.name.clone(),
        due: dues[0],
        reported,
    })
}

/// What a check takes for right that is not.
fn check_debt(owed: &OwedCheck, check: &Check, expected: Expected) -> Option<Debt> {
    let want = match expected {
        Expected::Fresh => owed.fresh,
        Expected::Stale => owed.stale,
    };
    let due = want.value(check.from.as_deref().and_then(number));
    (due.is_none() || due != number(&check.want)).then(|| Debt::Wants {
        name: owed.name.clone(),
        due: match due {
            Some(due) => format!("{due:#x}"),
            None => format!("{want}, of which there is nothing"),
        },
        reported: check.want.clone(),
    })
}

/// How many lines all data and unified caches have; one where there is none. CCSIDR has two formats, and which it
/// is no record says.
fn lines(caches: &[Cache]) -> [u64; 2] {
    let data = |cache: &&Cache| cache.kind != CacheType::Instruction;
    [CcsidrFormat::Narrow, CcsidrFormat::Wide].map(|format| {
        let lines = caches.iter().filter(data).map(|cache| {
            let geometry = Ccsidr(cache.ccsidr).geometry(format);
            u64::from(geometry.sets()) * u64::from(geometry.ways())
        });
        lines.sum::<u64>().max(1)
    })
}

#[cfg(test)]
mod tests;
