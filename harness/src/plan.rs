//! Which runs there are to make.

use setway_cases::{CASES, Case};

use setway_cache_model::Schedule;

use crate::{
    Error,
    caches::{Caches, Choice},
    isa::Isa,
};

/// One case in one ISA, under the hypervisor with or without a defect, on a machine with or without
/// caches.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The case.
    pub case: &'static Case,
    /// The ISA.
    pub isa: Isa,
    /// The mutant, if the hypervisor is to be one.
    pub defect: Option<&'static str>,
    /// The machine's caches, if it is to have any.
    pub caches: Option<Caches>,
}

impl Run {
    /// The boot argument for the defect.
    pub fn defect_name(&self) -> &'static str {
        self.defect.unwrap_or("none")
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
        if let Some(defect) = self.defect {
            stem += &format!(".{defect}");
        }
        stem
    }

    /// Every run without a defect, in the order of reports.
    pub fn all() -> Vec<Run> {
        let runs = CASES.iter().flat_map(|case| {
            let isas = case.isas.iter().map(|isa| Isa::from(*isa));
            isas.map(move |isa| Run {
                case,
                isa,
                defect: None,
                caches: None,
            })
        });
        runs.collect()
    }

    /// The same run with a defect.
    pub fn with_defect(self, defect: Option<&'static str>) -> Run {
        Run { defect, ..self }
    }

    /// The same run with caches.
    pub fn with_caches(self, caches: Option<Caches>) -> Run {
        Run { caches, ..self }
    }

    /// The run, once for each of the caches of `choice`. Without a choice it is made with caches to which
    /// hardware does nothing, and if it compares data, also with such as flee from set/way ops.
    pub fn each(self, choice: Option<&Choice>) -> Vec<Run> {
        let default = [Schedule::Lazy, Schedule::Migrate].map(Caches::new);
        let chosen = match choice {
            Some(Choice::Off) => return vec![self],
            Some(Choice::Each(each)) => each.as_slice(),
            None if self.case.needs_cache_model => &default,
            None => &default[..1],
        };
        let with = |caches: &Caches| self.with_caches(Some(*caches));
        chosen.iter().map(with).collect()
    }
}

/// The runs that match any of `filters` and any of `isas`; none given means all.
///
/// A filter is a case's id, or part of some, or `rule:` and a rule's id.
pub fn select(filters: &[String], isas: &[Isa]) -> Result<Vec<Run>, Error> {
    let wanted = |run: &Run| {
        (filters.is_empty() || filters.iter().any(|filter| matches(filter, run.case)))
            && (isas.is_empty() || isas.contains(&run.isa))
    };
    let runs: Vec<Run> = Run::all().into_iter().filter(wanted).collect();
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
    Err(Error::NoMatch {
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
        select(&filters, isas)
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
        assert!(select(&["rule:TGL".to_owned()], &[]).is_err());
    }

    #[test]
    fn matching_nothing_is_an_error() {
        assert!(select(&["no-such".to_owned(), "SW".to_owned()], &[]).is_err());
        for filters in [&["EXA-ZR"][..], &["SW", "EXA-ZR"]] {
            let filters: Vec<_> = filters.iter().map(|it| (*it).to_owned()).collect();
            let error = select(&filters, &[Isa::T32]).unwrap_err();
            let said = error.to_string();
            assert!(said.contains("no case matches `EXA-ZR` in t32"), "{said}");
        }
    }
}
