//! Instruction fetches.
//!
//! QEMU fetches when it translates a block, and keeps the block. So what it has translated is compared with what the
//! CPU fetches, and if the two differ, the block is translated again from the right bytes before it is executed.

use setway_cache_model::Range;

use super::Action;
use crate::cpus::pieces;

impl Action<'_> {
    /// The block here was translated from `bytes`. Returns whether these are what the CPU fetches.
    ///
    /// QEMU holds the block's pages here: their memory must not be written as code.
    pub fn fetched(mut self, bytes: &[u8]) -> bool {
        self.begin_run();
        self.refresh();
        let actor = self.actor();
        let mut right = true;
        for piece in pieces(self.site.pc, bytes.len()) {
            let Some((offset, path)) = self.locate_fetch(self.site.state, piece) else {
                continue;
            };
            if self.counts() {
                self.report.fetched(self.site);
            }
            let from = piece.at.wrapping_sub(self.site.pc) as usize;
            let bytes = &bytes[from..from + piece.len];
            right &= self.stage.fetch(actor, path, offset, bytes);
        }
        self.report_events();
        self.report_differing();
        self.compare_fetch(right, bytes)
    }

    /// Puts the code around the block where QEMU's translator will find it, and has QEMU notice. That is possible
    /// only where a plugin may write memory.
    pub fn fetch_again(mut self) {
        const PAGE: u64 = 0x1000;
        self.begin_run();
        self.stage.settle();
        // A block ends with its page, except that its last instruction may cross the end.
        let pc = self.site.pc;
        let next_page = (pc | (PAGE - 1)).wrapping_add(1);
        for (at, len) in [(pc, next_page.wrapping_sub(pc)), (next_page, 4)] {
            let len = len as usize;
            if let Some((offset, path)) = self.locate_fetch(self.site.state, Range { at, len }) {
                self.stage.show_code(path, offset, len);
            }
        }
    }
}
