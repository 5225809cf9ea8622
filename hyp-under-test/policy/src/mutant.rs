//! The mutants: the reference hypervisor with one named defect each.
//!
//! A conformance suite is only as good as the defects it catches. Each mutant is a mistake that a
//! real hypervisor could make; each must be killed by some case, and each case must kill one. A
//! defect of the state machine is implemented in [`crate::Policy`], a defect of the emulation where
//! the hypervisor emulates.

macro_rules! mutants {
    ($($name:literal $variant:ident $defect:literal)*) => {
        /// A defect that can be put into the reference hypervisor at boot.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Mutant {
            $(#[doc = $defect] $variant,)*
        }

        impl Mutant {
            /// Every mutant there is.
            pub const ALL: &'static [Mutant] = &[$(Mutant::$variant),*];

            /// The name it is chosen by.
            pub const fn name(self) -> &'static str {
                match self { $(Mutant::$variant => $name,)* }
            }

            /// What is wrong with it.
            pub const fn defect(self) -> &'static str {
                match self { $(Mutant::$variant => $defect,)* }
            }
        }
    };
}

mutants! {
    "no-first-flush" NoFirstFlush "the first set/way op sets TVM but flushes nothing"
    "flush-every-set-way" FlushEverySetWay "every set/way op flushes, not only the first"
    "tvm-never-set" TvmNeverSet "a set/way op does not set TVM"
    "tvm-never-cleared" TvmNeverCleared "TVM stays set when the cache is turned on"
    "flush-on-to-off-only" FlushOnToOffOnly "turning the cache on does not flush"
    "flush-off-to-on-only" FlushOffToOnOnly "turning the cache off does not flush"
    "enabled-by-m-alone" EnabledByMAlone "the cache counts as on when M is set, whatever C"
    "enabled-by-c-alone" EnabledByCAlone "the cache counts as on when C is set, whatever M"
    "vm-reg-write-dropped" VmRegWriteDropped "a trapped write of CONTEXTIDR is not performed"
    "vm-reg-aliased" VmRegAliased "a trapped write of AMAIR also changes MAIR"
    "mcrr-high-half-lost" McrrHighHalfLost "a trapped 64-bit MCRR writes only the low half"
    "half-write-clobbers" HalfWriteClobbers "a trapped 32-bit write of half a register zeroes the other half"
    "pc-not-advanced-t32" PcNotAdvancedT32 "a trapped T32 instruction is not stepped over"
    "itstate-not-advanced" ItstateNotAdvanced "ITSTATE is not advanced over a trapped instruction"
    "callee-saved-clobbered" CalleeSavedClobbered "x19 (AArch32: r4) is lost in every set/way trap"
    "flags-clobbered" FlagsClobbered "the condition flags are lost in every set/way trap"
    "simd-clobbered" SimdClobbered "the hypervisor uses v8 in every set/way trap without saving it"
    "xzr-is-x30" XzrIsX30 "a transfer from XZR takes the value of x30"
    "banked-rt-ignored" BankedRtIgnored "the transfer register is taken as one of the user bank's"
    "undef-advances-pc" UndefAdvancesPc "an injected UNDEF is delivered and the PC then advanced by 4"
    "undef-wrong-vector" UndefWrongVector "an injected UNDEF goes to the vector of a lower exception level (AArch32: to SVC's)"
    "undef-interrupts-open" UndefInterruptsOpen "an injected UNDEF arrives with interrupts unmasked"
    "undef-vector-sp0" UndefVectorSp0 "an injected UNDEF goes to the vector for SP_EL0, whichever SP the guest used"
    "undef-return-after" UndefReturnAfter "the return address of an injected UNDEF is the next instruction's"
    "tvm-shared" TvmShared "one TVM for all vCPUs"
    "secondary-tvm-clear" SecondaryTvmClear "a vCPU that CPU_ON starts runs with TVM clear"
    "flush-misses-first-line" FlushMissesFirstLine "a flush begins one line late in every page and block"
    "flush-misses-last-page" FlushMissesLastPage "a flush ends one page early in every table and block"
    "flush-misses-blocks" FlushMissesBlocks "a flush skips 2 MiB mappings"
    "flush-misses-pages" FlushMissesPages "a flush skips 4 KiB mappings"
    "flush-misses-new" FlushMissesNew "a flush skips what was mapped since the last one"
    "flush-misses-others" FlushMissesOthers "a flush skips what another vCPU was the first to touch"
    "clean-without-invalidate" CleanWithoutInvalidate "a flush cleans and does not invalidate"
    "invalidate-without-clean" InvalidateWithoutClean "a flush invalidates and does not clean"
    "pass-through" PassThrough "nothing traps: set/way ops do what the hardware does"
    "pass-through-no-swio" PassThroughNoSwio "nothing traps, and SWIO is clear as well"
    "before-2015" Before2015 "set/way ops are executed on this CPU, and nothing else is done (KVM's policy until 2015)"
}

impl Mutant {
    /// Whether the defect is one of data: it must be found by data that a guest loads, and only counts to
    /// be wrong does not count.
    pub fn spoils_data(self) -> bool {
        self >= Mutant::FlushMissesFirstLine
    }

    /// The mutant called `name`.
    pub fn by_name(name: &str) -> Option<Mutant> {
        Self::ALL
            .iter()
            .copied()
            .find(|mutant| mutant.name() == name)
    }
}
