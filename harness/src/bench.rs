//! A hypervisor on a machine under a QEMU, ready to make runs.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use setway_cases::machine::MachineCase;

use crate::{
    Error,
    build::{
        Images,
        plugin::{self, Plugin},
    },
    caches::Choice,
    engine::capture::{Capture, Inherited, Limits, capture},
    expectation::{Comparison, Expectation},
    hypervisor::Hypervisor,
    judge::{Judgement, Verdict, judge},
    machine::Machine,
    observation::{Builds, Gap, Observation},
    paths,
    plan::Run,
    qemu::Qemu,
};

/// What runs are made with.
#[derive(Debug)]
pub struct Bench {
    /// The hypervisor under test.
    pub hypervisor: Hypervisor,
    /// The machine it runs on.
    pub machine: Machine,
    /// What simulates the machine.
    pub qemu: Qemu,
    /// The images that runs boot.
    images: Images,
    /// The cache model for this QEMU, or why it has none.
    model: Result<Plugin, String>,
    /// What a run may use.
    pub limits: Limits,
    /// Where to leave the raw logs of runs that did not pass.
    pub logs: Option<PathBuf>,
    /// Whether to hold runs against the expectations.
    pub expectations: bool,
}

/// A run that was made, or skipped.
#[derive(Debug)]
pub struct Outcome {
    /// The run.
    pub run: Run,
    /// Its verdict, and why.
    pub judgement: Judgement,
    /// What it showed; nothing if it was skipped or QEMU did not start.
    pub observation: Option<Observation>,
    /// How it compares with the expectation, if it was held against one.
    pub comparison: Option<Comparison>,
    /// From start to end.
    pub duration: Duration,
    /// Where its raw logs are.
    pub log_dir: Option<PathBuf>,
}

impl Bench {
    /// Gets everything ready that `runs` need, fetching and building what is missing. Each run is made
    /// with each of the caches of `choice`; the runs that this comes to are returned as well.
    pub fn prepare(
        hypervisor: Hypervisor,
        machine: Machine,
        qemu: Option<&str>,
        choice: Option<&Choice>,
        runs: &[Run],
    ) -> Result<(Self, Vec<Run>), Error> {
        let payloads = runs
            .iter()
            .filter_map(|run| hypervisor.payload.get(&run.isa));
        let names: BTreeSet<&str> = payloads
            .chain([&hypervisor.kernel])
            .map(String::as_str)
            .collect();
        let names: Vec<&str> = names.into_iter().collect();
        let versions = paths::runners().join("qemu");
        let qemu = Qemu::resolve(qemu, &versions)?;
        if let Some(warning) = qemu.drift() {
            eprintln!("{warning}");
        }
        let images = Images::build(&paths::root(), &paths::target(), &names)?;
        let model = match choice {
            Some(Choice::Off) => Err("it was turned off".to_owned()),
            _ => model(&machine, &qemu, qemu.plugin_api(&versions)?)?,
        };
        let runs: Vec<Run> = match (&model, choice) {
            (Ok(_), choice) => runs.iter().flat_map(|run| run.each(choice)).collect(),
            (Err(reason), Some(Choice::Each(_))) => {
                return Err(Error::NoCacheModel(reason.clone()));
            }
            (Err(_), _) => runs.to_vec(),
        };
        let bench = Self {
            hypervisor,
            machine,
            qemu,
            images,
            model,
            limits: Limits::default(),
            logs: None,
            expectations: false,
        };
        // A mistake in the data files is an error of the whole, not of each run.
        let nothing = Inherited::default();
        runs.iter()
            .try_for_each(|run| bench.command(run, &nothing).map(drop))?;
        Ok((bench, runs))
    }

    /// Why runs are made without the cache model, if they are.
    pub fn without_model(&self) -> Option<&str> {
        self.model.as_ref().err().map(String::as_str)
    }

    /// Makes a run, unless it is to be skipped, and judges it.
    pub fn run(&self, run: &Run) -> Outcome {
        self.run_within(run, self.limits)
    }

    /// Like [`run`](Self::run), with limits of its own.
    pub fn run_within(&self, run: &Run, limits: Limits) -> Outcome {
        let skip = self
            .hypervisor
            .skips(run.case)
            .or_else(|| self.machine.skips(run.case, run.isa))
            .or_else(|| run.outcome().err())
            .or_else(|| self.lacks_fetches(run));
        if let Some(reason) = skip {
            return Outcome::without_observation(run, Judgement::new(Verdict::Skip, reason));
        }
        let command =
            |inherited: &Inherited| self.command(run, inherited).map_err(io::Error::other);
        let memory = run.caches.and(self.machine.cache_model.as_ref());
        let started = capture(command, memory.map(|model| model.memory), limits);
        let capture = match started {
            Ok(capture) => capture,
            Err(error) => {
                let reason = format!("QEMU cannot be started: {error}");
                return Outcome::without_observation(run, Judgement::new(Verdict::Crash, reason));
            }
        };
        let mut observation = Observation::of(&capture, run, &self.builds(run));
        observation.excuse(|check| self.machine.excuse(run.case, run.isa, check));
        let mut judgement = judge(&observation);
        let mut comparison = None;
        // A defect that makes no difference must survive, so nothing else is asked of a mutant.
        let expected = self.expectations && run.defect.is_none();
        if expected && judgement.verdict == Verdict::Pass {
            let compared = Expectation::of(&self.hypervisor.name, run).compare(&observation);
            judgement = compared.judge();
            comparison = Some(compared);
        }
        let log_dir = self.keep_logs(run, &judgement, &capture);
        Outcome {
            run: *run,
            judgement,
            observation: Some(observation),
            comparison,
            duration: capture.duration,
            log_dir,
        }
    }

    /// Why a case about fetches says nothing here, if so.
    fn lacks_fetches(&self, run: &Run) -> Option<String> {
        let needed = MachineCase::by_id(run.case.id).is_some_and(|it| it.needs_fetches);
        let plugin = self.model.as_ref().ok().filter(|_| run.caches.is_some());
        let lacking = needed && !plugin.is_some_and(|plugin| plugin.fetches);
        lacking.then(|| {
            let version = self.qemu.version();
            format!("instructions are not fetched through caches on QEMU {version}")
        })
    }

    /// The command line of a run.
    fn command(&self, run: &Run, inherited: &Inherited) -> Result<Command, Error> {
        let payload = match self.hypervisor.payload.get(&run.isa) {
            Some(name) => self.path(name)?,
            None => "",
        };
        let vcpus = run.case.vcpus.to_string();
        let arguments = run.arguments();
        let schedule = run
            .caches
            .map_or_else(String::new, |caches| caches.schedule.to_string());
        let system_cache = match run.caches.is_some_and(|caches| caches.system_cache) {
            true => "on",
            false => "off",
        };
        let plugin = self.model.as_ref().map(|plugin| plugin.path.as_path());
        let plugin = plugin.unwrap_or(Path::new("")).display().to_string();
        let model = run.caches.and(self.machine.cache_model.as_ref());
        let geometry = run.caches.and_then(|caches| caches.geometry);
        let geometry = geometry.or(model.map(|model| (model.sets, model.ways)));
        let (sets, ways) = geometry.unwrap_or_default();
        let (sets, ways) = (sets.to_string(), ways.to_string());
        let model_args = model.map_or(&[][..], |model| &model.args);
        let values = [
            ("{kernel}", self.path(&self.hypervisor.kernel)?),
            ("{payload}", payload),
            ("{defect}", run.defect_name()),
            ("{case}", run.case.id),
            ("{isa}", run.isa.name()),
            ("{arguments}", &arguments),
            ("{vcpus}", &vcpus),
            ("{exception_log}", &inherited.log),
            ("{memory}", &inherited.memory),
            ("{plugin}", &plugin),
            ("{sets}", &sets),
            ("{ways}", &ways),
            ("{schedule}", &schedule),
            ("{system_cache}", system_cache),
        ];
        let mut command = self.qemu.command();
        let machine = self.machine.args.iter().chain(model_args);
        for argument in machine.chain(self.hypervisor.arguments(run.isa)) {
            let filled = values
                .iter()
                .fold(argument.clone(), |text, (placeholder, value)| {
                    text.replace(placeholder, value)
                });
            if argument.matches('{').count() != values_used(argument, &values) {
                return Err(Error::Placeholder {
                    hypervisor: self.hypervisor.name.clone(),
                    machine: self.machine.name.clone(),
                    argument: argument.clone(),
                });
            }
            command.arg(filled);
        }
        Ok(command)
    }

    fn path(&self, name: &str) -> Result<&str, Error> {
        let path = self.images.get(name).and_then(|image| image.flat.to_str());
        path.ok_or_else(|| Error::NoImage {
            hypervisor: self.hypervisor.name.clone(),
            image: name.to_owned(),
        })
    }

    /// The executables of the guest and the hypervisor of a run. Without a payload, the kernel is the
    /// guest.
    pub fn executables(&self, run: &Run) -> (Option<&Path>, Option<&Path>) {
        let elf = |name: &String| self.images.get(name).map(|image| image.elf.as_path());
        let kernel = elf(&self.hypervisor.kernel);
        match self.hypervisor.payload.get(&run.isa) {
            Some(payload) => (elf(payload), kernel),
            None => (kernel, None),
        }
    }

    /// The builds that must be heard from in a run. Without a payload, the kernel is the guest.
    pub fn builds(&self, run: &Run) -> Builds {
        let build = |name: &String| self.images.get(name).map_or(0, |image| image.build);
        let kernel = &self.hypervisor.kernel;
        let guest = self.hypervisor.payload.get(&run.isa);
        Builds {
            guest: build(guest.unwrap_or(kernel)),
            hypervisor: self.hypervisor.records.then(|| build(kernel)),
        }
    }

    /// Leaves what a person wants to see of a run that did not pass, and removes what an earlier run
    /// left. Says so if it cannot: that does not change the verdict.
    fn keep_logs(&self, run: &Run, judgement: &Judgement, capture: &Capture) -> Option<PathBuf> {
        let logs = self.logs.as_ref()?;
        // One directory per bench: a pass on one QEMU must not remove what failed on another.
        let logs = logs.join(&self.hypervisor.name);
        let logs = logs.join(self.qemu.version().to_string());
        let dir = logs.join(run.file_stem());
        let clean = match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        let kept = clean.and_then(|()| match judgement.verdict.is_bad() {
            true => self
                .write_logs(&dir, run, capture)
                .map(|()| Some(dir.clone())),
            false => Ok(None),
        });
        kept.unwrap_or_else(|error| {
            eprintln!(
                "cannot keep the logs of {} in {}: {error}",
                run.label(),
                dir.display()
            );
            None
        })
    }

    fn write_logs(&self, dir: &Path, run: &Run, capture: &Capture) -> std::io::Result<()> {
        fs::create_dir_all(dir)?;
        fs::write(dir.join("console.log"), &capture.console)?;
        fs::write(dir.join("exceptions.log"), capture.log_text.to_bytes())?;
        fs::write(dir.join("stderr.txt"), &capture.stderr)?;
        // The file for the memory has to be made first: `truncate -s 256M memory`, say.
        let files = Inherited {
            log: "exceptions.log".to_owned(),
            memory: "memory".to_owned(),
        };
        let command = self.command(run, &files).map(|command| quote(&command));
        fs::write(dir.join("command.txt"), command.unwrap_or_default())
    }
}

/// The cache model for this QEMU, built if need be; or why there is none.
fn model(
    machine: &Machine,
    qemu: &Qemu,
    api: Option<u32>,
) -> Result<Result<Plugin, String>, Error> {
    if machine.cache_model.is_none() {
        return Ok(Err(format!("{} has no cache model", machine.name)));
    }
    match api.filter(|api| plugin::supports(*api)) {
        Some(api) => Ok(Ok(plugin::build(&paths::root(), &paths::target(), api)?)),
        None => Ok(Err(format!("QEMU {} cannot carry it", qemu.version()))),
    }
}

/// How many placeholders `argument` has that mean something.
fn values_used(argument: &str, values: &[(&str, &str)]) -> usize {
    values
        .iter()
        .map(|(placeholder, _)| argument.matches(placeholder).count())
        .sum()
}

/// A command as one would type it.
fn quote(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words = words.map(|word| {
        let word = word.to_string_lossy();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:,=+".contains(&byte);
        match !word.is_empty() && word.bytes().all(plain) {
            true => word.into_owned(),
            false => format!("'{}'", word.replace('\'', r"'\''")),
        }
    });
    words.collect::<Vec<_>>().join(" ") + "\n"
}

impl Outcome {
    fn without_observation(run: &Run, judgement: Judgement) -> Self {
        Self {
            run: *run,
            judgement,
            observation: None,
            comparison: None,
            duration: Duration::ZERO,
            log_dir: None,
        }
    }

    /// Whether a load of the guest's own found wrong data.
    pub fn has_wrong_data(&self) -> bool {
        let checks = self.observation.iter().flat_map(|it| &it.checks);
        let wrong = checks.filter(|check| check.name.starts_with("load") && !check.holds());
        self.run.case.needs_cache_model && wrong.count() > 0
    }

    /// Whether it is red for a reason that is not the hypervisor's: it could not be tried, or the
    /// error is Setway's own.
    pub fn is_our_error(&self) -> bool {
        let own = |it: &Observation| it.gaps.iter().any(Gap::is_our_error);
        match self.judgement.verdict {
            // The cache model names itself, or its sources, in what it says before it gives up.
            Verdict::Crash => self.observation.as_ref().is_none_or(|it| {
                ["setway cache model", "cache-model/"]
                    .iter()
                    .any(|name| it.stderr.contains(name))
            }),
            Verdict::NoVerdict => self.observation.as_ref().is_some_and(own),
            Verdict::Pass | Verdict::Fail | Verdict::Skip | Verdict::Timeout => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_quoted_for_a_shell() {
        let mut command = Command::new("/bin/qemu");
        command.args(["-M", "virt,gic-version=2", "-append", "a b", "it's", ""]);
        assert_eq!(
            quote(&command),
            "/bin/qemu -M virt,gic-version=2 -append 'a b' 'it'\\''s' ''\n"
        );
    }
}
