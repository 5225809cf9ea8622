//! Changing a machine's device tree, as a boot loader would for a hypervisor.
//!
//! QEMU makes the tree of the machine and can write it down instead of booting it; a hypervisor may need
//! more in it than QEMU has arguments for, such as the guests that it must start.

use dtoolkit::{
    fdt::Fdt,
    model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty},
};

use crate::catalog::device_tree::{Edit, Edits, Item, Value};

/// Why a tree cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// These bytes are none.
    #[error("QEMU's output is not a valid device tree: {0}")]
    NotATree(String),
    /// A node that should go is not there.
    #[error(
        "the device tree has no node `{0}` to delete\n  next: correct `delete` in the file under runners/"
    )]
    NoNode(String),
    /// A node that cannot be.
    #[error(
        "`{node}` cannot be a node of a device tree: {reason}\n  next: correct `node` in the file under runners/"
    )]
    Node {
        /// Its path.
        node: String,
        /// Why.
        reason: String,
    },
    /// A property that cannot be.
    #[error(
        "`{property}` of `{node}` cannot be in a device tree: {reason}\n  next: correct it in the file under runners/"
    )]
    Property {
        /// The node's path.
        node: String,
        /// The property's name.
        property: String,
        /// Why.
        reason: String,
    },
}

impl Edits {
    /// The tree `dtb` with all changes. `fill` sees every path and text first and gives what stands for
    /// it, or says why there is nothing: placeholders are the caller's business.
    pub fn apply(
        &self,
        dtb: &[u8],
        fill: impl Fn(&str) -> Result<String, String>,
    ) -> Result<Vec<u8>, Error> {
        let fdt = Fdt::new(dtb).map_err(|error| Error::NotATree(error.to_string()))?;
        let mut tree = DeviceTree::from_fdt(&fdt);
        for path in &self.delete {
            delete(&mut tree, path)?;
        }
        for edit in &self.edit {
            edit.apply(&mut tree, &fill)?;
        }
        Ok(tree.to_dtb())
    }
}

fn delete(tree: &mut DeviceTree, path: &str) -> Result<(), Error> {
    let (above, name) = path.rsplit_once('/').unwrap_or_default();
    let above = if above.is_empty() { "/" } else { above };
    let removed = tree
        .find_node_mut(above)
        .and_then(|node| node.remove_child(name));
    match removed {
        Some(_) => Ok(()),
        None => Err(Error::NoNode(path.to_owned())),
    }
}

impl Edit {
    fn apply(
        &self,
        tree: &mut DeviceTree,
        fill: &impl Fn(&str) -> Result<String, String>,
    ) -> Result<(), Error> {
        let node_error = |reason: String| Error::Node {
            node: self.node.clone(),
            reason,
        };
        let path = fill(&self.node).map_err(node_error)?;
        let node = ensure(tree, &path).map_err(node_error)?;
        for (name, value) in &self.properties {
            set(node, name, value, fill).map_err(|reason| Error::Property {
                node: path.clone(),
                property: name.clone(),
                reason,
            })?;
        }
        Ok(())
    }
}

/// The node at `path`, made if need be.
fn ensure<'a>(tree: &'a mut DeviceTree, path: &str) -> Result<&'a mut DeviceTreeNode, String> {
    let below = path.strip_prefix('/').ok_or("it must begin with a slash")?;
    let mut node = &mut tree.root;
    for name in below.split('/').filter(|_| !below.is_empty()) {
        if name.is_empty() {
            return Err("a name in it is empty".to_owned());
        }
        if node.child_mut(name).is_none() {
            node.add_child(DeviceTreeNode::new(name).map_err(|error| error.to_string())?);
        }
        node = node.child_mut(name).ok_or("it cannot be made")?;
    }
    Ok(node)
}

fn set(
    node: &mut DeviceTreeNode,
    name: &str,
    value: &Value,
    fill: &impl Fn(&str) -> Result<String, String>,
) -> Result<(), String> {
    let mut bytes = Vec::new();
    match value {
        Value::Flag(false) => {
            let removed = node.remove_property(name);
            return removed
                .map(drop)
                .ok_or("there is none to remove".to_owned());
        }
        Value::Flag(true) => {}
        Value::One(item) => item.write(&mut bytes, fill)?,
        Value::List(items) => items
            .iter()
            .try_for_each(|item| item.write(&mut bytes, fill))?,
    }
    let property = DeviceTreeProperty::new(name, bytes).map_err(|error| error.to_string())?;
    node.add_property(property);
    Ok(())
}

impl Item {
    fn write(
        &self,
        bytes: &mut Vec<u8>,
        fill: &impl Fn(&str) -> Result<String, String>,
    ) -> Result<(), String> {
        match self {
            Self::Cell(number) => {
                let cell = u32::try_from(*number);
                let cell = cell.map_err(|_| format!("{number:#x} does not fit in 32 bits"))?;
                bytes.extend(cell.to_be_bytes());
            }
            Self::Text(text) => {
                let text = fill(text)?;
                let inner = text.strip_prefix('<');
                match inner.and_then(|inner| inner.strip_suffix('>')) {
                    Some(cells) => {
                        for word in cells.split_whitespace() {
                            bytes.extend(cell(word)?.to_be_bytes());
                        }
                    }
                    None => {
                        bytes.extend(text.as_bytes());
                        bytes.push(0);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Reads a number, which is hexadecimal after `0x`.
fn cell(word: &str) -> Result<u32, String> {
    let number = match word.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => word.parse(),
    };
    number.map_err(|error| format!("`{word}` is no number of 32 bits: {error}"))
}

#[cfg(test)]
mod tests;
