//! What the harness's test programs with `harness = false` share.
//!
//! Each is a list of [`Trial`]s that run on the same engine as `setway run`. cargo-nextest starts such a program
//! anew for each trial, so listing must cost nothing: a bench is prepared by the first trial that needs it, which is
//! what [`SharedBench`] is for.

use std::{
    num::NonZero,
    path::Path,
    sync::{Mutex, OnceLock, PoisonError},
};

use libtest_mimic::{Arguments, Failed, Trial};
use setway::{
    bench::Bench,
    catalog::{Catalog, hypervisor, isa::Isa, schedule::Choice},
    judge::outcome::Outcome,
    plan::Run,
    report::{build, human},
    workspace::{Workspace, process},
};
use setway_cases::{Case, IsaName, RULES};

/// Runs the trials that the command line selects, and ends the program with their result.
///
/// As many run at a time as there are CPUs, if no number is given: every trial is a QEMU, and more of them would only
/// make deadlines tight. A signal that ends the program ends them, too.
pub fn run(trials: impl IntoIterator<Item = Trial>) -> ! {
    if let Err(error) = process::die_on_signals() {
        eprintln!("cannot catch signals: {error}");
    }
    let mut arguments = Arguments::from_args();
    let cpus = std::thread::available_parallelism().map_or(1, NonZero::get);
    arguments.test_threads.get_or_insert(cpus);
    libtest_mimic::run(&arguments, trials.into_iter().collect()).exit()
}

/// Has a trial ignored where what it needs from Debian's archive cannot be fetched.
pub fn on_debian(trial: Trial) -> Trial {
    if Path::new("/usr/bin/apt-get").exists() {
        trial
    } else {
        trial.with_ignored_flag(true)
    }
}

/// The checkout under test.
///
/// # Panics
///
/// If the program does not run in one.
pub fn workspace() -> &'static Workspace {
    static WORKSPACE: OnceLock<Workspace> = OnceLock::new();
    WORKSPACE.get_or_init(|| Workspace::find().expect("tests run in a checkout"))
}

/// What the checkout's data files say.
///
/// # Errors
///
/// If one of them is wrong.
pub fn catalog() -> Result<Catalog, setway::Error> {
    Ok(Catalog::load(workspace())?)
}

/// A bench for `runs` under the target that `label` selects, on the default QEMU; and the runs that it can do, each
/// with its cache schedule. Without a `choice` of schedules, these are the usual ones.
///
/// # Errors
///
/// If there is no such target, or what it needs cannot be fetched or built.
pub fn prepare(
    label: &str,
    choice: Option<&Choice>,
    runs: &[Run],
) -> Result<(Bench, Vec<Run>), setway::Error> {
    let catalog = catalog()?;
    let target = catalog.target(label)?;
    Ok(Bench::prepare(
        workspace(),
        &catalog,
        target,
        None,
        choice,
        runs,
    )?)
}

/// A bench that is prepared when it is first asked for.
#[derive(Default)]
pub struct SharedBench {
    bench: OnceLock<Bench>,
    making: Mutex<()>,
}

impl SharedBench {
    /// Not prepared yet.
    pub const fn new() -> Self {
        Self {
            bench: OnceLock::new(),
            making: Mutex::new(()),
        }
    }

    /// The bench, which `make` prepares if nobody has.
    ///
    /// # Errors
    ///
    /// Those of `make`, which is tried again by the next trial.
    pub fn get(
        &self,
        make: impl FnOnce() -> Result<Bench, setway::Error>,
    ) -> Result<&Bench, Failed> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bench) = self.bench.get() {
            return Ok(bench);
        }
        let bench = make()?;
        Ok(self.bench.get_or_init(|| bench))
    }
}

/// The run of a case of the catalogue for guests, in an instruction set.
///
/// # Panics
///
/// If there is none.
pub fn run_of(id: &str, isa: Isa) -> Run {
    let mut all = Run::all().into_iter();
    let found = all.find(|run| run.case.id == id && run.isa == isa);
    found.expect("the catalogue has the case")
}

/// A run of the payload that breaks the protocol, in the way that `misbehaviour` names.
pub fn misbehaving(misbehaviour: &'static str) -> Run {
    // The image says that it runs this case.
    static CASE: Case = Case {
        isas: &[IsaName::A64],
        ..Case::plain("misbehave", RULES[0])
    };
    Run {
        case: &CASE,
        isa: Isa::A64,
        mutant: Some(misbehaviour),
        caches: None,
        programs: None,
    }
}

/// What `setway run` would print of an outcome.
pub fn details(bench: &Bench, outcome: &Outcome) -> String {
    let label = bench.target().label();
    let repeat = if label == hypervisor::DEFAULT {
        String::new()
    } else {
        format!(" --hyp {label}")
    };
    let report = build::of_one(&bench.boot, outcome, &repeat);
    let text = human::details(&report, &report.results[0]);
    anstream::adapter::strip_str(&text).to_string()
}
