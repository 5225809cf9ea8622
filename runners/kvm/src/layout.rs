//! Where things are in the guest, and what an image's header says of it.
//!
//! The addresses are those of QEMU's `virt` board, which the payloads know best. They do not rely on
//! them: they read the device tree.

use std::ops::Range;

/// Where memory begins.
pub const MEMORY_BASE: u64 = 0x4000_0000;

/// Where the image is put: it needs 64 KiB of alignment, and the device tree comes before it.
pub const IMAGE_BASE: u64 = MEMORY_BASE + 0x20_0000;

/// Where the device tree is put.
pub const TREE_BASE: u64 = MEMORY_BASE;

/// Where the PL011 is, and how much it takes.
pub const UART: Range<u64> = 0x0900_0000..0x0900_1000;

/// The Execution state that an image starts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// AArch64.
    A64,
    /// AArch32.
    A32,
}

/// What an image's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// The state that it starts in.
    pub state: State,
    /// Bytes of memory that it takes, with what follows the file's bytes.
    pub size: u64,
}

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
        /// The first address behind memory.
        end: u64,
    },
}

/// Linux Documentation/arch/arm64/booting.rst: image_size at 16, magic at 56.
const ARM64_SIZE: usize = 16;
const ARM64_MAGIC: (usize, u32) = (56, u32::from_le_bytes(*b"ARM\x64"));
/// Linux arch/arm/boot/compressed/head.S: magic at 0x24, then start and end.
const ZIMAGE_MAGIC: (usize, u32) = (0x24, 0x016f_2818);
const ZIMAGE_START: usize = 0x28;
const ZIMAGE_END: usize = 0x2c;

impl Image {
    /// Reads the header of the image `file`.
    pub fn read(file: &[u8]) -> Result<Self, LayoutError> {
        let is = |(at, magic)| word(file, at) == Some(magic);
        let (state, size) = if is(ARM64_MAGIC) {
            let low = word(file, ARM64_SIZE).unwrap_or(0);
            let high = word(file, ARM64_SIZE + 4).unwrap_or(0);
            (State::A64, u64::from(high) << 32 | u64::from(low))
        } else if is(ZIMAGE_MAGIC) {
            let start = word(file, ZIMAGE_START).unwrap_or(0);
            let end = word(file, ZIMAGE_END).unwrap_or(0);
            (State::A32, end.saturating_sub(start).into())
        } else {
            return Err(LayoutError::NoImage);
        };
        let size = size.max(file.len() as u64);
        Ok(Self { state, size })
    }

    /// Checks that the image ends within `memory`.
    pub fn fits(self, memory: &Range<u64>) -> Result<(), LayoutError> {
        let room = memory.end.saturating_sub(IMAGE_BASE);
        if self.size <= room {
            return Ok(());
        }
        Err(LayoutError::TooLarge {
            size: self.size,
            end: memory.end,
        })
    }
}

fn word(file: &[u8], at: usize) -> Option<u32> {
    let bytes = file.get(at..at + 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(words: &[(usize, u32)]) -> Vec<u8> {
        let mut file = vec![0; 64];
        for &(at, word) in words {
            file[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        file
    }

    #[test]
    fn an_arm64_image_says_how_much_it_takes() {
        let image = Image::read(&file(&[(16, 0x8_1000), ARM64_MAGIC])).unwrap();
        let whole = Image {
            state: State::A64,
            size: 0x8_1000,
        };
        assert_eq!(image, whole);
        let memory = MEMORY_BASE..IMAGE_BASE + 0x8_1000;
        assert_eq!(image.fits(&memory), Ok(()));
        let memory = MEMORY_BASE..memory.end - 1;
        assert!(image.fits(&memory).is_err());
    }

    #[test]
    fn a_zimage_says_where_it_ends() {
        let image = file(&[ZIMAGE_MAGIC, (0x28, 0x1_0000), (0x2c, 0xa_1000)]);
        let image = Image::read(&image).unwrap();
        assert_eq!((image.state, image.size), (State::A32, 0x9_1000));
    }

    #[test]
    fn a_header_without_a_size_leaves_the_file_s() {
        let image = Image::read(&file(&[ARM64_MAGIC])).unwrap();
        assert_eq!(image.size, 64);
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(Image::read(b"\x7fELF"), Err(LayoutError::NoImage));
        assert_eq!(Image::read(&[0; 64]), Err(LayoutError::NoImage));
    }
}
