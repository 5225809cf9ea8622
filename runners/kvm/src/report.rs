//! The hypervisor's records: what KVM's trace counted, in the words of the reference hypervisor.

use std::fmt;

use setway_protocol::{
    Hex, Key, Kind, RecordWriter, VERSION,
    record::{Exits, HypervisorBegin, HypervisorTotals, Mark, SetWayFlush, ToggleCache, Traps},
};

use crate::{
    guest_records::Counts,
    trace::{event::What, tally::Tally},
};

/// The stream of the hypervisor, of which this program speaks.
struct Records {
    out: String,
    writer: RecordWriter<setway_protocol::Hypervisor>,
}

impl Records {
    fn emit(&mut self, record: &impl Kind) -> fmt::Result {
        self.writer.write(&mut self.out, record)
    }
}

/// The whole stream of records about one VM, sealed with `key`. `build` identifies this program.
pub fn records(tally: &Tally, build: u64, key: Key) -> Result<String, fmt::Error> {
    let mut records = Records {
        out: String::new(),
        writer: RecordWriter::keyed(key),
    };
    records.emit(&HypervisorBegin {
        proto: VERSION,
        build: Hex(build),
        base: None,
        mutant: None,
    })?;
    for (n, counts) in (0..).zip(&tally.marks) {
        let Counts {
            set_way,
            vm_reg,
            flush,
        } = *counts;
        records.emit(&Mark {
            n,
            set_way,
            vm_reg,
            flush,
        })?;
    }
    for &(vcpu, what) in &tally.listed {
        let vcpu = vcpu as u64;
        match what {
            What::SetWayFlush { pc, cache } => records.emit(&SetWayFlush {
                vcpu,
                pc: Hex(pc),
                cache: cache.into(),
            })?,
            What::ToggleCache { pc, was, now } => records.emit(&ToggleCache {
                vcpu,
                pc: Hex(pc),
                was: was.into(),
                now: now.into(),
            })?,
            _ => {}
        }
    }
    for (name, count) in tally.traps() {
        let reg = name.into();
        records.emit(&Traps { reg, count })?;
    }
    for (&class, &count) in &tally.exits {
        let class = Hex(class.into());
        records.emit(&Exits { class, count })?;
    }
    records.emit(&HypervisorTotals {
        flushes: tally.totals.flush,
        lines: None,
        undef: None,
        lost: tally.lost,
    })?;
    records.writer.end(&mut records.out)?;
    Ok(records.out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{event::Event, tally::tally};
    use setway_architecture::trap::sysreg;
    use setway_protocol::{Channel, Stream, parse};

    const KEY: Key = Key::new([5; 16]);

    #[test]
    fn the_stream_is_that_of_a_hypervisor() {
        let whats = [
            What::Hvc { pc: 4 },
            What::Exit { class: 0x18 },
            What::Write {
                key: sysreg::Key::a64(1, 0, 7, 10, 2),
            },
            What::SetWayFlush { pc: 8, cache: true },
            What::ToggleCache {
                pc: 12,
                was: true,
                now: false,
            },
        ];
        let event = |what| Event {
            time: 0,
            thread: 1,
            what,
        };
        let tally = tally(&whats.map(event), &[1], Some(4), 0);
        let text = records(&tally, 0xabc, KEY).unwrap();
        let bodies: Vec<_> = text
            .lines()
            .map(|line| {
                let record = parse(line, Channel::Console(Some(KEY))).unwrap().unwrap();
                assert_eq!(record.stream, Stream::Hypervisor);
                let fields = record.fields.iter();
                let fields: Vec<_> = fields.map(|(k, v)| format!("{k}={v}")).collect();
                format!("{} {} {}", record.seq, record.kind, fields.join(" "))
            })
            .collect();
        let want = [
            "0 begin proto=2 build=0xabc",
            "1 mark n=0 set_way=0 vm_reg=0 flush=0",
            "2 set_way_flush vcpu=0 pc=0x8 cache=on",
            "3 toggle_cache vcpu=0 pc=0xc was=on now=off",
            "4 traps reg=DC%20CSW count=1",
            "5 exits class=0x18 count=1",
            "6 totals flushes=2 lost=0",
            "7 end records=7",
        ];
        assert_eq!(bodies, want);
    }
}
