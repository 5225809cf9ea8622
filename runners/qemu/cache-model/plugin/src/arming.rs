//! When the model begins, and where its account of a run begins and ends.
//!
//! What a hypervisor does before it has a guest is not under test, and to watch it takes long. So there are
//! ways to begin in the middle: when a guest is entered, when an agent marks that it is about to have one, or at an
//! address, such as that of the kernel which a decompressor is about to start. Until then QEMU calls the plugin only
//! for the instruction with which it might be time, the last of its block: the former two change the exception level.
//!
//! What was translated until then is not watched and has to be forgotten. QEMU does that when no CPU is in
//! a block; and as it makes all CPUs leave theirs for it, nothing is executed in between that follows the
//! block.
//!
//! An agent has many guests in one boot, and marks the run of each by two SVCs, the boundaries. Between them is an
//! account of its own, by a model that has just begun: each run must be as if the machine had been booted for it. It
//! is in QEMU's log between the exceptions that these SVCs are, and so does not begin before the first one, which
//! is taken after the callback for it, but with whatever is watched next.

use setway_architecture::decode::Instruction;
use setway_protocol::boundary;

use crate::{options::Arm, ram::Ram, state::State};

/// What is left to do until the model watches.
pub struct Arming {
    when: Arm,
    /// QEMU's memory, until there is a stage.
    ram: Option<Ram>,
    /// An agent has marked that a run begins, and nothing was watched since.
    run_begins: bool,
}

impl Arming {
    /// All of it.
    pub fn new(when: Arm, ram: Ram) -> Self {
        Self {
            when,
            ram: Some(ram),
            run_begins: false,
        }
    }

    /// Whether it is time at once.
    pub fn is_due(&self) -> bool {
        self.when == Arm::Start
    }

    /// QEMU's memory, for the stage. `None` if there is a stage already.
    pub fn take_ram(&mut self) -> Option<Ram> {
        self.ram.take()
    }

    /// Whether it may be time to begin when `instruction` is executed in `state`, as the last of the block at `address`.
    pub fn may_begin_with(&self, address: u64, instruction: Instruction, state: State) -> bool {
        match self.when {
            Arm::Start => false,
            Arm::At(when) => address == when,
            Arm::Guest => state.el == 2 && instruction == Instruction::ExceptionReturn,
            Arm::Run => state.el == 0 && instruction == Instruction::SystemCall(boundary::BEGINS),
        }
    }

    /// Whether `instruction` is a boundary of a run.
    pub fn is_boundary(&self, instruction: Instruction, state: State) -> bool {
        let boundaries = [boundary::BEGINS, boundary::ENDS].map(Instruction::SystemCall);
        self.when == Arm::Run && state.el == 0 && boundaries.contains(&instruction)
    }

    /// Whether it is when a guest is entered that the model begins.
    pub fn awaits_guest(&self) -> bool {
        self.when == Arm::Guest
    }

    /// The agent is about to execute the SVC by which a run begins.
    pub fn begin_run(&mut self) {
        self.run_begins = true;
    }

    /// Whether the SVC before what is watched now was where a run begins. Answers so once.
    #[inline]
    pub fn take_run_begins(&mut self) -> bool {
        std::mem::take(&mut self.run_begins)
    }
}
