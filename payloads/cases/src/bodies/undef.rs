//! Instructions that must not exist.

use super::NOTHING;
use crate::{
    context::Context,
    isa::Isa,
    probe::{ProbeSet, Registers},
};

/// Reads of the write-only set/way encodings. Whether they trap before they are UNDEFINED is the
/// CPU's choice, so only the guest's view counts; no set/way op is executed.
pub fn set_way_read<I: Isa>(cx: &mut Context<I>) {
    refused(cx, ProbeSet::SetWayRead);
}

/// An access that the hypervisor refuses.
pub fn injected<I: Isa>(cx: &mut Context<I>) {
    refused(cx, ProbeSet::Refused);
}

fn refused<I: Isa>(cx: &mut Context<I>, set: ProbeSet) {
    let regs = Registers::pattern(I::NAME);
    I::mark();
    I::probes(set, &mut |probe| cx.exception(&probe, &regs));
    I::mark();
    cx.measured("accesses", NOTHING);
}

/// The same with all condition flags set.
pub fn flags<I: Isa>(cx: &mut Context<I>) {
    let regs = Registers::pattern(I::NAME);
    I::mark();
    I::probes(ProbeSet::Refused, &mut |probe| {
        let mut probe = probe.with_flags(0xf << 28);
        probe.flags_arrive = true;
        probe.exit.state |= probe.flags;
        cx.exception(&probe, &regs);
    });
    I::mark();
    cx.measured("accesses", NOTHING);
}
