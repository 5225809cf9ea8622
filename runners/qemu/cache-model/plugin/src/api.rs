//! QEMU's plugin interface, as far as it is used here, wrapped in functions that are safe to call.
//!
//! What the header says is in `abi`, with what differs between the generations. They follow
//! `include/qemu-plugin.h` (GPL-2.0-or-later).

mod abi;
mod block;
mod register;

pub use abi::{Id, Info, qemu_plugin_version};
pub use block::{AfterStore, Before, Block, Instead};
pub use register::{Buffer, RegisterHandle, registers};

use std::{
    ffi::{CStr, CString},
    ptr,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

impl Info {
    /// The name of the emulated architecture.
    pub fn target(&self) -> &str {
        // SAFETY: QEMU passes a string that lives as long as the call of `qemu_plugin_install`.
        unsafe { CStr::from_ptr(self.target_name) }
            .to_str()
            .unwrap_or("?")
    }

    /// How many CPUs the machine can have; `None` if QEMU emulates a process.
    pub fn cpus(&self) -> Option<usize> {
        self.system_emulation
            .then(|| self.max_vcpus.max(1) as usize)
    }
}

/// What QEMU calls. Everything except `exit` is called on the thread that runs the CPUs.
pub trait Plugin {
    /// A CPU was created, and is the current one.
    fn cpu_created(cpu: usize);
    /// A block was translated and may be instrumented.
    fn translated(block: &Block<'_>);
    /// Every block was forgotten, as [`translate_anew`] asked for. No CPU runs.
    fn forgotten();
    /// QEMU ends.
    fn exit();
}

/// Has QEMU call `P` from now on.
pub fn register<P: Plugin>(id: Id) {
    ID.store(id, Relaxed);
    // SAFETY: QEMU's own functions, with callbacks of the types that this generation has.
    #[cfg(feature = "api-7")]
    unsafe {
        abi::qemu_plugin_register_vcpu_tb_trans_cb(id, entry::translated::<P>, ptr::null_mut());
        abi::qemu_plugin_register_vcpu_init_cb(id, entry::created::<P>, ptr::null_mut());
        abi::qemu_plugin_register_atexit_cb(id, entry::exit::<P>, ptr::null_mut());
    }
    // SAFETY: as above.
    #[cfg(not(feature = "api-7"))]
    unsafe {
        abi::qemu_plugin_register_vcpu_tb_trans_cb(id, entry::translated::<P>);
        abi::qemu_plugin_register_vcpu_init_cb(id, entry::created::<P>);
        abi::qemu_plugin_register_atexit_cb(id, entry::exit::<P>, ptr::null_mut());
    }
}

/// Has QEMU forget every block and all instrumentation, as soon as the CPUs stop; blocks are then
/// offered for instrumentation anew.
pub fn translate_anew<P: Plugin>() {
    let id = ID.load(Relaxed);
    // SAFETY: QEMU's own function, with a callback of the type that this generation has.
    #[cfg(feature = "api-7")]
    unsafe {
        abi::qemu_plugin_reset(id, entry::reset::<P>, ptr::null_mut());
    }
    // SAFETY: as above.
    #[cfg(not(feature = "api-7"))]
    unsafe {
        abi::qemu_plugin_reset(id, entry::reset::<P>);
    }
}

/// The plugin's number.
static ID: AtomicU64 = AtomicU64::new(0);

/// The functions that QEMU is given.
mod entry {
    use super::{Block, ID, Plugin, Relaxed, abi::Tb, register};
    use std::ffi::c_uint;

    fn translate<P: Plugin>(tb: *mut Tb) {
        // SAFETY: QEMU passes the block that it translates, and waits for the callback to return.
        P::translated(&unsafe { Block::new(tb) });
    }

    fn register_again<P: Plugin>() {
        P::forgotten();
        register::<P>(ID.load(Relaxed));
    }

    #[cfg(feature = "api-7")]
    pub use generation_7::*;
    #[cfg(feature = "api-7")]
    mod generation_7 {
        use super::*;
        use std::ffi::c_void;

        pub extern "C" fn created<P: Plugin>(vcpu: c_uint, _: *mut c_void) {
            P::cpu_created(vcpu as usize);
        }

        pub extern "C" fn translated<P: Plugin>(tb: *mut Tb, _: *mut c_void) {
            translate::<P>(tb);
        }

        pub extern "C" fn exit<P: Plugin>(_: *mut c_void) {
            P::exit();
        }

        pub extern "C" fn reset<P: Plugin>(_: *mut c_void) {
            register_again::<P>();
        }
    }

    #[cfg(not(feature = "api-7"))]
    pub use generation_4::*;
    #[cfg(not(feature = "api-7"))]
    mod generation_4 {
        use super::{super::Id, *};
        use std::ffi::c_void;

        pub extern "C" fn created<P: Plugin>(_: Id, vcpu: c_uint) {
            P::cpu_created(vcpu as usize);
        }

        pub extern "C" fn translated<P: Plugin>(_: Id, tb: *mut Tb) {
            translate::<P>(tb);
        }

        pub extern "C" fn exit<P: Plugin>(_: Id, _: *mut c_void) {
            P::exit();
        }

        pub extern "C" fn reset<P: Plugin>(_: Id) {
            register_again::<P>();
        }
    }
}

/// Writes memory at a physical address, so that QEMU translates anew what it has translated from there.
#[cfg(feature = "api-7")]
pub fn write_code(address: u64, bytes: &[u8]) {
    // SAFETY: GLib's and QEMU's own functions; the array holds the bytes, and is freed here.
    unsafe {
        let data = abi::g_byte_array_new();
        abi::g_byte_array_append(data, bytes.as_ptr(), bytes.len() as std::ffi::c_uint);
        abi::qemu_plugin_write_memory_hwaddr(address, data);
        abi::g_byte_array_free(data, 1);
    }
}

/// Does nothing: in this generation a plugin cannot write memory.
#[cfg(not(feature = "api-7"))]
pub fn write_code(_: u64, _: &[u8]) {}

/// Writes to QEMU's log, where `-d plugin` is on.
pub fn log(text: &str) {
    if let Ok(text) = CString::new(text) {
        // SAFETY: a string that lives as long as the call.
        unsafe { abi::qemu_plugin_outs(text.as_ptr()) }
    }
}
