//! Translation tables: a walk is an access like any other, by the attributes that TCR gives it.

use super::{NEW, OLD};
use crate::{
    bare::{Bare, ByVa, Expected},
    context::Context,
};

/// The pages that the window shows before and after, as offsets in the arena. The tables are not there.
const PAGES: [usize; 2] = [0x4000, 0x5000];

/// What the other page has in memory.
const OLDER: u64 = 0x0101_0101;

/// Leads the window from one page to another by a cacheable store to its table entry, and looks which page it
/// shows. A walk that goes past the caches does not see the store until it is cleaned.
pub fn changed<I: Bare>(cx: &mut Context<I>, cached_walks: bool, clean: bool) {
    let arena = I::arena().cached;
    let window = I::window();
    let [before, after] = PAGES.map(|offset| arena.wrapping_byte_add(offset));
    let table = arena.wrapping_byte_add(window.table);

    I::set_walks(cached_walks);
    I::set_caches(false, false);
    for (page, value) in [(before, OLD), (after, OLDER), (table, 0)] {
        I::by_va(ByVa::CleanInvalidate, page.cast());
        // SAFETY: all three are in the arena, which nothing else uses.
        unsafe { page.write_volatile(value) }
    }
    set_entry::<I>(table, before);
    I::barrier();
    I::set_caches(true, true);
    cx.check("the page at first", OLD, through::<I>());
    // What the other page has in the cache, and what in memory, are two things from here on: a load along the
    // wrong translation gives itself away even if it ends up at the right page.
    let past = I::arena().uncached.wrapping_byte_add(PAGES[1]);
    // SAFETY: as above.
    unsafe {
        after.write_volatile(NEW);
        past.read_volatile();
    }

    // From here to the last load nothing happens but that the entry changes: it is dirty already, and the first
    // page in use.
    set_entry::<I>(table, before);
    let again = through::<I>();
    set_entry::<I>(table, after);
    if clean {
        I::by_va(ByVa::Clean, table.cast());
    }
    I::barrier();
    I::invalidate_tlb();
    let changed = through::<I>();
    cx.check("the page before its entry was changed", OLD, again);
    let want = match cx.arguments().expected {
        Expected::Fresh => NEW,
        Expected::Stale => OLD,
    };
    cx.check("the page after its entry was changed", want, changed);
    I::set_walks(true);
}

/// Writes the window's entry, which leads to `page` from then on.
fn set_entry<I: Bare>(table: *mut u64, page: *mut u64) {
    let window = I::window();
    let entry = (window.entry)(page as usize);
    // SAFETY: the table lies in the arena.
    unsafe {
        match window.entry_size {
            4 => table.cast::<u32>().write_volatile(entry as u32),
            _ => table.write_volatile(entry),
        }
    }
}

/// What the window shows.
fn through<I: Bare>() -> u64 {
    // SAFETY: either entry is valid, and leads to memory that nothing else uses.
    unsafe { I::window().address.read_volatile() }
}
