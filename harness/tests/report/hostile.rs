//! Guests, hypervisors and QEMU choose much of what a report says. They must not get at the reader's terminal, nor
//! write lines of their own.

use serde_json::Value;
use setway::report::{diff, human, junit, tap, text};
use setway_report::RunReport;

use crate::{fixture, plain};

/// Sets the title, clears the screen, fills the clipboard, ends lines, turns the direction of writing, ends XML.
const HOSTILE: &str = "\u{1b}]0;x\u{7}\u{1b}[2J\u{9b}2J\u{1b}]52;c;eA==\u{7}\u{202e}\u{2066}\u{200f}\
    \r\nnot ok 99 - forged\nok 99 - forged # SKIP\r\u{2028}\"/><testcase name=\"forged\"/>]]>\u{8}\u{7f}\0";

/// `report` with everything hostile that is text, as if a file had been tampered with as well.
fn hostile(report: &RunReport) -> RunReport {
    fn spoil(value: &mut Value) {
        match value {
            Value::String(text) => text.push_str(HOSTILE),
            Value::Array(list) => list.iter_mut().for_each(spoil),
            Value::Object(fields) => fields
                .iter_mut()
                .filter(|(name, _)| !["verdict", "schema"].contains(&name.as_str()))
                .for_each(|(_, value)| spoil(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut value = serde_json::to_value(report).expect("a report is JSON");
    spoil(&mut value);
    serde_json::from_value(value).expect("the verdicts are as they were")
}

/// Panics if `text` drives a terminal, except for the colours of the harness itself.
fn assert_harmless(text: &str) {
    let plain = plain(text);
    // Nothing but `ESC [ digits m` may be gone.
    let mut rest = text;
    let mut seen = String::new();
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        let (digits, after) = after.split_once('m').expect("a colour ends with m");
        let is_color = digits.chars().all(|it| it.is_ascii_digit() || it == ';');
        assert!(is_color, "{digits:?}");
        seen += before;
        rest = after;
    }
    seen += rest;
    assert_eq!(seen, plain);
    for letter in plain.chars().filter(|it| *it != '\n') {
        let is_bidi = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        assert!(!letter.is_control() && !is_bidi, "{letter:?}");
    }
    let forged = plain.lines().find(|line| {
        let line = line.trim_start();
        line.starts_with("not ok 99") || line.starts_with("ok 99")
    });
    assert_eq!(forged, None);
}

#[test]
fn hostile_text_is_shown_and_not_obeyed() {
    for name in [
        "one-target.json",
        "real.json",
        "idle.json",
        "run-1.first.data.json",
    ] {
        let report = fixture(name);
        let spoilt = hostile(&report);
        assert_harmless(&human::text(&spoilt));
        assert_harmless(&diff::text(&diff::changes(&report, &spoilt)));
        assert_harmless(&tap::text(&spoilt));
        let junit = junit::text(&spoilt).expect("XML");
        assert_harmless(&junit);
        assert!(!junit.contains("<testcase name=\"forged\""), "{junit}");
        // It is shown, though.
        assert!(human::text(&spoilt).contains(r"\u{1b}[2J"));
    }
}

#[test]
fn a_giant_record_is_cut_and_its_length_named() {
    let mut report = fixture("one-target.json");
    let red = report.results.iter().position(|it| it.verdict.is_bad());
    let result = &mut report.results[red.expect("the fixture has a red run")];
    result.reason = Some("x".repeat(4_000_000));
    *result = text::cut(result);
    for text in [
        human::text(&report),
        tap::text(&report),
        junit::text(&report).expect("XML"),
    ] {
        assert!(text.len() < 100_000, "{} bytes", text.len());
        assert!(text.contains("(cut; 4000000 bytes in all)"));
    }
}
