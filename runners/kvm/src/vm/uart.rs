//! How the guest reaches its UART without leaving KVM for every byte.
//!
//! The registers are a page that the guest can read and not write, and what it writes to the data
//! register KVM collects. So a byte costs one exit to KVM and none to us, which in an emulated machine is
//! most of what a guest's records cost. The page only shows what the registers held at reset: a guest
//! that changes one of them is read to by hand from then on.

use std::sync::atomic::{AtomicBool, Ordering};

use kvm_bindings::{KVM_MEM_READONLY, kvm_userspace_memory_region};
use kvm_ioctls::{IoEventAddress, VmFd};
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap};

use super::{VmError, kvm, no_memory};
use crate::{
    layout::UART,
    pl011::{self, Pl011},
};

/// The slot of memory that the page is.
const SLOT: u32 = 1;

/// The page.
#[derive(Debug)]
pub struct UartPage {
    shown: AtomicBool,
    _page: GuestMemoryMmap,
}

impl UartPage {
    /// Shows the guest of `vm` what `uart` holds.
    pub fn new(vm: &VmFd, uart: &Pl011) -> Result<Self, VmError> {
        let size = rustix::param::page_size().max((UART.end - UART.start) as usize);
        let base = GuestAddress(UART.start);
        let error = |error: &dyn std::fmt::Display| no_memory(&UART, error);
        let page = GuestMemoryMmap::<()>::from_ranges(&[(base, size)]).map_err(|e| error(&e))?;
        for offset in (0..UART.end - UART.start).step_by(4) {
            let at = GuestAddress(UART.start + offset);
            page.write_obj(uart.read(offset), at)
                .map_err(|e| error(&e))?;
        }
        let host = page.get_host_address(base).map_err(|e| error(&e))?;
        let region = kvm_userspace_memory_region {
            slot: SLOT,
            flags: KVM_MEM_READONLY,
            guest_phys_addr: base.0,
            memory_size: size as u64,
            userspace_addr: host as u64,
        };
        // SAFETY: the region is the whole of one mapping, which lives as long as this value, and which
        // nothing in this program borrows.
        unsafe { vm.set_user_memory_region(region) }.map_err(kvm("take memory"))?;
        let data = IoEventAddress::Mmio(UART.start + pl011::DATA);
        vm.register_coalesced_mmio(data, 4)
            .map_err(kvm("collect what a guest writes"))?;
        Ok(Self {
            shown: AtomicBool::new(true),
            _page: page,
        })
    }

    /// The registers are no longer what the page shows.
    pub fn hide(&self, vm: &VmFd) {
        if self.shown.swap(false, Ordering::Relaxed) {
            let region = kvm_userspace_memory_region {
                slot: SLOT,
                ..Default::default()
            };
            // SAFETY: a slot without size is no memory at all.
            let _ = unsafe { vm.set_user_memory_region(region) };
        }
    }
}
