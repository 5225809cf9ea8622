//! Memory attributes: the architecture's many ways of writing them down, and what becomes of them when
//! two stages and the cache enable bits have had their say.
//!
//! Reserved and IMPLEMENTATION DEFINED encodings are Non-cacheable, except in MAIR.

use super::{Purpose, bits};
use Memory::*;

/// What memory is as far as caches care, from the weakest type to the strongest.
///
/// Where inner and outer cacheability differ, the inner one counts, unless that is Non-cacheable: so
/// memory is cacheable if it is for either. Transient hints and tags make no difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Memory {
    /// Device memory of any kind.
    Device,
    /// Normal, Non-cacheable.
    NonCacheable,
    /// Normal, Write-Through.
    WriteThrough,
    /// Normal, Write-Back.
    WriteBack,
}

impl Memory {
    /// Whether a cache may hold it.
    pub fn is_cacheable(self) -> bool {
        matches!(self, WriteThrough | WriteBack)
    }
}

/// Attributes as the stages hand them on: inner and outer apart, and both `Device` if either is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    inner: Memory,
    outer: Memory,
}

/// IRGN, ORGN and RGN, and the fields like them in NMRR and in TEX, C and B: DecodeSDFAttr().
const REGION: [Memory; 4] = [NonCacheable, WriteBack, WriteThrough, WriteBack];

/// Half a byte of MAIR, where it means Normal memory: DecodeLDFAttr().
#[rustfmt::skip]
const MAIR_HALF: [Memory; 16] = [
    NonCacheable, WriteThrough, WriteThrough, WriteThrough,
    NonCacheable, WriteBack, WriteBack, WriteBack,
    WriteThrough, WriteThrough, WriteThrough, WriteThrough,
    WriteBack, WriteBack, WriteBack, WriteBack,
];

/// TEX\[1:0\], C and B with TEX\[2\] clear: AArch32.DefaultTEXDecode().
#[rustfmt::skip]
const TEX_C_B: [Memory; 16] = [
    Device, Device, WriteThrough, WriteBack,
    NonCacheable, NonCacheable, NonCacheable, WriteBack,
    Device, NonCacheable, NonCacheable, NonCacheable,
    NonCacheable, NonCacheable, NonCacheable, NonCacheable,
];

/// Half of stage 2's MemAttr, where it means Normal memory: S2DecodeCacheability().
const MEM_ATTR_HALF: [Memory; 4] = [NonCacheable, NonCacheable, WriteThrough, WriteBack];

impl Attributes {
    pub const DEVICE: Self = Self::both(Device);
    pub const NON_CACHEABLE: Self = Self::both(NonCacheable);
    pub const WRITE_THROUGH: Self = Self::both(WriteThrough);
    pub const WRITE_BACK: Self = Self::both(WriteBack);

    const fn both(memory: Memory) -> Self {
        Self {
            inner: memory,
            outer: memory,
        }
    }

    /// Of IRGN and ORGN, or fields like them.
    pub fn of_regions(inner: u64, outer: u64) -> Self {
        Self {
            inner: REGION[inner as usize & 3],
            outer: REGION[outer as usize & 3],
        }
    }

    /// Of byte `index` of MAIR (S1DecodeMemAttrs()). A byte that ends in 0 is either reserved or a
    /// variant of both its halves being like the upper one: Tagged, or with FEAT_XS's XS clear.
    pub fn of_mair(mair: u64, index: u64) -> Self {
        let byte = mair >> (index * 8) & 0xff;
        match (byte >> 4, byte & 0xf) {
            (0, _) => Self::DEVICE,
            (outer, 0) => Self::both(MAIR_HALF[outer as usize]),
            (outer, inner) => Self {
                inner: MAIR_HALF[inner as usize],
                outer: MAIR_HALF[outer as usize],
            },
        }
    }

    /// Of TEX:C:B by the fixed table, with SCTLR.TRE clear.
    pub fn of_tex(tex_c_b: u64) -> Self {
        if tex_c_b & 0b10000 == 0 {
            Self::both(TEX_C_B[tex_c_b as usize & 0xf])
        } else {
            Self::of_regions(tex_c_b, tex_c_b >> 2)
        }
    }

    /// Of TEX:C:B by PRRR and NMRR, with SCTLR.TRE set (AArch32.RemappedTEXDecode()).
    pub fn of_remapped_tex(tex_c_b: u64, prrr: u64, nmrr: u64) -> Self {
        let n = tex_c_b & 0b111;
        let field = |register: u64, low| register >> (low + 2 * n) & 0b11;
        match (n, field(prrr, 0)) {
            (6, _) | (_, 0b11) => Self::NON_CACHEABLE,
            (_, 0b10) => Self::of_regions(field(nmrr, 0), field(nmrr, 16)),
            _ => Self::DEVICE,
        }
    }

    /// Of MemAttr\[3:0\] of a stage 2 descriptor with HCR_EL2.FWB clear (S2DecodeMemAttrs()).
    pub fn of_mem_attr(mem_attr: u64) -> Self {
        match (bits(mem_attr, 3, 2), bits(mem_attr, 1, 0)) {
            (0, _) => Self::DEVICE,
            (outer, inner) => Self {
                inner: MEM_ATTR_HALF[inner as usize],
                outer: MEM_ATTR_HALF[outer as usize],
            },
        }
    }

    /// What MemAttr\[2:0\] of a stage 2 descriptor makes of stage 1's attributes with HCR_EL2.FWB set
    /// (AArch64.S2ApplyFWBMemAttrs()).
    pub fn forced(self, mem_attr: u64) -> Self {
        match mem_attr & 0b111 {
            0b111 => self,
            0b110 => Self::WRITE_BACK,
            0b101 | 0b100 => self.combined(Self::NON_CACHEABLE),
            _ => Self::DEVICE,
        }
    }

    /// The weaker of two (S2CombineS1MemAttrs()).
    pub fn combined(self, other: Self) -> Self {
        Self {
            inner: self.inner.min(other.inner),
            outer: self.outer.min(other.outer),
        }
    }

    /// What an access for `purpose` sees, the bit that lets it be cached being set or not. Only data
    /// accesses are ever made to Device memory as such; the rest go there as if to Non-cacheable memory,
    /// unless they fault.
    pub fn seen_by(self, purpose: Purpose, cached: bool) -> Self {
        match (self == Self::DEVICE, purpose) {
            (true, Purpose::Data) => self,
            (false, _) if cached => self,
            _ => Self::NON_CACHEABLE,
        }
    }

    /// Inner and outer made one.
    pub fn memory(self) -> Memory {
        match self.inner {
            NonCacheable => self.outer,
            inner => inner,
        }
    }
}
