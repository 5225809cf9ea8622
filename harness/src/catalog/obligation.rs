//! What each case owes, from `expectations/obligations/*.toml`: its steps with the counts that they demand, and its
//! checks in order with the value that is right.
//!
//! What a guest reports of itself is its own word: a payload that stops after its first check, or compares a value
//! with itself, would be right every time. So this stands on the host's side, and
//! [`crate::judge::obligation`] holds every run to it.

mod file;
pub mod want;

use std::collections::BTreeMap;

use setway_protocol::word::CheckKind;

use super::isa::Isa;

pub use want::{Want, number};

/// What every case owes in every instruction set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Obligations {
    cases: BTreeMap<(String, Isa), Obligation>,
}

impl Obligations {
    /// What `case` owes in `isa`.
    pub fn of(&self, case: &str, isa: Isa) -> Option<&Obligation> {
        self.cases.get(&(case.to_owned(), isa))
    }

    /// Has `case` owe this in `isa`. Returns what it owed before.
    pub fn set(&mut self, case: &str, isa: Isa, owed: Obligation) -> Option<Obligation> {
        self.cases.insert((case.to_owned(), isa), owed)
    }
}

/// What a case owes in one instruction set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Obligation {
    /// Its steps, in order.
    pub steps: Vec<OwedStep>,
    /// Its checks, in order.
    pub checks: Vec<OwedCheck>,
}

/// A step that a case owes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwedStep {
    /// What the guest does.
    pub name: String,
    /// How many set/way ops it demands.
    pub set_way: Ops,
    /// How many writes of VM registers it demands.
    pub vm_reg: u64,
    /// How many flushes it demands.
    pub flush: u64,
}

/// A number of set/way ops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ops {
    /// Always the same.
    Exactly(u64),
    /// One for each line of each data or unified cache, as the guest's CPU reports them.
    Geometry,
}

/// A check that a case owes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwedCheck {
    /// What it is a value of.
    pub of: CheckKind,
    /// What is compared.
    pub name: String,
    /// The right value where loads should see new data; everywhere, if the case does not depend on that.
    pub fresh: Want,
    /// The right value where loads should see old data.
    pub stale: Want,
}

#[cfg(test)]
mod tests;
