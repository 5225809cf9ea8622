//! What is asked of the agent.

use std::ops::RangeInclusive;

use setway_protocol::{ParseError, Record, Stream, kind};

use crate::{
    cli::{SECONDS, VCPUS},
    said::text,
};

/// A guest to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which request it is.
    pub n: u64,
    /// The image's file.
    pub image: String,
    /// CPUs of the guest.
    pub vcpus: u64,
    /// Seconds that it may take.
    pub seconds: u64,
    /// Its command line.
    pub arguments: String,
}

/// A line that asks for nothing that can be done.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("damaged request: {why}")]
pub struct Damaged {
    /// Which request it is; 0 if that cannot be known.
    pub n: u64,
    /// What is wrong with it.
    pub why: String,
}

/// Reads a line. `None`: there is nothing on it.
pub fn read(line: &str) -> Option<Result<Request, Damaged>> {
    if line.trim().is_empty() {
        return None;
    }
    let damaged = |why: String| Damaged { n: 0, why };
    Some(match setway_protocol::parse(line) {
        None => Err(damaged("the line holds no record".into())),
        Some(Err(error)) => Err(damaged(ParseError::to_string(&error))),
        Some(Ok(record)) => requested(&record),
    })
}

fn requested(record: &Record<'_>) -> Result<Request, Damaged> {
    let fields = record.fields;
    let n = fields.number("n").unwrap_or_default();
    let damaged = |why: String| Damaged { n, why };
    if (record.stream, record.kind) != (Stream::Requester, kind::RUN) {
        let (stream, kind) = (record.stream.letter(), record.kind);
        return Err(damaged(format!(
            "a record `{stream} {kind}` asks for nothing"
        )));
    }
    let number = |name| {
        let number = fields.number(name);
        number.ok_or_else(|| damaged(format!("it has no number `{name}`")))
    };
    let within = |name, limits: RangeInclusive<u64>| {
        let number = number(name)?;
        let (least, most) = (limits.start(), limits.end());
        let wrong = || damaged(format!("{name} {number} is not from {least} to {most}"));
        limits.contains(&number).then_some(number).ok_or_else(wrong)
    };
    let word = |name| match fields.raw(name) {
        Some(_) => Ok(text(fields, name)),
        None => Err(damaged(format!("it has no `{name}`"))),
    };
    // The guest learns its instruction set from its command line; here it only has to be there.
    word("isa")?;
    Ok(Request {
        n: number("n")?,
        image: word("image")?,
        vcpus: within("vcpus", VCPUS)?,
        seconds: within("seconds", SECONDS)?,
        arguments: word("arguments")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use setway_protocol::{RecordWriter, Value, Value::*};

    fn line(stream: Stream, fields: &[(&str, Value<'_>)]) -> String {
        let mut line = String::new();
        let mut records = RecordWriter::new(stream);
        records.write(&mut line, kind::RUN, fields).unwrap();
        line
    }

    const FIELDS: [(&str, Value<'_>); 6] = [
        ("n", Count(7)),
        ("image", Text("payload-a32.img")),
        ("isa", Text("t32")),
        ("vcpus", Count(2)),
        ("seconds", Count(5)),
        ("arguments", Text("case=COH-CPUS isa=t32")),
    ];

    #[test]
    fn a_request_is_read() {
        let want = Request {
            n: 7,
            image: "payload-a32.img".into(),
            vcpus: 2,
            seconds: 5,
            arguments: "case=COH-CPUS isa=t32".into(),
        };
        let line = line(Stream::Requester, &FIELDS);
        assert_eq!(read(&line), Some(Ok(want)));
        assert_eq!(read(" \r\n"), None);
    }

    #[test]
    fn what_is_damaged_says_how() {
        let why = |line: &str| read(line).unwrap().unwrap_err().to_string();
        let whole = line(Stream::Requester, &FIELDS);
        assert_eq!(why("hello"), "damaged request: the line holds no record");
        assert!(why(&whole.replace("n=7", "n=8")).contains("checksum"));
        assert!(why(&whole[..40]).contains("cut off"));
        assert!(why(&line(Stream::Guest, &FIELDS)).contains("`g run` asks for nothing"));
        let short = read(&line(Stream::Requester, &FIELDS[..4])).unwrap();
        let damaged = Damaged {
            n: 7,
            why: "it has no number `seconds`".into(),
        };
        assert_eq!(short, Err(damaged));
        let many = FIELDS.map(|field| match field {
            ("vcpus", _) => ("vcpus", Count(9)),
            other => other,
        });
        let many = why(&line(Stream::Requester, &many));
        assert_eq!(many, "damaged request: vcpus 9 is not from 1 to 4");
    }
}
