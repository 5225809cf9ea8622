//! What the caches themselves do to a program that nobody stands beneath.
//!
//! Each case brings the same words of memory from [`OLD`] to [`NEW`] along one path, does something to
//! the caches, and loads them along another. Whether it then sees the new words is up to the machine, and
//! the command line gives what is expected on this one.
//!
//! An invalidate by set/way that nobody upgrades destroys every dirty line that it meets, the payload's own
//! among them. So the words lie in sets in which none of the payload's own memory does, but for what it
//! only reads.

pub mod cost;
pub mod cpus;
pub mod fetch;
pub mod set_way;
pub mod switch;
pub mod va;
pub mod walk;

use crate::{
    bare::{Bare, ByVa, Expected},
    context::Context,
    isa::{Geometry, Isa, SetWay},
};
use core::ops::Range;

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
fn place<I: Bare>() -> usize {
    quiet::<I>(0, SPAN)
}

#[inline(never)]
fn cached<I: Bare>() -> *mut u64 {
    I::arena().cached.wrapping_byte_add(place::<I>())
}

#[inline(never)]
fn uncached<I: Bare>() -> *mut u64 {
    I::arena().uncached.wrapping_byte_add(place::<I>())
}

/// Old words at the point of coherency, with no line of them in any cache, and caches on.
#[inline(never)]
fn start<I: Bare>() {
    I::set_caches(false, false);
    by_va::<I>(ByVa::CleanInvalidate);
    store(cached::<I>(), OLD);
    I::set_caches(true, true);
}

#[inline(never)]
fn store(at: *mut u64, value: u64) {
    for place in PLACES {
        // SAFETY: the span is in the arena, which nothing else uses.
        unsafe { at.add(place).write_volatile(value + place as u64) }
    }
}

#[inline(never)]
fn load(at: *mut u64) -> [u64; PLACES.len()] {
    // SAFETY: as in `store`.
    PLACES.map(|place| unsafe { at.add(place).read_volatile() })
}

/// Loads the words and compares them with what this machine should show.
#[inline(never)]
fn check<I: Isa>(cx: &mut Context<I>, name: &str, at: *mut u64) {
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
        cx.check(
            format_args!("{name}, word {place}"),
            want + place as u64,
            got,
        );
    }
}

/// An op by VA on each of the words.
#[inline(never)]
fn by_va<I: Bare>(op: ByVa) {
    for place in PLACES {
        I::by_va(op, cached::<I>().wrapping_add(place).cast());
    }
}

/// An op by set/way on every line of every cache.
#[inline(never)]
fn everything<I: Bare>(op: SetWay) {
    super::set_way::each_line::<I>(|operand| I::set_way(op, operand));
    I::barrier();
}

/// An op by set/way on every way of every set of the last private cache that has one of the words.
fn their_sets<I: Bare>(op: SetWay) {
    for place in PLACES {
        each_way::<I>(op, cached::<I>().wrapping_add(place) as usize);
    }
}

/// An op by set/way on every way of the set of `address` in the last cache that such ops reach. That is
/// the one that the cache model models.
#[inline(never)]
pub fn each_way<I: Bare>(op: SetWay, address: usize) {
    let level = I::clidr() >> 24 & 7;
    let geometry = I::geometry(level.saturating_sub(1));
    let way_shift = (geometry.last_way as u32).leading_zeros() % 32;
    let set = (address >> geometry.line_shift & (sets(&geometry) - 1)) as u64;
    for way in 0..=geometry.last_way {
        I::set_way(
            op,
            way << way_shift | set << geometry.line_shift | level.saturating_sub(1) << 1,
        );
    }
    I::barrier();
}

/// The number of sets that addresses choose among. Some CPUs of QEMU's report a number that is no power of
/// two; addresses then reach the power of two below.
fn sets(geometry: &Geometry) -> usize {
    1 << (geometry.last_set + 1).ilog2()
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
    let level = I::clidr() >> 24 & 7;
    let geometry = I::geometry(level.saturating_sub(1));
    // Addresses this far apart are in the same set.
    let stride = sets(&geometry) << geometry.line_shift;
    let own = I::own_memory();
    let arena = I::arena().cached as usize;
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
