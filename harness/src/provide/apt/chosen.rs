//! The packages that apt chose for a request, and which of them are wanted.

use super::{AptRequest, Error, pattern};
use crate::provide::sha256::Sha256;

/// A package to be downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name, `linux-image-arm64`.
    pub name: String,
    /// Its version, with an epoch if it has one.
    pub version: String,
    /// The file that it is downloaded as.
    pub file: String,
    /// The size of that.
    pub bytes: u64,
    /// The hash of that, from the archive's signed lists.
    pub sha256: Sha256,
}

impl Package {
    /// Reads one line of `--print-uris`: quoted URI, file name, size, hash. `None` if it is one for people.
    ///
    /// # Errors
    ///
    /// If the hash is none that a file can be checked by.
    pub fn from_uri(line: &str) -> Result<Option<Self>, Error> {
        let mut words = line.split(' ');
        let (Some(uri), Some(file), Some(bytes)) = (words.next(), words.next(), words.next())
        else {
            return Ok(None);
        };
        let (true, Ok(bytes)) = (uri.starts_with('\''), bytes.parse()) else {
            return Ok(None);
        };
        let [name, version, _architecture] = file.split('_').collect::<Vec<_>>()[..] else {
            return Ok(None);
        };
        let hash = words.next().and_then(|word| word.strip_prefix("SHA256:"));
        let Some(Ok(sha256)) = hash.map(str::parse) else {
            return Err(Error::NoHash {
                file: file.to_owned(),
            });
        };
        Ok(Some(Self {
            name: name.to_owned(),
            // The colon after an epoch is all that apt has to write in another way.
            version: version.replace("%3a", ":"),
            bytes,
            file: file.to_owned(),
            sha256,
        }))
    }
}

/// What of `chosen` the request asks for.
pub fn wanted(request: &AptRequest, chosen: Vec<Package>) -> Result<Vec<Package>, Error> {
    let is_match = |pattern: &String, package: &Package| pattern::matches(pattern, &package.name);
    let missing = |pattern: &&String| !chosen.iter().any(|package| is_match(pattern, package));
    if let Some(pattern) = request.only.iter().find(missing) {
        let mut names: Vec<&str> = chosen.iter().map(|package| package.name.as_str()).collect();
        names.sort_unstable();
        return Err(Error::NotChosen {
            name: request.name.clone(),
            pattern: pattern.clone(),
            chosen: names.join(", "),
        });
    }
    let is_wanted = |package: &Package| {
        let mut only = request.only.iter();
        request.only.is_empty() || only.any(|pattern| is_match(pattern, package))
    };
    Ok(chosen.into_iter().filter(is_wanted).collect())
}

/// One line for each package: its name and version.
pub fn versions(packages: &[Package]) -> String {
    let line = |package: &Package| format!("{} {}\n", package.name, package.version);
    let mut lines: Vec<String> = packages.iter().map(line).collect();
    lines.sort();
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_read_from_apts_uris() {
        let hash = Sha256::of(b"q");
        let line = "'http://mirror.test/q_1%253a5.2.deb' q_1%3a5.2_amd64.deb 40";
        let package = Package {
            name: "q".to_owned(),
            version: "1:5.2".to_owned(),
            file: "q_1%3a5.2_amd64.deb".to_owned(),
            bytes: 40,
            sha256: hash,
        };
        let read = |line: &str| Package::from_uri(line).map_err(|error| error.to_string());
        assert_eq!(read(&format!("{line} SHA256:{hash}")), Ok(Some(package)));
        assert_eq!(read("Need to get 4 MB of archives."), Ok(None));
        for unsafe_hash in ["", " SHA256:00", " MD5Sum:d41d8cd98f00b204e9800998ecf8427e"] {
            let refused = read(&format!("{line}{unsafe_hash}"));
            assert!(refused.is_err(), "{refused:?}");
        }
    }

    fn package(name: &str) -> Package {
        Package {
            name: name.to_owned(),
            version: "1".to_owned(),
            file: format!("{name}_1_all.deb"),
            bytes: 1,
            sha256: Sha256::of(b""),
        }
    }

    #[test]
    fn only_what_is_wanted_is_downloaded() {
        let all = vec![
            package("linux-image-6.1-arm64"),
            package("kmod"),
            package("libc6"),
        ];
        let mut request = AptRequest {
            name: "linux-6.1".to_owned(),
            ..AptRequest::default()
        };
        assert_eq!(wanted(&request, all.clone()).expect("all"), all);
        request.only = vec!["linux-image-6*".to_owned(), "kmod".to_owned()];
        assert_eq!(wanted(&request, all.clone()).expect("two"), all[..2]);
        request.only.push("linux-modules-*".to_owned());
        let error = wanted(&request, all).expect_err("no modules").to_string();
        assert!(error.contains("`linux-modules-*`"), "{error}");
        assert!(
            error.contains("kmod, libc6, linux-image-6.1-arm64"),
            "{error}"
        );
    }
}
