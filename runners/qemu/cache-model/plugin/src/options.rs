//! The plugin's arguments.

use std::path::PathBuf;

use setway_cache_model::{Config, Schedule};

/// When the model starts to watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// With the first instruction.
    Start,
    /// When a guest is first entered: EL2 returns below itself, with stage 2 on.
    Guest,
    /// When an agent first says that a run begins; and anew with each run.
    Run,
    /// When the block of code at this virtual address is first executed.
    At(u64),
}

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The file that backs the machine's memory.
    pub memory: PathBuf,
    /// The physical address of its first byte.
    pub base: u64,
    /// The caches.
    pub caches: Config,
    /// The cache level, from 1, whose ops by set/way mean the modelled caches.
    pub level: u32,
    /// Whether to count what guests wait for.
    pub cost: bool,
    /// When to start.
    pub arm: Arm,
}

/// What each argument means, for who gets one wrong.
const KNOWN: &str = "memory=FILE, base=ADDRESS, cpus=N, line=BYTES, sets=N, ways=N, level=N, \
                     system=on|off, cost=on|off, schedule=NAME, arm=start|guest|run|ADDRESS";

impl Options {
    /// Whether the plugin only compares what the model says with what QEMU does.
    pub fn compares(&self) -> bool {
        self.caches.schedule == Schedule::Coherent
    }

    /// Reads `key=value` arguments.
    pub fn parse<'a>(
        arguments: impl Iterator<Item = &'a str>,
        cpus: usize,
    ) -> Result<Self, String> {
        // Hardware moves lines between CPUs, so there are at least two, though QEMU may have one.
        let mut options = Self {
            memory: PathBuf::new(),
            base: 0x4000_0000,
            caches: Config {
                cpus: cpus.max(2).try_into().unwrap_or(u8::MAX),
                ..Config::default()
            },
            level: 2,
            cost: false,
            arm: Arm::Start,
        };
        for argument in arguments {
            let wrong = || format!("`{argument}`: the arguments are {KNOWN}");
            let (key, value) = argument.split_once('=').ok_or_else(wrong)?;
            let caches = &mut options.caches;
            match key {
                "memory" => options.memory = value.into(),
                "base" => options.base = number(value).ok_or_else(wrong)?,
                "cpus" => caches.cpus = small(value).ok_or_else(wrong)?,
                "line" => {
                    let bytes = number(value).filter(|bytes| bytes.is_power_of_two());
                    caches.line_shift = bytes.ok_or_else(wrong)?.trailing_zeros();
                }
                "sets" => caches.geometry.sets = small(value).ok_or_else(wrong)?,
                "ways" => caches.geometry.ways = small(value).ok_or_else(wrong)?,
                "level" => {
                    let level = small(value).filter(|level| (1..=7).contains(level));
                    options.level = level.ok_or_else(wrong)?;
                }
                "system" => caches.system_cache = switch(value).ok_or_else(wrong)?,
                "cost" => options.cost = switch(value).ok_or_else(wrong)?,
                "schedule" => {
                    caches.schedule = value
                        .parse::<Schedule>()
                        .map_err(|error| error.to_string())?;
                }
                "arm" => {
                    options.arm = match value {
                        "start" => Arm::Start,
                        "guest" => Arm::Guest,
                        "run" => Arm::Run,
                        address => Arm::At(number(address).ok_or_else(wrong)?),
                    }
                }
                _ => return Err(wrong()),
            }
        }
        if options.memory.as_os_str().is_empty() {
            return Err(format!("no memory=FILE; the arguments are {KNOWN}"));
        }
        if usize::from(options.caches.cpus) < cpus {
            return Err(format!(
                "cpus={}, and the machine has {cpus}",
                options.caches.cpus
            ));
        }
        options.caches = options.caches.check().map_err(|error| error.to_string())?;
        Ok(options)
    }
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn small<T: TryFrom<u64>>(text: &str) -> Option<T> {
    number(text)?.try_into().ok()
}

fn switch(text: &str) -> Option<bool> {
    match text {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}
