//! Runs one payload image as a KVM guest, and reports what KVM's own tracepoints counted.
//!
//! Why a separate program: the suite needs a fresh VM for every case, with nothing in it but memory,
//! CPUs and a console; it needs KVM's counts of that VM alone; and in an emulated machine it needs many
//! such runs in one Linux boot. The last is the [`agent`]'s job.

pub mod agent;
pub mod cli;
pub mod console;
pub mod end;
pub mod fingerprint;
pub mod guest_records;
pub mod layout;
pub mod phases;
pub mod pl011;
pub mod report;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
pub mod run;
pub mod summary;
pub mod trace;
pub mod tree;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
pub mod vm;
