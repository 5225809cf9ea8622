//! Random registers for a world, for each regime and format in its own way.

use crate::{
    dice::Dice,
    machine::{C, DC, E2H, EE, I, M, TGE, VM},
    model::{GRANULES, ShortTree, Tree},
    world::{MAIR, REGION, Stage1, Tree1, Walked, World},
};
use setway_architecture::translate::{Context, Memory::*, Registers};
use std::collections::HashMap;

impl World {
    /// One with nothing mapped.
    pub fn new(seed: u64, stage1: Stage1, nested: bool) -> Self {
        let mut world = World {
            registers: Registers::default(),
            context: Context {
                el: 1,
                aarch64: true,
            },
            range: (0, 0),
            top_byte_ignored: false,
            dice: Dice::new(seed),
            memory: HashMap::new(),
            tables: Vec::new(),
            stage1: Walked {
                tree: Tree1::Off(Device, 0),
                memory: NonCacheable,
                big_endian: false,
            },
            stage2: None,
        };
        if nested {
            world.add_stage2(stage1 == Stage1::Off);
        }
        match stage1 {
            Stage1::Off => world.turn_stage1_off(),
            Stage1::El1 { upper } => world.add_aarch64(1, true, upper),
            Stage1::El2 => world.add_aarch64(2, false, false),
            Stage1::Host { upper } => world.add_aarch64(2, true, upper),
            Stage1::Long { upper } => world.add_long(upper),
            Stage1::Short { upper } => world.add_short(upper),
        }
        world
    }

    /// Any granule, first level and size, but room for stage 1's tables unless it `is_alone`.
    fn add_stage2(&mut self, is_alone: bool) {
        let dice = &mut self.dice;
        let (granule, (start, sl0), t0sz) = loop {
            let granule = dice.pick(&[&GRANULES[0], &GRANULES[1], &GRANULES[2]]);
            let (low, high, start, sl0) = dice.pick(granule.starts2);
            let t0sz = dice.number(low, high);
            if is_alone || t0sz <= 32 {
                break (granule, (start, sl0), t0sz);
            }
        };
        let input = 64 - t0sz as u32;
        let root = dice.address(48, Tree::root_size(granule, start, input));
        let (region, memory) = dice.pick(&REGION);
        let big_endian = dice.coin();
        let registers = &mut self.registers;
        registers.vtcr_el2 = t0sz | sl0 << 6 | region << 8 | region << 10 | granule.tg[0] << 14;
        registers.vttbr_el2 = root | dice.number(0, 255) << 48 | dice.number(0, 1);
        registers.sctlr_el2 = if big_endian { EE } else { 0 };
        registers.hcr_el2 = VM;
        self.stage2 = Some(Walked {
            tree: Tree::new(granule, start, input, root),
            memory,
            big_endian,
        });
    }

    fn turn_stage1_off(&mut self) {
        let by_dc = self.dice.coin();
        self.context.aarch64 = self.dice.coin();
        if by_dc {
            self.registers.hcr_el2 = DC;
            self.registers.sctlr_el1 = M;
        }
        let size = if self.context.aarch64 { 48 } else { 32 };
        self.range = (0, 1 << size);
        self.stage1.tree = Tree1::Off(if by_dc { WriteBack } else { Device }, size);
    }

    fn add_aarch64(&mut self, el: u8, two_ranges: bool, upper: bool) {
        let granule = self.dice.pick(&[&GRANULES[0], &GRANULES[1], &GRANULES[2]]);
        let (low, high, start) = self.dice.pick(granule.starts);
        let tnsz = self.dice.number(low, high);
        let input = 64 - tnsz as u32;
        let (regions, sctlr) = self.choose_walks();
        let root = self.allocate(Tree::root_size(granule, start, input), 48);
        let ttbr = root | self.dice.number(0, 255) << 48 | self.dice.number(0, 1);
        self.top_byte_ignored = self.dice.coin();
        let tbi = self.top_byte_ignored as u64;
        let tg = granule.tg[upper as usize];
        // The range that is not used is not translated.
        let tcr = match (two_ranges, upper) {
            (false, _) => tnsz | regions << 8 | tg << 14 | tbi << 20,
            (true, false) => tnsz | regions << 8 | tg << 14 | tbi << 37 | 1 << 23,
            (true, true) => tnsz << 16 | regions << 24 | tg << 30 | tbi << 38 | 1 << 7,
        };
        let mair = self.any_mair();
        let unused = self.dice.roll();
        let (ttbr0, ttbr1) = if upper {
            (unused, ttbr)
        } else {
            (ttbr, unused)
        };
        let registers = &mut self.registers;
        if el == 1 {
            registers.sctlr_el1 = sctlr;
            registers.tcr_el1 = tcr;
            registers.mair_el1 = mair;
            (registers.ttbr0_el1, registers.ttbr1_el1) = (ttbr0, ttbr1);
            self.context.el = self.dice.number(0, 1) as u8;
        } else {
            registers.sctlr_el2 = sctlr;
            registers.tcr_el2 = tcr;
            registers.mair_el2 = mair;
            (registers.ttbr0_el2, registers.ttbr1_el2) = (ttbr0, ttbr1);
            let for_el0 = two_ranges && self.dice.coin();
            self.context.el = if for_el0 { 0 } else { 2 };
            registers.hcr_el2 = match (two_ranges, for_el0) {
                (false, _) => VM,
                (true, false) => VM | E2H,
                (true, true) => VM | E2H | TGE,
            };
        }
        self.range = (if upper { !0 << input } else { 0 }, 1 << input);
        self.stage1.tree = Tree1::Long(Tree::new(granule, start, input, root));
    }

    fn add_long(&mut self, upper: bool) {
        let (t0, t1) = loop {
            let (t0, t1) = (self.dice.number(0, 7), self.dice.number(0, 7));
            // With both 0, TTBR0 has it all.
            if !upper || (t0, t1) != (0, 0) {
                break (t0, t1);
            }
        };
        let all = 1u64 << 32;
        self.range = match (upper, t0, t1) {
            (false, 0, 0) => (0, all),
            (false, 0, _) => (0, all - (all >> t1)),
            (false, ..) => (0, all >> t0),
            (true, _, 0) => (all >> t0, all - (all >> t0)),
            (true, ..) => (all - (all >> t1), all >> t1),
        };
        let size = if upper { t1 } else { t0 };
        let start = if size < 2 { 1 } else { 2 };
        let input = 32 - size as u32;
        let (regions, sctlr) = self.choose_walks();
        let root = self.allocate(Tree::root_size(&GRANULES[0], start, input), 40);
        let ttbr = root | self.dice.number(0, 255) << 48;
        let mair = self.any_mair();
        self.set_el1_aarch32(sctlr, upper, ttbr);
        self.registers.mair_el1 = mair;
        self.registers.tcr_el1 = t0
            | t1 << 16
            | 1 << 31
            | if upper {
                regions << 24 | 1 << 7
            } else {
                regions << 8 | 1 << 23
            };
        self.stage1.tree = Tree1::Long(Tree::new(&GRANULES[0], start, input, root));
    }

    fn add_short(&mut self, upper: bool) {
        let n = self.dice.number(upper as u64, 7) as u32;
        let all = 1u64 << 32;
        self.range = if upper {
            (all >> n, all - (all >> n))
        } else {
            (0, all >> n)
        };
        let (regions, sctlr) = self.choose_walks();
        let region = regions & 0b11;
        let root = self.allocate(if upper { 14 } else { 14 - n }, 32);
        let ttbr = root | (region & 1) << 6 | region >> 1 | region << 3;
        self.set_el1_aarch32(sctlr, upper, ttbr);
        self.registers.tcr_el1 = u64::from(n) | if upper { 1 << 4 } else { 1 << 5 };
        self.stage1.tree = Tree1::Short(ShortTree::new(if upper { 0 } else { n }, root));
    }

    fn set_el1_aarch32(&mut self, sctlr: u64, upper: bool, ttbr: u64) {
        self.context.el = self.dice.number(0, 1) as u8;
        self.context.aarch64 = false;
        self.registers.sctlr_el1 = sctlr;
        if upper {
            self.registers.ttbr1_el1 = ttbr;
        } else {
            self.registers.ttbr0_el1 = ttbr;
        }
    }

    /// Chooses how stage 1's tables are read; returns ORGN and IRGN, and SCTLR.
    fn choose_walks(&mut self) -> (u64, u64) {
        let (region, memory) = self.dice.pick(&REGION);
        let big_endian = self.dice.coin();
        self.stage1.memory = memory;
        self.stage1.big_endian = big_endian;
        let sctlr = M | C | I | if big_endian { EE } else { 0 };
        (region << 2 | region, sctlr)
    }

    fn any_mair(&mut self) -> u64 {
        let known = (0..).zip(MAIR).map(|(i, (byte, _))| byte << (8 * i));
        self.dice.roll() << 48 | known.sum::<u64>()
    }
}
