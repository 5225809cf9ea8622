//! Text in a record: any text when it is written, one word on the line.
//!
//! Bytes that could end the value or the line are written `%XX`. A text has one written form only, and no
//! other is read.

use core::fmt::{self, Write};

use crate::value::{Form, Value};

/// A text: as the writer has it, or as it stands on a line.
#[derive(Clone, Copy)]
pub struct Text<'a>(Source<'a>);

#[derive(Clone, Copy)]
enum Source<'a> {
    Plain(&'a str),
    Format(fmt::Arguments<'a>),
    /// Checked by [`is_escaped`].
    Escaped(&'a str),
}

impl<'a> Text<'a> {
    /// This text.
    pub const fn plain(text: &'a str) -> Self {
        Self(Source::Plain(text))
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self::plain(text)
    }
}

impl<'a> From<fmt::Arguments<'a>> for Text<'a> {
    fn from(text: fmt::Arguments<'a>) -> Self {
        Self(Source::Format(text))
    }
}

/// The text itself.
impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Source::Plain(text) => f.write_str(text),
            Source::Format(text) => f.write_fmt(text),
            Source::Escaped(text) => {
                let mut characters = Unescape(text.as_bytes()).flatten();
                characters.try_for_each(|c| f.write_char(c))
            }
        }
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        Expected(other).is_all_of(format_args!("{self}"))
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (_, Source::Plain(text)) => self == text,
            (Source::Plain(text), _) => other == text,
            (Source::Escaped(a), Source::Escaped(b)) => a == b,
            (Source::Format(text), Source::Escaped(escaped))
            | (Source::Escaped(escaped), Source::Format(text)) => {
                let mut expected = Expected(escaped);
                Escape(&mut expected).write_fmt(text).is_ok() && expected.0.is_empty()
            }
            (Source::Format(a), Source::Format(b)) => {
                let mut compared = Compared { with: b, at: 0 };
                compared.write_fmt(a).is_ok() && Length::of(b) == compared.at
            }
        }
    }
}

impl Eq for Text<'_> {}

impl<'a> Value<'a> for Text<'a> {
    const FORM: Form = Form::Text;

    fn write(&self, out: &mut dyn Write) -> fmt::Result {
        write!(Escape(out), "{self}")
    }

    fn read(text: &'a str) -> Option<Self> {
        is_escaped(text).then_some(Self(Source::Escaped(text)))
    }
}

/// Whether `byte` stands for itself on a line.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'%' | b'~' | b'=')
}

/// Writes every byte that could end a value as `%XX`.
struct Escape<'a>(&'a mut dyn Write);

impl Write for Escape<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().try_for_each(|byte| {
            if is_plain(byte) {
                self.0.write_char(byte.into())
            } else {
                write!(self.0, "%{byte:02X}")
            }
        })
    }
}

/// Whether `text` is what [`Escape`] makes of some text.
fn is_escaped(text: &str) -> bool {
    Unescape(text.as_bytes()).all(|c| c.is_some())
}

/// The characters of an escaped text, up to the first place where there is none, which is `None`.
struct Unescape<'a>(&'a [u8]);

impl Iterator for Unescape<'_> {
    type Item = Option<char>;

    fn next(&mut self) -> Option<Option<char>> {
        if self.0.is_empty() {
            return None;
        }
        let next = self.character();
        if next.is_none() {
            self.0 = &[];
        }
        Some(next)
    }
}

impl Unescape<'_> {
    fn character(&mut self) -> Option<char> {
        let mut bytes = [0; 4];
        for n in 0..bytes.len() {
            bytes[n] = self.byte()?;
            if let Ok(text) = core::str::from_utf8(&bytes[..=n]) {
                return text.chars().next();
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let digit = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'A'..=b'F' => Some(digit - b'A' + 10),
            _ => None,
        };
        let (byte, rest) = match self.0 {
            [b'%', high, low, rest @ ..] => {
                let byte = digit(*high)? << 4 | digit(*low)?;
                ((!is_plain(byte)).then_some(byte)?, rest)
            }
            [byte, rest @ ..] => (is_plain(*byte).then_some(*byte)?, rest),
            [] => return None,
        };
        self.0 = rest;
        Some(byte)
    }
}

/// What a text still has to be written as.
struct Expected<'a>(&'a str);

impl Expected<'_> {
    fn is_all_of(&mut self, text: fmt::Arguments<'_>) -> bool {
        self.write_fmt(text).is_ok() && self.0.is_empty()
    }
}

impl Write for Expected<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(text).ok_or(fmt::Error)?;
        Ok(())
    }
}

/// Compares what is written with another text, of which `at` bytes have been the same.
struct Compared<'a> {
    with: fmt::Arguments<'a>,
    at: usize,
}

impl Write for Compared<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut window = Window {
            skip: self.at,
            expected: text.as_bytes(),
        };
        window.write_fmt(self.with)?;
        self.at += text.len();
        window.expected.is_empty().then_some(()).ok_or(fmt::Error)
    }
}

/// Compares a part of what is written, which begins after `skip` bytes, with `expected`.
struct Window<'a> {
    skip: usize,
    expected: &'a [u8],
}

impl Write for Window<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let text = text.as_bytes();
        let part = &text[self.skip.min(text.len())..];
        self.skip -= text.len() - part.len();
        let part = &part[..part.len().min(self.expected.len())];
        self.expected = self.expected.strip_prefix(part).ok_or(fmt::Error)?;
        Ok(())
    }
}

/// Counts the bytes that are written.
struct Length(usize);

impl Length {
    fn of(text: fmt::Arguments<'_>) -> usize {
        let mut length = Self(0);
        // Counting does not fail.
        let _ = length.write_fmt(text);
        length.0
    }
}

impl Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped<'a>(text: Text<'_>, out: &'a mut String) -> Text<'a> {
        text.write(out).unwrap();
        Text::read(out).unwrap()
    }

    #[test]
    fn a_text_is_equal_to_itself_in_every_form() {
        let mut out = String::new();
        for (first, second) in [("a b=%", "~é\n€𝄞"), ("", ""), ("one", "")] {
            let whole = format!("{first}{second}");
            let plain = Text::from(whole.as_str());
            out.clear();
            let read = escaped(plain, &mut out);
            let formatted = Text(Source::Format(format_args!("{first}{second}")));
            for (a, b) in [(plain, read), (read, formatted), (formatted, plain)] {
                assert_eq!(a, b);
                assert_eq!(b, a);
                assert_eq!(a, whole.as_str());
                assert_eq!(a.to_string(), whole);
            }
            assert_eq!(formatted, Text::from(format_args!("{whole}{}", "")));
            assert_ne!(formatted, Text::from(format_args!("{whole}{}", 1)));
            assert_ne!(Text::from(format_args!("{whole}{}", 1)), formatted);
            assert_ne!(read, Text::from(format_args!("{whole}{}", 1)));
            assert_ne!(
                Text::from(format_args!("{}x", 'b')),
                Text::from(format_args!("{}x", 'a'))
            );
        }
    }

    #[test]
    fn a_text_has_one_written_form() {
        let no = [
            "a b", "a=b", "a~", "%", "%4", "%41", "%2f", "%FF", "%C3", "%C3x", "é", "\n",
        ];
        for text in no {
            assert!(Text::read(text).is_none(), "{text}");
        }
        for text in ["", "%20", "%C3%A9", "%F0%9D%84%9E"] {
            assert!(Text::read(text).is_some(), "{text}");
        }
    }
}
