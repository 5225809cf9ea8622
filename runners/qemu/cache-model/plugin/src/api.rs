//! QEMU's plugin interface, as far as it is used here, in the two generations that can carry the model:
//! 4 (QEMU 9.2 to 10.0) and 7 (QEMU 11.1).
//!
//! QEMU refuses a plugin of another generation before it calls it, so what the declarations below say
//! holds for every QEMU that gets this far. They follow `include/qemu-plugin.h` (GPL-2.0-or-later).

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};

/// The generation that this shared object is for. QEMU looks the symbol up before anything else.
#[unsafe(no_mangle)]
pub static qemu_plugin_version: c_int = if cfg!(feature = "api-7") { 7 } else { 4 };

/// QEMU's number for this plugin.
pub type Id = u64;

/// What QEMU tells a plugin of the machine (`qemu_info_t`).
#[repr(C)]
pub struct Info {
    target_name: *const c_char,
    api_min: c_int,
    api_cur: c_int,
    system_emulation: bool,
    smp_vcpus: c_int,
    max_vcpus: c_int,
}

impl Info {
    /// The name of the emulated architecture.
    pub fn target(&self) -> &str {
        // SAFETY: QEMU passes a string that lives as long as the call of `qemu_plugin_install`.
        unsafe { CStr::from_ptr(self.target_name) }
            .to_str()
            .unwrap_or("?")
    }

    /// How many CPUs the machine has, if it is a whole machine.
    pub fn cpus(&self) -> Option<usize> {
        self.system_emulation
            .then(|| self.max_vcpus.max(1) as usize)
    }
}

/// A translation block, during its translation.
#[repr(C)]
pub struct Tb([u8; 0]);
/// An instruction, during its translation.
#[repr(C)]
pub struct Insn([u8; 0]);
/// A register of the current CPU.
#[repr(C)]
pub struct Handle([u8; 0]);

/// A growable array of GLib's.
#[repr(C)]
struct GArray {
    data: *mut c_void,
    len: c_uint,
}

/// A register's description (`qemu_plugin_reg_descriptor`).
#[repr(C)]
struct Descriptor {
    handle: *mut Handle,
    name: *const c_char,
    _feature: *const c_char,
    #[cfg(feature = "api-7")]
    _is_readonly: bool,
}

/// The callback reads registers.
const R_REGS: c_int = 1;
/// The callback reads and writes registers and may go on elsewhere.
#[cfg(feature = "api-7")]
const RW_REGS_PC: c_int = 3;
/// Stores alone (`QEMU_PLUGIN_MEM_W`).
const MEM_W: c_int = 2;

/// Called when an instruction is about to be executed.
pub type OnExecute = extern "C" fn(vcpu: c_uint, data: *mut c_void);
/// Called when an instruction has accessed memory.
pub type OnMemory = extern "C" fn(vcpu: c_uint, info: u32, address: u64, data: *mut c_void);

#[cfg(feature = "api-7")]
type OnVcpu = extern "C" fn(vcpu: c_uint, data: *mut c_void);
#[cfg(not(feature = "api-7"))]
type OnVcpu = extern "C" fn(id: Id, vcpu: c_uint);
#[cfg(feature = "api-7")]
type OnTranslate = extern "C" fn(tb: *mut Tb, data: *mut c_void);
#[cfg(not(feature = "api-7"))]
type OnTranslate = extern "C" fn(id: Id, tb: *mut Tb);
#[cfg(feature = "api-7")]
type OnExit = extern "C" fn(data: *mut c_void);
#[cfg(not(feature = "api-7"))]
type OnExit = extern "C" fn(id: Id, data: *mut c_void);

#[cfg(feature = "api-7")]
unsafe extern "C" {
    fn qemu_plugin_register_vcpu_init_cb(id: Id, cb: OnVcpu, data: *mut c_void);
    fn qemu_plugin_register_vcpu_tb_trans_cb(id: Id, cb: OnTranslate, data: *mut c_void);
    fn qemu_plugin_read_register(handle: *mut Handle, buffer: *mut GArray) -> bool;
    fn qemu_plugin_write_memory_hwaddr(address: u64, data: *mut GArray) -> c_int;
    fn qemu_plugin_set_pc(address: u64) -> !;
    fn g_byte_array_append(array: *mut GArray, data: *const u8, len: c_uint) -> *mut GArray;
    fn g_byte_array_free(array: *mut GArray, free_segment: c_int) -> *mut u8;
}

#[cfg(not(feature = "api-7"))]
unsafe extern "C" {
    fn qemu_plugin_register_vcpu_init_cb(id: Id, cb: OnVcpu);
    fn qemu_plugin_register_vcpu_tb_trans_cb(id: Id, cb: OnTranslate);
    fn qemu_plugin_read_register(handle: *mut Handle, buffer: *mut GArray) -> c_int;
}

unsafe extern "C" {
    fn qemu_plugin_register_atexit_cb(id: Id, cb: OnExit, data: *mut c_void);
    fn qemu_plugin_register_vcpu_insn_exec_cb(
        insn: *mut Insn,
        cb: OnExecute,
        flags: c_int,
        data: *mut c_void,
    );
    fn qemu_plugin_register_vcpu_mem_cb(
        insn: *mut Insn,
        cb: OnMemory,
        flags: c_int,
        rw: c_int,
        data: *mut c_void,
    );
    fn qemu_plugin_tb_n_insns(tb: *const Tb) -> usize;
    fn qemu_plugin_tb_vaddr(tb: *const Tb) -> u64;
    fn qemu_plugin_tb_get_insn(tb: *const Tb, index: usize) -> *mut Insn;
    fn qemu_plugin_insn_data(insn: *const Insn, to: *mut c_void, len: usize) -> usize;
    fn qemu_plugin_insn_size(insn: *const Insn) -> usize;
    fn qemu_plugin_insn_vaddr(insn: *const Insn) -> u64;
    fn qemu_plugin_mem_size_shift(info: u32) -> c_uint;
    fn qemu_plugin_mem_is_store(info: u32) -> bool;
    fn qemu_plugin_outs(text: *const c_char);
    fn qemu_plugin_get_registers() -> *mut GArray;
    fn g_byte_array_new() -> *mut GArray;
    fn g_byte_array_set_size(array: *mut GArray, len: c_uint) -> *mut GArray;
    fn g_array_free(array: *mut GArray, free_segment: c_int) -> *mut c_char;
}

#[cfg(feature = "api-7")]
type OnReset = extern "C" fn(data: *mut c_void);
#[cfg(not(feature = "api-7"))]
type OnReset = extern "C" fn(id: Id);

#[cfg(feature = "api-7")]
unsafe extern "C" {
    fn qemu_plugin_reset(id: Id, cb: OnReset, data: *mut c_void);
}

#[cfg(not(feature = "api-7"))]
unsafe extern "C" {
    fn qemu_plugin_reset(id: Id, cb: OnReset);
}

/// What QEMU calls; all of it is called on the thread that runs the CPUs, but `exit`.
pub trait Plugin {
    /// A CPU has come into being.
    fn cpu_created(cpu: usize);
    /// A block was translated and may be instrumented.
    fn translated(block: Block);
    /// Every block was forgotten, as [`translate_anew`] asked for. No CPU runs.
    fn forgotten();
    /// QEMU ends.
    fn exit();
}

/// Has QEMU call `P` from now on.
pub fn register<P: Plugin>(id: Id) {
    register_block_callback::<P>(id);
    // SAFETY: QEMU's own function with a callback of the type that this generation has.
    #[cfg(feature = "api-7")]
    unsafe {
        qemu_plugin_register_vcpu_init_cb(id, on_vcpu::<P>, std::ptr::null_mut());
        qemu_plugin_register_atexit_cb(id, on_exit::<P>, std::ptr::null_mut());
    }
    // SAFETY: as above.
    #[cfg(not(feature = "api-7"))]
    unsafe {
        qemu_plugin_register_vcpu_init_cb(id, on_vcpu::<P>);
        qemu_plugin_register_atexit_cb(id, on_exit::<P>, std::ptr::null_mut());
    }
}

fn register_block_callback<P: Plugin>(id: Id) {
    // SAFETY: QEMU's own function with a callback of the type that this generation has.
    #[cfg(feature = "api-7")]
    unsafe {
        qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate::<P>, std::ptr::null_mut());
    }
    // SAFETY: as above.
    #[cfg(not(feature = "api-7"))]
    unsafe {
        qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate::<P>);
    }
}

/// Has QEMU forget every block and all instrumentation, as soon as the CPUs stop; blocks are then
/// offered for instrumentation anew.
pub fn translate_anew<P: Plugin>(id: Id) {
    ID.store(id, std::sync::atomic::Ordering::Relaxed);
    // SAFETY: QEMU's own function with a callback of the type that this generation has.
    #[cfg(feature = "api-7")]
    unsafe {
        qemu_plugin_reset(id, on_reset::<P>, std::ptr::null_mut());
    }
    // SAFETY: as above.
    #[cfg(not(feature = "api-7"))]
    unsafe {
        qemu_plugin_reset(id, on_reset::<P>);
    }
}

/// The plugin's number, for after a reset.
static ID: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

fn registered_again<P: Plugin>() {
    P::forgotten();
    register::<P>(ID.load(std::sync::atomic::Ordering::Relaxed));
}

#[cfg(feature = "api-7")]
mod entry {
    use super::*;

    pub extern "C" fn on_vcpu<P: Plugin>(vcpu: c_uint, _: *mut c_void) {
        P::cpu_created(vcpu as usize);
    }

    pub extern "C" fn on_translate<P: Plugin>(tb: *mut Tb, _: *mut c_void) {
        P::translated(Block(tb));
    }

    pub extern "C" fn on_exit<P: Plugin>(_: *mut c_void) {
        P::exit();
    }

    pub extern "C" fn on_reset<P: Plugin>(_: *mut c_void) {
        registered_again::<P>();
    }
}

#[cfg(not(feature = "api-7"))]
mod entry {
    use super::*;

    pub extern "C" fn on_vcpu<P: Plugin>(_: Id, vcpu: c_uint) {
        P::cpu_created(vcpu as usize);
    }

    pub extern "C" fn on_translate<P: Plugin>(_: Id, tb: *mut Tb) {
        P::translated(Block(tb));
    }

    pub extern "C" fn on_exit<P: Plugin>(_: Id, _: *mut c_void) {
        P::exit();
    }

    pub extern "C" fn on_reset<P: Plugin>(_: Id) {
        registered_again::<P>();
    }
}

use entry::{on_exit, on_reset, on_translate, on_vcpu};

/// A block that QEMU has just translated.
pub struct Block(*mut Tb);

impl Block {
    /// Its first instruction's address.
    pub fn address(&self) -> u64 {
        // SAFETY: the handle is good as long as the callback that was given it.
        unsafe { qemu_plugin_tb_vaddr(self.0) }
    }

    /// Its bytes, as they were translated.
    pub fn bytes(&self) -> Vec<u8> {
        let instructions = self.instructions().map(|it| it.bytes());
        instructions
            .flat_map(|(bytes, size)| bytes.into_iter().take(size))
            .collect()
    }

    /// Its instructions.
    pub fn instructions(&self) -> impl Iterator<Item = Instruction> + '_ {
        (0..self.count()).map(|index| self.instruction(index))
    }

    /// The last of them.
    pub fn last(&self) -> Option<Instruction> {
        Some(self.instruction(self.count().checked_sub(1)?))
    }

    fn count(&self) -> usize {
        // SAFETY: as above.
        unsafe { qemu_plugin_tb_n_insns(self.0) }
    }

    fn instruction(&self, index: usize) -> Instruction {
        // SAFETY: as above; the indices are within the block.
        Instruction(unsafe { qemu_plugin_tb_get_insn(self.0, index) })
    }
}

/// An instruction that QEMU has just translated.
pub struct Instruction(*mut Insn);

impl Instruction {
    /// Its address.
    pub fn address(&self) -> u64 {
        // SAFETY: the handle is good as long as the callback that was given it.
        unsafe { qemu_plugin_insn_vaddr(self.0) }
    }

    /// Its bytes, as many as it has.
    pub fn bytes(&self) -> ([u8; 4], usize) {
        let mut bytes = [0; 4];
        // SAFETY: as above; QEMU writes no more than it is told.
        let size = unsafe {
            qemu_plugin_insn_data(self.0, bytes.as_mut_ptr().cast(), bytes.len());
            qemu_plugin_insn_size(self.0)
        };
        (bytes, size)
    }

    /// Has `callback` called before it is executed; it may read registers.
    pub fn before<T: Sync>(&self, callback: OnExecute, data: &'static T) {
        let data = std::ptr::from_ref(data).cast_mut().cast();
        // SAFETY: as above; the data lives for ever, and the callback only reads it.
        unsafe { qemu_plugin_register_vcpu_insn_exec_cb(self.0, callback, R_REGS, data) }
    }

    /// Has `callback` called before it is executed; it may go on elsewhere.
    #[cfg(feature = "api-7")]
    pub fn instead<T: Sync>(&self, callback: OnExecute, data: &'static T) {
        let data = std::ptr::from_ref(data).cast_mut().cast();
        // SAFETY: as for `before`.
        unsafe { qemu_plugin_register_vcpu_insn_exec_cb(self.0, callback, RW_REGS_PC, data) }
    }

    /// Cannot be done.
    #[cfg(not(feature = "api-7"))]
    pub fn instead<T: Sync>(&self, _: OnExecute, _: &'static T) {}

    /// Has `callback` called after each of its stores; it may read registers.
    pub fn after_stores<T: Sync>(&self, callback: OnMemory, data: &'static T) {
        let data = std::ptr::from_ref(data).cast_mut().cast();
        // SAFETY: as above.
        unsafe { qemu_plugin_register_vcpu_mem_cb(self.0, callback, R_REGS, MEM_W, data) }
    }
}

/// The bytes that an access touches, if it is a store.
pub fn stored_bytes(info: u32) -> Option<usize> {
    // SAFETY: `info` is what QEMU passed to the callback.
    unsafe { qemu_plugin_mem_is_store(info).then(|| 1 << qemu_plugin_mem_size_shift(info)) }
}

/// Writes memory at a physical address, so that QEMU translates anew what it has translated from there.
#[cfg(feature = "api-7")]
pub fn write_code(address: u64, bytes: &[u8]) {
    // SAFETY: GLib's and QEMU's own functions; the array holds the bytes, and is ours.
    unsafe {
        let data = g_byte_array_new();
        g_byte_array_append(data, bytes.as_ptr(), bytes.len() as c_uint);
        qemu_plugin_write_memory_hwaddr(address, data);
        g_byte_array_free(data, 1);
    }
}

/// Cannot be done.
#[cfg(not(feature = "api-7"))]
pub fn write_code(_: u64, _: &[u8]) {}

/// Leaves the block that is being executed and goes on at `address`. Must be the last thing that a
/// callback of [`Instruction::instead`] does, with nothing left to drop.
#[cfg(feature = "api-7")]
pub fn go_on_at(address: u64) {
    // SAFETY: called from a callback that may write the PC.
    unsafe { qemu_plugin_set_pc(address) }
}

/// Cannot be done.
#[cfg(not(feature = "api-7"))]
pub fn go_on_at(_: u64) {}

/// Writes to QEMU's log, where `-d plugin` is on.
pub fn log(text: &str) {
    if let Ok(text) = CString::new(text) {
        // SAFETY: a string that lives as long as the call.
        unsafe { qemu_plugin_outs(text.as_ptr()) }
    }
}

/// The registers of the current CPU, by name. To be called when the CPU has been created.
pub fn register_handles() -> Vec<(String, usize)> {
    let mut all = Vec::new();
    // SAFETY: QEMU returns an array of descriptors, whose names live for ever, and gives it to us.
    unsafe {
        let array = qemu_plugin_get_registers();
        let descriptors = (*array).data.cast::<Descriptor>();
        for n in 0..(*array).len as usize {
            let descriptor = &*descriptors.add(n);
            let name = CStr::from_ptr(descriptor.name).to_string_lossy();
            all.push((name.into_owned(), descriptor.handle as usize));
        }
        g_array_free(array, 1);
    }
    all
}

/// Where QEMU leaves the value of a register.
pub struct Buffer(*mut GArray);

// SAFETY: the array is reached through this handle only.
unsafe impl Send for Buffer {}

impl Buffer {
    /// An empty one.
    pub fn new() -> Self {
        // SAFETY: GLib's constructor.
        Self(unsafe { g_byte_array_new() })
    }

    fn value(&self) -> u64 {
        let mut bytes = [0; 8];
        // SAFETY: QEMU has filled the array with `len` bytes.
        unsafe {
            let len = ((*self.0).len as usize).min(bytes.len());
            std::ptr::copy_nonoverlapping((*self.0).data.cast::<u8>(), bytes.as_mut_ptr(), len);
        }
        u64::from_le_bytes(bytes)
    }

    fn clear(&mut self) {
        // SAFETY: GLib's own function on its own array.
        unsafe { g_byte_array_set_size(self.0, 0) };
    }

    /// The low 64 bits of a register of the current CPU, by its handle.
    pub fn read(&mut self, handle: usize) -> u64 {
        self.clear();
        // SAFETY: a handle of `register_handles`, which are the same for all CPUs of a kind; called
        // from a callback that may read registers.
        let read = unsafe { qemu_plugin_read_register(handle as *mut Handle, self.0) };
        // Generation 4 says how many bytes it has read, 7 whether it has.
        #[cfg(not(feature = "api-7"))]
        let read = read > 0;
        assert!(
            read,
            "setway cache model: QEMU lets this plugin read no register"
        );
        self.value()
    }
}
