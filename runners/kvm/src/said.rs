//! What the guest says of itself in its records.
//!
//! The harness judges; here it is read only for what the trace is to be told by, the address of the
//! mark, and for the summary.

use setway_protocol::{Fields, Stream, kind};

/// Counts of what KVM did, or should do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Set/way ops that trapped.
    pub set_way: u64,
    /// Writes of VM registers that trapped.
    pub vm_reg: u64,
    /// Flushes of the VM's memory.
    pub flush: u64,
}

/// A measured step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its number: marks `2n` and `2n + 1` bracket it.
    pub n: u64,
    /// What the guest did.
    pub name: String,
    /// What that should cost.
    pub demanded: Counts,
}

/// A value that the guest found other than it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// What it compared.
    pub name: String,
    /// The right value.
    pub want: u64,
    /// The value found.
    pub got: u64,
}

/// What a guest said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The preferred return address of its mark HVC.
    pub mark: Option<u64>,
    /// Its steps.
    pub steps: Vec<Step>,
    /// Values that were right.
    pub right: u64,
    /// Values that were not.
    pub wrong: Vec<Wrong>,
    /// What it said when it gave up.
    pub panic: Option<String>,
    /// Its last record has come.
    pub ended: bool,
    /// Records that are damaged.
    pub damaged: u64,
}

impl Said {
    /// Reads what came over the console.
    pub fn read(console: &[u8]) -> Self {
        let mut said = Self::default();
        for line in String::from_utf8_lossy(console).lines() {
            match setway_protocol::parse(line) {
                Some(Ok(record)) if record.stream == Stream::Guest => {
                    said.learn(record.kind, record.fields);
                }
                Some(Err(_)) => said.damaged += 1,
                _ => {}
            }
        }
        said
    }

    fn learn(&mut self, kind: &str, fields: Fields<'_>) {
        let number = |name| fields.number(name).unwrap_or_default();
        match kind {
            kind::BEGIN => self.mark = fields.number("mark"),
            kind::STEP => self.steps.push(Step {
                n: number("n"),
                name: text(fields, "name"),
                demanded: Counts {
                    set_way: number("set_way"),
                    vm_reg: number("vm_reg"),
                    flush: number("flush"),
                },
            }),
            kind::CHECK if fields.raw("want") == fields.raw("got") => self.right += 1,
            kind::CHECK => self.wrong.push(Wrong {
                name: text(fields, "name"),
                want: number("want"),
                got: number("got"),
            }),
            kind::PANIC => self.panic = Some(text(fields, "msg")),
            kind::END => self.ended = true,
            _ => {}
        }
    }
}

/// The field called `name` as text; empty if there is none.
pub fn text(fields: Fields<'_>, name: &str) -> String {
    let bytes: Vec<u8> = fields.bytes(name).into_iter().flatten().collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use setway_protocol::{RecordWriter, Value::*};

    #[test]
    fn the_guest_s_records_are_read() {
        let mut console = String::from("noise\r\n");
        let mut records = RecordWriter::new(Stream::Guest);
        let mut write = |kind, fields: &[_]| records.write(&mut console, kind, fields).unwrap();
        write(kind::BEGIN, &[("mark", Hex(0x4021_0004))]);
        let step = [
            ("n", Count(0)),
            ("name", Text("CSW twice")),
            ("set_way", Count(2)),
            ("vm_reg", Count(0)),
            ("flush", Count(1)),
        ];
        write(kind::STEP, &step);
        let check = |got| [("name", Text("x 1")), ("want", Hex(1)), ("got", Hex(got))];
        write(kind::CHECK, &check(1));
        write(kind::CHECK, &check(2));
        records.end(&mut console).unwrap();
        console += "%sw g 5 check name=";

        let said = Said::read(console.as_bytes());
        assert_eq!(said.mark, Some(0x4021_0004));
        assert_eq!(said.steps.len(), 1);
        assert_eq!(said.steps[0].name, "CSW twice");
        let demanded = Counts {
            set_way: 2,
            vm_reg: 0,
            flush: 1,
        };
        assert_eq!(said.steps[0].demanded, demanded);
        let wrong = Wrong {
            name: "x 1".into(),
            want: 1,
            got: 2,
        };
        assert_eq!((said.right, said.wrong), (1, vec![wrong]));
        assert!(said.ended);
        assert_eq!(said.damaged, 1);
    }
}
