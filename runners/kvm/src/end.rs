//! How a guest ended.

use std::fmt;

/// What ended the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It powered itself off.
    Off,
    /// It asked for a reset.
    Reset,
    /// It did what cannot be done, or KVM could not go on with it.
    Crash,
    /// Its time was over.
    Timeout,
    /// We failed, not the guest.
    Error,
}

/// Each kind's name in records.
const NAMES: [(Kind, &str); 5] = [
    (Kind::Off, "off"),
    (Kind::Reset, "reset"),
    (Kind::Crash, "crash"),
    (Kind::Timeout, "timeout"),
    (Kind::Error, "error"),
];

impl Kind {
    /// The name in records.
    pub fn name(self) -> &'static str {
        let found = NAMES.iter().find(|(kind, _)| *kind == self);
        found.map_or("error", |(_, name)| name)
    }

    /// The kind whose name is `name`.
    pub fn by_name(name: &str) -> Option<Self> {
        let found = NAMES.iter().find(|(_, known)| *known == name);
        found.map(|(kind, _)| *kind)
    }
}

/// How a guest ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// In one word.
    pub kind: Kind,
    /// What more there is to say.
    pub message: Option<String>,
}

impl End {
    /// An end that its kind says all of.
    pub fn plain(kind: Kind) -> Self {
        let message = None;
        Self { kind, message }
    }

    /// An end with more to say.
    pub fn because(kind: Kind, message: impl fmt::Display) -> Self {
        let message = Some(message.to_string());
        Self { kind, message }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
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
    fn every_kind_has_a_name_of_its_own() {
        for (kind, name) in NAMES {
            assert_eq!(kind.name(), name);
            assert_eq!(Kind::by_name(name), Some(kind));
        }
        assert_eq!(Kind::by_name("of"), None);
    }

    #[test]
    fn an_end_says_why() {
        let end = End::because(Kind::Timeout, "10 s are over");
        assert_eq!(end.to_string(), "timeout: 10 s are over");
        assert_eq!(End::plain(Kind::Off).to_string(), "off");
    }
}
