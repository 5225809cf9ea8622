//! The model at work: every access and every op of every CPU, in the order in which QEMU executes them.
//!
//! Before a load is executed, the bytes that the model has it see are put where QEMU will load them.
//! After a store was executed, the model learns the bytes from there. In between, what QEMU calls memory
//! has no meaning of its own.

use std::thread::ThreadId;

use setway_architecture::trap::aarch32;
use setway_architecture::{
    decode::{self, Access, Encoding, Instruction, SystemRegister},
    translate::Step,
};
use setway_cache_model::{Actor, Model, Path, Range};

use crate::{
    api::{self, Buffer},
    cpu::{self, Cpu, Target},
    cpu_env::{self, CpuEnv},
    exposed::Exposed,
    fast_path::{self, Steady},
    handles::Handles,
    options::{Arm, Options},
    pending_store::PendingStore,
    ram::Ram,
    report::Report,
    site::{self, Site, Sites},
};

/// HCR_EL2 bits (DDI 0487, HCR_EL2).
pub(crate) mod hcr {
    pub const VM: u64 = 1 << 0;
    pub const TGE: u64 = 1 << 27;
}

/// Everything the plugin knows.
pub struct Watch {
    pub id: api::Id,
    pub options: Options,
    pub sites: Sites,
    pub handles: Option<Handles>,
    /// Where the general registers are, once it is known.
    pub live: Option<CpuEnv>,
    pub buffer: Buffer,
    /// The CPUs' objects, by number.
    objects: Vec<usize>,
    /// The thread that runs them.
    thread: Option<ThreadId>,
    /// The model, once it watches.
    pub(crate) model: Option<Model>,
    pub(crate) ram: Ram,
    pub(crate) rest: Exposed,
    /// The lines with which each CPU can go on as it does.
    pub(crate) steady: Vec<Steady>,
    /// Counts what may end that, besides what others count.
    pub(crate) events: u64,
    /// The DC ZVA that a CPU was about to execute last.
    pub(crate) zeroed: Option<(Actor, Path, u64)>,
    pub(crate) cpus: Vec<Cpu>,
    pub(crate) report: Report,
    /// An agent has said that a run begins, and nothing was watched since.
    pub(crate) run_begins: bool,
}

impl Watch {
    pub fn new(id: api::Id, options: Options, ram: Ram, cpus: usize) -> Self {
        let mut watch = Self {
            id,
            sites: Sites::default(),
            handles: None,
            live: None,
            objects: vec![0; cpus],
            steady: std::iter::repeat_with(Steady::new).take(cpus).collect(),
            events: 0,
            zeroed: None,
            thread: None,
            buffer: Buffer::new(),
            model: None,
            cpus: std::iter::repeat_with(Cpu::new).take(cpus).collect(),
            report: Report::new(cpus),
            run_begins: false,
            rest: Exposed::new(ram.size(), 1 << options.caches.line_shift),
            ram,
            options,
        };
        if watch.options.arm != Arm::Run {
            watch.report.begin(&watch.options);
        }
        watch
    }

    /// CPU `number` has come into being, and is the current one.
    ///
    /// # Panics
    ///
    /// If it has a thread of its own.
    pub fn created(&mut self, number: usize) {
        let own = std::thread::current().id();
        assert!(
            *self.thread.get_or_insert(own) == own,
            "setway cache model: QEMU must run all CPUs on one thread, with -accel tcg,thread=single"
        );
        if let (Some(object), Some(place)) = (cpu_env::current_cpu(), self.objects.get_mut(number))
        {
            *place = object;
        }
    }

    /// The number of the current CPU; `said` is what QEMU says it is.
    #[inline]
    pub(crate) fn current(&self, said: usize) -> usize {
        if self.objects.len() == 1 {
            return 0;
        }
        let object = cpu_env::current_cpu();
        let number =
            object.and_then(|object| self.objects.iter().position(|known| *known == object));
        number.unwrap_or(said)
    }

    /// Whether accesses are watched.
    pub fn is_armed(&self) -> bool {
        self.model.is_some()
    }

    /// Begins to watch: from here on memory is what the model says. Until here it was coherent.
    pub fn arm(&mut self) {
        if self.is_armed() {
            return;
        }
        match self.ram.snapshot() {
            Ok(copy) => {
                let (config, size) = (self.options.caches, self.ram.size());
                self.model = Some(Model::new(config, size, Box::new(copy)));
                // What changed until here, nobody has followed.
                self.cpus.iter_mut().for_each(|cpu| cpu.stale = true);
                if self.options.arm == Arm::Run {
                    self.report.begin(&self.options);
                }
                self.report.armed();
            }
            Err(error) => panic!("setway cache model: cannot copy the machine's memory: {error}"),
        }
    }

    /// An instruction that is watched is about to be executed.
    #[inline]
    pub fn before(&mut self, cpu: usize, site: &'static Site) {
        let cpu = self.current(cpu);
        if let Instruction::Memory(access) = site.instruction
            && !access.store
            && site.condition >= site::ALWAYS
        {
            let address = self.address(site, access.address);
            if self
                .steady_at(cpu, site, address, access.len.into())
                .is_some()
            {
                return self.loaded(cpu, site);
            }
        }
        self.before_slowly(cpu, site);
    }

    fn before_slowly(&mut self, cpu: usize, site: &'static Site) {
        if self.model.is_none() {
            return;
        }
        self.begin_run();
        self.zero(&[]);
        self.settle();
        let Some(handles) = &self.handles else { return };
        if site.condition < site::ALWAYS
            && !aarch32::condition_holds(site.condition.into(), handles.flags(&mut self.buffer))
        {
            return;
        }
        self.refresh(cpu);
        self.note_level(cpu, site);
        // What these do, no line is steady over.
        self.events += u64::from(!matches!(site.instruction, Instruction::Memory(_)));
        match site.instruction {
            Instruction::Memory(access) => self.before_access(cpu, site, access),
            Instruction::ByVa { op, rt } => self.by_va(cpu, site, op, rt),
            Instruction::Zero { rt } => self.zero_block(cpu, site, rt),
            Instruction::SetWay { op, rt } => self.set_way(cpu, site, op, rt),
            Instruction::Tlb => self.cpus.iter_mut().for_each(Cpu::forget),
            Instruction::SystemWrite(register) if governs_translation(register) => {
                self.cpus[cpu].stale = true
            }
            // A hypervisor or firmware may answer by resetting any CPU.
            Instruction::Call => self.cpus.iter_mut().for_each(|cpu| cpu.stale = true),
            Instruction::Synchronize => {
                self.fetch_target(cpu, site, site.pc);
            }
            Instruction::ExceptionReturn => self.before_return(cpu, site),
            Instruction::SystemCall(boundary) => self.reach(boundary),
            _ => {}
        }
    }

    /// Reads a CPU's registers again, if they may have changed.
    #[inline]
    pub(crate) fn refresh(&mut self, cpu: usize) {
        let Some(handles) = &self.handles else { return };
        if self.cpus[cpu].stale
            && self.cpus[cpu].refresh(handles, &mut self.buffer)
            && let Some(model) = &mut self.model
        {
            model.set_speculation(self.cpus.iter().any(Cpu::may_speculate));
        }
    }

    /// Puts the lines right that loads have seen in a view of their own.
    #[inline]
    pub(crate) fn settle(&mut self) {
        if !self.rest.is_disturbed() {
            return;
        }
        for at in self.rest.take_disturbed() {
            self.leave(at);
        }
    }

    /// Something has happened to the line of `at`: QEMU is to find it unasked as it is now.
    #[inline]
    pub(crate) fn leave(&mut self, at: u64) {
        let Some(model) = &mut self.model else { return };
        if let Some(path) = self.rest.table(at) {
            show(model, &self.ram, path, at);
        }
        if let Some(path) = self.rest.code(at) {
            let line = model.line(at);
            if self.rest.refetched(at, model.view(path, line)) {
                self.ram.translate_anew(line.at, line.len);
            }
        }
    }

    /// Bytes were stored, and are where QEMU has put them.
    pub(crate) fn store(&mut self, actor: Actor, path: Path, offset: u64, bytes: &[u8]) {
        let Some(model) = &mut self.model else { return };
        for range in model.split(offset, bytes.len()) {
            let from = (range.at - offset) as usize;
            let bytes = &bytes[from..from + range.len];
            let Some(model) = &mut self.model else { return };
            model.store(actor, path, range.at, bytes);
            self.leave(range.at);
        }
    }

    /// A store of `len` bytes at `address` was executed.
    #[inline]
    pub fn after_store(&mut self, cpu: usize, site: &'static Site, address: u64, len: usize) {
        let cpu = self.current(cpu);
        if let Some((offset, true)) = self.steady_at(cpu, site, address, len) {
            let actor = self.actor(cpu, site);
            let mut bytes = [0; fast_path::LINE];
            self.ram.read(offset, &mut bytes[..len]);
            if let Some(model) = &mut self.model {
                model.store_again(actor, offset, &bytes[..len]);
            }
            return self.stored(cpu, site);
        }
        self.after_store_slowly(cpu, site, address, len);
    }

    fn after_store_slowly(&mut self, cpu: usize, site: &'static Site, address: u64, len: usize) {
        if self.model.is_none() {
            return;
        }
        self.refresh(cpu);
        // First of all, what was stored: whatever else is done may put other bytes there.
        let mut stored = [PendingStore::NOTHING; 2];
        for (piece, stored) in pieces(address, len).zip(&mut stored) {
            if let Some((offset, path)) = self.locate(cpu, site, piece.at, piece.len) {
                *stored = PendingStore::new(piece, offset, path);
                self.ram.read(offset, stored.bytes_mut());
            }
        }
        self.begin_run();
        self.zero(&stored);
        self.settle();
        self.note_level(cpu, site);
        let actor = self.actor(cpu, site);
        for stored in stored.iter().filter(|stored| stored.len != 0) {
            self.ram.show(stored.offset, stored.bytes());
            self.store(actor, stored.path, stored.offset, stored.bytes());
            self.stored(cpu, site);
            self.remember(cpu, site, stored.address, stored.offset, stored.path);
        }
        self.drain();
    }

    /// QEMU ends.
    pub fn exit(&mut self) {
        self.report.end();
    }

    /// A load, or a store that compares first, is about to be executed.
    #[inline]
    fn before_access(&mut self, cpu: usize, site: &'static Site, access: Access) {
        if !access.load && !access.atomic {
            return;
        }
        let address = self.address(site, access.address);
        for piece in pieces(address, access.len.into()) {
            let Some((offset, path)) = self.locate(cpu, site, piece.at, piece.len) else {
                continue;
            };
            let actor = self.actor(cpu, site);
            let Some(model) = &mut self.model else { return };
            for range in model.split(offset, piece.len) {
                if access.load {
                    model.load(actor, path, range);
                }
                show(model, &self.ram, path, range.at);
                self.rest.shown(range.at, path);
            }
            self.loaded(cpu, site);
            self.remember(cpu, site, piece.at, offset, path);
        }
        self.drain();
    }

    /// Takes note of where the program is: what the host maintains while its guest waits is one flush.
    #[inline]
    fn note_level(&mut self, cpu: usize, site: &'static Site) {
        if !self.is_guest(cpu, site) {
            return;
        }
        if self.report.has_flush(cpu)
            && let Some(model) = &mut self.model
        {
            self.report.guest_goes_on(cpu, model, &self.ram);
        }
        self.report.guest_at(cpu, site);
    }

    /// Whether `site` belongs to a guest: it runs below EL2 and behind stage 2.
    #[inline]
    pub(crate) fn is_guest(&self, cpu: usize, site: &Site) -> bool {
        let hcr = self.cpus[cpu].registers.hcr_el2;
        site.state.el < 2 && hcr & hcr::VM != 0 && hcr & hcr::TGE == 0
    }

    pub(crate) fn actor(&self, cpu: usize, site: &Site) -> Actor {
        site.actor(cpu, self.is_guest(cpu, site))
    }

    /// Whether what `site` accesses is counted: the machine may be there for more than what is under test.
    #[inline]
    pub(crate) fn counts(&self, cpu: usize, site: &Site) -> bool {
        match self.options.arm {
            Arm::Run => self.is_guest(cpu, site),
            Arm::Start | Arm::Guest => site.state.el < 2,
        }
    }

    #[inline]
    fn loaded(&mut self, cpu: usize, site: &Site) {
        if self.counts(cpu, site) {
            self.report.loaded(site);
        }
    }

    #[inline]
    fn stored(&mut self, cpu: usize, site: &Site) {
        if self.counts(cpu, site) {
            self.report.stored(site);
        }
    }

    /// Where `len` bytes at an address are in the memory, and how the CPU reaches them.
    #[inline]
    pub(crate) fn locate(
        &mut self,
        cpu: usize,
        site: &Site,
        address: u64,
        len: usize,
    ) -> Option<(u64, Path)> {
        let (state, actor) = (site.state, self.actor(cpu, site));
        let knows = &mut self.cpus[cpu];
        let (model, ram, rest) = (self.model.as_mut()?, &self.ram, &mut self.rest);
        let read = |step| descriptor(model, ram, rest, actor, step);
        let regime = state.aarch64_regime;
        let Target { address, path } = knows.translate(state.el, regime, address, read)?;
        Some((self.ram.offset(address, len)?, path))
    }

    /// The address of an access.
    fn address(&mut self, site: &Site, address: decode::Address) -> u64 {
        let carry = match &self.handles {
            Some(handles) if needs_carry(address) => handles.flags(&mut self.buffer) >> 29 & 1 != 0,
            _ => false,
        };
        let state = decode::State {
            pc: site.pc,
            aarch64: site.state.aarch64,
            carry,
        };
        address.of(state, |register| self.base(site, register))
    }

    /// The value of a general register; 31 is the zero register.
    pub(crate) fn register(&mut self, site: &Site, register: u8) -> u64 {
        match register {
            31 => 0,
            register => self.base(site, register),
        }
    }

    /// The value of a general register; 31 is SP.
    #[inline]
    fn base(&mut self, site: &Site, register: u8) -> u64 {
        match (self.live, &self.handles) {
            (Some(live), _) if site.state.aarch64 => live.x(register),
            (Some(live), _) => live.r(register),
            (None, Some(handles)) => handles.general(&mut self.buffer, register),
            (None, None) => 0,
        }
    }

    /// Reports what the model has noticed, and puts lines right that hardware has written back.
    #[inline]
    pub(crate) fn drain(&mut self) {
        self.drain_events();
        let Some(model) = &mut self.model else { return };
        if model.has_written_back() {
            for at in model.take_written_back() {
                self.leave(at);
            }
        }
    }

    /// Reports what the model has noticed.
    #[inline]
    pub(crate) fn drain_events(&mut self) {
        if let Some(model) = &mut self.model
            && model.has_events()
        {
            for event in model.take_events() {
                self.report.event(&event, &self.sites, &self.ram);
            }
        }
    }

    /// The CPU is in a state in which it cannot be watched: what it does there, the model misses.
    pub fn cannot_watch(&mut self) {
        if self.is_armed() || self.options.arm == Arm::Start {
            self.report.missed();
        }
    }
}

/// Puts the line of `at` where QEMU will load it, as an access along `path` sees it.
pub(crate) fn show(model: &mut Model, ram: &Ram, path: Path, at: u64) {
    let line = model.line(at);
    ram.show(line.at, model.view(path, line));
}

/// Reads a translation table descriptor as the CPU's table walker sees it, and has QEMU's walker see the
/// same.
pub(crate) fn descriptor(
    model: &mut Model,
    ram: &Ram,
    rest: &mut Exposed,
    actor: Actor,
    step: Step,
) -> Option<u64> {
    let len = usize::from(step.len);
    let at = ram.offset(step.pa, len)?;
    let path = cpu::path(step.memory);
    let mut bytes = [0; 8];
    let range = Range { at, len };
    model.walk(actor, path, range);
    bytes[..len].copy_from_slice(model.view(path, range));
    rest.walked(at, path);
    show(model, ram, path, at);
    Some(u64::from_le_bytes(bytes))
}

/// Cuts a range of addresses every 64 bytes, so that no piece crosses the end of a page, behind which
/// translation may lead elsewhere.
pub(crate) fn pieces(address: u64, len: usize) -> impl Iterator<Item = Range> {
    let mut at = address;
    let mut left = len;
    std::iter::from_fn(move || {
        let len = left.min(64 - (at % 64) as usize);
        let piece = Range { at, len };
        at = at.wrapping_add(len as u64);
        left -= len;
        (len > 0).then_some(piece)
    })
}

/// Whether an address depends on the carry flag.
fn needs_carry(address: decode::Address) -> bool {
    use decode::{Address, Offset, Shift};
    matches!(
        address,
        Address::Base {
            offset: Offset::Register {
                shift: Shift::RotateThroughCarry,
                ..
            },
            ..
        }
    )
}

/// Whether a register is one of those that translation depends on. AArch32's are not told apart: writes
/// of them are rare.
fn governs_translation(register: SystemRegister) -> bool {
    match register.name {
        // SCTLR, HCR (c1), TTBR, TCR, VTTBR, VTCR (c2), MAIR (c10), each at EL1, EL2 and EL12.
        Encoding::A64(3, _, 1 | 2 | 10, _, _) => true,
        Encoding::A64(..) | Encoding::Pstate => false,
        Encoding::Mcr(..) | Encoding::Mcrr(..) => true,
    }
}
