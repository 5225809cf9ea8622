//! Machines: what `runners/machines/*.toml` says of each.

use serde::Deserialize;
use setway_cases::Case;

use crate::{Error, isa::Isa, paths, toml_file};

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
    /// Guests see caches that are not coherent, so that checks of data are decisive.
    pub cache_model: bool,
    /// A read of a set/way encoding traps to EL2 before it is UNDEFINED.
    pub trapped_reads: bool,
    /// Its part of the command line, with placeholders.
    pub args: Vec<String>,
    /// What it gets wrong, whatever the hypervisor does.
    #[serde(default, rename = "quirk")]
    pub quirks: Vec<Quirk>,
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
    /// What the machine does wrong.
    pub why: String,
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
        files.iter().map(|file| toml_file::read(file)).collect()
    }

    /// Why a wrong value of the check called `check` is this machine's own doing, if it is.
    pub fn excuse(&self, case: &Case, isa: Isa, check: &str) -> Option<&str> {
        let concerns = |quirk: &&Quirk| {
            quirk.case == case.id && quirk.isas.contains(&isa) && check.ends_with(&quirk.check)
        };
        self.quirks
            .iter()
            .find(concerns)
            .map(|quirk| quirk.why.as_str())
    }

    /// What `case` would need to be able to fail here, if it cannot.
    pub fn lacks(&self, case: &Case) -> Option<&'static str> {
        if case.needs_cache_model && !self.cache_model {
            return Some("needs the cache model: here no cache can spoil data");
        }
        if case.needs_trapped_reads && !self.trapped_reads {
            return Some("needs trapped reads: here the CPU decides before the hypervisor can");
        }
        None
    }

    /// Why `case` cannot run here, if so.
    pub fn skips(&self, case: &Case, isa: Isa) -> Option<String> {
        if !self.isas.contains(&isa) {
            return Some(format!("{} has no {isa} at EL1", self.name));
        }
        if case.vcpus > self.cpus {
            return Some(format!(
                "the case needs {} CPUs, {} has {}",
                case.vcpus, self.name, self.cpus
            ));
        }
        None
    }
}
