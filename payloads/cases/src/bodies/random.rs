//! Running random programs and writing down what they see.

use super::bare::{each_way, maintain, quiet};
use crate::{
    arena::Place,
    bare::{Bare, Buffer},
    context::Context,
    random::{Digest, Direction, LINE, LINES, Program, SPAN, Step, Way, bytes, initial},
};
use setway_architecture::maintenance::VaOp;

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
    let all = digests.len() as u64 == wanted.count;
    cx.state("programs that were run", 1, u64::from(all));
}

/// Runs one program; `saw` is given what each load sees.
fn run<I: Bare>(seed: u64, mut saw: impl FnMut(&[u8])) {
    let first = quiet::<I>(PAGE - BEFORE, SPAN);
    let cached = I::arena().cached().byte(first);
    let uncached = I::arena().uncached().byte(first);

    // Nothing that is left of the last program can survive this, on whatever machine.
    flush::<I>(cached);
    for line in 0..LINES {
        uncached.byte(line * LINE).store(initial(line));
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
                // SAFETY: a program accesses its lines alone, aligned as the form needs it, and with the MMU off
                // only by forms that Device memory allows. The lines are in the arena.
                unsafe { I::access(form, base.byte(at).as_ptr(), &mut buffer) }
                if let Direction::Load | Direction::Exchange = form.direction {
                    saw(&buffer.0[..form.len]);
                }
            }
            Step::ByVa(op, at) => maintain::<I>(op, cached.byte(at)),
            // SAFETY: the lines are in quiet sets.
            Step::SetWay(op, at) => unsafe { each_way::<I>(op, cached.address() + at) },
            Step::Caches(wanted) => {
                I::set_caches(wanted, wanted);
                on = wanted;
            }
        }
    }
}

fn flush<I: Bare>(lines: Place) {
    for line in 0..LINES {
        maintain::<I>(VaOp::Civac, lines.byte(line * LINE));
    }
}
