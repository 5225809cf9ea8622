//! The cache model once more, written from the rules alone: obviously right, and slow.
//!
//! `setway-cache-model` keeps one set of bytes for all private caches and derives the rest from marks that it
//! keeps with each line. Here nothing is shared and nothing is derived: every cache has its own copy of every
//! line that it holds, in the slot where it holds it. What the fast model reports must follow from these
//! copies. All schedules are implemented except `random`.
//!
//! Two tests use it: the properties of the fast model, and random programs on a bare machine, whose every load
//! it predicts. The types that both models share (actors, paths, operations) are those of the fast one.
#![forbid(unsafe_code)]

use std::collections::HashMap;

use setway_architecture::maintenance::{SetWayOp, VaOp};
use setway_cache_model::{Actor, Config, Maintenance, Path, Schedule, Where};

/// Bytes of a line.
pub const LINE: usize = 64;

/// What a line holds.
pub type Bytes = [u8; LINE];

/// A line in a slot of a private cache.
#[derive(Clone, Copy)]
struct Held {
    line: u64,
    bytes: Bytes,
    dirty: bool,
}

/// A set of a private cache.
#[derive(Clone)]
struct Set {
    /// One for each way.
    slots: Vec<Option<Held>>,
    /// The way whose line is displaced next, when none is free.
    rotation: usize,
}

/// A line in the system cache.
#[derive(Clone, Copy)]
struct Shared {
    bytes: Bytes,
    dirty: bool,
}

/// Every copy of every line. Lines go by the address of their first byte.
pub struct Slow {
    config: Config,
    speculation: bool,
    /// By CPU, by set.
    private: Vec<Vec<Set>>,
    /// Without bounds; empty for good if there is no system cache.
    system: HashMap<u64, Shared>,
    memory: HashMap<u64, Bytes>,
    truth: HashMap<u64, Bytes>,
    stored: HashMap<u64, (Actor, Path)>,
    maintained: HashMap<u64, (Actor, Maintenance)>,
}

impl Slow {
    /// Empty caches over these lines of memory.
    pub fn new(config: Config, lines: impl IntoIterator<Item = (u64, Bytes)>) -> Self {
        let memory: HashMap<u64, Bytes> = lines.into_iter().collect();
        let empty = Set {
            slots: vec![None; config.geometry.ways as usize],
            rotation: 0,
        };
        let cache = vec![empty; config.geometry.sets as usize];
        Self {
            config,
            speculation: false,
            private: vec![cache; usize::from(config.cpus)],
            system: HashMap::new(),
            truth: memory.clone(),
            memory,
            stored: HashMap::new(),
            maintained: HashMap::new(),
        }
    }

    /// Says whether hardware may fill lines.
    pub fn set_speculation(&mut self, possible: bool) {
        self.speculation = possible;
    }

    /// A load or fetch. Returns the whole line as it saw it.
    pub fn load(&mut self, actor: Actor, path: Path, line: u64) -> Bytes {
        match path {
            Path::WriteBack | Path::WriteThrough => {
                self.fill(actor.cpu, line);
                self.copy(actor.cpu, line).expect("it was filled").bytes
            }
            Path::NonCacheable | Path::CoherentFetch => self.view(path, line),
            Path::Fetch => match self.system.get(&line) {
                Some(shared) => shared.bytes,
                None => self.memory[&line],
            },
        }
    }

    /// A store of `bytes`, from the byte `first` of the line on.
    pub fn store(&mut self, actor: Actor, path: Path, line: u64, first: usize, bytes: &[u8]) {
        let change = |whole: &mut Bytes| whole[first..][..bytes.len()].copy_from_slice(bytes);
        change(self.truth.get_mut(&line).expect("a line of memory"));
        self.stored.insert(line, (actor, path));
        self.maintained.remove(&line);
        if self.config.schedule == Schedule::Coherent {
            self.change_everywhere(line, change);
        }

        if path == Path::NonCacheable {
            change(self.memory.get_mut(&line).expect("a line of memory"));
            return;
        }
        self.fill(actor.cpu, line);
        self.remove_from_all_but(actor.cpu, line);
        let copy = self.copy_mut(actor.cpu, line).expect("it was filled");
        change(&mut copy.bytes);
        copy.dirty = true;
        if path == Path::WriteThrough {
            self.clean(line);
        }
        if self.config.schedule == Schedule::Eager {
            self.clean(line);
            self.remove_from_every_cache(line);
        }
    }

    /// Changes the line wherever it is.
    fn change_everywhere(&mut self, line: u64, change: impl Fn(&mut Bytes)) {
        change(self.memory.get_mut(&line).expect("a line of memory"));
        if let Some(shared) = self.system.get_mut(&line) {
            change(&mut shared.bytes);
        }
        for cpu in 0..self.config.cpus {
            if let Some(copy) = self.copy_mut(cpu, line) {
                change(&mut copy.bytes);
            }
        }
    }

    /// An op by VA.
    pub fn maintain(&mut self, actor: Actor, op: VaOp, line: u64) {
        match op {
            VaOp::Cvac => self.clean(line),
            VaOp::Cvau => self.write_back(line),
            VaOp::Civac => {
                self.clean(line);
                self.remove_from_every_cache(line);
            }
            VaOp::Ivac => self.remove_from_every_cache(line),
        }
        self.maintained.insert(line, (actor, Maintenance::ByVa(op)));
        self.refill(actor.cpu, line);
    }

    /// An op by set/way. Returns the line that was there.
    pub fn set_way(&mut self, actor: Actor, op: SetWayOp, set: u32, way: u32) -> Option<u64> {
        let cpu = actor.cpu;
        let Held { line, dirty, .. } =
            self.private[usize::from(cpu)][set as usize].slots[way as usize]?;

        let moves = self.config.schedule == Schedule::Migrate && self.speculation;
        if moves && dirty && self.config.cpus > 1 {
            self.migrate(cpu, line);
            self.maintained.insert(line, (actor, Maintenance::Moved));
            // The slot is empty now, so the op misses.
            return Some(line);
        }
        match op {
            SetWayOp::Csw => {
                if dirty {
                    self.write_back(line);
                }
            }
            SetWayOp::Cisw => {
                if dirty {
                    self.write_back(line);
                }
                self.remove(cpu, line);
            }
            SetWayOp::Isw => {
                self.remove(cpu, line);
                if dirty && let Some(heir) = self.holders(line).first() {
                    self.copy_mut(*heir, line).expect("it holds it").dirty = true;
                }
            }
        }
        self.maintained
            .insert(line, (actor, Maintenance::SetWay(op)));
        self.refill(cpu, line);
        Some(line)
    }

    /// The line as an access along `path` would find it. This changes nothing.
    pub fn view(&self, path: Path, line: u64) -> Bytes {
        let private = self.any_copy(line).map(|held| held.bytes);
        let system = self.system.get(&line).map(|shared| shared.bytes);
        let memory = self.memory[&line];
        match path {
            Path::WriteBack | Path::WriteThrough | Path::CoherentFetch => {
                private.or(system).unwrap_or(memory)
            }
            Path::Fetch => system.unwrap_or(memory),
            Path::NonCacheable => memory,
        }
    }

    /// What the line would hold if there were no caches.
    pub fn truth(&self, line: u64) -> Bytes {
        self.truth[&line]
    }

    /// Every place that has the line, with what it has.
    pub fn places(&self, line: u64) -> Vec<(Where, Bytes)> {
        let mut places = vec![(Where::Memory, self.memory[&line])];
        if let Some(shared) = self.system.get(&line) {
            places.push((Where::SystemCache, shared.bytes));
        }
        for cpu in self.holders(line) {
            let held = self.copy(cpu, line).expect("it holds it");
            places.push((Where::Cache(cpu), held.bytes));
        }
        places
    }

    /// What [`Model::state`](setway_cache_model::Model::state) should say of the line.
    pub fn state(&self, line: u64) -> (u8, Option<u8>, Option<bool>) {
        let holders = self.holders(line).iter().map(|cpu| 1 << cpu).sum();
        let system = self.system.get(&line).map(|shared| shared.dirty);
        (holders, self.dirty_in(line), system)
    }

    /// Who last stored to the line, and how.
    pub fn stored(&self, line: u64) -> Option<(Actor, Path)> {
        self.stored.get(&line).copied()
    }

    /// What last happened to the line since then.
    pub fn maintained(&self, line: u64) -> Option<(Actor, Maintenance)> {
        self.maintained.get(&line).copied()
    }

    /// The copy of the line in this CPU's cache.
    fn copy(&self, cpu: u8, line: u64) -> Option<&Held> {
        let sets = &self.private[usize::from(cpu)];
        let mut held = sets.iter().flat_map(|set| &set.slots).flatten();
        held.find(|held| held.line == line)
    }

    fn copy_mut(&mut self, cpu: u8, line: u64) -> Option<&mut Held> {
        let sets = &mut self.private[usize::from(cpu)];
        let mut held = sets.iter_mut().flat_map(|set| &mut set.slots).flatten();
        held.find(|held| held.line == line)
    }

    /// The CPUs that have the line, the lowest number first.
    fn holders(&self, line: u64) -> Vec<u8> {
        let cpus = 0..self.config.cpus;
        cpus.filter(|cpu| self.copy(*cpu, line).is_some()).collect()
    }

    /// Any CPU's copy of the line: all of them are alike.
    fn any_copy(&self, line: u64) -> Option<&Held> {
        let cpus = 0..self.config.cpus;
        let mut copies = cpus.filter_map(|cpu| self.copy(cpu, line));
        let first = copies.next()?;
        for other in copies {
            assert_eq!(first.bytes, other.bytes, "two copies of {line:#x}");
        }
        Some(first)
    }

    /// The CPU whose copy is dirty: there is at most one.
    fn dirty_in(&self, line: u64) -> Option<u8> {
        let mut dirty = self.holders(line);
        dirty.retain(|cpu| self.copy(*cpu, line).expect("it holds it").dirty);
        assert!(dirty.len() <= 1, "{line:#x} is dirty in {dirty:?}");
        dirty.first().copied()
    }

    /// Puts the line into the CPU's cache, clean, unless it is there.
    fn fill(&mut self, cpu: u8, line: u64) {
        if self.copy(cpu, line).is_some() {
            return;
        }
        let bytes = match self.any_copy(line) {
            Some(other) => other.bytes,
            None => self.one_level_down(line),
        };
        let number = (line / LINE as u64 % u64::from(self.config.geometry.sets)) as usize;
        let set = &mut self.private[usize::from(cpu)][number];
        let way = match set.slots.iter().position(Option::is_none) {
            Some(free) => free,
            None => {
                let way = set.rotation;
                set.rotation = (way + 1) % set.slots.len();
                let displaced = set.slots[way].expect("no slot is free").line;
                self.evict(cpu, displaced);
                way
            }
        };
        let clean = Held {
            line,
            bytes,
            dirty: false,
        };
        self.private[usize::from(cpu)][number].slots[way] = Some(clean);
    }

    /// The line as the level below the private caches has it. A system cache is filled for it.
    fn one_level_down(&mut self, line: u64) -> Bytes {
        let bytes = self.memory[&line];
        if !self.config.system_cache {
            return bytes;
        }
        let clean = Shared {
            bytes,
            dirty: false,
        };
        self.system.entry(line).or_insert(clean).bytes
    }

    /// The line leaves the CPU's cache to make room, and is written back if it is dirty there.
    fn evict(&mut self, cpu: u8, line: u64) {
        if self.dirty_in(line) == Some(cpu) {
            self.write_back(line);
        }
        self.remove(cpu, line);
    }

    /// Writes the line one level down, if it is dirty in a private cache. It stays there, clean.
    fn write_back(&mut self, line: u64) {
        let Some(cpu) = self.dirty_in(line) else {
            return;
        };
        let held = self.copy_mut(cpu, line).expect("it is dirty there");
        held.dirty = false;
        let bytes = held.bytes;
        if self.config.system_cache {
            let dirty = Shared { bytes, dirty: true };
            self.system.insert(line, dirty);
        } else {
            self.memory.insert(line, bytes);
        }
    }

    /// Cleans the line to the PoC: the private caches, then the system cache.
    fn clean(&mut self, line: u64) {
        self.write_back(line);
        if let Some(shared) = self.system.get_mut(&line)
            && shared.dirty
        {
            shared.dirty = false;
            self.memory.insert(line, shared.bytes);
        }
    }

    /// The line leaves this CPU's cache, and nothing is written.
    fn remove(&mut self, cpu: u8, line: u64) {
        let sets = &mut self.private[usize::from(cpu)];
        for slot in sets.iter_mut().flat_map(|set| &mut set.slots) {
            if slot.is_some_and(|held| held.line == line) {
                *slot = None;
            }
        }
    }

    fn remove_from_all_but(&mut self, keeper: u8, line: u64) {
        for cpu in (0..self.config.cpus).filter(|cpu| *cpu != keeper) {
            self.remove(cpu, line);
        }
    }

    fn remove_from_every_cache(&mut self, line: u64) {
        for cpu in 0..self.config.cpus {
            self.remove(cpu, line);
        }
        self.system.remove(&line);
    }

    /// What the schedule makes of an op that has maintained the line.
    fn refill(&mut self, cpu: u8, line: u64) {
        if self.config.schedule == Schedule::Refill && self.speculation {
            self.fill(cpu, line);
        }
    }

    /// The line, which is dirty in this CPU's cache, moves to the next CPU's.
    fn migrate(&mut self, cpu: u8, line: u64) {
        let to = (cpu + 1) % self.config.cpus;
        self.fill(to, line);
        self.remove_from_all_but(to, line);
        self.copy_mut(to, line).expect("it was filled").dirty = true;
    }
}
