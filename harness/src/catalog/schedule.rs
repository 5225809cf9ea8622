//! Which caches a run's machine has: the model's, and what the simulated hardware does of its own accord.

use std::{collections::BTreeSet, fmt, str::FromStr};

use setway_cache_model::{Config, ConfigError, Geometry, Schedule};

/// The caches of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Caches {
    /// What hardware does of its own accord.
    pub schedule: Schedule,
    /// There is a cache that ops by set/way do not reach.
    pub system_cache: bool,
    /// Sets and ways of the private caches, if not those of the machine's CPU.
    pub geometry: Option<(u32, u32)>,
}

/// Suffix of a schedule's name that adds a system cache.
const SYSTEM: &str = "system";

impl Caches {
    /// Caches without a system cache.
    pub const fn new(schedule: Schedule) -> Self {
        Self {
            schedule,
            system_cache: false,
            geometry: None,
        }
    }

    /// All that leave nothing to chance.
    pub fn settled() -> [Self; 8] {
        let each = [
            Schedule::Lazy,
            Schedule::Eager,
            Schedule::Refill,
            Schedule::Migrate,
        ];
        std::array::from_fn(|n| Self {
            schedule: each[n % each.len()],
            system_cache: n >= each.len(),
            geometry: None,
        })
    }
}

impl fmt::Display for Caches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.schedule)?;
        if self.system_cache {
            write!(f, "+{SYSTEM}")?;
        }
        match self.geometry {
            Some((sets, ways)) => write!(f, "+{sets}x{ways}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Caches {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split('+');
        let schedule = words.next().unwrap_or_default().parse();
        let mut caches = Self::new(schedule.map_err(|error: ConfigError| error.to_string())?);
        for word in words {
            let size = word.split_once('x');
            let size = size.and_then(|(sets, ways)| Some((sets.parse().ok()?, ways.parse().ok()?)));
            match (word, size) {
                (SYSTEM, _) => caches.system_cache = true,
                (_, Some(size)) => caches.geometry = Some(size),
                _ => return Err(format!("`+{word}` is neither +{SYSTEM} nor +SETSxWAYS")),
            }
        }
        let mut config = Config {
            schedule: caches.schedule,
            ..Config::default()
        };
        if let Some((sets, ways)) = caches.geometry {
            config.geometry = Geometry { sets, ways };
        }
        config.check().map_err(|error| error.to_string())?;
        Ok(caches)
    }
}

/// What the command line says about caches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// No model.
    Off,
    /// Every run once with each of these.
    Each(Vec<Caches>),
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Choice::Off);
        }
        let mut each = Vec::new();
        for name in text.split(',') {
            match name {
                "all" => each.extend(
                    [
                        Schedule::Lazy,
                        Schedule::Eager,
                        Schedule::Refill,
                        Schedule::Migrate,
                    ]
                    .map(Caches::new),
                ),
                name => {
                    let caches = name.parse().map_err(|error| {
                        format!(
                            "{error}; each may be followed by {SYSTEM}; or all of them: all; or off"
                        )
                    })?;
                    each.push(caches);
                }
            }
        }
        // The same caches twice would be the same run twice, at once.
        let mut seen = BTreeSet::new();
        each.retain(|caches| seen.insert(*caches));
        Ok(Choice::Each(each))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in [
            "lazy",
            "eager+system",
            "refill",
            "migrate+system",
            "lazy+128x4",
            "refill+system+1x1",
            "random:17",
        ] {
            let caches: Caches = name.parse().unwrap();
            assert_eq!(caches.to_string(), name);
        }
        for name in [
            "", "lasy", "random", "random:x", "lazy+", "lazy+llc", "lazy+3x4", "lazy+4x", "off",
        ] {
            assert!(name.parse::<Caches>().is_err(), "{name}");
        }
    }

    #[test]
    fn choices_are_lists() {
        assert_eq!("off".parse(), Ok(Choice::Off));
        let Ok(Choice::Each(all)) = "all,random:3".parse() else {
            panic!("a list")
        };
        assert_eq!(all.len(), 5);
        assert!("lazy,".parse::<Choice>().is_err());
        assert!("lazy,off".parse::<Choice>().is_err());
    }
}
