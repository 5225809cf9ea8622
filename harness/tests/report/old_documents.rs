//! Documents that were written before fields were added must stay readable, and nothing of them may be lost.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use setway::report::{diff, document, merge::merge};
use setway_report::{ListReport, MutantsReport, RunReport};

use crate::{fixture, fixture_text};

/// Reads a document and writes it again: what was there must be there still, with the same value.
fn keeps_all<T: DeserializeOwned + Serialize>(name: &str) {
    fn contains(new: &Value, old: &Value, path: &str) {
        match (old, new) {
            (Value::Object(old), Value::Object(new)) => {
                for (field, old) in old {
                    let path = format!("{path}.{field}");
                    let new = new.get(field).unwrap_or_else(|| panic!("{path} is gone"));
                    contains(new, old, &path);
                }
            }
            (Value::Array(old), Value::Array(new)) => {
                assert_eq!(old.len(), new.len(), "{path}");
                for (n, (old, new)) in old.iter().zip(new).enumerate() {
                    contains(new, old, &format!("{path}[{n}]"));
                }
            }
            (old, new) => assert_eq!(old, new, "{path}"),
        }
    }
    let old: Value = serde_json::from_str(&fixture_text(name)).expect("JSON");
    let read: T = serde_json::from_value(old.clone())
        .unwrap_or_else(|error| panic!("{name} cannot be read any more: {error}"));
    let new = serde_json::to_value(read).expect("a report is JSON");
    contains(&new, &old, name);
}

#[test]
fn the_first_documents_are_read_without_loss() {
    for name in ["real", "data", "reference"] {
        keeps_all::<RunReport>(&format!("run-1.first.{name}.json"));
    }
    keeps_all::<ListReport>("list-1.first.json");
    keeps_all::<MutantsReport>("mutants-1.first.json");
}

#[test]
fn todays_documents_are_read_without_loss() {
    for name in ["one-target.json", "real.json", "idle.json"] {
        keeps_all::<RunReport>(name);
    }
}

#[test]
fn a_field_of_the_future_does_no_harm() {
    let mut value: Value = serde_json::from_str(&fixture_text("real.json")).expect("JSON");
    value["phase_of_the_moon"] = "waning".into();
    value["results"][0]["phase_of_the_moon"] = "waning".into();
    serde_json::from_value::<RunReport>(value).expect("unknown fields are ignored");
}

#[test]
fn a_report_survives_being_written_and_merged_with_nothing() {
    for name in ["one-target.json", "real.json", "run-1.first.real.json"] {
        let report = fixture(name);
        let text = document::to_text(&report).expect("a report is JSON");
        let read = document::parse(&text, name.as_ref()).expect("it was just written");
        assert_eq!(read, report);
        assert_eq!(merge([report.clone()]).as_ref(), Some(&report));
        assert!(diff::changes(&read, &report).is_empty());
    }
}
