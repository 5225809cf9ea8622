//! The [`Isa`]s of A32 and T32. They differ in the instructions under test alone.

use crate::{caches, cp15, execute, probes, secondary, stage1};
use core::arch::{asm, global_asm};
use setway_cases::{
    Arena, Command, Exit, Geometry, Isa, IsaName, Probe, ProbeSet, Registers, SetWay, VmRegister,
};
use setway_runtime::secondary::{self as shared, PastCaches};

/// AArch32 in one instruction set.
pub enum AArch32<const T32: bool> {}

/// 32-bit instructions.
pub type A32 = AArch32<false>;
/// 16- and 32-bit instructions.
pub type T32 = AArch32<true>;

global_asm!(
    ".section .text.ops, \"ax\"",
    ".arch_extension virt",
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
    "    .irp    op, isw, csw, cisw, contextidr",
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
    ".endm",
    "    ops     a32, arm",
    "    ops     t32, thumb",
    "    .arm",
    ".purgem ops",
    // Memory for the cases.
    ".section .arena, \"aw\", %nobits",
    ".balign 0x10000",
    "arena:",
    "    .zero   0x40000",
);

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
}

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
    ($name:literal, $operands:literal, $value:expr, $other_half:expr) => {
        VmRegister {
            name: $name,
            read: || cp15::read!($operands).into(),
            // SAFETY: the cases write these registers only with the MMU off, when they mean
            // nothing, and put them back; SCTLR they change only in ways that `value` allows.
            write: |value| unsafe {
                cp15::write!($operands, value);
                asm!("isb", options(nostack));
            },
            value: $value,
            doubleword: false,
            other_half: $other_half,
        }
    };
}

/// A row of the register table: MRRC and MCRR of a 64-bit register.
macro_rules! doubleword {
    ($name:literal, $opc1:literal, $crm:literal, $value:expr, $low_half:literal) => {
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
            // SAFETY: as for 32-bit registers.
            write: |value| unsafe {
                asm!(concat!("mcrr p15, ", $opc1, ", {}, {}, ", $crm), "isb",
                    in(reg) value as u32, in(reg) (value >> 32) as u32,
                    options(nostack, preserves_flags));
            },
            value: $value,
            doubleword: true,
            other_half: Some($low_half),
        }
    };
}

// The values are for the short-descriptor format. The 64-bit registers stand last: see the case.
static VM_REGISTERS: [VmRegister; 18] = [
    // Alignment checking on: the payload makes no unaligned access.
    word!("SCTLR", "p15, 0, {}, c1, c0, 0", |now| now ^ 1 << 1, None),
    word!("TTBR0", "p15, 0, {}, c2, c0, 0", |_| 0x1234_4000, None),
    word!("TTBR1", "p15, 0, {}, c2, c0, 1", |_| 0x5432_8000, None),
    word!("TTBCR", "p15, 0, {}, c2, c0, 2", |_| 7, None),
    word!("DACR", "p15, 0, {}, c3, c0, 0", |_| 0x5555_1111, None),
    word!("DFSR", "p15, 0, {}, c5, c0, 0", |_| 0x0000_080d, None),
    word!("IFSR", "p15, 0, {}, c5, c0, 1", |_| 0x0000_000f, None),
    word!("ADFSR", "p15, 0, {}, c5, c1, 0", |_| 0x1234_5678, None),
    word!("AIFSR", "p15, 0, {}, c5, c1, 1", |_| 0x8765_4321, None),
    word!(
        "DFAR",
        "p15, 0, {}, c6, c0, 0",
        |_| 0xfedc_ba98,
        Some("IFAR")
    ),
    word!(
        "IFAR",
        "p15, 0, {}, c6, c0, 2",
        |_| 0x7654_3210,
        Some("DFAR")
    ),
    word!(
        "MAIR0",
        "p15, 0, {}, c10, c2, 0",
        |_| 0x000a_81a8,
        Some("MAIR1")
    ),
    word!(
        "MAIR1",
        "p15, 0, {}, c10, c2, 1",
        |_| 0x4488_44c8,
        Some("MAIR0")
    ),
    word!(
        "AMAIR0",
        "p15, 0, {}, c10, c3, 0",
        |_| 0x0123_4567,
        Some("AMAIR1")
    ),
    word!(
        "AMAIR1",
        "p15, 0, {}, c10, c3, 1",
        |_| 0x89ab_cdef,
        Some("AMAIR0")
    ),
    word!(
        "CONTEXTIDR",
        "p15, 0, {}, c13, c0, 1",
        |_| 0xcafe_f00d,
        None
    ),
    doubleword!(
        "TTBR0 (64-bit)",
        "0",
        "c2",
        |_| 0x00a5_0012_1234_4000,
        "TTBR0"
    ),
    doubleword!(
        "TTBR1 (64-bit)",
        "1",
        "c2",
        |_| 0x005a_0021_5432_8000,
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

const _: () = assert!(VM_REGISTERS.len() == 18);

impl<const IS_T32: bool> Isa for AArch32<IS_T32> {
    const NAME: IsaName = if IS_T32 { IsaName::T32 } else { IsaName::A32 };
    const GPRS: usize = 15;
    const SIMD: usize = 16;

    fn mark() {
        // SAFETY: follows the procedure call standard; PSCI_VERSION has no effect.
        unsafe { mark() }
    }

    fn set_way(op: SetWay, operand: u64) {
        let issue = match (op, IS_T32) {
            (SetWay::Invalidate, false) => a32_op_isw,
            (SetWay::Clean, false) => a32_op_csw,
            (SetWay::CleanInvalidate, false) => a32_op_cisw,
            (SetWay::Invalidate, true) => t32_op_isw,
            (SetWay::Clean, true) => t32_op_csw,
            (SetWay::CleanInvalidate, true) => t32_op_cisw,
        };
        // SAFETY: under a hypervisor that does not lose the guest's data this changes no memory;
        // under one that does, the payload's own memory is at risk, which is a finding.
        unsafe { issue(operand as u32) }
    }

    fn clidr() -> u64 {
        cp15::read!("p15, 1, {}, c0, c0, 1").into()
    }

    fn ccsidr(level: u64, instruction: bool) -> u64 {
        // SAFETY: CSSELR only selects what CCSIDR shows.
        unsafe {
            cp15::write!(
                "p15, 2, {}, c0, c0, 0",
                (level << 1) as u32 | u32::from(instruction)
            );
            asm!("isb", options(nostack));
        }
        cp15::read!("p15, 1, {}, c0, c0, 0").into()
    }

    fn geometry(level: u64) -> Geometry {
        let ccsidr = Self::ccsidr(level, false);
        // ID_MMFR4.CCIDX; CCSIDR2 exists with it.
        if cp15::read!("p15, 0, {}, c0, c2, 6") >> 24 & 0xf == 0 {
            return Geometry::narrow(ccsidr);
        }
        let ccsidr2: u64 = cp15::read!("p15, 1, {}, c0, c0, 2").into();
        Geometry::wide(ccsidr2 << 32 | ccsidr)
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
        cp15::read!("p15, 0, {}, c13, c0, 1").into()
    }

    fn vm_registers() -> &'static [VmRegister] {
        &VM_REGISTERS
    }

    fn probes(set: ProbeSet, each: &mut dyn FnMut(Probe)) {
        probes::of(Self::NAME, set, each);
    }

    fn execute(probe: &Probe, regs: &mut Registers) -> Exit {
        execute::run(Self::NAME, probe, regs)
    }

    fn arena() -> Arena {
        let address = arena_address();
        Arena {
            cached: address as *mut u64,
            uncached: stage1::uncached(address) as *mut u64,
        }
    }

    fn start_secondary() -> bool {
        secondary::start::<Self>()
    }

    fn on_secondary(command: Command) {
        shared::command::<Self>(command);
    }

    unsafe fn store_on_secondary(at: *mut u32, value: u32) {
        // SAFETY: the caller's.
        unsafe { shared::store::<Self>(at, value) }
    }

    fn stop_secondary() -> bool {
        shared::stop::<Self>()
    }

    fn secondary_started_with_caches() -> bool {
        shared::started_with_caches::<Self>()
    }

    fn secondary_context() -> u32 {
        shared::context::<Self>()
    }
}

// SAFETY: with the MMU on, the address of the non-cacheable mapping, which covers the mailbox as well
// as the arena; with it off, no access is cacheable.
unsafe impl<const IS_T32: bool> PastCaches for AArch32<IS_T32> {
    fn past_caches(address: usize) -> usize {
        if cp15::read!("p15, 0, {}, c1, c0, 0") & 1 == 0 {
            return address;
        }
        stage1::uncached(address as u32) as usize
    }
}
