//! The ways in which an observation proves nothing.

use setway_protocol::Stream;

use crate::evidence::transcript::Fault;

/// Why an observation proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Gap {
    /// The records themselves.
    #[error(transparent)]
    Records(#[from] Fault),
    /// A stream without a record.
    #[error("there is no record of {0}")]
    Silent(Stream),
    /// A stream that does not start with `begin`.
    #[error("{stream} does not begin with `begin`: `{line}`")]
    NoBegin {
        /// Which.
        stream: Stream,
        /// Its first record.
        line: String,
    },
    /// A stream that does not end with `end`.
    #[error("{stream} has no end; its last record is `{last}`")]
    NoEnd {
        /// Which.
        stream: Stream,
        /// Its last record.
        last: String,
    },
    /// Something else was run than was asked for.
    #[error("{stream} was asked for {what} `{asked}` and says `{said}`")]
    NotAsked {
        /// Which stream.
        stream: Stream,
        /// The field.
        what: &'static str,
        /// What it should say.
        asked: String,
        /// What it says.
        said: String,
    },
    /// Steps that are not numbered from 0 on.
    #[error("expected step {expected}, got another: `{line}`")]
    StepOrder {
        /// Its right number.
        expected: u64,
        /// The line.
        line: String,
    },
    /// Not two marks per step.
    #[error("{steps} steps need {} marks; {whose} has {found}", steps * 2)]
    Marks {
        /// Steps reported.
        steps: usize,
        /// Marks found.
        found: usize,
        /// Who counted.
        whose: String,
    },
    /// A register that the harness does not know, or counted twice.
    #[error("the hypervisor counts traps of `{0}`, which is unknown or was counted before")]
    Register(String),
    /// Not one record with the hypervisor's totals.
    #[error("the hypervisor's stream has {0} `totals` records; expected one")]
    Totals(usize),
    /// Lines of the exception log are lost, so its counts are no proof.
    #[error("{0} blocks of the exception log are not whole: lines of it are lost")]
    LossyLog(usize),
    /// The hypervisor's trace had no room for all of its events.
    #[error("the hypervisor's trace lost {0} events")]
    LostEvents(u64),
    /// The cache model noticed more than it writes down.
    #[error(
        "the cache model noticed more than {0} kinds of stale reads or lost writes, and wrote down no more"
    )]
    Unlisted(usize),
    /// Nobody outside of the guest counted.
    #[error("no witness outside the guest counts {0} here")]
    NoWitness(&'static str),
    /// The simulated caches have another shape than the CPU's.
    #[error(
        "internal error (not the hypervisor's fault): {machine} gives its cache as {given}, and the CPU reports {reported}; correct `[cache_model]` in its file under runners/machines"
    )]
    Geometry {
        /// The machine.
        machine: String,
        /// What its file gives.
        given: String,
        /// What CCSIDR gives.
        reported: String,
    },
    /// A case that observed nothing.
    #[error("the guest reports neither steps nor checks")]
    Nothing,
    /// The cache model did not see what there was to see.
    #[error("internal error (not the hypervisor's fault): the cache model has watched {0}")]
    Unwatched(String),
    /// With coherent caches, the cache model is not as QEMU.
    #[error(
        "internal error (not the hypervisor's fault): the cache model differs from QEMU in {count} of {of} accesses, first in what it has of {first}"
    )]
    Differs {
        /// How often.
        count: u64,
        /// How much was compared.
        of: u64,
        /// What differed first, and where.
        first: String,
    },
    /// QEMU and the hypervisor do not agree.
    #[error(
        "internal error (not the hypervisor's fault): for {what} QEMU's log counts {log} and the hypervisor {hypervisor}"
    )]
    Disagreement {
        /// What was counted.
        what: String,
        /// From outside.
        log: u64,
        /// From inside.
        hypervisor: u64,
    },
}

impl Gap {
    /// Whether the hypervisor's policy cannot have caused it.
    pub fn is_our_error(&self) -> bool {
        matches!(
            self,
            Gap::Disagreement { .. }
                | Gap::NotAsked { .. }
                | Gap::Unwatched(_)
                | Gap::Differs { .. }
                | Gap::Geometry { .. }
        )
    }
}
