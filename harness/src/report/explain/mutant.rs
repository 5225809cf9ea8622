//! The page of a mutant.

use setway_cases::{CASES, Case};
use setway_policy::{Mutant, Shows};
use setway_report::{Entry, Passage, Section};

use super::{commands, entry, prose, section};
use crate::catalog::{Catalog, hypervisor, kills::case_of};

/// What kills a mutant, by where its mistake shows.
pub const fn killed_by(shows: Shows) -> &'static str {
    match shows {
        Shows::Counts => "counts: the guest traps, or its memory is flushed, more or less often",
        Shows::State => "state: the guest's registers, PC or PSTATE are wrong",
        Shows::Data => {
            "data: the guest loads old data; counts that are wrong as well do not kill it"
        }
        Shows::CountsAndData => "counts and data: either kills it",
        Shows::Course => {
            "the guest's course, with caches: it or the hypervisor does not get where it should"
        }
        Shows::Cost => "cost: maintenance takes more instructions or lines than it may",
    }
}

/// The command that shows how the run with this label kills `mutant`.
pub fn command(mutant: Mutant, label: &str) -> String {
    let (run, caches) = label.split_once(' ').unwrap_or((label, ""));
    let isa = run.rsplit_once('.').map_or("a64", |(_, isa)| isa);
    let caches = caches.trim_matches(['[', ']']);
    let caches = match caches {
        "" => " --caches off".to_owned(),
        caches => format!(" --caches {caches}"),
    };
    let name = mutant.name();
    let target = mutant.machine().map_or_else(String::new, |machine| {
        format!(" --hyp {}@{machine}", hypervisor::DEFAULT)
    });
    format!(
        "cargo run -- run {} --isa {isa}{target} --mutant {name}{caches}",
        case_of(label)
    )
}

/// One line about it.
pub fn title(mutant: Mutant) -> String {
    format!(
        "the reference hypervisor with a defect in its {}",
        mutant.site().name()
    )
}

pub fn sections(mutant: Mutant, catalog: &Catalog) -> Vec<Section> {
    let labels = catalog.kills.of(mutant.name());
    let case = |label: &str| -> Option<&Case> {
        let id = case_of(label);
        CASES.iter().find(|case| case.id == id)
    };
    let killers = labels.iter().map(|label| {
        let rule = case(label).map(|case| format!("{}: {}", case.rule.id, case.rule.title));
        entry(label, rule.unwrap_or_default())
    });
    let killers: Vec<Entry> = killers.collect();
    let killed = match killers.as_slice() {
        [] => Passage::Text("Nothing that is remembered in expectations/kills.toml.".to_owned()),
        _ => Passage::Entries(killers),
    };
    let mut lines: Vec<String> = labels
        .iter()
        .take(1)
        .map(|it| command(mutant, it))
        .collect();
    lines.push(format!("cargo run -- mutants {} --quick", mutant.name()));
    vec![
        prose("DEFECT", mutant.defect()),
        prose(
            "WHERE",
            &format!(
                "site {}; `git grep Mutant::{mutant:?} hyp-under-test` shows the lines",
                mutant.site().name()
            ),
        ),
        prose("SHOWS IN", killed_by(mutant.shows())),
        section("WHAT KILLS IT", [killed]),
        commands(&lines),
    ]
}
