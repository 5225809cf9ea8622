//! Machines: what `runners/machines/*.toml` says of each.

use std::path::Path;

use serde::Deserialize;
use setway_cases::{CASES, Case, Premise};

use crate::{
    Error,
    catalog::{isa::Isa, toml_file},
    evidence::observation::Check,
    workspace::paths,
};

/// A QEMU machine that runs can be made on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// What reports call it.
    pub name: String,
    /// One line about it.
    pub about: String,
    /// The ISAs that its guests can use.
    pub isas: Vec<Isa>,
    /// How many CPUs it can have.
    pub cpus: u32,
    /// MiB of memory that it has, unless the hypervisor needs more.
    pub memory: u64,
    /// How it comes to caches that are not coherent, so that checks of data are decisive.
    pub cache_model: Option<CacheModel>,
    /// A read of a set/way encoding traps to EL2 before it is UNDEFINED.
    pub trapped_reads: bool,
    /// Its part of the command line, with placeholders.
    pub args: Vec<String>,
    /// As much of that as the device tree depends on.
    pub tree_args: Vec<String>,
    /// What it gets wrong, whatever the hypervisor does.
    #[serde(default, rename = "quirk")]
    pub quirks: Vec<Quirk>,
}

/// What the cache model needs to know of a machine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheModel {
    /// Sets of the CPU's last private cache.
    pub sets: u32,
    /// Its ways.
    pub ways: u32,
    /// What it adds to the command line, with placeholders.
    pub args: Vec<String>,
}

/// A value that the machine itself gets wrong, so that it says nothing about the hypervisor.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quirk {
    /// The case whose check is concerned.
    pub case: String,
    /// The ISAs in which it is.
    pub isas: Vec<Isa>,
    /// How the check's name ends.
    pub check: String,
    /// The wrong value that is excused, as the record writes it.
    pub got: String,
    /// What the machine does wrong.
    pub why: String,
}

impl Quirk {
    /// Why it can excuse nothing, or would excuse too much.
    fn is_wrong(&self) -> Option<String> {
        let Some(case) = CASES.iter().find(|case| case.id == self.case) else {
            return Some(format!("there is no case `{}`", self.case));
        };
        let missing = |isa: &&Isa| !case.isas.iter().any(|own| Isa::from(*own) == **isa);
        if let Some(isa) = self.isas.iter().find(missing) {
            return Some(format!("{} has no {isa}", self.case));
        }
        for (field, empty) in [
            ("isas", self.isas.is_empty()),
            ("check", self.check.is_empty()),
            ("got", self.got.is_empty()),
            ("why", self.why.is_empty()),
        ] {
            if empty {
                return Some(format!("the quirk of {} has an empty `{field}`", self.case));
            }
        }
        None
    }
}

/// The machine that runs are made on unless something else is asked for.
pub const DEFAULT: &str = "virt-a57";

impl Machine {
    /// The one called `name`.
    pub fn load(name: &str) -> Result<Self, Error> {
        let all = Self::all()?;
        let known = all.iter().map(|machine| machine.name.clone()).collect();
        let found = all.into_iter().find(|machine| machine.name == name);
        found.ok_or_else(|| Error::Unknown {
            what: "machine",
            name: name.to_owned(),
            known,
        })
    }

    /// All there are, by name.
    pub fn all() -> Result<Vec<Self>, Error> {
        let files = paths::files(&paths::runners().join("machines"), "toml")?;
        files.iter().map(|file| Self::read(file)).collect()
    }

    fn read(file: &Path) -> Result<Self, Error> {
        let machine: Self = toml_file::read(file)?;
        let wrong = machine.quirks.iter().find_map(Quirk::is_wrong);
        match wrong {
            None => Ok(machine),
            Some(reason) => Err(Error::Meaningless {
                file: file.to_owned(),
                reason,
            }),
        }
    }

    /// Why the wrong value of `check` is this machine's own doing, if it is.
    pub fn excuse(&self, case: &Case, isa: Isa, check: &Check) -> Option<&str> {
        let concerns = |quirk: &&Quirk| {
            quirk.case == case.id
                && quirk.isas.contains(&isa)
                && check.name.ends_with(&quirk.check)
                && check.got == quirk.got
        };
        self.quirks
            .iter()
            .find(concerns)
            .map(|quirk| quirk.why.as_str())
    }

    /// What `case` would need to be able to fail here, if it cannot. `caches` says whether the machine
    /// has any.
    pub fn lacks(&self, case: &Case, caches: bool) -> Option<&'static str> {
        if case.needs(Premise::Caches) && !caches {
            return Some("needs the cache model: here no cache can spoil data");
        }
        if case.needs(Premise::TrappedReads) && !self.trapped_reads {
            return Some("needs trapped reads: here the CPU decides before the hypervisor can");
        }
        None
    }

    /// Why `case` cannot run here, if so.
    pub fn skips(&self, case: &Case, isa: Isa) -> Option<String> {
        if !self.isas.contains(&isa) {
            return Some(format!("{} has no {isa} at EL1", self.name));
        }
        if case.cpus > self.cpus {
            return Some(format!(
                "the case needs {} CPUs, {} has {}",
                case.cpus, self.name, self.cpus
            ));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quirk() -> Quirk {
        Quirk {
            case: CASES[0].id.to_owned(),
            isas: vec![CASES[0].isas[0].into()],
            check: "x0".to_owned(),
            got: "0x0".to_owned(),
            why: "it does".to_owned(),
        }
    }

    #[test]
    fn a_quirk_excuses_one_value_of_one_check() {
        let mut machine = Machine::load(DEFAULT).expect("the committed file is sound");
        machine.quirks = vec![quirk()];
        let excused = |name: &str, got: &str| {
            let check = Check {
                of: setway_protocol::word::CheckKind::Register,
                from: None,
                name: name.to_owned(),
                want: "0x1".to_owned(),
                got: got.to_owned(),
                excuse: None,
            };
            let isa = CASES[0].isas[0].into();
            machine.excuse(&CASES[0], isa, &check).is_some()
        };
        assert!(excused("at first: x0", "0x0"));
        assert!(!excused("at first: x0", "0x2"));
        assert!(!excused("at first: x1", "0x0"));
    }

    #[test]
    fn a_quirk_must_mean_something() {
        assert_eq!(quirk().is_wrong(), None);
        let wrongs: [fn(&mut Quirk); 4] = [
            |quirk| quirk.case = "NO-SUCH".to_owned(),
            |quirk| quirk.isas.clear(),
            |quirk| quirk.check.clear(),
            |quirk| quirk.got.clear(),
        ];
        for wrong in wrongs {
            let mut quirk = quirk();
            wrong(&mut quirk);
            assert!(quirk.is_wrong().is_some(), "{quirk:?}");
        }
    }
}
