//! Changes to a machine's device tree, as data: what a boot loader would add for a hypervisor.

use std::collections::BTreeMap;

use serde::Deserialize;

/// All changes to a tree; those that delete come first.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edits {
    /// Paths of nodes to delete, with all below.
    #[serde(default)]
    pub delete: Vec<String>,
    /// Changes of nodes, in this order.
    #[serde(default)]
    pub edit: Vec<Edit>,
}

/// A change of one node, which is made if it is not there, with those above it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// The node's path, names with unit addresses between slashes.
    pub node: String,
    /// Its properties; what is not named stays.
    #[serde(default)]
    pub properties: BTreeMap<String, Value>,
}

/// A property's value.
#[derive(Debug, Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "a value must be true, false, a number, a text, or a list of numbers and texts"
)]
pub enum Value {
    /// `true` is the empty value; with `false` the property goes.
    Flag(bool),
    /// One item.
    One(Item),
    /// One item after another.
    List(Vec<Item>),
}

/// A piece of a property's value.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Item {
    /// A number: one cell, so it must fit in 32 bits.
    Cell(i64),
    /// A text, which ends with a zero byte; but one in angle brackets is numbers of a cell each, as in
    /// the source of a device tree: `<0x0 0x4000 7>`. That is how numbers that only the caller knows
    /// get in: `<0x0 {payload_size}>`.
    Text(String),
}
