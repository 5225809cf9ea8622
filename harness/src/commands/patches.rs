//! `setway mutants --patch`.

use std::{
    fmt::{self, Write as _},
    path::{Path, PathBuf},
};

use setway_policy::Site;
use setway_report::{MUTANTS_SCHEMA, MutantsReport, Patch, PatchFate};

use crate::{
    bench::{
        self, Bench,
        mutants::{
            self, Kill,
            hunt::{Hunt, Hunter, Prey},
        },
    },
    catalog::{Catalog, hypervisor},
    cli::{ListFormat, MutantsArgs},
    commands::{Error, mutants::kill},
    judge::sign::Sign,
    plan::Run,
    provide::patch::{
        self,
        diff::{self, Edits},
        scratch::Scratch,
    },
    report::{document, progress::Progress, text::printable},
    workspace::Workspace,
};

/// Says what kills the reference hypervisor with each patch.
pub fn patches(
    workspace: &Workspace,
    catalog: &Catalog,
    args: &MutantsArgs,
) -> Result<bool, Error> {
    let files = patch::files(&args.patch)?;
    // All that can be wrong with a patch before it is built is said at once.
    let read = |file: &PathBuf| -> Result<Edits, patch::Error> {
        let text = fs_err::read_to_string(file).map_err(patch::Error::Unreadable)?;
        diff::edits(workspace, &text)
    };
    let edits: Vec<Result<Edits, patch::Error>> = files.iter().map(read).collect();
    let mut fates = Vec::new();
    let mut without_model = None;
    if edits.iter().any(Result::is_ok) {
        let target = catalog.target(hypervisor::DEFAULT)?;
        let (qemu, caches) = (args.engine.qemu.as_deref(), args.engine.caches.as_ref());
        let all = Run::all();
        let (mut bench, with_caches) =
            Bench::prepare(workspace, catalog, target, qemu, caches, &all)?;
        bench.limits.time = args.engine.timeout.unwrap_or(bench.limits.time);
        let runs = match caches {
            Some(_) => with_caches,
            None => mutants::runs(&bench),
        };
        let hunter = Hunter::new(&bench, &runs)?;
        say("building the hypervisor in a scratch copy of this checkout, without a patch");
        let mut trial = Trial {
            args,
            bench: &bench,
            hunter: &hunter,
            runs: runs.len(),
            scratch: Scratch::new(workspace)?,
        };
        for (n, (file, edits)) in files.iter().zip(edits).enumerate() {
            let title = format!("patch {} of {}, {}", n + 1, files.len(), file.display());
            fates.push(trial.fate(&title, file, edits)?);
        }
        without_model = bench.without_model().map(str::to_owned);
    } else {
        for (file, edits) in files.iter().zip(edits) {
            fates.extend(edits.err().map(|error| not_judged(file, Vec::new(), error)));
        }
    }
    let report = MutantsReport {
        schema: MUTANTS_SCHEMA.to_owned(),
        mutants: Vec::new(),
        survivors: Vec::new(),
        idle_cases: Vec::new(),
        not_judged_cases: Vec::new(),
        red_without_defect: Vec::new(),
        red: Vec::new(),
        errors: Vec::new(),
        quick: !args.all,
        without_cache_model: without_model,
        patches: fates,
    };
    super::print(&match args.format {
        ListFormat::Json => document::to_text(&report)?,
        ListFormat::Human => human(&report),
    })?;
    let mut fates = report.patches.iter();
    Ok(fates.all(|patch| patch.fate == PatchFate::Killed))
}

/// A line on stderr that says what goes on. On a terminal there is a bar besides.
fn say(what: &str) {
    eprintln!("setway: {what}");
}

/// What patches are tried with.
struct Trial<'a> {
    args: &'a MutantsArgs,
    bench: &'a Bench,
    hunter: &'a Hunter<'a>,
    runs: usize,
    scratch: Scratch<'a>,
}

impl Trial<'_> {
    /// Builds the hypervisor with a patch and has it hunted.
    fn fate(
        &mut self,
        title: &str,
        file: &Path,
        edits: Result<Edits, patch::Error>,
    ) -> Result<Patch, Error> {
        let edits = match edits {
            Ok(edits) => edits,
            Err(error) => return Ok(not_judged(file, Vec::new(), error)),
        };
        let touched: Vec<String> = edits.keys().map(|it| it.display().to_string()).collect();
        say(&format!("{title}: building"));
        let image = match self.scratch.build(&edits) {
            Ok(image) => image,
            Err(error) => return Ok(not_judged(file, touched, error)),
        };
        say(&format!("{title}: running"));
        let bench = self.bench.with_image(image);
        let is_touched =
            |site: &Site| edits.contains_key(&Path::new("hyp-under-test").join(site.file()));
        let sites: Vec<Site> = Site::ALL.into_iter().filter(is_touched).collect();
        let prey = Prey {
            bench: &bench,
            mutant: None,
            by: &Sign::ALL,
            sites: &sites,
        };
        let hunt = self.hunt(&prey)?;
        Ok(self.judged(file, touched, &hunt))
    }

    fn hunt(&self, prey: &Prey) -> Result<Hunt, Error> {
        let progress = Progress::start(self.runs);
        let around = |run: &Run, make: &dyn Fn() -> Option<Kill>| {
            let kill = progress.during(&run.label(), make);
            progress.done(setway_report::Verdict::Pass);
            kill
        };
        let workers = self.args.engine.workers();
        let hunt = if self.args.all {
            self.hunter.all_kills(prey, workers, around)
        } else {
            self.hunter.first_of_all(prey, workers, around)
        };
        progress.finish();
        Ok(hunt.map_err(bench::Error::from)?)
    }

    /// What came of a hunt. Runs that could not be judged leave open whether they would have killed.
    fn judged(&self, file: &Path, touched: Vec<String>, hunt: &Hunt) -> Patch {
        let blamed = hunt
            .red
            .first()
            .map(|(run, why)| (run, "is red without the patch", why));
        let failed = hunt
            .errors
            .first()
            .map(|(run, why)| (run, "cannot be judged", why));
        let open = failed.or(blamed).map(|(run, what, why)| {
            let why = why.reason.as_deref().unwrap_or_default();
            format!("{} {what}: {why}\n  next: make `setway run` green without the patch, and try again", run.label())
        });
        let (fate, reason) = match (hunt.kills.is_empty(), open) {
            (false, _) => (PatchFate::Killed, None),
            (true, Some(open)) => (PatchFate::NotJudged, Some(open)),
            (true, None) => {
                let reason = format!("all {} runs pass with it", self.runs);
                (PatchFate::Survived, Some(reason))
            }
        };
        Patch {
            kills: hunt.kills.iter().map(kill).collect(),
            ..patch(file, touched, fate, reason)
        }
    }
}

fn not_judged(file: &Path, touched: Vec<String>, error: patch::Error) -> Patch {
    patch(file, touched, PatchFate::NotJudged, Some(error.to_string()))
}

fn patch(file: &Path, touched: Vec<String>, fate: PatchFate, reason: Option<String>) -> Patch {
    // What to do next is a field of its own, for programs.
    let parts = reason
        .as_deref()
        .map(|it| match it.split_once("\n  next: ") {
            Some((reason, next)) => (reason.to_owned(), Some(next.to_owned())),
            None => (it.to_owned(), None),
        });
    let (reason, next) = parts.unzip();
    Patch {
        file: file.display().to_string(),
        touched,
        fate,
        reason,
        next: next.flatten(),
        kills: Vec::new(),
    }
}

/// The report for people.
fn human(report: &MutantsReport) -> String {
    let mut text = String::new();
    let report = printable(report);
    write(&mut text, &report).expect("writing to a string cannot fail");
    text
}

fn write(text: &mut String, report: &MutantsReport) -> fmt::Result {
    for patch in &report.patches {
        match &patch.touched[..] {
            [] => writeln!(text, "{}", patch.file)?,
            touched => writeln!(text, "{}: changes {}", patch.file, touched.join(", "))?,
        }
        for kill in &patch.kills {
            writeln!(
                text,
                "  killed by {}, rule {}: {}\n    {}",
                kill.run,
                kill.rule,
                kill.verdict,
                kill.reason.as_deref().unwrap_or_default()
            )?;
        }
        let reason = patch.reason.as_deref().unwrap_or_default();
        match patch.fate {
            PatchFate::Killed => {}
            PatchFate::Survived => writeln!(text, "  SURVIVED: {reason}")?,
            PatchFate::NotJudged => writeln!(text, "  NOT JUDGED: {reason}")?,
        }
        if let Some(next) = &patch.next {
            writeln!(text, "  next: {next}")?;
        }
    }
    if let Some(reason) = &report.without_cache_model {
        writeln!(
            text,
            "\nwithout the cache model wrong data shows nowhere, and fewer are killed: {reason}"
        )?;
    }
    let count = |fate| report.patches.iter().filter(|it| it.fate == fate).count();
    let (killed, all) = (count(PatchFate::Killed), report.patches.len());
    let (survived, open) = (count(PatchFate::Survived), count(PatchFate::NotJudged));
    writeln!(
        text,
        "\n{killed} of {all} patches killed, {survived} survived, {open} not judged"
    )
}
