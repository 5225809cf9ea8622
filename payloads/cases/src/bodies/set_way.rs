//! Set/way ops: what each costs.

use super::{FIRST_SET_WAY, NEXT_SET_WAY, VM_REG};
use crate::{
    context::{Context, Counts},
    isa::Isa,
};
use setway_architecture::maintenance::SetWayOp;

/// Issues one op by set/way as a guest.
pub fn issue<I: Isa>(op: SetWayOp) {
    as_guest::<I>(op, 0);
}

/// Issues an op by set/way as a guest, for every line of every data or unified cache. Returns how many there are.
pub fn issue_for_all<I: Isa>(op: SetWayOp) -> u64 {
    each_line::<I>(|operand| as_guest::<I>(op, operand))
}

/// Issues an op on the line of an operand, which is 0 or one of [`each_line`]'s.
fn as_guest<I: Isa>(op: SetWayOp, operand: u64) {
    // SAFETY: only guests' cases do this. Under a hypervisor stage 2 is on, and an invalidate by set/way cleans as
    // well. One that breaks that is like a machine whose memory forgets: no program is safe from it, and COH-ISW
    // is there to find it out.
    unsafe { I::set_way(op, operand) }
}

/// One op, with the cache on and TVM clear.
pub fn traps<I: Isa>(cx: &mut Context<I>, op: SetWayOp) {
    cx.step("set/way op with TVM clear", FIRST_SET_WAY, || {
        issue::<I>(op)
    });
}

/// A second and a third op do nothing; VM registers trap from the first on.
pub fn repeat<I: Isa>(cx: &mut Context<I>) {
    cx.step("first op", FIRST_SET_WAY, || issue::<I>(SetWayOp::Csw));
    cx.step("second op", NEXT_SET_WAY, || issue::<I>(SetWayOp::Csw));
    cx.step("third op", NEXT_SET_WAY, || issue::<I>(SetWayOp::Isw));
    cx.step("CONTEXTIDR write", VM_REG, || I::write_contextidr(1));
}

/// A set/way op and a write of a VM register in turn, with the cache on. The write clears TVM without a flush,
/// so each op flushes: the most expensive pair of instructions that a guest can issue.
pub fn pairs<I: Isa>(cx: &mut Context<I>) {
    const PAIRS: u64 = 8;
    let each = Counts {
        set_way: PAIRS,
        vm_reg: PAIRS,
        flush: PAIRS,
    };
    cx.step("set/way op and CONTEXTIDR write, 8 times", each, || {
        for n in 0..PAIRS {
            issue::<I>(SetWayOp::Csw);
            I::write_contextidr(n);
        }
    });
}

/// The loop of DDI 0487, "Performing cache maintenance instructions", over all data and unified caches, as boot loaders have it.
pub fn whole_cache<I: Isa>(cx: &mut Context<I>) {
    I::mark();
    let ops = issue_for_all::<I>(SetWayOp::Cisw);
    I::mark();
    cx.measured(
        "every level, set and way",
        Counts {
            set_way: ops,
            vm_reg: 0,
            flush: 1,
        },
    );
}

/// Calls `op` with the operand of every line of every data or unified cache up to the level of
/// coherence, and returns how many there are. A CPU that reports none, as QEMU's `max` does, gets one
/// op all the same: how it is handled does not depend on that.
pub fn each_line<I: Isa>(op: impl Fn(u64)) -> u64 {
    let mut count = 0;
    for level in I::clidr().maintained_levels() {
        let geometry = I::geometry(level);
        for way in 0..geometry.ways() {
            for set in 0..geometry.sets() {
                op(geometry.operand(level, set, way));
                count += 1;
            }
        }
    }
    if count == 0 {
        op(0);
        count = 1;
    }
    count
}
