//! Loading the guest: any image of the Linux boot protocol, from the initial RAM disk.

use crate::{device_tree, policy, stage2, vcpu::Entry};
use setway_architecture::image::{Image, State};
use setway_policy::Mutant;
use setway_runtime::{board::Board, bootargs};

/// Where a zImage is put, from the start of memory: after the page tables and parameters that a kernel keeps
/// there, and at a multiple of 64 KiB.
const ZIMAGE_OFFSET: u64 = 0x1_0000;

/// Copies image and device tree to where they belong, and says how the guest starts. `board` is what the tree at
/// `dtb` says; the tree is gone afterwards.
pub fn load(board: Board<'_>, dtb: u64) -> Entry {
    let Some(initrd) = board.initrd else {
        panic!("no guest: pass its image as the initial RAM disk (QEMU's -initrd)")
    };
    let memory = stage2::guest_memory();
    let args = bootargs::split(board.bootargs).1;
    // SAFETY: `board` was read from that tree, and nothing changes it before it is erased.
    let blob = unsafe { device_tree::make(dtb, &memory, args) };
    // SAFETY: what `board` borrows from there is not used any more.
    unsafe { device_tree::erase(dtb) }

    // SAFETY: the boot loader put the RAM disk there, in memory that is the guest's.
    let file = unsafe {
        core::slice::from_raw_parts(
            initrd.start as *const u8,
            (initrd.end - initrd.start) as usize,
        )
    };
    let Some(image) = Image::read(file) else {
        panic!("the RAM disk is neither an arm64 Image nor a zImage")
    };
    let start = memory.start
        + match image.state {
            State::AArch64 => image.text_offset,
            State::AArch32 => ZIMAGE_OFFSET,
        };
    // Where Linux's booting documents ask for it: out of the way of a kernel that unpacks itself, just
    // above 128 MiB from the start of memory, or in the last block if there is less.
    let tree = (memory.start + (128 << 20)).min(memory.end - (2 << 20)) & !((2 << 20) - 1);
    if start + image.size > tree {
        panic!(
            "the guest's memory, {memory:#x?}, is too small for its image of {} bytes",
            image.size
        );
    }
    // SAFETY: both targets lie in the guest's memory, where nothing of the hypervisor's is and nothing runs yet;
    // `copy` allows the RAM disk to overlap. The bytes after the file are the guest's .bss: what
    // the RAM disk left there must go.
    unsafe {
        core::ptr::copy(file.as_ptr(), start as *mut u8, file.len());
        let end = start + file.len() as u64;
        core::ptr::write_bytes(end as *mut u8, 0, (image.size - file.len() as u64) as usize);
        core::ptr::copy(blob.as_ptr(), tree as *mut u8, blob.len());
    }
    // The guest starts with its caches off: it must find all of this in memory.
    if !policy().is(Mutant::ImageNotCleaned) {
        stage2::clean_range(start..start + image.size);
    }
    stage2::clean_range(tree..tree + blob.len() as u64);
    // SAFETY: instruction cache maintenance and a barrier.
    unsafe { core::arch::asm!("dsb sy", "ic ialluis", "dsb sy", "isb", options(nostack)) }
    stage2::map_in_pages(start + image.size, tree);

    if image.state == State::AArch64 {
        Entry {
            aarch64: true,
            pc: start,
            x0: tree,
            x1: 0,
            x2: 0,
            t32: false,
            big_endian: false,
        }
    } else {
        // r0 0, r1 no machine number, r2 the device tree.
        Entry {
            aarch64: false,
            pc: start,
            x0: 0,
            x1: 0xffff_ffff,
            x2: tree,
            t32: false,
            big_endian: false,
        }
    }
}
