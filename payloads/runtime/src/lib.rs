//! What every bare-metal image of Setway shares, guests and hypervisors alike.
//!
//! An image starts at [`head`], which makes it loadable by the Linux boot protocol at any address;
//! learns from the device tree where it is ([`board`]); and says what it has to say in records on
//! the console ([`console`]). [`payload`] is the common main program of the guests.
#![no_std]

pub mod board;
pub mod bootargs;
#[cfg(target_os = "none")]
pub mod clock;
pub mod console;
pub mod exclusive;
#[cfg(target_os = "none")]
pub mod head;
#[cfg(target_os = "none")]
pub mod interrupts;
#[cfg(target_os = "none")]
pub mod mailbox;
#[cfg(target_arch = "arm")]
mod mmio;
pub mod payload;
#[cfg(target_os = "none")]
pub mod psci;
#[cfg(target_os = "none")]
pub mod secondary;
#[cfg(target_arch = "aarch64")]
pub mod sysreg;
