//! The console records of a run, as guests and hypervisors write them and the harness reads them.
//!
//! A serial console is shared with firmware chatter, is cut off by crashes and can drop or repeat
//! bytes. A verdict read from it is worth something only if every line proves that it is whole and
//! in its place. So each record is one line
//!
//! ```text
//! %sw g 3 check name=x19 want=0x11 got=0x11 ~5a0f96b7
//! ```
//!
//! with a prefix that ordinary output does not contain, the stream that speaks (`g` the guest, `h`
//! the hypervisor, `m` the cache model, `a` an agent that starts guests, `r` who asks it to), a sequence number that counts from 0 in each stream, the record's kind, its
//! fields, and a CRC-32 of everything before the ` ~`. Bytes of a value that could end it or the
//! line are written `%XX`. The last record of a stream is `end records=N`, N being its own sequence
//! number: silence, truncation and loss are all visible.
//!
//! The kinds and their fields are listed in [`kind`].
#![cfg_attr(not(test), no_std)]

mod read;
mod write;

pub use read::{Fields, ParseError, Record, parse};
pub use write::{RecordWriter, Value};

/// What every record line contains, wherever on the line it starts.
pub const PREFIX: &str = "%sw ";

/// The protocol version that `begin` announces.
pub const VERSION: u64 = 1;

/// A CRC-32 (the one of Ethernet and zip), with the smallest table: these lines are short.
const CRC: crc::Crc<u32, crc::Table<1>> =
    crc::Crc::<u32, crc::Table<1>>::new(&crc::CRC_32_ISO_HDLC);

/// Who emits a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// The payload.
    Guest,
    /// The hypervisor under test, where it can speak the protocol.
    Hypervisor,
    /// The cache model, in QEMU's log.
    Model,
    /// The agent: a program on the hypervisor's own system that starts guests there, one after the other.
    Agent,
    /// Who asks the agent to.
    Requester,
}

impl Stream {
    /// The letter that stands for the stream on the line.
    pub const fn letter(self) -> char {
        match self {
            Stream::Guest => 'g',
            Stream::Hypervisor => 'h',
            Stream::Model => 'm',
            Stream::Agent => 'a',
            Stream::Requester => 'r',
        }
    }
}

/// Immediates of SVC by which an agent, at EL0, marks what belongs to a run. The system that it runs on
/// does not look at them; whoever watches from outside finds them in the syndrome.
pub mod boundary {
    /// The run begins.
    pub const BEGINS: u16 = 0x5e71;
    /// It has ended.
    pub const ENDS: u16 = 0x5e72;
}

/// The kinds of record, with the fields each carries.
///
/// Numbers are written `0x…` (hexadecimal) or in decimal; all fit 64 bits.
pub mod kind {
    /// First record of each stream. Guest: `proto build base isa case mark midr clidr ctr`, where `base`
    /// is where the image is and `mark` the preferred return address of the payload's mark HVC.
    /// Hypervisor: `proto build base policy`. Cache model: `proto api schedule cpus line sets ways
    /// system`.
    pub const BEGIN: &str = "begin";
    /// A cache that the CPU reports: `level type ccsidr`, `type` being CLIDR_EL1.Ctype.
    pub const CACHE: &str = "cache";
    /// A measured phase, bracketed by marks 2n and 2n+1: `n name` and the counts that
    /// the policy demands: `set_way vm_reg flush`.
    pub const STEP: &str = "step";
    /// A value that the guest compared: `name want got`.
    pub const CHECK: &str = "check";
    /// A random program, with the sum of all that its loads saw: `seed digest`.
    pub const PROGRAM: &str = "program";
    /// What the loads of the program saw that was asked for, one after the other: `bytes` in hexadecimal.
    pub const SEEN: &str = "seen";
    /// A case of this image, on request: `id`.
    pub const CASE: &str = "case";
    /// The speaker gave up: `msg`.
    pub const PANIC: &str = "panic";
    /// Last record of each stream: `records`, its own sequence number.
    pub const END: &str = "end";
    /// Hypervisor: its running totals when the guest issued mark `n`: `n set_way vm_reg flush`.
    pub const MARK: &str = "mark";
    /// Hypervisor: a set/way op made it flush: `vcpu pc cache`.
    pub const SET_WAY_FLUSH: &str = "set_way_flush";
    /// Hypervisor: a trapped VM register was written: `vcpu pc was now`.
    pub const TOGGLE_CACHE: &str = "toggle_cache";
    /// Hypervisor: traps of one register or op: `reg dir count`.
    pub const TRAPS: &str = "traps";
    /// Hypervisor: work done: `flushes lines`, and trace events that did not fit: `lost`. Cache model: all
    /// `stale` and `lost` ones; what it saw of programs below EL2 in AArch32 and AArch64: `loads32 loads64
    /// stores32 stores64 fetches32 fetches64`; blocks that it could not watch: `unwatched`.
    pub const TOTALS: &str = "totals";
    /// Hypervisor: the guest cannot go on: `vcpu reason pc esr far`.
    pub const DIED: &str = "died";
    /// Cache model: everything is watched from here on.
    pub const ARMED: &str = "armed";
    /// Cache model: a load, fetch or walk did not see the newest data: `cpu pc el path pa len saw newest
    /// walk in [in_cpu]`, who stored it: `[store_cpu store_pc store_el store_path]`, and what was done to the
    /// line since: `[then then_cpu then_pc then_el]`.
    pub const STALE: &str = "stale";
    /// Cache model: the newest data is nowhere any more: `cpu pc el pa len`, and as for `stale`.
    pub const LOST: &str = "lost";
    /// Cache model: what a hypervisor maintained by VA while its guest waited: `cpu pc cause ops lines
    /// twice dirty ranges first last`, `dirty` being the ops that found a dirty line; where `pc` and `cause` are what the guest was about to execute, and the
    /// lines that the guest had dirtied and that still are: `missed missed_at`.
    pub const FLUSH: &str = "flush";
    /// Cache model: ops that were executed and did not trap: `by op guest count`.
    pub const OPS: &str = "ops";
    /// Hypervisor: how often the guest left for one reason, as the hypervisor's own trace counts it: `class
    /// count`, the class being that of the syndrome (ESR_EL2.EC).
    pub const EXITS: &str = "exits";
    /// Agent: it waits for requests: `proto build kernel`, the kernel being the system's own release.
    pub const READY: &str = "ready";
    /// Agent: it cannot start any guest: `msg`.
    pub const FAILED: &str = "failed";
    /// Requester: start a guest and wait for its end: `n image isa vcpus seconds arguments`, `n` being any
    /// number, `image` a file of the agent's system, and `arguments` the guest's command line.
    pub const RUN: &str = "run";
    /// Agent: the guest that was request `n` is over: `n end`, where `end` is `off`, `reset`, `crash`,
    /// `timeout` or `error`, and in these cases `msg` says more.
    pub const OVER: &str = "over";
}
