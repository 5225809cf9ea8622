//! The guest's device tree: memory, CPUs, PSCI, the console and the command line, and no more.
//!
//! The interrupt controller is the one that KVM has; the timer needs no node, as the payloads know its interrupt.

use std::ops::Range;

use dtoolkit::{
    ToPropertyValue,
    model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty},
};

use crate::layout::{
    CPU_INTERFACE, DISTRIBUTOR, GicKind, REDISTRIBUTOR_SIZE, REDISTRIBUTORS, UART,
};

/// The clock that the PL011's node names. Its rate is that of QEMU's `virt` board.
const CLOCK_PHANDLE: u32 = 1;
const CLOCK_HZ: u32 = 24_000_000;

/// The device tree of a guest with `memory`, the CPUs whose affinities are `cpus`, and the interrupt controller `gic`.
pub fn build(memory: &Range<u64>, cpus: &[u64], gic: Option<GicKind>, bootargs: &str) -> Vec<u8> {
    let uart = format!("pl011@{:x}", UART.start);
    let mut tree = DeviceTree::new();
    let root = &mut tree.root;
    set(root, "compatible", "linux,dummy-virt");
    set(root, "#address-cells", 2_u32);
    set(root, "#size-cells", 2_u32);

    let chosen = add(root, "chosen");
    set(chosen, "bootargs", bootargs);
    set(chosen, "stdout-path", format!("/{uart}").as_str());

    let node = add(root, &format!("memory@{:x}", memory.start));
    set(node, "device_type", "memory");
    set(node, "reg", reg(memory));

    let node = add(root, "cpus");
    set(node, "#address-cells", 2_u32);
    set(node, "#size-cells", 0_u32);
    for &mpidr in cpus {
        let cpu = add(node, &format!("cpu@{mpidr:x}"));
        set(cpu, "device_type", "cpu");
        set(cpu, "compatible", "arm,armv8");
        set(cpu, "enable-method", "psci");
        set(cpu, "reg", mpidr);
    }

    let psci = add(root, "psci");
    set(psci, "compatible", "arm,psci-1.0\0arm,psci-0.2");
    set(psci, "method", "hvc");

    if let Some(gic) = gic {
        let node = add(root, &format!("intc@{:x}", DISTRIBUTOR.start));
        let (compatible, second) = match gic {
            GicKind::V2 => ("arm,cortex-a15-gic", CPU_INTERFACE),
            GicKind::V3 => {
                let end = REDISTRIBUTORS + REDISTRIBUTOR_SIZE * cpus.len() as u64;
                ("arm,gic-v3", REDISTRIBUTORS..end)
            }
        };
        set(node, "compatible", compatible);
        set(node, "interrupt-controller", Vec::<u32>::new());
        set(node, "#interrupt-cells", 3_u32);
        set(node, "reg", [reg(&DISTRIBUTOR), reg(&second)].concat());
    }

    let clock = add(root, "clock");
    set(clock, "compatible", "fixed-clock");
    set(clock, "#clock-cells", 0_u32);
    set(clock, "clock-frequency", CLOCK_HZ);
    set(clock, "phandle", CLOCK_PHANDLE);

    let node = add(root, &uart);
    set(node, "compatible", "arm,pl011\0arm,primecell");
    set(node, "reg", reg(&UART));
    set(node, "clock-names", "uartclk\0apb_pclk");
    set(node, "clocks", [CLOCK_PHANDLE.to_be_bytes(); 2].concat());

    tree.to_dtb()
}

/// Adds to `parent` a node that is called `name`.
fn add<'a>(parent: &'a mut DeviceTreeNode, name: &str) -> &'a mut DeviceTreeNode {
    let node = DeviceTreeNode::new(name).expect("a word and hexadecimal digits are a node's name");
    parent.add_child_mut(node)
}

/// Gives `node` a property. A list of strings is one string, in which NUL stands between them.
fn set(node: &mut DeviceTreeNode, name: &str, value: impl ToPropertyValue) {
    let property = DeviceTreeProperty::new(name, value);
    node.add_property(property.expect("the names above are those of the specification"));
}

/// The value of `reg` for one range, where addresses and sizes have two cells.
fn reg(range: &Range<u64>) -> Vec<u8> {
    [range.start, range.end - range.start]
        .map(u64::to_be_bytes)
        .concat()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use fdt_rs::{base::DevTree, prelude::*};

    /// Each node of a tree, in their order, with the bytes of each of its properties. `fdt-rs` reads it, as
    /// guests do.
    fn listed(blob: &[u8]) -> String {
        // The parser wants the blob aligned.
        let words: Vec<u32> = blob
            .chunks(4)
            .map(|word| {
                let mut bytes = [0; 4];
                bytes[..word.len()].copy_from_slice(word);
                u32::from_ne_bytes(bytes)
            })
            .collect();
        // SAFETY: the slice is the blob's bytes again, all of which `words` holds without padding.
        let bytes = unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), blob.len()) };
        // SAFETY: the blob is aligned, and a writer of device trees made it.
        let tree = unsafe { DevTree::new(bytes) }.unwrap();
        let mut text = String::new();
        let mut nodes = tree.nodes();
        while let Some(node) = nodes.next().unwrap() {
            writeln!(text, "{}/", node.name().unwrap()).unwrap();
            let mut properties = node.props();
            while let Some(property) = properties.next().unwrap() {
                let value = property.raw().escape_ascii();
                writeln!(text, "    {} {value}", property.name().unwrap()).unwrap();
            }
        }
        text
    }

    #[test]
    fn it_has_what_the_guest_needs_and_no_more() {
        let blob = build(
            &(0x4000_0000..0x4400_0000),
            &[0, 0x100],
            Some(GicKind::V3),
            "case=SW-LOOP isa=a64",
        );
        let expected = r"/
    compatible linux,dummy-virt\x00
    #address-cells \x00\x00\x00\x02
    #size-cells \x00\x00\x00\x02
chosen/
    bootargs case=SW-LOOP isa=a64\x00
    stdout-path /pl011@9000000\x00
memory@40000000/
    device_type memory\x00
    reg \x00\x00\x00\x00@\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00
cpus/
    #address-cells \x00\x00\x00\x02
    #size-cells \x00\x00\x00\x00
cpu@0/
    device_type cpu\x00
    compatible arm,armv8\x00
    enable-method psci\x00
    reg \x00\x00\x00\x00\x00\x00\x00\x00
cpu@100/
    device_type cpu\x00
    compatible arm,armv8\x00
    enable-method psci\x00
    reg \x00\x00\x00\x00\x00\x00\x01\x00
psci/
    compatible arm,psci-1.0\x00arm,psci-0.2\x00
    method hvc\x00
intc@8000000/
    compatible arm,gic-v3\x00
    interrupt-controller 
    #interrupt-cells \x00\x00\x00\x03
    reg \x00\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x08\n\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00
clock/
    compatible fixed-clock\x00
    #clock-cells \x00\x00\x00\x00
    clock-frequency \x01n6\x00
    phandle \x00\x00\x00\x01
pl011@9000000/
    compatible arm,pl011\x00arm,primecell\x00
    reg \x00\x00\x00\x00\t\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10\x00
    clock-names uartclk\x00apb_pclk\x00
    clocks \x00\x00\x00\x01\x00\x00\x00\x01
";
        assert_eq!(listed(&blob), expected);
    }
}
