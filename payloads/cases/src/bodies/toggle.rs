//! Turning the MMU and the cache on and off.

use super::{NEXT_SET_WAY, NOTHING, TOGGLE, VM_REG, set_way::issue};
use crate::{
    context::{Context, Counts},
    isa::{Isa, SctlrBit},
};
use setway_architecture::{maintenance::SetWayOp, registers::Sctlr};

/// M and C of SCTLR.
type Caches = (bool, bool);

/// One write of SCTLR from one state to another with TVM set, and the state that it leaves.
pub fn transition<I: Isa>(cx: &mut Context<I>, from: Caches, to: Caches) {
    let on = |(m, c): Caches| m && c;
    // A set/way op sets TVM in whichever state the cache is, and a change to `from`, unless that
    // is "on", keeps it set.
    issue::<I>(SetWayOp::Csw);
    I::set_caches(from.0, from.1);
    issue::<I>(SetWayOp::Csw);

    let change = if on(from) != on(to) { TOGGLE } else { VM_REG };
    cx.step("SCTLR write", change, || I::set_caches(to.0, to.1));
    let next = if on(to) { NOTHING } else { VM_REG };
    cx.step("CONTEXTIDR write", next, || I::write_contextidr(2));
    let rearm = Counts {
        flush: u64::from(on(to)),
        ..NEXT_SET_WAY
    };
    cx.step("set/way op", rearm, || issue::<I>(SetWayOp::Csw));
    cx.step("CONTEXTIDR write after it", VM_REG, || {
        I::write_contextidr(3)
    });

    I::set_caches(true, true);
    cx.register("CONTEXTIDR", 3, I::read_contextidr());
}

/// Flips a bit of SCTLR and back. Returns what had changed.
fn flip<I: Isa>(bit: &SctlrBit) -> u64 {
    // SAFETY: one of `Isa::sctlr_bits`; stage 1 is on only for those that say that it may be.
    unsafe { I::flip_sctlr(bit.mask) }
}

/// Each bit of SCTLR but M and C, alone, with TVM set: its writes trap, change it and are no toggles.
pub fn bits<I: Isa>(cx: &mut Context<I>) {
    const MOST: usize = 32;
    let bits = I::sctlr_bits();
    let mut direct = [0; MOST];
    I::set_caches(false, false);
    cx.step("each bit with TVM clear", NOTHING, || {
        for (direct, bit) in direct.iter_mut().zip(bits) {
            *direct = flip::<I>(bit);
        }
    });
    issue::<I>(SetWayOp::Csw);
    // Two writes of SCTLR, and one that shows that TVM is still set.
    let demanded = Counts {
        vm_reg: 3,
        ..VM_REG
    };
    for translated in [false, true] {
        I::set_caches(translated, false);
        let rows = direct.iter().zip(bits);
        for (&direct, bit) in rows.filter(|(_, bit)| bit.translated == translated) {
            let trapped = cx.step(bit.name, demanded, || {
                let trapped = flip::<I>(bit);
                I::write_contextidr(1);
                trapped
            });
            if bit.optional {
                cx.register_from(bit.name, direct, direct, trapped);
            } else {
                cx.register(bit.name, bit.mask, trapped);
            }
        }
    }
    I::set_caches(true, true);
    issue::<I>(SetWayOp::Csw);
    // With the cache on the first write clears TVM.
    let bit = bits.iter().find(|bit| bit.mask == Sctlr::I.bits());
    cx.step("SCTLR.I with the cache on", VM_REG, || bit.map(flip::<I>));
}
