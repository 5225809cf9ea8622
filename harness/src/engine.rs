//! Running one process and keeping what it shows: console, exception log, how it ended. Nothing here
//! knows what a rule is.

pub mod capture;
pub mod console;
pub mod exception_log;
pub mod excerpt;
pub mod pool;
pub mod process;
pub mod session;
