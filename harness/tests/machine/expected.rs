//! What the loads of a random program should see, by the slow model.

use setway::catalog::{isa::Isa, schedule::Caches};
use setway_architecture::maintenance::VaOp;
use setway_cache_model::{Actor, Config, Geometry, Path};
use setway_cases::random::{
    Digest, Direction, Form, LINE, LINES, Program, Step, Way, bytes, initial,
};
use setway_slow_model::Slow;

/// A load, and what it should see.
#[derive(Debug)]
pub struct Load {
    /// The step of the program that it is, from 0.
    pub step: usize,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// The loads of the program of a seed.
pub fn loads(isa: Isa, seed: u64, caches: Caches) -> Vec<Load> {
    let mut machine = Machine::new(caches);
    let steps = Program::new(isa.into(), seed).enumerate();
    let seen = steps.filter_map(|(number, step)| {
        let bytes = machine.make(step)?;
        Some(Load {
            step: number,
            bytes,
        })
    });
    seen.collect()
}

/// What the guest should make of them.
pub fn digest(loads: &[Load]) -> u64 {
    let mut digest = Digest::default();
    for load in loads {
        digest.add(&load.bytes);
    }
    digest.sum()
}

/// The lines, each in a set of its own, as a CPU with another beside it has them.
struct Machine {
    model: Slow,
    caches_on: bool,
}

/// As many ways as the machine has: set/way ops go through them all.
const WAYS: u32 = 16;
const CPU: Actor = Actor { cpu: 0, site: 0 };

impl Machine {
    fn new(caches: Caches) -> Self {
        let config = Config {
            cpus: 2,
            line_shift: LINE.ilog2(),
            geometry: Geometry {
                sets: LINES as u32,
                ways: WAYS,
            },
            system_cache: caches.system_cache,
            schedule: caches.schedule,
        };
        let lines = (0..LINES).map(|line| ((line * LINE) as u64, initial(line)));
        let mut model = Slow::new(config, lines);
        // The last that happens to the lines before a program starts.
        model.set_speculation(true);
        for line in 0..LINES {
            model.maintain(CPU, VaOp::Civac, (line * LINE) as u64);
        }
        Self {
            model,
            caches_on: true,
        }
    }

    /// Makes a step, and returns what it loads.
    fn make(&mut self, step: Step) -> Option<Vec<u8>> {
        match step {
            Step::Access {
                form,
                way,
                at,
                value,
            } => return self.access(form, way, at, value),
            Step::ByVa(op, at) => self.model.maintain(CPU, op, line_of(at)),
            Step::SetWay(op, at) => {
                for way in 0..WAYS {
                    self.model.set_way(CPU, op, (at / LINE) as u32, way);
                }
            }
            Step::Caches(on) => {
                self.model.set_speculation(on);
                self.caches_on = on;
            }
        }
        None
    }

    fn access(&mut self, form: &Form, way: Way, at: usize, value: u64) -> Option<Vec<u8>> {
        let path = match way {
            Way::Cached if self.caches_on => Path::WriteBack,
            _ => Path::NonCacheable,
        };
        let stored = &bytes(value)[..form.len];
        match form.direction {
            Direction::Load => Some(self.load(path, at, form.len)),
            Direction::Store => {
                self.store(path, at, stored);
                None
            }
            Direction::Exchange => {
                let seen = self.load(path, at, form.len);
                self.store(path, at, stored);
                Some(seen)
            }
            Direction::Zero => {
                self.store(path, at / LINE * LINE, &[0; LINE]);
                None
            }
        }
    }

    fn load(&mut self, path: Path, at: usize, len: usize) -> Vec<u8> {
        let mut seen = Vec::new();
        for (line, first, len) in pieces(at, len) {
            let whole = self.model.load(CPU, path, line);
            seen.extend_from_slice(&whole[first..first + len]);
        }
        seen
    }

    fn store(&mut self, path: Path, at: usize, bytes: &[u8]) {
        let mut rest = bytes;
        for (line, first, len) in pieces(at, bytes.len()) {
            let (now, later) = rest.split_at(len);
            self.model.store(CPU, path, line, first, now);
            rest = later;
        }
    }
}

/// The address of the line of `at`.
fn line_of(at: usize) -> u64 {
    (at / LINE * LINE) as u64
}

/// Cuts a range at the ends of lines: the line of each piece, the offset in it, and the length.
fn pieces(at: usize, len: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let mut at = at;
    let end = at + len;
    std::iter::from_fn(move || {
        let first = at % LINE;
        let len = (LINE - first).min(end - at);
        let piece = (line_of(at), first, len);
        at += len;
        (len > 0).then_some(piece)
    })
}
