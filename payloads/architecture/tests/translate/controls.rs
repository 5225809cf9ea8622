//! What the bits of SCTLR_ELx, HCR_EL2 and TCR_ELx make of attributes, by hand from the manual.

use crate::machine::*;
use setway_architecture::translate::{
    Kind,
    Memory::{self, *},
};

/// SCTLR_ELx.M clear, or treated as 0 because of HCR_EL2.TGE or DC.
#[test]
fn stage1_off() {
    let off = |machine: &Machine, i, hcr| {
        let machine = machine.clone().with(|registers| {
            registers.sctlr_el1 = C | i;
            registers.sctlr_el2 = C | i;
            registers.hcr_el2 |= hcr;
        });
        assert_eq!(machine.at(Kind::Data, 0x1234).1.unwrap().pa, 0x1234);
        (machine.data(), machine.fetch())
    };
    for machine in Machine::all_of_el1() {
        assert_eq!(off(&machine, 0, 0), (Device, NonCacheable));
        assert_eq!(off(&machine, I, 0), (Device, WriteThrough));
        let dc = machine.clone().nested(0b1111);
        assert_eq!(off(&dc, 0, DC), (WriteBack, WriteBack));
        assert_eq!(off(&dc, I, DC), (WriteBack, WriteBack));

        let still = |hcr| machine.clone().with(|registers| registers.hcr_el2 = hcr);
        assert_eq!(still(TGE).data(), Device);
        assert_eq!(still(TGE).fetch(), WriteThrough);
    }
    let el2 = Machine::aarch64(2, 0xff);
    assert_eq!(off(&el2, 0, 0), (Device, NonCacheable));
    assert_eq!(off(&el2, I, 0), (Device, WriteThrough));
    // DC, TGE and VM are not for EL2.
    assert_eq!(off(&el2, 0, DC | VM), (Device, NonCacheable));
    let on = el2.with(|registers| registers.hcr_el2 = DC | TGE | VM | CD | ID);
    assert_eq!((on.data(), on.fetch()), (WriteBack, WriteBack));
}

/// DC also turns stage 2 on.
#[test]
fn default_cacheable_is_nested() {
    for machine in Machine::all_of_el1() {
        let machine = machine
            .nested(0b1010)
            .with(|registers| registers.hcr_el2 = DC);
        assert_eq!(machine.data(), WriteThrough);
        assert_eq!(machine.walks().len(), 1, "stage 2's descriptor alone");
    }
}

#[test]
fn sctlr_c_and_i() {
    let mut el2 = Machine::aarch64(2, 0xff);
    el2.registers.hcr_el2 = E2H;
    let machines = Machine::all_of_el1();
    for machine in machines.iter().chain([&el2, &Machine::aarch64(2, 0xff)]) {
        let with = |sctlr| {
            machine.clone().with(|registers| {
                registers.sctlr_el1 = M | sctlr;
                registers.sctlr_el2 = M | sctlr;
            })
        };
        let all = |machine: Machine| (machine.data(), machine.fetch(), machine.walks()[0]);
        assert_eq!(all(with(C | I)), (WriteBack, WriteBack, WriteBack));
        assert_eq!(all(with(C)), (WriteBack, NonCacheable, WriteBack));
        assert_eq!(all(with(I)), (NonCacheable, WriteBack, NonCacheable));
        assert_eq!(all(with(0)), (NonCacheable, NonCacheable, NonCacheable));
    }
}

/// Data accesses to Device memory stay what they are; fetches are Non-cacheable.
#[test]
fn device_memory() {
    let machines = [
        Machine::aarch64(1, 0x00),
        Machine::aarch64(2, 0x00),
        Machine::long(0x00),
        Machine::short(0b00000),
    ];
    for machine in machines {
        assert_eq!((machine.data(), machine.fetch()), (Device, NonCacheable));
        let off = machine.with(|registers| {
            registers.sctlr_el1 = M;
            registers.sctlr_el2 = M;
        });
        assert_eq!((off.data(), off.fetch()), (Device, NonCacheable));
    }
}

#[test]
fn hcr_cd_and_id() {
    for forced in [0, FWB] {
        for machine in Machine::all_of_el1() {
            let with = |hcr| {
                let nested = machine
                    .clone()
                    .nested(if forced == 0 { 0b1111 } else { 0b0110 });
                nested.with(|registers| registers.hcr_el2 |= forced | hcr)
            };
            let all = |machine: Machine| (machine.data(), machine.fetch(), machine.walks());
            let (on, off) = (vec![WriteBack; 2], vec![NonCacheable; 2]);
            assert_eq!(all(with(0)), (WriteBack, WriteBack, on.clone()));
            assert_eq!(all(with(ID)), (WriteBack, NonCacheable, on));
            assert_eq!(all(with(CD)), (NonCacheable, WriteBack, off.clone()));
            assert_eq!(all(with(CD | ID)), (NonCacheable, NonCacheable, off));
        }
        let device = Machine::aarch64(1, 0xff).nested(0b0000);
        let device = device.with(|registers| registers.hcr_el2 |= CD | forced);
        assert_eq!(device.data(), Device);
    }
    // Without stage 2 they say nothing.
    let alone = Machine::aarch64(1, 0xff).with(|registers| registers.hcr_el2 = CD | ID | FWB);
    assert_eq!((alone.data(), alone.fetch()), (WriteBack, WriteBack));
}

/// Stage 1's C and I are overruled by stage 2's forced Write-Back, but not by its unforced.
#[test]
fn forced_over_sctlr() {
    let unforced = Machine::aarch64(1, 0xff).nested(0b1111);
    let unforced = unforced.with(|registers| registers.sctlr_el1 = M);
    assert_eq!(
        (unforced.data(), unforced.fetch()),
        (NonCacheable, NonCacheable)
    );
    let forced = Machine {
        mem_attr: 0b0110,
        ..unforced
    }
    .with(|registers| registers.hcr_el2 |= FWB);
    assert_eq!((forced.data(), forced.fetch()), (WriteBack, WriteBack));
    assert_eq!(forced.walks(), [WriteBack, WriteBack]);
}

/// IRGN and ORGN, and RGN of short descriptors.
const REGION: [Memory; 4] = [NonCacheable, WriteBack, WriteThrough, WriteBack];

#[test]
fn how_tables_are_read() {
    for (value, memory) in (0..).zip(REGION) {
        // Inner alone, outer alone.
        for fields in [value, value << 2] {
            let set = |register: &mut u64, shift: u32| {
                *register = *register & !(0xf << shift) | fields << shift
            };
            let el1 = Machine::aarch64(1, 0xff).with(|registers| set(&mut registers.tcr_el1, 8));
            assert_eq!(el1.walks(), [memory]);
            let el2 = Machine::aarch64(2, 0xff).with(|registers| set(&mut registers.tcr_el2, 8));
            assert_eq!(el2.walks(), [memory]);
            let long = Machine::long(0xff).with(|registers| set(&mut registers.tcr_el1, 8));
            assert_eq!(long.walks(), [memory]);

            // The upper range, which is all there is.
            let mut upper = Machine::aarch64(1, 0xff);
            upper.registers.tcr_el1 = 1 << 7 | 25 << 16 | 0b10 << 30 | fields << 24;
            upper.registers.ttbr1_el1 = 0x4000;
            let (steps, _) = upper.at(Kind::Data, !0);
            assert_eq!(steps[0].memory, memory);

            let stage2 = Machine::aarch64(1, 0xff).nested(0b1111);
            let stage2 = stage2.with(|registers| set(&mut registers.vtcr_el2, 8));
            assert_eq!(stage2.walks(), [memory, WriteBack]);
        }
        // IRGN[0] is bit 6 of TTBR0, IRGN[1] is bit 0; RGN is where one expects it.
        let inner = (value & 1) << 6 | value >> 1;
        for fields in [inner, value << 3] {
            let short = Machine::short(0b00111);
            let short = short.with(|registers| registers.ttbr0_el1 = 0x4000 | fields);
            assert_eq!(short.walks(), [memory]);
        }
    }
}

/// Stage 1's tables are memory like any other to stage 2.
#[test]
fn how_tables_are_read_through_stage_2() {
    for (mem_attr, memory) in [
        (0b0000, NonCacheable),
        (0b0101, NonCacheable),
        (0b1010, WriteThrough),
        (0b1111, WriteBack),
    ] {
        for machine in Machine::all_of_el1() {
            assert_eq!(machine.nested(mem_attr).walks(), [WriteBack, memory]);
        }
    }
}

/// HCR_EL2.E2H and TGE: EL0 is EL2's, and has no stage 2.
#[test]
fn host() {
    let mut machine = Machine::aarch64(0, 0xff).nested(0b0000);
    machine.registers.mair_el1 = 0x44;
    assert_eq!(machine.data(), Device);
    machine.registers.hcr_el2 |= E2H;
    assert_eq!(machine.data(), Device);
    machine.registers.hcr_el2 |= TGE | DC;
    assert_eq!(machine.data(), WriteBack);
    machine.context.aarch64 = false;
    assert_eq!(machine.data(), WriteBack);
}

/// What is not covered is flat.
#[test]
fn el3_and_hyp() {
    let mut machine = Machine::aarch64(3, 0xff).nested(0b1111);
    for (el, aarch64) in [(3, true), (3, false), (2, false)] {
        (machine.context.el, machine.context.aarch64) = (el, aarch64);
        for kind in [Kind::Data, Kind::Fetch] {
            let (steps, result) = machine.at(kind, 0x1234_5678);
            let there = result.unwrap();
            assert!(steps.is_empty());
            assert_eq!((there.pa, there.memory), (0x1234_5678, NonCacheable));
            assert_eq!(there.span, 1 << 48);
        }
    }
}
