//! What random programs saw.

use crate::evidence::transcript::{Fault, Record};

/// A random program, and the sum of all that its loads saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// What it was made from.
    pub seed: u64,
    /// The sum.
    pub digest: u64,
}

impl Program {
    /// Reads a `program` record.
    pub(super) fn read(record: &Record) -> Result<Self, Fault> {
        Ok(Self {
            seed: record.number("seed")?,
            digest: record.number("digest")?,
        })
    }
}

/// Reads a `seen` record. A digit that is none counts as 0: the record's checksum says that the guest wrote
/// it.
pub(super) fn bytes(record: &Record) -> Result<Vec<u8>, Fault> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default() as u8;
    let text = record.text("bytes")?.as_bytes();
    Ok(text
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |sum, byte| sum << 4 | digit(*byte)))
        .collect())
}
