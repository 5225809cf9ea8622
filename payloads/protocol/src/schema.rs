//! What a kind of record is, and the macro that makes everything of one table of kinds.

use core::fmt::{self, Write};

use crate::{
    Stream,
    value::{Form, Value},
};

/// A kind of record: one row of the table in [`crate::record`].
#[derive(Clone, Copy, Debug)]
pub struct KindSpec {
    /// The name of its struct.
    pub name: &'static str,
    /// The word on the line. Streams can have the same word for kinds of their own.
    pub kind: &'static str,
    /// Who writes it.
    pub by: &'static [Stream],
    /// What it is for, a line each.
    pub doc: &'static [&'static str],
    /// What it says.
    pub fields: &'static [FieldSpec],
}

/// A field of a kind of record.
#[derive(Clone, Copy, Debug)]
pub struct FieldSpec {
    /// The name on the line.
    pub name: &'static str,
    /// How it is written.
    pub form: Form,
    /// Whether it may be missing.
    pub is_optional: bool,
    /// What it means, a line each.
    pub doc: &'static [&'static str],
}

impl KindSpec {
    /// Whether `stream` has records of this kind.
    pub const fn is_spoken_by(&self, stream: Stream) -> bool {
        let mut n = 0;
        while n < self.by.len() {
            if self.by[n] as u8 == stream as u8 {
                return true;
            }
            n += 1;
        }
        false
    }
}

/// A record that can be written.
pub trait Kind {
    /// What kind it is.
    const SPEC: KindSpec;

    /// Writes its fields, each after a space.
    fn write_fields(&self, out: &mut dyn Write) -> fmt::Result;
}

/// Writes one field, if it is there.
pub(crate) fn write_field<'a>(
    out: &mut dyn Write,
    name: &str,
    value: &impl Value<'a>,
) -> fmt::Result {
    if !value.is_present() {
        return Ok(());
    }
    write!(out, " {name}=")?;
    value.write(out)
}

/// A field's name on the line: that in the struct, unless another is given.
macro_rules! field_name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $name:literal) => {
        $name
    };
}

/// Makes of one table of kinds: a struct for each, which is written and read; one enum of all; and the list of
/// kinds.
///
/// Structs that have text have the lifetime `'a`, no other.
macro_rules! records {
    ($(
        $(#[doc = $doc:literal])+
        $Name:ident $(<$a:lifetime>)? = $kind:literal by [$($Speaker:ident),+] {
            $( $(#[doc = $meaning:literal])+ $field:ident $(as $wire:literal)?: $Type:ty, )*
        }
    )*) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub struct $Name $(<$a>)? {
                $( $(#[doc = $meaning])+ pub $field: $Type, )*
            }

            impl $(<$a>)? Kind for $Name $(<$a>)? {
                const SPEC: KindSpec = KindSpec {
                    name: stringify!($Name),
                    kind: $kind,
                    by: &[$(Stream::$Speaker),+],
                    doc: &[$($doc),+],
                    fields: &[$(
                        FieldSpec {
                            name: field_name!($field $($wire)?),
                            form: <$Type as Value>::FORM,
                            is_optional: <$Type as Value>::IS_OPTIONAL,
                            doc: &[$($meaning),+],
                        },
                    )*],
                };

                #[allow(unused_variables, reason = "a kind may have no fields")]
                fn write_fields(&self, out: &mut dyn Write) -> fmt::Result {
                    $( write_field(out, field_name!($field $($wire)?), &self.$field)?; )*
                    Ok(())
                }
            }

            impl<'a> TryFrom<Record<'a>> for $Name $(<$a>)? {
                type Error = Malformed<'a>;

                fn try_from(record: Record<'a>) -> Result<Self, Malformed<'a>> {
                    record.check_fields(&Self::SPEC)?;
                    Ok(Self {
                        $( $field: record.field(field_name!($field $($wire)?))?, )*
                    })
                }
            }

            /// A message of another kind is handed back.
            impl<'a> TryFrom<Message<'a>> for $Name $(<$a>)? {
                type Error = Message<'a>;

                fn try_from(message: Message<'a>) -> Result<Self, Message<'a>> {
                    match message {
                        Message::$Name(record) => Ok(record),
                        other => Err(other),
                    }
                }
            }
        )*

        /// Every kind of record.
        pub static KINDS: &[KindSpec] = &[$(<$Name as Kind>::SPEC),*];

        /// A record of any kind.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Message<'a> {
            $( $(#[doc = $doc])+ $Name($Name $(<$a>)?), )*
        }

        impl<'a> TryFrom<Record<'a>> for Message<'a> {
            type Error = Malformed<'a>;

            fn try_from(record: Record<'a>) -> Result<Self, Malformed<'a>> {
                $(
                    if record.is_of(&<$Name as Kind>::SPEC) {
                        return $Name::try_from(record).map(Self::$Name);
                    }
                )*
                Err(record.unknown())
            }
        }

        impl Message<'_> {
            /// What kind of record it is.
            pub const fn spec(&self) -> &'static KindSpec {
                match self {
                    $( Self::$Name(_) => &<$Name as Kind>::SPEC, )*
                }
            }

            /// Writes its fields, each after a space.
            pub fn write_fields(&self, out: &mut dyn Write) -> fmt::Result {
                match self {
                    $( Self::$Name(record) => record.write_fields(out), )*
                }
            }
        }
    };
}
