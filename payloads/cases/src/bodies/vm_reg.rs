//! VM registers: a write that traps must do what a write that does not trap does.
//!
//! Which bits of a register are writable is the CPU's business. So each case first writes with TVM
//! clear, straight to the CPU, and then the same with TVM set, and compares. It does so with the MMU
//! off, where the values mean nothing; the cache is turned off before the first set/way op, which
//! with TVM clear the hypervisor does not see.

use super::{NOTHING, VM_REG, set_way::issue};
use crate::{
    context::{Context, Counts},
    isa::{Isa, NewValue, VmRegister},
};
use setway_architecture::maintenance::SetWayOp;

/// The most registers that an instruction set has here.
const MOST: usize = 20;

/// All registers' values after the write of one of them.
type Row = [u64; MOST];

fn read_all(regs: &[VmRegister]) -> Row {
    let mut row = [0; MOST];
    for (value, reg) in row.iter_mut().zip(regs) {
        *value = (reg.read)();
    }
    row
}

/// Writes a register.
fn write(reg: &VmRegister, value: u64) {
    // SAFETY: the cases here do this with the MMU off, when the values mean nothing, and put them back before they
    // turn it on. What they write to SCTLR changes alignment checking alone, and the payload makes no unaligned
    // access.
    unsafe { (reg.write)(value) }
}

/// The numbers of a register's values.
const VALUES: [usize; 2] = [0, 1];

/// Writes both values to each register in turn, while all others hold their second value, which is not 0. Calls `each`
/// with the register's number, the value's, and what all of them hold then.
fn write_each(regs: &[VmRegister], original: &Row, mut each: impl FnMut(usize, usize, Row)) {
    for (n, reg) in regs.iter().enumerate() {
        // Everything, since a defect may have changed more than one register. The 64-bit registers stand last in the
        // table, so they have the last word on both halves.
        for (reg, original) in regs.iter().zip(original) {
            write(reg, reg.values[1].after(*original));
        }
        for value in VALUES {
            write(reg, reg.values[value].after(original[n]));
            each(n, value, read_all(regs));
        }
    }
    for (reg, value) in regs.iter().zip(original) {
        write(reg, *value);
    }
}

/// How often [`write_each`] writes a register.
fn writes(regs: &[VmRegister]) -> u64 {
    (regs.len() * (regs.len() + VALUES.len() + 1)) as u64
}

/// What writing leaves, without traps and with them.
struct Compared {
    /// The registers before.
    original: Row,
    /// Each register after each of its values was written to it without a trap.
    direct: [Row; VALUES.len()],
    /// The same with a trap.
    trapped: [Row; VALUES.len()],
    /// The numbers of the others that differ after a register was written, as a mask.
    differing: Row,
    /// The first of them, and what it holds without a trap and with one.
    first: [Option<(usize, u64, u64)>; MOST],
}

/// Writes each register without traps and with them.
fn both_ways<I: Isa>(cx: &mut Context<I>) -> Compared {
    let regs = I::vm_registers();
    let mut rows = [[[0; MOST]; MOST]; VALUES.len()];
    I::set_caches(false, false);
    let mut compared = Compared {
        original: read_all(regs),
        direct: [[0; MOST]; VALUES.len()],
        trapped: [[0; MOST]; VALUES.len()],
        differing: [0; MOST],
        first: [None; MOST],
    };
    let original = compared.original;
    cx.step("writes with TVM clear", NOTHING, || {
        write_each(regs, &original, |n, value, row| rows[value][n] = row);
    });
    issue::<I>(SetWayOp::Csw);
    let demanded = Counts {
        vm_reg: writes(regs),
        ..VM_REG
    };
    cx.step("the same with TVM set", demanded, || {
        write_each(regs, &original, |n, value, row| {
            let direct = &rows[value][n];
            compared.direct[value][n] = direct[n];
            compared.trapped[value][n] = row[n];
            for (m, (want, got)) in direct.iter().zip(row).enumerate() {
                if m != n && *want != got {
                    compared.differing[n] |= 1 << m;
                    compared.first[n].get_or_insert((m, *want, got));
                }
            }
        });
    });
    I::set_caches(true, true);
    compared
}

/// Each register holds what it holds after the same write without a trap, and after its complement. One that this CPU
/// does not let change proves nothing.
pub fn value<I: Isa>(cx: &mut Context<I>) {
    let compared = both_ways(cx);
    for (n, reg) in I::vm_registers().iter().enumerate() {
        for value in VALUES {
            let (want, got) = (compared.direct[value][n], compared.trapped[value][n]);
            let name = format_args!("{}{}", reg.name, ["", ", complement"][value]);
            match reg.values[value] {
                NewValue::Of(_) => cx.register(name, want, got),
                NewValue::With(_) => cx.register_from(name, compared.original[n], want, got),
                NewValue::Any(_) => cx.register_from(name, want, want, got),
            }
        }
        if compared.direct[0][n] == compared.direct[1][n] {
            cx.detail("this CPU does not let it change");
        }
    }
}

/// No register changes but the written one, and those that share its bits, while none of them is 0.
pub fn isolation<I: Isa>(cx: &mut Context<I>) {
    let compared = both_ways(cx);
    let regs = I::vm_registers();
    for (n, written) in regs.iter().enumerate() {
        let mask = compared.differing[n];
        cx.register(format_args!("others after {}", written.name), 0, mask);
        if let Some((m, want, got)) = compared.first[n] {
            let name = regs[m].name;
            cx.detail(format_args!("{name}: expected {want:#x}, got {got:#x}"));
        }
    }
}

/// Halves of 64-bit registers: MCRR reaches both, MCR only its own.
pub fn halves<I: Isa>(cx: &mut Context<I>) {
    /// A value with different halves; the architecture defines all its bits for TTBR0 and TTBR1.
    const BOTH: u64 = 0x0012_0034_5678_8000;
    /// TTBCR.EAE: the long-descriptor format, in which TTBR0 and TTBR1 have 64 bits.
    const EAE: u64 = 1 << 31;
    let regs = I::vm_registers();
    let Some(ttbcr) = regs.iter().find(|reg| reg.name == "TTBCR") else {
        return;
    };
    I::set_caches(false, false);
    issue::<I>(SetWayOp::Csw);
    let format = (ttbcr.read)();
    write(ttbcr, EAE);
    for reg in regs.iter().filter(|reg| reg.doubleword) {
        let original = (reg.read)();
        cx.step(reg.name, VM_REG, || write(reg, BOTH));
        let both = (reg.read)();
        cx.register(
            format_args!("{} low half", reg.name),
            BOTH & 0xffff_ffff,
            both & 0xffff_ffff,
        );
        cx.register(
            format_args!("{} high half", reg.name),
            BOTH >> 32,
            both >> 32,
        );
        let Some(half) = regs.iter().find(|half| Some(half.name) == reg.other_half) else {
            continue;
        };
        cx.step(half.name, VM_REG, || write(half, 0x9abc_4000));
        let both = (reg.read)();
        cx.register(
            format_args!("{} low half", half.name),
            0x9abc_4000,
            both & 0xffff_ffff,
        );
        cx.register(
            format_args!("{} leaves the high half", half.name),
            BOTH >> 32,
            both >> 32,
        );
        write(reg, original);
    }
    for reg in regs.iter().filter(|reg| !reg.doubleword) {
        let Some(half) = regs.iter().find(|half| Some(half.name) == reg.other_half) else {
            continue;
        };
        let (original, other) = ((reg.read)(), (half.read)());
        write(reg, reg.values[0].after(original));
        cx.register_from(
            format_args!("{} after {}", half.name, reg.name),
            other,
            other,
            (half.read)(),
        );
        write(reg, original);
    }
    write(ttbcr, format);
    I::set_caches(true, true);
}
