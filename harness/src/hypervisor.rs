//! Hypervisors under test: what `runners/*/hypervisor.toml` says of each.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;
use setway_cases::{Case, Kind};

use crate::{Error, isa::Isa, paths, toml_file};

/// A hypervisor under test.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hypervisor {
    /// What it is called on the command line.
    pub name: String,
    /// One line about it.
    pub about: String,
    /// The behaviour it claims.
    pub profile: String,
    /// The kinds of rule that bind it.
    pub rules: Vec<RuleKind>,
    /// It writes records of its own.
    pub records: bool,
    /// Only the harness's own tests use it.
    #[serde(default)]
    pub self_test: bool,
    /// The image to boot.
    pub kernel: String,
    /// The image of each ISA's payload.
    #[serde(default)]
    pub payload: BTreeMap<Isa, String>,
    /// Its part of the command line, with placeholders.
    pub args: Vec<String>,
    /// What an ISA's runs have behind that.
    #[serde(default)]
    pub isa_args: BTreeMap<Isa, Vec<String>>,
}

/// The hypervisor that is run unless another is asked for, and the one with expectations.
pub const DEFAULT: &str = "reference";

/// [`Kind`], as files write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleKind {
    /// Binds every hypervisor.
    Architectural,
    /// Binds those that follow the policy.
    Policy,
    /// Binds machines without a hypervisor.
    Machine,
}

impl RuleKind {
    /// How it is written.
    const fn name(self) -> &'static str {
        match self {
            RuleKind::Architectural => "architectural",
            RuleKind::Policy => "policy",
            RuleKind::Machine => "machine",
        }
    }
}

impl From<Kind> for RuleKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Architectural => RuleKind::Architectural,
            Kind::Policy => RuleKind::Policy,
            Kind::Machine => RuleKind::Machine,
        }
    }
}

impl Hypervisor {
    /// The one called `name`.
    pub fn load(name: &str) -> Result<Self, Error> {
        let all = Self::all()?;
        let known = all.iter().filter(|hypervisor| !hypervisor.self_test);
        let known: Vec<_> = known.map(|hypervisor| hypervisor.name.clone()).collect();
        let found = all.into_iter().find(|hypervisor| hypervisor.name == name);
        found.ok_or_else(|| Error::Unknown {
            what: "hypervisor",
            name: name.to_owned(),
            known,
        })
    }

    /// All there are, by name.
    pub fn all() -> Result<Vec<Self>, Error> {
        let files = paths::subdirectories(&paths::runners())?;
        let files = files.iter().map(|dir| dir.join("hypervisor.toml"));
        files
            .filter(|file| file.is_file())
            .map(|file| Self::read(&file))
            .collect()
    }

    fn read(file: &Path) -> Result<Self, Error> {
        Ok(toml_file::read(file)?)
    }

    /// The command line of a run in `isa`.
    pub fn arguments(&self, isa: Isa) -> impl Iterator<Item = &String> {
        self.args
            .iter()
            .chain(self.isa_args.get(&isa).into_iter().flatten())
    }

    /// Why `case` says nothing about this hypervisor, if so.
    pub fn skips(&self, case: &Case) -> Option<String> {
        if self.rules.contains(&case.rule.kind.into()) {
            return None;
        }
        let bound: Vec<&str> = self.rules.iter().map(|kind| kind.name()).collect();
        let bound = match bound.is_empty() {
            true => "none".to_owned(),
            false => format!("{} ones", bound.join(" and ")),
        };
        Some(format!(
            "{} is a rule of kind {}, and of rules {bound} bind {}",
            case.rule.id,
            case.rule.kind.name(),
            self.name
        ))
    }
}
