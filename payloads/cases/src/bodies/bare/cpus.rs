//! Two CPUs with their caches on: coherent in what they load, and each alone in its ops by set/way.

use super::{
    NEW, PLACES, by_va, cached, check, clean_everything, compare, load, start, store, uncached,
};
use crate::{
    arena::Place,
    bare::Bare,
    context::Context,
    isa::{Command, Isa},
};
use setway_architecture::maintenance::{SetWayOp, VaOp};

/// Where in the arena the second CPU leaves what it has loaded, past the caches.
const REPORT: usize = 0x8000;

fn report<I: Isa>() -> Place {
    I::arena().uncached().byte(REPORT)
}

/// Does a command that is about the words, as the second CPU; false if it is none.
pub fn obey<I: Bare>(command: u32) -> bool {
    match command {
        c if c == Command::Load as u32 => {
            for (place, word) in PLACES.into_iter().zip(load(cached::<I>())) {
                report::<I>().word(place).store(word);
            }
        }
        c if c == Command::CleanAll as u32 => clean_everything::<I>(SetWayOp::Csw),
        c if c == Command::CleanByVa as u32 => by_va::<I>(VaOp::Cvac),
        _ => return false,
    }
    true
}

/// Runs `body` while a second CPU has its caches on.
fn beside_another<I: Bare>(cx: &mut Context<I>, body: impl FnOnce(&mut Context<I>)) {
    start::<I>();
    let started = I::start_secondary();
    cx.state("CPU_ON succeeds", 1, u64::from(started));
    if !started {
        return;
    }
    I::on_secondary(Command::CachesOn);
    body(cx);
    I::on_secondary(Command::CachesOff);
    cx.state("off after CPU_OFF", 1, u64::from(I::stop_secondary()));
}

/// CPU 0 stores, CPU 1 loads: caches are coherent.
pub fn loaded_by_the_other<I: Bare>(cx: &mut Context<I>) {
    beside_another(cx, |cx| {
        store(cached::<I>(), NEW);
        I::barrier();
        I::on_secondary(Command::Load);
        compare(cx, "load by CPU 1", load(report::<I>()));
    });
}

/// CPU 0 stores, CPU 1 cleans everything by set/way, CPU 0 loads past the cache: the ops were executed for
/// CPU 1's caches alone.
pub fn cleaned_by_the_other<I: Bare>(cx: &mut Context<I>) {
    beside_another(cx, |cx| {
        store(cached::<I>(), NEW);
        I::barrier();
        I::on_secondary(Command::CleanAll);
        check(cx, "load past the cache", uncached::<I>());
    });
}

/// The same by VA: such ops act on the caches of all CPUs.
pub fn cleaned_by_va_by_the_other<I: Bare>(cx: &mut Context<I>) {
    beside_another(cx, |cx| {
        store(cached::<I>(), NEW);
        I::barrier();
        I::on_secondary(Command::CleanByVa);
        check(cx, "load past the cache", uncached::<I>());
    });
}

/// Load, caches off, clean and invalidate by VA, store, caches on, load: right if it were not for the other CPU, whose
/// mapping of the same memory is cacheable all the time.
pub fn filled_by_the_other<I: Bare>(cx: &mut Context<I>) {
    beside_another(cx, |cx| {
        load(cached::<I>());
        I::set_caches(false, false);
        by_va::<I>(VaOp::Civac);
        store(cached::<I>(), NEW);
        I::set_caches(true, true);
        check(cx, "load", cached::<I>());
    });
}
