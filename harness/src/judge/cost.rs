//! What maintenance may cost: the bounds that a profile grants a hypervisor, and what exceeds them.
//!
//! Every step of a case that is about cost is held to all of them. A trap's bound is one of the median, as a host that
//! is interrupted, or does something else first, may take thousands of times as long now and then; where nothing does
//! that, it is one of each trap. A flush may cost so many instructions, and so many for each of its ops. What a step
//! costs as a whole is bounded by that: how many traps and flushes it may take, the case demands.

use std::fmt;

use setway_cases::{Case, Premise};

use super::failure::Failure;
use crate::{
    catalog::{finding::COSTS, profile::Grant},
    evidence::observation::{Flush, Observation, Step},
};

/// So many traps of a kind have a median that says something: in fewer, it may be that of a host's interrupt.
const ENOUGH: u64 = 6;

/// A pass without bounds means nothing.
pub const UNBOUNDED: &str = "needs bounds: its profile grants it no [cost]";

/// What a step shows against its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// A set/way op that flushes nothing takes so many instructions.
    SetWay(Figures),
    /// So does a write of a VM register that flushes nothing.
    VmRegister(Figures),
    /// So does a trap that flushes.
    Flushes(Figures),
    /// Flushes maintain so many lines that they had maintained already.
    Again(Figures),
    /// A flush covers so many lines.
    Reach(Figures),
    /// So many traps were counted, and so many there were.
    Uncounted(Figures),
}

/// What was observed, and what is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// What was observed.
    pub observed: u64,
    /// What is granted; of traps, how many there were.
    pub granted: u64,
}

impl Excess {
    /// The name by which findings call it.
    pub fn name(&self) -> &'static str {
        let place = match self {
            Excess::SetWay(_) => 0,
            Excess::VmRegister(_) => 1,
            Excess::Flushes(_) => 2,
            Excess::Again(_) => 3,
            Excess::Reach(_) => 4,
            Excess::Uncounted(_) => 5,
        };
        COSTS[place]
    }

    fn figures(&self) -> Figures {
        match self {
            Excess::SetWay(figures)
            | Excess::VmRegister(figures)
            | Excess::Flushes(figures)
            | Excess::Again(figures)
            | Excess::Reach(figures)
            | Excess::Uncounted(figures) => *figures,
        }
    }

    /// Whether it is more than is granted, or of traps not as many as there were.
    fn is_failure(&self) -> bool {
        let Figures { observed, granted } = self.figures();
        match self {
            Excess::Uncounted(_) => observed != granted,
            _ => observed > granted,
        }
    }
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figures { observed, granted } = self.figures();
        match self {
            Excess::SetWay(_) => write!(
                f,
                "{observed} instructions for a set/way op that flushes nothing, and {granted} are granted"
            ),
            Excess::VmRegister(_) => write!(
                f,
                "{observed} instructions for a write of a VM register that flushes nothing, and {granted} are granted"
            ),
            Excess::Flushes(_) => write!(
                f,
                "{observed} instructions for a trap that flushes, and {granted} are granted"
            ),
            Excess::Again(_) => write!(
                f,
                "{observed} ops on lines that the same flush had maintained, and {granted} are granted"
            ),
            Excess::Reach(_) => write!(
                f,
                "a flush covers {observed} lines, and {granted} are granted by what the guest has touched"
            ),
            Excess::Uncounted(_) => write!(
                f,
                "instructions were counted for {observed} traps, and there were {granted}"
            ),
        }
    }
}

/// In what `observation` of `case` exceeds `grant`. Without the cache model nothing does, as nothing is counted.
pub fn failures(case: &Case, grant: Option<&Grant>, observation: &Observation) -> Vec<Failure> {
    let Some(modelled) = observation.modelled.as_ref() else {
        return Vec::new();
    };
    if !case.needs(Premise::CountedCost) {
        return Vec::new();
    }
    let steps = observation.steps.iter().enumerate();
    let all = steps.flat_map(|(n, step)| {
        let flushes: Vec<&Flush> = modelled.flushes_in(&step.span).collect();
        let figures = uncounted(step)
            .into_iter()
            .chain(grant.into_iter().flat_map(|it| of_step(it, step, &flushes)));
        let excess: Vec<Excess> = figures.filter(Excess::is_failure).collect();
        excess.into_iter().map(move |excess| Failure::Cost {
            n,
            name: step.name.clone(),
            excess,
        })
    });
    all.collect()
}

/// For how many traps of a step instructions were counted. Silence is no proof of speed.
fn uncounted(step: &Step) -> [Excess; 2] {
    let counted = |is_set_way| {
        let costs = step.costs.iter();
        let costs = costs.filter(|it| it.is_of_set_way() == is_set_way);
        costs.map(|it| it.traps).sum()
    };
    [
        (counted(true), step.observed.set_way),
        (counted(false), step.observed.vm_reg),
    ]
    .map(|(observed, granted)| Excess::Uncounted(Figures { observed, granted }))
}

/// What a step costs, by each bound.
fn of_step(grant: &Grant, step: &Step, flushes: &[&Flush]) -> Vec<Excess> {
    let mut all = Vec::new();
    let ops = flushes.iter().map(|flush| flush.ops).max().unwrap_or(0);
    for cost in step.costs.iter().filter(|it| it.traps >= ENOUGH) {
        let observed = if grant.each { cost.most } else { cost.median };
        let figures = |granted| Figures { observed, granted };
        all.push(match (cost.has_flushed(), cost.is_of_set_way()) {
            (false, true) => Excess::SetWay(figures(grant.set_way)),
            (false, false) => Excess::VmRegister(figures(grant.vm_register)),
            (true, _) => Excess::Flushes(figures(grant.flush + ops * grant.op)),
        });
    }
    for flush in flushes {
        all.push(Excess::Again(Figures {
            observed: flush.twice,
            granted: 0,
        }));
        if let Some(touched) = flush.touched {
            all.push(Excess::Reach(Figures {
                observed: flush.lines,
                granted: touched * grant.reach,
            }));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use setway_cases::CASES;
    use setway_protocol::word::{Cause, Trap};

    use super::*;
    use crate::{
        evidence::observation::{Cost, Counts, Modelled},
        judge::tests::passing,
    };

    fn grant() -> Grant {
        Grant {
            set_way: 100,
            vm_register: 200,
            flush: 1000,
            op: 5,
            reach: 2,
            each: false,
            why: "x".to_owned(),
        }
    }

    /// Traps of which one takes very long.
    fn cost(of: Trap, traps: u64, median: u64) -> Cost {
        Cost {
            after: 1,
            of,
            traps,
            least: 0,
            median,
            most: 100_000,
            total: 100_000 + traps * median,
        }
    }

    fn flush(lines: u64, twice: u64) -> Flush {
        Flush {
            after: 1,
            cpu: 0,
            pc: 0,
            cause: Cause::SetWay,
            ops: lines + twice,
            clean: 0,
            invalidate: 0,
            lines,
            twice,
            dirty: 0,
            kept: 0,
            ranges: 1,
            first: 0,
            last: 0,
            missed: 0,
            missed_at: 0,
            touched: Some(100),
        }
    }

    /// The names of what exceeds the bounds in a step of 16 ops, of which half flush, and eight writes.
    fn excess(change: impl Fn(&mut Step, &mut Flush)) -> Vec<&'static str> {
        excess_of(&grant(), change)
    }

    fn excess_of(grant: &Grant, change: impl Fn(&mut Step, &mut Flush)) -> Vec<&'static str> {
        let mut observation = passing();
        observation.steps.truncate(1);
        let step = &mut observation.steps[0];
        step.span = 0..2;
        step.observed = Counts {
            set_way: 16,
            vm_reg: 8,
            flush: Some(1),
        };
        step.costs = vec![
            cost(Trap::SetWay, 8, 100),
            cost(Trap::SetWayFlush, 8, 1500),
            cost(Trap::VmRegister, 8, 200),
        ];
        let mut one = flush(100, 0);
        change(step, &mut one);
        observation.modelled = Some(Modelled {
            flushes: vec![one],
            ..Modelled::default()
        });
        let case = CASES.iter().find(|case| case.id == "COST-TRAP");
        let failures = failures(case.expect("a case"), Some(grant), &observation);
        let names = failures.iter().map(|failure| match failure {
            Failure::Cost { excess, .. } => excess.name(),
            other => panic!("{other}"),
        });
        names.collect()
    }

    #[test]
    fn what_is_granted_is_no_failure_and_one_more_is() {
        assert!(excess(|_, _| ()).is_empty());
        assert_eq!(excess(|step, _| step.costs[0].median += 1), ["set-way"]);
        assert_eq!(excess(|step, _| step.costs[1].median += 1), ["flushes"]);
        assert_eq!(excess(|step, _| step.costs[2].median += 1), ["vm-register"]);
        assert_eq!(excess(|_, flush| flush.twice = 1), ["again"]);
        assert_eq!(excess(|_, flush| flush.lines = 201), ["reach"]);
    }

    #[test]
    fn a_slow_trap_among_others_is_a_failure_where_nothing_interrupts() {
        let each = Grant {
            each: true,
            ..grant()
        };
        let all = ["set-way", "flushes", "vm-register"];
        assert_eq!(excess_of(&each, |_, _| ()), all);
    }

    #[test]
    fn a_few_slow_traps_may_be_the_hosts_doing() {
        let few = |step: &mut Step, _: &mut Flush| {
            step.costs[0] = cost(Trap::SetWay, 5, 7000);
            step.observed.set_way = 13;
        };
        assert!(excess(few).is_empty());
    }

    #[test]
    fn a_trap_for_which_nothing_was_counted_is_a_failure() {
        assert_eq!(excess(|step, _| step.costs.truncate(2)), ["uncounted"]);
    }
}
