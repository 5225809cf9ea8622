//! A store that QEMU has executed, until the model learns of it.

use setway_cache_model::{Path, Range};

/// Bytes that were stored, or a part of them that does not cross a line.
#[derive(Clone, Copy, Debug)]
pub struct PendingStore {
    /// The virtual address.
    pub address: u64,
    /// Where in the memory they are.
    pub offset: u64,
    /// The way that they took.
    pub path: Path,
    /// How many; none, if this is nothing.
    pub len: usize,
    bytes: [u8; MOST],
}

/// The most bytes that one of QEMU's stores has.
const MOST: usize = 64;

impl PendingStore {
    /// Nothing was.
    pub const NOTHING: Self = Self {
        address: 0,
        offset: 0,
        path: Path::NonCacheable,
        len: 0,
        bytes: [0; MOST],
    };

    /// As many as `piece` says, which are not known yet.
    pub fn new(piece: Range, offset: u64, path: Path) -> Self {
        Self {
            address: piece.at,
            offset,
            path,
            len: piece.len,
            bytes: [0; MOST],
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Where the bytes go.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }

    /// Whether a place in the memory is among them.
    pub fn has(&self, offset: u64) -> bool {
        (self.offset..self.offset + self.len as u64).contains(&offset)
    }
}
