//! From bytes to facts: what the records, QEMU's exception log and the cache model report of a run.
//!
//! Pure: nothing here starts a machine, and nothing here knows whether what it finds is right.

pub mod capture;
pub mod exception_log;
pub mod excerpt;
pub mod observation;
pub mod transcript;
pub mod traps;
pub mod witness;
