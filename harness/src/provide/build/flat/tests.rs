//! Flat images of small executables written by hand.

use super::*;

const TEXT: u64 = 0x0;
const DATA: u64 = 0x40;

/// What differs between the test executables.
#[derive(Default)]
struct Guest {
    arm: bool,
    relocations: Vec<(u64, u32, &'static str)>,
    symbols: Vec<(&'static str, u64)>,
    code: Vec<u32>,
}

/// Bytes of an ELF section under construction, with its header's fields.
struct Section {
    name: &'static str,
    kind: u32,
    flags: u64,
    address: u64,
    bytes: Vec<u8>,
    link: u32,
    info: u32,
    entry: u64,
}

impl Guest {
    /// A minimal ELF64 or ELF32 file: `.text` at 0, `.data` at 0x40, one symbol per name used.
    fn elf(&self) -> Vec<u8> {
        let sections = self.sections();
        let mut out = Writer {
            wide: !self.arm,
            bytes: Vec::new(),
        };
        let (header, program) = if self.arm { (52, 32) } else { (64, 56) };
        let mut offset = header + 2 * program;
        let mut names = vec![0u8];
        let mut placed = Vec::new();
        for section in &sections {
            placed.push((names.len() as u32, offset));
            names.extend(section.name.bytes().chain([0]));
            offset += section.bytes.len() as u64;
        }
        let names_at = offset;
        let table = names_at + names.len() as u64;
        out.header(self.arm, table, sections.len() as u16 + 2);
        for index in [0, 1] {
            out.segment(placed[index].1, &sections[index]);
        }
        for section in &sections {
            out.bytes.extend(&section.bytes);
        }
        let length = names.len();
        out.bytes.extend(names.clone());
        out.section(0, 0, &Section::named("", 0));
        for (section, (name, at)) in sections.iter().zip(&placed) {
            out.section(*name, *at, section);
        }
        let mut strings = Section::named("", 3);
        strings.bytes = vec![0; length];
        out.section(0, names_at, &strings);
        out.bytes
    }

    fn sections(&self) -> Vec<Section> {
        let mut text: Vec<u8> = self
            .code
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        text.resize((DATA - TEXT) as usize, 0);
        let mut symbols = Writer {
            wide: !self.arm,
            bytes: Vec::new(),
        };
        let mut strings = vec![0u8];
        symbols.symbol(0, 0, 0);
        for (name, address) in &self.symbols {
            let section = match *name {
                "weak" => 0,
                "absolute" => 0xfff1,
                _ => 1 + u16::from(*address >= DATA),
            };
            symbols.symbol(strings.len() as u32, *address, section);
            strings.extend(name.bytes().chain([0]));
        }
        let mut relocations = Writer {
            wide: !self.arm,
            bytes: Vec::new(),
        };
        for (place, kind, name) in &self.relocations {
            let index = self.symbols.iter().position(|symbol| symbol.0 == *name);
            let index = index.expect("tests name symbols they define") as u64 + 1;
            relocations.relocation(*place, *kind, index);
        }
        let (symbol_size, relocation_size) = if self.arm { (16, 8) } else { (24, 24) };
        vec![
            Section {
                address: TEXT,
                flags: 6,
                bytes: text,
                ..Section::named(".text", 1)
            },
            Section {
                address: DATA,
                flags: 3,
                bytes: vec![0; 0x24],
                ..Section::named(".data", 1)
            },
            Section {
                bytes: symbols.bytes,
                link: 4,
                info: 1,
                entry: symbol_size,
                ..Section::named(".symtab", 2)
            },
            Section {
                bytes: strings,
                ..Section::named(".strtab", 3)
            },
            Section {
                bytes: relocations.bytes,
                link: 3,
                info: 2,
                entry: relocation_size,
                ..Section::named(".rel.data", if self.arm { 9 } else { 4 })
            },
        ]
    }
}

impl Section {
    fn named(name: &'static str, kind: u32) -> Self {
        Self {
            name,
            kind,
            flags: 0,
            address: 0,
            bytes: Vec::new(),
            link: 0,
            info: 0,
            entry: 0,
        }
    }
}

/// Writes fields that are 8 bytes in ELF64 and 4 in ELF32.
struct Writer {
    wide: bool,
    bytes: Vec<u8>,
}

impl Writer {
    fn half(&mut self, value: u16) {
        self.bytes.extend(value.to_le_bytes());
    }

    fn word(&mut self, value: u32) {
        self.bytes.extend(value.to_le_bytes());
    }

    fn long(&mut self, value: u64) {
        if self.wide {
            self.bytes.extend(value.to_le_bytes());
        } else {
            self.word(value as u32);
        }
    }

    fn header(&mut self, arm: bool, sections: u64, count: u16) {
        self.bytes
            .extend([0x7f, b'E', b'L', b'F', if arm { 1 } else { 2 }, 1, 1, 0]);
        self.bytes.extend([0; 8]);
        self.half(2);
        self.half(if arm { 40 } else { 183 });
        self.word(1);
        self.long(0);
        self.long(if arm { 52 } else { 64 });
        self.long(sections);
        self.word(if arm { 0x0500_0000 } else { 0 });
        let sizes: [u16; 4] = if arm {
            [52, 32, 2, 40]
        } else {
            [64, 56, 2, 64]
        };
        sizes.into_iter().for_each(|size| self.half(size));
        self.half(count);
        self.half(count - 1);
    }

    fn segment(&mut self, offset: u64, section: &Section) {
        let size = section.bytes.len() as u64;
        self.word(1);
        if self.wide {
            self.word(7);
        }
        for value in [offset, section.address, section.address, size, size] {
            self.long(value);
        }
        if !self.wide {
            self.word(7);
        }
        self.long(1);
    }

    fn section(&mut self, name: u32, offset: u64, section: &Section) {
        self.word(name);
        self.word(section.kind);
        for value in [
            section.flags,
            section.address,
            offset,
            section.bytes.len() as u64,
        ] {
            self.long(value);
        }
        self.word(section.link);
        self.word(section.info);
        self.long(1);
        self.long(section.entry);
    }

    fn symbol(&mut self, name: u32, value: u64, section: u16) {
        let info: [u8; 2] = [if name == 0 { 0 } else { 0x11 }, 0];
        self.word(name);
        if self.wide {
            self.bytes.extend(info);
            self.half(section);
            self.long(value);
            self.long(8);
        } else {
            self.word(value as u32);
            self.word(8);
            self.bytes.extend(info);
            self.half(section);
        }
    }

    fn relocation(&mut self, place: u64, kind: u32, symbol: u64) {
        self.long(place);
        if self.wide {
            self.long(symbol << 32 | u64::from(kind));
            self.long(0);
        } else {
            self.word((symbol as u32) << 8 | kind);
        }
    }
}

const PLACES: [(&str, u64); 4] = [
    ("__relocs_offset", DATA),
    ("__relocs_count", DATA + 4),
    ("__build_id", DATA + 8),
    ("main", TEXT),
];

fn word(image: &[u8], at: u64) -> u32 {
    let at = at as usize;
    u32::from_le_bytes(image[at..at + 4].try_into().expect("4 bytes"))
}

#[test]
fn absolute_addresses_are_listed_in_order_and_the_image_is_told() {
    let guest = Guest {
        relocations: vec![(DATA + 0x18, 257, "main"), (DATA + 0x10, 257, "main")],
        symbols: PLACES.to_vec(),
        ..Guest::default()
    };
    let image = flatten(&guest.elf()).expect("a sound executable").bytes;
    assert_eq!(word(&image, DATA), 0x68, "0x64 bytes, padded to 8");
    assert_eq!(word(&image, DATA + 4), 2);
    assert_eq!(word(&image, 0x68), 0x50);
    assert_eq!(word(&image, 0x6c), 0x58);
    assert_eq!(image.len(), 0x70);
    assert_ne!(word(&image, DATA + 8), 0, "the build id is there");
}

#[test]
fn arm_halves_have_kinds_of_their_own() {
    let guest = Guest {
        arm: true,
        relocations: vec![
            (0x10, 44, "main"),
            (0x14, 43, "main"),
            (0x18, 48, "main"),
            (DATA + 0x10, 2, "main"),
        ],
        symbols: PLACES.to_vec(),
        ..Guest::default()
    };
    let image = flatten(&guest.elf()).expect("a sound executable").bytes;
    let table = [0x68, 0x6c, 0x70].map(|at| word(&image, at));
    assert_eq!(table, [0x10 | 2 << 30, 0x18 | 3 << 30, 0x50 | 1 << 30]);
}

#[test]
fn a_zimage_has_its_size_in_memory_in_the_file() {
    let image = |arm, size| {
        let guest = Guest {
            arm,
            symbols: PLACES
                .iter()
                .copied()
                .chain([("image_size", size)])
                .collect(),
            ..Guest::default()
        };
        flatten(&guest.elf()).expect("a sound executable").bytes
    };
    let short = image(true, 0);
    assert_eq!(image(false, 0x1000).len(), short.len());
    let long = image(true, 0x1000);
    assert_eq!(long.len(), 0x1000);
    assert!(long[short.len()..].iter().all(|byte| *byte == 0));
}

#[test]
fn what_cannot_move_is_an_error_with_symbol_and_section() {
    let guest = Guest {
        relocations: vec![(DATA + 0x10, 258, "main")],
        symbols: PLACES.to_vec(),
        ..Guest::default()
    };
    let reason = flatten(&guest.elf()).expect_err("a 32-bit address");
    assert!(
        reason.contains("`main`") && reason.contains(".data"),
        "{reason}"
    );
}

#[test]
fn weak_and_absolute_symbols_stay_put() {
    let guest = Guest {
        relocations: vec![(DATA + 0x10, 257, "weak"), (DATA + 0x18, 257, "absolute")],
        symbols: [&PLACES[..], &[("weak", 0), ("absolute", 0x900_0000)]].concat(),
        ..Guest::default()
    };
    let image = flatten(&guest.elf()).expect("a sound executable").bytes;
    assert_eq!(word(&image, DATA + 4), 0);
}

#[test]
fn addresses_in_the_linkers_thunks_are_found() {
    let guest = Guest {
        arm: true,
        symbols: [
            &PLACES[..],
            &[
                ("__ARMv7ABSLongThunk_f", 0),
                ("__Thumbv7ABSLongThunk_f", 0x11),
                ("__ARMv7ABSLongThunk_near", 0x20),
            ],
        ]
        .concat(),
        code: vec![
            0xe300_c123,
            0xe340_c000,
            0xe12f_ff1c,
            0,
            0x1c23_f240,
            0x0c00_f2c0,
            0x4760,
            0,
            0xea00_0000,
        ],
        ..Guest::default()
    };
    let image = flatten(&guest.elf()).expect("a sound executable").bytes;
    assert_eq!(word(&image, DATA + 4), 2);
    assert_eq!(
        [0x68, 0x6c].map(|at| word(&image, at)),
        [4 | 2 << 30, 0x14 | 3 << 30]
    );
}

#[test]
fn relocations_without_a_place_to_tell_are_an_error() {
    let guest = Guest {
        relocations: vec![(DATA + 0x10, 257, "main")],
        symbols: vec![("main", 0)],
        ..Guest::default()
    };
    let reason = flatten(&guest.elf()).expect_err("no __relocs_offset");
    assert!(reason.contains("__relocs_offset"), "{reason}");
}

#[test]
fn rubbish_is_an_error() {
    assert!(flatten(b"").is_err());
    assert!(flatten(b"\x7fELF and no more").is_err());
}
