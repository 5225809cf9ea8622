//! What the model says, compared with what QEMU does.
//!
//! With caches that are always coherent, the model must have what QEMU has: the same bytes, at the same addresses,
//! of the same instructions. Everything is done as with any other schedule, except that nothing is put where QEMU
//! finds it; so whatever is decoded, translated or learned wrongly shows here, with the instruction that it shows at.

use setway_cache_model::Range;
use setway_protocol::word::Difference;

use super::Action;
use crate::{api::Done, cpus::pieces, ram::Differing};

impl Action<'_> {
    /// The instruction is about to access `len` bytes at `address`, by its encoding and the registers.
    #[inline(always)]
    pub(super) fn prepares(&mut self, address: u64, len: usize) {
        self.cpus.prepared = (self.site.number, Range { at: address, len });
    }

    /// QEMU has executed a load or a store; the model has learned of a store already.
    pub fn compare(mut self, done: &Done) {
        if done.store {
            self.report.compared_store();
        } else {
            self.report.compared_load();
            self.compare_prepared(done);
        }
        self.refresh();
        for (n, piece) in pieces(done.address, done.len).enumerate() {
            let target = (self.cpus).target(self.stage, self.cpu, self.site, piece.at);
            let address = target.map(|target| target.address);
            // What is no memory, QEMU gives no address of.
            if n == 0 && done.physical.is_some() && done.physical != address {
                let of = |address: Option<u64>| address.unwrap_or(0).to_le_bytes();
                let (qemu, model) = (of(done.physical), of(address));
                self.differs(Difference::Address, done.address, done.len, &qemu, &model);
                return;
            }
            let located = self.locate(piece);
            let (Some((offset, path)), Some(bytes)) = (located, done.bytes) else {
                continue;
            };
            let from = piece.at.wrapping_sub(done.address) as usize;
            for range in self.stage.model.split(offset, piece.len) {
                let from = from + (range.at - offset) as usize;
                let qemu = &bytes[from..from + range.len];
                let model = self.stage.model.view(path, range);
                if let Some(differing) = Differing::between(range.at, qemu, model) {
                    let what = if done.store {
                        Difference::Memory
                    } else {
                        Difference::Load
                    };
                    let at = done.address.wrapping_add(from as u64);
                    let len = differing.qemu.len();
                    self.differs(what, at, len, &differing.qemu, &differing.model);
                }
            }
        }
        self.report_differing();
    }

    /// A load must be among those bytes that were prepared for the instruction.
    fn compare_prepared(&mut self, done: &Done) {
        let (number, range) = self.cpus.prepared;
        let first = done.address.wrapping_sub(range.at);
        let is_within = first.saturating_add(done.len as u64) <= range.len as u64;
        if done.physical.is_some() && (number != self.site.number || !is_within) {
            let prepared = if number == self.site.number {
                range.at
            } else {
                0
            };
            let (qemu, model) = (done.address.to_le_bytes(), prepared.to_le_bytes());
            self.differs(
                Difference::Unexpected,
                done.address,
                done.len,
                &qemu,
                &model,
            );
        }
    }

    /// A block was translated from `bytes`, which are `right` or not. Returns whether it may be executed: what only
    /// compares changes nothing.
    pub(super) fn compare_fetch(&mut self, right: bool, bytes: &[u8]) -> bool {
        if !self.options.compares() {
            return right;
        }
        self.report.compared_fetch();
        if !right {
            let qemu = bytes.get(..8).unwrap_or(bytes);
            self.differs(Difference::Code, self.site.pc, bytes.len(), qemu, &[]);
        }
        true
    }

    /// Reports what should have been put into QEMU's memory.
    #[inline]
    pub(super) fn report_differing(&mut self) {
        if self.options.compares() {
            for differing in self.stage.ram.take_differing() {
                let Differing {
                    offset,
                    qemu,
                    model,
                } = differing;
                let at = self.stage.ram.address(offset);
                self.differs(Difference::Memory, at, qemu.len(), &qemu, &model);
            }
        }
    }

    fn differs(&mut self, what: Difference, at: u64, len: usize, qemu: &[u8], model: &[u8]) {
        let at = Range { at, len };
        let actor = self.actor();
        self.report
            .differs(what, actor, self.sites, at, qemu, model);
    }
}
