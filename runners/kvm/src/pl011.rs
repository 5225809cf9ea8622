//! A PL011 (Arm DDI 0183) that only ever transmits.
//!
//! It takes each byte at once, so its FIFO is always empty, and it raises no interrupt.

/// The offset of UARTDR: a byte that is written there is transmitted.
pub const DATA: u64 = 0x00;

/// Offsets of the other registers (DDI 0183, 3.2).
mod offset {
    pub const FR: u64 = 0x18;
    pub const ILPR: u64 = 0x20;
    pub const IBRD: u64 = 0x24;
    pub const FBRD: u64 = 0x28;
    pub const LCR_H: u64 = 0x2c;
    pub const CR: u64 = 0x30;
    pub const IFLS: u64 = 0x34;
    pub const IMSC: u64 = 0x38;
    pub const DMACR: u64 = 0x48;
    pub const ID: u64 = 0xfe0;
}

/// UARTFR: the transmit FIFO is empty, and so is the receive FIFO.
const TXFE: u32 = 1 << 7;
const RXFE: u32 = 1 << 4;

/// UARTPeriphID0 to 3 of revision r1p5, then UARTPCellID0 to 3.
const ID: [u8; 8] = [0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1];

/// The registers that hold what is written to them: offset, the bits there are, and what they hold at the
/// start. That is their reset value, but that firmware seems to have enabled the UART, 8 bits and no
/// parity: a guest has nothing to do but write.
const HELD: [(u64, u32, u32); 8] = [
    (offset::ILPR, 0xff, 0),
    (offset::IBRD, 0xffff, 0),
    (offset::FBRD, 0x3f, 0),
    (offset::LCR_H, 0xff, 0x70),
    (offset::CR, 0xff87, 0x301),
    (offset::IFLS, 0x3f, 0x12),
    (offset::IMSC, 0x7ff, 0),
    (offset::DMACR, 0x7, 0),
];

/// The device.
#[derive(Debug)]
pub struct Pl011 {
    held: [u32; HELD.len()],
}

impl Default for Pl011 {
    fn default() -> Self {
        let held = HELD.map(|(_, _, start)| start);
        Self { held }
    }
}

impl Pl011 {
    /// Reads the register at `offset`. What is not there reads as zero.
    pub fn read(&self, offset: u64) -> u32 {
        if offset == offset::FR {
            return TXFE | RXFE;
        }
        if let Some(n) = index(offset) {
            return self.held[n];
        }
        let id = offset.checked_sub(offset::ID).map(|at| at / 4);
        id.and_then(|n| ID.get(n as usize))
            .map_or(0, |&byte| byte.into())
    }

    /// Writes the register at `offset`, and gives the byte that this transmits.
    pub fn write(&mut self, offset: u64, value: u32) -> Option<u8> {
        if offset == DATA {
            return Some(value as u8);
        }
        if let Some(n) = index(offset) {
            self.held[n] = value & HELD[n].1;
        }
        None
    }
}

/// Which of [`HELD`] is at `offset`.
fn index(offset: u64) -> Option<usize> {
    HELD.iter().position(|(at, ..)| *at == offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_to_the_data_register_is_transmitted() {
        let mut uart = Pl011::default();
        assert_eq!(uart.write(DATA, u32::from(b'x')), Some(b'x'));
        assert_eq!(uart.write(offset::CR, 0x300), None);
        assert_eq!(uart.read(DATA), 0);
    }

    #[test]
    fn it_is_always_ready() {
        let uart = Pl011::default();
        assert_eq!(uart.read(offset::FR), TXFE | RXFE);
    }

    #[test]
    fn registers_hold_the_bits_they_have() {
        let mut uart = Pl011::default();
        assert_eq!(uart.read(offset::CR), 0x301);
        uart.write(offset::FBRD, 0xffff_ffff);
        uart.write(offset::IBRD, 13);
        assert_eq!(uart.read(offset::FBRD), 0x3f);
        assert_eq!(uart.read(offset::IBRD), 13);
        assert_eq!(uart.write(0xff0, 1), None);
    }

    #[test]
    fn it_says_that_it_is_a_primecell() {
        let uart = Pl011::default();
        let read = |at: u64| (0..4).map(|n| uart.read(at + 4 * n)).collect::<Vec<_>>();
        assert_eq!(read(0xfe0), [0x11, 0x10, 0x34, 0x00]);
        assert_eq!(read(0xff0), [0x0d, 0xf0, 0x05, 0xb1]);
        assert_eq!(uart.read(0x1000), 0);
    }
}
