//! The agent's life: get ready, serve requests, turn the machine off.

use std::{
    io::{self, BufRead, Write},
    process,
};

use setway_protocol::{
    Agent as Speaker, Hex, Key, Kind, RecordWriter, VERSION,
    record::{Failed, Ready},
    word::GuestEnd,
};

use super::{
    boundary,
    child::{self, Finished},
    kernel_log::KernelLog,
    request::{self, Request},
    system,
};
use crate::{end::End, fingerprint, trace::session::Instance, vm};

/// Serves requests until there will be no more. As the first process of a system, it makes the system
/// fit for that before, and turns it off afterwards.
///
/// `buffer` is the room for KVM's events, in KiB for each CPU, unless it is the usual; `key` seals the records.
pub fn serve(buffer: Option<u32>, key: Key) -> io::Result<()> {
    let first = process::id() == 1;
    let begun = if first { system::begin() } else { Ok(()) };
    let mut agent = Agent {
        records: RecordWriter::keyed(key),
        key,
    };
    let ready = begun
        .map_err(|error| format!("the system: {error}"))
        .and_then(|()| Tools::new(buffer.unwrap_or(BUFFER)));
    let result = match ready {
        Ok(tools) => agent.serve(tools),
        Err(why) => agent.emit(&Failed {
            msg: why.as_str().into(),
        }),
    };
    if first {
        system::power_off();
    }
    result
}

/// The usual room for KVM's events.
const BUFFER: u32 = 8192;

/// What runs are made with.
struct Tools {
    instance: Instance,
    log: KernelLog,
    build: u64,
}

impl Tools {
    fn new(buffer: u32) -> Result<Self, String> {
        vm::check().map_err(|error| error.to_string())?;
        let build = fingerprint::of_this_program();
        let log = KernelLog::open();
        Ok(Self {
            // Made once: that takes longer than a guest runs.
            instance: Instance::create(buffer).map_err(|error| error.to_string())?,
            log: log.map_err(|error| format!("/dev/kmsg: {error}"))?,
            build: build.map_err(|error| format!("/proc/self/exe: {error}"))?,
        })
    }
}

struct Agent {
    records: RecordWriter<Speaker>,
    key: Key,
}

impl Agent {
    /// Says one record. Whoever wrote to the console before is gone, and what was written goes out in
    /// order, so the line is in one piece.
    fn emit(&mut self, record: &impl Kind) -> io::Result<()> {
        let mut line = String::new();
        // A string takes everything.
        let _ = self.records.write(&mut line, record);
        say(&line)
    }

    fn serve(&mut self, mut tools: Tools) -> io::Result<()> {
        self.emit(&Ready {
            proto: VERSION,
            build: Hex(tools.build),
            kernel: system::kernel().as_str().into(),
        })?;
        let mut requests = io::stdin().lock();
        let mut line = Vec::new();
        loop {
            line.clear();
            match requests.read_until(b'\n', &mut line) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            match request::read(&String::from_utf8_lossy(&line)) {
                None => {}
                Some(Ok(request)) => {
                    let end = run(&request, &mut tools, self.key);
                    for warning in tools.log.warnings() {
                        say(&format!("kernel: {warning}\r\n"))?;
                    }
                    self.over(request.n, &end)?;
                }
                Some(Err(damaged)) => {
                    self.over(damaged.n, &End::because(GuestEnd::Error, &damaged))?
                }
            }
        }
    }

    fn over(&mut self, n: u64, end: &End) -> io::Result<()> {
        self.emit(&end.over(n))
    }
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.flush()
}

fn run(request: &Request, tools: &mut Tools, key: Key) -> End {
    tools.log.skip();
    boundary::cross::<{ boundary::BEGINS }>();
    let Finished { end, died } = child::run(request, &tools.instance.name(), tools.build, key);
    boundary::cross::<{ boundary::ENDS }>();
    if died {
        // If that fails, the next child says so.
        let _ = tools.instance.reset();
    }
    end
}
