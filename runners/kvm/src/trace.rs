//! KVM's own trace of a VM: taking it, and making counts of it.
//!
//! Only [`session`] touches the system. The rest is pure, and tested with what kernels wrote.

pub mod event;
pub mod format;
pub mod page;
pub mod session;
pub mod tally;
