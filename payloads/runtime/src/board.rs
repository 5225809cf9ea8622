//! What the device tree says of the machine: console, memory, CPUs, PSCI, command line.

use core::{fmt, ops::Range};
use fdt_rs::{
    base::{DevTree, DevTreeItem, DevTreeProp, iters::DevTreeIter},
    prelude::*,
};
use heapless::Vec;

/// Most CPUs that are used.
pub const MAX_CPUS: usize = 8;

/// How PSCI is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduit {
    /// HVC, to a hypervisor.
    Hvc,
    /// SMC, to firmware.
    Smc,
}

/// What a console is reached by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// The PL011 at this address.
    Pl011(u64),
    /// The SBSA UART at this address: the part of a PL011 that carries data. Firmware or the host has set it up.
    SbsaUart(u64),
    /// Xen's hypercall.
    Xen,
}

impl Port {
    /// Where its registers are, if it has any.
    pub fn address(self) -> Option<u64> {
        match self {
            Port::Pl011(base) | Port::SbsaUart(base) => Some(base),
            Port::Xen => None,
        }
    }
}

/// An interrupt controller, with the addresses of what a CPU uses of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gic {
    /// GICv2.
    V2 {
        /// The distributor.
        distributor: u64,
        /// The CPU interface.
        cpu_interface: u64,
    },
    /// GICv3 or GICv4, whose CPU interface is system registers.
    V3 {
        /// The distributor.
        distributor: u64,
        /// The first redistributor.
        redistributor: u64,
    },
}

/// Makes an interrupt controller of its first two addresses.
type AtAddresses = fn(u64, u64) -> Gic;

const GIC_V2: AtAddresses = |distributor, cpu_interface| Gic::V2 {
    distributor,
    cpu_interface,
};
const GIC_V3: AtAddresses = |distributor, redistributor| Gic::V3 {
    distributor,
    redistributor,
};

/// The interrupt controllers that are known, by what their nodes are compatible with (Linux,
/// Documentation/devicetree/bindings/interrupt-controller, arm,gic.yaml and arm,gic-v3.yaml).
const GICS: [(&str, AtAddresses); 4] = [
    ("arm,gic-400", GIC_V2),
    ("arm,cortex-a15-gic", GIC_V2),
    ("arm,cortex-a7-gic", GIC_V2),
    ("arm,gic-v3", GIC_V3),
];

/// What an image needs to know of the machine it runs on.
#[derive(Clone, Debug)]
pub struct Board<'dt> {
    /// The console.
    pub console: Option<Port>,
    /// The interrupt controller, if it is one that is known.
    pub gic: Option<Gic>,
    /// The first range of memory.
    pub memory: Range<u64>,
    /// MPIDR affinity of each CPU.
    pub cpus: Vec<u64, MAX_CPUS>,
    /// The conduit of PSCI.
    pub psci: Option<Conduit>,
    /// The command line.
    pub bootargs: &'dt str,
    /// The initial RAM disk.
    pub initrd: Option<Range<u64>>,
}

/// Why a device tree cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoardError {
    /// There is none at that address, or it is damaged.
    NotADeviceTree,
    /// It names no memory.
    NoMemory,
}

impl fmt::Display for BoardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BoardError::NotADeviceTree => "no valid device tree",
            BoardError::NoMemory => "the device tree has no memory",
        })
    }
}

/// Makes a console of its address.
type AtAddress = fn(u64) -> Port;

/// The consoles that are known, by what their nodes are compatible with.
const PORTS: [(&str, AtAddress); 3] = [
    ("arm,pl011", Port::Pl011),
    ("arm,sbsa-uart", Port::SbsaUart),
    ("xen,xen", |_| Port::Xen),
];

/// The properties of one node, as far as anybody asks for them.
#[derive(Default)]
struct Node<'dt> {
    name: &'dt str,
    port: Option<AtAddress>,
    gic: Option<AtAddresses>,
    off: bool,
    device_type: &'dt str,
    reg: &'dt [u8],
    method: &'dt str,
    psci: bool,
}

/// A big-endian number of one or two cells.
fn cells(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |value, &byte| value << 8 | u64::from(byte))
}

/// Text of a property, up to its first NUL.
fn text<'dt>(prop: &DevTreeProp<'_, 'dt>) -> &'dt str {
    let bytes = prop.raw();
    let end = bytes
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(bytes.len());
    core::str::from_utf8(&bytes[..end]).unwrap_or("")
}

fn is_compatible(prop: &DevTreeProp<'_, '_>, with: &str) -> bool {
    prop.raw()
        .split(|&byte| byte == 0)
        .any(|name| name == with.as_bytes())
}

/// The name of the node that `/chosen` names for the console, if it does. What follows the path is the
/// line's settings, and an alias may stand for the path. Nodes are known by their names alone here,
/// which with their addresses are unique on all boards.
fn stdout<'dt>(tree: &DevTree<'dt>) -> Option<&'dt str> {
    let find = |node: &str, names: &[&str]| {
        let mut here = "";
        let mut items = tree.items();
        while let Ok(Some(item)) = items.next() {
            match item {
                DevTreeItem::Node(next) => here = next.name().unwrap_or(""),
                DevTreeItem::Prop(prop) => {
                    if here == node && names.contains(&prop.name().unwrap_or("")) {
                        return Some(text(&prop));
                    }
                }
            }
        }
        None
    };
    let path = find("chosen", &["stdout-path", "linux,stdout-path"])?;
    let path = path.split(':').next().unwrap_or(path);
    let path = if path.starts_with('/') {
        path
    } else {
        find("aliases", &[path]).unwrap_or(path)
    };
    path.rsplit('/').next()
}

/// The consoles that a tree has, before one is chosen.
#[derive(Default)]
struct Consoles<'dt> {
    /// The node that is asked for.
    stdout: Option<&'dt str>,
    named: Option<Port>,
    first: Option<Port>,
    xen: Option<Port>,
}

impl Consoles<'_> {
    fn add(&mut self, name: &str, port: Port) {
        if port == Port::Xen {
            self.xen = Some(port);
            return;
        }
        self.first = self.first.or(Some(port));
        if self.stdout == Some(name) {
            self.named = Some(port);
        }
    }

    /// A UART that is not the one asked for belongs to another, if there is another way.
    fn choice(&self) -> Option<Port> {
        let any = || match self.stdout {
            Some(_) => self.xen.or(self.first),
            None => self.first.or(self.xen),
        };
        self.named.or_else(any)
    }
}

impl<'dt> Board<'dt> {
    /// Reads the device tree at `dtb`.
    ///
    /// # Safety
    ///
    /// `dtb` must be null or point to a device tree blob, aligned to 4 bytes, that nothing changes
    /// during `'dt`.
    pub unsafe fn read(dtb: *const u8) -> Result<Self, BoardError> {
        if dtb.is_null() || !dtb.cast::<u32>().is_aligned() {
            return Err(BoardError::NotADeviceTree);
        }
        // SAFETY: our caller vouches for the blob; the parser checks the magic number.
        let tree = unsafe { DevTree::from_raw_pointer(dtb) };
        let tree = tree.map_err(|_| BoardError::NotADeviceTree)?;
        Self::from_tree(&tree)
    }

    fn from_tree(tree: &DevTree<'dt>) -> Result<Self, BoardError> {
        let mut board = Board {
            console: None,
            gic: None,
            memory: 0..0,
            cpus: Vec::new(),
            psci: None,
            bootargs: "",
            initrd: None,
        };
        let mut consoles = Consoles {
            stdout: stdout(tree),
            ..Consoles::default()
        };
        let mut initrd = (0, 0);
        let mut root_cells = (2, 1);
        let mut node = Node::default();
        let mut items: DevTreeIter<'_, 'dt> = tree.items();
        while let Ok(Some(item)) = items.next() {
            let prop = match item {
                DevTreeItem::Node(next) => {
                    board.learn(&node, root_cells, &mut consoles);
                    node = Node {
                        name: next.name().unwrap_or(""),
                        ..Node::default()
                    };
                    continue;
                }
                DevTreeItem::Prop(prop) => prop,
            };
            match (node.name, prop.name().unwrap_or("")) {
                ("", "#address-cells") => root_cells.0 = prop.u32(0).unwrap_or(2) as usize,
                ("", "#size-cells") => root_cells.1 = prop.u32(0).unwrap_or(1) as usize,
                ("chosen", "bootargs") => board.bootargs = text(&prop),
                ("chosen", "linux,initrd-start") => initrd.0 = cells(prop.raw()),
                ("chosen", "linux,initrd-end") => initrd.1 = cells(prop.raw()),
                (_, "compatible") => {
                    let port = |(with, _): &&(&str, _)| is_compatible(&prop, with);
                    node.port = PORTS.iter().find(port).map(|(_, port)| *port);
                    let gic = |(with, _): &&(&str, _)| is_compatible(&prop, with);
                    node.gic = GICS.iter().find(gic).map(|(_, gic)| *gic);
                    node.psci = is_compatible(&prop, "arm,psci-0.2")
                        || is_compatible(&prop, "arm,psci-1.0");
                }
                (_, "status") => node.off = !matches!(text(&prop), "okay" | "ok"),
                (_, "device_type") => node.device_type = text(&prop),
                (_, "reg") => node.reg = prop.raw(),
                (_, "method") => node.method = text(&prop),
                _ => {}
            }
        }
        board.learn(&node, root_cells, &mut consoles);
        board.console = consoles.choice();
        if initrd.0 < initrd.1 {
            board.initrd = Some(initrd.0..initrd.1);
        }
        if board.memory.is_empty() {
            Err(BoardError::NoMemory)
        } else {
            Ok(board)
        }
    }

    /// Takes from a whole node what it says.
    fn learn(
        &mut self,
        node: &Node<'dt>,
        (address_cells, size_cells): (usize, usize),
        consoles: &mut Consoles<'dt>,
    ) {
        let address = node.reg.get(..4 * address_cells).map_or(0, cells);
        if let Some(port) = node.port.filter(|_| !node.off) {
            consoles.add(node.name, port(address));
        }
        if let Some(gic) = node.gic.filter(|_| !node.off) {
            let second = 4 * (address_cells + size_cells);
            let second = node.reg.get(second..second + 4 * address_cells);
            let second = second.map(cells);
            self.gic = self.gic.or(second.map(|second| gic(address, second)));
        }
        if node.device_type == "memory" && !node.off && self.memory.is_empty() {
            let size = node
                .reg
                .get(4 * address_cells..4 * (address_cells + size_cells));
            self.memory = address..address + size.map_or(0, cells);
        }
        if node.device_type == "cpu" {
            // More CPUs than we can use are not used.
            let _ = self.cpus.push(cells(node.reg));
        }
        if node.psci {
            self.psci = match node.method {
                "hvc" => Some(Conduit::Hvc),
                "smc" => Some(Conduit::Smc),
                _ => None,
            };
        }
    }
}
