//! Which runs there are to make.

use setway_cache_model::Schedule;
use setway_cases::{CASES, Case, Kind, Premise, bare::Expected, random::Programs};

use crate::catalog::{
    isa::Isa,
    profile::Profile,
    schedule::{Caches, Choice},
};

/// A filter that matches no case: a mistyped one would silently test less.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no case matches {filters}\n  next: `setway list` shows the cases and their ISAs")]
pub struct NoMatch {
    /// What was asked for.
    pub filters: String,
}

/// One case in one ISA, under the hypervisor with or without a defect, on a machine with or without
/// caches.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The case.
    pub case: &'static Case,
    /// The ISA.
    pub isa: Isa,
    /// The mutant, if the hypervisor is to be one.
    pub mutant: Option<&'static str>,
    /// The machine's caches, if it is to have any.
    pub caches: Option<Caches>,
    /// The random programs, of the case that runs such.
    pub programs: Option<Programs>,
}

impl Run {
    /// The boot argument that names the mutant: `none` for the hypervisor as it should be.
    pub fn mutant_name(&self) -> &'static str {
        self.mutant.unwrap_or("none")
    }

    /// What to call it where there is one hypervisor.
    pub fn label(&self) -> String {
        match self.caches {
            Some(caches) => format!("{}.{} [{caches}]", self.case.id, self.isa),
            None => format!("{}.{}", self.case.id, self.isa),
        }
    }

    /// A name for files that belong to it.
    pub fn file_stem(&self) -> String {
        let id = self.case.id.replace('/', "_");
        let mut stem = format!("{id}.{}", self.isa);
        if let Some(caches) = self.caches {
            stem += &format!(".{}", caches.to_string().replace(':', "-"));
        }
        if let Some(mutant) = self.mutant {
            stem += &format!(".{mutant}");
        }
        stem
    }

    /// Every run without a defect, in the order of reports.
    pub fn all() -> Vec<Run> {
        let guests = CASES.iter().filter(|case| case.is_guest());
        guests.flat_map(Run::of).collect()
    }

    /// Every run on the bare machine, in the order of reports, the hidden ones among them.
    pub fn machine() -> Vec<Run> {
        let bare = CASES.iter().filter(|case| !case.is_guest());
        bare.flat_map(Run::of).collect()
    }

    /// Every run that there is to make under hypervisors of a kind, or without one.
    pub fn under(profile: &Profile) -> Vec<Run> {
        if profile.rules.contains(&Kind::Machine) {
            Run::machine()
        } else {
            Run::all()
        }
    }

    fn of(case: &'static Case) -> impl Iterator<Item = Run> {
        let isas = case.isas.iter().map(|isa| Isa::from(*isa));
        isas.map(move |isa| Run {
            case,
            isa,
            mutant: None,
            caches: None,
            programs: None,
        })
    }

    /// The same run under a mutant, given by name.
    pub fn with_mutant(self, mutant: Option<&'static str>) -> Run {
        Run { mutant, ..self }
    }

    /// The same run with caches.
    pub fn with_caches(self, caches: Option<Caches>) -> Run {
        Run { caches, ..self }
    }

    /// What the loads of a case for the bare machine see on this one. `None` if that does not depend on the
    /// machine; an error if hardware is free to show either.
    pub fn expected(&self) -> Result<Option<Expected>, String> {
        let Some(expectations) = self.case.expectations() else {
            return Ok(None);
        };
        // Without caches everything is fresh.
        let Some(Caches {
            schedule,
            system_cache,
            geometry: _,
        }) = self.caches
        else {
            return Ok(Some(Expected::Fresh));
        };
        let by_schedule = if system_cache {
            expectations.with_system_cache
        } else {
            expectations.private
        };
        match schedule {
            Schedule::Lazy => Ok(Some(by_schedule.lazy)),
            Schedule::Eager => Ok(Some(by_schedule.eager)),
            Schedule::Refill => Ok(Some(by_schedule.refill)),
            Schedule::Migrate => Ok(Some(by_schedule.migrate)),
            Schedule::Coherent => Ok(Some(Expected::Fresh)),
            Schedule::Random(_) => {
                Err("hardware that acts at random may show old data or new".to_owned())
            }
        }
    }

    /// Whether the cache model is to count what the guest waits for: only where it is judged, as it takes time.
    pub fn counts_cost(&self) -> bool {
        self.caches.is_some() && self.case.needs(Premise::CountedCost)
    }

    /// Why these caches leave its outcome open, if they do.
    pub fn why_undecided(&self) -> Option<String> {
        let lazy = self.caches.is_some_and(|it| it.schedule == Schedule::Lazy);
        (self.case.needs(Premise::OnlyOwnEvictions) && !lazy).then(|| {
            let id = self.case.id;
            format!(
                "{id} expects stale data that hardware is free to refresh, so it has a defined outcome with \
                 `lazy` only"
            )
        })
    }

    /// The payload's arguments besides the case's name.
    pub fn arguments(&self) -> String {
        let expected = self.expected().ok().flatten();
        let expected = expected.map(|expected| format!("expect={expected}"));
        let programs = self.programs.map(|programs| programs.to_string());
        let words: Vec<String> = expected.into_iter().chain(programs).collect();
        words.join(" ")
    }

    /// The run, once for each of the caches of `choice`. Without a choice it is made with caches to which
    /// hardware does nothing, and if it compares data, also with a schedule in which dirty lines migrate before set/way
    /// ops; on the bare machine with all schedules.
    pub fn each(self, choice: Option<&Choice>) -> Vec<Run> {
        let default = [Schedule::Lazy, Schedule::Migrate].map(Caches::new);
        let all = Caches::settled();
        let chosen = match choice {
            Some(Choice::Off) => return vec![self],
            Some(Choice::Each(each)) => each.as_slice(),
            None if !self.case.is_guest() => &all,
            None if self.case.needs(Premise::Caches)
                && !self.case.needs(Premise::OnlyOwnEvictions) =>
            {
                &default
            }
            None => &default[..1],
        };
        let with = |caches: &Caches| self.with_caches(Some(*caches));
        chosen.iter().map(with).collect()
    }
}

/// The runs of `all` that match any of `filters` and any of `isas`; none given means all.
///
/// A filter is a case's id, or part of some, or `rule:` and a rule's id. A hidden run must be meant by a
/// filter that means no other.
pub fn select(all: &[Run], filters: &[String], isas: &[Isa]) -> Result<Vec<Run>, NoMatch> {
    let is_everything = filters.is_empty();
    let plain = |filter: &String| {
        let mut plain = all.iter().filter(|run| !run.case.hidden);
        plain.any(|run| matches(filter, run.case))
    };
    let wanted = |run: &&Run| {
        let mut filters = filters.iter().filter(|filter| matches(filter, run.case));
        let named = if run.case.hidden {
            filters.any(|filter| !plain(filter))
        } else {
            filters.next().is_some()
        };
        (named || is_everything && !run.case.hidden) && (isas.is_empty() || isas.contains(&run.isa))
    };
    let runs: Vec<Run> = all.iter().filter(wanted).copied().collect();
    // Each filter must mean something: a mistyped one would silently test less.
    let idle = filters
        .iter()
        .filter(|filter| !runs.iter().any(|run| matches(filter, run.case)));
    let idle: Vec<String> = idle.map(|filter| format!("`{filter}`")).collect();
    if idle.is_empty() {
        return Ok(runs);
    }
    let isas: Vec<_> = isas.iter().map(|isa| isa.name()).collect();
    let place = match isas.len() {
        0 => String::new(),
        _ => format!(" in {}", isas.join(", ")),
    };
    Err(NoMatch {
        filters: idle.join(" nor ") + &place,
    })
}

fn matches(filter: &str, case: &Case) -> bool {
    if let Some(rule) = filter.strip_prefix("rule:") {
        return case.rule.id.eq_ignore_ascii_case(rule);
    }
    let exact = |case: &Case| case.id.eq_ignore_ascii_case(filter);
    if CASES.iter().any(exact) {
        return exact(case);
    }
    case.id
        .to_ascii_lowercase()
        .contains(&filter.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(filters: &[&str], isas: &[Isa]) -> Vec<String> {
        let filters: Vec<_> = filters.iter().map(|filter| (*filter).to_owned()).collect();
        select(&Run::all(), &filters, isas)
            .unwrap()
            .iter()
            .map(Run::label)
            .collect()
    }

    #[test]
    fn no_filter_means_everything() {
        assert_eq!(ids(&[], &[]).len(), Run::all().len());
        assert!(ids(&[], &[Isa::T32]).iter().all(|id| id.ends_with(".t32")));
    }

    #[test]
    fn a_part_of_an_id_matches() {
        assert_eq!(
            ids(&["sw-trap/C"], &[Isa::A64]),
            ["SW-TRAP/csw.a64", "SW-TRAP/cisw.a64"]
        );
    }

    #[test]
    fn a_whole_id_matches_that_case_alone() {
        for run in Run::all() {
            assert_eq!(ids(&[run.case.id], &[run.isa]), [run.label()]);
        }
    }

    #[test]
    fn a_rule_matches_all_its_cases() {
        assert_eq!(ids(&["rule:TGL-MC"], &[Isa::A32]).len(), 16);
        assert!(select(&Run::all(), &["rule:TGL".to_owned()], &[]).is_err());
    }

    #[test]
    fn what_is_hidden_must_be_meant() {
        let ids = |filters: &[&str]| -> Vec<&str> {
            let filters: Vec<_> = filters.iter().map(|it| (*it).to_owned()).collect();
            let runs = select(&Run::machine(), &filters, &[Isa::A64]).unwrap();
            runs.iter().map(|run| run.case.id).collect()
        };
        for filters in [&[][..], &["MCH"]] {
            assert!(!ids(filters).contains(&"MCH-RANDOM"));
            assert!(ids(filters).contains(&"MCH-SW/csw"));
        }
        assert_eq!(ids(&["MCH-RANDOM"]), ["MCH-RANDOM"]);
        assert_eq!(ids(&["cost"]), ["MCH-COST/compute", "MCH-COST/memory"]);
    }

    #[test]
    fn cases_have_ids_of_their_rules_and_settings_of_their_kind() {
        use std::collections::BTreeSet;
        let ids: BTreeSet<&str> = CASES.iter().map(|case| case.id).collect();
        assert_eq!(ids.len(), CASES.len());
        for case in CASES {
            let rule = case.id.split('/').next();
            assert_eq!(rule, Some(case.rule.id));
            let is_machine = case.rule.kind == setway_cases::Kind::Machine;
            assert_eq!(case.is_guest(), !is_machine, "{}", case.id);
        }
    }

    #[test]
    fn the_payload_is_told_what_to_expect() {
        let told = |id: &str, caches: Option<&str>| {
            let run = Run::machine().into_iter().find(|run| run.case.id == id);
            let caches = caches.map(|name| name.parse().unwrap());
            run.unwrap().with_caches(caches).arguments()
        };
        assert_eq!(told("MCH-SW/csw", Some("lazy")), "expect=fresh");
        assert_eq!(told("MCH-SW/csw", Some("lazy+system")), "expect=stale");
        assert_eq!(told("MCH-SW/csw", Some("migrate")), "expect=stale");
        assert_eq!(told("MCH-SWITCH/on", None), "expect=fresh");
        assert_eq!(told("MCH-COST/memory", Some("random:1")), "");
    }

    #[test]
    fn matching_nothing_is_an_error() {
        assert!(select(&Run::all(), &["no-such".to_owned(), "SW".to_owned()], &[]).is_err());
        for filters in [&["EXA-ZR"][..], &["SW", "EXA-ZR"]] {
            let filters: Vec<_> = filters.iter().map(|it| (*it).to_owned()).collect();
            let error = select(&Run::all(), &filters, &[Isa::T32]).unwrap_err();
            let said = error.to_string();
            assert!(said.contains("no case matches `EXA-ZR` in t32"), "{said}");
        }
    }
}
