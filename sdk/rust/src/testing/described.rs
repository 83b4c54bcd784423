//! What every connector's description owes, checked in one place.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::connector::fidelity_table;

/// Every line of a fidelity table is a row, but for empty ones and remarks.
///
/// # Panics
/// When a line is none.
pub fn assert_every_line_is_a_row(table: &str) {
    let lines = table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    assert_eq!(fidelity_table(table).len(), lines.count());
}

/// Settings as a schema says that they are where nobody sets them.
///
/// # Panics
/// When the schema is no JSON with `properties`, or has a default that the settings do not take.
#[allow(clippy::expect_used, reason = "a broken schema is a failed test")]
pub fn schema_defaults<T: DeserializeOwned>(schema: &str) -> T {
    let schema: Value = serde_json::from_str(schema).expect("a schema is JSON");
    let properties = schema.get("properties").and_then(Value::as_object);
    let said: Map<String, Value> = properties
        .expect("a schema has properties")
        .iter()
        .filter_map(|(name, property)| Some((name.clone(), property.get("default")?.clone())))
        .collect();
    serde_json::from_value(Value::Object(said)).expect("settings take the defaults")
}
