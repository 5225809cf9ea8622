//! Reading events as the kernel's `format` files describe them, so that no kernel's layout is built in.

use std::collections::BTreeMap;

use tracepoint_decode::PerfEventFormat;

use super::event::{Event, KINDS, Kind, MOST_FIELDS};

/// Where a field is in an event.
#[derive(Clone, Copy, Debug)]
struct Field {
    offset: usize,
    size: usize,
}

impl Field {
    /// Its value in `event`, zero-extended.
    fn value(self, event: &[u8]) -> Option<u64> {
        let bytes = event.get(self.offset..self.offset + self.size)?;
        let mut value = [0; 8];
        value.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(u64::from_le_bytes(value))
    }
}

/// An event that can be read.
#[derive(Debug)]
struct Known {
    kind: &'static Kind,
    fields: Vec<Field>,
}

/// What the `format` files say.
#[derive(Debug)]
pub struct Decoder {
    /// `common_type`, which is the event's number, and `common_pid`.
    common: [Field; 2],
    known: BTreeMap<u64, Known>,
}

/// A `format` file does not say what is needed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "this kernel's event {event} has no field `{field}`\n  next: --no-trace runs the guest without counting; please report the kernel's version"
)]
pub struct FormatError {
    /// The event's name.
    pub event: &'static str,
    /// What is missing.
    pub field: &'static str,
}

impl Decoder {
    /// A decoder of the events whose `format` files `file` gives by name.
    pub fn new<E: From<FormatError>>(
        mut file: impl FnMut(&'static str) -> Result<String, E>,
    ) -> Result<Self, E> {
        let mut known = BTreeMap::new();
        let mut common = None;
        for kind in &KINDS {
            let missing = |field| FormatError {
                event: kind.name,
                field,
            };
            let text = file(kind.name)?;
            let format = PerfEventFormat::parse(true, "kvm", &text).ok_or_else(|| missing("ID"))?;
            let field = |name| {
                let found = format.fields().iter().find(|field| field.name() == name);
                let field = found.ok_or_else(|| missing(name))?;
                Ok::<_, FormatError>(Field {
                    offset: field.offset().into(),
                    size: field.size().into(),
                })
            };
            common = Some([field("common_type")?, field("common_pid")?]);
            let fields = kind.fields.iter().map(|name| field(name));
            let fields = fields.collect::<Result<_, _>>()?;
            known.insert(format.id().into(), Known { kind, fields });
        }
        // The table of events is not empty.
        let common = common.unwrap_or([Field { offset: 0, size: 0 }; 2]);
        Ok(Self { common, known })
    }

    /// The event that `bytes` are, if it is one that is counted.
    pub fn decode(&self, time: u64, bytes: &[u8]) -> Option<Event> {
        let number = self.common[0].value(bytes)?;
        let thread = self.common[1].value(bytes)? as u32;
        let Known { kind, fields } = self.known.get(&number)?;
        // There are tens of thousands of events in some runs: no allocation for each.
        let mut values = [0; MOST_FIELDS];
        for (value, field) in values.iter_mut().zip(fields) {
            *value = field.value(bytes)?;
        }
        let what = (kind.read)(&values[..fields.len()])?;
        Some(Event { time, thread, what })
    }
}
