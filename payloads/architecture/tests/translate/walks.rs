//! Every format, granule and size, one stage and both, against random worlds.
use crate::{
    watched,
    world::{Stage1, World},
};
use proptest::prelude::*;
use setway_architecture::translate::{Fault, Kind};

/// Maps a few addresses, then compares them, what is next to them, and what is anywhere else.
fn check(seed: u64, stage1: Stage1, nested: bool) {
    let mut world = World::new(seed, stage1, nested);
    let mut addresses = Vec::new();
    for _ in 0..3 {
        let va = world.any_va();
        world.map(va);
        addresses.extend([va, world.any_va()]);
        let Ok(there) = world.expect(va).1 else {
            continue;
        };
        let start = va & !(there.span - 1);
        let end = start.wrapping_add(there.span);
        addresses.extend([start, end.wrapping_sub(1), start.wrapping_sub(1), end]);
        let neighbours = [0; 2].map(|_| world.near(va, 2 * there.span));
        if world.contains(neighbours[0]) {
            world.map(neighbours[0]);
        }
        addresses.extend(neighbours);
    }
    let mut mapped = 0;
    for va in addresses {
        mapped += compare(&world, va) as u32;
    }
    assert!(mapped > 0);
}

/// Whether `va` is mapped, in the world and for `translate`.
fn compare(world: &World, va: u64) -> bool {
    let seen = |va| {
        watched(&world.registers, world.context, Kind::Data, va, |step| {
            world.read(step)
        })
    };
    let registers = &world.registers;
    if !world.contains(va) {
        let (steps, result) = seen(va);
        assert!(steps.is_empty(), "{va:#x}: {registers:#x?}");
        assert!(
            matches!(result, Err(Fault { stage2: false, .. })),
            "{va:#x}: {registers:#x?}"
        );
        return false;
    }
    let expected = world.expect(va);
    assert_eq!(seen(va), expected, "{va:#x}: {registers:#x?}");
    // Bits that do not count, or else must not be there.
    let tagged = seen(va ^ 0x5a << 56);
    if world.top_byte_ignored || !world.context.aarch64 {
        assert_eq!(tagged, expected, "{va:#x} tagged: {registers:#x?}");
    } else {
        let (steps, result) = tagged;
        assert!(
            steps.is_empty() && result.is_err(),
            "{va:#x} tagged: {registers:#x?}"
        );
    }
    expected.1.is_ok()
}

fn any_stage1() -> impl Strategy<Value = Stage1> {
    prop_oneof![
        any::<bool>().prop_map(|upper| Stage1::El1 { upper }),
        any::<bool>().prop_map(|upper| Stage1::Long { upper }),
        any::<bool>().prop_map(|upper| Stage1::Short { upper }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn stage1_alone(seed: u64, stage1 in any_stage1()) {
        check(seed, stage1, false);
    }

    #[test]
    fn el2(seed: u64, upper: bool, host: bool) {
        let stage1 = if host { Stage1::Host { upper } } else { Stage1::El2 };
        check(seed, stage1, false);
    }

    #[test]
    fn stage2_alone(seed: u64) {
        check(seed, Stage1::Off, true);
    }

    #[test]
    fn both_stages(seed: u64, stage1 in any_stage1()) {
        check(seed, stage1, true);
    }
}
