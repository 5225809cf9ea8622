//! Writing records: straight to the console, without a buffer, so that it works in a panic handler.

use core::{
    fmt::{self, Write},
    marker::PhantomData,
};

use crate::{
    Kind, PREFIX,
    record::{End, Message},
    seal::{Digest, Key, Seal},
    stream::Speaker,
};

/// Writes the records of one stream, numbering them.
#[derive(Debug)]
pub struct RecordWriter<S> {
    next: u64,
    seal: Seal,
    stream: PhantomData<S>,
}

impl<S: Speaker> Default for RecordWriter<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Speaker> RecordWriter<S> {
    /// A writer whose first record will have number 0, for a stream whose lines have a checksum.
    pub const fn new() -> Self {
        const { assert!(!S::STREAM.is_keyed(), "the stream needs a key") }
        Self::with_seal(Seal::Checksum)
    }

    /// A writer whose first record will have number 0, for a stream whose lines are sealed with a key.
    pub const fn keyed(key: Key) -> Self {
        const { assert!(S::STREAM.is_keyed(), "the stream has no key") }
        Self::with_seal(Seal::Keyed(key))
    }

    /// A writer whose lines are sealed with `seal`, whatever the stream's own seal is. For tests of readers,
    /// which have to refuse a wrong one.
    pub const fn with_seal(seal: Seal) -> Self {
        Self {
            next: 0,
            seal,
            stream: PhantomData,
        }
    }

    /// Writes one record to `out`. That this stream has such records is checked when it is compiled.
    pub fn write<K: Kind>(&mut self, out: &mut impl Write, record: &K) -> fmt::Result {
        const {
            assert!(
                K::SPEC.is_spoken_by(S::STREAM),
                "the stream has no records of this kind"
            );
        }
        self.line(out, K::SPEC.kind, |out| record.write_fields(out))
    }

    /// Writes one record of any kind to `out`. An error, also, if this stream has no such records.
    pub fn write_any(&mut self, out: &mut impl Write, message: &Message<'_>) -> fmt::Result {
        if !message.spec().is_spoken_by(S::STREAM) {
            return Err(fmt::Error);
        }
        self.line(out, message.spec().kind, |out| message.write_fields(out))
    }

    fn line(
        &mut self,
        out: &mut impl Write,
        kind: &str,
        write_fields: impl FnOnce(&mut dyn Write) -> fmt::Result,
    ) -> fmt::Result {
        let mut line = Sealed {
            out,
            digest: self.seal.digest(),
        };
        let (letter, next) = (S::STREAM.letter(), self.next);
        write!(line, "{PREFIX}{letter} {next} {kind}")?;
        write_fields(&mut line)?;
        let seal = line.digest.finish();
        self.next += 1;
        let digits = self.seal.digits();
        writeln!(line.out, " ~{seal:0digits$x}\r")
    }

    /// Writes the record that closes the stream.
    pub fn end(&mut self, out: &mut impl Write) -> fmt::Result {
        let records = self.next;
        self.write(out, &End { records })
    }
}

/// Passes text on and sums it up.
struct Sealed<'a, W: Write> {
    out: &'a mut W,
    digest: Digest,
}

impl<W: Write> Write for Sealed<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.digest.update(text);
        self.out.write_str(text)
    }
}
