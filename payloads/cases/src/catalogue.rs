//! The catalogue: every case, as data. The harness reads it to know what there is; a payload reads it to find the
//! body to run.
//!
//! A row has the columns of [`Case`], by name, and `run`, the body. Columns that are left out are as in
//! [`Case::plain`]: a guest's case, in all instruction sets, on one CPU, without premises, not hidden.

use crate::{
    Context,
    bare::*,
    bodies::{
        abort,
        bare::{cost as timing, cpus, fetch, set_way as native, switch, va, walk},
        coherence, cost, exact, geometry, interrupts, psci, random, set_way, several, state,
        toggle, undef, vcpus, vm_reg,
    },
    case::{Case, Premise::*, Setting},
    isa::{Call, IsaName, IsaName::*},
    rule,
};
use setway_architecture::maintenance::{SetWayOp, VaOp};

const AARCH32: &[IsaName] = &[A32, T32];

/// The bare machine, whose loads see what `expectations` says.
const fn sees(expectations: Expectations) -> Setting {
    Setting::Bare(Some(expectations))
}

/// The bare machine, where what the case sees does not depend on the machine.
const NATIVE: Setting = Setting::Bare(None);

macro_rules! catalogue {
    ($({ id: $id:literal, rule: $rule:ident, run: $run:expr $(, $column:ident: $value:expr)* $(,)? })*) => {
        /// Every case, in the order of reports: guests' first, then those for the bare machine.
        pub static CASES: &[Case] = &[$(Case {
            $($column: $value,)*
            ..Case::plain($id, &rule::$rule)
        }),*];

        /// What the case called `id` does.
        pub fn body<I: Bare>(id: &str) -> Option<fn(&mut Context<I>)> {
            match id {
                $($id => Some($run),)*
                _ => None,
            }
        }
    };
}

catalogue! {
    { id: "SW-TRAP/isw", rule: SW_TRAP, run: |cx| set_way::traps(cx, SetWayOp::Isw) }
    { id: "SW-TRAP/csw", rule: SW_TRAP, run: |cx| set_way::traps(cx, SetWayOp::Csw) }
    { id: "SW-TRAP/cisw", rule: SW_TRAP, run: |cx| set_way::traps(cx, SetWayOp::Cisw) }
    { id: "SW-REPEAT", rule: SW_REPEAT, run: set_way::repeat }
    { id: "SW-LOOP", rule: SW_LOOP, run: set_way::whole_cache, other_traps: 16 }
    { id: "SW-PAIR", rule: SW_PAIR, run: set_way::pairs }

    // From one state of (M, C) to another.
    { id: "TGL-MC/00-00", rule: TGL_MC, run: |cx| toggle::transition(cx, (false, false), (false, false)) }
    { id: "TGL-MC/00-01", rule: TGL_MC, run: |cx| toggle::transition(cx, (false, false), (false, true)) }
    { id: "TGL-MC/00-10", rule: TGL_MC, run: |cx| toggle::transition(cx, (false, false), (true, false)) }
    { id: "TGL-MC/00-11", rule: TGL_MC, run: |cx| toggle::transition(cx, (false, false), (true, true)) }
    { id: "TGL-MC/01-00", rule: TGL_MC, run: |cx| toggle::transition(cx, (false, true), (false, false)) }
    { id: "TGL-MC/01-01", rule: TGL_MC, run: |cx| toggle::transition(cx, (false, true), (false, true)) }
    { id: "TGL-MC/01-10", rule: TGL_MC, run: |cx| toggle::transition(cx, (false, true), (true, false)) }
    { id: "TGL-MC/01-11", rule: TGL_MC, run: |cx| toggle::transition(cx, (false, true), (true, true)) }
    { id: "TGL-MC/10-00", rule: TGL_MC, run: |cx| toggle::transition(cx, (true, false), (false, false)) }
    { id: "TGL-MC/10-01", rule: TGL_MC, run: |cx| toggle::transition(cx, (true, false), (false, true)) }
    { id: "TGL-MC/10-10", rule: TGL_MC, run: |cx| toggle::transition(cx, (true, false), (true, false)) }
    { id: "TGL-MC/10-11", rule: TGL_MC, run: |cx| toggle::transition(cx, (true, false), (true, true)) }
    { id: "TGL-MC/11-00", rule: TGL_MC, run: |cx| toggle::transition(cx, (true, true), (false, false)) }
    { id: "TGL-MC/11-01", rule: TGL_MC, run: |cx| toggle::transition(cx, (true, true), (false, true)) }
    { id: "TGL-MC/11-10", rule: TGL_MC, run: |cx| toggle::transition(cx, (true, true), (true, false)) }
    { id: "TGL-MC/11-11", rule: TGL_MC, run: |cx| toggle::transition(cx, (true, true), (true, true)) }
    { id: "TGL-BITS", rule: TGL_BITS, run: toggle::bits, premises: &[TvmTraps] }

    { id: "VMR-VALUE", rule: VMR_VALUE, run: vm_reg::value, premises: &[TvmTraps] }
    { id: "VMR-ISOLATION", rule: VMR_ISOLATION, run: vm_reg::isolation, premises: &[TvmTraps] }
    { id: "VMR-HALVES", rule: VMR_HALVES, run: vm_reg::halves, isas: AARCH32, premises: &[TvmTraps] }

    { id: "GEO-SELECT", rule: GEO_SELECT, run: geometry::select, cpus: 2, other_traps: 2 }

    { id: "EXA-RT/set-way", rule: EXA_RT, run: exact::every_rt_set_way }
    { id: "EXA-RT/vm-reg", rule: EXA_RT, run: exact::every_rt_vm_reg, premises: &[TvmTraps] }
    { id: "EXA-RT/vm-reg-64", rule: EXA_RT, run: exact::every_rt_pair, isas: AARCH32, premises: &[TvmTraps] }
    { id: "EXA-ZR", rule: EXA_ZR, run: exact::zero_register, isas: &[A64], other_traps: 1 }
    { id: "EXA-FLAGS", rule: EXA_FLAGS, run: exact::flags }
    { id: "EXA-SIMD", rule: EXA_SIMD, run: exact::simd }
    { id: "EXA-COND", rule: EXA_COND, run: exact::conditions, isas: &[A32] }
    { id: "EXA-IT", rule: EXA_IT, run: exact::it_blocks, isas: &[T32] }
    { id: "EXA-LEN", rule: EXA_LEN, run: exact::lengths, isas: &[T32] }
    { id: "EXA-BANK", rule: EXA_BANK, run: exact::banks, isas: AARCH32, premises: &[TvmTraps], other_traps: 12 }

    { id: "EXA-READ", rule: EXA_READ, run: exact::every_rt_read, other_traps: 32, without_set_way: true }
    { id: "EXA-EXITS", rule: EXA_EXITS, run: exact::exits, other_traps: 4 }

    { id: "EXA-STATE", rule: EXA_STATE, run: state::survives, other_traps: 1 }
    { id: "EXA-STEP", rule: EXA_STEP, run: exact::stepped, isas: &[A64], premises: &[GuestDebug], other_traps: 40 }
    { id: "EXA-PSTATE", rule: EXA_PSTATE, run: exact::pstate, other_traps: 16 }

    { id: "UND-READ", rule: UND_READ, run: undef::set_way_read, premises: &[TrappedReads], other_traps: 3, without_set_way: true }
    { id: "UND-INJECT", rule: UND_INJECT, run: undef::injected, other_traps: 4, without_set_way: true }
    { id: "UND-FLAGS", rule: UND_FLAGS, run: undef::flags, other_traps: 4, without_set_way: true }
    { id: "UND-STATE/el1", rule: UND_STATE, run: undef::at_el1, other_traps: 4, without_set_way: true }
    { id: "UND-STATE/el0", rule: UND_STATE, run: undef::from_user, premises: &[PmuRefused], other_traps: 5, without_set_way: true }
    { id: "UND-STATE/step", rule: UND_STATE, run: undef::stepped, isas: &[A64], premises: &[GuestDebug], other_traps: 20, without_set_way: true }

    { id: "TAG-OPS", rule: TAG_OPS, run: undef::tags, isas: &[A64], premises: &[Tags], other_traps: 6, without_set_way: true }

    { id: "ABT-FETCH", rule: ABT_FETCH, run: abort::fetch, without_set_way: true }
    { id: "ABT-NEW", rule: ABT_NEW, run: abort::fetch_new, isas: &[A64], without_set_way: true }

    { id: "COH-CLEAN/csw", rule: COH_CLEAN, run: |cx| coherence::clean(cx, SetWayOp::Csw), premises: &[Caches] }
    { id: "COH-CLEAN/cisw", rule: COH_CLEAN, run: |cx| coherence::clean(cx, SetWayOp::Cisw), premises: &[Caches] }
    { id: "COH-TOGGLE", rule: COH_TOGGLE, run: coherence::toggle, premises: &[Caches] }
    { id: "COH-OFF", rule: COH_OFF, run: coherence::stored_while_off, premises: &[Caches] }
    { id: "COH-ISW", rule: COH_ISW, run: coherence::invalidate, premises: &[Caches], other_traps: 16 }

    { id: "COH-DROPPED", rule: COH_DROPPED, run: coherence::dropped, premises: &[Caches, OnlyOwnEvictions, UncachedAlias] }
    { id: "COH-LOOP/csw", rule: COH_LOOP, run: coherence::clean_whole_cache, premises: &[Caches], other_traps: 16 }
    { id: "COH-LOOP/off-cisw", rule: COH_LOOP, run: coherence::off_then_clean, premises: &[Caches], other_traps: 16 }
    { id: "COH-REACH", rule: COH_REACH, run: coherence::reach, premises: &[Caches] }
    { id: "COH-FRESH", rule: COH_FRESH, run: coherence::fresh, premises: &[Caches] }
    { id: "COH-CPUS", rule: COH_CPUS, run: coherence::other_cpu, cpus: 2, premises: &[Caches] }

    { id: "COH-CPUON/first", rule: COH_CPUON, run: |cx| coherence::started(cx, false), cpus: 2, premises: &[Caches] }
    { id: "COH-CPUON/again", rule: COH_CPUON, run: |cx| coherence::started(cx, true), cpus: 2, premises: &[Caches] }

    { id: "COH-EACH/three", rule: COH_EACH, run: |cx| several::each_in_turn(cx, 2), cpus: 3, premises: &[Caches] }
    { id: "COH-EACH/four", rule: COH_EACH, run: |cx| several::each_in_turn(cx, 3), cpus: 4, premises: &[Caches] }
    { id: "COH-HAMMER", rule: COH_HAMMER, run: several::all_at_once, cpus: 4, at_once: true, premises: &[Caches] }

    { id: "CPU-RESET", rule: CPU_RESET, run: vcpus::reset, cpus: 2, without_set_way: true }
    { id: "CPU-RESTART", rule: CPU_RESTART, run: vcpus::restart, cpus: 2, without_set_way: true }
    { id: "CPU-TVM", rule: CPU_TVM, run: vcpus::own_tvm, cpus: 2 }
    { id: "CPU-CALL32", rule: CPU_CALL32, run: vcpus::wide_arguments, isas: &[A64], cpus: 2, without_set_way: true }

    { id: "CPU-OTHERS/armed", rule: CPU_OTHERS, run: several::armed_caller, cpus: 2 }
    { id: "CPU-OTHERS/four", rule: CPU_OTHERS, run: several::one_after_another, cpus: 4, without_set_way: true }
    { id: "CPU-STATE/first", rule: CPU_STATE, run: |cx| psci::state(cx, Call::Native, false), cpus: 2, without_set_way: true }
    { id: "CPU-STATE/again", rule: CPU_STATE, run: |cx| psci::state(cx, Call::Native, true), cpus: 2, without_set_way: true }
    { id: "CPU-STATE/big-endian", rule: CPU_STATE, run: |cx| psci::state(cx, Call::BigEndian, false), cpus: 2, without_set_way: true }
    { id: "CPU-STATE/32-bit", rule: CPU_STATE, run: |cx| psci::state(cx, Call::Narrow, false), isas: &[A64], cpus: 2, without_set_way: true }
    { id: "CPU-REFUSED", rule: CPU_REFUSED, run: psci::refused, cpus: 2, without_set_way: true }
    { id: "CPU-SUSPEND", rule: CPU_SUSPEND, run: psci::suspend, premises: &[Interrupts], without_set_way: true }
    { id: "CPU-AFFINITY", rule: CPU_AFFINITY, run: psci::affinity, cpus: 3, without_set_way: true }
    { id: "CPU-FEATURES", rule: CPU_FEATURES, run: psci::features, without_set_way: true }
    { id: "CPU-UNKNOWN", rule: CPU_UNKNOWN, run: psci::unknown, without_set_way: true }
    { id: "CPU-KEPT", rule: CPU_KEPT, run: psci::kept, without_set_way: true }
    { id: "COST-TRAP", rule: COST_TRAP, run: cost::traps, premises: &[CountedCost, TvmTraps] }
    { id: "COST-FLUSH", rule: COST_FLUSH, run: cost::flushes, premises: &[CountedCost] }
    { id: "COST-SEQUENCE/loop", rule: COST_SEQUENCE, run: set_way::whole_cache, premises: &[CountedCost], other_traps: 16 }
    { id: "COST-SEQUENCE/hand-over", rule: COST_SEQUENCE, run: cost::hand_over, premises: &[CountedCost], other_traps: 16 }
    { id: "COST-SEQUENCE/pairs", rule: COST_SEQUENCE, run: set_way::pairs, premises: &[CountedCost] }
    { id: "INT-PENDING", rule: INT_PENDING, run: interrupts::pending, premises: &[Interrupts], other_traps: 2 }
    { id: "INT-AFTER", rule: INT_AFTER, run: interrupts::after, premises: &[Interrupts, TvmTraps] }
    { id: "INT-TIMER", rule: INT_TIMER, run: interrupts::timer, premises: &[Interrupts] }
    { id: "INT-WFI", rule: INT_WFI, run: interrupts::wait, premises: &[Interrupts], other_traps: 16, without_set_way: true }
    { id: "INT-HANDLER", rule: INT_HANDLER, run: interrupts::handler, premises: &[Interrupts] }

    { id: "MCH-NONE/past", rule: MCH_NONE, run: va::stored_only, setting: sees(IF_EVICTED), premises: &[Caches] }
    { id: "MCH-NONE/off", rule: MCH_NONE, run: switch::stored_then_off, setting: sees(IF_EVICTED), premises: &[Caches] }
    { id: "MCH-NONE/alias", rule: MCH_NONE, run: va::stored_past_a_line, setting: sees(STALE), premises: &[Caches] }

    { id: "MCH-SW/csw", rule: MCH_SW, run: |cx| native::cleaned(cx, SetWayOp::Csw), setting: sees(UNLESS_MOVED), premises: &[Caches] }
    { id: "MCH-SW/cisw", rule: MCH_SW, run: |cx| native::cleaned(cx, SetWayOp::Cisw), setting: sees(UNLESS_MOVED), premises: &[Caches] }
    { id: "MCH-SW/csw-off", rule: MCH_SW, run: native::cleaned_then_off, setting: sees(UNLESS_MOVED), premises: &[Caches] }
    { id: "MCH-SW/csw-early", rule: MCH_SW, run: native::cleaned_too_early, setting: sees(IF_EVICTED), premises: &[Caches] }
    { id: "MCH-SW/off-cisw", rule: MCH_SW, run: native::off_then_cleaned, setting: sees(TO_SYSTEM_CACHE), premises: &[Caches] }
    { id: "MCH-SW/isw", rule: MCH_SW, run: native::destroyed, setting: sees(IF_CLEAN), premises: &[Caches] }
    { id: "MCH-SW/off-isw", rule: MCH_SW, run: native::dropped_while_off, setting: sees(WITHOUT_SYSTEM_CACHE), premises: &[Caches] }
    { id: "MCH-SW/other-level", rule: MCH_SW, run: native::other_level, setting: sees(IF_EVICTED), premises: &[Caches] }
    { id: "MCH-SW/other-set", rule: MCH_SW, run: native::other_set, setting: sees(IF_EVICTED), premises: &[Caches] }

    { id: "MCH-VA/cvac", rule: MCH_VA, run: |cx| va::maintained(cx, VaOp::Cvac), setting: sees(FRESH), premises: &[Caches] }
    { id: "MCH-VA/civac", rule: MCH_VA, run: |cx| va::maintained(cx, VaOp::Civac), setting: sees(FRESH), premises: &[Caches] }
    { id: "MCH-VA/cvau", rule: MCH_VA, run: |cx| va::maintained(cx, VaOp::Cvau), setting: sees(TO_SYSTEM_CACHE), premises: &[Caches] }
    { id: "MCH-VA/ivac", rule: MCH_VA, run: va::destroyed, setting: sees(IF_CLEAN_BY_VA), premises: &[Caches] }
    { id: "MCH-VA/survives", rule: MCH_VA, run: va::survives, setting: sees(FRESH), premises: &[Caches] }

    { id: "MCH-SWITCH/on", rule: MCH_SWITCH, run: switch::old_line, setting: sees(STALE), premises: &[Caches] }
    { id: "MCH-SWITCH/ivac-on", rule: MCH_SWITCH, run: switch::old_line_dropped, setting: sees(FRESH), premises: &[Caches] }
    { id: "MCH-SWITCH/off-civac", rule: MCH_SWITCH, run: switch::flushed_while_off, setting: sees(FRESH), premises: &[Caches] }

    { id: "MCH-FILL/civac-off", rule: MCH_FILL, run: switch::flushed_too_early, setting: sees(UNLESS_REFILLED), premises: &[Caches] }
    { id: "MCH-FILL/alias", rule: MCH_FILL, run: va::stored_past_a_flushed_line, setting: sees(UNLESS_REFILLED), premises: &[Caches] }
    { id: "MCH-FILL/other-cpu", rule: MCH_FILL, run: cpus::filled_by_the_other, setting: sees(UNLESS_REFILLED), cpus: 2, premises: &[Caches] }

    { id: "MCH-WALK/dirty", rule: MCH_WALK, run: |cx| walk::changed(cx, false, false), setting: sees(IF_EVICTED), premises: &[Caches] }
    { id: "MCH-WALK/cvac", rule: MCH_WALK, run: |cx| walk::changed(cx, false, true), setting: sees(FRESH), premises: &[Caches] }
    { id: "MCH-WALK/cached", rule: MCH_WALK, run: |cx| walk::changed(cx, true, false), setting: sees(FRESH), premises: &[Caches] }

    { id: "MCH-FETCH/dirty", rule: MCH_FETCH, run: |cx| fetch::replaced(cx, false), setting: sees(IF_EVICTED), premises: &[Caches, FetchesThroughCaches] }
    { id: "MCH-FETCH/cvau", rule: MCH_FETCH, run: |cx| fetch::replaced(cx, true), setting: sees(FRESH), premises: &[Caches, FetchesThroughCaches] }

    { id: "MCH-CPU/snoop", rule: MCH_CPU, run: cpus::loaded_by_the_other, setting: sees(FRESH), cpus: 2, premises: &[Caches] }
    { id: "MCH-CPU/csw", rule: MCH_CPU, run: cpus::cleaned_by_the_other, setting: sees(IF_EVICTED), cpus: 2, premises: &[Caches] }
    { id: "MCH-CPU/cvac", rule: MCH_CPU, run: cpus::cleaned_by_va_by_the_other, setting: sees(FRESH), cpus: 2, premises: &[Caches] }

    { id: "MCH-RANDOM", rule: MCH_RANDOM, run: random::programs, setting: NATIVE, hidden: true, premises: &[Caches] }
    { id: "MCH-COST/compute", rule: MCH_COST, run: timing::compute, setting: NATIVE, hidden: true, premises: &[Caches] }
    { id: "MCH-COST/memory", rule: MCH_COST, run: timing::memory, setting: NATIVE, hidden: true, premises: &[Caches] }
}
