//! The guest's device tree: memory, CPUs, PSCI, the console and the command line, and no more.
//!
//! There is no interrupt controller and no timer: the payloads take no interrupts.

use std::ops::Range;

use vm_fdt::{Error, FdtWriter};

use crate::layout::UART;

/// The clock that the PL011's node names. Its rate is that of QEMU's `virt` board.
const CLOCK_PHANDLE: u32 = 1;
const CLOCK_HZ: u32 = 24_000_000;

/// The device tree of a guest with `memory` and the CPUs whose affinities are `cpus`.
pub fn build(memory: &Range<u64>, cpus: &[u64], bootargs: &str) -> Result<Vec<u8>, Error> {
    let mut tree = FdtWriter::new()?;
    let uart = format!("pl011@{:x}", UART.start);
    let root = tree.begin_node("")?;
    tree.property_string("compatible", "linux,dummy-virt")?;
    tree.property_u32("#address-cells", 2)?;
    tree.property_u32("#size-cells", 2)?;

    let chosen = tree.begin_node("chosen")?;
    tree.property_string("bootargs", bootargs)?;
    tree.property_string("stdout-path", &format!("/{uart}"))?;
    tree.end_node(chosen)?;

    let node = tree.begin_node(&format!("memory@{:x}", memory.start))?;
    tree.property_string("device_type", "memory")?;
    tree.property_array_u64("reg", &[memory.start, memory.end - memory.start])?;
    tree.end_node(node)?;

    let node = tree.begin_node("cpus")?;
    tree.property_u32("#address-cells", 2)?;
    tree.property_u32("#size-cells", 0)?;
    for &mpidr in cpus {
        let cpu = tree.begin_node(&format!("cpu@{mpidr:x}"))?;
        tree.property_string("device_type", "cpu")?;
        tree.property_string("compatible", "arm,armv8")?;
        tree.property_string("enable-method", "psci")?;
        tree.property_u64("reg", mpidr)?;
        tree.end_node(cpu)?;
    }
    tree.end_node(node)?;

    let psci = tree.begin_node("psci")?;
    let versions = ["arm,psci-1.0", "arm,psci-0.2"].map(String::from);
    tree.property_string_list("compatible", versions.into())?;
    tree.property_string("method", "hvc")?;
    tree.end_node(psci)?;

    let clock = tree.begin_node("clock")?;
    tree.property_string("compatible", "fixed-clock")?;
    tree.property_u32("#clock-cells", 0)?;
    tree.property_u32("clock-frequency", CLOCK_HZ)?;
    tree.property_phandle(CLOCK_PHANDLE)?;
    tree.end_node(clock)?;

    let node = tree.begin_node(&uart)?;
    let kinds = ["arm,pl011", "arm,primecell"].map(String::from);
    tree.property_string_list("compatible", kinds.into())?;
    tree.property_array_u64("reg", &[UART.start, UART.end - UART.start])?;
    let names = ["uartclk", "apb_pclk"].map(String::from);
    tree.property_string_list("clock-names", names.into())?;
    tree.property_array_u32("clocks", &[CLOCK_PHANDLE, CLOCK_PHANDLE])?;
    tree.end_node(node)?;

    tree.end_node(root)?;
    tree.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fdt_rs::{base::DevTree, prelude::*};

    /// A blob in words, as the parser wants it aligned.
    fn aligned(blob: &[u8]) -> Vec<u32> {
        let words = blob.chunks(4);
        words
            .map(|word| u32::from_ne_bytes(word.try_into().unwrap()))
            .collect()
    }

    /// The bytes of `name` in each node that has it.
    fn values(memory: &Range<u64>, cpus: &[u64], name: &str) -> Vec<Vec<u8>> {
        let blob = build(memory, cpus, "case=SW-LOOP isa=a64").unwrap();
        let words = aligned(&blob);
        // SAFETY: the slice is the blob's bytes again; words hold no padding.
        let bytes = unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), blob.len()) };
        // SAFETY: the blob is aligned, and it was made by the writer.
        let tree = unsafe { DevTree::new(bytes) }.unwrap();
        let mut found = Vec::new();
        let mut props = tree.props();
        while let Ok(Some(prop)) = props.next() {
            if prop.name() == Ok(name) {
                found.push(prop.raw().to_vec());
            }
        }
        found
    }

    #[test]
    fn it_says_what_the_guest_needs() {
        let memory = 0x4000_0000..0x4400_0000;
        let text = |name| values(&memory, &[0, 1], name);
        assert_eq!(text("bootargs"), [b"case=SW-LOOP isa=a64\0"]);
        assert_eq!(text("method"), [b"hvc\0"]);
        assert_eq!(text("stdout-path"), [b"/pl011@9000000\0"]);
        assert_eq!(text("enable-method").len(), 2);
        let reg = text("reg");
        let numbers = |bytes: &Vec<u8>| {
            let numbers = bytes.chunks(8);
            numbers
                .map(|bytes| u64::from_be_bytes(bytes.try_into().unwrap()))
                .collect::<Vec<_>>()
        };
        let reg: Vec<_> = reg.iter().map(numbers).collect();
        let uart = vec![0x900_0000, 0x1000];
        assert_eq!(reg, [vec![0x4000_0000, 0x400_0000], vec![0], vec![1], uart]);
    }
}
