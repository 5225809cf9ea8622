//! A second vCPU: what it starts with, and what it does not share.

use super::{FIRST_SET_WAY, NEXT_SET_WAY, NOTHING, TOGGLE, VM_REG, set_way::issue};
use crate::{
    context::Context,
    isa::{Call, Command, Isa, SECONDARY_CONTEXT, Start},
};
use setway_architecture::maintenance::SetWayOp;

/// CPU_ON gives a vCPU with its caches off and TVM set.
pub fn reset<I: Isa>(cx: &mut Context<I>) {
    if start(cx) {
        from_reset(cx);
        stop(cx);
    }
}

/// So does CPU_ON after CPU_OFF, whatever the vCPU did before.
pub fn restart<I: Isa>(cx: &mut Context<I>) {
    if !start(cx) {
        return;
    }
    I::on_secondary(Command::CachesOn);
    stop(cx);
    if start_again(cx) {
        from_reset(cx);
        stop(cx);
    }
}

/// 32-bit calls take 32 bits of each argument, whatever stands above.
pub fn wide_arguments<I: Isa>(cx: &mut Context<I>) {
    let affinity = cx.step("AFFINITY_INFO", NOTHING, || I::affinity_by_32_bit_call(1));
    cx.state("AFFINITY_INFO: off", 1, affinity.into());
    let how = Start {
        call: Call::NarrowUnderOnes,
        ..Start::PLAIN
    };
    if started(cx, "", I::start(1, &how)) {
        let affinity = I::affinity_by_32_bit_call(1);
        cx.state("AFFINITY_INFO: on", 0, affinity.into());
        stop(cx);
    }
}

/// Starts the second CPU; false if there is none to command.
pub(super) fn start<I: Isa>(cx: &mut Context<I>) -> bool {
    start_as(cx, "")
}

/// Starts the second CPU after it was off; false if there is none to command.
pub(super) fn start_again<I: Isa>(cx: &mut Context<I>) -> bool {
    start_as(cx, "again: ")
}

/// Starts the second CPU; the checks' names begin with `when`.
fn start_as<I: Isa>(cx: &mut Context<I>, when: &str) -> bool {
    started(cx, when, I::start_secondary())
}

/// Checks how the second CPU has `started`; false if it has not. The checks' names begin with `when`.
fn started<I: Isa>(cx: &mut Context<I>, when: &str, started: bool) -> bool {
    cx.state(format_args!("{when}CPU_ON succeeds"), 1, u64::from(started));
    if !started {
        return false;
    }
    cx.state(
        format_args!("{when}M or C set at start"),
        0,
        u64::from(I::started_with_caches(1)),
    );
    cx.register(
        format_args!("{when}context at start"),
        SECONDARY_CONTEXT.into(),
        I::found(1).context & 0xffff_ffff,
    );
    true
}

/// Turns the second CPU off.
pub(super) fn stop<I: Isa>(cx: &mut Context<I>) {
    cx.state("off after CPU_OFF", 1, u64::from(I::stop_secondary()));
}

/// What a vCPU costs that starts with TVM set.
fn from_reset<I: Isa>(cx: &mut Context<I>) {
    cx.step("first CONTEXTIDR write of CPU 1", VM_REG, || {
        I::on_secondary(Command::Contextidr)
    });
    cx.step("cache on", TOGGLE, || I::on_secondary(Command::CachesOn));
    cx.step("CONTEXTIDR write", NOTHING, || {
        I::on_secondary(Command::Contextidr)
    });
}

/// What one vCPU does to its TVM, the other does not feel.
pub fn own_tvm<I: Isa>(cx: &mut Context<I>) {
    if !start(cx) {
        return;
    }
    cx.step("CPU 0 with TVM clear, CPU 1 with it set", NOTHING, || {
        I::write_contextidr(1)
    });
    cx.step("cache on, CPU 1", TOGGLE, || {
        I::on_secondary(Command::CachesOn)
    });
    cx.step("set/way op, CPU 1", FIRST_SET_WAY, || {
        I::on_secondary(Command::SetWay)
    });
    cx.step("CONTEXTIDR write, CPU 0", NOTHING, || {
        I::write_contextidr(2)
    });
    cx.step("set/way op, CPU 0", FIRST_SET_WAY, || {
        issue::<I>(SetWayOp::Csw)
    });
    cx.step("second set/way op, CPU 1", NEXT_SET_WAY, || {
        I::on_secondary(Command::SetWay)
    });
    cx.step("CONTEXTIDR write, CPU 1", VM_REG, || {
        I::on_secondary(Command::Contextidr)
    });
    cx.step("CONTEXTIDR write, CPU 0, again", VM_REG, || {
        I::write_contextidr(3)
    });
    I::on_secondary(Command::Off);
}
