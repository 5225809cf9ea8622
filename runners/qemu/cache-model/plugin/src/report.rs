//! The report to the harness: records in QEMU's log, among the exceptions and so in order with them.

use std::collections::{BTreeMap, HashMap};

use setway_architecture::maintenance::{SetWayOp, VaOp};
use setway_cache_model::{Actor, Event, LostWrite, Model, Range, StaleRead, Touched, Where};
use setway_protocol::{
    Hex, Kind, MOST_NOTICES, RecordWriter, VERSION,
    record::{self, Armed, Compared, ModelBegin, ModelTotals, Ops},
    word::{self, By},
};

use crate::{
    api,
    cost::Costs,
    flush::Flush,
    options::Options,
    ram::Ram,
    site::{Site, Sites},
    words,
};

/// What is written, and what is counted until the end.
#[derive(Debug)]
pub struct Report {
    writer: RecordWriter<setway_protocol::Model>,
    /// It has begun, and not ended yet. Nothing else is recorded.
    is_open: bool,
    flushes: Vec<Flush>,
    /// What memory they touched.
    pub touched: Touched,
    stale: HashMap<(u32, u32, Where), u64>,
    lost: HashMap<(u32, u32), u64>,
    by_va: BTreeMap<(bool, word::Op), u64>,
    set_way: BTreeMap<(bool, word::Op), u64>,
    /// What was seen of the programs that count.
    seen: Seen,
    /// Blocks that could not be watched.
    missed: u64,
    /// What was compared with QEMU, if the model is.
    compared: Option<Compared>,
    /// What differed, by the place and what it was.
    differing: HashMap<(u32, word::Difference), u64>,
}

const NOTHING_COMPARED: Compared = Compared {
    loads: 0,
    stores: 0,
    fetches: 0,
    differences: 0,
};

/// Accesses that the model took part in, in AArch32 and in AArch64.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    loads: [u64; 2],
    stores: [u64; 2],
    fetches: [u64; 2],
}

impl Report {
    /// Nothing is recorded yet.
    pub fn new(cpus: usize) -> Self {
        Self {
            writer: RecordWriter::new(),
            is_open: false,
            flushes: vec![Flush::default(); cpus],
            touched: Touched::default(),
            stale: HashMap::new(),
            lost: HashMap::new(),
            by_va: BTreeMap::new(),
            set_way: BTreeMap::new(),
            seen: Seen::default(),
            missed: 0,
            compared: None,
            differing: HashMap::new(),
        }
    }

    /// Begins, by saying what is modelled. Nothing is left of what was before.
    pub fn begin(&mut self, options: &Options) {
        *self = Self {
            is_open: true,
            compared: options.compares().then_some(NOTHING_COMPARED),
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
        if *count > 1 || known >= MOST_NOTICES {
            return;
        }
        self.write(&record::Stale {
            by: words::actor(sites, read.reader),
            path: words::access(read.path),
            pa: Hex(ram.address(read.range.at)),
            len: read.range.len as u64,
            saw: Hex(words::number(&read.saw)),
            newest: Hex(words::number(&read.newest)),
            walk: read.walk,
            place: words::whereabouts(read.whereabouts),
            store: words::stored_by(sites, read.stored),
            then: words::maintained_by(sites, read.maintained),
        });
    }

    fn lost(&mut self, lost: &LostWrite, sites: &Sites, ram: &Ram) {
        let stored = lost.stored.map_or(Actor::NOWHERE, |(actor, _)| actor.site);
        let known = self.lost.len();
        let count = self.lost.entry((lost.by.site, stored)).or_insert(0);
        *count += 1;
        if *count > 1 || known >= MOST_NOTICES {
            return;
        }
        self.write(&record::Lost {
            by: words::actor(sites, lost.by),
            pa: Hex(ram.address(lost.range.at)),
            len: lost.range.len as u64,
            store: words::stored_by(sites, lost.stored),
            then: words::maintained_by(sites, lost.maintained),
        });
    }

    /// An op by VA was executed. What a host cleans to the point of unification, it does for programs of its
    /// own: no guest's data gets past the caches by that.
    pub fn maintained(&mut self, cpu: usize, guest: bool, op: VaOp, at: u64, dirty: bool) {
        *self.by_va.entry((guest, words::by_va(op))).or_insert(0) += 1;
        if self.is_open && !guest && op != VaOp::Cvau {
            self.flushes[cpu].maintain(op, at, dirty);
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
        self.flushes[cpu].guest_at(site);
    }

    /// An op by set/way was executed, and did not trap.
    pub fn set_way(&mut self, guest: bool, op: SetWayOp) {
        *self
            .set_way
            .entry((guest, words::by_set_way(op)))
            .or_insert(0) += 1;
    }

    /// Whether the hypervisor has maintained anything on `cpu` since the guest last ran there.
    pub fn has_flush(&self, cpu: usize) -> bool {
        !self.flushes[cpu].is_empty()
    }

    /// The guest runs again on `cpu`: what its hypervisor maintained meanwhile was one flush.
    pub fn guest_goes_on(&mut self, cpu: usize, model: &mut Model, ram: &Ram) {
        let flush = std::mem::take(&mut self.flushes[cpu]);
        let record = flush.record(cpu, &self.touched, model, ram);
        self.write(&record);
    }

    /// A guest calls its hypervisor, or ends: says what it has waited for since it did so last.
    pub fn costs(&mut self, costs: &mut Costs) {
        for cost in costs.take() {
            if self.is_open {
                self.write(&cost);
            }
        }
    }

    /// A load was compared.
    pub fn compared_load(&mut self) {
        if let Some(compared) = &mut self.compared {
            compared.loads += 1;
        }
    }

    /// A store was compared.
    pub fn compared_store(&mut self) {
        if let Some(compared) = &mut self.compared {
            compared.stores += 1;
        }
    }

    /// A block of code was compared.
    pub fn compared_fetch(&mut self) {
        if let Some(compared) = &mut self.compared {
            compared.fetches += 1;
        }
    }

    /// Something was otherwise in QEMU than in the model. The same again is only counted.
    pub fn differs(
        &mut self,
        what: word::Difference,
        by: Actor,
        sites: &Sites,
        at: Range,
        qemu: &[u8],
        model: &[u8],
    ) {
        let Some(compared) = &mut self.compared else {
            return;
        };
        compared.differences += 1;
        let known = self.differing.len();
        let count = self.differing.entry((by.site, what)).or_insert(0);
        *count += 1;
        if *count > 1 || known >= MOST_NOTICES {
            return;
        }
        self.write(&record::Differs {
            what,
            by: words::actor(sites, by),
            at: Hex(at.at),
            len: at.len as u64,
            qemu: Hex(words::number(qemu)),
            model: Hex(words::number(model)),
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
            for ((guest, op), count) in counts {
                self.write(&Ops {
                    by,
                    op,
                    guest,
                    count,
                });
            }
        }
        if let Some(compared) = self.compared.take() {
            self.write(&compared);
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
