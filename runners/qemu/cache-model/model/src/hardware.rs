//! What hardware does of its own accord, by the schedule.

use rand_xoshiro::{
    SplitMix64,
    rand_core::{Rng, SeedableRng},
};

use crate::{Actor, Maintenance, Model, Schedule, memory::System};

/// When hardware has its say: before loads, and after the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Load,
    Store { cached: bool },
    Maintenance,
}

/// How many lines hardware has in mind when it acts at random.
const RECENT: usize = 32;

/// The state of the freedom.
#[derive(Clone, Debug)]
pub(crate) struct Hardware {
    schedule: Schedule,
    /// Some CPU has a cacheable mapping, so lines may be filled.
    pub(crate) may_fill: bool,
    /// Lines that were stored to or maintained lately: only with these can it matter what hardware
    /// does.
    recent: [u64; RECENT],
    used: usize,
    /// The same for the same seed.
    random: SplitMix64,
}

impl Hardware {
    pub(crate) fn new(schedule: Schedule) -> Self {
        let seed = match schedule {
            Schedule::Random(seed) => seed,
            _ => 0,
        };
        Self {
            schedule,
            may_fill: false,
            recent: [0; RECENT],
            used: 0,
            random: SplitMix64::seed_from_u64(seed),
        }
    }

    fn remember(&mut self, at: u64) {
        if !self.recent[..self.used.min(RECENT)].contains(&at) {
            self.recent[self.used % RECENT] = at;
            self.used += 1;
        }
    }

    /// Whether it matters to hardware that a line was maintained which no cache has.
    pub(crate) fn cares_for_maintenance(&self) -> bool {
        matches!(self.schedule, Schedule::Refill | Schedule::Random(_))
    }

    /// Whether loads give hardware an occasion to act.
    pub(crate) fn acts_on_loads(&self) -> bool {
        matches!(self.schedule, Schedule::Random(_))
    }

    /// Whether stores do.
    pub(crate) fn acts_on_stores(&self) -> bool {
        matches!(self.schedule, Schedule::Random(_) | Schedule::Eager)
    }
}

impl Model {
    /// Before an op by set/way of `actor` acts on the line `at`.
    pub(crate) fn hardware_before_set_way(&mut self, actor: Actor, at: u64) {
        if self.hardware.schedule == Schedule::Migrate {
            self.move_on(actor, at);
        }
    }

    /// Before a load from the line of `at`, or after something else was done to it.
    #[inline]
    pub(crate) fn hardware_acts(&mut self, actor: Actor, moment: Moment, at: u64) {
        match self.hardware.schedule {
            Schedule::Lazy | Schedule::Migrate | Schedule::Coherent => {}
            Schedule::Eager if moment == Moment::Store { cached: true } => {
                self.evict(actor.cpu, at)
            }
            Schedule::Refill if moment == Moment::Maintenance => self.speculate(actor.cpu, at),
            Schedule::Eager | Schedule::Refill => {}
            Schedule::Random(_) => self.at_random(moment, at),
        }
    }

    /// Evicts the line from every cache: what is dirty goes to the PoC.
    fn evict(&mut self, cpu: u8, at: u64) {
        let at = self.memory.line_start(at);
        let hardware = Actor::hardware(cpu);
        self.clean(hardware, at, false);
        // What is newest may be left in a clean line alone, that happened to hold the same before.
        self.watching_losses(hardware, at, |model| {
            model.take_away(at, 0);
            model.memory.page(at).line_mut(at).system = System::Absent;
        });
    }

    /// Fills the line, as `cpu` may at any time.
    fn speculate(&mut self, cpu: u8, at: u64) {
        if self.hardware.may_fill {
            self.fill(cpu, at);
        }
    }

    /// A dirty line moves to another CPU, as it does when that one speculates on a store to it. While no CPU
    /// has a cacheable mapping, none can.
    fn move_on(&mut self, actor: Actor, at: u64) {
        let at = self.memory.line_start(at);
        let to = (actor.cpu + 1) % self.config.cpus;
        if !self.hardware.may_fill
            || to == actor.cpu
            || self.memory.page(at).line(at).owner != Some(actor.cpu)
        {
            return;
        }
        self.fill(to, at);
        self.take_away(at, 1 << to);
        let line = self.memory.page(at).line_mut(at);
        line.owner = Some(to);
        line.maintained = Some((actor, Maintenance::Moved));
    }

    fn at_random(&mut self, moment: Moment, at: u64) {
        if moment != Moment::Load {
            let at = self.memory.line_start(at);
            self.hardware.remember(at);
        }
        let known = self.hardware.used.min(RECENT);
        if known == 0 {
            return;
        }
        let number = self.hardware.random.next_u64();
        let at = self.hardware.recent[(number >> 32) as usize % known];
        let cpu = (number >> 16) as u8 % self.config.cpus;
        // Now and then, and never the same at every access: one in four moments brings something.
        match number % 16 {
            0 => self.evict(cpu, at),
            1 | 2 => self.speculate(cpu, at),
            3 => match self.memory.page(at).line(at).owner {
                Some(owner) => self.move_on(Actor::hardware(owner), at),
                None => self.evict_from(cpu, at),
            },
            _ => {}
        }
    }
}
