//! Cache maintenance: which ops are executed, as what, and on which line.

use setway_architecture::maintenance::{SetWayOp, VaOp};
use setway_cache_model::{Actor, Geometry, Op, Path};

use crate::{
    pending_store::PendingStore,
    site::Site,
    watch::{Watch, show},
};

/// HCR_EL2 bits (DDI 0487, HCR_EL2).
mod hcr {
    pub const VM: u64 = 1 << 0;
    pub const SWIO: u64 = 1 << 1;
    pub const DC: u64 = 1 << 12;
    pub const TSW: u64 = 1 << 22;
    pub const TPC: u64 = 1 << 23;
    pub const TPU: u64 = 1 << 24;
}

/// SCTLR_EL1.UCI: EL0 may maintain caches by VA.
const SCTLR_UCI: u64 = 1 << 26;
/// The block that DC ZVA zeroes, where DCZID_EL0.BS is 4, as in every CPU of QEMU's.
const ZERO_BLOCK: u64 = 64;

impl Watch {
    /// An op by VA is about to be executed, unless it traps.
    pub(crate) fn by_va(&mut self, cpu: usize, site: &'static Site, op: VaOp, rt: u8) {
        let registers = &self.cpus[cpu].registers;
        let (el, hcr) = (site.state.el, registers.hcr_el2);
        let trap = match op {
            VaOp::Cvau => hcr::TPU,
            _ => hcr::TPC,
        };
        if el < 2 && hcr & trap != 0 {
            return;
        }
        if el == 0 && registers.sctlr_el1 & SCTLR_UCI == 0 {
            return;
        }
        // DDI 0487, DC IVAC: with stage 2 or DC, EL1's invalidate also cleans.
        let upgraded = el < 2 && hcr & (hcr::VM | hcr::DC) != 0;
        let op = match op {
            VaOp::Ivac if upgraded => Op::CleanInvalidate,
            VaOp::Ivac => Op::Invalidate,
            VaOp::Cvac => Op::Clean,
            VaOp::Cvau => Op::CleanToUnification,
            VaOp::Civac => Op::CleanInvalidate,
        };
        let actor = self.actor(cpu, site);
        let address = self.register(site, rt);
        let Some((offset, _)) = self.locate(cpu, site, address, 1) else {
            return;
        };
        let guest = self.is_guest(cpu, site);
        if let Some(model) = &mut self.model {
            let dirty = model.is_dirty(offset);
            self.report.maintained(cpu, guest, op, offset, dirty);
            model.maintain(actor, op, offset);
        }
        self.leave(offset);
        self.drain();
    }

    /// DC ZVA is about to be executed.
    pub(crate) fn zero_block(&mut self, cpu: usize, site: &'static Site, rt: u8) {
        let block = self.register(site, rt) & !(ZERO_BLOCK - 1);
        if let Some((offset, path)) = self.locate(cpu, site, block, 1) {
            self.before_zero(self.actor(cpu, site), path, offset);
        }
    }

    /// DC ZVA is about to be executed, and may fault instead. QEMU does not tell when it is done.
    pub(crate) fn before_zero(&mut self, actor: Actor, path: Path, offset: u64) {
        let Some(model) = &mut self.model else { return };
        for range in model.split(offset, ZERO_BLOCK as usize) {
            show(model, &self.ram, path, range.at);
            self.rest.shown(range.at, path);
        }
        self.zeroed = Some((actor, path, offset));
    }

    /// Learns of the zeros of a DC ZVA, if it was executed. `stored` was stored since.
    #[inline]
    pub(crate) fn zero(&mut self, stored: &[PendingStore]) {
        if self.zeroed.is_some() {
            self.take_zeros(stored);
        }
    }

    #[cold]
    fn take_zeros(&mut self, stored: &[PendingStore]) {
        let Some((actor, path, offset)) = self.zeroed.take() else {
            return;
        };
        const ZEROS: [u8; ZERO_BLOCK as usize] = [0; ZERO_BLOCK as usize];
        let mut now = ZEROS;
        self.ram.read(offset, &mut now);
        for (at, byte) in (offset..).zip(&mut now) {
            if stored.iter().any(|stored| stored.has(at)) {
                *byte = 0;
            }
        }
        // It was shown what this CPU sees. If that was zero before, a fault and zeros are the same.
        if now == ZEROS {
            self.store(actor, path, offset, &ZEROS);
            self.drain();
        }
    }

    /// An op by set/way is about to be executed, unless it traps.
    pub(crate) fn set_way(&mut self, cpu: usize, site: &'static Site, op: SetWayOp, rt: u8) {
        let (el, hcr) = (site.state.el, self.cpus[cpu].registers.hcr_el2);
        if el == 0 || el < 2 && hcr & hcr::TSW != 0 {
            return;
        }
        // DDI 0487, HCR_EL2.SWIO, and DC ISW.
        let upgraded = el < 2 && hcr & (hcr::SWIO | hcr::VM | hcr::DC) != 0;
        let op = match op {
            SetWayOp::Isw if upgraded => Op::CleanInvalidate,
            SetWayOp::Isw => Op::Invalidate,
            SetWayOp::Csw => Op::Clean,
            SetWayOp::Cisw => Op::CleanInvalidate,
        };
        let operand = self.register(site, rt);
        let guest = self.is_guest(cpu, site);
        let actor = self.actor(cpu, site);
        self.report.set_way(guest, op);
        let place = place(
            operand,
            self.options.level,
            &self.options.caches.geometry,
            self.options.caches.line_shift,
        );
        if let (Some((set, way)), Some(model)) = (place, &mut self.model)
            && let Some(at) = model.set_way(actor, op, set, way)
        {
            self.leave(at);
        }
        self.drain();
    }
}

/// The set and way that an operand of `level` names (DDI 0487, DC ISW), if it is the modelled cache's.
fn place(operand: u64, level: u64, geometry: &Geometry, line_shift: u32) -> Option<(u32, u32)> {
    if operand >> 1 & 7 != level - 1 {
        return None;
    }
    let way_bits = geometry.ways.next_power_of_two().trailing_zeros();
    let way = (operand as u32).checked_shr(32 - way_bits).unwrap_or(0);
    let set = (operand >> line_shift) as u32 & (geometry.sets - 1);
    Some((set, way))
}
