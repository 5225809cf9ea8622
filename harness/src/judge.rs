//! From observation to verdict: a pure function, so that every verdict can be tested.

pub mod cost;
pub mod demand;
pub mod excuse;
pub mod expectation;
pub mod failure;
pub mod finding;
pub mod geometry;
pub mod obligation;
pub mod outcome;
pub mod premise;
pub mod sign;

use self::{failure::Failure, obligation::Debt};
use crate::{
    evidence::capture::{End, Limit},
    evidence::observation::Observation,
};

pub use setway_report::Verdict;

/// A verdict and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Why; `None` for a pass.
    pub reason: Option<String>,
    /// Where the verdict is `fail`: everything that is not as the rule demands.
    pub failures: Vec<Failure>,
}

impl Judgement {
    /// A verdict with its reason.
    pub fn new(verdict: Verdict, reason: impl Into<String>) -> Self {
        Self {
            verdict,
            reason: Some(reason.into()),
            failures: Vec::new(),
        }
    }

    /// A pass.
    pub const fn pass() -> Self {
        Self {
            verdict: Verdict::Pass,
            reason: None,
            failures: Vec::new(),
        }
    }

    /// A run that broke its rule in these ways; a pass if there are none.
    pub fn failed(failures: Vec<Failure>) -> Self {
        let Some(first) = failures.first() else {
            return Self::pass();
        };
        let reason = match failures.len() {
            1 => first.to_string(),
            all => format!("{first} (and {} more)", all - 1),
        };
        Self {
            failures,
            ..Self::new(Verdict::Fail, reason)
        }
    }
}

impl Judgement {
    /// The same of a run that owes all this. Whether it met its rule nobody can say then; why it ended early, for
    /// which there may be a reason, matters more.
    pub fn owing(self, debts: &[Debt]) -> Self {
        match (self.verdict, debts.split_first()) {
            (Verdict::Pass | Verdict::Fail, Some((first, more))) => {
                let more = match more.len() {
                    0 => String::new(),
                    more => format!(" (and {more} more debts)"),
                };
                Self::new(Verdict::NoVerdict, format!("{first}{more}"))
            }
            _ => self,
        }
    }
}

/// Finds the reason for one verdict, if there is one.
type Ground = fn(&Observation) -> Option<String>;

/// Judges. What says more about the cause comes first: a crash explains a timeout, and either
/// explains missing records; only a complete observation can show a rule kept or broken.
pub fn judge(observation: &Observation) -> Judgement {
    judge_with(observation, Vec::new())
}

/// Judges an observation that, if it is complete, also shows the failures `more`.
pub fn judge_with(observation: &Observation, more: Vec<Failure>) -> Judgement {
    let grounds: [(Verdict, Ground); 3] = [
        (Verdict::Crash, crash),
        (Verdict::Timeout, timeout),
        (Verdict::NoVerdict, no_verdict),
    ];
    for (verdict, ground) in grounds {
        if let Some(reason) = ground(observation) {
            return Judgement::new(verdict, reason);
        }
    }
    let mut failures = Failure::all(observation);
    failures.extend(more);
    Judgement::failed(failures)
}

fn crash(observation: &Observation) -> Option<String> {
    if let Some(crash) = observation.crashes.first() {
        return Some(crash.clone());
    }
    match &observation.end {
        End::Failed(reason) => Some(reason.clone()),
        End::Exited(status) if !status.success() => {
            let said = observation
                .stderr
                .lines()
                .next()
                .unwrap_or("no output on stderr");
            Some(format!("QEMU ended with {status}: {said}"))
        }
        End::Exited(_) | End::Over | End::Stopped(_) => None,
    }
}

fn timeout(observation: &Observation) -> Option<String> {
    let reason = match &observation.end {
        End::Stopped(Limit::Time(limit)) => {
            format!("still running after {} s", limit.as_secs_f64())
        }
        End::Stopped(Limit::Exceptions(limit)) => {
            format!("more than {limit} exceptions: the guest seems to trap endlessly")
        }
        End::Stopped(Limit::Console(_) | Limit::Stderr(_))
        | End::Exited(_)
        | End::Over
        | End::Failed(_) => return None,
    };
    Some(match &observation.last {
        Some(last) => format!("{reason}; the last record is `{last}`"),
        None => format!("{reason}; no record was received"),
    })
}

fn no_verdict(observation: &Observation) -> Option<String> {
    let endless = match &observation.end {
        End::Stopped(Limit::Console(limit)) => Some((limit, "the console")),
        End::Stopped(Limit::Stderr(limit)) => Some((limit, "QEMU's stderr")),
        End::Stopped(Limit::Time(_) | Limit::Exceptions(_))
        | End::Exited(_)
        | End::Over
        | End::Failed(_) => None,
    };
    if let Some((limit, place)) = endless {
        return Some(format!(
            "killed after {limit} bytes on {place}: the output has no end"
        ));
    }
    // An error of Setway's own is the first to correct.
    let own = observation.gaps.iter().find(|gap| gap.is_our_error());
    let (first, more) = observation.gaps.split_first()?;
    let first = own.unwrap_or(first);
    Some(match more.len() {
        0 => first.to_string(),
        more => format!("{first} (and {more} more such findings)"),
    })
}

#[cfg(test)]
mod captures;

#[cfg(test)]
pub(crate) mod tests {
    use std::{
        collections::BTreeMap, os::unix::process::ExitStatusExt, process::ExitStatus,
        time::Duration,
    };

    use proptest::prelude::*;
    use setway_protocol::Stream;

    use super::*;
    use crate::evidence::observation::{Account, Check, Counts, Gap, Maintained, MayBeStale, Step};

    /// A complete observation of a run that met its rule.
    pub(crate) fn passing() -> Observation {
        let counts = Counts {
            set_way: 1,
            vm_reg: 2,
            flush: Some(1),
        };
        Observation {
            end: End::Exited(ExitStatus::from_raw(0)),
            stderr: String::new(),
            modelled: None,
            may_be_stale: MayBeStale::Nothing,
            at_once: false,
            bases: Default::default(),
            programs: Vec::new(),
            seen: Vec::new(),
            steps: vec![Step {
                name: "first op".to_owned(),
                expected: counts,
                observed: counts,
                hypervisor: None,
                witnesses: Vec::new(),
                others: BTreeMap::new(),
                others_allowed: 0,
                span: 0..0,
                maintained: None,
                costs: Vec::new(),
            }],
            checks: vec![Check {
                of: setway_protocol::word::CheckKind::Register,
                from: None,
                name: "x19".to_owned(),
                want: "0x11".to_owned(),
                got: "0x11".to_owned(),
                detail: None,
                excuse: None,
            }],
            caches: Vec::new(),
            account: Some(Account::default()),
            traps: BTreeMap::new(),
            registers: BTreeMap::new(),
            crashes: Vec::new(),
            gaps: Vec::new(),
            last: Some("%sw g 3 end records=3".to_owned()),
        }
    }

    /// Puts something wrong into an observation.
    type Wrong = fn(&mut Observation);

    /// What can be wrong with a run, by the verdict it leads to.
    const WRONGS: [(Verdict, Wrong); 11] = [
        (Verdict::Crash, |run| {
            run.crashes.push("panic: at boot".to_owned())
        }),
        (Verdict::Crash, |run| {
            run.end = End::Exited(ExitStatus::from_raw(1 << 8))
        }),
        (Verdict::Crash, |run| {
            run.end = End::Exited(ExitStatus::from_raw(11))
        }),
        (Verdict::Timeout, |run| {
            run.end = End::Stopped(Limit::Time(Duration::from_secs(20)))
        }),
        (Verdict::Timeout, |run| {
            run.end = End::Stopped(Limit::Exceptions(400_000))
        }),
        (Verdict::NoVerdict, |run| {
            run.end = End::Stopped(Limit::Console(100))
        }),
        (Verdict::NoVerdict, |run| {
            run.gaps.push(Gap::Silent(Stream::Guest))
        }),
        (Verdict::Fail, |run| run.steps[0].observed.set_way += 1),
        (Verdict::Fail, |run| run.steps[0].observed.flush = Some(0)),
        (Verdict::Fail, |run| run.checks[0].got = "0x12".to_owned()),
        (Verdict::Fail, |run| {
            run.steps[0].maintained = Some(Maintained::default())
        }),
    ];

    fn judged(wrongs: &[usize]) -> Judgement {
        let mut run = passing();
        wrongs.iter().for_each(|wrong| WRONGS[*wrong].1(&mut run));
        judge(&run)
    }

    #[test]
    fn a_complete_and_right_observation_passes() {
        assert_eq!(judge(&passing()), Judgement::pass());
    }

    #[test]
    fn every_wrong_has_its_verdict_and_a_reason() {
        for (index, (verdict, _)) in WRONGS.iter().enumerate() {
            let judgement = judged(&[index]);
            assert_eq!(judgement.verdict, *verdict, "{judgement:?}");
            assert!(judgement.reason.is_some_and(|reason| !reason.is_empty()));
        }
    }

    #[test]
    fn reasons_name_step_check_and_counts() {
        let reason = |wrongs: &[usize]| judged(wrongs).reason.unwrap();
        assert_eq!(
            reason(&[7]),
            "step 0 (first op): expected 1 set/way traps, observed 2"
        );
        assert_eq!(
            reason(&[7, 8, 9]),
            "step 0 (first op): expected 1 set/way traps, observed 2; expected 1 flushes, observed 0 (and 1 more)"
        );
        assert_eq!(reason(&[9]), "x19: expected 0x11, got 0x12");
        assert_eq!(
            reason(&[3]),
            "still running after 20 s; the last record is `%sw g 3 end records=3`"
        );
        assert_eq!(
            reason(&[2]),
            "QEMU ended with signal: 11 (SIGSEGV): no output on stderr"
        );
    }

    #[test]
    fn what_the_machine_gets_wrong_is_not_the_hypervisors() {
        let mut run = passing();
        run.checks[0].got = "0x12".to_owned();
        run.excuse(|check| (check.name == "x20").then_some("this machine does"));
        assert_eq!(judge(&run).verdict, Verdict::Fail);
        run.excuse(|check| (check.name == "x19").then_some("this machine does"));
        assert_eq!(judge(&run).verdict, Verdict::Pass);
    }

    #[test]
    fn uncounted_flushes_are_not_judged() {
        let mut run = passing();
        run.steps[0].observed.flush = None;
        assert_eq!(judge(&run).verdict, Verdict::Pass);
    }

    proptest! {
        /// Verdict::ALL is not in this order; the order of precedence is.
        #[test]
        fn the_verdict_that_explains_most_wins(wrongs in prop::collection::vec(0..WRONGS.len(), 1..6)) {
            const PRECEDENCE: [Verdict; 4] =
                [Verdict::Crash, Verdict::Timeout, Verdict::NoVerdict, Verdict::Fail];
            // How QEMU ended is one thing: the last such wrong replaces the others.
            let ends = |wrong: &usize| (1..=5).contains(wrong);
            let last_end = wrongs.iter().rev().find(|wrong| ends(wrong));
            let effective = wrongs.iter().filter(|wrong| !ends(wrong)).chain(last_end);
            let rank = |wrong: &usize| PRECEDENCE.iter().position(|verdict| *verdict == WRONGS[*wrong].0);
            let first = effective.filter_map(rank).min().unwrap();
            prop_assert_eq!(judged(&wrongs).verdict, PRECEDENCE[first]);
        }
    }
}
