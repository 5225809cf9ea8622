//! What the cache registers say: whether they agree with each other, and whose CSSELR is.
//!
//! Values differ among CPUs, and a hypervisor may show its guest others than the CPU's. So nothing is compared with a
//! constant but what holds of all caches.

use super::{
    FIRST_SET_WAY, TOGGLE, VM_REG,
    set_way::issue,
    vcpus::{start, stop},
};
use crate::{
    context::{Context, Counts},
    isa::{Command, Isa},
    probe::{ProbeSet, Registers},
};
use setway_architecture::{maintenance::SetWayOp, registers::Clidr};

/// More lines than the caches of a CPU have, by far: a loop over them would not end in any useful time.
const MOST_LINES: u64 = 1 << 20;

/// Level 2's data or unified cache, and level 1's instruction cache.
const SELECTED: [u64; 2] = [0b0010, 0b0001];

/// The value of CSSELR for a cache.
const fn csselr(level: u32, instruction: bool) -> u64 {
    (level as u64 - 1) << 1 | instruction as u64
}

/// Whether CLIDR has the cache that a value of CSSELR names.
fn is_there(clidr: Clidr, level: u32, instruction: bool) -> bool {
    let kind = clidr.cache_type(level);
    if instruction {
        kind.has_instruction()
    } else {
        kind.has_data()
    }
}

/// CLIDR, CTR and the CCSIDR of each cache agree; CSSELR is each CPU's own and stays what it is.
pub fn select<I: Isa>(cx: &mut Context<I>) {
    agree(cx);
    nothing_selected(cx);
    if start(cx) {
        I::on_secondary(Command::CachesOn);
        stays(cx);
        stop(cx);
    }
}

/// What the registers say of the caches that there are.
fn agree<I: Isa>(cx: &mut Context<I>) {
    let (clidr, ctr) = (I::clidr(), I::ctr());
    // Of data and of instructions.
    let mut smallest = [None::<u64>; 2];
    let (mut lines, mut lost) = (0, 0);
    for level in Clidr::LEVELS {
        for instruction in [false, true] {
            if !is_there(clidr, level, instruction) {
                continue;
            }
            let shape = I::geometry_of(level, instruction);
            lost += u64::from(I::selected_cache() != csselr(level, instruction));
            let line = &mut smallest[usize::from(instruction)];
            *line = Some(line.map_or(shape.line_size(), |line| line.min(shape.line_size())));
            if !instruction && level <= clidr.level_of_coherence() {
                lines += u64::from(shape.sets()) * u64::from(shape.ways());
            }
        }
    }
    cx.register("CSSELR of a cache, not read back", 0, lost);
    let loc = clidr.level_of_coherence();
    let is_level = loc == 0 || is_there(clidr, loc, false);
    cx.state("CLIDR.LoC is 0 or a level", 1, u64::from(is_level));
    let of_ctr = [ctr.data_line(), ctr.instruction_line()];
    let names = ["data line, against CTR", "instruction line, against CTR"];
    for ((name, line), of_ctr) in names.into_iter().zip(smallest).zip(of_ctr) {
        // A CPU that reports no cache contradicts nothing.
        cx.register_from(name, of_ctr, of_ctr, line.unwrap_or(of_ctr));
    }
    cx.state(
        "a loop over all lines ends",
        1,
        u64::from(lines <= MOST_LINES),
    );
}

/// CCSIDR while CSSELR names no cache: it holds anything, or is UNDEFINED, and the guest goes on.
fn nothing_selected<I: Isa>(cx: &mut Context<I>) {
    let clidr = I::clidr();
    let regs = Registers::pattern(I::NAME);
    let mut wrong = 0;
    for level in Clidr::LEVELS {
        for instruction in [false, true] {
            if is_there(clidr, level, instruction) {
                continue;
            }
            I::select_cache(csselr(level, instruction));
            I::probes(ProbeSet::CacheSize, &mut |probe| {
                let exit = cx.exit(&probe, &regs);
                wrong += u64::from(exit != probe.exit && exit != I::undefined_exit(probe.entry));
            });
        }
    }
    cx.state("CCSIDR of no cache: wrong exits", 0, wrong);
}

/// Checks what both CPUs have selected, after `when`.
fn still<I: Isa>(cx: &mut Context<I>, when: &str) {
    let got = [I::selected_cache(), I::selected_on(1)];
    for (cpu, (want, got)) in SELECTED.into_iter().zip(got).enumerate() {
        cx.register(format_args!("CSSELR of CPU {cpu} after {when}"), want, got);
    }
}

/// Two CPUs that have selected different caches leave the guest in turn.
fn stays<I: Isa>(cx: &mut Context<I>) {
    type Way<I> = (&'static str, Counts, fn(&mut Context<I>));
    let ways: [Way<I>; 6] = [
        ("set/way op, CPU 0", FIRST_SET_WAY, |_| {
            issue::<I>(SetWayOp::Csw)
        }),
        ("set/way op, CPU 1", FIRST_SET_WAY, |_| {
            I::on_secondary(Command::SetWay)
        }),
        ("cache off, CPU 0", TOGGLE, |_| I::set_caches(false, false)),
        ("cache off, CPU 1", TOGGLE, |_| {
            I::on_secondary(Command::CachesOff)
        }),
        ("CONTEXTIDR write, CPU 0", VM_REG, |_| {
            I::write_contextidr(1)
        }),
        ("CONTEXTIDR write, CPU 1", VM_REG, |_| {
            I::on_secondary(Command::Contextidr)
        }),
    ];
    I::select_cache(SELECTED[0]);
    I::select_on(1, SELECTED[1]);
    still(cx, "both selected");
    for (name, demanded, way) in ways {
        I::mark();
        way(cx);
        I::mark();
        cx.measured(name, demanded);
        still(cx, name);
    }
    I::set_caches(true, true);
    I::on_secondary(Command::CachesOn);
    still(cx, "cache on");
}
