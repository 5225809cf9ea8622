//! What a matrix teaches: which kills to try first the next time.
//!
//! It proves nothing: a kill counts only if it is seen again. It makes seeing them cheap.

use setway_policy::Mutant;

use super::{Kill, Matrix};
use crate::{catalog::kills::known_case, judge::Verdict, plan::Run};

pub use crate::catalog::kills::Kills;

/// How many of its killers are remembered for a mutant.
const REMEMBERED: usize = 2;

impl Kills {
    /// Remembers what `matrix` shows, where a run takes about as long as `cost` says. What was known of other mutants
    /// and cases stays, unless they are gone.
    pub fn learn(&mut self, matrix: &Matrix, cost: impl Fn(&Run) -> u64) {
        for fate in &matrix.fates {
            let mut killers: Vec<&Kill> = fate.killers.iter().collect();
            // What a rule's own words condemn comes before crashes and hangs, which say less and take longer.
            let is_end = |kill: &Kill| kill.judgement.verdict != Verdict::Fail;
            killers.sort_by_key(|kill| (is_end(kill), cost(&kill.run)));
            let found: Vec<String> = killers.iter().map(|kill| kill.run.label()).collect();
            let known = self
                .mutants
                .entry(fate.mutant.name().to_owned())
                .or_default();
            let older: Vec<String> = known.drain(..).filter(|it| !found.contains(it)).collect();
            // All killers are known of a mutant that was tried to the end.
            let older = older.into_iter().filter(|_| !matrix.is_whole);
            known.extend(found.into_iter().chain(older).take(REMEMBERED));
            if fate.killers.is_empty() {
                known.clear();
            }
        }
        for (run, mutant) in &matrix.proofs {
            // Of a mutant that was not tried it is not known whether the case kills it no more.
            let known = self
                .proof(run.case)
                .and_then(|(_, name)| Mutant::by_name(name));
            let was_tried = |known| matrix.fates.iter().any(|fate| fate.mutant == known);
            if known.is_some_and(|known| !was_tried(known)) {
                continue;
            }
            self.cases
                .retain(|known, _| known_case(known) != Some(run.case.id));
            self.cases.insert(run.label(), mutant.name().to_owned());
        }
        self.mutants
            .retain(|name, runs| Mutant::by_name(name).is_some() && !runs.is_empty());
        self.cases
            .retain(|run, name| known_case(run).is_some() && Mutant::by_name(name).is_some());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bench::mutants::Fate, judge::Judgement};

    fn run(id: &str) -> Run {
        let mut all = Run::all().into_iter();
        all.find(|run| run.case.id == id).expect("a case")
    }

    /// What is known after `mutant` was killed by cases in this order, each with a verdict.
    fn matrix(mutant: Mutant, killers: &[(&str, Verdict)], is_whole: bool) -> Matrix {
        let kill = |(id, verdict): &(&str, Verdict)| Kill {
            run: run(id).with_mutant(Some(mutant.name())),
            judgement: Judgement::new(*verdict, "because"),
            signs: Default::default(),
        };
        let proofs = killers.iter().map(|(id, _)| (run(id), mutant));
        Matrix {
            fates: vec![Fate {
                mutant,
                killers: killers.iter().map(kill).collect(),
                otherwise: Vec::new(),
            }],
            red: Vec::new(),
            errors: Vec::new(),
            idle: Vec::new(),
            not_judged: Vec::new(),
            proofs: proofs.collect(),
            is_whole,
        }
    }

    #[test]
    fn what_is_learnt_of_one_mutant_leaves_the_others() {
        let cost = |run: &Run| u64::from(run.case.id == "SW-LOOP");
        let mut kills = Kills::default();
        let first = [
            ("SW-REPEAT", Verdict::Timeout),
            ("SW-LOOP", Verdict::Fail),
            ("SW-PAIR", Verdict::Fail),
        ];
        kills.learn(&matrix(Mutant::NoFirstFlush, &first, true), cost);
        // The cheap one first, then what a rule condemns, then what hangs.
        assert_eq!(kills.of("no-first-flush"), ["SW-PAIR.a64", "SW-LOOP.a64"]);
        let second = [("SW-REPEAT", Verdict::Fail), ("EXA-ZR", Verdict::Fail)];
        kills.learn(&matrix(Mutant::XzrIsX30, &second, true), cost);
        assert_eq!(kills.of("no-first-flush"), ["SW-PAIR.a64", "SW-LOOP.a64"]);
        let by = |id: &str| {
            kills
                .proof(run(id).case)
                .map(|(_, mutant)| mutant.to_owned())
        };
        assert_eq!(by("SW-REPEAT").as_deref(), Some("no-first-flush"));
        assert_eq!(by("EXA-ZR").as_deref(), Some("xzr-is-x30"));
        // A first kill says nothing against the older ones.
        let again = [("SW-REPEAT", Verdict::Fail)];
        kills.learn(&matrix(Mutant::NoFirstFlush, &again, false), cost);
        assert_eq!(kills.of("no-first-flush"), ["SW-REPEAT.a64", "SW-PAIR.a64"]);
        let read: Kills = toml::from_str(&kills.text()).expect("it is TOML");
        assert_eq!(read, kills);
        // A survivor is killed by nothing.
        kills.learn(&matrix(Mutant::NoFirstFlush, &[], false), cost);
        assert!(kills.of("no-first-flush").is_empty());
    }
}
