//! Set/way ops: what each costs.

use super::{FIRST_SET_WAY, NEXT_SET_WAY, VM_REG};
use crate::{
    context::{Context, Counts},
    isa::{Geometry, Isa, SetWay},
};

/// One op, with the cache on and TVM clear.
pub fn traps<I: Isa>(cx: &mut Context<I>, op: SetWay) {
    cx.step("set/way op with TVM clear", FIRST_SET_WAY, || {
        I::set_way(op, 0)
    });
}

/// A second and a third op do nothing; VM registers trap from the first on.
pub fn repeat<I: Isa>(cx: &mut Context<I>) {
    cx.step("first op", FIRST_SET_WAY, || I::set_way(SetWay::Clean, 0));
    cx.step("second op", NEXT_SET_WAY, || I::set_way(SetWay::Clean, 0));
    cx.step("third op", NEXT_SET_WAY, || {
        I::set_way(SetWay::Invalidate, 0)
    });
    cx.step("CONTEXTIDR write", VM_REG, || I::write_contextidr(1));
}

/// A set/way op and a write of a VM register in turn, with the cache on. The write clears TVM without a flush,
/// so each op flushes: the dearest thing that a guest can ask for with two instructions.
pub fn pairs<I: Isa>(cx: &mut Context<I>) {
    const PAIRS: u64 = 8;
    let each = Counts {
        set_way: PAIRS,
        vm_reg: PAIRS,
        flush: PAIRS,
    };
    cx.step("set/way op and CONTEXTIDR write, 8 times", each, || {
        for n in 0..PAIRS {
            I::set_way(SetWay::Clean, 0);
            I::write_contextidr(n);
        }
    });
}

/// The loop of DDI 0487, "Performing cache maintenance instructions", over all data and unified caches, as boot loaders have it.
pub fn whole_cache<I: Isa>(cx: &mut Context<I>) {
    I::mark();
    let ops = each_line::<I>(|operand| I::set_way(SetWay::CleanInvalidate, operand));
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
    let clidr = I::clidr();
    let coherence = clidr >> 24 & 7;
    let mut count = 0;
    for level in 0..coherence {
        // CLIDR.Ctype: 0b010 data, 0b011 separate, 0b100 unified.
        if clidr >> (3 * level) & 7 < 2 {
            continue;
        }
        let Geometry {
            line_shift,
            last_way,
            last_set,
        } = I::geometry(level);
        // The way number is left-aligned in the operand's low word.
        let way_shift = (last_way as u32).leading_zeros() % 32;
        for way in 0..=last_way {
            for set in 0..=last_set {
                op(way << way_shift | set << line_shift | level << 1);
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
