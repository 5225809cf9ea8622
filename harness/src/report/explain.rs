//! Manual pages of what the tables and data files know: rules, cases, mutants, findings, and the words around them.

mod case;
pub mod counts;
mod finding;
mod mutant;
mod rule;
mod words;

use setway_cases::{CASES, Case, Premise, RULES, Rule};
use setway_policy::Mutant;
use setway_report::{Entry, Page, Passage, Section, Verdict};

pub use finding::state;

use crate::catalog::{
    Catalog, finding::Finding, hypervisor::Hypervisor, kills::case_of, machine::Machine,
    profile::Profile, suggestion,
};

/// Something that has a manual page.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// What must hold.
    Rule(&'static Rule),
    /// A test of it.
    Case(&'static Case),
    /// The reference hypervisor with one defect.
    Mutant(Mutant),
    /// A deviation that is known.
    Finding(&'a Finding),
    /// What is tested.
    Hypervisor(&'a Hypervisor),
    /// What it runs on.
    Machine(&'a Machine),
    /// What is expected of it.
    Profile(&'a Profile),
    /// What must hold for a case to say anything.
    Premise(Premise),
    /// What caches do of their own accord: its name, and what that is.
    Schedule(&'static str, &'static str),
    /// The word for how a run ended.
    Verdict(Verdict),
}

/// A name that nothing has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "nothing is called `{name}`{suggestion}\n  next: `setway list` has the names; KIND:NAME chooses among {}",
    KINDS.join(", ")
)]
pub struct Unknown {
    /// The name.
    pub name: String,
    /// What was probably meant, as a part of a sentence.
    pub suggestion: String,
}

/// The kinds of subjects, in the order in which pages of one name stand.
const KINDS: [&str; 10] = [
    "rule",
    "case",
    "mutant",
    "finding",
    "hypervisor",
    "machine",
    "profile",
    "premise",
    "schedule",
    "verdict",
];

impl<'a> Subject<'a> {
    /// All there are.
    pub fn all(catalog: &'a Catalog) -> Vec<Self> {
        let hidden = CASES.iter().filter(|case| case.hidden);
        let mut rules: Vec<&Rule> = RULES.to_vec();
        for rule in hidden.map(|case| case.rule) {
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        let hypervisors = catalog.hypervisors.iter().filter(|it| !it.self_test);
        let schedules = words::SCHEDULES.iter();
        let mut all: Vec<Self> = rules.into_iter().map(Subject::Rule).collect();
        all.extend(CASES.iter().map(Subject::Case));
        all.extend(Mutant::ALL.iter().map(|it| Subject::Mutant(*it)));
        all.extend(catalog.findings.iter().map(Subject::Finding));
        all.extend(hypervisors.map(Subject::Hypervisor));
        all.extend(catalog.machines.iter().map(Subject::Machine));
        all.extend(catalog.profiles.iter().map(Subject::Profile));
        all.extend(Premise::ALL.map(Subject::Premise));
        all.extend(schedules.map(|(name, about)| Subject::Schedule(name, about)));
        all.extend(Verdict::ALL.map(Subject::Verdict));
        all
    }

    /// What is called `text`: a name, a kind and a name (`rule:SW-PAIR`), a run's label (`EXA-IT.t32`) or a target's
    /// (`xen-4.20@virt-max`). Several, if things of several kinds have the name.
    ///
    /// # Errors
    ///
    /// If there is nothing.
    pub fn named(catalog: &'a Catalog, text: &str) -> Result<Vec<Self>, Unknown> {
        let (kind, name) = match text.split_once(':') {
            Some((kind, name)) if KINDS.contains(&kind) => (Some(kind), name),
            _ => (None, text),
        };
        let mut all = Self::all(catalog);
        all.retain(|it| kind.is_none_or(|kind| kind == it.kind()));
        let found = |wanted: &str| {
            let same = |it: &&Self| it.name().eq_ignore_ascii_case(wanted);
            all.iter().filter(same).copied().collect::<Vec<Self>>()
        };
        let mut subjects = found(name);
        if subjects.is_empty() {
            // Reports print runs and targets, so both can be asked for.
            let run = case_of(name);
            subjects = found(run);
            subjects.retain(|it| matches!(it, Subject::Case(_)));
        }
        if subjects.is_empty()
            && let Ok(target) = catalog.target(name)
        {
            subjects = found(&target.hypervisor.name);
        }
        if subjects.is_empty() {
            let known: Vec<String> = all.iter().map(|it| it.name().to_owned()).collect();
            return Err(Unknown {
                name: text.to_owned(),
                suggestion: suggestion(name, &known),
            });
        }
        Ok(subjects)
    }

    /// What kind of thing it is.
    pub const fn kind(&self) -> &'static str {
        match self {
            Subject::Rule(_) => "rule",
            Subject::Case(_) => "case",
            Subject::Mutant(_) => "mutant",
            Subject::Finding(_) => "finding",
            Subject::Hypervisor(_) => "hypervisor",
            Subject::Machine(_) => "machine",
            Subject::Profile(_) => "profile",
            Subject::Premise(_) => "premise",
            Subject::Schedule(..) => "schedule",
            Subject::Verdict(_) => "verdict",
        }
    }

    /// What it is called.
    pub fn name(&self) -> &'a str {
        match self {
            Subject::Rule(it) => it.id,
            Subject::Case(it) => it.id,
            Subject::Mutant(it) => it.name(),
            Subject::Finding(it) => &it.id,
            Subject::Hypervisor(it) => &it.name,
            Subject::Machine(it) => &it.name,
            Subject::Profile(it) => &it.name,
            Subject::Premise(it) => it.name(),
            Subject::Schedule(name, _) => name,
            Subject::Verdict(it) => it.name(),
        }
    }

    /// Its manual page.
    pub fn page(&self, catalog: &Catalog) -> Page {
        let (title, sections) = match self {
            Subject::Rule(it) => (rule::title(it), rule::sections(it, catalog)),
            Subject::Case(it) => (case::title(it), case::sections(it, catalog)),
            Subject::Mutant(it) => (mutant::title(*it), mutant::sections(*it, catalog)),
            Subject::Finding(it) => (it.title.clone(), finding::sections(it)),
            Subject::Hypervisor(it) => (it.about.clone(), words::hypervisor(it, catalog)),
            Subject::Machine(it) => (it.about.clone(), words::machine(it)),
            Subject::Profile(it) => (it.about.clone(), words::profile(it, catalog)),
            Subject::Premise(it) => (it.about().to_owned(), words::premise(*it, catalog)),
            Subject::Schedule(name, about) => ((*about).to_owned(), words::schedule(name)),
            Subject::Verdict(it) => (words::meaning(*it).to_owned(), Vec::new()),
        };
        Page {
            kind: self.kind().to_owned(),
            name: self.name().to_owned(),
            title,
            // What has nothing to say is not there.
            sections: sections
                .into_iter()
                .filter(|it| !it.passages.is_empty())
                .collect(),
        }
    }
}

/// A section.
fn section(heading: &str, passages: impl IntoIterator<Item = Passage>) -> Section {
    Section {
        heading: heading.to_owned(),
        passages: passages.into_iter().collect(),
    }
}

/// A section of prose alone.
fn prose(heading: &str, text: &str) -> Section {
    section(heading, [Passage::Text(text.trim().to_owned())])
}

/// A section that lists; without a passage if there is nothing to list.
fn list(heading: &str, entries: impl IntoIterator<Item = Entry>) -> Section {
    let entries: Vec<Entry> = entries.into_iter().collect();
    let has_any = !entries.is_empty();
    section(heading, has_any.then_some(Passage::Entries(entries)))
}

/// A line of a list.
fn entry(name: &str, text: impl Into<String>) -> Entry {
    Entry {
        name: name.to_owned(),
        text: text.into(),
    }
}

/// The commands of a section `RUN IT`.
fn commands(lines: &[String]) -> Section {
    section("RUN IT", [Passage::Code(lines.join("\n"))])
}

/// The findings that `matches` selects.
fn deviations<'a>(
    catalog: &'a Catalog,
    matches: impl Fn(&Finding) -> bool + 'a,
) -> impl Iterator<Item = Entry> + 'a {
    let findings = catalog.findings.iter().filter(move |it| matches(it));
    findings.map(|it| {
        let state = state(it);
        entry(
            &it.id,
            format!("{} ({}; {state})", it.title, it.hypervisors.join(", ")),
        )
    })
}
