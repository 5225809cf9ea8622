//! Values that a check has to take for right.

use std::{fmt, str::FromStr};

/// How the right value of a check is found. Files write it as `0x3`, `from` or `from | 0x2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// It is always the same.
    Constant(u64),
    /// It is what the check says that it was computed from, with these bits set.
    From(u64),
}

impl Want {
    /// The value, for a check with this `from`. `None` if it needs one and has none.
    pub fn value(self, from: Option<u64>) -> Option<u64> {
        match self {
            Want::Constant(value) => Some(value),
            Want::From(bits) => Some(from? | bits),
        }
    }

    /// How `want` was found of `from`. `None` if it is neither a constant nor `from` with bits set.
    pub fn found(want: u64, from: Option<u64>) -> Option<Self> {
        match from {
            None => Some(Want::Constant(want)),
            Some(from) => (from & want == from).then_some(Want::From(want & !from)),
        }
    }
}

impl fmt::Display for Want {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Want::Constant(value) => write!(f, "{value:#x}"),
            Want::From(0) => f.write_str("from"),
            Want::From(bits) => write!(f, "from | {bits:#x}"),
        }
    }
}

/// Text that is no [`Want`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a number in hexadecimal nor `from` nor `from | ` and a number")]
pub struct NotAWant(String);

impl FromStr for Want {
    type Err = NotAWant;

    fn from_str(text: &str) -> Result<Self, NotAWant> {
        let want = match text.strip_prefix("from") {
            None => number(text).map(Want::Constant),
            Some("") => Some(Want::From(0)),
            Some(rest) => rest.strip_prefix(" | ").and_then(number).map(Want::From),
        };
        want.ok_or_else(|| NotAWant(text.to_owned()))
    }
}

/// A number as records write it.
pub fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}
