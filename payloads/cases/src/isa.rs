//! What a payload offers its cases: the operations under test, for one instruction set.

use core::fmt;

/// An instruction set, by the manual's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IsaName {
    /// AArch64.
    A64,
    /// AArch32, 32-bit instructions.
    A32,
    /// AArch32, 16- and 32-bit instructions ("Thumb").
    T32,
}

impl IsaName {
    /// All of them, in the order of reports.
    pub const ALL: [IsaName; 3] = [IsaName::A64, IsaName::A32, IsaName::T32];

    /// The name on command lines and in records.
    pub const fn name(self) -> &'static str {
        match self {
            IsaName::A64 => "a64",
            IsaName::A32 => "a32",
            IsaName::T32 => "t32",
        }
    }

    /// The instruction set called `name`.
    pub fn by_name(name: &str) -> Option<IsaName> {
        Self::ALL.into_iter().find(|isa| isa.name() == name)
    }
}

/// A data cache maintenance op by set/way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetWay {
    /// DC ISW, DCISW.
    Invalidate,
    /// DC CSW, DCCSW.
    Clean,
    /// DC CISW, DCCISW.
    CleanInvalidate,
}

/// A register that HCR_EL2.TVM traps.
#[derive(Clone, Copy)]
pub struct VmRegister {
    /// Its name in the manual.
    pub name: &'static str,
    /// Reads it.
    pub read: fn() -> u64,
    /// Writes it.
    pub write: fn(u64),
    /// A value to write while the MMU is off, from the value it has: every bit of it is one that
    /// the architecture defines, and none changes how the payload runs.
    pub value: fn(u64) -> u64,
    /// It is written by a 64-bit MCRR.
    pub doubleword: bool,
    /// The register, if any, that is the other half of the same 64 bits.
    pub other_half: Option<&'static str>,
}

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
    /// PSTATE on arrival but for the condition flags: mode, interrupt masks, instruction set.
    pub state: u64,
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
    /// N, Z, C, V to start with.
    pub flags: u64,
    /// Set/way ops that it executes (a failed condition is none).
    pub set_way: u64,
    /// The VM register that it writes, and what with.
    pub writes: Option<(&'static VmRegister, u64)>,
    /// Its condition holds, so that it does what it says.
    pub acts: bool,
    /// General registers that it changes itself, with their values afterwards.
    pub changes: &'static [(usize, u64)],
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
            flags: 0,
            set_way: 0,
            writes: None,
            acts: true,
            changes: &[],
            exit,
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
    /// An access that a hypervisor without a virtual PMU refuses.
    Refused,
}

/// Memory that a case may do anything to: 256 KiB with a cacheable and a non-cacheable mapping, more than
/// one way of the cache.
///
/// With stage 1 off the cacheable address is the physical one.
#[derive(Clone, Copy, Debug)]
pub struct Arena {
    /// Write-back cacheable when the cache is on.
    pub cached: *mut u64,
    /// The same memory, Normal Non-cacheable; only mapped while the MMU is on.
    pub uncached: *mut u64,
}

/// The shape of a cache, as set/way ops address it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Logarithm of the line's bytes.
    pub line_shift: u64,
    /// Number of the last way.
    pub last_way: u64,
    /// Number of the last set.
    pub last_set: u64,
}

impl Geometry {
    /// From CCSIDR_EL1 as it was before FEAT_CCIDX, or CCSIDR.
    pub const fn narrow(ccsidr: u64) -> Self {
        Self {
            line_shift: (ccsidr & 7) + 4,
            last_way: ccsidr >> 3 & 0x3ff,
            last_set: ccsidr >> 13 & 0x7fff,
        }
    }

    /// From CCSIDR_EL1 with FEAT_CCIDX; or from CCSIDR, with CCSIDR2 above it.
    pub const fn wide(ccsidr: u64) -> Self {
        Self {
            line_shift: (ccsidr & 7) + 4,
            last_way: ccsidr >> 3 & 0x1f_ffff,
            last_set: ccsidr >> 32 & 0xff_ffff,
        }
    }
}

/// What a second CPU gets from CPU_ON for its first register.
pub const SECONDARY_CONTEXT: u32 = 0x5e71_4a9d;

/// What a second CPU can be told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Command {
    /// Issue one DC CSW.
    SetWay = 1,
    /// Write CONTEXTIDR.
    Contextidr = 2,
    /// Turn the MMU and the cache on.
    CachesOn = 3,
    /// Turn them off.
    CachesOff = 4,
    /// CPU_OFF.
    Off = 5,
    /// Store a word.
    Store = 6,
    /// Load the words of the machine cases, and leave them past the caches.
    Load = 7,
    /// DC CSW of everything.
    CleanAll = 8,
    /// DC CVAC of the words of the machine cases.
    CleanByVa = 9,
}

/// An instruction set, and the payload around it.
///
/// The payload starts its case with M = C = 1, and everything but the arena stays coherent whatever
/// the case does: [`Isa::set_caches`] maintains the payload's own memory by VA, which traps nowhere.
pub trait Isa: Sized + 'static {
    /// Which one it is.
    const NAME: IsaName;
    /// How many general registers [`Registers::gpr`] has.
    const GPRS: usize;
    /// How many SIMD registers [`Registers::simd`] has.
    const SIMD: usize;

    /// Issues the mark: a PSCI_VERSION call, from one and the same address.
    fn mark();

    /// Issues one set/way op.
    fn set_way(op: SetWay, operand: u64);

    /// CLIDR, with the AArch64 layout.
    fn clidr() -> u64;

    /// CCSIDR of a cache: `level` from 0; `instruction` selects the instruction cache.
    fn ccsidr(level: u64, instruction: bool) -> u64;

    /// The shape of the data or unified cache of `level`, from 0.
    fn geometry(level: u64) -> Geometry;

    /// Sets SCTLR.M and SCTLR.C, by one write of SCTLR.
    fn set_caches(m: bool, c: bool);

    /// Writes CONTEXTIDR, the VM register that means nothing to the payload.
    fn write_contextidr(value: u64);

    /// Reads CONTEXTIDR, bits 31:0.
    fn read_contextidr() -> u64;

    /// The VM registers of this instruction set.
    fn vm_registers() -> &'static [VmRegister];

    /// Calls `each` with every probe of `set`.
    fn probes(set: ProbeSet, each: &mut dyn FnMut(Probe));

    /// Runs a probe with `regs` in the registers and leaves there what they are at its end.
    fn execute(probe: &Probe, regs: &mut Registers) -> Exit;

    /// The memory to do things to.
    fn arena() -> Arena;

    /// Starts the second CPU by CPU_ON, and returns once it waits for commands; false if PSCI
    /// refused, or it does not come up.
    fn start_secondary() -> bool;

    /// Has the second CPU do `command`, and returns when it has.
    fn on_secondary(command: Command);

    /// Has the second CPU store `value` at `at`, and returns when it has.
    ///
    /// # Safety
    ///
    /// `at` must be memory that nothing else uses.
    unsafe fn store_on_secondary(at: *mut u32, value: u32);

    /// Has the second CPU turn itself off by CPU_OFF, and returns once AFFINITY_INFO says that it is;
    /// false if it never does.
    fn stop_secondary() -> bool;

    /// Whether the second CPU found M or C set when it started.
    fn secondary_started_with_caches() -> bool;

    /// What the second CPU found in its first register when it started: [`SECONDARY_CONTEXT`], where
    /// CPU_ON is right.
    fn secondary_context() -> u32;
}
