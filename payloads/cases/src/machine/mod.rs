//! Cases without a hypervisor: what the caches themselves do, natively, to a program at EL1.
//!
//! They test the machine that the other cases stand on, so they have a catalogue of their own. What a
//! program sees there depends on what hardware makes of its freedom (DDI 0487, "The effects of
//! speculation on caches"), and a machine with the cache model says what that is. So each row says for
//! each such machine whether the program sees the data that it stored last, or what was there before.

mod operations;

pub use operations::{Buffer, ByVa, Machine, Window};

use crate::{
    Context,
    bodies::{
        machine::{cost, cpus, fetch, set_way, switch, va, walk},
        random,
    },
    catalogue::Case,
    isa::{IsaName, IsaName::*, SetWay},
    rule::{self, Rule},
};
use core::fmt;

/// What a load sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// The data stored last.
    #[default]
    Fresh,
    /// The data from before.
    Stale,
}

impl Outcome {
    /// The word for it on command lines.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Fresh => "fresh",
            Outcome::Stale => "stale",
        }
    }

    /// The one called `name`.
    pub fn by_name(name: &str) -> Option<Outcome> {
        [Outcome::Fresh, Outcome::Stale]
            .into_iter()
            .find(|outcome| outcome.name() == name)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What hardware makes of its freedom, as far as it leaves nothing to chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// It does nothing of its own accord.
    Lazy,
    /// It evicts dirty lines at once.
    Eager,
    /// It fills maintained lines again at once.
    Refill,
    /// It moves dirty lines to another CPU, away from ops by set/way.
    Migrate,
}

/// The outcome on each machine: by habit, without and with a system cache.
pub type Outcomes = [[Outcome; 4]; 2];

/// A case for the bare machine.
#[derive(Debug)]
pub struct MachineCase {
    /// As for any case.
    pub case: Case,
    /// What its loads see; nothing if it does not depend on the machine.
    pub outcomes: Option<Outcomes>,
    /// It is run only if it is asked for.
    pub hidden: bool,
    /// It says nothing where fetches find what is newest whatever the caches hold.
    pub needs_fetches: bool,
}

impl MachineCase {
    /// What the loads see on a machine of this habit; `None` if that does not matter.
    pub fn outcome(&self, habit: Habit, system_cache: bool) -> Option<Outcome> {
        Some(self.outcomes?[usize::from(system_cache)][habit as usize])
    }

    /// The machine case called `id`.
    pub fn by_id(id: &str) -> Option<&'static MachineCase> {
        MACHINE_CASES.iter().find(|it| it.case.id == id)
    }
}

const ALL: &[IsaName] = &[A64, A32, T32];
const F: Outcome = Outcome::Fresh;
const S: Outcome = Outcome::Stale;

/// Of cases that see the same whatever the machine.
const FRESH: Option<Outcomes> = Some([[F; 4]; 2]);
const STALE: Option<Outcomes> = Some([[S; 4]; 2]);
/// Data that only an early eviction takes to memory.
const IF_EVICTED: Option<Outcomes> = Some([[S, F, S, S]; 2]);
/// Data that an op takes as far as the system cache, if there is one.
const TO_SYSTEM_CACHE: Option<Outcomes> = Some([[F, F, F, F], [S, F, S, S]]);
/// The same, and away from which lines may move.
const UNLESS_MOVED: Option<Outcomes> = Some([[F, F, F, S], [S, F, S, S]]);
/// Data that an op destroys where it is dirty.
const IF_CLEAN: Option<Outcomes> = Some([[S, F, S, F]; 2]);
/// The same by VA, which lines cannot move away from.
const IF_CLEAN_BY_VA: Option<Outcomes> = IF_EVICTED;
/// Data that is seen unless an old line has come back.
const UNLESS_REFILLED: Option<Outcomes> = Some([[F, F, S, F]; 2]);
/// Data behind which the system cache, if there is one, keeps the old.
const BUT_FOR_SYSTEM_CACHE: Option<Outcomes> = Some([[F; 4], [S; 4]]);

/// Random programs have no outcome of their own: who asks for them knows what they should see.
static MCH_RANDOM: Rule = Rule {
    id: "MCH-RANDOM",
    title: "a random program sees what a simple model of the caches says",
    source: "the cache model's slow twin",
    kind: rule::Kind::Machine,
};

/// What takes time, to be measured.
static MCH_COST: Rule = Rule {
    id: "MCH-COST",
    title: "a loop comes to its end",
    source: "none: it is there to be timed",
    kind: rule::Kind::Machine,
};

macro_rules! catalogue {
    ($($id:literal $rule:path, $outcomes:expr, [$($option:ident = $value:expr),*] => $body:expr;)*) => {
        /// Every machine case, in the order of reports.
        pub static MACHINE_CASES: &[MachineCase] = &[$({
            #[allow(unused_mut, reason = "most cases set no option")]
            let mut options = Options { vcpus: 1, hidden: false, needs_fetches: false };
            $(options.$option = $value;)*
            MachineCase {
                case: Case {
                    id: $id, rule: &$rule, isas: ALL, vcpus: options.vcpus,
                    needs_cache_model: true, lazy_only: false, needs_trapped_reads: false,
                },
                outcomes: $outcomes,
                hidden: options.hidden,
                needs_fetches: options.needs_fetches,
            }
        }),*];

        /// What the machine case called `id` does.
        pub fn machine_body<I: Machine>(id: &str) -> Option<fn(&mut Context<I>)> {
            match id {
                $($id => Some($body),)*
                _ => None,
            }
        }
    };
}

/// What a row may say besides.
struct Options {
    vcpus: u32,
    hidden: bool,
    needs_fetches: bool,
}

catalogue! {
    "MCH-NONE/past" rule::MCH_NONE, IF_EVICTED, [] => va::stored_only;
    "MCH-NONE/off" rule::MCH_NONE, IF_EVICTED, [] => switch::stored_then_off;
    "MCH-NONE/alias" rule::MCH_NONE, STALE, [] => va::stored_past_a_line;

    "MCH-SW/csw" rule::MCH_SW, UNLESS_MOVED, [] => |cx| set_way::cleaned(cx, SetWay::Clean);
    "MCH-SW/cisw" rule::MCH_SW, UNLESS_MOVED, [] => |cx| set_way::cleaned(cx, SetWay::CleanInvalidate);
    "MCH-SW/csw-off" rule::MCH_SW, UNLESS_MOVED, [] => set_way::cleaned_then_off;
    "MCH-SW/csw-early" rule::MCH_SW, IF_EVICTED, [] => set_way::cleaned_too_early;
    "MCH-SW/off-cisw" rule::MCH_SW, TO_SYSTEM_CACHE, [] => set_way::off_then_cleaned;
    "MCH-SW/isw" rule::MCH_SW, IF_CLEAN, [] => set_way::destroyed;
    "MCH-SW/off-isw" rule::MCH_SW, BUT_FOR_SYSTEM_CACHE, [] => set_way::dropped_while_off;
    "MCH-SW/other-level" rule::MCH_SW, IF_EVICTED, [] => set_way::other_level;
    "MCH-SW/other-set" rule::MCH_SW, IF_EVICTED, [] => set_way::other_set;

    "MCH-VA/cvac" rule::MCH_VA, FRESH, [] => |cx| va::maintained(cx, ByVa::Clean);
    "MCH-VA/civac" rule::MCH_VA, FRESH, [] => |cx| va::maintained(cx, ByVa::CleanInvalidate);
    "MCH-VA/cvau" rule::MCH_VA, TO_SYSTEM_CACHE, [] => |cx| va::maintained(cx, ByVa::CleanToUnification);
    "MCH-VA/ivac" rule::MCH_VA, IF_CLEAN_BY_VA, [] => va::destroyed;
    "MCH-VA/survives" rule::MCH_VA, FRESH, [] => va::survives;

    "MCH-SWITCH/on" rule::MCH_SWITCH, STALE, [] => switch::old_line;
    "MCH-SWITCH/ivac-on" rule::MCH_SWITCH, FRESH, [] => switch::old_line_dropped;
    "MCH-SWITCH/off-civac" rule::MCH_SWITCH, FRESH, [] => switch::flushed_while_off;

    "MCH-FILL/civac-off" rule::MCH_FILL, UNLESS_REFILLED, [] => switch::flushed_too_early;
    "MCH-FILL/alias" rule::MCH_FILL, UNLESS_REFILLED, [] => va::stored_past_a_flushed_line;
    "MCH-FILL/other-cpu" rule::MCH_FILL, UNLESS_REFILLED, [vcpus = 2] => cpus::filled_by_the_other;

    "MCH-WALK/dirty" rule::MCH_WALK, IF_EVICTED, [] => |cx| walk::changed(cx, false, false);
    "MCH-WALK/cvac" rule::MCH_WALK, FRESH, [] => |cx| walk::changed(cx, false, true);
    "MCH-WALK/cached" rule::MCH_WALK, FRESH, [] => |cx| walk::changed(cx, true, false);

    "MCH-FETCH/dirty" rule::MCH_FETCH, IF_EVICTED, [needs_fetches = true] => |cx| fetch::replaced(cx, false);
    "MCH-FETCH/cvau" rule::MCH_FETCH, FRESH, [needs_fetches = true] => |cx| fetch::replaced(cx, true);

    "MCH-CPU/snoop" rule::MCH_CPU, FRESH, [vcpus = 2] => cpus::loaded_by_the_other;
    "MCH-CPU/csw" rule::MCH_CPU, IF_EVICTED, [vcpus = 2] => cpus::cleaned_by_the_other;
    "MCH-CPU/cvac" rule::MCH_CPU, FRESH, [vcpus = 2] => cpus::cleaned_by_va_by_the_other;

    "MCH-RANDOM" MCH_RANDOM, None, [hidden = true] => random::programs;
    "MCH-COST/compute" MCH_COST, None, [hidden = true] => cost::compute;
    "MCH-COST/memory" MCH_COST, None, [hidden = true] => cost::memory;
}
