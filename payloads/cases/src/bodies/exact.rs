//! Trap exactness: a trapped instruction does what it says and nothing else.

use super::set_way::issue;
use crate::{
    context::{Context, Counts},
    isa::{Isa, VmRegister},
    probe::{Probe, ProbeSet, Registers},
};
use setway_architecture::{maintenance::SetWayOp, trap::aarch32::psr};

/// Writes a register as probes do.
fn write(reg: &VmRegister, value: u64) {
    // SAFETY: probes write CONTEXTIDR, and in AArch32 TTBR1. The payload uses neither.
    unsafe { (reg.write)(value) }
}

/// Runs the probes of `set` that `wanted` wants, with TVM set for each that writes a VM register, and
/// returns what that should cost.
///
/// What a written register has to hold is what it holds after the same write without a trap.
fn run<I: Isa>(cx: &mut Context<I>, set: ProbeSet, wanted: fn(&Probe) -> bool) -> Counts {
    let regs = Registers::pattern(I::NAME);
    let mut demanded = Counts::default();
    // With the cache on, a set/way op sets TVM and a trapped register write clears it.
    let mut tvm = false;
    I::probes(set, &mut |mut probe: Probe| {
        if !wanted(&probe) {
            return;
        }
        match &mut probe.writes {
            Some((reg, value)) if !probe.acts => {
                // Not what the probe would write: an instruction that acts all the same shows.
                write(reg, 0);
                *value = (reg.read)();
            }
            Some((reg, value)) => {
                if !tvm {
                    write(reg, *value);
                    *value = (reg.read)();
                    write(reg, 0);
                    issue::<I>(SetWayOp::Csw);
                    demanded.set_way += 1;
                    demanded.flush += 1;
                }
                tvm = false;
                demanded.vm_reg += 1;
            }
            None => {}
        }
        cx.probe(&probe, &regs);
        if probe.set_way > 0 {
            demanded.set_way += probe.set_way;
            demanded.flush += u64::from(!tvm);
            tvm = true;
        }
    });
    demanded
}

/// The same as one step.
fn run_measured<I: Isa>(cx: &mut Context<I>, set: ProbeSet, wanted: fn(&Probe) -> bool) {
    I::mark();
    let demanded = run(cx, set, wanted);
    I::mark();
    cx.measured("all probes", demanded);
}

/// Every probe.
const ALL: fn(&Probe) -> bool = |_| true;

/// Each set/way op from each register.
pub fn every_rt_set_way<I: Isa>(cx: &mut Context<I>) {
    run_measured(cx, ProbeSet::EveryRtSetWay, ALL);
}

/// A VM register write from each register.
pub fn every_rt_vm_reg<I: Isa>(cx: &mut Context<I>) {
    run_measured(cx, ProbeSet::EveryRtVmReg, ALL);
}

/// A 64-bit VM register write from pairs of registers.
pub fn every_rt_pair<I: Isa>(cx: &mut Context<I>) {
    run_measured(cx, ProbeSet::EveryRtPair, ALL);
}

/// XZR as the operand of an op and of a write.
pub fn zero_register<I: Isa>(cx: &mut Context<I>) {
    run_measured(cx, ProbeSet::ZeroRegister, ALL);
}

/// All sixteen values of the flags.
pub fn flags<I: Isa>(cx: &mut Context<I>) {
    let regs = Registers::pattern(I::NAME);
    let mut ops = 0;
    I::mark();
    I::probes(ProbeSet::OneSetWay, &mut |probe| {
        for nzcv in 0..16 {
            cx.probe(&probe.with_flags(nzcv << 28), &regs);
            ops += probe.set_way;
        }
    });
    I::mark();
    cx.measured(
        "all flags",
        Counts {
            set_way: ops,
            vm_reg: 0,
            flush: 1,
        },
    );
}

/// Every SIMD register, in two patterns.
pub fn simd<I: Isa>(cx: &mut Context<I>) {
    let mut regs = Registers::pattern(I::NAME);
    let mut ops = 0;
    I::mark();
    I::probes(ProbeSet::OneSetWay, &mut |probe| {
        for _ in 0..2 {
            cx.probe(&probe, &regs);
            regs.simd
                .iter_mut()
                .flatten()
                .for_each(|half| *half = !*half);
            ops += probe.set_way;
        }
    });
    I::mark();
    cx.measured(
        "two patterns",
        Counts {
            set_way: ops,
            vm_reg: 0,
            flush: 1,
        },
    );
}

/// Each condition, passed and failed. Whether an instruction traps whose condition fails is the CPU's
/// choice, so those are not counted.
pub fn conditions<I: Isa>(cx: &mut Context<I>) {
    run_measured(cx, ProbeSet::Conditions, |probe| probe.acts);
    run(cx, ProbeSet::Conditions, |probe| !probe.acts);
}

/// IT blocks.
pub fn it_blocks<I: Isa>(cx: &mut Context<I>) {
    run_measured(cx, ProbeSet::ItBlocks, ALL);
}

/// Instruction lengths and alignments.
pub fn lengths<I: Isa>(cx: &mut Context<I>) {
    run_measured(cx, ProbeSet::Lengths, ALL);
}

/// A read from an ID register to each register.
pub fn every_rt_read<I: Isa>(cx: &mut Context<I>) {
    run_measured(cx, ProbeSet::EveryRtRead, ALL);
}

/// Banked registers.
pub fn banks<I: Isa>(cx: &mut Context<I>) {
    run_measured(cx, ProbeSet::Banks, ALL);
}

/// Software step over an instruction that does not trap, and over those that do.
pub fn stepped<I: Isa>(cx: &mut Context<I>) {
    I::mark();
    I::probes(ProbeSet::EachKind, &mut |probe| {
        let (probe, regs) = with_memory(cx, probe);
        let stepped = Probe {
            pstate: psr::SS,
            exit: I::stepped_exit(probe.entry + 4),
            ..probe
        };
        cx.exception(&stepped, &regs);
    });
    I::mark();
    cx.measured("all kinds", EACH_KIND);
}

/// `probe`, and the registers to start it with: with the address of untouched memory in one of them, if it needs that.
fn with_memory<I: Isa>(cx: &mut Context<I>, probe: Probe) -> (Probe, Registers) {
    let mut regs = Registers::pattern(I::NAME);
    let Some(reg) = probe.touches else {
        return (probe, regs);
    };
    regs.gpr[reg] = cx.untouched().address() as u64;
    let given = Some((reg, regs.gpr[reg]));
    (Probe { given, ..probe }, regs)
}

/// Every register over an exit of each kind, with no flag set and with all.
pub fn exits<I: Isa>(cx: &mut Context<I>) {
    I::mark();
    for flags in [0, 0xf << 28] {
        I::probes(ProbeSet::EachKind, &mut |probe| {
            let (probe, regs) = with_memory(cx, probe);
            cx.probe(&probe.with_flags(flags), &regs);
        });
    }
    I::mark();
    cx.measured(
        "all kinds",
        Counts {
            set_way: 2 * EACH_KIND.set_way,
            vm_reg: 2 * EACH_KIND.vm_reg,
            flush: 2 * EACH_KIND.flush,
        },
    );
}

/// What the probes of [`ProbeSet::EachKind`] cost: there is one set/way op before one write.
const EACH_KIND: Counts = Counts {
    set_way: 1,
    vm_reg: 1,
    flush: 1,
};

/// PSTATE, field by field, after an instruction of each kind: what it is after one that does not trap.
pub fn pstate<I: Isa>(cx: &mut Context<I>) {
    let fields = I::pstate_fields();
    I::mark();
    for &(field, bits) in fields {
        let mut untrapped = None;
        I::probes(ProbeSet::EachKind, &mut |probe| {
            let (probe, regs) = with_memory(cx, probe);
            let probe = Probe {
                pstate: bits,
                ..probe
            };
            let exit = cx.exit(&probe, &regs);
            let want = *untrapped.get_or_insert(exit.saved & bits);
            if probe.open & bits == 0 {
                cx.register_from(
                    format_args!("{field}, {probe}"),
                    want,
                    want,
                    exit.saved & bits,
                );
            }
            let length = probe.exit.link - probe.entry as u64;
            let went = exit.link.wrapping_sub(probe.entry as u64);
            cx.register(
                format_args!("{field}, {probe}: return address"),
                length,
                went,
            );
        });
    }
    I::mark();
    let all = fields.len() as u64;
    cx.measured(
        "all fields",
        Counts {
            set_way: all,
            vm_reg: all,
            flush: all,
        },
    );
}
