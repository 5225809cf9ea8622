//! What a case is: a row of the [catalogue](crate::CASES).

use crate::{bare::Expectations, isa::IsaName, rule::Rule};

/// One test of one rule.
#[derive(Debug)]
pub struct Case {
    /// The rule's id, and after a `/` the variant where there are several.
    pub id: &'static str,
    /// The rule it tests.
    pub rule: &'static Rule,
    /// The instruction sets it exists in.
    pub isas: &'static [IsaName],
    /// What runs beneath it.
    pub setting: Setting,
    /// How many CPUs it needs.
    pub cpus: u32,
    /// Its CPUs act at once, so that the order of what they do is chance, and one may store while another's flush goes on.
    pub at_once: bool,
    /// What must hold for it to say anything.
    pub premises: &'static [Premise],
    /// It executes no op by set/way, so that it can run where they are refused.
    pub without_set_way: bool,
    /// How many instructions each of its steps executes, at most, that may trap without being set/way ops, writes of
    /// VM registers or calls: reads of registers that a hypervisor may want to answer itself, and what it refuses.
    pub other_traps: u64,
    /// It is run only if it is asked for.
    pub hidden: bool,
}

impl Case {
    /// A guest's case of one CPU and all instruction sets, without a premise.
    pub const fn plain(id: &'static str, rule: &'static Rule) -> Self {
        Self {
            id,
            rule,
            isas: &IsaName::ALL,
            setting: Setting::Guest,
            cpus: 1,
            at_once: false,
            premises: &[],
            without_set_way: false,
            other_traps: 0,
            hidden: false,
        }
    }

    /// Whether the case says nothing, or less, where `premise` does not hold.
    pub fn needs(&self, premise: Premise) -> bool {
        self.premises().any(|own| own == premise)
    }

    /// Everything that it needs: what its row says, and ops by set/way, except for those that do without.
    pub fn premises(&self) -> impl Iterator<Item = Premise> {
        let set_way = (self.is_guest() && !self.without_set_way).then_some(Premise::SetWay);
        self.premises.iter().copied().chain(set_way)
    }

    /// Whether it says nothing, or less, without the cache model.
    pub fn needs_cache_model(&self) -> bool {
        self.needs(Premise::Caches) || self.needs(Premise::CountedCost)
    }

    /// Whether it is a guest's, under a hypervisor.
    pub const fn is_guest(&self) -> bool {
        matches!(self.setting, Setting::Guest)
    }

    /// What its loads see; `None` if the case does not depend on the machine.
    pub const fn expectations(&self) -> Option<&Expectations> {
        match &self.setting {
            Setting::Bare(Some(expectations)) => Some(expectations),
            Setting::Bare(None) | Setting::Guest => None,
        }
    }
}

/// What runs beneath a case.
#[derive(Debug)]
pub enum Setting {
    /// A hypervisor, whose guest the case is.
    Guest,
    /// Nothing: the case is at EL1 of a machine whose EL2 does not step in. What its loads see depends on what
    /// the implementation does where the architecture leaves it free; `None` if that does not matter.
    Bare(Option<Expectations>),
}

/// What must hold for a case to say anything. Machines, hypervisors' profiles and schedules say what does not
/// hold with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Premise {
    /// There are caches that can hold other data than memory: the cache model, or hardware's own. Checks of data
    /// cannot fail without.
    Caches,
    /// A read of a set/way encoding traps before it is UNDEFINED. Otherwise the CPU decides before the hypervisor
    /// can get it wrong.
    TrappedReads,
    /// Hardware evicts and fills nothing of its own accord. The case shows data that is old by right, and
    /// hardware may have renewed it.
    OnlyOwnEvictions,
    /// Writes of VM registers trap once a set/way op has set TVM.
    TvmTraps,
    /// Stage 2 leaves memory attributes to stage 1, so that the non-cacheable mapping of the arena leads past the
    /// caches.
    UncachedAlias,
    /// Instructions are fetched through the caches, at the point of unification.
    FetchesThroughCaches,
    /// A guest may debug itself by software step.
    GuestDebug,
    /// The cache model counts what is executed and what is maintained. Bounds on that cannot be broken without.
    CountedCost,
    /// The guest has an interrupt controller that payloads know.
    Interrupts,
    /// Ops by set/way are carried out, or answered; not refused as UNDEFINED.
    SetWay,
    /// All registers of the PMU are refused, PMUSERENR among them, which EL0 may read.
    PmuRefused,
    /// The CPU has ops by set/way on allocation tags, and the guest's ID registers deny it.
    Tags,
}

impl Premise {
    /// All of them.
    pub const ALL: [Premise; 12] = [
        Premise::Caches,
        Premise::TrappedReads,
        Premise::OnlyOwnEvictions,
        Premise::TvmTraps,
        Premise::UncachedAlias,
        Premise::FetchesThroughCaches,
        Premise::GuestDebug,
        Premise::CountedCost,
        Premise::Interrupts,
        Premise::SetWay,
        Premise::PmuRefused,
        Premise::Tags,
    ];

    /// The word for it in data files.
    pub const fn name(self) -> &'static str {
        match self {
            Premise::Caches => "caches",
            Premise::TrappedReads => "trapped-reads",
            Premise::OnlyOwnEvictions => "only-own-evictions",
            Premise::TvmTraps => "tvm-traps",
            Premise::UncachedAlias => "uncached-alias",
            Premise::FetchesThroughCaches => "fetches-through-caches",
            Premise::GuestDebug => "guest-debug",
            Premise::CountedCost => "counted-cost",
            Premise::Interrupts => "interrupts",
            Premise::SetWay => "set-way",
            Premise::PmuRefused => "pmu-refused",
            Premise::Tags => "tags",
        }
    }

    /// What must hold, as a line of a manual page.
    pub const fn about(self) -> &'static str {
        match self {
            Premise::Caches => {
                "caches can hold other data than memory; checks of data cannot fail without"
            }
            Premise::TrappedReads => "a read of a set/way encoding traps before it is UNDEFINED",
            Premise::OnlyOwnEvictions => "hardware evicts and fills nothing of its own accord",
            Premise::TvmTraps => "writes of VM registers trap once a set/way op has set TVM",
            Premise::UncachedAlias => {
                "stage 2 leaves memory attributes to stage 1, so that an alias leads past the caches"
            }
            Premise::FetchesThroughCaches => {
                "instructions are fetched through the caches, at the point of unification"
            }
            Premise::GuestDebug => "a guest may debug itself by software step",
            Premise::CountedCost => "the cache model counts what is executed and maintained",
            Premise::Interrupts => "the guest has an interrupt controller that payloads know",
            Premise::SetWay => "ops by set/way are carried out or answered, not refused",
            Premise::Tags => {
                "the CPU has ops by set/way on allocation tags, and the guest's ID registers deny it"
            }
            Premise::PmuRefused => {
                "all registers of the PMU are refused, PMUSERENR among them, which EL0 may read"
            }
        }
    }

    /// The premise called `name`.
    pub fn by_name(name: &str) -> Option<Premise> {
        Self::ALL.into_iter().find(|premise| premise.name() == name)
    }
}
