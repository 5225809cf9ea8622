//! Reading records: one line at a time, without allocation. Order is the reader's caller's business.

use crate::{CRC, PREFIX, Stream};
use core::fmt;

/// One whole record, its CRC checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Who emitted it.
    pub stream: Stream,
    /// Its place in that stream.
    pub seq: u64,
    /// One of [`crate::kind`].
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
    /// There is no ` ~` with eight digits at its end: it was cut off, or something was written into it.
    NoChecksum,
    /// The checksum on the line is not that of the line.
    BadChecksum {
        /// Of the text.
        computed: u32,
        /// On the line.
        written: u32,
    },
    /// Stream, sequence number or kind is missing or unknown.
    BadHeader,
    /// A word after the kind is not `name=value`.
    BadField,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParseError::NoChecksum => f.write_str("the record is cut off: it has no checksum"),
            ParseError::BadChecksum { computed, written } => write!(
                f,
                "the record is damaged: its checksum is {computed:08x}, the line says {written:08x}"
            ),
            ParseError::BadHeader => {
                f.write_str("the record's stream, number or kind is not valid")
            }
            ParseError::BadField => f.write_str("the record has a word that is not name=value"),
        }
    }
}

impl core::error::Error for ParseError {}

/// Reads one console line.
///
/// `None` if the line holds no record. Text before the prefix is ignored: firmware does not always
/// end its lines.
pub fn parse(line: &str) -> Option<Result<Record<'_>, ParseError>> {
    let start = line.rfind(PREFIX)?;
    Some(parse_record(line[start..].trim_end()))
}

fn parse_record(text: &str) -> Result<Record<'_>, ParseError> {
    let (body, sum) = text.rsplit_once(" ~").ok_or(ParseError::NoChecksum)?;
    if sum.len() != 8 {
        return Err(ParseError::NoChecksum);
    }
    let written = u32::from_str_radix(sum, 16).map_err(|_| ParseError::NoChecksum)?;
    let computed = CRC.checksum(body.as_bytes());
    if computed != written {
        return Err(ParseError::BadChecksum { computed, written });
    }
    let mut words = body[PREFIX.len()..].splitn(4, ' ');
    let stream = match words.next() {
        Some("g") => Stream::Guest,
        Some("h") => Stream::Hypervisor,
        Some("m") => Stream::Model,
        Some("a") => Stream::Agent,
        Some("r") => Stream::Requester,
        _ => return Err(ParseError::BadHeader),
    };
    let seq = words.next().and_then(|word| word.parse().ok());
    let seq = seq.ok_or(ParseError::BadHeader)?;
    let kind = words.next().ok_or(ParseError::BadHeader)?;
    let fields = Fields(words.next().unwrap_or(""));
    if kind.is_empty() || fields.words().any(|word| !word.contains('=')) {
        return Err(if kind.is_empty() {
            ParseError::BadHeader
        } else {
            ParseError::BadField
        });
    }
    Ok(Record {
        stream,
        seq,
        kind,
        fields,
    })
}

impl<'a> Fields<'a> {
    fn words(self) -> impl Iterator<Item = &'a str> {
        self.0.split(' ').filter(|word| !word.is_empty())
    }

    /// All fields in order, values still escaped.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.words().filter_map(|word| word.split_once('='))
    }

    /// The value of `name` as written, still escaped.
    pub fn raw(self, name: &str) -> Option<&'a str> {
        self.iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// The value of `name` as a number.
    pub fn number(self, name: &str) -> Option<u64> {
        let text = self.raw(name)?;
        match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        }
    }

    /// The bytes of the value of `name`, unescaped.
    pub fn bytes(self, name: &str) -> Option<impl Iterator<Item = u8> + 'a> {
        let mut rest = self.raw(name)?.bytes();
        let digit = |byte: Option<u8>| char::from(byte.unwrap_or(b'0')).to_digit(16).unwrap_or(0);
        Some(core::iter::from_fn(move || {
            let byte = rest.next()?;
            if byte != b'%' {
                return Some(byte);
            }
            Some((digit(rest.next()) * 16 + digit(rest.next())) as u8)
        }))
    }
}
