//! Putting an observation together, and finding what is missing from it.

use std::collections::{BTreeMap, BTreeSet};

use setway_cases::{Kind, Premise};
use setway_protocol::{
    Hex, Stream, VERSION,
    record::{
        self, Exits, GuestBegin, HypervisorBegin, HypervisorTotals, Mark, Message, ModelBegin,
        Traps,
    },
};

use super::{Account, Bases, Builds, Cache, Check, Gap, Observation, Step, modelled};
use crate::{
    evidence::{
        exception_log::Exception,
        transcript::{Line, Record, Records, Transcript},
        traps::{self, Trapped},
    },
    lab::capture::Capture,
    plan::Run,
};

impl Observation {
    /// Puts together what `capture` holds of `run`, in which images of these `builds` were booted.
    pub fn of(capture: &Capture, run: &Run, builds: &Builds) -> Self {
        let console = Line::of_console(&capture.console, capture.key);
        let lines: Vec<Line> = console.chain(Line::of_log(&capture.log.records)).collect();
        let Transcript {
            guest,
            hypervisor,
            model,
            faults,
        } = Transcript::read(&lines);
        let exceptions = &capture.log.exceptions;
        let mut gaps: Vec<Gap> = faults.into_iter().map(Gap::from).collect();

        let begun: Option<GuestBegin> = frame(Stream::Guest, &guest, &mut gaps);
        if let Some(begin) = &begun {
            let said = Said(Stream::Guest);
            said.is_asked("case", run.case.id, begin.case, &mut gaps);
            said.is_asked("isa", run.isa.name(), begin.isa, &mut gaps);
            said.is_asked("build", Hex(builds.guest), begin.build, &mut gaps);
            said.is_asked("proto", VERSION, begin.proto, &mut gaps);
        }
        let mut hypervisor_base = None;
        if let Some(build) = builds.hypervisor {
            let begun: Option<HypervisorBegin> = frame(Stream::Hypervisor, &hypervisor, &mut gaps);
            if let Some(begin) = begun {
                let said = Said(Stream::Hypervisor);
                let asked = builds.mutant.unwrap_or("none");
                let mutant = begin.mutant.unwrap_or("none".into());
                said.is_asked("mutant", asked, mutant, &mut gaps);
                said.is_asked("build", Hex(build), begin.build, &mut gaps);
                said.is_asked("proto", VERSION, begin.proto, &mut gaps);
                hypervisor_base = begin.base.map(|base| base.0);
            }
        }
        if let Some(caches) = run.caches {
            let begun: Option<ModelBegin> = frame(Stream::Model, &model, &mut gaps);
            if let Some(begin) = begun {
                let said = Said(Stream::Model);
                said.is_asked("schedule", caches.schedule, begin.schedule, &mut gaps);
                said.is_asked("system", caches.system_cache, begin.system, &mut gaps);
                said.is_asked("proto", VERSION, begin.proto, &mut gaps);
            }
        }

        let mut steps = steps(&guest, &mut gaps);
        let checks: Vec<Check> = guest.of().map(|it: record::Check| Check::of(&it)).collect();
        if steps.is_empty() && checks.is_empty() {
            gaps.push(Gap::Nothing);
        }

        let registers = traps::by_register(exceptions);
        let mark = begun.map(|begin| begin.mark.0);
        let logged = mark.map_or_else(Vec::new, |mark| traps::marks(exceptions, mark));
        let counted = between(&logged, steps.len());
        let is_counted = counted.is_some();
        match counted {
            Some(counts) => {
                for (step, (before, after)) in steps.iter_mut().zip(counts) {
                    step.observed.set_way = after.totals.set_way - before.totals.set_way;
                    step.observed.vm_reg = after.totals.vm_reg - before.totals.vm_reg;
                    step.span = before.at + 1..after.at;
                }
            }
            None => gaps.push(Gap::Marks {
                steps: steps.len(),
                found: logged.len(),
                whose: "QEMU's log".to_owned(),
            }),
        }
        let mut account = None;
        if builds.hypervisor.is_some() {
            count_inside(&hypervisor, &mut steps, &mut gaps);
            registers_agree(&hypervisor, &registers, &mut gaps);
            exits_agree(&hypervisor, exceptions, builds, &mut gaps);
            account = Some(self::account(&hypervisor, &mut gaps));
        }
        if is_counted {
            steps_agree(&steps, &mut gaps);
        }

        let modelled = run.caches.map(|_| {
            let mut modelled = modelled::gather(&model);
            if builds.hosted {
                modelled.leave_out_host();
            }
            modelled::watched(&model, run.isa, &mut gaps);
            if is_counted {
                steps
                    .iter_mut()
                    .for_each(|step| modelled::maintained(step, &modelled));
            }
            modelled
        });
        let all = guest.records.iter().chain(&hypervisor.records);
        let last = hypervisor.records.last().or(guest.records.last());
        Self {
            end: capture.end.clone(),
            stderr: capture.stderr.clone(),
            steps,
            checks,
            caches: guest.of().map(|it: record::Cache| Cache::of(&it)).collect(),
            account,
            may_be_stale: run.case.rule.kind == Kind::Machine
                || run.case.needs(Premise::OnlyOwnEvictions),
            modelled,
            programs: guest.of().collect(),
            seen: guest
                .of()
                .flat_map(|it: record::Seen| it.bytes.iter())
                .collect(),
            traps: traps::by_class(exceptions),
            registers,
            bases: Bases {
                guest: begun.map(|begin| begin.base.0),
                hypervisor: hypervisor_base,
            },
            crashes: all.filter_map(crash).collect(),
            gaps,
            last: last.map(|record| record.line.to_owned()),
        }
    }
}

/// A stream must begin and end. Returns the record by which it begins.
fn frame<'a, B: TryFrom<Message<'a>>>(
    stream: Stream,
    records: &Records<'a>,
    gaps: &mut Vec<Gap>,
) -> Option<B> {
    let (Some(first), Some(last)) = (records.records.first(), records.records.last()) else {
        gaps.push(Gap::Silent(stream));
        return None;
    };
    let Ok(begin) = B::try_from(first.message) else {
        gaps.push(Gap::NoBegin {
            stream,
            line: first.line.to_owned(),
        });
        return None;
    };
    if !records.has_ended() {
        gaps.push(Gap::NoEnd {
            stream,
            last: last.line.to_owned(),
        });
    }
    Some(begin)
}

/// What a stream says at its begin, which must be what was asked for.
struct Said(Stream);

impl Said {
    fn is_asked(
        &self,
        what: &'static str,
        asked: impl ToString,
        said: impl ToString,
        gaps: &mut Vec<Gap>,
    ) {
        let (asked, said) = (asked.to_string(), said.to_string());
        if asked != said {
            gaps.push(Gap::NotAsked {
                stream: self.0,
                what,
                asked,
                said,
            });
        }
    }
}

/// The guest's steps, which must be in order.
fn steps(guest: &Records, gaps: &mut Vec<Gap>) -> Vec<Step> {
    let steps = guest.placed::<record::Step>();
    let steps = (0..).zip(steps).map(|(expected, (step, record))| {
        if step.n != expected {
            gaps.push(Gap::StepOrder {
                expected,
                line: record.line.to_owned(),
            });
        }
        Step::demanding(&step)
    });
    steps.collect()
}

/// The totals before and after each step, if there are two marks for each.
fn between<T: Copy>(marks: &[T], steps: usize) -> Option<impl Iterator<Item = (T, T)>> {
    (marks.len() == steps * 2).then(|| marks.chunks_exact(2).map(|pair| (pair[0], pair[1])))
}

/// Adds the hypervisor's own counts to the steps.
fn count_inside(records: &Records, steps: &mut [Step], gaps: &mut Vec<Gap>) {
    let marks: Vec<Mark> = records.of().collect();
    let Some(counts) = between(&marks, steps.len()) else {
        gaps.push(Gap::Marks {
            steps: steps.len(),
            found: marks.len(),
            whose: "the hypervisor's stream".to_owned(),
        });
        return;
    };
    for (step, (before, after)) in steps.iter_mut().zip(counts) {
        // Totals that shrink would be nonsense; they then disagree with the log.
        step.hypervisor = Some(Trapped {
            set_way: after.set_way.wrapping_sub(before.set_way),
            vm_reg: after.vm_reg.wrapping_sub(before.vm_reg),
        });
        step.observed.flush = Some(after.flush.wrapping_sub(before.flush));
    }
}

fn account(records: &Records, gaps: &mut Vec<Gap>) -> Account {
    let totals: Vec<HypervisorTotals> = records.of().collect();
    if totals.len() != 1 {
        gaps.push(Gap::Totals(totals.len()));
    }
    let last = totals.last();
    // A trace that overflowed is no gap: verdicts come from marks and counters, which have room of
    // their own.
    Account {
        events: records.records.iter().filter_map(event).collect(),
        flushes: last.map_or(0, |it| it.flushes),
        lines: last.and_then(|it| it.lines),
        lost: last.map_or(0, |it| it.lost),
    }
}

/// A trace record without what changes with every build.
fn event(record: &Record) -> Option<String> {
    match record.message {
        Message::SetWayFlush(it) => {
            let (vcpu, cache) = (it.vcpu, it.cache);
            Some(format!("set_way_flush vcpu={vcpu} cache={cache}"))
        }
        Message::ToggleCache(it) => {
            let (vcpu, was, now) = (it.vcpu, it.was, it.now);
            Some(format!("toggle_cache vcpu={vcpu} was={was} now={now}"))
        }
        _ => None,
    }
}

/// Invariant 5 of the design: traps are counted from outside, and cross-checked. First step by step.
fn steps_agree(steps: &[Step], gaps: &mut Vec<Gap>) {
    for (n, step) in steps.iter().enumerate() {
        let Some(inside) = step.hypervisor else {
            continue;
        };
        let pairs = [
            ("set/way ops", step.observed.set_way, inside.set_way),
            ("VM register writes", step.observed.vm_reg, inside.vm_reg),
        ];
        for (what, log, hypervisor) in pairs.into_iter().filter(|(_, log, inside)| log != inside) {
            let what = format!("{what} of step {n} ({})", step.name);
            gaps.push(Gap::Disagreement {
                what,
                log,
                hypervisor,
            });
        }
    }
}

/// Then over the whole run, register by register, if the hypervisor came to its end.
fn registers_agree(records: &Records, logged: &BTreeMap<String, u64>, gaps: &mut Vec<Gap>) {
    let mut inside: BTreeMap<String, u64> = BTreeMap::new();
    for Traps { reg, count } in records.of() {
        let reg = reg.to_string();
        let is_known = traps::registers().any(|name| name == reg);
        if !is_known || inside.insert(reg.clone(), count).is_some() {
            gaps.push(Gap::Register(reg));
        }
    }
    if !records.has_ended() {
        return;
    }
    for what in traps::registers() {
        let log = logged.get(what).copied().unwrap_or_default();
        let hypervisor = inside.get(what).copied().unwrap_or_default();
        if log != hypervisor {
            gaps.push(Gap::Disagreement {
                what: format!("all traps of {what}"),
                log,
                hypervisor,
            });
        }
    }
}

/// Where the hypervisor's own trace counts why its guests left, so must QEMU's log.
fn exits_agree(records: &Records, exceptions: &[Exception], builds: &Builds, gaps: &mut Vec<Gap>) {
    let exits = records.of().map(|it: Exits| (it.class.0, it.count));
    let inside: BTreeMap<u64, u64> = exits.collect();
    if !builds.hosted || !records.has_ended() {
        return;
    }
    let mut logged: BTreeMap<u64, u64> = BTreeMap::new();
    for exception in exceptions {
        *logged.entry(exception.esr.class().into()).or_default() += 1;
    }
    let classes: BTreeSet<u64> = logged.keys().chain(inside.keys()).copied().collect();
    let unseen = &builds.unseen_exits;
    for class in classes.into_iter().filter(|class| !unseen.contains(class)) {
        let count = |counts: &BTreeMap<u64, u64>| counts.get(&class).copied().unwrap_or_default();
        let (log, hypervisor) = (count(&logged), count(&inside));
        if log != hypervisor {
            gaps.push(Gap::Disagreement {
                what: format!("exits of class {class:#x}"),
                log,
                hypervisor,
            });
        }
    }
}

/// How a record says that its speaker or the guest crashed, if it does.
fn crash(record: &Record) -> Option<String> {
    match record.message {
        Message::Panic(panic) => Some(format!("panic: {}", panic.msg)),
        Message::Died(it) => Some(format!(
            "the guest died: {} (vCPU {}, PC {}, ESR_EL2 {}, FAR_EL2 {})",
            it.reason, it.vcpu, it.pc, it.esr, it.far
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
