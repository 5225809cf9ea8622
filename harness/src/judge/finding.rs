//! Findings: deviations of real hypervisors that are known, from `expectations/findings/*.toml`.
//!
//! A finding does not excuse anything: the run stays red. It says that the deviation has been looked into,
//! so that what is new stands out, and a deviation that is gone is noticed, too.

use std::path::Path;

use serde::{Deserialize, Serialize};
use setway_cache_model::Schedule;
use setway_cases::CASES;

use crate::{
    Error,
    catalog::{isa::Isa, toml_file},
    judge::{Judgement, Verdict},
    plan::{Run, schedule::Caches},
    workspace::paths,
};

/// A known deviation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Its short name; the file's, too.
    pub id: String,
    /// One line about it.
    pub title: String,
    /// The rules that are broken.
    pub rules: Vec<String>,
    /// The hypervisors that break it, as `--hyp` names them.
    pub hypervisors: Vec<String>,
    /// What the rule expects.
    pub expected: String,
    /// What happens instead, and why.
    pub happened: String,
    /// Lines of logs and traces that show it.
    pub evidence: String,
    /// The shortest command that shows it again.
    pub repeat: String,
    /// Whether those who write the hypervisor know.
    pub upstream: String,
    /// The runs that show it.
    #[serde(rename = "run")]
    pub runs: Vec<Symptom>,
}

/// What stands for no caches at all.
const OFF: &str = "off";

/// How a finding shows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Symptom {
    /// In this case.
    pub case: String,
    /// In these instruction sets.
    pub isas: Vec<Isa>,
    /// With these caches, as `--caches` names them, or `off`; with whichever if none are named.
    #[serde(default)]
    pub caches: Vec<String>,
    /// Under these of the finding's hypervisors; under all if none are named.
    #[serde(default)]
    pub hypervisors: Vec<String>,
    /// It does not show each time.
    #[serde(default)]
    pub sometimes: bool,
    /// The verdict.
    pub verdict: Verdict,
    /// Its reason, in which `*` stands for any text.
    pub reason: String,
}

/// A finding as reports refer to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Known {
    /// Its short name.
    pub id: String,
    /// One line about it.
    pub title: String,
}

impl Finding {
    /// All there are, by name.
    pub fn all() -> Result<Vec<Self>, Error> {
        let dir = paths::expectations().join("findings");
        if !dir.is_dir() {
            return Ok(Vec::new());
        }
        let files = paths::files(&dir, "toml")?;
        files.iter().map(|file| Self::read(file)).collect()
    }

    fn read(file: &Path) -> Result<Self, Error> {
        let finding: Self = toml_file::read(file)?;
        match finding.is_wrong(file) {
            None => Ok(finding),
            Some(reason) => Err(Error::Meaningless {
                file: file.to_owned(),
                reason,
            }),
        }
    }

    fn is_wrong(&self, file: &Path) -> Option<String> {
        if file.file_stem().is_none_or(|stem| *stem != *self.id) {
            return Some(format!("its id is `{}`", self.id));
        }
        for symptom in &self.runs {
            match CASES.iter().find(|case| case.id == symptom.case) {
                None => return Some(format!("there is no case `{}`", symptom.case)),
                Some(case) if !self.rules.iter().any(|rule| rule == case.rule.id) => {
                    return Some(format!("{} is of rule {}", case.id, case.rule.id));
                }
                Some(_) if !symptom.verdict.is_bad() => {
                    return Some(format!("{} is no deviation", symptom.verdict));
                }
                Some(_) => {}
            }
            if symptom.isas.is_empty() {
                return Some(format!("{} has no `isas`", symptom.case));
            }
            for name in symptom.caches.iter().filter(|name| *name != OFF) {
                if let Err(error) = name.parse::<Caches>() {
                    return Some(format!("`{name}` is no kind of caches: {error}"));
                }
            }
            let stranger = |name: &&String| !self.hypervisors.contains(name);
            if let Some(name) = symptom.hypervisors.iter().find(stranger) {
                return Some(format!("`{name}` is none of its hypervisors"));
            }
        }
        None
    }

    /// Whether it shows in `run` under the hypervisor that `label` names each time.
    pub fn always_shows(&self, label: &str, run: &Run) -> bool {
        self.symptoms(label, run).any(|it| !it.sometimes)
    }

    /// Whether it shows by chance only.
    pub fn depends_on_timing(&self) -> bool {
        self.runs.iter().all(|it| it.sometimes)
    }

    /// Runs that show it under the hypervisor that `label` names, those that do not each time among them; one
    /// for each of the caches that matter.
    pub fn runs(&self, label: &str) -> Vec<Run> {
        let all = Run::all().into_iter();
        let caches = [None, Some(Caches::new(Schedule::Lazy))];
        let each = all.flat_map(|run| caches.map(|caches| run.with_caches(caches)));
        let mut runs: Vec<Run> = each
            .filter(|run| self.symptoms(label, run).next().is_some())
            .collect();
        // Without caches it is faster.
        runs.dedup_by_key(|run| run.with_caches(None).label());
        runs
    }

    /// Whether it is what `judgement` of `run` says.
    pub fn explains(&self, label: &str, run: &Run, judgement: &Judgement) -> bool {
        let reason = judgement.reason.as_deref().unwrap_or_default();
        self.symptoms(label, run)
            .any(|it| it.verdict == judgement.verdict && matches(&it.reason, reason))
    }

    /// The verdict of a run that should show it, and passes.
    pub fn judge_gone(&self) -> Judgement {
        let reason = format!(
            "finding {id} does not show any more ({advice} expectations/findings/{id}.toml)",
            id = self.id,
            advice = "the rule is met; see whether it was mended, and correct",
        );
        Judgement::new(Verdict::Fail, reason)
    }

    fn symptoms(&self, label: &str, run: &Run) -> impl Iterator<Item = &Symptom> {
        let caches = run
            .caches
            .map_or_else(|| OFF.to_owned(), |it| it.to_string());
        let ours = self.hypervisors.iter().any(|name| name == label);
        self.runs.iter().filter(move |it| {
            ours && it.case == run.case.id
                && it.isas.contains(&run.isa)
                && (it.caches.is_empty() || it.caches.contains(&caches))
                && (it.hypervisors.is_empty() || it.hypervisors.iter().any(|name| name == label))
        })
    }

    /// As reports refer to it.
    pub fn known(&self) -> Known {
        Known {
            id: self.id.clone(),
            title: self.title.clone(),
        }
    }
}

/// Whether `text` is `pattern`, in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let (first, rest) = match pattern.split_once('*') {
        None => return pattern == text,
        Some(parts) => parts,
    };
    let Some(text) = text.strip_prefix(first) else {
        return false;
    };
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    ends.into_iter().any(|at| matches(rest, &text[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text() {
        for (pattern, text) in [
            ("a load at * saw *", "a load at 0x40 saw 0x1"),
            ("*", ""),
            ("x*", "x"),
            ("x", "x"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("x", "xy"), ("x*z", "xy"), ("", "x"), ("*y", "x")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn committed_findings_are_sound() {
        Finding::all().unwrap();
    }
}
