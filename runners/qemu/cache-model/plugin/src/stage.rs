//! What QEMU's memory shows.
//!
//! What QEMU calls memory is only a stage: before each load, the bytes that the CPU must see according to the model are put
//! where QEMU will load them; after each store, the model learns the bytes from there. In between, the stage has
//! no meaning of its own, except for lines that QEMU may read without a callback.

use std::io;

use setway_architecture::translate::Step;
use setway_cache_model::{Actor, Config, Model, Path, Range};

use crate::{
    cpu,
    exposed::Exposed,
    fast_path::{self, SteadyLines},
    pending_store::{PendingStore, PendingZero, ZERO_BLOCK},
    ram::Ram,
};

/// The model, and the memory in which QEMU's CPUs find what it has them see.
pub struct Stage {
    pub model: Model,
    pub ram: Ram,
    exposed: Exposed,
    /// Of each CPU.
    steady: Vec<SteadyLines>,
    /// Counts what may end that a line is steady, besides what others count.
    events: u64,
    /// The DC ZVA that a CPU was about to execute last.
    zeroing: Option<PendingZero>,
    /// Descriptors that were walked, and are not shown yet: between a store and the model's learning of it.
    unshown: Option<Vec<(Path, u64)>>,
}

impl Stage {
    /// From here on memory is what the model says. Until here it was coherent: the model begins with a copy.
    pub fn new(ram: Ram, caches: Config, cpus: usize) -> io::Result<Self> {
        let copy = ram.snapshot()?;
        Ok(Self {
            model: Model::new(caches, ram.size(), Box::new(copy)),
            exposed: Exposed::new(ram.size(), 1 << caches.line_shift),
            steady: std::iter::repeat_with(SteadyLines::new)
                .take(cpus)
                .collect(),
            events: 0,
            zeroing: None,
            unshown: None,
            ram,
        })
    }

    /// The model begins again, with memory as it should be.
    pub fn restart(&mut self) {
        let (ram, exposed) = (&self.ram, &mut self.exposed);
        exposed.restart();
        let size = self.model.line_size();
        self.model.restart(|at, page| {
            if ram.holds(at, page) && !exposed.is_marked(at) {
                return;
            }
            for (at, line) in (at..).step_by(size).zip(page.chunks(size)) {
                ram.show(at, line);
                if exposed.refetched(at, line) {
                    ram.translate_anew(at, size);
                }
            }
        });
    }

    /// Puts the line of `at` where QEMU will load it, as an access along `path` sees it.
    fn show(&mut self, path: Path, at: u64) {
        let line = self.model.line(at);
        self.ram.show(line.at, self.model.view(path, line));
    }

    /// As [`show`](Self::show), and remembers that QEMU may have to find it otherwise without a callback.
    fn show_once(&mut self, path: Path, at: u64) {
        self.show(path, at);
        self.exposed.shown(at, path);
    }

    /// `actor` is about to access `len` bytes from memory, and does load them if `loads`.
    #[inline]
    pub fn before_access(
        &mut self,
        actor: Actor,
        path: Path,
        offset: u64,
        len: usize,
        loads: bool,
    ) {
        for range in self.model.split(offset, len) {
            if loads {
                self.model.load(actor, path, range);
            }
            self.show_once(path, range.at);
        }
    }

    /// A store that QEMU has executed is taken into the model.
    pub fn store(&mut self, actor: Actor, stored: &PendingStore) {
        self.ram.show(stored.offset, stored.bytes());
        self.take(actor, stored.path, stored.offset, stored.bytes());
    }

    fn take(&mut self, actor: Actor, path: Path, offset: u64, bytes: &[u8]) {
        for range in self.model.split(offset, bytes.len()) {
            let from = (range.at - offset) as usize;
            let bytes = &bytes[from..from + range.len];
            self.model.store(actor, path, range.at, bytes);
            self.leave(range.at);
        }
    }

    /// A store of `len` bytes was executed, to a line that is steady and that the CPU has alone.
    #[inline]
    pub fn store_steadily(&mut self, actor: Actor, offset: u64, len: usize) {
        let mut bytes = [0; fast_path::LINE];
        self.ram.read(offset, &mut bytes[..len]);
        self.model.store_again(actor, offset, &bytes[..len]);
    }

    /// DC ZVA is about to be executed, and may fault instead. QEMU does not call when it is done.
    pub fn before_zero(&mut self, zero: PendingZero) {
        for range in self.model.split(zero.offset, ZERO_BLOCK) {
            self.show_once(zero.path, range.at);
        }
        self.zeroing = Some(zero);
    }

    /// Learns of the zeros of a DC ZVA, if one may have been executed, and returns whether. `stored` was stored
    /// since.
    #[inline]
    pub fn learn_zeros(&mut self, stored: &[PendingStore]) -> bool {
        let pending = self.zeroing.take();
        if let Some(zero) = pending {
            self.take_zeros(zero, stored);
        }
        pending.is_some()
    }

    #[cold]
    fn take_zeros(&mut self, zero: PendingZero, stored: &[PendingStore]) {
        const ZEROS: [u8; ZERO_BLOCK] = [0; ZERO_BLOCK];
        let mut now = ZEROS;
        self.ram.read(zero.offset, &mut now);
        for (at, byte) in (zero.offset..).zip(&mut now) {
            if stored.iter().any(|stored| stored.has(at)) {
                *byte = 0;
            }
        }
        // It was shown what this CPU sees. If that was zero before, a fault and zeros are the same.
        if now == ZEROS {
            self.take(zero.actor, zero.path, zero.offset, &ZEROS);
        }
    }

    /// Puts the lines right that accesses have seen in a view of their own.
    #[inline]
    pub fn settle(&mut self) {
        if self.exposed.is_disturbed() {
            for at in self.exposed.take_disturbed() {
                self.leave(at);
            }
        }
    }

    /// Puts the lines right that hardware has written back.
    #[inline]
    pub fn settle_written_back(&mut self) {
        if self.model.has_written_back() {
            for at in self.model.take_written_back() {
                self.leave(at);
            }
        }
    }

    /// Something has happened to the line of `at`: QEMU must find it as it is now, without a callback.
    #[inline]
    pub fn leave(&mut self, at: u64) {
        if let Some(path) = self.exposed.table(at) {
            self.show(path, at);
        }
        if let Some(path) = self.exposed.code(at) {
            let line = self.model.line(at);
            if self.exposed.refetched(at, self.model.view(path, line)) {
                self.ram.translate_anew(line.at, line.len);
            }
        }
    }

    /// Reads a translation table descriptor as the CPU's table walker sees it, and has QEMU's walker see the
    /// same.
    pub fn descriptor(&mut self, actor: Actor, step: Step) -> Option<u64> {
        let len = usize::from(step.len);
        let at = self.ram.offset(step.pa, len)?;
        let path = cpu::path(step.memory);
        let range = Range { at, len };
        self.model.walk(actor, path, range);
        let mut bytes = [0; 8];
        bytes[..len].copy_from_slice(self.model.view(path, range));
        self.exposed.walked(at, path);
        match &mut self.unshown {
            Some(unshown) => unshown.push((path, at)),
            None => self.show(path, at),
        }
        Some(u64::from_le_bytes(bytes))
    }

    /// QEMU has executed a store of which the model does not know yet: has `find` find out where it went, and leaves
    /// QEMU's memory as it is until then. The store may have been to a table that leads to itself, as when a kernel
    /// maps the memory that its tables are in.
    #[inline]
    pub fn undisturbed<T>(&mut self, find: impl FnOnce(&mut Self) -> T) -> T {
        self.unshown = Some(Vec::new());
        let found = find(self);
        for (path, at) in self.unshown.take().into_iter().flatten() {
            self.show(path, at);
        }
        found
    }

    /// `actor` fetches what QEMU has translated from `bytes`. Returns whether it finds the same.
    pub fn fetch(&mut self, actor: Actor, path: Path, offset: u64, bytes: &[u8]) -> bool {
        let mut same = true;
        for range in self.model.split(offset, bytes.len()) {
            self.model.load(actor, path, range);
            let from = (range.at - offset) as usize;
            same &= bytes[from..from + range.len] == *self.model.view(path, range);
            let line = self.model.line(range.at);
            let view = self.model.view(path, line);
            self.exposed.fetched(line.at, path, view);
        }
        same
    }

    /// Puts code where QEMU's translator will find it, and has QEMU notice.
    pub fn show_code(&mut self, path: Path, offset: u64, len: usize) {
        for range in self.model.split(offset, len) {
            self.ram.show_code(range.at, self.model.view(path, range));
            self.exposed.shown(range.at, path);
        }
    }

    /// Something has happened that ends for every line that it is steady.
    #[inline]
    pub fn unsteady(&mut self) {
        self.events += 1;
    }

    /// A number that is another whenever a line may have ceased to be steady.
    #[inline]
    fn moment(&self) -> u64 {
        self.events + self.model.generation() + self.ram.changes() + self.exposed.changes()
    }

    /// Where an access is, if it is to a steady line of this CPU's, and whether the CPU has the line alone.
    #[inline(always)]
    pub fn steady_at(
        &self,
        cpu: usize,
        regime: u64,
        address: u64,
        len: usize,
    ) -> Option<(u64, bool)> {
        self.steady[cpu].find(address, len, regime, self.moment())
    }

    /// Remembers a line that was just accessed, if it is steady.
    #[inline]
    pub fn remember(&mut self, cpu: usize, regime: u64, address: u64, offset: u64, path: Path) {
        // While there is something left to do, the next access has to come by.
        if self.exposed.is_disturbed() || self.zeroing.is_some() {
            return;
        }
        if path != Path::WriteBack
            || self.model.line_size() != fast_path::LINE
            || self.exposed.table(offset).is_some()
        {
            return;
        }
        let Some(alone) = self.model.steady(cpu as u8, offset) else {
            return;
        };
        self.show(path, offset);
        let moment = self.moment();
        self.steady[cpu].remember(address, regime, moment, offset, alone);
    }
}
