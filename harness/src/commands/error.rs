//! What can go wrong before and around runs. What goes wrong *in* a run is a verdict instead.
//!
//! Each room has errors of its own; only the program has to name them all.

use std::{io, path::PathBuf};

use crate::{
    bench,
    catalog::{NoTarget, Unknown, source::Mistakes},
    judge::obligation::Conflict,
    lab::recording,
    plan::NoMatch,
    provide::{self, patch},
    report::{self, document, explain},
    workspace,
};

/// An error of usage or environment, with what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no checkout to work in.
    #[error(transparent)]
    Workspace(#[from] workspace::Error),
    /// A data file cannot be used.
    #[error(transparent)]
    Data(#[from] Mistakes),
    /// A name that stands for nothing.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// A name that has no manual page.
    #[error(transparent)]
    NoPage(#[from] explain::Unknown),
    /// Nothing to run them on.
    #[error(transparent)]
    NoTarget(#[from] NoTarget),
    /// Runs do not agree on what a case owes.
    #[error("what the cases owe cannot be learnt: {0}")]
    Conflict(#[from] Conflict),
    /// Nothing to run.
    #[error(transparent)]
    NoMatch(#[from] NoMatch),
    /// A mutant was asked for of a hypervisor that has none.
    #[error(
        "{0} has no mutants\n  next: leave --mutant or --hyp out; the reference hypervisor has them"
    )]
    NoMutants(String),
    /// A kept run cannot be judged again.
    #[error(transparent)]
    Recording(#[from] recording::Error),
    /// The bench is not ready.
    #[error(transparent)]
    Bench(#[from] bench::Error),
    /// Patches cannot be tried.
    #[error(transparent)]
    Patch(#[from] patch::Error),
    /// Something cannot be had.
    #[error(transparent)]
    Provide(#[from] provide::Error),
    /// The signal handler.
    #[error("cannot catch Ctrl-C: {0}")]
    Signals(#[from] ctrlc::Error),
    /// A file.
    #[error(transparent)]
    File(#[from] io::Error),
    /// A report has no text in a format.
    #[error(transparent)]
    Report(#[from] report::Error),
    /// Results cannot be written to stdout.
    #[error("cannot write to stdout: {0}")]
    Stdout(io::Error),
    /// A file that should be a report.
    #[error(transparent)]
    NoReport(#[from] document::Error),
    /// Where a report should go, there is one.
    #[error(
        "{} holds another report\n  next: name another directory for --report, or remove this one",
        .0.display()
    )]
    ReportExists(PathBuf),
}
