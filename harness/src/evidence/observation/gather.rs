//! Putting an observation together, and finding what is missing from it.

use std::collections::{BTreeMap, BTreeSet};

use setway_architecture::trap::sysreg::SET_WAY_OPS;
use setway_protocol::{
    Hex, Stream, VERSION,
    record::{
        self, Exits, GuestBegin, HypervisorBegin, HypervisorTotals, Message, ModelBegin, Traps,
    },
};

use super::{Account, Bases, Builds, Cache, Check, Gap, MayBeStale, Observation, Step, modelled};
use crate::{
    evidence::{
        capture::Capture,
        exception_log::{Exception, ExceptionLog},
        transcript::{Line, Record, Records, Transcript},
        traps::{self, Trapped},
        witness::{
            CacheModelWitness, Counted, ExceptionLogWitness, HypervisorWitness, Witness, WitnessId,
        },
    },
    plan::Run,
};

impl Observation {
    /// Puts together what `capture` holds of `run`, in which images of these `builds` were booted.
    pub fn of(capture: &Capture, run: &Run, builds: &Builds) -> Self {
        let nothing = ExceptionLog::default();
        let log = capture.log.as_ref().unwrap_or(&nothing);
        let console = Line::of_console(&capture.console, capture.key);
        let lines: Vec<Line> = console.chain(Line::of_log(&log.records)).collect();
        let Transcript {
            guest,
            hypervisor,
            model,
            faults,
        } = Transcript::read(&lines);
        let answered = traps::answered(&log.exceptions, refuses(&hypervisor));
        let exceptions = answered.as_ref();
        let mut gaps: Vec<Gap> = faults.into_iter().map(Gap::from).collect();
        if log.damaged > 0 {
            gaps.push(Gap::LossyLog(log.damaged));
        }

        let begun: Option<GuestBegin> = frame(Stream::Guest, &guest, &mut gaps);
        if let Some(begin) = &begun {
            let said = Said(Stream::Guest);
            said.must_be("case", run.case.id, begin.case, &mut gaps);
            said.must_be("isa", run.isa.name(), begin.isa, &mut gaps);
            said.must_be("build", Hex(builds.guest), begin.build, &mut gaps);
            said.must_be("proto", VERSION, begin.proto, &mut gaps);
        }
        let mut hypervisor_base = None;
        if let Some(build) = builds.hypervisor {
            let begun: Option<HypervisorBegin> = frame(Stream::Hypervisor, &hypervisor, &mut gaps);
            if let Some(begin) = begun {
                let said = Said(Stream::Hypervisor);
                let asked = builds.mutant.unwrap_or("none");
                let mutant = begin.mutant.unwrap_or("none".into());
                said.must_be("mutant", asked, mutant, &mut gaps);
                said.must_be("build", Hex(build), begin.build, &mut gaps);
                said.must_be("proto", VERSION, begin.proto, &mut gaps);
                hypervisor_base = begin.base.map(|base| base.0);
            }
        }
        if let Some(caches) = run.caches {
            let begun: Option<ModelBegin> = frame(Stream::Model, &model, &mut gaps);
            if let Some(begin) = begun {
                let said = Said(Stream::Model);
                said.must_be("schedule", caches.schedule, begin.schedule, &mut gaps);
                said.must_be("system", caches.system_cache, begin.system, &mut gaps);
                said.must_be("proto", VERSION, begin.proto, &mut gaps);
            }
        }

        let mut steps = steps(&guest, &mut gaps);
        let checks: Vec<Check> = guest.of().map(|it: record::Check| Check::of(&it)).collect();
        if steps.is_empty() && checks.is_empty() {
            gaps.push(Gap::Nothing);
        }

        let registers = traps::by_register(exceptions);
        let mark = begun.map(|begin| begin.mark.0);
        let is_guest = run.case.is_guest();
        let mut spans = None;
        if capture.log.is_some() {
            let marks = mark.map_or_else(Vec::new, |mark| traps::marks(exceptions, mark));
            let witness = ExceptionLogWitness(marks);
            hear(&witness, &mut steps, &mut gaps);
            spans = witness.spans(steps.len()).ok();
            for (step, span) in steps.iter_mut().zip(spans.iter().flatten()) {
                step.span = span.clone();
                step.others = traps::others(exceptions.get(span.clone()).unwrap_or_default());
            }
        }
        let mut account = None;
        if builds.hypervisor.is_some() {
            let witness = HypervisorWitness(hypervisor.of().collect());
            hear(&witness, &mut steps, &mut gaps);
            account = Some(self::account(&hypervisor, &mut gaps));
            if capture.log.is_some() {
                registers_agree(&hypervisor, &registers, &mut gaps);
                exits_agree(&hypervisor, exceptions, builds, &mut gaps);
            }
        }
        let modelled = run.caches.map(|_| {
            let mut modelled = modelled::gather(&model);
            if builds.hosted {
                modelled.leave_out_host();
            }
            modelled::watched(&model, run.isa, &mut gaps);
            modelled::compared(&model, &mut gaps);
            // Where anything may be stale, no notice is judged.
            if MayBeStale::of(run.case) != MayBeStale::Anything {
                modelled::ask_for_room(&model, &mut gaps);
            }
            if let Some(spans) = &spans {
                let witness = CacheModelWitness {
                    modelled: &modelled,
                    spans,
                };
                hear(&witness, &mut steps, &mut gaps);
                for (step, span) in steps.iter_mut().zip(spans) {
                    step.maintained = Some(modelled.maintained_in(span));
                    let costs = modelled.costs.iter().filter(|cost| cost.is_in(span));
                    step.costs = costs.cloned().collect();
                }
            }
            modelled
        });
        if is_guest && gaps.is_empty() {
            are_witnessed(&steps, &mut gaps);
        }
        traps_agree(&steps, &mut gaps);
        let all = guest.records.iter().chain(&hypervisor.records);
        let last = hypervisor.records.last().or(guest.records.last());
        Self {
            end: capture.end.clone(),
            stderr: capture.stderr.clone(),
            steps,
            checks,
            caches: guest.of().map(|it: record::Cache| Cache::of(&it)).collect(),
            account,
            may_be_stale: MayBeStale::of(run.case),
            at_once: run.case.at_once,
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
    fn must_be(
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

/// Takes down what `witness` counted.
fn hear(witness: &dyn Witness, steps: &mut [Step], gaps: &mut Vec<Gap>) {
    match witness.counts(steps.len()) {
        Ok(counts) => {
            for (step, counted) in steps.iter_mut().zip(counts) {
                step.hear(witness.id(), counted);
                if witness.id() == WitnessId::Hypervisor {
                    step.hypervisor = counted
                        .set_way
                        .zip(counted.vm_reg)
                        .map(|(set_way, vm_reg)| Trapped { set_way, vm_reg });
                }
            }
        }
        Err(gap) => gaps.push(gap),
    }
}

/// A witness outside of the guest counts the traps of each step. That a case has steps is what it owes.
fn are_witnessed(steps: &[Step], gaps: &mut Vec<Gap>) {
    let lacks = |get: fn(&Counted) -> Option<u64>| {
        let counted = |step: &Step| step.witnesses.iter().any(|it| get(&it.counted).is_some());
        !steps.iter().all(counted)
    };
    if lacks(|it| it.set_way) {
        gaps.push(Gap::NoWitness("set/way traps"));
    }
    if lacks(|it| it.vm_reg) {
        gaps.push(Gap::NoWitness("traps of VM registers"));
    }
}

fn account(records: &Records, gaps: &mut Vec<Gap>) -> Account {
    let totals: Vec<HypervisorTotals> = records.of().collect();
    if totals.len() != 1 {
        gaps.push(Gap::Totals(totals.len()));
    }
    let last = totals.last();
    let lost = last.map_or(0, |it| it.lost);
    if lost > 0 {
        gaps.push(Gap::LostEvents(lost));
    }
    Account {
        events: records.records.iter().filter_map(event).collect(),
        flushes: last.map_or(0, |it| it.flushes),
        lines: last.and_then(|it| it.lines),
        lost,
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

/// All who count the traps of a step must agree. Flushes are another matter: a hypervisor may count one that it
/// does not make, which is the hypervisor's failure and not Setway's.
fn traps_agree(steps: &[Step], gaps: &mut Vec<Gap>) {
    for (n, step) in steps.iter().enumerate() {
        let [first, others @ ..] = step.witnesses.as_slice() else {
            continue;
        };
        for other in others {
            let pairs = [
                ("set/way ops", first.counted.set_way, other.counted.set_way),
                (
                    "VM register writes",
                    first.counted.vm_reg,
                    other.counted.vm_reg,
                ),
            ];
            for (what, log, hypervisor) in pairs {
                if let (Some(log), Some(hypervisor)) = (log, hypervisor)
                    && log != hypervisor
                {
                    let what = format!("{what} of step {n} ({})", step.name);
                    gaps.push(Gap::Disagreement {
                        what,
                        log,
                        hypervisor,
                    });
                }
            }
        }
    }
}

/// Then over the whole run, register by register, if the hypervisor reached its end.
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

/// Whether the hypervisor has injected UNDEFs and counts no set/way op: those that trapped, it has refused.
fn refuses(records: &Records) -> bool {
    let injected = records.of().filter_map(|it: HypervisorTotals| it.undef);
    let is_set_way = |it: &Traps| SET_WAY_OPS.iter().any(|op| it.reg == op.name);
    injected.sum::<u64>() > 0 && !records.of().any(|it: Traps| is_set_way(&it))
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
