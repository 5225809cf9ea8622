//! Registers of the current CPU, by QEMU's handles.

use std::{
    ffi::CStr,
    ptr::{self, NonNull},
};

use super::abi;

/// QEMU's handle of a register. Only [`registers`] makes one, and it is good for every CPU of the machine:
/// they are all of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterHandle(NonNull<abi::Register>);

// SAFETY: QEMU's handle is a number in a pointer's clothes, valid in every thread that runs CPUs.
unsafe impl Send for RegisterHandle {}

/// The registers of the current CPU, by name. To be called when the CPU has been created.
pub fn registers() -> Vec<(String, RegisterHandle)> {
    let mut all = Vec::new();
    // SAFETY: QEMU returns an array of descriptors, whose names live for ever, and leaves it to the caller.
    unsafe {
        let array = abi::qemu_plugin_get_registers();
        let descriptors = (*array).data.cast::<abi::Descriptor>();
        for n in 0..(*array).len as usize {
            let descriptor = &*descriptors.add(n);
            if let Some(handle) = NonNull::new(descriptor.handle) {
                let name = CStr::from_ptr(descriptor.name).to_string_lossy();
                all.push((name.into_owned(), RegisterHandle(handle)));
            }
        }
        abi::g_array_free(array, 1);
    }
    all
}

/// Where QEMU leaves the value of a register.
#[derive(Debug)]
pub struct Buffer(*mut abi::GArray);

// SAFETY: the array is reached through this handle only.
unsafe impl Send for Buffer {}

impl Buffer {
    /// An empty one.
    pub fn new() -> Self {
        // SAFETY: GLib's constructor.
        Self(unsafe { abi::g_byte_array_new() })
    }

    /// The low 64 bits of a register of the current CPU.
    ///
    /// # Panics
    ///
    /// If QEMU does not read it, as in a callback that may read none.
    pub fn read(&mut self, register: RegisterHandle) -> u64 {
        // SAFETY: GLib's own function on its own array; a handle of QEMU's.
        let read = unsafe {
            abi::g_byte_array_set_size(self.0, 0);
            abi::qemu_plugin_read_register(register.0.as_ptr(), self.0)
        };
        #[cfg(not(feature = "api-7"))]
        let read = read > 0;
        assert!(
            read,
            "setway cache model: QEMU lets this plugin read no register"
        );
        self.value()
    }

    fn value(&self) -> u64 {
        let mut bytes = [0; 8];
        // SAFETY: QEMU has filled the array with `len` bytes.
        unsafe {
            let len = ((*self.0).len as usize).min(bytes.len());
            ptr::copy_nonoverlapping((*self.0).data.cast::<u8>(), bytes.as_mut_ptr(), len);
        }
        u64::from_le_bytes(bytes)
    }
}
