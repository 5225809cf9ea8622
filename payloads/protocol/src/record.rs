//! The kinds of record. This table is what everything else about them is made of.
//!
//! Streams have `begin` and `totals` of their own, which share the word: a reader distinguishes them by the
//! stream.

use core::fmt::{self, Write};

use crate::{
    Actor, Bytes, Deed, FieldSpec, Hex, Kind, KindSpec, Malformed, Record, Stream, Text, Value,
    Whereabouts,
    schema::write_field,
    word::{
        Access, By, CacheType, Cause, CheckKind, Difference, GuestEnd, InstructionSet, Maintenance,
        OnOff, Op, Trap,
    },
};

records! {
    /// First record of the guest's stream: which case this is, and where to look for it from outside.
    GuestBegin<'a> = "begin" by [Guest] {
        /// The protocol's version.
        proto: u64,
        /// The id of the guest's image, which the harness gave it.
        build: Hex,
        /// Where the image is in the guest's memory.
        base: Hex,
        /// The instruction set of the case.
        isa: InstructionSet,
        /// The case; `list` for a list of all.
        case: Text<'a>,
        /// The preferred return address of the HVC that is the guest's mark.
        mark: Hex,
        /// MIDR_EL1 or MIDR.
        midr: Hex,
        /// CLIDR_EL1 or CLIDR.
        clidr: Hex,
        /// CTR_EL0 or CTR.
        ctr: Hex,
    }

    /// First record of the hypervisor's stream. An agent that speaks for a hypervisor writes it, too.
    HypervisorBegin<'a> = "begin" by [Hypervisor] {
        /// The protocol's version.
        proto: u64,
        /// The id of the image, or of the agent's program.
        build: Hex,
        /// Where the image is in memory, if it is a program of the bare machine.
        base: Option<Hex>,
        /// The mutant that it is, if it is one.
        mutant: Option<Text<'a>>,
    }

    /// First record of the cache model's stream: what it simulates.
    ModelBegin<'a> = "begin" by [Model] {
        /// The protocol's version.
        proto: u64,
        /// The version of QEMU's plugin interface.
        api: u64,
        /// What hardware does of its own accord, in the words of `--caches`.
        schedule: Text<'a>,
        /// The number of CPUs.
        cpus: u64,
        /// Bytes of a line.
        line: u64,
        /// Sets of a private cache.
        sets: u64,
        /// Its ways.
        ways: u64,
        /// There is a system cache.
        system: bool,
    }

    /// A cache that the guest's CPU reports.
    Cache = "cache" by [Guest] {
        /// 1 is the nearest.
        level: u64,
        /// What it holds.
        kind as "type": CacheType,
        /// CCSIDR_EL1 or CCSIDR.
        ccsidr: Hex,
    }

    /// A measured phase, bracketed by the marks 2n and 2n+1; the counts are those that the policy of 2015
    /// demands.
    Step<'a> = "step" by [Guest] {
        /// Its number, from 0.
        n: u64,
        /// What the guest did.
        name: Text<'a>,
        /// Set/way ops that trap.
        set_way: u64,
        /// Writes of VM registers that trap.
        vm_reg: u64,
        /// Flushes of the guest's memory.
        flush: u64,
    }

    /// A value that the guest compared.
    Check<'a> = "check" by [Guest] {
        /// What it is a value of.
        of: CheckKind,
        /// What was compared: the same whether the value was right or wrong.
        name: Text<'a>,
        /// What it should be.
        want: Hex,
        /// What it was.
        got: Hex,
        /// The address or value that `want` was computed from, if it is no constant of the case.
        from: Option<Hex>,
        /// What else there is to know of a wrong value, for people.
        detail: Option<Text<'a>>,
    }

    /// A random program that the guest ran.
    Program = "program" by [Guest] {
        /// What it was made from.
        seed: u64,
        /// The sum of all that its loads saw.
        digest: Hex,
    }

    /// What the loads of the random program saw that was asked for in detail. Several records go on one
    /// after the other.
    Seen<'a> = "seen" by [Guest] {
        /// The bytes, in the order of the loads.
        bytes: Bytes<'a>,
    }

    /// A case that the image has, on request.
    Case<'a> = "case" by [Guest] {
        /// Its id.
        id: Text<'a>,
    }

    /// The hypervisor's running totals when the guest issued a mark.
    Mark = "mark" by [Hypervisor] {
        /// The mark's number, from 0.
        n: u64,
        /// Set/way ops that have trapped.
        set_way: u64,
        /// Writes of VM registers that have trapped.
        vm_reg: u64,
        /// Flushes of the guest's memory.
        flush: u64,
    }

    /// A set/way op made the hypervisor flush.
    SetWayFlush = "set_way_flush" by [Hypervisor] {
        /// The vCPU that executed it.
        vcpu: u64,
        /// The address of the op.
        pc: Hex,
        /// Whether the vCPU's caches were on.
        cache: OnOff,
    }

    /// A vCPU wrote a VM register, and it trapped.
    ToggleCache = "toggle_cache" by [Hypervisor] {
        /// The vCPU.
        vcpu: u64,
        /// The address of the instruction.
        pc: Hex,
        /// Whether the vCPU's caches were on.
        was: OnOff,
        /// Whether they are now.
        now: OnOff,
    }

    /// How often one register or op trapped.
    Traps<'a> = "traps" by [Hypervisor] {
        /// Its name, as in `SCTLR_EL1` and `DC CISW`.
        reg: Text<'a>,
        /// How often a write of it, or the op, trapped.
        count: u64,
    }

    /// How often the guest left for one reason, as the hypervisor's own trace counts it.
    Exits = "exits" by [Hypervisor] {
        /// The class of the syndrome (ESR_EL2.EC).
        class: Hex,
        /// How often.
        count: u64,
    }

    /// What the hypervisor did in all.
    HypervisorTotals = "totals" by [Hypervisor] {
        /// Flushes of the guest's memory.
        flushes: u64,
        /// Lines that these cleaned, if that is counted.
        lines: Option<u64>,
        /// Undefined Instruction exceptions that were injected into the guest, if that is counted.
        undef: Option<u64>,
        /// Marks and events that did not fit the trace.
        lost: u64,
    }

    /// The guest cannot go on.
    Died<'a> = "died" by [Hypervisor] {
        /// Its vCPU.
        vcpu: u64,
        /// Why not.
        reason: Text<'a>,
        /// Where it was.
        pc: Hex,
        /// ESR_EL2.
        esr: Hex,
        /// FAR_EL2.
        far: Hex,
    }

    /// From here on everything is watched.
    Armed = "armed" by [Model] {}

    /// A load, fetch or table walk did not see the newest data. The same again is only counted.
    Stale = "stale" by [Model] {
        /// Who read.
        by: Actor,
        /// How.
        path: Access,
        /// The physical address.
        pa: Hex,
        /// How many bytes.
        len: u64,
        /// What was read: up to eight bytes, little endian.
        saw: Hex,
        /// The newest data, in the same form.
        newest: Hex,
        /// It was the table walker.
        walk: bool,
        /// Where the newest data is.
        place as "in": Whereabouts,
        /// How it was stored, and by whom, if it was.
        store: Option<Deed<Access>>,
        /// What was done to the line since, and by whom.
        then: Option<Deed<Maintenance>>,
    }

    /// The newest data is nowhere any more. The same again is only counted.
    Lost = "lost" by [Model] {
        /// Who destroyed it.
        by: Actor,
        /// The physical address.
        pa: Hex,
        /// How many bytes.
        len: u64,
        /// How it was stored, and by whom, if it was.
        store: Option<Deed<Access>>,
        /// What was done to the line since, and by whom.
        then: Option<Deed<Maintenance>>,
    }

    /// What a hypervisor maintained by VA on one CPU while its guest waited there.
    Flush = "flush" by [Model] {
        /// The CPU.
        cpu: u64,
        /// Where the guest was, if it had begun.
        pc: Option<Hex>,
        /// What it was about to execute there.
        cause: Cause,
        /// Ops by VA, except those to the point of unification.
        ops: u64,
        /// Ops that only clean: the line may stay in the cache.
        clean: u64,
        /// Ops that only invalidate: what was dirty is lost.
        invalidate: u64,
        /// Lines that they covered.
        lines: u64,
        /// Ops on lines that had been covered before.
        twice: u64,
        /// Ops that found a dirty line.
        dirty: u64,
        /// Lines that they covered and that a cache still has, or has again.
        kept: u64,
        /// In how many ranges the lines lie.
        ranges: u64,
        /// The physical address where the first begins.
        first: Hex,
        /// The physical address where the last ends.
        last: Hex,
        /// Lines that the guest had dirtied and that still are.
        missed: u64,
        /// The physical address of the first of these.
        missed_at: Option<Hex>,
        /// Lines of all blocks of 2 MiB in which guests had accessed data by then.
        touched: Option<u64>,
    }

    /// How many instructions a CPU executed between what its guest trapped for and the guest's next instruction, at
    /// any exception level, by the kind of trap; all since the guest's last call.
    Cost = "cost" by [Model] {
        /// What trapped.
        of: Trap,
        /// How often.
        traps: u64,
        /// The least of the counts.
        least: u64,
        /// The median.
        median: u64,
        /// The most.
        most: u64,
        /// All of them together.
        total: u64,
    }

    /// Ops that were executed and did not trap.
    Ops = "ops" by [Model] {
        /// How they name what they act on.
        by: By,
        /// What they do.
        op: Op,
        /// The guest executed them itself.
        guest: bool,
        /// How many.
        count: u64,
    }

    /// What the cache model saw in all, of programs below EL2 in AArch32 and AArch64.
    ModelTotals = "totals" by [Model] {
        /// Stale reads.
        stale: u64,
        /// Lost writes.
        lost: u64,
        /// Loads in AArch32.
        loads32: u64,
        /// Loads in AArch64.
        loads64: u64,
        /// Stores in AArch32.
        stores32: u64,
        /// Stores in AArch64.
        stores64: u64,
        /// Fetches in AArch32.
        fetches32: u64,
        /// Fetches in AArch64.
        fetches64: u64,
        /// Blocks of code that it could not watch.
        unwatched: u64,
    }

    /// With caches that are always coherent: something that is otherwise in the cache model than in QEMU, so that the
    /// model is wrong. The same again is only counted.
    Differs = "differs" by [Model] {
        /// What is.
        what: Difference,
        /// Who, and where.
        by: Actor,
        /// The virtual address of the access; of memory, the physical one.
        at: Hex,
        /// How many bytes.
        len: u64,
        /// What QEMU has.
        qemu: Hex,
        /// What the model has.
        model: Hex,
    }

    /// With caches that are always coherent: what was compared with QEMU, at every exception level.
    Compared = "compared" by [Model] {
        /// Loads.
        loads: u64,
        /// Stores, of which the addresses were compared.
        stores: u64,
        /// Parts of blocks of code.
        fetches: u64,
        /// What differed.
        differences: u64,
    }

    /// The agent waits for requests.
    Ready<'a> = "ready" by [Agent] {
        /// The protocol's version.
        proto: u64,
        /// The id of the agent's program.
        build: Hex,
        /// The release of the system's kernel.
        kernel: Text<'a>,
    }

    /// The agent cannot start any guest.
    Failed<'a> = "failed" by [Agent] {
        /// Why not.
        msg: Text<'a>,
    }

    /// A guest is over.
    Over<'a> = "over" by [Agent] {
        /// Which request it was; 0 if that cannot be known.
        n: u64,
        /// How it ended.
        end: GuestEnd,
        /// What more there is to say.
        msg: Option<Text<'a>>,
    }

    /// Start a guest and wait for its end.
    Run<'a> = "run" by [Requester] {
        /// Any number, by which the answer names the request.
        n: u64,
        /// The image, a file of the agent's system.
        image: Text<'a>,
        /// The instruction set of the case.
        isa: InstructionSet,
        /// The guest's CPUs.
        vcpus: u64,
        /// Seconds that it may take.
        seconds: u64,
        /// Its command line.
        arguments: Text<'a>,
    }

    /// The speaker gave up. Whatever it said before is incomplete.
    Panic<'a> = "panic" by [Guest, Hypervisor] {
        /// Why.
        msg: Text<'a>,
    }

    /// Last record of a stream.
    End = "end" by [Guest, Hypervisor, Model] {
        /// Its own number, and so that of the records before it.
        records: u64,
    }
}
