//! The rules: what a hypervisor must do, and who says so.

/// One statement that a hypervisor must meet.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its short name; stable.
    pub id: &'static str,
    /// The statement.
    pub title: &'static str,
    /// Architecture section, commit or advisory that it comes from.
    pub source: &'static str,
    /// Whom it binds.
    pub kind: Kind,
}

/// Whom a rule binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Every hypervisor: the architecture leaves no choice.
    Architectural,
    /// Hypervisors whose profile says that they follow the policy.
    Policy,
    /// Machines with caches, where no hypervisor steps in.
    Machine,
}

impl Kind {
    /// The word for it in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Architectural => "architectural",
            Kind::Policy => "policy",
            Kind::Machine => "machine",
        }
    }
}

const KVM_2015: &str = "Linux commit 3c1e71650833 (KVM: track the state of the caches)";

/// What is granted was measured, of those that do it as well as it can be done.
const MEASURED: &str =
    "runners/profiles/, [cost]: what each kind of hypervisor was measured to need, with slack";

macro_rules! rules {
    ($($name:ident $id:literal $kind:ident $title:literal, $source:expr;)*) => {
        $(#[doc = $title]
        pub static $name: Rule =
            Rule { id: $id, title: $title, source: $source, kind: Kind::$kind };)*

        /// Every rule, in the order of reports; those of hidden cases are not among them.
        pub static RULES: &[&Rule] = &[$(&$name),*];
    };
}

rules! {
    SW_TRAP "SW-TRAP" Policy
        "each set/way op traps once, and the first one while TVM is clear flushes once", KVM_2015;
    SW_REPEAT "SW-REPEAT" Policy
        "a set/way op while TVM is set does nothing more, and VM registers trap from the first on", KVM_2015;
    SW_LOOP "SW-LOOP" Policy
        "a loop over every level, set and way costs one trap per op and one flush in all", KVM_2015;
    SW_PAIR "SW-PAIR" Policy
        "a write of a VM register with the cache on clears TVM, so that the next set/way op flushes again", KVM_2015;
    TGL_MC "TGL-MC" Policy
        "a trapped change of SCTLR flushes if and only if M and C together changed, and clears TVM if and only if both are now set", KVM_2015;
    TGL_BITS "TGL-BITS" Policy
        "a trapped write of SCTLR that changes neither M nor C changes what it changes without a trap, flushes nothing, and clears TVM only if both are set", "Linux commit 3c1e71650833 (KVM: track the state of the caches): vcpu_has_cache_enabled() looks at M and C alone; DDI 0487, SCTLR_EL1 and SCTLR";
    VMR_VALUE "VMR-VALUE" Architectural
        "a VM register holds after a trapped write what it holds after an untrapped one", "DDI 0487, HCR_EL2.TVM";
    VMR_ISOLATION "VMR-ISOLATION" Architectural
        "a trapped write of a VM register changes no other register", "DDI 0487, HCR_EL2.TVM";
    VMR_HALVES "VMR-HALVES" Architectural
        "64-bit writes reach both halves of a register, and 32-bit writes leave the other half alone", "DDI 0487, AArch32 TTBR0 and MAIR0, \"architecturally mapped to\"";
    GEO_SELECT "GEO-SELECT" Architectural
        "CLIDR, CTR and the CCSIDR of each cache agree, a CSSELR that names no cache harms nobody, and CSSELR is each vCPU's own and survives every trap", "DDI 0487, CLIDR_EL1, CSSELR_EL1, CCSIDR_EL1, and CTR_EL0.DminLine: the smallest line of all data and unified caches";
    EXA_RT "EXA-RT" Architectural
        "a trapped instruction takes its operand from the right register, whichever it is, and changes none", "DDI 0487, ESR_EL2, ISS.Rt";
    EXA_ZR "EXA-ZR" Architectural
        "register 31 of a trapped instruction is the zero register", "DDI 0487, ESR_EL2, ISS.Rt: 0b11111 is the zero register";
    EXA_FLAGS "EXA-FLAGS" Architectural
        "the condition flags survive a trap", "DDI 0487, exception return restores PSTATE from SPSR_ELx";
    EXA_SIMD "EXA-SIMD" Architectural
        "the SIMD and floating-point registers survive a trap", "DDI 0487, exception entry and return do not change them";
    EXA_COND "EXA-COND" Architectural
        "a conditional instruction that traps acts if and only if its condition holds", "DDI 0487, ESR_EL2, ISS.CV and COND";
    EXA_IT "EXA-IT" Architectural
        "a trapped instruction in an IT block advances ITSTATE like any other", "DDI 0487, ITAdvance()";
    EXA_LEN "EXA-LEN" Architectural
        "execution goes on right after a trapped T32 instruction, at either alignment", "DDI 0487, ESR_EL2.IL";
    EXA_BANK "EXA-BANK" Architectural
        "a trapped instruction takes its operand from the bank of the mode it runs in", "DDI 0487, mapping of the general-purpose registers between the Execution states";
    EXA_READ "EXA-READ" Architectural
        "a trapped read writes its register, whichever it is, and no other", "DDI 0487, ESR_EL2, ISS.Rt; Linux commit 2ec5be3dbfdc";
    EXA_EXITS "EXA-EXITS" Architectural
        "no general or SIMD register, no flag and not SP changes over an exit of any kind, save for the results of a call", "DDI 0487, exception return; DEN0028 (SMCCC 1.1), 2.6: x4 to x17 are kept";
    EXA_STATE "EXA-STATE" Architectural
        "no register that holds state of EL1 or EL0 changes over an exit of any kind", "DDI 0487, exception entry to EL2 and return change no register of EL1";
    EXA_STEP "EXA-STEP" Architectural
        "software step over a trapped instruction takes one step", "DDI 0487, Software Step exceptions: executing an instruction clears PSTATE.SS; Linux commit bd7d95cafb49 (arm64: KVM: Consistently advance singlestep when emulating instructions)";
    EXA_PSTATE "EXA-PSTATE" Architectural
        "PSTATE after a trapped instruction is what it is after one that does not trap", "DDI 0487, PSTATE; BTYPE is 0 after every instruction that is no indirect branch";
    UND_READ "UND-READ" Architectural
        "reading a set/way encoding is UNDEFINED: right vector, return address and mode, and the guest goes on", "DDI 0487, DC instructions have no form that reads";
    UND_INJECT "UND-INJECT" Policy
        "an access that the hypervisor refuses arrives as the architecture's own UNDEF does", "DDI 0487, AArch64.TakeException() and AArch32.TakeUndefInstrException()";
    UND_FLAGS "UND-FLAGS" Policy
        "the condition flags arrive with an injected UNDEF as they were, and are saved", "DDI 0487, AArch64.TakeException() and AArch32.TakeUndefInstrException(): they change no condition flag; Linux commit a425372e733f (KVM: arm64: Fix exception injection)";
    UND_STATE "UND-STATE" Policy
        "an injected UNDEF arrives at the vector that VBAR and the level that it came from select, in the instruction set and endianness that SCTLR gives, with PSTATE saved as it was", "DDI 0487, AArch64.TakeException(), AArch32.EnterMode() and \"Software Step exceptions\"";
    TAG_OPS "TAG-OPS" Architectural
        "an op by set/way on allocation tags is UNDEFINED for a guest whose ID registers deny FEAT_MTE2, and does nothing", "DDI 0487, DC IGSW, IGDSW, CGSW, CGDSW, CIGSW and CIGDSW: \"This instruction is present only when FEAT_MTE2 is implemented\"; Linux, access_dcgsw() in arch/arm64/kvm/sys_regs.c";
    ABT_FETCH "ABT-FETCH" Policy
        "a fetch from where there is nothing arrives as the External abort that it is on the machine, and the guest goes on", "DDI 0487, \"External aborts\", AArch64.TakeException() and AArch32.TakePrefetchAbortException(); Linux, arch/arm64/kvm/inject_fault.c";
    ABT_NEW "ABT-NEW" Architectural
        "the first access to memory may be a fetch: it finds what is in memory, and aborts no more than a load would", "DDI 0487, stage 2 translation: what a hypervisor maps late is its own business";
    COH_CLEAN "COH-CLEAN" Policy
        "data written with caches on is seen past the cache and with caches off, after maintenance by set/way", KVM_2015;
    COH_TOGGLE "COH-TOGGLE" Policy
        "data written between the set/way ops and turning the cache off is seen with caches off", KVM_2015;
    COH_OFF "COH-OFF" Policy
        "data written with caches off is seen once the cache is on", KVM_2015;
    COH_ISW "COH-ISW" Architectural
        "an invalidate by set/way does not lose data", "DDI 0487, HCR_EL2.SWIO and VM; XSA-93";
    COH_DROPPED "COH-DROPPED" Policy
        "a set/way op while TVM is set cleans nothing: what was written since the last one waits for the cache to be turned off", KVM_2015;
    COH_LOOP "COH-LOOP" Policy
        "a loop over every level, set and way leaves in memory what was written before", KVM_2015;
    COH_REACH "COH-REACH" Policy
        "a flush reaches all memory that is mapped to the VM by then", KVM_2015;
    COH_FRESH "COH-FRESH" Policy
        "what is stored with caches off to memory that was never touched before is seen once the cache is on", "XSA-364 (Xen: xen/page_alloc: Only flush the page to RAM once we know they are scrubbed)";
    COH_CPUS "COH-CPUS" Policy
        "a flush reaches what other vCPUs have written", KVM_2015;
    COH_CPUON "COH-CPUON" Policy
        "what a vCPU writes between CPU_ON and turning its cache on is seen by all once the cache is on", "Linux commit 9d218a1fcf4c (KVM: flush VM pages before letting the guest enable caches)";
    COH_EACH "COH-EACH" Policy
        "each of several vCPUs that turns its cache off sees what all have stored", KVM_2015;
    COH_HAMMER "COH-HAMMER" Policy
        "data and counts stay right while four vCPUs issue set/way ops and toggle their caches at once", KVM_2015;
    CPU_RESET "CPU-RESET" Policy
        "a vCPU that CPU_ON starts has its caches off and TVM set", KVM_2015;
    CPU_RESTART "CPU-RESTART" Policy
        "so has a vCPU that CPU_ON starts again after CPU_OFF", "DEN0022 (PSCI), CPU_ON: initial state; Linux commit 9d218a1fcf4c (KVM: flush VM pages before letting the guest enable caches)";
    CPU_TVM "CPU-TVM" Policy
        "TVM is each vCPU's own", KVM_2015;
    CPU_CALL32 "CPU-CALL32" Policy
        "a 32-bit call ignores the upper halves of its argument registers", "DEN0028 (SMCCC), 3.1; Xen commit f4af571dd7";
    CPU_OTHERS "CPU-OTHERS" Policy
        "a vCPU that CPU_ON starts is watched whatever its caller's TVM is, and whichever others are on; the caller's stays", "Linux commit 3c1e71650833 (KVM: track the state of the caches): HCR is each vCPU's; vcpu_reset_hcr()";
    CPU_STATE "CPU-STATE" Policy
        "a vCPU that CPU_ON starts finds its context, the level or mode, masks, endianness and instruction set that PSCI gives it, and M, C and I clear", "DEN0022 (PSCI), CPU_ON, and initial core configuration";
    CPU_REFUSED "CPU-REFUSED" Policy
        "CPU_ON refuses a CPU that is on by ALREADY_ON and one that does not exist by INVALID_PARAMETERS, and disturbs none", "DEN0022 (PSCI), CPU_ON, return values";
    CPU_SUSPEND "CPU-SUSPEND" Policy
        "CPU_SUSPEND to standby returns once an interrupt is pending, masked or not, with all registers kept", "DEN0022 (PSCI), CPU_SUSPEND: standby, and wake-up events";
    CPU_AFFINITY "CPU-AFFINITY" Policy
        "AFFINITY_INFO says which CPUs are on, and refuses what does not exist", "DEN0022 (PSCI), AFFINITY_INFO, return values";
    CPU_FEATURES "CPU-FEATURES" Policy
        "PSCI_FEATURES knows every mandatory function and none that does not exist", "DEN0022 (PSCI), PSCI_FEATURES, and the table of mandatory functions";
    CPU_UNKNOWN "CPU-UNKNOWN" Policy
        "a function that does not exist, or has no such form for its caller, is NOT_SUPPORTED and does nothing", "DEN0022 (PSCI), NOT_SUPPORTED; DEN0028 (SMCCC), unknown function identifier, and 64-bit calls from AArch32";
    CPU_KEPT "CPU-KEPT" Policy
        "a call changes no register but its four of results", "DEN0028 (SMCCC), 1.1: x4 to x17 (r4 to r14) are preserved, and SIMD and floating-point registers";
    COST_TRAP "COST-TRAP" Policy
        "a trap that flushes nothing costs no more instructions than the profile grants", MEASURED;
    COST_FLUSH "COST-FLUSH" Policy
        "a flush maintains no line more often than once, and not much more than the guest has touched", KVM_2015;
    COST_SEQUENCE "COST-SEQUENCE" Policy
        "a sequence costs no more instructions than the profile grants to its traps, its flushes and their lines", MEASURED;
    INT_PENDING "INT-PENDING" Architectural
        "an interrupt that is pending and masked stays so across every kind of trap, and is taken once when it is unmasked", "DDI 0487, ISR_EL1 and \"Asynchronous exception masking\"; AArch64.TakePhysicalIRQException()";
    INT_AFTER "INT-AFTER" Architectural
        "an interrupt that comes while a trapped op is carried out is taken right after it, once, and the op is done once", "DDI 0487, \"Prioritization and recognition of interrupts\": taken in finite time, between instructions";
    INT_TIMER "INT-TIMER" Architectural
        "the virtual timer and its count go on during a trap, and it expires neither early nor unseen", "DDI 0487, \"The Generic Timer in AArch64 state\", CNTV_CTL_EL0 and CNTVOFF_EL2";
    INT_WFI "INT-WFI" Architectural
        "WFI ends at a pending interrupt, masked or not, and is stepped over by its own length", "DDI 0487, \"Wait for Interrupt\": WFI wake-up events";
    INT_HANDLER "INT-HANDLER" Architectural
        "a trapped op in an interrupt's handler leaves where the handler returns to", "DDI 0487, ELR_EL1 and SPSR_EL1; LR_irq and SPSR_irq";
    MCH_NONE "MCH-NONE" Machine
        "what goes through the caches and what goes past them do not see each other's stores", "DDI 0487, mismatched memory attributes";
    MCH_SW "MCH-SW" Machine
        "an op by set/way acts on one CPU's private caches and takes data one level down", "DDI 0487, \"Cache maintenance instructions\", by set/way";
    MCH_VA "MCH-VA" Machine
        "an op by VA acts on every cache, down to the point that it names", "DDI 0487, \"Cache maintenance instructions\", by VA";
    MCH_SWITCH "MCH-SWITCH" Machine
        "turning caches off or on neither cleans nor invalidates, and no line is filled while all are off", "DDI 0487, SCTLR_EL1.C and \"The effects of speculation on caches\"";
    MCH_FILL "MCH-FILL" Machine
        "a line that was invalidated may be back at once, as long as any CPU may access it through its cache", "DDI 0487, \"The effects of speculation on caches\"";
    MCH_WALK "MCH-WALK" Machine
        "a table walk sees what an access with TCR's attributes sees", "DDI 0487, TCR_EL1.IRGN0 and ORGN0, TTBR0.IRGN and RGN";
    MCH_FETCH "MCH-FETCH" Machine
        "instructions are fetched at the point of unification", "DDI 0487, DC CVAU, and \"Concurrent modification and execution of instructions\"";
    MCH_CPU "MCH-CPU" Machine
        "caches are coherent among CPUs, and an op by set/way is nobody else's", "DDI 0487, shareability, and \"Cache maintenance instructions\"";
}

/// Random programs have no outcome of their own: who asks for them knows what they should see.
pub static MCH_RANDOM: Rule = Rule {
    id: "MCH-RANDOM",
    title: "a random program sees what a simple model of the caches says",
    source: "the cache model's slow twin",
    kind: Kind::Machine,
};

/// What takes time, to be measured.
pub static MCH_COST: Rule = Rule {
    id: "MCH-COST",
    title: "a loop ends",
    source: "none: it is there to be timed",
    kind: Kind::Machine,
};
