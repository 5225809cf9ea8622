//! A target under a QEMU, ready to make runs and to judge them.

pub mod logs;
pub mod mutants;
pub mod pool;
pub mod suite;

use std::{
    io::{self, Write as _},
    ops::ControlFlow,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use setway_cases::Premise;
use setway_protocol::{Channel, Key, parse, record::End as LastRecord};
use tempfile::NamedTempFile;

use crate::{
    catalog::{
        Catalog,
        finding::Finding,
        hypervisor::EndsWith,
        obligation::Obligations,
        schedule::{Caches, Choice},
        source::Mistakes,
        target::Target,
    },
    evidence::{
        capture::{Capture, End},
        transcript,
    },
    judge::{
        Judgement, Verdict,
        outcome::{Court, Outcome},
    },
    lab::{
        qemu::{Inherited, Process, fresh_key},
        recipe::{self, Boot},
        session::{NoSession, Request, Session},
        tape::{self, LastLine, Limits},
    },
    plan::Run,
    provide::{build::Image, linux_system},
    workspace::Workspace,
};

/// Why a bench cannot be made ready.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The target cannot be booted.
    #[error(transparent)]
    Recipe(#[from] recipe::Error),
    /// The file of remembered kills cannot be used.
    #[error(transparent)]
    Data(#[from] Mistakes),
    /// Nobody can make the runs.
    #[error(transparent)]
    NoThread(#[from] pool::NoThread),
    /// Caches were asked for, and there can be none.
    #[error(
        "the cache model was asked for, but {0}\n  next: leave --caches out, or choose a newer version of `setway qemu list`"
    )]
    NoCacheModel(String),
}

/// What runs are made with.
#[derive(Debug)]
pub struct Bench {
    /// The checkout under test.
    pub workspace: Workspace,
    /// What they boot.
    pub boot: Boot,
    /// What a run may use.
    pub limits: Limits,
    /// Where to leave the raw logs of runs that did not pass.
    pub logs: Option<PathBuf>,
    /// Whether to leave the logs of those that passed, too.
    pub keep: bool,
    /// Whether to hold runs against the expectations.
    pub expectations: bool,
    /// What each case owes; `None` if the runs are there to find that out.
    pub obligations: Option<Obligations>,
    /// What is known of real hypervisors.
    pub findings: Vec<Finding>,
    /// Consecutive failures of shared boots, and the reason of the latest.
    failures: Mutex<(u32, String)>,
}

/// How many boots in a row may fail before no other is tried.
const FAILURES: u32 = 2;

/// What runs that share a boot must have in common: the caches, and whether cost is counted.
type MachineOf = (Option<Caches>, bool);

/// The machine that `run` is made on.
fn machine_of(run: &Run) -> MachineOf {
    (run.caches, run.counts_cost())
}

/// What one thread keeps from run to run: where boots serve many, the last one.
#[derive(Debug, Default)]
pub struct Worker {
    session: Option<(MachineOf, Session<Process>)>,
    boots: u32,
}

impl Worker {
    /// How many shared boots it has made.
    pub fn boots(&self) -> u32 {
        self.boots
    }
}

impl Bench {
    /// Gets everything ready that `runs` need, fetching and building what is missing. Each run is made
    /// with each of the caches of `choice`; the resulting runs are returned as well.
    ///
    /// # Errors
    ///
    /// If something cannot be had, or a data file asks for what cannot be.
    pub fn prepare(
        workspace: &Workspace,
        catalog: &Catalog,
        target: Target,
        qemu: Option<&str>,
        choice: Option<&Choice>,
        runs: &[Run],
    ) -> Result<(Self, Vec<Run>), Error> {
        let boot = Boot::prepare(workspace, catalog, target, qemu, choice, runs);
        let boot = boot.map_err(recipe::Error::from)?;
        let runs: Vec<Run> = match (&boot.model, choice) {
            (Ok(_), choice) => runs.iter().flat_map(|run| run.each(choice)).collect(),
            (Err(reason), Some(Choice::Each(_))) => {
                return Err(Error::NoCacheModel(reason.clone()));
            }
            (Err(_), _) => runs.to_vec(),
        };
        // A mistake in the data files is an error of the whole, not of each run.
        let nothing = Inherited::default();
        for run in &runs {
            boot.command(run, &nothing)?;
            boot.guest_arguments(run)?;
        }
        let bench = Self {
            boot,
            limits: Limits::default(),
            logs: None,
            keep: false,
            expectations: false,
            obligations: Some(catalog.obligations.clone()),
            findings: catalog.findings.clone(),
            workspace: workspace.clone(),
            failures: Mutex::default(),
        };
        Ok((bench, runs))
    }

    /// The same with `image` in place of the one of its name.
    #[must_use]
    pub fn with_image(&self, image: Image) -> Self {
        Self {
            workspace: self.workspace.clone(),
            boot: self.boot.with_image(image),
            limits: self.limits,
            logs: self.logs.clone(),
            keep: self.keep,
            expectations: self.expectations,
            obligations: self.obligations.clone(),
            findings: self.findings.clone(),
            failures: Mutex::default(),
        }
    }

    /// What is tested, and on what.
    pub fn target(&self) -> &Target {
        &self.boot.target
    }

    /// Why runs are made without the cache model, if they are.
    pub fn without_model(&self) -> Option<&str> {
        self.boot.model.as_ref().err().map(String::as_str)
    }

    /// Makes a run in a boot of its own, unless it is to be skipped, and judges it.
    pub fn run(&self, run: &Run) -> Outcome {
        self.run_on(&mut Worker::default(), run, self.limits)
    }

    /// Makes a run as `worker`, within limits of its own.
    pub fn run_on(&self, worker: &mut Worker, run: &Run, limits: Limits) -> Outcome {
        let target = self.target();
        let skip = target
            .profile
            .why_skipped(run.case, &target.hypervisor.name)
            .or_else(|| target.machine.why_skipped(run.case, run.isa))
            .or_else(|| run.expected().err())
            .or_else(|| run.why_undecided())
            .or_else(|| self.missing_fetches(run));
        if let Some(reason) = skip {
            return Outcome::without_observation(run, Judgement::new(Verdict::Skip, reason));
        }
        let capture = match self.capture(worker, run, limits) {
            Ok(capture) => capture,
            Err(reason) => {
                return Outcome::without_observation(run, Judgement::new(Verdict::Crash, reason));
            }
        };
        let mut outcome = self.judge(run, &capture);
        if is_by_chance(&outcome) {
            // A finding that shows each time is another one, and nobody would notice.
            let mut again = (0..CHANCES).map(|_| self.capture(worker, run, limits));
            if again.all(|it| it.is_ok_and(|it| is_by_chance(&self.judge(run, &it)))) {
                let known = outcome.known.take();
                let id = known.map_or_else(String::new, |it| it.id);
                let reason = outcome.judgement.reason.get_or_insert_default();
                *reason += &format!(
                    "; finding {id} says that this shows by chance, and it showed in {} runs of {0}",
                    CHANCES + 1
                );
            }
        }
        self.keep_logs(&mut outcome, &capture);
        outcome
    }

    /// Makes a run, and takes all that it shows.
    fn capture(&self, worker: &mut Worker, run: &Run, limits: Limits) -> Result<Capture, String> {
        let mut limits = limits;
        // A simulator with caches runs all CPUs on one thread.
        limits.time *= run.case.cpus.saturating_sub(1).max(1);
        match &self.target().hypervisor.agent {
            Some(_) => self.run_in_session(worker, run, limits),
            None => self.run_alone(run, limits),
        }
    }

    /// Boots for this run alone.
    fn run_alone(&self, run: &Run, limits: Limits) -> Result<Capture, String> {
        let key = self.key()?;
        let tree = self
            .boot
            .device_tree(run)
            .map_err(|error| error.to_string())?;
        let tree = tree.map(|bytes| kept(&bytes)).transpose();
        let tree = tree.map_err(|error| format!("the device tree cannot be kept: {error}"))?;
        let path = tree.as_ref().map(|file| file.path().display().to_string());
        let command = |inherited: &Inherited| {
            let inherited = Inherited {
                key,
                device_tree: path.clone().unwrap_or_default(),
                ..inherited.clone()
            };
            self.boot.command(run, &inherited).map_err(io::Error::other)
        };
        let hypervisor = &self.target().hypervisor;
        let last: Option<LastLine> = match hypervisor.ends_with {
            EndsWith::Machine => None,
            EndsWith::Guest => Some(is_the_guests_last),
        };
        let mut limits = limits;
        if hypervisor.is_hosted() {
            // The host must boot before there is a guest.
            limits.time += limits.boot;
        }
        let (attempts, hosted) = (hypervisor.boot_attempts, hypervisor.is_hosted());
        let boot = || Process::new(command, self.boot.memory_file(run));
        let capture = tape::one_run_of(boot, attempts, limits, last, hosted);
        let mut capture = capture.map_err(|error| format!("QEMU cannot be started: {error}"))?;
        capture.key = key;
        if let Some(prefix) = &hypervisor.line_prefix {
            capture.console = transcript::joined(&capture.console, prefix);
        }
        Ok(capture)
    }

    /// A key for one boot, if the hypervisor or an agent needs one.
    fn key(&self) -> Result<Option<Key>, String> {
        let key = self.boot.needs_key().then(fresh_key).transpose();
        key.map_err(|error| format!("there is no random number for a key: {error}"))
    }

    /// Makes the run in the worker's session, or in a new one if there is none on such a machine.
    fn run_in_session(
        &self,
        worker: &mut Worker,
        run: &Run,
        limits: Limits,
    ) -> Result<Capture, String> {
        let (failed, reason) = self
            .failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if failed >= FAILURES {
            return Err(format!("skipped after {failed} failed boots: {reason}"));
        }
        let hypervisor = &self.target().hypervisor;
        let crash = |line: &str| hypervisor.crashed(line);
        let session = worker
            .session
            .take()
            .filter(|(machine, _)| *machine == machine_of(run));
        let mut session = match session {
            Some((_, session)) => session,
            None => {
                worker.boots += 1;
                let key = self.key()?.unwrap_or_default();
                match self.boot_session(run, key, limits, &crash) {
                    Ok(session) => session,
                    Err(capture) => return Ok(*capture),
                }
            }
        };
        let image = hypervisor.payload.get(&run.isa).map_or("", String::as_str);
        let image = linux_system::place(image);
        let arguments = self
            .boot
            .guest_arguments(run)
            .map_err(|error| error.to_string())?;
        let request = Request {
            image: &image,
            isa: run.isa.into(),
            vcpus: run.case.cpus,
            arguments: &arguments,
        };
        let (capture, flow) = session.run(&request, limits, &crash);
        if flow == ControlFlow::Continue(()) {
            worker.session = Some((machine_of(run), session));
        }
        Ok(capture)
    }

    /// Boots for `run` and runs like it. If that fails, what it showed.
    fn boot_session(
        &self,
        run: &Run,
        key: Key,
        limits: Limits,
        crash: &dyn Fn(&str) -> bool,
    ) -> Result<Session<Process>, Box<Capture>> {
        let command = |inherited: &Inherited| {
            let inherited = Inherited {
                key: Some(key),
                ..inherited.clone()
            };
            self.boot.command(run, &inherited).map_err(io::Error::other)
        };
        let session = Process::new(command, self.boot.memory_file(run))
            .map_err(|error| NoSession {
                reason: format!("QEMU cannot be prepared: {error}"),
                console: Vec::new(),
                duration: Duration::ZERO,
            })
            .and_then(|machine| Session::start(machine, key, limits, crash));
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        match session {
            Ok(session) => {
                *failures = (0, String::new());
                Ok(session)
            }
            Err(NoSession {
                reason,
                console,
                duration,
            }) => {
                let reason = format!("{} does not start: {reason}", self.target().label());
                *failures = (failures.0 + 1, reason.clone());
                Err(Box::new(Capture {
                    console,
                    end: End::Failed(reason),
                    duration,
                    ..Capture::default()
                }))
            }
        }
    }

    /// Judges what a run showed.
    fn judge(&self, run: &Run, capture: &Capture) -> Outcome {
        let court = Court {
            workspace: &self.workspace,
            target: self.target(),
            findings: &self.findings,
            expectations: self.expectations,
            obligations: self.obligations.as_ref(),
        };
        let builds = self.boot.builds(run);
        court.judge(run, capture.clone(), &builds)
    }

    /// Keeps the logs of a run that did not pass.
    fn keep_logs(&self, outcome: &mut Outcome, capture: &Capture) {
        let bad = outcome.judgement.verdict.is_bad();
        outcome.log_dir = self.logs.as_ref().and_then(|logs| {
            // One directory per bench: a pass on one QEMU must not remove what failed on another.
            let dir = logs
                .join(self.target().label())
                .join(self.boot.qemu.version().to_string());
            logs::keep(
                &dir,
                &self.boot,
                &outcome.run,
                (bad || self.keep).then_some(capture),
            )
        });
    }

    /// Why a case about fetches says nothing here, if so.
    fn missing_fetches(&self, run: &Run) -> Option<String> {
        let needed = run.case.needs(Premise::FetchesThroughCaches);
        let plugin = self
            .boot
            .model
            .as_ref()
            .ok()
            .filter(|_| run.caches.is_some());
        let lacking = needed && !plugin.is_some_and(|plugin| plugin.fetches);
        lacking.then(|| {
            let version = self.boot.qemu.version();
            format!("instructions are not fetched through caches on QEMU {version}")
        })
    }
}

/// How often a run is made again that shows what a finding says to show by chance. One that shows in a quarter of all
/// runs shows in all of these in one of 4000.
const CHANCES: u32 = 5;

/// Whether all that is wrong is what findings say to show by chance.
fn is_by_chance(outcome: &Outcome) -> bool {
    outcome.known.as_ref().is_some_and(|it| it.by_chance)
}

/// A file with these bytes, for as long as it is kept.
fn kept(bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    file.write_all(bytes)?;
    Ok(file)
}

/// Whether `line` is the last record of a guest.
fn is_the_guests_last(line: &str) -> bool {
    let record = parse(line, Channel::Console(None)).and_then(Result::ok);
    // Nobody else writes records where there is no key.
    record.is_some_and(|it| LastRecord::try_from(it).is_ok())
}
