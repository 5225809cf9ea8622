//! QEMU's exception log (`-d int`), read while it is written.
//!
//! This is the account of a run that neither guest nor hypervisor can falsify. QEMU writes one block
//! per exception:
//!
//! ```text
//! Taking exception 1 [Undefined Instruction] on CPU 0
//! ...from EL1 to EL2
//! ...with ESR 0x18/0x62141c1c
//! ...with ELR 0x40200000
//! ...to EL2 PC 0x40000400 PSTATE 0x3c9
//! ```
//!
//! Versions differ: before 7.0 the first line names no CPU. Interrupts print the ESR of an earlier
//! exception, so they must be distinguished by their number. QEMU takes exceptions under one lock, so that
//! blocks of two CPUs do not mix, but lines about exception *returns* are written outside of it and
//! may fall between.

use std::ops::Range;

use setway_architecture::trap::esr::{Esr, ec};
use setway_protocol::boundary;

/// QEMU's numbers of the asynchronous exceptions, which have no syndrome of their own: IRQ, FIQ,
/// VIRQ, VFIQ, VSERR, NMI, VINMI, VFNMI.
const ASYNCHRONOUS: [u32; 8] = [5, 6, 14, 15, 24, 26, 27, 28];

/// A synchronous exception taken to EL2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Its syndrome.
    pub esr: Esr,
    /// Its preferred return address.
    pub elr: u64,
}

/// An exception that says which part of the log belongs to a run, where a boot serves several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boundary {
    /// What follows belongs to one.
    Begins,
    /// What follows does not.
    Ends,
}

impl Boundary {
    /// What an SVC means, if it means one.
    fn of(esr: Esr) -> Option<Self> {
        if esr.class() != ec::SVC64 {
            return None;
        }
        // ISS.imm16.
        match esr.0 as u16 {
            boundary::BEGINS => Some(Boundary::Begins),
            boundary::ENDS => Some(Boundary::Ends),
            _ => None,
        }
    }
}

/// All that is kept of a log.
#[derive(Clone, Debug, Default)]
pub struct ExceptionLog {
    /// The exceptions taken to EL2 from a lower level, in order.
    pub exceptions: Vec<Exception>,
    /// How many exceptions there were in all, whatever their target.
    pub taken: usize,
    /// The cache model's records, each with the number of exceptions before it.
    pub records: Vec<(usize, String)>,
    /// Blocks and lines that are not as QEMU writes them: some of the log is lost.
    pub damaged: usize,
    /// An exception return has left EL2: something below a hypervisor has run.
    pub left_el2: bool,
    /// Whether there is a host besides the guests, whose own exceptions are left out.
    hosted: bool,
    block: Option<Block>,
}

/// An exception of which not all lines have been read.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    number: u32,
    /// The line with the levels has been read.
    has_levels: bool,
    to_el2: bool,
    from_el0: bool,
    esr: Option<u32>,
    elr: Option<u64>,
}

impl Block {
    /// Whether lines of it are lost. Only what is taken to EL2 has all five, on every QEMU.
    fn is_damaged(&self, whole: bool) -> bool {
        let has_syndrome = self.esr.is_some() && self.elr.is_some();
        !self.has_levels || self.to_el2 && !(has_syndrome && whole)
    }
}

/// Where the upper half of the address space begins, in which a host's kernel lives and no payload does.
pub const UPPER_HALF: u64 = 1 << 63;

/// Where payloads run in a VM: at the start of a guest's memory, which every VMM puts at 1 GiB as QEMU's virt board does.
/// A host's programs have no code there: those at fixed addresses lie below, all others close to 2^48.
const PAYLOADS: Range<u64> = 0x4000_0000..0x8000_0000;

impl ExceptionLog {
    /// A log of which nothing has been read. A hypervisor may have a host system (`hosted`): its programs at EL0
    /// and, without VHE, its kernel at EL1 take exceptions to EL2 as well; those are not the guests'.
    pub fn new(hosted: bool) -> Self {
        Self {
            hosted,
            ..Self::default()
        }
    }

    /// How many exceptions the run is charged with: all, or where there is a host, those of the guests.
    pub fn charged(&self) -> usize {
        if self.hosted {
            self.exceptions.len()
        } else {
            self.taken
        }
    }

    /// Takes the next line. Says so if it completes a boundary.
    pub fn line(&mut self, line: &str) -> Option<Boundary> {
        let line = line.trim_end();
        if line.starts_with(setway_protocol::PREFIX) {
            self.records.push((self.exceptions.len(), line.to_owned()));
            return None;
        }
        if let Some(rest) = line.strip_prefix("Taking exception ") {
            let boundary = self.end_block(false);
            self.taken += 1;
            let number = rest.split(' ').next().and_then(|word| word.parse().ok());
            self.block = number.map(|number| Block {
                number,
                ..Block::default()
            });
            return boundary;
        }
        if let Some(levels) = line.strip_prefix("Exception return from AArch64 EL2 to ") {
            let mut words = levels.split(' ');
            self.left_el2 |= words.any(|word| matches!(word, "EL0" | "EL1"));
            return None;
        }
        let rest = line.strip_prefix("...")?;
        let Some(block) = self.block.as_mut() else {
            // The first line of its block is lost.
            self.damaged += 1;
            return None;
        };
        if let Some(levels) = rest.strip_prefix("from EL") {
            block.has_levels = true;
            block.to_el2 = matches!(levels, "0 to EL2" | "1 to EL2");
            block.from_el0 = levels.starts_with('0');
        } else if let Some(esr) = rest.strip_prefix("with ESR ") {
            block.esr = esr
                .split('/')
                .nth(1)
                .and_then(hex)
                .and_then(|esr| esr.try_into().ok());
        } else if let Some(elr) = rest.strip_prefix("with ELR ") {
            block.elr = hex(elr);
        } else if rest.starts_with("handled as") {
            // QEMU answers it itself, as firmware would, and takes no exception.
            self.block = None;
        } else if rest.starts_with("to EL") {
            return self.end_block(true);
        }
        None
    }

    /// Nothing follows. A block that was cut off is not counted.
    pub fn close(&mut self) {
        self.end_block(false);
    }

    /// The block is over, by its own last line (`whole`) or because another begins.
    fn end_block(&mut self, whole: bool) -> Option<Boundary> {
        let block = self.block.take()?;
        self.damaged += usize::from(block.is_damaged(whole));
        if ASYNCHRONOUS.contains(&block.number) {
            return None;
        }
        let esr = Esr(block.esr?);
        // The agent is a program. A guest's kernel can issue the same.
        let boundary = Boundary::of(esr).filter(|_| block.from_el0);
        if boundary.is_some() || !block.to_el2 {
            return boundary;
        }
        let elr = block.elr?;
        let is_guests = if block.from_el0 {
            PAYLOADS.contains(&elr)
        } else {
            elr < UPPER_HALF
        };
        if !self.hosted || is_guests {
            self.exceptions.push(Exception { esr, elr });
        }
        None
    }
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Vec<Exception> {
        let mut log = ExceptionLog::default();
        for line in text.lines() {
            log.line(line);
        }
        log.close();
        log.exceptions
    }

    fn exception(esr: u32, elr: u64) -> Exception {
        Exception { esr: Esr(esr), elr }
    }

    const NEW: &str = "\
Exception return from AArch64 EL2 to AArch64 EL1 PC 0x40200000
Taking exception 1 [Undefined Instruction] on CPU 0
...from EL1 to EL2
...with ESR 0x18/0x62141c1c
...with SPSR 0x3c5
...with ELR 0x40200000
...to EL2 PC 0x40000400 PSTATE 0x3c9
Exception return from AArch64 EL2 to AArch64 EL1 PC 0x40200004
Taking exception 11 [Hypervisor Call] on CPU 0
...from EL1 to EL2
...with ESR 0x16/0x5a000000
...with SPSR 0x3c5
...with ELR 0x40200038
...to EL2 PC 0x40200c00 PSTATE 0x3c9
Taking exception 13 [Secure Monitor Call] on CPU 0
...from EL1 to EL3
...with ESR 0x17/0x5e000000
...handled as PSCI call
";

    #[test]
    fn a_log_of_qemu_11() {
        assert_eq!(
            read(NEW),
            [
                exception(0x62141c1c, 0x40200000),
                exception(0x5a000000, 0x40200038)
            ]
        );
    }

    #[test]
    fn a_return_below_el2_shows_that_a_guest_was_entered() {
        let entered = |line: &str| {
            let mut log = ExceptionLog::default();
            log.line(line);
            log.left_el2
        };
        let line = |to: &str| format!("Exception return from AArch64 EL2 to {to} PC 0x40200000");
        for guest in ["AArch64 EL1", "AArch32 EL1", "AArch64 EL0"] {
            assert!(entered(&line(guest)), "{guest}");
        }
        assert!(!entered(&line("AArch64 EL2")));
        assert!(!entered(&line("AArch64 EL1").replace("EL2 to", "EL1 to")));
    }

    #[test]
    fn a_log_of_qemu_5() {
        let old = "\
Taking exception 1 [Undefined Instruction]
...from EL1 to EL2
...with ESR 0x3/0xfe41c1c
...with ELR 0x40200010
...to EL2 PC 0x40000600 PSTATE 0x3c9
";
        assert_eq!(read(old), [exception(0x0fe41c1c, 0x40200010)]);
    }

    #[test]
    fn interrupts_repeat_a_stale_syndrome_and_are_skipped() {
        let irq = NEW.replace("exception 1 [Undefined Instruction]", "exception 5 [IRQ]");
        assert_eq!(read(&irq), [exception(0x5a000000, 0x40200038)]);
    }

    #[test]
    fn exceptions_within_el1_and_el2_are_not_traps() {
        assert_eq!(read(&NEW.replace("to EL2\n", "to EL1\n")), []);
        assert_eq!(read(&NEW.replace("from EL1", "from EL2")), []);
    }

    #[test]
    fn another_cpus_return_may_fall_into_a_block() {
        let mixed = NEW.replace(
            "...with SPSR 0x3c5\n",
            "Exception return from AArch64 EL2 to AArch64 EL1 PC 0x44\n...with SPSR 0x3c5\n",
        );
        assert_eq!(read(&mixed), read(NEW));
    }

    #[test]
    fn a_block_that_was_cut_off_is_not_counted() {
        let (cut, _) = NEW.split_once("...with ELR 0x40200000").unwrap();
        assert_eq!(read(cut), []);
    }

    #[test]
    fn a_call_that_qemu_answers_is_no_exception() {
        let psci = "\
Taking exception 11 [Hypervisor Call] on CPU 0
...from EL1 to EL2
...with ESR 0x16/0x5a000000
...handled as PSCI call
";
        let mut log = ExceptionLog::default();
        for line in psci.lines() {
            log.line(line);
        }
        log.close();
        assert_eq!((log.damaged, log.taken), (0, 1));
        assert_eq!(log.exceptions, []);
    }

    #[test]
    fn a_lost_line_is_noticed_where_it_matters() {
        let damage = |text: &str| {
            let mut log = ExceptionLog::default();
            text.lines().for_each(|line| {
                log.line(line);
            });
            log.close();
            (log.damaged, log.exceptions)
        };
        let (none, whole) = damage(NEW);
        assert_eq!(none, 0);
        let lines: Vec<&str> = NEW.lines().collect();
        for lost in 0..lines.len() {
            let rest = [&lines[..lost], &lines[lost + 1..]].concat().join("\n");
            let (damaged, exceptions) = damage(&rest);
            assert!(
                damaged > 0 || exceptions == whole,
                "without `{}` nobody notices",
                lines[lost]
            );
        }
        let (cut, _) = NEW
            .split_once("...with ELR 0x40200038")
            .expect("it is there");
        assert!(damage(cut).0 > 0);
    }

    #[test]
    fn an_agents_svc_is_a_boundary() {
        let svc = |imm: u16| {
            format!(
                "Taking exception 2 [SVC] on CPU 0\n...from EL0 to EL1\n...with ESR 0x15/0x5600{imm:04x}\n\
                 ...with ELR 0xaaaab0000000\n...to EL1 PC 0xffff800008010400 PSTATE 0x3c5\n"
            )
        };
        let boundaries = |text: &str| -> Vec<Boundary> {
            let mut log = ExceptionLog::new(true);
            text.lines().filter_map(|line| log.line(line)).collect()
        };
        assert_eq!(boundaries(&svc(boundary::BEGINS)), [Boundary::Begins]);
        assert_eq!(boundaries(&svc(boundary::ENDS)), [Boundary::Ends]);
        assert_eq!(boundaries(&svc(0)), []);
        // A guest's kernel may issue it, and is no agent.
        let guests = svc(boundary::BEGINS).replace("from EL0", "from EL1");
        assert_eq!(boundaries(&guests), []);
        // With VHE the host is at EL2.
        let vhe = svc(boundary::BEGINS).replace("to EL1", "to EL2");
        assert_eq!(boundaries(&vhe), [Boundary::Begins]);
    }

    #[test]
    fn a_hosts_own_exceptions_are_left_out() {
        let mut log = ExceptionLog::new(true);
        let host = NEW.replace("ELR 0x40200038", "ELR 0xffff800008012345");
        let program = NEW.replace("from EL1", "from EL0");
        let program = program.replace("ELR 0x402000", "ELR 0x2000");
        // A guest has programs, too.
        let guests = NEW.replace("from EL1", "from EL0");
        let lines = host.lines().chain(program.lines());
        for line in lines.chain(guests.lines()) {
            log.line(line);
        }
        let kernel = exception(0x62141c1c, 0x40200000);
        let hvc = exception(0x5a000000, 0x40200038);
        assert_eq!(log.exceptions, [kernel, kernel, hvc]);
        assert_eq!((log.taken, log.charged()), (9, 3));
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(Taking exception |\\.\\.\\.(from EL|with ESR |with ELR |to EL)|[0-9a-fx/ \n]){0,60}") {
            read(&text);
        }
    }
}
