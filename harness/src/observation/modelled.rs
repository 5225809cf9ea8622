//! What the cache model noticed of a run.

use serde::Serialize;

use crate::engine::console::{Fault, Record};

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
