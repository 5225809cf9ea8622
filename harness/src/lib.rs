//! Setway's harness: boots payloads under hypervisors, observes from outside, and judges.
//!
//! The path of a run, room by room; each room uses only those above it:
//!
//! | room | what it does |
//! |---|---|
//! | [`workspace`] | knows the checkout, its target directory and its locks |
//! | [`catalog`] | reads the data files: hypervisors, machines, profiles |
//! | [`provide`] | fetches packages, builds images, makes initial file systems and device trees |
//! | [`plan`] | chooses runs and orders them |
//! | [`evidence`] | turns what a run said into facts |
//! | [`lab`] | makes a machine run and hands on what it says |
//! | [`judge`] | turns facts into a verdict |
//! | [`report`] | turns facts and verdicts into something to read |
//!
//! Above them, [`bench`](mod@bench) joins lab and judge, and [`cli`] and [`commands`] are the program `setway`.
//!
//! # Use
//!
//! Three calls lead from a checkout to a report. A report is data ([`setway_report`]); [`report`] renders it.
//!
//! ```no_run
//! use setway::{bench::suite::{self, Plan}, catalog::Catalog, report::human, workspace::Workspace};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let workspace = Workspace::find()?;
//!     let catalog = Catalog::load(&workspace)?;
//!     let report = suite::run(&workspace, &catalog, &Plan::for_target("xen-4.20"))?;
//!     println!("{}", human::text(&report));
//!     Ok(())
//! }
//! ```
//!
//! What else there is to use: [`lab::machine::Machine`], to put a board in QEMU's place;
//! [`evidence::witness::Witness`], to count in another way; [`lab::recording::Recording`], to judge what was kept. The
//! rest is public so that the tests and the command line, which are crates of their own, can reach it, and promises
//! nothing.

pub mod bench;
pub mod catalog;
pub mod cli;
pub mod commands;
pub mod evidence;
pub mod judge;
pub mod lab;
pub mod plan;
pub mod provide;
pub mod report;
pub mod workspace;

pub use commands::Error;
