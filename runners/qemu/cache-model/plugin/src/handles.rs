//! QEMU's handles of the registers that matter.

use setway_architecture::translate::Registers;

use crate::{
    api::Buffer,
    live::{self, Live},
};

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
            // QEMU 10.0 calls registers that both states share by the name they have in AArch32.
            let short = || all.iter().find(|(known, _)| Some(known.as_str()) == name.strip_suffix("_EL1"));
            found.or_else(short).map_or(NONE, |(_, handle)| *handle)
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

    /// Finds where QEMU keeps the general registers of the current CPU, which is about to execute the
    /// block at `address`.
    pub fn find_live(&self, buffer: &mut Buffer, address: u64) -> Option<Live> {
        let mut shown = [0; live::WORDS];
        for (n, word) in shown.iter_mut().take(32).enumerate() {
            *word = self.general(buffer, n as u8);
        }
        shown[32] = buffer.read(self.pc);
        // In AArch32 the PC that QEMU shows is an old one.
        (shown[32] == address).then(|| Live::find(&shown)).flatten()
    }

    /// The state of the current CPU.
    pub fn state(&self, buffer: &mut Buffer, live: Option<Live>) -> State {
        match live {
            // EL0 and EL1 have one translation regime; with AArch64 in the CPU, EL2 is not AArch32.
            Some(live) if !live.is_aarch64() => State {
                el: 1,
                aarch64: false,
                t32: live.is_t32(),
            },
            _ => State {
                el: (buffer.read(self.cpsr) >> 2 & 3) as u8,
                aarch64: true,
                t32: false,
            },
        }
    }

    /// PSTATE; its condition flags are right in every state.
    pub fn flags(&self, buffer: &mut Buffer) -> u64 {
        buffer.read(self.cpsr)
    }
}
