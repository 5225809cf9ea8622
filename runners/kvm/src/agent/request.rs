//! What is asked of the agent.

use std::ops::RangeInclusive;

use setway_protocol::{Channel, Record, parse, record::Run};

use crate::cli::{SECONDS, VCPUS};

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

/// Reads a line; `None` if there is nothing on it.
pub fn read(line: &str) -> Option<Result<Request, Damaged>> {
    if line.trim().is_empty() {
        return None;
    }
    let damaged = |why: String| Damaged { n: 0, why };
    Some(match parse(line, Channel::Requests) {
        None => Err(damaged("the line holds no record".into())),
        Some(Err(error)) => Err(damaged(error.to_string())),
        Some(Ok(record)) => requested(record),
    })
}

fn requested(record: Record<'_>) -> Result<Request, Damaged> {
    let run = Run::try_from(record).map_err(|error| Damaged {
        n: 0,
        why: error.to_string(),
    })?;
    let within = |name, number, limits: RangeInclusive<u64>| {
        let (least, most) = (limits.start(), limits.end());
        let why = || format!("{name} {number} is not from {least} to {most}");
        let damaged = || Damaged {
            n: run.n,
            why: why(),
        };
        limits
            .contains(&number)
            .then_some(number)
            .ok_or_else(damaged)
    };
    Ok(Request {
        n: run.n,
        image: run.image.to_string(),
        vcpus: within("vcpus", run.vcpus, VCPUS)?,
        seconds: within("seconds", run.seconds, SECONDS)?,
        // The guest learns its instruction set from this line.
        arguments: run.arguments.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use setway_protocol::{Guest, RecordWriter, Requester, record::End, word::InstructionSet};

    fn line(run: &Run<'_>) -> String {
        let mut line = String::new();
        let mut records = RecordWriter::<Requester>::new();
        records.write(&mut line, run).unwrap();
        line
    }

    fn run() -> Run<'static> {
        Run {
            n: 7,
            image: "payload-a32.img".into(),
            isa: InstructionSet::T32,
            vcpus: 2,
            seconds: 5,
            arguments: "case=COH-CPUS isa=t32".into(),
        }
    }

    #[test]
    fn a_request_is_read() {
        let want = Request {
            n: 7,
            image: "payload-a32.img".into(),
            vcpus: 2,
            seconds: 5,
            arguments: "case=COH-CPUS isa=t32".into(),
        };
        assert_eq!(read(&line(&run())), Some(Ok(want)));
        assert_eq!(read(" \r\n"), None);
    }

    #[test]
    fn what_is_damaged_says_how() {
        let why = |line: &str| read(line).unwrap().unwrap_err().to_string();
        let whole = line(&run());
        assert_eq!(why("hello"), "damaged request: the line holds no record");
        assert!(why(&whole.replace("n=7", "n=8")).contains("checksum"));
        assert!(why(&whole[..40]).contains("cut off"));
        let mut guest = String::new();
        let end = End { records: 0 };
        RecordWriter::<Guest>::new()
            .write(&mut guest, &end)
            .unwrap();
        assert!(why(&guest).contains("the guest does not write here"));
        let many = read(&line(&Run { vcpus: 9, ..run() })).unwrap();
        let damaged = Damaged {
            n: 7,
            why: "vcpus 9 is not from 1 to 4".into(),
        };
        assert_eq!(many, Err(damaged));
    }
}
