//! Memory as a system with non-coherent caches shows it.
//!
//! Each CPU has a private data cache; below them may be a system cache; below that is memory at the
//! point of coherency (PoC). Cacheable accesses are coherent among the CPUs, by snooping. Accesses
//! that are not cacheable go past every cache to the PoC, and nothing keeps the two views together
//! but maintenance:
//!
//! * an op by VA acts on a line in every cache, down to the PoC;
//! * an op by set/way acts on one place of one CPU's private cache, and what it cleans goes one level
//!   down, so a system cache swallows it;
//! * the instruction side reads at the point of unification (PoU), which is below the private caches; or, on some
//!   CPUs, as coherently as data.
//!
//! And hardware is free: between two instructions it may evict a dirty line, fill a line from a
//! cacheable mapping, or move a line to another CPU (DDI 0487, "The effects of speculation on caches").
//! A [`Schedule`] says what it makes of that freedom.
//!
//! The model also keeps the *truth*: what memory would hold if there were no caches. A load whose bytes
//! differ from it is a [`StaleRead`]; a newest store that no level holds any more is a [`LostWrite`].
//!
//! Beside the caches it keeps what guests [wait for](Waits), and what they have [touched](Touched).
//!
//! The crate is pure. It knows neither QEMU nor CPUs: the caller says who accesses what, and how.
#![forbid(unsafe_code)]

mod config;
mod event;
mod hardware;
mod memory;
mod tags;
mod touched;
mod wait;

pub use config::{Config, ConfigError, Geometry, MAX_CPUS, Schedule};
pub use event::{Actor, Event, LostWrite, Maintenance, StaleRead, Where};
pub use memory::{Backing, PAGE};
pub use touched::Touched;
pub use wait::{Awaited, Waited, Waits};

use setway_architecture::maintenance::{SetWayOp, VaOp};

use hardware::Hardware;
use memory::{Line, Memory, System};
use tags::Tags;

/// How an access reaches memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Path {
    /// Through the caches, coherent with all CPUs: Normal write-back memory.
    WriteBack,
    /// Like write-back, but a store also goes to the PoC: Normal write-through memory.
    WriteThrough,
    /// Past every cache: Normal Non-cacheable and Device memory.
    NonCacheable,
    /// An instruction fetch that is cacheable: it reads at the PoU.
    Fetch,
    /// A cacheable fetch of a CPU on which nothing need be cleaned to the PoU: it sees what data caches hold, and fills
    /// none (DDI 0487, CTR_EL0.IDC).
    CoherentFetch,
}

impl Path {
    /// Whether data on this way is in caches.
    const fn is_cached(self) -> bool {
        matches!(self, Path::WriteBack | Path::WriteThrough)
    }
}

/// A range of bytes that lies in one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first byte, from the start of the memory that is modelled.
    pub at: u64,
    /// How many bytes.
    pub len: usize,
}

/// Caches, memory behind them, and what has become of it.
#[derive(Debug)]
pub struct Model {
    config: Config,
    memory: Memory,
    tags: Vec<Tags>,
    hardware: Hardware,
    events: Vec<Event>,
    /// Lines whose bytes have gone a level down.
    written_back: Vec<u64>,
    /// Counts what changes where lines are, and stores past the caches.
    generation: u64,
}

impl Model {
    /// Empty caches over `size` bytes of memory, whose contents `backing` has.
    pub fn new(config: Config, size: u64, backing: Box<dyn Backing>) -> Self {
        let tags = Tags::new(config.geometry, config.line_shift);
        Self {
            memory: Memory::new(size, config.line_shift, backing),
            tags: vec![tags; usize::from(config.cpus)],
            hardware: Hardware::new(config.schedule),
            events: Vec::new(),
            written_back: Vec::new(),
            generation: 0,
            config,
        }
    }

    /// Starts again: caches are empty, memory holds the newest of all data, and nothing is known of what was
    /// before. That takes as long as there are pages that were touched since the last start; `show` is given
    /// their addresses and contents.
    pub fn restart(&mut self, show: impl FnMut(u64, &[u8; PAGE])) {
        self.memory.restart(show);
        self.tags.iter_mut().for_each(Tags::clear);
        self.hardware = Hardware::new(self.config.schedule);
        self.events.clear();
        self.written_back.clear();
        self.generation += 1;
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Bytes of a line.
    pub fn line_size(&self) -> usize {
        1 << self.config.line_shift
    }

    /// The line of `at`.
    pub fn line(&self, at: u64) -> Range {
        Range {
            at: self.memory.line_start(at),
            len: self.line_size(),
        }
    }

    /// Says whether any CPU has a cacheable mapping now. Without one, hardware fills no lines.
    pub fn set_speculation(&mut self, possible: bool) {
        self.hardware.may_fill = possible;
    }

    /// What has happened since this was last called.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Whether [`take_events`](Self::take_events) would return any.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// A number that is another whenever [`steady`](Self::steady) may have another answer.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether cacheable loads by `cpu` from the line of `at` change nothing and see what is newest: they
    /// need not be told to the model then. If so, whether stores may be told by
    /// [`store_again`](Self::store_again).
    pub fn steady(&mut self, cpu: u8, at: u64) -> Option<bool> {
        let whole = self.line(at);
        let page = self.memory.page(at);
        let line = page.line(at);
        let alone = line.holders == 1 << cpu && line.owner == Some(cpu);
        let steady = line.is_held_by(cpu) && page.is_fresh(Path::WriteBack, whole);
        (steady && !self.hardware.acts_on_loads())
            .then_some(alone && !self.hardware.acts_on_stores())
    }

    /// `actor` stores `bytes` to a line that its CPU alone has, and dirty: [`steady`](Self::steady) has said
    /// so, and nothing has changed since.
    #[inline]
    pub fn store_again(&mut self, actor: Actor, at: u64, bytes: &[u8]) {
        let range = Range {
            at,
            len: bytes.len(),
        };
        let everywhere = self.config.schedule == Schedule::Coherent;
        let page = self.memory.page(at);
        page.put(memory::Level::Private, range, bytes, everywhere);
        let line = page.line_mut(at);
        line.stored = Some((actor, Path::WriteBack));
        line.maintained = None;
    }

    /// The lines whose bytes have gone a level down since this was last called, so that accesses past the
    /// caches find others there.
    pub fn take_written_back(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.written_back)
    }

    /// Whether [`take_written_back`](Self::take_written_back) would return any.
    #[inline]
    pub fn has_written_back(&self) -> bool {
        !self.written_back.is_empty()
    }

    /// Cuts a range at the ends of lines.
    pub fn split(&self, at: u64, len: usize) -> impl Iterator<Item = Range> + use<> {
        let size = 1u64 << self.config.line_shift;
        let end = at + len as u64;
        let mut next = at;
        std::iter::from_fn(move || {
            let at = next;
            next = end.min((at | (size - 1)) + 1);
            (at < end).then(|| Range {
                at,
                len: (next - at) as usize,
            })
        })
    }

    /// `actor` loads or fetches `range`: lines are filled, and staleness noticed. What it sees is
    /// [`view`](Self::view).
    #[inline]
    pub fn load(&mut self, actor: Actor, path: Path, range: Range) {
        // Before the load looks: what hardware does now, the load sees.
        self.hardware_acts(actor, hardware::Moment::Load, range.at);
        let page = self.memory.page(range.at);
        if path.is_cached() && !page.line(range.at).is_held_by(actor.cpu) {
            self.fill(actor.cpu, range.at);
        }
        let page = self.memory.page(range.at);
        if !page.is_fresh(path, range) {
            let read = page.stale(actor, path, range);
            self.events.push(Event::Stale(read));
        }
    }

    /// `actor`'s table walker reads `range`: it fills no line, but what it reads may be stale.
    pub fn walk(&mut self, actor: Actor, path: Path, range: Range) {
        let page = self.memory.page(range.at);
        if !page.is_fresh(path, range) {
            let mut read = page.stale(actor, path, range);
            read.walk = true;
            self.events.push(Event::Stale(read));
        }
    }

    /// The bytes of `range` as an access along `path` finds them, without doing anything.
    #[inline]
    pub fn view(&mut self, path: Path, range: Range) -> &[u8] {
        self.memory.page(range.at).view(path, range)
    }

    /// What memory would hold if there were no caches.
    pub fn truth(&mut self, range: Range) -> &[u8] {
        self.memory.page(range.at).truth(range)
    }

    /// `actor` stores `bytes`, which lie in one line.
    #[inline]
    pub fn store(&mut self, actor: Actor, path: Path, at: u64, bytes: &[u8]) {
        let range = Range {
            at,
            len: bytes.len(),
        };
        let cached = path.is_cached();
        let own = 1 << actor.cpu;
        if cached && self.memory.page(at).line(at).holders != own {
            self.fill(actor.cpu, at);
            self.take_away(at, own);
        }
        self.generation += u64::from(!cached);
        let everywhere = self.config.schedule == Schedule::Coherent;
        let page = self.memory.page(at);
        let level = if cached {
            memory::Level::Private
        } else {
            memory::Level::Poc
        };
        page.put(level, range, bytes, everywhere);
        let line = page.line_mut(at);
        line.stored = Some((actor, path));
        line.maintained = None;
        if cached {
            line.owner = Some(actor.cpu);
        }
        if path == Path::WriteThrough {
            self.clean(actor, at, false);
        }
        self.hardware_acts(actor, hardware::Moment::Store { cached }, at);
    }

    /// `actor` issues an op by VA on the line of `at`.
    pub fn maintain(&mut self, actor: Actor, op: VaOp, at: u64) {
        let at = self.memory.line_start(at);
        if !self.memory.is_known(at) && !self.hardware.cares_for_maintenance() {
            // Nobody has ever touched it: no cache has it.
            return;
        }
        self.memory.page(at).line_mut(at).maintained = Some((actor, Maintenance::ByVa(op)));
        if op.cleans() {
            self.clean(actor, at, op == VaOp::Cvau);
        }
        if op.invalidates() {
            self.watching_losses(actor, at, |model| {
                model.take_away(at, 0);
                let line = model.memory.page(at).line_mut(at);
                line.owner = None;
                line.system = System::Absent;
            });
        }
        self.hardware_acts(actor, hardware::Moment::Maintenance, at);
    }

    /// `actor` issues an op by set/way on its private cache. Returns the line that was there before, if any.
    pub fn set_way(&mut self, actor: Actor, op: SetWayOp, set: u32, way: u32) -> Option<u64> {
        let cpu = usize::from(actor.cpu);
        let at = self.tags[cpu].line_at(set, way)?;
        self.hardware_before_set_way(actor, at);
        if self.tags[cpu].line_at(set, way) != Some(at) {
            // It has gone: the op finds nothing.
            return Some(at);
        }
        let page = self.memory.page(at);
        let line = page.line_mut(at);
        line.maintained = Some((actor, Maintenance::SetWay(op)));
        let owned = line.owner == Some(actor.cpu);
        if owned && op.cleans() {
            self.write_back(actor, at);
        }
        if op.invalidates() {
            self.watching_losses(actor, at, |model| model.drop_copy(actor.cpu, at));
        }
        self.hardware_acts(actor, hardware::Moment::Maintenance, at);
        Some(at)
    }

    /// Whether the line of `at` is dirty in any cache.
    pub fn is_dirty(&mut self, at: u64) -> bool {
        let at = self.memory.line_start(at);
        self.memory.is_known(at) && {
            let line = self.memory.page(at).line_mut(at);
            line.owner.is_some() || line.system == System::Dirty
        }
    }

    /// Whether any cache has the line of `at`, dirty or clean.
    pub fn is_held(&mut self, at: u64) -> bool {
        let at = self.memory.line_start(at);
        self.memory.is_known(at) && {
            let line = self.memory.page(at).line_mut(at);
            line.is_held() || line.system != System::Absent
        }
    }

    /// The lines that are dirty in any cache, in order, with who last stored to them.
    pub fn dirty_lines(&self) -> impl Iterator<Item = (u64, Actor)> {
        self.memory.lines().filter_map(|(at, line)| {
            let dirty = line.owner.is_some() || line.system == System::Dirty;
            let (actor, _) = line.stored.filter(|_| dirty)?;
            Some((at, actor))
        })
    }

    /// What the caches hold of the line of `at`: the CPUs with a copy as a bit mask, the CPU whose copy
    /// is dirty, and whether the system cache has it, and dirty.
    pub fn state(&mut self, at: u64) -> (u8, Option<u8>, Option<bool>) {
        let line = self.memory.page(at).line(at);
        let system = match line.system {
            System::Absent => None,
            System::Clean => Some(false),
            System::Dirty => Some(true),
        };
        (line.holders, line.owner, system)
    }

    /// Brings the line of `at` into `cpu`'s cache.
    fn fill(&mut self, cpu: u8, at: u64) {
        let system_cache = self.config.system_cache;
        let at = self.memory.line_start(at);
        let page = self.memory.page(at);
        let line = page.line(at);
        if line.is_held_by(cpu) {
            return;
        }
        self.generation += 1;
        if !line.is_held() {
            if system_cache && line.system == System::Absent {
                page.copy(at, memory::Level::Poc, memory::Level::System);
                page.line_mut(at).system = System::Clean;
            }
            let from = if system_cache {
                memory::Level::System
            } else {
                memory::Level::Poc
            };
            page.copy(at, from, memory::Level::Private);
        }
        page.line_mut(at).holders |= 1 << cpu;
        if let Some(victim) = self.tags[usize::from(cpu)].insert(at) {
            self.evict_from(cpu, victim);
        }
    }

    /// Takes the line's copies away from all CPUs but those of the mask `but`. The bytes stay for those.
    fn take_away(&mut self, at: u64, but: u8) {
        let line = self.memory.page(at).line_mut(at);
        let losers = line.holders & !but;
        if losers == 0 {
            return;
        }
        line.holders &= but;
        self.generation += 1;
        for (cpu, tags) in self.tags.iter_mut().enumerate() {
            if losers >> cpu & 1 != 0 {
                tags.remove(self.memory.line_start(at));
            }
        }
    }

    /// `cpu` loses its copy. If it was the dirty one and another CPU has a copy, that one is dirty now.
    fn drop_copy(&mut self, cpu: u8, at: u64) {
        self.take_away(at, !(1 << cpu));
        let line = self.memory.page(at).line_mut(at);
        if line.owner == Some(cpu) {
            line.owner = line.first_holder();
        }
    }

    /// Writes a dirty line one level down: to the system cache if there is one, else to the PoC.
    fn write_back(&mut self, actor: Actor, at: u64) {
        let to = if self.config.system_cache {
            memory::Level::System
        } else {
            memory::Level::Poc
        };
        self.written_back.push(at);
        self.generation += 1;
        self.watching_losses(actor, at, |model| {
            let page = model.memory.page(at);
            page.copy(at, memory::Level::Private, to);
            let line = page.line_mut(at);
            line.owner = None;
            if to == memory::Level::System {
                line.system = System::Dirty;
            }
        });
    }

    /// Cleans the line in every cache, down to the PoC, or only to the PoU.
    fn clean(&mut self, actor: Actor, at: u64, to_unification: bool) {
        if self.memory.page(at).line(at).owner.is_some() {
            self.write_back(actor, at);
        }
        if !to_unification && self.memory.page(at).line(at).system == System::Dirty {
            self.written_back.push(at);
            self.watching_losses(actor, at, |model| {
                let page = model.memory.page(at);
                page.copy(at, memory::Level::System, memory::Level::Poc);
                page.line_mut(at).system = System::Clean;
            });
        }
    }

    /// The line leaves `cpu`'s cache, as it does to make room.
    fn evict_from(&mut self, cpu: u8, at: u64) {
        let line: &Line = self.memory.page(at).line(at);
        if line.owner == Some(cpu) {
            self.write_back(Actor::hardware(cpu), at);
        }
        self.drop_copy(cpu, at);
    }

    /// Does something to a line that may cost data, and notices if it does.
    pub(crate) fn watching_losses(
        &mut self,
        actor: Actor,
        at: u64,
        change: impl FnOnce(&mut Self),
    ) {
        let before = self.memory.page(at).located(at);
        change(self);
        if let Some(lost) = self.memory.page(at).lost(at, actor, &before) {
            self.events.push(Event::Lost(lost));
        }
    }
}
