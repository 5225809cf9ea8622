//! The suite as tests: one per case and ISA, one per mutant, one per case that it can fail, one per misbehaviour of a
//! payload, and a patch of the hypervisor.
//!
//! They run on the same engine as `setway run`.

use std::{
    num::NonZero,
    sync::OnceLock,
    time::{Duration, Instant},
};

use libtest_mimic::{Failed, Trial};
use setway::{
    bench::{
        Bench,
        mutants::{
            self,
            hunt::{Hunt, Hunter, Prey},
        },
    },
    catalog::{hypervisor, source},
    judge::{Verdict, expectation, sign::Sign},
    plan::Run,
    provide::patch::{self, diff, scratch::Scratch},
};
use setway_cases::{CASES, Case};
use setway_policy::{Mutant, Site};
use setway_testing::{SharedBench, details, misbehaving, prepare, workspace};

fn main() {
    let runs = Run::all().into_iter().flat_map(|run| run.each(None));
    let runs = runs.map(|run| {
        let caches = run
            .caches
            .map_or_else(String::new, |caches| format!("::{caches}"));
        let name = format!("run::{}::{}{caches}", run.case.id, run.isa);
        Trial::test(name, move || meets_rule_and_expectation(&run))
    });
    let mutants = Mutant::ALL.iter().map(|mutant| {
        Trial::test(format!("mutants::{}", mutant.name()), || {
            find_killer(*mutant)
        })
    });
    let cases = CASES.iter().filter(|case| case.is_guest());
    let cases =
        cases.map(|case| Trial::test(format!("cases::{}", case.id), move || find_mutant(case)));
    let misbehaviours = MISBEHAVIOURS.iter().map(|it| {
        Trial::test(format!("{}::{}", it.under.runner(), it.name), || {
            judge_misbehaviour(it)
        })
    });
    let none = Trial::test("mutants::none_survives", none_survives);
    let patch = Trial::test("patches::one_is_killed", patch_is_killed);
    let strays = Trial::test("expectations::belong_to_runs", expectations_belong_to_runs);
    let trials = runs.chain(mutants).chain(cases).chain(misbehaviours);
    setway_testing::run(trials.chain([none, patch, strays]));
}

/// The reference hypervisor and everything else that runs share, prepared once.
fn reference() -> Result<&'static Bench, Failed> {
    static BENCH: SharedBench = SharedBench::new();
    BENCH.get(|| {
        let (mut bench, _) = prepare(hypervisor::DEFAULT, None, &Run::all())?;
        bench.expectations = true;
        bench.logs = Some(workspace().logs());
        Ok(bench)
    })
}

fn meets_rule_and_expectation(run: &Run) -> Result<(), Failed> {
    let bench = reference()?;
    let caches = run.caches.filter(|_| bench.without_model().is_none());
    let run = &run.with_caches(caches);
    let outcome = bench.run(run);
    if outcome.judgement.verdict.is_bad() {
        return Err(details(bench, &outcome).into());
    }
    if let Some(observation) = &outcome.observation {
        insta_agrees(run, expectation::render(observation));
    }
    Ok(())
}

/// Panics unless insta, too, finds the committed snapshot to be what was observed. Only a run that
/// has passed by our own comparison gets here: insta's can be silenced by environment variables.
fn insta_agrees(run: &Run, observed: String) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(workspace().expectations().join(hypervisor::DEFAULT));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(run.with_caches(None).file_stem(), observed));
}

/// What looks for kills, and has asked once which runs are green without a defect.
fn hunter() -> Result<&'static Hunter<'static>, Failed> {
    static RUNS: OnceLock<Vec<Run>> = OnceLock::new();
    static HUNTER: OnceLock<Hunter> = OnceLock::new();
    if let Some(hunter) = HUNTER.get() {
        return Ok(hunter);
    }
    let bench = reference()?;
    let runs = RUNS.get_or_init(|| mutants::runs(bench));
    let hunter = Hunter::new(bench, runs)?;
    Ok(HUNTER.get_or_init(|| hunter))
}

/// Fails if a run says nothing about a defect, for a reason that is not the defect's.
fn without_errors(hunt: Hunt) -> Result<Hunt, Failed> {
    match hunt.errors.iter().chain(&hunt.red).next() {
        None => Ok(hunt),
        Some((run, judgement)) => {
            let reason = judgement.reason.as_deref().unwrap_or_default();
            Err(format!("{} cannot be judged: {reason}", run.label()).into())
        }
    }
}

fn find_killer(mutant: Mutant) -> Result<(), Failed> {
    if let Some(machine) = mutant.machine() {
        let label = format!("{}@{machine}", hypervisor::DEFAULT);
        let (bench, _) = prepare(&label, None, &Run::all())?;
        let runs = mutants::runs_on(&bench);
        let hunter = Hunter::new(&bench, &runs)?;
        return must_be_killed(mutant, without_errors(hunter.mutant(mutant.name()))?);
    }
    if mutants::judged(reference()?, vec![mutant]).is_empty() {
        return Ok(());
    }
    must_be_killed(mutant, without_errors(hunter()?.mutant(mutant.name()))?)
}

fn must_be_killed(mutant: Mutant, hunt: Hunt) -> Result<(), Failed> {
    if !hunt.kills.is_empty() {
        return Ok(());
    }
    let (shows, defect) = (mutant.shows().name(), mutant.defect());
    Err(format!("no case shows in {shows} that {defect}").into())
}

/// A case that never fails shows nothing.
fn find_mutant(case: &Case) -> Result<(), Failed> {
    let bench = reference()?;
    if mutants::is_blind(bench, case) {
        return Ok(());
    }
    let mutants = mutants::judged(bench, Mutant::ALL.to_vec());
    let (hunt, mutant) = hunter()?.proof(case, &mutants);
    without_errors(hunt)?;
    match mutant {
        Some(_) => Ok(()),
        None => Err(format!("{} kills no mutant", case.id).into()),
    }
}

/// The source of the hypervisor's flushes, with a change, as a patch.
fn changed(from: &str, to: &str) -> Result<String, Failed> {
    let path = format!("hyp-under-test/{}", Site::Stage2.file());
    let text = std::fs::read_to_string(workspace().root().join(&path))?;
    if text.matches(from).count() != 1 {
        return Err(format!("{path} should have `{from}` once").into());
    }
    let new = text.replace(from, to);
    let (a, b) = (format!("a/{path}"), format!("b/{path}"));
    let diff = similar::TextDiff::from_lines(&text, &new);
    Ok(diff.unified_diff().header(&a, &b).to_string())
}

/// From the text of a patch to what kills it; and one that changes no code is refused.
fn patch_is_killed() -> Result<(), Failed> {
    const FLUSH: &str = "_ => clean_range(start..end),";
    let comment = changed(FLUSH, &format!("{FLUSH} // all of it"))?;
    let defect = changed(FLUSH, "_ => clean_range(start + line_size()..end),")?;
    let mut scratch = Scratch::new(workspace())?;
    match scratch.build(&diff::edits(workspace(), &comment)?) {
        Err(patch::Error::SameImage) => {}
        other => return Err(format!("a comment makes another image: {other:?}").into()),
    }
    let image = scratch.build(&diff::edits(workspace(), &defect)?)?;
    let sound = reference()?;
    if sound.without_model().is_some() {
        return Ok(());
    }
    let bench = sound.with_image(image);
    let prey = Prey {
        bench: &bench,
        mutant: None,
        by: &[Sign::Data],
        sites: &[Site::Stage2],
    };
    let hunt = hunter()?.first_of_all(&prey, NonZero::<usize>::MIN, |_, make| make())?;
    match without_errors(hunt)?.kills.first() {
        Some(_) => Ok(()),
        None => Err("no case sees that a flush begins one line late".into()),
    }
}

/// A mutant whose defect is none must survive, or every kill would be for nothing.
fn none_survives() -> Result<(), Failed> {
    let mut runs = Run::all();
    runs.retain(|run| ["SW-REPEAT", "TGL-MC/11-00"].contains(&run.case.id));
    let hunter = Hunter::new(reference()?, &runs)?;
    let hunt = without_errors(hunter.mutant("none"))?;
    match hunt.kills.into_iter().next() {
        Some(kill) => Err(format!(
            "{} is {} under no defect at all: {}",
            kill.run.label(),
            kill.judgement.verdict,
            kill.judgement.reason.unwrap_or_default()
        )
        .into()),
        None => Ok(()),
    }
}

/// A way in which a payload breaks the protocol, and what the harness must make of it.
struct Misbehaviour {
    /// Under what it runs: a directory of `runners/`.
    under: Under,
    name: &'static str,
    verdict: Verdict,
    /// A part of the reason.
    because: &'static str,
}

/// What a misbehaving payload runs under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Under {
    /// Nothing.
    Bare,
    /// The reference hypervisor.
    Reference,
}

impl Under {
    /// The runner's name.
    const fn runner(self) -> &'static str {
        match self {
            Under::Bare => "misbehave",
            Under::Reference => "doomed",
        }
    }
}

const fn misbehaviour(
    under: Under,
    name: &'static str,
    verdict: Verdict,
    because: &'static str,
) -> Misbehaviour {
    Misbehaviour {
        under,
        name,
        verdict,
        because,
    }
}

static MISBEHAVIOURS: &[Misbehaviour] = {
    use Under::*;
    use Verdict::*;
    &[
        misbehaviour(Bare, "silent", NoVerdict, "no record of the guest's stream"),
        misbehaviour(Bare, "hang", Timeout, "still running after"),
        misbehaviour(Bare, "garbage", NoVerdict, "~zzzzzzzz"),
        misbehaviour(Bare, "truncated", NoVerdict, "cut off"),
        misbehaviour(Bare, "duplicate", NoVerdict, "duplicate"),
        misbehaviour(Bare, "panic", Crash, "panic"),
        misbehaviour(Bare, "early-off", NoVerdict, "has no end"),
        misbehaviour(Bare, "endless", NoVerdict, "the output has no end"),
        misbehaviour(Reference, "stray", Timeout, "seems to trap endlessly"),
        misbehaviour(Reference, "trap-storm", Timeout, "seems to trap endlessly"),
        misbehaviour(Reference, "reset", NoVerdict, "has no end"),
        // It has looked for the key of the hypervisor's records.
        misbehaviour(Reference, "spy", Crash, "there is no key"),
        misbehaviour(Bare, "nothing", Pass, ""),
        misbehaviour(Reference, "nothing", Pass, ""),
        misbehaviour(
            Bare,
            "forge",
            NoVerdict,
            "the hypervisor does not write here",
        ),
        misbehaviour(
            Reference,
            "forge",
            NoVerdict,
            "not sealed with this run's key",
        ),
        misbehaviour(
            Reference,
            "forge-key",
            NoVerdict,
            "not sealed with this run's key",
        ),
        misbehaviour(
            Bare,
            "forge-model",
            NoVerdict,
            "the cache model does not write here",
        ),
        misbehaviour(
            Bare,
            "forge-over",
            NoVerdict,
            "the agent does not write here",
        ),
        misbehaviour(
            Reference,
            "forge-over",
            NoVerdict,
            "the agent's stream, and is not sealed",
        ),
    ]
};

/// How long the harness may take to see through a misbehaviour that does not hang.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a misbehaviour that does hang may go on.
const TIMEOUT: Duration = Duration::from_secs(3);

fn judge_misbehaviour(expected: &'static Misbehaviour) -> Result<(), Failed> {
    static BARE: SharedBench = SharedBench::new();
    static REFERENCE: SharedBench = SharedBench::new();
    let run = misbehaving(expected.name);
    let shared = match expected.under {
        Under::Bare => &BARE,
        Under::Reference => &REFERENCE,
    };
    let bench = shared.get(|| {
        let (mut bench, _) = prepare(expected.under.runner(), None, &[run])?;
        bench.limits.time = TIMEOUT;
        bench.limits.console = 1 << 16;
        Ok(bench)
    })?;
    let start = Instant::now();
    let judgement = bench.run(&run).judgement;
    let reason = judgement.reason.unwrap_or_default();
    if judgement.verdict != expected.verdict || !reason.contains(expected.because) {
        let Misbehaviour {
            verdict, because, ..
        } = expected;
        let found = format!("{}: {reason}", judgement.verdict);
        return Err(format!("expected {verdict} because of {because:?}, got {found}").into());
    }
    if start.elapsed() > PATIENCE {
        return Err(format!("it took {:?} to see", start.elapsed()).into());
    }
    Ok(())
}

/// A snapshot that no run is held against would rot unseen.
fn expectations_belong_to_runs() -> Result<(), Failed> {
    let dir = workspace().expectations().join(hypervisor::DEFAULT);
    let known: Vec<String> = Run::all()
        .iter()
        .map(|run| run.file_stem() + ".snap")
        .collect();
    let strays: Vec<String> = source::files(&dir, "snap")?
        .iter()
        .filter_map(|file| {
            file.file_name()
                .map(|name| name.to_string_lossy().into_owned())
        })
        .filter(|name| !known.contains(name))
        .collect();
    if strays.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "no run belongs to {} in {}",
            strays.join(", "),
            dir.display()
        )
        .into())
    }
}
