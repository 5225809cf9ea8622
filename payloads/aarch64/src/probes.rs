//! The instructions under test, assembled once each, with every register they can name.

use crate::execute::{fetch_abort_exit, svc_exit, undef_exit, with_sp_el1};
use core::arch::global_asm;
use setway_cases::{IsaName, NOTHING, Probe, ProbeSet, Registers};
use setway_runtime::mrs;

/// Bytes from one probe of a table to the next: the instruction, SVC, and two that are permanently
/// undefined.
const STRIDE: usize = 16;

global_asm!(
    // One probe, and tables of them over all transfer registers.
    ".macro probe insn:vararg",
    "    \\insn",
    "    svc     #0",
    "    udf     #0",
    "    udf     #0",
    ".endm",
    ".macro probes_by_rt name, insn:vararg",
    ".global \\name",
    "\\name:",
    "    .irp    rt, x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15",
    "    probe   \\insn \\rt",
    "    .endr",
    "    .irp    rt, x16, x17, x18, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29, x30, xzr",
    "    probe   \\insn \\rt",
    "    .endr",
    ".endm",
    ".section .text.probes, \"ax\"",
    ".balign 16",
    "probes_by_rt probe_isw, dc isw,",
    "probes_by_rt probe_csw, dc csw,",
    "probes_by_rt probe_cisw, dc cisw,",
    "probes_by_rt probe_contextidr, msr contextidr_el1,",
    // Reads of the set/way encodings: SYSL, the system instruction with a result.
    ".global probe_reads",
    "probe_reads:",
    "    probe   sysl x3, #0, c7, c6, #2",
    "    probe   sysl x3, #0, c7, c10, #2",
    "    probe   sysl x3, #0, c7, c14, #2",
    ".global probe_each_kind",
    "probe_each_kind:",
    "    probe   nop",
    "    probe   dc csw, x7",
    "    probe   msr contextidr_el1, x9",
    "    probe   mrs xzr, id_aa64mmfr0_el1",
    "    probe   hvc #0",
    "    probe   smc #0",
    "    probe   str x3, [x5, #256]",
    ".global probe_id",
    "probe_id:",
    "    .irp    rt, x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15",
    "    probe   mrs \\rt, id_aa64mmfr0_el1",
    "    .endr",
    "    .irp    rt, x16, x17, x18, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29, x30, xzr",
    "    probe   mrs \\rt, id_aa64mmfr0_el1",
    "    .endr",
    ".global probe_hypercall",
    "probe_hypercall:",
    "    probe   hvc #0",
    ".global probe_wait",
    "probe_wait:",
    "    probe   wfi",
    ".global probe_timer",
    "probe_timer:",
    "    msr     cntv_tval_el0, x5",
    "    isb",
    "    dc      cisw, x7",
    "    svc     #0",
    "    udf     #0",
    "    udf     #0",
    ".balign 16",
    // DC IGSW, IGDSW, CGSW, CGDSW, CIGSW, CIGDSW: assemblers know them with MTE alone.
    ".global probe_tag_ops",
    "probe_tag_ops:",
    "    .irp    crm, c6, c10, c14",
    "    probe   sys #0, c7, \\crm, #4, x7",
    "    probe   sys #0, c7, \\crm, #6, x7",
    "    .endr",
    ".global probe_ccsidr",
    "probe_ccsidr:",
    "    probe   mrs x3, ccsidr_el1",
    ".global probe_refused",
    "probe_refused:",
    "    probe   mrs x3, pmevcntr0_el0",
    "    probe   msr pmevcntr0_el0, x3",
    ".global probe_refused_later",
    "probe_refused_later:",
    "    .irp    reg, pmevcntr0_el0, pmuserenr_el0",
    "    cmp     xzr, xzr",
    "    mrs     x3, \\reg",
    "    svc     #0",
    "    udf     #0",
    "    .endr",
    ".purgem probes_by_rt",
    ".purgem probe",
);

unsafe extern "C" {
    static probe_isw: u8;
    static probe_csw: u8;
    static probe_cisw: u8;
    static probe_contextidr: u8;
    static probe_reads: u8;
    static probe_each_kind: u8;
    static probe_id: u8;
    static probe_hypercall: u8;
    static probe_wait: u8;
    static probe_timer: u8;
    static probe_ccsidr: u8;
    static probe_tag_ops: u8;
    static probe_refused: u8;
    static probe_refused_later: u8;
}

/// The number of XZR.
const XZR: usize = 31;

/// Probe `n` of the table at `table`, which ends with its SVC.
fn ends(table: *const u8, n: usize, text: &'static str) -> Probe {
    let entry = table as usize + n * STRIDE;
    Probe::new(entry, text, svc_exit(entry + 4))
}

/// Probe `n` of the table at `table`, whose instruction is UNDEFINED.
fn undefined(table: *const u8, n: usize, text: &'static str) -> Probe {
    let entry = table as usize + n * STRIDE;
    Probe::new(entry, text, undef_exit(entry))
}

/// Probe `n` of the table of those that set Z and C by CMP and are refused then.
fn refused_later(n: usize, text: &'static str) -> Probe {
    let entry = (&raw const probe_refused_later) as usize + n * STRIDE;
    let mut exit = undef_exit(entry + 4);
    exit.saved |= 0b0110 << 28;
    Probe::new(entry, text, exit)
}

/// The accesses that a hypervisor refuses, with SP_EL0 and with SP_EL1.
const REFUSED: [(&str, &str); 2] = [
    ("MRS PMEVCNTR0_EL0", "MRS PMEVCNTR0_EL0 with SP_EL1"),
    ("MSR PMEVCNTR0_EL0", "MSR PMEVCNTR0_EL0 with SP_EL1"),
];

/// The ops on tags, in the order of their table.
const TAG_OPS: [&str; 6] = [
    "DC IGSW",
    "DC IGDSW",
    "DC CGSW",
    "DC CGDSW",
    "DC CIGSW",
    "DC CIGDSW",
];

/// PSTATE.BTYPE, as SPSR_EL1 has it.
pub const BTYPE: u64 = 0b11 << 10;

/// One that never traps, and one of each kind that does.
const EACH_KIND: [&str; 7] = [
    "NOP",
    "DC CSW, x7",
    "MSR CONTEXTIDR_EL1, x9",
    "MRS XZR, ID_AA64MMFR0_EL1",
    "HVC",
    "SMC",
    "STR x3, [x5]",
];

/// Calls `each` with every probe of `set`.
pub fn of(set: ProbeSet, each: &mut dyn FnMut(Probe)) {
    let set_way = [
        ("DC ISW, x", &raw const probe_isw),
        ("DC CSW, x", &raw const probe_csw),
        ("DC CISW, x", &raw const probe_cisw),
    ];
    let contextidr = crate::isa::contextidr();
    match set {
        ProbeSet::EveryRtSetWay => {
            for (text, table) in set_way {
                for n in 0..XZR {
                    each(Probe {
                        rt: Some(n as u8),
                        set_way: 1,
                        ..ends(table, n, text)
                    });
                }
            }
        }
        ProbeSet::EveryRtVmReg => {
            let values = Registers::pattern(IsaName::A64).gpr;
            for (n, value) in values.into_iter().enumerate() {
                each(Probe {
                    rt: Some(n as u8),
                    writes: Some((contextidr, value)),
                    ..ends(&raw const probe_contextidr, n, "MSR CONTEXTIDR_EL1, x")
                });
            }
        }
        ProbeSet::ZeroRegister => {
            each(Probe {
                set_way: 1,
                ..ends(&raw const probe_cisw, XZR, "DC CISW, XZR")
            });
            each(Probe {
                writes: Some((contextidr, 0)),
                ..ends(&raw const probe_contextidr, XZR, "MSR CONTEXTIDR_EL1, XZR")
            });
            each(ends(&raw const probe_id, XZR, "MRS XZR, ID_AA64MMFR0_EL1"));
        }
        ProbeSet::OneSetWay => {
            each(Probe {
                set_way: 1,
                ..ends(&raw const probe_cisw, 7, "DC CISW, x7")
            });
        }
        ProbeSet::SetWayRead => {
            for (n, text) in ["read of DC ISW", "read of DC CSW", "read of DC CISW"]
                .into_iter()
                .enumerate()
            {
                each(undefined(&raw const probe_reads, n, text));
            }
        }
        ProbeSet::EveryRtRead => {
            let value = mrs!("id_aa64mmfr0_el1");
            for n in 0..XZR {
                each(Probe {
                    rt: Some(n as u8),
                    given: Some((n, value)),
                    ..ends(&raw const probe_id, n, "MRS ID_AA64MMFR0_EL1, x")
                });
            }
        }
        ProbeSet::Nothing => {
            each(Probe::new(
                NOTHING,
                "fetch from nothing",
                fetch_abort_exit(NOTHING),
            ));
        }
        ProbeSet::Untrapped => each(ends(&raw const probe_each_kind, 0, EACH_KIND[0])),
        ProbeSet::EachKind => {
            for (n, text) in EACH_KIND.into_iter().enumerate() {
                each(Probe {
                    is_call: matches!(text, "HVC" | "SMC"),
                    touches: text.starts_with("STR").then_some(5),
                    // Whether the SPSR of HVC has BTYPE as it was or zero is CONSTRAINED UNPREDICTABLE (DDI 0487,
                    // AArch64.TakeException(), Unpredictable_ZEROBTYPE), and a hypervisor does not step over it.
                    open: if text == "HVC" { BTYPE } else { 0 },
                    ..ends(&raw const probe_each_kind, n, text)
                });
            }
        }
        ProbeSet::Hypercall => each(ends(&raw const probe_hypercall, 0, "HVC")),
        ProbeSet::Wait => each(ends(&raw const probe_wait, 0, "WFI")),
        ProbeSet::TimerThenSetWay => {
            let entry = (&raw const probe_timer) as usize;
            let probe = Probe::new(entry, "DC CISW, x7", svc_exit(entry + 12));
            each(Probe {
                set_way: 1,
                ..probe
            });
        }
        ProbeSet::TagOps => {
            for (n, text) in TAG_OPS.into_iter().enumerate() {
                each(with_sp_el1(undefined(&raw const probe_tag_ops, n, text)));
            }
        }
        ProbeSet::CacheSize => each(ends(&raw const probe_ccsidr, 0, "MRS CCSIDR_EL1")),
        ProbeSet::Refused => {
            for (n, (text, with_sp)) in REFUSED.into_iter().enumerate() {
                let probe = undefined(&raw const probe_refused, n, text);
                each(probe);
                each(with_sp_el1(Probe {
                    text: with_sp,
                    ..probe
                }));
            }
        }
        ProbeSet::RefusedLater => {
            let probe = refused_later(0, "CMP, MRS PMEVCNTR0_EL0");
            each(probe);
            each(with_sp_el1(Probe {
                text: "CMP, MRS PMEVCNTR0_EL0 with SP_EL1",
                ..probe
            }));
        }
        ProbeSet::RefusedToUser => each(refused_later(1, "CMP, MRS PMUSERENR_EL0")),
        // A64 has no conditional system instructions, no 64-bit pairs, one length, and no banks.
        ProbeSet::EveryRtPair
        | ProbeSet::Conditions
        | ProbeSet::ItBlocks
        | ProbeSet::Lengths
        | ProbeSet::Banks => {}
    }
}
