//! When the model begins, and where its account of a run begins and ends.
//!
//! What a hypervisor does before it has a guest is not under test, and to watch it takes long. So there are
//! two ways to begin in the middle: when a guest is entered, or when an agent says that it is about to have
//! one. Until then QEMU calls us only for the instruction with which it might be time: it is always the last
//! of its block, because it changes the exception level.
//!
//! What was translated until then is not watched and has to be forgotten. QEMU does that when no CPU is in
//! a block; and as it makes all CPUs leave theirs for it, nothing is executed in between that follows the
//! instruction.
//!
//! An agent has many guests in one boot, and marks the run of each by two SVCs. Between them is an account of
//! its own, by a model that has just begun: each run is to be as if the machine had been booted for it. It is
//! in QEMU's log between the exceptions that these SVCs are, and so does not begin before the first one, which
//! is taken after we are called for it, but with whatever is watched next.

use std::ffi::{c_uint, c_void};

use setway_architecture::decode::Instruction;
use setway_protocol::boundary;

use crate::{
    WATCH,
    api::{self, Block},
    cpu::Cpu,
    handles::State,
    options::{Arm, Options},
    site::{self, ALWAYS, Site},
    watch::{Watch, hcr},
};

impl Options {
    /// Whether `instruction` marks the begin or the end of a run.
    pub fn is_boundary(&self, instruction: Instruction, state: State) -> bool {
        let marks = [boundary::BEGINS, boundary::ENDS].map(Instruction::SystemCall);
        self.arm == Arm::Run && state.el == 0 && marks.contains(&instruction)
    }
}

impl Watch {
    /// Has QEMU call us for the last instruction of a block, if it may be the one to begin with.
    pub fn await_beginning(&mut self, block: &Block, state: State) {
        let level = match self.options.arm {
            Arm::Start => return self.arm(),
            Arm::Guest => 2,
            Arm::Run => 0,
        };
        let Some(last) = block.last().filter(|_| state.el == level) else {
            return;
        };
        let (bytes, size) = last.bytes();
        let instruction = site::decode(bytes, size, state);
        let may_begin = match self.options.arm {
            Arm::Run => instruction == Instruction::SystemCall(boundary::BEGINS),
            _ => instruction == Instruction::ExceptionReturn,
        };
        let sites = &mut self.sites;
        if may_begin && let Some(site) = sites.find(last.address(), bytes, size, state, ALWAYS) {
            last.before(may_begin_here, site);
        }
    }

    /// A CPU is about to execute `site`, and nothing is watched yet.
    fn may_begin(&mut self, site: &Site) {
        if !self.is_armed() && (self.options.arm == Arm::Run || self.enters_guest(site.state)) {
            api::translate_anew::<crate::Setway>(self.id);
        }
    }

    /// Whether an exception return from EL2 enters a guest: what it returns to is below, and behind stage 2.
    fn enters_guest(&mut self, state: State) -> bool {
        let Some(handles) = &self.handles else {
            return false;
        };
        let hcr = handles.hcr(&mut self.buffer);
        let to = handles.returns_to(&mut self.buffer, state);
        // AArch32's Hyp mode does not show where it returns to; it rarely stays there.
        let below = to.is_none_or(|(to, _)| to.el < 2);
        below && hcr & hcr::VM != 0 && hcr & hcr::TGE == 0
    }

    /// An agent is about to execute the SVC that marks a boundary.
    pub(crate) fn reach(&mut self, boundary: u16) {
        match boundary {
            boundary::BEGINS => {
                self.run_begins = true;
                // So that whatever comes next comes by.
                self.events += 1;
            }
            boundary::ENDS => self.report.end(),
            _ => {}
        }
    }

    /// Something is watched: if the SVC before it was where a run begins, it begins.
    #[inline]
    pub(crate) fn begin_run(&mut self) {
        if self.run_begins {
            self.restart();
        }
    }

    /// The model begins again with memory as it should be, and with it the account.
    #[cold]
    fn restart(&mut self) {
        self.run_begins = false;
        self.zero(&[]);
        let (ram, rest) = (&self.ram, &mut self.rest);
        rest.restart();
        if let Some(model) = &mut self.model {
            let size = model.line_size();
            model.restart(|at, page| ram.restore(at, page, size, rest));
            model.set_speculation(self.cpus.iter().any(Cpu::may_speculate));
        }
        for cpu in &mut self.cpus {
            cpu.forget();
            cpu.stale = true;
        }
        self.report.begin(&self.options);
        self.report.armed();
    }
}

extern "C" fn may_begin_here(_: c_uint, data: *mut c_void) {
    // SAFETY: registered with a site, which lives for ever.
    let site = unsafe { &*data.cast::<Site>() };
    WATCH.with(|watch| watch.may_begin(site));
}
