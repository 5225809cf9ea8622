//! Setway's reports as data.
//!
//! What `setway run`, `setway list`, `setway mutants` and `setway explain` print with `--format json` is one of four
//! documents: [`RunReport`], [`ListReport`], [`MutantsReport`], [`ExplainReport`]. A program that reads them needs this crate and
//! a JSON parser, and neither the harness nor a machine.
//!
//! A schema's number changes when a field is removed or changes its meaning. Fields are added without one, so
//! a reader must ignore fields that it does not know, and every field that came after the first version of
//! its schema is optional here: old documents stay readable. The committed JSON schemas are generated from
//! these types, with the feature `schema`.

mod explain;
mod list;
mod mutants;
mod origin;
mod run;
mod verdict;

pub use explain::{Entry, ExplainReport, Page, Passage, Section};
pub use list::{Case, Finding, Hypervisor, ListReport, ListedMutant, Machine, Rule};
pub use mutants::{Kill, Mutant, MutantError, MutantsReport, Patch, PatchFate};
pub use origin::{Artifact, Checkout, Host, Origin, Tool};
pub use run::{
    BuildIds, CacheModel, Check, Cost, Counts, CpuCache, Flush, HypervisorAccount, KnownFinding,
    Maintained, Notice, Observed, Ops, Place, RunReport, RunResult, Step, Target, Totals, Trapped,
    Witnessed,
};
pub use verdict::Verdict;

/// The schema of [`RunReport`].
pub const RUN_SCHEMA: &str = "setway.run/1";
/// The schema of [`ListReport`].
pub const LIST_SCHEMA: &str = "setway.list/1";
/// The schema of [`ExplainReport`].
pub const EXPLAIN_SCHEMA: &str = "setway.explain/1";
/// The schema of [`MutantsReport`].
pub const MUTANTS_SCHEMA: &str = "setway.mutants/1";
