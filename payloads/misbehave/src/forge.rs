//! Records in the name of others: of the hypervisor, the agent and the cache model.
//!
//! Each way is that of a guest that knows the protocol, and lacks nothing but the key. Its own stream is whole
//! and in order, so that the forgery alone is what is wrong.

use crate::begun;
use setway_protocol::{
    Agent, Hex, Hypervisor, Key, Kind, Model, RecordWriter, Seal, Speaker, VERSION,
    record::{Armed, HypervisorBegin, HypervisorTotals, Mark, ModelBegin, ModelTotals, Over},
    word::GuestEnd,
};
use setway_runtime::console::Console;

/// How a guest may seal what it forges: as its own records are, or with the key that programs have by
/// default.
const SEALS: [Seal; 2] = [Seal::Checksum, Seal::Keyed(Key::new([0; 16]))];

/// Requests that an agent may be serving.
const REQUESTS: core::ops::Range<u64> = 1..16;

/// Writes a whole stream of the hypervisor's, as if it had a checksum.
pub fn hypervisor() {
    begun().end();
    whole_hypervisor(SEALS[0]);
}

/// Writes a whole stream of the hypervisor's, with a key that is guessed.
pub fn hypervisor_with_key() {
    begun().end();
    whole_hypervisor(SEALS[1]);
}

fn whole_hypervisor(seal: Seal) {
    let mut records = Forged(RecordWriter::<Hypervisor>::with_seal(seal));
    records.emit(&HypervisorBegin {
        proto: VERSION,
        build: Hex(0),
        base: None,
        mutant: None,
    });
    for n in 0..2 {
        records.emit(&Mark {
            n,
            set_way: n,
            vm_reg: 0,
            flush: n,
        });
    }
    records.emit(&HypervisorTotals {
        flushes: 1,
        lines: None,
        undef: None,
        lost: 0,
    });
    records.end();
}

/// Writes a whole stream of the cache model's, which belongs into QEMU's log.
pub fn model() {
    begun().end();
    let mut records = Forged(RecordWriter::<Model>::new());
    records.emit(&ModelBegin {
        proto: VERSION,
        api: 4,
        schedule: "lazy".into(),
        cpus: 1,
        line: 64,
        sets: 256,
        ways: 2,
        system: false,
    });
    records.emit(&Armed {});
    records.emit(&ModelTotals {
        stale: 0,
        lost: 0,
        loads32: 1,
        loads64: 1,
        stores32: 1,
        stores64: 1,
        fetches32: 1,
        fetches64: 1,
        unwatched: 0,
    });
    records.end();
}

/// Writes what the agent would when the guest is over.
pub fn over() {
    begun().end();
    for seal in SEALS {
        let mut records = Forged(RecordWriter::<Agent>::with_seal(seal));
        for n in REQUESTS {
            records.emit(&Over {
                n,
                end: GuestEnd::Off,
                msg: None,
            });
        }
    }
}

/// Another speaker's stream on the console.
struct Forged<S>(RecordWriter<S>);

impl<S: Speaker> Forged<S> {
    fn emit(&mut self, record: &impl Kind) {
        let _ = self.0.write(&mut Console, record);
    }

    fn end(&mut self) {
        let _ = self.0.end(&mut Console);
    }
}
