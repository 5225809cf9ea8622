//! What the data files give: hypervisors, machines, profiles, QEMU versions, findings, and the targets that they
//! combine to.
//!
//! A [`Catalog`] is read once and passed on. Nothing here fetches, builds or starts anything.

pub mod device_tree;
pub mod finding;
pub mod hypervisor;
pub mod initramfs;
pub mod isa;
pub mod kills;
pub mod machine;
pub mod obligation;
pub mod package;
pub mod profile;
pub mod qemu;
pub mod raw;
pub mod schedule;
pub mod source;
pub mod target;
pub mod version;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;
use setway_cases::Premise;

use self::{
    finding::{Finding, Shows},
    hypervisor::Hypervisor,
    kills::Kills,
    machine::Machine,
    obligation::{Obligations, Want, number},
    profile::Profile,
    qemu::VersionFile,
    source::{Mistakes, Source},
    target::Target,
    version::PackagedVersion,
};
use crate::workspace::Workspace;

/// All that the data files of a checkout give, checked and cross-checked.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// By name.
    pub hypervisors: Vec<Hypervisor>,
    /// By name.
    pub machines: Vec<Machine>,
    /// By name.
    pub profiles: Vec<Profile>,
    /// The newest first.
    pub qemus: Vec<VersionFile>,
    /// By id.
    pub findings: Vec<Finding>,
    /// What cases owe.
    pub obligations: Obligations,
    /// What kills mutants.
    pub kills: Kills,
    /// The packaged versions of each directory of `runners/` that has some.
    pub versions: BTreeMap<String, Vec<PackagedVersion>>,
}

/// A name that stands for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{name}`{}\n  next: use one of {}", suggestion(name, known), known.join(", "))]
pub struct Unknown {
    /// What kind of name.
    pub what: &'static str,
    /// The name.
    pub name: String,
    /// What there is.
    pub known: Vec<String>,
}

/// There is no such target.
#[derive(Debug, thiserror::Error)]
pub enum NoTarget {
    /// Nothing has this name.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// The file of the hypervisor cannot be used.
    #[error(transparent)]
    Data(#[from] Mistakes),
}

/// The known name that was probably meant, as a part of a sentence.
pub fn suggestion(name: &str, known: &[String]) -> String {
    let likeness = |other: &&String| strsim::jaro_winkler(name, other);
    let best = known
        .iter()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match best.filter(|best| likeness(best) > 0.8) {
        Some(best) => format!(": did you mean `{best}`?"),
        None => String::new(),
    }
}

impl Unknown {
    /// `name` is not among `known`.
    pub fn new(what: &'static str, name: &str, known: impl IntoIterator<Item = String>) -> Self {
        Self {
            what,
            name: name.to_owned(),
            known: known.into_iter().collect(),
        }
    }
}

impl Catalog {
    /// Reads everything.
    ///
    /// # Errors
    ///
    /// All mistakes in all files, each with its line.
    pub fn load(workspace: &Workspace) -> Result<Self, Mistakes> {
        let (catalog, mistakes) = Self::read(workspace);
        mistakes.or(catalog)
    }

    /// Reads everything that can be used, and gives what cannot, too.
    pub fn read(workspace: &Workspace) -> (Self, Mistakes) {
        let mut mistakes = Mistakes::default();
        let runners = workspace.runners();
        let mut catalog = Self {
            machines: read(runners.join("machines"), &mut mistakes, Machine::new),
            profiles: read(runners.join("profiles"), &mut mistakes, Profile::new),
            qemus: read(runners.join("qemu"), &mut mistakes, |source, raw, _| {
                VersionFile::new(source, raw)
            }),
            findings: read(
                workspace.expectations().join("findings"),
                &mut mistakes,
                Finding::new,
            ),
            ..Self::default()
        };
        let files: Vec<_> = read(
            Self::obligations_dir(workspace),
            &mut mistakes,
            |source, raw, _| (source.clone(), raw),
        );
        for (source, raw) in files {
            catalog.obligations.read(&source, raw, &mut mistakes);
        }
        match Kills::read(workspace) {
            Ok(kills) => catalog.kills = kills,
            Err(wrong) => mistakes.extend(wrong),
        }
        catalog.qemus.sort_by_key(VersionFile::order);
        machine::share_quirks(&mut catalog.machines, &runners, &mut mistakes);
        catalog.read_hypervisors(workspace, &mut mistakes);
        catalog.check_names(workspace, &mut mistakes);
        (catalog, mistakes)
    }

    /// Where it is written what cases owe.
    pub fn obligations_dir(workspace: &Workspace) -> PathBuf {
        workspace.expectations().join("obligations")
    }

    fn read_hypervisors(&mut self, workspace: &Workspace, mistakes: &mut Mistakes) {
        let runners = workspace.runners();
        let list = |dir: PathBuf, mistakes: &mut Mistakes| {
            source::directories(&dir).unwrap_or_else(|error| {
                mistakes.add(&dir, None, error);
                Vec::new()
            })
        };
        let mut dirs = list(runners.clone(), mistakes);
        for dir in &dirs {
            let versions = PackagedVersion::read_all(dir, mistakes);
            if let Some(first) = versions.first() {
                self.versions.insert(first.hypervisor.clone(), versions);
            }
        }
        let self_test = runners.join("self-test");
        if self_test.is_dir() {
            dirs.extend(list(self_test, mistakes));
        }
        for file in dirs.iter().map(|dir| dir.join("hypervisor.toml")) {
            if !file.is_file() {
                continue;
            }
            let dir = file.parent().and_then(Path::file_name).unwrap_or_default();
            let versions = self.versions.get(&*dir.to_string_lossy());
            let versions = versions.cloned().unwrap_or_default();
            let hypervisor = self.read_hypervisor(&file, versions, mistakes);
            self.hypervisors.extend(hypervisor);
        }
    }

    /// The hypervisor that `file` describes, with `versions` unless it names others. `None`, and a mistake noted, if
    /// it cannot be read.
    fn read_hypervisor(
        &self,
        file: &Path,
        versions: Vec<PackagedVersion>,
        mistakes: &mut Mistakes,
    ) -> Option<Hypervisor> {
        let (source, raw) = Source::read::<raw::Hypervisor>(file, mistakes)?;
        let versions = match &raw.versions_of {
            Some(other) => self
                .versions
                .get(other.get_ref())
                .cloned()
                .unwrap_or_default(),
            None => versions,
        };
        self.check_hypervisor(&source, &raw, &versions, mistakes);
        let mut hypervisor = Hypervisor::new(&source, raw);
        hypervisor.versions = versions;
        Some(hypervisor)
    }

    /// What a hypervisor's file names must be there.
    fn check_hypervisor(
        &self,
        source: &Source,
        raw: &raw::Hypervisor,
        versions: &[PackagedVersion],
        mistakes: &mut Mistakes,
    ) {
        for (name, path) in &raw.files {
            let is_packaged = versions.iter().any(|it| it.table.files.contains_key(name));
            if is_packaged || (name == "kernel" && raw.kernel.is_some()) {
                let what = format!("`{{{name}}}` has a meaning already");
                source.mistake(&path.span(), what, mistakes);
            }
        }
        let profiles = std::iter::once(&raw.profile).chain(raw.profile_on.values());
        for profile in profiles {
            if !self.profiles.iter().any(|it| it.name == *profile.get_ref()) {
                let known = self.profiles.iter().map(|it| it.name.clone());
                let unknown = Unknown::new("profile", profile.get_ref(), known);
                source.mistake(&profile.span(), unknown, mistakes);
            }
        }
        for machine in raw.profile_on.keys() {
            if let Err(unknown) = self.machine(machine) {
                source.mistake(&raw.name.span(), unknown, mistakes);
            }
        }
        if let Some(other) = &raw.versions_of
            && !self.versions.contains_key(other.get_ref())
        {
            let unknown = Unknown::new(
                "directory of versions",
                other.get_ref(),
                self.versions.keys().cloned(),
            );
            source.mistake(&other.span(), unknown, mistakes);
        }
        // Findings and expectations are about names.
        if self.target(raw.name.get_ref()).is_ok() {
            let what = format!("another hypervisor is called `{}`, too", raw.name.get_ref());
            source.mistake(&raw.name.span(), what, mistakes);
        }
    }

    /// No two things of a kind have one name, and findings are about targets that there are.
    fn check_names(&self, workspace: &Workspace, mistakes: &mut Mistakes) {
        let runners = workspace.runners();
        let names: [(&str, Vec<&String>); 3] = [
            (
                "machines",
                self.machines.iter().map(|it| &it.name).collect(),
            ),
            (
                "profiles",
                self.profiles.iter().map(|it| &it.name).collect(),
            ),
            ("qemu", self.qemus.iter().map(|it| &it.name).collect()),
        ];
        for (dir, mut names) in names {
            names.sort();
            for pair in names.windows(2).filter(|pair| pair[0] == pair[1]) {
                mistakes.add(
                    &runners.join(dir),
                    None,
                    format_args!("two files have the name `{}`", pair[0]),
                );
            }
        }
        let known: Vec<String> = self.names().collect();
        for finding in &self.findings {
            let file = workspace
                .expectations()
                .join(format!("findings/{}.toml", finding.id));
            let names = finding.hypervisors.iter().chain(&finding.except);
            let is_label = |name: &str| self.target(name).is_ok_and(|it| it.label() == name);
            for name in names.filter(|name| !is_label(name)) {
                mistakes.add(&file, None, Unknown::new("hypervisor", name, known.clone()));
            }
            let others = finding.runs.iter().filter_map(|it| it.unless.as_ref());
            let is_none = |id: &&String| self.findings.iter().all(|other| other.id != **id);
            for id in others.filter(is_none) {
                let known = self.findings.iter().map(|it| it.id.clone());
                mistakes.add(&file, None, Unknown::new("finding", id, known));
            }
            for what in self.never_fails(finding) {
                mistakes.add(&file, None, what);
            }
        }
    }

    /// What `finding` names and no run can show: checks and steps that their cases do not owe, and values that are
    /// right. A symptom of that kind would never match, and where it shows only sometimes nobody would miss it.
    fn never_fails(&self, finding: &Finding) -> Vec<String> {
        let mut complaints = Vec::new();
        for symptom in &finding.runs {
            let Shows::Failures {
                checks,
                steps,
                costs,
                ..
            } = &symptom.shows
            else {
                continue;
            };
            if !costs.is_empty() && !symptom.case.needs(Premise::CountedCost) {
                complaints.push(format!("{} is not held to any cost", symptom.case.id));
            }
            for isa in &symptom.isas {
                let Some(owed) = self.obligations.of(symptom.case.id, *isa) else {
                    continue;
                };
                let at = format!("{}.{isa}", symptom.case.id);
                for check in checks {
                    match owed.checks.iter().find(|it| it.name == check.name) {
                        None => complaints.push(format!("{at} has no check `{}`", check.name)),
                        Some(it)
                            if it.fresh == Want::Constant(number(&check.got).unwrap_or(!0)) =>
                        {
                            complaints.push(format!(
                                "{at}: `{}` is right to be {}",
                                check.name, check.got
                            ));
                        }
                        Some(_) => {}
                    }
                }
                for step in steps {
                    if !owed.steps.iter().any(|it| it.name == step.name) {
                        complaints.push(format!("{at} has no step `{}`", step.name));
                    }
                }
            }
        }
        complaints
    }

    /// What `--hyp` understands without a machine: NAME-VERSION where there are versions, and NAME.
    fn names(&self) -> impl Iterator<Item = String> {
        let shown = self.hypervisors.iter().filter(|it| !it.self_test);
        shown.flat_map(|it| {
            let plain = it.versions.is_empty().then(|| it.name.clone());
            let versions = it.versions.iter();
            versions
                .map(|version| format!("{}-{}", it.name, version.version))
                .chain(plain)
        })
    }

    /// What `text` stands for: a name, as [`target`](Self::target) takes it, or the path of a hypervisor's file,
    /// which may be followed by `@MACHINE`.
    ///
    /// # Errors
    ///
    /// If there is no such target, or the file cannot be used.
    pub fn find(&self, text: &str) -> Result<Target, NoTarget> {
        let (path, machine) = match text.rsplit_once('@') {
            Some((path, machine)) if !Path::new(text).exists() => (path, machine),
            _ => (text, machine::DEFAULT),
        };
        if !path.contains('/') && !path.ends_with(".toml") {
            return Ok(self.target(text)?);
        }
        let hypervisor = self.at(Path::new(path))?;
        let version = hypervisor.versions.first().cloned();
        Ok(self.combine(hypervisor, version, machine)?)
    }

    /// The hypervisor of the file at `path`, which may be one of the catalogue's.
    fn at(&self, path: &Path) -> Result<Hypervisor, Mistakes> {
        let is_same = |it: &&Hypervisor| same_file(&it.path, path);
        if let Some(known) = self.hypervisors.iter().find(is_same) {
            return Ok(known.clone());
        }
        let mut mistakes = Mistakes::default();
        match self.read_hypervisor(path, Vec::new(), &mut mistakes) {
            Some(hypervisor) => mistakes.or(hypervisor),
            None => Err(mistakes),
        }
    }

    fn combine(
        &self,
        hypervisor: Hypervisor,
        version: Option<PackagedVersion>,
        machine: &str,
    ) -> Result<Target, Unknown> {
        let machine = self.machine(machine)?.clone();
        let profile = self.profile(hypervisor.profile_on(&machine.name))?.clone();
        Ok(Target {
            hypervisor,
            version,
            machine,
            profile,
        })
    }

    /// What `text` names: `NAME`, `NAME-VERSION`, or either followed by `@MACHINE`. Without a version it is
    /// the newest.
    ///
    /// # Errors
    ///
    /// If nothing is called like that.
    pub fn target(&self, text: &str) -> Result<Target, Unknown> {
        let (name, machine) = text.split_once('@').unwrap_or((text, machine::DEFAULT));
        for hypervisor in &self.hypervisors {
            let versions = hypervisor.versions.iter();
            let version = if name == hypervisor.name {
                versions.clone().next()
            } else {
                let rest = name.strip_prefix(&hypervisor.name);
                let rest = rest.and_then(|rest| rest.strip_prefix('-'));
                match versions
                    .clone()
                    .find(|it| Some(it.version.as_str()) == rest)
                {
                    Some(version) => Some(version),
                    None => continue,
                }
            };
            return self.combine(hypervisor.clone(), version.cloned(), machine);
        }
        Err(Unknown::new("hypervisor", name, self.names()))
    }

    /// The machine called `name`.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn machine(&self, name: &str) -> Result<&Machine, Unknown> {
        let found = self.machines.iter().find(|it| it.name == name);
        let known = self.machines.iter().map(|it| it.name.clone());
        found.ok_or_else(|| Unknown::new("machine", name, known))
    }

    /// The profile called `name`.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn profile(&self, name: &str) -> Result<&Profile, Unknown> {
        let found = self.profiles.iter().find(|it| it.name == name);
        let known = self.profiles.iter().map(|it| it.name.clone());
        found.ok_or_else(|| Unknown::new("profile", name, known))
    }
}

/// Whether both are there, and the same.
fn same_file(one: &Path, other: &Path) -> bool {
    let paths = (one.canonicalize(), other.canonicalize());
    matches!(paths, (Ok(one), Ok(other)) if one == other)
}

/// Each file of `dir`, by its name, as `check` understands it.
fn read<Raw: DeserializeOwned, T>(
    dir: PathBuf,
    mistakes: &mut Mistakes,
    check: impl Fn(&Source, Raw, &mut Mistakes) -> T,
) -> Vec<T> {
    let files = match source::files(&dir, "toml") {
        Ok(files) => files,
        // A checkout need not have findings.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            mistakes.add(&dir, None, error);
            Vec::new()
        }
    };
    let mut all = Vec::new();
    for file in files {
        if let Some((source, raw)) = Source::read(&file, mistakes) {
            all.push(check(&source, raw, mistakes));
        }
    }
    all
}

#[cfg(test)]
mod tests;
