//! The instructions under test, assembled once each in A32 and in T32.

use crate::{
    cp15,
    execute::{fetch_abort_exit, svc_exit, undef_exit},
};
use core::arch::global_asm;
use setway_cases::{IsaName, NOTHING, Probe, ProbeSet, Registers};

/// Bytes from one probe of a table to the next.
const STRIDE: usize = 16;
/// The same for probes of several instructions.
const LONG_STRIDE: usize = 32;
/// And for those of SP.
const SP_STRIDE: usize = 64;

// Each probe ends with SVC and is padded with instructions that are permanently undefined. The two
// instruction sets share the tables' text.
macro_rules! tables {
    ($prefix:literal, $mode:literal, $pad:literal, $t32_only:literal) => {
        global_asm!(
            // The instructions, in quotes, then SVC, then padding.
            ".macro padded stride, insns",
            "9000:",
            "    \\insns",
            "    svc     #0",
            concat!("    .rept (\\stride - (. - 9000b)) / ", $pad),
            "    udf     #0",
            "    .endr",
            ".endm",
            // One instruction, without quotes.
            ".macro probe insn:vararg",
            "    padded  16, \"\\insn\"",
            ".endm",
            // Several, in quotes.
            ".macro sequence insns",
            "    padded  32, \"\\insns\"",
            ".endm",
            ".macro by_rt name, insn, rest:vararg",
            concat!(".global ", $prefix, "\\name"),
            concat!($prefix, "\\name:"),
            "    .irp    rt, r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12, lr",
            "    probe   \\insn p15, 0, \\rt, \\rest",
            "    .endr",
            ".endm",
            concat!(".section .text.probes_", $mode, ", \"ax\""),
            concat!(".", $mode),
            ".fpu neon",
            ".arch_extension virt",
            ".arch_extension sec",
            ".balign 16",
            "by_rt isw, mcr, c7, c6, 2",
            "by_rt csw, mcr, c7, c10, 2",
            "by_rt cisw, mcr, c7, c14, 2",
            "by_rt contextidr, mcr, c13, c0, 1",
            // Both registers of a 64-bit write, and either order.
            concat!(".global ", $prefix, "pairs"),
            concat!($prefix, "pairs:"),
            "    probe   mcrr p15, 1, r0, r1, c2",
            "    probe   mcrr p15, 1, r2, r3, c2",
            "    probe   mcrr p15, 1, r4, r5, c2",
            "    probe   mcrr p15, 1, r6, r7, c2",
            "    probe   mcrr p15, 1, r8, r9, c2",
            "    probe   mcrr p15, 1, r10, r11, c2",
            "    probe   mcrr p15, 1, r12, lr, c2",
            "    probe   mcrr p15, 1, lr, r12, c2",
            "    probe   mcrr p15, 1, r1, r0, c2",
            concat!(".global ", $prefix, "reads"),
            concat!($prefix, "reads:"),
            "    probe   mrc p15, 0, r3, c7, c6, 2",
            "    probe   mrc p15, 0, r3, c7, c10, 2",
            "    probe   mrc p15, 0, r3, c7, c14, 2",
            concat!(".global ", $prefix, "each_kind"),
            concat!($prefix, "each_kind:"),
            // No NOP, which is 16 bits long in T32.
            "    probe   vmov q0, q0",
            "    probe   mcr p15, 0, r7, c7, c10, 2",
            "    probe   mcr p15, 0, r9, c13, c0, 1",
            "    probe   mrc p15, 0, r11, c0, c1, 4",
            "    probe   hvc #0",
            "    probe   smc #0",
            "    probe   str r3, [r5, #256]",
            // ID_MMFR0 and MVFR0.
            "by_rt id_mmfr0, mrc, c0, c1, 4",
            concat!(".global ", $prefix, "mvfr0"),
            concat!($prefix, "mvfr0:"),
            "    .irp    rt, r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12, lr",
            "    probe   vmrs \\rt, mvfr0",
            "    .endr",
            concat!(".global ", $prefix, "hypercall"),
            concat!($prefix, "hypercall:"),
            "    probe   hvc #0",
            concat!(".global ", $prefix, "wait"),
            concat!($prefix, "wait:"),
            "    probe   wfi",
            concat!(".global ", $prefix, "timer"),
            ".balign 32",
            concat!($prefix, "timer:"),
            "    sequence \"mcr p15, 0, r5, c14, c3, 0; isb; mcr p15, 0, r7, c7, c14, 2\"",
            concat!(".global ", $prefix, "refused"),
            concat!($prefix, "refused:"),
            "    probe   mrc p15, 0, r3, c14, c8, 0",
            "    probe   mcr p15, 0, r3, c14, c8, 0",
            // The modes with banked registers: FIQ, IRQ, SVC, ABT, UND. Back to System at the end.
            ".macro bank mode, reg",
            "    sequence \"cps #\\mode; mov \\reg, r0; mcr p15, 0, \\reg, c13, c0, 1; cps #0x1f\"",
            ".endm",
            ".balign 32",
            concat!(".global ", $prefix, "banks"),
            concat!($prefix, "banks:"),
            "    bank    0x11, r8",
            "    bank    0x11, r9",
            "    bank    0x11, r10",
            "    bank    0x11, r11",
            "    bank    0x11, r12",
            "    bank    0x11, lr",
            "    bank    0x12, lr",
            "    bank    0x13, lr",
            "    bank    0x17, lr",
            "    bank    0x1b, lr",
            ".purgem bank",
            // Both registers of a pair, in modes in which one or both are banked.
            ".macro bank_pair mode, low, high",
            "    sequence \"cps #\\mode; mov \\low, r0; mov \\high, r2; mcrr p15, 1, \\low, \\high, c2; cps #0x1f\"",
            ".endm",
            concat!(".global ", $prefix, "bank_pairs"),
            concat!($prefix, "bank_pairs:"),
            "    bank_pair 0x11, r8, r9",
            "    bank_pair 0x11, r12, lr",
            "    bank_pair 0x12, r12, lr",
            "    bank_pair 0x13, lr, r1",
            "    bank_pair 0x17, r1, lr",
            "    bank_pair 0x1b, lr, r12",
            ".purgem bank_pair",
            // A read into a banked register, whose value goes to r0.
            ".macro bank_read mode, reg",
            "    sequence \"cps #\\mode; mrc p15, 0, \\reg, c0, c1, 4; mov r0, \\reg; cps #0x1f\"",
            ".endm",
            concat!(".global ", $prefix, "bank_reads"),
            concat!($prefix, "bank_reads:"),
            "    bank_read 0x11, r8",
            "    bank_read 0x11, r12",
            "    bank_read 0x12, lr",
            "    bank_read 0x13, lr",
            "    bank_read 0x17, lr",
            "    bank_read 0x1b, lr",
            ".purgem bank_read",
            $t32_only,
            ".purgem by_rt",
            ".purgem probe",
            ".purgem sequence",
            ".purgem padded",
            ".arm",
        );
    };
}

tables!(
    "a32_",
    "arm",
    "4",
    "
    .balign 64
    .global a32_bank_sps
    a32_bank_sps:
    @ SP of each mode, put back before an exception needs it, and r1 as it was.
    .irp mode, 0x11, 0x12, 0x13, 0x17, 0x1b
    padded 64, \"cps #\\mode; mov r1, sp; mov sp, r0; mcr p15, 0, sp, c13, c0, 1; mov sp, r1; cps #0x1f; mov r1, #0x80\"
    .endr
    "
);
tables!(
    "t32_",
    "thumb",
    "2",
    "
    .balign 32
    .global t32_lengths
    t32_lengths:
    @ The trapped instruction at 2 modulo 4, then at 0 modulo 4, between 16-bit instructions.
    sequence \"mov r1, r8; mcr p15, 0, r3, c7, c10, 2; mov r2, r9\"
    sequence \"mov r1, r8; mov r1, r8; mcr p15, 0, r3, c7, c10, 2; mov r2, r9\"
    .global t32_it
    t32_it:
    @ Flags EQ: the op runs, the NE instruction after it does not.
    sequence \"ite eq; mcreq p15, 0, r3, c7, c10, 2; movne r1, r8\"
    @ The same at the second place, and one more after it.
    sequence \"itte eq; moveq r1, r8; mcreq p15, 0, r3, c7, c10, 2; movne r2, r9\"
    @ The last place: what follows the block has no condition.
    sequence \"itet eq; moveq r1, r8; movne r2, r9; mcreq p15, 0, r3, c7, c10, 2; mov r2, r8\"
    @ Flags NE: the op does not run, the instruction after it does.
    sequence \"ite eq; mcreq p15, 0, r3, c7, c10, 2; movne r1, r8\"
    @ Four places, the op twice.
    sequence \"itete eq; mcreq p15, 0, r3, c7, c10, 2; movne r1, r8; mcreq p15, 0, r3, c7, c6, 2; movne r2, r9\"
    .balign 16
    .global t32_wait_wide
    t32_wait_wide:
    probe wfi.w
    "
);

global_asm!(
    ".macro conditional insn:vararg",
    "    \\insn",
    "    svc     #0",
    "    udf     #0",
    "    udf     #0",
    ".endm",
    ".section .text.probes_conditions, \"ax\"",
    ".arm",
    ".balign 16",
    ".global a32_conditions",
    "a32_conditions:",
    ".irp cond, eq, ne, cs, cc, mi, pl, vs, vc, hi, ls, ge, lt, gt, le",
    "    conditional mcr\\cond p15, 0, r3, c13, c0, 1",
    ".endr",
    ".purgem conditional",
);

macro_rules! symbols {
    ($($name:ident)*) => {
        unsafe extern "C" { $(static $name: u8;)* }
    };
}

symbols! {
    a32_isw a32_csw a32_cisw a32_contextidr a32_pairs a32_reads a32_each_kind a32_refused a32_conditions
    a32_id_mmfr0 a32_mvfr0 a32_banks a32_bank_pairs a32_bank_reads a32_bank_sps
    t32_isw t32_csw t32_cisw t32_contextidr t32_pairs t32_reads t32_each_kind t32_refused t32_lengths t32_it
    t32_id_mmfr0 t32_mvfr0 t32_banks t32_bank_pairs t32_bank_reads
    a32_hypercall t32_hypercall a32_wait a32_timer t32_wait t32_wait_wide t32_timer
}

/// The transfer registers of the tables by Rt.
const RT: [u8; 14] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14];

/// The pairs of the 64-bit writes, low register first.
const PAIRS: [(&str, usize, usize); 9] = [
    ("TTBR1, r0, r1", 0, 1),
    ("TTBR1, r2, r3", 2, 3),
    ("TTBR1, r4, r5", 4, 5),
    ("TTBR1, r6, r7", 6, 7),
    ("TTBR1, r8, r9", 8, 9),
    ("TTBR1, r10, r11", 10, 11),
    ("TTBR1, r12, lr", 12, 14),
    ("TTBR1, lr, r12", 14, 12),
    ("TTBR1, r1, r0", 1, 0),
];

/// Flag values, bits 31:28.
const Z: u64 = 1 << 30;
const C: u64 = 1 << 29;
const N: u64 = 1 << 31;
const V: u64 = 1 << 28;

/// Each condition with flags that pass it and flags that fail it.
const CONDITIONS: [(&str, u64, u64); 14] = [
    ("EQ", Z, N),
    ("NE", C, Z),
    ("CS", C, Z | N),
    ("CC", N, C),
    ("MI", N, V),
    ("PL", Z, N),
    ("VS", V, N),
    ("VC", N, V),
    ("HI", C, C | Z),
    ("LS", C | Z, C),
    ("GE", N | V, N),
    ("LT", V, N | V),
    ("GT", N | V, N | V | Z),
    ("LE", Z, 0),
];

/// The tables of one instruction set.
struct Tables {
    isa: IsaName,
    set_way: [(&'static str, *const u8); 3],
    contextidr: *const u8,
    pairs: *const u8,
    reads: *const u8,
    each_kind: *const u8,
    wait: *const u8,
    timer: *const u8,
    refused: *const u8,
    id_mmfr0: *const u8,
    mvfr0: *const u8,
    banks: *const u8,
    bank_pairs: *const u8,
    bank_reads: *const u8,
}

fn tables(isa: IsaName) -> Tables {
    if isa == IsaName::T32 {
        Tables {
            isa,
            set_way: [
                ("DCISW, r", &raw const t32_isw),
                ("DCCSW, r", &raw const t32_csw),
                ("DCCISW, r", &raw const t32_cisw),
            ],
            contextidr: &raw const t32_contextidr,
            pairs: &raw const t32_pairs,
            reads: &raw const t32_reads,
            each_kind: &raw const t32_each_kind,
            wait: &raw const t32_wait,
            timer: &raw const t32_timer,
            refused: &raw const t32_refused,
            id_mmfr0: &raw const t32_id_mmfr0,
            mvfr0: &raw const t32_mvfr0,
            banks: &raw const t32_banks,
            bank_pairs: &raw const t32_bank_pairs,
            bank_reads: &raw const t32_bank_reads,
        }
    } else {
        Tables {
            isa,
            set_way: [
                ("DCISW, r", &raw const a32_isw),
                ("DCCSW, r", &raw const a32_csw),
                ("DCCISW, r", &raw const a32_cisw),
            ],
            contextidr: &raw const a32_contextidr,
            pairs: &raw const a32_pairs,
            reads: &raw const a32_reads,
            each_kind: &raw const a32_each_kind,
            wait: &raw const a32_wait,
            timer: &raw const a32_timer,
            refused: &raw const a32_refused,
            id_mmfr0: &raw const a32_id_mmfr0,
            mvfr0: &raw const a32_mvfr0,
            banks: &raw const a32_banks,
            bank_pairs: &raw const a32_bank_pairs,
            bank_reads: &raw const a32_bank_reads,
        }
    }
}

impl Tables {
    /// The probe at `entry`, whose instructions take `length` bytes before its SVC.
    fn ends(&self, entry: usize, length: usize, text: &'static str) -> Probe {
        Probe::new(entry, text, svc_exit(self.isa, entry + length))
    }

    /// Probe `n` of a table by Rt.
    fn by_rt(&self, table: *const u8, n: usize, text: &'static str) -> Probe {
        Probe {
            rt: Some(RT[n]),
            ..self.ends(table as usize + n * STRIDE, 4, text)
        }
    }

    /// Probe `n` of `table`, whose instruction is UNDEFINED.
    fn undefined(&self, table: *const u8, n: usize, text: &'static str) -> Probe {
        let entry = table as usize + n * STRIDE;
        Probe::new(entry, text, undef_exit(self.isa, entry))
    }
}

/// What r0, r2, r8 and r9 hold in [`Registers::pattern`].
const R0: u64 = 1 << 6;
const R2: u64 = 3 << 6;
const R8: u64 = 9 << 6;
const R9: u64 = 10 << 6;

/// IT blocks and length tests: name, length before the SVC, flags, set/way ops, changes.
type Sequence = (&'static str, usize, u64, u64, &'static [(usize, u64)]);

const LENGTHS: [Sequence; 2] = [
    ("32-bit at 2 modulo 4", 8, 0, 1, &[(1, R8), (2, R9)]),
    ("32-bit at 0 modulo 4", 10, 0, 1, &[(1, R8), (2, R9)]),
];

const IT_BLOCKS: [Sequence; 5] = [
    ("ITE EQ, first place, Z set", 8, Z, 1, &[]),
    ("ITTE EQ, second place, Z set", 10, Z, 1, &[(1, R8)]),
    ("ITET EQ, last place, Z set", 12, Z, 1, &[(1, R8), (2, R8)]),
    ("ITE EQ, first place, Z clear", 8, 0, 0, &[(1, R8)]),
    ("ITETE EQ, two ops, Z set", 14, Z, 2, &[]),
];

/// One that never traps, and one of each kind that does.
const EACH_KIND: [&str; 7] = [
    "VMOV",
    "DCCSW, r7",
    "CONTEXTIDR, r9",
    "ID_MMFR0, r11",
    "HVC",
    "SMC",
    "STR r3, [r5]",
];

/// The banked registers of the bank tables, in their order.
const BANKS: [&str; 10] = [
    "r8_fiq", "r9_fiq", "r10_fiq", "r11_fiq", "r12_fiq", "LR_fiq", "LR_irq", "LR_svc", "LR_abt",
    "LR_und",
];
const BANK_PAIRS: [&str; 6] = [
    "TTBR1, r8_fiq, r9_fiq",
    "TTBR1, r12_fiq, LR_fiq",
    "TTBR1, r12, LR_irq",
    "TTBR1, LR_svc, r1",
    "TTBR1, r1, LR_abt",
    "TTBR1, LR_und, r12",
];
const BANK_READS: [&str; 6] = [
    "ID_MMFR0, r8_fiq",
    "ID_MMFR0, r12_fiq",
    "ID_MMFR0, LR_irq",
    "ID_MMFR0, LR_svc",
    "ID_MMFR0, LR_abt",
    "ID_MMFR0, LR_und",
];
const BANK_SPS: [&str; 5] = ["SP_fiq", "SP_irq", "SP_svc", "SP_abt", "SP_und"];

/// The registers that are not banked and that the pairs' tables set, with what they get.
const BANK_PAIR_CHANGES: [&[(usize, u64)]; 6] =
    [&[], &[], &[(12, R0)], &[(1, R2)], &[(1, R0)], &[(12, R2)]];

/// MVFR0.
fn mvfr0() -> u32 {
    let value;
    // SAFETY: reading it changes nothing, and the payload has SIMD on.
    unsafe {
        core::arch::asm!(".fpu neon", "vmrs {}, mvfr0", out(reg) value, options(nomem, nostack));
    }
    value
}

/// Calls `each` with every probe of `set`.
pub fn of(isa: IsaName, set: ProbeSet, each: &mut dyn FnMut(Probe)) {
    let tables = tables(isa);
    let values = Registers::pattern(isa).gpr;
    let contextidr = crate::isa::contextidr();
    match set {
        ProbeSet::EveryRtSetWay => {
            for (text, table) in tables.set_way {
                for n in 0..RT.len() {
                    each(Probe {
                        set_way: 1,
                        ..tables.by_rt(table, n, text)
                    });
                }
            }
        }
        ProbeSet::EveryRtVmReg => {
            for n in 0..RT.len() {
                let writes = Some((contextidr, values[usize::from(RT[n])]));
                let probe = tables.by_rt(tables.contextidr, n, "CONTEXTIDR, r");
                each(Probe { writes, ..probe });
            }
        }
        ProbeSet::EveryRtPair => {
            for (n, (text, low, high)) in PAIRS.into_iter().enumerate() {
                let writes = Some((crate::isa::ttbr1_64(), values[high] << 32 | values[low]));
                let probe = tables.ends(tables.pairs as usize + n * STRIDE, 4, text);
                each(Probe { writes, ..probe });
            }
        }
        ProbeSet::OneSetWay => {
            let (text, table) = tables.set_way[2];
            each(Probe {
                set_way: 1,
                ..tables.by_rt(table, 7, text)
            });
        }
        ProbeSet::Conditions => {
            for (n, (text, pass, fail)) in CONDITIONS.into_iter().enumerate() {
                let entry = (&raw const a32_conditions) as usize + n * STRIDE;
                let writes = Some((contextidr, values[3]));
                let probe = Probe {
                    writes,
                    ..tables.ends(entry, 4, text)
                };
                each(probe.with_flags(pass));
                let acts = false;
                each(Probe { acts, ..probe }.with_flags(fail));
            }
        }
        ProbeSet::ItBlocks => sequences(&tables, &raw const t32_it, &IT_BLOCKS, each),
        ProbeSet::Lengths => sequences(&tables, &raw const t32_lengths, &LENGTHS, each),
        ProbeSet::Banks => {
            // CPS is 4 bytes in both; MOV of two registers 4 in A32, 2 in T32.
            let length = if isa == IsaName::T32 { 14 } else { 16 };
            let at = |table: *const u8, n: usize| table as usize + n * LONG_STRIDE;
            let writes = Some((contextidr, values[0]));
            for (n, text) in BANKS.into_iter().enumerate() {
                let probe = tables.ends(at(tables.banks, n), length, text);
                each(Probe { writes, ..probe });
            }
            if isa == IsaName::A32 {
                for (n, text) in BANK_SPS.into_iter().enumerate() {
                    let entry = (&raw const a32_bank_sps) as usize + n * SP_STRIDE;
                    each(Probe {
                        writes,
                        ..tables.ends(entry, 28, text)
                    });
                }
            }
            for (n, text) in BANK_READS.into_iter().enumerate() {
                let probe = tables.ends(at(tables.bank_reads, n), length, text);
                each(Probe {
                    given: Some((0, cp15::read!(ID_MMFR0).into())),
                    ..probe
                });
            }
            let length = if isa == IsaName::T32 { 16 } else { 20 };
            for (n, text) in BANK_PAIRS.into_iter().enumerate() {
                let probe = tables.ends(at(tables.bank_pairs, n), length, text);
                each(Probe {
                    writes: Some((crate::isa::ttbr1_64(), values[2] << 32 | values[0])),
                    changes: BANK_PAIR_CHANGES[n],
                    ..probe
                });
            }
        }
        ProbeSet::EveryRtRead => {
            let reads: [(&str, *const u8, u64); 2] = [
                ("ID_MMFR0, r", tables.id_mmfr0, cp15::read!(ID_MMFR0).into()),
                ("MVFR0, r", tables.mvfr0, mvfr0().into()),
            ];
            for (text, table, value) in reads {
                for n in 0..RT.len() {
                    each(Probe {
                        given: Some((RT[n].into(), value)),
                        ..tables.by_rt(table, n, text)
                    });
                }
            }
        }
        ProbeSet::SetWayRead => {
            for (n, text) in ["read of DCISW", "read of DCCSW", "read of DCCISW"]
                .into_iter()
                .enumerate()
            {
                each(tables.undefined(tables.reads, n, text));
            }
        }
        ProbeSet::Nothing => {
            each(Probe::new(
                NOTHING,
                "fetch from nothing",
                fetch_abort_exit(isa, NOTHING),
            ));
        }
        ProbeSet::Untrapped => each(tables.ends(tables.each_kind as usize, 4, EACH_KIND[0])),
        ProbeSet::EachKind => {
            for (n, text) in EACH_KIND.into_iter().enumerate() {
                let probe = tables.ends(tables.each_kind as usize + n * STRIDE, 4, text);
                each(Probe {
                    is_call: matches!(text, "HVC" | "SMC"),
                    touches: text.starts_with("STR").then_some(5),
                    given: match text {
                        "ID_MMFR0, r11" => Some((11, cp15::read!(ID_MMFR0).into())),
                        _ => None,
                    },
                    ..probe
                });
            }
        }
        ProbeSet::Hypercall => {
            let table = match isa {
                IsaName::T32 => &raw const t32_hypercall,
                _ => &raw const a32_hypercall,
            };
            each(tables.ends(table as usize, 4, "HVC"));
        }
        ProbeSet::Wait => {
            let length = if isa == IsaName::T32 { 2 } else { 4 };
            each(tables.ends(tables.wait as usize, length, "WFI"));
            if isa == IsaName::T32 {
                each(tables.ends((&raw const t32_wait_wide) as usize, 4, "WFI.W"));
            }
        }
        ProbeSet::TimerThenSetWay => {
            each(Probe {
                set_way: 1,
                ..tables.ends(tables.timer as usize, 12, "DCCISW, r7")
            });
        }
        ProbeSet::Refused => {
            for (n, text) in ["read of PMEVCNTR0", "write of PMEVCNTR0"]
                .into_iter()
                .enumerate()
            {
                each(tables.undefined(tables.refused, n, text));
            }
        }
        // AArch32 has no zero register.
        ProbeSet::ZeroRegister => {}
    }
}

fn sequences(tables: &Tables, table: *const u8, rows: &[Sequence], each: &mut dyn FnMut(Probe)) {
    for (n, &(text, length, flags, set_way, changes)) in rows.iter().enumerate() {
        let probe = tables.ends(table as usize + n * LONG_STRIDE, length, text);
        let probe = Probe {
            set_way,
            changes,
            ..probe
        };
        each(probe.with_flags(flags));
    }
}
