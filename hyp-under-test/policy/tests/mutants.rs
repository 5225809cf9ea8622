//! The table of mutants against the sources.
use setway_policy::{Mutant, Site};
use std::{fs, path::Path};

/// The file in which a mistake of this site is made.
fn file(site: Site) -> &'static str {
    match site {
        Site::Policy => "policy/src/lib.rs",
        Site::Emulation => "aarch64/src/emulation.rs",
        Site::Stage2 => "aarch64/src/stage2.rs",
        Site::Traps => "aarch64/src/traps.rs",
        Site::Vcpu => "aarch64/src/vcpu.rs",
        Site::Psci => "aarch64/src/psci.rs",
        Site::Interrupts => "aarch64/src/interrupts.rs",
    }
}

/// The contents of that file without comments.
fn source(site: Site) -> String {
    let hypervisors = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(hypervisors.join(file(site))).unwrap();
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    code.collect::<Vec<_>>().join("\n")
}

/// Whether `text` has `Mutant::` and then exactly `variant`.
fn mentions(text: &str, variant: &str) -> bool {
    text.match_indices(&format!("Mutant::{variant}"))
        .any(|(at, found)| {
            let next = text[at + found.len()..].chars().next();
            next.is_none_or(|next| !next.is_alphanumeric())
        })
}

#[test]
fn every_mutant_is_made_where_its_site_says() {
    for site in Site::ALL {
        let text = source(site);
        for mutant in Mutant::ALL.iter().filter(|it| it.site() == site) {
            assert!(
                mentions(&text, &format!("{mutant:?}")),
                "{} does not mention {mutant:?}, whose site is {}",
                file(site),
                site.name()
            );
        }
    }
}

#[test]
fn names_are_unique_and_found() {
    for mutant in Mutant::ALL {
        assert_eq!(Mutant::by_name(mutant.name()), Some(*mutant));
    }
    assert_eq!(Mutant::by_name("none"), None);
}
