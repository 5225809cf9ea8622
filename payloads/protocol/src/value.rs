//! What a field can hold, and how it stands on the line.
//!
//! Every value has one written form only, and no other is read: what is read was written by a program of
//! this protocol.

use core::fmt::{self, Write};

use crate::words::WordSpec;

/// What can be the value of a field.
pub trait Value<'a>: Sized {
    /// How it is written.
    const FORM: Form;

    /// Whether a record may lack the field.
    const IS_OPTIONAL: bool = false;

    /// Whether the field is there.
    fn is_present(&self) -> bool {
        true
    }

    /// Writes what stands after the `=`.
    fn write(&self, out: &mut dyn Write) -> fmt::Result;

    /// The value that is written as `text`; `None` if none is.
    fn read(text: &'a str) -> Option<Self>;

    /// The value that a record without the field has; `None` if it must have one.
    fn absent() -> Option<Self> {
        None
    }
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A number in decimal.
    Decimal,
    /// A number in hexadecimal, after `0x`.
    Hexadecimal,
    /// 0 or 1.
    Flag,
    /// Text in which `%XX` stands for a byte.
    Text,
    /// Bytes, each in two hexadecimal digits.
    Bytes,
    /// One of these words.
    Word(&'static [WordSpec]),
    /// Where data is.
    Whereabouts,
    /// A CPU, and what it executes.
    Actor,
    /// One of these words, and an actor.
    Deed(&'static [WordSpec]),
}

/// The form in a sentence: “must be a number in decimal”.
impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decimal => f.write_str("a number in decimal"),
            Self::Hexadecimal => f.write_str("a number in hexadecimal, as in 0x1f"),
            Self::Flag => f.write_str("0 or 1"),
            Self::Text => f.write_str("text in which %XX stands for what is no plain character"),
            Self::Bytes => f.write_str("bytes in hexadecimal"),
            Self::Word(words) => {
                f.write_str("one of")?;
                let mut words = words.iter().map(|it| it.word);
                words.try_for_each(|word| write!(f, " `{word}`"))
            }
            Self::Whereabouts => f.write_str("`cache:CPU`, `system-cache`, `memory` or `lost`"),
            Self::Actor => f.write_str("`CPU` or `CPU:EL:PC`, as in 0:1:0x40200000"),
            Self::Deed(words) => {
                Self::Word(words).fmt(f)?;
                f.write_str(", then `:` and who did it, `CPU` or `CPU:EL:PC`")
            }
        }
    }
}

/// A count.
impl<'a> Value<'a> for u64 {
    const FORM: Form = Form::Decimal;

    fn write(&self, out: &mut dyn Write) -> fmt::Result {
        write!(out, "{self}")
    }

    fn read(text: &'a str) -> Option<Self> {
        digits(text, 10)
    }
}

/// A register, an address, a hash.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hex(pub u64);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Debug for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'a> Value<'a> for Hex {
    const FORM: Form = Form::Hexadecimal;

    fn write(&self, out: &mut dyn Write) -> fmt::Result {
        write!(out, "{self}")
    }

    fn read(text: &'a str) -> Option<Self> {
        digits(text.strip_prefix("0x")?, 16).map(Self)
    }
}

/// The number that `text` is the usual form of, with small digits.
fn digits(text: &str, radix: u32) -> Option<u64> {
    let is_digit = |byte: u8| char::from(byte).is_digit(radix) && !byte.is_ascii_uppercase();
    let is_usual = text.bytes().all(is_digit) && (text == "0" || !text.starts_with('0'));
    is_usual.then(|| u64::from_str_radix(text, radix).ok())?
}

impl<'a> Value<'a> for bool {
    const FORM: Form = Form::Flag;

    fn write(&self, out: &mut dyn Write) -> fmt::Result {
        out.write_char(if *self { '1' } else { '0' })
    }

    fn read(text: &'a str) -> Option<Self> {
        match text {
            "0" => Some(false),
            "1" => Some(true),
            _ => None,
        }
    }
}

impl<'a, T: Value<'a>> Value<'a> for Option<T> {
    const FORM: Form = T::FORM;

    const IS_OPTIONAL: bool = true;

    fn is_present(&self) -> bool {
        self.is_some()
    }

    fn write(&self, out: &mut dyn Write) -> fmt::Result {
        self.iter().try_for_each(|value| value.write(out))
    }

    fn read(text: &'a str) -> Option<Self> {
        T::read(text).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

/// Bytes: as the writer has them, or as they stand on a line.
#[derive(Clone, Copy)]
pub struct Bytes<'a>(Source<'a>);

#[derive(Clone, Copy)]
enum Source<'a> {
    Plain(&'a [u8]),
    /// An even number of digits.
    Digits(&'a [u8]),
}

impl<'a> From<&'a [u8]> for Bytes<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(Source::Plain(bytes))
    }
}

impl<'a> Bytes<'a> {
    /// The bytes, the first one first.
    pub fn iter(self) -> impl Iterator<Item = u8> + use<'a> {
        let (plain, digits) = match self.0 {
            Source::Plain(bytes) => (bytes, &[][..]),
            Source::Digits(digits) => (&[][..], digits),
        };
        let digit = |digit: u8| char::from(digit).to_digit(16).unwrap_or_default() as u8;
        let read = digits
            .chunks_exact(2)
            .map(move |pair| digit(pair[0]) << 4 | digit(pair[1]));
        plain.iter().copied().chain(read)
    }
}

impl PartialEq for Bytes<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Bytes<'_> {}

impl fmt::Debug for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

impl<'a> Value<'a> for Bytes<'a> {
    const FORM: Form = Form::Bytes;

    fn write(&self, out: &mut dyn Write) -> fmt::Result {
        self.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }

    fn read(text: &'a str) -> Option<Self> {
        let digits = text.as_bytes();
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_bytes = digits.len().is_multiple_of(2) && digits.iter().all(is_digit);
        is_bytes.then_some(Self(Source::Digits(digits)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Actor, Deed, Whereabouts, word::Access};

    fn none<T: for<'a> Value<'a>>(texts: &[&str]) {
        for text in texts {
            assert!(T::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_value_has_one_written_form() {
        none::<u64>(&["", "007", "00", "+5", "-1", "1a", "18446744073709551616"]);
        none::<Hex>(&[
            "",
            "0x",
            "1f",
            "0X1f",
            "0x1F",
            "0x01",
            "0x+1",
            "0x10000000000000000",
        ]);
        none::<bool>(&["", "00", "2", "true"]);
        none::<Actor>(&[
            "",
            "0:",
            "0:1",
            "0:1:",
            "0:1:4",
            "0:1:0x4:0",
            "00",
            ":1:0x4",
        ]);
        none::<Deed<Access>>(&["cached", "cached:", "Cached:0", ":0", "cached:0:1"]);
        none::<Whereabouts>(&[
            "", "cache", "cache:", "cache:x", "memory:", "memory:0", "Lost",
        ]);
        for text in ["0", "abc", "zz", "0G", "AB"] {
            assert!(Bytes::read(text).is_none(), "{text}");
        }
        assert_eq!(u64::read("18446744073709551615"), Some(u64::MAX));
        assert_eq!(Hex::read("0xffffffffffffffff"), Some(Hex(u64::MAX)));
        assert_eq!(Hex::read("0x0"), Some(Hex(0)));
    }
}
