//! What the hypervisor saw: counters of each vCPU, and a ring of the events that matter.
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
    /// The guest's mark.
    Mark(Totals),
}

/// Events kept; what comes later is counted as lost.
const CAPACITY: usize = 1024;

struct Ring(UnsafeCell<[Option<Event>; CAPACITY]>);

// SAFETY: each slot is written once, by the CPU that took its number, and read when all are done.
unsafe impl Sync for Ring {}

static RING: Ring = Ring(UnsafeCell::new([None; CAPACITY]));
static USED: AtomicUsize = AtomicUsize::new(0);

/// Keeps an event.
pub fn push(event: Event) {
    let slot = USED.fetch_add(1, Ordering::Relaxed);
    if slot < CAPACITY {
        // SAFETY: in bounds, and see `Sync`.
        unsafe {
            RING.0
                .get()
                .cast::<Option<Event>>()
                .add(slot)
                .write(Some(event))
        }
    }
}

/// The events kept, in order, and how many were lost. Only when no vCPU runs any more.
pub fn events() -> (impl Iterator<Item = Event>, u64) {
    let used = USED.load(Ordering::Relaxed);
    // SAFETY: nobody writes any more.
    let ring = unsafe { &*RING.0.get() };
    (
        ring[..used.min(CAPACITY)].iter().flatten().copied(),
        used.saturating_sub(CAPACITY) as u64,
    )
}
