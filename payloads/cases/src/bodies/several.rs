//! Three and four vCPUs: none loses what another has stored, and each is watched by itself.

use super::{FIRST_SET_WAY, NOTHING, TOGGLE, VM_REG, set_way::issue};
use crate::{
    arena::Place,
    context::{Context, Counts},
    isa::{Command, Isa, MAX_CPUS, Start},
};
use setway_architecture::maintenance::SetWayOp;

/// Calls `body` once CPUs 1 to `last` are on and have their caches on, and turns them off after it.
pub(super) fn among<I: Isa>(cx: &mut Context<I>, last: usize, body: impl FnOnce(&mut Context<I>)) {
    for cpu in 1..=last {
        let started = I::start(cpu, &Start::PLAIN);
        cx.state(
            format_args!("CPU {cpu}: CPU_ON succeeds"),
            1,
            u64::from(started),
        );
        if !started {
            return;
        }
        I::on(cpu, Command::CachesOn);
    }
    body(cx);
    for cpu in 1..=last {
        stop(cx, cpu);
    }
}

/// Turns CPU `cpu` off.
pub(super) fn stop<I: Isa>(cx: &mut Context<I>, cpu: usize) {
    cx.state(
        format_args!("CPU {cpu}: off after CPU_OFF"),
        1,
        u64::from(I::stop(cpu)),
    );
}

/// Has CPU `cpu`, which may be this one, do `command`.
fn on<I: Isa>(cpu: usize, command: Command) {
    match (cpu, command) {
        (0, Command::SetWay) => issue::<I>(SetWayOp::Csw),
        (0, Command::CachesOn) => I::set_caches(true, true),
        (0, Command::CachesOff) => I::set_caches(false, false),
        _ => I::on(cpu, command),
    }
}

/// Where CPU `cpu` stores: a line of its own.
fn mark_of<I: Isa>(cpu: usize) -> Place {
    I::arena().cached().byte(0x1000 * cpu + 0x40 * cpu)
}

/// The steps of [`each_in_turn`] for each CPU.
const IN_TURN: [[&str; 3]; MAX_CPUS] = [
    ["set/way op, CPU 0", "cache off, CPU 0", "cache on, CPU 0"],
    ["set/way op, CPU 1", "cache off, CPU 1", "cache on, CPU 1"],
    ["set/way op, CPU 2", "cache off, CPU 2", "cache on, CPU 2"],
    ["set/way op, CPU 3", "cache off, CPU 3", "cache on, CPU 3"],
];

/// Each of CPUs 0 to `last` in turn: all store, it turns its cache off, and sees all that was stored.
pub fn each_in_turn<I: Isa>(cx: &mut Context<I>, last: usize) {
    const STORED: u32 = 0x2222_0000;
    among(cx, last, |cx| {
        for (turn, [op, off, back]) in IN_TURN.into_iter().enumerate().take(last + 1) {
            let value = |cpu: usize| STORED | (turn as u32) << 8 | cpu as u32;
            cx.step(op, FIRST_SET_WAY, || on::<I>(turn, Command::SetWay));
            mark_of::<I>(0).store(value(0));
            for cpu in 1..=last {
                I::store_on(cpu, mark_of::<I>(cpu), value(cpu));
            }
            cx.step(off, TOGGLE, || on::<I>(turn, Command::CachesOff));
            for cpu in 0..=last {
                let place = mark_of::<I>(cpu);
                let got = match turn {
                    0 => place.load(),
                    _ => I::load_on(turn, place),
                };
                cx.data(
                    format_args!("load by CPU {turn} of CPU {cpu}'s store"),
                    value(cpu).into(),
                    got.into(),
                );
            }
            cx.step(back, TOGGLE, || on::<I>(turn, Command::CachesOn));
        }
    });
}

/// How often [`hammer`] goes round.
const ROUNDS: u32 = 3;

/// What a round of [`hammer`] costs, whatever other CPUs do meanwhile.
const ROUND: Counts = Counts {
    set_way: 3,
    vm_reg: 3,
    flush: 3,
};

/// Words that each CPU hammers on, each in a line of its own.
const WORDS: usize = 16;

/// Word `n` of CPU `cpu`.
fn word_of<I: Isa>(cpu: u32, n: usize) -> Place {
    I::arena()
        .cached()
        .byte(0x8000 + 0x4000 * cpu as usize + 0x240 * n)
}

/// What CPU `cpu` stores in `round`, first with its cache on and then with it off.
fn hammered(cpu: u32, round: u32, off: bool, n: usize) -> u32 {
    0x3000_0000 | cpu << 20 | round << 12 | u32::from(off) << 8 | n as u32
}

/// Issues set/way ops and toggles the cache, as CPU `cpu`, while others do the same, and checks what it has stored after
/// each toggle. Returns how many loads were wrong.
pub fn hammer<I: Isa>(cpu: u32) -> u32 {
    let store = |round, off| {
        for n in 0..WORDS {
            word_of::<I>(cpu, n).store(hammered(cpu, round, off, n));
        }
    };
    let wrong = |round, off| {
        let wrong =
            |n: &usize| word_of::<I>(cpu, *n).load::<u32>() != hammered(cpu, round, off, *n);
        (0..WORDS).filter(wrong).count() as u32
    };
    let mut count = 0;
    for round in 0..ROUNDS {
        issue::<I>(SetWayOp::Csw);
        issue::<I>(SetWayOp::Cisw);
        store(round, false);
        I::set_caches(false, false);
        count += wrong(round, false);
        issue::<I>(SetWayOp::Csw);
        store(round, true);
        // The cache is off, so TVM stays set.
        I::write_contextidr(round.into());
        I::set_caches(true, true);
        count += wrong(round, true);
    }
    count
}

/// Four CPUs hammer at once.
pub fn all_at_once<I: Isa>(cx: &mut Context<I>) {
    const LAST: usize = MAX_CPUS - 1;
    among(cx, LAST, |cx| {
        let all = MAX_CPUS as u64 * u64::from(ROUNDS);
        let demanded = Counts {
            set_way: all * ROUND.set_way,
            vm_reg: all * ROUND.vm_reg,
            flush: all * ROUND.flush,
        };
        let wrong = cx.step("four CPUs at once", demanded, || {
            for cpu in 1..=LAST {
                I::give(cpu, Command::Hammer, cpu as u32);
            }
            let mut wrong = [hammer::<I>(0), 0, 0, 0];
            for (cpu, wrong) in wrong.iter_mut().enumerate().skip(1) {
                *wrong = I::wait_for(cpu);
            }
            wrong
        });
        for (cpu, wrong) in (0..).zip(wrong) {
            cx.data(
                format_args!("wrong loads of CPU {cpu}"),
                0,
                u64::from(wrong),
            );
            let last = ROUNDS - 1;
            for n in [0, WORDS - 1] {
                cx.data(
                    format_args!("load of CPU {cpu}'s word {n} by CPU 0"),
                    hammered(cpu, last, true, n).into(),
                    word_of::<I>(cpu, n).load::<u32>().into(),
                );
            }
        }
    });
}

/// A caller whose TVM is set: its own stays set, and the vCPU that it starts has its own.
pub fn armed_caller<I: Isa>(cx: &mut Context<I>) {
    let how = Start {
        before: || issue::<I>(SetWayOp::Csw),
        ..Start::PLAIN
    };
    let started = I::start(1, &how);
    cx.state("CPU_ON succeeds", 1, u64::from(started));
    if !started {
        return;
    }
    cx.step("cache on, CPU 1", TOGGLE, || {
        I::on(1, Command::CachesOn);
    });
    cx.step("CONTEXTIDR write, CPU 1", NOTHING, || {
        I::on(1, Command::Contextidr);
    });
    cx.step("CONTEXTIDR write, CPU 0", VM_REG, || I::write_contextidr(1));
    stop(cx, 1);
}

/// The steps of [`one_after_another`] for each CPU that is started.
const STARTED: [[&str; 3]; MAX_CPUS - 1] = [
    [
        "first CONTEXTIDR write of CPU 1",
        "cache on, CPU 1",
        "CONTEXTIDR write, CPU 1",
    ],
    [
        "first CONTEXTIDR write of CPU 2",
        "cache on, CPU 2",
        "CONTEXTIDR write, CPU 2",
    ],
    [
        "first CONTEXTIDR write of CPU 3",
        "cache on, CPU 3",
        "CONTEXTIDR write, CPU 3",
    ],
];

/// Each vCPU is watched from its start, whether those before it are on or off.
pub fn one_after_another<I: Isa>(cx: &mut Context<I>) {
    for (cpu, [first, on, next]) in (1..).zip(STARTED) {
        let started = I::start(cpu, &Start::PLAIN);
        cx.state(
            format_args!("CPU {cpu}: CPU_ON succeeds"),
            1,
            u64::from(started),
        );
        if !started {
            return;
        }
        cx.step(first, VM_REG, || I::on(cpu, Command::Contextidr));
        cx.step(on, TOGGLE, || I::on(cpu, Command::CachesOn));
        cx.step(next, NOTHING, || I::on(cpu, Command::Contextidr));
        // The last one starts while one is on, and one has been.
        if cpu == 1 {
            stop(cx, cpu);
        }
    }
    stop(cx, 2);
    stop(cx, 3);
}
