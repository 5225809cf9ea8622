//! Running a probe, and finding out whether it changed anything that it must not.

use super::Context;
use crate::{
    isa::{Isa, IsaName},
    probe::{Exit, Probe, Registers},
};
use core::{fmt, hash::Hasher};
use setway_protocol::Fnv;

/// How a probe has ended, or should.
struct End {
    exit: Exit,
    regs: Registers,
}

/// What there is to know of a probe's end.
enum Fact {
    Vector,
    ReturnAddress,
    Saved,
    Syndrome,
    Arrival,
    General(usize),
    SimdLow(usize),
    SimdHigh(usize),
    Sp,
    Flags,
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::Vector => f.write_str("vector"),
            Fact::ReturnAddress => f.write_str("return address"),
            Fact::Saved => f.write_str("saved PSTATE"),
            Fact::Syndrome => f.write_str("syndrome"),
            Fact::Arrival => f.write_str("PSTATE on arrival"),
            Fact::General(n) => write!(f, "r{n}"),
            Fact::SimdLow(n) => write!(f, "v{n} low"),
            Fact::SimdHigh(n) => write!(f, "v{n} high"),
            Fact::Sp => f.write_str("sp"),
            Fact::Flags => f.write_str("flags"),
        }
    }
}

/// The digest of some facts.
fn digest(facts: impl Iterator<Item = (Fact, u64)>) -> u64 {
    let mut hash = Fnv::new();
    facts.for_each(|(_, value)| hash.write(&value.to_le_bytes()));
    hash.finish()
}

/// What a call returns that does not exist, in 32 bits (DEN0028, 5.2).
const NOT_SUPPORTED: u64 = 0xffff_ffff;

/// The registers at the end of `probe`, so that they are the same in every run: without what a call may leave there,
/// and with the value that is no constant as a distance from what it should be.
fn comparable(probe: &Probe, mut regs: Registers) -> Registers {
    if let Some((reg, value)) = probe.given {
        regs.gpr[reg] = regs.gpr[reg].wrapping_sub(value);
    }
    if probe.is_call {
        regs.gpr[0] &= NOT_SUPPORTED;
        regs.gpr[1..=3].fill(0);
    }
    regs
}

impl End {
    /// How `probe` should end that starts with `regs`.
    fn expected(probe: &Probe, regs: &Registers) -> Self {
        let mut regs = Registers {
            flags: probe.flags,
            ..*regs
        };
        for &(reg, value) in probe.changes {
            regs.gpr[reg] = value;
        }
        if let Some((reg, value)) = probe.given {
            regs.gpr[reg] = value;
        }
        if probe.is_call {
            regs.gpr[0] = NOT_SUPPORTED;
        }
        Self {
            exit: probe.exit,
            regs: comparable(probe, regs),
        }
    }

    /// How `probe` ends that starts with `regs`.
    fn of<I: Isa>(probe: &Probe, regs: &Registers) -> Self {
        let mut regs = Registers {
            flags: probe.flags,
            ..*regs
        };
        // SAFETY: cases run the probes that `Isa::probes` gives them, and change their flags at most, and how they
        // should end. What those do is trapped, or means nothing to the payload.
        let mut exit = unsafe { I::execute(probe, &mut regs) };
        if !probe.flags_arrive {
            exit.state &= !(0xf << 28);
        }
        Self {
            exit,
            regs: comparable(probe, regs),
        }
    }

    /// How the exception arrived. The return address is given as a distance from the probe's entry, which is
    /// the same wherever the image is.
    fn exit(&self, entry: usize) -> [(Fact, u64); 5] {
        let Exit {
            vector,
            link,
            saved,
            syndrome,
            state,
        } = self.exit;
        [
            (Fact::Vector, vector),
            (Fact::ReturnAddress, link.wrapping_sub(entry as u64)),
            (Fact::Saved, saved),
            (Fact::Syndrome, syndrome),
            (Fact::Arrival, state),
        ]
    }

    /// What all registers held.
    fn registers<I: Isa>(&self) -> impl Iterator<Item = (Fact, u64)> {
        let Registers {
            gpr,
            simd,
            sp,
            flags,
        } = &self.regs;
        let general = gpr[..I::GPRS].iter().enumerate();
        let general = general.map(|(n, value)| (Fact::General(n), *value));
        let simd = simd[..I::SIMD].iter().enumerate();
        let simd = simd
            .flat_map(|(n, [low, high])| [(Fact::SimdLow(n), *low), (Fact::SimdHigh(n), *high)]);
        general
            .chain(simd)
            .chain([(Fact::Sp, *sp), (Fact::Flags, *flags)])
    }

    /// The same without the condition flags, which the saved PSTATE has.
    fn kept<I: Isa>(&self) -> impl Iterator<Item = (Fact, u64)> {
        let all = self.registers::<I>();
        all.filter(|(fact, _)| !matches!(fact, Fact::Flags))
    }

    fn facts<I: Isa>(&self, entry: usize) -> impl Iterator<Item = (Fact, u64)> {
        self.exit(entry).into_iter().chain(self.registers::<I>())
    }
}

impl<I: Isa> Context<I> {
    /// Runs a probe from `regs`, and checks that it ended as it should with every register as it should be; and
    /// apart from that, the register that it writes.
    pub(crate) fn probe(&mut self, probe: &Probe, regs: &Registers) {
        let (want, got) = (End::expected(probe, regs), End::of::<I>(probe, regs));
        let facts = |end: &End| digest(end.facts::<I>(probe.entry));
        self.state(probe, facts(&want), facts(&got));
        self.differences(want.facts::<I>(probe.entry), got.facts::<I>(probe.entry));
        if let Some((reg, value)) = probe.writes {
            self.register(format_args!("{probe}: {}", reg.name), value, (reg.read)());
        }
    }

    /// Runs a probe from `regs`, and says how it ended.
    pub(crate) fn exit(&mut self, probe: &Probe, regs: &Registers) -> Exit {
        End::of::<I>(probe, regs).exit
    }

    /// Runs a probe from `regs`, and says what the registers hold at its end.
    pub(crate) fn ended(&mut self, probe: &Probe, regs: &Registers) -> Registers {
        End::of::<I>(probe, regs).regs
    }

    /// Runs a probe from `regs` that is about the exception by which it ends, and checks that one by one.
    pub(crate) fn exception(&mut self, probe: &Probe, regs: &Registers) {
        self.exception_when(probe, regs, "");
    }

    /// The same, with a word in the checks' names for the circumstances.
    pub(crate) fn exception_when(&mut self, probe: &Probe, regs: &Registers, when: &str) {
        let comma = if when.is_empty() { "" } else { ", " };
        let (want, got) = (End::expected(probe, regs), End::of::<I>(probe, regs));
        let exits = want
            .exit(probe.entry)
            .into_iter()
            .zip(got.exit(probe.entry));
        for ((fact, want), (_, got)) in exits {
            let name = format_args!("{when}{comma}{probe}: {fact}");
            match fact {
                // AArch32 has no syndrome of an UNDEF.
                Fact::Syndrome if I::NAME != IsaName::A64 => {}
                Fact::Vector | Fact::Arrival => self.state(name, want, got),
                _ => self.register(name, want, got),
            }
        }
        let digests = (digest(want.kept::<I>()), digest(got.kept::<I>()));
        let name = format_args!("{when}{comma}{probe}: registers");
        self.state(name, digests.0, digests.1);
        self.differences(want.kept::<I>(), got.kept::<I>());
    }

    /// Has the last check say which facts differ, where its digests do.
    fn differences(
        &mut self,
        want: impl Iterator<Item = (Fact, u64)>,
        got: impl Iterator<Item = (Fact, u64)>,
    ) {
        let pairs = want.zip(got);
        let mut wrong = pairs.filter(|((_, want), (_, got))| want != got);
        if let Some(((fact, want), (_, got))) = wrong.next() {
            let more = wrong.count();
            self.detail(format_args!(
                "{fact}: expected {want:#x}, got {got:#x}; {more} more differ"
            ));
        }
    }
}
