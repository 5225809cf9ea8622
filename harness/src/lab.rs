//! Makes a machine run, within limits, and hands on what it says. Nothing here knows what a rule is.

pub mod capture;
pub mod recipe;
pub mod session;
