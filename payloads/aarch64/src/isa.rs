//! The [`Isa`] of A64.

use crate::{caches, execute, probes, sctlr, secondary, stage1, state::STATE};
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
    mrs, msr,
    secondary::{self as shared, PastCaches},
};

/// A64.
pub enum A64 {}

global_asm!(
    // The one place from which marks come.
    ".section .text.mark, \"ax\"",
    ".global mark",
    ".global mark_return",
    "mark:",
    // PSCI_VERSION: answered by every hypervisor, and without effect.
    "    mov     w0, #0x84000000",
    "    hvc     #0",
    "mark_return:",
    "    ret",
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
}

/// A fast call of the Arm architecture's that is not allocated.
const UNKNOWN_CALL: u64 = 0x8000_ff00;

/// The preferred return address of the mark's HVC.
pub fn mark_address() -> u64 {
    (&raw const mark_return) as u64
}

/// The arena's physical address.
pub fn arena_address() -> u64 {
    (&raw const arena) as u64
}

/// A row of the register table: plain reads and writes of a system register by name.
macro_rules! vm_register {
    ($name:literal, $reg:literal, $one:expr, $other:expr) => {
        VmRegister {
            name: $name,
            read: || mrs!($reg),
            // SAFETY: the caller's.
            write: |value| unsafe {
                msr!($reg, value);
                asm!("isb", options(nostack));
            },
            values: [$one, $other],
            doubleword: false,
            other_half: None,
        }
    };
}

static VM_REGISTERS: [VmRegister; 11] = [
    // Alignment checking on: the payload makes no unaligned access.
    vm_register!("SCTLR_EL1", "sctlr_el1", With(Sctlr::A.bits()), With(0)),
    // ASID, and 40 bits of address.
    vm_register!(
        "TTBR0_EL1",
        "ttbr0_el1",
        Of(0xa55a_0096_1234_5000),
        Of(0x5aa5_0069_edcb_a000)
    ),
    vm_register!(
        "TTBR1_EL1",
        "ttbr1_el1",
        Of(0x5a3c_0069_5432_1000),
        Of(0xa5c3_0096_abcd_e000)
    ),
    // T0SZ 16, T1SZ 32, granules of 64 KiB, 40 bits of physical address; T0SZ 39, T1SZ 31, granules of 4 KiB, 36 bits of
    // physical address, and every attribute.
    vm_register!(
        "TCR_EL1",
        "tcr_el1",
        Of(0x0000_0002_c020_4010),
        Of(0x0000_0071_bfdf_3fa7)
    ),
    vm_register!("ESR_EL1", "esr_el1", Of(0x5600_1234), Of(0xa9ff_edcb)),
    vm_register!(
        "FAR_EL1",
        "far_el1",
        Of(0xfedc_ba98_7654_3210),
        Of(0x0123_4567_89ab_cdef)
    ),
    vm_register!("AFSR0_EL1", "afsr0_el1", Any(0x1234_5678), Any(0xedcb_a987)),
    vm_register!("AFSR1_EL1", "afsr1_el1", Any(0x8765_4321), Any(0x789a_bcde)),
    vm_register!(
        "MAIR_EL1",
        "mair_el1",
        Of(0x4404_ff00_0c08_bbff),
        Of(0xbbfb_00ff_f3f7_4400)
    ),
    vm_register!(
        "AMAIR_EL1",
        "amair_el1",
        Any(0x0123_4567_89ab_cdef),
        Any(0xfedc_ba98_7654_3210)
    ),
    vm_register!(
        "CONTEXTIDR_EL1",
        "contextidr_el1",
        Of(0xcafe_f00d),
        Of(0x3501_0ff2)
    ),
];

/// CONTEXTIDR_EL1, the register that probes write: without a debugger it means nothing.
pub fn contextidr() -> &'static VmRegister {
    &VM_REGISTERS[10]
}

impl Isa for A64 {
    const NAME: IsaName = IsaName::A64;
    const GPRS: usize = 31;
    const SIMD: usize = 32;
    type Interrupts = Hardware;

    fn mark() {
        // SAFETY: follows the procedure call standard; PSCI_VERSION has no effect.
        unsafe { mark() }
    }

    unsafe fn set_way(op: SetWayOp, operand: u64) {
        // SAFETY: the caller's.
        unsafe {
            match op {
                SetWayOp::Isw => asm!("dc isw, {}", in(reg) operand, options(nostack)),
                SetWayOp::Csw => asm!("dc csw, {}", in(reg) operand, options(nostack)),
                SetWayOp::Cisw => asm!("dc cisw, {}", in(reg) operand, options(nostack)),
            }
        }
    }

    fn clidr() -> Clidr {
        Clidr(mrs!("clidr_el1"))
    }

    fn ctr() -> Ctr {
        Ctr(mrs!("ctr_el0"))
    }

    fn select_cache(csselr: u64) {
        // SAFETY: CSSELR_EL1 only selects what CCSIDR_EL1 shows.
        unsafe {
            msr!("csselr_el1", csselr);
            asm!("isb", options(nostack));
        }
    }

    fn selected_cache() -> u64 {
        mrs!("csselr_el1")
    }

    fn ccsidr(level: u32, instruction: bool) -> Ccsidr {
        Self::select_cache(((level - 1) << 1 | u32::from(instruction)).into());
        Ccsidr(mrs!("ccsidr_el1"))
    }

    fn geometry_of(level: u32, instruction: bool) -> Geometry {
        let format = CcsidrFormat::from_id_aa64mmfr2(mrs!("id_aa64mmfr2_el1"));
        Self::ccsidr(level, instruction).geometry(format)
    }

    fn set_caches(m: bool, c: bool) {
        caches::set(m, c);
    }

    fn write_contextidr(value: u64) {
        // SAFETY: without a debugger CONTEXTIDR_EL1 means nothing.
        unsafe { msr!("contextidr_el1", value) }
    }

    fn read_contextidr() -> u64 {
        mrs!("contextidr_el1") & 0xffff_ffff
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
        unsafe { sctlr::flip(bits) }
    }

    fn fetch_fault() -> &'static [FaultRegister] {
        // The exit has the syndrome.
        &[FaultRegister {
            name: "FAR_EL1",
            read: || mrs!("far_el1"),
            value: NOTHING as u64,
        }]
    }

    fn read_id_register() {
        let _ = mrs!("id_aa64mmfr0_el1");
    }

    fn call_by_smc() {
        // SAFETY: a call without effect, which may change x0 to x17 (DEN0028).
        unsafe {
            asm!("smc #0", inout("x0") UNKNOWN_CALL => _, out("x1") _, out("x2") _, out("x3") _,
                out("x4") _, out("x5") _, out("x6") _, out("x7") _, out("x8") _, out("x9") _,
                out("x10") _, out("x11") _, out("x12") _, out("x13") _, out("x14") _, out("x15") _,
                out("x16") _, out("x17") _, options(nostack))
        }
    }

    fn wait_for_event() {
        // SAFETY: the event is there before it is waited for.
        unsafe { asm!("sev", "wfe", options(nostack)) }
    }

    fn probes(set: ProbeSet, each: &mut dyn FnMut(Probe)) {
        probes::of(set, each);
    }

    fn pstate_fields() -> &'static [(&'static str, u64)] {
        &[
            ("DAIF", 0xf << 6),
            ("BTYPE", probes::BTYPE),
            ("SSBS", 1 << 12),
            ("PAN", 1 << 22),
            ("UAO", 1 << 23),
            ("DIT", 1 << 24),
            ("TCO", 1 << 25),
        ]
    }

    fn stepped_exit(next: usize) -> Exit {
        execute::step_exit(next)
    }

    fn undefined_exit(at: usize) -> Exit {
        execute::undef_exit(at)
    }

    fn under(probe: Probe, circumstances: Circumstances) -> Probe {
        execute::under(probe, circumstances)
    }

    fn interrupted_exit(next: usize) -> Exit {
        execute::interrupted_exit(next)
    }

    unsafe fn execute(probe: &Probe, regs: &mut Registers) -> Exit {
        // SAFETY: the caller's.
        unsafe { execute::run(probe, regs) }
    }

    fn arena() -> Arena {
        let address = arena_address();
        let uncached = stage1::uncached(address);
        // SAFETY: the symbol above, which nobody else uses, and its non-cacheable mapping.
        unsafe { Arena::new(address as *mut u8, uncached as *mut u8, ARENA_SIZE) }
    }

    fn disturb() {
        // SAFETY: the stack stays where it is; nothing raises an interrupt.
        unsafe {
            asm!(
                "mov {sp}, sp",
                "msr sp_el0, {sp}",
                "msr spsel, #0",
                "msr daifclr, #15",
                sp = out(reg) _,
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
unsafe impl PastCaches for A64 {
    fn past_caches(address: usize) -> usize {
        if !caches::mmu_is_on() {
            return address;
        }
        stage1::uncached(address as u64) as usize
    }
}
