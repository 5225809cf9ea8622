//! What the cache model noticed, in words: which store was lost, and which op was missing where.
//!
//! The addresses are named here, while the images are at hand: a report must be readable without them.

use std::cell::OnceCell;

use setway_protocol::{
    Whereabouts, Word as _,
    word::{Access, Maintenance},
};

use super::symbols::Symbols;
use crate::{
    evidence::observation::{Bases, Flush, Modelled, Notice, Observation, Place},
    judge::outcome::Outcome,
    report::build::Tested,
};

/// How many lines of the story are kept.
const LINES: usize = 24;

/// Names addresses of one run's guest and hypervisor.
struct Names<'a> {
    tested: &'a dyn Tested,
    outcome: &'a Outcome,
    bases: Bases,
    guest: OnceCell<Symbols>,
    hypervisor: OnceCell<Symbols>,
}

impl Names<'_> {
    /// The code at `pc`, which runs at exception level `el`.
    fn name(&self, el: u64, pc: u64) -> String {
        let (guest, hypervisor) = self.tested.executables(&self.outcome.run);
        let (base, file, symbols) = match el {
            0 | 1 => (self.bases.guest, guest, &self.guest),
            _ => (self.bases.hypervisor, hypervisor, &self.hypervisor),
        };
        let named = match (base, file) {
            (Some(base), Some(file)) => {
                let symbols = symbols.get_or_init(|| Symbols::read(file));
                pc.checked_sub(base).and_then(|offset| symbols.name(offset))
            }
            _ => None,
        };
        match named {
            Some(name) => format!("`{name}`"),
            None => format!("{pc:#x}"),
        }
    }

    /// Whether two stale reads are the same mistake: of one function, with the same fate.
    fn alike(&self, a: &Notice, b: &Notice) -> bool {
        let function = |place: Place| {
            let name = self.name(place.el, place.pc);
            name.split('+').next().map(str::to_owned)
        };
        let fate = |notice: &Notice| {
            let store = notice
                .store
                .as_ref()
                .map(|(place, path)| (function(*place), *path));
            let then = notice
                .then
                .as_ref()
                .map(|(place, what)| (function(*place), *what));
            (function(notice.by), notice.path, notice.place, store, then)
        };
        a.after == b.after && fate(a) == fate(b)
    }

    fn place(&self, place: Place) -> String {
        format!(
            "{} (CPU {}, EL{})",
            self.name(place.el, place.pc),
            place.cpu,
            place.el
        )
    }
}

/// What happened to data in a run, in order, a line each; empty if all went well.
pub fn story(tested: &dyn Tested, outcome: &Outcome) -> Vec<String> {
    let Some(observation) = &outcome.observation else {
        return Vec::new();
    };
    let Some(modelled) = &observation.modelled else {
        return Vec::new();
    };
    if modelled.stale.is_empty() && modelled.lost.is_empty() {
        return Vec::new();
    }
    let names = Names {
        tested,
        outcome,
        bases: observation.bases,
        guest: OnceCell::new(),
        hypervisor: OnceCell::new(),
    };
    let mut lines = timeline(&names, observation, modelled);
    let more = lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    if more > 0 {
        lines.push(format!("and {more} more lines"));
    }
    lines.push(format!(
        "in all {} stale reads and {} lost writes",
        modelled.stale_reads, modelled.lost_writes
    ));
    lines
}

/// Steps, flushes, stale reads and lost writes, by the number of traps before them.
fn timeline(names: &Names, observation: &Observation, modelled: &Modelled) -> Vec<String> {
    let steps = observation.steps.iter().enumerate();
    let steps = steps.map(|(n, step)| (step.span.start, format!("step {n}, {}", step.name)));
    // Flushes before the first step only show that the guest has started.
    let first_step = observation.steps.first().map_or(0, |step| step.span.start);
    let flushes = modelled.flushes.iter();
    let flushes = flushes.filter(|it| it.is_of_the_policy() && it.after >= first_step);
    let flushes = flushes.map(|flush| (flush.after, flushed(names, flush)));
    let lost = modelled
        .lost
        .iter()
        .map(|lost| (lost.after, destroyed(names, lost)));
    let alike = modelled.stale.chunk_by(|a, b| names.alike(a, b));
    let stale = alike.map(|alike| {
        let more = match alike.len() {
            1 => String::new(),
            many => format!(" (and {} more like it)", many - 1),
        };
        (alike[0].after, stale(names, &alike[0]) + &more)
    });
    let mut all: Vec<(usize, String)> = steps.chain(flushes).chain(lost).chain(stale).collect();
    all.sort_by_key(|(after, _)| *after);
    all.into_iter().map(|(_, text)| text).collect()
}

fn flushed(names: &Names, flush: &Flush) -> String {
    let missed = match flush.missed {
        0 => String::new(),
        lines => format!(
            "; {lines} of the guest's dirty lines left uncleaned, the first at {:#x}",
            flush.missed_at
        ),
    };
    format!(
        "flush for {}: {} lines{}{missed}",
        names.name(1, flush.pc),
        flush.lines,
        match flush.twice {
            0 => String::new(),
            twice => format!(", {twice} of them twice"),
        }
    )
}

/// "load at … saw …; the newer … sits dirty in CPU 1's cache since …; nothing cleaned it".
fn stale(names: &Names, read: &Notice) -> String {
    let what = match read.path {
        _ if read.walk => "table walk for",
        Some(Access::Fetch) => "fetch at",
        Some(Access::Uncached) => "load past the cache at",
        _ => "load at",
    };
    let newest = format!("the newer {:#x}", read.newest);
    let place = match read.place {
        Whereabouts::Cache(cpu) => format!("{newest} is in CPU {cpu}'s cache"),
        Whereabouts::SystemCache => format!("{newest} is in the system cache"),
        Whereabouts::Memory => format!("{newest} is in memory, hidden by an older line in a cache"),
        Whereabouts::Lost => format!("{newest} is gone"),
    };
    format!(
        "{what} {} saw {:#x} at {:#x}; {place}, stored by {}; {}",
        names.place(read.by),
        read.saw,
        read.pa,
        stored(names, read),
        missing(names, read)
    )
}

fn destroyed(names: &Names, lost: &Notice) -> String {
    format!(
        "{} bytes at {:#x}, stored by {}, were destroyed at {}",
        lost.len,
        lost.pa,
        stored(names, lost),
        match lost.by.pc {
            0 => format!("an eviction from CPU {}'s cache", lost.by.cpu),
            _ => names.place(lost.by),
        }
    )
}

fn stored(names: &Names, notice: &Notice) -> String {
    match &notice.store {
        Some((place, Access::Uncached)) => {
            format!("{} past the cache", names.place(*place))
        }
        Some((place, _)) => names.place(*place),
        None => "nobody".to_owned(),
    }
}

/// Which op was missing, or did not do.
fn missing(names: &Names, read: &Notice) -> String {
    let Some((place, what)) = read.then else {
        return match read.place {
            Whereabouts::Memory => "nothing invalidated the old line".to_owned(),
            _ => "nothing cleaned it".to_owned(),
        };
    };
    let at = names.place(place);
    match (what, read.place) {
        (Maintenance::Moved, _) => format!(
            "the op by set/way at {at} missed it, because the line had moved to another CPU"
        ),
        (what, Whereabouts::SystemCache) if what.is_set_way() => {
            format!("the op by set/way at {at} cleaned it only to that level")
        }
        (Maintenance::CleanVaPou, _) => {
            format!("the clean to the PoU at {at} cleaned it only to that level")
        }
        (Maintenance::CleanVa, Whereabouts::Memory) => {
            format!("the clean at {at} left the old line where it was")
        }
        (what, _) => {
            let what = what.name().replace('-', " ");
            format!("the {what} at {at} had no effect on it")
        }
    }
}
