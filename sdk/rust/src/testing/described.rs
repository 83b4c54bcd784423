//! What every connector's description owes, checked in one place.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::connector::{CATEGORIES, fidelity_table, rebuild_table};

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

/// A destination says of each sort of inventory with what it is rebuilt, or what to do instead, once.
///
/// # Panics
/// When a sort is missing or there twice, or a line is no row.
pub fn assert_everything_can_be_rebuilt(table: &str) {
    let rows = rebuild_table(table);
    let lines = table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    assert_eq!(rows.len(), lines.count(), "a line is no row");
    for category in CATEGORIES {
        let said = rows.iter().filter(|row| row.category == category);
        assert_eq!(said.count(), 1, "{}", category.word());
    }
}
