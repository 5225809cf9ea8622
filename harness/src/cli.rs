//! The command line. Scripts rely on it; its help describes it.
//!
//! A paragraph of help is one line here, so that clap alone breaks it; an example fits into 80 columns.

mod readers;

use std::{num::NonZero, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum, builder::NonEmptyStringValueParser};

pub use readers::{ExplainArgs, FindingCommand, ListArgs};

use crate::{
    catalog::schedule::Choice,
    catalog::{hypervisor, isa::Isa},
};

/// Boots set/way conformance payloads under Arm hypervisors and judges what they observe.
#[derive(Debug, Parser)]
#[command(name = "setway", bin_name = "setway", version, after_help = EXAMPLES, term_width = COLUMNS)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// When to use colour in output for people.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
}

/// How wide help is: as wide as the narrowest usual terminal, so that no line is broken twice.
const COLUMNS: usize = 80;

const EXAMPLES: &str = "\
In a checkout, `cargo run -- ARGS` is `setway ARGS`.

Examples:
  setway run                        every case on the reference hypervisor
  setway run SW-LOOP --isa t32      one case in one ISA
  setway run --mutant tvm-shared    how the suite detects a defect
  setway mutants                    which defects it detects, and by which cases
  setway explain SW-PAIR            what a rule says, and what it kills
  setway doctor                     what is missing on this machine

Exit codes: 0 all is well, 1 something failed, 2 could not be run, 130 interrupted.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run cases and judge them.
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// List the cases, rules, hypervisors, mutants and machines.
    #[command(after_help = readers::LIST_EXAMPLES)]
    List(ListArgs),
    /// Explain a rule, case, mutant, finding, or another name, like a manual page.
    #[command(after_help = readers::EXPLAIN_EXAMPLES)]
    Explain(ExplainArgs),
    /// List and show known deviations of hypervisors, and report them to those who write them.
    #[command(subcommand, after_help = readers::FINDING_EXAMPLES)]
    Finding(FindingCommand),
    /// Report which cases detect each mutant of the reference hypervisor.
    #[command(after_help = MUTANTS_EXAMPLES)]
    Mutants(MutantsArgs),
    /// List what is missing on this machine and how to install it.
    Doctor,
    /// Build the guest images and print where they are.
    Build(BuildArgs),
    /// Fetch and list the managed QEMU versions.
    #[command(subcommand)]
    Qemu(QemuCommand),
    /// Judge kept runs again, without any machine.
    #[command(after_help = REPLAY_EXAMPLES)]
    Replay(ReplayArgs),
    /// Render, merge and compare reports that are files.
    #[command(subcommand)]
    Report(ReportCommand),
}

const RUN_EXAMPLES: &str = "\
Exit code 0 only if every run met its rule and its expectation.

A failed run leaves console.log, exceptions.log, stderr.txt and command.txt in the directory that \
the report names, and guest.txt, the guest's own command line, if an agent started it. A run that \
passes leaves nothing without --keep.

Examples:
  setway run TGL-MC                   all cases with TGL-MC in their id
  setway run rule:EXA-RT --isa a32    all cases of a rule
  setway run --format junit           for a CI system
  setway run --qemu 7.2               another version of `setway qemu list`
  setway run --qemu ./qemu-system-aarch64
  setway run --hyp reference,kvm-6.1,xen-4.17    side by side
  setway run --hyp kvm@virt-max       the newest KVM on a CPU with S2FWB
  setway run --hyp ../xen/setway.toml            your own: see runners/README.md
  setway run --bless                  accept what is observed";

const MUTANTS_EXAMPLES: &str = "\
Each mutant is tried with the likeliest and cheapest case first, until one kills it by the kind of \
evidence that it must show in (`setway list`). Without FILTER, each case that can fail on this \
machine is then shown to kill a mutant.

Exit code 0 only if every mutant is killed, every case that was asked kills one, and no run is red \
for another reason than its mutant.

Examples:
  setway mutants                every mutant, and every case, in a minute
  setway mutants tvm            the mutants with tvm in their name
  setway mutants tvm --all      all cases that kill those
  setway mutants --all          the whole matrix, in a quarter of an hour
  setway mutants tvm --bless    remember what kills those

--patch tries a defect of your own. Each FILE is one: a unified diff, by `git diff` or `diff -u`, of \
what the reference hypervisor is made of (hyp-under-test/, and payloads/ architecture, protocol and \
runtime). It is applied to a scratch copy of this checkout; the checkout stays as it is. Only the \
hypervisor is built from the copy, and the guests stay those of the checkout, so a defect in what both \
share changes the hypervisor alone. Any evidence kills, until one does; with --all, all that do are named.

A patch SURVIVED if all runs pass with it. It is NOT JUDGED if it does not apply or build, changes \
anything else, or leaves the image's bytes as they were. The exit code is 0 only if all are killed.

  setway mutants --patch skip.diff
  setway mutants --patch my-defects/ --all
  setway mutants --patch a.diff b.diff --format json";

/// Options that choose what runs are made on.
#[derive(Debug, Args)]
pub struct EngineArgs {
    /// QEMU: a managed version, or the path of a qemu-system-aarch64.
    #[arg(long, value_name = "VERSION|PATH")]
    pub qemu: Option<String>,
    /// Number of runs in parallel [default: the number of CPUs].
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<NonZero<usize>>,
    /// Cache schedules to simulate, where the cache model is supported: lazy, eager, refill, migrate,
    /// random:SEED, several with commas; all; or off. With `coherent` no data can be stale, and each access is
    /// compared with QEMU's: this tests the model. To each, `+system` adds a cache that set/way ops do not
    /// reach, and `+SETSxWAYS` changes the size of the private caches [default: lazy, and for cases that compare
    /// data also migrate].
    #[arg(long, value_name = "CACHES")]
    pub caches: Option<Choice>,
    /// Seconds that a run may take.
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub timeout: Option<Duration>,
}

impl EngineArgs {
    /// How many runs to make at once.
    pub fn workers(&self) -> NonZero<usize> {
        let cpus = || std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        self.jobs.unwrap_or_else(cpus)
    }
}

/// The longest time that a run may be given.
const LONGEST: Duration = Duration::from_secs(86_400);

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "not a number of seconds".to_owned())?;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    if duration.is_zero() {
        Err("the timeout must be greater than zero".to_owned())
    } else if duration > LONGEST {
        Err(format!("more than a day ({} s)", LONGEST.as_secs()))
    } else {
        Ok(duration)
    }
}

/// `setway build`.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// Check the images' sources with clippy instead, warnings being errors.
    #[arg(long)]
    pub check: bool,
}

/// `setway run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// A case's id or a part of one, or `rule:` and a rule's id.
    #[arg(value_name = "FILTER", value_parser = NonEmptyStringValueParser::new())]
    pub filters: Vec<String>,
    /// Only these instruction sets.
    #[arg(long, value_delimiter = ',')]
    pub isa: Vec<Isa>,
    /// The hypervisors under test, side by side: NAME or NAME-VERSION (default: the newest), or the path of a
    /// hypervisor's file, each optionally followed by @MACHINE.
    #[arg(long, value_name = "NAME|FILE", value_delimiter = ',', default_value = hypervisor::DEFAULT)]
    pub hyp: Vec<String>,
    /// Put this mutant's defect into the hypervisor; `setway list` names them.
    #[arg(long, value_name = "NAME")]
    pub mutant: Option<String>,
    /// Judge by this profile, of runners/profiles, instead of the hypervisor's own: `refuses` for one whose guests may
    /// not maintain caches by set/way.
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// What runs are made on.
    #[command(flatten)]
    pub engine: EngineArgs,
    /// How to report.
    #[arg(long, default_value = "human")]
    pub format: Format,
    /// Write results.json and the raw logs of failed runs here.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Keep the logs of runs that pass, too; `setway replay` judges them again.
    #[arg(long)]
    pub keep: bool,
    /// Accept what is observed as the expectation, after showing what changed.
    #[arg(long, conflicts_with_all = ["mutant"])]
    pub bless: bool,
    /// Exit with 0 if every failed run is a known finding (`expectations/findings`).
    #[arg(long)]
    pub allow_findings: bool,
}

const REPLAY_EXAMPLES: &str = "\
A failed run leaves a recording among its logs; `setway run --keep --report DIR` records every run. \
What a recording holds goes through the same event loop, evidence and verdict as what a machine \
writes. It is held to the rules, profiles, findings and obligations of this checkout, but not to \
its expectations.

Examples:
  setway run SW-REPEAT --isa a64 --keep --report out
  setway replay out/logs/reference/11.1.3/SW-REPEAT.a64.lazy";

/// `setway replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Directories of recordings.
    #[arg(value_name = "DIR", required = true)]
    pub dirs: Vec<PathBuf>,
    /// How to report.
    #[arg(long, default_value = "human")]
    pub format: Format,
}

/// `setway mutants`.
#[derive(Debug, Args)]
pub struct MutantsArgs {
    /// A mutant's name, or a part of one.
    #[arg(value_name = "FILTER")]
    pub filters: Vec<String>,
    /// Try every case, and not only until a first one kills.
    #[arg(long)]
    pub all: bool,
    /// As without --all.
    #[arg(long, hide = true, conflicts_with = "all")]
    pub quick: bool,
    /// What runs are made on.
    #[command(flatten)]
    pub engine: EngineArgs,
    /// How to report.
    #[arg(long, default_value = "human")]
    pub format: ListFormat,
    /// Try patches of the reference hypervisor in place of mutants: unified diffs, or directories of *.diff and *.patch.
    #[arg(long, value_name = "FILE|DIR", num_args = 1.., conflicts_with_all = ["filters", "bless"])]
    pub patch: Vec<PathBuf>,
    /// Record what kills these mutants in `expectations/kills.toml`, to be tried first.
    #[arg(long)]
    pub bless: bool,
}

/// `setway qemu`.
#[derive(Clone, Debug, Subcommand)]
pub enum QemuCommand {
    /// Fetch a version, or the default one.
    Fetch {
        /// As `setway qemu list` shows it.
        version: Option<String>,
        /// Fetch it again, in place of what is there.
        #[arg(long)]
        force: bool,
    },
    /// List the versions, and which of them have been fetched.
    List,
}

/// `setway report`.
#[derive(Clone, Debug, Subcommand)]
pub enum ReportCommand {
    /// Render reports of runs, several as one.
    Render {
        /// The results.json of `run --report`, or what `run --format json` printed; `-` is stdin.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// How to report.
        #[arg(long, default_value = "human")]
        format: Format,
        /// Like `run --allow-findings`: known findings are not failures.
        #[arg(long)]
        allow_findings: bool,
    },
    /// Make one report of several: of the parts of a run, or of runs on several QEMUs.
    Merge {
        /// The reports; `-` is stdin.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Where to write it [default: stdout].
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Show which verdicts, reasons and counts changed. Exit code 1 if any did.
    Diff {
        /// The old report; `-` is stdin.
        old: PathBuf,
        /// The new report; `-` is stdin.
        new: PathBuf,
    },
}

/// How results of runs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table, and what failed in detail.
    Human,
    /// The schema setway.run/1.
    Json,
    /// JUnit's XML.
    Junit,
    /// Test Anything Protocol, version 13.
    Tap,
}

/// How lists are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For people.
    Human,
    /// For programs.
    Json,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    /// Every command below `command`, itself first.
    fn all(command: &clap::Command) -> Vec<&clap::Command> {
        let below = command.get_subcommands().flat_map(all);
        std::iter::once(command).chain(below).collect()
    }

    #[test]
    fn no_line_of_help_is_broken_twice() {
        let mut cli = Cli::command();
        cli.build();
        for command in all(&cli) {
            let name = command.get_name();
            let help = command.clone().render_long_help().to_string();
            for line in help.lines() {
                assert!(line.len() <= COLUMNS, "{name}: `{line}`");
            }
            let written = command.get_after_help().map(ToString::to_string);
            for example in written.iter().flat_map(|it| it.lines()) {
                let whole = !example.starts_with("  ") || help.lines().any(|it| it == example);
                assert!(whole, "{name}: `{example}` is broken");
            }
        }
    }

    #[test]
    fn timeouts_are_positive() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        for text in ["0", "-1", "soon", "nan", "inf", "86401", "1e19"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
