//! What the data files say: hypervisors, machines, profiles, and the targets that they combine to.
//!
//! Nothing here fetches, builds or starts anything.

pub mod hypervisor;
pub mod isa;
pub mod machine;
pub mod profile;
pub mod target;
pub mod toml_file;
