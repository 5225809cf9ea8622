//! What a run showed, as reports have it.

use setway_protocol::{Whereabouts, Word};
use setway_report::{
    CacheModel, Check, Counts, CpuCache, Flush, HypervisorAccount, Maintained, Notice, Observed,
    Ops, Place, Step, Trapped,
};

use crate::evidence::observation::{self as evidence, Observation};

/// What `observation` says that does not depend on addresses.
pub fn observed(observation: &Observation) -> Observed {
    Observed {
        steps: observation.steps.iter().map(step).collect(),
        checks: observation.checks.iter().map(check).collect(),
        caches: observation.caches.iter().map(cpu_cache).collect(),
        registers: observation.registers.clone(),
        hypervisor: observation.account.as_ref().map(account),
        cache_model: observation.modelled.as_ref().map(cache_model),
    }
}

fn step(step: &evidence::Step) -> Step {
    Step {
        name: step.name.clone(),
        expected: counts(step.expected),
        observed: counts(step.observed),
        counted_inside: step.hypervisor.map(|it| Trapped {
            set_way: it.set_way,
            vm_reg: it.vm_reg,
        }),
        maintained: step.maintained.map(|it| Maintained {
            flushes: it.flushes,
            lines: it.lines,
            twice: it.twice,
            dirty: it.dirty,
            missed: it.missed,
        }),
    }
}

fn counts(counts: evidence::Counts) -> Counts {
    Counts {
        set_way: counts.set_way,
        vm_reg: counts.vm_reg,
        flush: counts.flush,
    }
}

fn check(check: &evidence::Check) -> Check {
    Check {
        name: check.name.clone(),
        of: Some(check.of.to_string()),
        from: check.from.clone(),
        want: check.want.clone(),
        got: check.got.clone(),
        excuse: check.excuse.clone(),
        ok: check.is_right(),
        excused: !check.is_right() && check.excuse.is_some(),
    }
}

fn cpu_cache(cache: &evidence::Cache) -> CpuCache {
    CpuCache {
        level: cache.level,
        kind: cache.kind.to_string(),
        ccsidr: cache.ccsidr,
    }
}

fn account(account: &evidence::Account) -> HypervisorAccount {
    HypervisorAccount {
        events: account.events.clone(),
        flushes: account.flushes,
        lines: account.lines.unwrap_or(0),
        lost: account.lost,
    }
}

fn cache_model(modelled: &evidence::Modelled) -> CacheModel {
    CacheModel {
        stale: modelled.stale.iter().map(notice).collect(),
        lost: modelled.lost.iter().map(notice).collect(),
        stale_reads: modelled.stale_reads,
        lost_writes: modelled.lost_writes,
        flushes: modelled.flushes.iter().map(flush).collect(),
        ops: modelled.ops.iter().map(ops).collect(),
    }
}

fn notice(notice: &evidence::Notice) -> Notice {
    let in_cpu = match notice.place {
        Whereabouts::Cache(cpu) => Some(cpu),
        _ => None,
    };
    Notice {
        after: notice.after as u64,
        by: place(notice.by),
        path: notice.path.map(|it| it.to_string()),
        walk: notice.walk,
        pa: notice.pa,
        len: notice.len,
        saw: notice.saw,
        newest: notice.newest,
        place: notice.place.name().to_owned(),
        in_cpu,
        store: notice.store.map(deed),
        then: notice.then.map(deed),
    }
}

fn deed((at, what): (evidence::Place, impl Word)) -> (Place, String) {
    (place(at), what.name().to_owned())
}

fn place(place: evidence::Place) -> Place {
    Place {
        cpu: place.cpu,
        pc: place.pc,
        el: place.el,
    }
}

fn flush(flush: &evidence::Flush) -> Flush {
    Flush {
        after: flush.after as u64,
        cpu: flush.cpu,
        pc: flush.pc,
        cause: flush.cause.to_string(),
        ops: flush.ops,
        lines: flush.lines,
        twice: flush.twice,
        dirty: flush.dirty,
        ranges: flush.ranges,
        first: flush.first,
        last: flush.last,
        missed: flush.missed,
        missed_at: flush.missed_at,
    }
}

fn ops(ops: &evidence::Ops) -> Ops {
    Ops {
        by: ops.by.to_string(),
        op: ops.op.to_string(),
        guest: ops.guest,
        count: ops.count,
    }
}
