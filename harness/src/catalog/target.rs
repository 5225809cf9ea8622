//! Targets: what `--hyp` names, a hypervisor in one version on one machine.

use super::{
    hypervisor::Hypervisor,
    machine::{self, Machine},
    profile::Profile,
    version::PackagedVersion,
};

/// A hypervisor in one version on one machine.
#[derive(Clone, Debug)]
pub struct Target {
    /// The hypervisor.
    pub hypervisor: Hypervisor,
    /// Its version, if there are several to fetch.
    pub version: Option<PackagedVersion>,
    /// The machine.
    pub machine: Machine,
    /// What it claims to do there.
    pub profile: Profile,
}

impl Target {
    /// What reports call it, and `--hyp` understands.
    pub fn label(&self) -> String {
        let mut label = self.hypervisor.name.clone();
        if let Some(version) = &self.version {
            label += &format!("-{}", version.version);
        }
        if self.machine.name != machine::DEFAULT {
            label += &format!("@{}", self.machine.name);
        }
        label
    }
}
