//! What has to be kept of a run beside what it said, so that its transcript can be judged again without the machine.

use std::{os::unix::process::ExitStatusExt as _, path::Path, process::ExitStatus, time::Duration};

use fs_err as fs;
use serde::{Deserialize, Serialize};
use setway_cases::CASES;
use setway_policy::Mutant;
use setway_protocol::Key;

use super::{
    replay::Replay,
    tape::{self, Limits},
};
use crate::{
    catalog::{isa::Isa, target::Target},
    evidence::{
        capture::{Capture, End},
        observation::Builds,
    },
    plan::Run,
};

/// What a recording's file is called.
pub const FILE: &str = "recording.json";

/// The schema of that file.
const SCHEMA: &str = "setway.recording/1";

/// A kept run, except for what it said.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    schema: String,
    /// The target, as `--hyp` names it.
    pub target: String,
    /// The version of the QEMU that it ran on.
    pub qemu: String,
    case: String,
    isa: Isa,
    mutant: Option<String>,
    caches: Option<String>,
    /// The key that hypervisor or agent sealed their records with.
    key: Option<String>,
    guest_build: u64,
    hypervisor_build: Option<u64>,
    /// How it ended, where the machine did not by itself: the status, or what the harness made of it.
    end: Ending,
    /// The machine had an exception log.
    has_exception_log: bool,
    /// The exception log was too long to be kept whole.
    is_cut: bool,
    duration_ms: u64,
    /// Boots that hung before this one, before a guest was entered.
    #[serde(default)]
    lost_boots: u32,
}

/// How a run ended.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Ending {
    /// The machine's process ended with this status, as wait(2) gives it.
    Status(i32),
    /// The guest did, and the machine went on.
    Over,
    /// Something gave up, with these words.
    Failed(String),
    /// It was stopped, because it exceeded this limit. Such a run cannot be judged again.
    Stopped(String),
}

/// Why a recording cannot be judged again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of it cannot be read.
    #[error(transparent)]
    Read(#[from] std::io::Error),
    /// It does not mean anything here.
    #[error("{dir}: {why}\n  next: record the run again with `setway run --keep --report DIR`")]
    Unusable {
        /// The recording.
        dir: String,
        /// Why.
        why: String,
    },
}

impl Recording {
    /// What has to be kept of `run` on `target`, in which images of these `builds` were booted.
    pub fn of(run: &Run, target: &str, qemu: &str, builds: &Builds, capture: &Capture) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            target: target.to_owned(),
            qemu: qemu.to_owned(),
            case: run.case.id.to_owned(),
            isa: run.isa,
            mutant: run.mutant.map(str::to_owned),
            caches: run.caches.map(|caches| caches.to_string()),
            key: capture.key.map(|key| key.to_string()),
            guest_build: builds.guest,
            hypervisor_build: builds.hypervisor,
            end: match &capture.end {
                End::Exited(status) => Ending::Status(status.into_raw()),
                End::Over => Ending::Over,
                End::Failed(reason) => Ending::Failed(reason.clone()),
                End::Stopped(limit) => Ending::Stopped(format!("{limit:?}")),
            },
            has_exception_log: capture.log.is_some(),
            is_cut: !capture.log_text.is_whole(),
            lost_boots: capture.lost_boots,
            duration_ms: capture.duration.as_millis().try_into().unwrap_or(u64::MAX),
        }
    }

    /// Writes it to `dir`.
    ///
    /// # Errors
    ///
    /// If that cannot be done.
    pub fn write(&self, dir: &Path) -> std::io::Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(std::io::Error::other)?;
        fs::write(dir.join(FILE), text + "\n")
    }

    /// The recording in `dir`.
    ///
    /// # Errors
    ///
    /// If there is none, or none of this schema.
    pub fn read(dir: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(dir.join(FILE))?;
        let unusable = |why: String| Error::Unusable {
            dir: dir.display().to_string(),
            why,
        };
        let recording: Self =
            serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))?;
        if recording.schema != SCHEMA {
            let why = format!("its schema is {}, not {SCHEMA}", recording.schema);
            return Err(unusable(why));
        }
        if recording.is_cut {
            return Err(unusable(
                "its exception log was too long to be kept whole".to_owned(),
            ));
        }
        if let Ending::Stopped(limit) = &recording.end {
            return Err(unusable(format!(
                "it was stopped by a limit ({limit}), which only time shows"
            )));
        }
        Ok(recording)
    }

    /// The run.
    ///
    /// # Errors
    ///
    /// What it names and the catalogue does not have.
    pub fn run(&self) -> Result<Run, String> {
        let case = CASES.iter().find(|case| case.id == self.case);
        let case = case.ok_or_else(|| format!("there is no case `{}`", self.case))?;
        let mutant = self.mutant.as_deref().map(|name| {
            let found = Mutant::by_name(name).map(Mutant::name);
            found.ok_or_else(|| format!("there is no mutant `{name}`"))
        });
        Ok(Run {
            case,
            isa: self.isa,
            mutant: mutant.transpose()?,
            caches: self.caches.as_deref().map(str::parse).transpose()?,
            programs: None,
        })
    }

    /// The key that hypervisor or agent sealed their records with, if one did.
    pub fn key(&self) -> Option<Key> {
        self.key.as_deref().and_then(|key| key.parse().ok())
    }

    /// The builds that its records must repeat, under `target`.
    pub fn builds(&self, target: &Target) -> Builds {
        Builds {
            guest: self.guest_build,
            hypervisor: self.hypervisor_build,
            mutant: self.run().ok().and_then(|run| run.mutant),
            unseen_exits: target.hypervisor.unseen_exits.clone(),
            hosted: target.hypervisor.is_hosted(),
        }
    }

    /// What it said, heard again from the files in `dir`: through the same event loop as from a machine.
    ///
    /// # Errors
    ///
    /// If a file is missing.
    pub fn play(&self, dir: &Path, target: &Target) -> Result<Capture, Error> {
        let read = |name: &str| fs::read(dir.join(name));
        let log = self
            .has_exception_log
            .then(|| read("exceptions.log"))
            .transpose()?;
        let status = match self.end {
            Ending::Status(raw) => ExitStatus::from_raw(raw),
            _ => ExitStatus::default(),
        };
        let machine = Replay::of(
            &read("console.log")?,
            log.as_deref(),
            &read("stderr.txt")?,
            status,
        );
        let hosted = target.hypervisor.is_hosted();
        let mut capture = tape::one_run(machine, Limits::default(), None, hosted)?;
        capture.key = self.key();
        capture.duration = Duration::from_millis(self.duration_ms);
        capture.lost_boots = self.lost_boots;
        match &self.end {
            Ending::Status(_) | Ending::Stopped(_) => {}
            Ending::Over => capture.end = End::Over,
            Ending::Failed(reason) => capture.end = End::Failed(reason.clone()),
        }
        Ok(capture)
    }
}
