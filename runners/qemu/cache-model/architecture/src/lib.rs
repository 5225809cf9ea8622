//! What the Arm architecture says of one instruction, for whoever watches a CPU from outside: which
//! bytes of memory it touches ([`decode`]), and where they are and how they may be cached
//! ([`translate`]).
//!
//! Pure: registers and memory come in as values and closures, nothing is remembered.
#![no_std]
#![forbid(unsafe_code)]

pub mod decode;
pub mod translate;
