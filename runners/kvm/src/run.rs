//! One run, from the image's file to the summary.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

use setway_protocol::{Agent, RecordWriter, word::GuestEnd};

use crate::{
    cli::RunArgs,
    end::End,
    fingerprint,
    guest_records::GuestRecords,
    layout::{self, LayoutError, MEMORY_BASE},
    phases::Phases,
    report,
    summary::Summary,
    trace::{
        session::{Instance, TraceError},
        tally::tally,
    },
    vm::{Guest, Vm, VmError},
};

/// Why a guest could not be started, or not be followed to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The image cannot be read.
    #[error("cannot read {}: {source}\n  next: `setway build` prints where the images are", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The image cannot be loaded.
    #[error("cannot load {}: {source}", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: LayoutError,
    },
    /// The image starts in another state than the instruction set needs.
    #[error(
        "{} does not run {isa}: it starts in the other state\n  next: give the image payload-{other}.img", path.display()
    )]
    Isa {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        isa: &'static str,
        /// The image that has it.
        other: &'static str,
    },
    /// No VM.
    #[error(transparent)]
    Vm(#[from] VmError),
    /// No trace.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// This program cannot read itself.
    #[error("cannot read /proc/self/exe: {0}\n  next: mount /proc")]
    Program(io::Error),
    /// The records cannot be written.
    #[error("cannot write to stdout: {0}\n  next: keep what reads it open")]
    Output(io::Error),
}

/// Runs the guest that `args` asks for, and writes its records and a summary.
pub fn run(args: &RunArgs) -> Result<End, RunError> {
    let mut phases = Phases::default();
    let path = args.image.clone().unwrap_or_default();
    let file = fs::read(&path).map_err(|source| RunError::Image {
        path: path.clone(),
        source,
    })?;
    let memory = MEMORY_BASE..MEMORY_BASE + (args.memory << 20);
    let image = layout::placed(&file, &memory);
    let image = image.map_err(|source| RunError::Layout {
        path: path.clone(),
        source,
    })?;
    if let Some(isa) = args.isa.filter(|isa| isa.state() != image.state) {
        return Err(RunError::Isa {
            path,
            isa: isa.name(),
            other: if isa.name() == "a64" { "a64" } else { "a32" },
        });
    }
    let build = args.build.map_or_else(fingerprint::of_this_program, Ok);
    let build = build.map_err(RunError::Program)?;
    phases.over("image");

    let vm = Vm::new(&Guest {
        file: &file,
        image,
        memory,
        vcpus: args.vcpus,
        command_line: &args.command_line(image.state),
    })?;
    phases.over("VM");
    let instance = match &args.instance {
        _ if args.no_trace => None,
        Some(name) => Some(Instance::borrow(name)),
        None => Some(Instance::create(args.trace_buffer)?),
    };
    let trace = instance.map(Instance::start).transpose()?;
    phases.over("trace on");

    let over = vm.run(Duration::from_secs(args.seconds))?;
    phases.over("guest");
    let guest = GuestRecords::read(&over.console);
    let mut counted = None;
    if let Some(trace) = trace {
        let taken = trace.stop()?;
        let tally = tally(&taken.events, &over.threads, guest.mark, taken.lost);
        phases.over("trace off");
        // A string takes everything, so formatting cannot fail.
        let records = report::records(&tally, build, args.key).unwrap_or_default();
        // What the guest left unfinished must not be part of the first record's line.
        let gap = match over.console.last() {
            None | Some(b'\n') => "",
            Some(_) => "\r\n",
        };
        let mut out = io::stdout().lock();
        let written = write!(out, "{gap}{records}").and_then(|()| out.flush());
        written.map_err(RunError::Output)?;
        counted = Some(tally);
        phases.over("records");
    }
    let summary = Summary {
        end: &over.end,
        guest: &guest,
        tally: counted.as_ref(),
    };
    eprint!("{summary}");
    if args.phases {
        eprintln!("time    {phases}");
    }
    Ok(over.end)
}

/// Runs the guest that `args` asks for, and returns the exit code for how it ended.
pub fn exit_code(args: &RunArgs) -> u8 {
    let result = run(args);
    if let Err(error) = &result {
        eprintln!("setway-kvm: {error}");
    }
    let code = match &result {
        Ok(end) if end.kind == GuestEnd::Off => 0,
        Ok(_) => 1,
        Err(_) => 2,
    };
    if let Some(n) = args.request {
        let end = result.unwrap_or_else(|error| End::because(GuestEnd::Error, error));
        let mut line = String::new();
        // A string takes everything.
        let _ = RecordWriter::<Agent>::keyed(args.key).write(&mut line, &end.over(n));
        eprint!("{line}");
    }
    code
}
