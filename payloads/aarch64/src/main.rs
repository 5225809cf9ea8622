//! The guest payload for AArch64: start-up, and the [`setway_cases::Isa`] of A64.
#![no_std]
#![no_main]

mod bare;
mod caches;
mod execute;
mod isa;
mod probes;
mod sctlr;
mod secondary;
mod stage1;
mod state;

use aarch64_rt::entry;
use setway_architecture::registers::Mpidr;
use setway_cases::IsaName;
use setway_protocol::Guest;
use setway_runtime::{
    board::Board,
    console::{self, Records},
    head, interrupts, mrs,
    payload::{self, Identity},
    psci,
};

// 16 pages of stack.
entry!(main, 16);

fn main(dtb: u64, _: u64, _: u64, _: u64) -> ! {
    execute::install_vectors();
    // SAFETY: the Linux boot protocol has the device tree's address in x0.
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
    stage1::init(&board.memory);
    setway_runtime::secondary::init(&board, Mpidr(mrs!("mpidr_el1")).affinity());
    interrupts::init(&board);
    caches::set(true, true);

    match payload::requested_isa(&board) {
        None | Some(IsaName::A64) => {}
        Some(other) => panic!("this image has no {}", other.name()),
    }
    payload::run::<isa::A64>(&board, identity());
    psci::system_off()
}

fn identity() -> Identity {
    Identity {
        build: head::build_id(),
        mark: isa::mark_address(),
        midr: mrs!("midr_el1"),
        ctr: mrs!("ctr_el0"),
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    console::panic(Records::<Guest>::new(), info);
    psci::system_off()
}
