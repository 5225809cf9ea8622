//! How the vectors write an instruction.

use std::fmt::{self, Display, Formatter};

use setway_architecture::{
    decode::{Access, Address, Encoding, Instruction, Offset, Shift, SystemRegister},
    maintenance::{SetWayOp, VaOp},
};

/// An instruction as the vectors write it.
pub struct Notation {
    /// What is written.
    pub instruction: Instruction,
    /// Registers are named x0 to x30, sp and xzr, not r0 to r14.
    pub aarch64: bool,
}

impl Notation {
    fn general(&self, register: u8) -> String {
        match (self.aarch64, register) {
            (true, 31) => "xzr".into(),
            (true, _) => format!("x{register}"),
            (false, _) => format!("r{register}"),
        }
    }

    fn base(&self, register: u8) -> String {
        match (self.aarch64, register) {
            (true, 31) => "sp".into(),
            _ => self.general(register),
        }
    }

    fn offset(&self, offset: Offset) -> String {
        match offset {
            Offset::Immediate(0) => String::new(),
            Offset::Immediate(offset) => format!("{offset:+}"),
            Offset::Register {
                index,
                shift,
                subtract,
            } => {
                let sign = if subtract { '-' } else { '+' };
                let index = self.general(index);
                let word = index.replace('x', "w");
                match shift {
                    Shift::Left(0) => format!("{sign}{index}"),
                    Shift::Left(n) => format!("{sign}{index} lsl {n}"),
                    Shift::UnsignedWord(n) => format!("{sign}{word} uxtw {n}"),
                    Shift::SignedWord(n) => format!("{sign}{word} sxtw {n}"),
                    Shift::Right(n) => format!("{sign}{index} lsr {n}"),
                    Shift::ArithmeticRight(n) => format!("{sign}{index} asr {n}"),
                    Shift::Rotate(n) => format!("{sign}{index} ror {n}"),
                    Shift::RotateThroughCarry => format!("{sign}{index} rrx"),
                }
            }
        }
    }

    fn address(&self, address: Address) -> String {
        match address {
            Address::Literal { offset, aligned } => {
                let pc = if aligned { "aligned pc" } else { "pc" };
                format!("[{pc}{}]", self.offset(Offset::Immediate(offset)))
            }
            Address::Table {
                ahead,
                index,
                shift,
                subtract,
            } => {
                let offset = Offset::Register {
                    index,
                    shift,
                    subtract,
                };
                format!("[pc+{ahead}{}]", self.offset(offset))
            }
            Address::Base { base, offset } => {
                format!("[{}{}]", self.base(base), self.offset(offset))
            }
        }
    }
}

impl Display for Notation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.instruction {
            Instruction::Memory(Access {
                load,
                store,
                atomic,
                address,
                len,
            }) => {
                let atomic = if atomic { "atomic " } else { "" };
                let kind = match (load, store) {
                    (true, true) => "load+store",
                    (true, false) => "load",
                    (false, true) => "store",
                    (false, false) => "nothing",
                };
                write!(f, "{atomic}{kind} {len} {}", self.address(address))
            }
            Instruction::ByVa { op, rt } => {
                let op = match op {
                    VaOp::Ivac => "ivac",
                    VaOp::Cvac => "cvac",
                    VaOp::Cvau => "cvau",
                    VaOp::Civac => "civac",
                };
                write!(f, "{op} {}", self.general(rt))
            }
            Instruction::SetWay { op, rt } => {
                let op = match op {
                    SetWayOp::Isw => "isw",
                    SetWayOp::Csw => "csw",
                    SetWayOp::Cisw => "cisw",
                };
                write!(f, "{op} {}", self.general(rt))
            }
            Instruction::Zero { rt } => write!(f, "zva {}", self.general(rt)),
            Instruction::InstructionCache => f.write_str("ic"),
            Instruction::Tlb => f.write_str("tlb"),
            Instruction::SystemWrite(SystemRegister { name, rt, rt2 }) => {
                let (rt, rt2) = match (name, rt, rt2) {
                    (Encoding::Pstate, 31, 31) => (String::new(), String::new()),
                    (Encoding::Mcrr(..), ..) => (self.general(rt), self.general(rt2)),
                    (_, _, 31) => (self.general(rt), String::new()),
                    _ => (self.general(rt), format!("and {rt2}")),
                };
                let name = match name {
                    Encoding::A64(op0, op1, crn, crm, op2) => {
                        format!("sysreg {op0},{op1},{crn},{crm},{op2}")
                    }
                    Encoding::Pstate => "pstate".into(),
                    Encoding::Mcr(coprocessor, opc1, crn, crm, opc2) => {
                        format!("mcr {coprocessor},{opc1},{crn},{crm},{opc2}")
                    }
                    Encoding::Mcrr(coprocessor, opc1, crm) => {
                        format!("mcrr {coprocessor},{opc1},{crm}")
                    }
                };
                f.write_str(format!("{name} {rt} {rt2}").trim_end())
            }
            Instruction::ExceptionReturn => f.write_str("eret"),
            Instruction::SystemCall(immediate) => write!(f, "svc {immediate}"),
            Instruction::Call => f.write_str("call"),
            Instruction::Synchronize => f.write_str("synchronize"),
            Instruction::Other => f.write_str("-"),
        }
    }
}
