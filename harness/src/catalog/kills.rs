//! Which runs kill which mutant, from `expectations/kills.toml`: what `setway mutants --bless` saw last.

use std::{collections::BTreeMap, path::PathBuf};

use setway_cases::Case;
use setway_policy::Mutant;

use super::source::{Mistakes, Source};
use crate::workspace::Workspace;

/// The remembered killers: labels of runs, by the mutant's name.
#[derive(Clone, Debug, Default)]
pub struct Kills(BTreeMap<String, Vec<String>>);

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
            Ok(Self(Source::read_one(&path)?))
        } else {
            Ok(Self::default())
        }
    }

    /// The labels of the runs that kill `mutant`.
    pub fn of(&self, mutant: &str) -> &[String] {
        self.0.get(mutant).map_or(&[], Vec::as_slice)
    }

    /// The mutants that a run of `case` kills, in the order of their table, each with the first such run.
    pub fn by<'a>(&'a self, case: &'a Case) -> impl Iterator<Item = (Mutant, &'a str)> {
        Mutant::ALL.iter().filter_map(move |mutant| {
            let mut labels = self.of(mutant.name()).iter();
            let label = labels.find(|label| case_of(label) == case.id)?;
            Some((*mutant, label.as_str()))
        })
    }
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
        let kills = Kills(BTreeMap::from([
            (
                "tvm-shared".to_owned(),
                labels(&["SW-REPEAT.a32", "SW-PAIR.a64"]),
            ),
            ("xzr-is-x30".to_owned(), labels(&["EXA-ZR.a64"])),
        ]));
        let case = CASES.iter().find(|case| case.id == "SW-PAIR");
        let case = case.expect("SW-PAIR is a case");
        let by: Vec<_> = kills.by(case).collect();
        assert_eq!(by, [(Mutant::TvmShared, "SW-PAIR.a64")]);
    }
}
