//! Values of more than one part, between `:`.

use core::fmt::{self, Write};

use crate::{
    value::{Form, Hex, Value},
    words::Word,
};

/// Where in a program a CPU is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Code {
    /// The exception level.
    pub el: u64,
    /// The address of the instruction.
    pub pc: Hex,
}

/// Who does something: a CPU, executing what is at a place; or its hardware, of its own accord.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Actor {
    /// The CPU, from 0.
    pub cpu: u64,
    /// What it executes; `None` for its hardware.
    pub code: Option<Code>,
}

impl<'a> Value<'a> for Actor {
    const FORM: Form = Form::Actor;

    fn write(&self, out: &mut dyn Write) -> fmt::Result {
        self.cpu.write(out)?;
        match &self.code {
            Some(code) => write!(out, ":{}:{}", code.el, code.pc),
            None => Ok(()),
        }
    }

    fn read(text: &'a str) -> Option<Self> {
        let (cpu, code) = match text.split_once(':') {
            Some((cpu, code)) => (cpu, Some(code.split_once(':')?)),
            None => (text, None),
        };
        let code = match code {
            Some((el, pc)) => Some(Code {
                el: u64::read(el)?,
                pc: Hex::read(pc)?,
            }),
            None => None,
        };
        Some(Self {
            cpu: u64::read(cpu)?,
            code,
        })
    }
}

/// What was done, and who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Deed<W> {
    /// What.
    pub what: W,
    /// Who.
    pub by: Actor,
}

impl<'a, W: Word> Value<'a> for Deed<W> {
    const FORM: Form = Form::Deed(W::WORDS);

    fn write(&self, out: &mut dyn Write) -> fmt::Result {
        write!(out, "{}:", self.what.name())?;
        self.by.write(out)
    }

    fn read(text: &'a str) -> Option<Self> {
        let (what, by) = text.split_once(':')?;
        Some(Self {
            what: W::by_name(what)?,
            by: Actor::read(by)?,
        })
    }
}

/// Where the newest data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Whereabouts {
    /// Dirty in the private cache of this CPU.
    Cache(u64),
    /// Dirty in the system cache.
    SystemCache,
    /// In memory: it is an older line that was read.
    Memory,
    /// Nowhere any more.
    Lost,
}

impl Whereabouts {
    /// The word, without the CPU.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cache(_) => "cache",
            Self::SystemCache => "system-cache",
            Self::Memory => "memory",
            Self::Lost => "lost",
        }
    }
}

impl<'a> Value<'a> for Whereabouts {
    const FORM: Form = Form::Whereabouts;

    fn write(&self, out: &mut dyn Write) -> fmt::Result {
        out.write_str(self.name())?;
        match self {
            Self::Cache(cpu) => write!(out, ":{cpu}"),
            _ => Ok(()),
        }
    }

    fn read(text: &'a str) -> Option<Self> {
        match text.split_once(':') {
            Some(("cache", cpu)) => u64::read(cpu).map(Self::Cache),
            Some(_) => None,
            None => [Self::SystemCache, Self::Memory, Self::Lost]
                .into_iter()
                .find(|it| it.name() == text),
        }
    }
}
