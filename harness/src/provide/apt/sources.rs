//! Where the Debian archive is, read from apt's own configuration, and the `sources.list` made
//! of it. No host name is written down anywhere in this project.

use std::path::Path;

/// One suite that apt on this machine is configured for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    site: String,
    suite: String,
    keyring: Option<String>,
}

/// The Debian archive as this machine reaches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    main: Entry,
    security: Option<Entry>,
}

/// What `apt-get indextargets --format` has to print for [`Archive::from_index_targets`].
pub const INDEX_TARGET_FORMAT: &str = "$(ORIGIN)|$(SITE)|$(RELEASE)|$(SIGNED_BY)";

/// Where Debian's packages put the archive's public keys, by preference.
const KEYRINGS: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
];

impl Archive {
    /// Reads the output of `apt-get indextargets --format` [`INDEX_TARGET_FORMAT`], which is
    /// complete but empty on a machine whose package lists have never been downloaded.
    pub fn from_index_targets(text: &str) -> Option<Self> {
        let entries = text.lines().filter_map(|line| {
            let [origin, site, suite, keyring] = line.split('|').collect::<Vec<_>>()[..] else {
                return None;
            };
            (origin == "Debian" && site.contains("://")).then(|| Entry {
                site: site.to_owned(),
                suite: suite.to_owned(),
                keyring: (keyring.starts_with('/')).then(|| keyring.to_owned()),
            })
        });
        Self::from_entries(entries.collect())
    }

    /// Reads the output of `apt-get update --print-uris`, which needs no downloaded lists but
    /// does not say whose archive each is. Debian's is the one with an `-updates` suite beside
    /// the release; should the guess be wrong, the signature check will say so.
    pub fn from_update_uris(text: &str) -> Option<Self> {
        let entries: Vec<Entry> = text
            .lines()
            .filter_map(|line| {
                let uri = line.strip_prefix('\'')?.split('\'').next()?;
                let (site, suite) = uri.strip_suffix("/InRelease")?.split_once("/dists/")?;
                Some(Entry {
                    site: site.to_owned(),
                    suite: suite.to_owned(),
                    keyring: None,
                })
            })
            .collect();
        let has = |site: &str, suite: &str| {
            let mut all = entries.iter();
            all.any(|entry| entry.site == site && entry.suite == suite)
        };
        let debian = entries.iter().filter(|entry| {
            is_security(&entry.suite)
                || entry.suite.ends_with("-updates")
                || has(&entry.site, &format!("{}-updates", entry.suite))
        });
        Self::from_entries(debian.cloned().collect())
    }

    fn from_entries(entries: Vec<Entry>) -> Option<Self> {
        let (security, main): (Vec<_>, Vec<_>) = entries
            .into_iter()
            .filter(|entry| !entry.site.starts_with("cdrom:"))
            .partition(|entry| is_security(&entry.suite));
        Some(Self {
            main: main.into_iter().next()?,
            security: security.into_iter().next(),
        })
    }

    /// The `sources.list` for these suites. Security suites are left out where the machine has no
    /// security archive.
    pub fn sources_list(&self, suites: &[String]) -> String {
        suites
            .iter()
            .filter_map(|suite| {
                let entry = if is_security(suite) {
                    self.security.as_ref()?
                } else {
                    &self.main
                };
                let options = match keyring(entry) {
                    Some(path) => format!("[signed-by={path}] "),
                    None => String::new(),
                };
                Some(format!("deb {options}{} {suite} main\n", entry.site))
            })
            .collect()
    }
}

/// The keys that the machine's own source names, else those of Debian's keyring package. With
/// neither, apt falls back on the keys it trusts globally.
fn keyring(entry: &Entry) -> Option<String> {
    entry.keyring.clone().or_else(|| {
        let here = KEYRINGS.iter().find(|path| Path::new(path).exists());
        here.map(|path| (*path).to_owned())
    })
}

fn is_security(suite: &str) -> bool {
    suite.ends_with("-security") || suite.ends_with("/updates")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suites(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn index_targets_give_main_and_security_sites() {
        let archive = Archive::from_index_targets(
            "Elsewhere|https://other.test/apt|stable|/k.gpg\n\
             Debian|http://mirror.test/debian-security|bookworm-security|/keys/own.gpg\n\
             Debian|http://mirror.test/debian|bookworm|/keys/own.gpg\n",
        )
        .expect("the sample has a Debian archive");
        assert_eq!(
            archive.sources_list(&suites(&["trixie", "trixie-security"])),
            "deb [signed-by=/keys/own.gpg] http://mirror.test/debian trixie main\n\
             deb [signed-by=/keys/own.gpg] http://mirror.test/debian-security trixie-security main\n"
        );
    }

    #[test]
    fn security_suites_are_left_out_without_a_security_site() {
        let archive =
            Archive::from_index_targets("Debian|http://mirror.test/debian|trixie|/keys/own.gpg")
                .expect("the sample has a Debian archive");
        let list = archive.sources_list(&suites(&["trixie-security", "trixie"]));
        assert_eq!(list.lines().count(), 1);
        assert!(list.ends_with("/debian trixie main\n"));
    }

    #[test]
    fn an_unset_signed_by_is_printed_as_its_own_name_and_is_no_keyring() {
        let archive =
            Archive::from_index_targets("Debian|http://mirror.test/debian|trixie|$(SIGNED_BY)")
                .expect("the sample has a Debian archive");
        assert_eq!(archive.main.keyring, None);
    }

    #[test]
    fn update_uris_find_the_archive_with_an_updates_suite() {
        let archive = Archive::from_update_uris(
            "'https://other.test/linux/debian/dists/bookworm/InRelease' other 0 \n\
             'http://mirror.test/debian/dists/bookworm/InRelease' a 0 \n\
             'http://mirror.test/debian/dists/bookworm-updates/InRelease' b 0 \n\
             'http://mirror.test/debian/dists/bookworm/main/binary-amd64/Packages.xz' c 0 \n\
             'http://mirror.test/sec/dists/bookworm-security/InRelease' d 0 \n",
        )
        .expect("the sample has a Debian archive");
        assert_eq!(archive.main.site, "http://mirror.test/debian");
        assert_eq!(
            archive.security.map(|entry| entry.site),
            Some("http://mirror.test/sec".to_owned())
        );
    }

    #[test]
    fn another_distribution_is_not_debian() {
        assert_eq!(
            Archive::from_index_targets("Ubuntu|http://mirror.test/ubuntu|noble|$(SIGNED_BY)"),
            None
        );
        assert_eq!(Archive::from_update_uris(""), None);
    }
}
