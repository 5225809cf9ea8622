//! The tables and functions against the manual and against encodings that an assembler produced.
use proptest::prelude::*;
use setway_architecture::{
    registers::Sctlr,
    trap::{
        aarch32::{self, psr},
        esr::Esr,
        sysreg::{self, Key, Part},
        undef::{self, Features},
    },
};

fn op_name(esr: u32) -> Option<&'static str> {
    sysreg::set_way_op(Key::of(Esr(esr))?).map(|i| sysreg::SET_WAY_OPS[i].name)
}

fn reg_name(esr: u32) -> Option<&'static str> {
    sysreg::vm_reg(Key::of(Esr(esr))?).map(|i| sysreg::VM_REGS[i].name)
}

/// ESR_EL2 values seen in QEMU's exception log.
#[test]
fn seen_in_qemu() {
    assert_eq!(op_name(0x6214_1c0c), Some("DC ISW"));
    assert_eq!(op_name(0x6214_1c14), Some("DC CSW"));
    assert_eq!(op_name(0x6214_1c1c), Some("DC CISW"));
    assert_eq!(op_name(0x0fe4_1c0c), Some("DCISW"));
    assert_eq!(op_name(0x0fe4_1c14), Some("DCCSW"));
    assert_eq!(op_name(0x0fe4_1c1c), Some("DCCISW"));
    assert_eq!(reg_name(0x13e0_0404), Some("TTBR0 (64-bit)"));
    assert_eq!(reg_name(0x13e1_0404), Some("TTBR1 (64-bit)"));
}

#[test]
fn no_two_rows_share_a_key() {
    let keys: Vec<_> = sysreg::SET_WAY_OPS
        .iter()
        .map(|op| op.key)
        .chain(sysreg::VM_REGS.iter().map(|reg| reg.key))
        .collect();
    for (i, key) in keys.iter().enumerate() {
        assert!(!keys[..i].contains(key), "{key:?}");
    }
}

#[test]
fn operands_do_not_change_the_register() {
    for reg in &sysreg::VM_REGS {
        for rt in 0..32 {
            for read in [false, true] {
                let esr = reg.key.to_esr(rt, read);
                assert_eq!(reg_name(esr.0), Some(reg.name));
                assert_eq!((esr.rt(), esr.is_read()), (rt as usize, read));
            }
        }
    }
}

#[test]
fn parts() {
    assert_eq!(
        Part::Low.insert(0x1111_1111_2222_2222, 0x3333_3333),
        0x1111_1111_3333_3333
    );
    assert_eq!(
        Part::High.insert(0x1111_1111_2222_2222, 0x3333_3333),
        0x3333_3333_2222_2222
    );
    assert_eq!(
        Part::Word.insert(0x1111_1111_2222_2222, 0x3333_3333),
        0x3333_3333
    );
    assert_eq!(
        Part::Whole.insert(7, 0x1111_1111_2222_2222),
        0x1111_1111_2222_2222
    );
}

/// The block that an IT instruction opens: its conditions, one by one.
fn block(mut it: u64) -> Vec<u64> {
    let mut conditions = Vec::new();
    while it != 0 {
        conditions.push(it >> 4);
        it = aarch32::it_advance(it);
    }
    conditions
}

#[test]
fn it_blocks() {
    // ITETE EQ: firstcond 0000, mask 1011 (e=1 t=0 e=1, then the stop bit).
    assert_eq!(block(0b0000_1011), [0, 1, 0, 1]);
    // ITT NE: firstcond 0001, mask 1100.
    assert_eq!(block(0b0001_1100), [1, 1]);
    // IT GT: firstcond 1100, mask 1000.
    assert_eq!(block(0b1100_1000), [12]);
    // ITTTT AL: firstcond 1110, mask 0001.
    assert_eq!(block(0b1110_0001), [14, 14, 14, 14]);
}

#[test]
fn conditions() {
    let flags = |nzcv: u64| nzcv << 28;
    /// Whether a condition holds for a value of NZCV.
    type Holds = fn(u64) -> bool;
    let table: [(u32, Holds); 16] = [
        (0, |f| f & 4 != 0),
        (1, |f| f & 4 == 0),
        (2, |f| f & 2 != 0),
        (3, |f| f & 2 == 0),
        (4, |f| f & 8 != 0),
        (5, |f| f & 8 == 0),
        (6, |f| f & 1 != 0),
        (7, |f| f & 1 == 0),
        (8, |f| f & 6 == 2),
        (9, |f| f & 6 != 2),
        (10, |f| (f >> 3) == (f & 1)),
        (11, |f| (f >> 3) != (f & 1)),
        (12, |f| f & 4 == 0 && (f >> 3) == (f & 1)),
        (13, |f| f & 4 != 0 || (f >> 3) != (f & 1)),
        (14, |_| true),
        (15, |_| true),
    ];
    for (cond, holds) in table {
        for nzcv in 0..16 {
            assert_eq!(
                aarch32::condition_holds(cond, flags(nzcv)),
                holds(nzcv),
                "{cond} {nzcv:04b}"
            );
        }
    }
}

#[test]
fn condition_comes_from_iss_or_itstate() {
    let z = 1 << 30 | psr::AARCH32;
    let eq = Esr(1 << 24);
    assert!(aarch32::passes(eq, z) && !aarch32::passes(eq, psr::AARCH32));
    // No CV: an IT block decides, and outside one nothing does.
    let in_it = aarch32::with_itstate(psr::AARCH32 | psr::T, 0b0000_1000);
    assert!(!aarch32::passes(Esr(0), in_it) && aarch32::passes(Esr(0), in_it | z));
    assert!(aarch32::passes(Esr(0), psr::AARCH32));
    // AArch64 has no conditional system instructions.
    assert!(aarch32::passes(eq, 0b0101));
}

proptest! {
    #[test]
    fn itstate_is_where_the_psr_has_it(spsr: u64, it in 0u64..256) {
        prop_assert_eq!(aarch32::itstate(aarch32::with_itstate(spsr, it)), it);
        let others = !(psr::IT_HIGH | psr::IT_LOW);
        prop_assert_eq!(aarch32::with_itstate(spsr, it) & others, spsr & others);
    }

    /// What executing an instruction leaves of PSTATE: all but SS, and BTYPE or ITSTATE.
    #[test]
    fn a_step_ends_software_step_btype_and_one_place_of_an_it_block(spsr: u64) {
        let after = aarch32::step(spsr);
        prop_assert_eq!(after & psr::SS, 0);
        let (changed, due) = if spsr & psr::AARCH32 == 0 {
            (psr::BTYPE, 0)
        } else {
            let it = aarch32::it_advance(aarch32::itstate(spsr));
            (psr::IT_HIGH | psr::IT_LOW, aarch32::with_itstate(0, it))
        };
        prop_assert_eq!(after & changed, due);
        let others = !(psr::SS | changed);
        prop_assert_eq!(after & others, spsr & others);
    }
}

#[test]
fn undef_aarch64() {
    let entry = |spsr| {
        undef::aarch64(
            0x8_0000,
            spsr,
            0x10_0000,
            Sctlr::empty(),
            Features::default(),
        )
    };
    for (spsr, vector) in [(0b0101, 0x200), (0b0100, 0), (0b0000, 0x400), (0x10, 0x600)] {
        assert_eq!(entry(spsr).pc, 0x10_0000 + vector);
    }
    let taken = entry(0b0101 | 1 << 30 | 1 << 21);
    assert_eq!(taken.pstate, 0b0101 | 0xf << 6 | 1 << 30);
    assert_eq!((taken.elr_el1, taken.esr_el1), (0x8_0000, 1 << 25));
    assert_eq!(taken.spsr_el1, 0b0101 | 1 << 30 | 1 << 21);
    let all = Features {
        pan: true,
        ssbs: true,
        mte: true,
    };
    let taken = undef::aarch64(0, 0b0101, 0, Sctlr::from_bits_retain(1 << 44), all);
    assert_eq!(
        taken.pstate,
        0b0101 | 0xf << 6 | 1 << 22 | 1 << 12 | 1 << 25
    );
    let taken = undef::aarch64(0, 0b0101, 0, Sctlr::from_bits_retain(1 << 23), all);
    assert_eq!(taken.pstate & (1 << 22 | 1 << 12), 0);
}

#[test]
fn undef_aarch32() {
    let svc = 0x13 | psr::FLAGS;
    let entry = |spsr, sctlr| {
        let sctlr = Sctlr::from_bits_retain(sctlr);
        undef::aarch32(0x8000, spsr, 0x4_0000, sctlr, Features::default())
    };
    let taken = entry(svc, 0);
    assert_eq!(
        (taken.pc, taken.lr_und, taken.spsr_und),
        (0x4_0004, 0x8004, svc)
    );
    assert_eq!(taken.cpsr, 0x1b | psr::I | psr::FLAGS);
    // From T32 in an IT block: LR is 2 on, IT is cleared, T comes from SCTLR.TE.
    let thumb = aarch32::with_itstate(svc | psr::T, 0x0b);
    assert_eq!(entry(thumb, 0).lr_und, 0x8002);
    assert_eq!(entry(thumb, 0).cpsr, 0x1b | psr::I | psr::FLAGS);
    assert_eq!(
        entry(thumb, 1 << 30).cpsr,
        0x1b | psr::I | psr::FLAGS | psr::T
    );
    // Hivecs, and big-endian exceptions.
    assert_eq!(entry(svc, 1 << 13).pc, 0xffff_0004);
    assert_eq!(entry(svc, 1 << 25).cpsr & psr::E, psr::E);
    // DIT moves from bit 24 to bit 21, where SS stood.
    assert_eq!(entry(svc | psr::DIT | psr::SS, 0).spsr_und, svc | 1 << 21);
}

/// The table without a search agrees with the search, for every syndrome that is like one of an op.
#[test]
fn ops_on_data_are_found_without_a_search() {
    let like = sysreg::SET_WAY_OPS
        .iter()
        .map(|op| op.key.to_esr(7, false).0);
    let near = like.flat_map(|esr| (0..32).map(move |bit| esr ^ 1 << bit).chain([esr]));
    let mut found = 0;
    for esr in near.map(Esr) {
        let searched = Key::of(esr).and_then(sysreg::set_way_op);
        let data = searched.filter(|op| !sysreg::SET_WAY_OPS[*op].tags && !esr.is_read());
        assert_eq!(sysreg::data_op(esr), data, "{:#x}", esr.0);
        found += usize::from(data.is_some());
    }
    assert!(found > 6 * 10, "{found}");
}
