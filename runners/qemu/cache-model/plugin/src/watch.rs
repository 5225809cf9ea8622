//! The plugin's state, and what QEMU's callbacks have it do.

use crate::{
    action::Action,
    api::Done,
    arming::Arming,
    cost::{Costs, Length},
    cpus::Cpus,
    options::{Arm, Options},
    ram::Ram,
    report::Report,
    site::{Site, Sites},
    stage::Stage,
};

/// Everything the plugin knows.
pub struct Watch {
    pub sites: Sites,
    pub cpus: Cpus,
    pub arming: Arming,
    /// What guests wait for.
    pub costs: Costs,
    options: Options,
    report: Report,
    /// `None` until it is time to watch.
    stage: Option<Stage>,
}

impl Watch {
    /// Nothing is watched yet.
    pub fn new(options: Options, ram: Ram, cpus: usize) -> Self {
        let mut report = Report::new(cpus);
        if options.arm != Arm::Run {
            report.begin(&options);
        }
        Self {
            sites: Sites::default(),
            cpus: Cpus::new(cpus),
            arming: Arming::new(options.arm, ram),
            costs: Costs::new(cpus),
            options,
            report,
            stage: None,
        }
    }

    /// Whether accesses are watched.
    pub fn is_armed(&self) -> bool {
        self.stage.is_some()
    }

    /// Whether to count what guests wait for.
    pub fn counts_cost(&self) -> bool {
        self.options.cost
    }

    /// Begins to watch.
    ///
    /// # Panics
    ///
    /// If the machine's memory cannot be copied.
    pub fn arm(&mut self) {
        let Some(ram) = self.arming.take_ram() else {
            return;
        };
        match Stage::new(ram, self.options.caches, self.cpus.count()) {
            Ok(stage) => self.stage = Some(stage),
            Err(error) => panic!("setway cache model: cannot copy the machine's memory: {error}"),
        }
        // What changed until here, nobody has followed.
        self.cpus.make_all_stale();
        if self.options.arm == Arm::Run {
            self.report.begin(&self.options);
        }
        self.report.armed();
    }

    /// The CPU is in a state in which it cannot be watched: what it does there, the model misses.
    pub fn cannot_watch(&mut self) {
        if self.is_armed() || self.arming.is_due() {
            self.report.missed();
        }
    }

    /// QEMU ends.
    pub fn exit(&mut self) {
        self.report.costs(&mut self.costs);
        self.report.end();
    }

    /// An instruction that is watched is about to be executed. `cpu` is the CPU's number by QEMU's word.
    #[inline]
    pub fn before(&mut self, cpu: usize, site: &'static Site) {
        if let Some(action) = self.action(cpu, site) {
            action.before();
        }
    }

    /// A store of `len` bytes at `address` was executed. `cpu` is the CPU's number by QEMU's word.
    #[inline]
    pub fn after_store(&mut self, cpu: usize, site: &'static Site, address: u64, len: usize) {
        if let Some(action) = self.action(cpu, site) {
            action.after_store(address, len);
        }
    }

    /// Whether each access is compared with QEMU's.
    pub fn compares(&self) -> bool {
        self.options.compares()
    }

    /// QEMU has executed an access, which is to be compared. `cpu` is the CPU's number by QEMU's word.
    pub fn compare(&mut self, cpu: usize, site: &'static Site, done: &Done) {
        if let Some(action) = self.action(cpu, site) {
            action.compare(done);
        }
    }

    /// A block at `site` was translated from `bytes`. Returns whether these are what the CPU fetches.
    pub fn fetched(&mut self, site: &'static Site, bytes: &[u8]) -> bool {
        let action = self.action(0, site);
        action.is_none_or(|action| action.fetched(bytes))
    }

    /// A block at `site`, which was translated from other bytes than the CPU fetches, is about to be executed.
    pub fn fetch_again(&mut self, site: &'static Site) {
        if let Some(action) = self.action(0, site) {
            action.fetch_again();
        }
    }

    /// A block is about to be executed. `cpu` is the CPU's number by QEMU's word.
    #[inline]
    pub fn executes(&mut self, cpu: usize, block: &Length) {
        let cpu = self.cpus.current(cpu);
        self.costs.executes(cpu, block);
    }

    /// What the current CPU does at `site`. `None` if nothing is watched yet.
    #[inline(always)]
    fn action(&mut self, cpu: usize, site: &'static Site) -> Option<Action<'_>> {
        Some(Action {
            cpu: self.cpus.current(cpu),
            site,
            stage: self.stage.as_mut()?,
            cpus: &mut self.cpus,
            arming: &mut self.arming,
            costs: &mut self.costs,
            report: &mut self.report,
            sites: &self.sites,
            options: &self.options,
        })
    }
}
