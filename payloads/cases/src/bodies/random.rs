//! Running random programs and writing down what they see.

use super::bare::{each_way, quiet};
use crate::{
    bare::{Bare, Buffer, ByVa},
    context::Context,
    random::{Digest, Direction, LINE, LINES, Program, SPAN, Step, Way, bytes, initial},
};

/// How far before a page's end the first line is.
const BEFORE: usize = SPAN / 2;
const PAGE: usize = 4096;

/// Runs the programs that the command line asks for.
pub fn programs<I: Bare>(cx: &mut Context<I>) {
    let wanted = cx.arguments().programs;
    for seed in wanted.first..wanted.first + wanted.count {
        let all = Some(seed) == wanted.detail;
        let mut digest = Digest::default();
        run::<I>(seed, |bytes| {
            digest.add(bytes);
            if all {
                cx.saw(bytes);
            }
        });
        cx.program(digest);
    }
    let (digests, _) = cx.programs();
    cx.check("programs that were run", wanted.count, digests.len() as u64);
}

/// Runs one program; `saw` is told what each load sees.
fn run<I: Bare>(seed: u64, mut saw: impl FnMut(&[u8])) {
    let first = quiet::<I>(PAGE - BEFORE, SPAN);
    let cached = I::arena().cached.cast::<u8>().wrapping_add(first);
    let uncached = I::arena().uncached.cast::<u8>().wrapping_add(first);

    // Nothing that is left of the last program can survive this, on whatever machine.
    flush::<I>(cached);
    for line in 0..LINES {
        let at = uncached.wrapping_add(line * LINE).cast::<[u8; LINE]>();
        // SAFETY: the lines are in the arena, which nothing else uses.
        unsafe { at.write_volatile(initial(line)) }
    }
    I::barrier();
    flush::<I>(cached);

    let mut on = true;
    for step in Program::new(I::NAME, seed) {
        match step {
            Step::Access {
                form,
                way,
                at,
                value,
            } => {
                let base = match way {
                    Way::Past if on => uncached,
                    _ => cached,
                };
                let mut buffer = Buffer(bytes(value));
                I::access(form, base.wrapping_add(at), &mut buffer);
                if let Direction::Load | Direction::Exchange = form.direction {
                    saw(&buffer.0[..form.len]);
                }
            }
            Step::ByVa(op, at) => I::by_va(op, cached.wrapping_add(at)),
            Step::SetWay(op, at) => each_way::<I>(op, cached as usize + at),
            Step::Caches(wanted) => {
                I::set_caches(wanted, wanted);
                on = wanted;
            }
        }
    }
}

fn flush<I: Bare>(lines: *mut u8) {
    for line in 0..LINES {
        I::by_va(ByVa::CleanInvalidate, lines.wrapping_add(line * LINE));
    }
}
