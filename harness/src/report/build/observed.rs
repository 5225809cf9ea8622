//! What a run showed, as reports have it.
//!
//! Facts are taken apart field by field, so that none that is added can be forgotten here.

use setway_protocol::{Whereabouts, Word};
use setway_report::{
    CacheModel, Check, Cost, Counts, CpuCache, Flush, HypervisorAccount, Maintained, Notice,
    Observed, Ops, Place, Step, Trapped, Witnessed,
};

use crate::evidence::{
    observation::{self as evidence, Observation},
    traps::Trapped as Traps,
    witness,
};

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
    let evidence::Step {
        name,
        expected,
        observed,
        hypervisor,
        witnesses,
        maintained,
        others: _,
        others_allowed: _,
        costs,
        span: _,
    } = step;
    Step {
        name: name.clone(),
        expected: counts(*expected),
        observed: counts(*observed),
        counted_inside: hypervisor.map(|Traps { set_way, vm_reg }| Trapped { set_way, vm_reg }),
        witnesses: witnesses.iter().map(witnessed).collect(),
        maintained: maintained.map(self::maintained),
        costs: costs.iter().map(cost).collect(),
    }
}

fn witnessed(account: &witness::Account) -> Witnessed {
    let witness::Account { witness, counted } = account;
    let witness::Counted {
        set_way,
        vm_reg,
        flush,
    } = *counted;
    Witnessed {
        witness: witness.to_string(),
        set_way,
        vm_reg,
        flush,
    }
}

fn counts(counts: evidence::Counts) -> Counts {
    let evidence::Counts {
        set_way,
        vm_reg,
        flush,
    } = counts;
    Counts {
        set_way,
        vm_reg,
        flush,
    }
}

fn maintained(maintained: evidence::Maintained) -> Maintained {
    let evidence::Maintained {
        flushes,
        lines,
        twice,
        dirty,
        missed,
    } = maintained;
    Maintained {
        flushes,
        lines,
        twice,
        dirty,
        missed,
    }
}

fn cost(cost: &evidence::Cost) -> Cost {
    let evidence::Cost {
        after: _,
        of,
        traps,
        least,
        median,
        most,
        total,
    } = *cost;
    Cost {
        of: of.to_string(),
        traps,
        least,
        median,
        most,
        total,
    }
}

fn check(check: &evidence::Check) -> Check {
    let evidence::Check {
        of,
        name,
        want,
        got,
        from,
        detail,
        excuse,
    } = check;
    Check {
        name: name.clone(),
        of: Some(of.to_string()),
        from: from.clone(),
        detail: detail.clone(),
        want: want.clone(),
        got: got.clone(),
        excuse: excuse.clone(),
        ok: check.is_right(),
        excused: !check.is_right() && excuse.is_some(),
    }
}

fn cpu_cache(cache: &evidence::Cache) -> CpuCache {
    let evidence::Cache {
        level,
        kind,
        ccsidr,
    } = cache;
    CpuCache {
        level: *level,
        kind: kind.to_string(),
        ccsidr: *ccsidr,
    }
}

fn account(account: &evidence::Account) -> HypervisorAccount {
    let evidence::Account {
        events,
        flushes,
        lines,
        lost,
    } = account;
    HypervisorAccount {
        events: events.clone(),
        flushes: *flushes,
        lines: lines.unwrap_or(0),
        lost: *lost,
    }
}

fn cache_model(modelled: &evidence::Modelled) -> CacheModel {
    let evidence::Modelled {
        stale,
        lost,
        stale_reads,
        lost_writes,
        flushes,
        costs: _,
        ops,
    } = modelled;
    CacheModel {
        stale: stale.iter().map(notice).collect(),
        lost: lost.iter().map(notice).collect(),
        stale_reads: *stale_reads,
        lost_writes: *lost_writes,
        flushes: flushes.iter().map(flush).collect(),
        ops: ops.iter().map(self::ops).collect(),
    }
}

fn notice(notice: &evidence::Notice) -> Notice {
    let evidence::Notice {
        after,
        by,
        path,
        walk,
        pa,
        len,
        saw,
        newest,
        place: whereabouts,
        store,
        then,
    } = notice;
    let in_cpu = match whereabouts {
        Whereabouts::Cache(cpu) => Some(*cpu),
        _ => None,
    };
    Notice {
        after: *after as u64,
        by: place(*by),
        path: path.map(|it| it.to_string()),
        walk: *walk,
        pa: *pa,
        len: *len,
        saw: *saw,
        newest: *newest,
        place: whereabouts.name().to_owned(),
        in_cpu,
        store: store.map(deed),
        then: then.map(deed),
    }
}

fn deed((at, what): (evidence::Place, impl Word)) -> (Place, String) {
    (place(at), what.name().to_owned())
}

fn place(place: evidence::Place) -> Place {
    let evidence::Place { cpu, pc, el } = place;
    Place { cpu, pc, el }
}

fn flush(flush: &evidence::Flush) -> Flush {
    let evidence::Flush {
        after,
        cpu,
        pc,
        cause,
        ops,
        clean,
        invalidate,
        lines,
        twice,
        dirty,
        kept,
        ranges,
        first,
        last,
        missed,
        missed_at,
        touched,
    } = *flush;
    Flush {
        after: after as u64,
        cpu,
        pc,
        cause: cause.to_string(),
        ops,
        clean: Some(clean),
        invalidate: Some(invalidate),
        lines,
        twice,
        dirty,
        kept: Some(kept),
        ranges,
        first,
        last,
        missed,
        missed_at,
        touched,
    }
}

fn ops(ops: &evidence::Ops) -> Ops {
    let evidence::Ops {
        by,
        op,
        guest,
        count,
    } = ops;
    Ops {
        by: by.to_string(),
        op: op.to_string(),
        guest: *guest,
        count: *count,
    }
}

#[cfg(test)]
mod tests {
    use setway_protocol::word::{Access, Maintenance};

    use super::*;

    /// The form is that of `setway.run/1`, whatever the facts look like inside.
    #[test]
    fn a_notice_has_its_words_and_its_cpu() {
        let by = evidence::Place {
            cpu: 0,
            pc: 0x40,
            el: 2,
        };
        let fact = evidence::Notice {
            after: 7,
            by: evidence::Place {
                cpu: 1,
                pc: 0,
                el: 0,
            },
            path: None,
            walk: false,
            pa: 0x80,
            len: 4,
            saw: 0,
            newest: 0,
            place: Whereabouts::Cache(3),
            store: Some((by, Access::WriteThrough)),
            then: Some((by, Maintenance::CleanInvalidateSetWay)),
        };
        let place = serde_json::json!({ "cpu": 0, "pc": 0x40, "el": 2 });
        let mut want = serde_json::json!({
            "after": 7,
            "by": { "cpu": 1, "pc": 0, "el": 0 },
            "path": null,
            "walk": false,
            "pa": 0x80,
            "len": 4,
            "saw": 0,
            "newest": 0,
            "in": "cache",
            "in_cpu": 3,
            "store": [place, "write-through"],
            "then": [place, "clean-invalidate-set-way"],
        });
        assert_eq!(serde_json::json!(notice(&fact)), want);
        let fact = evidence::Notice {
            path: Some(Access::Uncached),
            place: Whereabouts::Lost,
            ..fact
        };
        want["path"] = "uncached".into();
        want["in"] = "lost".into();
        want["in_cpu"] = serde_json::Value::Null;
        assert_eq!(serde_json::json!(notice(&fact)), want);
    }
}
