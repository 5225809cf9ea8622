//! Places of the program that are watched.

use std::collections::HashMap;

use setway_architecture::{
    decode::{self, Instruction},
    trap::aarch32,
};
use setway_cache_model::Actor;

use crate::state::State;

/// An instruction at an address, in a state.
#[derive(Debug)]
pub struct Site {
    /// Its number, from 0.
    pub number: u32,
    /// Its address.
    pub pc: u64,
    /// The state that the CPU executes it in. QEMU's blocks belong to one exception level.
    pub state: State,
    /// What it does.
    pub instruction: Instruction,
    /// The condition under which it does so; [`ALWAYS`] in A64.
    pub condition: u8,
}

impl Site {
    /// The place as an [`Actor`] has it. Host and guest may have the same code.
    #[inline]
    pub fn actor(&self, cpu: usize, guest: bool) -> Actor {
        Actor {
            cpu: cpu as u8,
            site: self.number << 1 | u32::from(guest),
        }
    }
}

/// Whether it was a guest's doing.
pub fn is_guest(actor: Actor) -> bool {
    actor.site != Actor::NOWHERE && actor.site & 1 != 0
}

/// The condition AL.
pub const ALWAYS: u8 = 0b1110;

/// Every place so far. A block that is translated again finds its places again.
#[derive(Debug, Default)]
pub struct Sites {
    all: Vec<&'static Site>,
    known: HashMap<(u64, u32, u8, u8), &'static Site>,
}

impl Sites {
    /// The place of an instruction, if it is one that is watched. `condition` is what an IT block says
    /// of it.
    pub fn find(
        &mut self,
        pc: u64,
        bytes: [u8; 4],
        size: usize,
        state: State,
        condition: u8,
    ) -> Option<&'static Site> {
        let word = u32::from_le_bytes(bytes);
        let instruction = decode(bytes, size, state);
        if instruction == Instruction::Other && !may_access(word, size, state) {
            return None;
        }
        Some(self.any(pc, bytes, size, state, condition))
    }

    /// As [`find`](Self::find), whatever the instruction is.
    pub fn any(
        &mut self,
        pc: u64,
        bytes: [u8; 4],
        size: usize,
        state: State,
        condition: u8,
    ) -> &'static Site {
        let word = u32::from_le_bytes(bytes);
        let instruction = decode(bytes, size, state);
        let condition = match (state.aarch64, state.t32) {
            (true, _) => ALWAYS,
            (false, false) => (word >> 28) as u8,
            (false, true) => condition,
        };
        self.intern(pc, word, state, condition, instruction)
    }

    /// The place where a block starts, whatever is there.
    pub fn block(&mut self, pc: u64, state: State) -> &'static Site {
        self.intern(pc, 0, state, ALWAYS, Instruction::Other)
    }

    fn intern(
        &mut self,
        pc: u64,
        word: u32,
        state: State,
        condition: u8,
        instruction: Instruction,
    ) -> &'static Site {
        let kind = state.el << 2 | u8::from(state.aarch64) << 1 | u8::from(state.t32);
        let all = &mut self.all;
        let site = self.known.entry((pc, word, kind, condition));
        site.or_insert_with(|| {
            let site = Box::leak(Box::new(Site {
                number: all.len() as u32,
                pc,
                state,
                instruction,
                condition,
            }));
            all.push(site);
            site
        })
    }

    /// The place with the number that an [`Actor`] has.
    pub fn get(&self, actor: Actor) -> Option<&'static Site> {
        self.all.get(actor.site as usize >> 1).copied()
    }
}

/// What an instruction does in a state.
pub fn decode(bytes: [u8; 4], size: usize, state: State) -> Instruction {
    let word = u32::from_le_bytes(bytes);
    let half = |n: usize| u16::from_le_bytes([bytes[n], bytes[n + 1]]);
    match (state.aarch64, state.t32) {
        (true, _) => decode::a64(word),
        (false, false) => decode::a32(word),
        (false, true) => decode::t32(half(0), if size > 2 { half(2) } else { 0 }),
    }
}

/// Whether an instruction that the decoder does not know may access memory, by its class of encodings in DDI 0487. In
/// A64 these are "Loads and stores", and SVE. In AArch32 they are few, and neither data processing nor branches: A32
/// has "Extra load/store", "Load/Store Word, Unsigned Byte", "Load/store multiple" and what is for coprocessors; T32
/// has loads and stores among its 16-bit instructions from 0x4800 to 0xcfff, and its 32-bit ones below 0xf000 and
/// from 0xf800 on.
fn may_access(word: u32, size: usize, state: State) -> bool {
    let bits = |high: u32, low: u32| word >> low & ((1 << (high - low + 1)) - 1);
    match (state.aarch64, state.t32) {
        (true, _) => bits(28, 25) & 0b0101 == 0b0100 || bits(28, 25) == 0b0010,
        (false, false) => match bits(27, 25) {
            0b000 => bits(7, 7) == 1 && bits(4, 4) == 1,
            0b010 | 0b011 | 0b100 | 0b110 => true,
            _ => false,
        },
        // The first halfword is the low one.
        (false, true) if size > 2 => matches!(bits(15, 11), 0b11101 | 0b11111),
        (false, true) => (0x4800..0xd000).contains(&bits(15, 0)),
    }
}

/// ITSTATE over a block: which condition the next instruction has (DDI 0487, ITAdvance).
#[derive(Clone, Copy, Debug, Default)]
pub struct ItState(u8);

impl ItState {
    /// The condition of the next instruction, which is the T32 instruction `first`, and the state after
    /// it.
    pub fn next(&mut self, first: u16) -> u8 {
        let condition = match self.0 & 0xf {
            0 => ALWAYS,
            _ => self.0 >> 4,
        };
        if first & 0xff00 == 0xbf00 && first & 0xf != 0 {
            self.0 = first as u8;
        } else {
            self.0 = aarch32::it_advance(self.0.into()) as u8;
        }
        condition
    }
}
