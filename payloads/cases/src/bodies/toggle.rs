//! Turning the MMU and the cache on and off.

use super::{NEXT_SET_WAY, NOTHING, TOGGLE, VM_REG, set_way::issue};
use crate::{
    context::{Context, Counts},
    isa::Isa,
};
use setway_architecture::maintenance::SetWayOp;

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
