//! QEMU's versions, and the files that say where Debian has them.

use std::{cmp::Reverse, fmt, path::PathBuf, str::FromStr};

use super::{raw, source::Source};

/// A QEMU version, as `--version` gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version([u32; 3]);

/// Set/way and virtual-memory traps came with this version.
pub const OLDEST: Version = Version([5, 0, 0]);

impl Version {
    /// Reads the first line of `qemu-system-… --version`.
    pub fn from_banner(text: &str) -> Option<Self> {
        let words = text
            .lines()
            .next()?
            .strip_prefix("QEMU emulator version ")?;
        words.split([' ', '(']).next()?.parse().ok()
    }

    /// Whether this is a release of the series `name`, as 11.1.3 is of "11.1".
    pub fn is_of_series(self, name: &str) -> bool {
        let mut series = name.split('.').map(str::parse);
        let mut own = self.0.iter();
        series.all(|part| own.next().is_some_and(|number| part == Ok(*number)))
    }
}

impl FromStr for Version {
    type Err = std::num::ParseIntError;

    /// Takes one to three numbers; what is missing counts as 0.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut numbers = [0; 3];
        for (number, part) in numbers.iter_mut().zip(text.split('.')) {
            *number = part.parse()?;
        }
        Ok(Self(numbers))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, micro] = self.0;
        write!(f, "{major}.{minor}.{micro}")
    }
}

/// One file of `runners/qemu`: where Debian has a version.
#[derive(Debug, Clone)]
pub struct VersionFile {
    /// The series, "11.1"; also the name on the command line.
    pub name: String,
    /// The suites that packages come from.
    pub suites: Vec<String>,
    /// The suite to prefer, if it is not the default one.
    pub release: Option<String>,
    /// The package with the system emulators.
    pub package: String,
    /// The generation of the TCG plugin interface, if it has one. The cache model is such a plugin.
    pub plugin_api: Option<u32>,
    /// Where this was read from.
    pub path: PathBuf,
}

impl VersionFile {
    /// What `raw`, read from `source`, stands for.
    pub(super) fn new(source: &Source, raw: raw::Qemu) -> Self {
        Self {
            name: raw.name.into_inner(),
            suites: raw.suites,
            release: raw.release,
            package: raw.package,
            plugin_api: raw.plugin_api,
            path: source.path.clone(),
        }
    }

    /// Sorts the newest version to the front.
    pub(super) fn order(&self) -> Reverse<Option<Version>> {
        Reverse(self.name.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        let version = |text: &str| text.parse::<Version>().expect("a version");
        assert!(version("10.0") > version("7.2.22"));
        assert!(version("5.2") > OLDEST);
        assert!(version("4.2.1") < OLDEST);
        assert!("eleven".parse::<Version>().is_err());
    }

    #[test]
    fn banners_are_read_with_and_without_a_package_version() {
        let banner = "QEMU emulator version 11.1.3 (Debian 1:11.1.3+ds-1~bpo13+1)\nCopyright";
        assert_eq!(Version::from_banner(banner), Some(Version([11, 1, 3])));
        assert_eq!(
            Version::from_banner("QEMU emulator version 5.2.0"),
            Some(Version([5, 2, 0]))
        );
        assert_eq!(Version::from_banner("qemu-img version 5.2.0"), None);
    }

    #[test]
    fn a_series_matches_its_releases_only() {
        assert!(Version([11, 1, 3]).is_of_series("11.1"));
        assert!(!Version([11, 2, 0]).is_of_series("11.1"));
        assert!(!Version([11, 1, 3]).is_of_series("newest"));
    }
}
