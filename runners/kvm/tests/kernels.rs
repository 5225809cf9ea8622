//! The trace of real kernels: the first pages of the ring buffer of a run, with the kernel's own `format`
//! files (less how they would print events), and what they have to be counted as.
//!
//! `pages` was read from `per_cpu/cpu0/trace_pipe_raw` of a Debian kernel's tracefs, in QEMU with a
//! Cortex-A57. It is cut after the last mark; what follows are the guest's records.

use std::{fs, path::PathBuf};

use setway_kvm::{
    guest_records::Counts,
    trace::{
        event::Event,
        format::{Decoder, FormatError},
        page,
        tally::{Tally, tally},
    },
};

/// Bytes of a page.
const PAGE: usize = 4096;

fn directory(kernel: &str) -> PathBuf {
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kernels");
    PathBuf::from(tests).join(kernel)
}

fn format(kernel: &str, event: &str) -> String {
    fs::read_to_string(directory(kernel).join(event).with_extension("format")).unwrap()
}

/// What is counted on `kernel`, where a mark returns to `mark`.
fn counted(kernel: &str, mark: u64) -> Tally {
    let decoder = Decoder::new(|event| Ok::<_, FormatError>(format(kernel, event))).unwrap();
    let pages = fs::read(directory(kernel).join("pages")).unwrap();
    let mut events: Vec<Event> = Vec::new();
    for page in pages.chunks(PAGE) {
        let found = page::events(page);
        events.extend(found.filter_map(|(time, bytes)| decoder.decode(time, bytes)));
    }
    assert!(events.is_sorted_by_key(|event| event.time));
    // The only vCPU's thread is the only one that there are events of.
    let thread = events[0].thread;
    assert!(events.iter().all(|event| event.thread == thread));
    tally(&events, &[thread], Some(mark), 0)
}

/// The totals at the marks, as (set/way, VM registers, flushes).
fn marks(tally: &Tally) -> Vec<(u64, u64, u64)> {
    let numbers = |counts: &Counts| (counts.set_way, counts.vm_reg, counts.flush);
    tally.marks.iter().map(numbers).collect()
}

/// The totals at the marks of SW-REPEAT: an op that flushes, two that do not, and a write of CONTEXTIDR
/// that traps.
const SW_REPEAT: [(u64, u64, u64); 8] = [
    (0, 5, 1),
    (1, 5, 2),
    (1, 5, 2),
    (2, 5, 2),
    (2, 5, 2),
    (3, 5, 2),
    (3, 5, 2),
    (3, 6, 2),
];

#[test]
fn linux_6_1_with_sw_repeat_in_a64() {
    let tally = counted("6.1", 0x4020_1794);
    assert_eq!(marks(&tally), SW_REPEAT);
    let traps: Vec<_> = tally.traps().collect();
    let want = [
        ("DC ISW", 1),
        ("DC CSW", 2),
        ("SCTLR_EL1", 2),
        ("TTBR0_EL1", 1),
        ("TCR_EL1", 1),
        ("MAIR_EL1", 1),
        ("CONTEXTIDR_EL1", 1),
    ];
    assert_eq!(traps, want);
    assert_eq!(tally.listed.len(), 7);
    // HVC, and MSR or MRS.
    assert_eq!((tally.exits[&0x16], tally.exits[&0x18]), (8, 10));
}

#[test]
fn linux_6_12_with_sw_repeat_in_a32() {
    let tally = counted("6.12", 0x4020_0388);
    assert_eq!(marks(&tally), SW_REPEAT);
    let traps: Vec<_> = tally.traps().collect();
    let want = [
        ("DCISW", 1),
        ("DCCSW", 2),
        ("SCTLR", 2),
        ("TTBR0", 1),
        ("TTBCR", 1),
        ("DACR", 1),
        ("CONTEXTIDR", 1),
    ];
    assert_eq!(traps, want);
    assert_eq!(tally.listed.len(), 7);
    assert_eq!((tally.exits[&0x12], tally.exits[&0x03]), (8, 13));
}

#[test]
fn linux_7_3_with_vmr_halves_in_t32() {
    let tally = counted("7.3", 0x4020_0388);
    let want = [
        (1, 6, 2),
        (1, 7, 2),
        (1, 7, 2),
        (1, 8, 2),
        (1, 9, 2),
        (1, 10, 2),
        (1, 10, 2),
        (1, 11, 2),
    ];
    assert_eq!(marks(&tally), want);
    let of = |name| tally.traps().find(|trap| trap.0 == name).map(|trap| trap.1);
    assert_eq!(of("TTBR0 (64-bit)"), Some(2));
    assert_eq!(of("TTBR1 (64-bit)"), Some(2));
    assert_eq!(of("TTBR0"), Some(2));
    assert_eq!(of("AMAIR1"), Some(2));
    // MCRR.
    assert_eq!(tally.exits[&0x04], 4);
}

#[test]
fn a_kernel_without_a_field_is_told_of() {
    let decoder = Decoder::new(|event| {
        let text = format("6.1", event).replace("CRm", "CRx");
        Ok::<_, FormatError>(text)
    });
    let want = FormatError {
        event: "kvm_sys_access",
        field: "CRm",
    };
    assert_eq!(decoder.unwrap_err(), want);
}
