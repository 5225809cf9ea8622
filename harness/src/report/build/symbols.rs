//! Names for addresses in the images: what a person wants to read instead of a program counter.

use std::path::Path;

use object::{Object, ObjectSymbol, SymbolKind};

/// The functions of an image, which is linked at 0.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    /// Address and name, sorted.
    functions: Vec<(u64, String)>,
}

impl Symbols {
    /// Reads those of an executable; none if that cannot be read, because a report is better without
    /// names than not at all.
    pub fn read(elf: &Path) -> Self {
        let bytes = std::fs::read(elf).unwrap_or_default();
        let Ok(file) = object::File::parse(&*bytes) else {
            return Self::default();
        };
        let functions = file.symbols().filter(|symbol| {
            let code = matches!(
                symbol.kind(),
                SymbolKind::Text | SymbolKind::Label | SymbolKind::Unknown
            );
            code && symbol.is_definition()
        });
        let mut functions: Vec<(u64, String)> = functions
            .filter_map(|symbol| {
                let name = symbol
                    .name()
                    .ok()
                    .filter(|name| !name.is_empty() && !name.starts_with('$'))?;
                // Bit 0 of a T32 function's address is its instruction set.
                Some((symbol.address() & !1, readable(name)))
            })
            .collect();
        functions.sort();
        Self { functions }
    }

    /// The function that `offset` lies in, and how far; `None` if none starts before it.
    pub fn name(&self, offset: u64) -> Option<String> {
        let next = self
            .functions
            .partition_point(|(start, _)| *start <= offset);
        let (start, name) = self.functions.get(next.checked_sub(1)?)?;
        Some(match offset - start {
            0 => name.clone(),
            more => format!("{name}+{more:#x}"),
        })
    }
}

/// A name without its hash, and without the crates in which everything is.
fn readable(name: &str) -> String {
    let name = format!("{:#}", rustc_demangle::demangle(name));
    // Generic arguments name the payload, which the run names already.
    let mut depth = 0;
    let plain: String = name
        .chars()
        .filter(|letter| {
            depth += i32::from(*letter == '<');
            let keep = depth == 0;
            depth -= i32::from(*letter == '>');
            keep
        })
        .collect();
    let plain = plain.trim_end_matches("::").to_owned();
    plain
        .replace("setway_cases::bodies::", "")
        .replace("setway_", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_named_by_the_function_before_them() {
        let symbols = Symbols {
            functions: vec![(0x10, "first".to_owned()), (0x40, "second".to_owned())],
        };
        assert_eq!(symbols.name(0x8), None);
        assert_eq!(symbols.name(0x10).as_deref(), Some("first"));
        assert_eq!(symbols.name(0x3f).as_deref(), Some("first+0x2f"));
        assert_eq!(symbols.name(0x44).as_deref(), Some("second+0x4"));
    }

    #[test]
    fn names_lose_what_nobody_reads() {
        assert_eq!(readable("switch_sctlr"), "switch_sctlr");
        let mangled = "_RINvNtNtCs2G693DsaeDO_12setway_cases6bodies5vcpus10from_resetNtNtCshUiIFm2Xx0o_22setway_payload_aarch643isa3A64EB11_";
        assert_eq!(readable(mangled), "vcpus::from_reset");
    }
}
