//! The records of a console, put in order, and every way in which they are not as they must be.
//!
//! Invariant 1 of the design: silence fails. A stream counts only if it is whole, so every gap,
//! repetition and damage is a [`Fault`] with the raw line. Reading goes on behind a fault, because a
//! later record may say that somebody crashed, which is the better reason.

use std::fmt;

use setway_protocol::{Fields, ParseError, Stream, kind, parse};

/// A record of which nothing is borrowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// One of [`kind`].
    pub kind: String,
    /// Names and values, unescaped, as on the line.
    pub fields: Vec<(String, String)>,
    /// The line.
    pub line: String,
}

impl Record {
    /// The text of a field.
    pub fn text(&self, name: &str) -> Result<&str, Fault> {
        let found = self.fields.iter().find(|(field, _)| field == name);
        found
            .map(|(_, value)| value.as_str())
            .ok_or_else(|| self.lacks(name))
    }

    /// The number in a field.
    pub fn number(&self, name: &str) -> Result<u64, Fault> {
        let text = self.text(name)?;
        let number = match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => text.parse(),
        };
        number.map_err(|_| self.lacks(name))
    }

    fn lacks(&self, name: &str) -> Fault {
        Fault::Field {
            name: name.to_owned(),
            line: self.line.clone(),
        }
    }
}

/// The records of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// As they came.
    pub records: Vec<Record>,
    next: u64,
    ended: bool,
}

impl Records {
    /// Whether its `end` record has been read.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// All records of one kind.
    pub fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Record> {
        self.records
            .iter()
            .filter(move |record| record.kind == kind)
    }
}

/// A console, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Console {
    /// The payload's stream.
    pub guest: Records,
    /// The hypervisor's stream; empty if it has none.
    pub hypervisor: Records,
    /// The cache model's stream, which is in QEMU's log; empty if there are no caches.
    pub model: Records,
    /// What is wrong with the records and their order, in the order found.
    pub faults: Vec<Fault>,
}

/// A way in which a stream of records proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A line that claims to be a record is none.
    #[error("{error}: {line:?}")]
    Damaged {
        /// How.
        error: ParseError,
        /// Where.
        line: String,
    },
    /// Records are missing.
    #[error("{} is missing: `{line}`", Missing(*stream, *from, *to))]
    Gap {
        /// Of which stream.
        stream: Stream,
        /// The first that is missing.
        from: u64,
        /// The first behind the gap.
        to: u64,
        /// The line behind the gap.
        line: String,
    },
    /// A record came again, or out of order.
    #[error("record {seq} of {} is a duplicate or out of order: `{line}`", name(*stream))]
    Duplicate {
        /// Of which stream.
        stream: Stream,
        /// Its number.
        seq: u64,
        /// The second line with that number, or a lower one.
        line: String,
    },
    /// A record after the last.
    #[error("{} goes on after its end: `{line}`", name(*stream))]
    AfterEnd {
        /// Of which stream.
        stream: Stream,
        /// The line.
        line: String,
    },
    /// The `end` record does not agree with what came before it.
    #[error("the end of {} counts {counted} records before it, and {seen} came: `{line}`", name(*stream))]
    EndCount {
        /// Of which stream.
        stream: Stream,
        /// What the record says.
        counted: u64,
        /// What its own place is.
        seen: u64,
        /// The line.
        line: String,
    },
    /// A record lacks a field or has one that cannot be read.
    #[error("the record has no usable field `{name}`: `{line}`")]
    Field {
        /// The field.
        name: String,
        /// The line.
        line: String,
    },
}

/// A stream's name in reports.
pub const fn name(stream: Stream) -> &'static str {
    match stream {
        Stream::Guest => "the guest's stream",
        Stream::Hypervisor => "the hypervisor's stream",
        Stream::Model => "the cache model's stream",
        Stream::Agent => "the agent's stream",
        Stream::Requester => "the requester's stream",
    }
}

struct Missing(Stream, u64, u64);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Missing(stream, from, to) = *self;
        match to - from {
            1 => write!(f, "record {from} of {}", name(stream)),
            _ => write!(
                f,
                "what {} said from record {from} to {}",
                name(stream),
                to - 1
            ),
        }
    }
}

impl Console {
    /// Reads a whole console, whatever bytes are on it.
    pub fn read(bytes: &[u8]) -> Self {
        let mut console = Self::default();
        for line in bytes.split(|byte| *byte == b'\n') {
            console.line(String::from_utf8_lossy(line).trim_end());
        }
        console
    }

    /// Reads one line more.
    pub fn line(&mut self, line: &str) {
        let record = match parse(line) {
            None => return,
            Some(Ok(record)) => record,
            Some(Err(error)) => {
                self.faults.push(Fault::Damaged {
                    error,
                    line: line.to_owned(),
                });
                return;
            }
        };
        let line = line.to_owned();
        let (stream, seq) = (record.stream, record.seq);
        let records = match stream {
            Stream::Guest => &mut self.guest,
            Stream::Hypervisor => &mut self.hypervisor,
            Stream::Model => &mut self.model,
            // What starts the guests, and what asks for them, speak of more than one run.
            Stream::Agent | Stream::Requester => return,
        };
        let new = Record {
            kind: record.kind.to_owned(),
            fields: unescape(record.fields),
            line: line.clone(),
        };
        if records.ended {
            self.faults.push(Fault::AfterEnd { stream, line });
        } else if seq < records.next {
            self.faults.push(Fault::Duplicate { stream, seq, line });
        } else {
            if seq > records.next {
                let from = records.next;
                self.faults.push(Fault::Gap {
                    stream,
                    from,
                    to: seq,
                    line: line.clone(),
                });
            }
            records.next = seq.saturating_add(1);
            if new.kind == kind::END {
                records.ended = true;
                match new.number("records") {
                    Ok(counted) if counted == seq => {}
                    Ok(counted) => {
                        self.faults.push(Fault::EndCount {
                            stream,
                            counted,
                            seen: seq,
                            line,
                        });
                    }
                    Err(fault) => self.faults.push(fault),
                }
            }
        }
        records.records.push(new);
    }
}

/// The console with each line of a guest whole, where a hypervisor puts `prefix` before its lines and cuts long
/// ones. The guest ends its lines with CR and LF, of which LF alone makes a line for the hypervisor, so that a
/// part without CR goes on in the next.
pub fn joined(console: &[u8], prefix: &str) -> Vec<u8> {
    let mut whole = Vec::with_capacity(console.len());
    let mut part = Vec::new();
    for line in console.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match line.strip_prefix(prefix.as_bytes()) {
            None => {
                whole.extend_from_slice(line);
                whole.push(b'\n');
            }
            Some(more) => {
                part.extend_from_slice(more);
                if part.ends_with(b"\r") {
                    whole.append(&mut part);
                    whole.push(b'\n');
                }
            }
        }
    }
    whole.extend_from_slice(&part);
    whole
}

fn unescape(fields: Fields<'_>) -> Vec<(String, String)> {
    let text = |name| {
        let bytes: Vec<u8> = fields.bytes(name).into_iter().flatten().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    fields
        .iter()
        .map(|(name, _)| (name.to_owned(), text(name)))
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use setway_protocol::{RecordWriter, Value};

    /// A guest's stream: begin, two checks, end.
    fn lines() -> Vec<String> {
        let mut writer = RecordWriter::new(Stream::Guest);
        let lines = [kind::BEGIN, kind::CHECK, kind::CHECK, kind::END].map(|kind| {
            let mut line = String::new();
            match kind {
                kind::END => writer.end(&mut line).unwrap(),
                _ => writer
                    .write(&mut line, kind, &[("name", Value::Text("a b"))])
                    .unwrap(),
            }
            line
        });
        lines.to_vec()
    }

    fn read(lines: &[String]) -> Console {
        Console::read(lines.concat().as_bytes())
    }

    #[test]
    fn a_whole_stream_has_no_fault() {
        let console = read(&lines());
        assert_eq!(console.faults, []);
        assert!(console.guest.ended());
        assert_eq!(console.guest.records.len(), 4);
        assert_eq!(console.guest.records[1].text("name"), Ok("a b"));
        assert!(console.guest.records[1].number("name").is_err());
        assert!(console.guest.records[1].text("other").is_err());
    }

    #[test]
    fn chatter_and_garbage_around_records_are_ignored() {
        let lines = lines();
        let mut bytes = b"U-Boot\r\n\xff\xfe\x00 no newline".to_vec();
        bytes.extend(lines.concat().bytes());
        bytes.extend(b"\x80\x81 bye");
        assert_eq!(Console::read(&bytes), Console::read(&bytes));
        assert_eq!(Console::read(&bytes).faults, []);
    }

    #[test]
    fn a_missing_record_is_a_gap() {
        let mut lines = lines();
        lines.remove(1);
        let faults = read(&lines).faults;
        assert!(
            matches!(faults[..], [Fault::Gap { from: 1, to: 2, .. }]),
            "{faults:?}"
        );
        assert!(
            faults[0]
                .to_string()
                .starts_with("record 1 of the guest's stream is missing: `%sw g 2")
        );
    }

    #[test]
    fn a_repeated_record_is_a_duplicate() {
        let mut lines = lines();
        lines.insert(2, lines[1].clone());
        let faults = read(&lines).faults;
        assert!(
            matches!(faults[..], [Fault::Duplicate { seq: 1, .. }]),
            "{faults:?}"
        );
    }

    #[test]
    fn exchanged_records_are_out_of_order() {
        let mut lines = lines();
        lines.swap(1, 2);
        let faults = read(&lines).faults;
        assert!(
            matches!(
                faults[..],
                [Fault::Gap { .. }, Fault::Duplicate { seq: 1, .. }]
            ),
            "{faults:?}"
        );
    }

    #[test]
    fn a_truncated_record_is_damaged() {
        let mut lines = lines();
        let cut = lines[3].len() - 8;
        lines[3].truncate(cut);
        let console = read(&lines);
        assert!(matches!(
            console.faults[..],
            [Fault::Damaged {
                error: ParseError::NoChecksum,
                ..
            }]
        ));
        assert!(!console.guest.ended());
    }

    #[test]
    fn nothing_may_follow_the_end() {
        let mut lines = lines();
        lines.push(lines[3].replace("g 3", "g 4"));
        assert!(matches!(read(&lines).faults[..], [Fault::Damaged { .. }]));
        lines[4] = lines[3].clone();
        assert!(matches!(read(&lines).faults[..], [Fault::AfterEnd { .. }]));
    }

    #[test]
    fn the_end_must_count_right() {
        let mut writer = RecordWriter::new(Stream::Hypervisor);
        let mut line = String::new();
        writer
            .write(&mut line, kind::END, &[("records", Value::Count(7))])
            .unwrap();
        let console = Console::read(line.as_bytes());
        assert!(matches!(
            console.faults[..],
            [Fault::EndCount {
                counted: 7,
                seen: 0,
                ..
            }]
        ));
    }

    #[test]
    fn lines_that_were_cut_are_joined() {
        let cut =
            b"(XEN) boots\r\n(X) D1: one \r\n(XEN) between\r\n(X) D1: two\r\r\n(X) D1: three\r\r\n";
        let whole = joined(cut, "(X) D1: ");
        assert_eq!(
            String::from_utf8_lossy(&whole),
            "(XEN) boots\n(XEN) between\none two\r\nthree\r\n\n"
        );
    }

    proptest! {
        #[test]
        fn losing_or_repeating_any_line_is_a_fault(at in 0usize..4, repeat: bool) {
            let mut lines = lines();
            if repeat {
                lines.insert(at, lines[at].clone());
            } else {
                lines.remove(at);
            }
            let console = read(&lines);
            prop_assert!(!console.faults.is_empty() || !console.guest.ended());
        }

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            Console::read(&bytes);
        }
    }
}
