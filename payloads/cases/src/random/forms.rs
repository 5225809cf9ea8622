//! The instructions that random programs access memory with.
//!
//! Each row of a table is both what the host has to know of a form and the code that the guest runs: the
//! tables are macros, of which this crate makes [`Form`]s and the payloads routines. A routine finds the
//! address in the first register and a buffer in the second; what it loads it leaves in the buffer, what it
//! stores it takes from there. It may use the next four general registers and the first four SIMD registers,
//! and has room for 64 bytes of code.

use crate::isa::IsaName;

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From memory.
    Load,
    /// To memory.
    Store,
    /// A load, then a store of the buffer's former bytes.
    Exchange,
    /// A store of zeros to the line of the address.
    Zero,
}

/// A way to access memory.
#[derive(Debug)]
pub struct Form {
    /// Its place among the forms of its instruction set.
    pub number: usize,
    /// Which way the bytes go.
    pub direction: Direction,
    /// How many.
    pub len: usize,
    /// What the address must be a multiple of.
    pub align: usize,
    /// It may be used with the MMU off, when all memory is Device.
    pub anywhere: bool,
    /// Its assembly.
    pub text: &'static str,
}

/// Makes a table of [`Form`]s of rows.
macro_rules! table {
    ($name:ident: $($direction:ident $len:literal $align:literal $anywhere:ident $($line:literal),+;)*) => {
        static $name: &[Form] = &{
            let mut all = [$(Form {
                number: 0,
                direction: Direction::$direction,
                len: $len,
                align: $align,
                anywhere: table!($anywhere),
                text: concat!($($line, "; "),+),
            }),*];
            let mut n = 0;
            while n < all.len() {
                all[n].number = n;
                n += 1;
            }
            all
        };
    };
    (device) => { true };
    (normal) => { false };
}

/// The forms that an instruction set has.
pub fn forms(isa: IsaName) -> &'static [Form] {
    match isa {
        IsaName::A64 => A64,
        IsaName::A32 => A32,
        IsaName::T32 => T32,
    }
}

crate::forms_a64!(table, A64:);
crate::forms_a32!(table, A32:);
crate::forms_t32!(table, T32:);
