//! Non-coherent caches for QEMU's Arm machines: a TCG plugin that makes loads see what the model of
//! `setway-cache-model` has them see.
//!
//! QEMU must run all CPUs on one thread (`-accel tcg,thread=single`) and keep the machine's memory in a
//! file (`-object memory-backend-file,share=on`); see the README beside this crate. The plugin knows
//! nothing of any hypervisor or guest but what the architecture lets everybody see.

mod api;
mod arming;
mod cpu;
mod cpu_env;
mod exposed;
mod fast_path;
mod fetch;
mod handles;
mod maintenance;
mod options;
mod pending_store;
mod ram;
mod report;
mod shared;
mod site;
mod watch;

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};

use setway_architecture::decode::Instruction;

use api::{Block, Plugin};
use handles::Handles;
use options::Options;
use ram::Ram;
use shared::Shared;
use site::{ItState, Site};
use watch::Watch;

/// The one plugin of this process.
static WATCH: Shared<Watch> = Shared::new();

/// What QEMU calls when it has loaded the plugin.
///
/// # Safety
///
/// `info` and `argv` must be what QEMU's plugin interface says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: api::Id,
    info: *const api::Info,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: QEMU passes a valid structure.
    let info = unsafe { &*info };
    // SAFETY: QEMU passes `argc` strings.
    let arguments = (0..argc as usize).map(|n| unsafe { CStr::from_ptr(*argv.add(n)) });
    let arguments: Vec<&str> = arguments.filter_map(|text| text.to_str().ok()).collect();
    match install(id, info, &arguments) {
        Ok(()) => 0,
        Err(reason) => {
            eprintln!("setway cache model: {reason}");
            1
        }
    }
}

fn install(id: api::Id, info: &api::Info, arguments: &[&str]) -> Result<(), String> {
    let cpus = match (info.target(), info.cpus()) {
        ("aarch64" | "arm", Some(cpus)) => cpus,
        (target, _) => return Err(format!("needs a whole Arm machine, and this is {target}")),
    };
    let options = Options::parse(arguments.iter().copied(), cpus)?;
    if cpus > 1 && !cpu_env::can_tell_cpus_apart() {
        return Err(
            "this QEMU does not show plugins which CPU runs, so there may be only one".to_owned(),
        );
    }
    let file = &options.memory;
    let ram = Ram::open(file, options.base).map_err(|error| {
        format!(
            "cannot map the machine's memory, {}: {error}",
            file.display()
        )
    })?;
    WATCH.set(Watch::new(id, options, ram, cpus));
    api::register::<Setway>(id);
    Ok(())
}

/// The plugin, as QEMU calls it.
pub struct Setway;

impl Plugin for Setway {
    fn cpu_created(number: usize) {
        WATCH.with(|watch| {
            watch.created(number);
            if watch.handles.is_none() {
                match Handles::find(&api::register_handles()) {
                    Ok(handles) => watch.handles = Some(handles),
                    Err(reason) => panic!("setway cache model: {reason}"),
                }
            }
        });
    }

    fn translated(block: Block) {
        WATCH.with(|watch| instrument(watch, &block));
    }

    fn forgotten() {
        WATCH.with(Watch::arm);
    }

    fn exit() {
        WATCH.with(Watch::exit);
    }
}

/// Has QEMU call us for what matters in a block.
fn instrument(watch: &mut Watch, block: &Block) {
    let Some(handles) = &watch.handles else {
        return;
    };
    if watch.live.is_none() {
        watch.live = handles.find_live(&mut watch.buffer, block.address());
    }
    let Some(state) = handles.state(&mut watch.buffer, watch.live, block.address()) else {
        return watch.cannot_watch();
    };
    if !watch.is_armed() {
        watch.await_beginning(block, state);
    }
    if !watch.is_armed() {
        return;
    }
    let start = watch.sites.block(block.address(), state);
    let right = watch.fetched(start, &block.bytes());
    let mut it = ItState::default();
    for (n, instruction) in block.instructions().enumerate() {
        if n == 0 && !right {
            instruction.instead(fetch_again, start);
        }
        let (bytes, size) = instruction.bytes();
        let condition = match state.t32 {
            true => it.next(u16::from_le_bytes([bytes[0], bytes[1]])),
            false => site::ALWAYS,
        };
        let sites = &mut watch.sites;
        let site = sites.find(instruction.address(), bytes, size, state, condition);
        let Some(site) = site else { continue };
        match site.instruction {
            // A load or store that the decoder does not know. QEMU tells of its stores.
            Instruction::Other => instruction.after_stores(after_store, site),
            Instruction::SystemCall(_) => {
                if watch.options.is_boundary(site.instruction, state) {
                    instruction.before(before, site);
                }
            }
            Instruction::Memory(access) => {
                if access.load || access.atomic {
                    instruction.before(before, site);
                }
                if access.store {
                    instruction.after_stores(after_store, site);
                }
            }
            _ => instruction.before(before, site),
        }
    }
}

/// The site that a callback was registered with.
fn site(data: *mut c_void) -> &'static Site {
    // SAFETY: callbacks are registered with sites only, which live for ever.
    unsafe { &*data.cast::<Site>() }
}

/// Called before a block that was translated from bytes that the CPU should not have found.
extern "C" fn fetch_again(_: c_uint, data: *mut c_void) {
    let site = site(data);
    WATCH.with(|watch| watch.fetch_again(site));
    api::go_on_at(site.pc)
}

extern "C" fn before(cpu: c_uint, data: *mut c_void) {
    WATCH.with(|watch| watch.before(cpu as usize, site(data)));
}

extern "C" fn after_store(cpu: c_uint, info: u32, address: u64, data: *mut c_void) {
    if let Some(len) = api::stored_bytes(info) {
        WATCH.with(|watch| watch.after_store(cpu as usize, site(data), address, len));
    }
}
