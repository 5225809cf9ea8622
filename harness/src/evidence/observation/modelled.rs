//! What the cache model noticed of a run.

use std::ops::Range;

use setway_protocol::{
    Actor, Deed, MOST_NOTICES, Whereabouts, Word,
    record::{self, Message, ModelTotals},
    word::{Access, By, Cause, Maintenance, Op},
};

use super::{Cost, Gap, Maintained};
use crate::{
    catalog::isa::Isa,
    evidence::{exception_log::UPPER_HALF, transcript::Records},
};

/// The model's account of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modelled {
    /// Loads that did not see the newest data, each kind once, in order.
    pub stale: Vec<Notice>,
    /// Data that was destroyed, each kind once, in order.
    pub lost: Vec<Notice>,
    /// How many there were of each in all.
    pub stale_reads: u64,
    /// As for stale reads.
    pub lost_writes: u64,
    /// What the hypervisor maintained by VA, each time that its guest waited for it.
    pub flushes: Vec<Flush>,
    /// What the guest waited for, each time that it called.
    pub costs: Vec<Cost>,
    /// Ops that were executed and did not trap.
    pub ops: Vec<Ops>,
}

/// A place in a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The CPU.
    pub cpu: u64,
    /// The address of the instruction.
    pub pc: u64,
    /// The exception level.
    pub el: u64,
}

/// A stale read or a lost write, with what led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How many traps of the guest there had been.
    pub after: usize,
    /// Who read, or destroyed.
    pub by: Place,
    /// How it read; `None` for a loss.
    pub path: Option<Access>,
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
    /// Where these are.
    pub place: Whereabouts,
    /// Who stored to the line last, and how.
    pub store: Option<(Place, Access)>,
    /// What was done to the line since.
    pub then: Option<(Place, Maintenance)>,
}

/// One flush.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flush {
    /// How many traps of the guest there had been when it was over.
    pub after: usize,
    /// The CPU.
    pub cpu: u64,
    /// Where the guest was.
    pub pc: u64,
    /// What the guest was about to do.
    pub cause: Cause,
    /// Ops by VA.
    pub ops: u64,
    /// Ops that only clean.
    pub clean: u64,
    /// Ops that only invalidate.
    pub invalidate: u64,
    /// Lines that they covered.
    pub lines: u64,
    /// Ops on lines that had been covered before.
    pub twice: u64,
    /// Ops that found a dirty line; the others had nothing to clean.
    pub dirty: u64,
    /// Lines that they covered and that a cache still had when the guest went on. With the schedule `refill`, and
    /// with `random`, hardware may have filled them again.
    pub kept: u64,
    /// In how many ranges these lines lie.
    pub ranges: u64,
    /// Where the first begins.
    pub first: u64,
    /// Where the last ends.
    pub last: u64,
    /// Lines that the guest had dirtied and that were still dirty.
    pub missed: u64,
    /// The first of these.
    pub missed_at: u64,
    /// Lines of all blocks of 2 MiB in which the guest had accessed data by then, if that is known.
    pub touched: Option<u64>,
}

impl Modelled {
    /// Leaves out what a host's kernel at EL1 fetched: it changes its own code, and may execute the old one until
    /// it has said so to all CPUs.
    pub(super) fn leave_out_host(&mut self) {
        let host =
            |notice: &Notice| notice.by.pc >= UPPER_HALF && notice.path == Some(Access::Fetch);
        self.stale.retain(|notice| !host(notice));
    }
}

impl Modelled {
    /// The flushes that answered traps within `span`. A flush is recorded when the guest goes on, and so after the trap
    /// that it answers.
    pub fn flushes_in(&self, span: &Range<usize>) -> impl Iterator<Item = &Flush> {
        self.flushes.iter().filter(|flush| {
            flush.is_of_the_policy() && flush.after > span.start && flush.after <= span.end
        })
    }

    /// What was maintained by flushes that answered traps within `span`.
    pub fn maintained_in(&self, span: &Range<usize>) -> Maintained {
        let flushes = self.flushes_in(span);
        let mut sum = Maintained::default();
        for flush in flushes {
            sum.flushes += 1;
            sum.lines = sum.lines.saturating_add(flush.lines);
            sum.twice = sum.twice.saturating_add(flush.twice);
            sum.dirty = sum.dirty.saturating_add(flush.dirty);
            sum.missed = flush.missed;
        }
        sum
    }
}

impl Flush {
    /// Whether it answered a set/way op or a write of a VM register. What a hypervisor maintains when it
    /// maps a page, say, is something else.
    pub fn is_of_the_policy(&self) -> bool {
        matches!(self.cause, Cause::SetWay | Cause::Register)
    }
}

/// How often an op was executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ops {
    /// How it names what it acts on.
    pub by: By,
    /// What it does.
    pub op: Op,
    /// The guest executed it itself.
    pub guest: bool,
    /// How often.
    pub count: u64,
}

impl From<Actor> for Place {
    fn from(actor: Actor) -> Self {
        Self {
            cpu: actor.cpu,
            pc: actor.code.map_or(0, |code| code.pc.0),
            el: actor.code.map_or(0, |code| code.el),
        }
    }
}

/// A deed as a pair.
fn pair<W: Word>(deed: Deed<W>) -> (Place, W) {
    (deed.by.into(), deed.what)
}

impl Notice {
    /// A stale read, before which there were `after` traps.
    fn stale(stale: &record::Stale, after: usize) -> Self {
        Self {
            after,
            by: stale.by.into(),
            path: Some(stale.path),
            walk: stale.walk,
            pa: stale.pa.0,
            len: stale.len,
            saw: stale.saw.0,
            newest: stale.newest.0,
            place: stale.place,
            store: stale.store.map(pair),
            then: stale.then.map(pair),
        }
    }

    /// A lost write, before which there were `after` traps.
    fn lost(lost: &record::Lost, after: usize) -> Self {
        Self {
            after,
            by: lost.by.into(),
            path: None,
            walk: false,
            pa: lost.pa.0,
            len: lost.len,
            saw: 0,
            newest: 0,
            place: Whereabouts::Lost,
            store: lost.store.map(pair),
            then: lost.then.map(pair),
        }
    }
}

impl Flush {
    /// A flush, before the end of which there were `after` traps.
    fn of(flush: &record::Flush, after: usize) -> Self {
        Self {
            after,
            cpu: flush.cpu,
            pc: flush.pc.map_or(0, |pc| pc.0),
            cause: flush.cause,
            ops: flush.ops,
            clean: flush.clean,
            invalidate: flush.invalidate,
            lines: flush.lines,
            twice: flush.twice,
            dirty: flush.dirty,
            kept: flush.kept,
            ranges: flush.ranges,
            first: flush.first.0,
            last: flush.last.0,
            missed: flush.missed,
            missed_at: flush.missed_at.map_or(0, |at| at.0),
            touched: flush.touched,
        }
    }
}

/// A model that has seen nothing of the guest has judged nothing.
pub(super) fn watched(records: &Records, isa: Isa, gaps: &mut Vec<Gap>) {
    if !records.has_ended() {
        return;
    }
    let Some(totals) = records.of::<ModelTotals>().next() else {
        gaps.push(Gap::Unwatched("nothing".to_owned()));
        return;
    };
    let seen = match isa {
        Isa::A64 => [totals.loads64, totals.stores64, totals.fetches64],
        Isa::A32 | Isa::T32 => [totals.loads32, totals.stores32, totals.fetches32],
    };
    for (what, _) in ["loads", "stores", "fetches"]
        .into_iter()
        .zip(seen)
        .filter(|(_, seen)| *seen == 0)
    {
        gaps.push(Gap::Unwatched(format!("no {what} of the guest's")));
    }
    if totals.unwatched > 0 {
        let blocks = totals.unwatched;
        gaps.push(Gap::Unwatched(format!(
            "{blocks} blocks of code less than there were"
        )));
    }
}

/// With coherent caches, whatever is otherwise in the model than in QEMU is the model's own mistake.
pub(super) fn compared(records: &Records, gaps: &mut Vec<Gap>) {
    let Some(compared) = records.of::<record::Compared>().next() else {
        return;
    };
    if compared.differences > 0 {
        let first = records.of::<record::Differs>().next();
        gaps.push(Gap::Differs {
            count: compared.differences,
            of: compared.loads + compared.stores + compared.fetches,
            first: first.map_or_else(|| "nothing".to_owned(), difference),
        });
    }
}

/// Something that differs, for people.
fn difference(it: record::Differs) -> String {
    let pc = it.by.code.map_or(0, |code| code.pc.0);
    format!(
        "{} at {:#x}, by the instruction at {pc:#x}: QEMU has {:#x}, the model {:#x}",
        it.what, it.at.0, it.qemu.0, it.model.0
    )
}

/// An account without room for more may lack what matters.
pub(super) fn ask_for_room(records: &Records, gaps: &mut Vec<Gap>) {
    let totals = records.of::<ModelTotals>().next();
    let (stale, lost) = totals.map_or((0, 0), |it| (it.stale, it.lost));
    let is_full = |written: usize, all: u64| written >= MOST_NOTICES && all > written as u64;
    if is_full(records.of::<record::Stale>().count(), stale)
        || is_full(records.of::<record::Lost>().count(), lost)
    {
        gaps.push(Gap::Unlisted(MOST_NOTICES));
    }
}

/// The cache model's account.
pub(super) fn gather(records: &Records) -> Modelled {
    let mut modelled = Modelled::default();
    for record in &records.records {
        let after = record.after;
        match &record.message {
            Message::Flush(flush) => modelled.flushes.push(Flush::of(flush, after)),
            Message::Cost(cost) => modelled.costs.push(Cost::of(cost, after)),
            Message::Stale(stale) => modelled.stale.push(Notice::stale(stale, after)),
            Message::Lost(lost) => modelled.lost.push(Notice::lost(lost, after)),
            Message::Ops(ops) => modelled.ops.push(Ops {
                by: ops.by,
                op: ops.op,
                guest: ops.guest,
                count: ops.count,
            }),
            Message::ModelTotals(totals) => {
                modelled.stale_reads = totals.stale;
                modelled.lost_writes = totals.lost;
            }
            _ => {}
        }
    }
    modelled
}
