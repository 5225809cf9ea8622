//! Hypervisors under test: what `runners/*/hypervisor.toml` gives for each.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{
    device_tree::Edits, initramfs::Contents, isa::Isa, raw, source::Source,
    version::PackagedVersion,
};

/// A hypervisor under test.
#[derive(Clone, Debug)]
pub struct Hypervisor {
    /// What it is called on the command line.
    pub name: String,
    /// One line about it.
    pub about: String,
    /// What it claims to do: a [`Profile`](crate::catalog::profile::Profile).
    pub profile: String,
    /// What it claims on some machines instead, by their names.
    pub profile_on: BTreeMap<String, String>,
    /// It writes records of its own.
    pub records: bool,
    /// Classes of exits (ESR_EL2.EC) that its own trace does not show.
    pub unseen_exits: Vec<u64>,
    /// Only the harness's own tests use it.
    pub self_test: bool,
    /// The image to boot, if it is one of Setway's.
    pub kernel: Option<String>,
    /// Files of one's own, by the names of their placeholders: a hypervisor that was built elsewhere, say.
    pub files: BTreeMap<String, PathBuf>,
    /// The image of each ISA's payload.
    pub payload: BTreeMap<Isa, String>,
    /// How much memory the machine has to have, in MiB, if more than it usually has.
    pub memory: Option<u64>,
    /// Its part of the command line, with placeholders.
    pub args: Vec<String>,
    /// What is appended for one ISA.
    pub isa_args: BTreeMap<Isa, Vec<String>>,
    /// From when on it has caches, where the machine can be given some.
    pub caches_from: CachesFrom,
    /// Changes to the device tree that QEMU makes for the machine, with placeholders. The changed tree is
    /// `{device_tree}`.
    pub device_tree: Option<Edits>,
    /// What the hypervisor puts before each line of a guest's console, if it splits long lines.
    pub line_prefix: Option<String>,
    /// What a Linux that it is a part of starts with. That is `{initramfs}`.
    pub initramfs: Option<Contents>,
    /// A host system runs beside the guest, so not all that goes to EL2 is the guest's. Where there is an agent,
    /// it always does.
    pub hosted: bool,
    /// What ends a run.
    pub ends_with: EndsWith,
    /// Texts on the console by which it says that it has crashed.
    pub crash: Vec<String>,
    /// How many boots it gets for one run, as long as it hangs before it enters a guest.
    pub boot_attempts: u32,
    /// The agent that starts guests on it; `None` if each run has its own boot.
    pub agent: Option<Agent>,
    /// The versions that it comes in, the newest first; none if it is not from packages.
    pub versions: Vec<PackagedVersion>,
    /// The file that this was read from.
    pub path: PathBuf,
}

/// What ends a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndsWith {
    /// The machine powers off when its guest has.
    #[default]
    Machine,
    /// The guest says that it has ended; the machine would go on.
    Guest,
}

/// From when on a machine has caches that are not coherent. They cost time, and what a hypervisor does before
/// it has guests is not under test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CachesFrom {
    /// From its start.
    #[default]
    Start,
    /// From when a guest is first entered.
    Guest,
    /// While the agent runs a guest.
    Run,
}

impl CachesFrom {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            CachesFrom::Start => "start",
            CachesFrom::Guest => "guest",
            CachesFrom::Run => "run",
        }
    }
}

/// A program on the hypervisor's own system that starts a guest each time it is asked to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// The package that it is built from. It is `init` of an initial RAM disk that has the payloads, too.
    pub program: String,
    /// How many CPUs the machine is to have.
    pub cpus: u32,
    /// The guest's command line, with placeholders.
    #[serde(default = "guest_arguments")]
    pub arguments: String,
}

/// The payload's arguments.
fn guest_arguments() -> String {
    "case={case} isa={isa} {arguments}".to_owned()
}

/// The hypervisor that is run unless another is asked for, and the one with expectations.
pub const DEFAULT: &str = "reference";

impl Hypervisor {
    /// What `raw`, read from `source`, stands for. The caller adds its versions.
    pub(super) fn new(source: &Source, raw: raw::Hypervisor) -> Self {
        let names = raw.profile_on.into_iter();
        let dir = source.path.parent().unwrap_or(Path::new(""));
        let files = raw.files.into_iter();
        Self {
            name: raw.name.into_inner(),
            profile: raw.profile.into_inner(),
            profile_on: names
                .map(|(machine, it)| (machine, it.into_inner()))
                .collect(),
            versions: Vec::new(),
            files: files
                .map(|(name, path)| (name, dir.join(path.get_ref())))
                .collect(),
            path: source.path.clone(),
            about: raw.about,
            records: raw.records,
            unseen_exits: raw.unseen_exits,
            self_test: raw.self_test,
            kernel: raw.kernel,
            payload: raw.payload,
            memory: raw.memory,
            args: raw.args,
            isa_args: raw.isa_args,
            caches_from: raw.caches_from,
            device_tree: raw.device_tree,
            line_prefix: raw.line_prefix,
            initramfs: raw.initramfs,
            hosted: raw.hosted,
            ends_with: raw.ends_with,
            crash: raw.crash,
            boot_attempts: raw.boot_attempts,
            agent: raw.agent,
        }
    }

    /// The command line of a run in `isa`.
    pub fn arguments(&self, isa: Isa) -> impl Iterator<Item = &String> {
        self.args
            .iter()
            .chain(self.isa_args.get(&isa).into_iter().flatten())
    }

    /// Whether `line` of the console says that it has crashed.
    pub fn crashed(&self, line: &str) -> bool {
        self.crash.iter().any(|text| line.contains(text))
    }

    /// By what the console says that it has crashed, if it does: the line, and the next, which often says why.
    pub fn crash_on(&self, console: &[u8]) -> Option<String> {
        let console = String::from_utf8_lossy(console);
        let mut lines = console
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty());
        let crash = lines.find(|line| self.crashed(line))?;
        let why = lines
            .next()
            .map_or_else(String::new, |line| format!(" {line}"));
        Some(format!("{crash}{why}"))
    }

    /// Whether its command line selects a mutant.
    pub fn has_mutants(&self) -> bool {
        self.args
            .iter()
            .any(|argument| argument.contains("{mutant}"))
    }

    /// Whether a host system runs beside the guest.
    pub fn is_hosted(&self) -> bool {
        self.hosted || self.agent.is_some()
    }

    /// Whether a Linux that it is a part of needs an initial RAM disk.
    pub fn has_initramfs(&self) -> bool {
        self.initramfs.is_some() || self.agent.is_some()
    }

    /// The name of the profile that holds on `machine`.
    pub fn profile_on(&self, machine: &str) -> &str {
        self.profile_on.get(machine).unwrap_or(&self.profile)
    }
}
