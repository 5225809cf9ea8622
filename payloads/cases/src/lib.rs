//! Every rule and every case, written once against a small trait of what an instruction set offers.
//!
//! A case does things to its own caches in *steps* and compares values in *checks*. It says what the
//! policy demands of each step; what really happened is counted from outside, between the marks that
//! bracket the step. Nothing is printed while a case runs: [`Context`] keeps steps and checks until
//! the end, so that the console's own traffic is in no measurement.
//!
//! The harness links this crate for the catalogue, the payloads for the bodies.
#![no_std]

mod arena;
pub mod bare;
mod bodies;
mod case;
mod catalogue;
mod context;
mod interrupts;
mod isa;
mod probe;
pub mod random;
mod rule;

pub use arena::{Arena, Place, Plain};
pub use bodies::{bare::obey, several::hammer};
pub use case::{Case, Premise, Setting};
pub use catalogue::{CASES, body};
pub use context::{Arguments, Check, Context, Counts, Step};
pub use interrupts::{Interrupts, SOFTWARE, TIMER};
pub use isa::{
    Call, Command, FaultRegister, Found, Isa, IsaName, MAX_CPUS, NOTHING, NewValue,
    SECONDARY_CONTEXT, SctlrBit, Start, StateRegister, VmRegister,
};
pub use probe::{Circumstances, Exit, Probe, ProbeSet, Registers};
pub use rule::{Kind, RULES, Rule};
