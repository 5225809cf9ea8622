//! A virtual CPU: how it starts, and what is done when it leaves the guest.

use std::{
    mem::offset_of,
    sync::{atomic::Ordering, mpsc::Sender},
};

use kvm_bindings::{
    KVM_ARM_VCPU_EL1_32BIT, KVM_ARM_VCPU_POWER_OFF, KVM_ARM_VCPU_PSCI_0_2, KVM_EXIT_ARM_NISV,
    KVM_REG_ARM_CORE, KVM_REG_ARM64, KVM_REG_ARM64_SYSREG, KVM_REG_SIZE_U64,
    KVM_SYSTEM_EVENT_CRASH, KVM_SYSTEM_EVENT_RESET, KVM_SYSTEM_EVENT_SHUTDOWN, kvm_regs,
    kvm_vcpu_init,
};
use kvm_ioctls::{VcpuExit, VcpuFd, VmFd};
use rustix::thread::CpuSet;
use setway_architecture::{image::State, registers::Mpidr};
use setway_protocol::word::GuestEnd;

use super::{Shared, VmError, kvm};
use crate::{
    end::End,
    layout::{IMAGE_BASE, TREE_BASE, UART},
    pl011,
};

/// KVM's number of the core register at `offset` of its registers.
const fn core(offset: usize) -> u64 {
    KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE as u64 | (offset / 4) as u64
}

/// KVM's number of general-purpose register `n`.
const fn gpr(n: usize) -> u64 {
    core(offset_of!(kvm_regs, regs.regs) + 8 * n)
}

/// KVM's number of the program counter.
const PC: u64 = core(offset_of!(kvm_regs, regs.pc));

/// KVM's number of MPIDR_EL1, that is (3, 0, 0, 0, 5).
const MPIDR_EL1: u64 = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM64_SYSREG as u64 | 3 << 14 | 5;

/// What the Linux boot protocols want in registers, besides the program counter. PSTATE is right from
/// reset: EL1h or SVC, with exceptions masked.
const fn entry(state: State) -> [(u64, u64); 4] {
    match state {
        // Linux Documentation/arch/arm64/booting.rst.
        State::AArch64 => [(gpr(0), TREE_BASE), (gpr(1), 0), (gpr(2), 0), (gpr(3), 0)],
        // Linux Documentation/arch/arm/booting.rst; r1 names no board.
        State::AArch32 => [
            (gpr(0), 0),
            (gpr(1), 0xffff_ffff),
            (gpr(2), TREE_BASE),
            (gpr(3), 0),
        ],
    }
}

/// Makes the vCPUs of a VM. All but the first are off.
pub fn create(vm: &VmFd, count: u64, state: State) -> Result<Vec<VcpuFd>, VmError> {
    let mut target = kvm_vcpu_init::default();
    vm.get_preferred_target(&mut target)
        .map_err(kvm("say what CPU its guests have"))?;
    target.features[0] |= 1 << KVM_ARM_VCPU_PSCI_0_2;
    if state == State::AArch32 {
        target.features[0] |= 1 << KVM_ARM_VCPU_EL1_32BIT;
    }
    let mut vcpus = Vec::new();
    for n in 0..count {
        let mut vcpu = vm.create_vcpu(n).map_err(kvm("make a vCPU"))?;
        vcpu.map_coalesced_mmio_ring()
            .map_err(kvm("share what it collects"))?;
        let mut init = target;
        if n > 0 {
            init.features[0] |= 1 << KVM_ARM_VCPU_POWER_OFF;
        }
        vcpu.vcpu_init(&init).map_err(kvm("reset a vCPU"))?;
        vcpus.push(vcpu);
    }
    for (register, value) in entry(state).into_iter().chain([(PC, IMAGE_BASE)]) {
        let set = vcpus[0].set_one_reg(register, &value.to_le_bytes());
        set.map_err(kvm("set a register"))?;
    }
    Ok(vcpus)
}

fn register(vcpu: &VcpuFd, number: u64) -> Result<u64, VmError> {
    let mut value = [0; 8];
    let read = vcpu.get_one_reg(number, &mut value);
    read.map_err(kvm("read a register"))?;
    Ok(u64::from_le_bytes(value))
}

/// The affinity by which the device tree and PSCI name a vCPU.
pub fn affinity(vcpu: &VcpuFd) -> Result<u64, VmError> {
    Ok(Mpidr(register(vcpu, MPIDR_EL1)?).affinity())
}

/// The body of the thread of vCPU `n`. Sends how the guest ended, if this vCPU is where; gives its own
/// number.
pub fn thread(n: usize, mut vcpu: VcpuFd, shared: &Shared, ends: &Sender<End>) -> u32 {
    pin(n);
    while !shared.stop.load(Ordering::Relaxed) {
        if let Some(end) = enter(n, &mut vcpu, shared) {
            // Nobody hears it if another vCPU was first.
            let _ = ends.send(end);
            break;
        }
    }
    rustix::thread::gettid().as_raw_nonzero().get() as u32
}

/// Keeps this thread on one CPU: number `n` of those that we may use, again from the first when there
/// are fewer.
fn pin(n: usize) {
    // Where it cannot be pinned it runs all the same.
    let Ok(allowed) = rustix::thread::sched_getaffinity(None) else {
        return;
    };
    let cpus = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu));
    let cpus: Vec<_> = cpus.collect();
    if let Some(cpu) = cpus.get(n % cpus.len().max(1)) {
        let mut one = CpuSet::new();
        one.set(*cpu);
        let _ = rustix::thread::sched_setaffinity(None, &one);
    }
}

/// Why a vCPU left the guest.
enum Exit {
    /// For nothing, or what is dealt with already.
    Nothing,
    /// The guest wrote to the UART.
    Write {
        /// Where.
        at: u64,
        /// What.
        value: u32,
    },
    /// The guest is over.
    Ended(End),
    /// The guest is over, because of what it did at its program counter.
    Here(String),
}

/// Enters the guest until it leaves once.
fn enter(n: usize, vcpu: &mut VcpuFd, shared: &Shared) -> Option<End> {
    let exit = match vcpu.run() {
        Ok(exit) => sort(exit, shared),
        Err(error) if [libc::EINTR, libc::EAGAIN].contains(&error.errno()) => Exit::Nothing,
        Err(error) => Exit::Here(format!("KVM cannot go on: {error}")),
    };
    // What KVM has collected was written before the guest left.
    let collected = shared.collected.lock();
    while let Ok(Some(write)) = vcpu.coalesced_mmio_read() {
        let value = value(&write.data[..write.len as usize]);
        if let Some(end) = transmit(shared, write.phys_addr, value) {
            return Some(end);
        }
    }
    drop(collected);
    match exit {
        Exit::Nothing => None,
        Exit::Write { at, value } => transmit(shared, at, value),
        Exit::Ended(end) => Some(end),
        Exit::Here(what) => {
            let at = match register(vcpu, PC) {
                Ok(pc) => format!("pc {pc:#x}"),
                Err(_) => "an unknown pc".into(),
            };
            let what = format_args!("{what}, vCPU {n} at {at}");
            Some(End::because(GuestEnd::Crash, what))
        }
    }
}

/// The guest writes `value` to the UART at `at`. Gives its end if nobody hears it.
fn transmit(shared: &Shared, at: u64, value: u32) -> Option<End> {
    let offset = at - UART.start;
    if offset != pl011::DATA {
        shared.uart.hide(&shared.vm);
    }
    let error = shared.console().write(offset, value).err()?;
    let message = format_args!("cannot write to stdout: {error}");
    Some(End::because(GuestEnd::Error, message))
}

/// What an access of the guest holds.
fn value(data: &[u8]) -> u32 {
    let mut value = [0; 4];
    for (byte, data) in value.iter_mut().zip(data) {
        *byte = *data;
    }
    u32::from_le_bytes(value)
}

/// What `exit` asks for; answers reads of the UART.
fn sort(exit: VcpuExit<'_>, shared: &Shared) -> Exit {
    match exit {
        VcpuExit::MmioRead(at, data) if UART.contains(&at) => {
            let value = u64::from(shared.console().read(at - UART.start)).to_le_bytes();
            data.copy_from_slice(&value[..data.len()]);
            Exit::Nothing
        }
        VcpuExit::MmioWrite(at, data) if UART.contains(&at) => {
            let value = value(data);
            Exit::Write { at, value }
        }
        VcpuExit::MmioRead(at, data) => stray("read", at, data.len()),
        VcpuExit::MmioWrite(at, data) => stray("write", at, data.len()),
        VcpuExit::SystemEvent(kind, data) => Exit::Ended(match kind {
            KVM_SYSTEM_EVENT_SHUTDOWN => End::plain(GuestEnd::Off),
            KVM_SYSTEM_EVENT_RESET => End::plain(GuestEnd::Reset),
            KVM_SYSTEM_EVENT_CRASH => End::because(GuestEnd::Crash, "the guest says so"),
            _ => End::because(
                GuestEnd::Crash,
                format_args!("system event {kind} {data:x?}"),
            ),
        }),
        VcpuExit::Intr => Exit::Nothing,
        VcpuExit::Unsupported(KVM_EXIT_ARM_NISV) => Exit::Here(
            "an access where no memory is, without a syndrome that says how (ISV is 0)".into(),
        ),
        exit => Exit::Here(format!("KVM cannot go on: {exit:?}")),
    }
}

fn stray(access: &str, at: u64, bytes: usize) -> Exit {
    Exit::Here(format!(
        "a {access} of {bytes} bytes at {at:#x}, where neither memory nor a device is"
    ))
}
