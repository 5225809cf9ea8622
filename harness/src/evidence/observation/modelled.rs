//! What the cache model noticed of a run.

use serde::Serialize;
use setway_protocol::kind;

use super::{Gap, Maintained, Step, gather::collect};
use crate::{
    catalog::isa::Isa,
    evidence::{
        exception_log::UPPER_HALF,
        transcript::{Fault, Record, Records},
    },
};

/// The model's account of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Modelled {
    /// Loads that did not see the newest data, each kind once, in order.
    pub stale: Vec<Notice>,
    /// Data that was destroyed, likewise.
    pub lost: Vec<Notice>,
    /// How many there were of each in all.
    pub stale_reads: u64,
    /// As for stale reads.
    pub lost_writes: u64,
    /// What the hypervisor maintained by VA, each time that its guest waited for it.
    pub flushes: Vec<Flush>,
    /// Ops that were executed and did not trap.
    pub ops: Vec<Ops>,
}

/// A place in a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The CPU.
    pub cpu: u64,
    /// The address of the instruction.
    pub pc: u64,
    /// The exception level.
    pub el: u64,
}

/// A stale read or a lost write, with what led to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// How many traps of the guest there had been.
    pub after: usize,
    /// Who read, or destroyed.
    pub by: Place,
    /// How it read: `cached`, `uncached`, `write-through` or `fetch`; nothing for a loss.
    pub path: Option<String>,
    /// It was the table walker.
    pub walk: bool,
    /// The physical address.
    pub pa: u64,
    /// How many bytes.
    pub len: u64,
    /// What the load saw, up to eight bytes.
    pub saw: u64,
    /// What the newest bytes are.
    pub newest: u64,
    /// Where these are: `cache`, `system-cache`, `memory`, or `lost`.
    #[serde(rename = "in")]
    pub place: String,
    /// In which CPU's cache.
    pub in_cpu: Option<u64>,
    /// Who stored to the line last, and how.
    pub store: Option<(Place, String)>,
    /// What was done to the line since.
    pub then: Option<(Place, String)>,
}

/// One flush.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flush {
    /// How many traps of the guest there had been when it was over.
    pub after: usize,
    /// The CPU.
    pub cpu: u64,
    /// Where the guest was.
    pub pc: u64,
    /// What the guest was about to do: `set-way`, `register` (a write of a system register), `call`,
    /// `by-va`, `other`; `start` before the guest runs.
    pub cause: String,
    /// Ops by VA.
    pub ops: u64,
    /// Lines that they covered.
    pub lines: u64,
    /// Ops on lines that had been covered before.
    pub twice: u64,
    /// Ops that found a dirty line: all others were in vain.
    pub dirty: u64,
    /// In how many ranges these lines lie.
    pub ranges: u64,
    /// Where the first begins.
    pub first: u64,
    /// Where the last begins.
    pub last: u64,
    /// Lines that the guest had dirtied and that were still dirty.
    pub missed: u64,
    /// The first of these.
    pub missed_at: u64,
}

impl Modelled {
    /// Leaves out what a host's kernel at EL1 fetched: it changes its own code, and may execute the old one until
    /// it has said so to all CPUs.
    pub(super) fn leave_out_host(&mut self) {
        let host =
            |notice: &Notice| notice.by.pc >= UPPER_HALF && notice.path.as_deref() == Some("fetch");
        self.stale.retain(|notice| !host(notice));
    }
}

impl Flush {
    /// Whether it answered a set/way op or a write of a VM register. What a hypervisor maintains when it
    /// maps a page, say, is something else.
    pub fn is_of_the_policy(&self) -> bool {
        ["set-way", "register"].contains(&self.cause.as_str())
    }
}

/// How often an op was executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ops {
    /// `va` or `set_way`.
    pub by: String,
    /// What it does.
    pub op: String,
    /// The guest executed it itself.
    pub guest: bool,
    /// How often.
    pub count: u64,
}

impl Notice {
    /// Reads a `stale` record.
    pub(super) fn stale(record: &Record, after: usize) -> Result<Self, Fault> {
        Ok(Self {
            path: Some(record.text("path")?.to_owned()),
            walk: record.number("walk")? != 0,
            saw: record.number("saw")?,
            newest: record.number("newest")?,
            place: record.text("in")?.to_owned(),
            in_cpu: record.number("in_cpu").ok(),
            ..Self::lost(record, after)?
        })
    }

    /// Reads a `lost` record.
    pub(super) fn lost(record: &Record, after: usize) -> Result<Self, Fault> {
        let place = |prefix: &str| {
            let number = |name: &str| record.number(&format!("{prefix}{name}"));
            Ok::<_, Fault>(Place {
                cpu: number("cpu")?,
                pc: number("pc")?,
                el: number("el").unwrap_or_default(),
            })
        };
        Ok(Self {
            after,
            by: place("")?,
            path: None,
            walk: false,
            pa: record.number("pa")?,
            len: record.number("len")?,
            saw: 0,
            newest: 0,
            place: "lost".to_owned(),
            in_cpu: None,
            store: match record.text("store_path") {
                Ok(path) => Some((place("store_")?, path.to_owned())),
                Err(_) => None,
            },
            then: match record.text("then") {
                Ok(what) => Some((place("then_")?, what.to_owned())),
                Err(_) => None,
            },
        })
    }
}

impl Flush {
    /// Reads a `flush` record, before which there were `after` traps.
    pub(super) fn read(record: &Record, after: usize) -> Result<Self, Fault> {
        Ok(Self {
            after,
            cpu: record.number("cpu")?,
            pc: record.number("pc")?,
            cause: record.text("cause")?.to_owned(),
            ops: record.number("ops")?,
            lines: record.number("lines")?,
            twice: record.number("twice")?,
            dirty: record.number("dirty")?,
            ranges: record.number("ranges")?,
            first: record.number("first")?,
            last: record.number("last")?,
            missed: record.number("missed")?,
            missed_at: record.number("missed_at")?,
        })
    }
}

impl Ops {
    /// Reads an `ops` record.
    pub(super) fn read(record: &Record) -> Result<Self, Fault> {
        Ok(Self {
            by: record.text("by")?.to_owned(),
            op: record.text("op")?.to_owned(),
            guest: record.number("guest")? != 0,
            count: record.number("count")?,
        })
    }
}

/// Adds to a step what was maintained for it. Where the hypervisor does not say how often it flushed,
/// that is how often it did.
pub(super) fn maintained(step: &mut Step, modelled: &Modelled) {
    // A flush is recorded when the guest goes on, and so behind the trap that it answers.
    let flushes = modelled.flushes.iter().filter(|flush| {
        flush.is_of_the_policy() && flush.after > step.span.start && flush.after <= step.span.end
    });
    let mut sum = Maintained::default();
    for flush in flushes {
        sum.flushes += 1;
        sum.lines += flush.lines;
        sum.twice += flush.twice;
        sum.dirty += flush.dirty;
        sum.missed = flush.missed;
    }
    step.maintained = Some(sum);
    step.observed.flush.get_or_insert(sum.flushes);
}

/// A model that has seen nothing of the guest has judged nothing.
pub(super) fn watched(records: &Records, isa: Isa, gaps: &mut Vec<Gap>) {
    if !records.ended() {
        return;
    }
    let width = match isa {
        Isa::A64 => 64,
        Isa::A32 | Isa::T32 => 32,
    };
    let total = |name: &str| {
        let mut totals = records.of(kind::TOTALS);
        totals.find_map(|totals| totals.number(name).ok())
    };
    for what in ["loads", "stores", "fetches"] {
        if total(&format!("{what}{width}")).unwrap_or_default() == 0 {
            gaps.push(Gap::Unwatched(format!("no {what} of the guest's")));
        }
    }
    match total("unwatched") {
        Some(0) => {}
        Some(blocks) => gaps.push(Gap::Unwatched(format!(
            "{blocks} blocks of code less than there were"
        ))),
        None => gaps.push(Gap::Unwatched("nothing".to_owned())),
    }
}

/// The cache model's account; `positions` has the number of traps before each of its records.
pub(super) fn gather(
    records: &Records,
    positions: impl Iterator<Item = usize>,
    gaps: &mut Vec<Gap>,
) -> Modelled {
    let total = |name: &str| {
        let mut totals = records.of(kind::TOTALS);
        totals
            .find_map(|totals| totals.number(name).ok())
            .unwrap_or_default()
    };
    let mut modelled = Modelled {
        stale_reads: total("stale"),
        lost_writes: total("lost"),
        ops: collect(records, kind::OPS, Ops::read, gaps),
        ..Modelled::default()
    };
    for (record, after) in records.records.iter().zip(positions) {
        let read = match record.kind.as_str() {
            kind::FLUSH => Flush::read(record, after).map(|flush| modelled.flushes.push(flush)),
            kind::STALE => Notice::stale(record, after).map(|notice| modelled.stale.push(notice)),
            kind::LOST => Notice::lost(record, after).map(|notice| modelled.lost.push(notice)),
            _ => Ok(()),
        };
        gaps.extend(read.err().map(Gap::from));
    }
    modelled
}
