//! What the harness is told: records in QEMU's log, among the exceptions and so in order with them.

use std::collections::HashMap;

use setway_architecture::decode::Instruction;
use setway_cache_model::{Actor, Event, LostWrite, Maintenance, Model, Op, Path, StaleRead, Where};
use setway_protocol::{RecordWriter, Stream, VERSION, Value, Value::*, kind};

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
    writer: RecordWriter,
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
            writer: RecordWriter::new(Stream::Model),
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
        self.write(
            kind::BEGIN,
            &[
                ("proto", Count(VERSION)),
                ("api", Count(api::qemu_plugin_version as u64)),
                ("schedule", Args(format_args!("{}", caches.schedule))),
                ("cpus", Count(caches.cpus.into())),
                ("line", Count(1 << caches.line_shift)),
                ("sets", Count(caches.geometry.sets.into())),
                ("ways", Count(caches.geometry.ways.into())),
                ("system", Count(caches.system_cache.into())),
            ],
        );
    }

    /// Says that from here on everything is watched.
    pub fn armed(&mut self) {
        self.write(kind::ARMED, &[]);
    }

    fn write(&mut self, kind: &str, fields: &[(&str, Value<'_>)]) {
        let mut line = String::new();
        // Writing to a string does not fail.
        let _ = self.writer.write(&mut line, kind, fields);
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
        let mut fields = vec![
            ("cpu", Count(read.reader.cpu.into())),
            ("pc", Hex(pc(sites, read.reader))),
            ("el", Count(el(sites, read.reader))),
            ("path", Text(path_name(read.path))),
            ("pa", Hex(ram.address(read.range.at))),
            ("len", Count(read.range.len as u64)),
            ("saw", Hex(number(&read.saw))),
            ("newest", Hex(number(&read.newest))),
            ("walk", Count(read.walk.into())),
            ("in", Text(where_name(read.whereabouts))),
        ];
        if let Where::Cache(cpu) = read.whereabouts {
            fields.push(("in_cpu", Count(cpu.into())));
        }
        history(&mut fields, sites, read.stored, read.maintained);
        self.write(kind::STALE, &fields);
    }

    fn lost(&mut self, lost: &LostWrite, sites: &Sites, ram: &Ram) {
        let stored = lost.stored.map_or(Actor::NOWHERE, |(actor, _)| actor.site);
        let known = self.lost.len();
        let count = self.lost.entry((lost.by.site, stored)).or_insert(0);
        *count += 1;
        if *count > 1 || known >= MOST {
            return;
        }
        let mut fields = vec![
            ("cpu", Count(lost.by.cpu.into())),
            ("pc", Hex(pc(sites, lost.by))),
            ("el", Count(el(sites, lost.by))),
            ("pa", Hex(ram.address(lost.range.at))),
            ("len", Count(lost.range.len as u64)),
        ];
        history(&mut fields, sites, lost.stored, lost.maintained);
        self.write(kind::LOST, &fields);
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
        self.write(
            kind::FLUSH,
            &[
                ("cpu", Count(cpu as u64)),
                ("pc", Hex(cause.map_or(0, |site| site.pc))),
                ("cause", Text(cause.map_or("start", cause_name))),
                ("ops", Count(ops as u64)),
                ("lines", Count(lines.len() as u64)),
                ("twice", Count((ops - lines.len()) as u64)),
                ("dirty", Count(dirty)),
                ("ranges", Count(ranges.len() as u64)),
                ("first", Hex(ram.address(first.0))),
                ("last", Hex(ram.address(last.1))),
                ("missed", Count(missed.len() as u64)),
                (
                    "missed_at",
                    Hex(missed.first().map_or(0, |at| ram.address(*at))),
                ),
            ],
        );
    }

    /// The end, with what was only counted, if there was a begin.
    pub fn end(&mut self) {
        if !self.is_open {
            return;
        }
        for (name, counts) in [
            ("va", self.by_va.clone()),
            ("set_way", self.set_way.clone()),
        ] {
            let mut counts: Vec<_> = counts.into_iter().collect();
            counts.sort_by_key(|((guest, op), _)| (*guest, op_name(*op)));
            for ((guest, op), count) in counts {
                self.write(
                    kind::OPS,
                    &[
                        ("by", Text(name)),
                        ("op", Text(op_name(op))),
                        ("guest", Count(guest.into())),
                        ("count", Count(count)),
                    ],
                );
            }
        }
        let stale = self.stale.values().sum();
        let lost = self.lost.values().sum();
        let Seen {
            loads,
            stores,
            fetches,
        } = self.seen;
        self.write(
            kind::TOTALS,
            &[
                ("stale", Count(stale)),
                ("lost", Count(lost)),
                ("loads32", Count(loads[0])),
                ("loads64", Count(loads[1])),
                ("stores32", Count(stores[0])),
                ("stores64", Count(stores[1])),
                ("fetches32", Count(fetches[0])),
                ("fetches64", Count(fetches[1])),
                ("unwatched", Count(self.missed)),
            ],
        );
        let mut line = String::new();
        // Writing to a string does not fail.
        let _ = self.writer.end(&mut line);
        api::log(&line);
        self.is_open = false;
    }
}

/// The fields about what was done to a line before.
fn history(
    fields: &mut Vec<(&str, Value<'_>)>,
    sites: &Sites,
    stored: Option<(Actor, Path)>,
    maintained: Option<(Actor, Maintenance)>,
) {
    if let Some((actor, path)) = stored {
        fields.extend([
            ("store_cpu", Count(actor.cpu.into())),
            ("store_pc", Hex(pc(sites, actor))),
            ("store_el", Count(el(sites, actor))),
            ("store_path", Text(path_name(path))),
        ]);
    }
    if let Some((actor, what)) = maintained {
        fields.extend([
            ("then", Text(maintenance_name(what))),
            ("then_cpu", Count(actor.cpu.into())),
            ("then_pc", Hex(pc(sites, actor))),
            ("then_el", Count(el(sites, actor))),
        ]);
    }
}

/// What a guest's instruction may have trapped for.
fn cause_name(site: &Site) -> &'static str {
    match site.instruction {
        Instruction::SetWay { .. } => "set-way",
        Instruction::SystemWrite(_) => "register",
        Instruction::Call => "call",
        Instruction::ByVa { .. } | Instruction::Zero { .. } => "by-va",
        _ => "other",
    }
}

fn pc(sites: &Sites, actor: Actor) -> u64 {
    sites.get(actor).map_or(0, |site| site.pc)
}

fn el(sites: &Sites, actor: Actor) -> u64 {
    sites.get(actor).map_or(0, |site| site.state.el.into())
}

/// The first eight bytes, little endian.
fn number(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_le_bytes(word)
}

fn path_name(path: Path) -> &'static str {
    match path {
        Path::WriteBack => "cached",
        Path::WriteThrough => "write-through",
        Path::NonCacheable => "uncached",
        Path::Fetch => "fetch",
    }
}

fn where_name(place: Where) -> &'static str {
    match place {
        Where::Cache(_) => "cache",
        Where::SystemCache => "system-cache",
        Where::Memory => "memory",
        Where::Lost => "lost",
    }
}

fn op_name(op: Op) -> &'static str {
    match op {
        Op::Invalidate => "invalidate",
        Op::Clean => "clean",
        Op::CleanToUnification => "clean-pou",
        Op::CleanInvalidate => "clean-invalidate",
    }
}

fn maintenance_name(what: Maintenance) -> &'static str {
    match what {
        Maintenance::ByVa(Op::Invalidate) => "invalidate-va",
        Maintenance::ByVa(Op::Clean) => "clean-va",
        Maintenance::ByVa(Op::CleanToUnification) => "clean-va-pou",
        Maintenance::ByVa(Op::CleanInvalidate) => "clean-invalidate-va",
        Maintenance::SetWay(Op::Invalidate) => "invalidate-set-way",
        Maintenance::SetWay(Op::CleanInvalidate) => "clean-invalidate-set-way",
        Maintenance::SetWay(_) => "clean-set-way",
        Maintenance::Moved => "moved",
    }
}
