//! Registers and descriptors that mean nothing in particular.

use crate::{dice::Dice, watched};
use proptest::prelude::*;
use setway_architecture::translate::{Context, Kind, Memory, Registers, Step};

/// Half of it random, the rest such that some walks get somewhere.
fn registers(dice: &mut Dice) -> Registers {
    let bias = |dice: &mut Dice, clear: u64, set: u64| {
        if dice.coin() {
            dice.roll()
        } else {
            dice.roll() & !clear | set
        }
    };
    let sizes = dice.number(0, 63) | dice.number(0, 63) << 16;
    let disabled = 1 << 7 | 1 << 23;
    Registers {
        sctlr_el1: bias(dice, 0, 1),
        ttbr0_el1: dice.roll(),
        ttbr1_el1: dice.roll(),
        tcr_el1: bias(dice, 0x3f_003f | disabled, sizes),
        mair_el1: dice.roll(),
        sctlr_el2: bias(dice, 0, 1),
        ttbr0_el2: dice.roll(),
        ttbr1_el2: dice.roll(),
        tcr_el2: bias(dice, 0x3f_003f | disabled, sizes),
        mair_el2: dice.roll(),
        // DC and TGE clear.
        hcr_el2: bias(dice, 1 << 12 | 1 << 27, 0),
        vtcr_el2: bias(dice, 0xff, 25 | 1 << 6),
        vttbr_el2: dice.roll(),
    }
}

/// The same at the same address, always: most often a table, seldom nothing at all. Short descriptors
/// come in sixteens, as those of large pages must.
fn descriptor(seed: u64, step: Step) -> Option<u64> {
    let place = if step.len == 4 { step.pa / 64 } else { step.pa };
    let mut dice = Dice::new(seed ^ place);
    let value = dice.roll();
    match dice.number(0, 9) {
        0 => None,
        1 => Some(value),
        // AArch32 and small intermediate spaces want small addresses.
        2..5 => Some(value & 0xfff0_0000_ffff_fffc | 0b11),
        5 => Some(value & 0xffff_fffc | 0b01),
        _ => Some(value & 0xfff0_00ff_ffff_fffc | 0b11),
    }
}

/// Steps that must be the same all over a page: of short descriptors those in sixteens.
fn same(steps: Vec<Step>) -> Vec<Step> {
    let place = |step: Step| {
        if step.len == 4 {
            step.pa & !63
        } else {
            step.pa
        }
    };
    let same = |step| Step {
        pa: place(step),
        ..step
    };
    steps.into_iter().map(same).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    /// It ends, never panics, and what it says is of one piece: all of `span` is as it says.
    #[test]
    fn of_one_piece(seed: u64, el in 0u8..5, aarch64: bool, fetch: bool, shift in 0u32..64) {
        let mut dice = Dice::new(seed);
        let registers = registers(&mut dice);
        let context = Context { el, aarch64 };
        let kind = if fetch { Kind::Fetch } else { Kind::Data };
        // From either end of the address space.
        let va = ((dice.roll() as i64) >> shift) as u64;
        let look = |va| watched(&registers, context, kind, va, |step| descriptor(seed, step));
        let (steps, result) = look(va);

        // Four levels of stage 1, each found through four of stage 2, and four for the result.
        prop_assert!(steps.len() <= 4 * (4 + 1) + 4);
        for step in &steps {
            prop_assert!(step.pa % u64::from(step.len) == 0 && step.pa >> 48 == 0);
            prop_assert!(step.memory != Memory::Device);
        }
        if let Ok(there) = result {
            prop_assert!(there.span.is_power_of_two() && there.span >= 4096);
            prop_assert!(!fetch || there.memory != Memory::Device);
            let within = there.span - 1;
            prop_assert_eq!(there.pa & within, va & within);
            let other = va & !within | dice.roll() & within;
            let (other_steps, other_result) = look(other);
            let other_there = other_result.unwrap();
            prop_assert_eq!(same(other_steps), same(steps));
            prop_assert_eq!(other_there.pa, there.pa & !within | other & within);
            prop_assert_eq!((other_there.memory, other_there.span), (there.memory, there.span));
        }
    }
}
