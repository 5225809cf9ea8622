//! The schema `setway.explain/1`: what there is to know of rules, cases, mutants and findings, as manual pages.

use serde::{Deserialize, Serialize};

/// The manual pages that were asked for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExplainReport {
    /// `setway.explain/1`.
    pub schema: String,
    /// The pages, in the order in which they were asked for.
    pub pages: Vec<Page>,
}

/// A manual page.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Page {
    /// What it is about: `rule`, `case`, `mutant`, `finding`, `hypervisor`, `machine`, `profile`, `premise`,
    /// `schedule` or `verdict`.
    pub kind: String,
    /// Its name among those of its kind.
    pub name: String,
    /// One line about it.
    pub title: String,
    /// The rest.
    pub sections: Vec<Section>,
}

/// A part of a page with a heading.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Section {
    /// What it is about, such as `SOURCE`.
    pub heading: String,
    /// What it says.
    pub passages: Vec<Passage>,
}

/// What a section says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Passage {
    /// Paragraphs. Lines that begin with spaces stand for themselves, others flow.
    Text(String),
    /// Lines that are to be typed or assembled as they are.
    Code(String),
    /// Names, each with what there is to say of it.
    Entries(Vec<Entry>),
}

/// A name and what there is to say of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Entry {
    /// The name.
    pub name: String,
    /// What it is, demands or shows; empty if the name says all.
    pub text: String,
}
