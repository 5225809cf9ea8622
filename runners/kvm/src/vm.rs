//! A VM: memory, CPUs, a console, an interrupt controller, and nothing else.

mod gic;
mod uart;
mod vcpu;

use std::{
    io::Stdout,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use kvm_bindings::{
    KVM_API_VERSION, KVM_CAP_ARM_NISV_TO_USER, kvm_enable_cap, kvm_userspace_memory_region,
};
use kvm_ioctls::{Cap, Kvm, VcpuFd, VmFd};
use setway_architecture::image::{Image, State};
use setway_protocol::word::GuestEnd;
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap};
use vmm_sys_util::{
    errno,
    signal::{Killable, SIGRTMIN, register_signal_handler},
};

use gic::Gic;
use uart::UartPage;

use crate::{
    console::Console,
    end::End,
    layout::{IMAGE_BASE, MEMORY_BASE, TREE_BASE},
    pl011::Pl011,
    tree,
};

/// The address space that is asked for: KVM's default, where the machine has as much.
const ADDRESS_BITS: i32 = 40;

/// How long a vCPU may take to notice a signal before it gets another. A signal that comes before the
/// vCPU has entered KVM is lost, so one is not enough.
const NOTICE: Duration = Duration::from_micros(500);

/// Why there is no VM.
#[derive(Debug, thiserror::Error)]
pub enum VmError {
    /// KVM cannot be opened.
    #[error(
        "cannot open /dev/kvm: {0}\n  next: run it as root on an arm64 machine whose Linux was started at EL2; in QEMU, `-M virt,virtualization=on`"
    )]
    Open(errno::Error),
    /// KVM does not do what is asked of it.
    #[error("KVM cannot {what}: {source}\n  next: see what the kernel says of it (`dmesg`)")]
    Kvm {
        /// What was asked of it.
        what: &'static str,
        /// Why not.
        source: errno::Error,
    },
    /// The CPU's EL1 has no AArch32.
    #[error("this CPU has no AArch32 at EL1\n  next: run the A64 image")]
    NoAArch32,
    /// No memory for the guest.
    #[error("cannot have {mib} MiB for the guest: {why}\n  next: give it less with --memory")]
    Memory {
        /// How much was asked for.
        mib: u64,
        /// Why not.
        why: String,
    },
}

fn kvm(what: &'static str) -> impl FnOnce(errno::Error) -> VmError {
    move |source| VmError::Kvm { what, source }
}

/// Whether there is KVM at all.
pub fn check() -> Result<(), VmError> {
    Kvm::new().map(|_| ()).map_err(VmError::Open)
}

/// What a guest is made of.
#[derive(Debug)]
pub struct Guest<'a> {
    /// The file's bytes.
    pub file: &'a [u8],
    /// Its header.
    pub image: Image,
    /// Where its memory is.
    pub memory: Range<u64>,
    /// How many CPUs it has.
    pub vcpus: u64,
    /// Its command line.
    pub command_line: &'a str,
}

/// A guest that has not started yet.
#[derive(Debug)]
pub struct Vm {
    vcpus: Vec<VcpuFd>,
    // Held while the vCPUs run.
    _gic: Option<Gic>,
    shared: Shared,
    // Declared after the vCPUs, which use it.
    _memory: GuestMemoryMmap,
}

/// What the threads of the vCPUs share.
#[derive(Debug)]
struct Shared {
    vm: VmFd,
    console: Mutex<Console<Stdout>>,
    uart: UartPage,
    /// Held by who takes from the ring of writes that KVM has collected: it is the VM's, not a vCPU's.
    collected: Mutex<()>,
    /// The guest is over.
    stop: AtomicBool,
}

impl Shared {
    fn console(&self) -> MutexGuard<'_, Console<Stdout>> {
        self.console.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A guest that is over.
#[derive(Debug)]
pub struct Over {
    /// How it ended.
    pub end: End,
    /// What it transmitted on its console.
    pub console: Vec<u8>,
    /// The thread of each vCPU.
    pub threads: Vec<u32>,
}

impl Vm {
    /// Makes a VM with everything that the guest needs in it.
    pub fn new(guest: &Guest<'_>) -> Result<Self, VmError> {
        let host = Kvm::new().map_err(VmError::Open)?;
        let version = host.get_api_version();
        if version != KVM_API_VERSION as i32 {
            let error = errno::Error::new(rustix::io::Errno::NOTSUP.raw_os_error());
            return Err(kvm("be used: its interface has another version")(error));
        }
        if guest.image.state == State::AArch32 && !host.check_extension(Cap::ArmEl132bit) {
            return Err(VmError::NoAArch32);
        }
        let bits = ADDRESS_BITS.min(host.get_host_ipa_limit());
        let vm = host.create_vm_with_ipa_size(bits as u32);
        let vm = vm.map_err(kvm("make a VM"))?;
        // Where KVM cannot decode an access to a device, it must report that instead of guessing. Kernels
        // that cannot (before 5.5) make an abort of it, which the guest reports.
        let nisv = kvm_enable_cap {
            cap: KVM_CAP_ARM_NISV_TO_USER,
            ..Default::default()
        };
        let _ = vm.enable_cap(&nisv);

        let memory = memory(&vm, &guest.memory)?;
        let gic = Gic::create(&vm)?;
        let vcpus = vcpu::create(&vm, guest.vcpus, guest.image.state)?;
        if let Some(gic) = &gic {
            gic.start()?;
        }
        let affinities = vcpus.iter().map(vcpu::affinity);
        let affinities = affinities.collect::<Result<Vec<_>, _>>()?;
        let tree = tree::build(
            &guest.memory,
            &affinities,
            gic.as_ref().map(Gic::kind),
            guest.command_line,
        );
        for (bytes, at) in [(guest.file, IMAGE_BASE), (&tree, TREE_BASE)] {
            let written = memory.write_slice(bytes, GuestAddress(at));
            written.map_err(|error| no_memory(&guest.memory, error))?;
        }
        let uart = Pl011::default();
        let page = UartPage::new(&vm, &uart)?;
        Ok(Self {
            vcpus,
            _gic: gic,
            shared: Shared {
                vm,
                uart: page,
                console: Mutex::new(Console::new(uart, std::io::stdout())),
                collected: Mutex::new(()),
                stop: AtomicBool::new(false),
            },
            _memory: memory,
        })
    }

    /// Runs the guest until it ends, or for `limit`.
    pub fn run(mut self, limit: Duration) -> Result<Over, VmError> {
        let signal = SIGRTMIN();
        register_signal_handler(signal, noticed).map_err(kvm("be interrupted"))?;
        let shared = Arc::new(self.shared);
        let (ends, over) = mpsc::channel();
        let interrupts = ends.clone();
        // Only the first handler of a process is set; there is only one guest in one.
        let _ = ctrlc::set_handler(move || {
            let _ = interrupts.send(End::because(GuestEnd::Error, "interrupted"));
        });
        let start = |(n, vcpu): (usize, VcpuFd)| {
            let (shared, ends) = (shared.clone(), ends.clone());
            thread::spawn(move || vcpu::thread(n, vcpu, &shared, &ends))
        };
        let threads: Vec<_> = self.vcpus.drain(..).enumerate().map(start).collect();
        let end = over
            .recv_timeout(limit)
            .unwrap_or_else(|error| match error {
                RecvTimeoutError::Timeout => {
                    let seconds = limit.as_secs_f64();
                    End::because(GuestEnd::Timeout, format_args!("{seconds} s are over"))
                }
                RecvTimeoutError::Disconnected => End::because(GuestEnd::Error, "no vCPU is left"),
            });
        shared.stop.store(true, Ordering::Relaxed);
        let threads = threads.into_iter().map(|thread| finish(thread, signal));
        let threads = threads.collect();
        let mut console = shared
            .console
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let _ = console.flush();
        Ok(Over {
            end,
            console: console.transmitted().to_vec(),
            threads,
        })
    }
}

/// Waits for a vCPU's thread, and gives its number.
fn finish(thread: JoinHandle<u32>, signal: i32) -> u32 {
    while !thread.is_finished() {
        // A thread that has ended meanwhile gets no signal, and needs none.
        let _ = thread.kill(signal);
        thread::sleep(NOTICE);
    }
    // A panic has been told on stderr, and its vCPU counts nothing.
    thread.join().unwrap_or(0)
}

/// The handler of the signal that gets a vCPU out of KVM: that it was delivered is all that is needed.
extern "C" fn noticed(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {}

fn no_memory(memory: &Range<u64>, why: impl std::fmt::Display) -> VmError {
    VmError::Memory {
        mib: (memory.end - memory.start) >> 20,
        why: why.to_string(),
    }
}

/// Memory for the guest, known to KVM.
fn memory(vm: &VmFd, range: &Range<u64>) -> Result<GuestMemoryMmap, VmError> {
    let size = range.end - range.start;
    let base = GuestAddress(MEMORY_BASE);
    let memory = GuestMemoryMmap::<()>::from_ranges(&[(base, size as usize)]);
    let memory = memory.map_err(|error| no_memory(range, error))?;
    let host = memory.get_host_address(base);
    let host = host.map_err(|error| no_memory(range, error))?;
    let region = kvm_userspace_memory_region {
        slot: 0,
        flags: 0,
        guest_phys_addr: base.0,
        memory_size: size,
        userspace_addr: host as u64,
    };
    // SAFETY: the region is the whole of one mapping, which `Vm` keeps until the vCPUs are gone,
    // and which nothing in this program borrows while they run.
    unsafe { vm.set_user_memory_region(region) }.map_err(kvm("take memory"))?;
    Ok(memory)
}
