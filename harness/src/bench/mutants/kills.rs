//! `expectations/kills.toml`: the kills that are known, which are tried first.
//!
//! It proves nothing: a kill counts only if it is seen again. It makes seeing them cheap.

use std::{collections::BTreeMap, io, path::PathBuf};

use serde::Deserialize;
use setway_cases::Case;
use setway_policy::{Mutant, Site};

use super::{Kill, Matrix};
use crate::{
    catalog::source::{Mistakes, Source},
    judge::Verdict,
    plan::Run,
    workspace::Workspace,
};

/// How many of its killers are remembered for a mutant.
const REMEMBERED: usize = 2;

/// The remembered kills.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kills {
    /// Labels of runs, by the name of the mutant that they kill.
    #[serde(default)]
    mutants: BTreeMap<String, Vec<String>>,
    /// A mutant by the label of the run that kills it, one run for each case.
    #[serde(default)]
    cases: BTreeMap<String, String>,
}

impl Kills {
    fn path(workspace: &Workspace) -> PathBuf {
        workspace.expectations().join("kills.toml")
    }

    /// The kills of a checkout; none if it has no such file.
    ///
    /// # Errors
    ///
    /// If the file cannot be used.
    pub fn read(workspace: &Workspace) -> Result<Self, Mistakes> {
        let path = Self::path(workspace);
        if path.exists() {
            Source::read_one(&path)
        } else {
            Ok(Self::default())
        }
    }

    /// The runs that killed the mutant of this name.
    pub fn of(&self, mutant: &str) -> &[String] {
        self.mutants.get(mutant).map_or(&[], Vec::as_slice)
    }

    /// The run of `case` that killed a mutant, and that mutant's name.
    pub fn by(&self, case: &Case) -> Option<(&str, &str)> {
        let mut cases = self.cases.iter();
        let own = cases.find(|(run, _)| case_of(run) == Some(case.id));
        own.map(|(run, mutant)| (run.as_str(), mutant.as_str()))
    }

    /// How many mutants of `site` each run killed.
    pub fn at(&self, site: Site) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        let own = Mutant::ALL.iter().filter(|mutant| mutant.site() == site);
        for run in own.flat_map(|mutant| self.of(mutant.name())) {
            *counts.entry(run.as_str()).or_default() += 1;
        }
        counts
    }

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
                .by(run.case)
                .and_then(|(_, name)| Mutant::by_name(name));
            let was_tried = |known| matrix.fates.iter().any(|fate| fate.mutant == known);
            if known.is_some_and(|known| !was_tried(known)) {
                continue;
            }
            self.cases
                .retain(|known, _| case_of(known) != Some(run.case.id));
            self.cases.insert(run.label(), mutant.name().to_owned());
        }
        self.mutants
            .retain(|name, runs| Mutant::by_name(name).is_some() && !runs.is_empty());
        self.cases
            .retain(|run, name| case_of(run).is_some() && Mutant::by_name(name).is_some());
    }

    /// The file, in the order of the tables of mutants and cases, so that a new one changes one line.
    fn text(&self) -> String {
        let mut text = String::from(
            "# Which runs kill a mutant, and for each case a mutant that it kills: what `setway mutants` and\n\
             # `cargo test` try first. Written by `setway mutants --bless`.\n\n[mutants]\n",
        );
        for mutant in Mutant::ALL {
            let runs = self.of(mutant.name());
            if !runs.is_empty() {
                let quoted: Vec<String> = runs.iter().map(|run| format!("\"{run}\"")).collect();
                text += &format!("{} = [{}]\n", mutant.name(), quoted.join(", "));
            }
        }
        text += "\n[cases]\n";
        for case in setway_cases::CASES {
            if let Some((run, mutant)) = self.by(case) {
                text += &format!("\"{run}\" = \"{mutant}\"\n");
            }
        }
        text
    }

    /// Writes the file.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn write(&self, workspace: &Workspace) -> io::Result<()> {
        fs_err::write(Self::path(workspace), self.text())
    }
}

/// The case of the catalogue that a label of a run names; `None` if there is none.
fn case_of(label: &str) -> Option<&'static str> {
    let id = label.split('.').next()?;
    let mut cases = setway_cases::CASES.iter();
    cases.find(|case| case.id == id).map(|case| case.id)
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
        let by = |id: &str| kills.by(run(id).case).map(|(_, mutant)| mutant.to_owned());
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
