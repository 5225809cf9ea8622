//! Aborts that are the guest's own doing.

use super::NOTHING;
use crate::{
    context::Context,
    isa::Isa,
    probe::{ProbeSet, Registers},
};

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
