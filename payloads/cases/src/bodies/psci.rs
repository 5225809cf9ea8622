//! PSCI (Arm DEN0022): what calls return and keep, and what a started vCPU finds.
//!
//! Calls are probes, so that every register is known before and after. PSCI_VERSION is not among them: that is what marks
//! are.

use super::{NOTHING, interrupts, several};
use crate::{
    context::Context,
    interrupts::SOFTWARE,
    isa::{Call, Command, Isa, IsaName, Start},
    probe::{ProbeSet, Registers},
};
use setway_architecture::registers::Sctlr;
use smccc::psci::{
    PSCI_AFFINITY_INFO_32, PSCI_AFFINITY_INFO_64, PSCI_CPU_OFF, PSCI_CPU_ON_32, PSCI_CPU_ON_64,
    PSCI_CPU_SUSPEND_32, PSCI_CPU_SUSPEND_64, PSCI_FEATURES, PSCI_MIGRATE_INFO_TYPE,
    PSCI_SYSTEM_OFF, PSCI_SYSTEM_RESET, PSCI_VERSION,
    error::{ALREADY_ON, INVALID_PARAMETERS, NOT_SUPPORTED},
};

/// A call: its name in checks, function and arguments; and what it must return.
struct Demand {
    name: &'static str,
    function: u32,
    arguments: [u64; 3],
    returns: i32,
}

const fn demand(name: &'static str, function: u32, arguments: [u64; 3], returns: i32) -> Demand {
    Demand {
        name,
        function,
        arguments,
        returns,
    }
}

/// Calls `function`, and returns all registers from before and after it.
fn call<I: Isa>(cx: &mut Context<I>, function: u32, arguments: [u64; 3]) -> [Registers; 2] {
    let mut regs = Registers::pattern(I::NAME);
    regs.gpr[0] = function.into();
    regs.gpr[1..4].copy_from_slice(&arguments);
    let mut after = regs;
    I::probes(ProbeSet::Hypercall, &mut |probe| {
        after = cx.ended(&probe, &regs)
    });
    [regs, after]
}

/// Makes calls, and checks what each returns in bits 31:0.
fn calls<I: Isa>(cx: &mut Context<I>, demands: &[Demand]) {
    for it in demands {
        let [_, after] = call(cx, it.function, it.arguments);
        cx.register(
            it.name,
            u64::from(it.returns as u32),
            after.gpr[0] & 0xffff_ffff,
        );
    }
}

/// The same as a step, in which nothing of the policy's happens.
fn calls_measured<I: Isa>(cx: &mut Context<I>, step: &'static str, demands: &[Demand]) {
    I::mark();
    calls(cx, demands);
    I::mark();
    cx.measured(step, NOTHING);
}

/// The widest form of a function that there is for this instruction set, of its two ids.
fn native<I: Isa>(narrow: u32, wide: u32) -> u32 {
    match I::NAME {
        IsaName::A64 => wide,
        IsaName::A32 | IsaName::T32 => narrow,
    }
}

/// Affinities that no CPU has: this CPU's in all fields but Aff1, and in all but Aff2.
fn nobody<I: Isa>() -> [u64; 2] {
    [I::mpidr(0) ^ 0x7f << 8, I::mpidr(0) ^ 0x7f << 16]
}

/// CPU_ON of this CPU, of another that is on, and of CPUs that do not exist. The one that is on takes no notice.
pub fn refused<I: Isa>(cx: &mut Context<I>) {
    let nowhere = 0x10;
    let [aff1, aff2] = nobody::<I>();
    let wide = native::<I>(PSCI_CPU_ON_32, PSCI_CPU_ON_64);
    several::among(cx, 1, |cx| {
        let on =
            |name, function, mpidr, returns| demand(name, function, [mpidr, nowhere, 0], returns);
        let demands = [
            on("CPU_ON of this CPU", wide, I::mpidr(0), ALREADY_ON),
            on("CPU_ON of CPU 1, on", wide, I::mpidr(1), ALREADY_ON),
            on("CPU_ON of no CPU, by Aff1", wide, aff1, INVALID_PARAMETERS),
            on("CPU_ON of no CPU, by Aff2", wide, aff2, INVALID_PARAMETERS),
            on("32-bit: this CPU", PSCI_CPU_ON_32, I::mpidr(0), ALREADY_ON),
            on("32-bit: CPU 1, on", PSCI_CPU_ON_32, I::mpidr(1), ALREADY_ON),
            on(
                "32-bit: no CPU, by Aff1",
                PSCI_CPU_ON_32,
                aff1,
                INVALID_PARAMETERS,
            ),
            on(
                "32-bit: no CPU, by Aff2",
                PSCI_CPU_ON_32,
                aff2,
                INVALID_PARAMETERS,
            ),
        ];
        calls_measured(cx, "all calls", &demands);
    });
}

/// AFFINITY_INFO's answers.
const ON: i32 = 0;
const OFF: i32 = 1;

/// AFFINITY_INFO of CPUs that are on, off, on and off again, and do not exist; and of a level that does not exist.
pub fn affinity<I: Isa>(cx: &mut Context<I>) {
    let [aff1, aff2] = nobody::<I>();
    let wide = native::<I>(PSCI_AFFINITY_INFO_32, PSCI_AFFINITY_INFO_64);
    let info =
        |name, function, mpidr, level, returns| demand(name, function, [mpidr, level, 0], returns);
    let demands = [
        info("this CPU", wide, I::mpidr(0), 0, ON),
        info("CPU 1, off", wide, I::mpidr(1), 0, OFF),
        info("CPU 2, off", wide, I::mpidr(2), 0, OFF),
        info(
            "32-bit: CPU 1, off",
            PSCI_AFFINITY_INFO_32,
            I::mpidr(1),
            0,
            OFF,
        ),
        info("no CPU, by Aff1", wide, aff1, 0, INVALID_PARAMETERS),
        info("no CPU, by Aff2", wide, aff2, 0, INVALID_PARAMETERS),
        // Levels are 0 to 3, and of those above 0 none has to be known since PSCI 1.0.
        info("level 4", wide, I::mpidr(0), 4, INVALID_PARAMETERS),
    ];
    calls_measured(cx, "one CPU on", &demands);
    several::among(cx, 2, |cx| {
        let demands = [
            info("CPU 1, on", wide, I::mpidr(1), 0, ON),
            info("CPU 2, on", wide, I::mpidr(2), 0, ON),
            info(
                "32-bit: CPU 2, on",
                PSCI_AFFINITY_INFO_32,
                I::mpidr(2),
                0,
                ON,
            ),
        ];
        calls_measured(cx, "three CPUs on", &demands);
    });
    let demands = [
        info("CPU 1, off again", wide, I::mpidr(1), 0, OFF),
        info("CPU 2, off again", wide, I::mpidr(2), 0, OFF),
    ];
    calls_measured(cx, "one CPU on again", &demands);
}

/// A function id of PSCI's range that no version has.
const NO_FUNCTION: u32 = 0x8400_001f;
/// Functions as 64-bit calls, which they have no form for.
const CPU_OFF_64: u32 = PSCI_CPU_OFF | 1 << 30;
const INFO_TYPE_64: u32 = PSCI_MIGRATE_INFO_TYPE | 1 << 30;
const FEATURES_64: u32 = PSCI_FEATURES | 1 << 30;

/// PSCI_FEATURES knows what is mandatory, in the forms that this instruction set has, and not what does not exist.
pub fn features<I: Isa>(cx: &mut Context<I>) {
    const MANDATORY: [(&str, u32, u32); 8] = [
        ("PSCI_VERSION", PSCI_VERSION, PSCI_VERSION),
        ("CPU_SUSPEND", PSCI_CPU_SUSPEND_32, PSCI_CPU_SUSPEND_64),
        ("CPU_OFF", PSCI_CPU_OFF, PSCI_CPU_OFF),
        ("CPU_ON", PSCI_CPU_ON_32, PSCI_CPU_ON_64),
        (
            "AFFINITY_INFO",
            PSCI_AFFINITY_INFO_32,
            PSCI_AFFINITY_INFO_64,
        ),
        ("SYSTEM_OFF", PSCI_SYSTEM_OFF, PSCI_SYSTEM_OFF),
        ("SYSTEM_RESET", PSCI_SYSTEM_RESET, PSCI_SYSTEM_RESET),
        ("PSCI_FEATURES", PSCI_FEATURES, PSCI_FEATURES),
    ];
    let feature = |name, id: u32, returns| demand(name, PSCI_FEATURES, [id.into(), 0, 0], returns);
    let there = MANDATORY.map(|(name, narrow, wide)| feature(name, native::<I>(narrow, wide), 0));
    let not_there = [
        feature("function 0x8400001f", NO_FUNCTION, NOT_SUPPORTED),
        feature("CPU_OFF, 64-bit", CPU_OFF_64, NOT_SUPPORTED),
        feature("PSCI_FEATURES, 64-bit", FEATURES_64, NOT_SUPPORTED),
    ];
    I::mark();
    calls(cx, &there);
    calls(cx, &not_there);
    I::mark();
    cx.measured("all calls", NOTHING);
}

/// Functions that do not exist, whole or in this form.
pub fn unknown<I: Isa>(cx: &mut Context<I>) {
    let none = [0; 3];
    I::mark();
    calls(
        cx,
        &[
            demand("function 0x8400001f", NO_FUNCTION, none, NOT_SUPPORTED),
            demand("PSCI_FEATURES, 64-bit", FEATURES_64, none, NOT_SUPPORTED),
            demand(
                "MIGRATE_INFO_TYPE, 64-bit",
                INFO_TYPE_64,
                none,
                NOT_SUPPORTED,
            ),
        ],
    );
    if I::NAME != IsaName::A64 {
        let own = [I::mpidr(0), 0, 0];
        calls(
            cx,
            &[
                demand("CPU_ON, 64-bit", PSCI_CPU_ON_64, own, NOT_SUPPORTED),
                demand(
                    "AFFINITY_INFO, 64-bit",
                    PSCI_AFFINITY_INFO_64,
                    own,
                    NOT_SUPPORTED,
                ),
            ],
        );
    }
    I::mark();
    cx.measured("all calls", NOTHING);
}

/// What calls keep: all registers but the four of results, and the SIMD registers.
pub fn kept<I: Isa>(cx: &mut Context<I>) {
    let own = I::mpidr(0);
    let made: [(&str, u32, [u64; 3]); 4] = [
        ("PSCI_FEATURES", PSCI_FEATURES, [PSCI_CPU_OFF.into(), 0, 0]),
        (
            "AFFINITY_INFO",
            native::<I>(PSCI_AFFINITY_INFO_32, PSCI_AFFINITY_INFO_64),
            [own, 0, 0],
        ),
        (
            "CPU_ON, refused",
            native::<I>(PSCI_CPU_ON_32, PSCI_CPU_ON_64),
            [own, 0x10, 0],
        ),
        ("unknown function", NO_FUNCTION, [0; 3]),
    ];
    I::mark();
    for (name, function, arguments) in made {
        let [before, after] = call(cx, function, arguments);
        check_kept(cx, name, &before, &after);
    }
    I::mark();
    cx.measured("all calls", NOTHING);
}

/// Standby, while an interrupt is pending and masked: the CPU wakes for it at once, and does not take it.
pub fn suspend<I: Isa>(cx: &mut Context<I>) {
    const STANDBY: u64 = 0;
    if !interrupts::start(cx) {
        return;
    }
    interrupts::raise::<I>();
    let mut regs = Registers::pattern(I::NAME);
    regs.gpr[0] = native::<I>(PSCI_CPU_SUSPEND_32, PSCI_CPU_SUSPEND_64).into();
    regs.gpr[1..4].copy_from_slice(&[STANDBY, 0, 0]);
    let mut after = regs;
    let mut elsewhere = false;
    I::mark();
    I::probes(ProbeSet::Hypercall, &mut |probe| {
        let masked = interrupts::masked(&probe);
        after = cx.ended(&masked, &regs);
        elsewhere = cx.exit(&masked, &regs) != masked.exit;
    });
    I::mark();
    cx.measured("CPU_SUSPEND, twice", NOTHING);
    cx.state("ended elsewhere", 0, elsewhere.into());
    cx.register("CPU_SUSPEND", 0, after.gpr[0] & 0xffff_ffff);
    check_kept(cx, "CPU_SUSPEND", &regs, &after);
    interrupts::taken_once(cx, "CPU_SUSPEND", SOFTWARE);
}

/// Checks that a call has kept what it has to: all but the first four registers (DEN0028, SMCCC 1.1).
fn check_kept<I: Isa>(
    cx: &mut Context<I>,
    name: &'static str,
    before: &Registers,
    after: &Registers,
) {
    let general = (4..I::GPRS).filter(|&n| before.gpr[n] != after.gpr[n]);
    let simd = (0..I::SIMD).filter(|&n| before.simd[n] != after.simd[n]);
    let bits = |lost: &mut dyn Iterator<Item = usize>| lost.fold(0, |bits, n| bits | 1 << n);
    let general = bits(&mut { general });
    let simd = bits(&mut { simd });
    cx.register(format_args!("{name}: registers lost from 4 on"), 0, general);
    cx.register(format_args!("{name}: SIMD registers lost"), 0, simd);
    // AArch32's is among the registers above.
    if I::NAME == IsaName::A64 {
        let name = format_args!("{name}: stack pointer");
        cx.register(name, before.sp, after.sp);
    }
}

/// A context that needs all of a register.
const CONTEXT: u64 = 0x9e3d_70b5_5e71_4a9d;

/// PSTATE of a vCPU that starts, as far as PSCI has it, in the manner of [`Found::pstate`](crate::Found::pstate).
const fn initial_pstate(isa: IsaName) -> u64 {
    match isa {
        // EL1 with SP_EL1, and D, A, I, F masked.
        IsaName::A64 => 0b0101 | 0b1111 << 6,
        // Supervisor mode, A, I and F masked, little-endian as the caller; and T.
        IsaName::A32 => 0x13 | 0b111 << 6,
        IsaName::T32 => 0x13 | 0b111 << 6 | 1 << 5,
    }
}

/// PSTATE.E of AArch32.
const PSTATE_E: u64 = 1 << 9;

/// What a vCPU finds at its start, by the `by` form of CPU_ON. Started `again`, it had left everything otherwise.
pub fn state<I: Isa>(cx: &mut Context<I>, by: Call, again: bool) {
    let how = Start {
        call: by,
        context: CONTEXT,
        ..Start::PLAIN
    };
    if again {
        several::among(cx, 1, |_| {
            I::on(1, Command::Contextidr);
            I::on(1, Command::Disturb);
        });
    }
    // What the start itself costs is up to CPU 1's set-up, which no rule counts.
    cx.step("CONTEXTIDR write, CPU 0", NOTHING, || {
        I::write_contextidr(1)
    });
    let started = I::start(1, &how);
    cx.state("started", 1, u64::from(started));
    if !started {
        return;
    }
    let found = I::found(1);
    let width = match (I::NAME, by) {
        (IsaName::A64, Call::Native | Call::BigEndian) => !0,
        _ => 0xffff_ffff,
    };
    cx.register("context", CONTEXT & width, found.context & width);
    // AArch64 has the endianness of its data in SCTLR_EL1.EE, AArch32 in PSTATE.E.
    let (e, ee) = match (I::NAME, by) {
        (IsaName::A64, Call::BigEndian) => (0, Sctlr::EE.bits()),
        (_, Call::BigEndian) => (PSTATE_E, found.sctlr & Sctlr::EE.bits()),
        _ => (0, 0),
    };
    cx.register("PSTATE", initial_pstate(I::NAME) | e, found.pstate);
    let off = Sctlr::M | Sctlr::C | Sctlr::I | Sctlr::EE;
    cx.register("SCTLR.M, C, I and EE", ee, found.sctlr & off.bits());
    several::stop(cx, 1);
}
