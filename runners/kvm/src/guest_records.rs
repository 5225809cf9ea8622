//! The guest's own records.
//!
//! The harness judges them. Here they are read only for the address of the mark, by which the trace is divided
//! into steps, and for the summary.

use setway_protocol::{Channel, parse, record::Message};

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
    /// What the guest does in it.
    pub name: String,
    /// What that should cost.
    pub demanded: Counts,
}

/// A value that differs from what the guest expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// What it compared.
    pub name: String,
    /// The right value.
    pub want: u64,
    /// The value found.
    pub got: u64,
}

/// What a guest reports in its records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuestRecords {
    /// The preferred return address of its mark HVC.
    pub mark: Option<u64>,
    /// Its steps.
    pub steps: Vec<Step>,
    /// Values that were right.
    pub right: u64,
    /// Values that were not.
    pub wrong: Vec<Wrong>,
    /// Its message when it gave up.
    pub panic: Option<String>,
    /// Its last record has come.
    pub ended: bool,
    /// Records that are damaged.
    pub damaged: u64,
}

impl GuestRecords {
    /// Reads what came over the console.
    pub fn read(console: &[u8]) -> Self {
        let mut records = Self::default();
        for line in String::from_utf8_lossy(console).lines() {
            // Nobody but the guest writes to this console, whatever a line claims.
            match parse(line, Channel::Console(None)) {
                Some(Ok(record)) => match Message::try_from(record) {
                    Ok(message) => records.add(&message),
                    Err(_) => records.damaged += 1,
                },
                Some(Err(_)) => records.damaged += 1,
                None => {}
            }
        }
        records
    }

    fn add(&mut self, message: &Message<'_>) {
        match message {
            Message::GuestBegin(begin) => self.mark = Some(begin.mark.0),
            Message::Step(step) => self.steps.push(Step {
                n: step.n,
                name: step.name.to_string(),
                demanded: Counts {
                    set_way: step.set_way,
                    vm_reg: step.vm_reg,
                    flush: step.flush,
                },
            }),
            Message::Check(check) if check.want == check.got => self.right += 1,
            Message::Check(check) => self.wrong.push(Wrong {
                name: check.name.to_string(),
                want: check.want.0,
                got: check.got.0,
            }),
            Message::Panic(panic) => self.panic = Some(panic.msg.to_string()),
            Message::End(_) => self.ended = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use setway_protocol::{
        Guest, Hex, RecordWriter, VERSION, record,
        word::{CheckKind, InstructionSet},
    };

    #[test]
    fn the_guest_s_records_are_read() {
        let mut console = String::from("noise\r\n");
        let mut records = RecordWriter::<Guest>::new();
        let begin = record::GuestBegin {
            proto: VERSION,
            build: Hex(0),
            base: Hex(0),
            isa: InstructionSet::A64,
            case: "SW-TRAP/csw".into(),
            mark: Hex(0x4021_0004),
            midr: Hex(0),
            clidr: Hex(0),
            ctr: Hex(0),
        };
        records.write(&mut console, &begin).unwrap();
        let step = record::Step {
            n: 0,
            name: "CSW twice".into(),
            set_way: 2,
            vm_reg: 0,
            flush: 1,
        };
        records.write(&mut console, &step).unwrap();
        for got in [1, 2] {
            let check = record::Check {
                of: CheckKind::Register,
                name: "x 1".into(),
                want: Hex(1),
                got: Hex(got),
                from: None,
                detail: None,
            };
            records.write(&mut console, &check).unwrap();
        }
        records.end(&mut console).unwrap();
        console += "%sw g 5 check name=";

        let guest = GuestRecords::read(console.as_bytes());
        assert_eq!(guest.mark, Some(0x4021_0004));
        assert_eq!(guest.steps.len(), 1);
        assert_eq!(guest.steps[0].name, "CSW twice");
        let demanded = Counts {
            set_way: 2,
            vm_reg: 0,
            flush: 1,
        };
        assert_eq!(guest.steps[0].demanded, demanded);
        let wrong = Wrong {
            name: "x 1".into(),
            want: 1,
            got: 2,
        };
        assert_eq!((guest.right, guest.wrong), (1, vec![wrong]));
        assert!(guest.ended);
        assert_eq!(guest.damaged, 1);
    }
}
