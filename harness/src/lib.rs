//! Setway's harness: boots payloads under hypervisors, observes from outside, and judges.
//!
//! The way of a run: [`plan`] chooses it, [`bench`] makes its command line, [`engine`] runs QEMU and
//! keeps all it shows, [`observation`] puts records and exception log together, [`judge`] says what
//! that means for the rule, [`expectation`] whether it is what was seen before, [`report`] tells.
//! [`build`], [`fetch`], [`package`], [`qemu`] and [`toolchain`] see to it that there is something to
//! run, and something to run it on.

pub mod bench;
pub mod boot;
pub mod build;
pub mod caches;
pub mod cli;
pub mod commands;
pub mod device_tree;
pub mod engine;
mod error;
pub mod expectation;
pub mod fetch;
pub mod finding;
mod fnv;
pub mod hypervisor;
pub mod initramfs;
pub mod isa;
pub mod judge;
mod lock;
pub mod logs;
pub mod machine;
pub mod mutants;
pub mod observation;
pub mod package;
pub mod paths;
pub mod plan;
pub mod profile;
pub mod qemu;
pub mod report;
pub mod symbols;
pub mod system;
pub mod target;
pub mod toml_file;
pub mod toolchain;
pub mod traps;

pub use error::Error;
