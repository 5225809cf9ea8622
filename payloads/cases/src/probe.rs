//! Instructions under test, and what is known of one before and after it.

use crate::isa::{IsaName, VmRegister};
use core::fmt;

/// The register file around an instruction under test.
///
/// AArch32 uses `gpr[0..15]` for r0–r12, SP_usr and LR_usr, and neither `sp` nor the high halves.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C, align(16))]
pub struct Registers {
    /// x0–x30.
    pub gpr: [u64; 31],
    /// SP_EL0.
    pub sp: u64,
    /// v0–v31, or q0–q15.
    pub simd: [[u64; 2]; 32],
    /// N, Z, C, V in bits 31:28.
    pub flags: u64,
}

impl Registers {
    /// A file in which no two registers are alike. Bits 31:0 of each are a valid operand of a
    /// set/way op: a small set number, way 0, level 1.
    pub fn pattern(isa: IsaName) -> Self {
        let mut regs = Self {
            gpr: [0; 31],
            sp: 0x5350_0000_0000_5350,
            simd: [[0; 2]; 32],
            flags: 0,
        };
        for (n, reg) in (1..).zip(&mut regs.gpr) {
            let high = if isa == IsaName::A64 {
                n * 0x0101_0001
            } else {
                0
            };
            *reg = high << 32 | n << 6;
        }
        for (n, reg) in (1..).zip(&mut regs.simd) {
            *reg = [n * 0x0f01_f10f_0101_1010, !(n * 0x0077_0770_7007_7700)];
        }
        regs
    }
}

/// How an instruction under test ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Exit {
    /// The vector that was taken: its offset in the vector table.
    pub vector: u64,
    /// The preferred return address that the vector found (ELR_EL1, or LR of the mode).
    pub link: u64,
    /// The saved PSTATE that it found (SPSR_EL1, or SPSR of the mode).
    pub saved: u64,
    /// ESR_EL1; 0 in AArch32, which has none for UNDEF.
    pub syndrome: u64,
    /// PSTATE on arrival: mode, interrupt masks, instruction set; and the condition flags, where they are judged.
    pub state: u64,
}

/// Under which circumstances a probe runs, besides its registers and PSTATE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// At EL0, or in User mode.
    pub user: bool,
    /// The vectors are at another place than those of other probes.
    pub moved: bool,
    /// AArch32: SCTLR.TE, so that exceptions arrive in T32. The vectors must have moved, and stage 1 be off.
    pub thumb: bool,
    /// AArch32: SCTLR.EE, so that they arrive big-endian. Likewise.
    pub big_endian: bool,
}

/// A short piece of code around one instruction under test.
///
/// It starts with every register set, ends with SVC, and is followed by instructions that are
/// permanently undefined, so that a hypervisor that resumes too far on is found out.
#[derive(Clone, Copy)]
pub struct Probe {
    /// The instruction, as assembly; `{rt}` is appended.
    pub text: &'static str,
    /// The transfer register, where it varies.
    pub rt: Option<u8>,
    /// Where the code starts.
    pub entry: usize,
    /// AArch64: runs with SP_EL1 instead of SP_EL0.
    pub sp_el1: bool,
    /// What else is different from other probes.
    pub under: Circumstances,
    /// N, Z, C, V to start with.
    pub flags: u64,
    /// What else of PSTATE is set at the start, as SPSR_EL1 or CPSR has it. With PSTATE.SS, A64 only, the code runs
    /// under software step.
    pub pstate: u64,
    /// Its exit is made by a hypervisor, so that the flags on arrival are judged. QEMU clears them where it takes an
    /// exception to AArch64 itself, which the architecture does not (DDI 0487, AArch64.TakeException()).
    pub flags_arrive: bool,
    /// Set/way ops that it executes (a failed condition is none).
    pub set_way: u64,
    /// The VM register that it writes, and what with.
    pub writes: Option<(&'static VmRegister, u64)>,
    /// Its condition holds, so that it does what it says.
    pub acts: bool,
    /// General registers that it changes itself, with their values afterwards.
    pub changes: &'static [(usize, u64)],
    /// The register that ends with a value that is no constant of the case, and the value: what was read, or an
    /// address.
    pub given: Option<(usize, u64)>,
    /// The register in which it expects the address of memory that was never touched.
    pub touches: Option<usize>,
    /// It is a call of a function that there is not (DEN0028, 5.2): the result is -1 in bits 31:0 of r0, and r1 to r3
    /// may hold anything then.
    pub is_call: bool,
    /// Bits of the saved PSTATE that the architecture leaves open after it.
    pub open: u64,
    /// How it ends when all is well.
    pub exit: Exit,
}

impl Probe {
    /// A probe that does nothing but end as it should.
    pub const fn new(entry: usize, text: &'static str, exit: Exit) -> Self {
        Self {
            text,
            rt: None,
            entry,
            sp_el1: false,
            under: Circumstances {
                user: false,
                moved: false,
                thumb: false,
                big_endian: false,
            },
            flags: 0,
            pstate: 0,
            flags_arrive: false,
            set_way: 0,
            writes: None,
            acts: true,
            changes: &[],
            given: None,
            touches: None,
            is_call: false,
            open: 0,
            exit,
        }
    }

    /// The same probe with these flags, which it finds again when it ends.
    pub fn with_flags(self, flags: u64) -> Self {
        let exit = Exit {
            saved: self.exit.saved | flags,
            ..self.exit
        };
        Self {
            flags,
            exit,
            ..self
        }
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)?;
        match self.rt {
            Some(rt) => write!(f, "{rt}"),
            None => Ok(()),
        }
    }
}

/// Which probes a case wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeSet {
    /// Each set/way op with each transfer register.
    EveryRtSetWay,
    /// A VM register write with each transfer register.
    EveryRtVmReg,
    /// A 64-bit VM register write with pairs of transfer registers.
    EveryRtPair,
    /// Trapped instructions with the zero register.
    ZeroRegister,
    /// One set/way op.
    OneSetWay,
    /// One VM register write under each condition, with flags that pass and flags that fail it.
    Conditions,
    /// Trapped instructions at each place of an IT block.
    ItBlocks,
    /// Trapped instructions between 16-bit ones, at both alignments.
    Lengths,
    /// Trapped instructions in modes with banked registers.
    Banks,
    /// Reads of the set/way encodings.
    SetWayRead,
    /// The ops by set/way on allocation tags.
    TagOps,
    /// A read of CCSIDR.
    CacheSize,
    /// An access that a hypervisor without a virtual PMU refuses.
    Refused,
    /// The same, after an instruction that changes the condition flags.
    RefusedLater,
    /// An access that EL0 may make, and that a hypervisor without a virtual PMU refuses, after such an instruction.
    RefusedToUser,
    /// A read of an ID register with each transfer register.
    EveryRtRead,
    /// A fetch from where there is nothing, [`NOTHING`](crate::NOTHING).
    Nothing,
    /// An instruction that never traps. Naming it takes no trap either.
    Untrapped,
    /// An instruction that never traps, and then one of each kind that leaves the guest: a set/way op, a write of a VM
    /// register, a read of an ID register, calls by HVC and SMC, a store to memory that was never touched.
    EachKind,
    /// HVC, the conduit of a guest's calls.
    Hypercall,
    /// Each form of WFI.
    Wait,
    /// CNTV_TVAL is written with what register 5 holds, and a set/way op follows.
    TimerThenSetWay,
}
