//! Attributes by the manual's tables, written out by hand.

use crate::machine::*;
use setway_architecture::translate::Memory::{self, *};

/// The order of the matrices below.
const STAGE1: [(u64, Memory); 4] = [
    (0x00, Device),
    (0x44, NonCacheable),
    (0xbb, WriteThrough),
    (0xff, WriteBack),
];

#[test]
fn only_write_through_and_write_back_are_cacheable() {
    let cacheable = STAGE1.map(|(_, memory)| memory.is_cacheable());
    assert_eq!(cacheable, [false, false, true, true]);
}

/// MAIR_EL1, Attr<n>: "oooo" is outer, "iiii" inner.
#[test]
fn mair() {
    #[rustfmt::skip]
    const BYTES: [(u64, Memory); 38] = [
        // Device-nGnRnE, nGnRE, nGRE, GRE; the same with XS clear.
        (0x00, Device), (0x04, Device), (0x08, Device), (0x0c, Device),
        (0x01, Device), (0x05, Device), (0x09, Device), (0x0d, Device),
        // Non-cacheable; the same with XS clear.
        (0x44, NonCacheable), (0x40, NonCacheable),
        // Write-Through Transient; Write-Through; the same with XS clear.
        (0x11, WriteThrough), (0x22, WriteThrough), (0x33, WriteThrough),
        (0x88, WriteThrough), (0x99, WriteThrough), (0xaa, WriteThrough), (0xbb, WriteThrough),
        (0xa0, WriteThrough),
        // Write-Back Transient; Write-Back; Tagged.
        (0x55, WriteBack), (0x66, WriteBack), (0x77, WriteBack),
        (0xcc, WriteBack), (0xdd, WriteBack), (0xee, WriteBack), (0xff, WriteBack),
        (0xf0, WriteBack),
        // Outer and inner differ: the inner one counts, unless it is Non-cacheable.
        (0x4f, WriteBack), (0x4b, WriteThrough), (0x43, WriteThrough), (0x45, WriteBack),
        (0xf4, WriteBack), (0xb4, WriteThrough), (0x34, WriteThrough), (0x54, WriteBack),
        (0xfb, WriteThrough), (0xf8, WriteThrough), (0xbf, WriteBack), (0x1c, WriteBack),
    ];
    for (byte, memory) in BYTES {
        for index in 0..8 {
            // Every other byte says something else.
            let others: u64 = if memory == Device { !0 } else { 0 };
            let mair = others & !(0xff << (8 * index)) | byte << (8 * index);
            let machines = [
                Machine::aarch64(1, mair),
                Machine::aarch64(2, mair),
                Machine::long(mair),
            ];
            for mut machine in machines {
                machine.stage1 |= index << 2;
                assert_eq!(machine.data(), memory, "{byte:#x} at {index}");
            }
        }
    }
}

/// "TEX, C, and B encodings when TRE == 0". What is reserved or IMPLEMENTATION DEFINED is
/// Non-cacheable here.
#[rustfmt::skip]
const TEX_C_B: [Memory; 32] = [
    // 0b000: Strongly-ordered, Device, Write-Through, Write-Back.
    Device, Device, WriteThrough, WriteBack,
    // 0b001: Non-cacheable, reserved, IMPLEMENTATION DEFINED, Write-Back Write-Allocate.
    NonCacheable, NonCacheable, NonCacheable, WriteBack,
    // 0b010: Device, and reserved.
    Device, NonCacheable, NonCacheable, NonCacheable,
    // 0b011: reserved.
    NonCacheable, NonCacheable, NonCacheable, NonCacheable,
    // 0b100: outer Non-cacheable, and inner Non-cacheable, Write-Back, Write-Through, Write-Back.
    NonCacheable, WriteBack, WriteThrough, WriteBack,
    // 0b101: outer Write-Back.
    WriteBack, WriteBack, WriteThrough, WriteBack,
    // 0b110: outer Write-Through.
    WriteThrough, WriteBack, WriteThrough, WriteBack,
    // 0b111: outer Write-Back.
    WriteBack, WriteBack, WriteThrough, WriteBack,
];

#[test]
fn tex_c_b() {
    for (tex_c_b, memory) in (0..).zip(TEX_C_B) {
        let machine = Machine::short(tex_c_b);
        assert_eq!(machine.data(), memory, "{tex_c_b:#07b}");
        // A supersection keeps them where a section does.
        let supersection = Machine {
            stage1: machine.stage1 | 1 << 18,
            ..machine
        };
        assert_eq!(supersection.data(), memory, "{tex_c_b:#07b}");
    }
}

/// PRRR and NMRR: which memory each value of TEX\[0\]:C:B is of.
#[test]
fn remapped_tex_c_b() {
    for tex_c_b in 0..32u64 {
        let n = tex_c_b & 0b111;
        let seen = |tr: u64, ir: u64, or: u64| {
            // Every other field says something else.
            let field = |value: u64, shift: u64| {
                let others = 0x5555 * (3 - value);
                (others & !(0b11 << (2 * n)) | value << (2 * n)) << shift
            };
            let machine = Machine::short(tex_c_b).with(|registers| {
                registers.sctlr_el1 |= TRE;
                registers.mair_el1 = field(tr, 0) | field(ir, 32) | field(or, 48);
            });
            machine.data()
        };
        let expect = |memory| if n == 6 { NonCacheable } else { memory };
        // TR: Strongly-ordered, Device; Normal is below; reserved.
        assert_eq!(seen(0b00, 0b01, 0b01), expect(Device));
        assert_eq!(seen(0b01, 0b01, 0b01), expect(Device));
        assert_eq!(seen(0b11, 0b01, 0b01), NonCacheable);
        // IR, with OR Non-cacheable.
        assert_eq!(seen(0b10, 0b00, 0b00), NonCacheable);
        assert_eq!(seen(0b10, 0b01, 0b00), expect(WriteBack));
        assert_eq!(seen(0b10, 0b10, 0b00), expect(WriteThrough));
        assert_eq!(seen(0b10, 0b11, 0b00), expect(WriteBack));
        // OR, with IR Non-cacheable.
        assert_eq!(seen(0b10, 0b00, 0b01), expect(WriteBack));
        assert_eq!(seen(0b10, 0b00, 0b10), expect(WriteThrough));
        assert_eq!(seen(0b10, 0b00, 0b11), expect(WriteBack));
    }
}

/// Stage 2 descriptor, MemAttr\[3:0\] with FWB clear, by stage 1.
#[rustfmt::skip]
const MEM_ATTR: [[Memory; 4]; 16] = [
    // 0b00xx: Device.
    [Device; 4], [Device; 4], [Device; 4], [Device; 4],
    // 0b01xx: outer Non-cacheable, and inner reserved, Non-cacheable, Write-Through, Write-Back.
    [Device, NonCacheable, NonCacheable, NonCacheable],
    [Device, NonCacheable, NonCacheable, NonCacheable],
    [Device, NonCacheable, WriteThrough, WriteThrough],
    [Device, NonCacheable, WriteThrough, WriteBack],
    // 0b10xx: outer Write-Through.
    [Device, NonCacheable, WriteThrough, WriteThrough],
    [Device, NonCacheable, WriteThrough, WriteThrough],
    [Device, NonCacheable, WriteThrough, WriteThrough],
    [Device, NonCacheable, WriteThrough, WriteBack],
    // 0b11xx: outer Write-Back.
    [Device, NonCacheable, WriteThrough, WriteBack],
    [Device, NonCacheable, WriteThrough, WriteBack],
    [Device, NonCacheable, WriteThrough, WriteThrough],
    [Device, NonCacheable, WriteThrough, WriteBack],
];

/// The same with FWB set.
#[rustfmt::skip]
const FORCED: [[Memory; 4]; 8] = [
    // 0b0xx: Device.
    [Device; 4], [Device; 4], [Device; 4], [Device; 4],
    // 0b100: reserved. 0b101: Non-cacheable, or stage 1's Device.
    [Device, NonCacheable, NonCacheable, NonCacheable],
    [Device, NonCacheable, NonCacheable, NonCacheable],
    // 0b110: Write-Back. 0b111: stage 1's.
    [WriteBack; 4],
    [Device, NonCacheable, WriteThrough, WriteBack],
];

#[test]
fn combined() {
    for (mem_attr, row) in (0..).zip(MEM_ATTR) {
        for ((mair, _), memory) in STAGE1.into_iter().zip(row) {
            for machine in [Machine::aarch64(1, mair), Machine::long(mair)] {
                let machine = machine.nested(mem_attr);
                assert_eq!(machine.data(), memory, "{mair:#x}, {mem_attr:#06b}");
                // What is Device on the way to a fetch is Non-cacheable.
                assert_eq!(machine.fetch(), memory.max(NonCacheable));
            }
        }
    }
}

#[test]
fn forced() {
    for mem_attr in 0..16u64 {
        // MemAttr[3] is about tags only.
        let row = FORCED[mem_attr as usize & 0b111];
        for ((mair, _), memory) in STAGE1.into_iter().zip(row) {
            for machine in [Machine::aarch64(1, mair), Machine::long(mair)] {
                let machine = machine
                    .nested(mem_attr)
                    .with(|registers| registers.hcr_el2 |= FWB);
                assert_eq!(machine.data(), memory, "{mair:#x}, {mem_attr:#06b}");
            }
        }
    }
}

/// Inner and outer are combined apart: what is cacheable for neither after both stages is not.
#[test]
fn inner_and_outer_apart() {
    // Inner Write-Back and outer Non-cacheable, then the other way round.
    let machine = Machine::aarch64(1, 0x4f).nested(0b1101);
    assert_eq!(machine.data(), NonCacheable);
    let machine = Machine::aarch64(1, 0xf4).nested(0b0111);
    assert_eq!(machine.data(), NonCacheable);
    let machine = Machine::aarch64(1, 0xf4).nested(0b1101);
    assert_eq!(machine.data(), WriteBack);
    // Tagged is Write-Back for both, XS-clear Write-Through for both.
    let machine = Machine::aarch64(1, 0xf0).nested(0b0111);
    assert_eq!(machine.data(), WriteBack);
    let machine = Machine::aarch64(1, 0xa0).nested(0b0111);
    assert_eq!(machine.data(), WriteThrough);
}
