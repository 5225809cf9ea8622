//! What the caches are like, and what hardware does of its own accord.

use std::{fmt, str::FromStr};

/// The most CPUs that a model can have.
pub const MAX_CPUS: u8 = 8;

/// The shape of a private cache: the number of the sets and of the ways, as CCSIDR_EL1 has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// How many sets; a power of two.
    pub sets: u32,
    /// How many ways; 1 to 64.
    pub ways: u32,
}

/// What the caches are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// CPUs with a private cache each.
    pub cpus: u8,
    /// Logarithm of the bytes of a line.
    pub line_shift: u32,
    /// The shape of each private cache.
    pub geometry: Geometry,
    /// Below the private caches is a system cache that ops by set/way do not reach.
    pub system_cache: bool,
    /// What hardware does of its own accord.
    pub schedule: Schedule,
}

impl Default for Config {
    /// Two CPUs with the second-level cache of a Cortex-A57, 2 MiB in 16 ways.
    fn default() -> Self {
        Self {
            cpus: 2,
            line_shift: 6,
            geometry: Geometry {
                sets: 2048,
                ways: 16,
            },
            system_cache: false,
            schedule: Schedule::Lazy,
        }
    }
}

impl Config {
    /// Says what no cache can be like.
    pub fn check(self) -> Result<Self, ConfigError> {
        let Geometry { sets, ways } = self.geometry;
        if !(1..=MAX_CPUS).contains(&self.cpus) {
            Err(ConfigError(format!(
                "{} CPUs: 1 to {MAX_CPUS} can be modelled",
                self.cpus
            )))
        } else if !(4..=11).contains(&self.line_shift) {
            Err(ConfigError(format!(
                "lines of 2^{} bytes: 2^4 to 2^11 can be modelled",
                self.line_shift
            )))
        } else if !sets.is_power_of_two() || !(1..=64).contains(&ways) {
            Err(ConfigError(format!(
                "{sets} sets and {ways} ways: the sets must be a power of two, the ways 1 to 64"
            )))
        } else {
            Ok(self)
        }
    }
}

/// What hardware does of its own accord between two instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Schedule {
    /// Nothing: lines stay where they are until an access or an op acts on them.
    #[default]
    Lazy,
    /// Every dirty line is evicted at once.
    Eager,
    /// Every line that is maintained is filled again at once, from a cacheable mapping.
    Refill,
    /// A dirty line that an op by set/way is about to hit moves to another CPU's cache first.
    Migrate,
    /// Any of it, at random but repeatable times.
    Random(u64),
    /// Nothing, and there is nothing to do: every store reaches every level at once, so that every access sees what is
    /// newest, as on QEMU without the model.
    Coherent,
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schedule::Lazy => f.write_str("lazy"),
            Schedule::Eager => f.write_str("eager"),
            Schedule::Refill => f.write_str("refill"),
            Schedule::Migrate => f.write_str("migrate"),
            Schedule::Random(seed) => write!(f, "random:{seed}"),
            Schedule::Coherent => f.write_str("coherent"),
        }
    }
}

/// What is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub(crate) String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

impl FromStr for Schedule {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let unknown = || {
            ConfigError(format!(
                "`{text}` is no schedule: they are lazy, eager, refill, migrate, random:SEED and coherent"
            ))
        };
        match text {
            "lazy" => Ok(Schedule::Lazy),
            "eager" => Ok(Schedule::Eager),
            "refill" => Ok(Schedule::Refill),
            "migrate" => Ok(Schedule::Migrate),
            "coherent" => Ok(Schedule::Coherent),
            _ => {
                let seed = text.strip_prefix("random:").ok_or_else(unknown)?;
                seed.parse().map(Schedule::Random).map_err(|_| unknown())
            }
        }
    }
}
