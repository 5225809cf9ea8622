//! What the hypervisor says when the guest is over.

use crate::{
    key, policy,
    trace::{COUNTERS, Counter, EVENTS, Event, MARKS},
    vcpu::Vcpu,
};
use core::{
    hint::spin_loop,
    sync::atomic::{AtomicBool, Ordering},
};
use setway_architecture::trap::{
    esr::Esr,
    sysreg::{SET_WAY_OPS, VM_REGS},
};
use setway_protocol::{
    Hex, Hypervisor, VERSION,
    record::{Died, HypervisorBegin, HypervisorTotals, Mark, SetWayFlush, ToggleCache, Traps},
};
use setway_runtime::{console::Records, head, mrs};

/// A vCPU reports: what is said of a run is said once.
static SPEAKS: AtomicBool = AtomicBool::new(false);

/// Waits forever if another vCPU reports already: it will end the machine.
fn speak_alone() {
    if SPEAKS.swap(true, Ordering::Relaxed) {
        loop {
            spin_loop();
        }
    }
}

/// The guest has ended by itself.
pub fn ended() {
    speak_alone();
    let mut records = Records::keyed(key());
    all(&mut records);
    records.end();
}

/// The guest cannot go on.
pub fn died(vcpu: &Vcpu, reason: &'static str, esr: Esr) {
    speak_alone();
    let mut records = Records::keyed(key());
    all(&mut records);
    records.emit(&Died {
        vcpu: vcpu.index as u64,
        reason: reason.into(),
        pc: Hex(vcpu.pc),
        esr: Hex(esr.0.into()),
        far: Hex(mrs!("far_el2")),
    });
    records.end();
}

fn all(records: &mut Records<Hypervisor>) {
    records.emit(&HypervisorBegin {
        proto: VERSION,
        build: Hex(head::build_id()),
        base: Some(Hex(head::base())),
        mutant: policy().mutant.map(|mutant| mutant.name().into()),
    });
    let lost = events(records);
    for (op, count) in SET_WAY_OPS.iter().zip(&COUNTERS.set_way) {
        traps(records, op.name, count);
    }
    for (reg, count) in VM_REGS.iter().zip(&COUNTERS.vm_reg) {
        traps(records, reg.name, count);
    }
    records.emit(&HypervisorTotals {
        flushes: COUNTERS.flushes.get(),
        lines: Some(COUNTERS.lines.get()),
        undef: Some(COUNTERS.undef.get()),
        lost,
    });
}

fn traps(records: &mut Records<Hypervisor>, name: &str, counter: &Counter) {
    let count = counter.get();
    if count > 0 {
        let reg = name.into();
        records.emit(&Traps { reg, count });
    }
}

/// Emits marks and events; returns how many were lost.
fn events(records: &mut Records<Hypervisor>) -> u64 {
    for (n, totals) in (0..).zip(MARKS.kept()) {
        records.emit(&Mark {
            n,
            set_way: totals.set_way,
            vm_reg: totals.vm_reg,
            flush: totals.flush,
        });
    }
    for event in EVENTS.kept() {
        match event {
            Event::SetWayFlush { vcpu, pc, cache_on } => records.emit(&SetWayFlush {
                vcpu: vcpu as u64,
                pc: Hex(pc),
                cache: cache_on.into(),
            }),
            Event::ToggleCache { vcpu, pc, was, now } => records.emit(&ToggleCache {
                vcpu: vcpu as u64,
                pc: Hex(pc),
                was: was.into(),
                now: now.into(),
            }),
        }
    }
    MARKS.lost() + EVENTS.lost()
}
