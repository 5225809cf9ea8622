//! The commands for readers: what there is, and what is known of it.

use clap::{Args, Subcommand};

use super::ListFormat;

/// Examples of `setway explain`.
pub const EXPLAIN_EXAMPLES: &str = "\
A name that things of several kinds have shows all of them; KIND:NAME chooses.

Examples:
  setway explain SW-PAIR              a rule: source, cases, what it kills
  setway explain COH-CPUON/again      a case: what it demands, and where
  setway explain tvm-shared           a mutant: where, and what kills it
  setway explain xen-call32           a finding: what happens, since when
  setway explain lazy case:EXA-IT     a schedule, and a case but no rule";

/// Examples of `setway finding`.
pub const FINDING_EXAMPLES: &str = "\
Examples:
  setway finding list
  setway finding show kvm-cpu-on-tvm --mail | less";

const FINDING_LIST_EXAMPLES: &str = "\
Examples:
  setway finding list
  setway finding list --format json | jq '.findings[].fixed_in'";

const FINDING_SHOW_EXAMPLES: &str = "\
Examples:
  setway finding show xen-btype
  setway finding show xen-btype --mail > report.txt";

/// Examples of `setway list`.
pub const LIST_EXAMPLES: &str = "\
Examples:
  setway list --rules                 rules, with what each kills
  setway list --format json | jq '.cases[].id'";

/// `setway explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A rule, case, mutant, finding, hypervisor, machine, profile, premise, schedule or verdict.
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
    /// How to show it.
    #[arg(long, default_value = "human")]
    pub format: ListFormat,
}

/// `setway list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only the rules, each with its cases, the mutants that those kill, and the findings about it.
    #[arg(long)]
    pub rules: bool,
    /// How to show it.
    #[arg(long, default_value = "human")]
    pub format: ListFormat,
}

/// `setway finding`.
#[derive(Clone, Debug, Subcommand)]
pub enum FindingCommand {
    /// List the known deviations, and whether they were corrected upstream.
    #[command(after_help = FINDING_LIST_EXAMPLES)]
    List {
        /// How to show them.
        #[arg(long, default_value = "human")]
        format: ListFormat,
    },
    /// Show what is known of one: where it lies, since when, evidence, what to do.
    #[command(after_help = FINDING_SHOW_EXAMPLES)]
    Show {
        /// As `setway finding list` shows it.
        #[arg(value_name = "ID")]
        id: String,
        /// Print it as a mail to those who write the hypervisor.
        #[arg(long, conflicts_with = "format")]
        mail: bool,
        /// How to show it.
        #[arg(long, default_value = "human")]
        format: ListFormat,
    },
}
