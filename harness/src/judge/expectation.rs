//! Expectations: what a run showed when it was last agreed to, kept as insta snapshots.
//!
//! A snapshot adds "and nothing changed" to a verdict that the rule has already given. The files are
//! insta's, so that `cargo insta` can review them; the comparison is our own, because insta's can be
//! made by an environment variable to let everything pass.

use std::{
    fmt::Write as _,
    io,
    path::{Path, PathBuf},
};

use fs_err as fs;
use similar::TextDiff;

use crate::{
    evidence::observation::{Counts, Observation},
    judge::{Judgement, Verdict},
    plan::Run,
    workspace::Workspace,
};

/// The expectation of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// The snapshot.
    pub path: PathBuf,
    /// The same below the checkout, for people.
    shown: PathBuf,
    /// Its case's title, which stands in the snapshot's head.
    description: String,
}

/// How every snapshot begins.
const HEAD: &str = "---\n";

/// How an observation compares with its expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// It is the same.
    Same,
    /// There is none.
    Missing {
        /// The expectation.
        expectation: Expectation,
        /// What was observed.
        observed: String,
    },
    /// The file is no snapshot.
    Damaged(Expectation),
    /// It is another.
    Different {
        /// The expectation.
        expectation: Expectation,
        /// What was expected.
        expected: String,
        /// What was observed.
        observed: String,
    },
}

impl Expectation {
    /// The expectation of `run` under `hypervisor`.
    pub fn of(workspace: &Workspace, hypervisor: &str, run: &Run) -> Self {
        let file = run.with_caches(None).file_stem() + ".snap";
        let path = workspace.expectations().join(hypervisor).join(file);
        let shown = path.strip_prefix(workspace.root()).unwrap_or(&path);
        Self {
            shown: shown.to_owned(),
            path,
            description: format!("{}: {}", run.label(), run.case.rule.title),
        }
    }

    /// Holds `observation` against it.
    pub fn compare(self, observation: &Observation) -> Comparison {
        let observed = render(observation);
        match fs::read_to_string(&self.path) {
            Ok(text) if contents(&text) == observed => Comparison::Same,
            Ok(text) if !text.starts_with(HEAD) => Comparison::Damaged(self),
            Ok(text) => {
                let expected = contents(&text).to_owned();
                Comparison::Different {
                    expectation: self,
                    expected,
                    observed,
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Comparison::Missing {
                expectation: self,
                observed,
            },
            Err(error) => {
                let expected = format!("(cannot be read: {error})\n");
                Comparison::Different {
                    expectation: self,
                    expected,
                    observed,
                }
            }
        }
    }

    /// Makes `observed` the expectation.
    fn write(&self, observed: &str) -> io::Result<()> {
        let dir = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(dir)?;
        let description = serde_json::Value::from(self.description.as_str());
        let text = format!(
            "---\nsource: harness/tests/suite.rs\ndescription: {description}\n---\n{observed}"
        );
        fs::write(&self.path, text)
    }
}

impl Comparison {
    /// The verdict of a run that has met its rule.
    pub fn judge(&self) -> Judgement {
        let reason = match self {
            Comparison::Same => return Judgement::pass(),
            Comparison::Damaged(expectation) => {
                let file = expectation.shown.display();
                return Judgement::new(
                    Verdict::Fail,
                    format!(
                        "it meets its rule, but {file} is damaged: it is no snapshot (restore it from Git, or remove it and run with --bless)"
                    ),
                );
            }
            Comparison::Missing { .. } => "it has no expectation yet",
            Comparison::Different { .. } => "it differs from its expectation",
        };
        let advice = "it meets its rule; `run --bless` shows the difference and accepts it";
        Judgement::new(Verdict::Fail, format!("{reason} ({advice})"))
    }

    /// What differs, as a unified diff.
    pub fn diff(&self) -> Option<String> {
        let (expectation, expected, observed) = match self {
            Comparison::Same | Comparison::Damaged(_) => return None,
            Comparison::Missing {
                expectation,
                observed,
            } => (expectation, "", observed),
            Comparison::Different {
                expectation,
                expected,
                observed,
            } => (expectation, expected.as_str(), observed),
        };
        let path = &expectation.shown;
        let diff = TextDiff::from_lines(expected, observed.as_str());
        let diff = diff
            .unified_diff()
            .header(&path.display().to_string(), "observed")
            .to_string();
        Some(diff)
    }

    /// Whether the expectation cannot be read as one. It has to be looked at, and is not replaced.
    pub fn is_damaged(&self) -> bool {
        matches!(self, Comparison::Damaged(_))
    }

    /// Makes what was observed the expectation. Says whether that changed anything.
    pub fn bless(&self) -> io::Result<bool> {
        match self {
            Comparison::Same | Comparison::Damaged(_) => Ok(false),
            Comparison::Missing {
                expectation,
                observed,
            }
            | Comparison::Different {
                expectation,
                observed,
                ..
            } => expectation.write(observed).map(|()| true),
        }
    }
}

/// The text of a snapshot after its head.
fn contents(snapshot: &str) -> &str {
    let body = snapshot
        .strip_prefix("---\n")
        .and_then(|rest| rest.split_once("\n---\n"));
    body.map_or(snapshot, |(_, body)| body)
}

/// What of an observation is the same in every run and with every build: no addresses, no times,
/// and nothing that depends on how large the images are.
pub fn render(observation: &Observation) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut text, observation);
    text
}

fn write(text: &mut String, observation: &Observation) -> std::fmt::Result {
    writeln!(text, "steps:")?;
    for (n, step) in observation.steps.iter().enumerate() {
        writeln!(text, "  {n} {}: {}", step.name, counts(step.observed))?;
    }
    writeln!(text, "checks:")?;
    for check in &observation.checks {
        if check.is_right() {
            writeln!(text, "  {}: right", check.name)?
        } else {
            writeln!(
                text,
                "  {}: want {}, got {}",
                check.name, check.want, check.got
            )?
        }
    }
    writeln!(text, "traps:")?;
    for (register, count) in &observation.registers {
        writeln!(text, "  {register}: {count}")?;
    }
    if let Some(account) = &observation.account {
        writeln!(text, "flushes: {}", account.flushes)?;
        if account.lost > 0 {
            writeln!(text, "events lost: {}", account.lost)?;
        }
        writeln!(text, "trace:")?;
        let mut events = account.events.clone();
        if observation.at_once {
            events.sort_unstable();
        }
        for same in events.chunk_by(|a, b| a == b) {
            match same.len() {
                1 => writeln!(text, "  {}", same[0])?,
                times => writeln!(text, "  {} ({times} times)", same[0])?,
            }
        }
    }
    Ok(())
}

fn counts(counts: Counts) -> String {
    let flush = counts.flush.map(|flush| format!(" flush={flush}"));
    format!(
        "set_way={} vm_reg={}{}",
        counts.set_way,
        counts.vm_reg,
        flush.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expectation(dir: &Path) -> Expectation {
        Expectation {
            path: dir.join("new/X.a64.snap"),
            shown: "new/X.a64.snap".into(),
            description: "a \"title\": x".to_owned(),
        }
    }

    fn observation(flushes: u64) -> Observation {
        let mut observation = crate::judge::tests::passing();
        observation.account.as_mut().unwrap().flushes = flushes;
        observation
    }

    #[test]
    fn missing_then_blessed_then_the_same_then_different() {
        let dir = tempfile::tempdir().unwrap();
        let missing = expectation(dir.path()).compare(&observation(1));
        assert!(matches!(missing, Comparison::Missing { .. }));
        assert_eq!(missing.judge().verdict, Verdict::Fail);
        assert!(missing.diff().unwrap().contains("+flushes: 1"));
        assert!(missing.bless().unwrap());

        let same = expectation(dir.path()).compare(&observation(1));
        assert_eq!(same, Comparison::Same);
        assert_eq!(same.judge().verdict, Verdict::Pass);
        assert!(!same.bless().unwrap());

        let different = expectation(dir.path()).compare(&observation(2));
        assert_eq!(different.judge().verdict, Verdict::Fail);
        let diff = different.diff().unwrap();
        assert!(diff.contains("-flushes: 1\n+flushes: 2\n"), "{diff}");
    }

    #[test]
    fn what_is_no_snapshot_is_damaged_and_not_accepted() {
        assert!(!Comparison::Same.is_damaged());
        let dir = tempfile::tempdir().unwrap();
        for garbage in ["", "\u{1}garbage\n"] {
            let it = expectation(dir.path());
            fs::create_dir_all(it.path.parent().unwrap()).unwrap();
            fs::write(&it.path, garbage).unwrap();
            let damaged = it.compare(&observation(1));
            let judgement = damaged.judge();
            assert_eq!(judgement.verdict, Verdict::Fail);
            assert!(judgement.reason.unwrap().contains("is damaged"));
            assert!(!damaged.bless().unwrap());
        }
    }

    #[test]
    fn what_is_written_is_a_snapshot_to_insta() {
        let dir = tempfile::tempdir().unwrap();
        let missing = expectation(dir.path()).compare(&observation(1));
        missing.bless().unwrap();
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(dir.path().join("new"));
        settings.set_prepend_module_to_snapshot(false);
        settings.bind(|| insta::assert_snapshot!("X.a64", render(&observation(1))));
    }

    #[test]
    fn a_snapshot_without_a_head_is_all_contents() {
        assert_eq!(contents("steps:\n"), "steps:\n");
        assert_eq!(contents("---\na: b\n---\nsteps:\n---\n"), "steps:\n---\n");
    }
}
