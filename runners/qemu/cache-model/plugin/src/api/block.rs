//! A block that QEMU has just translated, its instructions, and the callbacks that can be put there.
//!
//! A callback is a type that implements one of the three traits below. Its `Data` ties the function to what it
//! is called with: QEMU keeps an untyped pointer, and only this file turns it back.

use std::{
    ffi::{c_uint, c_void},
    marker::PhantomData,
};

use super::abi;

/// A block that QEMU has just translated. It exists for as long as the callback that is given it.
pub struct Block<'cb> {
    tb: *mut abi::Tb,
    callback: PhantomData<&'cb abi::Tb>,
}

impl<'cb> Block<'cb> {
    /// # Safety
    ///
    /// QEMU must have passed `tb` to a callback that does not return within `'cb`.
    pub(super) unsafe fn new(tb: *mut abi::Tb) -> Self {
        Self {
            tb,
            callback: PhantomData,
        }
    }

    /// Its first instruction's virtual address.
    pub fn address(&self) -> u64 {
        // SAFETY: by `new`, the callback that was given `tb` has not returned.
        unsafe { abi::qemu_plugin_tb_vaddr(self.tb) }
    }

    /// Its bytes, as they were translated.
    pub fn bytes(&self) -> Vec<u8> {
        let instructions = self.instructions().map(|it| it.bytes());
        instructions
            .flat_map(|(bytes, size)| bytes.into_iter().take(size))
            .collect()
    }

    /// Its instructions.
    pub fn instructions(&self) -> impl Iterator<Item = Instruction<'cb>> {
        (0..self.count()).map(|index| self.instruction(index))
    }

    /// The last of them.
    pub fn last(&self) -> Option<Instruction<'cb>> {
        Some(self.instruction(self.count().checked_sub(1)?))
    }

    /// Has `C` called each time before it is executed; it may read no registers.
    pub fn before<C: Before>(&self, data: &'static C::Data) {
        // SAFETY: as in `address`; `enter_before` takes the pointer for what it is.
        unsafe {
            abi::qemu_plugin_register_vcpu_tb_exec_cb(
                self.tb,
                enter_before::<C>,
                abi::NO_REGS,
                untyped(data),
            )
        }
    }

    /// How many instructions it has.
    pub fn count(&self) -> usize {
        // SAFETY: as in `address`.
        unsafe { abi::qemu_plugin_tb_n_insns(self.tb) }
    }

    fn instruction(&self, index: usize) -> Instruction<'cb> {
        Instruction {
            // SAFETY: as in `address`; the callers' indices are below `count`.
            insn: unsafe { abi::qemu_plugin_tb_get_insn(self.tb, index) },
            callback: PhantomData,
        }
    }
}

/// An instruction that QEMU has just translated. It exists for as long as its block.
pub struct Instruction<'cb> {
    insn: *mut abi::Insn,
    callback: PhantomData<&'cb abi::Insn>,
}

impl Instruction<'_> {
    /// Its virtual address.
    pub fn address(&self) -> u64 {
        // SAFETY: it is one of a block's, and the callback that was given the block has not returned.
        unsafe { abi::qemu_plugin_insn_vaddr(self.insn) }
    }

    /// Its bytes, and how many it has.
    pub fn bytes(&self) -> ([u8; 4], usize) {
        let mut bytes = [0; 4];
        // SAFETY: as in `address`; QEMU writes no more bytes than it is asked for.
        let size = unsafe {
            abi::qemu_plugin_insn_data(self.insn, bytes.as_mut_ptr().cast(), bytes.len());
            abi::qemu_plugin_insn_size(self.insn)
        };
        (bytes, size)
    }

    /// Has `C` called each time before it is executed.
    pub fn before<C: Before>(&self, data: &'static C::Data) {
        // SAFETY: as in `address`; `enter_before` takes the pointer for what it is.
        unsafe {
            abi::qemu_plugin_register_vcpu_insn_exec_cb(
                self.insn,
                enter_before::<C>,
                abi::R_REGS,
                untyped(data),
            )
        }
    }

    /// Has `C` called after each of its stores.
    pub fn after_stores<C: AfterStore>(&self, data: &'static C::Data) {
        // SAFETY: as in `address`; `enter_after_store` takes the pointer for what it is.
        unsafe {
            abi::qemu_plugin_register_vcpu_mem_cb(
                self.insn,
                enter_after_store::<C>,
                abi::R_REGS,
                abi::MEM_W,
                untyped(data),
            )
        }
    }

    /// Has `C` called instead of executing it.
    #[cfg(feature = "api-7")]
    pub fn instead<C: Instead>(&self, data: &'static C::Data) {
        // SAFETY: as in `address`; `enter_instead` takes the pointer for what it is.
        unsafe {
            abi::qemu_plugin_register_vcpu_insn_exec_cb(
                self.insn,
                enter_instead::<C>,
                abi::RW_REGS_PC,
                untyped(data),
            )
        }
    }

    /// Does nothing: in this generation a plugin cannot set the PC.
    #[cfg(not(feature = "api-7"))]
    pub fn instead<C: Instead>(&self, _: &'static C::Data) {
        let _never_called = C::call;
    }
}

/// Called before an instruction is executed. It may read registers.
pub trait Before {
    /// What it is called with.
    type Data: Sync + 'static;
    /// `cpu` is the number of the CPU for which the instruction was translated.
    fn call(cpu: usize, data: &'static Self::Data);
}

/// Called after an instruction has stored. It may read registers.
pub trait AfterStore {
    /// What it is called with.
    type Data: Sync + 'static;
    /// `len` bytes were stored at a virtual address. `cpu` is as for [`Before`].
    fn call(cpu: usize, data: &'static Self::Data, address: u64, len: usize);
}

/// Called instead of executing an instruction.
pub trait Instead {
    /// What it is called with.
    type Data: Sync + 'static;
    /// Returns the address at which the CPU goes on. The instruction there is translated anew, if the call
    /// has changed it by [`write_code`](super::write_code).
    fn call(data: &'static Self::Data) -> u64;
}

fn untyped<T: Sync>(data: &'static T) -> *mut c_void {
    std::ptr::from_ref(data).cast_mut().cast()
}

/// # Safety
///
/// `data` must be from [`untyped`], of the same type.
unsafe fn typed<T: Sync>(data: *mut c_void) -> &'static T {
    // SAFETY: by the caller, it was a shared reference that is valid for ever.
    unsafe { &*data.cast_const().cast() }
}

extern "C" fn enter_before<C: Before>(vcpu: c_uint, data: *mut c_void) {
    // SAFETY: `Instruction::before` registers this function with a `C::Data`.
    C::call(vcpu as usize, unsafe { typed(data) });
}

extern "C" fn enter_after_store<C: AfterStore>(
    vcpu: c_uint,
    info: u32,
    address: u64,
    data: *mut c_void,
) {
    // SAFETY: `info` is what QEMU has passed to this callback.
    let len = unsafe {
        abi::qemu_plugin_mem_is_store(info).then(|| 1 << abi::qemu_plugin_mem_size_shift(info))
    };
    if let Some(len) = len {
        // SAFETY: `Instruction::after_stores` registers this function with a `C::Data`.
        C::call(vcpu as usize, unsafe { typed(data) }, address, len);
    }
}

#[cfg(feature = "api-7")]
extern "C" fn enter_instead<C: Instead>(_: c_uint, data: *mut c_void) {
    // SAFETY: `Instruction::instead` registers this function with a `C::Data`.
    let address = C::call(unsafe { typed(data) });
    // SAFETY: it is registered as a callback that may set the PC; `C::call` has returned, and there is nothing
    // here to drop.
    unsafe { go_on_at(address) }
}

/// Leaves the block that is being executed, and has the CPU go on at `address`.
///
/// # Safety
///
/// Must be called from a callback that was registered with [`abi::RW_REGS_PC`]. The frames between that and
/// QEMU's main loop are left by `siglongjmp`, so none of them may have anything to drop.
#[cfg(feature = "api-7")]
unsafe fn go_on_at(address: u64) -> ! {
    // SAFETY: the caller's.
    unsafe { abi::qemu_plugin_set_pc(address) }
}
