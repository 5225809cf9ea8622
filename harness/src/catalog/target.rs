//! Targets: what `--hyp` names, a hypervisor in one version on one machine.

use crate::{
    Error,
    catalog::{
        hypervisor::Hypervisor,
        machine::{self, Machine},
        profile::Profile,
    },
    provide::package::{PackagedVersion, Unpacked},
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
    /// What `text` names: `NAME`, `NAME-VERSION`, or either followed by `@MACHINE`. Without a version it is
    /// the newest.
    pub fn find(text: &str) -> Result<Self, Error> {
        let (name, machine) = text.split_once('@').unwrap_or((text, machine::DEFAULT));
        let all = Hypervisor::all()?;
        let mut known = Vec::new();
        for hypervisor in all {
            let versions = hypervisor.versions()?;
            if name == hypervisor.name {
                let newest = versions.into_iter().next();
                return Self::new(hypervisor, newest, machine);
            }
            let names = versions
                .iter()
                .map(|it| format!("{}-{}", hypervisor.name, it.version));
            if !hypervisor.self_test {
                known.extend(names.clone());
                known.extend(versions.is_empty().then(|| hypervisor.name.clone()));
            }
            if let Some(at) = names.into_iter().position(|it| it == name) {
                let version = versions.into_iter().nth(at);
                return Self::new(hypervisor, version, machine);
            }
        }
        Err(Error::Unknown {
            what: "hypervisor",
            name: name.to_owned(),
            known,
        })
    }

    fn new(
        hypervisor: Hypervisor,
        version: Option<PackagedVersion>,
        machine: &str,
    ) -> Result<Self, Error> {
        let machine = Machine::load(machine)?;
        let profile = Profile::load(hypervisor.profile_on(&machine.name))?;
        Ok(Self {
            hypervisor,
            version,
            machine,
            profile,
        })
    }

    /// The files of its version, fetched if need be; nothing if there are no versions.
    pub fn fetch(&self) -> Result<Option<Unpacked>, Error> {
        let version = self.version.as_ref();
        version.map(PackagedVersion::ensure).transpose()
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_found_by_its_label() {
        for (text, label) in [
            ("reference", "reference"),
            ("kvm-6.1", "kvm-6.1"),
            ("kvm-6.12@virt-max", "kvm-6.12@virt-max"),
            ("xen-4.17@virt-a57", "xen-4.17"),
        ] {
            assert_eq!(Target::find(text).unwrap().label(), label);
        }
        assert_eq!(Target::find("kvm").unwrap().label(), "kvm-7.3");
    }

    #[test]
    fn a_wrong_name_is_answered_with_all_there_are() {
        for text in ["kvm-5", "qvm", "kvm-6.1@no-such"] {
            let said = Target::find(text).unwrap_err().to_string();
            assert!(said.contains("next: use one of "), "{said}");
        }
        let said = Target::find("qvm").unwrap_err().to_string();
        assert!(
            said.contains("kvm-6.1") && said.contains("reference"),
            "{said}"
        );
        assert!(!said.contains("misbehave"), "{said}");
    }
}
