//! Who counted what. A verdict rests on witnesses: at least one from outside of the guest for each kind of trap, and
//! agreement among all that there are.
//!
//! A machine without an exception log, a board, has the hypervisor's own trace; a machine with neither has no witness,
//! and then there is no verdict.

use std::{fmt, ops::Range};

use setway_protocol::record::Mark;

use super::{
    observation::{Gap, Modelled},
    traps,
};

/// Who counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WitnessId {
    /// The simulator's log of exceptions, which neither guest nor hypervisor can falsify.
    ExceptionLog,
    /// The hypervisor, by its own counters or trace.
    Hypervisor,
    /// The cache model, which sees what is really maintained.
    CacheModel,
}

impl WitnessId {
    /// What reports call it.
    pub const fn name(self) -> &'static str {
        match self {
            WitnessId::ExceptionLog => "the exception log",
            WitnessId::Hypervisor => "the hypervisor",
            WitnessId::CacheModel => "the cache model",
        }
    }
}

impl fmt::Display for WitnessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a witness counted for one step; `None` for what it does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Set/way ops that trapped.
    pub set_way: Option<u64>,
    /// Writes of VM registers that trapped.
    pub vm_reg: Option<u64>,
    /// Flushes of the VM's memory.
    pub flush: Option<u64>,
}

/// The account of one witness of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Whose it is.
    pub witness: WitnessId,
    /// What it counted.
    pub counted: Counted,
}

/// Someone who counts, step by step.
pub trait Witness {
    /// Who it is.
    fn id(&self) -> WitnessId;

    /// Its counts of a run with this many steps, one after the other.
    ///
    /// # Errors
    ///
    /// If its account does not fit that many steps.
    fn counts(&self, steps: usize) -> Result<Vec<Counted>, Gap>;
}

/// The totals before and after each step, if there are two marks for each.
fn between<T: Copy>(marks: &[T], steps: usize, whose: WitnessId) -> Result<Vec<(T, T)>, Gap> {
    if marks.len() != steps * 2 {
        return Err(Gap::Marks {
            steps,
            found: marks.len(),
            whose: whose.to_string(),
        });
    }
    let pairs = marks.chunks_exact(2).map(|pair| (pair[0], pair[1]));
    Ok(pairs.collect())
}

/// QEMU's exception log, in which the guest's marks stand among its traps.
#[derive(Debug)]
pub struct ExceptionLogWitness(pub Vec<traps::Mark>);

impl ExceptionLogWitness {
    /// Where each step lies among the traps, its own marks excluded.
    ///
    /// # Errors
    ///
    /// If there are not two marks for each step.
    pub fn spans(&self, steps: usize) -> Result<Vec<Range<usize>>, Gap> {
        let pairs = between(&self.0, steps, self.id())?;
        let span = |(before, after): (traps::Mark, traps::Mark)| before.at + 1..after.at;
        Ok(pairs.into_iter().map(span).collect())
    }
}

impl Witness for ExceptionLogWitness {
    fn id(&self) -> WitnessId {
        WitnessId::ExceptionLog
    }

    fn counts(&self, steps: usize) -> Result<Vec<Counted>, Gap> {
        let pairs = between(&self.0, steps, self.id())?.into_iter();
        let counted = pairs.map(|(before, after)| Counted {
            set_way: Some(after.totals.set_way - before.totals.set_way),
            vm_reg: Some(after.totals.vm_reg - before.totals.vm_reg),
            flush: None,
        });
        Ok(counted.collect())
    }
}

/// The hypervisor, which snapshots its counters at the guest's marks.
#[derive(Debug)]
pub struct HypervisorWitness(pub Vec<Mark>);

impl Witness for HypervisorWitness {
    fn id(&self) -> WitnessId {
        WitnessId::Hypervisor
    }

    fn counts(&self, steps: usize) -> Result<Vec<Counted>, Gap> {
        let pairs = between(&self.0, steps, self.id())?.into_iter();
        // Totals that shrink would be nonsense; they then disagree with everybody else's.
        let counted = pairs.map(|(before, after)| Counted {
            set_way: Some(after.set_way.wrapping_sub(before.set_way)),
            vm_reg: Some(after.vm_reg.wrapping_sub(before.vm_reg)),
            flush: Some(after.flush.wrapping_sub(before.flush)),
        });
        Ok(counted.collect())
    }
}

/// The cache model, whose records stand among the traps of the exception log.
#[derive(Debug)]
pub struct CacheModelWitness<'a> {
    /// What it noticed.
    pub modelled: &'a Modelled,
    /// Where the steps lie among the traps.
    pub spans: &'a [Range<usize>],
}

impl Witness for CacheModelWitness<'_> {
    fn id(&self) -> WitnessId {
        WitnessId::CacheModel
    }

    fn counts(&self, _steps: usize) -> Result<Vec<Counted>, Gap> {
        let flushes = |span: &Range<usize>| self.modelled.maintained_in(span).flushes;
        let counted = self.spans.iter().map(|span| Counted {
            flush: Some(flushes(span)),
            ..Counted::default()
        });
        Ok(counted.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::traps::{Mark as LogMark, Trapped};

    fn mark(at: usize, set_way: u64) -> LogMark {
        LogMark {
            at,
            totals: Trapped { set_way, vm_reg: 0 },
        }
    }

    #[test]
    fn a_step_lies_between_two_marks() {
        let log = ExceptionLogWitness(vec![mark(3, 1), mark(6, 3)]);
        let spans = log.spans(1).expect("two marks");
        assert_eq!((spans.len(), &spans[0]), (1, &(4..6)));
        let counted = log.counts(1).expect("two marks");
        assert_eq!(counted[0].set_way, Some(2));
        assert_eq!(counted[0].flush, None);
    }

    #[test]
    fn an_account_that_does_not_fit_is_a_gap() {
        let log = ExceptionLogWitness(vec![mark(3, 1)]);
        assert!(matches!(log.counts(1), Err(Gap::Marks { found: 1, .. })));
        let silent = HypervisorWitness(Vec::new());
        assert!(matches!(silent.counts(1), Err(Gap::Marks { found: 0, .. })));
        assert_eq!(silent.counts(0), Ok(Vec::new()));
    }
}
