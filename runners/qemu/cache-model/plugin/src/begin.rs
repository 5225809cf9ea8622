//! When the model begins.
//!
//! What a hypervisor does before it has a guest is not under test, and to watch it takes long. So there are
//! two ways to begin in the middle. Until then QEMU calls us only for the instruction with which it might be
//! time: it is always the last of its block, because it changes the exception level.
//!
//! What was translated until then is not watched and has to be forgotten. QEMU does that when no CPU is in
//! a block; and as it makes all CPUs leave theirs for it, nothing is executed in between that follows the
//! instruction.

use std::ffi::{c_uint, c_void};

use setway_architecture::decode::Instruction;

use crate::{
    WATCH,
    api::{self, Block},
    handles::State,
    options::Arm,
    site::{ALWAYS, Site},
    watch::{Watch, hcr},
};

impl Watch {
    /// Has QEMU call us for the last instruction of a block, if it may be the one to begin with.
    pub fn await_beginning(&mut self, block: &Block, state: State) {
        let may_begin = match self.options.arm {
            Arm::Start => return self.arm(),
            Arm::Guest => state.el == 2,
        };
        let Some(last) = block.last().filter(|_| may_begin) else {
            return;
        };
        let (bytes, size) = last.bytes();
        let site = self.sites.find(last.address(), bytes, size, state, ALWAYS);
        if let Some(site) = site
            && site.instruction == Instruction::ExceptionReturn
        {
            last.before(may_begin_here, site);
        }
    }

    /// A CPU is about to execute `site`, and nothing is watched yet.
    fn may_begin(&mut self, site: &Site) {
        if !self.is_armed() && self.enters_guest(site.state) {
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
}

extern "C" fn may_begin_here(_: c_uint, data: *mut c_void) {
    // SAFETY: registered with a site, which lives for ever.
    let site = unsafe { &*data.cast::<Site>() };
    WATCH.with(|watch| watch.may_begin(site));
}
