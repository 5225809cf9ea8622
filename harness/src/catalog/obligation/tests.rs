use std::path::Path;

use proptest::prelude::*;
use setway_cases::CASES;
use tempfile::tempdir;

use super::*;
use crate::{
    catalog::{
        Catalog,
        source::{Mistakes, Source, files},
    },
    workspace::Workspace,
};

fn committed() -> Obligations {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let workspace = Workspace::at(root.expect("the harness is in the checkout"));
    let catalog = Catalog::load(&workspace);
    catalog.expect("the committed files are sound").obligations
}

/// What stands in a file called `name`, and what is wrong with it.
fn parse(name: &str, text: &str) -> (Obligations, Mistakes) {
    let (mut all, mut mistakes) = Default::default();
    let path = Path::new(name);
    if let Some((source, raw)) = Source::parse(path, text.to_owned(), &mut mistakes) {
        Obligations::read(&mut all, &source, raw, &mut mistakes);
    }
    (all, mistakes)
}

#[test]
fn what_is_written_is_read_again() {
    let dir = tempdir().expect("there is room for a directory");
    let all = committed();
    let write = || all.write(dir.path()).expect("the directory can be written");
    assert!(write() > 0);
    assert_eq!(write(), 0);
    let mut again = Obligations::default();
    for file in files(dir.path(), "toml").expect("the directory can be read") {
        let text = std::fs::read_to_string(&file).expect("it has just been written");
        let (part, mistakes) = parse(&file.display().to_string(), &text);
        assert!(mistakes.is_empty(), "{mistakes}");
        again.cases.extend(part.cases);
    }
    assert_eq!(again, all);
}

#[test]
fn every_case_owes_something_in_every_instruction_set() {
    let all = committed();
    for case in CASES {
        for isa in case.isas.iter().map(|isa| Isa::from(*isa)) {
            let owed = all.of(case.id, isa);
            let owes = owed.is_some_and(|it| !it.steps.is_empty() || !it.checks.is_empty());
            assert!(owes, "{}.{isa}", case.id);
        }
    }
}

/// What a case of a guest owes at least.
const ONE_STEP: &str = "steps = [{ name = \"x\", set_way = 1, vm_reg = 0, flush = 1 }]";

#[test]
fn a_file_must_mean_something() {
    let with = |rest: &str| format!("[[case]]\nid = \"COH-CPUS\"\nisas = [\"a64\"]\n{rest}");
    for (text, part) in [
        (
            with("checks = [{ state = \"x\", want = \"1\" }]"),
            "hexadecimal",
        ),
        (with("checks = [{ state = \"x\" }]"), "either `want`"),
        (with("checks = [{ want = \"0x1\" }]"), "one of `data`"),
        (
            with("checks = [{ state = \"x\", want = \"0x1\" }]"),
            "measures no step",
        ),
        (
            with("steps = [{ name = \"x\", set_way = \"many\" }]"),
            "geometry",
        ),
        (with("steps = [{ name = \"x\", flushes = 1 }]"), "flushes"),
        (with(ONE_STEP) + "\n" + &with(ONE_STEP), "twice"),
        (with("").replace("CPUS", "LOOP/csw"), "no case"),
        (with("").replace("a64", "a65"), "a65"),
    ] {
        let (_, mistakes) = parse("COH-CPUS.toml", &text);
        let said = mistakes.to_string();
        assert!(said.contains(part), "{said}");
    }
}

proptest! {
    #[test]
    fn wants_are_read_as_written(value: u64, is_from: bool) {
        let want = if is_from { Want::From(value) } else { Want::Constant(value) };
        prop_assert_eq!(want.to_string().parse(), Ok(want));
    }

    #[test]
    fn a_want_that_was_found_gives_the_value(from: u64, bits: u64) {
        let found = Want::found(from | bits, Some(from));
        prop_assert_eq!(found.and_then(|it| it.value(Some(from))), Some(from | bits));
    }
}
