//! Instruction fetches, and the table walks that lead to them.
//!
//! QEMU fetches when it translates a block, and keeps the block. So what it has translated is compared with
//! what the CPU fetches, and if the two differ, the block is translated again from the right bytes before it
//! is executed.

use setway_cache_model::Actor;

use crate::{
    cpu::Target,
    handles::State,
    site::Site,
    watch::{Watch, descriptor, pieces},
};

impl Watch {
    /// What follows an exception return is fetched through translation tables that QEMU is going to
    /// read: at EL1, and where it returns to.
    pub(crate) fn before_return(&mut self, cpu: usize, site: &Site) {
        let actor = self.actor(cpu, site);
        let Some(handles) = &self.handles else { return };
        if let Some((state, pc)) = handles.returns_to(&mut self.buffer, site.state) {
            self.translate_fetch(cpu, actor, state, pc);
        }
    }

    /// A block at `site` was translated from `bytes`. Returns false if these are not what the CPU fetches.
    ///
    /// QEMU holds the block's pages here: their memory must not be written as code.
    pub fn fetched(&mut self, site: &'static Site, bytes: &[u8]) -> bool {
        let cpu = self.current(0);
        self.begin_run();
        self.refresh(cpu);
        let actor = self.actor(cpu, site);
        let mut right = true;
        for piece in pieces(site.pc, bytes.len()) {
            let target = self.fetch_target(cpu, site, piece.at);
            let offset =
                target.and_then(|it| Some((self.ram.offset(it.address, piece.len)?, it.path)));
            let Some((offset, path)) = offset else {
                continue;
            };
            if self.counts(cpu, site) {
                self.report.fetched(site);
            }
            let Some(model) = &mut self.model else {
                return true;
            };
            for range in model.split(offset, piece.len) {
                model.load(actor, path, range);
                let from = (piece.at - site.pc + range.at - offset) as usize;
                right &= bytes[from..from + range.len] == *model.view(path, range);
                let line = model.line(range.at);
                self.rest.fetched(line.at, path, model.view(path, line));
            }
        }
        self.drain_events();
        right
    }

    /// Puts the code around a block where QEMU's translator will find it, and has QEMU notice. Only where a
    /// plugin may write memory is that possible.
    pub fn fetch_again(&mut self, site: &'static Site) {
        const PAGE: u64 = 0x1000;
        let cpu = self.current(0);
        self.begin_run();
        self.settle();
        // A block ends with its page, but for the last instruction.
        let next_page = (site.pc | (PAGE - 1)).wrapping_add(1);
        for (at, len) in [(site.pc, next_page.wrapping_sub(site.pc)), (next_page, 4)] {
            let Some(target) = self.fetch_target(cpu, site, at) else {
                continue;
            };
            let Some(model) = &mut self.model else { return };
            let Some(offset) = self.ram.offset(target.address, len as usize) else {
                continue;
            };
            for range in model.split(offset, len as usize) {
                self.ram.show_code(range.at, model.view(target.path, range));
                self.rest.shown(range.at, target.path);
            }
        }
    }

    /// Where an instruction at `pc` is fetched from. QEMU is going to walk there too, and finds the tables as
    /// the hardware's walker does.
    pub(crate) fn fetch_target(&mut self, cpu: usize, site: &Site, pc: u64) -> Option<Target> {
        let actor = self.actor(cpu, site);
        self.translate_fetch(cpu, actor, site.state, pc)
    }

    pub(crate) fn translate_fetch(
        &mut self,
        cpu: usize,
        actor: Actor,
        state: State,
        pc: u64,
    ) -> Option<Target> {
        let (model, ram, rest) = (self.model.as_mut()?, &self.ram, &mut self.rest);
        let read = |step| descriptor(model, ram, rest, actor, step);
        self.cpus[cpu].translate_fetch(state, pc, read)
    }
}
