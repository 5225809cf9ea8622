//! What the cache model saw of a run.

use serde::{Deserialize, Serialize};

/// The cache model's account of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CacheModel {
    /// Loads that did not see the newest data, each kind once, in order.
    pub stale: Vec<Notice>,
    /// Stores that were destroyed, each kind once, in order.
    pub lost: Vec<Notice>,
    /// How many stale reads there were in all.
    pub stale_reads: u64,
    /// How many lost writes there were in all.
    pub lost_writes: u64,
    /// The hypervisor's maintenance by VA, one entry for each time that its guest waited for it.
    pub flushes: Vec<Flush>,
    /// Maintenance ops that were executed and did not trap.
    pub ops: Vec<Ops>,
}

/// A place in a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Place {
    /// The CPU, counted from 0.
    pub cpu: u64,
    /// The virtual address of the instruction; 0 for what hardware did of its own accord.
    pub pc: u64,
    /// The exception level.
    pub el: u64,
}

/// A stale read or a lost write, with what led to it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Notice {
    /// How many traps of the guest there had been.
    pub after: u64,
    /// Who read, or destroyed.
    pub by: Place,
    /// How it read: `cached`, `uncached`, `write-through` or `fetch`; `None` for a lost write.
    pub path: Option<String>,
    /// The reader was the table walker.
    pub walk: bool,
    /// The physical address.
    pub pa: u64,
    /// How many bytes.
    pub len: u64,
    /// What the load saw: up to eight bytes, the lowest address in the lowest bits.
    pub saw: u64,
    /// What the newest bytes are, in the same form as `saw`.
    pub newest: u64,
    /// Where these are: `cache`, `system-cache`, `memory`, or `lost`.
    #[serde(rename = "in")]
    pub place: String,
    /// In which CPU's cache; `None` if in none.
    pub in_cpu: Option<u64>,
    /// Who stored to the line last, and how: `cached`, `uncached` or `write-through`; `None` if nobody did.
    pub store: Option<(Place, String)>,
    /// Who did what to the line since: the op's name, or `moved` for an op by set/way that missed the line
    /// because it had moved to another CPU's cache; `None` if nothing was done.
    pub then: Option<(Place, String)>,
}

/// The maintenance by VA for which a guest waited once.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Flush {
    /// How many traps of the guest there had been when it was over.
    pub after: u64,
    /// The CPU, counted from 0.
    pub cpu: u64,
    /// The virtual address of the guest's instruction.
    pub pc: u64,
    /// What the guest was about to do: `set-way`, `register` (a write of a system register), `call`, `by-va`,
    /// `other`; `start` before the guest runs.
    pub cause: String,
    /// Ops by VA.
    pub ops: u64,
    /// Ops that only clean; absent in documents older than the field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean: Option<u64>,
    /// Ops that only invalidate; absent in documents older than the field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalidate: Option<u64>,
    /// Cache lines that they covered.
    pub lines: u64,
    /// Ops on lines that had been covered before.
    pub twice: u64,
    /// Ops that hit a dirty line; the others had nothing to clean.
    pub dirty: u64,
    /// Lines that they covered and that a cache still had when the guest went on; absent in documents older than the
    /// field. With the schedules `refill` and `random`, hardware may have filled them again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<u64>,
    /// In how many ranges these lines lie.
    pub ranges: u64,
    /// The physical address at which the first range begins.
    pub first: u64,
    /// The physical address at which the last range ends.
    pub last: u64,
    /// Lines that the guest had dirtied and that were still dirty.
    pub missed: u64,
    /// The physical address of the first of these; 0 if there is none.
    pub missed_at: u64,
    /// Lines of all blocks of 2 MiB in which the guest had accessed data by then; absent in documents older than the
    /// field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub touched: Option<u64>,
}

/// How often a maintenance op was executed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ops {
    /// How it names a line: `va` or `set_way`.
    pub by: String,
    /// What it does: `invalidate`, `clean`, `clean-pou` (to the point of unification), `clean-invalidate`.
    pub op: String,
    /// The guest executed it itself.
    pub guest: bool,
    /// How often.
    pub count: u64,
}
