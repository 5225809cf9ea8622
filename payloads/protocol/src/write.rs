//! Writing records: straight to the console, without a buffer, so that it works in a panic handler.

use crate::{CRC, PREFIX, Stream, kind};
use core::fmt::{self, Write};

/// A field's value.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Text; escaped on the line.
    Text(&'a str),
    /// Formatted text; escaped on the line.
    Args(fmt::Arguments<'a>),
    /// A register or an address, written in hexadecimal.
    Hex(u64),
    /// A count, written in decimal.
    Count(u64),
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => Escape(f).write_str(text),
            Value::Args(args) => Escape(f).write_fmt(*args),
            Value::Hex(number) => write!(f, "{number:#x}"),
            Value::Count(number) => write!(f, "{number}"),
        }
    }
}

/// Writes the records of one stream, numbering them.
#[derive(Debug)]
pub struct RecordWriter {
    stream: Stream,
    next: u64,
}

impl RecordWriter {
    /// A writer whose first record will have sequence number 0.
    pub const fn new(stream: Stream) -> Self {
        Self { stream, next: 0 }
    }

    /// Writes one record to `out`.
    pub fn write(
        &mut self,
        out: &mut impl Write,
        kind: &str,
        fields: &[(&str, Value<'_>)],
    ) -> fmt::Result {
        let mut line = Checked {
            out,
            digest: CRC.digest(),
        };
        write!(
            line,
            "{PREFIX}{} {} {kind}",
            self.stream.letter(),
            self.next
        )?;
        for (name, value) in fields {
            write!(line, " {name}={value}")?;
        }
        let crc = line.digest.finalize();
        self.next += 1;
        writeln!(line.out, " ~{crc:08x}\r")
    }

    /// Writes the record that closes the stream.
    pub fn end(&mut self, out: &mut impl Write) -> fmt::Result {
        let records = Value::Count(self.next);
        self.write(out, kind::END, &[("records", records)])
    }
}

/// Passes text on and sums it up.
struct Checked<'a, W: Write> {
    out: &'a mut W,
    digest: crc::Digest<'static, u32, crc::Table<1>>,
}

impl<W: Write> Write for Checked<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.digest.update(text.as_bytes());
        self.out.write_str(text)
    }
}

/// Writes every byte that could end a value as `%XX`.
struct Escape<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for Escape<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if byte.is_ascii_graphic() && !matches!(byte, b'%' | b'~' | b'=') {
                self.0.write_char(byte.into())?;
            } else {
                write!(self.0, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}
