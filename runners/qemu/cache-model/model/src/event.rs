//! What a model notices.

use crate::{Path, Range};
use setway_architecture::maintenance::{SetWayOp, VaOp};

/// Who does something: which CPU, at which place of the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Actor {
    /// The CPU, from 0.
    pub cpu: u8,
    /// The caller's number for the place; [`Actor::NOWHERE`] for what no program does.
    pub site: u32,
}

impl Actor {
    /// The site of what hardware does of its own accord.
    pub const NOWHERE: u32 = u32::MAX;

    /// The CPU's hardware, on its own account.
    pub const fn hardware(cpu: u8) -> Self {
        Self {
            cpu,
            site: Self::NOWHERE,
        }
    }
}

/// Something that maintained or moved a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Maintenance {
    /// An op by VA.
    ByVa(VaOp),
    /// An op by set/way.
    SetWay(SetWayOp),
    /// The line moved to another CPU's cache, away from an op by set/way.
    Moved,
}

/// Where bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Where {
    /// In the private cache of this CPU.
    Cache(u8),
    /// In the system cache.
    SystemCache,
    /// At the point of coherency.
    Memory,
    /// Nowhere: a later write-back or an invalidate destroyed them.
    Lost,
}

/// Something worth knowing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A load did not see the newest data.
    Stale(StaleRead),
    /// The newest data is nowhere any more.
    Lost(LostWrite),
}

/// A load, fetch or table walk that did not see the newest data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleRead {
    /// Who read.
    pub reader: Actor,
    /// How.
    pub path: Path,
    /// What.
    pub range: Range,
    /// It was the table walker, on behalf of an access.
    pub walk: bool,
    /// The bytes it saw.
    pub saw: Vec<u8>,
    /// The newest bytes.
    pub newest: Vec<u8>,
    /// Where the newest bytes are.
    pub whereabouts: Where,
    /// Who last stored to the line, and how.
    pub stored: Option<(Actor, Path)>,
    /// The last maintenance of the line since then, which did not save the data.
    pub maintained: Option<(Actor, Maintenance)>,
}

/// A store whose bytes no level holds any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostWrite {
    /// What was lost.
    pub range: Range,
    /// Who destroyed it.
    pub by: Actor,
    /// Who last stored to the line, and how.
    pub stored: Option<(Actor, Path)>,
    /// What was done to the line since.
    pub maintained: Option<(Actor, Maintenance)>,
}
