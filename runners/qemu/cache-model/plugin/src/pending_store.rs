//! Stores that QEMU has executed, or is about to, until the model learns of them.

use setway_cache_model::{Actor, Path, Range};

/// Bytes that were stored, or a part of them that does not cross a line.
#[derive(Clone, Copy, Debug)]
pub struct PendingStore {
    /// The virtual address.
    pub address: u64,
    /// Where they are in memory.
    pub offset: u64,
    /// The path that they took.
    pub path: Path,
    /// How many; 0 if nothing was stored.
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

    /// As many as `piece` has, which are not known yet.
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

    /// Whether a place in memory is among them.
    pub fn has(&self, offset: u64) -> bool {
        (self.offset..self.offset + self.len as u64).contains(&offset)
    }
}

/// The bytes that DC ZVA zeroes: DCZID_EL0.BS is 4 in every CPU of QEMU's.
pub const ZERO_BLOCK: usize = 64;

/// A DC ZVA that may have been executed, or may have faulted.
#[derive(Clone, Copy, Debug)]
pub struct PendingZero {
    /// Who.
    pub actor: Actor,
    /// The path that the zeros take.
    pub path: Path,
    /// Where the block is in memory.
    pub offset: u64,
}
