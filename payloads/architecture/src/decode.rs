//! Instructions, as far as they matter to caches: loads and stores, cache and TLB maintenance, and
//! writes of system registers.
//!
//! One function for each instruction set says what an instruction does and where its memory is, without
//! a single register; [`Address::of`] adds the registers when the instruction is about to be executed.
//! So an instruction is decoded once and its address is computed as often as it runs.
//!
//! An encoding that is UNDEFINED or UNPREDICTABLE may be read in any way, but it never panics, and an
//! access is of 1 to 256 bytes whatever the encoding. References are to the Arm Architecture Reference
//! Manual for A-profile, DDI 0487, by the names it gives to classes of encodings.

mod a32;
mod a64;
mod simd;
mod t32;

pub use a32::a32;
pub use a64::a64;
pub use t32::t32;

use crate::maintenance::{SetWayOp, VaOp};

/// What an instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// Loads, stores, or both.
    Memory(Access),
    /// A data or unified cache maintenance op by VA, of the address in general register `rt`.
    ByVa {
        /// What it does to the line.
        op: VaOp,
        /// The general register with the address; 31 is XZR in A64.
        rt: u8,
    },
    /// DC ZVA: a store of zeros to a block of DCZID_EL0's size, at the address in general register `rt`.
    Zero {
        /// The general register with the address; 31 is XZR.
        rt: u8,
    },
    /// A data or unified cache maintenance op by set/way, its operand in general register `rt`.
    SetWay {
        /// What it does to the line.
        op: SetWayOp,
        /// The general register with the operand; 31 is XZR in A64.
        rt: u8,
    },
    /// Instruction cache maintenance, by VA or of everything, here or on all CPUs.
    InstructionCache,
    /// TLB maintenance, of whatever kind.
    Tlb,
    /// A write of a system register, which may change how addresses are translated: MSR (register or
    /// immediate), MCR, MCRR.
    SystemWrite(SystemRegister),
    /// ERET and its relatives: the exception level may go down.
    ExceptionReturn,
    /// HVC or SMC: a call of the hypervisor or the firmware.
    Call,
    /// A64's SVC, with its immediate: a call of what is at EL1, or of a host at EL2.
    SystemCall(u16),
    /// ISB: what system register writes before it have changed, holds from here on.
    Synchronize,
    /// Nothing of the kind, or one of the few accesses that the decoders leave out and name.
    Other,
}

/// The destination of a system register write, and where the value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemRegister {
    /// What is written, as the encoding has it.
    pub name: Encoding,
    /// The general register with the value (its low word, for MCRR); 31 is XZR in A64.
    pub rt: u8,
    /// The general register with the high word; MCRR only, otherwise 31.
    pub rt2: u8,
}

/// How an instruction names a system register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// AArch64 MSR (register): op0, op1, CRn, CRm, op2.
    A64(u8, u8, u8, u8, u8),
    /// AArch64 MSR (immediate), which writes PSTATE fields.
    Pstate,
    /// AArch32 MCR: coprocessor, opc1, CRn, CRm, opc2.
    Mcr(u8, u8, u8, u8, u8),
    /// AArch32 MCRR: coprocessor, opc1, CRm.
    Mcrr(u8, u8, u8),
}

/// A load, a store, or both, of one contiguous range of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Memory is read.
    pub load: bool,
    /// Memory is written.
    pub store: bool,
    /// It is a load- or store-exclusive, or an atomic read-modify-write: the bytes it compares are
    /// those that it, or the load-exclusive before it, has loaded.
    pub atomic: bool,
    /// Where the range begins.
    pub address: Address,
    /// How many bytes it has. For a structure, LDM or LDP: all of them together.
    pub len: u16,
}

/// How an address is formed, as data: `(PC or base) + offset`, where A64 wraps at 64 bits and
/// AArch32 at 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// From the instruction's own address: the architectural PC, aligned down to a multiple of 4 where
    /// the instruction says so, plus the offset, which is all in here relative to the address of the
    /// instruction. `aligned` is set if that address must be aligned down to 4 first.
    Literal {
        /// To be added to the instruction's address.
        offset: i64,
        /// The instruction's address is aligned down to a multiple of 4 before the addition.
        aligned: bool,
    },
    /// From the architectural PC, with a general register added: AArch32's `LDR rt, [pc, rm]` and its relatives, TBB
    /// and TBH.
    Table {
        /// The architectural PC, relative to the instruction's address.
        ahead: u8,
        /// The index register.
        index: u8,
        /// How it is changed first.
        shift: Shift,
        /// It is subtracted.
        subtract: bool,
    },
    /// From a general register. A64: 31 is SP.
    Base {
        /// The base register.
        base: u8,
        /// What is added to it.
        offset: Offset,
    },
}

/// What is added to a base register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offset {
    /// A constant, with all scaling done. Post-indexed forms have 0.
    Immediate(i64),
    /// Another register, extended or shifted.
    Register {
        /// The index register; 31 is XZR in A64.
        index: u8,
        /// How it is changed first.
        shift: Shift,
        /// It is subtracted (AArch32).
        subtract: bool,
    },
}

/// How an index register is changed before it is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// Logical shift left; all 64 bits in A64 (LSL, SXTX), 32 in AArch32.
    Left(u8),
    /// A64: the low 32 bits, zero-extended, then shifted left.
    UnsignedWord(u8),
    /// A64: the low 32 bits, sign-extended, then shifted left.
    SignedWord(u8),
    /// AArch32: logical shift right, by 1 to 32.
    Right(u8),
    /// AArch32: arithmetic shift right, by 1 to 32.
    ArithmeticRight(u8),
    /// AArch32: rotate right, by 1 to 31.
    Rotate(u8),
    /// AArch32: rotate right by one through the carry flag.
    RotateThroughCarry,
}

/// The state in which an address is formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Address of the instruction.
    pub pc: u64,
    /// The CPU is in AArch64 state.
    pub aarch64: bool,
    /// PSTATE.C, for [`Shift::RotateThroughCarry`].
    pub carry: bool,
}

impl Address {
    /// The address, with general registers read by `register`. AArch32's r15 and A64's XZR as an index
    /// are never asked for; A64's SP is asked for as register 31. The base is asked for first.
    pub fn of(&self, state: State, mut register: impl FnMut(u8) -> u64) -> u64 {
        let address = match *self {
            Address::Literal { offset, aligned } => {
                let unaligned = if aligned { 3 } else { 0 };
                (state.pc & !unaligned).wrapping_add_signed(offset)
            }
            Address::Table {
                ahead,
                index,
                shift,
                subtract,
            } => {
                let pc = state.pc.wrapping_add(ahead.into());
                shift.added(pc, register(index), subtract, state)
            }
            Address::Base { base, offset } => {
                let base = register(base);
                match offset {
                    Offset::Immediate(offset) => base.wrapping_add_signed(offset),
                    Offset::Register {
                        index,
                        shift,
                        subtract,
                    } => {
                        let zero = state.aarch64 && index == 31;
                        let index = if zero { 0 } else { register(index) };
                        shift.added(base, index, subtract, state)
                    }
                }
            }
        };
        if state.aarch64 {
            address
        } else {
            u64::from(address as u32)
        }
    }
}

impl Shift {
    /// `base` and the shifted `index`, or the difference.
    fn added(self, base: u64, index: u64, subtract: bool, state: State) -> u64 {
        let offset = self.of(index, state);
        if subtract {
            base.wrapping_sub(offset)
        } else {
            base.wrapping_add(offset)
        }
    }

    /// `value`, shifted. In AArch32 only the low 32 bits of the result mean anything.
    fn of(self, value: u64, state: State) -> u64 {
        let word = value as u32;
        match self {
            Shift::Left(n) => value << n,
            Shift::UnsignedWord(n) => u64::from(word) << n,
            Shift::SignedWord(n) => (i64::from(word as i32) as u64) << n,
            Shift::Right(n) => u64::from(word) >> n,
            Shift::ArithmeticRight(n) => (i64::from(word as i32) >> n) as u64,
            Shift::Rotate(n) => u64::from(word.rotate_right(n.into())),
            Shift::RotateThroughCarry => u64::from(u32::from(state.carry) << 31 | word >> 1),
        }
    }
}

impl Access {
    /// A load of `len` bytes, or a store if it is not a `load`.
    const fn new(load: bool, address: Address, len: u32) -> Self {
        Self {
            load,
            store: !load,
            atomic: false,
            address,
            len: len as u16,
        }
    }

    /// A load and a store at once.
    const fn read_modify_write(address: Address, len: u32) -> Self {
        Self {
            store: true,
            ..Self::new(true, address, len).exclusive()
        }
    }

    /// The same access, as load- or store-exclusive.
    const fn exclusive(self) -> Self {
        Self {
            atomic: true,
            ..self
        }
    }
}

/// A load or store, if the encoding is allocated.
fn memory(access: Option<Access>) -> Instruction {
    access.map_or(Instruction::Other, Instruction::Memory)
}

/// What SYS and its AArch32 relatives do to caches, as a value for the tables of the ops.
#[derive(Clone, Copy)]
enum Maintenance {
    ByVa(VaOp),
    SetWay(SetWayOp),
    Zero,
    InstructionCache,
    Synchronize,
}

impl Maintenance {
    /// The instruction, with its operand in `rt`.
    const fn with(self, rt: u8) -> Instruction {
        match self {
            Maintenance::ByVa(op) => Instruction::ByVa { op, rt },
            Maintenance::SetWay(op) => Instruction::SetWay { op, rt },
            Maintenance::Zero => Instruction::Zero { rt },
            Maintenance::InstructionCache => Instruction::InstructionCache,
            Maintenance::Synchronize => Instruction::Synchronize,
        }
    }
}

/// Bits `high` to `low` of `word`.
const fn bits(word: u32, high: u32, low: u32) -> u32 {
    word >> low & ((1 << (high - low + 1)) - 1)
}

/// Bit `n` of `word`.
const fn bit(word: u32, n: u32) -> bool {
    word >> n & 1 != 0
}

/// Bits `high` to `low` of `word`, sign-extended.
const fn signed(word: u32, high: u32, low: u32) -> i64 {
    ((word << (31 - high)) as i32 >> (31 - high + low)) as i64
}
