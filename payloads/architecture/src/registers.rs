//! System registers, one module each, as far as Setway looks into them: a value is a type of its own, and
//! its fields have the manual's names.
//!
//! Where AArch32 has the same register under another name, the type serves both, and says where they differ.

mod ccsidr;
mod clidr;
mod ctr;
mod hcr;
mod mpidr;
mod reads;
mod sctlr;

pub use ccsidr::{Ccsidr, CcsidrFormat};
pub use clidr::{CacheType, Clidr};
pub use ctr::Ctr;
pub use hcr::Hcr;
pub use mpidr::Mpidr;
pub use reads::is_read_without_effect;
pub use sctlr::Sctlr;
