//! The guest's device tree: the machine's own, with less memory, no RAM disk, PSCI by HVC, and the guest's
//! command line.
//!
//! # What the guest must not read
//! The hypervisor's part of the command line, before `--`, has the key that seals the hypervisor's records. A
//! guest that knew it could write records in the hypervisor's name. So nothing that the guest can reach has it:
//!
//! - The boot loader's tree may lie in memory that becomes the guest's, as QEMU's does. [`erase`] overwrites all
//!   of it with zeros, and cleans those to the point of coherency, because the guest starts with its caches off.
//! - The copy that is edited lies in the hypervisor's memory, which stage 2 maps to nobody, and so does the key
//!   that was read from the command line. Of the boot loader's tree, only the blocks in use are copied, not what a
//!   tool left between and after them; `bootargs` is overwritten to its full length, and a second one is refused.
//! - What is copied into the guest's memory is this copy, once it is edited.
//! - The guest's registers start as `vcpu` sets them; the hypervisor uses no SIMD registers.
//! - QEMU's fw_cfg device, which the guest can reach as it can all devices, has the command line only if firmware
//!   loads the kernel. Here QEMU does it.
//!
//! When the machine is reset QEMU writes its tree again, and the hypervisor starts before any guest does. A guest that
//! has a device copy memory for it reaches all there is, since nothing is between devices and memory; the machines
//! that Setway describes have no such device.

use crate::stage2;
use core::ops::Range;
use fdt_rs::{
    base::{DevTree, DevTreeItem},
    prelude::*,
};
use setway_runtime::exclusive::Exclusive;

/// The most that a device tree may take. QEMU hands over a megabyte, nearly all of it empty.
const SIZE: usize = 0x2_0000;

/// The guest's tree, while memory is being filled.
#[repr(C, align(8))]
struct Blob([u8; SIZE]);

static BLOB: Exclusive<Blob> = Exclusive::new(Blob([0; SIZE]));

/// Offsets of header fields (Devicetree Specification 0.4, 5.2).
mod header {
    pub const TOTAL_SIZE: usize = 4;
    pub const OFF_STRUCT: usize = 8;
    pub const OFF_STRINGS: usize = 12;
    pub const OFF_RESERVED: usize = 16;
    pub const SIZE_STRINGS: usize = 32;
    pub const SIZE_STRUCT: usize = 36;
    /// Bytes of all of them.
    pub const SIZE: usize = 40;
}

/// FDT_NOP.
const NOP: [u8; 4] = 4u32.to_be_bytes();

/// Makes the guest's tree of the boot loader's at `dtb`, for a guest with `memory` and the command line `args`.
///
/// # Safety
///
/// There must be a device tree at `dtb`, in memory, and nobody may change it meanwhile.
pub unsafe fn make(dtb: u64, memory: &Range<u64>, args: &str) -> &'static [u8; SIZE] {
    let Blob(blob) = BLOB.take().expect("one guest is loaded, once");
    // SAFETY: the caller's.
    let original = unsafe { core::slice::from_raw_parts(dtb as *const u8, total_size(dtb)) };
    copy_tree(original, blob);
    edit_tree(blob, memory, args);
    blob
}

/// Overwrites the boot loader's tree at `dtb`.
///
/// # Safety
///
/// There must be a device tree at `dtb`, in memory, and nobody may use it, or what is borrowed from it, any more.
pub unsafe fn erase(dtb: u64) {
    // SAFETY: the caller's.
    let end = unsafe {
        let size = total_size(dtb);
        core::ptr::write_bytes(dtb as *mut u8, 0, size);
        dtb + size as u64
    };
    stage2::clean_range(dtb..end);
}

/// The number of bytes of the device tree at `dtb`.
///
/// # Safety
///
/// There must be one, in memory.
unsafe fn total_size(dtb: u64) -> usize {
    // SAFETY: the caller's; bytes have no alignment.
    let total = unsafe {
        (dtb as *const u8)
            .add(header::TOTAL_SIZE)
            .cast::<[u8; 4]>()
            .read()
    };
    u32::from_be_bytes(total) as usize
}

/// Copies the blocks that are in use, each to its own place.
fn copy_tree(from: &[u8], blob: &mut [u8; SIZE]) {
    let field =
        |at: usize| u32::from_be_bytes(from[at..][..4].try_into().expect("4 bytes")) as usize;
    let block = |at, size| field(at)..field(at) + field(size);
    // Pairs of addresses and sizes, up to one of zeros.
    let reserved = field(header::OFF_RESERVED);
    let pairs = from[reserved..].chunks_exact(16);
    let used = pairs.take_while(|pair| pair.iter().any(|&byte| byte != 0));
    let blocks = [
        0..header::SIZE,
        reserved..reserved + 16 * used.count(),
        block(header::OFF_STRUCT, header::SIZE_STRUCT),
        block(header::OFF_STRINGS, header::SIZE_STRINGS),
    ];
    for block in blocks {
        if block.end > SIZE {
            panic!("the device tree has {} bytes, more than {SIZE}", block.end);
        }
        blob[block.clone()].copy_from_slice(&from[block]);
    }
    blob[header::TOTAL_SIZE..][..4].copy_from_slice(&(SIZE as u32).to_be_bytes());
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

/// The most properties that are changed: a bank of memory has one each.
const PLACES: usize = 16;

/// Edits the tree in place; no property changes its length.
fn edit_tree(blob: &mut [u8; SIZE], memory: &Range<u64>, args: &str) {
    // The places first: the parser borrows the blob.
    let mut places: [Option<(&Edit, Range<usize>)>; PLACES] = Default::default();
    let mut free = places.iter_mut();
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
                let edit = EDITS.iter().find(|edit| (edit.0, edit.1) == (node, name));
                if let Some((_, _, edit)) = edit {
                    let Some(place) = free.next() else {
                        panic!("the device tree has more than {PLACES} properties to change")
                    };
                    let start = prop.raw().as_ptr() as usize - base;
                    *place = Some((edit, start..start + prop.length()));
                }
            }
        }
    }
    let mut banks = 0;
    for (edit, place) in places.into_iter().flatten() {
        match edit {
            // The guest gets one bank, and further ones become empty.
            Edit::Memory if banks > 0 => blob[place].fill(0),
            Edit::Memory => {
                set_memory(&mut blob[place], memory);
                banks += 1;
            }
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
