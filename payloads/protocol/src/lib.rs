//! The records of a run, as guests, hypervisors, agents and the cache model write them and the harness reads
//! them.
//!
//! A serial console is shared with firmware chatter, is cut off by crashes and can drop or repeat
//! bytes. A verdict read from it is worth something only if every line proves that it is whole and
//! in its place. So each record is one line
//!
//! ```text
//! %sw g 3 check of=register name=x19 want=0x11 got=0x11 ~5a0f96b7
//! ```
//!
//! with a prefix that ordinary output does not contain, the letter of the [`Stream`] that speaks, a
//! sequence number that counts from 0 in each stream, the record's kind, its fields, and a [seal](Seal) over
//! everything before the ` ~`. The last record of a stream is `end records=N`, N being its own sequence
//! number: silence, truncation and loss are all visible.
//!
//! Several parties share a console, and one of them is the guest, which is not to be believed about the
//! others. So those that speak about the guest seal their lines with a key that the guest does not know.
//!
//! Every kind of record stands once, in [`record`], and everything else is made of that table: the struct
//! that is written and read, the list of what is known ([`record::KINDS`]) and the manual page `RECORDS.md`.
#![cfg_attr(not(test), no_std)]

#[macro_use]
mod schema;
#[macro_use]
mod words;

pub mod boundary;
mod compound;
mod fnv;
mod manual;
mod read;
pub mod record;
mod seal;
mod stream;
mod text;
mod value;
pub mod word;
mod write;

pub use compound::{Actor, Code, Deed, Whereabouts};
pub use fnv::{Fnv, fnv1a};
pub use manual::Manual;
pub use read::{Channel, Fields, Malformed, ParseError, Record, Why, parse};
pub use schema::{FieldSpec, Kind, KindSpec};
pub use seal::{Key, NotAKey, Seal};
pub use stream::{Agent, Guest, Hypervisor, Model, Requester, Speaker, Stream};
pub use text::Text;
pub use value::{Bytes, Form, Hex, Value};
pub use words::{Word, WordSpec};
pub use write::RecordWriter;

/// What every record line contains, wherever on the line it starts.
pub const PREFIX: &str = "%sw ";

/// The protocol version that `begin` announces.
pub const VERSION: u64 = 2;

/// How many records of each kind of notice, stale reads and lost writes, the cache model writes at most. It counts all.
pub const MOST_NOTICES: usize = 64;
