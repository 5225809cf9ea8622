//! What a hypervisor maintains by VA while its guest waits.

use setway_architecture::{decode::Instruction, maintenance::VaOp};
use setway_cache_model::{Model, Touched};
use setway_protocol::{Hex, record, word::Cause};

use crate::{
    ram::Ram,
    site::{Site, is_guest},
};

/// What was maintained on one CPU since its guest has exited, so far.
#[derive(Clone, Debug, Default)]
pub struct Flush {
    /// The addresses that ops were given.
    at: Vec<u64>,
    /// How many of the ops clean, and nothing else.
    clean: u64,
    /// How many of them invalidate, and nothing else.
    invalidate: u64,
    /// How many of them found a dirty line.
    dirty: u64,
    /// What the guest was about to execute. `None` if it has not run yet.
    cause: Option<&'static Site>,
}

impl Flush {
    /// The guest is about to execute `site`.
    #[inline]
    pub fn guest_at(&mut self, site: &'static Site) {
        self.cause = Some(site);
    }

    /// The host executes an op on a line, which is dirty or not.
    pub fn maintain(&mut self, op: VaOp, at: u64, dirty: bool) {
        self.at.push(at);
        self.clean += u64::from(op == VaOp::Cvac);
        self.invalidate += u64::from(op == VaOp::Ivac);
        self.dirty += u64::from(dirty);
    }

    /// Whether nothing was maintained.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// The guest goes on: this was all of it.
    pub fn record(
        self,
        cpu: usize,
        touched: &Touched,
        model: &mut Model,
        ram: &Ram,
    ) -> record::Flush {
        let size = model.line_size() as u64;
        let ops = self.at.len() as u64;
        let mut lines = self.at;
        lines.iter_mut().for_each(|at| *at &= !(size - 1));
        lines.sort_unstable();
        lines.dedup();
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for at in &lines {
            match ranges.last_mut() {
                Some((_, end)) if *end == *at => *end += size,
                _ => ranges.push((*at, at + size)),
            }
        }
        let kept = lines.iter().filter(|at| model.is_held(**at)).count();
        // What the guest has dirtied and is still not in memory.
        let missed = model
            .dirty_lines()
            .filter(|(_, stored)| is_guest(*stored))
            .map(|(at, _)| at)
            .collect::<Vec<_>>();
        let first = ranges.first().copied().unwrap_or_default();
        let last = ranges.last().copied().unwrap_or_default();
        record::Flush {
            cpu: cpu as u64,
            pc: self.cause.map(|site| Hex(site.pc)),
            cause: self.cause.map_or(Cause::Start, cause),
            ops,
            clean: self.clean,
            invalidate: self.invalidate,
            lines: lines.len() as u64,
            twice: ops - lines.len() as u64,
            dirty: self.dirty,
            kept: kept as u64,
            ranges: ranges.len() as u64,
            first: Hex(ram.address(first.0)),
            last: Hex(ram.address(last.1)),
            missed: missed.len() as u64,
            missed_at: missed.first().map(|at| Hex(ram.address(*at))),
            touched: Some(touched.bytes() / size),
        }
    }
}

/// What a guest's instruction may have trapped for.
fn cause(site: &Site) -> Cause {
    match site.instruction {
        Instruction::SetWay { .. } => Cause::SetWay,
        Instruction::SystemWrite(_) => Cause::Register,
        Instruction::Call => Cause::Call,
        Instruction::ByVa { .. } | Instruction::Zero { .. } => Cause::ByVa,
        _ => Cause::Other,
    }
}
