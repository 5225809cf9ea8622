//! State of the guest that lies in no general register: it belongs to the guest whatever the hypervisor does
//! meanwhile, and a hypervisor that has a use for one of these registers must put back what it found there.

use super::{FIRST_SET_WAY, NOTHING, TOGGLE, VM_REG, set_way::issue};
use crate::{
    context::{Context, Counts},
    isa::{Isa, StateRegister},
};
use core::hash::Hasher;
use setway_architecture::maintenance::SetWayOp;
use setway_protocol::Fnv;

/// A way out of the guest: its name, what it costs, and how to take it.
type Way<I> = (&'static str, Counts, fn(&mut Context<I>));

/// The ways out of the guest, what each costs, and how to take it: in an order in which the ones before leave TVM and the
/// cache as the next one needs them.
fn exits<I: Isa>() -> [Way<I>; 9] {
    [
        // The marks are HVCs.
        ("HVC", NOTHING, |_| {}),
        ("set/way op", FIRST_SET_WAY, |_| issue::<I>(SetWayOp::Csw)),
        ("CONTEXTIDR write", VM_REG, |_| I::write_contextidr(7)),
        ("read of an ID register", NOTHING, |_| I::read_id_register()),
        ("SMC", NOTHING, |_| I::call_by_smc()),
        ("WFE", NOTHING, |_| I::wait_for_event()),
        ("store to new memory", NOTHING, |cx| {
            cx.untouched().store(1u32);
        }),
        ("cache off", TOGGLE, |_| I::set_caches(false, false)),
        ("cache on", TOGGLE, |_| I::set_caches(true, true)),
    ]
}

/// Writes a value to each register.
fn write(state: &[StateRegister], pattern: usize) {
    for register in state {
        // SAFETY: the payload uses none of them, and they get back what they held before it goes on.
        unsafe { (register.write)(register.values[pattern]) }
    }
}

/// The digest of values.
fn digest(values: impl Iterator<Item = u64>) -> u64 {
    let mut hash = Fnv::new();
    values.for_each(|value| hash.write(&value.to_le_bytes()));
    hash.finish()
}

/// Every register of the state over every kind of exit, with one value and with its complement.
pub fn survives<I: Isa>(cx: &mut Context<I>) {
    const MOST: usize = 40;
    let state = I::state();
    let mut original = [0; MOST];
    for (value, register) in original.iter_mut().zip(state) {
        *value = (register.read)();
    }
    for pattern in 0..2 {
        for (name, counts, exit) in exits::<I>() {
            write(state, pattern);
            // With the cache on, writing VM registers has cleared TVM, and an op sets it.
            if matches!(name, "CONTEXTIDR write" | "cache off") {
                issue::<I>(SetWayOp::Csw);
            }
            I::mark();
            exit(cx);
            I::mark();
            let mut found = [0; MOST];
            for (value, register) in found.iter_mut().zip(state) {
                *value = (register.read)();
            }
            cx.measured(name, counts);
            let wanted = || state.iter().map(|it| it.values[pattern]);
            cx.state(
                format_args!("{name}, values {pattern}"),
                digest(wanted()),
                digest(found.into_iter().take(state.len())),
            );
            let mut wrong = state.iter().zip(found);
            if let Some((register, got)) = wrong.find(|(it, got)| it.values[pattern] != *got) {
                cx.detail(format_args!(
                    "{}: expected {:#x}, got {got:#x}",
                    register.name, register.values[pattern]
                ));
            }
        }
    }
    for (register, value) in state.iter().zip(original) {
        // SAFETY: it held this before.
        unsafe { (register.write)(value) }
    }
}
