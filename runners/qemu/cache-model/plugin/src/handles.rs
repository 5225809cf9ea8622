//! QEMU's handles of the registers that matter.

use setway_architecture::translate::Registers;

use crate::api::{Aarch32Reader, Buffer};

/// The handles, found by the registers' names.
#[derive(Debug)]
pub struct Handles {
    x: [usize; 31],
    sp: usize,
    pc: usize,
    cpsr: usize,
    translation: [usize; TRANSLATION.len()],
}

/// The registers of [`Registers`], in the order in which [`Handles::translation`] takes them.
/// A CPU need not have the second half.
const TRANSLATION: [&str; 13] = [
    "SCTLR_EL1",
    "TTBR0_EL1",
    "TTBR1_EL1",
    "TCR_EL1",
    "MAIR_EL1",
    "SCTLR_EL2",
    "TTBR0_EL2",
    "TTBR1_EL2",
    "TCR_EL2",
    "MAIR_EL2",
    "HCR_EL2",
    "VTCR_EL2",
    "VTTBR_EL2",
];

/// A register that the CPU does not have.
const NONE: usize = 0;

/// What state a CPU is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// The exception level.
    pub el: u8,
    /// AArch64, or AArch32.
    pub aarch64: bool,
    /// T32, if in AArch32.
    pub t32: bool,
}

impl Handles {
    /// Finds them among all that QEMU has; an error names what is missing.
    pub fn find(all: &[(String, usize)]) -> Result<Self, String> {
        let optional = |name: &str| {
            let found = all.iter().find(|(known, _)| known == name);
            found.map_or(NONE, |(_, handle)| *handle)
        };
        let required = |name: &str| match optional(name) {
            NONE => Err(format!("this QEMU shows plugins no register {name}")),
            handle => Ok(handle),
        };
        let mut x = [NONE; 31];
        for (n, handle) in x.iter_mut().enumerate() {
            *handle = required(&format!("x{n}"))?;
        }
        for name in &TRANSLATION[..5] {
            required(name)?;
        }
        Ok(Self {
            x,
            sp: required("sp")?,
            pc: required("pc")?,
            cpsr: required("cpsr")?,
            translation: TRANSLATION.map(optional),
        })
    }

    /// x0–x30, or with 31 SP.
    #[inline]
    pub fn general(&self, buffer: &mut Buffer, register: u8) -> u64 {
        let handle = self.x.get(usize::from(register)).unwrap_or(&self.sp);
        buffer.read(*handle)
    }

    /// The registers that govern translation.
    pub fn translation(&self, buffer: &mut Buffer) -> Registers {
        let mut values = self.translation.iter().map(|handle| match *handle {
            NONE => 0,
            handle => buffer.read(handle),
        });
        let mut next = || values.next().unwrap_or_default();
        Registers {
            sctlr_el1: next(),
            ttbr0_el1: next(),
            ttbr1_el1: next(),
            tcr_el1: next(),
            mair_el1: next(),
            sctlr_el2: next(),
            ttbr0_el2: next(),
            ttbr1_el2: next(),
            tcr_el2: next(),
            mair_el2: next(),
            hcr_el2: next(),
            vtcr_el2: next(),
            vttbr_el2: next(),
        }
    }

    /// The state of the current CPU, which is about to execute the block at `address`.
    ///
    /// No register that QEMU shows says whether a CPU is in AArch64: each state has a PC of its own, so
    /// the one that is at the block is the one that runs.
    pub fn state(&self, buffer: &mut Buffer, reader: Option<Aarch32Reader>, address: u64) -> State {
        if let Some(reader) = reader
            && buffer.read(self.pc) != address
            && reader.read(buffer, 15) == address
        {
            let cpsr = reader.read(buffer, Aarch32Reader::CPSR);
            return State {
                el: aarch32_level(cpsr),
                aarch64: false,
                t32: cpsr >> 5 & 1 != 0,
            };
        }
        State {
            el: (buffer.read(self.cpsr) >> 2 & 3) as u8,
            aarch64: true,
            t32: false,
        }
    }
}

/// The exception level of an AArch32 mode, where EL3 is not AArch32 (DDI 0487, ELFromM32).
fn aarch32_level(cpsr: u64) -> u8 {
    match cpsr & 0x1f {
        0x10 => 0,
        0x1a => 2,
        0x16 => 3,
        _ => 1,
    }
}
