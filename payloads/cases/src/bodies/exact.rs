//! Trap exactness: a trapped instruction does what it says and nothing else.

use crate::{
    context::{Context, Counts},
    isa::{Isa, Probe, ProbeSet, Registers},
};

/// Runs every probe of `set` as one step. Each set/way op arms TVM, each VM register write with the
/// cache on clears it, so the probes say themselves what they cost.
fn run<I: Isa>(cx: &mut Context<I>, set: ProbeSet, arm: bool) {
    let regs = Registers::pattern(I::NAME);
    let mut demanded = Counts::default();
    I::mark();
    let mut armed = false;
    I::probes(set, &mut |probe: Probe| {
        if arm && !armed {
            // Have the VM register write trap.
            I::set_way(crate::isa::SetWay::Clean, 0);
            demanded.set_way += 1;
            demanded.flush += 1;
            armed = true;
        }
        cx.probe(&probe, &regs);
        if probe.set_way > 0 {
            demanded.flush += u64::from(!armed);
            armed = true;
        }
        if armed {
            demanded.vm_reg += probe.vm_reg.min(1);
            armed = probe.vm_reg == 0;
        }
        demanded.set_way += probe.set_way;
    });
    I::mark();
    cx.measured("all probes", demanded);
}

/// Each set/way op from each register.
pub fn every_rt_set_way<I: Isa>(cx: &mut Context<I>) {
    run(cx, ProbeSet::EveryRtSetWay, false);
}

/// A VM register write from each register.
pub fn every_rt_vm_reg<I: Isa>(cx: &mut Context<I>) {
    run(cx, ProbeSet::EveryRtVmReg, true);
}

/// XZR as the operand of an op and of a write.
pub fn zero_register<I: Isa>(cx: &mut Context<I>) {
    run(cx, ProbeSet::ZeroRegister, true);
}

/// All sixteen values of the flags.
pub fn flags<I: Isa>(cx: &mut Context<I>) {
    let regs = Registers::pattern(I::NAME);
    let mut ops = 0;
    I::mark();
    I::probes(ProbeSet::OneSetWay, &mut |probe| {
        for nzcv in 0..16 {
            let saved = probe.exit.saved & !(0xf << 28) | nzcv << 28;
            let exit = crate::isa::Exit {
                saved,
                ..probe.exit
            };
            cx.probe(
                &Probe {
                    flags: nzcv << 28,
                    exit,
                    ..probe
                },
                &regs,
            );
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

/// Each condition, passed and failed.
pub fn conditions<I: Isa>(cx: &mut Context<I>) {
    run(cx, ProbeSet::Conditions, false);
}

/// IT blocks.
pub fn it_blocks<I: Isa>(cx: &mut Context<I>) {
    run(cx, ProbeSet::ItBlocks, false);
}

/// Instruction lengths and alignments.
pub fn lengths<I: Isa>(cx: &mut Context<I>) {
    run(cx, ProbeSet::Lengths, false);
}

/// Banked registers.
pub fn banks<I: Isa>(cx: &mut Context<I>) {
    run(cx, ProbeSet::Banks, true);
}
