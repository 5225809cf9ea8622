//! What QEMU's `include/qemu-plugin.h` and GLib declare, as far as it is used here, in the two generations
//! of the interface that can carry the model: 4 (QEMU 9.2 to 10.0) and 7 (QEMU 11.1).
//!
//! QEMU refuses a plugin of another generation before it calls it, so these declarations hold for every QEMU
//! that gets this far. Generation 7 passes every callback the pointer that it was registered with; generation
//! 4 passes most of them the plugin's number instead.

use std::ffi::{c_char, c_int, c_uint, c_void};

/// The generation that this shared object is for. QEMU looks the symbol up before anything else.
#[unsafe(no_mangle)]
pub static qemu_plugin_version: c_int = if cfg!(feature = "api-7") { 7 } else { 4 };

/// QEMU's number for a plugin (`qemu_plugin_id_t`).
pub type Id = u64;

/// The machine that a plugin is loaded into (`qemu_info_t`).
#[repr(C)]
pub struct Info {
    pub target_name: *const c_char,
    pub api_min: c_int,
    pub api_cur: c_int,
    pub system_emulation: bool,
    pub smp_vcpus: c_int,
    pub max_vcpus: c_int,
}

/// A translation block, during its translation (`struct qemu_plugin_tb`).
#[repr(C)]
pub struct Tb([u8; 0]);

/// An instruction, during its translation (`struct qemu_plugin_insn`).
#[repr(C)]
pub struct Insn([u8; 0]);

/// A register of the current CPU (`struct qemu_plugin_register`).
#[repr(C)]
pub struct Register([u8; 0]);

/// GLib's growable array, which `GByteArray` has the layout of, too.
#[repr(C)]
pub struct GArray {
    pub data: *mut c_void,
    pub len: c_uint,
}

/// A register's description (`qemu_plugin_reg_descriptor`).
#[repr(C)]
pub struct Descriptor {
    pub handle: *mut Register,
    pub name: *const c_char,
    pub feature: *const c_char,
    #[cfg(feature = "api-7")]
    pub is_readonly: bool,
}

/// The callback uses no registers (`QEMU_PLUGIN_CB_NO_REGS`).
pub const NO_REGS: c_int = 0;
/// The callback reads registers (`QEMU_PLUGIN_CB_R_REGS`).
pub const R_REGS: c_int = 1;
/// The callback reads and writes registers and may set the PC (`QEMU_PLUGIN_CB_RW_REGS_PC`).
#[cfg(feature = "api-7")]
pub const RW_REGS_PC: c_int = 3;
/// Stores only (`QEMU_PLUGIN_MEM_W`).
pub const MEM_W: c_int = 2;

/// `qemu_plugin_vcpu_udata_cb_t`.
pub type OnExecute = extern "C" fn(vcpu: c_uint, data: *mut c_void);
/// `qemu_plugin_vcpu_mem_cb_t`.
pub type OnMemory = extern "C" fn(vcpu: c_uint, info: u32, address: u64, data: *mut c_void);

unsafe extern "C" {
    pub fn qemu_plugin_register_atexit_cb(id: Id, cb: OnExit, data: *mut c_void);
    pub fn qemu_plugin_register_vcpu_tb_exec_cb(
        tb: *mut Tb,
        cb: OnExecute,
        flags: c_int,
        data: *mut c_void,
    );
    pub fn qemu_plugin_register_vcpu_insn_exec_cb(
        insn: *mut Insn,
        cb: OnExecute,
        flags: c_int,
        data: *mut c_void,
    );
    pub fn qemu_plugin_register_vcpu_mem_cb(
        insn: *mut Insn,
        cb: OnMemory,
        flags: c_int,
        rw: c_int,
        data: *mut c_void,
    );
    pub fn qemu_plugin_tb_n_insns(tb: *const Tb) -> usize;
    pub fn qemu_plugin_tb_vaddr(tb: *const Tb) -> u64;
    pub fn qemu_plugin_tb_get_insn(tb: *const Tb, index: usize) -> *mut Insn;
    pub fn qemu_plugin_insn_data(insn: *const Insn, to: *mut c_void, len: usize) -> usize;
    pub fn qemu_plugin_insn_size(insn: *const Insn) -> usize;
    pub fn qemu_plugin_insn_vaddr(insn: *const Insn) -> u64;
    pub fn qemu_plugin_mem_size_shift(info: u32) -> c_uint;
    pub fn qemu_plugin_mem_is_store(info: u32) -> bool;
    pub fn qemu_plugin_outs(text: *const c_char);
    pub fn qemu_plugin_get_registers() -> *mut GArray;
    pub fn g_byte_array_new() -> *mut GArray;
    pub fn g_byte_array_set_size(array: *mut GArray, len: c_uint) -> *mut GArray;
    pub fn g_array_free(array: *mut GArray, free_segment: c_int) -> *mut c_char;
}

pub use generation::*;

#[cfg(feature = "api-7")]
mod generation {
    use super::{GArray, Id, Register, Tb};
    use std::ffi::{c_int, c_uint, c_void};

    pub type OnVcpu = extern "C" fn(vcpu: c_uint, data: *mut c_void);
    pub type OnTranslate = extern "C" fn(tb: *mut Tb, data: *mut c_void);
    pub type OnExit = extern "C" fn(data: *mut c_void);
    pub type OnReset = extern "C" fn(data: *mut c_void);

    unsafe extern "C" {
        pub fn qemu_plugin_register_vcpu_init_cb(id: Id, cb: OnVcpu, data: *mut c_void);
        pub fn qemu_plugin_register_vcpu_tb_trans_cb(id: Id, cb: OnTranslate, data: *mut c_void);
        pub fn qemu_plugin_reset(id: Id, cb: OnReset, data: *mut c_void);
        /// Returns whether the register was read.
        pub fn qemu_plugin_read_register(register: *mut Register, buffer: *mut GArray) -> bool;
        pub fn qemu_plugin_write_memory_hwaddr(address: u64, data: *mut GArray) -> c_int;
        pub fn qemu_plugin_set_pc(address: u64) -> !;
        pub fn g_byte_array_append(array: *mut GArray, from: *const u8, len: c_uint)
        -> *mut GArray;
        pub fn g_byte_array_free(array: *mut GArray, free_segment: c_int) -> *mut u8;
    }
}

#[cfg(not(feature = "api-7"))]
mod generation {
    use super::{GArray, Id, Register, Tb};
    use std::ffi::{c_int, c_uint, c_void};

    pub type OnVcpu = extern "C" fn(id: Id, vcpu: c_uint);
    pub type OnTranslate = extern "C" fn(id: Id, tb: *mut Tb);
    pub type OnExit = extern "C" fn(id: Id, data: *mut c_void);
    pub type OnReset = extern "C" fn(id: Id);

    unsafe extern "C" {
        pub fn qemu_plugin_register_vcpu_init_cb(id: Id, cb: OnVcpu);
        pub fn qemu_plugin_register_vcpu_tb_trans_cb(id: Id, cb: OnTranslate);
        pub fn qemu_plugin_reset(id: Id, cb: OnReset);
        /// Returns the number of bytes that were read.
        pub fn qemu_plugin_read_register(register: *mut Register, buffer: *mut GArray) -> c_int;
    }
}
