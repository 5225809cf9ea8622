//! From an executable to bytes that run wherever they are loaded.
//!
//! Guests are linked at address 0 with `--emit-relocs`. The image is what would be in memory, then
//! a table of the places that hold absolute addresses, which the boot code corrects by the address
//! it finds itself at. An image may be loaded at any multiple of 64 KiB, so that only the upper
//! halves of addresses change.
//!
//! The table is a sequence of little-endian words, sorted: the place's offset in the image in
//! bits 29:0, and above it one of the `ABS…` and `…MOVT` kinds below. It starts at a multiple
//! of 8. The image finds it by the words `__relocs_offset` and `__relocs_count`, which are filled
//! in here, as is the hash of everything else in the 8 bytes at `__build_id`.
//!
//! A zImage's header gives its size in the file, by which loaders copy it, and none for memory. So an
//! image for AArch32 is filled up to `image_size`, and the two are one.

mod effect;

use std::{collections::BTreeMap, hash::Hasher, ops::Range};

use object::{
    Architecture, RelocationFlags, RelocationTarget, SectionFlags, SymbolSection, elf,
    read::{File, Object, ObjectSection, ObjectSegment, ObjectSymbol},
};

use crate::workspace::fnv::Fnv;

use effect::Effect;

/// A 64-bit address.
const ABS64: u32 = 0;
/// A 32-bit address.
const ABS32: u32 = 1;
/// The A32 instruction that sets the upper half of a register.
const MOVT: u32 = 2;
/// The T32 instruction that does so.
const THUMB_MOVT: u32 = 3;

/// The kind of correction by the place's offset in the image.
type Table = BTreeMap<u32, u32>;

/// A flat image.
#[derive(Debug)]
pub struct Flat {
    /// What is to be in memory.
    pub bytes: Vec<u8>,
    /// The hash at `__build_id`, or 0 if there is no such place.
    pub build: u64,
}

/// Makes the flat image of an ELF executable, or says what is wrong with it.
pub fn flatten(elf: &[u8]) -> Result<Flat, String> {
    let file = File::parse(elf).map_err(|error| error.to_string())?;
    let mut memory = Memory::of(&file)?;
    let table = relocations(&file, &memory)?;
    let build = memory.append_table(&file, &table)?;
    if file.architecture() == Architecture::Arm {
        memory.fill(&file);
    }
    Ok(Flat {
        bytes: memory.bytes,
        build,
    })
}

/// The file-backed part of what the executable puts into memory.
struct Memory {
    base: u64,
    bytes: Vec<u8>,
}

impl Memory {
    fn of(file: &File) -> Result<Self, String> {
        let mut parts = Vec::new();
        for segment in file.segments() {
            let data = segment.data().map_err(|error| error.to_string())?;
            if !data.is_empty() {
                parts.push((segment.address(), data));
            }
        }
        let end_of = |(address, data): &(u64, &[u8])| address + data.len() as u64;
        let base = parts.iter().map(|part| part.0).min();
        let (Some(base), Some(end)) = (base, parts.iter().map(end_of).max()) else {
            return Err("there is nothing in it to load".to_owned());
        };
        if base != 0 {
            return Err(format!("it is linked at {base:#x}, and should be at 0"));
        }
        if end - base >= 1 << 30 {
            return Err(format!(
                "its segments span {base:#x} to {end:#x}, a gigabyte or more"
            ));
        }
        let mut memory = Self {
            base,
            bytes: vec![0; (end - base) as usize],
        };
        for (address, data) in parts {
            let at = (address - base) as usize;
            memory.bytes[at..at + data.len()].copy_from_slice(data);
        }
        Ok(memory)
    }

    /// Where these `size` bytes are in the image, if they are all in it.
    fn range(&self, address: u64, size: usize) -> Option<Range<usize>> {
        let start = usize::try_from(address.checked_sub(self.base)?).ok()?;
        let end = start.checked_add(size)?;
        (end <= self.bytes.len()).then_some(start..end)
    }

    fn word(&self, address: u64) -> Option<u32> {
        let bytes = self.bytes.get(self.range(address, 4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }

    /// Appends the table and puts its place into the image. Returns the image's build id.
    fn append_table(&mut self, file: &File, table: &Table) -> Result<u64, String> {
        let places = ["__relocs_offset", "__relocs_count"].map(|name| self.place(file, name, 4));
        let identity = self.place(file, "__build_id", 8);
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let offset = self.bytes.len() as u32;
        for (place, kind) in table {
            self.bytes.extend((place | kind << 30).to_le_bytes());
        }
        let mut hash = Fnv::default();
        hash.write(&self.bytes);
        for (place, value) in places.into_iter().zip([offset, table.len() as u32]) {
            match place {
                Ok(place) => self.bytes[place].copy_from_slice(&value.to_le_bytes()),
                Err(_) if table.is_empty() => {}
                Err(reason) => return Err(reason),
            }
        }
        let Ok(identity) = identity else {
            return Ok(0);
        };
        self.bytes[identity].copy_from_slice(&hash.finish().to_le_bytes());
        Ok(hash.finish())
    }

    /// Appends the memory that has no contents, if the image says how much there is.
    fn fill(&mut self, file: &File) {
        let size = file.symbol_by_name("image_size");
        let size = size.map_or(0, |size| size.address() as usize);
        self.bytes.resize(self.bytes.len().max(size), 0);
    }

    fn place(&self, file: &File, name: &str, size: usize) -> Result<Range<usize>, String> {
        let symbol = file
            .symbol_by_name(name)
            .ok_or_else(|| format!("it has addresses to relocate but no symbol `{name}`"))?;
        self.range(symbol.address(), size)
            .ok_or_else(|| format!("`{name}` is not in its initialised data"))
    }
}

fn relocations(file: &File, memory: &Memory) -> Result<Table, String> {
    let effect: fn(elf::RelocationType) -> Effect = match file.architecture() {
        Architecture::Aarch64 => effect::aarch64,
        Architecture::Arm => effect::arm,
        other => {
            return Err(format!(
                "it is for {other:?}, for which Setway has no guests"
            ));
        }
    };
    let has_got = file.sections().any(|section| {
        section.size() > 0 && section.name().is_ok_and(|name| name.starts_with(".got"))
    });
    let mut table = Table::new();
    for section in file.sections().filter(is_loaded) {
        for (address, relocation) in section.relocations() {
            let RelocationFlags::Elf { r_type } = relocation.flags() else {
                continue;
            };
            let Some(place) = memory.range(address, 4) else {
                continue;
            };
            let target = Target::of(file, relocation.target());
            match effect(r_type) {
                Effect::Entry(_) if target.is_fixed => {}
                Effect::Entry(kind) => {
                    table.insert(place.start as u32, kind);
                }
                Effect::Got if has_got => {
                    return Err(unsupported(&section, address, r_type.0, &target));
                }
                Effect::None | Effect::Got => {}
                Effect::Unsupported => {
                    return Err(unsupported(&section, address, r_type.0, &target));
                }
            }
        }
    }
    for thunk in file.symbols().filter_map(|symbol| thunk(&symbol, memory)) {
        let (place, kind) = thunk?;
        table.insert(place, kind);
    }
    Ok(table)
}

fn is_loaded<'a>(section: &impl ObjectSection<'a>) -> bool {
    match section.flags() {
        SectionFlags::Elf { sh_type, sh_flags } => {
            sh_flags.contains(elf::SHF_ALLOC) && sh_type != elf::SHT_NOBITS
        }
        _ => false,
    }
}

fn unsupported<'a>(
    section: &impl ObjectSection<'a>,
    address: u64,
    kind: u32,
    target: &Target,
) -> String {
    format!(
        "relocation type {kind} at {address:#x} in section {} against `{}` cannot be applied at \
         load time",
        section.name().unwrap_or("?"),
        target.name
    )
}

/// What a relocation refers to.
struct Target {
    name: String,
    /// Absolute and undefined (that is, weak) symbols stay where they are when the image moves.
    is_fixed: bool,
}

impl Target {
    fn of(file: &File, target: RelocationTarget) -> Self {
        let RelocationTarget::Symbol(index) = target else {
            return Self {
                name: String::new(),
                is_fixed: true,
            };
        };
        let Ok(symbol) = file.symbol_by_index(index) else {
            return Self {
                name: format!("symbol {}", index.0),
                is_fixed: false,
            };
        };
        let section = symbol
            .section_index()
            .and_then(|index| file.section_by_index(index).ok());
        let own = symbol.name().unwrap_or_default();
        let name = match &section {
            Some(section) if own.is_empty() => section.name().unwrap_or("?"),
            _ => own,
        };
        Self {
            name: name.to_owned(),
            is_fixed: matches!(
                symbol.section(),
                SymbolSection::Absolute | SymbolSection::Undefined
            ),
        }
    }
}

/// The place to correct in code that the linker made up, to get from A32 to T32 for example. It
/// emits no relocations for that, but names it, and leaves a form without an address where the
/// target is near.
fn thunk<'a>(
    symbol: &impl ObjectSymbol<'a>,
    memory: &Memory,
) -> Option<Result<(u32, u32), String>> {
    let name = symbol.name().ok()?;
    let (kind_of_thunk, _) = name.strip_prefix("__")?.split_once("LongThunk_")?;
    let start = symbol.address() & !1;
    let (address, kind) = match kind_of_thunk {
        // movw ip, #…; movt ip, #…
        "ARMv7ABS" if memory.word(start + 4)? & 0xfff0_f000 == 0xe340_c000 => (start + 4, MOVT),
        "Thumbv7ABS" if memory.word(start + 4)? & 0x8f00_fbf0 == 0x0c00_f2c0 => {
            (start + 4, THUMB_MOVT)
        }
        // ldr x16, .+8; br x16
        "AArch64Abs" if memory.word(start)? == 0x5800_0050 => (start + 8, ABS64),
        "ARMv7ABS" | "Thumbv7ABS" | "AArch64Abs" => return None,
        other if other.contains("ABS") => {
            return Some(Err(format!(
                "the linker made a thunk `{name}` of unknown form"
            )));
        }
        _ => return None,
    };
    let place = memory.range(address, 4)?;
    Some(Ok((place.start as u32, kind)))
}

#[cfg(test)]
mod tests;
