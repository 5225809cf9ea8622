//! What a payload offers its cases: the operations under test, for one instruction set.

use crate::{
    arena::{Arena, Place},
    interrupts::Interrupts,
    probe::{Circumstances, Exit, Probe, ProbeSet, Registers},
};
use setway_architecture::{
    maintenance::{Geometry, SetWayOp},
    registers::{Ccsidr, Clidr, Ctr, Sctlr},
};

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

/// A VM register: one of the virtual memory control registers whose writes HCR_EL2.TVM traps.
#[derive(Clone, Copy)]
pub struct VmRegister {
    /// Its name in the manual.
    pub name: &'static str,
    /// Reads it.
    pub read: fn() -> u64,
    /// Writes it.
    ///
    /// # Safety
    ///
    /// The payload must go on as before with what the register then holds: it is one of [`values`](Self::values) while the
    /// MMU is off, or one that the payload does not use.
    pub write: unsafe fn(u64),
    /// What to write while the MMU is off: two values, of whose bits few are the same.
    pub values: [NewValue; 2],
    /// It is written by a 64-bit MCRR.
    pub doubleword: bool,
    /// The register, if any, that is the other half of the same 64 bits.
    pub other_half: Option<&'static str>,
}

/// A register that holds a guest's state and that the payload has no use for.
#[derive(Clone, Copy)]
pub struct StateRegister {
    /// Its name in the manual.
    pub name: &'static str,
    /// Reads it.
    pub read: fn() -> u64,
    /// Writes it.
    ///
    /// # Safety
    ///
    /// It is one of [`values`](Self::values), or what it held before.
    pub write: unsafe fn(u64),
    /// Two values that it keeps, on every CPU.
    pub values: [u64; 2],
}

/// A bit of SCTLR that may be flipped for a moment.
#[derive(Clone, Copy)]
pub struct SctlrBit {
    /// Its name in the manual, the register's before it.
    pub name: &'static str,
    /// The bit.
    pub mask: u64,
    /// It may be flipped while stage 1 is on as well.
    pub translated: bool,
    /// Not every CPU has it.
    pub optional: bool,
}

impl SctlrBit {
    /// Bit `number`, which every CPU has, and on which stage 1 does not depend.
    pub const fn new(name: &'static str, number: u32) -> Self {
        Self {
            name,
            mask: 1 << number,
            translated: true,
            optional: false,
        }
    }

    /// The same, of which some CPUs have nothing.
    pub const fn optional(self) -> Self {
        Self {
            optional: true,
            ..self
        }
    }

    /// The same, but stage 1 depends on it.
    pub const fn untranslated(self) -> Self {
        Self {
            translated: false,
            ..self
        }
    }
}

/// A register that says what aborted.
#[derive(Clone, Copy)]
pub struct FaultRegister {
    /// Its name in the manual.
    pub name: &'static str,
    /// Reads it.
    pub read: fn() -> u64,
    /// What it holds after a fetch from [`NOTHING`].
    pub value: u64,
}

/// What a case writes to a VM register while the MMU is off. None of it changes how the payload runs.
#[derive(Clone, Copy, Debug)]
pub enum NewValue {
    /// This value, every bit of which is one that the architecture defines.
    Of(u64),
    /// What it holds, with these bits set, which it holds clear.
    With(u64),
    /// This value, of which the implementation decides what it keeps.
    Any(u64),
}

impl NewValue {
    /// What to write to a register that holds `now`.
    pub const fn after(self, now: u64) -> u64 {
        match self {
            NewValue::Of(value) | NewValue::Any(value) => value,
            NewValue::With(bits) => now | bits,
        }
    }
}

/// The most CPUs that a case uses, the boot CPU among them.
pub const MAX_CPUS: usize = 4;

/// What another CPU gets from CPU_ON for its first register.
pub const SECONDARY_CONTEXT: u32 = 0x5e71_4a9d;

/// An address at which none of the machines has memory or a device.
pub const NOTHING: usize = 0xf000_0000;

/// By which of its forms a function of PSCI is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// As wide as registers are.
    Native,
    /// By the 32-bit form.
    Narrow,
    /// By the 32-bit form, with ones in the upper halves of its registers, where they have one.
    NarrowUnderOnes,
    /// As wide as registers are, while the caller's data is big-endian.
    BigEndian,
}

/// How another CPU is started.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// The call.
    pub call: Call,
    /// What it gets for its first register.
    pub context: u64,
    /// What the caller does right before the call, once its own memory is clean.
    pub before: fn(),
}

impl Start {
    /// The way that says least.
    pub const PLAIN: Start = Start {
        call: Call::Native,
        context: SECONDARY_CONTEXT as u64,
        before: || {},
    };
}

/// What a CPU found when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Found {
    /// x0 or r0.
    pub context: u64,
    /// SCTLR_EL1 or SCTLR.
    pub sctlr: u64,
    /// PSTATE as SPSR_EL1 or SPSR has it: exception level and stack pointer, or mode; the interrupt masks; in AArch32
    /// the endianness and the instruction set.
    pub pstate: u64,
}

impl Found {
    /// Of a CPU that has not started.
    pub const NOTHING: Found = Found {
        context: 0,
        sctlr: 0,
        pstate: 0,
    };
}

/// The commands to another CPU.
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
    /// Load a word, which is the answer.
    Fetch = 10,
    /// The CPU's part of COH-HAMMER. The answer is the number of loads that were wrong.
    Hammer = 11,
    /// [`Isa::disturb`].
    Disturb = 12,
    /// Write CSSELR.
    Select = 13,
    /// Read CSSELR, which is the answer.
    Selected = 14,
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
    /// The interrupts that the payload can have.
    type Interrupts: Interrupts;

    /// Issues the mark: a PSCI_VERSION call, from one and the same address.
    fn mark();

    /// Issues one op by set/way.
    ///
    /// # Safety
    ///
    /// `operand` must name a line of a cache that the CPU has, or be 0. If `op` does not clean, nothing may be lost
    /// with what that line holds: either it holds nothing that memory does not, or stage 2 is on, with which an
    /// invalidate cleans as well (DDI 0487, HCR_EL2.VM and SWIO).
    unsafe fn set_way(op: SetWayOp, operand: u64);

    /// CLIDR_EL1 or CLIDR.
    fn clidr() -> Clidr;

    /// CTR_EL0 or CTR.
    fn ctr() -> Ctr;

    /// Writes CSSELR_EL1 or CSSELR, which selects what CCSIDR shows.
    fn select_cache(csselr: u64);

    /// Reads it.
    fn selected_cache() -> u64;

    /// CCSIDR_EL1 or CCSIDR of a cache: `level` from 1; `instruction` selects the instruction cache.
    fn ccsidr(level: u32, instruction: bool) -> Ccsidr;

    /// The shape of a cache: `level` from 1; `instruction` selects the instruction cache.
    fn geometry_of(level: u32, instruction: bool) -> Geometry;

    /// The shape of the data or unified cache of `level`, from 1.
    fn geometry(level: u32) -> Geometry {
        Self::geometry_of(level, false)
    }

    /// Has CPU `cpu` write CSSELR.
    fn select_on(cpu: usize, csselr: u64) {
        Self::give(cpu, Command::Select, csselr as u32);
        Self::wait_for(cpu);
    }

    /// What CPU `cpu` reads from CSSELR.
    fn selected_on(cpu: usize) -> u64 {
        Self::give(cpu, Command::Selected, 0);
        Self::wait_for(cpu).into()
    }

    /// Sets SCTLR.M and SCTLR.C, by one write of SCTLR.
    fn set_caches(m: bool, c: bool);

    /// Writes CONTEXTIDR, the VM register that means nothing to the payload.
    fn write_contextidr(value: u64);

    /// Reads CONTEXTIDR, bits 31:0.
    fn read_contextidr() -> u64;

    /// The VM registers of this instruction set.
    fn vm_registers() -> &'static [VmRegister];

    /// The state that lies in no general register, SIMD register or VM register.
    fn state() -> &'static [StateRegister];

    /// The bits of SCTLR, except for M and C, that may be flipped.
    fn sctlr_bits() -> &'static [SctlrBit];

    /// Writes SCTLR with `bits` flipped, and then as it was. Returns what had changed in between.
    ///
    /// # Safety
    ///
    /// `bits` must be the mask of one of [`sctlr_bits`](Self::sctlr_bits), and stage 1 be off unless that says otherwise.
    unsafe fn flip_sctlr(bits: u64) -> u64;

    /// What a fetch from [`NOTHING`] leaves besides its exception.
    fn fetch_fault() -> &'static [FaultRegister];

    /// Reads an ID register of group 3, which HCR_EL2.TID3 traps.
    fn read_id_register();

    /// Calls a function that there is not, by SMC.
    fn call_by_smc();

    /// WFE, with an event that is there already.
    fn wait_for_event();

    /// Calls `each` with every probe of `set`.
    fn probes(set: ProbeSet, each: &mut dyn FnMut(Probe));

    /// The fields of PSTATE that code can find set, by their names, besides the condition flags and the mode. A CPU
    /// without a feature has its field clear whatever is written.
    fn pstate_fields() -> &'static [(&'static str, u64)];

    /// How a probe ends whose software step ends at `next`. AArch64 only.
    fn stepped_exit(next: usize) -> Exit;

    /// How a probe ends whose instruction at `at` is UNDEFINED.
    fn undefined_exit(at: usize) -> Exit;

    /// `probe` under other circumstances, which ends accordingly.
    fn under(probe: Probe, circumstances: Circumstances) -> Probe;

    /// How a probe ends where an IRQ is taken before its instruction at `next`.
    fn interrupted_exit(next: usize) -> Exit;

    /// Runs a probe with `regs` in the registers and leaves there what they are at its end.
    ///
    /// # Safety
    ///
    /// `probe` must be one of [`probes`](Self::probes), with other flags at most, and what it does must not harm
    /// the payload.
    unsafe fn execute(probe: &Probe, regs: &mut Registers) -> Exit;

    /// The memory to do things to.
    fn arena() -> Arena;

    /// Leaves as much of this CPU's state as it can as CPU_ON never gives it to a CPU: the other stack pointer or mode,
    /// interrupts unmasked.
    fn disturb();

    /// MPIDR affinity of CPU `cpu`; the boot CPU is number 0.
    fn mpidr(cpu: usize) -> u64;

    /// Starts CPU `cpu`, from 1, by CPU_ON, and returns once it waits for commands; false if PSCI
    /// refused, or it does not reach its entry point.
    fn start(cpu: usize, how: &Start) -> bool;

    /// What CPU `cpu` found when it started.
    fn found(cpu: usize) -> Found;

    /// Gives CPU `cpu` a command with a value, of which few commands make use. It must have done the last one.
    fn give(cpu: usize, command: Command, value: u32);

    /// Waits until CPU `cpu` has done what it was given, and returns its answer.
    fn wait_for(cpu: usize) -> u32;

    /// Has CPU `cpu` store `value` at `place`, and returns when it has.
    fn store_on(cpu: usize, place: Place, value: u32);

    /// What CPU `cpu` loads from `place`.
    fn load_on(cpu: usize, place: Place) -> u32;

    /// Has CPU `cpu` turn itself off by CPU_OFF, and returns once AFFINITY_INFO says that it is;
    /// false if it never does.
    fn stop(cpu: usize) -> bool;

    /// What AFFINITY_INFO says of CPU `cpu`, by a 32-bit call with ones in the upper halves of its registers,
    /// where registers have one.
    fn affinity_by_32_bit_call(cpu: usize) -> u32;

    /// Has CPU `cpu` do `command`, and returns when it has.
    fn on(cpu: usize, command: Command) {
        Self::give(cpu, command, 0);
        Self::wait_for(cpu);
    }

    /// Whether CPU `cpu` found M or C set when it started.
    fn started_with_caches(cpu: usize) -> bool {
        let sctlr = Sctlr::from_bits_retain(Self::found(cpu).sctlr);
        sctlr.intersects(Sctlr::M.union(Sctlr::C))
    }

    /// Starts CPU 1.
    fn start_secondary() -> bool {
        Self::start(1, &Start::PLAIN)
    }

    /// Has CPU 1 do `command`, and returns when it has.
    fn on_secondary(command: Command) {
        Self::on(1, command);
    }

    /// Has CPU 1 store `value` at `place`, and returns when it has.
    fn store_on_secondary(place: Place, value: u32) {
        Self::store_on(1, place, value);
    }

    /// Has CPU 1 turn itself off, as [`stop`](Self::stop) does.
    fn stop_secondary() -> bool {
        Self::stop(1)
    }
}
