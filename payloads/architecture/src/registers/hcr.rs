//! HCR_EL2, Hypervisor Configuration Register.

bitflags::bitflags! {
    /// A value of HCR_EL2 (DDI 0487, HCR_EL2).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Hcr: u64 {
        /// Stage 2 of the EL1&0 regime is on.
        const VM = 1 << 0;
        /// EL1's invalidate by set/way also cleans.
        const SWIO = 1 << 1;
        /// Physical IRQs are taken to EL2, and EL1 has virtual ones.
        const IMO = 1 << 4;
        /// EL1's TLB, branch predictor and instruction cache maintenance reaches the inner shareable domain.
        const FB = 1 << 9;
        /// BSU 0b01: a barrier of EL1 or EL0 reaches at least the inner shareable domain.
        const BSU_INNER_SHAREABLE = 0b01 << 10;
        /// Default cacheability: stage 1 of EL1&0 is off and its output cacheable. Implies VM.
        const DC = 1 << 12;
        /// WFI traps.
        const TWI = 1 << 13;
        /// EL1's reads of CTR, CCSIDR, CLIDR and CSSELR, and its writes of CSSELR, trap.
        const TID2 = 1 << 17;
        /// EL1's reads of ID group 3 trap.
        const TID3 = 1 << 18;
        /// EL1's SMC traps.
        const TSC = 1 << 19;
        /// EL1's data or unified cache maintenance by set/way traps.
        const TSW = 1 << 22;
        /// EL1's and EL0's data or unified cache maintenance to the point of coherency traps (TPC, or TPCP).
        const TPC = 1 << 23;
        /// EL1's and EL0's cache maintenance to the point of unification traps.
        const TPU = 1 << 24;
        /// EL1's writes of virtual memory control registers ("VM registers") trap.
        const TVM = 1 << 26;
        /// General exceptions are routed to EL2, which hosts EL0; stage 1 of EL1&0 is off.
        const TGE = 1 << 27;
        /// EL1's reads of VM registers trap.
        const TRVM = 1 << 30;
        /// EL1 is AArch64.
        const RW = 1 << 31;
        /// Stage 2 lets no data access or table walk be cached.
        const CD = 1 << 32;
        /// Stage 2 lets no instruction fetch be cached.
        const ID = 1 << 33;
        /// EL2 has the translation regime of a host (FEAT_VHE).
        const E2H = 1 << 34;
        /// EL1's and EL0's use of pointer authentication keys does not trap (FEAT_PAuth).
        const APK = 1 << 40;
        /// EL1's and EL0's pointer authentication instructions do not trap (FEAT_PAuth).
        const API = 1 << 41;
        /// Stage 2 may strengthen stage 1's attributes (FEAT_S2FWB).
        const FWB = 1 << 46;
        /// EL1's reads of GMID trap.
        const TID5 = 1 << 58;

        // The bits that have no name here are kept.
        const _ = !0;
    }
}
