//! The committed JSON schemas are those of the types.

use std::path::Path;

use schemars::{JsonSchema, schema_for};
use setway_report::{ExplainReport, ListReport, MutantsReport, RunReport};

use crate::golden;

fn assert_committed<T: JsonSchema>(name: &str) {
    let schema = serde_json::to_string_pretty(&schema_for!(T)).expect("a schema is JSON");
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
    golden::agrees(&dir.join(name), &(schema + "\n"));
}

#[test]
fn committed_schemas_are_generated() {
    assert_committed::<RunReport>("setway.run-1.json");
    assert_committed::<ListReport>("setway.list-1.json");
    assert_committed::<MutantsReport>("setway.mutants-1.json");
    assert_committed::<ExplainReport>("setway.explain-1.json");
}
