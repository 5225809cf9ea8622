//! The initial file system of a Linux that is only there to run guests: a cpio archive, "newc".
//!
//! The same files always make the same bytes: entries are in the order of their names, and nobody's
//! clock, user or inode numbers get into it.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use cpio::newc::{self, ModeFileType};

/// Where Linux looks for the console that its first program speaks to, and that device's numbers.
const CONSOLE: &str = "dev/console";
const CONSOLE_DEVICE: (u32, u32) = (5, 1);

/// Why there is no such archive.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A path that is none.
    #[error(
        "`{0}` is not a valid path in the initramfs\n  next: write it as `dir/file`, without `.`, `..` or empty parts"
    )]
    Path(String),
    /// Two entries of one name, or a file or link that has files in it.
    #[error(
        "the initial file system has more than one `{0}`\n  next: name each file once, and by a path without links"
    )]
    Twice(String),
    /// A part of a tree that should go in.
    #[error("{} cannot go into an initial file system: {source}", path.display())]
    Tree {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is too large for the format.
    #[error("`{path}` cannot go into an initial file system: {source}")]
    Content {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
}

/// What is to be there.
#[derive(Debug)]
pub struct Initramfs {
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug)]
enum Entry {
    Directory,
    Console,
    File { contents: Vec<u8>, mode: u32 },
    Link(String),
}

impl Default for Initramfs {
    /// There is always a console.
    fn default() -> Self {
        let dev = CONSOLE.split('/').next().unwrap_or_default();
        let entries = [(dev, Entry::Directory), (CONSOLE, Entry::Console)];
        let entries = entries.map(|(path, entry)| (path.to_owned(), entry));
        Self {
            entries: entries.into(),
        }
    }
}

impl Initramfs {
    /// Adds a directory, and those above it.
    pub fn directory(&mut self, path: &str) -> Result<(), Error> {
        self.add(path, Entry::Directory)
    }

    /// Adds a file, and the directories above it. A program's `mode` is 0o755.
    pub fn file(&mut self, path: &str, contents: Vec<u8>, mode: u32) -> Result<(), Error> {
        self.add(path, Entry::File { contents, mode })
    }

    /// Adds all that is below `root`. Of permissions only those count that anybody has.
    pub fn tree(&mut self, root: &Path) -> Result<(), Error> {
        let mut directories = vec![root.to_owned()];
        while let Some(directory) = directories.pop() {
            for path in read_directory(&directory)? {
                let inside = path.strip_prefix(root).unwrap_or(&path);
                let inside = text(inside)?;
                let entry = read(&path)?;
                if matches!(entry, Entry::Directory) {
                    directories.push(path);
                }
                self.add(&inside, entry)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &str, entry: Entry) -> Result<(), Error> {
        let inside = path.strip_prefix('/').unwrap_or(path);
        let is_name = |name: &str| !matches!(name, "" | "." | "..") && !name.contains('\0');
        if !inside.split('/').all(is_name) {
            return Err(Error::Path(path.to_owned()));
        }
        for (end, _) in inside.match_indices('/') {
            let above = self.entries.entry(inside[..end].to_owned());
            if !matches!(above.or_insert(Entry::Directory), Entry::Directory) {
                return Err(Error::Twice(inside[..end].to_owned()));
            }
        }
        let is_directory = matches!(entry, Entry::Directory);
        match self.entries.insert(inside.to_owned(), entry) {
            None => Ok(()),
            Some(Entry::Directory) if is_directory => Ok(()),
            Some(_) => Err(Error::Twice(inside.to_owned())),
        }
    }

    /// The archive.
    pub fn archive(&self) -> Result<Vec<u8>, Error> {
        let mut archive = Vec::new();
        for (inode, (path, entry)) in (1..).zip(&self.entries) {
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
}

fn tree_error(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Tree { path, source }
}

fn text(path: &Path) -> Result<String, Error> {
    let lossy = || Error::Path(path.display().to_string());
    path.to_str().map(str::to_owned).ok_or_else(lossy)
}

fn read_directory(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(path).map_err(tree_error(path))?;
    let paths = entries.map(|entry| Ok(entry.map_err(tree_error(path))?.path()));
    paths.collect()
}

fn read(path: &Path) -> Result<Entry, Error> {
    let data = fs::symlink_metadata(path).map_err(tree_error(path))?;
    if data.is_dir() {
        Ok(Entry::Directory)
    } else if data.is_symlink() {
        let target = fs::read_link(path).map_err(tree_error(path))?;
        Ok(Entry::Link(text(&target)?))
    } else if data.is_file() {
        Ok(Entry::File {
            contents: fs::read(path).map_err(tree_error(path))?,
            mode: match data.permissions().mode() & 0o100 {
                0 => 0o644,
                _ => 0o755,
            },
        })
    } else {
        let reason = io::Error::other("it is neither a file, a directory nor a link");
        Err(tree_error(path)(reason))
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
        Entry::File { contents, mode } => {
            let builder = builder.mode(*mode);
            let builder = builder.set_mode_file_type(ModeFileType::Regular);
            (builder, &contents[..])
        }
        Entry::Link(target) => {
            let builder = builder.mode(0o777);
            let builder = builder.set_mode_file_type(ModeFileType::Symlink);
            (builder, target.as_bytes())
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
    use std::{io::Read as _, os::unix::fs::symlink};

    use super::*;

    /// With these directories, and with these programs.
    fn initramfs(directories: &[&str], programs: &[&str]) -> Result<Initramfs, Error> {
        let mut all = Initramfs::default();
        directories
            .iter()
            .try_for_each(|path| all.directory(path))?;
        let mut programs = programs.iter();
        programs.try_for_each(|path| all.file(path, b"#!".to_vec(), 0o755))?;
        Ok(all)
    }

    fn archive(directories: &[&str], programs: &[&str]) -> Vec<u8> {
        let all = initramfs(directories, programs).expect("sound paths");
        all.archive().expect("an archive")
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
        let none = (0, 0);
        assert_eq!(
            read(&archive(&["proc", "dev"], &["/bin/vmm", "init"])),
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
    fn a_tree_goes_in_as_it_is() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let at = |path: &str| dir.path().join(path);
        fs::create_dir_all(at("usr/lib")).expect("a writable directory");
        fs::create_dir(at("empty")).expect("a writable directory");
        fs::write(at("usr/lib/ld.so.1"), "loader").expect("a writable directory");
        fs::write(at("versions"), "1").expect("a writable directory");
        let mode = |path: &str, mode| {
            fs::set_permissions(at(path), fs::Permissions::from_mode(mode)).expect("a file");
        };
        mode("usr/lib/ld.so.1", 0o700);
        mode("versions", 0o600);
        symlink("usr/lib", at("lib")).expect("a writable directory");
        let mut all = Initramfs::default();
        all.tree(dir.path()).expect("a tree");
        let none = (0, 0);
        assert_eq!(
            read(&all.archive().expect("an archive"))[2..],
            [
                ("empty".to_owned(), 0o40755, none, vec![]),
                ("lib".to_owned(), 0o120777, none, b"usr/lib".to_vec()),
                ("usr".to_owned(), 0o40755, none, vec![]),
                ("usr/lib".to_owned(), 0o40755, none, vec![]),
                (
                    "usr/lib/ld.so.1".to_owned(),
                    0o100755,
                    none,
                    b"loader".to_vec()
                ),
                ("versions".to_owned(), 0o100644, none, b"1".to_vec()),
            ]
        );
        // Linux would make a directory of the link.
        let error = all.file("lib/more", vec![], 0o644).expect_err("a link");
        assert!(error.to_string().contains("one `lib`"), "{error}");
    }

    #[test]
    fn the_order_of_the_files_does_not_matter() {
        let one = archive(&["a", "b"], &["init", "x/y"]);
        let other = archive(&["b", "a", "x"], &["x/y", "init"]);
        assert_eq!(one, other);
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        let error = |files: &[&str]| initramfs(&[], files).expect_err("nonsense").to_string();
        assert!(error(&["a//b"]).starts_with("`a//b` is not a valid path"));
        assert!(error(&["../b"]).starts_with("`../b` is not a valid path"));
        assert!(error(&["a", "/a"]).contains("one `a`"));
        assert!(error(&["a", "a/b"]).contains("one `a`"));
        assert!(error(&["a/b", "a"]).contains("one `a`"));
    }
}
