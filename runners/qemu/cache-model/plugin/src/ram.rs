//! The machine's memory, as QEMU's CPUs find it: the file that backs it, mapped a second time.
//!
//! What QEMU calls memory is only where bytes are put for the next access to find. What memory *is*,
//! the model knows.

use std::{
    cell::{Cell, RefCell},
    fs::File,
    io,
};

use memmap2::{MmapMut, MmapRaw};
use rustix::fs::SeekFrom;
use setway_cache_model::{Backing, PAGE};

use crate::api;

/// QEMU's memory.
#[derive(Debug)]
pub struct Ram {
    file: File,
    map: MmapRaw,
    base: u64,
    /// Counts what was put there.
    changes: Cell<u64>,
    /// What should have been put there, if it is only compared.
    differing: Option<RefCell<Vec<Differing>>>,
}

/// Bytes that QEMU has otherwise than the model.
#[derive(Debug)]
pub struct Differing {
    /// Where the first of them is.
    pub offset: u64,
    /// What QEMU has there.
    pub qemu: Vec<u8>,
    /// What the model has there.
    pub model: Vec<u8>,
}

impl Differing {
    /// The part from the first wrong byte to the last, if there is one.
    pub fn between(offset: u64, qemu: &[u8], model: &[u8]) -> Option<Self> {
        let wrong = |n: &usize| qemu[*n] != model[*n];
        let first = (0..qemu.len()).find(wrong)?;
        let last = (0..qemu.len()).rev().find(wrong)?;
        Some(Self {
            offset: offset + first as u64,
            qemu: qemu[first..=last].into(),
            model: model[first..=last].into(),
        })
    }
}

impl Ram {
    /// Maps `file`, which QEMU has at physical address `base`. If it is to be `compared`, nothing is ever put there.
    pub fn open(file: &std::path::Path, base: u64, compared: bool) -> io::Result<Self> {
        let file = File::options().read(true).write(true).open(file)?;
        let map = MmapRaw::map_raw(&file)?;
        if map.len() % PAGE != 0 {
            let reason = format!("{} bytes are no whole number of pages", map.len());
            return Err(io::Error::other(reason));
        }
        Ok(Self {
            file,
            map,
            base,
            changes: Cell::new(0),
            differing: compared.then(RefCell::default),
        })
    }

    /// What was to be put there since this was last called, and was not, because memory is only compared.
    pub fn take_differing(&self) -> Vec<Differing> {
        self.differing
            .as_ref()
            .map(RefCell::take)
            .unwrap_or_default()
    }

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.map.len() as u64
    }

    /// The offset of a physical address, if `len` bytes from there on are memory.
    pub fn offset(&self, address: u64, len: usize) -> Option<u64> {
        let offset = address.checked_sub(self.base)?;
        (offset.checked_add(len as u64)? <= self.size()).then_some(offset)
    }

    /// The physical address of an offset.
    pub fn address(&self, offset: u64) -> u64 {
        self.base + offset
    }

    /// A number that is another whenever something was put there.
    #[inline]
    pub fn changes(&self) -> u64 {
        self.changes.get()
    }

    /// Reads what is there now.
    pub fn read(&self, offset: u64, to: &mut [u8]) {
        assert!(offset + to.len() as u64 <= self.size(), "beyond the memory");
        // SAFETY: within the mapping, which nothing writes meanwhile: this thread is the one that runs the CPUs,
        // and no device of the machine writes to its memory.
        unsafe {
            let from = self.map.as_ptr().add(offset as usize);
            std::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), to.len());
        }
    }

    /// Puts bytes there, if they are not there already.
    pub fn show(&self, offset: u64, bytes: &[u8]) {
        assert!(
            offset + bytes.len() as u64 <= self.size(),
            "beyond the memory"
        );
        // As many at a time as most lines have, so that they are compared without a call.
        let (parts, rest) = bytes.as_chunks::<64>();
        for (at, part) in (offset..).step_by(64).zip(parts) {
            let mut there = [0; 64];
            self.read(at, &mut there);
            if there != *part {
                self.write(at, part);
            }
        }
        if !rest.is_empty() {
            let at = offset + (bytes.len() - rest.len()) as u64;
            let mut there = [0; 64];
            self.read(at, &mut there[..rest.len()]);
            if there[..rest.len()] != *rest {
                self.write(at, rest);
            }
        }
    }

    fn write(&self, offset: u64, bytes: &[u8]) {
        assert!(
            offset + bytes.len() as u64 <= self.size(),
            "beyond the memory"
        );
        if let Some(differing) = &self.differing {
            let mut there = vec![0; bytes.len()];
            self.read(offset, &mut there);
            differing
                .borrow_mut()
                .extend(Differing::between(offset, &there, bytes));
            return;
        }
        self.changes.set(self.changes.get() + 1);
        // SAFETY: as in `read`. Both mappings are written through raw pointers only, so no reference to either
        // says that its bytes stay as they are.
        unsafe {
            let to = self.map.as_mut_ptr().add(offset as usize);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
        }
    }

    /// Puts code there, and has QEMU translate it anew. Before generation 5 of the plugin interface that is
    /// not possible: then what is there stays.
    pub fn show_code(&self, offset: u64, bytes: &[u8]) {
        self.changes.set(self.changes.get() + 1);
        api::write_code(self.address(offset), bytes);
    }

    /// Has QEMU translate anew what it has translated from there.
    pub fn translate_anew(&self, offset: u64, len: usize) {
        let mut there = [0; 1 << 11];
        let there = &mut there[..len];
        self.read(offset, there);
        api::write_code(self.address(offset), there);
    }

    /// Whether a page is there.
    pub fn holds(&self, offset: u64, page: &[u8; PAGE]) -> bool {
        let mut there = [0; PAGE];
        self.read(offset, &mut there);
        there == *page
    }

    /// A copy of all there is, for the model to begin with. Pages that nobody has touched cost nothing.
    pub fn snapshot(&self) -> io::Result<Copy> {
        let mut copy = MmapMut::map_anon(self.map.len())?;
        let mut next = 0;
        loop {
            let start = match rustix::fs::seek(&self.file, SeekFrom::Data(next)) {
                Ok(start) => start,
                // There is no more data.
                Err(rustix::io::Errno::NXIO) => break,
                Err(error) => return Err(error.into()),
            };
            let end = rustix::fs::seek(&self.file, SeekFrom::Hole(start))?;
            self.read(start, &mut copy[start as usize..end as usize]);
            next = end;
        }
        Ok(Copy(copy))
    }
}

/// What the memory held once.
pub struct Copy(MmapMut);

impl Backing for Copy {
    fn read(&self, at: u64, page: &mut [u8; PAGE]) {
        page.copy_from_slice(&self.0[at as usize..][..PAGE]);
    }

    fn write(&mut self, at: u64, page: &[u8; PAGE]) {
        self.0[at as usize..][..PAGE].copy_from_slice(page);
    }
}
