//! Instructions that must not exist.

use super::NOTHING;
use crate::{
    context::Context,
    isa::{Isa, IsaName},
    probe::{Circumstances, Probe, ProbeSet, Registers},
};
use setway_architecture::trap::aarch32::psr;

/// Reads of the write-only set/way encodings. Whether they trap before they are UNDEFINED is the
/// CPU's choice, so only the guest's view counts; no set/way op is executed.
pub fn set_way_read<I: Isa>(cx: &mut Context<I>) {
    refused(cx, ProbeSet::SetWayRead, |probe| probe);
}

/// An access that the hypervisor refuses.
pub fn injected<I: Isa>(cx: &mut Context<I>) {
    refused(cx, ProbeSet::Refused, |probe| probe);
}

/// The ops by set/way on allocation tags, of which the guest knows nothing.
pub fn tags<I: Isa>(cx: &mut Context<I>) {
    refused(cx, ProbeSet::TagOps, |probe| probe);
}

/// An access that the hypervisor refuses, with all condition flags set.
pub fn flags<I: Isa>(cx: &mut Context<I>) {
    refused(cx, ProbeSet::Refused, |probe| {
        let mut probe = probe.with_flags(0xf << 28);
        probe.flags_arrive = true;
        probe.exit.state |= probe.flags;
        probe
    });
}

/// Runs a probe of `set` under other circumstances, `name`.
fn refused_under<I: Isa>(cx: &mut Context<I>, set: ProbeSet, name: &str, under: Circumstances) {
    let regs = Registers::pattern(I::NAME);
    I::probes(set, &mut |probe| {
        cx.exception_when(&I::under(probe, under), &regs, name)
    });
}

/// The vectors at another place.
const MOVED: Circumstances = Circumstances {
    user: false,
    moved: true,
    thumb: false,
    big_endian: false,
};

/// The circumstances that an instruction set has, by their names.
fn circumstances<I: Isa>() -> &'static [(&'static str, Circumstances)] {
    const ALL: [(&str, Circumstances); 4] = [
        ("VBAR", MOVED),
        (
            "TE",
            Circumstances {
                thumb: true,
                ..MOVED
            },
        ),
        (
            "EE",
            Circumstances {
                big_endian: true,
                ..MOVED
            },
        ),
        (
            "TE, EE",
            Circumstances {
                thumb: true,
                big_endian: true,
                ..MOVED
            },
        ),
    ];
    if I::NAME == IsaName::A64 {
        &ALL[..1]
    } else {
        &ALL
    }
}

/// With the vectors at another place; in AArch32 with each of SCTLR.TE and EE, which stage 1 would have to know of.
pub fn at_el1<I: Isa>(cx: &mut Context<I>) {
    I::set_caches(false, false);
    I::mark();
    for (name, under) in circumstances::<I>() {
        refused_under(cx, ProbeSet::RefusedLater, name, *under);
    }
    I::mark();
    cx.measured("accesses", NOTHING);
    I::set_caches(true, true);
}

/// The same from EL0, or User mode.
pub fn from_user<I: Isa>(cx: &mut Context<I>) {
    I::set_caches(false, false);
    I::mark();
    let user = Circumstances {
        user: true,
        ..Circumstances::default()
    };
    refused_under(cx, ProbeSet::RefusedToUser, "EL0", user);
    for (name, under) in circumstances::<I>() {
        let under = Circumstances {
            user: true,
            ..*under
        };
        refused_under(cx, ProbeSet::RefusedToUser, name, under);
    }
    I::mark();
    cx.measured("accesses", NOTHING);
    I::set_caches(true, true);
}

/// With software step armed: the step is not over, and waits for the return.
pub fn stepped<I: Isa>(cx: &mut Context<I>) {
    refused(cx, ProbeSet::Refused, |mut probe| {
        probe.pstate = psr::SS;
        probe.exit.saved |= psr::SS;
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
