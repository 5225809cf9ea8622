//! The reference hypervisor: one guest, KVM's set/way policy of 2015, and nothing else.
//!
//! It boots by the Linux protocol at EL2, takes its guest from the initial RAM disk, gives it all
//! devices and the memory above itself, one vCPU for each CPU that the guest turns on, and steps in
//! only where the policy or the architecture makes it. When the guest ends, it says in records what
//! it saw. The part of the command line after `--` is the guest's; before it, `mutant=` names the
//! mutant to be, if any, and `key=` gives the key that seals the records.
#![no_std]
#![no_main]

mod controls;
mod device_tree;
mod emulation;
mod geometry;
mod guest;
mod ids;
mod interrupts;
mod mmu;
mod psci;
mod registers;
mod report;
mod stage2;
mod sysreg;
mod trace;
mod traps;
mod vcpu;
mod vectors;

use aarch64_rt::entry;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use setway_policy::{Mutant, Policy};
use setway_protocol::{Hypervisor, Key};
use setway_runtime::{
    board::Board,
    bootargs,
    console::{self, Records},
};

// 16 pages of stack for start-up; each vCPU has its own.
entry!(main, 16);

fn main(dtb: u64, _: u64, _: u64, _: u64) -> ! {
    // SAFETY: the Linux boot protocol has the device tree's address in x0, in memory that is not
    // the hypervisor's; `guest::load` is done with this borrow before it writes there.
    let board = match unsafe { Board::read(dtb as *const u8) } {
        Ok(board) => board,
        Err(error) => panic!("device tree at {dtb:#x}: {error}"),
    };
    if let Some(port) = board.console {
        // SAFETY: the device tree says that it is there. The guest drives it too, but never at the same
        // time: the hypervisor speaks when the guest is over.
        unsafe { console::init(port) }
    }
    let (own, _) = bootargs::split(board.bootargs);
    take_key(own);
    choose_policy(own);
    mmu::map_memory(&board.memory);
    stage2::init(&board.memory);
    vcpu::init(&board.cpus);
    interrupts::init(&board);
    let entry = guest::load(board, dtb);
    vcpu::run_boot_cpu(entry)
}

/// The two halves of the key that seals the records.
static KEY: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

fn take_key(args: &str) {
    let Some(key) = bootargs::value(args, "key") else {
        return;
    };
    let key: Key = key.parse().unwrap_or_else(|error| panic!("{error}"));
    let bytes = key.bytes();
    let (halves, _) = bytes.as_chunks();
    for (kept, half) in KEY.iter().zip(halves) {
        kept.store(u64::from_ne_bytes(*half), Ordering::Relaxed);
    }
}

/// The key that seals the records.
fn key() -> Key {
    let mut bytes = [0; 16];
    let (halves, _) = bytes.as_chunks_mut();
    for (half, kept) in halves.iter_mut().zip(&KEY) {
        *half = kept.load(Ordering::Relaxed).to_ne_bytes();
    }
    Key::new(bytes)
}

/// The mutant to be: its place in [`Mutant::ALL`], or [`NONE`].
static MUTANT: AtomicU8 = AtomicU8::new(NONE);
const NONE: u8 = u8::MAX;

fn choose_policy(args: &str) {
    let name = bootargs::value(args, "mutant").unwrap_or("none");
    if name == "none" {
        return;
    }
    match Mutant::ALL.iter().position(|mutant| mutant.name() == name) {
        Some(place) => MUTANT.store(place as u8, Ordering::Relaxed),
        None => panic!("no mutant is called {name}"),
    }
}

/// The policy that this run follows.
fn policy() -> Policy {
    Policy {
        mutant: Mutant::ALL
            .get(usize::from(MUTANT.load(Ordering::Relaxed)))
            .copied(),
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    console::panic(Records::<Hypervisor>::keyed(key()), info);
    psci::system_off()
}
