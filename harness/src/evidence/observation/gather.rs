//! Putting an observation together, and finding what is missing from it.

use std::collections::{BTreeMap, BTreeSet};

use setway_cases::{Kind, Premise};
use setway_protocol::{Stream, VERSION, kind};

use super::{
    Account, Bases, Builds, Cache, Check, Counts, Gap, Observation, Program, Step, modelled,
    program,
};
use crate::{
    evidence::{
        exception_log::Exception,
        transcript::{Console, Fault, Record, Records},
        traps::{self, Trapped},
    },
    lab::capture::Capture,
    plan::Run,
};

impl Observation {
    /// Puts together what `capture` holds of `run`, in which images of these `builds` were booted.
    pub fn of(capture: &Capture, run: &Run, builds: &Builds) -> Self {
        let speaks = builds.hypervisor.is_some();
        let mut console = Console::read(&capture.console);
        for (_, line) in &capture.log.records {
            console.line(line);
        }
        let exceptions = &capture.log.exceptions;
        let mut gaps: Vec<Gap> = console.faults.iter().cloned().map(Gap::from).collect();

        let isa = run.isa.name();
        let build = hex(builds.guest);
        let guest_must_say = [("case", run.case.id), ("isa", isa), ("build", &build)];
        frame(Stream::Guest, &console.guest, &guest_must_say, &mut gaps);
        if let Some(build) = builds.hypervisor.map(hex) {
            let must_say = [("policy", run.defect_name()), ("build", &build)];
            frame(
                Stream::Hypervisor,
                &console.hypervisor,
                &must_say,
                &mut gaps,
            );
        }
        if let Some(caches) = run.caches {
            let schedule = caches.schedule.to_string();
            let system = u8::from(caches.system_cache).to_string();
            let must_say = [("schedule", schedule.as_str()), ("system", &system)];
            frame(Stream::Model, &console.model, &must_say, &mut gaps);
        }
        known_kinds(&console, &mut gaps);

        let mut steps = collect(&console.guest, kind::STEP, step, &mut gaps);
        let checks = collect(&console.guest, kind::CHECK, check, &mut gaps);
        let caches = collect(&console.guest, kind::CACHE, cache, &mut gaps);
        step_order(&console.guest, &mut gaps);
        if steps.is_empty() && checks.is_empty() {
            gaps.push(Gap::Nothing);
        }

        let registers = traps::by_register(exceptions);
        let mark = console
            .guest
            .of(kind::BEGIN)
            .find_map(|begin| begin.number("mark").ok());
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
        if speaks {
            count_inside(&console.hypervisor, &mut steps, &mut gaps);
            registers_agree(&console.hypervisor, &registers, &mut gaps);
            exits_agree(&console.hypervisor, exceptions, builds, &mut gaps);
        }
        let account = speaks.then(|| account(&console.hypervisor, &mut gaps));
        if is_counted {
            steps_agree(&steps, &mut gaps);
        }

        let modelled = run.caches.map(|_| {
            let positions = capture.log.records.iter().map(|(after, _)| *after);
            let mut modelled = modelled::gather(&console.model, positions, &mut gaps);
            if builds.hosted {
                modelled.leave_out_host();
            }
            modelled::watched(&console.model, run.isa, &mut gaps);
            if is_counted {
                steps
                    .iter_mut()
                    .for_each(|step| modelled::maintained(step, &modelled));
            }
            modelled
        });
        let all = console
            .guest
            .records
            .iter()
            .chain(&console.hypervisor.records);
        let crashed =
            all.filter(|record| [kind::PANIC, kind::DIED].contains(&record.kind.as_str()));
        let last = console
            .hypervisor
            .records
            .last()
            .or(console.guest.records.last());
        Self {
            end: capture.end.clone(),
            stderr: capture.stderr.clone(),
            steps,
            checks,
            caches,
            account,
            may_be_stale: run.case.rule.kind == Kind::Machine
                || run.case.needs(Premise::OnlyOwnEvictions),
            modelled,
            programs: collect(&console.guest, kind::PROGRAM, Program::read, &mut gaps),
            seen: collect(&console.guest, kind::SEEN, program::bytes, &mut gaps).concat(),
            traps: traps::by_class(exceptions),
            registers,
            bases: Bases {
                guest: base(&console.guest),
                hypervisor: base(&console.hypervisor),
            },
            crashes: crashed.map(crash).collect(),
            gaps,
            last: last.map(|record| record.line.clone()),
        }
    }
}

/// Where the image of a stream says that it is.
fn base(records: &Records) -> Option<u64> {
    records
        .of(kind::BEGIN)
        .find_map(|begin| begin.number("base").ok())
}

/// A number as records write it.
fn hex(number: u64) -> String {
    format!("{number:#x}")
}

/// A stream must begin and end, and begin with what was asked for.
fn frame(
    stream: Stream,
    records: &Records,
    must_say: &[(&'static str, &str)],
    gaps: &mut Vec<Gap>,
) {
    let (Some(first), Some(last)) = (records.records.first(), records.records.last()) else {
        gaps.push(Gap::Silent(stream));
        return;
    };
    if first.kind != kind::BEGIN {
        gaps.push(Gap::NoBegin {
            stream,
            line: first.line.clone(),
        });
        return;
    }
    let version = VERSION.to_string();
    for (what, asked) in must_say.iter().chain(&[("proto", version.as_str())]) {
        match first.text(what) {
            Ok(said) if said == *asked => {}
            Ok(said) => gaps.push(Gap::NotAsked {
                stream,
                what,
                asked: (*asked).to_owned(),
                said: said.to_owned(),
            }),
            Err(fault) => gaps.push(fault.into()),
        }
    }
    if !records.ended() {
        gaps.push(Gap::NoEnd {
            stream,
            last: last.line.clone(),
        });
    }
}

/// A record that this harness does not know may say something that matters.
fn known_kinds(console: &Console, gaps: &mut Vec<Gap>) {
    const GUEST: [&str; 9] = [
        kind::BEGIN,
        kind::CACHE,
        kind::STEP,
        kind::CHECK,
        kind::CASE,
        kind::PROGRAM,
        kind::SEEN,
        kind::PANIC,
        kind::END,
    ];
    const HYPERVISOR: [&str; 10] = [
        kind::BEGIN,
        kind::MARK,
        kind::SET_WAY_FLUSH,
        kind::TOGGLE_CACHE,
        kind::TRAPS,
        kind::EXITS,
        kind::TOTALS,
        kind::DIED,
        kind::PANIC,
        kind::END,
    ];
    const MODEL: [&str; 8] = [
        kind::BEGIN,
        kind::ARMED,
        kind::STALE,
        kind::LOST,
        kind::FLUSH,
        kind::OPS,
        kind::TOTALS,
        kind::END,
    ];
    let streams = [
        (&console.guest, &GUEST[..]),
        (&console.hypervisor, &HYPERVISOR),
        (&console.model, &MODEL),
    ];
    for (stream, kinds) in streams {
        let unknown = stream
            .records
            .iter()
            .filter(|record| !kinds.contains(&record.kind.as_str()));
        gaps.extend(unknown.map(|record| Gap::UnknownKind(record.line.clone())));
    }
}

/// Reads every record of a kind; one that cannot be read is a gap.
pub(super) fn collect<T>(
    records: &Records,
    kind: &str,
    read: impl Fn(&Record) -> Result<T, Fault>,
    gaps: &mut Vec<Gap>,
) -> Vec<T> {
    let mut all = Vec::new();
    for record in records.of(kind) {
        match read(record) {
            Ok(item) => all.push(item),
            Err(fault) => gaps.push(fault.into()),
        }
    }
    all
}

fn step(record: &Record) -> Result<Step, Fault> {
    let expected = Counts {
        set_way: record.number("set_way")?,
        vm_reg: record.number("vm_reg")?,
        flush: Some(record.number("flush")?),
    };
    Ok(Step {
        name: record.text("name")?.to_owned(),
        expected,
        observed: Counts {
            set_way: 0,
            vm_reg: 0,
            flush: None,
        },
        hypervisor: None,
        maintained: None,
        span: 0..0,
    })
}

fn check(record: &Record) -> Result<Check, Fault> {
    Ok(Check {
        name: record.text("name")?.to_owned(),
        want: record.text("want")?.to_owned(),
        got: record.text("got")?.to_owned(),
        excuse: None,
    })
}

fn cache(record: &Record) -> Result<Cache, Fault> {
    Ok(Cache {
        level: record.number("level")?,
        kind: record.text("type")?.to_owned(),
        ccsidr: record.number("ccsidr")?,
    })
}

fn step_order(records: &Records, gaps: &mut Vec<Gap>) {
    for (expected, record) in (0..).zip(records.of(kind::STEP)) {
        if record.number("n").is_ok_and(|n| n != expected) {
            gaps.push(Gap::StepOrder {
                expected,
                line: record.line.clone(),
            });
        }
    }
}

/// The totals before and after each step, if there are two marks for each.
fn between<T: Copy>(marks: &[T], steps: usize) -> Option<impl Iterator<Item = (T, T)>> {
    (marks.len() == steps * 2).then(|| marks.chunks_exact(2).map(|pair| (pair[0], pair[1])))
}

/// Adds the hypervisor's own counts to the steps.
fn count_inside(records: &Records, steps: &mut [Step], gaps: &mut Vec<Gap>) {
    let read = |record: &Record| {
        let trapped = Trapped {
            set_way: record.number("set_way")?,
            vm_reg: record.number("vm_reg")?,
        };
        Ok((trapped, record.number("flush")?))
    };
    let marks = collect(records, kind::MARK, read, gaps);
    let Some(counts) = between(&marks, steps.len()) else {
        gaps.push(Gap::Marks {
            steps: steps.len(),
            found: marks.len(),
            whose: "the hypervisor's stream".to_owned(),
        });
        return;
    };
    for (step, ((before, flushed_before), (after, flushed_after))) in steps.iter_mut().zip(counts) {
        // Totals that shrink would be nonsense; they then disagree with the log.
        step.hypervisor = Some(Trapped {
            set_way: after.set_way.wrapping_sub(before.set_way),
            vm_reg: after.vm_reg.wrapping_sub(before.vm_reg),
        });
        step.observed.flush = Some(flushed_after.wrapping_sub(flushed_before));
    }
}

fn account(records: &Records, gaps: &mut Vec<Gap>) -> Account {
    let totals = collect(
        records,
        kind::TOTALS,
        |record| {
            Ok((
                record.number("flushes")?,
                record.number("lines")?,
                record.number("lost")?,
            ))
        },
        gaps,
    );
    let (flushes, lines, lost) = totals.last().copied().unwrap_or_default();
    if totals.len() != 1 {
        gaps.push(Gap::Totals(totals.len()));
    }
    // A trace that overflowed is no gap: verdicts come from marks and counters, which have room of
    // their own.
    let events = records.records.iter().filter_map(event).collect();
    Account {
        events,
        flushes,
        lines,
        lost,
    }
}

/// A trace record without what changes with every build.
fn event(record: &Record) -> Option<String> {
    if ![kind::SET_WAY_FLUSH, kind::TOGGLE_CACHE].contains(&record.kind.as_str()) {
        return None;
    }
    let fields = record.fields.iter().filter(|(name, _)| name != "pc");
    Some(fields.fold(record.kind.clone(), |text, (name, value)| {
        text + " " + name + "=" + value
    }))
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

/// What the hypervisor counts among its traps, and QEMU's log does not show.
const NOT_LOGGED: &str = "UNDEF injected";

/// Then over the whole run, register by register, if the hypervisor came to its end.
fn registers_agree(records: &Records, logged: &BTreeMap<String, u64>, gaps: &mut Vec<Gap>) {
    let read = |record: &Record| Ok((record.text("reg")?.to_owned(), record.number("count")?));
    let mut inside: BTreeMap<String, u64> = BTreeMap::new();
    for (reg, count) in collect(records, kind::TRAPS, read, gaps) {
        let known = reg == NOT_LOGGED || traps::registers().any(|name| name == reg);
        if !known || inside.insert(reg.clone(), count).is_some() {
            gaps.push(Gap::Register(reg));
        }
    }
    if !records.ended() {
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
    let read = |record: &Record| Ok((record.number("class")?, record.number("count")?));
    let inside: BTreeMap<u64, u64> = collect(records, kind::EXITS, read, gaps)
        .into_iter()
        .collect();
    if !builds.hosted || !records.ended() {
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

fn crash(record: &Record) -> String {
    let fields = record
        .fields
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    let fields: Vec<_> = fields.collect();
    match record.text("msg") {
        Ok(message) => format!("panic: {message}"),
        Err(_) => format!("the guest died: {}", fields.join(" ")),
    }
}

#[cfg(test)]
mod tests;
