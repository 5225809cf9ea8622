//! Non-coherent caches for QEMU's Arm machines: a TCG plugin that makes loads return what the model of
//! `setway-cache-model` says.
//!
//! QEMU must run all CPUs on one thread (`-accel tcg,thread=single`) and keep the machine's memory in a
//! file (`-object memory-backend-file,share=on`); see the README beside this crate. The plugin knows
//! nothing of any hypervisor or guest except what the architecture shows of it.
//!
//! Each module uses only those above it:
//!
//! ```text
//! api  shared                QEMU's plugin interface; a value that one callback at a time may use
//! options  ram  exposed      arguments; the memory that QEMU and the plugin map; lines that QEMU may read unasked
//! state  cpu_env  registers  what the current CPU's registers hold
//! cpu  site                  one CPU's translations; places of the program
//! pending_store  fast_path   stores not yet known to the model; lines that need no model
//! stage                      the model, and what QEMU's memory shows of it
//! cpus  maintenance  arming  who runs, and where accesses lead; what ops do; when to watch
//! cost                       what a guest waits for
//! flush  words  report       records for the harness
//! action                     what a CPU does at one place, and how that compares with QEMU
//! watch                      the plugin's state
//! instrument                 QEMU's callbacks
//! ```

mod action;
mod api;
mod arming;
mod cost;
mod cpu;
mod cpu_env;
mod cpus;
mod exposed;
mod fast_path;
mod flush;
mod instrument;
mod maintenance;
mod options;
mod pending_store;
mod ram;
mod registers;
mod report;
mod shared;
mod site;
mod stage;
mod state;
mod watch;
mod words;

use std::ffi::{CStr, c_char, c_int};

use instrument::{Setway, WATCH};
use options::Options;
use ram::Ram;
use watch::Watch;

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
    if cpus > 1 && !cpu_env::shows_current_cpu() {
        return Err(
            "this QEMU does not show plugins which CPU runs, so there may be only one".to_owned(),
        );
    }
    let file = &options.memory;
    let ram = Ram::open(file, options.base, options.compares()).map_err(|error| {
        format!(
            "cannot map the machine's memory, {}: {error}",
            file.display()
        )
    })?;
    WATCH.set(Watch::new(options, ram, cpus));
    api::register::<Setway>(id);
    Ok(())
}
