//! Makes a machine run, within limits, and hands on what it says. Nothing here knows what a rule is.

pub mod machine;
pub mod qemu;
pub mod recipe;
pub mod recording;
pub mod replay;
pub mod session;
pub mod tape;
