//! A hash that tells one build of this program from another.
//!
//! It is the 64-bit FNV-1a hash of the file's bytes: the harness computes the same of the file that it
//! put into the machine, and so knows that this is the program that ran.

use setway_protocol::fnv1a;

/// The hash of this program's file.
pub fn of_this_program() -> std::io::Result<u64> {
    Ok(fnv1a(&std::fs::read("/proc/self/exe")?))
}
