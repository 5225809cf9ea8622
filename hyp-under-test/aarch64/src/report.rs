//! What the hypervisor says when the guest is over.

use crate::{
    policy,
    trace::{COUNTERS, Counter, EVENTS, Event, MARKS},
    vcpu::Vcpu,
};
use setway_architecture::trap::{
    esr::Esr,
    sysreg::{SET_WAY_OPS, VM_REGS},
};
use setway_protocol::{Stream, VERSION, Value::*, kind};
use setway_runtime::mrs;
use setway_runtime::{console::Records, head};

/// The guest has ended by itself.
pub fn ended() {
    let mut records = Records::new(Stream::Hypervisor);
    all(&mut records);
    records.end();
}

/// The guest cannot go on.
pub fn died(vcpu: &Vcpu, reason: &'static str, esr: Esr) {
    let mut records = Records::new(Stream::Hypervisor);
    all(&mut records);
    records.emit(
        kind::DIED,
        &[
            ("vcpu", Count(vcpu.index as u64)),
            ("reason", Text(reason)),
            ("pc", Hex(vcpu.pc)),
            ("esr", Hex(esr.0.into())),
            ("far", Hex(mrs!("far_el2"))),
        ],
    );
    records.end();
}

fn all(records: &mut Records) {
    let policy = policy().mutant.map_or("none", |mutant| mutant.name());
    let fields = [
        ("proto", Count(VERSION)),
        ("build", Hex(head::build_id())),
        ("base", Hex(head::base())),
        ("policy", Text(policy)),
    ];
    records.emit(kind::BEGIN, &fields);
    let lost = events(records);
    for (op, count) in SET_WAY_OPS.iter().zip(&COUNTERS.set_way) {
        traps(records, op.name, count);
    }
    for (reg, count) in VM_REGS.iter().zip(&COUNTERS.vm_reg) {
        traps(records, reg.name, count);
    }
    traps(records, "UNDEF injected", &COUNTERS.undef);
    records.emit(
        kind::TOTALS,
        &[
            ("flushes", Count(COUNTERS.flushes.get())),
            ("lines", Count(COUNTERS.lines.get())),
            ("lost", Count(lost)),
        ],
    );
}

fn traps(records: &mut Records, name: &str, counter: &Counter) {
    let count = counter.get();
    if count > 0 {
        records.emit(
            kind::TRAPS,
            &[
                ("reg", Text(name)),
                ("dir", Text("w")),
                ("count", Count(count)),
            ],
        );
    }
}

/// Emits marks and events; returns how many were lost.
fn events(records: &mut Records) -> u64 {
    let on_off = |on| Text(if on { "on" } else { "off" });
    for (n, totals) in (0..).zip(MARKS.kept()) {
        records.emit(
            kind::MARK,
            &[
                ("n", Count(n)),
                ("set_way", Count(totals.set_way)),
                ("vm_reg", Count(totals.vm_reg)),
                ("flush", Count(totals.flush)),
            ],
        );
    }
    for event in EVENTS.kept() {
        match event {
            Event::SetWayFlush { vcpu, pc, cache_on } => records.emit(
                kind::SET_WAY_FLUSH,
                &[
                    ("vcpu", Count(vcpu as u64)),
                    ("pc", Hex(pc)),
                    ("cache", on_off(cache_on)),
                ],
            ),
            Event::ToggleCache { vcpu, pc, was, now } => records.emit(
                kind::TOGGLE_CACHE,
                &[
                    ("vcpu", Count(vcpu as u64)),
                    ("pc", Hex(pc)),
                    ("was", on_off(was)),
                    ("now", on_off(now)),
                ],
            ),
        }
    }
    MARKS.lost() + EVENTS.lost()
}
