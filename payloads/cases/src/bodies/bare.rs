//! What the caches themselves do to a program that nobody stands beneath.
//!
//! Each case brings the same words of memory from [`OLD`] to [`NEW`] along one path, does something to
//! the caches, and loads them along another. Whether it then sees the new words is up to the machine, and
//! the command line gives what is expected on this one.
//!
//! An invalidate by set/way that nobody upgrades destroys every dirty line that it meets, the payload's own
//! among them. So the words lie in sets in which none of the payload's own memory does, except for what it
//! only reads.

pub mod cost;
pub mod cpus;
pub mod fetch;
pub mod set_way;
pub mod switch;
pub mod va;
pub mod walk;

use super::set_way::each_line;
use crate::{
    arena::Place,
    bare::{Bare, Expected},
    context::Context,
    isa::Isa,
};
use core::ops::Range;
use setway_architecture::maintenance::{Geometry, SetWayOp, VaOp};

pub use cpus::obey;

const OLD: u64 = 0x1111_1111;
const NEW: u64 = 0x2222_2222;

/// Eight words, each in a line of its own, the last two on either side of a page's end.
const PLACES: [usize; 8] = [0, 8, 24, 32, 128, 256, 504, 512];

/// How much memory the words lie in.
const SPAN: usize = 4096 + 64;

/// Where in the arena the words may be: before, it is used for other things.
const QUIET: usize = 0x1_0000;

/// Where the words are: an offset in the arena.
fn offset<I: Bare>() -> usize {
    quiet::<I>(0, SPAN)
}

#[inline(never)]
fn cached<I: Bare>() -> Place {
    I::arena().cached().byte(offset::<I>())
}

#[inline(never)]
fn uncached<I: Bare>() -> Place {
    I::arena().uncached().byte(offset::<I>())
}

/// Old words at the point of coherency, with no line of them in any cache, and caches on.
#[inline(never)]
fn start<I: Bare>() {
    I::set_caches(false, false);
    by_va::<I>(VaOp::Civac);
    store(cached::<I>(), OLD);
    I::set_caches(true, true);
}

#[inline(never)]
fn store(at: Place, value: u64) {
    for place in PLACES {
        at.word(place).store(value + place as u64);
    }
}

#[inline(never)]
fn load(at: Place) -> [u64; PLACES.len()] {
    PLACES.map(|place| at.word(place).load())
}

/// Loads the words and compares them with what this machine should show.
#[inline(never)]
fn check<I: Isa>(cx: &mut Context<I>, name: &str, at: Place) {
    let got = load(at);
    compare(cx, name, got);
}

#[inline(never)]
fn compare<I: Isa>(cx: &mut Context<I>, name: &str, got: [u64; PLACES.len()]) {
    let want = match cx.arguments().expected {
        Expected::Fresh => NEW,
        Expected::Stale => OLD,
    };
    for (place, got) in PLACES.into_iter().zip(got) {
        cx.data(
            format_args!("{name}, word {place}"),
            want + place as u64,
            got,
        );
    }
}

/// An op by VA on each of the words.
#[inline(never)]
fn by_va<I: Bare>(op: VaOp) {
    for place in PLACES {
        maintain::<I>(op, cached::<I>().word(place));
    }
}

/// An op by VA on the line of a place.
#[inline(always)]
pub fn maintain<I: Bare>(op: VaOp, at: Place) {
    // SAFETY: the whole line is memory that only the case uses, and it may lose what is there.
    unsafe { I::by_va(op, at.as_ptr()) }
}

/// Cleans every line of every cache by set/way.
///
/// # Panics
///
/// If `op` does not clean.
#[inline(never)]
fn clean_everything<I: Bare>(op: SetWayOp) {
    assert!(op.cleans());
    // SAFETY: it cleans.
    unsafe { everything::<I>(op) }
}

/// An op by set/way on every line of every cache.
///
/// # Safety
///
/// Unless `op` cleans, no line of the payload's own memory may be dirty.
unsafe fn everything<I: Bare>(op: SetWayOp) {
    // SAFETY: the operands are of lines that there are, and as for what is lost, the caller's.
    each_line::<I>(|operand| unsafe { I::set_way(op, operand) });
    I::barrier();
}

/// Invalidates every way of every set of the last private cache that has one of the words.
fn invalidate_their_sets<I: Bare>() {
    for place in PLACES {
        let address = cached::<I>().word(place).address();
        // SAFETY: the words are in quiet sets.
        unsafe { each_way::<I>(SetWayOp::Isw, address) }
    }
}

/// An op by set/way on every way of the set of `address` in the last cache that such ops reach. That is the one
/// that the cache model models.
///
/// # Safety
///
/// Unless `op` cleans, the set must be a [`quiet`] one.
#[inline(never)]
pub unsafe fn each_way<I: Bare>(op: SetWayOp, address: usize) {
    let (level, geometry) = last_cache::<I>();
    let set = (address >> geometry.line_shift & (sets(&geometry) - 1)) as u32;
    for way in 0..geometry.ways() {
        // SAFETY: the line exists, and as for what is lost, the caller's: in a quiet set the payload keeps nothing
        // that it writes to.
        unsafe { I::set_way(op, geometry.operand(level, set, way)) }
    }
    I::barrier();
}

/// The last cache that ops by set/way reach: its level and shape.
fn last_cache<I: Isa>() -> (u32, Geometry) {
    let level = I::clidr().level_of_coherence();
    (level, I::geometry(level.max(1)))
}

/// The number of sets that addresses choose among. Some CPUs of QEMU's report a number that is no power of
/// two; addresses then reach the power of two below.
fn sets(geometry: &Geometry) -> usize {
    1 << geometry.sets().ilog2()
}

/// An offset in the arena for `len` bytes from the byte `from` of a page on, in whose sets the payload keeps
/// nothing that it writes to.
///
/// # Panics
///
/// If there is no such place: the payload has become too large for the cache.
#[inline(never)]
pub fn quiet<I: Bare>(from: usize, len: usize) -> usize {
    const PAGE: usize = 4096;
    let (_, geometry) = last_cache::<I>();
    // Addresses this far apart are in the same set.
    let stride = sets(&geometry) << geometry.line_shift;
    let own = I::own_memory();
    let arena = I::arena().cached().address();
    let mut offsets = (QUIET + from..QUIET + stride).step_by(PAGE);
    let clear = |offset: &usize| !meet(&own, arena + offset..arena + offset + len, stride);
    offsets
        .find(clear)
        .expect("a part of the cache that the payload does not use")
}

/// Whether two ranges have addresses that are equal modulo `stride`.
fn meet(one: &Range<usize>, other: Range<usize>, stride: usize) -> bool {
    let gap = other.start.wrapping_sub(one.start) % stride;
    gap < one.len() || stride - gap < other.len() || one.len().max(other.len()) >= stride
}
