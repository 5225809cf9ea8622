//! Random sequences of what programs do to memory, made to collide: few lines, which share few sets
//! of small caches.

use proptest::{collection::vec, prelude::*, sample::select};
use setway_architecture::maintenance::{SetWayOp, VaOp};
use setway_cache_model::{Actor, Backing, Config, Geometry, Model, PAGE, Path, Range, Schedule};

use Path::{CoherentFetch, Fetch, NonCacheable, WriteBack, WriteThrough};

/// The lines that sequences touch, by the address of their first byte. In a cache of four sets, three
/// of them are in set 0 and three in set 1. The last is in another page than the others.
pub const LINES: [u64; 6] = [0, 4 * 64, 8 * 64, 64, 5 * 64, 69 * 64];

/// Memory just large enough for the lines.
pub const SIZE: u64 = 2 * PAGE as u64;

/// One thing that a program does.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// A load or fetch.
    Load { cpu: u8, path: Path, range: Range },
    /// A store of as many bytes of [`pattern`]`(value)`.
    Store {
        cpu: u8,
        path: Path,
        range: Range,
        value: u8,
    },
    /// An op by VA.
    Maintain { cpu: u8, op: VaOp, at: u64 },
    /// An op by set/way.
    SetWay {
        cpu: u8,
        op: SetWayOp,
        set: u32,
        way: u32,
    },
    /// There is a cacheable mapping from now on, or none.
    Speculation(bool),
}

impl Step {
    /// Who does it: the number of the step is the place in the program.
    pub fn actor(&self, number: usize) -> Actor {
        let cpu = match *self {
            Step::Load { cpu, .. }
            | Step::Store { cpu, .. }
            | Step::Maintain { cpu, .. }
            | Step::SetWay { cpu, .. } => cpu,
            Step::Speculation(_) => 0,
        };
        Actor {
            cpu,
            site: number as u32,
        }
    }

    /// Does it to the model. Returns the line that an op by set/way hit.
    pub fn apply(&self, number: usize, model: &mut Model) -> Option<u64> {
        let actor = self.actor(number);
        match *self {
            Step::Load { path, range, .. } => model.load(actor, path, range),
            Step::Store {
                path, range, value, ..
            } => model.store(actor, path, range.at, &pattern(value, range)),
            Step::Maintain { op, at, .. } => model.maintain(actor, op, at),
            Step::SetWay { op, set, way, .. } => return model.set_way(actor, op, set, way),
            Step::Speculation(possible) => model.set_speculation(possible),
        }
        None
    }

    /// The same for a smaller system: with CPUs, sets and ways that it has.
    fn within(mut self, config: &Config) -> Self {
        let Geometry { sets, ways } = config.geometry;
        match &mut self {
            Step::Load { cpu, .. } | Step::Store { cpu, .. } | Step::Maintain { cpu, .. } => {
                *cpu %= config.cpus;
            }
            Step::SetWay { cpu, set, way, .. } => {
                *cpu %= config.cpus;
                *set %= sets;
                *way %= ways;
            }
            Step::Speculation(_) => {}
        }
        self
    }
}

/// The bytes of a range that is filled with `value`: each line counts up from it, so that no two bytes
/// of a line are alike, and the same value at the same place is the same byte.
pub fn pattern(value: u8, range: Range) -> Vec<u8> {
    let first = range.at as u8 % 64;
    let offsets = (first..).take(range.len);
    offsets.map(|offset| value.wrapping_add(offset)).collect()
}

/// The line of an address.
pub fn whole_line(at: u64) -> Range {
    Range {
        at: at / 64 * 64,
        len: 64,
    }
}

/// What memory holds at first: a value of its own for each line, of those that stores favour.
pub fn initial(at: u64) -> Vec<u8> {
    let value = (at / 64 % 8) as u8;
    pattern(value, whole_line(at))
}

/// A system, and what is done to it.
#[derive(Clone, Debug)]
pub struct Sequence {
    pub config: Config,
    pub speculation: bool,
    pub steps: Vec<Step>,
}

impl Sequence {
    /// The model before the first step.
    pub fn model(&self) -> Model {
        self.model_on(Pages::initial())
    }

    /// The same with other memory.
    pub fn model_on(&self, memory: Pages) -> Model {
        let config = self.config.check().expect("all configurations are sound");
        let mut model = Model::new(config, SIZE, Box::new(memory));
        model.set_speculation(self.speculation);
        model
    }
}

/// What memory holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pages(pub Vec<u8>);

impl Pages {
    fn initial() -> Self {
        Self((0..SIZE).step_by(64).flat_map(initial).collect())
    }

    fn span(at: u64) -> std::ops::Range<usize> {
        at as usize..at as usize + PAGE
    }
}

impl Backing for Pages {
    fn read(&self, at: u64, page: &mut [u8; PAGE]) {
        page.copy_from_slice(&self.0[Self::span(at)]);
    }

    fn write(&mut self, at: u64, page: &[u8; PAGE]) {
        self.0[Self::span(at)].copy_from_slice(page);
    }
}

/// Sequences of some hundred steps on any system.
pub fn sequences(
    schedules: impl Strategy<Value = Schedule>,
    steps: impl Strategy<Value = Step>,
) -> impl Strategy<Value = Sequence> {
    let shapes = (1u8..=3, 0u32..=2, 1u32..=2, any::<bool>());
    let systems =
        (shapes, schedules).prop_map(|((cpus, sets, ways, system_cache), schedule)| Config {
            cpus,
            line_shift: 6,
            geometry: Geometry {
                sets: 1 << sets,
                ways,
            },
            system_cache,
            schedule,
        });
    (systems, any::<bool>(), vec(steps, 1..=300)).prop_map(|(config, speculation, steps)| {
        Sequence {
            config,
            speculation,
            steps: steps.iter().map(|step| step.within(&config)).collect(),
        }
    })
}

/// Every schedule that leaves nothing to chance.
pub fn fixed_schedule() -> impl Strategy<Value = Schedule> {
    select(vec![
        Schedule::Lazy,
        Schedule::Eager,
        Schedule::Refill,
        Schedule::Migrate,
        Schedule::Coherent,
    ])
}

/// Everything that a program can do.
pub fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => loads(&[WriteBack, WriteThrough, NonCacheable, Fetch, CoherentFetch]),
        5 => stores(&[WriteBack, WriteBack, WriteThrough, NonCacheable]),
        2 => ops_by_va(&VaOp::ALL),
        4 => ops_by_set_way(&SetWayOp::ALL),
        1 => any::<bool>().prop_map(Step::Speculation),
    ]
}

/// Loads along these paths.
pub fn loads(paths: &'static [Path]) -> impl Strategy<Value = Step> {
    (any_cpu(), select(paths), ranges()).prop_map(|(cpu, path, range)| Step::Load {
        cpu,
        path,
        range,
    })
}

/// Stores along these paths. Few values are favoured, so that old and new data coincide at times.
pub fn stores(paths: &'static [Path]) -> impl Strategy<Value = Step> {
    let values = prop_oneof![1 => 0u8..8, 3 => any::<u8>()];
    (any_cpu(), select(paths), ranges(), values).prop_map(|(cpu, path, range, value)| Step::Store {
        cpu,
        path,
        range,
        value,
    })
}

/// These ops by VA, at any byte of a line.
pub fn ops_by_va(ops: &'static [VaOp]) -> impl Strategy<Value = Step> {
    (any_cpu(), select(ops), ranges()).prop_map(|(cpu, op, range)| Step::Maintain {
        cpu,
        op,
        at: range.at,
    })
}

/// These ops by set/way.
pub fn ops_by_set_way(ops: &'static [SetWayOp]) -> impl Strategy<Value = Step> {
    let places = (0u32..4, 0u32..2);
    (any_cpu(), select(ops), places).prop_map(|(cpu, op, (set, way))| Step::SetWay {
        cpu,
        op,
        set,
        way,
    })
}

/// A number that is as good as any other whether there are one, two or three CPUs.
fn any_cpu() -> impl Strategy<Value = u8> {
    0u8..6
}

/// Some of a line, and often about the same.
fn ranges() -> impl Strategy<Value = Range> {
    let firsts = prop_oneof![0usize..4, 0usize..64];
    let lengths = prop_oneof![1usize..=4, 1usize..=64];
    (select(&LINES[..]), firsts, lengths).prop_map(|(line, first, len)| Range {
        at: line + first as u64,
        len: len.min(64 - first),
    })
}
