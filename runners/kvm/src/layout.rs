//! Where things are in the guest.
//!
//! The addresses are those of QEMU's `virt` board, which the payloads know best. They do not rely on
//! them: they read the device tree.

use std::ops::Range;

use setway_architecture::image::Image;

/// Where memory begins.
pub const MEMORY_BASE: u64 = 0x4000_0000;

/// Where the image is put: it needs 64 KiB of alignment, and the device tree comes before it.
pub const IMAGE_BASE: u64 = MEMORY_BASE + 0x20_0000;

/// Where the device tree is put.
pub const TREE_BASE: u64 = MEMORY_BASE;

/// Where the PL011 is, and how much it takes.
pub const UART: Range<u64> = 0x0900_0000..0x0900_1000;

/// Which interrupt controller there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GicKind {
    /// GICv2.
    V2,
    /// GICv3.
    V3,
}

/// Where the GIC's distributor is, and how much it takes.
pub const DISTRIBUTOR: Range<u64> = 0x0800_0000..0x0801_0000;

/// Where a GICv2's CPU interface is.
pub const CPU_INTERFACE: Range<u64> = 0x0801_0000..0x0803_0000;

/// Where the redistributors of a GICv3 begin.
pub const REDISTRIBUTORS: u64 = 0x080a_0000;

/// How much one of them takes: two frames of 64 KiB.
pub const REDISTRIBUTOR_SIZE: u64 = 0x2_0000;

/// Why a file cannot be loaded.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LayoutError {
    /// The magic numbers of both headers are missing.
    #[error(
        "it is neither an arm64 `Image` nor a 32-bit zImage\n  next: give one of the files that `setway build` prints"
    )]
    NoImage,
    /// Memory ends before the image does.
    #[error(
        "it takes {} KiB from {IMAGE_BASE:#x} on, and memory ends at {end:#x}\n  next: give the guest more with --memory", size / 1024
    )]
    TooLarge {
        /// Bytes that the image takes.
        size: u64,
        /// The first address after memory.
        end: u64,
    },
}

/// Reads the header of the image `file`, and checks that the image ends within `memory`.
pub fn placed(file: &[u8], memory: &Range<u64>) -> Result<Image, LayoutError> {
    let image = Image::read(file).ok_or(LayoutError::NoImage)?;
    let room = memory.end.saturating_sub(IMAGE_BASE);
    if image.size <= room {
        return Ok(image);
    }
    Err(LayoutError::TooLarge {
        size: image.size,
        end: memory.end,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_must_end_where_memory_does_or_before() {
        // Its magic number and its size.
        let mut file = [0; 64];
        file[56..60].copy_from_slice(b"ARM\x64");
        file[16..20].copy_from_slice(&0x8_1000_u32.to_le_bytes());
        let end = IMAGE_BASE + 0x8_1000;
        assert_eq!(
            placed(&file, &(MEMORY_BASE..end)).map(|image| image.size),
            Ok(0x8_1000)
        );
        assert_eq!(
            placed(&file, &(MEMORY_BASE..end - 1)),
            Err(LayoutError::TooLarge {
                size: 0x8_1000,
                end: end - 1,
            })
        );
    }

    #[test]
    fn anything_else_is_refused() {
        let memory = MEMORY_BASE..2 * MEMORY_BASE;
        assert_eq!(placed(b"\x7fELF", &memory), Err(LayoutError::NoImage));
    }
}
