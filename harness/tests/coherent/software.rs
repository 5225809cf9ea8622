//! Software from Debian's packages, as files in `software/` name it, on a QEMU whose plugin compares.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use libtest_mimic::Failed;
use serde::Deserialize;
use setway::{
    catalog::{package::PackageFiles, qemu::VersionFile},
    lab::{
        machine::{Event, Machine as _},
        qemu::Process,
    },
    provide::{build::plugin, qemu::Qemu},
};
use setway_protocol::{
    Channel, parse,
    record::{Compared, Differs, Message},
};
use setway_testing::workspace;

/// How long software may take to say what it should. All of it takes seconds, on a machine that does nothing else.
const PATIENCE: Duration = Duration::from_secs(100);

/// How long QEMU may take to end.
const FAREWELL: Duration = Duration::from_secs(20);

/// MiB of the machine's memory.
const MEMORY: u64 = 512;

/// One file in `software/`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Software {
    /// What the trial is called.
    pub name: String,
    /// The packages that have it.
    package: Option<PackageFiles>,
    /// The version of a hypervisor that has it, if it is one: a file, and what its tree is called.
    version: Option<Version>,
    /// Which of their files it is.
    file: String,
    /// QEMU's arguments, in which `{file}` stands for it.
    args: Vec<String>,
    /// When the plugin begins to watch: its argument `arm`.
    arm: String,
    /// What it writes to its console when it has run far enough.
    until: String,
    /// How many loads at least must have been compared by then.
    loads: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Version {
    /// The table of packages.
    table: PathBuf,
    /// The start of the tree's name, so that it is fetched only once.
    tree: String,
}

impl Software {
    /// All that there is.
    ///
    /// # Panics
    ///
    /// If a file cannot be read.
    pub fn all() -> Vec<Self> {
        let dir = workspace().root().join("harness/tests/coherent/software");
        let entries = fs::read_dir(&dir).expect("the folder is committed");
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        paths.iter().map(read_toml).collect()
    }

    /// Fetches it, if need be.
    fn fetch(&self) -> Result<PathBuf, Failed> {
        let (package, tree) = match (&self.package, &self.version) {
            (Some(package), None) => (package.clone(), self.name.clone()),
            (None, Some(version)) => {
                let table = workspace().root().join(&version.table);
                (read_toml(&table), version.tree.clone())
            }
            _ => return Err(format!("{}: give `package` or `version`", self.name).into()),
        };
        let unpacked = package.ensure(workspace(), &tree)?;
        let file = unpacked.files.get(&self.file);
        Ok(file.cloned().ok_or("the table names no such file")?)
    }

    /// Runs it until it says what it should, and holds the plugin to what it has compared.
    pub fn compares(&self, version: &VersionFile) -> Result<(), Failed> {
        let file = self.fetch()?;
        let qemu = Qemu::managed(workspace(), version.clone())?;
        let api = version.plugin_api.ok_or("it has no plugin interface")?;
        let plugin = plugin::build(workspace(), api)?.path;
        let prepare = |inherited: &setway::lab::qemu::Inherited| {
            let memory = &inherited.memory;
            let mut command = qemu.command();
            command.args(["-nodefaults", "-display", "none", "-serial", "stdio"]);
            command.args(["-no-reboot", "-accel", "tcg,thread=single"]);
            command.args(["-d", "plugin", "-D", &inherited.log]);
            command.arg("-m").arg(MEMORY.to_string());
            let backend =
                format!("memory-backend-file,id=memory,size={MEMORY}M,share=on,mem-path={memory}");
            command.args(["-object", &backend, "-machine", "memory-backend=memory"]);
            let options = format!("memory={memory},schedule=coherent,arm={}", self.arm);
            command
                .arg("-plugin")
                .arg(format!("{},{options}", plugin.display()));
            let file = file.display().to_string();
            command.args(self.args.iter().map(|word| word.replace("{file}", &file)));
            Ok(command)
        };
        let mut process = Process::new(prepare, Some(MEMORY << 20))?;
        process.start()?;
        let said = self.listen(&mut process)?;
        self.judge(&said)
    }

    /// What QEMU has logged, when the software has said what it should.
    fn listen(&self, process: &mut Process) -> Result<String, Failed> {
        let (mut console, mut log, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        let mut deadline = Instant::now() + PATIENCE;
        let mut has_said = false;
        loop {
            match process.next(deadline) {
                Event::Console(bytes) => console.extend(bytes),
                Event::ExceptionLog(bytes) => log.extend(bytes),
                Event::Stderr(bytes) => errors.extend(bytes),
                Event::Ended(_) if has_said => return Ok(text(&log)),
                Event::Ended(_) => break,
                Event::Late if has_said => return Err("QEMU does not end".into()),
                Event::Late => {
                    has_said = true;
                    process.ask_to_end();
                    deadline = Instant::now() + FAREWELL;
                    console.extend(b"\n(and no more in time)");
                    errors.extend(b"late");
                }
            }
            if !has_said && text(&console).contains(&self.until) {
                has_said = true;
                process.ask_to_end();
                deadline = Instant::now() + FAREWELL;
            }
        }
        let (console, log) = (text(&console), text(&log));
        let last: Vec<&str> = console.lines().rev().take(5).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        Err(format!(
            "it never said {:?}; last on its console:\n{}\n{}{log}",
            self.until,
            last.join("\n"),
            text(&errors)
        )
        .into())
    }

    /// Nothing may differ, and much must have been compared.
    fn judge(&self, log: &str) -> Result<(), Failed> {
        let mut compared = None;
        let mut differs = Vec::new();
        for line in log.lines() {
            let Some(Ok(record)) = parse(line, Channel::Log) else {
                continue;
            };
            match Message::try_from(record) {
                Ok(Message::Compared(it)) => compared = Some(it),
                Ok(Message::Differs(it)) => differs.push(describe(&it)),
                _ => {}
            }
        }
        let Some(Compared {
            loads, differences, ..
        }) = compared
        else {
            return Err("the plugin has not said what it compared".into());
        };
        if differences > 0 {
            return Err(format!(
                "the model differs from QEMU in {differences} of {loads} loads and what else was compared:\n{}",
                differs.join("\n")
            )
            .into());
        }
        if loads < self.loads {
            return Err(format!("only {loads} loads were compared").into());
        }
        Ok(())
    }
}

fn describe(it: &Differs) -> String {
    let pc = it.by.code.map_or(0, |code| code.pc.0);
    format!(
        "  {:<10} at {:#x}, by the instruction at {pc:#x}: QEMU has {:#x}, the model {:#x} ({} bytes)",
        it.what.to_string(),
        it.at.0,
        it.qemu.0,
        it.model.0,
        it.len
    )
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A committed file.
fn read_toml<T: serde::de::DeserializeOwned>(path: &PathBuf) -> T {
    let text = fs::read_to_string(path).expect("it is committed");
    match toml::from_str(&text) {
        Ok(value) => value,
        Err(error) => panic!("{}: {error}", path.display()),
    }
}
