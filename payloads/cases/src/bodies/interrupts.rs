//! Interrupts around traps: pending, taken, waited for.
//!
//! Payloads run with all interrupts masked. Here a probe with PSTATE.I clear opens a window to them: ended by its
//! SVC, nothing was pending; by the vector of IRQ, something was.

use super::{
    FIRST_SET_WAY, NEXT_SET_WAY, NOTHING, TOGGLE, VM_REG, coherence::far_places, set_way::issue,
};
use crate::{
    arena::Place,
    context::{Context, Counts},
    interrupts::{ENABLE, IMASK, ISTATUS, Interrupts, SOFTWARE, TIMER},
    isa::Isa,
    probe::{Exit, Probe, ProbeSet, Registers},
};
use core::fmt::Display;
use setway_architecture::maintenance::SetWayOp;

/// PSTATE.I, in SPSR_EL1 and in CPSR.
const MASKED: u64 = 1 << 7;
/// What stands for "no interrupt" where a number is wanted, as the GIC has it.
const NONE: u32 = 1023;
/// How often a condition is asked for before it is given up: seconds, on the slowest machine.
const PATIENCE: u32 = 1 << 24;

/// The most counts that CNTV_TVAL takes: it is signed.
const LONGEST: u64 = 0x7fff_ffff;

/// Waits until `condition` holds, within limits.
fn wait_until(mut condition: impl FnMut() -> bool) -> bool {
    (0..PATIENCE).any(|_| condition())
}

/// Starts the interrupt controller. False, and a wrong check, if there is none.
pub fn start<I: Isa>(cx: &mut Context<I>) -> bool {
    let started = I::Interrupts::start();
    cx.state("there is an interrupt controller", 1, started.into());
    started
}

/// Raises the interrupt of software, and says whether it is pending then.
pub fn raise<I: Isa>() -> bool {
    I::Interrupts::raise();
    wait_until(I::Interrupts::is_pending)
}

/// The first probe of `set`.
fn probe<I: Isa>(set: ProbeSet) -> Probe {
    let mut first = None;
    I::probes(set, &mut |probe| {
        first.get_or_insert(probe);
    });
    first.expect("the sets that are asked for here have a probe in every instruction set")
}

/// The same probe with interrupts masked.
pub fn masked(probe: &Probe) -> Probe {
    Probe {
        pstate: MASKED,
        exit: Exit {
            saved: probe.exit.saved | MASKED,
            ..probe.exit
        },
        ..*probe
    }
}

/// How long an SVC is. The probe of an instruction that does not trap ends with one after 4 bytes.
fn svc_length<I: Isa>() -> usize {
    let probe = probe::<I>(ProbeSet::Untrapped);
    probe.exit.link as usize - probe.entry - 4
}

/// Opens a window to interrupts: the exit of an instruction that does not trap, run with PSTATE.I clear, and the
/// one that it has if an interrupt is pending.
fn window<I: Isa>(cx: &mut Context<I>) -> (Exit, Exit) {
    let probe = probe::<I>(ProbeSet::Untrapped);
    let exit = cx.exit(&probe, &Registers::pattern(I::NAME));
    (exit, I::interrupted_exit(probe.entry))
}

/// Whether an exit is by the vector of IRQ.
fn is_interrupted<I: Isa>(exit: &Exit) -> bool {
    exit.vector == I::interrupted_exit(0).vector
}

/// Checks that interrupt `number` is pending, that it is taken as it must be when it is unmasked, and only once.
pub fn taken_once<I: Isa>(cx: &mut Context<I>, after: impl Display, number: u32) {
    let pending = I::Interrupts::is_pending();
    cx.state(format_args!("{after}: pending"), 1, pending.into());
    let (exit, want) = window(cx);
    cx.state(format_args!("{after}: vector"), want.vector, exit.vector);
    // As a distance: where the window is differs from build to build.
    let went = exit.link.wrapping_sub(want.link);
    cx.register(format_args!("{after}: return address"), 0, went);
    cx.register(
        format_args!("{after}: saved PSTATE"),
        want.saved,
        exit.saved,
    );
    cx.state(
        format_args!("{after}: PSTATE on arrival"),
        want.state,
        exit.state,
    );
    let got = I::Interrupts::acknowledge().unwrap_or(NONE);
    cx.state(
        format_args!("{after}: interrupt"),
        number.into(),
        got.into(),
    );
    let (exit, _) = window(cx);
    let again = is_interrupted::<I>(&exit);
    cx.state(format_args!("{after}: taken again"), 0, again.into());
}

/// An interrupt is pending and masked while something traps.
fn across<I: Isa>(
    cx: &mut Context<I>,
    name: &'static str,
    demanded: Counts,
    action: impl FnOnce(&mut Context<I>),
) {
    raise::<I>();
    I::mark();
    action(cx);
    I::mark();
    cx.measured(name, demanded);
    taken_once(cx, name, SOFTWARE);
}

/// Pending and masked across every kind of trap.
pub fn pending<I: Isa>(cx: &mut Context<I>) {
    if !start(cx) {
        return;
    }
    let kinds = [
        ("no trap", NOTHING),
        ("set/way op", FIRST_SET_WAY),
        ("CONTEXTIDR write", VM_REG),
        ("ID register read", NOTHING),
        ("HVC", NOTHING),
        ("SMC", NOTHING),
    ];
    let mut kinds = kinds.into_iter();
    let regs = Registers::pattern(I::NAME);
    I::probes(ProbeSet::EachKind, &mut |probe| {
        let masked = masked(&probe);
        if let Some((name, demanded)) = kinds.next() {
            across(cx, name, demanded, |cx| {
                let ended = cx.exit(&masked, &regs);
                let elsewhere = ended != masked.exit;
                cx.state(format_args!("{name}: ended elsewhere"), 0, elsewhere.into());
            });
        }
    });
    // A mark is a call, and there are two around every step.
    across(cx, "call", NOTHING, |_| {});
    across(cx, "set/way op, flush", FIRST_SET_WAY, |_| {
        issue::<I>(SetWayOp::Csw)
    });
    across(cx, "set/way op, no flush", NEXT_SET_WAY, |_| {
        issue::<I>(SetWayOp::Isw)
    });
    across(cx, "cache off", TOGGLE, |_| I::set_caches(false, false));
    across(cx, "cache on", TOGGLE, |_| I::set_caches(true, true));
    across(cx, "memory touched first", NOTHING, |cx| {
        for place in far_places(cx) {
            place.load::<u32>();
        }
    });
}

/// How many counts a flush takes, from a set/way op to the next instruction. TVM is clear before and after.
fn flush_time<I: Isa>() -> u64 {
    let before = I::Interrupts::count();
    issue::<I>(SetWayOp::Csw);
    let time = I::Interrupts::count().wrapping_sub(before);
    I::write_contextidr(0);
    time
}

/// Has a flush take so long that something can come meanwhile, by touching memory, and says how many counts that is.
fn long_flush<I: Isa>(cx: &Context<I>) -> u64 {
    /// Bytes of memory that a hypervisor may map at once.
    const BLOCK: u64 = 2 << 20;
    /// Flushes that are timed, of which the shortest counts: the machine may do something else meanwhile.
    const TIMED: usize = 4;
    let memory = cx.memory();
    // The image and the device tree stand before and at the middle.
    let first = memory.start + (memory.end - memory.start) / 2;
    for block in (first..memory.end).step_by(BLOCK as usize) {
        // SAFETY: memory of the guest's, and a load changes nothing.
        let place = unsafe { Place::new(block as usize as *mut u8, 4) };
        place.load::<u32>();
    }
    let times = core::array::from_fn::<_, TIMED, _>(|_| flush_time::<I>());
    times.into_iter().fold(u64::MAX, u64::min)
}

/// Parts of a flush after which the timer expires: one of them lets it expire within, whatever else the machine
/// does meanwhile.
const PARTS: [(u64, u64); 6] = [(1, 2), (1, 4), (1, 8), (1, 16), (1, 2), (1, 4)];

/// The timer expires while a flush goes on, with its interrupt unmasked.
///
/// When an interrupt comes is not the guest's to say: it may be before the op, which then has not been done, and
/// is done here, so that there is one op each time; or after it. What it must never be is anything else.
pub fn after<I: Isa>(cx: &mut Context<I>) {
    if !start(cx) {
        return;
    }
    let usual = long_flush(cx);
    let mut regs = Registers::pattern(I::NAME);
    let probe = probe::<I>(ProbeSet::TimerThenSetWay);
    // The op is the last instruction before the SVC.
    let svc = probe.exit.link as usize - svc_length::<I>();
    let behind = I::interrupted_exit(svc);
    let [
        mut behind_op,
        mut elsewhere,
        mut state,
        mut taken,
        mut again,
    ] = [0u64; 5];
    let mut latency = 0;
    I::mark();
    for (part, of) in PARTS {
        // Far off: the probe sets it.
        I::Interrupts::set_timer(LONGEST);
        regs.gpr[5] = (usual * part / of).clamp(1, LONGEST);
        let start = I::Interrupts::count();
        let exit = cx.exit(&probe, &regs);
        let time = I::Interrupts::count().wrapping_sub(start);
        if !is_interrupted::<I>(&exit) {
            // It came after the op, or has not come yet.
            elsewhere += u64::from(exit != probe.exit);
            wait_until(I::Interrupts::is_pending);
            let (exit, want) = self::window(cx);
            taken += u64::from(is_interrupted::<I>(&exit));
            state += u64::from(exit != want);
        } else {
            taken += 1;
            state += u64::from((exit.saved, exit.state) != (behind.saved, behind.state));
            if exit.link == behind.link {
                behind_op += 1;
                latency = time;
            } else {
                // Before the op.
                let first = I::interrupted_exit(probe.entry);
                elsewhere += u64::from(!(first.link..behind.link).contains(&exit.link));
                issue::<I>(SetWayOp::Cisw);
            }
        }
        let number = I::Interrupts::acknowledge();
        state += u64::from(number != Some(TIMER));
        I::Interrupts::stop_timer();
        let (exit, _) = self::window(cx);
        again += u64::from(is_interrupted::<I>(&exit));
        I::write_contextidr(0);
    }
    I::mark();
    let times = PARTS.len() as u64;
    let demanded = Counts {
        set_way: times,
        vm_reg: times,
        flush: times,
    };
    cx.measured("set/way op while the timer expires", demanded);
    cx.state("taken", times, taken);
    cx.state("taken again", 0, again);
    cx.state("taken neither before nor after the op", 0, elsewhere);
    cx.state("taken with another state or number", 0, state);
    cx.state(
        "taken right after the op, at least once",
        1,
        behind_op.min(1),
    );
    cx.detail(format_args!(
        "{behind_op} of {times}; a flush takes {usual} counts, from the op to its interrupt's handler {latency}, at {} Hz",
        I::Interrupts::frequency()
    ));
}

/// What CNTVOFF may be, from the two counts: the virtual count is read between two reads of the physical one.
fn offset<I: Isa>() -> (i64, i64) {
    let read = || {
        let first = I::Interrupts::physical_count();
        let count = I::Interrupts::count();
        let last = I::Interrupts::physical_count();
        (
            count.wrapping_sub(last) as i64,
            count.wrapping_sub(first) as i64,
        )
    };
    // Something may have come between; the narrowest of several is what counts.
    let tries = core::array::from_fn::<_, 8, _>(|_| read());
    let [first, ..] = tries;
    tries
        .into_iter()
        .fold(first, |(low, high), (next_low, next_high)| {
            (low.max(next_low), high.min(next_high))
        })
}

/// The timer expires while something traps, with its interrupt masked.
fn timer_across<I: Isa>(
    cx: &mut Context<I>,
    name: &'static str,
    demanded: Counts,
    action: impl FnOnce(),
) {
    /// Counts until it expires: some microseconds, and less than a flush takes.
    const SOON: u64 = 2000;
    let pending = I::Interrupts::is_pending();
    cx.state(format_args!("{name}: pending before"), 0, pending.into());
    let offset_before = offset::<I>();
    let start = I::Interrupts::count();
    I::Interrupts::set_timer(SOON);
    cx.step(name, demanded, action);
    let expired = wait_until(I::Interrupts::is_pending);
    let end = I::Interrupts::count();
    let control = I::Interrupts::timer_control();
    let offset_after = offset::<I>();
    cx.state(format_args!("{name}: expired"), 1, expired.into());
    let early = end.wrapping_sub(start) < SOON || end < start;
    cx.state(format_args!("{name}: too early"), 0, early.into());
    let status = control & (ENABLE | ISTATUS);
    cx.register(
        format_args!("{name}: CNTV_CTL except for IMASK"),
        ENABLE | ISTATUS,
        status,
    );
    cx.register(format_args!("{name}: CNTV_CTL.IMASK"), 0, control & IMASK);
    // That of both counts, unless CNTVOFF has changed.
    let same = offset_before.0 <= offset_after.1 && offset_after.0 <= offset_before.1;
    cx.state(
        format_args!("{name}: virtual count went on"),
        1,
        same.into(),
    );
    taken_once(cx, name, TIMER);
}

/// A timer that expires meanwhile.
pub fn timer<I: Isa>(cx: &mut Context<I>) {
    if !start(cx) {
        return;
    }
    timer_across(cx, "set/way op", FIRST_SET_WAY, || {
        issue::<I>(SetWayOp::Csw)
    });
    timer_across(cx, "cache off", TOGGLE, || I::set_caches(false, false));
    timer_across(cx, "cache on", TOGGLE, || I::set_caches(true, true));
}

/// WFI, with an interrupt pending and without.
pub fn wait<I: Isa>(cx: &mut Context<I>) {
    /// Milliseconds until the timer expires.
    const WAIT: u64 = 2;
    /// Seconds that WFI may take that need not wait.
    const AT_ONCE: u64 = 2;
    if !start(cx) {
        return;
    }
    let regs = Registers::pattern(I::NAME);
    let second = match I::Interrupts::frequency() {
        0 => u64::MAX / AT_ONCE,
        frequency => frequency,
    };
    let timer = (second / 1000 * WAIT).clamp(1, LONGEST);
    I::mark();
    I::probes(ProbeSet::Wait, &mut |probe| {
        let masked = masked(&probe);
        raise::<I>();
        let start = I::Interrupts::count();
        cx.probe(&masked, &regs);
        let time = I::Interrupts::count().wrapping_sub(start);
        let late = time > AT_ONCE * second;
        cx.state(format_args!("{probe}, masked: late"), 0, late.into());
        taken_once(cx, format_args!("{probe}, masked"), SOFTWARE);

        // It may end for other reasons as well, so it is repeated.
        let mut elsewhere = false;
        let start = I::Interrupts::count();
        I::Interrupts::set_timer(timer);
        let expired = wait_until(|| {
            elsewhere |= cx.exit(&masked, &regs) != masked.exit;
            I::Interrupts::is_pending()
        });
        let time = I::Interrupts::count().wrapping_sub(start);
        let late = time > AT_ONCE * second;
        cx.state(format_args!("{probe}, timer: late"), 0, late.into());
        cx.state(format_args!("{probe}, timer: expired"), 1, expired.into());
        taken_once(cx, format_args!("{probe}, timer"), TIMER);

        // The same unmasked: the interrupt is taken before WFI or after it.
        I::Interrupts::set_timer(timer);
        let mut exit = probe.exit;
        let taken = wait_until(|| {
            exit = cx.exit(&probe, &regs);
            let interrupted = is_interrupted::<I>(&exit);
            elsewhere |= !interrupted && exit != probe.exit;
            interrupted
        });
        cx.state(
            format_args!("{probe}: ended elsewhere"),
            0,
            elsewhere.into(),
        );
        cx.state(format_args!("{probe}, unmasked: taken"), 1, taken.into());
        let places = [probe.entry, probe.exit.link as usize - svc_length::<I>()];
        let right = places.map(I::interrupted_exit).contains(&exit);
        cx.state(
            format_args!("{probe}, unmasked: taken elsewhere"),
            0,
            (!right).into(),
        );
        let got = I::Interrupts::acknowledge().unwrap_or(NONE);
        cx.state(
            format_args!("{probe}, unmasked: interrupt"),
            TIMER.into(),
            got.into(),
        );
    });
    I::mark();
    cx.measured("WFI", NOTHING);
}

/// Where an interrupt's handler returns to, after traps in the handler.
pub fn handler<I: Isa>(cx: &mut Context<I>) {
    if !start(cx) {
        return;
    }
    type Kind<'a> = (&'static str, Counts, &'a dyn Fn());
    let kinds: [Kind<'_>; 5] = [
        ("set/way op", FIRST_SET_WAY, &|| issue::<I>(SetWayOp::Csw)),
        ("second set/way op", NEXT_SET_WAY, &|| {
            issue::<I>(SetWayOp::Isw)
        }),
        ("cache off", TOGGLE, &|| I::set_caches(false, false)),
        ("cache on", TOGGLE, &|| I::set_caches(true, true)),
        // Two marks are around it.
        ("call", NOTHING, &|| {}),
    ];
    for (name, demanded, action) in kinds {
        raise::<I>();
        let (exit, _) = window(cx);
        let interrupted = is_interrupted::<I>(&exit);
        cx.state(format_args!("{name}: interrupted"), 1, interrupted.into());
        cx.step(name, demanded, action);
        let (link, saved) = I::Interrupts::returns_to();
        let moved = link.wrapping_sub(exit.link);
        cx.register(format_args!("{name}: return address"), 0, moved);
        cx.register(format_args!("{name}: saved PSTATE"), 0, saved ^ exit.saved);
        let got = I::Interrupts::acknowledge().unwrap_or(NONE);
        cx.state(
            format_args!("{name}: interrupt"),
            SOFTWARE.into(),
            got.into(),
        );
    }
}
