//! The tables and functions against the manual and against encodings that an assembler produced.
use proptest::prelude::*;
use setway_architecture::{
    registers::Sctlr,
    trap::{
        aarch32::{self, psr},
        abort::Abort,
        entry::{Cause, Features},
        esr::Esr,
        sysreg::{self, Key, Part},
        undef,
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

/// An exception caused at `pc` with `spsr`, where vectors are at `vbar`.
fn cause(pc: u64, spsr: u64, vbar: u64, sctlr: u64) -> Cause {
    Cause {
        pc,
        spsr,
        vbar,
        sctlr: Sctlr::from_bits_retain(sctlr),
        features: Features::default(),
    }
}

#[test]
fn undef_aarch64() {
    let entry = |spsr| undef::aarch64(&cause(0x8_0000, spsr, 0x10_0000, 0));
    for (spsr, vector) in [(0b0101, 0x200), (0b0100, 0), (0b0000, 0x400), (0x10, 0x600)] {
        assert_eq!(entry(spsr).pc, 0x10_0000 + vector);
    }
    let taken = entry(0b0101 | 1 << 30 | 1 << 21);
    assert_eq!(taken.pstate, 0b0101 | 0xf << 6 | 1 << 30);
    assert_eq!((taken.elr_el1, taken.esr_el1), (0x8_0000, 1 << 25));
    assert_eq!(taken.spsr_el1, 0b0101 | 1 << 30 | 1 << 21);
    let with_all = |sctlr| {
        let features = Features {
            pan: true,
            ssbs: true,
            mte: true,
            nmi: true,
        };
        undef::aarch64(&Cause {
            features,
            ..cause(0, 0b0101, 0, sctlr)
        })
    };
    let always = 0b0101 | 0xf << 6 | 1 << 25;
    assert_eq!(
        with_all(1 << 44).pstate,
        always | 1 << 22 | 1 << 12 | 1 << 13
    );
    assert_eq!(with_all(1 << 23 | 1 << 62).pstate, always);
}

#[test]
fn undef_aarch32() {
    let svc = 0x13 | psr::FLAGS;
    let entry = |spsr, sctlr| undef::aarch32(&cause(0x8000, spsr, 0x4_0000, sctlr));
    let taken = entry(svc, 0);
    assert_eq!((taken.pc, taken.lr, taken.spsr), (0x4_0004, 0x8004, svc));
    assert_eq!(taken.cpsr, 0x1b | psr::I | psr::FLAGS);
    // From T32 in an IT block: LR is 2 on, IT is cleared, T comes from SCTLR.TE.
    let thumb = aarch32::with_itstate(svc | psr::T, 0x0b);
    assert_eq!(entry(thumb, 0).lr, 0x8002);
    assert_eq!(entry(thumb, 0).cpsr, 0x1b | psr::I | psr::FLAGS);
    assert_eq!(
        entry(thumb, 1 << 30).cpsr,
        0x1b | psr::I | psr::FLAGS | psr::T
    );
    // Hivecs, and big-endian exceptions.
    assert_eq!(entry(svc, 1 << 13).pc, 0xffff_0004);
    assert_eq!(entry(svc, 1 << 25).cpsr & psr::E, psr::E);
    // DIT moves from bit 24 to bit 21, where SS stood.
    assert_eq!(entry(svc | psr::DIT | psr::SS, 0).spsr, svc | 1 << 21);
    // What is illegal is over.
    assert_eq!(entry(svc | psr::IL, 0).cpsr & psr::IL, 0);
}

/// ESR_EL2 of a stage 2 abort: a fetch or a data access, with more of the ISS.
const FETCH: u32 = 0x20 << 26 | 1 << 25;
const ACCESS: u32 = 0x24 << 26 | 1 << 25;

#[test]
fn aborts_aarch64() {
    let at = |spsr| cause(0x8_0000, spsr, 0x10_0000, 0);
    let esr = |esr, level, spsr| Abort::of(Esr(esr), level).aarch64(&at(spsr)).esr_el1;
    let (el1, el0) = (0b0101, 0);
    // What a bare Cortex-A57 reports of a branch to nothing, of a load from it and of a walk that leads there.
    assert_eq!(esr(FETCH | 0x0e, 0, el1), 0x8600_0010);
    assert_eq!(esr(ACCESS | 0x06, 0, el1), 0x9600_0010);
    assert_eq!(esr(ACCESS | 1 << 7 | 0x06, 1, el1), 0x9600_0015);
    // From EL0, from AArch32 at EL0, of a store, of maintenance, and of an address that is not aligned.
    assert_eq!(esr(FETCH | 0x0e, 0, el0), 0x8200_0010);
    assert_eq!(esr(ACCESS | 0x06, 0, 0x10), 0x9200_0010);
    assert_eq!(esr(ACCESS | 1 << 6 | 0x06, 0, el1), 0x9600_0050);
    assert_eq!(esr(ACCESS | 1 << 8 | 1 << 6 | 0x06, 0, el1), 0x9600_0150);
    assert_eq!(esr(ACCESS | 0x21, 0, el1), 0x9600_0021);
    // What the syndrome says of the operands is stage 2's alone.
    assert_eq!(esr(ACCESS | 0x1ff << 15 | 0x06, 0, el1), 0x9600_0010);
    let taken = Abort::of(Esr(FETCH | 0x0e), 0).aarch64(&at(el1 | psr::SS));
    assert_eq!((taken.pc, taken.elr_el1), (0x10_0200, 0x8_0000));
    assert_eq!((taken.spsr_el1, taken.pstate), (el1 | psr::SS, 0x3c5));
}

#[test]
fn aborts_aarch32() {
    let at = |t32: u64| cause(0x8000, 0x10 | t32, 0x4_0000, 0);
    let fetch = Abort::of(Esr(FETCH | 0x0e), 0);
    let store = Abort::of(Esr(ACCESS | 1 << 6 | 0x06), 0);
    for t32 in [0, psr::T] {
        let (fetch, store) = (fetch.aarch32(&at(t32)), store.aarch32(&at(t32)));
        assert_eq!((fetch.pc, fetch.lr), (0x4_000c, 0x8004));
        assert_eq!((store.pc, store.lr), (0x4_0010, 0x8008));
        assert_eq!(store.cpsr, 0x17 | psr::A | psr::I);
    }
    // Short descriptors, and long ones: external abort, on a walk of level 1, not aligned; a store is bit 11.
    let fsrs = |esr, level| {
        let abort = Abort::of(Esr(esr), level);
        (abort.fsr(false), abort.fsr(true))
    };
    assert_eq!(fsrs(FETCH | 0x0e, 0), (0x008, 0x210));
    assert_eq!(fsrs(ACCESS | 1 << 6 | 0x06, 0), (0x808, 0xa10));
    assert_eq!(fsrs(ACCESS | 1 << 7 | 0x06, 1), (0x00c, 0x215));
    assert_eq!(fsrs(ACCESS | 1 << 7 | 0x06, 2), (0x00e, 0x216));
    assert_eq!(fsrs(ACCESS | 0x21, 0), (0x001, 0x221));
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
