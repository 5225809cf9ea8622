//! The [`Isa`]s of A32 and T32. They differ in the instructions under test alone.

use crate::{caches, cp15, execute, probes, sctlr, secondary, stage1, state::STATE};
use core::arch::{asm, global_asm};
use setway_architecture::{
    maintenance::{Geometry, SetWayOp},
    registers::{Ccsidr, CcsidrFormat, Clidr, Ctr, Sctlr},
};
use setway_cases::{
    Arena, Circumstances, Command, Exit, FaultRegister, Found, Isa, IsaName, NOTHING,
    NewValue::{Any, Of, With},
    Place, Probe, ProbeSet, Registers, SctlrBit, Start, StateRegister, VmRegister,
};
use setway_runtime::{
    interrupts::Hardware,
    secondary::{self as shared, PastCaches},
};

/// AArch32 in one instruction set.
pub enum AArch32<const T32: bool> {}

/// 32-bit instructions.
pub type A32 = AArch32<false>;
/// 16- and 32-bit instructions.
pub type T32 = AArch32<true>;

global_asm!(
    ".section .text.ops, \"ax\"",
    ".arch_extension virt",
    ".arch_extension sec",
    ".arm",
    ".balign 4",
    // The one place from which marks come.
    ".global mark",
    ".global mark_return",
    "mark:",
    // PSCI_VERSION: answered by every hypervisor, and without effect.
    "    mov     r0, #0x84000000",
    "    hvc     #0",
    "mark_return:",
    "    bx      lr",
    // The ops in both instruction sets.
    ".macro ops prefix, mode",
    "    .\\mode",
    "    .balign 4",
    "    .irp    op, isw, csw, cisw, contextidr, smc, wfe",
    "    .global \\prefix\\()_op_\\op",
    "    .type   \\prefix\\()_op_\\op, %function",
    "    .endr",
    "\\prefix\\()_op_isw:",
    "    mcr     p15, 0, r0, c7, c6, 2",
    "    bx      lr",
    "\\prefix\\()_op_csw:",
    "    mcr     p15, 0, r0, c7, c10, 2",
    "    bx      lr",
    "\\prefix\\()_op_cisw:",
    "    mcr     p15, 0, r0, c7, c14, 2",
    "    bx      lr",
    "\\prefix\\()_op_contextidr:",
    "    mcr     p15, 0, r0, c13, c0, 1",
    "    bx      lr",
    "\\prefix\\()_op_smc:",
    "    smc     #0",
    "    bx      lr",
    "\\prefix\\()_op_wfe:",
    "    sev",
    "    wfe",
    "    bx      lr",
    ".endm",
    "    ops     a32, arm",
    "    ops     t32, thumb",
    "    .arm",
    ".purgem ops",
    // Memory for the cases.
    ".section .arena, \"aw\", %nobits",
    ".balign 0x10000",
    "arena:",
    "    .zero   {arena_size}",
    arena_size = const ARENA_SIZE,
);

/// Bytes of the arena: more than a way of the cache.
const ARENA_SIZE: usize = 0x4_0000;

unsafe extern "C" {
    fn mark();
    static mark_return: u8;
    static arena: u8;
    fn a32_op_isw(operand: u32);
    fn a32_op_csw(operand: u32);
    fn a32_op_cisw(operand: u32);
    fn a32_op_contextidr(value: u32);
    fn t32_op_isw(operand: u32);
    fn t32_op_csw(operand: u32);
    fn t32_op_cisw(operand: u32);
    fn t32_op_contextidr(value: u32);
    fn a32_op_smc(function: u32);
    fn t32_op_smc(function: u32);
    fn a32_op_wfe();
    fn t32_op_wfe();
}

/// A fast call of the Arm architecture's that is not allocated.
const UNKNOWN_CALL: u32 = 0x8000_ff00;

/// The preferred return address of the mark's HVC.
pub fn mark_address() -> u32 {
    (&raw const mark_return) as u32
}

/// The arena's physical address.
pub fn arena_address() -> u32 {
    (&raw const arena) as u32
}

/// A row of the register table: MRC and MCR of a 32-bit register.
macro_rules! word {
    ($register:ident, $one:expr, $other:expr, $other_half:expr) => {
        VmRegister {
            name: stringify!($register),
            read: || cp15::read!($register).into(),
            // SAFETY: the caller's.
            write: |value| unsafe {
                cp15::write!($register, value);
                asm!("isb", options(nostack));
            },
            values: [$one, $other],
            doubleword: false,
            other_half: $other_half,
        }
    };
}

/// A row of the register table: MRRC and MCRR of a 64-bit register.
macro_rules! doubleword {
    ($name:literal, $opc1:literal, $crm:literal, $one:expr, $other:expr, $low_half:literal) => {
        VmRegister {
            name: $name,
            read: || {
                let (low, high): (u32, u32);
                // SAFETY: reading these registers changes nothing.
                unsafe {
                    asm!(concat!("mrrc p15, ", $opc1, ", {}, {}, ", $crm), out(reg) low, out(reg) high,
                        options(nomem, nostack, preserves_flags));
                }
                u64::from(high) << 32 | u64::from(low)
            },
            // SAFETY: the caller's.
            write: |value| unsafe {
                asm!(concat!("mcrr p15, ", $opc1, ", {}, {}, ", $crm), "isb",
                    in(reg) value as u32, in(reg) (value >> 32) as u32,
                    options(nostack, preserves_flags));
            },
            values: [$one, $other],
            doubleword: true,
            other_half: Some($low_half),
        }
    };
}

// The values are for the short-descriptor format, except for that of TTBCR which is for the long one. TTBR0 and TTBR1 have all
// attributes of walks, TTBCR has EAE. The 64-bit registers stand last: see the case.
static VM_REGISTERS: [VmRegister; 18] = [
    // Alignment checking on: the payload makes no unaligned access.
    word!(SCTLR, With(Sctlr::A.bits()), With(0), None),
    word!(TTBR0, Of(0x1234_404a), Of(0xedcb_8031), None),
    word!(TTBR1, Of(0x5432_8031), Of(0xabcd_404a), None),
    word!(TTBCR, Of(0xbfc7_3f80), Of(0x37), None),
    // Each domain a manager's, or nobody's.
    word!(DACR, Of(0xf0c3_c30f), Of(0x0f3c_3cf0), None),
    word!(DFSR, Of(0x0000_080d), Of(0x0000_34f2), None),
    word!(IFSR, Of(0x0000_000f), Of(0x0000_1400), None),
    word!(ADFSR, Any(0x1234_5678), Any(0xedcb_a987), None),
    word!(AIFSR, Any(0x8765_4321), Any(0x789a_bcde), None),
    word!(DFAR, Of(0xfedc_ba98), Of(0x0123_4567), Some("IFAR")),
    word!(IFAR, Of(0x7654_3210), Of(0x89ab_cdef), Some("DFAR")),
    // PRRR, of whose fields none may be 0b11, and NMRR.
    word!(MAIR0, Of(0x000a_81a8), Of(0xff05_5a56), Some("MAIR1")),
    word!(MAIR1, Of(0x4488_44c8), Of(0xbb77_bb37), Some("MAIR0")),
    word!(AMAIR0, Any(0x0123_4567), Any(0xfedc_ba98), Some("AMAIR1")),
    word!(AMAIR1, Any(0x89ab_cdef), Any(0x7654_3210), Some("AMAIR0")),
    word!(CONTEXTIDR, Of(0xcafe_f00d), Of(0x3501_0ff2), None),
    doubleword!(
        "TTBR0 (64-bit)",
        "0",
        "c2",
        Of(0x00a5_0012_1234_4000),
        Of(0x005a_00ed_edcb_8000),
        "TTBR0"
    ),
    doubleword!(
        "TTBR1 (64-bit)",
        "1",
        "c2",
        Of(0x005a_0021_5432_8000),
        Of(0x00a5_00de_abcd_4000),
        "TTBR1"
    ),
];

/// CONTEXTIDR, a register that probes write: without address space ids or a debugger it means nothing.
pub fn contextidr() -> &'static VmRegister {
    &VM_REGISTERS[15]
}

/// TTBR1 with 64 bits, another: with TTBCR.N = 0 it is not used.
pub fn ttbr1_64() -> &'static VmRegister {
    &VM_REGISTERS[17]
}

impl<const IS_T32: bool> Isa for AArch32<IS_T32> {
    const NAME: IsaName = if IS_T32 { IsaName::T32 } else { IsaName::A32 };
    const GPRS: usize = 15;
    const SIMD: usize = 16;
    type Interrupts = Hardware;

    fn mark() {
        // SAFETY: follows the procedure call standard; PSCI_VERSION has no effect.
        unsafe { mark() }
    }

    unsafe fn set_way(op: SetWayOp, operand: u64) {
        let issue = match (op, IS_T32) {
            (SetWayOp::Isw, false) => a32_op_isw,
            (SetWayOp::Csw, false) => a32_op_csw,
            (SetWayOp::Cisw, false) => a32_op_cisw,
            (SetWayOp::Isw, true) => t32_op_isw,
            (SetWayOp::Csw, true) => t32_op_csw,
            (SetWayOp::Cisw, true) => t32_op_cisw,
        };
        // SAFETY: the caller's.
        unsafe { issue(operand as u32) }
    }

    fn clidr() -> Clidr {
        Clidr(cp15::read!(CLIDR).into())
    }

    fn ctr() -> Ctr {
        Ctr(cp15::read!(CTR).into())
    }

    fn select_cache(csselr: u64) {
        // SAFETY: CSSELR only selects what CCSIDR shows.
        unsafe {
            cp15::write!(CSSELR, csselr);
            asm!("isb", options(nostack));
        }
    }

    fn selected_cache() -> u64 {
        cp15::read!(CSSELR).into()
    }

    fn ccsidr(level: u32, instruction: bool) -> Ccsidr {
        Self::select_cache(((level - 1) << 1 | u32::from(instruction)).into());
        Ccsidr(cp15::read!(CCSIDR).into())
    }

    fn geometry_of(level: u32, instruction: bool) -> Geometry {
        let Ccsidr(low) = Self::ccsidr(level, instruction);
        let format = CcsidrFormat::from_id_mmfr4(cp15::read!(ID_MMFR4).into());
        // CCSIDR2 exists with the wide format.
        let high: u64 = match format {
            CcsidrFormat::Narrow => 0,
            CcsidrFormat::Wide => cp15::read!(CCSIDR2).into(),
        };
        Ccsidr(high << 32 | low).geometry(format)
    }

    fn set_caches(m: bool, c: bool) {
        caches::set(m, c);
    }

    fn write_contextidr(value: u64) {
        let issue = if IS_T32 {
            t32_op_contextidr
        } else {
            a32_op_contextidr
        };
        // SAFETY: without address space ids or a debugger CONTEXTIDR means nothing.
        unsafe { issue(value as u32) }
    }

    fn read_contextidr() -> u64 {
        cp15::read!(CONTEXTIDR).into()
    }

    fn vm_registers() -> &'static [VmRegister] {
        &VM_REGISTERS
    }

    fn state() -> &'static [StateRegister] {
        &STATE
    }

    fn sctlr_bits() -> &'static [SctlrBit] {
        &sctlr::BITS
    }

    unsafe fn flip_sctlr(bits: u64) -> u64 {
        // SAFETY: the caller's.
        unsafe { sctlr::flip(Self::NAME, bits) }
    }

    fn fetch_fault() -> &'static [FaultRegister] {
        &[
            FaultRegister {
                name: "IFSR",
                // ExT is IMPLEMENTATION DEFINED.
                read: || (cp15::read!(IFSR) & !(1 << 12)).into(),
                // FS of a synchronous External abort, in the short-descriptor format.
                value: 0b0_1000,
            },
            FaultRegister {
                name: "IFAR",
                read: || cp15::read!(IFAR).into(),
                value: NOTHING as u64,
            },
        ]
    }

    fn read_id_register() {
        let _ = cp15::read!(ID_MMFR0);
    }

    fn call_by_smc() {
        let call = if IS_T32 { t32_op_smc } else { a32_op_smc };
        // SAFETY: a call without effect, which changes r0 to r3 as a function of the procedure call standard may.
        unsafe { call(UNKNOWN_CALL) }
    }

    fn wait_for_event() {
        let wait = if IS_T32 { t32_op_wfe } else { a32_op_wfe };
        // SAFETY: the event is there before it is waited for.
        unsafe { wait() }
    }

    fn probes(set: ProbeSet, each: &mut dyn FnMut(Probe)) {
        probes::of(Self::NAME, set, each);
    }

    fn pstate_fields() -> &'static [(&'static str, u64)] {
        // PAN would keep the vectors from their memory.
        &[
            ("AIF", 0b111 << 6),
            ("E", 1 << 9),
            ("GE", 0xf << 16),
            ("DIT", 1 << 21),
            ("SSBS", 1 << 23),
            ("Q", 1 << 27),
        ]
    }

    fn stepped_exit(_: usize) -> Exit {
        unreachable!("software step is AArch64's")
    }

    fn undefined_exit(at: usize) -> Exit {
        execute::undef_exit(Self::NAME, at)
    }

    fn under(probe: Probe, circumstances: Circumstances) -> Probe {
        execute::under(probe, circumstances)
    }

    fn interrupted_exit(next: usize) -> Exit {
        execute::interrupted_exit(Self::NAME, next)
    }

    unsafe fn execute(probe: &Probe, regs: &mut Registers) -> Exit {
        // SAFETY: the caller's.
        unsafe { execute::run(Self::NAME, probe, regs) }
    }

    fn arena() -> Arena {
        let address = arena_address();
        let uncached = stage1::uncached(address);
        // SAFETY: the symbol above, which nobody else uses, and its non-cacheable mapping.
        unsafe { Arena::new(address as *mut u8, uncached as *mut u8, ARENA_SIZE) }
    }

    fn disturb() {
        // SAFETY: System mode has the same privilege, and gets the same stack; nothing raises an interrupt.
        unsafe {
            asm!(
                "mov {sp}, sp",
                "mov {lr}, lr",
                "cpsie aif, #0x1f",
                "mov sp, {sp}",
                "mov lr, {lr}",
                sp = out(reg) _,
                lr = out(reg) _,
                options(nostack),
            );
        }
    }

    fn mpidr(cpu: usize) -> u64 {
        shared::mpidr(cpu) as u64
    }

    fn start(cpu: usize, how: &Start) -> bool {
        secondary::start::<Self>(cpu, how)
    }

    fn found(cpu: usize) -> Found {
        shared::found::<Self>(cpu)
    }

    fn give(cpu: usize, command: Command, value: u32) {
        shared::give::<Self>(cpu, command, value);
    }

    fn wait_for(cpu: usize) -> u32 {
        shared::wait_for::<Self>(cpu)
    }

    fn store_on(cpu: usize, place: Place, value: u32) {
        shared::store::<Self>(cpu, place, value);
    }

    fn load_on(cpu: usize, place: Place) -> u32 {
        shared::load::<Self>(cpu, place)
    }

    fn stop(cpu: usize) -> bool {
        shared::stop::<Self>(cpu)
    }

    fn affinity_by_32_bit_call(cpu: usize) -> u32 {
        shared::affinity_by_32_bit_call(cpu)
    }
}

// SAFETY: with the MMU on, the address of the non-cacheable mapping, which covers the mailbox as well
// as the arena; with it off, no access is cacheable.
unsafe impl<const IS_T32: bool> PastCaches for AArch32<IS_T32> {
    fn past_caches(address: usize) -> usize {
        if !caches::mmu_is_on() {
            return address;
        }
        stage1::uncached(address as u32) as usize
    }
}
