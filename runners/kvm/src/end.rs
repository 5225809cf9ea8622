//! How a guest ended.

use std::fmt;

use setway_protocol::{record::Over, word::GuestEnd};

/// How a guest ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// In one word.
    pub kind: GuestEnd,
    /// What more there is to say.
    pub message: Option<String>,
}

impl End {
    /// An end that its kind says all of.
    pub fn plain(kind: GuestEnd) -> Self {
        let message = None;
        Self { kind, message }
    }

    /// An end with more to say.
    pub fn because(kind: GuestEnd, message: impl fmt::Display) -> Self {
        let message = Some(message.to_string());
        Self { kind, message }
    }

    /// The record that says that request `n` ended so.
    pub fn over(&self, n: u64) -> Over<'_> {
        Over {
            n,
            end: self.kind,
            msg: self.message.as_deref().map(Into::into),
        }
    }

    /// The end that a record reports.
    pub fn of(over: &Over<'_>) -> Self {
        Self {
            kind: over.end,
            message: over.msg.map(|message| message.to_string()),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        match &self.message {
            Some(message) => write!(f, ": {message}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_says_why() {
        let end = End::because(GuestEnd::Timeout, "10 s are over");
        assert_eq!(end.to_string(), "timeout: 10 s are over");
        assert_eq!(End::plain(GuestEnd::Off).to_string(), "off");
        for end in [end, End::plain(GuestEnd::Reset)] {
            assert_eq!(End::of(&end.over(1)), end);
        }
    }
}
