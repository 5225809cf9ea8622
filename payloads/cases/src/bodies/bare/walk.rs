//! Translation tables: a walk is an access like any other, by the attributes that TCR gives it.

use super::{NEW, OLD, maintain};
use crate::{
    arena::Place,
    bare::{Bare, Expected},
    context::Context,
};
use setway_architecture::maintenance::VaOp;

/// The pages that the window shows before and after, as offsets in the arena. The tables are not there.
const PAGES: [usize; 2] = [0x4000, 0x5000];

/// What the other page has in memory.
const OLDER: u64 = 0x0101_0101;

/// Leads the window from one page to another by a cacheable store to its table entry, and looks which page it
/// shows. A walk that goes past the caches does not see the store until it is cleaned.
pub fn changed<I: Bare>(cx: &mut Context<I>, cached_walks: bool, clean: bool) {
    let arena = I::arena().cached();
    let [before, after] = PAGES.map(|offset| arena.byte(offset));
    let table = arena.byte(I::window().table);

    I::set_walks(cached_walks);
    I::set_caches(false, false);
    for (page, value) in [(before, OLD), (after, OLDER), (table, 0)] {
        maintain::<I>(VaOp::Civac, page);
        page.store(value);
    }
    set_entry::<I>(table, before);
    I::barrier();
    I::set_caches(true, true);
    cx.data("the page at first", OLD, through::<I>());
    // What the other page has in the cache, and what in memory, are two things from here on: a load along the
    // wrong translation gives itself away even if it ends up at the right page.
    let past = I::arena().uncached().byte(PAGES[1]);
    after.store(NEW);
    past.load::<u64>();

    // From here to the last load nothing happens but that the entry changes: it is dirty already, and the first
    // page in use.
    set_entry::<I>(table, before);
    let again = through::<I>();
    set_entry::<I>(table, after);
    if clean {
        maintain::<I>(VaOp::Cvac, table);
    }
    I::barrier();
    I::invalidate_tlb();
    let changed = through::<I>();
    cx.data("the page before its entry was changed", OLD, again);
    let want = match cx.arguments().expected {
        Expected::Fresh => NEW,
        Expected::Stale => OLD,
    };
    cx.data("the page after its entry was changed", want, changed);
    I::set_walks(true);
}

/// Writes the window's entry, which leads to `page` from then on.
fn set_entry<I: Bare>(table: Place, page: Place) {
    let window = I::window();
    let entry = (window.entry)(page.address());
    match window.entry_size {
        4 => table.store(entry as u32),
        _ => table.store(entry),
    }
}

/// What the window shows.
fn through<I: Bare>() -> u64 {
    // SAFETY: either entry is valid, and leads to memory that nothing else uses.
    unsafe { I::window().address.read_volatile() }
}
