//! What a boot is made of: QEMU, images, packages, caches, and the command line assembled from them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    catalog::{Catalog, machine::Machine, qemu::VersionFile, schedule::Choice, target::Target},
    evidence::observation::Builds,
    lab::qemu::Inherited,
    plan::Run,
    provide::{
        self,
        build::{
            Image, Images,
            plugin::{self, Plugin},
        },
        linux_system,
        package::Unpacked,
        qemu::Qemu,
    },
    workspace::{Workspace, process},
};

/// Why a target cannot be booted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something that it needs cannot be had.
    #[error(transparent)]
    Provide(#[from] provide::Error),
    /// A hypervisor names an image that the build does not make.
    #[error(
        "{hypervisor} names no image `{image}` that the build makes\n  next: correct `runners/{hypervisor}/hypervisor.toml`; `setway build` prints the images"
    )]
    NoImage {
        /// The hypervisor.
        hypervisor: String,
        /// The image.
        image: String,
    },
    /// A placeholder that is none.
    #[error(
        "{hypervisor} on {machine}: `{argument}` contains an unknown placeholder\n  next: correct the file under runners/"
    )]
    Placeholder {
        /// Whose command line.
        hypervisor: String,
        /// On which machine.
        machine: String,
        /// The argument.
        argument: String,
    },
    /// A file has the name of another placeholder.
    #[error("`{{{name}}}` has a meaning already\n  next: give that file another name in `[files]` of {}", file.display())]
    TwoMeanings {
        /// The name.
        name: String,
        /// The hypervisor's file.
        file: PathBuf,
    },
    /// QEMU does not write the machine's device tree.
    #[error(
        "QEMU does not write the machine's device tree: {0}\n  next: look at `tree_args` in runners/machines"
    )]
    NoDeviceTree(String),
}

/// All that boots of a target are made of.
#[derive(Clone, Debug)]
pub struct Boot {
    /// The hypervisor and the machine.
    pub target: Target,
    /// What simulates the machine.
    pub qemu: Qemu,
    /// Our own images.
    images: Images,
    /// What was fetched and made besides, by the placeholder's name.
    files: BTreeMap<String, PathBuf>,
    /// Debian's version of the hypervisor, if it was fetched.
    pub version: Option<String>,
    /// The id of the agent's program, if there is one.
    agent: Option<u64>,
    /// The cache model for this QEMU, or why it has none.
    pub model: Result<Plugin, String>,
}

/// A MiB.
const MIB: u64 = 1 << 20;

impl Boot {
    /// Gets everything ready that `runs` need, fetching and building what is missing.
    ///
    /// # Errors
    ///
    /// If something cannot be had.
    pub fn prepare(
        workspace: &Workspace,
        catalog: &Catalog,
        target: Target,
        qemu: Option<&str>,
        caches: Option<&Choice>,
        runs: &[Run],
    ) -> Result<Self, provide::Error> {
        let hypervisor = &target.hypervisor;
        let packaged = target.version.as_ref();
        let unpacked = packaged.map(|it| it.ensure(workspace)).transpose()?;
        let version = unpacked.as_ref().map(Unpacked::version);
        let mut files = unpacked.map_or_else(BTreeMap::new, |it| it.files);
        for (name, path) in &hypervisor.files {
            if !path.is_file() {
                return Err(provide::Error::NoFile {
                    name: name.clone(),
                    path: path.clone(),
                    named_in: hypervisor.path.clone(),
                });
            }
            files.insert(name.clone(), std::path::absolute(path)?);
        }
        let qemu = Qemu::resolve(workspace, qemu, &catalog.qemus)?;
        if let Some(warning) = qemu.drift() {
            eprintln!("{warning}");
        }
        // A RAM disk has them all, so that it does not depend on what is asked for.
        let payloads = hypervisor.payload.iter().filter(|(isa, _)| {
            hypervisor.has_initramfs() || runs.iter().any(|run| run.isa == **isa)
        });
        let names: BTreeSet<&str> = payloads
            .map(|(_, image)| image)
            .chain(&hypervisor.kernel)
            .map(String::as_str)
            .collect();
        let names: Vec<&str> = names.into_iter().collect();
        let images = Images::build(workspace, &names)?;
        let mut agent = None;
        if hypervisor.has_initramfs() {
            let system = linux_system::make(workspace, hypervisor, &images)?;
            files.insert("initramfs".to_owned(), system.initramfs);
            agent = system.agent;
        }
        let model = match caches {
            Some(Choice::Off) => Err("it was turned off".to_owned()),
            _ => model(workspace, &target.machine, &qemu, &catalog.qemus)?,
        };
        Ok(Self {
            target,
            qemu,
            images,
            files,
            version,
            agent,
            model,
        })
    }

    /// The same with `image` in place of the one of its name.
    #[must_use]
    pub fn with_image(&self, image: Image) -> Self {
        let images = self.images.clone().with(image);
        Self {
            images,
            ..self.clone()
        }
    }

    /// MiB of memory of the machine.
    fn memory(&self) -> u64 {
        let (hypervisor, machine) = (&self.target.hypervisor, &self.target.machine);
        hypervisor.memory.unwrap_or(0).max(machine.memory)
    }

    /// Size of the file that backs the machine's memory in `run`; `None` if QEMU allocates the memory itself.
    pub fn memory_file(&self, run: &Run) -> Option<u64> {
        let model = run.caches.and(self.target.machine.cache_model.as_ref());
        model.map(|_| self.memory() * MIB)
    }

    /// The command line of a boot for `run`; where boots serve many runs, of one for runs like it.
    pub fn command(&self, run: &Run, inherited: &Inherited) -> Result<Command, Error> {
        let (hypervisor, machine) = (&self.target.hypervisor, &self.target.machine);
        let words = self.words(run, inherited)?;
        let mut command = self.qemu.command();
        let model = run.caches.and(machine.cache_model.as_ref());
        let arguments = machine
            .args
            .iter()
            .chain(model.map_or(&[][..], |model| &model.args));
        for argument in arguments.chain(hypervisor.arguments(run.isa)) {
            command.arg(fill(argument, &words).ok_or_else(|| Error::Placeholder {
                hypervisor: hypervisor.name.clone(),
                machine: machine.name.clone(),
                argument: argument.clone(),
            })?);
        }
        Ok(command)
    }

    /// The machine's device tree, changed as the hypervisor needs it for `run`; `None` if it is QEMU's own.
    pub fn device_tree(&self, run: &Run) -> Result<Option<Vec<u8>>, Error> {
        let Some(edits) = &self.target.hypervisor.device_tree else {
            return Ok(None);
        };
        let dumped = self.dump_device_tree(run)?;
        let words = self.words(run, &Inherited::default())?;
        let meaningless = || "it contains an unknown placeholder".to_owned();
        let filled = |text: &str| fill(text, &words).ok_or_else(meaningless);
        let changed = edits.apply(&dumped, filled).map_err(provide::Error::from)?;
        Ok(Some(changed))
    }

    /// The device tree that QEMU makes for the machine of `run`.
    fn dump_device_tree(&self, run: &Run) -> Result<Vec<u8>, Error> {
        let words = self.words(run, &Inherited::default())?;
        let file = tempfile::NamedTempFile::new().map_err(provide::Error::from)?;
        let path = file.path();
        // The machine alone, and nothing that it would have to open.
        let mut command = self.qemu.command();
        for argument in &self.target.machine.tree_args {
            command.arg(fill(argument, &words).unwrap_or_default());
        }
        command
            .arg("-machine")
            .arg(format!("dumpdtb={}", path.display()));
        let output = process::output(command).map_err(provide::Error::from)?;
        match fs::read(path) {
            Ok(tree) if output.status.success() && !tree.is_empty() => Ok(tree),
            _ => Err(Error::NoDeviceTree(
                String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            )),
        }
    }

    /// The guest's command line, where an agent starts it.
    pub fn guest_arguments(&self, run: &Run) -> Result<String, Error> {
        let hypervisor = &self.target.hypervisor;
        let Some(agent) = &hypervisor.agent else {
            return Ok(String::new());
        };
        let words = self.words(run, &Inherited::default())?;
        let filled = fill(&agent.arguments, &words).ok_or_else(|| Error::Placeholder {
            hypervisor: hypervisor.name.clone(),
            machine: self.target.machine.name.clone(),
            argument: agent.arguments.clone(),
        })?;
        Ok(filled.trim_end().to_owned())
    }

    /// The placeholders, without braces, and what they stand for.
    fn words(&self, run: &Run, inherited: &Inherited) -> Result<Vec<(String, String)>, Error> {
        let (hypervisor, machine) = (&self.target.hypervisor, &self.target.machine);
        let image = |name: Option<&String>| match name {
            Some(name) => self.path(name).map(|path| path.display().to_string()),
            None => Ok(String::new()),
        };
        let payload = hypervisor.payload.get(&run.isa);
        let payload = payload.and_then(|name| self.images.get(name));
        let inside = hypervisor
            .payload
            .get(&run.isa)
            .map(|name| linux_system::place(name));
        let size = payload.and_then(|image| fs::metadata(&image.flat).ok());
        let size = size.map_or(0, |data| data.len());
        let cpus = match &hypervisor.agent {
            Some(agent) => agent.cpus,
            None => run.case.cpus,
        };
        let plugin = self.model.as_ref().map(|plugin| plugin.path.as_path());
        let model = run.caches.and(machine.cache_model.as_ref());
        let geometry = run.caches.and_then(|caches| caches.geometry);
        let geometry = geometry.or(model.map(|model| (model.sets, model.ways)));
        let (sets, ways) = geometry.unwrap_or_default();
        let schedule = run.caches.map(|caches| caches.schedule.to_string());
        let system_cache = if run.caches.is_some_and(|caches| caches.system_cache) {
            "on"
        } else {
            "off"
        };
        let words = [
            ("payload", image(hypervisor.payload.get(&run.isa))?),
            ("payload_size", size.to_string()),
            ("image", inside.unwrap_or_default()),
            ("mutant", run.mutant_name().to_owned()),
            ("case", run.case.id.to_owned()),
            ("isa", run.isa.name().to_owned()),
            ("arguments", run.arguments()),
            ("key", inherited.key.unwrap_or_default().to_string()),
            ("vcpus", cpus.to_string()),
            ("memory_size", format!("{}M", self.memory())),
            ("exception_log", inherited.log.clone()),
            ("memory", inherited.memory.clone()),
            ("device_tree", inherited.device_tree.clone()),
            (
                "plugin",
                plugin.unwrap_or(Path::new("")).display().to_string(),
            ),
            ("sets", sets.to_string()),
            ("ways", ways.to_string()),
            ("schedule", schedule.unwrap_or_default()),
            ("system_cache", system_cache.to_owned()),
            (
                "cost",
                if run.counts_cost() { "on" } else { "off" }.to_owned(),
            ),
            ("caches_from", hypervisor.caches_from.name().to_owned()),
        ];
        let mut words: Vec<(String, String)> =
            words.map(|(name, value)| (name.to_owned(), value)).into();
        if let Some(kernel) = &hypervisor.kernel {
            words.push(("kernel".to_owned(), image(Some(kernel))?));
        }
        if let Some(name) = hypervisor.files.keys().find(|name| {
            let made = hypervisor.has_initramfs() && *name == "initramfs";
            made || words.iter().any(|(word, _)| word == *name)
        }) {
            return Err(Error::TwoMeanings {
                name: name.clone(),
                file: hypervisor.path.clone(),
            });
        }
        let files = self.files.iter();
        let files = files.map(|(name, path)| (name.clone(), path.display().to_string()));
        Ok(words.into_iter().chain(files).collect())
    }

    fn path(&self, name: &str) -> Result<&Path, Error> {
        let image = self.images.get(name);
        image
            .map(|image| image.flat.as_path())
            .ok_or_else(|| Error::NoImage {
                hypervisor: self.target.hypervisor.name.clone(),
                image: name.to_owned(),
            })
    }

    /// Our own image that is the guest of a run: the payload, or without one the kernel.
    fn guest(&self, run: &Run) -> Option<&String> {
        let hypervisor = &self.target.hypervisor;
        let payload = hypervisor.payload.get(&run.isa);
        payload.or(hypervisor.kernel.as_ref())
    }

    /// The executables of the guest and the hypervisor of a run, where they are Setway's.
    pub fn executables(&self, run: &Run) -> (Option<&Path>, Option<&Path>) {
        let elf = |name: &String| self.images.get(name).map(|image| image.elf.as_path());
        let hypervisor = &self.target.hypervisor;
        let kernel = hypervisor.kernel.as_ref();
        let kernel = kernel.filter(|_| hypervisor.payload.contains_key(&run.isa));
        (self.guest(run).and_then(elf), kernel.and_then(elf))
    }

    /// Whether a hypervisor or an agent writes records, and needs a key for that.
    pub fn needs_key(&self) -> bool {
        let hypervisor = &self.target.hypervisor;
        hypervisor.records || hypervisor.agent.is_some()
    }

    /// The build ids that the records of a run must carry. Where an agent starts guests, it is what speaks for the
    /// hypervisor.
    pub fn builds(&self, run: &Run) -> Builds {
        let build = |name: &String| self.images.get(name).map_or(0, |image| image.build);
        let hypervisor = &self.target.hypervisor;
        let speaker = self.agent.or(hypervisor.kernel.as_ref().map(build));
        Builds {
            guest: self.guest(run).map_or(0, build),
            hypervisor: speaker.filter(|_| hypervisor.records),
            // Where the harness tests itself, the defect is the guest's.
            mutant: run.mutant.filter(|_| !hypervisor.self_test),
            unseen_exits: hypervisor.unseen_exits.clone(),
            hosted: hypervisor.is_hosted(),
        }
    }

    /// Every file that boots run, with a name for it: QEMU, the cache model, Setway's images, what was fetched and
    /// made, and what the hypervisor's own arguments name by its full path.
    pub fn files(&self) -> Vec<(String, PathBuf)> {
        let qemu = [("qemu".to_owned(), self.qemu.path())];
        let plugin = self.model.as_ref().ok();
        let plugin = plugin.map(|it| ("plugin".to_owned(), it.path.clone()));
        let images = self.images.iter();
        let images = images.map(|it| (it.recipe.name.to_owned(), it.flat.clone()));
        let files = self.files.iter();
        let files = files.map(|(name, path)| (name.clone(), path.clone()));
        let hypervisor = &self.target.hypervisor;
        let words = hypervisor.args.iter().filter(|it| it.starts_with('/'));
        let named = words.map(PathBuf::from).filter(|path| path.is_file());
        let named = named.map(|path| {
            (
                path.file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                path,
            )
        });
        let all = qemu.into_iter().chain(plugin).chain(images);
        all.chain(files).chain(named).collect()
    }
}

/// The cache model for this QEMU, built if need be; or why there is none.
fn model(
    workspace: &Workspace,
    machine: &Machine,
    qemu: &Qemu,
    qemus: &[VersionFile],
) -> Result<Result<Plugin, String>, provide::Error> {
    if machine.cache_model.is_none() {
        return Ok(Err(format!("{} has no cache model", machine.name)));
    }
    match qemu.plugin_api(qemus).filter(|api| plugin::supports(*api)) {
        Some(api) => Ok(Ok(plugin::build(workspace, api)?)),
        None => Ok(Err(format!("QEMU {} cannot carry it", qemu.version()))),
    }
}

/// `argument` with its placeholders filled in; `None` if one has no meaning.
fn fill(argument: &str, words: &[(String, String)]) -> Option<String> {
    let mut filled = String::new();
    let mut rest = argument;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        let (_, value) = words.iter().find(|(word, _)| word == name)?;
        filled += before;
        filled += value;
        rest = after;
    }
    Some(filled + rest)
}

/// A command as one would type it.
pub fn quote(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    let quoter = shlex::Quoter::new().allow_nul(true);
    let line = quoter.join(words.iter().map(AsRef::as_ref));
    line.expect("only NUL cannot be quoted, and it is let through") + "\n"
}

#[cfg(test)]
mod tests;
