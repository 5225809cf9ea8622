//! Profiles: what `runners/profiles/*.toml` states that hypervisors of one kind do.
//!
//! Cases demand the counts of the policy of 2015. Where a kind of hypervisor counts differently and
//! rightly so, its profile gives what is expected instead, and why. Data is never excused.

use std::collections::BTreeMap;

use setway_cases::{CASES, Case, Kind, Premise};

use super::{
    Unknown,
    raw::{self, RuleKind},
    source::{Mistakes, Source},
};

/// A kind of hypervisor.
#[derive(Clone, Debug)]
pub struct Profile {
    /// What hypervisors and reports call it.
    pub name: String,
    /// One line about it.
    pub about: String,
    /// Where that is stated.
    pub source: String,
    /// The kinds of rule that bind it.
    pub rules: Vec<Kind>,
    /// The counts that differ from what the cases demand. A later row overrides an earlier one.
    pub differs: Vec<Difference>,
    /// Traps besides those of the policy and of the cases' own instructions; `None` if there are none.
    pub other_traps: Option<OtherTraps>,
    /// The premises that do not hold, by name, and why. Cases that need one say nothing about it.
    pub lacks: BTreeMap<String, String>,
    /// What maintenance may cost, by the name of the hypervisor: it is measured, so that each has bounds of its own.
    pub cost: BTreeMap<String, Grant>,
}

/// Bounds of what maintenance may cost.
pub type Grant = raw::Grant;

/// Counts that differ.
pub type Difference = raw::Difference;

/// Traps that neither the policy nor a case asks for.
pub type OtherTraps = raw::OtherTraps;

impl Profile {
    /// What `raw`, read from `source`, stands for.
    pub(super) fn new(source: &Source, raw: raw::Profile, mistakes: &mut Mistakes) -> Self {
        let differs = raw.differs.iter();
        let named = differs.filter_map(|it| Some((it.span(), it.get_ref().case.as_ref()?)));
        for (span, name) in named {
            if !CASES.iter().any(|case| case.id == *name) {
                source.mistake(&span, format_args!("there is no case `{name}`"), mistakes);
            }
        }
        for premise in raw.lacks.keys() {
            if Premise::by_name(premise.get_ref()).is_none() {
                let known = Premise::ALL.map(|it| it.name().to_owned());
                let unknown = Unknown::new("premise", premise.get_ref(), known);
                source.mistake(&premise.span(), unknown, mistakes);
            }
        }
        Self {
            name: raw.name.into_inner(),
            about: raw.about,
            source: raw.source,
            rules: raw.rules.into_iter().map(Kind::from).collect(),
            differs: raw
                .differs
                .into_iter()
                .map(toml::Spanned::into_inner)
                .collect(),
            other_traps: raw.other_traps,
            lacks: raw
                .lacks
                .into_iter()
                .map(|(name, why)| (name.into_inner(), why))
                .collect(),
            cost: raw.cost,
        }
    }

    /// The rows about `case` and, if one is named, its step.
    pub fn rows<'a>(
        &'a self,
        case: &Case,
        step: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Difference> {
        let id = case.id;
        self.differs.iter().filter(move |it| {
            let about_step = step.is_none_or(|name| it.step.as_ref().is_none_or(|own| own == name));
            it.case.as_ref().is_none_or(|own| own == id) && about_step
        })
    }

    /// Why the counts of `case` are not those that it demands, each reason once.
    pub fn reasons(&self, case: &Case) -> Vec<&str> {
        let mut reasons: Vec<&str> = Vec::new();
        for row in self.rows(case, None) {
            if !reasons.contains(&row.why.as_str()) {
                reasons.push(&row.why);
            }
        }
        reasons
    }

    /// Why `case` says nothing about `hypervisor`, if so.
    pub fn why_skipped(&self, case: &Case, hypervisor: &str) -> Option<String> {
        let premises = case.premises();
        let mut lacking = premises.filter_map(|it| self.lacks.get(it.name()));
        if let Some(why) = lacking.next() {
            return Some(format!("{}: {why}", case.id));
        }
        if self.rules.contains(&case.rule.kind) {
            return None;
        }
        let bound: Vec<&str> = self.rules.iter().map(|kind| kind.name()).collect();
        let bound = if bound.is_empty() {
            "none".to_owned()
        } else {
            format!("{} ones", bound.join(" and "))
        };
        Some(format!(
            "{} is a rule of kind {}, and of rules {bound} bind {hypervisor}",
            case.rule.id,
            case.rule.kind.name(),
        ))
    }
}

impl From<RuleKind> for Kind {
    fn from(kind: RuleKind) -> Self {
        match kind {
            RuleKind::Architectural => Kind::Architectural,
            RuleKind::Policy => Kind::Policy,
            RuleKind::Machine => Kind::Machine,
        }
    }
}
