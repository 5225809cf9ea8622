//! Data: what is written is seen.
//!
//! On a machine without caches nothing here can fail but the emulation around it; the cache model
//! gives the checks their teeth. The sequences are those of real guests: a boot loader that cleans
//! and turns its caches off, a kernel that is entered with them off.

use super::{
    FIRST_SET_WAY, NEXT_SET_WAY, TOGGLE,
    set_way::{issue, issue_for_all},
    vcpus,
};
use crate::{
    arena::Place,
    context::{Context, Counts},
    isa::{Command, Isa},
};
use setway_architecture::maintenance::SetWayOp;

const OLD: u64 = 0x1111_1111;
const NEW: u64 = 0x2222_2222;

/// Eight words, each in a line and some in a page of their own.
const PLACES: [usize; 8] = [0, 8, 64, 504, 512, 1024, 2040, 4088];

fn store(at: Place, value: u64) {
    for place in PLACES {
        at.word(place).store(value + place as u64);
    }
}

/// Checks that a load of each place sees `value` plus the place's number.
fn check<I: Isa>(cx: &mut Context<I>, name: &'static str, at: Place, value: u64) {
    let got = PLACES.map(|place| at.word(place).load::<u64>());
    for (place, got) in PLACES.into_iter().zip(got) {
        cx.data(
            format_args!("{name}, word {place}"),
            value + place as u64,
            got,
        );
    }
}

/// Old data at the point of coherency, with no line of it in a cache: stored with the cache off.
fn start<I: Isa>() -> Place {
    let at = I::arena().cached();
    issue::<I>(SetWayOp::Cisw);
    I::set_caches(false, false);
    store(at, OLD);
    I::set_caches(true, true);
    at
}

/// Store with the cache on, clean by set/way, load past the cache, which only the op's flush can make
/// right; cache off, load.
pub fn clean<I: Isa>(cx: &mut Context<I>, op: SetWayOp) {
    let at = start::<I>();
    store(at, NEW);
    cx.step("set/way op", FIRST_SET_WAY, || issue::<I>(op));
    check(cx, "load past the cache", I::arena().uncached(), NEW);
    cx.step("cache off", TOGGLE, || I::set_caches(false, false));
    check(cx, "load with the cache off", at, NEW);
    I::set_caches(true, true);
}

/// Clean by set/way, store, cache off, load: only the flush of the toggle can help.
pub fn toggle<I: Isa>(cx: &mut Context<I>) {
    let at = start::<I>();
    cx.step("set/way op", FIRST_SET_WAY, || issue::<I>(SetWayOp::Csw));
    store(at, NEW);
    cx.step("cache off", TOGGLE, || I::set_caches(false, false));
    check(cx, "load with the cache off", at, NEW);
    I::set_caches(true, true);
}

/// Store between two set/way ops: the second is dropped, so the store is not in memory until the toggle's flush.
pub fn dropped<I: Isa>(cx: &mut Context<I>) {
    let at = start::<I>();
    cx.step("set/way op", FIRST_SET_WAY, || issue::<I>(SetWayOp::Csw));
    store(at, NEW);
    cx.step("second set/way op", NEXT_SET_WAY, || {
        issue::<I>(SetWayOp::Csw)
    });
    check(
        cx,
        "load past the cache, still old",
        I::arena().uncached(),
        OLD,
    );
    cx.step("cache off", TOGGLE, || I::set_caches(false, false));
    check(cx, "load with the cache off", at, NEW);
    I::set_caches(true, true);
}

/// Issues `op` for every line as one step, with TVM clear.
fn whole_cache<I: Isa>(cx: &mut Context<I>, op: SetWayOp) {
    I::mark();
    let ops = issue_for_all::<I>(op);
    I::mark();
    let demanded = Counts {
        set_way: ops,
        vm_reg: 0,
        flush: 1,
    };
    cx.measured("every level, set and way", demanded);
}

/// Clean everything by set/way, level by level, and load past the cache. The architecture promises that
/// to nobody who has a system cache or another CPU, and boot loaders rely on it all the same.
pub fn clean_whole_cache<I: Isa>(cx: &mut Context<I>) {
    let at = start::<I>();
    store(at, NEW);
    whole_cache(cx, SetWayOp::Csw);
    check(cx, "load past the cache", I::arena().uncached(), NEW);
}

/// The way in which boot loaders leave: cache off, then clean and invalidate everything by set/way.
pub fn off_then_clean<I: Isa>(cx: &mut Context<I>) {
    let at = start::<I>();
    store(at, NEW);
    I::set_caches(false, false);
    whole_cache(cx, SetWayOp::Cisw);
    check(cx, "load with the cache off", at, NEW);
    I::set_caches(true, true);
}

/// The far places of the guest's memory that nothing else uses: the ends of 2 MiB in the middle, and of
/// the last page.
pub fn far_places<I: Isa>(cx: &Context<I>) -> [Place; 4] {
    const BLOCK: u64 = 2 << 20;
    const WORD: usize = 8;
    let memory = cx.memory();
    let middle = (memory.start + (memory.end - memory.start) / 2) & !(BLOCK - 1);
    let last = memory.end - 4096;
    let words = [middle, middle + BLOCK - 8, last, memory.end - 8];
    // SAFETY: memory of the guest's, of which neither the image nor the device tree takes as much.
    words.map(|address| unsafe { Place::new(address as usize as *mut u8, WORD) })
}

/// Stores new data at far places, another at each.
fn store_far(places: [Place; 4]) {
    for (value, at) in (NEW..).zip(places) {
        at.store(value);
    }
}

/// Checks that a load of each far place sees it.
fn check_far<I: Isa>(cx: &mut Context<I>, places: [Place; 4]) {
    for (n, at) in places.into_iter().enumerate() {
        cx.data(
            format_args!("load from far place {n}"),
            NEW + n as u64,
            at.load(),
        );
    }
}

/// Store to memory that was never touched before, cache off, load: the flush has to reach everything
/// that is mapped by then, in pages and in blocks, from the first line to the last.
pub fn reach<I: Isa>(cx: &mut Context<I>) {
    cx.step("set/way op", FIRST_SET_WAY, || issue::<I>(SetWayOp::Csw));
    let places = far_places(cx);
    store_far(places);
    let arena = I::arena().cached();
    store(arena, NEW);
    cx.step("cache off", TOGGLE, || I::set_caches(false, false));
    check_far(cx, places);
    check(cx, "load with the cache off", arena, NEW);
    I::set_caches(true, true);
}

/// Cache off, store to memory that was never touched before, cache on, load: whatever the hypervisor did to give the
/// guest that memory must not come back over the stores.
pub fn fresh<I: Isa>(cx: &mut Context<I>) {
    cx.step("set/way op", FIRST_SET_WAY, || issue::<I>(SetWayOp::Csw));
    cx.step("cache off", TOGGLE, || I::set_caches(false, false));
    let places = far_places(cx);
    store_far(places);
    cx.step("cache on", TOGGLE, || I::set_caches(true, true));
    check_far(cx, places);
}

/// Another CPU stores, this one turns its cache off: the flush has to reach what the other has in its
/// cache, and what memory it was the first to touch.
pub fn other_cpu<I: Isa>(cx: &mut Context<I>) {
    let started = I::start_secondary();
    cx.state("CPU_ON succeeds", 1, u64::from(started));
    if !started {
        return;
    }
    I::on_secondary(Command::CachesOn);
    let [middle, end, ..] = far_places(cx);
    let places = [I::arena().cached(), middle, end];
    cx.step("set/way op, CPU 0", FIRST_SET_WAY, || {
        issue::<I>(SetWayOp::Csw)
    });
    for (value, at) in (NEW as u32..).zip(places) {
        I::store_on_secondary(at, value);
    }
    cx.step("cache off, CPU 0", TOGGLE, || I::set_caches(false, false));
    for (n, at) in places.into_iter().enumerate() {
        cx.data(
            format_args!("load of CPU 1's store {n}"),
            NEW + n as u64,
            at.load::<u32>().into(),
        );
    }
    I::set_caches(true, true);
    cx.state("off after CPU_OFF", 1, u64::from(I::stop_secondary()));
}

/// Clean lines in the cache, a CPU that was just started stores past it and turns its cache on: the stale lines
/// must be gone. Started `again`, it had its cache on before it was turned off.
pub fn started<I: Isa>(cx: &mut Context<I>, again: bool) {
    let at = start::<I>();
    if !vcpus::start(cx) {
        return;
    }
    if again {
        I::on_secondary(Command::CachesOn);
        vcpus::stop(cx);
        if !vcpus::start_again(cx) {
            return;
        }
    }
    check(cx, "load that fills the cache", at, OLD);
    for place in PLACES {
        I::store_on_secondary(at.word(place), NEW as u32 + place as u32);
    }
    cx.step("cache on, CPU 1", TOGGLE, || {
        I::on_secondary(Command::CachesOn)
    });
    check(cx, "load of what CPU 1 stored", at, NEW);
    vcpus::stop(cx);
}

/// Lines in the cache, cache off, store, cache on, load: the stale lines must be gone.
pub fn stored_while_off<I: Isa>(cx: &mut Context<I>) {
    let at = start::<I>();
    check(cx, "load that fills the cache", at, OLD);
    cx.step("set/way op", FIRST_SET_WAY, || issue::<I>(SetWayOp::Csw));
    cx.step("cache off", TOGGLE, || I::set_caches(false, false));
    store(at, NEW);
    cx.step("cache on", TOGGLE, || I::set_caches(true, true));
    check(cx, "load with the cache on", at, NEW);
}

/// Dirty lines and an invalidate by set/way of everything: the data must survive, in the cache or in
/// memory.
pub fn invalidate<I: Isa>(cx: &mut Context<I>) {
    let at = start::<I>();
    store(at, NEW);
    I::mark();
    let ops = issue_for_all::<I>(SetWayOp::Isw);
    I::mark();
    cx.measured(
        "DC ISW of every level, set and way",
        Counts {
            set_way: ops,
            ..FIRST_SET_WAY
        },
    );
    check(cx, "load with the cache on", at, NEW);
    cx.step("cache off", TOGGLE, || I::set_caches(false, false));
    check(cx, "load with the cache off", at, NEW);
    I::set_caches(true, true);
}
