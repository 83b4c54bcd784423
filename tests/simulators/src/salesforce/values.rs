//! Values of fields: what a client may give, and as what it is stored.
//!
//! Times are kept to the second and shown as `2026-11-23T09:00:00.000+0000` (Salesforce facts §11).

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use serde_json::{Number, Value, json};

use super::answer::RowError;
use super::schema::{Field, Kind};
use super::state::stamp;

/// A moment as clients write it: ISO with an offset or `Z`.
pub(super) fn time(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    // +0000, as the org itself writes it.
    let at = text.len().checked_sub(2)?;
    let (front, minutes) = (text.get(..at)?, text.get(at..)?);
    let with_colon = format!("{front}:{minutes}");
    DateTime::parse_from_rfc3339(&with_colon)
        .ok()
        .map(|time| time.to_utc())
}

/// A day.
pub(super) fn day(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .ok()
        .filter(|_| text.len() == 10)
}

/// Refuses a value of another type; what the parser refuses before it looks at any rule (§3).
pub(super) fn check_type(field: &Field, value: &Value) -> Result<(), RowError> {
    let fits = match (field.kind, value) {
        (_, Value::Null) => true,
        (Kind::Bool, Value::Bool(_)) => true,
        (Kind::Int, Value::Number(number)) => number.as_i64().is_some(),
        (Kind::Double, Value::Number(_)) => true,
        (Kind::Date, Value::String(text)) => {
            text.is_empty() || day(text).is_some() || time(text).is_some()
        }
        (Kind::DateTime, Value::String(text)) => text.is_empty() || time(text).is_some(),
        (Kind::IdList, Value::Array(ids)) => ids.iter().all(Value::is_string),
        (
            Kind::Bool
            | Kind::Int
            | Kind::Double
            | Kind::Date
            | Kind::DateTime
            | Kind::IdList
            | Kind::Address,
            _,
        ) => false,
        (_, Value::String(_)) => true,
        _ => false,
    };
    if fits {
        return Ok(());
    }
    let (sort, shown) = match value {
        Value::Bool(flag) => ("VALUE_BOOLEAN", flag.to_string()),
        Value::Number(number) if number.is_f64() => ("VALUE_NUMBER_FLOAT", number.to_string()),
        Value::Number(number) => ("VALUE_NUMBER_INT", number.to_string()),
        Value::String(text) => ("VALUE_STRING", text.chars().take(100).collect()),
        Value::Array(_) => ("START_ARRAY", "[line]".to_owned()),
        _ => ("START_OBJECT", "{line}".to_owned()),
    };
    let text = format!(
        "Cannot deserialize instance of {} from {sort} value {shown} or request may be missing a required field at [line:1, \
         column:2]",
        field.kind.describe()
    );
    Err(RowError::new("JSON_PARSER_ERROR", text))
}

/// The value as it is stored. References are not looked at here.
pub(super) fn coerce(
    field: &Field,
    value: &Value,
    trimmed: bool,
    now: DateTime<Utc>,
) -> Result<Value, RowError> {
    check_type(field, value)?;
    match (field.kind, value) {
        (Kind::Bool, Value::Null) if field.has('r') => Ok(Value::Bool(false)),
        (_, Value::Null) => Ok(Value::Null),
        (Kind::Double, Value::Number(number)) => decimal(field, number),
        (Kind::Date, Value::String(text)) => Ok(
            match day(text).or_else(|| time(text).map(|at| at.date_naive())) {
                Some(day) => json!(day.to_string()),
                None => Value::Null,
            },
        ),
        (Kind::DateTime, Value::String(text)) => moment(field, text, now),
        (Kind::Picklist | Kind::MultiPicklist, Value::String(text)) => picked(field, text),
        (Kind::Email, Value::String(text)) => {
            let text = text.trim();
            if !text.is_empty() && !is_email(text) {
                let message = format!("{}: invalid email address: {text}", field.label);
                return Err(RowError::on("INVALID_EMAIL_ADDRESS", message, &field.name));
            }
            string(field, text, true)
        }
        (kind, Value::String(text)) if kind.is_text() => string(field, text, trimmed),
        (_, other) => Ok(other.clone()),
    }
}

fn string(field: &Field, text: &str, trimmed: bool) -> Result<Value, RowError> {
    let text = if trimmed { text.trim() } else { text };
    // CaseComment counts bytes (§0.7), everything else characters.
    let in_bytes = field.name == "CommentBody" && !field.custom && field.length == 4_000;
    let length = if in_bytes {
        text.len()
    } else {
        text.chars().count()
    };
    if field.length > 0 && length > field.length {
        let shown: String = text.chars().take(field.length.min(255)).collect();
        let message = format!(
            "{}: data value too large: {shown} (max length={})",
            field.label, field.length
        );
        return Err(RowError::on("STRING_TOO_LONG", message, &field.name));
    }
    Ok(if text.is_empty() {
        Value::Null
    } else {
        json!(text)
    })
}

fn decimal(field: &Field, number: &Number) -> Result<Value, RowError> {
    let (precision, scale) = field.digits;
    let value = number.as_f64().unwrap_or(0.0);
    let whole = i32::try_from(precision.saturating_sub(scale)).unwrap_or(18);
    if field.custom && value.abs() >= 10_f64.powi(whole) {
        let message = format!(
            "{}: value outside of valid range on numeric field: {number}",
            field.label
        );
        return Err(RowError::on(
            "NUMBER_OUTSIDE_VALID_RANGE",
            message,
            &field.name,
        ));
    }
    if !field.custom {
        return Ok(Value::Number(number.clone()));
    }
    let factor = 10_f64.powi(i32::try_from(scale).unwrap_or(0));
    let rounded = (value * factor).round() / factor;
    Ok(Number::from_f64(rounded).map_or(Value::Null, Value::Number))
}

fn moment(field: &Field, text: &str, now: DateTime<Utc>) -> Result<Value, RowError> {
    let Some(time) = time(text) else {
        return Ok(Value::Null);
    };
    let audit = field.has('a') || field.has('y');
    let early = if audit { 1970 } else { 1700 };
    if time.year() < early || time.year() > 4000 {
        let message = format!("{}: invalid date: {text}", field.label);
        return Err(RowError::on(
            "FIELD_INTEGRITY_EXCEPTION",
            message,
            &field.name,
        ));
    }
    if audit && time > now {
        let message = format!("{}: cannot be in the future", field.label);
        return Err(RowError::on(
            "FIELD_INTEGRITY_EXCEPTION",
            message,
            &field.name,
        ));
    }
    Ok(json!(stamp(time)))
}

fn picked(field: &Field, text: &str) -> Result<Value, RowError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let known = |value: &str| {
        let mut choices = field.choices.iter().filter(|choice| choice.active);
        choices
            .find(|choice| choice.value.eq_ignore_ascii_case(value))
            .map(|choice| choice.value.clone())
    };
    let parts: Vec<&str> = match field.kind {
        Kind::MultiPicklist => text
            .split(';')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .collect(),
        _ => vec![text],
    };
    let mut chosen: Vec<String> = Vec::new();
    for part in parts {
        let value = match known(part) {
            Some(value) => value,
            None if field.has('R') => {
                let message = format!(
                    "{}: bad value for restricted picklist field: {part}",
                    field.label
                );
                return Err(RowError::on(
                    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                    message,
                    &field.name,
                ));
            }
            None => part.to_owned(),
        };
        if value.chars().count() > 255 {
            let message = format!(
                "{}: data value too large: {value} (max length=255)",
                field.label
            );
            return Err(RowError::on("STRING_TOO_LONG", message, &field.name));
        }
        if !chosen.contains(&value) {
            chosen.push(value);
        }
    }
    // Values of a list come back in the order of its definition.
    let place = |value: &String| {
        field
            .choices
            .iter()
            .position(|choice| choice.value == *value)
            .unwrap_or(usize::MAX)
    };
    chosen.sort_by_key(place);
    string(field, &chosen.join(";"), true)
}

/// Whether a text is an address as the vendor takes it.
pub(super) fn is_email(text: &str) -> bool {
    let Some((name, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let name_fits = !name.is_empty()
        && name.len() <= 64
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c));
    let labels: Vec<&str> = domain.split('.').collect();
    let label_fits = |label: &&str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    name_fits && labels.len() >= 2 && labels.iter().all(label_fits)
}

/// A cell of a CSV as the value it stands for; an empty cell is no value (§6).
pub(super) fn of_cell(field: &Field, cell: &str) -> Result<Option<Value>, RowError> {
    if cell.is_empty() {
        return Ok(None);
    }
    if cell == "#N/A" {
        return Ok(Some(Value::Null));
    }
    let wrong = || {
        let message = format!("{}: value not of required type: {cell}", field.label);
        RowError::on("INVALID_TYPE_ON_FIELD_IN_RECORD", message, &field.name)
    };
    Ok(Some(match field.kind {
        Kind::Bool => match cell.to_lowercase().as_str() {
            "true" | "1" => Value::Bool(true),
            "false" | "0" => Value::Bool(false),
            _ => return Err(wrong()),
        },
        Kind::Int => json!(cell.parse::<i64>().map_err(|_| wrong())?),
        Kind::Double => {
            let number = cell.parse::<f64>().ok().and_then(Number::from_f64);
            Value::Number(number.ok_or_else(wrong)?)
        }
        Kind::Date | Kind::DateTime if check_type(field, &json!(cell)).is_err() => {
            return Err(wrong());
        }
        Kind::IdList => serde_json::from_str(cell).map_err(|_| wrong())?,
        _ => json!(cell),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_with_every_offset_and_kept_to_the_second() {
        for text in [
            "2024-03-01T10:00:00.987Z",
            "2024-03-01T11:00:00+01:00",
            "2024-03-01T10:00:00.000+0000",
        ] {
            assert_eq!(
                stamp(time(text).unwrap()),
                "2024-03-01T10:00:00.000+0000",
                "{text}"
            );
        }
        assert_eq!(time("2024-03-01"), None);
    }

    #[test]
    fn addresses_are_taken_and_refused_as_the_vendor_does() {
        for good in ["ana@example.com", "a.b+c@mail.example.co"] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "ana",
            "ana@",
            "ana@host",
            "a b@example.com",
            ".a@example.com",
            "a..b@example.com",
            "ü@example.com",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
