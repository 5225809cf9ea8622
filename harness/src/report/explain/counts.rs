//! What cases owe, in words.

use setway_cases::Case;

use crate::{
    catalog::{
        obligation::{Obligation, Obligations, Ops, OwedCheck, OwedStep, Want},
        raw::Difference,
    },
    report::human::style::plural,
};

/// The instruction sets of a case, such as `a64 a32`.
pub fn isas(case: &Case) -> String {
    let names: Vec<&str> = case.isas.iter().map(|isa| isa.name()).collect();
    names.join(" ")
}

/// `1 step, 3 checks`; a case that owes different numbers in different instruction sets has both.
pub fn sizes(case: &Case, obligations: &Obligations) -> String {
    let size = |owed: &Obligation| {
        let steps = plural(owed.steps.len(), "step");
        format!("{steps}, {}", plural(owed.checks.len(), "check"))
    };
    let mut sizes: Vec<(String, Vec<&str>)> = Vec::new();
    for (isas, owed) in obligations.groups(case) {
        let (names, size) = (isas.iter().map(|isa| isa.name()), size(owed));
        match sizes.iter_mut().find(|(same, _)| *same == size) {
            Some((_, all)) => all.extend(names),
            None => sizes.push((size, names.collect())),
        }
    }
    match sizes.as_slice() {
        [(size, _)] => size.clone(),
        several => {
            let each = several
                .iter()
                .map(|(size, isas)| format!("{}: {size}", isas.join(" ")));
            each.collect::<Vec<_>>().join("; ")
        }
    }
}

/// What a step demands.
pub fn step(step: &OwedStep) -> String {
    let set_way = match step.set_way {
        Ops::Exactly(count) => counted(Some(count), "set/way trap"),
        Ops::Geometry => Some("one set/way trap for each line of the caches".to_owned()),
    };
    let rest = [
        counted(Some(step.vm_reg), "VM register trap"),
        counted(Some(step.flush), "flush"),
    ];
    together([set_way].into_iter().chain(rest))
}

/// What a profile expects instead.
pub fn difference(row: &Difference) -> String {
    let counts = [
        (row.set_way, "set/way trap"),
        (row.vm_reg, "VM register trap"),
        (row.flush, "flush"),
    ];
    together(counts.map(|(count, what)| counted(count, what)))
}

fn together(parts: impl IntoIterator<Item = Option<String>>) -> String {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join(", ")
}

fn counted(count: Option<u64>, what: &str) -> Option<String> {
    let plural = if what.ends_with("sh") { "es" } else { "s" };
    Some(match count? {
        0 => format!("no {what}"),
        1 => format!("1 {what}"),
        count => format!("{count} {what}{plural}"),
    })
}

/// The right value of a check.
pub fn value(check: &OwedCheck) -> String {
    let want = |want: Want| match want {
        Want::Constant(value) => format!("{value:#x}"),
        Want::From(0) => "what it was before".to_owned(),
        Want::From(bits) => format!("what it was before, and {bits:#x}"),
    };
    if check.fresh == check.stale {
        want(check.fresh)
    } else {
        format!(
            "{} where loads see new data, {} where old",
            want(check.fresh),
            want(check.stale)
        )
    }
}
