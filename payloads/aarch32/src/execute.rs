//! Running one instruction with the whole register file known, and finding out all it changed.
//!
//! The probe runs in System mode and is entered by an exception return, so every register and the
//! flags are set; it ends by an exception. Each exception mode's SP points at the registers in the
//! CPU's [`Frame`], so the vector can save all of the User bank there without needing a register.

use crate::{
    cp15,
    vectors::{self as moved, MOVED},
};
use core::{arch::global_asm, cell::UnsafeCell, mem::offset_of};
use setway_architecture::{maintenance, registers::Sctlr};
use setway_cases::{Circumstances, Exit, IsaName, MAX_CPUS, Probe, Registers};

/// Registers going in and out of a probe, and what the vector found.
#[repr(C, align(16))]
struct Frame {
    /// What the exception return takes: PC and CPSR. Directly before `gpr`.
    entry: u32,
    psr: u32,
    /// r0–r12, SP_usr, LR_usr.
    gpr: [u32; 15],
    /// SP_svc of the Rust code.
    host_sp: u32,
    vector: u32,
    link: u32,
    saved: u32,
    state: u32,
    /// q0–q15.
    simd: [[u64; 2]; 16],
}

/// Where the SPs point.
const GPR: usize = offset_of!(Frame, gpr);
const _: () = assert!(offset_of!(Frame, entry) + 8 == GPR);

/// One frame for each CPU.
struct Frames(UnsafeCell<[Frame; MAX_CPUS]>);

// SAFETY: each CPU uses its own.
unsafe impl Sync for Frames {}

static FRAMES: Frames = Frames(UnsafeCell::new(
    [const {
        Frame {
            entry: 0,
            psr: 0,
            gpr: [0; 15],
            host_sp: 0,
            vector: 0,
            link: 0,
            saved: 0,
            state: 0,
            simd: [[0; 2]; 16],
        }
    }; MAX_CPUS],
));

/// System mode, nothing masked.
const CPSR_SYSTEM: u32 = 0x1f;
/// User mode, likewise.
const CPSR_USER: u32 = 0x10;
/// CPSR.E.
const E: u64 = 1 << 9;
/// CPSR.Q and GE.
const Q_AND_GE: u32 = 1 << 27 | 0xf << 16;
/// CPSR.T.
const T: u32 = 1 << 5;
/// What SVC and UNDEF arrive with: their mode, A32, and IRQs masked.
const ARRIVAL_SVC: u64 = 0x93;
const ARRIVAL_UND: u64 = 0x9b;
/// What a Prefetch Abort arrives with: SErrors masked as well.
const ARRIVAL_ABT: u64 = 0x197;

fn is_t32(isa: IsaName) -> bool {
    isa == IsaName::T32
}

fn cpsr(isa: IsaName) -> u32 {
    CPSR_SYSTEM | if is_t32(isa) { T } else { 0 }
}

/// The same probe under other circumstances.
pub fn under(probe: Probe, circumstances: Circumstances) -> Probe {
    let mut exit = probe.exit;
    if circumstances.user {
        exit.saved &= !u64::from(CPSR_SYSTEM ^ CPSR_USER);
    }
    if circumstances.moved {
        exit.vector += MOVED;
    }
    if circumstances.thumb {
        exit.state |= u64::from(T);
    }
    if circumstances.big_endian {
        exit.state |= E;
    }
    Probe {
        under: circumstances,
        exit,
        ..probe
    }
}

/// The exit of a probe that ends with the SVC at `svc`.
pub fn svc_exit(isa: IsaName, svc: usize) -> Exit {
    let link = svc as u64 + if is_t32(isa) { 2 } else { 4 };
    Exit {
        vector: 0x08,
        link,
        saved: cpsr(isa).into(),
        syndrome: 0,
        state: ARRIVAL_SVC,
    }
}

/// The exit of a probe whose instruction at `at` is UNDEFINED (DDI 0487, "Undefined Instruction
/// exception").
pub fn undef_exit(isa: IsaName, at: usize) -> Exit {
    let link = at as u64 + if is_t32(isa) { 2 } else { 4 };
    Exit {
        vector: 0x04,
        link,
        saved: cpsr(isa).into(),
        syndrome: 0,
        state: ARRIVAL_UND,
    }
}

/// The exit of a probe whose fetch at `at` finds nothing (DDI 0487, "Prefetch Abort exception").
pub fn fetch_abort_exit(isa: IsaName, at: usize) -> Exit {
    Exit {
        vector: 0x0c,
        link: at as u64 + 4,
        saved: cpsr(isa).into(),
        syndrome: 0,
        state: ARRIVAL_ABT,
    }
}

/// What IRQ arrives with: its mode, A32, and IRQs and asynchronous aborts masked (DDI 0487,
/// AArch32.TakePhysicalIRQException()).
const ARRIVAL_IRQ: u64 = 0x192;

/// The exit of a probe in which an IRQ is taken before its instruction at `next`.
pub fn interrupted_exit(isa: IsaName, next: usize) -> Exit {
    Exit {
        vector: 0x18,
        link: next as u64 + 4,
        saved: cpsr(isa).into(),
        syndrome: 0,
        state: ARRIVAL_IRQ,
    }
}

unsafe extern "C" {
    fn execute(gpr: *mut u32);
    fn set_mode_stacks(gpr: *mut u32);
    static vectors: u8;
}

/// Runs `probe` from `regs`.
///
/// # Safety
///
/// `probe` must be one of [`probes::of`](crate::probes::of), with other flags at most, and what it does must not
/// harm the payload.
pub unsafe fn run(isa: IsaName, probe: &Probe, regs: &mut Registers) -> Exit {
    let frame = own_frame();
    // SAFETY: probes run one at a time on a CPU, and the frame is its own. A probe is
    // code that ends in an exception whatever happens and touches no memory, and `execute` restores
    // everything that the procedure call standard asks for.
    let frame = unsafe {
        (*frame).entry = probe.entry as u32;
        (*frame).psr = cpsr(isa) | (regs.flags | probe.pstate) as u32;
        if probe.under.user {
            (*frame).psr &= !(CPSR_SYSTEM ^ CPSR_USER);
        }
        let sctlr = cp15::read!(SCTLR);
        if probe.under.moved {
            set_vectors(moved::address(), sctlr | arrival(probe.under));
        }
        for (to, from) in (*frame).gpr.iter_mut().zip(regs.gpr) {
            *to = from as u32;
        }
        (*frame).simd.copy_from_slice(&regs.simd[..16]);
        execute((&raw mut (*frame).gpr).cast());
        if probe.under.moved {
            set_vectors((&raw const vectors) as u32, sctlr);
            (*frame).state = cp15::read!(TPIDRPRW) & !Q_AND_GE;
        }
        &*frame
    };
    for (to, from) in regs.gpr.iter_mut().zip(frame.gpr) {
        *to = from.into();
    }
    regs.simd[..16].copy_from_slice(&frame.simd);
    regs.flags = u64::from(frame.saved) & 0xf << 28;
    Exit {
        vector: frame.vector.into(),
        link: frame.link.into(),
        saved: frame.saved.into(),
        syndrome: 0,
        state: frame.state.into(),
    }
}

/// The bits of SCTLR that say how exceptions arrive.
fn arrival(under: Circumstances) -> u32 {
    let mut bits = Sctlr::empty();
    bits.set(Sctlr::TE, under.thumb);
    bits.set(Sctlr::EE, under.big_endian);
    bits.bits() as u32
}

/// Has exceptions arrive at `vbar`, as `sctlr` says.
///
/// # Safety
///
/// There must be vectors that can take them, and SCTLR as it is except for TE, and EE while stage 1 is off.
unsafe fn set_vectors(vbar: u32, sctlr: u32) {
    // SAFETY: the caller's.
    unsafe {
        cp15::write!("p15, 0, {}, c12, c0, 0", vbar);
        cp15::write!(SCTLR, sctlr);
        core::arch::asm!("isb", options(nostack));
    }
}

/// The frame of this CPU: the CPUs that are used differ in the low bits of their affinity.
fn own_frame() -> *mut Frame {
    let frames = FRAMES.0.get().cast::<Frame>();
    frames.wrapping_add(cp15::read!(MPIDR) as usize % MAX_CPUS)
}

/// Points this CPU at the vectors and its exception modes at its frame.
pub fn install_vectors() {
    let frame = own_frame();
    // SAFETY: the table below, and a frame that is this CPU's.
    unsafe {
        set_mode_stacks((&raw mut (*frame).gpr).cast());
        cp15::write!("p15, 0, {}, c12, c0, 0", &raw const vectors as u32);
        core::arch::asm!("isb", options(nostack));
    }
}

/// An exception that no probe caused.
#[unsafe(no_mangle)]
extern "C" fn unexpected_exception(vector: u32, link: u32, saved: u32) -> ! {
    const UNDEFINED: u32 = 0x04;
    // The link is 4 bytes on in A32 and 2 in T32, and SPSR may not tell in which it was.
    let is_refused = || {
        let at = |back: u32| {
            // SAFETY: the instruction that was UNDEFINED is of the image.
            unsafe { ((link - back) as *const u16).read_volatile() }
        };
        maintenance::is_set_way_t32(at(2), at(4)) || maintenance::is_set_way_t32(at(2), at(0))
    };
    if vector == UNDEFINED && is_refused() {
        panic!("{}", maintenance::REFUSED);
    }
    panic!("exception at vector {vector:#x}: LR {link:#x}, SPSR {saved:#x}")
}

global_asm!(
    ".section .text.execute, \"ax\"",
    ".arm",
    ".fpu neon",
    ".balign 4",
    // r0: the frame's gpr. SP of all exception modes but SVC, which is the Rust code's.
    ".global set_mode_stacks",
    "set_mode_stacks:",
    "    cps     #0x11",
    "    mov     sp, r0",
    "    cps     #0x12",
    "    mov     sp, r0",
    "    cps     #0x17",
    "    mov     sp, r0",
    "    cps     #0x1b",
    "    mov     sp, r0",
    "    cps     #0x13",
    "    bx      lr",
    ".global execute",
    "execute:",
    "    push    {{r4-r11, lr}}",
    "    str     sp, [r0, #{host_sp}]",
    "    add     r1, r0, #{simd}",
    "    vldmia  r1!, {{d0-d15}}",
    "    vldmia  r1!, {{d16-d31}}",
    "    mov     sp, r0",
    "    ldmia   sp, {{r0-r14}}^",
    "    nop",
    "    rfedb   sp",
    // r0: the vector's offset; lr and SPSR: what it found. The User bank is saved.
    "probe_exit:",
    "    mov     r1, lr",
    "    mrs     r2, spsr",
    "    mrs     r3, cpsr",
    // Without Q and GE.
    "    bic     r3, r3, #0x08000000",
    "    bic     r3, r3, #0x000f0000",
    "    mov     r4, sp",
    // A probe runs while the frame has the stack to go back to. SPSR does not tell: QEMU does not always load it.
    "    ldr     r5, [r4, #{host_sp}]",
    "    cmp     r5, #0",
    "    beq     1f",
    "    mov     r6, #0",
    "    str     r6, [r4, #{host_sp}]",
    "    str     r0, [r4, #{vector}]",
    "    str     r1, [r4, #{link}]",
    "    str     r2, [r4, #{saved}]",
    "    str     r3, [r4, #{state}]",
    "    cps     #0x13",
    "    mov     sp, r5",
    "    add     r1, r4, #{simd}",
    "    vstmia  r1!, {{d0-d15}}",
    "    vstmia  r1!, {{d16-d31}}",
    "    pop     {{r4-r11, pc}}",
    "1:  cps     #0x13",
    "    b       unexpected_exception",
    ".macro probe_vector offset",
    "vector_\\offset:",
    "    stmia   sp, {{r0-r14}}^",
    "    nop",
    "    mov     r0, #0x\\offset",
    "    b       probe_exit",
    ".endm",
    ".irp offset, 00, 04, 08, 0c, 10, 14, 18, 1c",
    "    probe_vector \\offset",
    ".endr",
    ".purgem probe_vector",
    ".section .text.vectors, \"ax\"",
    ".balign 32",
    ".global vectors",
    "vectors:",
    ".irp offset, 00, 04, 08, 0c, 10, 14, 18, 1c",
    "    b       vector_\\offset",
    ".endr",
    host_sp = const offset_of!(Frame, host_sp) - GPR,
    simd = const offset_of!(Frame, simd) - GPR,
    vector = const offset_of!(Frame, vector) - GPR,
    link = const offset_of!(Frame, link) - GPR,
    saved = const offset_of!(Frame, saved) - GPR,
    state = const offset_of!(Frame, state) - GPR,
);
