//! The catalogue: every case, as data. The harness reads it to know what there is; a payload reads
//! it to find the body to run.

use crate::{
    Isa,
    bodies::{coherence, exact, set_way, toggle, undef, vcpus, vm_reg},
    context::Context,
    isa::{IsaName, IsaName::*, SetWay},
    rule::{self, Rule},
};

/// One test of one rule.
#[derive(Debug)]
pub struct Case {
    /// The rule's id, and after a `/` the variant where there are several.
    pub id: &'static str,
    /// The rule it tests.
    pub rule: &'static Rule,
    /// The instruction sets it exists in.
    pub isas: &'static [IsaName],
    /// How many CPUs it needs.
    pub vcpus: u32,
    /// Its checks of data cannot fail on a machine without caches.
    pub needs_cache_model: bool,
    /// It shows data that is old by right. Hardware may have renewed it, so that only caches to which
    /// hardware does nothing by itself make the outcome certain.
    pub lazy_only: bool,
    /// It cannot fail on a machine that makes a read of a set/way encoding UNDEFINED before the
    /// hypervisor can trap it.
    pub needs_trapped_reads: bool,
}

const ALL: &[IsaName] = &[A64, A32, T32];
const AARCH32: &[IsaName] = &[A32, T32];

macro_rules! catalogue {
    ($($id:literal $rule:ident $isas:expr, [$($option:ident = $value:expr),*] => $body:expr;)*) => {
        /// Every case, in the order of reports.
        pub static CASES: &[Case] = &[$({
            #[allow(unused_mut, reason = "most cases set no option")]
            let mut case = Case { id: $id, rule: &rule::$rule, isas: $isas, vcpus: 1, needs_cache_model: false, lazy_only: false, needs_trapped_reads: false };
            $(case.$option = $value;)*
            case
        }),*];

        /// What the case called `id` does.
        pub fn body<I: Isa>(id: &str) -> Option<fn(&mut Context<I>)> {
            match id {
                $($id => Some($body),)*
                _ => None,
            }
        }
    };
}

catalogue! {
    "SW-TRAP/isw" SW_TRAP ALL, [] => |cx| set_way::traps(cx, SetWay::Invalidate);
    "SW-TRAP/csw" SW_TRAP ALL, [] => |cx| set_way::traps(cx, SetWay::Clean);
    "SW-TRAP/cisw" SW_TRAP ALL, [] => |cx| set_way::traps(cx, SetWay::CleanInvalidate);
    "SW-REPEAT" SW_REPEAT ALL, [] => set_way::repeat;
    "SW-LOOP" SW_LOOP ALL, [] => set_way::whole_cache;
    "SW-PAIR" SW_PAIR ALL, [] => set_way::pairs;

    // From (M, C) to (M, C).
    "TGL-MC/00-00" TGL_MC ALL, [] => |cx| toggle::transition(cx, (false, false), (false, false));
    "TGL-MC/00-01" TGL_MC ALL, [] => |cx| toggle::transition(cx, (false, false), (false, true));
    "TGL-MC/00-10" TGL_MC ALL, [] => |cx| toggle::transition(cx, (false, false), (true, false));
    "TGL-MC/00-11" TGL_MC ALL, [] => |cx| toggle::transition(cx, (false, false), (true, true));
    "TGL-MC/01-00" TGL_MC ALL, [] => |cx| toggle::transition(cx, (false, true), (false, false));
    "TGL-MC/01-01" TGL_MC ALL, [] => |cx| toggle::transition(cx, (false, true), (false, true));
    "TGL-MC/01-10" TGL_MC ALL, [] => |cx| toggle::transition(cx, (false, true), (true, false));
    "TGL-MC/01-11" TGL_MC ALL, [] => |cx| toggle::transition(cx, (false, true), (true, true));
    "TGL-MC/10-00" TGL_MC ALL, [] => |cx| toggle::transition(cx, (true, false), (false, false));
    "TGL-MC/10-01" TGL_MC ALL, [] => |cx| toggle::transition(cx, (true, false), (false, true));
    "TGL-MC/10-10" TGL_MC ALL, [] => |cx| toggle::transition(cx, (true, false), (true, false));
    "TGL-MC/10-11" TGL_MC ALL, [] => |cx| toggle::transition(cx, (true, false), (true, true));
    "TGL-MC/11-00" TGL_MC ALL, [] => |cx| toggle::transition(cx, (true, true), (false, false));
    "TGL-MC/11-01" TGL_MC ALL, [] => |cx| toggle::transition(cx, (true, true), (false, true));
    "TGL-MC/11-10" TGL_MC ALL, [] => |cx| toggle::transition(cx, (true, true), (true, false));
    "TGL-MC/11-11" TGL_MC ALL, [] => |cx| toggle::transition(cx, (true, true), (true, true));

    "VMR-VALUE" VMR_VALUE ALL, [] => vm_reg::value;
    "VMR-ISOLATION" VMR_ISOLATION ALL, [] => vm_reg::isolation;
    "VMR-HALVES" VMR_HALVES AARCH32, [] => vm_reg::halves;

    "EXA-RT/set-way" EXA_RT ALL, [] => exact::every_rt_set_way;
    "EXA-RT/vm-reg" EXA_RT ALL, [] => exact::every_rt_vm_reg;
    "EXA-RT/vm-reg-64" EXA_RT AARCH32, [] => exact::every_rt_pair;
    "EXA-ZR" EXA_ZR &[A64], [] => exact::zero_register;
    "EXA-FLAGS" EXA_FLAGS ALL, [] => exact::flags;
    "EXA-SIMD" EXA_SIMD ALL, [] => exact::simd;
    "EXA-COND" EXA_COND &[A32], [] => exact::conditions;
    "EXA-IT" EXA_IT &[T32], [] => exact::it_blocks;
    "EXA-LEN" EXA_LEN &[T32], [] => exact::lengths;
    "EXA-BANK" EXA_BANK AARCH32, [] => exact::banks;

    "UND-READ" UND_READ ALL, [needs_trapped_reads = true] => undef::set_way_read;
    "UND-INJECT" UND_INJECT ALL, [] => undef::injected;

    "COH-CLEAN/csw" COH_CLEAN ALL, [needs_cache_model = true] => |cx| coherence::clean(cx, SetWay::Clean);
    "COH-CLEAN/cisw" COH_CLEAN ALL, [needs_cache_model = true] => |cx| coherence::clean(cx, SetWay::CleanInvalidate);
    "COH-TOGGLE" COH_TOGGLE ALL, [needs_cache_model = true] => coherence::toggle;
    "COH-OFF" COH_OFF ALL, [needs_cache_model = true] => coherence::stored_while_off;
    "COH-ISW" COH_ISW ALL, [needs_cache_model = true] => coherence::invalidate;

    "COH-DROPPED" COH_DROPPED ALL, [needs_cache_model = true, lazy_only = true] => coherence::dropped;
    "COH-LOOP/csw" COH_LOOP ALL, [needs_cache_model = true] => coherence::clean_whole_cache;
    "COH-LOOP/off-cisw" COH_LOOP ALL, [needs_cache_model = true] => coherence::off_then_clean;
    "COH-REACH" COH_REACH ALL, [needs_cache_model = true] => coherence::reach;
    "COH-CPUS" COH_CPUS ALL, [needs_cache_model = true, vcpus = 2] => coherence::other_cpu;

    "COH-CPUON/first" COH_CPUON ALL, [needs_cache_model = true, vcpus = 2] => |cx| coherence::started(cx, false);
    "COH-CPUON/again" COH_CPUON ALL, [needs_cache_model = true, vcpus = 2] => |cx| coherence::started(cx, true);

    "CPU-RESET" CPU_RESET ALL, [vcpus = 2] => vcpus::reset;
    "CPU-RESTART" CPU_RESTART ALL, [vcpus = 2] => vcpus::restart;
    "CPU-TVM" CPU_TVM ALL, [vcpus = 2] => vcpus::own_tvm;
}
