//! The headers by which a boot loader knows an image: arm64's `Image` and the 32-bit zImage.
//!
//! They are Linux's, not Arm's, but every loader on Arm obeys them.

/// The Execution state that an image starts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// AArch64: an `Image`.
    AArch64,
    /// AArch32: a zImage.
    AArch32,
}

/// What an image's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// The state that it starts in.
    pub state: State,
    /// `Image`: how far from a 2 MiB boundary it is to be put (text_offset). A zImage has no such field: 0.
    pub text_offset: u64,
    /// Bytes of memory that it takes: what its header says, and at least what the file has.
    pub size: u64,
}

/// `Image` (Linux, Documentation/arch/arm64/booting.rst): text_offset, image_size and magic.
mod arm64 {
    pub const TEXT_OFFSET: usize = 8;
    pub const IMAGE_SIZE: usize = 16;
    pub const MAGIC: (usize, u32) = (56, u32::from_le_bytes(*b"ARM\x64"));
}

/// zImage (Linux, arch/arm/boot/compressed/head.S): magic, and the addresses of start and end.
mod zimage {
    pub const MAGIC: (usize, u32) = (0x24, 0x016f_2818);
    pub const START: usize = 0x28;
    pub const END: usize = 0x2c;
}

impl Image {
    /// Reads the header of the image `file`. `None` if it has neither's magic number.
    pub fn read(file: &[u8]) -> Option<Self> {
        let is = |(at, magic)| word(file, at) == Some(magic);
        let (state, text_offset, size) = if is(arm64::MAGIC) {
            let text_offset = double(file, arm64::TEXT_OFFSET)?;
            (
                State::AArch64,
                text_offset,
                double(file, arm64::IMAGE_SIZE)?,
            )
        } else if is(zimage::MAGIC) {
            let (start, end) = (word(file, zimage::START)?, word(file, zimage::END)?);
            (State::AArch32, 0, end.saturating_sub(start).into())
        } else {
            return None;
        };
        Some(Self {
            state,
            text_offset,
            size: size.max(file.len() as u64),
        })
    }
}

fn word(file: &[u8], at: usize) -> Option<u32> {
    let bytes = file.get(at..at + 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn double(file: &[u8], at: usize) -> Option<u64> {
    let bytes = file.get(at..at + 8)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(words: &[(usize, u32)]) -> [u8; 64] {
        let mut file = [0; 64];
        for &(at, word) in words {
            file[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        file
    }

    #[test]
    fn an_arm64_image_says_where_it_goes_and_how_much_it_takes() {
        let words = [(8, 0x8_0000), (16, 0x8_1000), (20, 1), (56, 0x644d_5241)];
        assert_eq!(
            Image::read(&file(&words)),
            Some(Image {
                state: State::AArch64,
                text_offset: 0x8_0000,
                size: 0x1_0008_1000,
            })
        );
    }

    #[test]
    fn a_zimage_says_where_it_ends() {
        let words = [(0x24, 0x016f_2818), (0x28, 0x1_0000), (0x2c, 0xa_1000)];
        assert_eq!(
            Image::read(&file(&words)),
            Some(Image {
                state: State::AArch32,
                text_offset: 0,
                size: 0x9_1000,
            })
        );
    }

    #[test]
    fn a_size_that_is_missing_or_wrong_leaves_the_file_s() {
        let size = |words| Image::read(&file(words)).unwrap().size;
        assert_eq!(size(&[arm64::MAGIC]), 64);
        assert_eq!(
            size(&[zimage::MAGIC, (zimage::START, 2), (zimage::END, 1)]),
            64
        );
    }

    #[test]
    fn anything_else_is_no_image() {
        assert_eq!(Image::read(b"\x7fELF"), None);
        assert_eq!(Image::read(&[0; 64]), None);
        assert_eq!(Image::read(&[]), None);
    }
}
