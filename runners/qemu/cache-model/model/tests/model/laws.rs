//! What holds whatever hardware does: laws that need no second model, under every schedule and any
//! seed.

use std::collections::{BTreeSet, HashMap};

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use setway_architecture::maintenance::{SetWayOp, VaOp};
use setway_cache_model::{
    Actor, Config, Event, Geometry, Maintenance, Model, Path, Range, Schedule,
};

use Path::{Fetch, NonCacheable, WriteBack, WriteThrough};

use super::sequence::{
    LINES, SIZE, Sequence, Step, any_step, fixed_schedule, initial, loads, ops_by_set_way,
    ops_by_va, pattern, sequences, stores, whole_line,
};

/// The paths that differ in what they show. Write-through loads are as write-back ones.
const PATHS: [Path; 3] = [WriteBack, NonCacheable, Fetch];

/// What is in no cache.
const ABSENT: (u8, Option<u8>, Option<bool>) = (0, None, None);

/// Every schedule, and any seed.
fn any_schedule() -> impl Strategy<Value = Schedule> {
    prop_oneof![
        4 => fixed_schedule(),
        2 => any::<u64>().prop_map(Schedule::Random),
    ]
}

/// What a program does that keeps to cacheable accesses and throws nothing away. Ops by set/way may be
/// among it: as long as they clean, they only do what an eviction does.
fn coherent_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => loads(&[WriteBack, WriteThrough]),
        4 => stores(&[WriteBack, WriteThrough]),
        2 => ops_by_va(&[VaOp::Cvac, VaOp::Cvau, VaOp::Civac]),
        2 => ops_by_set_way(&[SetWayOp::Csw, SetWayOp::Cisw]),
        1 => any::<bool>().prop_map(Step::Speculation),
    ]
}

/// What a program does before it turns its caches on.
fn uncached_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        loads(&[NonCacheable, Fetch]),
        stores(&[NonCacheable]),
        ops_by_va(&VaOp::ALL),
        ops_by_set_way(&SetWayOp::ALL),
    ]
}

proptest! {
    /// Caches are coherent for those who use nothing else, however little room they have.
    #[test]
    fn cacheable_accesses_are_never_stale(sequence in sequences(any_schedule(), coherent_step())) {
        let mut model = sequence.model();
        for (number, step) in sequence.steps.iter().enumerate() {
            step.apply(number, &mut model);
            prop_assert_eq!(model.take_events(), &[], "step {}", number);
            for line in LINES.map(whole_line) {
                prop_assert_eq!(view(&mut model, WriteBack, line), model.truth(line));
            }
        }
    }

    /// After the line was cleaned and invalidated, every path finds the same: what the caches held if
    /// it was dirty in any of them, else what memory held. So a byte whose newest value both views had
    /// before still has it in both.
    #[test]
    fn clean_and_invalidate_makes_the_views_agree(
        sequence in sequences(any_schedule(), any_step()),
    ) {
        let mut model = sequence.model();
        for (number, step) in sequence.steps.iter().enumerate() {
            let &Step::Maintain { op: VaOp::Civac, at, .. } = step else {
                step.apply(number, &mut model);
                continue;
            };
            let line = whole_line(at);
            let (_, owner, system) = model.state(at);
            let dirty = owner.is_some() || system == Some(true);
            let cached = view(&mut model, WriteBack, line);
            let memory = view(&mut model, NonCacheable, line);
            let truth = model.truth(line).to_vec();
            step.apply(number, &mut model);

            let counts = if dirty { &cached } else { &memory };
            for path in PATHS {
                let after = view(&mut model, path, line);
                prop_assert_eq!(&after, counts, "{:?} after step {}", path, number);
                for n in 0..line.len {
                    let agreed = cached[n] == truth[n] && memory[n] == truth[n];
                    prop_assert!(!agreed || after[n] == truth[n], "byte {n} after step {number}");
                }
            }
        }
    }

    /// What no cache has looks alike from everywhere.
    #[test]
    fn absent_lines_have_one_view(sequence in sequences(any_schedule(), any_step())) {
        let mut model = sequence.model();
        for (number, step) in sequence.steps.iter().enumerate() {
            step.apply(number, &mut model);
            for line in LINES.map(whole_line) {
                if model.state(line.at) == ABSENT {
                    let memory = view(&mut model, NonCacheable, line);
                    prop_assert_eq!(view(&mut model, WriteBack, line), &memory[..]);
                    prop_assert_eq!(view(&mut model, Fetch, line), &memory[..]);
                }
            }
        }
    }

    /// While no CPU has a cacheable mapping, nothing gets into a cache, and so nothing goes wrong.
    #[test]
    fn nothing_is_filled_without_a_mapping(sequence in sequences(any_schedule(), uncached_step())) {
        let mut model = sequence.model();
        model.set_speculation(false);
        for (number, step) in sequence.steps.iter().enumerate() {
            step.apply(number, &mut model);
            prop_assert_eq!(model.take_events(), &[], "step {}", number);
            for line in LINES {
                prop_assert_eq!(model.state(line), ABSENT, "{:#x} after step {}", line, number);
            }
        }
    }

    /// Caches hold no more than they have room for, and a line is only dirty where it is.
    #[test]
    fn states_are_possible(sequence in sequences(any_schedule(), any_step())) {
        let Config { cpus, geometry: Geometry { sets, ways }, system_cache, .. } = sequence.config;
        let mut model = sequence.model();
        for (number, step) in sequence.steps.iter().enumerate() {
            step.apply(number, &mut model);
            let mut held = HashMap::new();
            for line in LINES {
                let (holders, owner, system) = model.state(line);
                prop_assert_eq!(holders >> cpus, 0, "{:#x} after step {}", line, number);
                prop_assert!(owner.is_none_or(|cpu| holders >> cpu & 1 == 1));
                prop_assert!(system_cache || system.is_none());
                for cpu in (0..cpus).filter(|cpu| holders >> cpu & 1 == 1) {
                    *held.entry((cpu, line / 64 % u64::from(sets))).or_insert(0) += 1;
                }
            }
            prop_assert!(held.values().all(|lines| *lines <= ways), "{held:?} after step {number}");
        }
    }

    /// Chance repeats itself.
    #[test]
    fn a_seed_decides_everything(
        sequence in sequences(any::<u64>().prop_map(Schedule::Random), any_step()),
    ) {
        prop_assert_eq!(history(&sequence), history(&sequence));
    }

    /// Nobody makes bytes up: whatever is seen was stored to this very byte at some time, or was there
    /// from the first.
    #[test]
    fn every_byte_has_an_origin(sequence in sequences(any_schedule(), any_step())) {
        let mut model = sequence.model();
        let mut origins = Origins::none();
        for line in LINES {
            origins.add(whole_line(line), &initial(line));
        }
        for (number, step) in sequence.steps.iter().enumerate() {
            if let &Step::Store { range, value, .. } = step {
                origins.add(range, &pattern(value, range));
            }
            step.apply(number, &mut model);
            for event in model.take_events() {
                if let Event::Stale(read) = event {
                    for bytes in [&read.saw, &read.newest] {
                        let unknown = origins.unknown(read.range, bytes);
                        prop_assert_eq!(unknown, None, "step {}", number);
                    }
                }
            }
            for line in LINES.map(whole_line) {
                for path in PATHS {
                    let unknown = origins.unknown(line, &view(&mut model, path, line));
                    prop_assert_eq!(unknown, None, "{:?} after step {}", path, number);
                }
            }
        }
    }

    /// A load is reported if and only if it saw something else than the newest, and a loss if and only
    /// if the newest value of a byte was in any place, or was put there by this very step, and is in
    /// none any more.
    #[test]
    fn nothing_goes_wrong_in_silence(sequence in sequences(any_schedule(), any_step())) {
        let mut model = sequence.model();
        for (number, step) in sequence.steps.iter().enumerate() {
            let mut extant = extant_bytes(&mut model);
            if let &Step::Store { range, .. } = step {
                let line = LINES.iter().position(|line| *line == whole_line(range.at).at);
                let first = range.at as usize % 64;
                extant[line.expect("no other is stored to")][first..][..range.len].fill(true);
            }
            step.apply(number, &mut model);
            // What hardware does at a load, it does before the load looks.
            let stale = match *step {
                Step::Load { path, range, .. } => {
                    view(&mut model, path, range) != model.truth(range)
                }
                _ => false,
            };
            let before = extant.as_flattened().iter();
            let after = extant_bytes(&mut model);
            let lost = before.zip(after.as_flattened()).any(|(before, after)| *before && !after);

            let events = model.take_events();
            let reads = events.iter().filter(|event| matches!(event, Event::Stale(_)));
            prop_assert_eq!(reads.count(), usize::from(stale), "step {}: {:?}", number, events);
            let losses = events.iter().filter(|event| matches!(event, Event::Lost(_)));
            prop_assert_eq!(losses.count() != 0, lost, "step {}: {:?}", number, events);
        }
    }
}

/// Chance makes a difference.
#[test]
fn seeds_tell_themselves_apart() {
    let mut runner = TestRunner::deterministic();
    let long = sequences(fixed_schedule(), any_step())
        .prop_filter("it is long", |sequence| sequence.steps.len() > 200);
    let tree = long.new_tree(&mut runner).expect("many are long");
    let with = |seed| {
        let mut sequence = tree.current();
        sequence.config.schedule = Schedule::Random(seed);
        history(&sequence)
    };
    let first = with(0);
    let others = (1..16).filter(|seed| with(*seed) != first);
    assert_eq!(others.count(), 15);
}

/// Each thing that hardware may do to a dirty line is what some seed does, and so is nothing at all.
#[test]
fn dirty_lines_meet_every_fate() {
    let store = |model: &mut Model| model.store(Actor::default(), WriteBack, 0, &[1]);
    assert_eq!(
        fates(true, store),
        BTreeSet::from([
            // It is as it was; or the other CPU has loaded it.
            (0b01, Some(0), None),
            (0b11, Some(0), None),
            // It has moved; or moved, and was loaded back.
            (0b10, Some(1), None),
            (0b11, Some(1), None),
            // It was evicted; and filled again by one or both.
            (0b00, None, None),
            (0b01, None, None),
            (0b10, None, None),
            (0b11, None, None),
        ])
    );
    // Where nothing may be filled, it is evicted or stays.
    assert_eq!(
        fates(false, store),
        BTreeSet::from([(0b01, Some(0), None), ABSENT])
    );
}

/// And so it is with a line that was cleaned and invalidated. It comes back only if it may.
#[test]
fn clean_lines_meet_every_fate() {
    let flush = |model: &mut Model| model.maintain(Actor::default(), VaOp::Civac, 0);
    assert_eq!(
        fates(true, flush),
        BTreeSet::from([
            (0b00, None, None),
            (0b01, None, None),
            (0b10, None, None),
            (0b11, None, None),
        ])
    );
    assert_eq!(fates(false, flush), BTreeSet::from([ABSENT]));
}

/// Of a line that has moved, a load that misses it says so.
#[test]
fn a_move_is_remembered() {
    let moved = (0..256).any(|seed| {
        let mut model = two_cpus(seed);
        model.set_speculation(true);
        model.store(Actor::default(), WriteBack, 0, &[1]);
        model.load(Actor::default(), NonCacheable, Range { at: 0, len: 1 });
        let moved = model.state(0) == (0b10, Some(1), None);
        model.load(Actor::default(), NonCacheable, Range { at: 0, len: 1 });
        let maintained = model
            .take_events()
            .into_iter()
            .find_map(|event| match event {
                Event::Stale(read) => read.maintained,
                Event::Lost(_) => None,
            });
        moved && matches!(maintained, Some((_, Maintenance::Moved)))
    });
    assert!(moved);
}

/// What was newest may be left only in a clean line of the system cache, which happened to hold the
/// same before. It is lost with that line.
#[test]
fn a_loss_by_eviction_is_noticed() {
    let (cpu, byte) = (Actor::default(), Range { at: 0, len: 1 });
    let mut evicted = 0;
    for seed in 0..1024 {
        let sequence = Sequence {
            config: Config {
                cpus: 1,
                system_cache: true,
                schedule: Schedule::Random(seed),
                ..Config::default()
            },
            speculation: false,
            steps: Vec::new(),
        };
        let mut model = sequence.model();
        // All levels hold 0; then memory 1; then the private cache 0 again, which is thrown away.
        model.load(cpu, WriteBack, byte);
        model.store(cpu, NonCacheable, 0, &[1]);
        model.store(cpu, WriteBack, 0, &[0]);
        model.set_way(cpu, SetWayOp::Isw, 0, 0);
        let left = model.state(0) == (0, None, Some(false)) && !model.has_events();
        model.load(cpu, NonCacheable, Range { at: 64, len: 1 });
        if left && model.state(0) == ABSENT {
            assert!(model.has_events(), "lost in silence with seed {seed}");
            evicted += 1;
        }
    }
    assert_ne!(evicted, 0);
}

/// The states in which a line is left, by any seed, some time after something was done to it.
fn fates(
    speculation: bool,
    something: impl Fn(&mut Model),
) -> BTreeSet<(u8, Option<u8>, Option<bool>)> {
    let fate = |seed| {
        let mut model = two_cpus(seed);
        model.set_speculation(speculation);
        something(&mut model);
        // Hardware acts when the program does, and this is as good as anything.
        for _ in 0..16 {
            model.load(Actor::default(), NonCacheable, Range { at: 64, len: 1 });
        }
        model.state(0)
    };
    (0..1024).map(fate).collect()
}

/// Two CPUs that leave it to chance what their hardware does.
fn two_cpus(seed: u64) -> Model {
    let sequence = Sequence {
        config: Config {
            schedule: Schedule::Random(seed),
            ..Config::default()
        },
        speculation: false,
        steps: Vec::new(),
    };
    sequence.model()
}

fn view(model: &mut Model, path: Path, range: Range) -> Vec<u8> {
    model.view(path, range).to_vec()
}

/// What can be known of a model, after each step: what went wrong, what is where, and what it shows.
fn history(sequence: &Sequence) -> Vec<String> {
    let mut model = sequence.model();
    let mut history = Vec::new();
    for (number, step) in sequence.steps.iter().enumerate() {
        step.apply(number, &mut model);
        let events = model.take_events();
        let states = LINES.map(|line| model.state(line));
        history.push(format!("{events:?} {states:?}"));
    }
    for line in LINES.map(whole_line) {
        let views = PATHS.map(|path| view(&mut model, path, line));
        history.push(format!("{views:?}"));
    }
    history
}

/// The bytes that ever were at each address.
struct Origins(Vec<[bool; 256]>);

impl Origins {
    fn none() -> Self {
        Self(vec![[false; 256]; SIZE as usize])
    }

    fn add(&mut self, range: Range, bytes: &[u8]) {
        for (origins, byte) in self.0[range.at as usize..].iter_mut().zip(bytes) {
            origins[usize::from(*byte)] = true;
        }
    }

    /// The first of the bytes that never was where it is seen.
    fn unknown(&self, range: Range, bytes: &[u8]) -> Option<(u64, u8)> {
        let mut seen = (range.at..).zip(bytes.iter().copied());
        seen.find(|(at, byte)| !self.0[*at as usize][usize::from(*byte)])
    }
}

/// Of each byte of the lines, whether its newest value is in any place. What a private cache holds is
/// what a cacheable load sees, what a system cache holds is what a fetch sees, and if they hold nothing
/// both see the next level: so the three views show all that there is.
fn extant_bytes(model: &mut Model) -> [[bool; 64]; LINES.len()] {
    LINES.map(|line| {
        let line = whole_line(line);
        let mut extant = [false; 64];
        for path in PATHS {
            let seen = view(model, path, line);
            let truth = model.truth(line);
            for (n, extant) in extant.iter_mut().enumerate() {
                *extant |= seen[n] == truth[n];
            }
        }
        extant
    })
}
