//! The mutants: the reference hypervisor with one named defect each.
//!
//! A conformance suite is only as good as the defects it catches. Each mutant is a mistake that a
//! real hypervisor could make; each must be killed by some case, and each case must kill one. The table
//! says all that is known of a mutant, so the order of its rows means nothing.

/// Where a hypervisor makes the mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// What is decided: [`crate::Policy`].
    Policy,
    /// What a trapped instruction does: its operands, the step over it, an injected UNDEF.
    Emulation,
    /// What is mapped, and what a flush reaches.
    Stage2,
    /// The way into the hypervisor and out again.
    Traps,
    /// What is kept of each vCPU.
    Vcpu,
    /// The calls that a guest makes.
    Psci,
    /// What is done about interrupts, which is nothing.
    Interrupts,
    /// Registers that the hypervisor does not use, and so leaves to the guest.
    Registers,
    /// How the guest gets into its memory.
    Loader,
    /// What the guest is told of its caches.
    Geometry,
}

impl Site {
    /// All of them.
    pub const ALL: [Site; 10] = [
        Site::Policy,
        Site::Emulation,
        Site::Stage2,
        Site::Traps,
        Site::Vcpu,
        Site::Psci,
        Site::Interrupts,
        Site::Registers,
        Site::Loader,
        Site::Geometry,
    ];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Site::Policy => "policy",
            Site::Emulation => "emulation",
            Site::Stage2 => "stage2",
            Site::Traps => "traps",
            Site::Vcpu => "vcpu",
            Site::Psci => "psci",
            Site::Interrupts => "interrupts",
            Site::Registers => "registers",
            Site::Loader => "loader",
            Site::Geometry => "geometry",
        }
    }

    /// The file where it is, relative to `hyp-under-test`.
    pub const fn file(self) -> &'static str {
        match self {
            Site::Policy => "policy/src/lib.rs",
            Site::Emulation => "aarch64/src/emulation.rs",
            Site::Stage2 => "aarch64/src/stage2.rs",
            Site::Traps => "aarch64/src/traps.rs",
            Site::Vcpu => "aarch64/src/vcpu.rs",
            Site::Psci => "aarch64/src/psci.rs",
            Site::Interrupts => "aarch64/src/interrupts.rs",
            Site::Registers => "aarch64/src/registers.rs",
            Site::Loader => "aarch64/src/guest.rs",
            Site::Geometry => "aarch64/src/geometry.rs",
        }
    }
}

/// What is wrong where the mistake shows, and so the kind of evidence that kills the mutant; no other does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// How often the guest traps, or its memory is flushed.
    Counts,
    /// The guest's registers, PC or PSTATE.
    State,
    /// What the guest loads from memory, where caches are not coherent. Counts that are wrong as well do not
    /// kill the mutant: it is there to show that data does.
    Data,
    /// Counts, and data where caches are not coherent: either kills the mutant.
    CountsAndData,
    /// Where the guest or the hypervisor gets to, where caches are not coherent: code, tables or what governs them
    /// are not what they should be.
    Course,
    /// The instructions or the lines that maintenance costs: neither counts nor data differ.
    Cost,
}

impl Shows {
    /// The words for it.
    pub const fn name(self) -> &'static str {
        match self {
            Shows::Counts => "counts",
            Shows::State => "state",
            Shows::Data => "data",
            Shows::CountsAndData => "counts and data",
            Shows::Course => "course",
            Shows::Cost => "cost",
        }
    }
}

/// Makes [`Mutant`] of a table: the variant, the name it is chosen by, where the mistake is made, what is
/// wrong, the mistake, and after `on` the machine that shows it, if the usual one does not.
macro_rules! mutants {
    ($($variant:ident: $name:literal, $site:ident, $shows:ident, $defect:literal $(, on $machine:literal)?;)*) => {
        /// A defect that can be put into the reference hypervisor at boot.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

            /// Where the mistake is made.
            pub const fn site(self) -> Site {
                match self { $(Mutant::$variant => Site::$site,)* }
            }

            /// What is wrong.
            pub const fn shows(self) -> Shows {
                match self { $(Mutant::$variant => Shows::$shows,)* }
            }

            /// The mistake.
            pub const fn defect(self) -> &'static str {
                match self { $(Mutant::$variant => $defect,)* }
            }

            /// The machine on which it shows; `None` if it does on any.
            pub const fn machine(self) -> Option<&'static str> {
                let on: &[&'static str] = match self { $(Mutant::$variant => &[$($machine)?],)* };
                match on {
                    [machine, ..] => Some(machine),
                    [] => None,
                }
            }

            /// Whether data that a guest loads must find it, so that counts alone do not count.
            pub const fn spoils_data(self) -> bool {
                matches!(self.shows(), Shows::Data)
            }

            /// Whether only the cache model shows it: by what a guest loads, or by what it counts.
            pub const fn needs_cache_model(self) -> bool {
                matches!(self.shows(), Shows::Data | Shows::Course | Shows::Cost)
            }

            /// The mutant called `name`.
            pub fn by_name(name: &str) -> Option<Mutant> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|mutant| mutant.name() == name)
            }
        }
    };
}

mutants! {
    NoFirstFlush: "no-first-flush", Policy, CountsAndData, "the first set/way op sets TVM but flushes nothing";
    FlushEverySetWay: "flush-every-set-way", Policy, CountsAndData, "every set/way op flushes, not only the first";
    TvmNeverSet: "tvm-never-set", Policy, CountsAndData, "a set/way op does not set TVM";
    TvmNeverCleared: "tvm-never-cleared", Policy, CountsAndData, "TVM stays set when the cache is turned on";
    FlushOnToOffOnly: "flush-on-to-off-only", Policy, CountsAndData, "turning the cache on does not flush";
    FlushOffToOnOnly: "flush-off-to-on-only", Policy, CountsAndData, "turning the cache off does not flush";
    EnabledByMAlone: "enabled-by-m-alone", Policy, Counts, "the cache counts as on when M is set, whatever C";
    EnabledByCAlone: "enabled-by-c-alone", Policy, Counts, "the cache counts as on when C is set, whatever M";
    FlushOnIBit: "flush-on-i-bit", Policy, Counts, "a change of SCTLR.I flushes, too";
    FlushOnAnySctlrWrite: "flush-on-any-sctlr-write", Traps, Counts, "every trapped write of SCTLR flushes";
    SctlrOnlyMc: "sctlr-only-mc", Emulation, State, "a trapped write of SCTLR changes M and C alone";
    VmRegWriteDropped: "vm-reg-write-dropped", Emulation, State, "a trapped write of CONTEXTIDR is not performed";
    VmRegAliased: "vm-reg-aliased", Emulation, State, "a trapped write of AMAIR also changes MAIR";
    McrrHighHalfLost: "mcrr-high-half-lost", Emulation, State, "a trapped 64-bit MCRR writes only the low half";
    HalfWriteClobbers: "half-write-clobbers", Emulation, State, "a trapped 32-bit write of half a register zeroes the other half";
    AsidLost: "asid-lost", Emulation, State, "a trapped write of TTBR0 or TTBR1 clears bits 63:48, where the ASID is";
    McrrHalvesSwapped: "mcrr-halves-swapped", Emulation, State, "a trapped 64-bit MCRR takes Rt for Rt2 and Rt2 for Rt";
    VmRegOred: "vm-reg-ored", Emulation, State, "a trapped write of TTBR1 or FAR leaves the bits set that were";
    PcNotAdvancedT32: "pc-not-advanced-t32", Emulation, State, "a trapped T32 instruction is not stepped over";
    ItstateNotAdvanced: "itstate-not-advanced", Emulation, State, "ITSTATE is not advanced over a trapped instruction";
    CalleeSavedClobbered: "callee-saved-clobbered", Traps, State, "x19 (AArch32: r4) is lost in every set/way trap";
    FlagsClobbered: "flags-clobbered", Traps, State, "the condition flags are lost in every set/way trap";
    SimdClobbered: "simd-clobbered", Traps, State, "the hypervisor uses v8 in every set/way trap without saving it";
    XzrIsX30: "xzr-is-x30", Emulation, State, "a transfer from XZR takes the value of x30";
    BankedRtIgnored: "banked-rt-ignored", Emulation, State, "the transfer register is taken as one of the user bank's";
    TrapSlow: "trap-slow", Traps, Cost, "every set/way trap spends ten thousand instructions more";
    UndefAdvancesPc: "undef-advances-pc", Emulation, State, "an injected UNDEF is delivered and the PC then advanced by 4";
    UndefWrongVector: "undef-wrong-vector", Emulation, State, "an injected UNDEF goes to the vector of a lower exception level (AArch32: to SVC's)";
    UndefInterruptsOpen: "undef-interrupts-open", Emulation, State, "an injected UNDEF arrives with interrupts unmasked";
    UndefVectorSp0: "undef-vector-sp0", Emulation, State, "an injected UNDEF goes to the vector for SP_EL0, whichever SP the guest used";
    UndefReturnAfter: "undef-return-after", Emulation, State, "the return address of an injected UNDEF is the next instruction's";
    UndefTeIgnored: "undef-te-ignored", Emulation, State, "an injected UNDEF arrives in A32 whatever SCTLR.TE is";
    UndefEeIgnored: "undef-ee-ignored", Emulation, State, "an injected UNDEF arrives little-endian whatever SCTLR.EE is";
    UndefVbarFixed: "undef-vbar-fixed", Emulation, State, "an injected UNDEF goes to the first VBAR that one went to";
    UndefFromEl0Vector: "undef-from-el0-vector", Emulation, State, "an UNDEF that is injected into AArch64 EL0 goes to the vector for EL1 with SP_EL1";
    UndefIlClear: "undef-il-clear", Emulation, State, "ESR_EL1.IL of an injected UNDEF is 0";
    UndefSpsrLost: "undef-spsr-lost", Emulation, State, "an injected UNDEF leaves SPSR_EL1 (AArch32: SPSR_und) as it was";
    UndefElrLost: "undef-elr-lost", Emulation, State, "an injected UNDEF leaves ELR_EL1 (AArch32: LR_und) as it was";
    UndefStepOver: "undef-step-over", Emulation, State, "software step counts as over when an UNDEF is injected";
    StepSurvivesTrap: "step-survives-trap", Emulation, State, "software step is not over when a trapped instruction is stepped over";
    MasksClobbered: "masks-clobbered", Traps, State, "the interrupt masks are cleared in every set/way trap";
    UndefFlagsLost: "undef-flags-lost", Emulation, State, "an injected UNDEF arrives with the condition flags clear";
    CallArgsWide: "call-args-wide", Psci, State, "32-bit PSCI calls take all 64 bits of their arguments";
    CallClobbersX4: "call-clobbers-x4", Psci, State, "a call zeroes x4 (AArch32: r4), as one of SMCCC 1.0 might x4 to x17";
    CallClobbersSimd: "call-clobbers-simd", Psci, State, "a call uses v8 without saving it";
    UnknownCallZero: "unknown-call-zero", Psci, State, "a call of a function that does not exist returns 0";
    WideCallNarrowCaller: "wide-call-narrow-caller", Psci, State, "64-bit calls are answered to AArch32 as well";
    CallFormIgnored: "call-form-ignored", Psci, State, "functions that have no 64-bit form are called by one as well";
    FeaturesAll: "features-all", Psci, State, "PSCI_FEATURES says of every function that it exists";
    FeaturesWideMissing: "features-64-bit-missing", Psci, State, "PSCI_FEATURES does not know the 64-bit forms";
    FeaturesNone: "features-none", Psci, State, "PSCI_FEATURES is not implemented, though PSCI_VERSION says 1.1";
    AffinityAlwaysOn: "affinity-always-on", Psci, State, "AFFINITY_INFO says of every CPU that it is on";
    AffinityUnknownOff: "affinity-unknown-off", Psci, State, "AFFINITY_INFO says of a CPU that does not exist that it is off";
    AffinityLevelIgnored: "affinity-level-ignored", Psci, State, "AFFINITY_INFO takes any level for 0";
    AffinityCut: "affinity-cut", Psci, State, "a CPU is looked up by Aff0 alone";
    AffinityWithoutAff2: "affinity-without-aff2", Psci, State, "a CPU is looked up by Aff0 and Aff1 alone";
    CpuOnUnknownAccepted: "cpu-on-unknown-accepted", Psci, State, "CPU_ON of a CPU that does not exist succeeds";
    CpuOnAlreadyAccepted: "cpu-on-already-accepted", Psci, State, "CPU_ON of a CPU that is on succeeds";
    CpuOnAlreadyInvalid: "cpu-on-already-invalid", Psci, State, "CPU_ON of a CPU that is on returns INVALID_PARAMETERS, as before PSCI 0.2";
    CpuOnThumbIgnored: "cpu-on-thumb-ignored", Psci, State, "CPU_ON starts AArch32 in A32 state, whatever bit 0 of the entry point";
    CpuOnTwoOnly: "cpu-on-two-only", Psci, State, "CPU_ON knows two CPUs";
    CallerEndianIgnored: "caller-endian-ignored", Psci, State, "CPU_ON by a big-endian caller starts a little-endian vCPU";
    SuspendRefused: "suspend-refused", Psci, State, "CPU_SUSPEND is not implemented";
    SuspendUnmasks: "suspend-unmasks", Psci, State, "CPU_SUSPEND returns with interrupts unmasked";
    ContextLost: "context-lost", Psci, State, "a vCPU starts with 0 instead of its context";
    ContextCut: "context-cut", Psci, State, "a vCPU starts with 32 bits of its context";
    StartedUnmasked: "started-unmasked", Vcpu, State, "a vCPU that CPU_ON starts has its interrupts unmasked";
    StartedDebugUnmasked: "started-debug-unmasked", Vcpu, State, "a vCPU that CPU_ON starts in AArch64 has its debug exceptions unmasked";
    StartedAtSp0: "started-at-sp0", Vcpu, State, "a vCPU that CPU_ON starts in AArch64 uses SP_EL0";
    StartedBigEndian: "started-big-endian", Vcpu, State, "a vCPU starts big-endian though its caller is little-endian";
    StartedWithCaches: "started-with-caches", Vcpu, State, "SCTLR.C and I are kept over CPU_OFF and CPU_ON";
    StartedWithPstate: "started-with-pstate", Vcpu, State, "PSTATE is kept over CPU_OFF and CPU_ON";
    CallerTvmCleared: "caller-tvm-cleared", Psci, Counts, "CPU_ON clears the TVM of its caller";
    FlushMissingOnThird: "flush-missing-on-third", Traps, Data, "toggles of the third vCPU and those after it do not flush";
    FlushAfterOthersSkipped: "flush-after-others-skipped", Traps, CountsAndData, "a flush is skipped if another vCPU made the last one";
    IrqLost: "irq-lost", Interrupts, State, "a set/way trap acknowledges an interrupt that is pending, and ends it";
    IrqUnmasked: "irq-unmasked", Interrupts, State, "a set/way trap with an interrupt pending returns with interrupts unmasked";
    IrqMasked: "irq-masked", Interrupts, State, "a set/way trap with an interrupt pending returns with interrupts masked";
    IrqRoutedAway: "irq-routed-away", Interrupts, State, "after a flush, interrupts are taken to EL2 (IMO) and not to the guest";
    OpRepeated: "op-repeated", Interrupts, Counts, "an instruction that traps with an interrupt pending is executed once more";
    SgiLeaks: "sgi-leaks", Interrupts, State, "a flush leaves an SGI of the hypervisor's pending, which the guest takes";
    CountStopsInFlush: "count-stops-in-flush", Interrupts, State, "the virtual count stands still during a flush";
    TimerStoppedByFlush: "timer-stopped-by-flush", Interrupts, State, "a flush turns the virtual timer off";
    WfiUndefined: "wfi-undefined", Interrupts, State, "WFI traps and is made UNDEFINED";
    WfiLength: "wfi-length", Interrupts, State, "a trapped WFI is stepped over by 4 bytes, also where it is 2 bytes long";
    WfiIgnoresMasked: "wfi-ignores-masked", Interrupts, State, "a trapped WFI does not end at an interrupt that the guest masks, only three seconds later";
    ReturnLost: "return-lost", Interrupts, State, "ELR_EL1 (AArch32: LR_irq) is lost in every set/way trap";
    CsselrLost: "csselr-lost", Traps, State, "a set/way trap clears CSSELR";
    CsselrShared: "csselr-shared", Geometry, State, "one CSSELR for all vCPUs";
    ClidrTooDeep: "clidr-too-deep", Geometry, State, "CLIDR has a unified cache at level 3, of which CCSIDR knows nothing";
    CtrLineTooLarge: "ctr-line-too-large", Geometry, State, "CTR says that the smallest line of data caches has 2 KiB";
    TagOpsExecuted: "tag-ops-executed", Traps, State, "ops by set/way on allocation tags, which the guest does not have, are stepped over", on "virt-mte";
    TvmShared: "tvm-shared", Vcpu, CountsAndData, "one TVM for all vCPUs";
    SecondaryTvmClear: "secondary-tvm-clear", Vcpu, CountsAndData, "a vCPU that CPU_ON starts runs with TVM clear";
    FlushMissesFirstLine: "flush-misses-first-line", Stage2, Data, "a flush begins one line late in every page and block";
    FlushMissesLastPage: "flush-misses-last-page", Stage2, Data, "a flush ends one page early in every table and block";
    FlushMissesBlocks: "flush-misses-blocks", Stage2, Data, "a flush skips 2 MiB mappings";
    FlushMissesPages: "flush-misses-pages", Stage2, Data, "a flush skips 4 KiB mappings";
    FreshLeftDirty: "fresh-left-dirty", Stage2, Data, "a block is written through the cache before the guest gets it, and not cleaned";
    FlushMissesNew: "flush-misses-new", Stage2, Data, "a flush skips what was mapped since the last one";
    FlushMissesOthers: "flush-misses-others", Stage2, Data, "a flush skips what another vCPU was the first to touch";
    CleanWithoutInvalidate: "clean-without-invalidate", Stage2, Data, "a flush cleans and does not invalidate";
    InvalidateWithoutClean: "invalidate-without-clean", Stage2, Data, "a flush invalidates and does not clean";
    FlushTwice: "flush-twice", Stage2, Cost, "a flush cleans and invalidates every line two times";
    FlushQuarterLines: "flush-quarter-lines", Stage2, Cost, "a flush takes lines for a quarter of their size, and so maintains each four times";
    FlushWholeMemory: "flush-whole-memory", Stage2, Cost, "a flush goes over all of the guest's memory, mapped or not";
    TvmClearedByAnyWrite: "tvm-cleared-by-any-write", Policy, CountsAndData, "any write of a VM register ends the watch, whether the cache is on or not";
    FlushEveryVmReg: "flush-every-vm-reg", Policy, CountsAndData, "every write of a VM register flushes";
    TvmClearAtReset: "tvm-clear-at-reset", Policy, CountsAndData, "TVM is clear at reset, so the first time that a cache is turned on is not seen";
    XzrReadHitsSp: "xzr-read-hits-sp", Emulation, State, "a read into XZR changes SP_EL0";
    RtFourBits: "rt-four-bits", Emulation, State, "the transfer register of AArch32 is taken as four bits: the user bank, or r8 to r12 of all modes";
    Rt2FourBits: "rt2-four-bits", Emulation, State, "the same of the second register of MCRR alone";
    SpBankIgnored: "sp-bank-ignored", Emulation, State, "SP of an exception mode is taken as that of User mode";
    RtMappedTwice: "rt-mapped-twice", Emulation, State, "the number of a banked register is mapped to the AArch64 view a second time";
    ReadBankIgnored: "read-bank-ignored", Emulation, State, "a trapped read into a banked register goes to the user bank";
    ReadHitsNeighbour: "read-hits-neighbour", Emulation, State, "a trapped read also changes the register after its own";
    ReadCut: "read-cut", Emulation, State, "a trapped read of AArch64 keeps the upper half of its register";
    BtypeKept: "btype-kept", Emulation, State, "PSTATE.BTYPE is kept over a trapped instruction", on "virt-max";
    DitLost: "dit-lost", Registers, State, "PSTATE.DIT of AArch64 is lost in every set/way trap", on "virt-max";
    SmcSteppedTwice: "smc-stepped-twice", Traps, State, "SMC is stepped over twice";
    HvcStepped: "hvc-stepped", Traps, State, "HVC is stepped over, though its return address is past it";
    SmcResultZero: "smc-result-zero", Traps, State, "an unknown call by SMC returns 0";
    AbortClassOther: "abort-class-other", Emulation, State, "an injected abort has the class of one from a lower exception level";
    AbortFarLost: "abort-far-lost", Emulation, State, "an injected abort leaves FAR_EL1 (AArch32: IFAR) as it was";
    AbortTranslation: "abort-translation", Emulation, State, "an injected abort is a translation fault, as EL2 saw it";
    AbortReturnAfter: "abort-return-after", Emulation, State, "the return address of an injected abort is the next instruction's";
    IswExecutedRaw: "isw-executed-raw", Traps, Course, "a trapped invalidate by set/way is executed as it is, besides the flush";
    SetWayRefused: "set-way-refused", Traps, State, "set/way ops are UNDEFINED";
    FaultOnFetchRefused: "fault-on-fetch-refused", Traps, State, "memory that is fetched from before it was loaded from is no memory";
    FaultClobbersX9: "fault-clobbers-x9", Traps, State, "r9 is lost when memory is touched for the first time";
    FaultClobbersFlags: "fault-clobbers-flags", Traps, State, "the condition flags are lost when memory is touched for the first time";
    FaultStepped: "fault-stepped", Traps, State, "the access that touches memory for the first time is stepped over, and not done";
    IdReadClobbersFlags: "id-read-clobbers-flags", Traps, State, "the condition flags are lost when an ID register is read";
    FpcrLost: "fpcr-lost", Registers, State, "FPCR (AArch32: those bits of FPSCR) is 0 after every set/way trap";
    FpsrLost: "fpsr-lost", Registers, State, "FPSR (AArch32: those bits of FPSCR) is 0 after every set/way trap";
    TpidrLost: "tpidr-lost", Registers, State, "TPIDR_EL1 (AArch32: TPIDRPRW) is 0 after every set/way trap";
    TpidrEl0Lost: "tpidr-el0-lost", Registers, State, "TPIDR_EL0 (AArch32: TPIDRURW) is 0 after every set/way trap";
    TpidrroLost: "tpidrro-lost", Registers, State, "TPIDRRO_EL0 (AArch32: TPIDRURO) is 0 after every set/way trap";
    ParLost: "par-lost", Registers, State, "PAR_EL1 is that of a translation of the hypervisor's after every set/way trap";
    FarLost: "far-lost", Registers, State, "FAR_EL1 (AArch32: DFAR and IFAR) is 0 after every set/way trap";
    EsrLost: "esr-lost", Registers, State, "ESR_EL1 (AArch32: DFSR) is 0 after every set/way trap";
    SpsrLost: "spsr-lost", Registers, State, "SPSR_EL1 (AArch32: SPSR_svc) is that of the hypervisor after every set/way trap";
    SpsrAbtLost: "spsr-abt-lost", Registers, State, "SPSR_abt is 0 after every set/way trap";
    SpsrFiqLost: "spsr-fiq-lost", Registers, State, "SPSR_fiq is 0 after every set/way trap";
    SpEl0Lost: "sp-el0-lost", Registers, State, "SP_EL0 is 0 after every set/way trap";
    CntkctlLost: "cntkctl-lost", Registers, State, "CNTKCTL_EL1 is 0 after every set/way trap";
    CntvCvalLost: "cntv-cval-lost", Registers, State, "CNTV_CVAL_EL0 is 0 after every set/way trap";
    IfsrLost: "ifsr-lost", Registers, State, "IFSR of AArch32 is 0 after every set/way trap";
    FiqBankLost: "fiq-bank-lost", Registers, State, "r8_fiq of AArch32 is lost in every set/way trap";
    StackLost: "stack-lost", Registers, State, "SP_usr of AArch32 is lost in every set/way trap";
    QLost: "q-lost", Registers, State, "PSTATE.Q of AArch32 is lost in every set/way trap";
    GeLost: "ge-lost", Registers, State, "PSTATE.GE of AArch32 is lost in every set/way trap";
    ELost: "e-lost", Registers, State, "PSTATE.E of AArch32 is lost in every set/way trap";
    ReadsTrap: "reads-trap", Vcpu, Counts, "reads of VM registers trap, too (HCR_EL2.TRVM)";
    DefaultCacheable: "default-cacheable", Vcpu, Course, "memory is cacheable while the MMU of the guest is off (HCR_EL2.DC)";
    FlushToPou: "flush-to-pou", Stage2, Data, "a flush cleans to the point of unification alone";
    FlushEveryOtherLine: "flush-every-other-line", Stage2, Data, "a flush takes lines for twice their size, and so misses every other one";
    FlushMissesLastLine: "flush-misses-last-line", Stage2, Data, "a flush ends one line early in every page and block";
    FlushMissesAbove2G: "flush-misses-above-2g", Stage2, Data, "a flush takes addresses for signed 32-bit ones, and misses what lies above 2 GiB", on "virt-a57-5g";
    FlushMissesAbove4G: "flush-misses-above-4g", Stage2, Data, "a flush misses what lies above 4 GiB", on "virt-a57-5g";
    FlushStopsAtHole: "flush-stops-at-hole", Stage2, Data, "a flush ends at the first block that the guest has not touched";
    Stage2NonCacheable: "stage2-non-cacheable", Stage2, Data, "stage 2 makes memory Non-cacheable";
    ImageNotCleaned: "image-not-cleaned", Loader, Course, "the guest's image is left in the cache";
    PassThrough: "pass-through", Policy, Data, "nothing traps: set/way ops do what the hardware does";
    PassThroughNoSwio: "pass-through-no-swio", Policy, Data, "nothing traps, and SWIO is clear as well";
    Before2015: "before-2015", Policy, Data, "set/way ops are executed on this CPU, and nothing else is done (KVM's policy until 2015)";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same table with a row of data first, and one of state appended after all.
    #[expect(dead_code, reason = "it is there for its columns")]
    mod another {
        use super::{Shows, Site};
        mutants! {
            AppendedFirst: "appended-first", Stage2, Data, "what stands first";
            NoFirstFlush: "no-first-flush", Policy, CountsAndData, "what stood first";
            FlushMissesFirstLine: "flush-misses-first-line", Stage2, Data, "what stood in the middle";
            AppendedLast: "appended-last", Emulation, State, "what stands last";
        }
    }

    #[test]
    fn a_row_means_the_same_wherever_it_stands() {
        for mutant in another::Mutant::ALL {
            let spoils_data = matches!(mutant.name(), "appended-first" | "flush-misses-first-line");
            assert_eq!(mutant.spoils_data(), spoils_data, "{}", mutant.name());
            assert_eq!(another::Mutant::by_name(mutant.name()), Some(*mutant));
            if let Some(here) = Mutant::by_name(mutant.name()) {
                let columns = (mutant.site(), mutant.shows());
                assert_eq!(columns, (here.site(), here.shows()), "{}", mutant.name());
            }
        }
        assert_eq!(another::Mutant::AppendedLast.site(), Site::Emulation);
    }
}
