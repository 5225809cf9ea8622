//! The records of a console, put in order, and every way in which they are not as they must be.
//!
//! Invariant 1 of the design: silence fails. A stream counts only if it is whole, so every gap,
//! repetition and damage is a [`Fault`] with the raw line. Reading goes on after a fault, because a
//! later record may report a crash, which is the better reason.

use std::{borrow::Cow, fmt};

use setway_protocol::{
    Channel, Key, PREFIX, ParseError, Stream, parse,
    record::{End, Message},
};

/// A line that may hold a record, and where it was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    text: Cow<'a, str>,
    channel: Channel,
    /// How many traps of the guest there had been, where that is known.
    after: usize,
}

impl<'a> Line<'a> {
    /// The lines of a console, whatever bytes are on it. `key` is that of the hypervisor or agent that also
    /// writes there, if one does.
    pub fn of_console(bytes: &'a [u8], key: Option<Key>) -> impl Iterator<Item = Self> {
        let lines = bytes.split(|byte| *byte == b'\n');
        lines.map(String::from_utf8_lossy).filter_map(move |text| {
            text.contains(PREFIX).then_some(Self {
                text,
                channel: Channel::Console(key),
                after: 0,
            })
        })
    }

    /// The lines of QEMU's log that its plugin wrote, each with the number of traps before it.
    pub fn of_log(lines: &'a [(usize, String)]) -> impl Iterator<Item = Self> {
        lines.iter().map(|(after, text)| Self {
            text: text.into(),
            channel: Channel::Log,
            after: *after,
        })
    }
}

/// A record in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// What it says.
    pub message: Message<'a>,
    /// The line.
    pub line: &'a str,
    /// How many traps of the guest there had been, where that is known.
    pub after: usize,
}

/// The records of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records<'a> {
    /// As they came.
    pub records: Vec<Record<'a>>,
    next: u64,
    ended: bool,
}

impl<'a> Records<'a> {
    /// Whether its `end` record has been read.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// All records of one kind, each with its place.
    pub fn placed<T: TryFrom<Message<'a>>>(&self) -> impl Iterator<Item = (T, &Record<'a>)> {
        let records = self.records.iter();
        records.filter_map(|record| Some((T::try_from(record.message).ok()?, record)))
    }

    /// All records of one kind.
    pub fn of<T: TryFrom<Message<'a>>>(&self) -> impl Iterator<Item = T> {
        self.placed().map(|(record, _)| record)
    }
}

/// All that was said of a run, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript<'a> {
    /// The payload's stream.
    pub guest: Records<'a>,
    /// The hypervisor's stream; empty if it has none.
    pub hypervisor: Records<'a>,
    /// The cache model's stream, which is in QEMU's log; empty if there are no caches.
    pub model: Records<'a>,
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
        /// The first after the gap.
        to: u64,
        /// The line after the gap.
        line: String,
    },
    /// A record came again, or out of order.
    #[error("record {seq} of {stream} is a duplicate or out of order: `{line}`")]
    Duplicate {
        /// Of which stream.
        stream: Stream,
        /// Its number.
        seq: u64,
        /// The second line with that number, or a lower one.
        line: String,
    },
    /// A record after the last.
    #[error("{stream} goes on after its end: `{line}`")]
    AfterEnd {
        /// Of which stream.
        stream: Stream,
        /// The line.
        line: String,
    },
    /// The `end` record does not agree with what came before it.
    #[error("the end of {stream} counts {counted} records before it, and {seen} came: `{line}`")]
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
    /// A record is of no known kind, or not as its kind has to be.
    #[error("{why}: `{line}`")]
    Malformed {
        /// What is wrong with it.
        why: String,
        /// The line.
        line: String,
    },
}

struct Missing(Stream, u64, u64);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Missing(stream, from, to) = *self;
        match to - from {
            1 => write!(f, "record {from} of {}", stream),
            _ => write!(f, "what {} said from record {from} to {}", stream, to - 1),
        }
    }
}

impl<'a> Transcript<'a> {
    /// Reads all lines.
    pub fn read(lines: &'a [Line<'_>]) -> Self {
        let mut transcript = Self::default();
        lines.iter().for_each(|line| transcript.line(line));
        transcript
    }

    fn line(&mut self, line: &'a Line<'_>) {
        let text = line.text.trim_end();
        let record = match parse(text, line.channel) {
            None => return,
            Some(Ok(record)) => record,
            Some(Err(error)) => {
                let line = text.to_owned();
                self.faults.push(Fault::Damaged { error, line });
                return;
            }
        };
        let (stream, seq) = (record.stream, record.seq);
        let records = match stream {
            Stream::Guest => &mut self.guest,
            Stream::Hypervisor => &mut self.hypervisor,
            Stream::Model => &mut self.model,
            // What starts the guests, and what asks for them, speak of more than one run.
            Stream::Agent | Stream::Requester => return,
        };
        self.faults.extend(records.places(stream, seq, text));
        match Message::try_from(record) {
            Ok(message) => {
                if let Message::End(end) = message {
                    self.faults.extend(records.end(stream, seq, end, text));
                }
                records.records.push(Record {
                    message,
                    line: text,
                    after: line.after,
                });
            }
            Err(error) => self.faults.push(Fault::Malformed {
                why: error.to_string(),
                line: text.to_owned(),
            }),
        }
    }
}

impl Records<'_> {
    /// Takes in that record `seq` has come, on the line `text`; returns what is wrong with that.
    fn places(&mut self, stream: Stream, seq: u64, text: &str) -> Option<Fault> {
        let line = text.to_owned();
        if self.ended {
            return Some(Fault::AfterEnd { stream, line });
        }
        if seq < self.next {
            return Some(Fault::Duplicate { stream, seq, line });
        }
        let from = std::mem::replace(&mut self.next, seq.saturating_add(1));
        (seq > from).then_some(Fault::Gap {
            stream,
            from,
            to: seq,
            line,
        })
    }

    /// Takes in that the last record has come, as record `seq`; returns what is wrong with it.
    fn end(&mut self, stream: Stream, seq: u64, end: End, text: &str) -> Option<Fault> {
        self.ended = true;
        (end.records != seq).then(|| Fault::EndCount {
            stream,
            counted: end.records,
            seen: seq,
            line: text.to_owned(),
        })
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use setway_protocol::{Guest, Hypervisor, RecordWriter, record};

    const KEY: Key = Key::new([3; 16]);

    /// A guest's stream: three cases, and the end.
    fn lines() -> Vec<String> {
        let mut writer = RecordWriter::<Guest>::new();
        let mut lines = Vec::new();
        for _ in 0..3 {
            let mut line = String::new();
            writer
                .write(&mut line, &record::Case { id: "a b".into() })
                .unwrap();
            lines.push(line);
        }
        let mut line = String::new();
        writer.end(&mut line).unwrap();
        lines.push(line);
        lines
    }

    /// What is wrong with a console, and whether the guest's stream has an end.
    fn read_bytes(bytes: &[u8]) -> (Vec<Fault>, bool) {
        let lines: Vec<_> = Line::of_console(bytes, Some(KEY)).collect();
        let transcript = Transcript::read(&lines);
        let ended = transcript.guest.has_ended();
        (transcript.faults, ended)
    }

    fn read(lines: &[String]) -> (Vec<Fault>, bool) {
        read_bytes(lines.concat().as_bytes())
    }

    #[test]
    fn a_whole_stream_has_no_fault() {
        let text = lines().concat();
        let lines: Vec<_> = Line::of_console(text.as_bytes(), None).collect();
        let transcript = Transcript::read(&lines);
        assert_eq!(transcript.faults, []);
        assert!(transcript.guest.has_ended());
        assert_eq!(transcript.guest.records.len(), 4);
        let cases: Vec<record::Case> = transcript.guest.of().collect();
        assert_eq!(cases.len(), 3);
        assert_eq!(cases[0].id, "a b");
    }

    #[test]
    fn chatter_and_garbage_around_records_are_ignored() {
        let lines = lines();
        let mut bytes = b"U-Boot\r\n\xff\xfe\x00 no newline".to_vec();
        bytes.extend(lines.concat().bytes());
        bytes.extend(b"\x80\x81 bye");
        assert_eq!(read_bytes(&bytes), (Vec::new(), true));
    }

    #[test]
    fn a_hypervisor_is_known_by_its_key() {
        let mark = record::Mark {
            n: 0,
            set_way: 0,
            vm_reg: 0,
            flush: 0,
        };
        let mut line = String::new();
        let mut writer = RecordWriter::<Hypervisor>::keyed(KEY);
        writer.write(&mut line, &mark).unwrap();
        assert_eq!(read(&[line.clone()]), (Vec::new(), false));
        // Without the key nobody is a hypervisor.
        let lines: Vec<_> = Line::of_console(line.as_bytes(), None).collect();
        assert!(matches!(
            Transcript::read(&lines).faults[..],
            [Fault::Damaged {
                error: ParseError::NotHere(Stream::Hypervisor),
                ..
            }]
        ));
    }

    #[test]
    fn the_cache_model_is_heard_in_the_log_alone() {
        let mut line = String::new();
        let mut writer = RecordWriter::<setway_protocol::Model>::new();
        writer.end(&mut line).unwrap();
        let faults = read(&[line.clone()]).0;
        assert!(faults[0].to_string().contains("forged"), "{faults:?}");
        let log = [(7, line)];
        let lines: Vec<_> = Line::of_log(&log).collect();
        let transcript = Transcript::read(&lines);
        assert_eq!(transcript.faults, []);
        assert_eq!(transcript.model.records[0].after, 7);
    }

    #[test]
    fn a_missing_record_is_a_gap() {
        let mut lines = lines();
        lines.remove(1);
        let faults = read(&lines).0;
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
        let faults = read(&lines).0;
        assert!(
            matches!(faults[..], [Fault::Duplicate { seq: 1, .. }]),
            "{faults:?}"
        );
    }

    #[test]
    fn exchanged_records_are_out_of_order() {
        let mut lines = lines();
        lines.swap(1, 2);
        let faults = read(&lines).0;
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
        let (faults, ended) = read(&lines);
        assert!(matches!(
            faults[..],
            [Fault::Damaged {
                error: ParseError::NoSeal,
                ..
            }]
        ));
        assert!(!ended);
    }

    #[test]
    fn nothing_may_follow_the_end() {
        let mut lines = lines();
        lines.push(lines[3].replace("g 3", "g 4"));
        assert!(matches!(read(&lines).0[..], [Fault::Damaged { .. }]));
        lines[4] = lines[3].clone();
        assert!(matches!(read(&lines).0[..], [Fault::AfterEnd { .. }]));
    }

    #[test]
    fn the_end_must_count_right() {
        let mut writer = RecordWriter::<Hypervisor>::keyed(KEY);
        let mut line = String::new();
        writer.write(&mut line, &End { records: 7 }).unwrap();
        assert!(matches!(
            read(&[line]).0[..],
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
            let (faults, ended) = read(&lines);
            prop_assert!(!faults.is_empty() || !ended);
        }

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            read_bytes(&bytes);
        }
    }
}
