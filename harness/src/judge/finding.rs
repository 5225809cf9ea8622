//! Whether what is wrong with a run is known.
//!
//! A finding excuses nothing: the run stays red. It says that the deviation has been investigated, so that what is
//! new stands out, and a deviation that is gone is noticed, too. A run is known only if each of its failures is one
//! that a finding names, with its value, and if what a finding names as certain shows as a whole.

use setway_cache_model::Schedule;

use crate::{
    catalog::{
        finding::{EndKind, Finding, OFF, Shows, Symptom, SymptomStep},
        obligation::want,
        schedule::Caches,
    },
    judge::{Judgement, Verdict, failure::Failure},
    plan::Run,
};

/// A finding as reports refer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its short name.
    pub id: String,
    /// One line about it.
    pub title: String,
    /// The short names of the others that explain the run together with it.
    pub others: Vec<String>,
    /// All that the run shows is what findings say to show by chance, and not each time.
    pub by_chance: bool,
}

impl Known {
    /// Whether the finding called `id` is the one, or one of those that explain the run together.
    pub fn is_of(&self, id: &str) -> bool {
        self.id == id || self.others.iter().any(|other| other == id)
    }
}

/// The finding that explains `judgement` of `run` under the target that is called by `names`, if it is known as a
/// whole. Where several explain it together, the first of them.
pub fn known(
    findings: &[Finding],
    names: &[&str],
    run: &Run,
    judgement: &Judgement,
) -> Option<Known> {
    let symptoms = symptoms(findings, names, run);
    let explains = |symptom: &Symptom| match (&symptom.shows, judgement.verdict) {
        (Shows::Failures { .. }, Verdict::Fail) => {
            judgement.failures.iter().any(|it| symptom.names(it))
        }
        (Shows::End(kind, part), verdict) => {
            let reason = judgement.reason.as_deref().unwrap_or_default();
            verdict == Verdict::from(*kind) && reason.contains(part.as_str())
        }
        (Shows::Failures { .. }, _) => false,
    };
    let (first, _) = *symptoms.iter().find(|(_, it)| explains(it))?;
    if judgement.verdict == Verdict::Fail {
        let named = |failure: &Failure| symptoms.iter().any(|(_, it)| it.names(failure));
        let instead = |id: &String| {
            let mut others = symptoms.iter().filter(|(finding, _)| finding.id == *id);
            others.any(|(_, it)| explains(it))
        };
        let whole = |symptom: &Symptom| {
            symptom.sometimes
                || symptom.unless.as_ref().is_some_and(instead)
                || symptom.shows_whole(&judgement.failures)
        };
        // Two rows about one case may be about different targets or caches, and only those that apply are here.
        let certain = symptoms.iter().filter(|(_, it)| explains(it));
        if judgement.failures.is_empty()
            || !judgement.failures.iter().all(named)
            || !certain.clone().all(|(_, it)| whole(it))
        {
            return None;
        }
    }
    let explaining = symptoms.iter().filter(|(_, it)| explains(it));
    let ids = explaining.clone().map(|(finding, _)| &finding.id);
    let mut others: Vec<String> = ids.filter(|id| **id != first.id).cloned().collect();
    others.dedup();
    Some(Known {
        id: first.id.clone(),
        title: first.title.clone(),
        others,
        by_chance: explaining.clone().all(|(_, it)| it.sometimes),
    })
}

/// The verdict of a run that passes and should show a finding each time, if there is such a finding.
pub fn gone(findings: &[Finding], names: &[&str], run: &Run) -> Option<Judgement> {
    let symptoms = symptoms(findings, names, run);
    let (finding, _) = symptoms.iter().find(|(_, it)| !it.sometimes)?;
    let reason = format!(
        "finding {id} does not show any more (the rule is met; see whether it was fixed, and correct expectations/findings/{id}.toml)",
        id = finding.id,
    );
    Some(Judgement::new(Verdict::Fail, reason))
}

/// Runs that show `finding` under the target that is called by `names`, those that do not each time among them; one
/// for each of the caches that matter.
pub fn runs(finding: &Finding, names: &[&str]) -> Vec<Run> {
    let all = Run::all().into_iter();
    let caches = [None, Some(Caches::new(Schedule::Lazy))];
    let each = all.flat_map(|run| caches.map(|caches| run.with_caches(caches)));
    let one = std::slice::from_ref(finding);
    let mut runs: Vec<Run> = each
        .filter(|run| !symptoms(one, names, run).is_empty())
        .collect();
    // Without caches it is faster.
    runs.dedup_by_key(|run| run.with_caches(None).label());
    runs
}

/// The symptoms that `run` can have under the target that is called by `names`, with their findings.
fn symptoms<'a>(
    findings: &'a [Finding],
    names: &[&str],
    run: &Run,
) -> Vec<(&'a Finding, &'a Symptom)> {
    let caches = run
        .caches
        .map_or_else(|| OFF.to_owned(), |it| it.to_string());
    let about = |it: &Symptom| {
        it.case.id == run.case.id
            && it.isas.contains(&run.isa)
            && (it.caches.is_empty() || it.caches.contains(&caches))
            && (it.hypervisors.is_empty()
                || it.hypervisors.iter().any(|it| names.contains(&it.as_str())))
    };
    let concerned = findings.iter().filter(|it| it.is_about(names));
    let all = concerned.flat_map(|finding| finding.runs.iter().map(move |it| (finding, it)));
    all.filter(|(_, it)| about(it)).collect()
}

impl Symptom {
    /// Whether `failure` is one that it names, with its value.
    fn names(&self, failure: &Failure) -> bool {
        let Shows::Failures {
            checks,
            steps,
            stale,
            costs,
        } = &self.shows
        else {
            return false;
        };
        match failure {
            Failure::Check { name, got, .. } => {
                checks.iter().any(|it| it.name == *name && it.got == *got)
            }
            Failure::Step { .. } => steps.iter().any(|it| is_step(it, failure)),
            // A load that the symptom says more of: a check compares what it saw.
            Failure::Stale { saw, is_load, .. } => {
                let is_saw = |got: &str| want::number(got) == Some(*saw);
                *stale && *is_load && checks.iter().any(|it| is_saw(&it.got))
            }
            Failure::OtherTraps { .. }
            | Failure::Flushes { .. }
            | Failure::Missed { .. }
            | Failure::Lost { .. }
            | Failure::Half { .. } => false,
            Failure::Cost { excess, .. } => costs.iter().any(|it| it == excess.name()),
        }
    }

    /// Whether all that it names is among `failures`.
    fn shows_whole(&self, failures: &[Failure]) -> bool {
        let Shows::Failures {
            checks,
            steps,
            stale,
            costs,
        } = &self.shows
        else {
            return false;
        };
        let is_check = |name: &str, value: &str| {
            failures.iter().any(
                |it| matches!(it, Failure::Check { name: own, got, .. } if own == name && got == value),
            )
        };
        let is_costly = |name: &str| {
            failures
                .iter()
                .any(|it| matches!(it, Failure::Cost { excess, .. } if excess.name() == name))
        };
        let is_stale = failures
            .iter()
            .any(|it| matches!(it, Failure::Stale { .. }));
        checks.iter().all(|it| is_check(&it.name, &it.got))
            && steps
                .iter()
                .all(|step| failures.iter().any(|it| is_step(step, it)))
            && (!stale || is_stale)
            && costs.iter().all(|name| is_costly(name))
    }
}

/// Whether `failure` is about `step`, differs in exactly the counts that `step` names, and by these values.
fn is_step(step: &SymptomStep, failure: &Failure) -> bool {
    let Failure::Step {
        name,
        expected,
        observed,
        ..
    } = failure
    else {
        return false;
    };
    let wrong = |expected: u64, observed: u64| (expected != observed).then_some(observed);
    let flush = match (expected.flush, observed.flush) {
        (Some(expected), Some(observed)) => wrong(expected, observed),
        _ => None,
    };
    // Where nobody counts flushes, they cannot differ.
    let named = observed.flush.and(step.flush);
    step.name == *name
        && step.set_way == wrong(expected.set_way, observed.set_way)
        && step.vm_reg == wrong(expected.vm_reg, observed.vm_reg)
        && named == flush
}

impl From<EndKind> for Verdict {
    fn from(kind: EndKind) -> Self {
        match kind {
            EndKind::Crash => Verdict::Crash,
            EndKind::Timeout => Verdict::Timeout,
            EndKind::NoVerdict => Verdict::NoVerdict,
        }
    }
}

#[cfg(test)]
mod tests;
