//! The instructions under test as assembly, and where each table of them stands.

use core::arch::global_asm;
use setway_cases::{IsaName, Probe};

use super::RT;
use crate::execute::{svc_exit, undef_exit};

/// Bytes from one probe of a table to the next.
pub const STRIDE: usize = 16;
/// The same for probes of several instructions.
pub const LONG_STRIDE: usize = 32;
/// And for those of SP.
pub const SP_STRIDE: usize = 64;

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
            // An instruction that sets Z and C, and then one that is refused.
            concat!(".global ", $prefix, "refused_later"),
            concat!($prefix, "refused_later:"),
            "    padded  16, \"cmp r0, r0; mrc p15, 0, r3, c14, c8, 0\"",
            "    padded  16, \"cmp r0, r0; mrc p15, 0, r3, c9, c14, 0\"",
            concat!(".global ", $prefix, "ccsidr"),
            concat!($prefix, "ccsidr:"),
            "    probe   mrc p15, 1, r3, c0, c0, 0",
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
        unsafe extern "C" { $(pub static $name: u8;)* }
    };
}

symbols! {
    a32_isw a32_csw a32_cisw a32_contextidr a32_pairs a32_reads a32_each_kind a32_refused a32_conditions
    a32_id_mmfr0 a32_mvfr0 a32_banks a32_bank_pairs a32_bank_reads a32_bank_sps
    t32_isw t32_csw t32_cisw t32_contextidr t32_pairs t32_reads t32_each_kind t32_refused t32_lengths t32_it
    t32_id_mmfr0 t32_mvfr0 t32_banks t32_bank_pairs t32_bank_reads
    a32_refused_later t32_refused_later a32_ccsidr t32_ccsidr a32_hypercall t32_hypercall a32_wait a32_timer t32_wait t32_wait_wide t32_timer
}

/// The tables of one instruction set.
pub struct Tables {
    pub isa: IsaName,
    pub set_way: [(&'static str, *const u8); 3],
    pub contextidr: *const u8,
    pub pairs: *const u8,
    pub reads: *const u8,
    pub each_kind: *const u8,
    pub wait: *const u8,
    pub timer: *const u8,
    pub refused: *const u8,
    pub id_mmfr0: *const u8,
    pub mvfr0: *const u8,
    pub banks: *const u8,
    pub bank_pairs: *const u8,
    pub bank_reads: *const u8,
}

/// The tables of `isa`.
pub fn tables(isa: IsaName) -> Tables {
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
    pub fn ends(&self, entry: usize, length: usize, text: &'static str) -> Probe {
        Probe::new(entry, text, svc_exit(self.isa, entry + length))
    }

    /// Probe `n` of a table by Rt.
    pub fn by_rt(&self, table: *const u8, n: usize, text: &'static str) -> Probe {
        Probe {
            rt: Some(RT[n]),
            ..self.ends(table as usize + n * STRIDE, 4, text)
        }
    }

    /// Probe `n` of `table`, whose instruction is UNDEFINED.
    pub fn undefined(&self, table: *const u8, n: usize, text: &'static str) -> Probe {
        let entry = table as usize + n * STRIDE;
        Probe::new(entry, text, undef_exit(self.isa, entry))
    }
}
