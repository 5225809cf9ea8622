//! The model against the slow one, which keeps every copy of every line by itself: after each step of
//! any sequence, both show the same bytes along every path and have them in the same caches, and the
//! model says what went wrong exactly when something did.

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use setway_cache_model::{
    Actor, Config, Event, LostWrite, Model, Path, Schedule, StaleRead, Where,
};
use setway_slow_model::{Bytes, LINE, Slow};

use super::sequence::{
    LINES, Sequence, Step, any_step, fixed_schedule, initial, pattern, sequences, whole_line,
};

/// The paths that differ in what they show. Write-through loads are as write-back ones.
const PATHS: [Path; 4] = [
    Path::WriteBack,
    Path::NonCacheable,
    Path::Fetch,
    Path::CoherentFetch,
];

/// The outcome of a step in the slow model.
#[derive(Default)]
struct Outcome {
    /// The line that it is about.
    line: Option<u64>,
    /// If it is a load: that line as it saw it.
    saw: Option<Bytes>,
    /// If it is an op by set/way: the line that was there.
    hit: Option<u64>,
}

proptest! {
    #[test]
    fn the_model_is_as_the_slow_one(sequence in sequences(fixed_schedule(), any_step())) {
        let (mut model, mut slow) = (sequence.model(), slow(&sequence));
        let mut extant = LINES.map(|line| extant_bytes(&slow, line));
        for (number, step) in sequence.steps.iter().enumerate() {
            let hit = step.apply(number, &mut model);
            let outcome = apply_slowly(step, number, &mut slow);
            prop_assert_eq!(hit, outcome.hit, "hit by step {}", number);

            let (stale, lost) = by_kind(model.take_events());
            check_stale(&stale, step, number, &outcome, &slow)?;
            let now = LINES.map(|line| extant_bytes(&slow, line));
            check_lost(&lost, step, number, &outcome, &slow, (&extant, &now), &sequence.config)?;
            extant = now;
            check_lines(&mut model, &slow, number)?;
        }
    }
}

/// The sequences would prove little if they did not bring about what the model is there to notice.
#[test]
fn the_sequences_bring_everything_about() {
    let mut runner = TestRunner::deterministic();
    let mut found: Vec<String> = Vec::new();
    for _ in 0..256 {
        let tree = sequences(fixed_schedule(), any_step()).new_tree(&mut runner);
        let sequence = tree.expect("no sequence is rejected").current();
        let mut model = sequence.model();
        for (number, step) in sequence.steps.iter().enumerate() {
            step.apply(number, &mut model);
        }
        for event in model.take_events() {
            found.push(match event {
                Event::Stale(StaleRead {
                    path, whereabouts, ..
                }) => format!("{path:?} misses what is in {whereabouts:?}"),
                Event::Lost(LostWrite { by, .. }) if by == Actor::hardware(by.cpu) => {
                    format!("lost under {}", sequence.config.schedule)
                }
                Event::Lost(LostWrite { maintained, .. }) => match maintained {
                    Some((_, maintenance)) => format!("lost by {maintenance:?}"),
                    None => "lost by a store".into(),
                },
            });
        }
    }
    for wanted in [
        "NonCacheable misses what is in Cache(0)",
        "NonCacheable misses what is in Cache(2)",
        "NonCacheable misses what is in SystemCache",
        "NonCacheable misses what is in Lost",
        "Fetch misses what is in Cache(1)",
        "Fetch misses what is in Memory",
        "WriteBack misses what is in Memory",
        "WriteThrough misses what is in Memory",
        "WriteBack misses what is in Lost",
        "lost under lazy",
        "lost under eager",
        "lost under refill",
        "lost under migrate",
        "lost by ByVa(Ivac)",
        "lost by ByVa(Cvac)",
        "lost by ByVa(Civac)",
        "lost by SetWay(Isw)",
        "lost by SetWay(Csw)",
        "lost by a store",
    ] {
        assert!(found.iter().any(|found| found == wanted), "never: {wanted}");
    }
}

/// The slow model before the first step.
fn slow(sequence: &Sequence) -> Slow {
    let lines = LINES.map(|line| (line, line_of(&initial(line))));
    let mut slow = Slow::new(sequence.config, lines);
    slow.set_speculation(sequence.speculation);
    slow
}

fn line_of(bytes: &[u8]) -> Bytes {
    bytes.try_into().expect("they are a whole line")
}

fn apply_slowly(step: &Step, number: usize, slow: &mut Slow) -> Outcome {
    let actor = step.actor(number);
    let mut outcome = Outcome::default();
    match *step {
        Step::Load { path, range, .. } => {
            let line = whole_line(range.at).at;
            outcome.line = Some(line);
            outcome.saw = Some(slow.load(actor, path, line));
        }
        Step::Store {
            path, range, value, ..
        } => {
            let line = whole_line(range.at).at;
            outcome.line = Some(line);
            let first = (range.at - line) as usize;
            slow.store(actor, path, line, first, &pattern(value, range));
        }
        Step::Maintain { op, at, .. } => {
            let line = whole_line(at).at;
            outcome.line = Some(line);
            slow.maintain(actor, op, line);
        }
        Step::SetWay { op, set, way, .. } => {
            outcome.hit = slow.set_way(actor, op, set, way);
            outcome.line = outcome.hit;
        }
        Step::Speculation(possible) => slow.set_speculation(possible),
    }
    outcome
}

fn by_kind(events: Vec<Event>) -> (Vec<StaleRead>, Vec<LostWrite>) {
    let (mut stale, mut lost) = (Vec::new(), Vec::new());
    for event in events {
        match event {
            Event::Stale(read) => stale.push(read),
            Event::Lost(write) => lost.push(write),
        }
    }
    (stale, lost)
}

/// Which bytes of the line have their newest value in any place.
fn extant_bytes(slow: &Slow, line: u64) -> [bool; LINE] {
    let truth = slow.truth(line);
    let mut extant = [false; LINE];
    for (_, bytes) in slow.places(line) {
        for (n, extant) in extant.iter_mut().enumerate() {
            *extant |= bytes[n] == truth[n];
        }
    }
    extant
}

/// A load is reported, and once, if and only if a byte that it saw is not the newest.
fn check_stale(
    events: &[StaleRead],
    step: &Step,
    number: usize,
    outcome: &Outcome,
    slow: &Slow,
) -> Result<(), TestCaseError> {
    let &Step::Load { path, range, .. } = step else {
        prop_assert_eq!(events, &[], "step {} loads nothing", number);
        return Ok(());
    };
    let (line, saw) = outcome.line.zip(outcome.saw).expect("it is a load");
    let first = (range.at - line) as usize;
    let (truth, part) = (slow.truth(line), first..first + range.len);
    let (saw, newest) = (&saw[part.clone()], &truth[part]);
    let Some(wrong) = (0..range.len).find(|n| saw[*n] != newest[*n]) else {
        prop_assert_eq!(events, &[], "step {} sees the newest", number);
        return Ok(());
    };
    let [read] = events else {
        return Err(TestCaseError::fail(format!(
            "step {number} is stale: {events:?}"
        )));
    };
    prop_assert_eq!(read.reader, step.actor(number));
    prop_assert_eq!((read.path, read.range), (path, range));
    prop_assert_eq!((&read.saw[..], &read.newest[..]), (saw, newest));
    prop_assert_eq!(read.stored, slow.stored(line));
    prop_assert_eq!(read.maintained, slow.maintained(line));

    // Where it says that the newest is, the first byte that was wrong is to be had.
    let n = first + wrong;
    let places = slow.places(line).into_iter();
    let right: Vec<Where> = places
        .filter(|(_, bytes)| bytes[n] == truth[n])
        .map(|(place, _)| place)
        .collect();
    match read.whereabouts {
        Where::Lost => prop_assert_eq!(right, &[], "step {}: it is not lost", number),
        place => prop_assert!(
            right.contains(&place),
            "step {number}: {place:?}, not {right:?}"
        ),
    }
    Ok(())
}

/// A loss is reported, and once, if and only if the newest value of a byte was in any place before the
/// step, and is in none after it.
fn check_lost(
    events: &[LostWrite],
    step: &Step,
    number: usize,
    outcome: &Outcome,
    slow: &Slow,
    (before, after): (&[[bool; LINE]], &[[bool; LINE]]),
    config: &Config,
) -> Result<(), TestCaseError> {
    let mut reported = 0;
    for (line, (before, after)) in LINES.into_iter().zip(before.iter().zip(after)) {
        let lost: Vec<usize> = (0..LINE).filter(|n| before[*n] && !after[*n]).collect();
        let events = events.iter().filter(|lost| lost.range.at / 64 * 64 == line);
        let events: Vec<_> = events.collect();
        reported += events.len();
        let (Some(first), Some(last)) = (lost.first(), lost.last()) else {
            prop_assert!(events.is_empty(), "step {number} loses nothing: {events:?}");
            continue;
        };
        let [lost] = events[..] else {
            return Err(TestCaseError::fail(format!(
                "step {number} loses bytes {first} to {last} of {line:#x}: {events:?}"
            )));
        };
        prop_assert_eq!(lost.range.at, line + *first as u64);
        prop_assert_eq!(lost.range.len, last + 1 - first);
        let by = destroyer(step, number, outcome.line == Some(line), config);
        prop_assert_eq!(lost.by, by, "step {}", number);
        prop_assert_eq!(lost.stored, slow.stored(line));
        prop_assert_eq!(lost.maintained, slow.maintained(line));
    }
    prop_assert_eq!(
        reported,
        events.len(),
        "step {}: some are of no line: {:?}",
        number,
        events
    );
    Ok(())
}

/// Who it is that destroys data in this step: the program in the line that the step is about, and
/// hardware in a line that makes room for it.
fn destroyer(step: &Step, number: usize, own_line: bool, config: &Config) -> Actor {
    let actor = step.actor(number);
    let schedule = config.schedule;
    match step {
        // What writes the line back is the eviction.
        Step::Store {
            path: Path::WriteBack,
            ..
        } if own_line && schedule == Schedule::Eager => Actor::hardware(actor.cpu),
        _ if own_line => actor,
        // It makes room for one that moves in.
        Step::SetWay { .. } if schedule == Schedule::Migrate => {
            Actor::hardware((actor.cpu + 1) % config.cpus)
        }
        _ => Actor::hardware(actor.cpu),
    }
}

/// Both have the same bytes in the same places.
fn check_lines(model: &mut Model, slow: &Slow, number: usize) -> Result<(), TestCaseError> {
    let mut dirty = Vec::new();
    for line in LINES {
        let whole = whole_line(line);
        for path in PATHS {
            let (view, expected) = (model.view(path, whole), slow.view(path, line));
            prop_assert_eq!(
                view,
                &expected,
                "{:?} of {:#x} after step {}",
                path,
                line,
                number
            );
        }
        let truth = model.truth(whole);
        prop_assert_eq!(
            truth,
            &slow.truth(line),
            "newest of {:#x} after step {}",
            line,
            number
        );
        let (state, expected) = (model.state(line), slow.state(line));
        prop_assert_eq!(
            state,
            expected,
            "state of {:#x} after step {}",
            line,
            number
        );
        let (holders, _, system) = state;
        let held = holders != 0 || system.is_some();
        prop_assert_eq!(
            model.is_held(line),
            held,
            "{:#x} after step {}",
            line,
            number
        );
        if let (_, Some(_), _) | (_, _, Some(true)) = state {
            let (actor, _) = slow.stored(line).expect("only stores make a line dirty");
            dirty.push((line, actor));
        }
    }
    dirty.sort_by_key(|(line, _)| *line);
    let said: Vec<_> = model.dirty_lines().collect();
    prop_assert_eq!(said, dirty, "dirty lines after step {}", number);
    Ok(())
}
