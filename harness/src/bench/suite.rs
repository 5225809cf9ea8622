//! The suite as one call, for programs that use this crate instead of the command line: what to run goes in, and a
//! report comes out.

use std::{num::NonZero, time::Instant};

use setway_report::RunReport;

use super::{Bench, Worker, pool};
use crate::{
    catalog::{Catalog, Unknown, hypervisor, isa::Isa, schedule::Choice},
    plan::{self, NoMatch, Run},
    report::build::{self, origin},
    workspace::Workspace,
};

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No target is called like that.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// No case matches.
    #[error(transparent)]
    NoMatch(#[from] NoMatch),
    /// The target cannot be booted.
    #[error(transparent)]
    Bench(#[from] super::Error),
}

/// What to run.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The target, as `--hyp` names it; the reference hypervisor if it is empty.
    pub target: String,
    /// Cases: ids or parts of them, or `rule:` and a rule's id; all if there are none.
    pub filters: Vec<String>,
    /// Instruction sets; all if there are none.
    pub isas: Vec<Isa>,
    /// A managed QEMU version or a path; the newest managed one if there is none.
    pub qemu: Option<String>,
    /// The caches to simulate; as `setway run` does without `--caches` if there is none.
    pub caches: Option<Choice>,
    /// How many runs to make in parallel; 1 if there is none.
    pub jobs: Option<NonZero<usize>>,
}

impl Plan {
    /// All cases under `target`.
    pub fn for_target(target: &str) -> Self {
        Self {
            target: target.to_owned(),
            ..Self::default()
        }
    }
}

/// Makes the runs of `plan`, fetching and building what is missing, and reports.
///
/// # Errors
///
/// If something that the plan names does not exist or cannot be had. What goes wrong in a run is a verdict.
pub fn run(workspace: &Workspace, catalog: &Catalog, plan: &Plan) -> Result<RunReport, Error> {
    let name = Some(plan.target.as_str()).filter(|name| !name.is_empty());
    let target = catalog.target(name.unwrap_or(hypervisor::DEFAULT))?;
    let label = target.label();
    let runs = plan::select(&Run::under(&target.profile), &plan.filters, &plan.isas)?;
    let (qemu, caches) = (plan.qemu.as_deref(), plan.caches.as_ref());
    let (mut bench, mut runs) = Bench::prepare(workspace, catalog, target, qemu, caches, &runs)?;
    bench.expectations = label == hypervisor::DEFAULT;
    if bench.target().hypervisor.agent.is_some() {
        // One boot serves many runs only if they want the same machine.
        runs.sort_by_key(super::machine_of);
    }
    let began = Instant::now();
    let work = |worker: &mut Worker, run: &Run| bench.run_on(worker, run, bench.limits);
    let jobs = plan.jobs.unwrap_or(NonZero::<usize>::MIN);
    let outcomes = pool::map_with(&runs, jobs, work, |_, _| ()).map_err(super::Error::from)?;
    let part = build::Part {
        tested: &bench.boot,
        outcomes: &outcomes,
        wall: began.elapsed(),
        repeat: format!(" --hyp {label}"),
        artifacts: Vec::new(),
    };
    Ok(build::build(&[part], origin::origin(workspace), false))
}
