//! Running one instruction with the whole register file known, and finding out all it changed.
//!
//! The probe is entered by an exception return, so every register and the flags are set, and it ends
//! by an exception: SVC when all is well, UNDEF or an abort otherwise. It runs at EL1, with SP_EL0
//! unless it asks for SP_EL1; meanwhile SP_EL1 points at the [`Frame`], so the vector can save all
//! registers there without needing one.

use core::{arch::global_asm, mem::offset_of};
use setway_architecture::{
    maintenance,
    trap::{
        aarch32::psr,
        esr::{Esr, ec},
    },
};
use setway_cases::{Circumstances, Exit, Probe, Registers};
use setway_runtime::{mrs, msr};

/// Registers going in and out of a probe, and what the vector found.
#[repr(C, align(16))]
struct Frame {
    regs: Registers,
    exit: Exit,
    /// SP_EL1 of the Rust code.
    host_sp: u64,
}

/// EL1 with SP_EL0, nothing masked.
const EL1T: u64 = 4;
/// EL1 with SP_EL1, nothing masked.
const EL1H: u64 = 5;
/// What every exception to EL1 arrives with: SP_EL1, everything masked.
const ARRIVAL: u64 = EL1H | 0xf << 6;
/// ESR_EL1 of SVC #0 in A64.
const ESR_SVC: u64 = 0x15 << 26 | 1 << 25;
/// ESR_EL1 of an undefined instruction.
const ESR_UNDEF: u64 = 1 << 25;

/// The exit of a probe that ends with the SVC at `svc`.
pub fn svc_exit(svc: usize) -> Exit {
    Exit {
        vector: 0,
        link: svc as u64 + 4,
        saved: EL1T,
        syndrome: ESR_SVC,
        state: ARRIVAL,
    }
}

/// The exit of a probe whose software step ends at `next`.
pub fn step_exit(next: usize) -> Exit {
    Exit {
        vector: 0,
        link: next as u64,
        saved: EL1T,
        syndrome: ESR_STEP,
        state: ARRIVAL,
    }
}

/// The exit of a probe in which an IRQ is taken before its instruction at `next`.
pub fn interrupted_exit(next: usize) -> Exit {
    Exit {
        vector: IRQ,
        link: next as u64,
        saved: EL1T,
        syndrome: 0,
        state: ARRIVAL,
    }
}

/// Turns software step on or off for code at EL1 whose PSTATE.D is clear and PSTATE.SS set.
fn set_software_step(on: bool) {
    // MDSCR_EL1.KDE and SS.
    let mdscr = if on { 1u64 << 13 | 1 } else { 0 };
    // SAFETY: debug exceptions of the Rust code are masked first; nothing else uses the debug registers, and the OS
    // lock, which masks them as well after a reset, guards nothing.
    unsafe {
        core::arch::asm!("msr daifset, #8", options(nostack));
        msr!("oslar_el1", 0u64);
        msr!("mdscr_el1", mdscr);
        core::arch::asm!("isb", options(nostack));
    }
}

/// The exit of a probe whose instruction at `at` is UNDEFINED.
pub fn undef_exit(at: usize) -> Exit {
    Exit {
        vector: 0,
        link: at as u64,
        saved: EL1T,
        syndrome: ESR_UNDEF,
        state: ARRIVAL,
    }
}

/// The exit of a probe whose fetch at `at` finds nothing (DDI 0487, ESR_EL1: EC 0x21, IL, IFSC of a synchronous External
/// abort).
pub fn fetch_abort_exit(at: usize) -> Exit {
    Exit {
        syndrome: 0x21 << 26 | 1 << 25 | 0x10,
        ..undef_exit(at)
    }
}

/// The same probe with SP_EL1, whose exceptions have vectors of their own.
pub fn with_sp_el1(probe: Probe) -> Probe {
    let exit = Exit {
        vector: 0x200,
        saved: probe.exit.saved | EL1H,
        ..probe.exit
    };
    Probe {
        sp_el1: true,
        exit,
        ..probe
    }
}

/// The same probe under other circumstances. AArch64 has no TE, and EE changes no exception.
pub fn under(probe: Probe, circumstances: Circumstances) -> Probe {
    let mut exit = probe.exit;
    if circumstances.user {
        exit.vector = FROM_EL0;
        exit.saved &= !EL1H;
    }
    if circumstances.moved {
        exit.vector += MOVED;
    }
    Probe {
        under: circumstances,
        exit,
        ..probe
    }
}

/// The vector of a synchronous exception from EL0.
const FROM_EL0: u64 = 0x400;
/// What is added to a vector's offset if it is one of the other table.
const MOVED: u64 = 0x800;

/// The vector of an IRQ from EL1 with SP_EL0.
const IRQ: u64 = 0x80;

unsafe extern "C" {
    fn execute(frame: *mut Frame, entry: u64, pstate: u64);
}

/// ESR_EL1.EC of a software step exception from the same level.
const EC_STEP: u64 = 0x33;
/// ESR_EL1 of a software step exception, less ISV and EX: EC, IL, and IFSC of a debug exception.
const ESR_STEP: u64 = EC_STEP << 26 | 1 << 25 | 0x22;

/// Runs `probe` from `regs`.
///
/// # Safety
///
/// `probe` must be one of [`probes::of`](crate::probes::of), with other flags at most, and what it does must not
/// harm the payload.
pub unsafe fn run(probe: &Probe, regs: &mut Registers) -> Exit {
    let mut frame = Frame {
        regs: *regs,
        exit: Exit::default(),
        host_sp: 0,
    };
    let level = match (probe.under.user, probe.sp_el1) {
        (true, _) => 0,
        (false, true) => EL1H,
        (false, false) => EL1T,
    };
    let pstate = level | regs.flags | probe.pstate;
    if probe.under.moved {
        set_vectors(MOVED);
    }
    let step = pstate & psr::SS != 0;
    if step {
        set_software_step(true);
    }
    // SAFETY: a probe is code that ends in an exception whatever happens, touches no memory, and
    // `execute` restores everything that the procedure call standard asks for.
    unsafe { execute(&mut frame, probe.entry as u64, pstate) }
    if probe.under.moved {
        set_vectors(0);
    }
    if step {
        set_software_step(false);
        if frame.exit.syndrome >> 26 == EC_STEP {
            // ISV and EX say whether the CPU itself has executed what was stepped over, which a trap changes.
            frame.exit.syndrome &= !(1 << 24 | 1 << 6);
        }
    }
    if frame.exit.vector == IRQ {
        // What ESR_EL1 holds is an earlier exception's: an IRQ has no syndrome.
        frame.exit.syndrome = 0;
    }
    *regs = frame.regs;
    regs.flags = frame.exit.saved & 0xf << 28;
    frame.exit
}

/// Points the CPU at the vectors.
pub fn install_vectors() {
    set_vectors(0);
}

/// Points the CPU at the vectors, or with [`MOVED`] at the others.
fn set_vectors(offset: u64) {
    unsafe extern "C" {
        static vectors: u8;
    }
    // SAFETY: one of the tables below.
    unsafe {
        msr!("vbar_el1", (&raw const vectors) as u64 + offset);
        core::arch::asm!("isb", options(nostack));
    }
}

/// An exception that no probe caused.
#[unsafe(no_mangle)]
extern "C" fn unexpected_exception(vector: u64) -> ! {
    // SAFETY: an instruction of the image, if it was UNDEFINED.
    let refused = || unsafe { maintenance::is_set_way_a64((mrs!("elr_el1") as *const u32).read()) };
    if Esr(mrs!("esr_el1") as u32).class() == ec::UNKNOWN && refused() {
        panic!("{}", maintenance::REFUSED);
    }
    panic!(
        "exception at vector {vector:#x}: ESR {:#x}, ELR {:#x}, FAR {:#x}",
        mrs!("esr_el1"),
        mrs!("elr_el1"),
        mrs!("far_el1")
    )
}

// The register lists below are Registers::gpr from offset 0 and Registers::simd in order.
global_asm!(
    ".arch_extension fp",
    ".arch_extension simd",
    ".section .text.execute, \"ax\"",
    ".global execute",
    "execute:",
    "    stp     x29, x30, [sp, #-96]!",
    "    stp     x19, x20, [sp, #16]",
    "    stp     x21, x22, [sp, #32]",
    "    stp     x23, x24, [sp, #48]",
    "    stp     x25, x26, [sp, #64]",
    "    stp     x27, x28, [sp, #80]",
    "    mov     x9, sp",
    "    str     x9, [x0, #{host_sp}]",
    "    msr     elr_el1, x1",
    "    msr     spsr_el1, x2",
    "    ldr     x9, [x0, #{sp}]",
    "    msr     sp_el0, x9",
    "    add     x9, x0, #{simd}",
    "    ldp     q0, q1, [x9], #32",
    "    ldp     q2, q3, [x9], #32",
    "    ldp     q4, q5, [x9], #32",
    "    ldp     q6, q7, [x9], #32",
    "    ldp     q8, q9, [x9], #32",
    "    ldp     q10, q11, [x9], #32",
    "    ldp     q12, q13, [x9], #32",
    "    ldp     q14, q15, [x9], #32",
    "    ldp     q16, q17, [x9], #32",
    "    ldp     q18, q19, [x9], #32",
    "    ldp     q20, q21, [x9], #32",
    "    ldp     q22, q23, [x9], #32",
    "    ldp     q24, q25, [x9], #32",
    "    ldp     q26, q27, [x9], #32",
    "    ldp     q28, q29, [x9], #32",
    "    ldp     q30, q31, [x9], #32",
    // TPIDR_EL1 shows the vectors that a probe runs.
    "    mov     x9, #1",
    "    msr     tpidr_el1, x9",
    "    mov     sp, x0",
    "    ldp     x0, x1, [sp, #0]",
    "    ldp     x2, x3, [sp, #16]",
    "    ldp     x4, x5, [sp, #32]",
    "    ldp     x6, x7, [sp, #48]",
    "    ldp     x8, x9, [sp, #64]",
    "    ldp     x10, x11, [sp, #80]",
    "    ldp     x12, x13, [sp, #96]",
    "    ldp     x14, x15, [sp, #112]",
    "    ldp     x16, x17, [sp, #128]",
    "    ldp     x18, x19, [sp, #144]",
    "    ldp     x20, x21, [sp, #160]",
    "    ldp     x22, x23, [sp, #176]",
    "    ldp     x24, x25, [sp, #192]",
    "    ldp     x26, x27, [sp, #208]",
    "    ldp     x28, x29, [sp, #224]",
    "    ldr     x30, [sp, #240]",
    // What the vector's first instruction saves must come from it: a vector entered past it shows.
    "    stp     xzr, xzr, [sp]",
    "    eret",
    // Every way out of a probe comes here: SP_EL1 is the frame, x0 and x1 are saved, x0 holds the
    // vector's offset.
    "probe_exit:",
    "    stp     x2, x3, [sp, #16]",
    "    stp     x4, x5, [sp, #32]",
    "    stp     x6, x7, [sp, #48]",
    "    stp     x8, x9, [sp, #64]",
    "    stp     x10, x11, [sp, #80]",
    "    stp     x12, x13, [sp, #96]",
    "    stp     x14, x15, [sp, #112]",
    "    stp     x16, x17, [sp, #128]",
    "    stp     x18, x19, [sp, #144]",
    "    stp     x20, x21, [sp, #160]",
    "    stp     x22, x23, [sp, #176]",
    "    stp     x24, x25, [sp, #192]",
    "    stp     x26, x27, [sp, #208]",
    "    stp     x28, x29, [sp, #224]",
    "    str     x30, [sp, #240]",
    "    mov     x2, sp",
    "    str     x0, [x2, #{vector}]",
    "    mrs     x3, elr_el1",
    "    str     x3, [x2, #{link}]",
    "    mrs     x3, spsr_el1",
    "    str     x3, [x2, #{saved}]",
    "    mrs     x3, esr_el1",
    "    str     x3, [x2, #{syndrome}]",
    "    mrs     x3, CurrentEL",
    "    mrs     x4, SPSel",
    "    orr     x3, x3, x4",
    "    mrs     x4, DAIF",
    "    orr     x3, x3, x4",
    "    mrs     x4, NZCV",
    "    orr     x3, x3, x4",
    "    str     x3, [x2, #{state}]",
    "    msr     tpidr_el1, xzr",
    "    mrs     x3, sp_el0",
    "    str     x3, [x2, #{sp}]",
    "    add     x9, x2, #{simd}",
    "    stp     q0, q1, [x9], #32",
    "    stp     q2, q3, [x9], #32",
    "    stp     q4, q5, [x9], #32",
    "    stp     q6, q7, [x9], #32",
    "    stp     q8, q9, [x9], #32",
    "    stp     q10, q11, [x9], #32",
    "    stp     q12, q13, [x9], #32",
    "    stp     q14, q15, [x9], #32",
    "    stp     q16, q17, [x9], #32",
    "    stp     q18, q19, [x9], #32",
    "    stp     q20, q21, [x9], #32",
    "    stp     q22, q23, [x9], #32",
    "    stp     q24, q25, [x9], #32",
    "    stp     q26, q27, [x9], #32",
    "    stp     q28, q29, [x9], #32",
    "    stp     q30, q31, [x9], #32",
    "    ldr     x9, [x2, #{host_sp}]",
    "    mov     sp, x9",
    "    ldp     x19, x20, [sp, #16]",
    "    ldp     x21, x22, [sp, #32]",
    "    ldp     x23, x24, [sp, #48]",
    "    ldp     x25, x26, [sp, #64]",
    "    ldp     x27, x28, [sp, #80]",
    "    ldp     x29, x30, [sp], #96",
    "    ret",
    host_sp = const offset_of!(Frame, host_sp),
    sp = const offset_of!(Frame, regs.sp),
    simd = const offset_of!(Frame, regs.simd),
    vector = const offset_of!(Frame, exit.vector),
    link = const offset_of!(Frame, exit.link),
    saved = const offset_of!(Frame, exit.saved),
    syndrome = const offset_of!(Frame, exit.syndrome),
    state = const offset_of!(Frame, exit.state),
);

const _: () = assert!(offset_of!(Frame, regs.gpr) == 0);

// The vector table, twice. An exception from EL1 with SP_EL1 is a probe's or, if none runs, the Rust code's
// own and fatal; all others, whether right or wrongly delivered, end a probe.
global_asm!(
    ".macro probe_vector offset",
    "    .balign 0x80",
    "    stp     x0, x1, [sp]",
    "    mov     x0, #\\offset",
    "    b       probe_exit",
    ".endm",
    ".macro own_vector offset",
    "    .balign 0x80",
    "    msr     tpidr_el0, x0",
    "    mrs     x0, tpidr_el1",
    "    cbz     x0, 1f",
    "    mrs     x0, tpidr_el0",
    "    stp     x0, x1, [sp]",
    "    mov     x0, #\\offset",
    "    b       probe_exit",
    "1:  mov     x0, #\\offset",
    "    b       unexpected_exception",
    ".endm",
    ".section .text.vectors, \"ax\"",
    ".balign 0x800",
    ".global vectors",
    "vectors:",
    "    .irp    table, 0, {moved}",
    "    .irp    offset, 0x000, 0x080, 0x100, 0x180",
    "    probe_vector (\\table + \\offset)",
    "    .endr",
    "    .irp    offset, 0x200, 0x280, 0x300, 0x380",
    "    own_vector (\\table + \\offset)",
    "    .endr",
    "    .irp    offset, 0x400, 0x480, 0x500, 0x580, 0x600, 0x680, 0x700, 0x780",
    "    probe_vector (\\table + \\offset)",
    "    .endr",
    "    .endr",
    ".purgem probe_vector",
    ".purgem own_vector",
    moved = const MOVED,
);
