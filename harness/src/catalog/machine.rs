//! Machines: what `runners/machines/*.toml` gives for each.

use std::path::Path;

use serde::Deserialize;
use setway_cases::{CASES, Case, Premise};

use super::{
    Unknown,
    isa::Isa,
    raw,
    source::{Mistakes, Source},
};

/// A QEMU machine that runs can be made on.
#[derive(Clone, Debug)]
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
    /// How it gets caches that are not coherent, so that checks of data are decisive.
    pub cache_model: Option<CacheModel>,
    /// A read of a set/way encoding traps to EL2 before it is UNDEFINED.
    pub trapped_reads: bool,
    /// Its CPUs have ops by set/way on allocation tags (FEAT_MTE2).
    pub tags: bool,
    /// Its part of the command line, with placeholders.
    pub args: Vec<String>,
    /// As much of that as the device tree depends on.
    pub tree_args: Vec<String>,
    /// The machine whose quirks it has as well.
    pub quirks_of: Option<String>,
    /// What it gets wrong, whatever the hypervisor does.
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
pub type Quirk = raw::Quirk;

impl Quirk {
    /// Why it can excuse nothing, or would excuse too much.
    fn complaint(&self) -> Option<String> {
        let Some(case) = CASES.iter().find(|case| case.id == self.case) else {
            return Some(format!("there is no case `{}`", self.case));
        };
        let missing = |isa: &&Isa| !case.isas.iter().any(|own| Isa::from(*own) == **isa);
        if let Some(isa) = self.isas.iter().find(missing) {
            return Some(format!("{} has no {isa}", self.case));
        }
        let fields = [
            ("isas", self.isas.is_empty()),
            ("checks", self.checks.is_empty()),
            ("got", self.got.is_empty()),
            ("why", self.why.is_empty()),
        ];
        let (field, _) = fields.into_iter().find(|(_, is_empty)| *is_empty)?;
        Some(format!("the quirk of {} has an empty `{field}`", self.case))
    }
}

/// Gives each of `machines`, whose files are in `runners`, the quirks of the one that it names.
pub(super) fn share_quirks(machines: &mut [Machine], runners: &Path, mistakes: &mut Mistakes) {
    let own: Vec<(String, Vec<Quirk>)> = machines
        .iter()
        .map(|it| (it.name.clone(), it.quirks.clone()))
        .collect();
    for machine in machines {
        let Some(of) = &machine.quirks_of else {
            continue;
        };
        if let Some((_, quirks)) = own.iter().find(|(name, _)| name == of) {
            machine.quirks.extend(quirks.iter().cloned());
        } else {
            let file = runners.join(format!("machines/{}.toml", machine.name));
            let known = own.iter().map(|(name, _)| name.clone());
            mistakes.add(&file, None, Unknown::new("machine", of, known));
        }
    }
}

/// The machine that runs are made on unless something else is asked for.
pub const DEFAULT: &str = "virt-a57";

impl Machine {
    /// What `raw`, read from `source`, stands for.
    pub(super) fn new(source: &Source, raw: raw::Machine, mistakes: &mut Mistakes) -> Self {
        for quirk in &raw.quirks {
            if let Some(complaint) = quirk.get_ref().complaint() {
                source.mistake(&quirk.span(), complaint, mistakes);
            }
        }
        Self {
            name: raw.name.into_inner(),
            about: raw.about,
            isas: raw.isas,
            cpus: raw.cpus,
            memory: raw.memory,
            cache_model: raw.cache_model,
            trapped_reads: raw.trapped_reads,
            tags: raw.tags,
            args: raw.args,
            tree_args: raw.tree_args,
            quirks_of: raw.quirks_of,
            quirks: raw
                .quirks
                .into_iter()
                .map(toml::Spanned::into_inner)
                .collect(),
        }
    }

    /// What `case` would need to be able to fail here, if it cannot. `caches` is whether the machine
    /// has any.
    pub fn missing_premise(&self, case: &Case, caches: bool) -> Option<&'static str> {
        if case.needs(Premise::Caches) && !caches {
            return Some("needs the cache model: without it no data can go stale");
        }
        if case.needs(Premise::CountedCost) && !caches {
            return Some("needs the cache model: without it nobody counts what maintenance costs");
        }
        if case.needs(Premise::TrappedReads) && !self.trapped_reads {
            return Some("needs trapped reads: here the CPU decides before the hypervisor can");
        }
        if case.needs(Premise::Tags) && !self.tags {
            return Some(
                "needs a CPU with FEAT_MTE2, as of virt-mte: here the ops on tags are UNDEFINED anyway",
            );
        }
        None
    }

    /// Why `case` cannot run here, if so.
    pub fn why_skipped(&self, case: &Case, isa: Isa) -> Option<String> {
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

    #[test]
    fn a_quirk_must_mean_something() {
        let quirk = Quirk {
            case: CASES[0].id.to_owned(),
            isas: vec![CASES[0].isas[0].into()],
            checks: vec!["x0".to_owned()],
            got: "0x0".to_owned(),
            why: "it does".to_owned(),
        };
        assert_eq!(quirk.complaint(), None);
        let wrongs: [fn(&mut Quirk); 4] = [
            |quirk| quirk.case = "NO-SUCH".to_owned(),
            |quirk| quirk.isas.clear(),
            |quirk| quirk.checks.clear(),
            |quirk| quirk.got.clear(),
        ];
        for wrong in wrongs {
            let mut quirk = quirk.clone();
            wrong(&mut quirk);
            assert!(quirk.complaint().is_some(), "{quirk:?}");
        }
    }
}
