//! What the harness is told: records in QEMU's log, among the exceptions and so in order with them.

use std::collections::HashMap;

use setway_architecture::decode::Instruction;
use setway_cache_model::{Actor, Event, LostWrite, Maintenance, Model, Op, Path, StaleRead, Where};
use setway_protocol::{
    Code, Deed, Hex, Kind, RecordWriter, VERSION, Whereabouts,
    record::{self, Armed, ModelBegin, ModelTotals, Ops},
    word::{self, Access, By, Cause},
};

use crate::{
    api,
    options::Options,
    ram::Ram,
    site::{Site, Sites, is_guest},
};

/// How many different events of a kind are written; more are counted.
const MOST: usize = 64;

/// What is written, and what is counted until the end.
#[derive(Debug)]
pub struct Report {
    writer: RecordWriter<setway_protocol::Model>,
    /// It has begun, and not ended yet. Nothing else is recorded.
    is_open: bool,
    flushes: Vec<Flush>,
    stale: HashMap<(u32, u32, Where), u64>,
    lost: HashMap<(u32, u32), u64>,
    by_va: HashMap<(bool, Op), u64>,
    set_way: HashMap<(bool, Op), u64>,
    /// What was seen of the programs that count.
    seen: Seen,
    /// Blocks that could not be watched.
    missed: u64,
}

/// Accesses that the model took part in, in AArch32 and in AArch64.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    loads: [u64; 2],
    stores: [u64; 2],
    fetches: [u64; 2],
}

/// What a hypervisor maintains on one CPU between an exit of its guest and the next entry.
#[derive(Clone, Debug, Default)]
struct Flush {
    lines: Vec<u64>,
    /// How many of the ops found a dirty line.
    dirty: u64,
    /// What the guest was about to do.
    cause: Option<&'static Site>,
}

impl Report {
    /// Nothing is recorded yet.
    pub fn new(cpus: usize) -> Self {
        Self {
            writer: RecordWriter::new(),
            is_open: false,
            flushes: vec![Flush::default(); cpus],
            stale: HashMap::new(),
            lost: HashMap::new(),
            by_va: HashMap::new(),
            set_way: HashMap::new(),
            seen: Seen::default(),
            missed: 0,
        }
    }

    /// Begins, by saying what is modelled. Nothing is left of what was before.
    pub fn begin(&mut self, options: &Options) {
        *self = Self {
            is_open: true,
            ..Self::new(self.flushes.len())
        };
        let caches = &options.caches;
        self.write(&ModelBegin {
            proto: VERSION,
            api: api::qemu_plugin_version as u64,
            schedule: format_args!("{}", caches.schedule).into(),
            cpus: caches.cpus.into(),
            line: 1 << caches.line_shift,
            sets: caches.geometry.sets.into(),
            ways: caches.geometry.ways.into(),
            system: caches.system_cache,
        });
    }

    /// Says that from here on everything is watched.
    pub fn armed(&mut self) {
        self.write(&Armed {});
    }

    fn write(&mut self, record: &impl Kind) {
        let mut line = String::new();
        // Writing to a string does not fail.
        let _ = self.writer.write(&mut line, record);
        api::log(&line);
    }

    /// Something that the model has noticed. The same again is only counted.
    pub fn event(&mut self, event: &Event, sites: &Sites, ram: &Ram) {
        match event {
            _ if !self.is_open => {}
            Event::Stale(read) => self.stale(read, sites, ram),
            Event::Lost(lost) => self.lost(lost, sites, ram),
        }
    }

    fn stale(&mut self, read: &StaleRead, sites: &Sites, ram: &Ram) {
        let stored = read.stored.map_or(Actor::NOWHERE, |(actor, _)| actor.site);
        let known = self.stale.len();
        let count = self
            .stale
            .entry((read.reader.site, stored, read.whereabouts))
            .or_insert(0);
        *count += 1;
        if *count > 1 || known >= MOST {
            return;
        }
        self.write(&record::Stale {
            by: actor(sites, read.reader),
            path: access(read.path),
            pa: Hex(ram.address(read.range.at)),
            len: read.range.len as u64,
            saw: Hex(number(&read.saw)),
            newest: Hex(number(&read.newest)),
            walk: read.walk,
            place: whereabouts(read.whereabouts),
            store: stored_by(sites, read.stored),
            then: maintained_by(sites, read.maintained),
        });
    }

    fn lost(&mut self, lost: &LostWrite, sites: &Sites, ram: &Ram) {
        let stored = lost.stored.map_or(Actor::NOWHERE, |(actor, _)| actor.site);
        let known = self.lost.len();
        let count = self.lost.entry((lost.by.site, stored)).or_insert(0);
        *count += 1;
        if *count > 1 || known >= MOST {
            return;
        }
        self.write(&record::Lost {
            by: actor(sites, lost.by),
            pa: Hex(ram.address(lost.range.at)),
            len: lost.range.len as u64,
            store: stored_by(sites, lost.stored),
            then: maintained_by(sites, lost.maintained),
        });
    }

    /// An op by VA was executed. What a host cleans to the point of unification, it does for programs of its
    /// own: no guest's data gets past the caches by that.
    pub fn maintained(&mut self, cpu: usize, guest: bool, op: Op, at: u64, dirty: bool) {
        *self.by_va.entry((guest, op)).or_insert(0) += 1;
        if self.is_open && !guest && op != Op::CleanToUnification {
            self.flushes[cpu].lines.push(at);
            self.flushes[cpu].dirty += u64::from(dirty);
        }
    }

    /// A load of `site` was prepared.
    #[inline]
    pub fn loaded(&mut self, site: &Site) {
        self.seen.loads[usize::from(site.state.aarch64)] += 1;
    }

    /// A store of `site` was taken in.
    #[inline]
    pub fn stored(&mut self, site: &Site) {
        self.seen.stores[usize::from(site.state.aarch64)] += 1;
    }

    /// A part of a block at `site` was looked at.
    pub fn fetched(&mut self, site: &Site) {
        self.seen.fetches[usize::from(site.state.aarch64)] += 1;
    }

    /// A block could not be watched.
    pub fn missed(&mut self) {
        self.missed += 1;
    }

    /// The guest is about to execute `site`.
    #[inline]
    pub fn guest_at(&mut self, cpu: usize, site: &'static Site) {
        self.flushes[cpu].cause = Some(site);
    }

    /// An op by set/way was executed, and did not trap.
    pub fn set_way(&mut self, guest: bool, op: Op) {
        *self.set_way.entry((guest, op)).or_insert(0) += 1;
    }

    /// Whether the hypervisor has maintained anything on `cpu` since the guest last ran there.
    pub fn has_flush(&self, cpu: usize) -> bool {
        !self.flushes[cpu].lines.is_empty()
    }

    /// The guest runs again on `cpu`: what its hypervisor maintained meanwhile was one flush.
    pub fn guest_goes_on(&mut self, cpu: usize, model: &mut Model, ram: &Ram) {
        let Flush {
            mut lines,
            dirty,
            cause,
        } = std::mem::take(&mut self.flushes[cpu]);
        let size = model.line_size() as u64;
        let ops = lines.len();
        lines.iter_mut().for_each(|at| *at &= !(size - 1));
        lines.sort_unstable();
        lines.dedup();
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for at in &lines {
            match ranges.last_mut() {
                Some((_, end)) if *end == *at => *end += size,
                _ => ranges.push((*at, at + size)),
            }
        }
        // What the guest has dirtied and is still not in memory.
        let missed = model
            .dirty_lines()
            .filter(|(_, stored)| is_guest(*stored))
            .map(|(at, _)| at)
            .collect::<Vec<_>>();
        let first = ranges.first().copied().unwrap_or_default();
        let last = ranges.last().copied().unwrap_or_default();
        self.write(&record::Flush {
            cpu: cpu as u64,
            pc: cause.map(|site| Hex(site.pc)),
            cause: cause.map_or(Cause::Start, cause_of),
            ops: ops as u64,
            lines: lines.len() as u64,
            twice: (ops - lines.len()) as u64,
            dirty,
            ranges: ranges.len() as u64,
            first: Hex(ram.address(first.0)),
            last: Hex(ram.address(last.1)),
            missed: missed.len() as u64,
            missed_at: missed.first().map(|at| Hex(ram.address(*at))),
        });
    }

    /// The end, with what was only counted, if there was a begin.
    pub fn end(&mut self) {
        if !self.is_open {
            return;
        }
        for (by, counts) in [
            (By::Va, self.by_va.clone()),
            (By::SetWay, self.set_way.clone()),
        ] {
            let counts = counts.into_iter();
            let mut counts: Vec<_> = counts
                .map(|((guest, op), count)| (guest, op_word(op), count))
                .collect();
            counts.sort_unstable();
            for (guest, op, count) in counts {
                self.write(&Ops {
                    by,
                    op,
                    guest,
                    count,
                });
            }
        }
        let Seen {
            loads,
            stores,
            fetches,
        } = self.seen;
        self.write(&ModelTotals {
            stale: self.stale.values().sum(),
            lost: self.lost.values().sum(),
            loads32: loads[0],
            loads64: loads[1],
            stores32: stores[0],
            stores64: stores[1],
            fetches32: fetches[0],
            fetches64: fetches[1],
            unwatched: self.missed,
        });
        let mut line = String::new();
        // Writing to a string does not fail.
        let _ = self.writer.end(&mut line);
        api::log(&line);
        self.is_open = false;
    }
}

/// How data was stored, and by whom.
fn stored_by(sites: &Sites, stored: Option<(Actor, Path)>) -> Option<Deed<Access>> {
    stored.map(|(by, path)| Deed {
        what: access(path),
        by: actor(sites, by),
    })
}

/// What was done to a line, and by whom.
fn maintained_by(
    sites: &Sites,
    maintained: Option<(Actor, Maintenance)>,
) -> Option<Deed<word::Maintenance>> {
    maintained.map(|(by, what)| Deed {
        what: maintenance(what),
        by: actor(sites, by),
    })
}

fn actor(sites: &Sites, actor: Actor) -> setway_protocol::Actor {
    setway_protocol::Actor {
        cpu: actor.cpu.into(),
        code: sites.get(actor).map(|site| Code {
            el: site.state.el.into(),
            pc: Hex(site.pc),
        }),
    }
}

/// What a guest's instruction may have trapped for.
fn cause_of(site: &Site) -> Cause {
    match site.instruction {
        Instruction::SetWay { .. } => Cause::SetWay,
        Instruction::SystemWrite(_) => Cause::Register,
        Instruction::Call => Cause::Call,
        Instruction::ByVa { .. } | Instruction::Zero { .. } => Cause::ByVa,
        _ => Cause::Other,
    }
}

/// The first eight bytes, little endian.
fn number(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_le_bytes(word)
}

fn access(path: Path) -> Access {
    match path {
        Path::WriteBack => Access::Cached,
        Path::WriteThrough => Access::WriteThrough,
        Path::NonCacheable => Access::Uncached,
        Path::Fetch => Access::Fetch,
    }
}

fn whereabouts(place: Where) -> Whereabouts {
    match place {
        Where::Cache(cpu) => Whereabouts::Cache(cpu.into()),
        Where::SystemCache => Whereabouts::SystemCache,
        Where::Memory => Whereabouts::Memory,
        Where::Lost => Whereabouts::Lost,
    }
}

fn op_word(op: Op) -> word::Op {
    match op {
        Op::Invalidate => word::Op::Invalidate,
        Op::Clean => word::Op::Clean,
        Op::CleanToUnification => word::Op::CleanPou,
        Op::CleanInvalidate => word::Op::CleanInvalidate,
    }
}

fn maintenance(what: Maintenance) -> word::Maintenance {
    use word::Maintenance::*;
    match what {
        Maintenance::ByVa(Op::Invalidate) => InvalidateVa,
        Maintenance::ByVa(Op::Clean) => CleanVa,
        Maintenance::ByVa(Op::CleanToUnification) => CleanVaPou,
        Maintenance::ByVa(Op::CleanInvalidate) => CleanInvalidateVa,
        Maintenance::SetWay(Op::Invalidate) => InvalidateSetWay,
        Maintenance::SetWay(Op::CleanInvalidate) => CleanInvalidateSetWay,
        Maintenance::SetWay(_) => CleanSetWay,
        Maintenance::Moved => Moved,
    }
}
