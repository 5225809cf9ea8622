//! The words for what a run shows.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The verdict on a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It met its rule.
    Pass,
    /// It did not.
    Fail,
    /// It was not made, for a reason known beforehand.
    Skip,
    /// Guest, hypervisor or QEMU gave up.
    Crash,
    /// It went over a limit and was killed.
    Timeout,
    /// It ended without proof of anything.
    NoVerdict,
}

impl Verdict {
    /// All, in the order of summaries.
    pub const ALL: [Verdict; 6] = [
        Verdict::Pass,
        Verdict::Fail,
        Verdict::Skip,
        Verdict::Crash,
        Verdict::Timeout,
        Verdict::NoVerdict,
    ];

    /// The word for it, everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Skip => "skip",
            Verdict::Crash => "crash",
            Verdict::Timeout => "timeout",
            Verdict::NoVerdict => "no_verdict",
        }
    }

    /// Whether it makes the whole red.
    pub const fn is_bad(self) -> bool {
        !matches!(self, Verdict::Pass | Verdict::Skip)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
