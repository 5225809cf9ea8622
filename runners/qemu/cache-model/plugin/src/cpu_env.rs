//! The current CPU's general registers, read where QEMU keeps them.
//!
//! QEMU's plugin interface has functions that read registers, and they serve for everything that is
//! read seldom. For the operands of every load they are slow; and on a CPU that has AArch64 they do not
//! show AArch32's registers at all, so that an AArch32 guest could not be watched. But QEMU keeps both
//! side by side, at the start of `CPUArchState` in target/arm/cpu.h:
//!
//! ```text
//! uint32_t regs[16]; uint64_t xregs[32]; uint64_t pc; uint32_t pstate; bool aarch64; bool thumb;
//! ```
//!
//! where the PSTATE has become wider since.
//!
//! Where that is in the CPU's object, is found by what is in it: the values of x0 to x30, SP and PC,
//! which the interface does show. If it is found nowhere, or in more places than one, the interface has
//! to do, and AArch32 is not watched. A build of QEMU may also keep the variable `current_cpu` to itself.
//!
//! That variable is needed for another reason, too: where all CPUs share a thread, QEMU tells a callback
//! the number of the CPU for which the block was translated, and not of the one that executes it
//! (`gen_cpu_index` in accel/tcg/plugin-gen.c).

/// How far into the object to look. The object is about three times as large.
const DEPTH: usize = 0x8000;

/// Sizes and places, from `xregs`.
const XREGS: usize = 64;
const PC: usize = XREGS + 32 * 8;
const PSTATE_SIZE: usize = if cfg!(feature = "api-7") { 8 } else { 4 };
const AARCH64: usize = PC + 8 + PSTATE_SIZE;
const THUMB: usize = AARCH64 + 1;

thread_local! {
    /// QEMU's variable for the CPU that this thread runs.
    static CURRENT: *const *const u8 = {
        // SAFETY: for a thread-local variable, dlsym answers with this thread's own.
        unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"current_cpu".as_ptr()).cast::<*const u8>().cast_const() }
    };
}

/// Where in a CPU's object the registers are; the same for all CPUs of a machine.
#[derive(Clone, Copy, Debug)]
pub struct CpuEnv {
    offset: usize,
}

impl CpuEnv {
    /// Finds the registers of the current CPU, which is in AArch64 and whose x0–x30, SP and PC are `shown`.
    pub fn find_aarch64(shown: &[u64]) -> Option<Self> {
        Self::find(|live, cpu| {
            let mut words = (0..).zip(shown);
            // SAFETY: within the object, by DEPTH.
            let same =
                words.all(|(n, value)| unsafe { live.read::<u64>(cpu, XREGS + 8 * n) } == *value);
            // SAFETY: as above.
            same && unsafe { live.read::<u8>(cpu, AARCH64) } == 1
        })
    }

    /// Finds the registers of the current CPU, which has no AArch64 and whose r0–r15 are `shown`.
    pub fn find_aarch32(shown: &[u64]) -> Option<Self> {
        Self::find(|live, cpu| {
            let mut words = (0..).zip(shown);
            // SAFETY: within the object, by DEPTH.
            words.all(|(n, value)| u64::from(unsafe { live.read::<u32>(cpu, 4 * n) }) == *value)
        })
    }

    fn find(is_there: impl Fn(Self, *const u8) -> bool) -> Option<Self> {
        let cpu = current()?;
        let places = (0..DEPTH).step_by(8).map(|offset| Self { offset });
        let mut found = places.filter(|live| is_there(*live, cpu));
        let first = found.next()?;
        // Where nearly all registers are zero, other places may look the same.
        found.next().is_none().then_some(first)
    }

    /// Whether the CPU is in AArch64.
    #[inline]
    pub fn is_aarch64(self) -> bool {
        self.field::<u8>(AARCH64) != 0
    }

    /// Whether the CPU is in T32.
    #[inline]
    pub fn is_t32(self) -> bool {
        self.field::<u8>(THUMB) != 0
    }

    /// x0–x30, or with 31 SP.
    #[inline]
    pub fn x(self, register: u8) -> u64 {
        self.field(XREGS + 8 * usize::from(register & 31))
    }

    /// r0–r15 of the current mode.
    #[inline]
    pub fn r(self, register: u8) -> u64 {
        self.field::<u32>(4 * usize::from(register & 15)).into()
    }

    fn field<T: Copy + Default>(self, at: usize) -> T {
        match current() {
            // SAFETY: QEMU's own object; `find` has seen that the registers are there. Only this
            // thread runs CPUs, and it is here.
            Some(cpu) => unsafe { self.read(cpu, at) },
            None => T::default(),
        }
    }

    /// # Safety
    ///
    /// The place must be in the CPU's object.
    unsafe fn read<T: Copy>(self, cpu: *const u8, at: usize) -> T {
        // SAFETY: the caller's.
        unsafe { cpu.add(self.offset + at).cast::<T>().read() }
    }
}

/// Whether QEMU shows which CPU runs.
pub fn can_tell_cpus_apart() -> bool {
    CURRENT.with(|current| !current.is_null())
}

/// The current CPU's object, as a number to tell CPUs apart by.
#[inline]
pub fn current_cpu() -> Option<usize> {
    current().map(|cpu| cpu as usize)
}

/// The current CPU's object.
#[inline]
fn current() -> Option<*const u8> {
    CURRENT.with(|current| {
        // SAFETY: QEMU's own variable, if it was found.
        let cpu = (!current.is_null()).then(|| unsafe { **current })?;
        (!cpu.is_null()).then_some(cpu)
    })
}
