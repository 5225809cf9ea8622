//! What QEMU calls: when CPUs are created and blocks translated, and for every instruction that matters in a block.

use setway_architecture::decode::Instruction;

use crate::{
    api::{self, AfterAccess, AfterStore, Before, Block, Done, Instead, Plugin},
    cost::{self, Length},
    shared::Shared,
    site::{self, ALWAYS, ItState, Site},
    state::State,
    watch::Watch,
};

/// The state of the one plugin of this process.
pub static WATCH: Shared<Watch> = Shared::new();

/// The plugin, as QEMU calls it.
pub struct Setway;

impl Plugin for Setway {
    fn cpu_created(number: usize) {
        WATCH.with(|watch| watch.cpus.created(number));
    }

    fn translated(block: &Block<'_>) {
        WATCH.with(|watch| instrument(watch, block));
    }

    fn forgotten() {
        WATCH.with(Watch::arm);
    }

    fn exit() {
        WATCH.with(Watch::exit);
    }
}

/// Has QEMU call the plugin for what matters in a block.
fn instrument(watch: &mut Watch, block: &Block<'_>) {
    let Some(state) = watch.cpus.state(block.address()) else {
        return watch.cannot_watch();
    };
    if !watch.is_armed() {
        await_beginning(watch, block, state);
    }
    if !watch.is_armed() {
        return;
    }
    if watch.counts_cost() {
        block.before::<ExecutesBlock>(watch.costs.length(state.el, block.count()));
    }
    let start = watch.sites.block(block.address(), state);
    let right = watch.fetched(start, &block.bytes());
    let mut it = ItState::default();
    for (n, instruction) in block.instructions().enumerate() {
        if n == 0 && !right {
            instruction.instead::<FetchAgain>(start);
        }
        let (bytes, size) = instruction.bytes();
        let condition = if state.t32 {
            it.next(u16::from_le_bytes([bytes[0], bytes[1]]))
        } else {
            ALWAYS
        };
        let compares = watch.compares();
        let sites = &mut watch.sites;
        let site = sites.find(instruction.address(), bytes, size, state, condition);
        if let Some(site) = site {
            watched(watch, &instruction, site);
        }
        if compares {
            let sites = &mut watch.sites;
            let site = sites.any(instruction.address(), bytes, size, state, condition);
            instruction.after_accesses::<Accessed>(site);
        }
    }
}

/// Has QEMU call the plugin for an instruction that matters.
fn watched(watch: &Watch, instruction: &api::Instruction<'_>, site: &'static Site) {
    match site.instruction {
        // A load or store that the decoder does not know. QEMU reports its stores.
        Instruction::Other => instruction.after_stores::<Stored>(site),
        Instruction::SystemCall(_) => {
            if watch.arming.is_boundary(site.instruction, site.state) {
                instruction.before::<Executes>(site);
            }
        }
        Instruction::Memory(access) => {
            if access.load || access.atomic {
                instruction.before::<Executes>(site);
            }
            if access.store {
                instruction.after_stores::<Stored>(site);
            }
        }
        _ => instruction.before::<Executes>(site),
    }
}

/// Nothing is watched yet: begins, or has QEMU call the plugin for the last instruction of a block, if it may be the
/// one to begin with.
fn await_beginning(watch: &mut Watch, block: &Block<'_>, state: State) {
    if watch.arming.is_due() {
        return watch.arm();
    }
    let Some(last) = block.last() else { return };
    let (bytes, size) = last.bytes();
    let instruction = site::decode(bytes, size, state);
    let sites = &mut watch.sites;
    if watch
        .arming
        .may_begin_with(block.address(), instruction, state)
    {
        let site = sites.any(last.address(), bytes, size, state, ALWAYS);
        last.before::<MayBegin>(site);
    }
}

/// An instruction is about to be executed.
struct Executes;

impl Before for Executes {
    type Data = Site;

    #[inline]
    fn call(cpu: usize, site: &'static Site) {
        WATCH.with(|watch| watch.before(cpu, site));
    }
}

/// A block is about to be executed.
struct ExecutesBlock;

impl Before for ExecutesBlock {
    type Data = Length;

    #[inline]
    fn call(cpu: usize, block: &'static Length) {
        if cost::is_counting() {
            WATCH.with(|watch| watch.executes(cpu, block));
        }
    }
}

/// An instruction has stored.
struct Stored;

impl AfterStore for Stored {
    type Data = Site;

    #[inline]
    fn call(cpu: usize, site: &'static Site, address: u64, len: usize) {
        WATCH.with(|watch| watch.after_store(cpu, site, address, len));
    }
}

/// An instruction has loaded or stored, and that is to be compared.
struct Accessed;

impl AfterAccess for Accessed {
    type Data = Site;

    fn call(cpu: usize, site: &'static Site, done: &Done) {
        WATCH.with(|watch| watch.compare(cpu, site, done));
    }
}

/// A block that was translated from bytes that the CPU should not have found is about to be executed.
struct FetchAgain;

impl Instead for FetchAgain {
    type Data = Site;

    fn call(site: &'static Site) -> u64 {
        WATCH.with(|watch| watch.fetch_again(site));
        site.pc
    }
}

/// An instruction with which it may be time to watch is about to be executed, and nothing is watched yet.
struct MayBegin;

impl Before for MayBegin {
    type Data = Site;

    fn call(_: usize, site: &'static Site) {
        let begins = WATCH.with(|watch| {
            !watch.is_armed()
                && (!watch.arming.awaits_guest() || watch.cpus.enters_guest(site.state))
        });
        if begins {
            api::translate_anew::<Setway>();
        }
    }
}
