//! QEMU's handles of the registers that matter.

use setway_architecture::translate::Registers;

use crate::{api::Buffer, cpu_env::CpuEnv};

/// The handles, found by the registers' names.
#[derive(Debug)]
pub struct Handles {
    /// x0–x30 and SP; on a CPU without AArch64 r0–r12, SP, LR and PC.
    general: Vec<usize>,
    aarch64: bool,
    pc: usize,
    cpsr: usize,
    /// ELR and SPSR of EL1 and EL2.
    returns: [(usize, usize); 2],
    translation: [usize; TRANSLATION.len()],
    /// MAIR1, where MAIR0 is a register of its own.
    mair1: usize,
}

/// The registers of [`Registers`], in the order in which [`Handles::translation`] takes them, each with
/// the names that it has on CPUs with and without AArch64. QEMU 10.0 calls some that both states share by
/// the AArch32 name on either. A CPU need not have those of EL2.
const TRANSLATION: [&[&str]; 13] = [
    &["SCTLR_EL1", "SCTLR"],
    &["TTBR0_EL1", "TTBR0"],
    &["TTBR1_EL1", "TTBR1"],
    &["TCR_EL1", "TTBCR"],
    &["MAIR_EL1", "MAIR0"],
    &["SCTLR_EL2"],
    &["TTBR0_EL2"],
    &["TTBR1_EL2"],
    &["TCR_EL2"],
    &["MAIR_EL2"],
    &["HCR_EL2", "HCR"],
    &["VTCR_EL2", "VTCR"],
    &["VTTBR_EL2", "VTTBR"],
];

/// How many of them every CPU has.
const REQUIRED: usize = 5;
/// The place of HCR_EL2.
const HCR: usize = 10;

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
    /// The level that controls translation uses AArch64, as it may above an EL0 in AArch32.
    pub aarch64_regime: bool,
}

impl Handles {
    /// Finds them among all that QEMU has; an error names what is missing.
    pub fn find(all: &[(String, usize)]) -> Result<Self, String> {
        let optional = |names: &[&str]| {
            let find = |name: &&str| all.iter().find(|(known, _)| known == name);
            names
                .iter()
                .find_map(find)
                .map_or(NONE, |(_, handle)| *handle)
        };
        let required = |names: &[&str]| match optional(names) {
            NONE => Err(format!("this QEMU shows plugins no register {}", names[0])),
            handle => Ok(handle),
        };
        let aarch64 = optional(&["x0"]) != NONE;
        let (letter, count, rest) = match aarch64 {
            true => ('x', 31, &["sp"][..]),
            false => ('r', 13, &["sp", "lr", "pc"][..]),
        };
        let numbered = (0..count).map(|n| format!("{letter}{n}"));
        let names = numbered.chain(rest.iter().map(|name| (*name).to_owned()));
        for names in &TRANSLATION[..REQUIRED] {
            required(names)?;
        }
        Ok(Self {
            general: names
                .map(|name| required(&[&name]))
                .collect::<Result<_, _>>()?,
            aarch64,
            pc: required(&["pc"])?,
            cpsr: required(&["cpsr"])?,
            returns: [
                (optional(&["ELR_EL1"]), optional(&["SPSR_EL1"])),
                (optional(&["ELR_EL2"]), optional(&["SPSR_EL2"])),
            ],
            translation: TRANSLATION.map(optional),
            mair1: match optional(&["MAIR_EL1"]) {
                NONE => optional(&["MAIR1"]),
                _ => NONE,
            },
        })
    }

    /// x0–x30, or with 31 SP; on a CPU without AArch64 r0–r15.
    pub fn general(&self, buffer: &mut Buffer, register: u8) -> u64 {
        self.general
            .get(usize::from(register))
            .map_or(0, |handle| buffer.read(*handle))
    }

    /// The registers that govern translation.
    pub fn translation(&self, buffer: &mut Buffer) -> Registers {
        let mut values = self.translation.iter().map(|handle| match *handle {
            NONE => 0,
            handle => buffer.read(handle),
        });
        let mut next = || values.next().unwrap_or_default();
        let mut registers = Registers {
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
        };
        if self.mair1 != NONE {
            registers.mair_el1 |= buffer.read(self.mair1) << 32;
        }
        registers
    }

    /// Finds where QEMU keeps the general registers of the current CPU, which is about to execute the
    /// block at `address`.
    pub fn find_live(&self, buffer: &mut Buffer, address: u64) -> Option<CpuEnv> {
        let mut shown: Vec<u64> = (0..self.general.len())
            .map(|n| self.general(buffer, n as u8))
            .collect();
        let pc = buffer.read(self.pc);
        // In AArch32, the PC that QEMU shows of a CPU with AArch64 is an old one.
        if pc != address {
            return None;
        }
        match self.aarch64 {
            true => {
                shown.push(pc);
                CpuEnv::find_aarch64(&shown)
            }
            false => CpuEnv::find_aarch32(&shown),
        }
    }

    /// The state of the current CPU, which is about to execute the block at `address`. `None` if it is one
    /// in which this CPU cannot be watched.
    pub fn state(&self, buffer: &mut Buffer, live: Option<CpuEnv>, address: u64) -> Option<State> {
        let is_aarch64 = match live {
            Some(live) => self.aarch64 && live.is_aarch64(),
            // Each state has a PC of its own, and QEMU shows that of AArch64, if there is one.
            None if self.aarch64 && buffer.read(self.pc) != address => return None,
            None => self.aarch64,
        };
        if is_aarch64 {
            return Some(State {
                el: (buffer.read(self.cpsr) >> 2 & 3) as u8,
                aarch64: true,
                t32: false,
                aarch64_regime: true,
            });
        }
        let cpsr = buffer.read(self.cpsr);
        Some(match live {
            // On a CPU with AArch64, PSTATE is not the CPSR. EL2 is not AArch32 there, EL0 and EL1 have one
            // translation regime, and where EL1 is AArch64, this is EL0.
            Some(live) if self.aarch64 => State {
                el: u8::from(!self.el1_is_aarch64(buffer)),
                aarch64: false,
                t32: live.is_t32(),
                aarch64_regime: self.el1_is_aarch64(buffer),
            },
            _ => State {
                el: aarch32_level(cpsr),
                aarch64: false,
                t32: cpsr >> 5 & 1 != 0,
                aarch64_regime: false,
            },
        })
    }

    /// HCR_EL2.RW; without EL2, a CPU with AArch64 has that at EL1.
    fn el1_is_aarch64(&self, buffer: &mut Buffer) -> bool {
        const RW: u64 = 1 << 31;
        match self.translation[HCR] {
            NONE => true,
            handle => buffer.read(handle) & RW != 0,
        }
    }

    /// Where an exception return from `state` leads, if that can be seen from its registers.
    pub fn returns_to(&self, buffer: &mut Buffer, state: State) -> Option<(State, u64)> {
        let from = usize::from(state.el).checked_sub(1)?;
        let (elr, spsr) = *self.returns.get(from).filter(|_| state.aarch64)?;
        if elr == NONE || spsr == NONE {
            return None;
        }
        let (pc, spsr) = (buffer.read(elr), buffer.read(spsr));
        let aarch64 = spsr >> 4 & 1 == 0;
        let state = State {
            el: match aarch64 {
                true => (spsr >> 2 & 3) as u8,
                false => aarch32_level(spsr),
            },
            aarch64,
            t32: !aarch64 && spsr >> 5 & 1 != 0,
            aarch64_regime: aarch64 || self.el1_is_aarch64(buffer),
        };
        Some((state, pc))
    }

    /// HCR_EL2.
    pub fn hcr(&self, buffer: &mut Buffer) -> u64 {
        match self.translation[HCR] {
            NONE => 0,
            handle => buffer.read(handle),
        }
    }

    /// PSTATE or CPSR; its condition flags are right in every state.
    pub fn flags(&self, buffer: &mut Buffer) -> u64 {
        buffer.read(self.cpsr)
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
