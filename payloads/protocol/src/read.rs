//! Reading records: one line at a time, without allocation. Order is the reader's caller's business.

use core::fmt;

use crate::{
    KindSpec, PREFIX, Stream,
    seal::{Key, Seal},
    value::{Form, Value},
};

/// Where a line was read, which decides who can have written it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A console, which a guest writes, and, where there is a key, also those who speak about it.
    Console(Option<Key>),
    /// QEMU's log, which the cache model writes and nobody else.
    Log,
    /// What an agent reads.
    Requests,
}

impl Channel {
    /// How lines of `stream` are sealed here.
    fn seal(self, stream: Stream) -> Result<Seal, ParseError> {
        match (self, stream) {
            (Self::Console(_), Stream::Guest)
            | (Self::Log, Stream::Model)
            | (Self::Requests, Stream::Requester) => Ok(Seal::Checksum),
            // What a terminal shows of the requests is no news.
            (Self::Console(_), Stream::Requester) => Ok(Seal::Checksum),
            (Self::Console(Some(key)), Stream::Hypervisor | Stream::Agent) => Ok(Seal::Keyed(key)),
            _ => Err(ParseError::NotHere(stream)),
        }
    }
}

/// One whole record, its seal checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Who emitted it.
    pub stream: Stream,
    /// Its place in that stream.
    pub seq: u64,
    /// Its kind: a word of [`crate::record::KINDS`], if it is known.
    pub kind: &'a str,
    /// What it says.
    pub fields: Fields<'a>,
}

/// The fields of a record, still as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields<'a>(&'a str);

/// Why a line that claims to be a record is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// There is no ` ~` with the seal's digits at its end: it was cut off, or something was written into it.
    NoSeal,
    /// The checksum on the line is not that of the line.
    BadChecksum {
        /// Of the text.
        computed: u64,
        /// On the line.
        written: u64,
    },
    /// The line is not sealed with the key of this run.
    Forged(Stream),
    /// Who is said to speak cannot do so here.
    NotHere(Stream),
    /// Stream, sequence number or kind is missing or unknown.
    BadHeader,
    /// A word after the kind is not `name=value`.
    BadField,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSeal => f.write_str("the record is cut off: it has no checksum"),
            Self::BadChecksum { computed, written } => write!(
                f,
                "the record is damaged: its checksum is {computed:08x}, the line says {written:08x}"
            ),
            Self::Forged(stream) => write!(
                f,
                "the record is forged or damaged: it claims to be of {stream}, and is not sealed with this run's key"
            ),
            Self::NotHere(stream) => write!(
                f,
                "the record is forged: it claims to be of {stream}, and {} does not write here",
                stream.speaker()
            ),
            Self::BadHeader => f.write_str("the record's stream, number or kind is not valid"),
            Self::BadField => f.write_str("the record has a word that is not name=value"),
        }
    }
}

impl core::error::Error for ParseError {}

/// Reads one line of `channel`.
///
/// `None` if the line holds no record. Text before the prefix is ignored: firmware does not always
/// end its lines.
pub fn parse(line: &str, channel: Channel) -> Option<Result<Record<'_>, ParseError>> {
    let start = line.rfind(PREFIX)?;
    Some(parse_record(line[start..].trim_end(), channel))
}

fn parse_record(text: &str, channel: Channel) -> Result<Record<'_>, ParseError> {
    let (body, written) = text.rsplit_once(" ~").ok_or(ParseError::NoSeal)?;
    // The space before the seal may be the one of the prefix.
    let words = body.get(PREFIX.len()..).ok_or(ParseError::BadHeader)?;
    let mut words = words.splitn(4, ' ');
    let stream = words.next().and_then(Stream::by_letter);
    let Some(stream) = stream else {
        return Err(ParseError::BadHeader);
    };
    check_seal(body, written, stream, channel.seal(stream)?)?;
    let seq = words.next().and_then(u64::read);
    let seq = seq.ok_or(ParseError::BadHeader)?;
    let kind = words.next().filter(|kind| !kind.is_empty());
    let kind = kind.ok_or(ParseError::BadHeader)?;
    let fields = Fields(words.next().unwrap_or(""));
    if !fields.words().all(|word| word.contains('=')) {
        return Err(ParseError::BadField);
    }
    Ok(Record {
        stream,
        seq,
        kind,
        fields,
    })
}

/// Checks the seal of a line against the `written` one.
fn check_seal(body: &str, written: &str, stream: Stream, seal: Seal) -> Result<(), ParseError> {
    let computed = seal.of(body);
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_seal = written.len() == seal.digits() && written.bytes().all(is_digit);
    let number = is_seal.then(|| u64::from_str_radix(written, 16).ok());
    match (seal, number.flatten()) {
        (_, Some(written)) if written == computed => Ok(()),
        (Seal::Keyed(_), _) => Err(ParseError::Forged(stream)),
        (Seal::Checksum, Some(written)) => Err(ParseError::BadChecksum { computed, written }),
        (Seal::Checksum, None) => Err(ParseError::NoSeal),
    }
}

impl<'a> Fields<'a> {
    fn words(self) -> impl Iterator<Item = &'a str> {
        let is_empty = self.0.is_empty();
        self.0.split(' ').filter(move |_| !is_empty)
    }

    /// All fields in order, values still as written.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.words().filter_map(|word| word.split_once('='))
    }
}

/// Why a whole record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed<'a> {
    /// Whose it is.
    pub stream: Stream,
    /// Its kind.
    pub kind: &'a str,
    /// Why not.
    pub why: Why<'a>,
}

/// Why a record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why<'a> {
    /// The stream has no records of this kind.
    Kind,
    /// A field is missing.
    Missing(&'static str),
    /// A field is there twice.
    Doubled(&'a str),
    /// The kind has no such field.
    Field(&'a str),
    /// A field's value is not written as it must be.
    Value {
        /// The field.
        field: &'static str,
        /// What it is.
        found: &'a str,
        /// What it must be.
        must_be: Form,
    },
}

impl fmt::Display for Malformed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, kind, why } = self;
        match why {
            Why::Kind => write!(f, "{} has no record `{kind}`", stream.speaker()),
            Why::Missing(field) => write!(f, "the record `{kind}` has no field `{field}`"),
            Why::Doubled(field) => write!(f, "the record `{kind}` has two fields `{field}`"),
            Why::Field(field) => write!(
                f,
                "the record `{kind}` has a field `{field}`, which does not belong there"
            ),
            Why::Value {
                field,
                found,
                must_be,
            } => write!(
                f,
                "the field `{field}` of the record `{kind}` is `{found}`, and must be {must_be}"
            ),
        }
    }
}

impl core::error::Error for Malformed<'_> {}

impl<'a> Record<'a> {
    /// Whether it is of this kind.
    pub(crate) fn is_of(&self, spec: &KindSpec) -> bool {
        self.kind == spec.kind && spec.is_spoken_by(self.stream)
    }

    /// The error for a record of no kind that its stream has.
    pub(crate) fn unknown(&self) -> Malformed<'a> {
        self.because(Why::Kind)
    }

    /// Checks that it is of this kind and has no field that it should not have, and none twice.
    pub(crate) fn check_fields(&self, spec: &KindSpec) -> Result<(), Malformed<'a>> {
        if !self.is_of(spec) {
            return Err(self.unknown());
        }
        for (n, (name, _)) in self.fields.iter().enumerate() {
            if !spec.fields.iter().any(|field| field.name == name) {
                return Err(self.because(Why::Field(name)));
            }
            if self.fields.iter().take(n).any(|(before, _)| before == name) {
                return Err(self.because(Why::Doubled(name)));
            }
        }
        Ok(())
    }

    /// Reads a field.
    pub(crate) fn field<T: Value<'a>>(&self, name: &'static str) -> Result<T, Malformed<'a>> {
        match self.fields.iter().find(|(field, _)| *field == name) {
            Some((_, found)) => T::read(found).ok_or_else(|| {
                self.because(Why::Value {
                    field: name,
                    found,
                    must_be: T::FORM,
                })
            }),
            None => T::absent().ok_or_else(|| self.because(Why::Missing(name))),
        }
    }

    fn because(&self, why: Why<'a>) -> Malformed<'a> {
        Malformed {
            stream: self.stream,
            kind: self.kind,
            why,
        }
    }
}
