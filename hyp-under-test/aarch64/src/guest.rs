//! Loading the guest: any image of the Linux boot protocol, from the initial RAM disk.
//!
//! The guest gets the machine's own device tree, edited in place: less memory, no RAM disk, PSCI by
//! HVC, and its own command line.

use crate::{stage2, vcpu::Entry};
use core::ops::Range;
use fdt_rs::{
    base::{DevTree, DevTreeItem},
    prelude::*,
};
use setway_architecture::image::{Image, State};
use setway_runtime::{board::Board, bootargs};

/// The most that a device tree may take. QEMU hands over a megabyte, nearly all of it empty.
const DTB_SIZE: usize = 0x2_0000;

/// The device tree, while memory is being filled.
#[repr(C, align(8))]
struct Dtb([u8; DTB_SIZE]);

static mut DTB: Dtb = Dtb([0; DTB_SIZE]);

/// Where a zImage is put, from the start of memory: after the page tables and parameters that a kernel keeps
/// there, and at a multiple of 64 KiB.
const ZIMAGE_OFFSET: u64 = 0x1_0000;

/// Copies image and device tree to where they belong, and says how the guest starts.
pub fn load(board: &Board<'_>, dtb: u64) -> Entry {
    let Some(initrd) = board.initrd.clone() else {
        panic!("no guest: pass its image as the initial RAM disk (QEMU's -initrd)")
    };
    // SAFETY: called once, before there is another CPU.
    let blob = unsafe { &mut *(&raw mut DTB).cast::<[u8; DTB_SIZE]>() };
    copy_tree(dtb, blob);
    edit_tree(
        blob,
        &stage2::guest_memory(),
        bootargs::split(board.bootargs).1,
    );

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
    let memory = stage2::guest_memory();
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
    // SAFETY: both targets lie in the guest's memory, where nothing of ours is and nothing runs yet;
    // `copy` allows the RAM disk to overlap. The bytes behind the file are the guest's .bss: what
    // the RAM disk left there must go.
    unsafe {
        core::ptr::copy(file.as_ptr(), start as *mut u8, file.len());
        let end = start + file.len() as u64;
        core::ptr::write_bytes(end as *mut u8, 0, (image.size - file.len() as u64) as usize);
        core::ptr::copy(blob.as_ptr(), tree as *mut u8, DTB_SIZE);
    }
    // The guest starts with its caches off: it must find all of this in memory.
    stage2::clean_range(start..start + image.size);
    stage2::clean_range(tree..tree + DTB_SIZE as u64);
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
        }
    }
}

/// Offsets of header fields (Devicetree Specification 0.4, 5.2).
mod header {
    pub const TOTAL_SIZE: usize = 4;
    pub const OFF_STRUCT: usize = 8;
    pub const OFF_STRINGS: usize = 12;
    pub const SIZE_STRINGS: usize = 32;
    pub const SIZE_STRUCT: usize = 36;
}

/// FDT_NOP.
const NOP: [u8; 4] = 4u32.to_be_bytes();

/// Copies the part of the tree at `dtb` that is in use.
fn copy_tree(dtb: u64, blob: &mut [u8; DTB_SIZE]) {
    // SAFETY: `Board::read` has found a device tree there.
    let field =
        |at: usize| unsafe { u32::from_be((dtb as *const u32).byte_add(at).read()) } as usize;
    let ends = [
        field(header::OFF_STRUCT) + field(header::SIZE_STRUCT),
        field(header::OFF_STRINGS) + field(header::SIZE_STRINGS),
    ];
    let used = ends[0].max(ends[1]).min(field(header::TOTAL_SIZE));
    if used > DTB_SIZE {
        panic!("the device tree has {used} bytes, more than {DTB_SIZE}");
    }
    // SAFETY: likewise, and the sizes were just checked.
    unsafe { core::ptr::copy_nonoverlapping(dtb as *const u8, blob.as_mut_ptr(), used) }
    blob[header::TOTAL_SIZE..][..4].copy_from_slice(&(DTB_SIZE as u32).to_be_bytes());
}

/// What to do to a property.
enum Edit {
    /// Memory nodes' `reg`: one range of 64-bit cells, or of 32-bit ones.
    Memory,
    /// Take it out.
    Remove,
    /// PSCI's conduit.
    Hvc,
    /// The guest's command line.
    Bootargs,
}

/// The properties that change, by node name up to its unit address and by name.
const EDITS: [(&str, &str, Edit); 5] = [
    ("memory", "reg", Edit::Memory),
    ("chosen", "linux,initrd-start", Edit::Remove),
    ("chosen", "linux,initrd-end", Edit::Remove),
    ("chosen", "bootargs", Edit::Bootargs),
    ("psci", "method", Edit::Hvc),
];

/// Edits the tree in place; no property changes its length.
fn edit_tree(blob: &mut [u8; DTB_SIZE], memory: &Range<u64>, args: &str) {
    // The places first: the parser borrows the blob.
    let mut places: [Option<Range<usize>>; EDITS.len()] = Default::default();
    // SAFETY: aligned, and of the size that its header says.
    let Ok(tree) = (unsafe { DevTree::new(&blob[..]) }) else {
        panic!("the device tree is damaged")
    };
    let base = blob.as_ptr() as usize;
    let mut node = "";
    let mut items = tree.items();
    while let Ok(Some(item)) = items.next() {
        match item {
            DevTreeItem::Node(next) => node = next.name().unwrap_or(""),
            DevTreeItem::Prop(prop) => {
                let name = prop.name().unwrap_or("");
                let node = node.split('@').next().unwrap_or("");
                let edit = EDITS
                    .iter()
                    .position(|edit| (edit.0, edit.1) == (node, name));
                if let Some(edit) = edit {
                    let start = prop.raw().as_ptr() as usize - base;
                    places[edit].get_or_insert(start..start + prop.length());
                }
            }
        }
    }
    for ((_, _, edit), place) in EDITS.iter().zip(places) {
        let Some(place) = place else { continue };
        match edit {
            Edit::Memory => set_memory(&mut blob[place], memory),
            // FDT_PROP, length and name offset stand before the value.
            Edit::Remove => {
                let end = place.end.next_multiple_of(4);
                blob[place.start - 12..end].as_chunks_mut::<4>().0.fill(NOP);
            }
            Edit::Hvc => set_text(&mut blob[place], "hvc"),
            Edit::Bootargs => set_text(&mut blob[place], args),
        }
    }
}

fn set_text(value: &mut [u8], text: &str) {
    value.fill(0);
    value[..text.len()].copy_from_slice(text.as_bytes());
}

fn set_memory(reg: &mut [u8], memory: &Range<u64>) {
    let size = memory.end - memory.start;
    // Further ranges become empty: the guest gets one.
    let used = if reg.len() >= 16 { 16 } else { 8 };
    reg[used..].fill(0);
    if reg.len() >= 16 {
        reg[..8].copy_from_slice(&memory.start.to_be_bytes());
        reg[8..16].copy_from_slice(&size.to_be_bytes());
    } else {
        reg[..4].copy_from_slice(&(memory.start as u32).to_be_bytes());
        reg[4..8].copy_from_slice(&(size as u32).to_be_bytes());
    }
}
