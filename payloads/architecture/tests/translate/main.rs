//! Translation against tables that are built another way, against the manual's tables by hand, and
//! against nonsense.

mod attributes;
mod controls;
mod dice;
mod limits;
mod machine;
mod model;
mod nonsense;
mod setup;
mod walks;
mod world;

use setway_architecture::translate::{
    Context, Fault, Kind, Registers, Step, Translation, translate,
};

/// Translates with `memory` for descriptors, and returns what was read of it, too.
fn watched(
    registers: &Registers,
    context: Context,
    kind: Kind,
    va: u64,
    memory: impl Fn(Step) -> Option<u64>,
) -> (Vec<Step>, Result<Translation, Fault>) {
    let mut steps = Vec::new();
    let result = translate(registers, context, kind, va, &mut |step| {
        steps.push(step);
        memory(step)
    });
    (steps, result)
}
