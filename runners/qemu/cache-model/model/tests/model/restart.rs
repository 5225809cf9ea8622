//! What a model is when it starts again: a new one, on memory that holds the newest of all data.

use proptest::prelude::*;
use setway_architecture::maintenance::VaOp;
use setway_cache_model::{Actor, Model, PAGE, Path, Range, Schedule};

use super::sequence::{
    LINES, Pages, SIZE, Sequence, Step, any_step, fixed_schedule, pattern, sequences, whole_line,
};

const PATHS: [Path; 5] = [
    Path::WriteBack,
    Path::WriteThrough,
    Path::NonCacheable,
    Path::Fetch,
    Path::CoherentFetch,
];

/// Every schedule, and any seed.
fn any_schedule() -> impl Strategy<Value = Schedule> {
    prop_oneof![
        2 => fixed_schedule(),
        1 => any::<u64>().prop_map(Schedule::Random),
    ]
}

/// A sequence, and before which of its steps the model starts again.
fn cut_sequences() -> impl Strategy<Value = (Sequence, usize)> {
    let sequences = sequences(any_schedule(), any_step());
    (sequences, any::<prop::sample::Index>()).prop_map(|(sequence, cut)| {
        let cut = cut.index(sequence.steps.len() + 1);
        (sequence, cut)
    })
}

proptest! {
    /// Every load sees the newest data, along every path, and nothing is in a cache.
    #[test]
    fn all_is_coherent_after_a_restart((sequence, cut) in cut_sequences()) {
        let mut model = sequence.model();
        run(&sequence.steps[..cut], &mut model);
        let newest = truth(&mut model);
        let shown = restart(&mut model);

        prop_assert_eq!(&truth(&mut model), &newest);
        for (at, page) in shown {
            prop_assert_eq!(&page[..], &newest[at as usize..][..PAGE]);
        }
        for line in LINES {
            prop_assert_eq!(model.state(line), (0, None, None));
        }
        prop_assert_eq!(model.dirty_lines().count(), 0);
        for line in LINES.map(whole_line) {
            let newest = &newest[line.at as usize..][..line.len];
            for path in PATHS {
                prop_assert_eq!(model.view(path, line), newest, "{:?}", path);
                model.load(Actor::default(), path, line);
            }
        }
        prop_assert_eq!(model.take_events(), &[]);
    }

    /// And from there on it is as a new one: nothing of what was before has any consequence.
    #[test]
    fn a_restarted_model_is_a_new_one((sequence, cut) in cut_sequences()) {
        let mut old = sequence.model();
        run(&sequence.steps[..cut], &mut old);
        let memory = Pages(truth(&mut old));
        restart(&mut old);
        old.set_speculation(sequence.speculation);
        let mut new = sequence.model_on(memory);

        for (number, step) in sequence.steps.iter().enumerate().skip(cut) {
            prop_assert_eq!(step.apply(number, &mut old), step.apply(number, &mut new));
            prop_assert_eq!(old.take_events(), new.take_events(), "step {}", number);
            for line in LINES {
                prop_assert_eq!(old.state(line), new.state(line), "step {}", number);
            }
            for (line, path) in LINES.iter().flat_map(|line| PATHS.map(|path| (*line, path))) {
                let line = whole_line(line);
                prop_assert_eq!(old.view(path, line), new.view(path, line), "step {}", number);
            }
        }
        prop_assert_eq!(truth(&mut old), truth(&mut new));
        let dirty = |model: &Model| model.dirty_lines().collect::<Vec<_>>();
        prop_assert_eq!(dirty(&old), dirty(&new));
    }

    /// Who has made sure that a line can be used without the model, is told that this is over.
    #[test]
    fn no_line_stays_steady((sequence, cut) in cut_sequences()) {
        let mut model = sequence.model();
        run(&sequence.steps[..cut], &mut model);
        let before = model.generation();
        restart(&mut model);
        prop_assert!(model.generation() > before);
    }
}

/// What was thrown away was the newest all the same, and is back.
#[test]
fn lost_data_is_newest_too() {
    let sequence = Sequence {
        config: Default::default(),
        speculation: true,
        steps: Vec::new(),
    };
    let mut model = sequence.model();
    let range = Range { at: 0, len: 4 };
    let bytes = pattern(0x5a, range);
    model.store(Actor::default(), Path::WriteBack, 0, &bytes);
    model.maintain(Actor::default(), VaOp::Ivac, 0);
    assert_ne!(model.view(Path::WriteBack, range), bytes);
    let shown = restart(&mut model);
    assert_eq!(model.view(Path::NonCacheable, range), bytes);
    assert_eq!(shown.len(), 1, "of the page that was touched alone");
    assert_eq!(restart(&mut model).len(), 1, "and looked at since");
    assert_eq!(restart(&mut model).len(), 0);
}

fn run(steps: &[Step], model: &mut Model) {
    for (number, step) in steps.iter().enumerate() {
        step.apply(number, model);
    }
}

/// Starts again, and returns the pages that were shown.
fn restart(model: &mut Model) -> Vec<(u64, Vec<u8>)> {
    let mut shown = Vec::new();
    model.restart(|at, page| shown.push((at, page.to_vec())));
    shown
}

/// All that memory would hold without caches.
fn truth(model: &mut Model) -> Vec<u8> {
    let lines = (0..SIZE).step_by(64).map(whole_line);
    lines.flat_map(|line| model.truth(line).to_vec()).collect()
}
