//! What readers see: manual pages, the page of all rules, findings as mails.

use std::{collections::BTreeSet, fs};

use setway::{
    catalog::Catalog,
    report::{
        explain::Subject,
        mail, manual,
        rules::{self, about, family},
    },
    workspace::Workspace,
};
use setway_cases::{CASES, RULES};
use setway_policy::Mutant;
use setway_report::{Page, Passage};

use crate::{golden, plain};

fn catalog() -> (Workspace, Catalog) {
    let workspace = Workspace::find().expect("tests run in a checkout");
    let catalog = Catalog::load(&workspace).expect("the committed files are sound");
    (workspace, catalog)
}

#[test]
fn the_page_of_rules_is_that_of_the_tables() {
    let (workspace, catalog) = catalog();
    golden::agrees(
        &workspace.expectations().join("RULES.md"),
        &rules::text(&catalog),
    );
}

#[test]
fn every_family_of_rules_is_described() {
    for rule in RULES {
        let family = family(rule);
        assert!(
            about(family).is_some(),
            "next: say in FAMILIES of harness/src/report/rules.rs what the rules {family}-… are about"
        );
    }
}

#[test]
fn every_rule_has_a_case() {
    for rule in RULES {
        let mut cases = CASES.iter();
        let id = rule.id;
        assert!(
            cases.any(|case| case.rule == *rule && !case.hidden),
            "next: give {id} a case in payloads/cases/src/catalogue.rs"
        );
    }
}

#[test]
fn a_link_in_the_page_of_rules_has_one_heading() {
    let (_, catalog) = catalog();
    let page = rules::text(&catalog);
    let headings = page.lines().filter_map(|line| line.strip_prefix("### "));
    let headings: Vec<String> = headings.map(str::to_lowercase).collect();
    let once: BTreeSet<&str> = headings.iter().map(String::as_str).collect();
    assert_eq!(once.len(), headings.len(), "two headings with one name");
    let links = page.split("](#").skip(1);
    let targets: BTreeSet<&str> = links.filter_map(|it| it.split(')').next()).collect();
    let known =
        |target: &&&str| !once.contains(**target) && !["mutants", "findings"].contains(*target);
    let dead: Vec<&&str> = targets.iter().filter(known).collect();
    assert!(dead.is_empty(), "{dead:?}");
    assert!(targets.len() > RULES.len());
}

/// What `git grep` finds, as the page of a mutant says.
#[test]
fn the_lines_of_every_mutant_can_be_found() {
    let (workspace, catalog) = catalog();
    let mut dirs = vec![workspace.root().join("hyp-under-test")];
    let mut sources = String::new();
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).expect("a folder of the checkout") {
            let path = entry.expect("an entry of a folder").path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                sources += &fs::read_to_string(path).expect("a source is text");
            }
        }
    }
    for mutant in Mutant::ALL {
        let used = format!("Mutant::{mutant:?}");
        let named = |tail: &str| !tail.starts_with(|it: char| it.is_alphanumeric());
        assert!(
            sources.split(&used).skip(1).any(named),
            "next: make the mistake of {} in hyp-under-test, where `{used}` asks for it",
            mutant.name()
        );
        let page = Subject::Mutant(*mutant).page(&catalog);
        assert!(plain(&manual::text(&[page], 80)).contains(&format!("git grep {used} ")));
    }
}

/// The sections that a page of each kind cannot do without.
fn required(kind: &str) -> &'static [&'static str] {
    match kind {
        "rule" => &["WHAT MUST HOLD", "SOURCE", "CASES", "RUN IT"],
        "case" => &["RULE", "SOURCE", "RUNS AS", "RUN IT"],
        "mutant" => &["DEFECT", "WHERE", "SHOWS IN", "WHAT KILLS IT", "RUN IT"],
        "finding" => &[
            "EXPECTED",
            "WHERE",
            "SINCE",
            "EVIDENCE",
            "REPRODUCER",
            "UPSTREAM",
            "RUN IT",
        ],
        _ => &[],
    }
}

#[test]
fn everything_has_a_page_that_fits_and_can_be_asked_for() {
    let (_, catalog) = catalog();
    let all = Subject::all(&catalog);
    for subject in &all {
        let (kind, name) = (subject.kind(), subject.name());
        let page = subject.page(&catalog);
        let headings: Vec<&str> = page.sections.iter().map(|it| it.heading.as_str()).collect();
        for heading in required(kind) {
            assert!(
                headings.contains(heading),
                "{kind} {name}: no {heading} in {headings:?}"
            );
        }
        for width in [40, 80, 200] {
            check_width(&page, width);
        }
        let named = Subject::named(&catalog, &format!("{kind}:{name}"));
        let named = named.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(named.len(), 1, "{kind}:{name}");
        assert_eq!(named[0].page(&catalog), page);
    }
    let kinds: BTreeSet<&str> = all.iter().map(Subject::kind).collect();
    assert_eq!(kinds.len(), 10, "{kinds:?}");
}

/// Whether no line of `page` is broken by a terminal of this width, unless it is a command, a name or a word.
fn check_width(page: &Page, width: usize) {
    let passages = page.sections.iter().flat_map(|it| &it.passages);
    let code: BTreeSet<&str> = passages
        .filter_map(|it| match it {
            Passage::Code(code) => Some(code.lines()),
            _ => None,
        })
        .flatten()
        .map(str::trim)
        .collect();
    for line in plain(&manual::text(std::slice::from_ref(page), width)).lines() {
        let text = line.trim();
        let is_whole = code.contains(text) || !text.contains(' ') || is_one_name(text, page);
        assert!(line.chars().count() <= width || is_whole, "{width}: {line}");
    }
}

/// Whether `line` is a name of a list alone, which is not broken.
fn is_one_name(line: &str, page: &Page) -> bool {
    let passages = page.sections.iter().flat_map(|it| &it.passages);
    let mut entries = passages.flat_map(|it| match it {
        Passage::Entries(entries) => entries.as_slice(),
        _ => &[],
    });
    entries.any(|it| it.name == line)
}

#[test]
fn what_reports_print_can_be_asked_for() {
    let (_, catalog) = catalog();
    let kinds = |text: &str| -> Vec<&str> {
        let named = Subject::named(&catalog, text).unwrap_or_else(|error| panic!("{error}"));
        named.iter().map(Subject::kind).collect()
    };
    assert_eq!(kinds("SW-PAIR"), ["rule", "case"]);
    assert_eq!(kinds("sw-pair"), ["rule", "case"]);
    assert_eq!(kinds("rule:SW-PAIR"), ["rule"]);
    assert_eq!(kinds("SW-PAIR.t32"), ["case"]);
    assert_eq!(kinds("xen"), ["hypervisor", "profile"]);
    assert_eq!(kinds("no_verdict"), ["verdict"]);
}

#[test]
fn a_name_that_nothing_has_is_corrected() {
    let (_, catalog) = catalog();
    let error = |text: &str| match Subject::named(&catalog, text) {
        Err(error) => error.to_string(),
        Ok(found) => panic!("{found:?}"),
    };
    let said = error("SW-PIAR");
    assert!(
        said.contains("did you mean `SW-PAIR`?") && said.contains("next: "),
        "{said}"
    );
    // A kind limits what is meant.
    let said = error("mutant:SW-PAIR");
    assert!(
        said.contains("nothing is called `mutant:SW-PAIR`"),
        "{said}"
    );
    assert!(!error("unlike anything").contains("did you mean"));
}

#[test]
fn a_finding_is_a_mail_that_lists_accept() {
    let (_, catalog) = catalog();
    assert!(!catalog.findings.is_empty());
    for finding in &catalog.findings {
        let id = &finding.id;
        let mail = mail::text(finding);
        for line in mail.lines() {
            let length = line.chars().count();
            assert!(length <= mail::COLUMNS, "{id}: {length} columns: {line}");
            assert_eq!(line.trim_end(), line, "{id}: spaces at the end");
            assert!(line.is_ascii(), "{id}: not plain text: {line}");
        }
        let (headers, body) = mail
            .split_once("\n\n")
            .expect("headers end with an empty line");
        let unfolded = headers.replace("\n ", " ");
        let names = unfolded
            .lines()
            .map(|line| line.split(": ").next().unwrap_or_default());
        assert_eq!(
            names.collect::<Vec<_>>(),
            ["To", "Subject"],
            "{id}: {headers}"
        );
        assert!(unfolded.contains(&finding.title), "{id}: {headers}");
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let body_words = flat(body);
        for text in [
            &finding.happened,
            &finding.place,
            &finding.since,
            &finding.expected,
            &finding.reference,
            &finding.reproducer,
            &finding.evidence,
            &finding.suggestion,
            &finding.upstream.known,
        ] {
            assert!(body_words.contains(&flat(text)), "{id} lacks: {text}");
        }
        assert!(
            body.contains(&finding.repeat),
            "{id}: the command is broken"
        );
        if let Some(fixed) = &finding.upstream.fixed {
            assert!(
                body.contains(&fixed.commit) && body.contains(&fixed.version),
                "{id}"
            );
        }
    }
}
