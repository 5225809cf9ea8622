//! The hypervisor's records: what KVM's trace counted, in the words of the reference hypervisor.

use std::fmt;

use setway_protocol::{RecordWriter, Stream, VERSION, Value::*, kind};

use crate::{
    said::Counts,
    trace::{event::What, tally::Tally},
};

/// The whole stream of records about one VM. `build` identifies this program.
pub fn records(tally: &Tally, build: u64) -> Result<String, fmt::Error> {
    let mut out = String::new();
    let mut records = RecordWriter::new(Stream::Hypervisor);
    let mut emit = |kind, fields: &[_]| records.write(&mut out, kind, fields);
    let begin = [
        ("proto", Count(VERSION)),
        ("build", Hex(build)),
        ("base", Hex(0)),
        ("policy", Text("none")),
    ];
    emit(kind::BEGIN, &begin)?;
    for (n, counts) in (0..).zip(&tally.marks) {
        let Counts {
            set_way,
            vm_reg,
            flush,
        } = *counts;
        let fields = [
            ("n", Count(n)),
            ("set_way", Count(set_way)),
            ("vm_reg", Count(vm_reg)),
            ("flush", Count(flush)),
        ];
        emit(kind::MARK, &fields)?;
    }
    let on_off = |on| Text(if on { "on" } else { "off" });
    for &(vcpu, what) in &tally.kept {
        let vcpu = ("vcpu", Count(vcpu as u64));
        match what {
            What::SetWayFlush { pc, cache } => {
                let fields = [vcpu, ("pc", Hex(pc)), ("cache", on_off(cache))];
                emit(kind::SET_WAY_FLUSH, &fields)?;
            }
            What::ToggleCache { pc, was, now } => {
                let states = [("was", on_off(was)), ("now", on_off(now))];
                let fields = [vcpu, ("pc", Hex(pc)), states[0], states[1]];
                emit(kind::TOGGLE_CACHE, &fields)?;
            }
            _ => {}
        }
    }
    for (name, count) in tally.traps() {
        let fields = [
            ("reg", Text(name)),
            ("dir", Text("w")),
            ("count", Count(count)),
        ];
        emit(kind::TRAPS, &fields)?;
    }
    for (&class, &count) in &tally.exits {
        let fields = [("class", Hex(class.into())), ("count", Count(count))];
        emit(kind::EXITS, &fields)?;
    }
    let totals = [
        ("flushes", Count(tally.totals.flush)),
        ("lines", Count(0)),
        ("lost", Count(tally.lost)),
    ];
    emit(kind::TOTALS, &totals)?;
    records.end(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{event::Event, tally::tally};
    use setway_architecture::trap::sysreg::Key;

    #[test]
    fn the_stream_is_that_of_a_hypervisor() {
        let whats = [
            What::Hvc { pc: 4 },
            What::Exit { class: 0x18 },
            What::Write {
                key: Key::a64(1, 0, 7, 10, 2),
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
        let text = records(&tally, 0xabc).unwrap();
        let bodies: Vec<_> = text
            .lines()
            .map(|line| {
                let record = setway_protocol::parse(line).unwrap().unwrap();
                assert_eq!(record.stream, Stream::Hypervisor);
                let fields = record.fields.iter();
                let fields: Vec<_> = fields.map(|(k, v)| format!("{k}={v}")).collect();
                format!("{} {} {}", record.seq, record.kind, fields.join(" "))
            })
            .collect();
        let want = [
            "0 begin proto=1 build=0xabc base=0x0 policy=none",
            "1 mark n=0 set_way=0 vm_reg=0 flush=0",
            "2 set_way_flush vcpu=0 pc=0x8 cache=on",
            "3 toggle_cache vcpu=0 pc=0xc was=on now=off",
            "4 traps reg=DC%20CSW dir=w count=1",
            "5 exits class=0x18 count=1",
            "6 totals flushes=2 lines=0 lost=0",
            "7 end records=7",
        ];
        assert_eq!(bodies, want);
    }
}
