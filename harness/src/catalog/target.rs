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

    /// What findings may call it: its label, and the label without the machine, unless the hypervisor claims something
    /// else there than elsewhere, so that what deviates from the one claim need not deviate from the other.
    pub fn names(&self) -> Vec<String> {
        let label = self.label();
        let anywhere = label.split('@').next().unwrap_or_default().to_owned();
        let claims_the_same = self.profile.name == self.hypervisor.profile;
        let mut names = vec![label];
        if claims_the_same && names[0] != anywhere {
            names.push(anywhere);
        }
        names
    }
}
