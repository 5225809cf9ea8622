//! The words of records.

words! {
    /// What a check compares.
    CheckKind {
        /// What a load saw of memory that the case has written.
        Data = "data",
        /// A register, or what an instruction made of one.
        Register = "register",
        /// What state the guest, its CPUs or its own program are in.
        State = "state",
    }

    /// An instruction set.
    InstructionSet {
        /// A64.
        A64 = "a64",
        /// A32.
        A32 = "a32",
        /// T32.
        T32 = "t32",
    }

    /// What a cache holds (CLIDR_EL1.Ctype).
    CacheType {
        /// Instructions.
        Instruction = "i",
        /// Data.
        Data = "d",
        /// Both: it is unified.
        Unified = "u",
    }

    /// Whether a vCPU's caches are on.
    OnOff {
        /// They are.
        On = "on",
        /// They are not.
        Off = "off",
    }

    /// What ended a guest.
    GuestEnd {
        /// It powered itself off.
        Off = "off",
        /// It asked for a reset.
        Reset = "reset",
        /// It did what cannot be done, or its hypervisor could not go on with it.
        Crash = "crash",
        /// Its time was over.
        Timeout = "timeout",
        /// The agent failed, not the guest.
        Error = "error",
    }

    /// How an access reaches memory.
    Access {
        /// Through the caches: Normal Write-Back memory.
        Cached = "cached",
        /// Through the caches, and a store also to the point of coherency: Normal Write-Through memory.
        WriteThrough = "write-through",
        /// Past every cache: Normal Non-cacheable and Device memory.
        Uncached = "uncached",
        /// It is an instruction fetch, and reads at the point of unification.
        Fetch = "fetch",
    }

    /// What happened to a line after it was stored to.
    Maintenance {
        /// It was invalidated by VA to the point of coherency.
        InvalidateVa = "invalidate-va",
        /// It was cleaned by VA to the point of coherency.
        CleanVa = "clean-va",
        /// It was cleaned by VA to the point of unification.
        CleanVaPou = "clean-va-pou",
        /// It was cleaned and invalidated by VA to the point of coherency.
        CleanInvalidateVa = "clean-invalidate-va",
        /// It was invalidated by set/way.
        InvalidateSetWay = "invalidate-set-way",
        /// It was cleaned by set/way.
        CleanSetWay = "clean-set-way",
        /// It was cleaned and invalidated by set/way.
        CleanInvalidateSetWay = "clean-invalidate-set-way",
        /// It moved to another CPU's cache before an op by set/way reached its place.
        Moved = "moved",
    }

    /// What is otherwise in the cache model than in QEMU.
    Difference {
        /// QEMU has loaded other bytes than are newest.
        Load = "load",
        /// QEMU has loaded what was not expected: the instruction loads elsewhere, or is not known to load.
        Unexpected = "unexpected",
        /// QEMU's memory has other bytes than are newest, near an access: a store was not seen, or seen elsewhere.
        Memory = "memory",
        /// QEMU has translated other code than is newest.
        Code = "code",
        /// QEMU has accessed another physical address.
        Address = "address",
    }

    /// How a maintenance op names what it acts on.
    By {
        /// By virtual address.
        Va = "va",
        /// By set and way.
        SetWay = "set_way",
    }

    /// What a maintenance op does.
    Op {
        /// It invalidates.
        Invalidate = "invalidate",
        /// It cleans to the point of coherency.
        Clean = "clean",
        /// It cleans to the point of unification.
        CleanPou = "clean-pou",
        /// It cleans and invalidates.
        CleanInvalidate = "clean-invalidate",
    }

    /// What a guest trapped for, and whether its hypervisor maintained anything by VA before it went on.
    Trap {
        /// An op by set/way, without maintenance.
        SetWay = "set-way",
        /// An op by set/way, with maintenance.
        SetWayFlush = "set-way-flush",
        /// A write of a VM register, without maintenance.
        VmRegister = "vm-register",
        /// A write of a VM register, with maintenance: it has turned the cache on or off.
        Toggle = "toggle",
    }

    /// What a guest was about to execute when its hypervisor maintained something.
    Cause {
        /// An op by set/way.
        SetWay = "set-way",
        /// A write of a system register.
        Register = "register",
        /// A call of the hypervisor.
        Call = "call",
        /// An op by VA.
        ByVa = "by-va",
        /// Another instruction.
        Other = "other",
        /// Nothing yet.
        Start = "start",
    }
}

impl From<bool> for OnOff {
    fn from(is_on: bool) -> Self {
        if is_on { Self::On } else { Self::Off }
    }
}

impl Maintenance {
    /// Whether it is an op by set/way.
    pub const fn is_set_way(self) -> bool {
        matches!(
            self,
            Self::InvalidateSetWay | Self::CleanSetWay | Self::CleanInvalidateSetWay
        )
    }
}
