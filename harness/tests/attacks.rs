//! Attacks on the verdicts: ways to be green without having been tested, played on recordings of real runs. Each must
//! be seen, and each recording passes as it is, so that it is the attack that is seen.
//!
//! Attacks that need no run have their tests where they are refused: the wrong sources in `workspace`, stale images in
//! `provide::build`, findings that excuse too much in `judge::finding` and `catalog::finding`, cases that owe in
//! `judge::obligation`, skips and excuses in the tests of reports, forging guests in `suite`.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use setway::{
    catalog::Catalog,
    judge::{
        Verdict,
        outcome::{Court, Outcome},
    },
    lab::recording::Recording,
    workspace::Workspace,
};
use setway_protocol::{
    Actor, Channel, Code, Guest, Hex, Hypervisor, Key, MOST_NOTICES, Model, RecordWriter, Speaker,
    Whereabouts, parse,
    record::{Message, Stale},
    word::Access,
};

/// The checkout and its data files, read once.
fn checkout() -> &'static (Workspace, Catalog) {
    static CHECKOUT: LazyLock<(Workspace, Catalog)> = LazyLock::new(|| {
        let workspace = Workspace::find().expect("tests run in a checkout");
        let catalog = Catalog::load(&workspace).expect("the committed files are sound");
        (workspace, catalog)
    });
    &CHECKOUT
}

/// A recording, which a test may falsify before it is judged.
struct Transcript {
    from: PathBuf,
    recording: Recording,
    key: Option<Key>,
    console: String,
    log: String,
}

impl Transcript {
    fn of(name: &str) -> Self {
        let transcripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attacks/transcripts");
        let from = transcripts.join(name);
        let read = |file: &str| fs::read_to_string(from.join(file)).expect("a committed file");
        let recording = Recording::read(&from).expect("a committed recording");
        Self {
            key: recording.key(),
            console: read("console.log"),
            log: read("exceptions.log"),
            recording,
            from,
        }
    }

    fn judged(&self) -> Outcome {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let write = |file: &str, text: &str| fs::write(dir.path().join(file), text);
        write("console.log", &self.console).expect("a writable directory");
        write("exceptions.log", &self.log).expect("a writable directory");
        fs::copy(self.from.join("stderr.txt"), dir.path().join("stderr.txt")).expect("a file");
        let (workspace, catalog) = checkout();
        let target = catalog.target(&self.recording.target).expect("a target");
        let run = self.recording.run().expect("a run");
        let capture = self.recording.play(dir.path(), &target).expect("files");
        let court = Court {
            workspace,
            target: &target,
            findings: &catalog.findings,
            expectations: false,
            obligations: Some(&catalog.obligations),
        };
        court.judge(&run, capture, &self.recording.builds(&target))
    }

    #[track_caller]
    fn is(&self, verdict: Verdict, because: &str) {
        let judgement = self.judged().judgement;
        let reason = judgement.reason.unwrap_or_default();
        assert_eq!(judgement.verdict, verdict, "{reason}");
        assert!(reason.contains(because), "{reason}");
    }

    /// Writes the guest's records anew, each as `edit` leaves it, or not at all; numbers and checksums are right again.
    fn edit_guest(&mut self, edit: impl FnMut(&mut Message) -> bool) {
        let channel = Channel::Console(self.key);
        self.console = edited(&self.console, channel, RecordWriter::<Guest>::new(), edit);
    }

    /// The same of the hypervisor's, sealed with the run's key.
    fn edit_hypervisor(&mut self, edit: impl FnMut(&mut Message) -> bool) {
        let channel = Channel::Console(self.key);
        let writer = RecordWriter::<Hypervisor>::keyed(self.key.expect("it has a key"));
        self.console = edited(&self.console, channel, writer, edit);
    }

    /// The same of the cache model's.
    fn edit_model<N: Into<usize>>(&mut self, edit: impl FnMut(&mut Message) -> N) {
        let writer = RecordWriter::<Model>::new();
        self.log = edited(&self.log, Channel::Log, writer, edit);
    }
}

/// `text` with each record of one speaker as `edit` leaves it, as often as it says.
fn edited<S: Speaker, N: Into<usize>>(
    text: &str,
    channel: Channel,
    mut writer: RecordWriter<S>,
    mut edit: impl FnMut(&mut Message) -> N,
) -> String {
    let mut out = String::new();
    let mut written = 0;
    for line in text.lines() {
        let record = parse(line, channel).and_then(Result::ok);
        let message = record.filter(|it| it.stream == S::STREAM);
        let message = message.and_then(|it| Message::try_from(it).ok());
        let Some(mut message) = message else {
            out += line;
            out += "\n";
            continue;
        };
        if let Message::End(end) = &mut message {
            end.records = written;
        }
        for _ in 0..edit(&mut message).into() {
            writer.write_any(&mut out, &message).expect("its own kind");
            written += 1;
        }
    }
    out
}

const ALL: [&str; 4] = ["reference", "reference-caches", "kvm", "xen"];

#[test]
fn recordings_pass_as_they_are_and_rewritten() {
    for name in ALL {
        let mut transcript = Transcript::of(name);
        transcript.is(Verdict::Pass, "");
        transcript.edit_guest(|_| true);
        transcript.is(Verdict::Pass, "");
    }
}

/// Attack 3: the subject's own word.
#[test]
fn flushes_that_only_the_subject_counts_are_marked() {
    for name in ["reference", "kvm"] {
        let undecided = Transcript::of(name).judged().undecided;
        let undecided = undecided.expect("its flushes are its own word");
        assert!(
            undecided.contains("only the hypervisor itself"),
            "{undecided}"
        );
    }
    let undecided = Transcript::of("xen").judged().undecided;
    assert!(undecided.is_some_and(|it| it.contains("does not count them")));
    assert_eq!(Transcript::of("reference-caches").judged().undecided, None);
}

/// Attack 5: a payload that does less than its case.
#[test]
fn a_case_that_reports_less_owes() {
    for name in ALL {
        let mut without_first_check = Transcript::of(name);
        let mut checks = 0;
        without_first_check.edit_guest(|it| match it {
            Message::Check(_) => {
                checks += 1;
                checks > 1
            }
            _ => true,
        });
        if checks > 0 {
            without_first_check.is(Verdict::NoVerdict, "the guest reports");
        }
        let mut cheaper = Transcript::of(name);
        cheaper.edit_guest(|it| {
            if let Message::Step(step) = it {
                step.set_way += 1;
            }
            true
        });
        cheaper.is(Verdict::NoVerdict, "must demand");
    }
}

/// Attack 6: a payload that compares a value with itself.
#[test]
fn a_guest_cannot_choose_what_is_demanded() {
    let mut itself = Transcript::of("reference-caches");
    itself.edit_guest(|it| {
        if let Message::Check(check) = it {
            (check.want, check.got) = (Hex(0x1111), Hex(0x1111));
        }
        true
    });
    itself.is(Verdict::NoVerdict, "0x1111");
}

/// Attack 7: speaking for another.
#[test]
fn nobody_speaks_for_another() {
    let mut guessed = Transcript::of("reference");
    let real = guessed.key.replace(Key::new([7; 16]));
    let lines: Vec<&str> = guessed
        .console
        .lines()
        .filter(|line| line.contains("%sw h"))
        .collect();
    assert!(!lines.is_empty());
    let forged = edited_as_hypervisor(&lines.join("\n"), real, guessed.key);
    guessed.console = guessed
        .console
        .lines()
        .filter(|line| !line.contains("%sw h"))
        .collect::<Vec<_>>()
        .join("\n");
    guessed.console += "\n";
    guessed.console += &forged;
    guessed.is(Verdict::NoVerdict, "forged");

    // Xen writes no records, so there is no key that could make one good.
    let mut spoken_for = Transcript::of("xen");
    spoken_for.console += &forged;
    spoken_for.is(Verdict::NoVerdict, "%sw h");

    let mut model = Transcript::of("reference-caches");
    let records: Vec<&str> = model
        .log
        .lines()
        .filter(|line| line.contains("%sw m"))
        .collect();
    let records = records.join("\n") + "\n";
    model.console.insert_str(0, &records);
    model.is(Verdict::NoVerdict, "%sw m");
}

fn edited_as_hypervisor(text: &str, old: Option<Key>, new: Option<Key>) -> String {
    let writer = RecordWriter::<Hypervisor>::keyed(new.expect("a key"));
    edited(text, Channel::Console(old), writer, |_| true)
}

/// Attack 8: a witness that is missing, or half there.
#[test]
fn a_missing_witness_is_no_verdict() {
    for name in ALL {
        let mut silent = Transcript::of(name);
        silent.log.clear();
        silent.is(Verdict::NoVerdict, "");
        let mut cut = Transcript::of(name);
        cut.log.truncate(cut.log.len() / 2);
        cut.is(Verdict::NoVerdict, "");
        // Each line that is lost is noticed, or says nothing about the guest's traps.
        let whole = Transcript::of(name);
        let lines: Vec<&str> = whole.log.lines().collect();
        let last = lines
            .iter()
            .rposition(|line| line.starts_with("Taking"))
            .expect("a trap");
        for lost in (last.saturating_sub(40)..last).filter(|at| lines[*at].starts_with("...with E"))
        {
            let mut lossy = Transcript::of(name);
            lossy.log = [&lines[..lost], &lines[lost + 1..]].concat().join("\n") + "\n";
            let verdict = lossy.judged().judgement.verdict;
            let block = lines[..lost]
                .iter()
                .rposition(|line| line.starts_with("Taking"));
            let block = lines[block.expect("a block")..lost].join(" ");
            if block.contains("to EL2") {
                assert_eq!(
                    verdict,
                    Verdict::NoVerdict,
                    "{name}: {block} without {}",
                    lines[lost]
                );
            }
        }
    }
}

/// Attack 8: what a hypervisor or host reads for itself fills the model's account, so that nothing of the guest gets into it.
#[test]
fn an_account_without_room_is_no_verdict() {
    let full = |noticed: u64| {
        let mut transcript = Transcript::of("reference-caches");
        let mut filled = false;
        transcript.edit_model(|it| match it {
            Message::Ops(_) if !filled => {
                filled = true;
                *it = Message::Stale(of_the_hypervisor());
                MOST_NOTICES
            }
            Message::ModelTotals(totals) => {
                totals.stale = noticed;
                1
            }
            _ => 1,
        });
        transcript
    };
    full(64).is(Verdict::Pass, "");
    full(65).is(Verdict::NoVerdict, "wrote down no more");
}

/// A stale load by a hypervisor, which is none of the guest's.
fn of_the_hypervisor() -> Stale {
    Stale {
        by: Actor {
            cpu: 0,
            code: Some(Code {
                el: 2,
                pc: Hex(0x4000_1000),
            }),
        },
        path: Access::Cached,
        pa: Hex(0x4000_0000),
        len: 4,
        saw: Hex(1),
        newest: Hex(2),
        walk: false,
        place: Whereabouts::Memory,
        store: None,
        then: None,
    }
}

#[test]
fn a_model_that_watched_nothing_is_no_verdict() {
    let mut blind = Transcript::of("reference-caches");
    blind.edit_model(|it| {
        if let Message::ModelTotals(totals) = it {
            (totals.loads64, totals.stores64, totals.fetches64) = (0, 0, 0);
        }
        true
    });
    blind.is(Verdict::NoVerdict, "watched no loads");
    let mut silent = Transcript::of("reference-caches");
    silent.edit_model(|_| false);
    silent.is(Verdict::NoVerdict, "no record of the cache model");
}

#[test]
fn a_trace_that_lost_events_is_no_verdict() {
    for name in ["reference", "kvm"] {
        let mut lossy = Transcript::of(name);
        lossy.edit_hypervisor(|it| {
            if let Message::HypervisorTotals(totals) = it {
                totals.lost = 1;
            }
            true
        });
        lossy.is(Verdict::NoVerdict, "lost 1 events");
    }
}

/// Attack 10: what the model knows is judged, whether a check looks there or not.
#[test]
fn what_the_model_knows_is_judged() {
    let flush = |edit: fn(&mut setway_protocol::record::Flush)| {
        let mut transcript = Transcript::of("reference-caches");
        transcript.edit_model(|it| {
            if let Message::Flush(flush) = it {
                edit(flush);
            }
            true
        });
        transcript
    };
    flush(|it| it.missed = 3).is(Verdict::Fail, "left 3 lines dirty");
    flush(|it| it.clean = it.ops).is(Verdict::Fail, "only clean");
    flush(|it| it.invalidate = 1).is(Verdict::Fail, "only invalidate");
    let mut unseen = Transcript::of("reference-caches");
    unseen.edit_model(|it| !matches!(it, Message::Flush(_)));
    unseen.is(Verdict::Fail, "0 by the cache model's");
}
