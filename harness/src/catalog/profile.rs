//! Profiles: what `runners/profiles/*.toml` says that hypervisors of one kind do.
//!
//! Cases demand the counts of the policy of 2015. Where a kind of hypervisor counts differently and
//! rightly so, its profile says what is expected instead, and why. Data is never excused.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;
use setway_cases::{CASES, Case, Premise};

use crate::{
    Error,
    catalog::{hypervisor::RuleKind, toml_file},
    evidence::observation::Counts,
    workspace::paths,
};

/// A kind of hypervisor.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What hypervisors and reports call it.
    pub name: String,
    /// One line about it.
    pub about: String,
    /// Who says that it is so.
    pub source: String,
    /// The kinds of rule that bind it.
    pub rules: Vec<RuleKind>,
    /// The counts that differ from what the cases demand. A later row goes over an earlier one.
    #[serde(default)]
    pub differs: Vec<Difference>,
    /// The premises that do not hold, by name, and why. Cases that need one say nothing about it.
    #[serde(default)]
    pub lacks: BTreeMap<String, String>,
}

/// Counts that differ.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// In which case; in all if none is named.
    pub case: Option<String>,
    /// In which of its steps; in all if none is named.
    pub step: Option<String>,
    /// Set/way ops that trap, if not as demanded.
    pub set_way: Option<u64>,
    /// Writes of VM registers that trap, likewise.
    pub vm_reg: Option<u64>,
    /// Flushes, likewise.
    pub flush: Option<u64>,
    /// Why that is right.
    pub why: String,
}

impl Profile {
    /// The one called `name`.
    pub fn load(name: &str) -> Result<Self, Error> {
        let all = Self::all()?;
        let known = all.iter().map(|profile| profile.name.clone()).collect();
        let found = all.into_iter().find(|profile| profile.name == name);
        found.ok_or_else(|| Error::Unknown {
            what: "profile",
            name: name.to_owned(),
            known,
        })
    }

    /// All there are, by name.
    pub fn all() -> Result<Vec<Self>, Error> {
        let files = paths::files(&paths::runners().join("profiles"), "toml")?;
        files.iter().map(|file| Self::read(file)).collect()
    }

    fn read(file: &Path) -> Result<Self, Error> {
        let profile: Self = toml_file::read(file)?;
        match profile.complaint() {
            None => Ok(profile),
            Some(reason) => Err(Error::Meaningless {
                file: file.to_owned(),
                reason,
            }),
        }
    }

    /// What it names that does not exist.
    fn complaint(&self) -> Option<String> {
        let mut names = self.differs.iter().filter_map(|it| it.case.as_ref());
        let case = names.find(|name| !CASES.iter().any(|case| case.id == **name));
        let mut premises = self.lacks.keys();
        let premise = premises.find(|name| Premise::by_name(name).is_none());
        let case = case.map(|name| format!("there is no case `{name}`"));
        case.or_else(|| {
            let known: Vec<&str> = Premise::ALL.map(Premise::name).into();
            Some(format!(
                "there is no premise `{}`; there are {}",
                premise?,
                known.join(", ")
            ))
        })
    }

    /// What is expected of the step called `step`, of which the case demands `counts`.
    pub fn expected(&self, case: &Case, step: &str, counts: Counts) -> Counts {
        let concerns = |it: &&Difference| {
            it.case.as_ref().is_none_or(|id| id == case.id)
                && it.step.as_ref().is_none_or(|name| name == step)
        };
        let rows = self.differs.iter().filter(concerns);
        rows.fold(counts, |counts, row| Counts {
            set_way: row.set_way.unwrap_or(counts.set_way),
            vm_reg: row.vm_reg.unwrap_or(counts.vm_reg),
            flush: row.flush.or(counts.flush),
        })
    }

    /// Why the counts of `case` are not those that it demands, each reason once.
    pub fn reasons(&self, case: &Case) -> Vec<&str> {
        let concerns = |it: &&Difference| it.case.as_ref().is_none_or(|id| id == case.id);
        let mut reasons: Vec<&str> = Vec::new();
        for row in self.differs.iter().filter(concerns) {
            if !reasons.contains(&row.why.as_str()) {
                reasons.push(&row.why);
            }
        }
        reasons
    }

    /// Why `case` says nothing about `hypervisor`, if so.
    pub fn skips(&self, case: &Case, hypervisor: &str) -> Option<String> {
        let mut lacking = case
            .premises
            .iter()
            .filter_map(|it| self.lacks.get(it.name()));
        if let Some(why) = lacking.next() {
            return Some(format!("{}: {why}", case.id));
        }
        if self.rules.contains(&case.rule.kind.into()) {
            return None;
        }
        let bound: Vec<&str> = self.rules.iter().map(|kind| kind.name()).collect();
        let bound = match bound.is_empty() {
            true => "none".to_owned(),
            false => format!("{} ones", bound.join(" and ")),
        };
        Some(format!(
            "{} is a rule of kind {}, and of rules {bound} bind {hypervisor}",
            case.rule.id,
            case.rule.kind.name(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(id: &str) -> &'static Case {
        CASES.iter().find(|case| case.id == id).unwrap()
    }

    const DEMANDED: Counts = Counts {
        set_way: 3,
        vm_reg: 2,
        flush: Some(1),
    };

    #[test]
    fn rows_apply_to_their_case_and_step() {
        let profile: Profile = toml::from_str(
            r#"
            name = "p"
            about = "x"
            source = "x"
            rules = ["policy"]
            [[differs]]
            vm_reg = 0
            why = "x"
            [[differs]]
            case = "SW-LOOP"
            step = "second"
            set_way = 9
            flush = 7
            why = "x"
            "#,
        )
        .unwrap();
        let expected = |id, step| profile.expected(case(id), step, DEMANDED);
        let everywhere = Counts {
            vm_reg: 0,
            ..DEMANDED
        };
        assert_eq!(expected("SW-REPEAT", "second"), everywhere);
        assert_eq!(expected("SW-LOOP", "first"), everywhere);
        let there = Counts {
            set_way: 9,
            vm_reg: 0,
            flush: Some(7),
        };
        assert_eq!(expected("SW-LOOP", "second"), there);
    }

    #[test]
    fn the_policy_of_2015_is_what_cases_demand() {
        let profile = Profile::load("kvm-2015").unwrap();
        for case in CASES.iter().filter(|case| case.is_guest()) {
            assert_eq!(profile.expected(case, "any", DEMANDED), DEMANDED);
            assert_eq!(profile.skips(case, "x"), None);
        }
    }

    #[test]
    fn cases_are_skipped_by_what_they_need() {
        let profile = Profile::load("kvm-fwb").unwrap();
        let skipped = CASES.iter().filter(|case| case.is_guest());
        let skipped = skipped.filter(|case| profile.skips(case, "x").is_some());
        let skipped: Vec<&str> = skipped.map(|case| case.id).collect();
        assert_eq!(
            skipped,
            [
                "VMR-VALUE",
                "VMR-ISOLATION",
                "VMR-HALVES",
                "EXA-RT/vm-reg",
                "EXA-RT/vm-reg-64",
                "EXA-BANK",
                "COH-DROPPED",
            ]
        );
        assert_eq!(
            profile.skips(case("VMR-VALUE"), "x").unwrap(),
            "VMR-VALUE: no VM register is ever trapped"
        );
    }

    #[test]
    fn a_premise_must_exist() {
        let mut profile = Profile::load("kvm-fwb").unwrap();
        assert_eq!(profile.complaint(), None);
        profile.lacks.insert("tvm-trap".to_owned(), "x".to_owned());
        let complaint = profile.complaint().unwrap();
        assert!(complaint.contains("tvm-traps"), "{complaint}");
    }
}
