//! The initial file system of a Linux that is only there to run one program: a cpio archive, "newc".
//!
//! The same files always make the same bytes: entries are in the order of their names, and nobody's
//! clock, user or inode numbers get into it.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use cpio::newc::{self, ModeFileType};

/// Where Linux looks for the console that its first program speaks to, and that device's numbers.
const CONSOLE: &str = "dev/console";
const CONSOLE_DEVICE: (u32, u32) = (5, 1);

/// Why there is no such archive.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A path that is none.
    #[error(
        "`{0}` cannot be a path in an initial file system\n  next: give names between single slashes"
    )]
    Path(String),
    /// Two entries of one name, or a file that has files in it.
    #[error("the initial file system has more than one `{0}`\n  next: name each file once")]
    Twice(String),
    /// A file is too large for the format.
    #[error("`{path}` cannot go into an initial file system: {source}")]
    Content {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
}

/// A file to put there.
#[derive(Debug, Clone, Copy)]
pub struct File<'a> {
    /// Its path; the directories on the way are made.
    pub path: &'a str,
    /// What is in it.
    pub contents: &'a [u8],
    /// Its permissions: 0o755 for a program.
    pub mode: u32,
}

enum Entry<'a> {
    Directory,
    Console,
    File(File<'a>),
}

/// The archive with `files`, with `directories` for file systems to be mounted on, and with a console.
pub fn archive(directories: &[&str], files: &[File]) -> Result<Vec<u8>, Error> {
    let mut entries = BTreeMap::new();
    for path in directories {
        add(&mut entries, path, Entry::Directory)?;
    }
    add(&mut entries, CONSOLE, Entry::Console)?;
    for file in files {
        add(&mut entries, file.path, Entry::File(*file))?;
    }
    let mut archive = Vec::new();
    for (inode, (path, entry)) in (1..).zip(&entries) {
        append(&mut archive, inode, path, entry).map_err(|source| Error::Content {
            path: path.clone(),
            source,
        })?;
    }
    newc::trailer(&mut archive).map_err(|source| Error::Content {
        path: String::new(),
        source,
    })?;
    Ok(archive)
}

/// Adds `entry` and the directories above it.
fn add<'a>(
    entries: &mut BTreeMap<String, Entry<'a>>,
    path: &str,
    entry: Entry<'a>,
) -> Result<(), Error> {
    let inside = path.strip_prefix('/').unwrap_or(path);
    let is_name = |name: &str| !matches!(name, "" | "." | "..") && !name.contains('\0');
    if !inside.split('/').all(is_name) {
        return Err(Error::Path(path.to_owned()));
    }
    for (end, _) in inside.match_indices('/') {
        let above = entries.entry(inside[..end].to_owned());
        if !matches!(above.or_insert(Entry::Directory), Entry::Directory) {
            return Err(Error::Twice(inside[..end].to_owned()));
        }
    }
    let is_directory = matches!(entry, Entry::Directory);
    match entries.insert(inside.to_owned(), entry) {
        None => Ok(()),
        Some(Entry::Directory) if is_directory => Ok(()),
        Some(_) => Err(Error::Twice(inside.to_owned())),
    }
}

fn append(archive: &mut Vec<u8>, inode: u32, path: &str, entry: &Entry) -> io::Result<()> {
    let builder = newc::Builder::new(path).ino(inode);
    let (builder, contents) = match entry {
        Entry::Directory => {
            let builder = builder.mode(0o755).nlink(2);
            (builder.set_mode_file_type(ModeFileType::Directory), &[][..])
        }
        Entry::Console => {
            let (major, minor) = CONSOLE_DEVICE;
            let builder = builder.mode(0o600).rdev_major(major).rdev_minor(minor);
            (builder.set_mode_file_type(ModeFileType::Char), &[][..])
        }
        Entry::File(file) => {
            let builder = builder.mode(file.mode);
            (
                builder.set_mode_file_type(ModeFileType::Regular),
                file.contents,
            )
        }
    };
    let size = u32::try_from(contents.len()).map_err(io::Error::other)?;
    let mut writer = builder.write(archive, size);
    writer.write_all(contents)?;
    writer.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn program(path: &str) -> File<'_> {
        File {
            path,
            contents: b"#!",
            mode: 0o755,
        }
    }

    /// Name, mode, device numbers and contents.
    type Read = (String, u32, (u32, u32), Vec<u8>);

    /// All entries but the trailer.
    fn read(mut archive: &[u8]) -> Vec<Read> {
        let mut all = Vec::new();
        loop {
            assert!(archive.starts_with(b"070701"));
            let mut reader = newc::Reader::new(archive).expect("an entry");
            let entry = reader.entry();
            if entry.is_trailer() {
                return all;
            }
            let device = (entry.rdev_major(), entry.rdev_minor());
            let (name, mode) = (entry.name().to_owned(), entry.mode());
            let mut contents = Vec::new();
            reader.read_to_end(&mut contents).expect("contents");
            all.push((name, mode, device, contents));
            archive = reader.finish().expect("the next entry");
        }
    }

    #[test]
    fn everything_is_there_and_directories_come_first() {
        let archive = archive(&["proc"], &[program("/bin/vmm"), program("init")]);
        let none = (0, 0);
        assert_eq!(
            read(&archive.expect("an archive")),
            [
                ("bin".to_owned(), 0o40755, none, vec![]),
                ("bin/vmm".to_owned(), 0o100755, none, b"#!".to_vec()),
                ("dev".to_owned(), 0o40755, none, vec![]),
                ("dev/console".to_owned(), 0o20600, (5, 1), vec![]),
                ("init".to_owned(), 0o100755, none, b"#!".to_vec()),
                ("proc".to_owned(), 0o40755, none, vec![]),
            ]
        );
    }

    #[test]
    fn the_order_of_the_files_does_not_matter() {
        let one = archive(&["a", "b"], &[program("init"), program("x/y")]);
        let other = archive(&["b", "a", "x"], &[program("x/y"), program("init")]);
        assert_eq!(one.expect("an archive"), other.expect("an archive"));
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        let error = |files: &[File]| archive(&[], files).expect_err("nonsense").to_string();
        assert!(error(&[program("a//b")]).starts_with("`a//b` cannot"));
        assert!(error(&[program("../b")]).starts_with("`../b` cannot"));
        assert!(error(&[program("a"), program("/a")]).contains("one `a`"));
        assert!(error(&[program("a"), program("a/b")]).contains("one `a`"));
        assert!(error(&[program("a/b"), program("a")]).contains("one `a`"));
    }
}
