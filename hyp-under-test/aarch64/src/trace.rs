//! What the hypervisor saw: counters of each vCPU, and a log of the events that matter.
//!
//! Nothing is printed while the guest runs. The marks with which a guest brackets its steps take a
//! copy of the counters, so that what happened in each step can be told afterwards and compared with
//! what was counted from outside.

use core::{
    cell::UnsafeCell,
    sync::atomic::{AtomicUsize, Ordering},
};
use setway_emulate::sysreg::{SET_WAY_OPS, VM_REGS};

/// What one vCPU trapped for, and the work it caused.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Counters {
    /// Writes, by place in [`SET_WAY_OPS`].
    pub set_way: [u64; SET_WAY_OPS.len()],
    /// Writes, by place in [`VM_REGS`].
    pub vm_reg: [u64; VM_REGS.len()],
    /// UNDEFs injected.
    pub undef: u64,
    /// Flushes of the guest's memory.
    pub flushes: u64,
    /// Lines that they cleaned and invalidated.
    pub lines: u64,
}

impl Counters {
    /// All zero.
    pub const fn new() -> Self {
        Self {
            set_way: [0; SET_WAY_OPS.len()],
            vm_reg: [0; VM_REGS.len()],
            undef: 0,
            flushes: 0,
            lines: 0,
        }
    }

    /// Adds another vCPU's.
    pub fn add(&mut self, other: &Counters) {
        let add = |ours: &mut [u64], theirs: &[u64]| {
            ours.iter_mut()
                .zip(theirs)
                .for_each(|(our, their)| *our += their);
        };
        add(&mut self.set_way, &other.set_way);
        add(&mut self.vm_reg, &other.vm_reg);
        self.undef += other.undef;
        self.flushes += other.flushes;
        self.lines += other.lines;
    }

    /// What a mark keeps.
    pub fn totals(&self) -> Totals {
        Totals {
            set_way: self.set_way.iter().sum(),
            vm_reg: self.vm_reg.iter().sum(),
            flush: self.flushes,
        }
    }
}

/// Running totals over all vCPUs.
#[derive(Clone, Copy)]
pub struct Totals {
    /// Set/way ops.
    pub set_way: u64,
    /// VM register writes.
    pub vm_reg: u64,
    /// Flushes.
    pub flush: u64,
}

/// An event.
#[derive(Clone, Copy)]
pub enum Event {
    /// KVM's `kvm_set_way_flush`.
    SetWayFlush {
        vcpu: usize,
        pc: u64,
        cache_on: bool,
    },
    /// KVM's `kvm_toggle_cache`.
    ToggleCache {
        vcpu: usize,
        pc: u64,
        was: bool,
        now: bool,
    },
}

/// The first so many of something; what comes later is counted as lost.
pub struct Log<T, const CAPACITY: usize> {
    slots: UnsafeCell<[Option<T>; CAPACITY]>,
    used: AtomicUsize,
}

// SAFETY: each slot is written once, by the CPU that took its number, and read when all are done.
unsafe impl<T: Send, const CAPACITY: usize> Sync for Log<T, CAPACITY> {}

/// What the policy did.
pub static EVENTS: Log<Event, 1024> = Log::new();
/// The guest's marks. They have a log of their own, so that no number of events can displace them.
pub static MARKS: Log<Totals, 64> = Log::new();

impl<T: Copy, const CAPACITY: usize> Log<T, CAPACITY> {
    const fn new() -> Self {
        Self {
            slots: UnsafeCell::new([None; CAPACITY]),
            used: AtomicUsize::new(0),
        }
    }

    /// Keeps `item`.
    pub fn push(&self, item: T) {
        let slot = self.used.fetch_add(1, Ordering::Relaxed);
        if slot < CAPACITY {
            // SAFETY: in bounds, and see `Sync`.
            unsafe {
                self.slots
                    .get()
                    .cast::<Option<T>>()
                    .add(slot)
                    .write(Some(item))
            }
        }
    }

    /// What was kept, in order. Only when no vCPU runs any more.
    pub fn kept(&self) -> impl Iterator<Item = T> {
        // SAFETY: nobody writes any more.
        let slots = unsafe { &*self.slots.get() };
        slots.iter().flatten().copied()
    }

    /// How many did not fit.
    pub fn lost(&self) -> u64 {
        self.used.load(Ordering::Relaxed).saturating_sub(CAPACITY) as u64
    }
}
