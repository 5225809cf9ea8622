//! Which runs kill which mutant, from `expectations/kills.toml`: what `setway mutants --bless` saw last.

use std::{collections::BTreeMap, io, path::PathBuf};

use serde::Deserialize;
use setway_cases::Case;
use setway_policy::{Mutant, Site};

use super::source::{Mistakes, Source};
use crate::workspace::Workspace;

/// The remembered kills.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kills {
    /// Labels of runs, by the name of the mutant that they kill.
    #[serde(default)]
    pub(crate) mutants: BTreeMap<String, Vec<String>>,
    /// A mutant by the label of the run that kills it, one run for each case.
    #[serde(default)]
    pub(crate) cases: BTreeMap<String, String>,
}

impl Kills {
    /// The file.
    pub fn path(workspace: &Workspace) -> PathBuf {
        workspace.expectations().join("kills.toml")
    }

    /// Reads the file; a checkout need not have it.
    ///
    /// # Errors
    ///
    /// What is wrong with it, with its line.
    pub fn read(workspace: &Workspace) -> Result<Self, Mistakes> {
        let path = Self::path(workspace);
        if path.exists() {
            Source::read_one(&path)
        } else {
            Ok(Self::default())
        }
    }

    /// The labels of the runs that kill `mutant`.
    pub fn of(&self, mutant: &str) -> &[String] {
        self.mutants.get(mutant).map_or(&[], Vec::as_slice)
    }

    /// The mutants that a run of `case` kills, in the order of their table, each with the first such run.
    pub fn by<'a>(&'a self, case: &'a Case) -> impl Iterator<Item = (Mutant, &'a str)> {
        let proof = self.proof(case);
        Mutant::ALL.iter().filter_map(move |mutant| {
            let mut labels = self.of(mutant.name()).iter();
            let label = labels.find(|label| case_of(label) == case.id);
            let proof = proof.filter(|(_, name)| *name == mutant.name());
            let label = label.map(String::as_str).or(proof.map(|(run, _)| run))?;
            Some((*mutant, label))
        })
    }

    /// The run of `case` by which it is shown that the case can fail, and the mutant that it kills.
    pub fn proof(&self, case: &Case) -> Option<(&str, &str)> {
        let mut cases = self.cases.iter();
        let own = cases.find(|(run, _)| known_case(run) == Some(case.id));
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

    /// The file, in the order of the tables of mutants and cases, so that a new one changes one line.
    pub(crate) fn text(&self) -> String {
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
            if let Some((run, mutant)) = self.proof(case) {
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
pub(crate) fn known_case(label: &str) -> Option<&'static str> {
    let id = case_of(label);
    let mut cases = setway_cases::CASES.iter();
    cases.find(|case| case.id == id).map(|case| case.id)
}

/// The id of the case whose run has this label: `COH-CLEAN/csw` of `COH-CLEAN/csw.a64 [lazy]`.
pub fn case_of(label: &str) -> &str {
    let run = label.split(' ').next().unwrap_or_default();
    run.rsplit_once('.').map_or(run, |(case, _)| case)
}

#[cfg(test)]
mod tests {
    use setway_cases::CASES;

    use super::*;

    #[test]
    fn a_label_names_its_case() {
        assert_eq!(case_of("COH-CLEAN/csw.a64 [lazy]"), "COH-CLEAN/csw");
        assert_eq!(case_of("EXA-IT.t32"), "EXA-IT");
    }

    #[test]
    fn a_case_has_the_mutants_that_it_kills() {
        let labels = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect();
        let kills = Kills {
            mutants: BTreeMap::from([
                (
                    "tvm-shared".to_owned(),
                    labels(&["SW-REPEAT.a32", "SW-PAIR.a64"]),
                ),
                ("xzr-is-x30".to_owned(), labels(&["EXA-ZR.a64"])),
            ]),
            cases: BTreeMap::new(),
        };
        let case = CASES.iter().find(|case| case.id == "SW-PAIR");
        let case = case.expect("SW-PAIR is a case");
        let by: Vec<_> = kills.by(case).collect();
        assert_eq!(by, [(Mutant::TvmShared, "SW-PAIR.a64")]);
    }
}
