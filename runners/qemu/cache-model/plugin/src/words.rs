//! What the model says, in the protocol's words.

use setway_architecture::maintenance::{SetWayOp, VaOp};
use setway_cache_model::{Actor, Maintenance, Path, Where};
use setway_protocol::{
    Code, Deed, Hex, Whereabouts,
    word::{self, Access},
};

use crate::site::Sites;

/// How data was stored, and by whom.
pub fn stored_by(sites: &Sites, stored: Option<(Actor, Path)>) -> Option<Deed<Access>> {
    stored.map(|(by, path)| Deed {
        what: access(path),
        by: actor(sites, by),
    })
}

/// What was done to a line, and by whom.
pub fn maintained_by(
    sites: &Sites,
    maintained: Option<(Actor, Maintenance)>,
) -> Option<Deed<word::Maintenance>> {
    maintained.map(|(by, what)| Deed {
        what: maintenance(what),
        by: actor(sites, by),
    })
}

/// Who, if it was a program, and where.
pub fn actor(sites: &Sites, actor: Actor) -> setway_protocol::Actor {
    setway_protocol::Actor {
        cpu: actor.cpu.into(),
        code: sites.get(actor).map(|site| Code {
            el: site.state.el.into(),
            pc: Hex(site.pc),
        }),
    }
}

/// The first eight bytes, little endian.
pub fn number(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_le_bytes(word)
}

/// How an access reaches memory.
pub fn access(path: Path) -> Access {
    match path {
        Path::WriteBack => Access::Cached,
        Path::WriteThrough => Access::WriteThrough,
        Path::NonCacheable => Access::Uncached,
        Path::Fetch | Path::CoherentFetch => Access::Fetch,
    }
}

/// Where bytes are.
pub fn whereabouts(place: Where) -> Whereabouts {
    match place {
        Where::Cache(cpu) => Whereabouts::Cache(cpu.into()),
        Where::SystemCache => Whereabouts::SystemCache,
        Where::Memory => Whereabouts::Memory,
        Where::Lost => Whereabouts::Lost,
    }
}

/// What an op by VA does.
pub fn by_va(op: VaOp) -> word::Op {
    match op {
        VaOp::Ivac => word::Op::Invalidate,
        VaOp::Cvac => word::Op::Clean,
        VaOp::Cvau => word::Op::CleanPou,
        VaOp::Civac => word::Op::CleanInvalidate,
    }
}

/// What an op by set/way does.
pub fn by_set_way(op: SetWayOp) -> word::Op {
    match op {
        SetWayOp::Isw => word::Op::Invalidate,
        SetWayOp::Csw => word::Op::Clean,
        SetWayOp::Cisw => word::Op::CleanInvalidate,
    }
}

/// What was done to a line.
pub fn maintenance(what: Maintenance) -> word::Maintenance {
    use word::Maintenance::*;
    match what {
        Maintenance::ByVa(VaOp::Ivac) => InvalidateVa,
        Maintenance::ByVa(VaOp::Cvac) => CleanVa,
        Maintenance::ByVa(VaOp::Cvau) => CleanVaPou,
        Maintenance::ByVa(VaOp::Civac) => CleanInvalidateVa,
        Maintenance::SetWay(SetWayOp::Isw) => InvalidateSetWay,
        Maintenance::SetWay(SetWayOp::Cisw) => CleanInvalidateSetWay,
        Maintenance::SetWay(SetWayOp::Csw) => CleanSetWay,
        Maintenance::Moved => Moved,
    }
}
