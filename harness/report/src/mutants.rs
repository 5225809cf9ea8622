//! The schema `setway.mutants/1`: which cases notice which defect.

use serde::{Deserialize, Serialize};

use crate::Verdict;

/// The kill matrix.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MutantsReport {
    /// `setway.mutants/1`.
    pub schema: String,
    /// The mutants that were tried.
    pub mutants: Vec<Mutant>,
    /// Those that nothing killed.
    pub survivors: Vec<String>,
    /// Cases that killed nothing, though they could have. Only the full matrix names them.
    pub idle_cases: Vec<String>,
    /// Cases that killed nothing because their checks cannot fail on this machine. Only the full matrix names them.
    pub not_judged_cases: Vec<String>,
    /// Runs that are red without any defect, and so kill nothing.
    pub red_without_defect: Vec<String>,
    /// The same runs with their verdicts.
    #[serde(default)]
    pub red: Vec<Kill>,
    /// Runs that kill nothing because what went wrong is not the mutant's doing.
    pub errors: Vec<MutantError>,
    /// Whether each mutant was tried only until a first run killed it, and each case only until it killed a first mutant.
    #[serde(default)]
    pub quick: bool,
    /// Why mutants that only wrong data can show were left out: why there was no cache model. `None` if there was.
    #[serde(default)]
    pub without_cache_model: Option<String>,
    /// The patches that were tried in place of mutants, in the order in which they were named.
    #[serde(default)]
    pub patches: Vec<Patch>,
}

/// A patch of the reference hypervisor, and what noticed it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Patch {
    /// The file.
    pub file: String,
    /// The files of the checkout that it changes. Empty if that could not be found out.
    pub touched: Vec<String>,
    /// What became of it.
    pub fate: PatchFate,
    /// Why it survived or was not judged; `None` if it was killed.
    pub reason: Option<String>,
    /// What to do about that; `None` if there is nothing to do.
    pub next: Option<String>,
    /// The runs that killed it: the first one found, unless all were asked for.
    pub kills: Vec<Kill>,
}

/// What became of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PatchFate {
    /// A run noticed it.
    Killed,
    /// No run noticed it.
    Survived,
    /// It does not apply, does not build, changes nothing or what it must not; or runs went wrong for another reason.
    NotJudged,
}

/// A mutant and what noticed it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Mutant {
    /// Its name, as `--mutant` takes it.
    pub name: String,
    /// What it does wrong.
    pub defect: String,
    /// What it must show in, as `setway list` has it.
    #[serde(default)]
    pub shows: String,
    /// The runs that killed it, such as `COH-LOOP/csw.a64 [migrate]`.
    pub killed_by: Vec<String>,
    /// The same runs with their verdicts.
    #[serde(default)]
    pub kills: Vec<Kill>,
    /// Runs that noticed it by another kind of evidence than it must show in, which does not kill it.
    #[serde(default)]
    pub otherwise: Vec<Kill>,
}

/// A red run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Kill {
    /// The run, such as `COH-LOOP/csw.a64 [migrate]`.
    pub run: String,
    /// Its case.
    pub case: String,
    /// The rule that the case tests.
    #[serde(default)]
    pub rule: String,
    /// Its instruction set.
    pub isa: String,
    /// The schedule of its simulated caches; `None` without the cache model.
    pub caches: Option<String>,
    /// Its verdict.
    pub verdict: Verdict,
    /// Why.
    pub reason: Option<String>,
    /// The kinds of evidence in that: `counts`, `state`, `data`, `maintenance`. Empty for a run without a defect.
    #[serde(default)]
    pub signs: Vec<String>,
}

/// A run of a mutant that went wrong for another reason than its defect.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MutantError {
    /// The mutant's name.
    pub mutant: String,
    /// The run.
    pub run: String,
    /// What went wrong.
    pub reason: Option<String>,
}
