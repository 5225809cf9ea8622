//! Instruction sets as the command line, files and reports write them.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use setway_cases::IsaName;
use setway_protocol::word::InstructionSet;

/// An instruction set.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Isa {
    /// AArch64.
    A64,
    /// AArch32, fixed length.
    A32,
    /// AArch32, 16 and 32 bits.
    T32,
}

impl Isa {
    /// All, in the order of reports.
    pub const ALL: [Isa; 3] = [Isa::A64, Isa::A32, Isa::T32];

    /// How it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Isa::A64 => "a64",
            Isa::A32 => "a32",
            Isa::T32 => "t32",
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl From<Isa> for InstructionSet {
    fn from(isa: Isa) -> Self {
        match isa {
            Isa::A64 => Self::A64,
            Isa::A32 => Self::A32,
            Isa::T32 => Self::T32,
        }
    }
}

impl From<Isa> for IsaName {
    fn from(isa: Isa) -> Self {
        match isa {
            Isa::A64 => IsaName::A64,
            Isa::A32 => IsaName::A32,
            Isa::T32 => IsaName::T32,
        }
    }
}

impl From<IsaName> for Isa {
    fn from(isa: IsaName) -> Self {
        match isa {
            IsaName::A64 => Isa::A64,
            IsaName::A32 => Isa::A32,
            IsaName::T32 => Isa::T32,
        }
    }
}
