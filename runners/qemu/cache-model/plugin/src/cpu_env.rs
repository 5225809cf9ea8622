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
//! where the PSTATE has become wider since. The structure is `CPUArchState`, within the CPU's object, `ArchCPU`
//! (both in target/arm/cpu.h); its head has been like this in every QEMU that is served, 9.2 to 10.0 (generation
//! 4 of the interface) and 11.1 (generation 7).
//!
//! Where the structure is in the object is found by what is in it: the values of x0 to x30, SP and PC,
//! which the interface does show. If it is found nowhere, or in more places than one, the interface has
//! to do, and AArch32 is not watched. A build of QEMU may also keep the variable `current_cpu` to itself.
//!
//! That variable is needed for another reason, too: where all CPUs share a thread, QEMU passes a callback
//! the number of the CPU for which the block was translated, and not of the one that executes it
//! (`gen_cpu_index` in accel/tcg/plugin-gen.c).

/// How many bytes of the object may be read. It is about three times as large in each of those versions: after
/// the registers, `CPUArchState` has the banked ones, the vector registers and the breakpoints.
const DEPTH: usize = 0x8000;

// Places within the structure.
const REGS: usize = 0;
const XREGS: usize = REGS + 16 * 4;
const PC: usize = XREGS + 32 * 8;
const PSTATE_SIZE: usize = if cfg!(feature = "api-7") { 8 } else { 4 };
const AARCH64: usize = PC + 8 + PSTATE_SIZE;
const THUMB: usize = AARCH64 + 1;
/// As much of it as is read.
const SIZE: usize = THUMB + 1;

thread_local! {
    /// QEMU's variable for the CPU that this thread runs.
    static CURRENT: *const *const u8 = {
        // SAFETY: for a thread-local variable, dlsym answers with this thread's own.
        unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"current_cpu".as_ptr()).cast::<*const u8>().cast_const() }
    };
}

/// Where in a CPU's object the structure is; the same for all CPUs of a machine. At most `DEPTH - SIZE`.
#[derive(Clone, Copy, Debug)]
pub struct CpuEnv {
    offset: usize,
}

impl CpuEnv {
    /// Finds the registers of the current CPU, which is in AArch64 and whose x0–x30, SP and PC are `shown`.
    pub fn find_aarch64(shown: &[u64; 33]) -> Option<Self> {
        Self::find(|env, cpu| {
            let mut words = (0..).zip(shown);
            words.all(|(n, value)| env.read::<u64>(cpu, XREGS + 8 * n) == *value)
                && env.read::<u8>(cpu, AARCH64) == 1
        })
    }

    /// Finds the registers of the current CPU, which has no AArch64 and whose r0–r15 are `shown`.
    pub fn find_aarch32(shown: &[u64; 16]) -> Option<Self> {
        Self::find(|env, cpu| {
            let mut words = (0..).zip(shown);
            words.all(|(n, value)| u64::from(env.read::<u32>(cpu, REGS + 4 * n)) == *value)
        })
    }

    fn find(is_there: impl Fn(Self, Object) -> bool) -> Option<Self> {
        let cpu = Object::current()?;
        let places = (0..=DEPTH - SIZE).step_by(8).map(|offset| Self { offset });
        let mut found = places.filter(|env| is_there(*env, cpu));
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
        self.field::<u32>(REGS + 4 * usize::from(register & 15))
            .into()
    }

    #[inline]
    fn field<T: Number>(self, at: usize) -> T {
        Object::current().map_or_else(T::default, |cpu| self.read(cpu, at))
    }

    /// A field of the structure, `at` bytes from its start.
    #[inline]
    fn read<T: Number>(self, cpu: Object, at: usize) -> T {
        assert!(at + size_of::<T>() <= SIZE, "beyond the structure");
        // SAFETY: `offset + SIZE` is at most DEPTH, and the object has that many bytes. Whether it is the
        // structure or not, a number can have any value. Only this thread runs CPUs, so that nothing writes there
        // now. The read does not rely on alignment, which a place that is only tried might lack.
        unsafe { cpu.0.add(self.offset + at).cast::<T>().read_unaligned() }
    }
}

/// A type of which all values are valid.
trait Number: Copy + Default {}
impl Number for u8 {}
impl Number for u32 {}
impl Number for u64 {}

/// A CPU's object, which exists until QEMU ends.
#[derive(Clone, Copy)]
struct Object(*const u8);

impl Object {
    /// That of the CPU that this thread runs.
    #[inline]
    fn current() -> Option<Self> {
        CURRENT.with(|current| {
            // SAFETY: QEMU's own variable, if it was found.
            let cpu = (!current.is_null()).then(|| unsafe { **current })?;
            (!cpu.is_null()).then_some(Self(cpu))
        })
    }
}

/// Whether QEMU shows which CPU runs.
pub fn shows_current_cpu() -> bool {
    CURRENT.with(|current| !current.is_null())
}

/// The address of the current CPU's object, by which CPUs are distinguished.
#[inline]
pub fn current_cpu() -> Option<usize> {
    Object::current().map(|cpu| cpu.0 as usize)
}
