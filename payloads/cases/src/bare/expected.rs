//! What a program on the bare machine sees.
//!
//! That depends on what the implementation does where the architecture leaves it free (DDI 0487, "The effects of
//! speculation on caches"): on the *schedule* by which hardware evicts, fills and moves lines of its own accord,
//! and on whether there is a system cache, which ops by set/way do not reach. A machine with the cache model
//! states both. So a case states for each such machine whether its loads see the data that was stored last, or
//! what was there before.

use core::fmt;

/// What a load sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    /// The data stored last.
    #[default]
    Fresh,
    /// The data from before.
    Stale,
}

impl Expected {
    /// The word for it on command lines.
    pub const fn name(self) -> &'static str {
        match self {
            Expected::Fresh => "fresh",
            Expected::Stale => "stale",
        }
    }

    /// The one called `name`.
    pub fn by_name(name: &str) -> Option<Expected> {
        [Expected::Fresh, Expected::Stale]
            .into_iter()
            .find(|expected| expected.name() == name)
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the loads of a case see, by the schedules that leave nothing to chance.
#[derive(Clone, Copy, Debug)]
pub struct BySchedule {
    /// Where hardware does nothing of its own accord.
    pub lazy: Expected,
    /// Where it evicts dirty lines at once.
    pub eager: Expected,
    /// Where it fills maintained lines again at once.
    pub refill: Expected,
    /// Where it moves dirty lines to another CPU, away from ops by set/way.
    pub migrate: Expected,
}

/// What the loads of a case see on each machine.
#[derive(Clone, Copy, Debug)]
pub struct Expectations {
    /// With private caches only.
    pub private: BySchedule,
    /// With a system cache as well.
    pub with_system_cache: BySchedule,
}

use Expected::{Fresh, Stale};

const ALL_FRESH: BySchedule = BySchedule {
    lazy: Fresh,
    eager: Fresh,
    refill: Fresh,
    migrate: Fresh,
};
const ALL_STALE: BySchedule = BySchedule {
    lazy: Stale,
    eager: Stale,
    refill: Stale,
    migrate: Stale,
};
const FRESH_IF_EVICTED: BySchedule = BySchedule {
    eager: Fresh,
    ..ALL_STALE
};

const fn always(private: BySchedule) -> Expectations {
    Expectations {
        private,
        with_system_cache: private,
    }
}

/// Data that nothing keeps from memory.
pub const FRESH: Expectations = always(ALL_FRESH);
/// Data that nothing takes there.
pub const STALE: Expectations = always(ALL_STALE);
/// Data that only an early eviction takes to memory.
pub const IF_EVICTED: Expectations = always(FRESH_IF_EVICTED);
/// Data that an op takes as far as the system cache, if there is one.
pub const TO_SYSTEM_CACHE: Expectations = Expectations {
    private: ALL_FRESH,
    with_system_cache: FRESH_IF_EVICTED,
};
/// The same, and away from which lines may move.
pub const UNLESS_MOVED: Expectations = Expectations {
    private: BySchedule {
        migrate: Stale,
        ..ALL_FRESH
    },
    with_system_cache: FRESH_IF_EVICTED,
};
/// Data that an op destroys where it is dirty.
pub const IF_CLEAN: Expectations = always(BySchedule {
    migrate: Fresh,
    ..FRESH_IF_EVICTED
});
/// The same by VA, which lines cannot move away from.
pub const IF_CLEAN_BY_VA: Expectations = IF_EVICTED;
/// Data that is seen unless an old line has come back.
pub const UNLESS_REFILLED: Expectations = always(BySchedule {
    refill: Stale,
    ..ALL_FRESH
});
/// Data of which a system cache, if there is one, still holds what was there before.
pub const WITHOUT_SYSTEM_CACHE: Expectations = Expectations {
    private: ALL_FRESH,
    with_system_cache: ALL_STALE,
};
