//! The registers of the current CPU, by QEMU's handles, or where QEMU keeps them.

use setway_architecture::{
    decode::{self, Address, Encoding, Offset, Shift, SystemRegister},
    registers::{Clidr, Ctr, Hcr},
    translate,
};

use setway_cache_model::Path;

use crate::{
    api::{Buffer, RegisterHandle},
    cpu_env::CpuEnv,
    state::State,
};

/// Reads the registers of the current CPU. The handles are the same for all.
#[derive(Debug)]
pub struct Registers {
    /// x0–x30 and SP; on a CPU without AArch64 r0–r12, SP, LR and PC.
    general: Vec<RegisterHandle>,
    aarch64: bool,
    pc: RegisterHandle,
    cpsr: RegisterHandle,
    /// ELR and SPSR of EL1 and EL2.
    returns: [Option<(RegisterHandle, RegisterHandle)>; 2],
    translation: [Option<RegisterHandle>; TRANSLATION.len()],
    /// MAIR1, where MAIR0 is a register of its own.
    mair1: Option<RegisterHandle>,
    /// There are names for EL1's registers that mean them wherever the CPU is.
    has_el12: bool,
    /// CTR and CLIDR.
    identification: [Option<RegisterHandle>; 2],
    /// How cacheable fetches see memory, once those have been read.
    fetch_path: Option<Path>,
    /// Where the general registers are, once that is known.
    env: Option<CpuEnv>,
    buffer: Buffer,
}

/// The registers of [`translate::Registers`], in the order in which [`Registers::translation`] takes them, each
/// with the names that it has on CPUs with and without AArch64. QEMU 10.0 calls some that both states share by
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

impl Registers {
    /// Finds the handles among all that QEMU has; an error names the register that is missing.
    pub fn find(all: &[(String, RegisterHandle)]) -> Result<Self, String> {
        let optional = |names: &[&str]| {
            let find = |name: &&str| all.iter().find(|(known, _)| known == name);
            names.iter().find_map(find).map(|(_, handle)| *handle)
        };
        let required = |names: &[&str]| {
            let missing = || format!("this QEMU shows plugins no register {}", names[0]);
            optional(names).ok_or_else(missing)
        };
        let aarch64 = optional(&["x0"]).is_some();
        let (letter, count, others) = if aarch64 {
            ('x', 31, &["sp"][..])
        } else {
            ('r', 13, &["sp", "lr", "pc"][..])
        };
        let numbered = (0..count).map(|n| format!("{letter}{n}"));
        let names = numbered.chain(others.iter().map(|name| (*name).to_owned()));
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
                optional(&["ELR_EL1"]).zip(optional(&["SPSR_EL1"])),
                optional(&["ELR_EL2"]).zip(optional(&["SPSR_EL2"])),
            ],
            translation: TRANSLATION.map(optional),
            mair1: match optional(&["MAIR_EL1"]) {
                None => optional(&["MAIR1"]),
                Some(_) => None,
            },
            identification: [&["CTR_EL0", "CTR"], &["CLIDR", "CLIDR_EL1"]].map(|it| optional(it)),
            fetch_path: None,
            has_el12: optional(&["SCTLR_EL12"]).is_some(),
            env: None,
            buffer: Buffer::new(),
        })
    }

    /// How cacheable fetches see memory.
    pub fn fetch_path(&self) -> Path {
        self.fetch_path.unwrap_or(Path::Fetch)
    }

    /// Whether what is stored can be fetched without having been cleaned to the PoU: CTR.IDC says so, and a CLIDR by
    /// which there is nothing above the PoU, or the PoC, that could be cleaned (DDI 0487, CTR_EL0.IDC).
    fn read_fetch_path(&mut self) -> Path {
        let [ctr, clidr] = self
            .identification
            .map(|it| it.map(|it| self.buffer.read(it)));
        let has_idc = ctr.is_some_and(|it| Ctr(it).idc());
        let has_nothing = clidr.is_some_and(|it| Clidr(it).is_unified_everywhere());
        if has_idc || has_nothing {
            Path::CoherentFetch
        } else {
            Path::Fetch
        }
    }

    /// Whether QEMU shows EL2's registers by the names of EL1's on a CPU that is at `el` and has this HCR_EL2. A host
    /// with HCR_EL2.E2H set accesses its own registers by these names, and QEMU 11.1 reads them as the CPU would, while
    /// 10.0 reads what is so called and has EL12's names besides.
    pub fn hides_el1(&self, el: u8, hcr: u64) -> bool {
        el == 2 && !self.has_el12 && Hcr::from_bits_retain(hcr).contains(Hcr::E2H)
    }

    /// The registers that govern translation.
    pub fn translation(&mut self) -> translate::Registers {
        let buffer = &mut self.buffer;
        let values = self
            .translation
            .map(|handle| handle.map_or(0, |handle| buffer.read(handle)));
        let mair1 = self.mair1.map_or(0, |handle| buffer.read(handle));
        let [
            sctlr_el1,
            ttbr0_el1,
            ttbr1_el1,
            tcr_el1,
            mair_el1,
            sctlr_el2,
            ttbr0_el2,
            ttbr1_el2,
            tcr_el2,
            mair_el2,
            hcr_el2,
            vtcr_el2,
            vttbr_el2,
        ] = values;
        translate::Registers {
            sctlr_el1,
            ttbr0_el1,
            ttbr1_el1,
            tcr_el1,
            mair_el1: mair_el1 | mair1 << 32,
            sctlr_el2,
            ttbr0_el2,
            ttbr1_el2,
            tcr_el2,
            mair_el2,
            hcr_el2,
            vtcr_el2,
            vttbr_el2,
        }
    }

    /// The state of the current CPU, which is about to execute the block at `address`. `None` if it is one
    /// in which this CPU cannot be watched.
    pub fn state(&mut self, address: u64) -> Option<State> {
        if self.fetch_path.is_none() {
            self.fetch_path = Some(self.read_fetch_path());
        }
        if self.env.is_none() {
            self.env = self.find_env(address);
        }
        let is_aarch64 = match self.env {
            Some(env) => self.aarch64 && env.is_aarch64(),
            // Each state has a PC of its own, and QEMU shows that of AArch64, if there is one.
            None if self.aarch64 && self.buffer.read(self.pc) != address => return None,
            None => self.aarch64,
        };
        let pstate = self.buffer.read(self.cpsr);
        Some(match self.env {
            _ if is_aarch64 => State::from_pstate(pstate),
            // On a CPU with AArch64, PSTATE is not the CPSR. EL2 is not AArch32 there, EL0 and EL1 have one
            // translation regime, and where EL1 is AArch64, this is EL0.
            Some(env) if self.aarch64 => {
                let el1_is_aarch64 = self.el1_is_aarch64();
                State {
                    el: u8::from(!el1_is_aarch64),
                    aarch64: false,
                    t32: env.is_t32(),
                    aarch64_regime: el1_is_aarch64,
                }
            }
            _ => State::from_cpsr(pstate),
        })
    }

    /// Finds where QEMU keeps the general registers of the current CPU, which is about to execute the
    /// block at `address`.
    fn find_env(&mut self, address: u64) -> Option<CpuEnv> {
        let pc = self.buffer.read(self.pc);
        // In AArch32, the PC that QEMU shows of a CPU with AArch64 is an old one.
        if pc != address {
            return None;
        }
        let buffer = &mut self.buffer;
        let mut shown = self.general.iter().map(|handle| buffer.read(*handle));
        if self.aarch64 {
            // x0–x30 and SP, and the PC after them.
            CpuEnv::find_aarch64(&std::array::from_fn(|_| shown.next().unwrap_or(pc)))
        } else {
            CpuEnv::find_aarch32(&std::array::from_fn(|_| shown.next().unwrap_or(pc)))
        }
    }

    /// HCR_EL2.RW; without EL2, a CPU with AArch64 has that at EL1.
    fn el1_is_aarch64(&mut self) -> bool {
        let rw = |hcr| Hcr::from_bits_retain(hcr).contains(Hcr::RW);
        self.translation[HCR].is_none_or(|handle| rw(self.buffer.read(handle)))
    }

    /// HCR_EL2, or 0 on a CPU without EL2.
    pub fn hcr(&mut self) -> u64 {
        self.translation[HCR].map_or(0, |handle| self.buffer.read(handle))
    }

    /// Where an exception return from `state` leads, if that can be seen from its registers.
    pub fn returns_to(&mut self, state: State) -> Option<(State, u64)> {
        let from = usize::from(state.el).checked_sub(1)?;
        let (elr, spsr) = self
            .returns
            .get(from)
            .filter(|_| state.aarch64)
            .copied()??;
        let (pc, spsr) = (self.buffer.read(elr), self.buffer.read(spsr));
        Some((State::from_spsr(spsr, self.el1_is_aarch64()), pc))
    }

    /// PSTATE or CPSR; its condition flags are right in every state.
    pub fn flags(&mut self) -> u64 {
        self.buffer.read(self.cpsr)
    }

    /// The address of an access by an instruction at `pc`.
    #[inline]
    pub fn address(&mut self, state: State, pc: u64, address: Address) -> u64 {
        const CARRY: u32 = 29;
        let carry = needs_carry(address) && self.flags() >> CARRY & 1 != 0;
        let known = decode::State {
            pc,
            aarch64: state.aarch64,
            carry,
        };
        address.of(known, |register| self.base(state, register))
    }

    /// The value of a general register; 31 is the zero register.
    pub fn operand(&mut self, state: State, register: u8) -> u64 {
        match register {
            31 => 0,
            register => self.base(state, register),
        }
    }

    /// The value of a general register; 31 is SP.
    #[inline(always)]
    fn base(&mut self, state: State, register: u8) -> u64 {
        match self.env {
            Some(env) if state.aarch64 => env.x(register),
            Some(env) => env.r(register),
            None => {
                let handle = self.general.get(usize::from(register)).copied();
                handle.map_or(0, |handle| self.buffer.read(handle))
            }
        }
    }
}

/// Whether an address depends on the carry flag.
fn needs_carry(address: Address) -> bool {
    matches!(
        address,
        Address::Table {
            shift: Shift::RotateThroughCarry,
            ..
        } | Address::Base {
            offset: Offset::Register {
                shift: Shift::RotateThroughCarry,
                ..
            },
            ..
        }
    )
}

/// Leaves EL1's registers in `read` as they are `known` to be.
pub fn keep_el1(read: &mut translate::Registers, known: &translate::Registers) {
    *read = translate::Registers {
        sctlr_el1: known.sctlr_el1,
        ttbr0_el1: known.ttbr0_el1,
        ttbr1_el1: known.ttbr1_el1,
        tcr_el1: known.tcr_el1,
        mair_el1: known.mair_el1,
        ..*read
    };
}

/// The field of `registers` that a write at EL2 changes by one of EL12's names.
pub fn by_el12(register: SystemRegister, registers: &mut translate::Registers) -> Option<&mut u64> {
    let Encoding::A64(3, 5, crn, crm, op2) = register.name else {
        return None;
    };
    match (crn, crm, op2) {
        (1, 0, 0) => Some(&mut registers.sctlr_el1),
        (2, 0, 0) => Some(&mut registers.ttbr0_el1),
        (2, 0, 1) => Some(&mut registers.ttbr1_el1),
        (2, 0, 2) => Some(&mut registers.tcr_el1),
        (10, 2, 0) => Some(&mut registers.mair_el1),
        _ => None,
    }
}

/// Whether a register is one of those that translation depends on. AArch32's are not distinguished: writes
/// of them are rare.
pub fn governs_translation(register: SystemRegister) -> bool {
    match register.name {
        // SCTLR, HCR (c1), TTBR, TCR, VTTBR, VTCR (c2), MAIR (c10), each at EL1, EL2 and EL12.
        Encoding::A64(3, _, 1 | 2 | 10, _, _) => true,
        Encoding::A64(..) | Encoding::Pstate => false,
        Encoding::Mcr(..) | Encoding::Mcrr(..) => true,
    }
}
