//! From outcomes to a report: the last place that needs what runs booted.

mod observed;
pub mod origin;
mod story;
mod symbols;

use std::{fmt::Debug, path::Path, time::Duration};

use setway_cases::RULES;
use setway_report::{
    Artifact, BuildIds, KnownFinding, Origin, RUN_SCHEMA, Rule, RunReport, RunResult, Target,
    Totals,
};

use super::text;
use crate::{
    catalog::target::Target as TestedTarget, evidence::observation::Builds,
    judge::outcome::Outcome, lab::recipe::Boot, plan::Run,
};

/// How many of the last lines of QEMU's stderr are kept.
const STDERR: usize = 20;

/// What reports want to know of what runs were made with.
pub trait Tested: Debug {
    /// The hypervisor and the machine.
    fn target(&self) -> &TestedTarget;
    /// The version of the QEMU that simulated it.
    fn qemu(&self) -> String;
    /// The version of the hypervisor's package; `None` if it is from none.
    fn hypervisor_version(&self) -> Option<String>;
    /// Why there is no cache model; `None` if there is one.
    fn without_model(&self) -> Option<String>;
    /// The builds of the images of `run`.
    fn builds(&self, run: &Run) -> Builds;
    /// The executables of guest and hypervisor of `run` with their symbols, where they are here.
    fn executables(&self, run: &Run) -> (Option<&Path>, Option<&Path>);
}

impl Tested for Boot {
    fn target(&self) -> &TestedTarget {
        &self.target
    }

    fn qemu(&self) -> String {
        self.qemu.version().to_string()
    }

    fn hypervisor_version(&self) -> Option<String> {
        self.version.clone()
    }

    fn without_model(&self) -> Option<String> {
        self.model.as_ref().err().cloned()
    }

    fn builds(&self, run: &Run) -> Builds {
        Boot::builds(self, run)
    }

    fn executables(&self, run: &Run) -> (Option<&Path>, Option<&Path>) {
        Boot::executables(self, run)
    }
}

/// What there is to report of one target.
#[derive(Debug)]
pub struct Part<'a> {
    /// What the runs were made with.
    pub tested: &'a dyn Tested,
    /// The runs, in the order of the catalogue.
    pub outcomes: &'a [Outcome],
    /// From the first start to the last end.
    pub wall: Duration,
    /// Options for the repeat command, each with a space before it.
    pub repeat: String,
    /// The files that were run.
    pub artifacts: Vec<Artifact>,
}

/// The report of `parts`, which `origin` asked for.
pub fn build(parts: &[Part], origin: Origin, allow_findings: bool) -> RunReport {
    let mut report = RunReport {
        schema: RUN_SCHEMA.to_owned(),
        origins: vec![origin],
        allow_findings,
        rules: Vec::new(),
        targets: Vec::new(),
        results: Vec::new(),
        summary: Default::default(),
        totals: Totals::default(),
        wall_ms: milliseconds(parts.iter().map(|part| part.wall).sum()),
    };
    for part in parts {
        let target = part.target(&report.targets);
        let outcomes = part.outcomes.iter();
        let results = outcomes.map(|outcome| part.result(&target.id, outcome));
        report.results.extend(results);
        report.targets.push(target);
    }
    let tested = |rule: &str| report.results.iter().any(|result| result.rule == rule);
    let rules = RULES.iter().filter(|rule| tested(rule.id));
    report.rules = rules.map(|it| rule(it)).collect();
    report.count_all();
    report
}

/// The report of one run under `bench`, as tests show it.
pub fn of_one(tested: &dyn Tested, outcome: &Outcome, repeat: &str) -> RunReport {
    let part = Part {
        tested,
        outcomes: std::slice::from_ref(outcome),
        wall: outcome.duration,
        repeat: repeat.to_owned(),
        artifacts: Vec::new(),
    };
    build(&[part], Origin::default(), false)
}

/// A rule as reports have it.
pub fn rule(rule: &setway_cases::Rule) -> Rule {
    Rule {
        id: rule.id.to_owned(),
        title: rule.title.to_owned(),
        source: rule.source.to_owned(),
        kind: rule.kind.name().to_owned(),
    }
}

impl Part<'_> {
    /// The target, under a name that none of `others` has.
    fn target(&self, others: &[Target]) -> Target {
        let (target, tested) = (self.tested.target(), self.tested);
        let qemu = tested.qemu();
        let label = target.label();
        Target {
            id: new_id(others, &label, &qemu),
            label,
            hypervisor: target.hypervisor.name.clone(),
            hypervisor_version: tested.hypervisor_version(),
            machine: target.machine.name.clone(),
            qemu,
            profile: target.profile.name.clone(),
            wall_ms: milliseconds(self.wall),
            without_cache_model: tested.without_model(),
            artifacts: self.artifacts.clone(),
        }
    }

    /// The result of one run on the target called `id`.
    fn result(&self, id: &str, outcome: &Outcome) -> RunResult {
        let run = &outcome.run;
        let (target, tested) = (self.tested.target(), self.tested);
        let observation = outcome.observation.as_ref();
        let builds = tested.builds(run);
        let difference = outcome.comparison.as_ref().and_then(|it| it.diff());
        let result = RunResult {
            case: run.case.id.to_owned(),
            rule: run.case.rule.id.to_owned(),
            isa: run.isa.name().to_owned(),
            target: None,
            hypervisor: target.label(),
            hypervisor_version: tested.hypervisor_version(),
            mutant: run.mutant.map(str::to_owned),
            profile: target.profile.name.clone(),
            machine: target.machine.name.clone(),
            qemu: tested.qemu(),
            verdict: outcome.judgement.verdict,
            reason: outcome.judgement.reason.clone(),
            finding: outcome.known.as_ref().map(|it| KnownFinding {
                id: it.id.clone(),
                title: it.title.clone(),
            }),
            observed: observation.map(observed::observed),
            traps: observation.map(|it| it.traps.clone()).unwrap_or_default(),
            duration_ms: milliseconds(outcome.duration),
            lost_boots: outcome.lost_boots,
            needs_cache_model: run.case.needs_cache_model() && run.caches.is_none(),
            caches: run.caches.map(|caches| caches.to_string()),
            undecided: outcome.undecided().map(str::to_owned),
            notes: self.notes(outcome),
            builds: BuildIds {
                guest: format!("{:#x}", builds.guest),
                hypervisor: builds.hypervisor.map(|build| format!("{build:#x}")),
            },
            log_dir: None,
            repeat: String::new(),
            stderr: observation.map_or_else(Vec::new, |it| last_lines(&it.stderr)),
            story: story::story(tested, outcome),
            difference: difference
                .iter()
                .flat_map(|it| it.lines().map(str::to_owned))
                .collect(),
        };
        // Whatever a guest wrote may be long. A path and a command are of use only if they are whole.
        let log_dir = outcome.log_dir.as_ref();
        RunResult {
            target: Some(id.to_owned()),
            log_dir: log_dir.map(|dir| dir.display().to_string()),
            repeat: self.repeat_command(outcome),
            ..text::cut(&result)
        }
    }

    /// What to know of a run beside its verdict, a line each.
    fn notes(&self, outcome: &Outcome) -> Vec<String> {
        let undecided = outcome.undecided().map(|lack| format!("undecided: {lack}"));
        let lost = (outcome.lost_boots > 0).then(|| {
            let boots = outcome.lost_boots;
            format!("boots that hung before a guest was entered, and were made again: {boots}")
        });
        let checks = outcome.observation.iter().flat_map(|it| &it.checks);
        let excused = checks.filter(|check| !check.is_right()).filter_map(|it| {
            let why = it.excuse.as_deref()?;
            Some(format!(
                "excused: {}: expected {}, got {}: {why}",
                it.name, it.want, it.got
            ))
        });
        let known = outcome.known.as_ref();
        let known = known.map(|it| format!("finding {}: {}", it.id, it.title));
        let profile = &self.tested.target().profile;
        let reasons = profile.reasons(outcome.run.case).into_iter();
        let reasons = reasons.map(|why| format!("profile {}: {why}", profile.name));
        let notes = undecided
            .into_iter()
            .chain(lost)
            .chain(excused)
            .chain(known);
        notes.chain(reasons).collect()
    }

    /// The command that repeats one run alone.
    fn repeat_command(&self, outcome: &Outcome) -> String {
        let run = &outcome.run;
        let caches = run.caches.map(|caches| format!(" --caches {caches}"));
        format!(
            "cargo run -- run {} --isa {}{}{}",
            run.case.id,
            run.isa,
            caches.unwrap_or_default(),
            self.repeat
        )
    }
}

/// A name for a target that none of `others` has.
pub fn new_id(others: &[Target], label: &str, qemu: &str) -> String {
    let first = format!("{label} on QEMU {qemu}");
    let more = (2..).map(|n| format!("{first} #{n}"));
    let mut ids = std::iter::once(first.clone()).chain(more);
    let is_new = |id: &String| others.iter().all(|other| other.id != *id);
    ids.find(is_new)
        .expect("there are more numbers than targets")
}

/// The last lines of what QEMU wrote to stderr.
fn last_lines(stderr: &str) -> Vec<String> {
    let lines: Vec<&str> = stderr.lines().collect();
    let last = &lines[lines.len().saturating_sub(STDERR)..];
    last.iter().map(|line| (*line).to_owned()).collect()
}

fn milliseconds(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}
