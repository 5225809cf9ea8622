//! Aborts that are the guest's own doing.

use super::NOTHING;
use crate::{
    context::Context,
    isa::Isa,
    probe::{Probe, ProbeSet, Registers},
};

/// A fetch from memory that was never touched, whose zeros are UNDEFINED.
pub fn fetch_new<I: Isa>(cx: &mut Context<I>) {
    let regs = Registers::pattern(I::NAME);
    I::mark();
    for name in ["fetch of new memory", "and of another block"] {
        let entry = cx.untouched().address();
        let probe = Probe::new(entry, name, I::undefined_exit(entry));
        cx.exception(&probe, &regs);
    }
    I::mark();
    cx.measured("fetch", NOTHING);
}

/// A fetch from where there is nothing, with the MMU off, which would say so itself.
pub fn fetch<I: Isa>(cx: &mut Context<I>) {
    let regs = Registers::pattern(I::NAME);
    I::set_caches(false, false);
    I::mark();
    I::probes(ProbeSet::Nothing, &mut |probe| {
        cx.exception(&probe, &regs);
        for register in I::fetch_fault() {
            cx.register(
                format_args!("{probe}: {}", register.name),
                register.value,
                (register.read)(),
            );
        }
    });
    I::mark();
    cx.measured("fetch", NOTHING);
    I::set_caches(true, true);
}
