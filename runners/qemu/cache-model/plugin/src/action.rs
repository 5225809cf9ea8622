//! What a CPU does: an access, a maintenance operation, a fetch, in the order in which QEMU executes them.
//!
//! Each finds out what is done and where ([`Cpus`]), has it done ([`Stage`]), and reports what the model has
//! noticed ([`Report`]).

mod compare;
mod fetch;

use setway_architecture::{
    decode::{Access, Instruction},
    maintenance::{SetWayOp, VaOp},
};
use setway_cache_model::{Actor, Path, Range};
use setway_protocol::boundary;

use crate::{
    arming::Arming,
    cost::{self, Costs},
    cpus::{Cpus, pieces},
    maintenance,
    options::{Arm, Options},
    pending_store::{PendingStore, PendingZero, ZERO_BLOCK},
    registers,
    report::Report,
    site::{ALWAYS, Site, Sites},
    stage::Stage,
    state::State,
};

/// One CPU at one place of its program, with all that may be concerned by what it does there.
pub struct Action<'w> {
    pub cpu: usize,
    pub site: &'static Site,
    pub stage: &'w mut Stage,
    pub cpus: &'w mut Cpus,
    pub arming: &'w mut Arming,
    pub costs: &'w mut Costs,
    pub report: &'w mut Report,
    pub sites: &'w Sites,
    pub options: &'w Options,
}

impl Action<'_> {
    /// The instruction is about to be executed.
    #[inline(always)]
    pub fn before(mut self) {
        if let Instruction::Memory(access) = self.site.instruction
            && !access.store
            && self.site.condition >= ALWAYS
        {
            let address = self.cpus.address(self.site, access.address);
            self.prepares(address, access.len.into());
            if self.steady_at(address, access.len.into()).is_some() {
                return self.count_load();
            }
        }
        self.before_slowly();
    }

    #[inline(never)]
    fn before_slowly(mut self) {
        self.begin_run();
        self.learn_zeros(&[]);
        self.stage.settle();
        if !self.cpus.condition_holds(self.site) {
            return;
        }
        self.refresh();
        self.note_guest();
        if self.options.cost {
            self.note_cost();
        }
        if !matches!(self.site.instruction, Instruction::Memory(_)) {
            self.stage.unsteady();
        }
        match self.site.instruction {
            Instruction::Memory(access) => self.before_access(access),
            Instruction::ByVa { op, rt } => self.by_va(op, rt),
            Instruction::Zero { rt } => self.before_zero(rt),
            Instruction::SetWay { op, rt } => self.by_set_way(op, rt),
            Instruction::Tlb => self.cpus.forget_translations(),
            Instruction::SystemWrite(register) if registers::governs_translation(register) => {
                let value = self.cpus.operand(self.site, register.rt);
                self.cpus.write_el12(self.cpu, register, value);
                self.cpus.make_stale(self.cpu)
            }
            // A hypervisor or firmware may answer by resetting any CPU.
            Instruction::Call => self.cpus.make_all_stale(),
            Instruction::Synchronize => self.before_fetch(self.site.state, self.site.pc),
            Instruction::ExceptionReturn => {
                if let Some((state, pc)) = self.cpus.returns_to(self.site.state) {
                    self.before_fetch(state, pc);
                }
                // A host may have changed what QEMU shows only below EL2.
                if self.site.state.el == 2 {
                    self.cpus.make_stale(self.cpu);
                }
            }
            // Whatever comes next comes by: no line is steady any more.
            Instruction::SystemCall(boundary::BEGINS) => self.arming.begin_run(),
            Instruction::SystemCall(boundary::ENDS) => {
                self.report.costs(self.costs);
                self.report.end();
            }
            _ => {}
        }
    }

    /// A load, or a store that compares first, is about to be executed.
    #[inline]
    fn before_access(&mut self, access: Access) {
        if !access.load && !access.atomic {
            return;
        }
        let address = self.cpus.address(self.site, access.address);
        self.prepares(address, access.len.into());
        for piece in pieces(address, access.len.into()) {
            let Some((offset, path)) = self.locate(piece) else {
                continue;
            };
            self.note_touched(offset);
            let actor = self.actor();
            self.stage
                .before_access(actor, path, offset, piece.len, access.load);
            self.count_load();
            self.remember(piece.at, offset, path);
        }
        self.drain();
    }

    /// The instruction has stored `len` bytes at `address`.
    #[inline(always)]
    pub fn after_store(mut self, address: u64, len: usize) {
        if let Some((offset, true)) = self.steady_at(address, len) {
            let actor = self.actor();
            self.stage.store_steadily(actor, offset, len);
            return self.count_store();
        }
        self.after_store_slowly(address, len);
    }

    #[inline(never)]
    fn after_store_slowly(mut self, address: u64, len: usize) {
        self.refresh();
        // First of all, what was stored: whatever else is done may put other bytes there.
        let mut stored = [PendingStore::NOTHING; 2];
        self.stage.undisturbed(|stage| {
            for (piece, stored) in pieces(address, len).zip(&mut stored) {
                if let Some((offset, path)) = self.cpus.locate(stage, self.cpu, self.site, piece) {
                    *stored = PendingStore::new(piece, offset, path);
                    stage.ram.read(offset, stored.bytes_mut());
                }
            }
        });
        self.begin_run();
        self.learn_zeros(&stored);
        self.stage.settle();
        self.note_guest();
        let actor = self.actor();
        for stored in stored.iter().filter(|stored| stored.len != 0) {
            self.note_touched(stored.offset);
            self.stage.store(actor, stored);
            self.count_store();
            self.remember(stored.address, stored.offset, stored.path);
        }
        self.drain();
    }

    /// An op by VA is about to be executed, unless it traps.
    fn by_va(&mut self, op: VaOp, rt: u8) {
        let registers = self.cpus.translation(self.cpu);
        let Some(op) = maintenance::by_va(op, self.site.state.el, registers) else {
            return;
        };
        let at = self.cpus.operand(self.site, rt);
        let Some((offset, _)) = self.locate(Range { at, len: 1 }) else {
            return;
        };
        let dirty = self.stage.model.is_dirty(offset);
        let guest = self.is_guest();
        self.report.maintained(self.cpu, guest, op, offset, dirty);
        self.stage.model.maintain(self.actor(), op, offset);
        self.stage.leave(offset);
        self.drain();
    }

    /// DC ZVA is about to be executed, and may fault instead.
    fn before_zero(&mut self, rt: u8) {
        let at = self.cpus.operand(self.site, rt) & !(ZERO_BLOCK as u64 - 1);
        if let Some((offset, path)) = self.locate(Range { at, len: 1 }) {
            let actor = self.actor();
            self.stage.before_zero(PendingZero {
                actor,
                path,
                offset,
            });
        }
    }

    /// An op by set/way is about to be executed, unless it traps.
    fn by_set_way(&mut self, op: SetWayOp, rt: u8) {
        let registers = self.cpus.translation(self.cpu);
        let Some(op) = maintenance::by_set_way(op, self.site.state.el, registers) else {
            return;
        };
        self.report.set_way(self.is_guest(), op);
        let operand = self.cpus.operand(self.site, rt);
        let place = maintenance::place(operand, self.options.level, &self.options.caches);
        let actor = self.actor();
        if let Some((set, way)) = place
            && let Some(at) = self.stage.model.set_way(actor, op, set, way)
        {
            self.stage.leave(at);
        }
        self.drain();
    }

    /// QEMU is about to walk to the instruction at `pc`, in `state`.
    fn before_fetch(&mut self, state: State, pc: u64) {
        self.locate_fetch(state, Range { at: pc, len: 1 });
    }

    /// Where instructions are in memory, and how they are fetched. QEMU is going to walk there too, and must find
    /// the tables as the hardware's walker does.
    fn locate_fetch(&mut self, state: State, piece: Range) -> Option<(u64, Path)> {
        let actor = self.actor();
        self.cpus
            .locate_fetch(self.stage, self.cpu, actor, state, piece)
    }

    /// Where data is in memory, and how the CPU reaches it.
    #[inline]
    fn locate(&mut self, piece: Range) -> Option<(u64, Path)> {
        self.cpus.locate(self.stage, self.cpu, self.site, piece)
    }

    /// Where an access is, if it is to a steady line, and whether this CPU has the line alone.
    #[inline(always)]
    fn steady_at(&mut self, address: u64, len: usize) -> Option<(u64, bool)> {
        let regime = self.site.state.regime();
        let found = self.stage.steady_at(self.cpu, regime, address, len)?;
        if self.is_guest() {
            self.report.guest_at(self.cpu, self.site);
        }
        Some(found)
    }

    #[inline]
    fn remember(&mut self, address: u64, offset: u64, path: Path) {
        if !self.cpus.is_stale(self.cpu) {
            let regime = self.site.state.regime();
            self.stage.remember(self.cpu, regime, address, offset, path);
        }
    }

    /// Reads the CPU's registers again, if they may have changed.
    #[inline]
    fn refresh(&mut self) {
        if self.cpus.refresh(self.cpu, self.site.state.el) {
            let possible = self.cpus.may_speculate();
            self.stage.model.set_speculation(possible);
        }
    }

    /// If the SVC before this was where a run begins, the model begins again, and with it the account.
    #[inline]
    fn begin_run(&mut self) {
        if self.arming.take_run_begins() {
            self.restart();
        }
    }

    #[cold]
    fn restart(&mut self) {
        self.learn_zeros(&[]);
        self.stage.restart();
        let possible = self.cpus.may_speculate();
        self.stage.model.set_speculation(possible);
        self.cpus.forget_translations();
        self.cpus.make_all_stale();
        self.costs.restart(self.cpus.count());
        self.report.begin(self.options);
        self.report.armed();
    }

    /// Learns of the zeros of a DC ZVA before this, if it was executed. `stored` was stored since.
    #[inline]
    fn learn_zeros(&mut self, stored: &[PendingStore]) {
        if self.stage.learn_zeros(stored) {
            self.drain();
        }
    }

    /// Reports what the model has noticed, and puts lines right that hardware has written back.
    #[inline]
    fn drain(&mut self) {
        self.report_events();
        self.stage.settle_written_back();
        self.report_differing();
    }

    #[inline]
    fn report_events(&mut self) {
        if self.stage.model.has_events() {
            for event in self.stage.model.take_events() {
                self.report.event(&event, self.sites, &self.stage.ram);
            }
        }
    }

    /// If a guest runs here, what its host has maintained meanwhile was one flush.
    #[inline]
    fn note_guest(&mut self) {
        if self.is_guest() {
            if self.report.has_flush(self.cpu) {
                let (model, ram) = (&mut self.stage.model, &self.stage.ram);
                self.report.guest_goes_on(self.cpu, model, ram);
            }
            self.report.guest_at(self.cpu, self.site);
        }
    }

    /// What a guest waits for begins with an instruction that may trap, ends when EL2 returns to it, and is reported
    /// when the guest calls.
    #[inline]
    fn note_cost(&mut self) {
        let instruction = self.site.instruction;
        if self.is_guest() {
            self.costs.guest_before(self.cpu, instruction);
            if instruction == Instruction::Call {
                self.report.costs(self.costs);
            }
        } else if instruction == Instruction::ExceptionReturn
            && self.site.state.el == 2
            && cost::is_counting()
            && self.cpus.enters_guest(self.site.state)
        {
            let flushed = self.report.has_flush(self.cpu);
            self.costs.guest_goes_on(self.cpu, flushed);
        }
    }

    #[inline]
    fn note_touched(&mut self, offset: u64) {
        if self.is_guest() {
            self.report.touched.add(offset);
        }
    }

    #[inline(always)]
    fn is_guest(&self) -> bool {
        self.cpus.is_guest(self.cpu, self.site)
    }

    #[inline(always)]
    fn actor(&self) -> Actor {
        self.cpus.actor(self.cpu, self.site)
    }

    /// Whether accesses here are counted: the machine may be there for more than what is under test.
    #[inline(always)]
    fn counts(&self) -> bool {
        match self.options.arm {
            Arm::Run => self.is_guest(),
            Arm::Start | Arm::Guest | Arm::At(_) => self.site.state.el < 2,
        }
    }

    #[inline(always)]
    fn count_load(&mut self) {
        if self.counts() {
            self.report.loaded(self.site);
        }
    }

    #[inline(always)]
    fn count_store(&mut self) {
        if self.counts() {
            self.report.stored(self.site);
        }
    }
}
