//! Where things are, and who may use them: the checkout, the target directory, locks, child processes.
//!
//! The lowest room: it knows nothing of hypervisors, machines or runs.

pub mod lock;
pub mod paths;
pub mod process;
