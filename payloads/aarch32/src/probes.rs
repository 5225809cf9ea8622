//! The instructions under test, assembled once each in A32 and in T32.

mod code;

use code::*;
use setway_cases::{IsaName, NOTHING, Probe, ProbeSet, Registers};

use crate::{
    cp15,
    execute::{fetch_abort_exit, undef_exit},
};

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

/// Probe `n` of the table of those that set Z and C by CMP and are refused then.
fn refused_later(isa: IsaName, n: usize, text: &'static str) -> Probe {
    // CMP has 16 bits in T32.
    let (table, length) = match isa {
        IsaName::T32 => (&raw const t32_refused_later, 2),
        _ => (&raw const a32_refused_later, 4),
    };
    let entry = table as usize + n * STRIDE;
    let mut exit = undef_exit(isa, entry + length);
    exit.saved |= Z | C;
    Probe::new(entry, text, exit)
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
                for (n, rt) in RT.into_iter().enumerate() {
                    each(Probe {
                        given: Some((rt.into(), value)),
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
        ProbeSet::CacheSize => {
            let table = match isa {
                IsaName::T32 => &raw const t32_ccsidr,
                _ => &raw const a32_ccsidr,
            };
            each(tables.ends(table as usize, 4, "CCSIDR"));
        }
        ProbeSet::Refused => {
            for (n, text) in ["read of PMEVCNTR0", "write of PMEVCNTR0"]
                .into_iter()
                .enumerate()
            {
                each(tables.undefined(tables.refused, n, text));
            }
        }
        ProbeSet::RefusedLater => each(refused_later(isa, 0, "CMP, read of PMEVCNTR0")),
        ProbeSet::RefusedToUser => each(refused_later(isa, 1, "CMP, read of PMUSERENR")),
        // AArch32 has no zero register and no ops on tags.
        ProbeSet::ZeroRegister | ProbeSet::TagOps => {}
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
