//! What the hypervisor saw: counters, and a log of the events that matter.
//!
//! Nothing is printed while the guest runs. The marks with which a guest brackets its steps take a
//! copy of the counters, so that what happened in each step can be reported afterwards and compared with
//! what was counted from outside.

use core::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};
use setway_architecture::trap::sysreg::{SET_WAY_OPS, VM_REGS};

/// A count to which any vCPU may add.
pub struct Counter(AtomicU64);

impl Counter {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds to it.
    #[inline]
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// Its value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What all vCPUs together trapped for, and the work it caused.
pub struct Counters {
    /// Writes, by place in [`SET_WAY_OPS`].
    pub set_way: [Counter; SET_WAY_OPS.len()],
    /// Writes, by place in [`VM_REGS`].
    pub vm_reg: [Counter; VM_REGS.len()],
    /// UNDEFs injected.
    pub undef: Counter,
    /// Flushes of the guest's memory.
    pub flushes: Counter,
    /// Lines that they cleaned and invalidated.
    pub lines: Counter,
}

/// The counters.
pub static COUNTERS: Counters = Counters {
    set_way: [const { Counter::new() }; SET_WAY_OPS.len()],
    vm_reg: [const { Counter::new() }; VM_REGS.len()],
    undef: Counter::new(),
    flushes: Counter::new(),
    lines: Counter::new(),
};

impl Counters {
    /// What a mark keeps.
    pub fn totals(&self) -> Totals {
        Totals {
            set_way: self.set_way.iter().map(Counter::get).sum(),
            vm_reg: self.vm_reg.iter().map(Counter::get).sum(),
            flush: self.flushes.get(),
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
    slots: [Slot<T>; CAPACITY],
    used: AtomicUsize,
}

/// A place in a log.
struct Slot<T> {
    item: UnsafeCell<Option<T>>,
    /// The item is there to be read.
    ready: AtomicBool,
}

// SAFETY: the item is written once, by the CPU that took the slot's number, before `ready` is set,
// and read after.
unsafe impl<T: Send> Sync for Slot<T> {}

/// What the policy did.
pub static EVENTS: Log<Event, 1024> = Log::new();
/// The guest's marks. They have a log of their own, so that no number of events can displace them.
pub static MARKS: Log<Totals, 64> = Log::new();

impl<T: Copy, const CAPACITY: usize> Log<T, CAPACITY> {
    const fn new() -> Self {
        Self {
            slots: [const {
                Slot {
                    item: UnsafeCell::new(None),
                    ready: AtomicBool::new(false),
                }
            }; CAPACITY],
            used: AtomicUsize::new(0),
        }
    }

    /// Keeps `item`.
    pub fn push(&self, item: T) {
        let number = self.used.fetch_add(1, Ordering::Relaxed);
        if let Some(slot) = self.slots.get(number) {
            // SAFETY: see `Sync`: this is the one write.
            unsafe { *slot.item.get() = Some(item) }
            slot.ready.store(true, Ordering::Release);
        }
    }

    /// What was kept, in order.
    pub fn kept(&self) -> impl Iterator<Item = T> {
        let ready = self
            .slots
            .iter()
            .filter(|slot| slot.ready.load(Ordering::Acquire));
        // SAFETY: see `Sync`: it is ready.
        ready.filter_map(|slot| unsafe { *slot.item.get() })
    }

    /// How many did not fit.
    pub fn lost(&self) -> u64 {
        self.used.load(Ordering::Relaxed).saturating_sub(CAPACITY) as u64
    }
}
