//! How a stage's walker reads descriptors: with which attributes, and in which byte order.

use super::{Attributes, Fault, Purpose, Step};
use crate::registers::Sctlr;

/// How a stage's walker reads descriptors.
#[derive(Clone, Copy)]
pub struct Walks {
    pub attributes: Attributes,
    big_endian: bool,
}

impl Walks {
    /// With TCR's IRGN and ORGN of the range, where `cached` lets them count, and the byte order of
    /// SCTLR.EE.
    pub fn new(attributes: Attributes, cached: bool, sctlr: Sctlr) -> Self {
        Self {
            attributes: attributes.seen_by(Purpose::Walk, cached),
            big_endian: sctlr.contains(Sctlr::EE),
        }
    }

    /// Reads one at a physical address; `fault` is what it is to have no memory there.
    pub fn read(
        &self,
        read: &mut dyn FnMut(Step) -> Option<u64>,
        step: Step,
        fault: Fault,
    ) -> Result<u64, Fault> {
        let value = read(step).ok_or(fault)?;
        Ok(match (self.big_endian, step.len) {
            (false, _) => value,
            (true, 4) => (value as u32).swap_bytes().into(),
            (true, _) => value.swap_bytes(),
        })
    }
}
