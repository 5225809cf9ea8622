//! The guest's console: what it transmits goes out verbatim, and is kept for the records in it.

use std::io::{self, Write};

use crate::pl011::Pl011;

/// Most bytes that are kept. The records of every case are shorter.
const LIMIT: usize = 4 << 20;

/// A line longer than this goes out in pieces.
const LONG: usize = 1024;

/// The console of one guest.
#[derive(Debug)]
pub struct Console<W: Write> {
    uart: Pl011,
    out: W,
    line: Vec<u8>,
    transmitted: Vec<u8>,
}

impl<W: Write> Console<W> {
    /// A console at `uart` that writes to `out`.
    pub fn new(uart: Pl011, out: W) -> Self {
        Self {
            uart,
            out,
            line: Vec::with_capacity(LONG),
            transmitted: Vec::new(),
        }
    }

    /// The guest reads the register at `offset`.
    pub fn read(&self, offset: u64) -> u32 {
        self.uart.read(offset)
    }

    /// The guest writes the register at `offset`.
    pub fn write(&mut self, offset: u64, value: u32) -> io::Result<()> {
        let Some(byte) = self.uart.write(offset, value) else {
            return Ok(());
        };
        if self.transmitted.len() < LIMIT {
            self.transmitted.push(byte);
        }
        self.line.push(byte);
        if byte == b'\n' || self.line.len() >= LONG {
            return self.flush();
        }
        Ok(())
    }

    /// Writes out what is left of an unfinished line.
    pub fn flush(&mut self) -> io::Result<()> {
        let result = self.out.write_all(&self.line);
        self.line.clear();
        result.and_then(|()| self.out.flush())
    }

    /// What the guest has transmitted.
    pub fn transmitted(&self) -> &[u8] {
        &self.transmitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// UARTDR.
    const DR: u64 = 0;

    #[test]
    fn lines_go_out_whole_and_the_rest_at_the_end() {
        let mut out = Vec::new();
        let mut console = Console::new(Pl011::default(), &mut out);
        for byte in *b"one\r\ntw" {
            console.write(DR, byte.into()).unwrap();
        }
        assert_eq!(console.line, b"tw");
        console.flush().unwrap();
        assert_eq!(console.transmitted(), b"one\r\ntw");
        assert_eq!(out, b"one\r\ntw");
    }

    #[test]
    fn a_guest_that_never_ends_its_line_is_passed_on() {
        let mut out = Vec::new();
        let mut console = Console::new(Pl011::default(), &mut out);
        for _ in 0..LONG {
            console.write(DR, b'.'.into()).unwrap();
        }
        drop(console);
        assert_eq!(out.len(), LONG);
    }
}
