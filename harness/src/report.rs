//! Telling people and programs what runs came to.

pub mod human;
pub mod json;
pub mod junit;
pub mod progress;
pub mod tap;

use std::time::Duration;

use crate::{
    bench::{Bench, Outcome},
    judge::Verdict,
};

/// What there is to tell.
#[derive(Debug)]
pub struct Report<'a> {
    /// What the runs were made with.
    pub bench: &'a Bench,
    /// The runs, in the order of the catalogue.
    pub outcomes: &'a [Outcome],
    /// From the first start to the last end.
    pub wall: Duration,
    /// Options for the repeat command, each with a space before it.
    pub repeat: &'a str,
}

impl Report<'_> {
    /// How many runs have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.outcomes
            .iter()
            .filter(|outcome| outcome.judgement.verdict == verdict)
            .count()
    }

    /// Whether nothing is red.
    pub fn is_good(&self) -> bool {
        !self
            .outcomes
            .iter()
            .any(|outcome| outcome.judgement.verdict.is_bad())
    }

    /// The command that repeats one run alone.
    pub fn repeat_command(&self, outcome: &Outcome) -> String {
        let run = &outcome.run;
        format!(
            "cargo run -- run {} --isa {}{}",
            run.case.id, run.isa, self.repeat
        )
    }
}
