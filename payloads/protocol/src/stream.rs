//! Who speaks.

use core::fmt;

/// Who emits a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// The payload.
    Guest,
    /// The hypervisor under test, where it can speak the protocol.
    Hypervisor,
    /// The cache model, in QEMU's log.
    Model,
    /// The agent: a program on the hypervisor's own system that starts guests there, one after the other.
    Agent,
    /// Who asks the agent to.
    Requester,
}

impl Stream {
    /// Every stream.
    pub const ALL: [Self; 5] = [
        Self::Guest,
        Self::Hypervisor,
        Self::Model,
        Self::Agent,
        Self::Requester,
    ];

    /// The letter that stands for the stream on the line.
    pub const fn letter(self) -> char {
        match self {
            Self::Guest => 'g',
            Self::Hypervisor => 'h',
            Self::Model => 'm',
            Self::Agent => 'a',
            Self::Requester => 'r',
        }
    }

    /// The stream that the word `letter` stands for.
    pub(crate) fn by_letter(letter: &str) -> Option<Self> {
        let mut letters = letter.chars();
        let (first, None) = (letters.next()?, letters.next()) else {
            return None;
        };
        Self::ALL.into_iter().find(|it| it.letter() == first)
    }

    /// Who speaks, with an article.
    pub const fn speaker(self) -> &'static str {
        match self {
            Self::Guest => "the guest",
            Self::Hypervisor => "the hypervisor",
            Self::Model => "the cache model",
            Self::Agent => "the agent",
            Self::Requester => "the requester",
        }
    }

    /// Whether its lines are sealed with a key. The parties that speak about a guest on the same console
    /// have to be distinguished from that guest.
    pub const fn is_keyed(self) -> bool {
        matches!(self, Self::Hypervisor | Self::Agent)
    }
}

/// The stream in a sentence: “the guest's stream”.
impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}'s stream", self.speaker())
    }
}

/// A stream as a type, so that a record of another stream cannot be written to it.
pub trait Speaker {
    /// The stream.
    const STREAM: Stream;
}

macro_rules! speakers {
    ($($Name:ident)*) => {$(
        #[doc = concat!("[`Stream::", stringify!($Name), "`] as a type.")]
        #[derive(Clone, Copy, Debug)]
        pub enum $Name {}

        impl Speaker for $Name {
            const STREAM: Stream = Stream::$Name;
        }
    )*};
}

speakers! { Guest Hypervisor Model Agent Requester }
