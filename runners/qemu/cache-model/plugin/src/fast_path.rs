//! Lines with which a CPU can go on as it does, without the model's taking part.
//!
//! Most accesses are to lines that the CPU has used just before, and nothing has happened to them: what QEMU
//! has in memory is what the CPU sees, and the model has nothing to notice. Such lines are remembered until
//! anything happens to any line, which a count of all that happens tells.

use setway_cache_model::Path;

use crate::{
    site::Site,
    watch::{Watch, show},
};

/// How many lines are remembered.
const ENTRIES: usize = 2048;
const LINE_SHIFT: u32 = 6;
/// The size of lines for which this is done.
pub const LINE: usize = 1 << LINE_SHIFT;

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The line's virtual address and its regime, or [`NOTHING`].
    key: u64,
    /// When this held.
    moment: u64,
    /// Where the line is in memory.
    offset: u64,
    /// No other CPU has it, and it is dirty.
    alone: bool,
}

const NOTHING: u64 = u64::MAX;

/// The lines of one CPU.
#[derive(Debug)]
pub struct Steady(Box<[Entry; ENTRIES]>);

/// What tells the same virtual address of two regimes apart.
pub fn regime(el: u8, aarch64: bool) -> u64 {
    u64::from(el >= 2) << 1 | u64::from(aarch64)
}

impl Steady {
    /// None yet.
    pub fn new() -> Self {
        const EMPTY: Entry = Entry {
            key: NOTHING,
            moment: 0,
            offset: 0,
            alone: false,
        };
        Self(Box::new([EMPTY; ENTRIES]))
    }

    fn key(address: u64, regime: u64) -> u64 {
        address >> LINE_SHIFT << 2 | regime
    }

    /// Where `len` bytes at a virtual address are, if they lie in one line that is remembered, and whether
    /// the CPU has it alone.
    #[inline]
    pub fn find(&self, address: u64, len: usize, regime: u64, moment: u64) -> Option<(u64, bool)> {
        let within = address as usize % LINE;
        let key = Self::key(address, regime);
        let entry = &self.0[(address >> LINE_SHIFT) as usize % ENTRIES];
        let steady = entry.key == key && entry.moment == moment && within + len <= LINE;
        steady.then_some((entry.offset + within as u64, entry.alone))
    }

    /// Remembers the line of a virtual address, which is at `offset` in memory.
    pub fn remember(&mut self, address: u64, regime: u64, moment: u64, offset: u64, alone: bool) {
        self.0[(address >> LINE_SHIFT) as usize % ENTRIES] = Entry {
            key: Self::key(address, regime),
            moment,
            offset: offset & !(LINE as u64 - 1),
            alone,
        };
    }
}

impl Watch {
    /// A number that is another whenever a line may have ceased to be steady.
    #[inline]
    fn moment(&self) -> Option<u64> {
        let model = self.model.as_ref()?;
        Some(self.events + model.generation() + self.ram.changes() + self.rest.changes())
    }

    /// Where an access is, if it is to a line with which this CPU can go on as it does, and whether it has
    /// the line alone.
    #[inline]
    pub(crate) fn steady_at(
        &mut self,
        cpu: usize,
        site: &'static Site,
        address: u64,
        len: usize,
    ) -> Option<(u64, bool)> {
        let moment = self.moment()?;
        let regime = regime(site.state.el, site.state.aarch64_regime);
        let found = self.steady[cpu].find(address, len, regime, moment)?;
        if self.is_guest(cpu, site) {
            self.report.guest_at(cpu, site);
        }
        Some(found)
    }

    /// Remembers a line that was just accessed, if the CPU can go on with it as it does.
    #[inline]
    pub(crate) fn remember(
        &mut self,
        cpu: usize,
        site: &Site,
        address: u64,
        offset: u64,
        path: Path,
    ) {
        // Whoever has something left to do, must come by.
        if self.rest.is_disturbed() || self.cpus[cpu].stale || self.zeroed.is_some() {
            return;
        }
        let Some(model) = &mut self.model else { return };
        if path != Path::WriteBack || model.line_size() != LINE || self.rest.table(offset).is_some()
        {
            return;
        }
        let Some(alone) = model.steady(cpu as u8, offset) else {
            return;
        };
        show(model, &self.ram, path, offset);
        let Some(moment) = self.moment() else { return };
        let regime = regime(site.state.el, site.state.aarch64_regime);
        self.steady[cpu].remember(address, regime, moment, offset, alone);
    }
}
