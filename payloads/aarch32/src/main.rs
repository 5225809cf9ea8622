//! The guest payload for AArch32: start-up, and the [`setway_cases::Isa`]s of A32 and T32.
//!
//! One image serves both: only the instructions under test differ, and each is assembled in the
//! instruction set that it belongs to.
#![no_std]
#![no_main]

mod bare;
mod boot;
mod caches;
mod cp15;
mod execute;
mod isa;
mod probes;
mod sctlr;
mod secondary;
mod stage1;
mod state;
mod vectors;

use setway_architecture::registers::Mpidr;
use setway_cases::IsaName;
use setway_protocol::Guest;
use setway_runtime::{
    board::{Board, Port},
    console::{self, Records},
    head, interrupts,
    payload::{self, Identity},
    psci,
};

/// The main program; `dtb` is r2 of the Linux boot protocol.
extern "C" fn main(dtb: u32) -> ! {
    execute::install_vectors();
    // SAFETY: the Linux boot protocol has the device tree's address in r2.
    let board = match unsafe { Board::read(dtb as *const u8) } {
        Ok(board) => board,
        Err(error) => panic!("device tree at {dtb:#x}: {error}"),
    };
    psci::init(board.psci);
    if let Some(port) = board.console {
        // SAFETY: the device tree says that it is there, and nobody else here knows of it. Another CPU writes
        // nothing unless it panics, and this one waits for it meanwhile.
        unsafe { console::init(port) }
    }
    stage1::init(&board.memory, board.console.and_then(Port::address));
    setway_runtime::secondary::init(&board, Mpidr(cp15::read!(MPIDR).into()).affinity());
    interrupts::init(&board);
    caches::set(true, true);

    match payload::requested_isa(&board) {
        None | Some(IsaName::A32) => payload::run::<isa::A32>(&board, identity()),
        Some(IsaName::T32) => payload::run::<isa::T32>(&board, identity()),
        Some(other) => panic!("this image has no {}", other.name()),
    }
    psci::system_off()
}

fn identity() -> Identity {
    Identity {
        build: head::build_id(),
        mark: isa::mark_address().into(),
        midr: cp15::read!(MIDR).into(),
        ctr: cp15::read!(CTR).into(),
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    console::panic(Records::<Guest>::new(), info);
    psci::system_off()
}
