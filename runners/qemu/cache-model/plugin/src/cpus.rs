//! The machine's CPUs: which of them runs, what its registers hold, and where its accesses lead.

use std::thread::ThreadId;

use setway_architecture::{
    decode::{Address, SystemRegister},
    registers::Hcr,
    translate,
    trap::aarch32,
};
use setway_cache_model::{Actor, Path, Range};

use crate::{
    api,
    cpu::{Cpu, Target},
    cpu_env,
    registers::{self, Registers},
    site::{ALWAYS, Site},
    stage::Stage,
    state::State,
};

/// All CPUs of the machine. They run on one thread, so there is always a current one.
pub struct Cpus {
    cpus: Vec<Cpu>,
    /// The addresses of QEMU's objects for them.
    objects: Vec<usize>,
    /// The thread that runs them.
    thread: Option<ThreadId>,
    /// The current CPU's registers, once there is a CPU.
    registers: Option<Registers>,
    /// The number of the last place at which an access was prepared, and the range of virtual addresses.
    pub prepared: (u32, Range),
}

impl Cpus {
    /// As many as the machine can have, of which nothing is known yet.
    pub fn new(count: usize) -> Self {
        Self {
            cpus: std::iter::repeat_with(Cpu::new).take(count).collect(),
            objects: vec![0; count],
            thread: None,
            registers: None,
            prepared: (u32::MAX, Range { at: 0, len: 0 }),
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.cpus.len()
    }

    /// CPU `number` has come into being, and is the current one.
    ///
    /// # Panics
    ///
    /// If it has a thread of its own, or QEMU does not show what must be known of it.
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
        if self.registers.is_none() {
            match Registers::find(&api::registers()) {
                Ok(registers) => self.registers = Some(registers),
                Err(reason) => panic!("setway cache model: {reason}"),
            }
        }
    }

    /// The number of the current CPU. QEMU reports `said`, which may be the number of another.
    #[inline]
    pub fn current(&self, said: usize) -> usize {
        if self.objects.len() == 1 {
            return 0;
        }
        let object = cpu_env::current_cpu();
        let number =
            object.and_then(|object| self.objects.iter().position(|known| *known == object));
        number.unwrap_or(said)
    }

    /// The state of the current CPU, which is about to execute the block at `address`. `None` if it is one
    /// in which this CPU cannot be watched.
    pub fn state(&mut self, address: u64) -> Option<State> {
        self.registers.as_mut()?.state(address)
    }

    /// Whether the condition of an instruction holds on the current CPU.
    #[inline]
    pub fn condition_holds(&mut self, site: &Site) -> bool {
        site.condition >= ALWAYS
            || self.registers.as_mut().is_some_and(|registers| {
                aarch32::condition_holds(site.condition.into(), registers.flags())
            })
    }

    /// The address of an access by the current CPU.
    #[inline]
    pub fn address(&mut self, site: &Site, address: Address) -> u64 {
        let registers = self.registers.as_mut();
        registers.map_or(0, |it| it.address(site.state, site.pc, address))
    }

    /// A general register of the current CPU; 31 is the zero register.
    pub fn operand(&mut self, site: &Site, register: u8) -> u64 {
        let registers = self.registers.as_mut();
        registers.map_or(0, |it| it.operand(site.state, register))
    }

    /// Where an exception return of the current CPU leads, if that can be seen from its registers.
    pub fn returns_to(&mut self, state: State) -> Option<(State, u64)> {
        self.registers.as_mut()?.returns_to(state)
    }

    /// Whether an exception return of the current CPU from EL2 enters a guest: what it returns to is below EL2, and
    /// translated by stage 2.
    pub fn enters_guest(&mut self, state: State) -> bool {
        let Some(registers) = &mut self.registers else {
            return false;
        };
        let hcr = registers.hcr();
        let to = registers.returns_to(state);
        // AArch32's Hyp mode does not show where it returns to; it rarely stays there.
        is_guest(to.map_or(0, |(to, _)| to.el), hcr)
    }

    /// Reads the registers of the current CPU that govern translation, if they may have changed. Returns whether
    /// they have.
    #[inline]
    pub fn refresh(&mut self, cpu: usize, el: u8) -> bool {
        match &mut self.registers {
            Some(registers) if self.cpus[cpu].stale => {
                let mut read = registers.translation();
                if registers.hides_el1(el, read.hcr_el2) {
                    registers::keep_el1(&mut read, &self.cpus[cpu].registers);
                }
                self.cpus[cpu].refresh(read)
            }
            _ => false,
        }
    }

    /// The current CPU is about to write a register, at EL2. What a host writes to EL1's by EL12's names is all that
    /// can be known of them until the CPU is below EL2, where QEMU does not hide them.
    pub fn write_el12(&mut self, cpu: usize, register: SystemRegister, value: u64) {
        let cpu = &mut self.cpus[cpu];
        if let Some(field) = registers::by_el12(register, &mut cpu.registers) {
            *field = value;
            cpu.forget();
        }
    }

    /// The registers of a CPU that govern translation, as last read.
    pub fn translation(&self, cpu: usize) -> &translate::Registers {
        &self.cpus[cpu].registers
    }

    /// Whether a CPU's registers may have changed since they were read.
    #[inline]
    pub fn is_stale(&self, cpu: usize) -> bool {
        self.cpus[cpu].stale
    }

    /// A CPU's registers may have changed.
    pub fn make_stale(&mut self, cpu: usize) {
        self.cpus[cpu].stale = true;
    }

    /// Any CPU's registers may have changed.
    pub fn make_all_stale(&mut self) {
        self.cpus.iter_mut().for_each(|cpu| cpu.stale = true);
    }

    /// Every CPU forgets its translations.
    pub fn forget_translations(&mut self) {
        self.cpus.iter_mut().for_each(Cpu::forget);
    }

    /// Whether any CPU has a cacheable mapping, so that it may speculate.
    pub fn may_speculate(&self) -> bool {
        self.cpus.iter().any(Cpu::may_speculate)
    }

    /// Whether what `site` does on a CPU is a guest's doing: it runs below EL2, translated by stage 2.
    #[inline]
    pub fn is_guest(&self, cpu: usize, site: &Site) -> bool {
        is_guest(site.state.el, self.cpus[cpu].registers.hcr_el2)
    }

    /// `site` on a CPU, as the model knows it.
    #[inline]
    pub fn actor(&self, cpu: usize, site: &Site) -> Actor {
        site.actor(cpu, self.is_guest(cpu, site))
    }

    /// Where bytes at a virtual address are in memory, and how the CPU reaches them.
    #[inline]
    pub fn locate(
        &mut self,
        stage: &mut Stage,
        cpu: usize,
        site: &Site,
        piece: Range,
    ) -> Option<(u64, Path)> {
        let Target { address, path } = self.target(stage, cpu, site, piece.at)?;
        Some((stage.ram.offset(address, piece.len)?, path))
    }

    /// Where a virtual address leads, be it memory or not.
    #[inline]
    pub fn target(
        &mut self,
        stage: &mut Stage,
        cpu: usize,
        site: &Site,
        address: u64,
    ) -> Option<Target> {
        let actor = self.actor(cpu, site);
        let read = |step| stage.descriptor(actor, step);
        self.cpus[cpu].translate(site.state, address, read)
    }

    /// Where instructions at a virtual address are in memory, and how the CPU fetches them in `state`.
    pub fn locate_fetch(
        &self,
        stage: &mut Stage,
        cpu: usize,
        actor: Actor,
        state: State,
        piece: Range,
    ) -> Option<(u64, Path)> {
        let read = |step| stage.descriptor(actor, step);
        let registers = self.registers.as_ref();
        let cacheable = registers.map_or(Path::Fetch, Registers::fetch_path);
        let cpu = &self.cpus[cpu];
        let Target { address, path } = cpu.translate_fetch(state, piece.at, cacheable, read)?;
        Some((stage.ram.offset(address, piece.len)?, path))
    }
}

/// Whether an exception level is a guest's, under this HCR_EL2.
fn is_guest(el: u8, hcr: u64) -> bool {
    let hcr = Hcr::from_bits_retain(hcr);
    el < 2 && hcr.contains(Hcr::VM) && !hcr.contains(Hcr::TGE)
}

/// Cuts a range of addresses every 64 bytes, so that no piece crosses the end of a page, after which
/// translation may lead elsewhere.
pub fn pieces(address: u64, len: usize) -> impl Iterator<Item = Range> {
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
