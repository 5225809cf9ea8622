//! What is at the edges of the formats: sizes, levels and encodings that there are not.

use crate::machine::*;
use setway_architecture::translate::{Fault, Kind, Registers};

fn stage1(level: u8) -> Fault {
    Fault {
        stage2: false,
        level,
    }
}

fn stage2(level: u8) -> Fault {
    Fault {
        stage2: true,
        level,
    }
}

/// The result of looking 0 up.
fn result(machine: &Machine) -> Result<u64, Fault> {
    machine.at(Kind::Data, 0).1.map(|there| there.span)
}

/// TCR_EL1 for TG0, and the sizes in T0SZ that it may go with.
#[test]
fn sizes() {
    for (tg0, largest) in [(0b00, 48), (0b01, 47), (0b10, 48)] {
        for t0sz in 0..64 {
            let mut machine = Machine::aarch64(1, 0xff);
            machine.registers.tcr_el1 = t0sz | tg0 << 14;
            let (steps, result) = machine.at(Kind::Data, 0);
            let is_size = (16..=largest).contains(&t0sz);
            assert_eq!(!steps.is_empty(), is_size, "{tg0:#b}, {t0sz}");
            if !is_size {
                assert_eq!(result, Err(stage1(0)));
            }
        }
    }
}

/// VTCR_EL2: T0SZ from and to, by TG0 and SL0; the first table has 2 to 16 * 512 entries, for 4 KiB.
#[test]
fn first_levels_of_stage_2() {
    #[rustfmt::skip]
    const SIZES: [[Option<(u64, u64)>; 4]; 3] = [
        [Some((30, 42)), Some((21, 33)), Some((16, 24)), Some((39, 48))],
        [Some((31, 47)), Some((18, 34)), Some((16, 21)), None],
        [Some((35, 48)), Some((24, 38)), Some((16, 27)), None],
    ];
    for (tg0, row) in (0..).zip(SIZES) {
        for (sl0, sizes) in (0..).zip(row) {
            for t0sz in 0..64 {
                let mut machine = Machine::aarch64(1, 0xff).nested(0b1111);
                machine.registers.vtcr_el2 = t0sz | sl0 << 6 | tg0 << 14;
                let (steps, result) = machine.at(Kind::Data, 0);
                let is_size = sizes.is_some_and(|(low, high)| (low..=high).contains(&t0sz));
                assert_eq!(!steps.is_empty(), is_size, "{tg0:#b}, {sl0:#b}, {t0sz}");
                if !is_size {
                    assert_eq!(result, Err(stage2(0)));
                }
            }
        }
    }
}

/// Reserved granules are 4 KiB.
#[test]
fn reserved_granules() {
    let lower = Machine::aarch64(1, 0xff).with(|registers| registers.tcr_el1 |= 0b11 << 14);
    assert_eq!(result(&lower), Ok(1 << 30));
    let upper = Machine::aarch64(1, 0xff).with(|registers| {
        registers.tcr_el1 = 25 << 16;
        registers.ttbr1_el1 = registers.ttbr0_el1;
    });
    assert_eq!(upper.at(Kind::Data, !0).1.unwrap().span, 1 << 30);
    let nested = Machine::aarch64(1, 0xff).nested(0b1111);
    let nested = nested.with(|registers| registers.vtcr_el2 |= 0b11 << 14);
    assert_eq!(result(&nested), Ok(1 << 30));
}

/// Every type of descriptor at every level: TG0, and T0SZ that makes the level the first.
#[test]
fn levels_of_blocks() {
    #[rustfmt::skip]
    const BLOCKS: [(u64, u64, u8, Option<u64>); 11] = [
        (0b00, 16, 0, None), (0b00, 25, 1, Some(1 << 30)), (0b00, 34, 2, Some(2 << 20)), (0b00, 43, 3, None),
        (0b10, 16, 0, None), (0b10, 17, 1, None), (0b10, 28, 2, Some(32 << 20)), (0b10, 39, 3, None),
        (0b01, 16, 1, None), (0b01, 22, 2, Some(512 << 20)), (0b01, 35, 3, None),
    ];
    for (tg0, t0sz, level, block) in BLOCKS {
        let with = |kind| {
            let mut machine = Machine::aarch64(1, 0xff);
            machine.registers.tcr_el1 = t0sz | tg0 << 14;
            machine.stage1 = kind;
            result(&machine)
        };
        assert_eq!(with(0b00), Err(stage1(level)));
        assert_eq!(with(0b10), Err(stage1(level)));
        assert_eq!(with(0b01), block.ok_or(stage1(level)), "{tg0:#b} {level}");
        // Every table leads to the next, which says the same, and at last to a page.
        let page = [4 << 10, 64 << 10, 16 << 10][tg0 as usize];
        assert_eq!(with(0b11), Ok(page));
    }
}

/// Of the address in a table descriptor, bits that a table's alignment makes 0 do not count.
#[test]
fn tables_are_aligned() {
    for (tg0, granule) in [(0b00, 12), (0b01, 16), (0b10, 14)] {
        let mut machine = Machine::aarch64(1, 0xff);
        machine.registers.tcr_el1 = 25 | tg0 << 14;
        machine.stage1 = HERE | ((1 << granule) - 1);
        let (steps, _) = machine.at(Kind::Data, 0);
        assert_eq!(steps[1].pa, HERE);
    }
}

/// Addresses of 40 bits are all that AArch32 can find, or have tables at.
#[test]
fn long_descriptors_stop_at_40_bits() {
    for bit in 40..48 {
        let mut leaf = Machine::long(0xff);
        leaf.stage1 |= 1 << bit;
        assert_eq!(result(&leaf), Err(stage1(1)));
        let table = Machine {
            stage1: 1 << bit | 0b11,
            ..Machine::long(0xff)
        };
        assert!(result(&table).is_err());
        assert_eq!(table.at(Kind::Data, 0).0.len(), 1);
        let root = Machine::long(0xff).with(|registers| registers.ttbr0_el1 |= 1 << bit);
        assert!(result(&root).is_err());
        assert_eq!(root.at(Kind::Data, 0).0.len(), 0);
    }
    let asid = Machine::long(0xff).with(|registers| registers.ttbr0_el1 |= 0xff << 48);
    assert_eq!(result(&asid), Ok(1 << 30));
}

/// EPD0, EPD1, PD0 and PD1.
#[test]
fn walks_disabled() {
    let refused = |machine: Machine, va, disabled: u64| {
        let machine = machine.with(|registers| {
            registers.tcr_el1 |= disabled;
            registers.tcr_el2 |= disabled;
        });
        let (steps, result) = machine.at(Kind::Data, va);
        steps.is_empty() && result.is_err()
    };
    let both = |registers: &mut Registers| {
        registers.tcr_el1 = 25 | 25 << 16 | 0b10 << 30;
        registers.tcr_el2 = registers.tcr_el1;
        registers.hcr_el2 = E2H;
    };
    for el in [1, 2] {
        let machine = || Machine::aarch64(el, 0xff).with(both);
        assert!(!refused(machine(), 0, 1 << 23) && refused(machine(), 0, 1 << 7));
        assert!(!refused(machine(), !0, 1 << 7) && refused(machine(), !0, 1 << 23));
    }
    let single = || Machine::aarch64(2, 0xff);
    assert!(
        !refused(single(), 0, 1 << 7),
        "TCR_EL2 has no EPD0 without E2H"
    );
    let long = || Machine::long(0xff).with(|registers| registers.tcr_el1 |= 1 | 1 << 16);
    assert!(!refused(long(), 0, 1 << 23) && refused(long(), 0, 1 << 7));
    assert!(!refused(long(), 0xffff_ffff, 1 << 7) && refused(long(), 0xffff_ffff, 1 << 23));
    let short = || Machine::short(0b00111).with(|registers| registers.tcr_el1 |= 1);
    assert!(!refused(short(), 0, 1 << 5) && refused(short(), 0, 1 << 4));
    assert!(!refused(short(), 0xffff_ffff, 1 << 4) && refused(short(), 0xffff_ffff, 1 << 5));
}

/// TBI and TBID, each where the regime has it.
#[test]
fn top_byte() {
    // The exception level, HCR_EL2, where the address is, and the bits.
    for (el, hcr, va, tbi, tbid) in [
        (1, 0, 0, 37, 51),
        (1, 0, !0, 38, 52),
        (2, 0, 0, 20, 29),
        (2, E2H, 0, 37, 51),
        (2, E2H, !0, 38, 52),
    ] {
        let tagged = |kind, bits: u64| {
            let machine = Machine::aarch64(el, 0xff).with(|registers| {
                registers.hcr_el2 = hcr;
                for tcr in [&mut registers.tcr_el1, &mut registers.tcr_el2] {
                    *tcr = 25 | bits;
                    if el == 1 || hcr == E2H {
                        *tcr |= 25 << 16 | 0b10 << 30;
                    }
                }
            });
            machine.at(kind, va ^ 0xa5 << 56).1.is_ok()
        };
        for (bits, data, fetch) in [
            (0, false, false),
            (1 << tbi, true, true),
            (1 << tbi | 1 << tbid, true, false),
            (1 << tbid, false, false),
        ] {
            assert_eq!(
                tagged(Kind::Data, bits),
                data,
                "{el} {hcr:#x} {va:#x} {bits:#x}"
            );
            assert_eq!(
                tagged(Kind::Fetch, bits),
                fetch,
                "{el} {hcr:#x} {va:#x} {bits:#x}"
            );
        }
    }
}

/// With stage 1 off, too, an address has 48 bits and perhaps a tag.
#[test]
fn flat_addresses() {
    let flat = |tcr, va| {
        let machine = Machine::aarch64(1, 0xff).with(|registers| {
            registers.sctlr_el1 = 0;
            registers.tcr_el1 = tcr;
        });
        machine
            .at(Kind::Data, va)
            .1
            .map(|there| (there.pa, there.span))
    };
    assert_eq!(flat(0, 0x1234), Ok((0x1234, 1 << 48)));
    assert_eq!(flat(0, 1 << 48), Err(stage1(0)));
    assert_eq!(flat(0, 0x5a << 56 | 0x1234), Err(stage1(0)));
    assert_eq!(flat(1 << 37, 0x5a << 56 | 0x1234), Ok((0x1234, 1 << 48)));
    assert_eq!(flat(1 << 37 | 1 << 38, !0), Err(stage1(0)));
    let long = Machine::long(0xff).with(|registers| registers.sctlr_el1 = 0);
    assert_eq!(result(&long), Ok(1 << 32));
}

/// A descriptor that is not there is a fault of the stage that wanted it.
#[test]
fn no_memory() {
    let machine = Machine::aarch64(1, 0xff).nested(0b1111);
    for missing in 0..3 {
        let count = std::cell::Cell::new(0);
        let (steps, result) =
            crate::watched(&machine.registers, machine.context, Kind::Data, 0, |_| {
                count.set(count.get() + 1);
                (count.get() <= missing).then_some(HERE | 0b1111 << 2 | 0b01)
            });
        assert_eq!(steps.len() as i32, missing + 1);
        assert_eq!(
            result,
            Err([stage2(1), stage1(1), stage2(1)][missing as usize])
        );
    }
}

/// Upper halves of what is read for a short descriptor do not count, in either byte order.
#[test]
fn short_descriptors_are_words() {
    let little = Machine::short(0b00111);
    let big = Machine::short(0b00111).with(|registers| registers.sctlr_el1 |= EE);
    let swapped = u64::from((little.stage1 as u32).swap_bytes());
    for upper in [0, 0xffff_ffff << 32] {
        let little = Machine {
            stage1: little.stage1 | upper,
            ..little.clone()
        };
        let big = Machine {
            stage1: swapped | upper,
            ..big.clone()
        };
        assert_eq!(little.at(Kind::Data, 0).1.unwrap().pa, HERE);
        assert_eq!(big.at(Kind::Data, 0).1.unwrap().pa, HERE);
    }
}
