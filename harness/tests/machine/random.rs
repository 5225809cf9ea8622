//! Random programs against the slow model.

use std::{env, fmt::Write as _};

use libtest_mimic::Failed;
use setway::{
    bench::Bench,
    catalog::{isa::Isa, schedule::Caches},
    evidence::observation::Observation,
    plan::Run,
};
use setway_cases::random::{MOST_PROGRAMS, Program, Programs};

use crate::{
    bare,
    expected::{self, Load},
};

/// Chooses other programs than the committed ones: `FIRST` or `FIRST+COUNT`.
const SEEDS: &str = "SETWAY_SEEDS";

/// The programs that are run when nothing else is asked for.
const USUAL: Programs = Programs {
    first: 1,
    count: MOST_PROGRAMS as u64,
    detail: None,
};

fn programs() -> Result<Programs, Failed> {
    let Ok(text) = env::var(SEEDS) else {
        return Ok(USUAL);
    };
    let (first, count) = text.split_once('+').unwrap_or((&text, "1"));
    match (first.parse(), count.parse()) {
        (Ok(first), Ok(count)) if (1..=USUAL.count).contains(&count) => Ok(Programs {
            first,
            count,
            detail: None,
        }),
        _ => Err(format!("{SEEDS}={text}: it is FIRST or FIRST+COUNT").into()),
    }
}

/// Runs programs in one boot, and holds what each saw against the model. The test is called `name`.
pub fn agree(name: &str, isa: Isa, caches: Caches) -> Result<(), Failed> {
    let Some(bench) = bare()? else { return Ok(()) };
    let programs = programs()?;
    let mut all = Run::machine().into_iter();
    let run = all.find(|run| run.case.id == "MCH-RANDOM" && run.isa == isa);
    let run = run.ok_or("there is no such run")?.with_caches(Some(caches));
    let observed = observe(bench, run, programs)?;

    let seeds = programs.first..programs.first + programs.count;
    let said: Vec<u64> = observed
        .programs
        .iter()
        .map(|program| program.seed)
        .collect();
    if said != seeds.clone().collect::<Vec<_>>() {
        return Err(format!("not {programs}, but the programs {said:?} were run").into());
    }
    for program in &observed.programs {
        let wanted = expected::loads(isa, program.seed, caches);
        if program.digest.0 == expected::digest(&wanted) {
            continue;
        }
        // The same boot once more, as far as this program: one that it depends on may be among those before.
        let again = Programs {
            count: program.seed - programs.first + 1,
            detail: Some(program.seed),
            ..programs
        };
        let observed = observe(bench, run, again)?;
        let difference = difference(isa, program.seed, &wanted, &observed.seen);
        let repeat = format!(
            "{SEEDS}={}+{} cargo test -p setway --test machine -- --exact {name}",
            again.first, again.count
        );
        return Err(format!("seed {}\n{difference}repeat  {repeat}", program.seed).into());
    }
    Ok(())
}

fn observe(bench: &Bench, run: Run, programs: Programs) -> Result<Observation, Failed> {
    let outcome = bench.run(&Run {
        programs: Some(programs),
        ..run
    });
    let judgement = &outcome.judgement;
    let reason = judgement.reason.clone().unwrap_or_default();
    match outcome.observation {
        Some(observation) if !judgement.verdict.is_bad() => Ok(observation),
        _ => Err(format!("{}: {} {reason}", run.label(), judgement.verdict).into()),
    }
}

/// The program as far as the first load that saw something else, and what it saw.
fn difference(isa: Isa, seed: u64, wanted: &[Load], seen: &[u8]) -> String {
    let mut rest = seen;
    let mut wrong = None;
    for load in wanted {
        let (got, later) = rest.split_at(load.bytes.len().min(rest.len()));
        rest = later;
        if got != load.bytes {
            wrong = Some((load, got));
            break;
        }
    }
    let Some((load, got)) = wrong else {
        return "the second time it saw what it should\n".to_owned();
    };
    let mut text = String::new();
    // Writing to a string cannot fail.
    for (number, step) in Program::new(isa.into(), seed)
        .enumerate()
        .take(load.step + 1)
    {
        let _ = writeln!(text, "  {number:>3} {step}");
    }
    let _ = writeln!(
        text,
        "  expected {}\n  observed {}",
        hex(&load.bytes),
        hex(got)
    );
    text
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.join(" ")
}
