//! What an instruction for cache maintenance does, if it does not trap: the controls of EL2 and EL1 over it.

use setway_architecture::{
    maintenance::{Geometry, Place, SetWayOp, VaOp},
    registers::{Hcr, Sctlr},
    translate::Registers,
};
use setway_cache_model::Config;

/// What an op by VA does at an exception level. `None` if it traps.
pub fn by_va(op: VaOp, el: u8, registers: &Registers) -> Option<VaOp> {
    let hcr = Hcr::from_bits_retain(registers.hcr_el2);
    let sctlr = Sctlr::from_bits_retain(registers.sctlr_el1);
    let trap = if op == VaOp::Cvau { Hcr::TPU } else { Hcr::TPC };
    if el < 2 && hcr.contains(trap) || el == 0 && !sctlr.contains(Sctlr::UCI) {
        return None;
    }
    // DDI 0487, DC IVAC: with stage 2 or DC, EL1's invalidate also cleans.
    let upgraded = el < 2 && hcr.intersects(Hcr::VM | Hcr::DC);
    Some(match op {
        VaOp::Ivac if upgraded => VaOp::Civac,
        op => op,
    })
}

/// What an op by set/way does at an exception level. `None` if it traps or is undefined.
pub fn by_set_way(op: SetWayOp, el: u8, registers: &Registers) -> Option<SetWayOp> {
    let hcr = Hcr::from_bits_retain(registers.hcr_el2);
    if el == 0 || el < 2 && hcr.contains(Hcr::TSW) {
        return None;
    }
    // DDI 0487, HCR_EL2.SWIO, and DC ISW.
    let upgraded = el < 2 && hcr.intersects(Hcr::SWIO | Hcr::VM | Hcr::DC);
    Some(match op {
        SetWayOp::Isw if upgraded => SetWayOp::Cisw,
        op => op,
    })
}

/// The set and way that an operand names. `None` if it names another level than `level`, which counts from 1.
pub fn place(operand: u64, level: u32, caches: &Config) -> Option<(u32, u32)> {
    let cache = Geometry {
        line_shift: caches.line_shift,
        last_set: caches.geometry.sets - 1,
        last_way: caches.geometry.ways - 1,
    };
    let place = cache.place(operand);
    let Place { set, way, .. } = place;
    (place.level == level).then_some((set, way))
}
