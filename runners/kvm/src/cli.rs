//! The command line. Its help teaches it.

use std::{ops::RangeInclusive, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum, builder::RangedU64ValueParser};
use setway_architecture::image::State;
use setway_protocol::Key;

const EXAMPLES: &str = "\
Example, with an image that `setway build` has made:
  sudo setway-kvm payload-a64.img --case COH-LOOP/csw

The guest's console goes to stdout as it is, and after it the records of what KVM's trace counted; a
summary for people goes to stderr. `--case list` has the image name its cases.

Exit codes: 0 the guest powered itself off, 1 it ended otherwise, 2 the guest could not be started.
Whether what was counted is right is not judged here: the harness does that from the records.";

/// How many CPUs a guest can have.
pub const VCPUS: RangeInclusive<u64> = 1..=4;

/// How many seconds a guest may be given.
pub const SECONDS: RangeInclusive<u64> = 1..=86400;

/// Runs one payload image as a KVM guest, and reports what KVM's own trace counted.
#[derive(Debug, Parser)]
#[command(name = "setway-kvm", version, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Cli {
    /// Instead of one run: many.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// One run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// What there is besides one run.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run guests on request, read from stdin (what this program does as PID 1).
    Agent {
        /// What seals the records, in 32 hexadecimal digits: who reads them has to know it.
        #[arg(long, value_name = "KEY", default_value_t, hide_default_value = true)]
        key: Key,
    },
}

/// One run.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The payload image.
    #[arg(required = true)]
    pub image: Option<PathBuf>,
    /// The case that the guest runs; `list` names those that there are.
    #[arg(long, value_name = "ID", required_unless_present = "command_line")]
    pub case: Option<String>,
    /// The instruction set that it runs it in [default: that which the image starts in].
    #[arg(long)]
    pub isa: Option<Isa>,
    /// CPUs of the guest.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = RangedU64ValueParser::<u64>::new().range(VCPUS))]
    pub vcpus: u64,
    /// Memory of the guest, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = RangedU64ValueParser::<u64>::new().range(4..=3072))]
    pub memory: u64,
    /// Seconds that the guest may take.
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = RangedU64ValueParser::<u64>::new().range(SECONDS))]
    pub seconds: u64,
    /// More for the guest's command line.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub arguments: String,
    /// Count nothing: needs neither root nor tracefs, and leaves the records out.
    #[arg(long)]
    pub no_trace: bool,
    /// Room for KVM's events, in KiB for each CPU of the host.
    #[arg(long, value_name = "KIB", default_value_t = 8192, value_parser = clap::value_parser!(u32).range(64..))]
    pub trace_buffer: u32,
    /// Say on stderr what took how long.
    #[arg(long)]
    pub phases: bool,
    /// The whole of the guest's command line.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["case", "isa", "arguments"])]
    pub command_line: Option<String>,
    /// From the agent: the request that this run is. It wants the end as a record, on stderr.
    #[arg(long, hide = true)]
    pub request: Option<u64>,
    /// From the agent: the instance of tracefs to use.
    #[arg(long, hide = true)]
    pub instance: Option<String>,
    /// What seals the records, in 32 hexadecimal digits: who reads them has to know it.
    #[arg(long, value_name = "KEY", default_value_t, hide_default_value = true)]
    pub key: Key,
    /// From the agent: the hash of this program.
    #[arg(long, hide = true)]
    pub build: Option<u64>,
}

/// An instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Isa {
    /// AArch64.
    A64,
    /// AArch32, A32.
    A32,
    /// AArch32, T32.
    T32,
}

impl Isa {
    /// The name on the guest's command line.
    pub fn name(self) -> &'static str {
        match self {
            Isa::A64 => "a64",
            Isa::A32 => "a32",
            Isa::T32 => "t32",
        }
    }

    /// The state that it belongs to.
    pub fn state(self) -> State {
        match self {
            Isa::A64 => State::AArch64,
            Isa::A32 | Isa::T32 => State::AArch32,
        }
    }
}

impl RunArgs {
    /// The guest's command line, for an image that starts in `state`.
    pub fn command_line(&self, state: State) -> String {
        if let Some(line) = &self.command_line {
            return line.clone();
        }
        let isa = self.isa.unwrap_or(match state {
            State::AArch64 => Isa::A64,
            State::AArch32 => Isa::A32,
        });
        let case = self.case.as_deref().unwrap_or("list");
        let line = format!("case={case} isa={} {}", isa.name(), self.arguments);
        line.trim_end().into()
    }
}

/// The key among the words that the kernel gives its first process: those after `--` on its command line.
pub fn first_process_key(words: impl IntoIterator<Item = String>) -> Key {
    let key = |word: String| word.strip_prefix("key=")?.parse().ok();
    words.into_iter().find_map(key).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_first_process_is_given_a_key() {
        let key = Key::new([0xab; 16]);
        let words = ["/init".into(), "quiet".into(), format!("key={key}")];
        assert_eq!(first_process_key(words), key);
        let none = ["/init".into(), "key=ab".into()];
        assert_eq!(first_process_key(none), Key::default());
    }

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_guest_is_told_case_and_isa() {
        let cli = parse("setway-kvm image --case SW-LOOP --isa t32 --arguments seed=1").unwrap();
        let line = cli.run.command_line(State::AArch32);
        assert_eq!(line, "case=SW-LOOP isa=t32 seed=1");
        let cli = parse("setway-kvm image --case SW-LOOP").unwrap();
        assert_eq!(cli.run.command_line(State::AArch32), "case=SW-LOOP isa=a32");
        let cli = parse("setway-kvm image --command-line misbehave=hang").unwrap();
        assert_eq!(cli.run.command_line(State::AArch64), "misbehave=hang");
    }

    #[test]
    fn what_is_missing_or_too_much_is_refused() {
        assert!(parse("setway-kvm").is_err());
        assert!(parse("setway-kvm image").is_err());
        assert!(parse("setway-kvm image --case X --vcpus 5").is_err());
        assert!(parse("setway-kvm image --case X --command-line Y").is_err());
        assert!(parse("setway-kvm agent").unwrap().command.is_some());
        assert!(parse("setway-kvm agent --key 0").is_err());
    }
}
