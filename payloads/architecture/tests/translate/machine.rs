//! The least that translates: at each stage one table, all of whose entries say the same.

use crate::watched;
use setway_architecture::translate::{Context, Fault, Kind, Memory, Registers, Step, Translation};

pub const M: u64 = 1 << 0;
pub const C: u64 = 1 << 2;
pub const I: u64 = 1 << 12;
pub const EE: u64 = 1 << 25;
pub const TRE: u64 = 1 << 28;

pub const VM: u64 = 1 << 0;
pub const DC: u64 = 1 << 12;
pub const TGE: u64 = 1 << 27;
pub const CD: u64 = 1 << 32;
pub const ID: u64 = 1 << 33;
pub const E2H: u64 = 1 << 34;
pub const FWB: u64 = 1 << 46;

/// Everything on, for TCR, TTBR and VTCR: Write-Back.
const REGIONS: u64 = 0b0101 << 8;

/// Where stage 2's table is.
const STAGE2: u64 = 0x8000_0000;
/// Where stage 1's table is, an intermediate address.
const STAGE1: u64 = 0x4000;
/// What stage 1 leads to, an intermediate address.
pub const HERE: u64 = 0x4000_0000;

#[derive(Clone)]
pub struct Machine {
    pub registers: Registers,
    pub context: Context,
    /// Stage 1's descriptor.
    pub stage1: u64,
    /// MemAttr of stage 2, which leaves addresses as they are.
    pub mem_attr: u64,
}

impl Machine {
    /// EL1 or EL2 in AArch64: a block of 1 GiB, the attributes in byte 0 of MAIR.
    pub fn aarch64(el: u8, mair: u64) -> Self {
        let tcr = 25 | REGIONS | 1 << 23;
        Self {
            registers: Registers {
                sctlr_el1: M | C | I,
                ttbr0_el1: STAGE1,
                tcr_el1: tcr,
                mair_el1: mair,
                sctlr_el2: M | C | I,
                ttbr0_el2: STAGE1,
                tcr_el2: tcr,
                mair_el2: mair,
                ..Registers::default()
            },
            context: Context { el, aarch64: true },
            stage1: HERE | 0b01,
            mem_attr: 0b1111,
        }
    }

    /// EL1 in AArch32 with long descriptors: a block of 1 GiB here, too.
    pub fn long(mair: u64) -> Self {
        let mut machine = Self::aarch64(1, mair);
        machine.registers.tcr_el1 = 1 << 31 | REGIONS;
        machine.context.aarch64 = false;
        machine
    }

    /// EL1 in AArch32 with short descriptors: a section.
    pub fn short(tex_c_b: u64) -> Self {
        let mut machine = Self::aarch64(1, 0);
        machine.registers.tcr_el1 = 0;
        machine.registers.ttbr0_el1 = STAGE1 | 1 << 6 | 1 << 3;
        machine.context.aarch64 = false;
        machine.stage1 = HERE | tex_c_b >> 2 << 12 | (tex_c_b & 0b11) << 2 | 0b10;
        machine
    }

    /// EL1 in all its formats, the memory Write-Back.
    pub fn all_of_el1() -> [Self; 3] {
        [
            Self::aarch64(1, 0xff),
            Self::long(0xff),
            Self::short(0b00111),
        ]
    }

    /// With stage 2 on: blocks of 1 GiB.
    pub fn nested(mut self, mem_attr: u64) -> Self {
        self.registers.hcr_el2 |= VM;
        self.registers.vtcr_el2 = 25 | 0b01 << 6 | REGIONS;
        self.registers.vttbr_el2 = STAGE2;
        self.mem_attr = mem_attr;
        self
    }

    pub fn with(mut self, change: impl FnOnce(&mut Registers)) -> Self {
        change(&mut self.registers);
        self
    }

    pub fn at(&self, kind: Kind, va: u64) -> (Vec<Step>, Result<Translation, Fault>) {
        watched(&self.registers, self.context, kind, va, |step| {
            let entry = step.pa.wrapping_sub(STAGE2) / 8;
            if self.registers.vttbr_el2 != 0 && entry < 512 {
                Some(entry << 30 | self.mem_attr << 2 | 0b01)
            } else {
                Some(self.stage1)
            }
        })
    }

    fn sees(&self, kind: Kind) -> Memory {
        self.at(kind, 0).1.expect("it is mapped").memory
    }

    pub fn data(&self) -> Memory {
        self.sees(Kind::Data)
    }

    pub fn fetch(&self) -> Memory {
        self.sees(Kind::Fetch)
    }

    /// How the first descriptor of each stage is read: stage 1's alone, or stage 2's before it.
    pub fn walks(&self) -> Vec<Memory> {
        let (steps, _) = self.at(Kind::Data, 0);
        steps.iter().take(2).map(|step| step.memory).collect()
    }
}
