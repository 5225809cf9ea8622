//! The ways in which a complete observation can break its rule, as data: a finding names them one by one.

use std::{collections::BTreeMap, fmt};

use setway_protocol::word::Access;

use super::cost::Excess;
use crate::evidence::observation::{Counts, MayBeStale, Observation};

/// One thing that is not as the rule demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A step's counts.
    Step {
        /// Its place among the steps.
        n: usize,
        /// What the guest did.
        name: String,
        /// What is expected of it.
        expected: Counts,
        /// What was observed.
        observed: Counts,
    },
    /// A step traps for other reasons, more often than it has instructions that may.
    OtherTraps {
        /// Its place among the steps.
        n: usize,
        /// What the guest did.
        name: String,
        /// How often, by class.
        counts: BTreeMap<String, u64>,
        /// How often it may.
        allowed: u64,
    },
    /// A value that the guest compared.
    Check {
        /// What was compared.
        name: String,
        /// The right value.
        want: String,
        /// The value found.
        got: String,
    },
    /// A load of the guest saw data that is not the newest, by the cache model's account.
    Stale {
        /// The load's address.
        pc: u64,
        /// What it saw.
        saw: u64,
        /// The newest data.
        newest: u64,
        /// It was a load, and neither a fetch nor a walk of tables.
        is_load: bool,
    },
    /// The hypervisor counts flushes that the cache model does not see, or fewer.
    Flushes {
        /// The step's place.
        n: usize,
        /// What the guest did.
        name: String,
        /// By the hypervisor's count.
        counted: u64,
        /// By the cache model's.
        seen: u64,
    },
    /// Data of the guest was destroyed before it was seen, by the cache model's account.
    Lost {
        /// The address of the instruction that destroyed it.
        pc: u64,
        /// Its exception level.
        el: u64,
        /// The physical address of the data.
        pa: u64,
    },
    /// A flush cleans or invalidates lines where both are due.
    Half {
        /// What the guest was about to execute when it exited: its address.
        pc: u64,
        /// All ops of the flush.
        ops: u64,
        /// Those that only clean: a line that stays in the cache may hide what is stored past it later.
        clean: u64,
        /// Those that only invalidate: what the guest stored is gone.
        invalidate: u64,
    },
    /// What a step costs its guest is more than the hypervisor's profile grants, or was not counted as a whole.
    Cost {
        /// The step's place.
        n: usize,
        /// What the guest did.
        name: String,
        /// What it costs.
        excess: Excess,
    },
    /// A flush left lines dirty that the guest had dirtied.
    Missed {
        /// What the guest was about to execute when it exited: its address.
        pc: u64,
        /// The lines.
        lines: u64,
        /// The first one.
        at: u64,
    },
}

impl Failure {
    /// All that `observation` shows, the most telling first.
    pub fn all(observation: &Observation) -> Vec<Self> {
        let steps = observation.steps.iter().enumerate();
        let counts = steps.clone().filter_map(|(n, step)| {
            difference(step.expected, step.observed)?;
            Some(Failure::Step {
                n,
                name: step.name.clone(),
                expected: step.expected,
                observed: step.observed,
            })
        });
        let others = steps.clone().filter_map(|(n, step)| {
            let count: u64 = step.others.values().sum();
            (count > step.others_allowed).then(|| Failure::OtherTraps {
                n,
                name: step.name.clone(),
                counts: step.others.clone(),
                allowed: step.others_allowed,
            })
        });
        let checks = observation.checks.iter().filter(|check| !check.holds());
        let checks = checks.map(|check| Failure::Check {
            name: check.name.clone(),
            want: check.want.clone(),
            got: check.got.clone(),
        });
        // A stale read that no check compares is as wrong, where nothing may be stale.
        let modelled = || observation.modelled.iter();
        let stale = modelled().flat_map(|modelled| &modelled.stale);
        let stale = stale.filter(|read| !observation.may_be_stale.allows(read) && read.by.el < 2);
        let stale = stale.map(|read| Failure::Stale {
            pc: read.by.pc,
            saw: read.saw,
            newest: read.newest,
            is_load: !read.walk && read.path != Some(Access::Fetch),
        });
        // A hypervisor may count a flush that it does not make.
        let unseen = steps.filter_map(|(n, step)| {
            let (seen, counted) = (step.maintained?.flushes, step.observed.flush?);
            (seen != counted).then(|| Failure::Flushes {
                n,
                name: step.name.clone(),
                counted,
                seen,
            })
        });
        let lost = modelled().flat_map(|modelled| &modelled.lost);
        let lost = lost
            .filter(|_| observation.may_be_stale != MayBeStale::Anything)
            .map(|lost| Failure::Lost {
                pc: lost.by.pc,
                el: lost.by.el,
                pa: lost.pa,
            });
        // A flush has to reach whatever the guest has dirtied, whether a later load looks there or not.
        let flushes = modelled().flat_map(|modelled| &modelled.flushes);
        let flushes = flushes.filter(|flush| flush.is_of_the_policy());
        let half = flushes
            .clone()
            .filter(|it| it.clean > 0 || it.invalidate > 0);
        let half = half.map(|flush| Failure::Half {
            pc: flush.pc,
            ops: flush.ops,
            clean: flush.clean,
            invalidate: flush.invalidate,
        });
        // What another CPU has stored since the flush began is no miss. Where CPUs act at once, it is for data to show one.
        let missed = flushes.filter(|flush| flush.missed > 0 && !observation.at_once);
        let missed = missed.map(|flush| Failure::Missed {
            pc: flush.pc,
            lines: flush.missed,
            at: flush.missed_at,
        });
        let all = counts
            .chain(others)
            .chain(checks)
            .chain(stale)
            .chain(lost)
            .chain(unseen);
        all.chain(missed).chain(half).collect()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Step {
                n,
                name,
                expected,
                observed,
            } => {
                let what = difference(*expected, *observed).unwrap_or_default();
                write!(f, "step {n} ({name}): {what}")
            }
            Failure::OtherTraps {
                n,
                name,
                counts,
                allowed,
            } => {
                let counts: Vec<String> = counts
                    .iter()
                    .map(|(class, count)| format!("{count} {class}"))
                    .collect();
                let counts = counts.join(", ");
                write!(
                    f,
                    "step {n} ({name}): the guest traps without need: {counts}, where {allowed} such traps are allowed"
                )
            }
            Failure::Check { name, want, got } => {
                write!(f, "{name}: expected {want}, got {got}")
            }
            Failure::Stale {
                pc, saw, newest, ..
            } => {
                write!(
                    f,
                    "a load at {pc:#x} saw {saw:#x}, and {newest:#x} is newer"
                )
            }
            Failure::Flushes {
                n,
                name,
                counted,
                seen,
            } => write!(
                f,
                "step {n} ({name}): {counted} flushes by the hypervisor's count, {seen} by the cache model's"
            ),
            Failure::Lost { pc, el, pa } => write!(
                f,
                "data at {pa:#x} was destroyed at {pc:#x} (EL{el}) before anyone had seen it"
            ),
            Failure::Half {
                pc,
                ops,
                clean,
                invalidate,
            } => write!(
                f,
                "the flush at the exit of {pc:#x} should clean and invalidate: of {ops} ops {clean} only clean and {invalidate} only invalidate"
            ),
            Failure::Cost { n, name, excess } => write!(f, "step {n} ({name}): {excess}"),
            Failure::Missed { pc, lines, at } => write!(
                f,
                "the flush at the exit of {pc:#x} left {lines} lines dirty that the guest had dirtied, the first at {at:#x}"
            ),
        }
    }
}

/// In what the counts of a step are not as demanded. What nobody counted cannot differ.
fn difference(expected: Counts, observed: Counts) -> Option<String> {
    let counts = [
        (
            "set/way traps",
            Some(expected.set_way),
            Some(observed.set_way),
        ),
        (
            "VM register traps",
            Some(expected.vm_reg),
            Some(observed.vm_reg),
        ),
        ("flushes", expected.flush, observed.flush),
    ];
    let wrong: Vec<String> = counts
        .into_iter()
        .filter_map(|(what, expected, observed)| Some((what, expected?, observed?)))
        .filter(|(_, expected, observed)| expected != observed)
        .map(|(what, expected, observed)| {
            format!("expected {expected} {what}, observed {observed}")
        })
        .collect();
    (!wrong.is_empty()).then(|| wrong.join("; "))
}
