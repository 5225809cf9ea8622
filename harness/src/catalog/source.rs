//! Reading data files, which are TOML, and collecting what is wrong with them: all mistakes of all files at once, each
//! with its file and line.

use std::{
    fmt, fs, io,
    ops::Range,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

/// Something wrong with a data file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1; `None` if it is the file as a whole.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        let what = self.what.trim_end();
        match self.line {
            Some(line) => write!(f, "{file}, line {line}: {what}"),
            None => write!(f, "{file}: {what}"),
        }
    }
}

/// All that is wrong with the data files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Notes that `file` cannot be used.
    pub fn add(&mut self, file: &Path, line: Option<usize>, what: impl fmt::Display) {
        self.0.push(Mistake {
            file: file.to_owned(),
            line,
            what: what.to_string(),
        });
    }

    /// Adds those of another.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// In the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.0.iter()
    }

    /// Whether all is well.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `value` if all is well.
    ///
    /// # Errors
    ///
    /// The mistakes, if there are any.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let those = match self.0.len() {
            1 => "a data file cannot be used",
            _ => "data files cannot be used",
        };
        write!(f, "{those}")?;
        for mistake in &self.0 {
            write!(f, "\n{mistake}")?;
        }
        write!(
            f,
            "\n  next: correct them; runners/README.md and expectations/findings/README.md explain every key"
        )
    }
}

impl std::error::Error for Mistakes {}

/// A data file that has been read.
#[derive(Clone, Debug)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    text: String,
}

impl Source {
    /// Reads `path` as a `T`. `None`, and a mistake noted, if that cannot be done.
    pub fn read<T: DeserializeOwned>(path: &Path, mistakes: &mut Mistakes) -> Option<(Self, T)> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(path, text, mistakes),
            Err(error) => {
                mistakes.add(path, None, format_args!("cannot be read: {error}"));
                None
            }
        }
    }

    /// Reads `path` alone.
    ///
    /// # Errors
    ///
    /// If that cannot be done.
    pub fn read_one<T: DeserializeOwned>(path: &Path) -> Result<T, Mistakes> {
        let mut mistakes = Mistakes::default();
        let read = Self::read(path, &mut mistakes);
        read.map(|(_, value)| value).ok_or(mistakes)
    }

    /// Parses `text`, the contents of `path`; a mistake is added to `mistakes`.
    pub fn parse<T: DeserializeOwned>(
        path: &Path,
        text: String,
        mistakes: &mut Mistakes,
    ) -> Option<(Self, T)> {
        let source = Self {
            path: path.to_owned(),
            text,
        };
        match toml::from_str(&source.text) {
            Ok(value) => Some((source, value)),
            Err(error) => {
                let line = error.span().map(|span| source.line(&span));
                // The parser's own words show the place as well.
                mistakes.add(path, line, error);
                None
            }
        }
    }

    /// Notes a mistake at `span`.
    pub fn mistake(&self, span: &Range<usize>, what: impl fmt::Display, mistakes: &mut Mistakes) {
        mistakes.add(&self.path, Some(self.line(span)), what);
    }

    /// The line, from 1, in which `span` begins.
    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.bytes().take(span.start);
        1 + before.filter(|byte| *byte == b'\n').count()
    }

    /// The file's name without its extension.
    pub fn stem(&self) -> String {
        let stem = self.path.file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    }

    /// The name of the directory that it is in.
    pub fn directory(&self) -> String {
        let name = self.path.parent().and_then(Path::file_name);
        name.unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// The files in `dir` that end in `.extension`, by name.
///
/// # Errors
///
/// If the directory cannot be read.
pub fn files(dir: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let matches = |path: &PathBuf| path.extension().is_some_and(|found| found == extension);
    Ok(entries(dir)?.into_iter().filter(matches).collect())
}

/// The directories in `dir`, by name.
///
/// # Errors
///
/// If the directory cannot be read.
pub fn directories(dir: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(entries(dir)?
        .into_iter()
        .filter(|path| path.is_dir())
        .collect())
}

fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs_err::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = entries.collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Numbers {
        one: toml::Spanned<u32>,
    }

    fn read(text: &str) -> (Option<(Source, Numbers)>, Mistakes) {
        let mut mistakes = Mistakes::default();
        let read = Source::parse(Path::new("a/n.toml"), text.to_owned(), &mut mistakes);
        (read, mistakes)
    }

    #[test]
    fn a_mistake_names_file_and_line() {
        let (none, mistakes) = read("# head\ntwo = 2\n");
        assert!(none.is_none());
        let mistake = mistakes.iter().next().expect("`two` is unknown");
        assert_eq!(mistake.line, Some(2));
        let said = mistakes.to_string();
        assert!(
            said.contains("a/n.toml, line 2: ") && said.contains("expected `one`"),
            "{said}"
        );
    }

    #[test]
    fn a_value_knows_its_line() {
        let (some, mut mistakes) = read("# head\n\none = 1\n");
        let (source, numbers) = some.expect("sound");
        assert_eq!(*numbers.one.get_ref(), 1);
        source.mistake(&numbers.one.span(), "too small", &mut mistakes);
        let mistake = mistakes.iter().next().map(ToString::to_string);
        assert_eq!(mistake.as_deref(), Some("a/n.toml, line 3: too small"));
        assert_eq!(
            (source.stem(), source.directory()),
            ("n".into(), "a".into())
        );
        assert!(mistakes.or(()).is_err());
    }
}
