//! The policy against the table of the 2015 change, and every policy mutant against the policy.
use proptest::prelude::*;
use setway_architecture::registers::Sctlr;
use setway_policy::{Mutant, Policy, VcpuState};

const KVM: Policy = Policy { mutant: None };
/// The four values of (M, C).
const SCTLR: [Sctlr; 4] = [Sctlr::empty(), Sctlr::M, Sctlr::C, ON];
/// The one of them with which the cache is on.
const ON: Sctlr = Sctlr::M.union(Sctlr::C);

#[test]
fn a_vcpu_starts_watched() {
    assert!(KVM.reset().tvm);
}

#[test]
fn first_set_way_flushes_and_arms() {
    let first = KVM.set_way(VcpuState { tvm: false });
    assert!(first.flush && first.state.tvm);
    let second = KVM.set_way(first.state);
    assert!(!second.flush && second.state.tvm);
}

#[test]
fn sixteen_transitions() {
    for was in SCTLR {
        for now in SCTLR {
            let on = |sctlr| sctlr == ON;
            let toggle = KVM.vm_reg_written(VcpuState { tvm: true }, was, now);
            assert_eq!(toggle.flush, on(was) != on(now), "{was:?} -> {now:?}");
            assert_eq!(toggle.state.tvm, !on(now), "{was:?} -> {now:?}");
        }
    }
}

/// What a policy says to a sequence of events; `None` is a set/way op, `Some` a write of SCTLR.
fn observe(policy: Policy, events: &[Option<Sctlr>]) -> Vec<(bool, bool)> {
    let (mut state, mut sctlr) = (policy.reset(), Sctlr::empty());
    let mut seen = Vec::new();
    for event in events {
        let flush = match *event {
            None => {
                let outcome = policy.set_way(state);
                state = outcome.state;
                outcome.flush
            }
            Some(now) if state.tvm => {
                let outcome = policy.vm_reg_written(state, sctlr, now);
                (state, sctlr) = (outcome.state, now);
                outcome.flush
            }
            Some(now) => {
                sctlr = now;
                false
            }
        };
        seen.push((flush, state.tvm));
    }
    seen
}

#[test]
fn every_policy_mutant_differs() {
    let everything = [
        Some(Sctlr::M),
        Some(ON),
        None,
        None,
        Some(Sctlr::C),
        None,
        Some(ON),
        None,
        Some(Sctlr::empty()),
    ];
    for mutant in [
        Mutant::NoFirstFlush,
        Mutant::FlushEverySetWay,
        Mutant::TvmNeverSet,
        Mutant::TvmNeverCleared,
        Mutant::FlushOnToOffOnly,
        Mutant::FlushOffToOnOnly,
        Mutant::EnabledByMAlone,
        Mutant::EnabledByCAlone,
    ] {
        let policy = Policy::with_mutant(mutant);
        assert_ne!(
            observe(policy, &everything),
            observe(KVM, &everything),
            "{}",
            mutant.name()
        );
    }
}

proptest! {
    /// What the policy is for: while TVM is clear the cache is on, so no toggle goes unseen.
    #[test]
    fn tvm_clear_means_cache_on(events: Vec<Option<u8>>) {
        let (mut state, mut sctlr) = (KVM.reset(), Sctlr::empty());
        for event in events {
            match event {
                None => state = KVM.set_way(state).state,
                Some(bits) => {
                    let now = SCTLR[usize::from(bits % 4)];
                    // While TVM is clear a write is not seen. The policy assumes that no guest turns its
                    // cache off then without a set/way op before, so this guest issues one.
                    if !KVM.cache_on(now) {
                        state = KVM.set_way(state).state;
                    }
                    if state.tvm {
                        state = KVM.vm_reg_written(state, sctlr, now).state;
                    }
                    sctlr = now;
                }
            }
            prop_assert!(state.tvm || KVM.cache_on(sctlr));
        }
    }
}
