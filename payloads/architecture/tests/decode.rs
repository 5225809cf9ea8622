//! The decoders against what GNU as makes of assembly, and addresses against the manual's arithmetic.
//!
//! Each line of the vectors has an encoding, the assembly that it is of, and its meaning as one
//! reads it from the assembly, in the notation of [`Notation`]: `load 16 [sp-16]`, `cisw x3`,
//! `sysreg 3,0,1,0,0 x5`, or `-` for what does not matter to caches.

use proptest::prelude::*;
use setway_architecture::decode::{
    Address, Instruction, Offset, Shift, State, SystemRegister, a32, a64, t32,
};

#[path = "decode/notation.rs"]
mod notation;

use notation::Notation;

/// Checks every line of `vectors`, and that there are at least `count`.
fn check(vectors: &str, count: usize, aarch64: bool, decode: impl Fn(&str) -> Instruction) {
    let lines: Vec<_> = vectors
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let wrong: Vec<_> = lines
        .iter()
        .filter_map(|line| {
            let [encoding, assembly, expected] = line.split(" ; ").collect::<Vec<_>>()[..] else {
                return Some(format!("not a vector: {line}"));
            };
            let notation = Notation {
                instruction: decode(encoding),
                aarch64,
            }
            .to_string();
            (notation != expected).then(|| {
                format!("{encoding}: {assembly}: expected `{expected}`, decoded `{notation}`")
            })
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(lines.len() >= count, "only {} vectors", lines.len());
}

fn word(encoding: &str) -> u32 {
    u32::from_str_radix(encoding, 16).unwrap()
}

#[test]
fn a64_vectors() {
    check(include_str!("decode/a64.txt"), 440, true, |encoding| {
        a64(word(encoding))
    });
}

#[test]
fn a32_vectors() {
    check(include_str!("decode/a32.txt"), 380, false, |encoding| {
        a32(word(encoding))
    });
}

#[test]
fn t32_vectors() {
    check(include_str!("decode/t32.txt"), 290, false, |encoding| {
        let halfwords: Vec<_> = encoding
            .split(' ')
            .map(|halfword| u16::from_str_radix(halfword, 16).unwrap())
            .collect();
        match halfwords[..] {
            [first, second] => t32(first, second),
            // What follows a 16-bit instruction must not matter.
            [first] => {
                assert_eq!(t32(first, 0), t32(first, 0xffff));
                t32(first, 0)
            }
            _ => panic!("not an instruction: {encoding}"),
        }
    });
}

/// A32 decodes alike whatever the condition is.
#[test]
fn conditions_do_not_matter() {
    for word in [
        0x0591_0fff,
        0x0e07_1f36,
        0x0140_0070,
        0x092d_41f0,
        0x0d91_0a00,
    ] {
        let expected = a32(word);
        assert_ne!(expected, Instruction::Other);
        for condition in 1..0xf {
            assert_eq!(a32(condition << 28 | word), expected);
        }
    }
}

/// Encodings that look like a neighbour but are unallocated, UNDEFINED, or UNPREDICTABLE.
#[test]
fn not_instructions() {
    let others = [
        // A word sign-extended to 32 bits; size 1 with SIMD&FP's opc 2; a pair with opc 3
        a64(0xb8c0_0000),
        a64(0x7c80_0000),
        a64(0xa840_0000 | 1 << 30),
        // CAS and CASP with Rt2 other than 31
        a64(0xc8a0_0041),
        a64(0x0820_0082),
        // Register offset with option 0; ST1R; LD2 with 1D
        a64(0xf862_0820),
        a64(0x0d00_c020),
        a64(0x0c40_8c20),
        // LDM and VLDM of nothing; PUSH and POP of nothing
        a32(0xe890_0000),
        a32(0xec90_0b00),
        a32(0xec90_0b01),
        t32(0xb400, 0),
        t32(0xbc00, 0),
        t32(0xe890, 0),
        // VLDM of 17 D and of 33 S registers
        a32(0xec90_0b22),
        a32(0xec90_0a21),
        // An index of r15
        a32(0xe791_000f),
        t32(0xf851, 0x000f),
        // VLD2.64; VST1 to all lanes
        a32(0xf422_08c0),
        t32(0xf982, 0x0c00),
        // A store to a literal; LDR with P and W clear
        t32(0xf84f, 0x1c04),
        t32(0xf851, 0x0804),
        t32(0xf851, 0x0a04),
    ];
    for (i, other) in others.into_iter().enumerate() {
        assert_eq!(other, Instruction::Other, "number {i}");
    }
}

/// Any word at all, and more often than chance has it one of the encodings that matter.
fn any_word() -> impl Strategy<Value = u32> {
    let masked = (
        any::<u32>(),
        prop::sample::select(vec![
            0x0800_0000,
            0x0c00_0000,
            0x0d00_0000,
            0x1800_0000,
            0x1900_0000,
            0x2800_0000,
            0x3800_0000,
            0xd500_0000,
            0xe000_0000,
            0xe800_0000,
            0xe900_0000,
            0xec00_0000,
            0xed00_0000,
            0xee00_0000,
            0xf400_0000,
            0xf800_0000,
            0xf900_0000,
        ]),
    );
    prop_oneof![
        any::<u32>(),
        masked.prop_map(|(word, class)| word & 0x00ff_ffff | class),
    ]
}

/// What any instruction must be.
fn check_bounds(instruction: Instruction, aarch64: bool) -> Result<(), TestCaseError> {
    let last = if aarch64 { 31 } else { 14 };
    match instruction {
        Instruction::Memory(access) => {
            prop_assert!((1..=256).contains(&access.len));
            prop_assert!(access.load || access.store);
            prop_assert!(access.atomic || !(access.load && access.store));
            let state = State {
                pc: 0,
                aarch64,
                carry: false,
            };
            let mut asked = Vec::new();
            let address = access.address.of(state, |register| {
                asked.push(register);
                u64::MAX
            });
            prop_assert!(asked.iter().all(|&register| register <= last));
            prop_assert!(aarch64 || address <= u64::from(u32::MAX));
        }
        Instruction::ByVa { rt, .. } | Instruction::SetWay { rt, .. } => prop_assert!(rt <= last),
        Instruction::SystemWrite(SystemRegister { rt, rt2, .. }) => {
            prop_assert!(rt <= last);
            prop_assert!(rt2 <= last || rt2 == 31);
        }
        _ => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn any_a64_is_within_bounds(word in any_word()) {
        check_bounds(a64(word), true)?;
    }

    #[test]
    fn any_a32_is_within_bounds(word in any_word()) {
        check_bounds(a32(word), false)?;
    }

    #[test]
    fn any_t32_is_within_bounds(word in any_word()) {
        check_bounds(t32((word >> 16) as u16, word as u16), false)?;
    }
}

const A64: State = State {
    pc: 0x1_0000_0006,
    aarch64: true,
    carry: false,
};

const AARCH32: State = State {
    pc: 0x8006,
    aarch64: false,
    carry: false,
};

/// The address of an access to 1 plus an index in register 2.
fn address_of(state: State, base: u64, index: u64, shift: Shift, subtract: bool) -> u64 {
    let offset = Offset::Register {
        index: 2,
        shift,
        subtract,
    };
    Address::Base { base: 1, offset }.of(state, |register| match register {
        1 => base,
        2 => index,
        other => panic!("register {other} was asked for"),
    })
}

#[test]
fn literals_are_relative_to_the_instruction() {
    let of = |offset, aligned, state| {
        Address::Literal { offset, aligned }.of(state, |register| {
            panic!("register {register} was asked for")
        })
    };
    assert_eq!(of(16, false, A64), 0x1_0000_0016);
    assert_eq!(of(16, true, AARCH32), 0x8014);
    assert_eq!(of(-0x8008, true, AARCH32), 0xffff_fffc);
    let last = State {
        pc: u64::MAX - 3,
        ..A64
    };
    assert_eq!(of(8, false, last), 4);
}

#[test]
fn immediates_wrap_at_the_width_of_the_state() {
    let of = |state, base, offset| {
        let offset = Offset::Immediate(offset);
        Address::Base { base: 1, offset }.of(state, |_| base)
    };
    assert_eq!(of(A64, 0xffff_ffff, 1), 0x1_0000_0000);
    assert_eq!(of(A64, u64::MAX, 1), 0);
    assert_eq!(of(A64, 0, -256), u64::MAX - 255);
    assert_eq!(of(AARCH32, 0xffff_ffff, 1), 0);
    assert_eq!(of(AARCH32, 0, -4), 0xffff_fffc);
}

#[test]
fn register_31_is_sp_as_base_and_zero_as_index() {
    let offset = Offset::Register {
        index: 31,
        shift: Shift::Left(3),
        subtract: false,
    };
    let mut asked = Vec::new();
    let address = Address::Base { base: 31, offset }.of(A64, |register| {
        asked.push(register);
        0x1000
    });
    assert_eq!((address, asked), (0x1000, vec![31]));
}

#[test]
fn indices_are_extended_and_shifted() {
    let index = 0xffff_ffff_8000_0001;
    let a64 = |shift| address_of(A64, 0x1000, index, shift, false);
    assert_eq!(a64(Shift::Left(0)), 0xffff_ffff_8000_1001);
    assert_eq!(a64(Shift::Left(4)), 0xffff_fff8_0000_1010);
    assert_eq!(a64(Shift::UnsignedWord(0)), 0x8000_1001);
    assert_eq!(a64(Shift::UnsignedWord(3)), 0x4_0000_1008);
    assert_eq!(a64(Shift::SignedWord(0)), 0xffff_ffff_8000_1001);
    assert_eq!(a64(Shift::SignedWord(3)), 0xffff_fffc_0000_1008);
}

#[test]
fn aarch32_shifts_are_of_32_bits() {
    // What is above a 32-bit register must not come down.
    let index = 0xdead_beef_8000_0003;
    let of = |shift| address_of(AARCH32, 0, index, shift, false);
    assert_eq!(of(Shift::Left(0)), 0x8000_0003);
    assert_eq!(of(Shift::Left(31)), 0x8000_0000);
    assert_eq!(of(Shift::Right(1)), 0x4000_0001);
    assert_eq!(of(Shift::Right(32)), 0);
    assert_eq!(of(Shift::ArithmeticRight(1)), 0xc000_0001);
    assert_eq!(of(Shift::ArithmeticRight(32)), 0xffff_ffff);
    assert_eq!(of(Shift::Rotate(1)), 0xc000_0001);
    assert_eq!(of(Shift::Rotate(31)), 0x0000_0007);
    assert_eq!(of(Shift::RotateThroughCarry), 0x4000_0001);
    let carry = State {
        carry: true,
        ..AARCH32
    };
    assert_eq!(
        address_of(carry, 0, index, Shift::RotateThroughCarry, false),
        0xc000_0001
    );
}

proptest! {
    #[test]
    fn what_is_added_can_be_subtracted(base: u32, index: u32, n in 0u8..32) {
        let offset = address_of(AARCH32, 0, index.into(), Shift::Left(n), false);
        let up = address_of(AARCH32, base.into(), index.into(), Shift::Left(n), false);
        let down = address_of(AARCH32, base.into(), index.into(), Shift::Left(n), true);
        prop_assert_eq!(offset as u32, index << n);
        prop_assert_eq!(up as u32, base.wrapping_add(index << n));
        prop_assert_eq!(down as u32, base.wrapping_sub(index << n));
        prop_assert!(up >> 32 == 0 && down >> 32 == 0);
    }

    #[test]
    fn right_shifts_are_the_manuals(index: u32, n in 1u8..32) {
        let of = |shift| address_of(AARCH32, 0, index.into(), shift, false) as u32;
        prop_assert_eq!(of(Shift::Right(n)), index >> n);
        prop_assert_eq!(of(Shift::ArithmeticRight(n)), (index as i32 >> n) as u32);
        prop_assert_eq!(of(Shift::Rotate(n)), index.rotate_right(n.into()));
    }

    #[test]
    fn extends_are_the_manuals(base: u64, index: u64, n in 0u8..5) {
        let of = |shift| address_of(A64, base, index, shift, false);
        let unsigned = index & 0xffff_ffff;
        let signed = (unsigned ^ 0x8000_0000).wrapping_sub(0x8000_0000);
        prop_assert_eq!(of(Shift::Left(n)), base.wrapping_add(index << n));
        prop_assert_eq!(of(Shift::UnsignedWord(n)), base.wrapping_add(unsigned << n));
        prop_assert_eq!(of(Shift::SignedWord(n)), base.wrapping_add(signed << n));
    }
}
