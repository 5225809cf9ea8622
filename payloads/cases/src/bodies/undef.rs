//! Instructions that must not exist.

use super::NOTHING;
use crate::{
    context::Context,
    isa::Isa,
    probe::{Probe, ProbeSet, Registers},
};

/// Reads of the write-only set/way encodings. Whether they trap before they are UNDEFINED is the
/// CPU's choice, so only the guest's view counts; no set/way op is executed.
pub fn set_way_read<I: Isa>(cx: &mut Context<I>) {
    refused(cx, ProbeSet::SetWayRead, |probe| probe);
}

/// An access that the hypervisor refuses.
pub fn injected<I: Isa>(cx: &mut Context<I>) {
    refused(cx, ProbeSet::Refused, |probe| probe);
}

/// The same with all condition flags set.
pub fn flags<I: Isa>(cx: &mut Context<I>) {
    refused(cx, ProbeSet::Refused, |probe| {
        let mut probe = probe.with_flags(0xf << 28);
        probe.flags_arrive = true;
        probe.exit.state |= probe.flags;
        probe
    });
}

/// The probes of `set`, each as `varied` makes it.
fn refused<I: Isa>(cx: &mut Context<I>, set: ProbeSet, varied: fn(Probe) -> Probe) {
    let regs = Registers::pattern(I::NAME);
    I::mark();
    I::probes(set, &mut |probe| cx.exception(&varied(probe), &regs));
    I::mark();
    cx.measured("accesses", NOTHING);
}
