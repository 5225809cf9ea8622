//! Running guests on request, many in one boot of Linux: the first process of a machine that is there
//! for nothing else.
//!
//! Each guest is run by a child, this same program, so that nothing which happens to one run can reach
//! the next. The agent itself does nothing that can block for ever, but wait for requests.

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod boundary;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod child;
pub mod kernel_log;
pub mod request;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod serve;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod system;

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
pub use serve::serve;
