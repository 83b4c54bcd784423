//! Values of properties: what each type takes and how it is kept (HubSpot facts §3.1, §8, §10.2).

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde_json::Value;

use super::answer::{Failure, Invalid};
use super::model::{Owner, Property, TypeId};
use super::state::{State, iso};
use super::switches::ArchivedOwner;

/// Characters a text may have (§10.2).
pub(super) const TEXT_CHARS: usize = 65_536;

/// What a client writes to a property.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Written {
    /// This value.
    Value(String),
    /// Values to add to a multi-checkbox (§0.9).
    More(Vec<String>),
    /// Nothing: the property becomes empty.
    Nothing,
    /// The property stays as it is.
    Kept,
}

/// The text of a JSON value (§3.1).
pub(super) fn text(state: &State, name: &str, value: &Value) -> Result<Option<String>, Failure> {
    let scalars = state.config.switches.json_scalars_accepted;
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok((!text.is_empty()).then(|| text.clone())),
        Value::Number(number) if scalars => Ok(Some(number.to_string())),
        Value::Bool(flag) if scalars => Ok(Some(flag.to_string())),
        other => {
            let problem = format!("properties.{name}: {other} is no string");
            Err(Failure::input(problem))
        }
    }
}

/// A moment: ISO in UTC or milliseconds.
pub(super) fn moment(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(ms) = text.parse::<i64>() {
        return DateTime::from_timestamp_millis(ms);
    }
    let at = DateTime::parse_from_rfc3339(text)
        .ok()
        .filter(|_| text.ends_with('Z'))?;
    // Finer than a millisecond is not kept.
    DateTime::from_timestamp_millis(at.timestamp_millis())
}

/// A day: `YYYY-MM-DD` or milliseconds at midnight in UTC.
fn day(text: &str) -> Option<NaiveDate> {
    if let Ok(ms) = text.parse::<i64>() {
        let at = DateTime::from_timestamp_millis(ms)?;
        return (at.time() == NaiveTime::MIN).then(|| at.date_naive());
    }
    (text.len() == 10)
        .then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())
        .flatten()
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let all = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    digits.bytes().any(|byte| byte.is_ascii_digit()) && all(whole) && all(part)
}

/// Whether a text can be an address.
pub(super) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let plain = |c: char| !c.is_whitespace() && !matches!(c, '@' | ',' | ';' | '<' | '>');
    let labels = domain.split('.').collect::<Vec<_>>();
    !local.is_empty()
        && local.chars().all(plain)
        && labels.len() > 1
        && labels.iter().all(|label| {
            !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        })
}

/// Checks one value and brings it into the form that is kept.
pub(super) fn check(
    state: &State,
    object: TypeId,
    property: &Property,
    value: Option<String>,
) -> Result<Written, Invalid> {
    let Some(value) = value else {
        return Ok(Written::Nothing);
    };
    let name = property.name.as_str();
    let wrong = |code: &'static str, message: String| Err(Invalid::new(code, name, message));
    let kept = match property.kind.as_str() {
        "number" if is_number(&value) => value,
        "number" => {
            return wrong(
                "INVALID_INTEGER",
                format!("{value} was not a valid number."),
            );
        }
        "datetime" => match moment(&value) {
            Some(at) => iso(at),
            None => {
                return wrong(
                    "INVALID_DATE",
                    format!("{value} was not a valid date time."),
                );
            }
        },
        "date" => match day(&value) {
            Some(day) => day.to_string(),
            None => {
                let message = format!("{value} is not at midnight UTC, or no date.");
                return wrong("INVALID_DATE", message);
            }
        },
        "bool" if matches!(value.as_str(), "true" | "false") => value,
        "bool" => {
            return wrong(
                "INVALID_OPTION",
                format!("{value} was not one of [true, false]."),
            );
        }
        "enumeration" => return enumeration(state, object, property, value),
        _ => return string(state, object, property, value),
    };
    Ok(Written::Value(kept))
}

fn string(
    state: &State,
    object: TypeId,
    property: &Property,
    value: String,
) -> Result<Written, Invalid> {
    let name = property.name.as_str();
    let wrong = |code: &'static str, message: String| Err(Invalid::new(code, name, message));
    let length = value.chars().count();
    if length > TEXT_CHARS {
        let message = format!("{name} has {length} characters, more than {TEXT_CHARS}.");
        return wrong("PROPERTY_VALUE_TOO_LONG", message);
    }
    let kept = match (object, name) {
        (TypeId::CONTACT, "email") => {
            if !is_email(&value) {
                return wrong("INVALID_EMAIL", format!("Email address {value} is invalid"));
            }
            value.to_lowercase()
        }
        (TypeId::CONTACT, "hs_additional_emails") => {
            let addresses: Vec<String> = value
                .split(';')
                .map(|address| address.trim().to_lowercase())
                .filter(|address| !address.is_empty())
                .collect();
            if let Some(bad) = addresses.iter().find(|address| !is_email(address)) {
                return wrong("INVALID_EMAIL", format!("Email address {bad} is invalid"));
            }
            addresses.join(";")
        }
        (TypeId::COMPANY, "domain") => value.to_lowercase(),
        (TypeId::EMAIL, "hs_email_headers") => {
            let object = serde_json::from_str::<Value>(&value);
            if !object.is_ok_and(|headers| headers.is_object()) {
                return wrong("INVALID_JSON", format!("{name} is no JSON object."));
            }
            value
        }
        (TypeId::CALL, "hs_call_recording_url") if !value.starts_with("https://") => {
            return wrong("INVALID_URL", format!("{value} is no https address."));
        }
        (_, "hs_attachment_ids") => {
            let ids = value.split(';').map(str::trim);
            if ids.clone().any(|id| id.parse::<u64>().is_err()) {
                return wrong(
                    "INVALID_INTEGER",
                    format!("{value} is no list of file ids."),
                );
            }
            let known = |id: &str| id.parse().is_ok_and(|id| state.files.contains_key(&id));
            let strict = state.config.switches.unknown_attachment_refused;
            if let Some(unknown) = ids.clone().find(|id| strict && !known(id)) {
                return wrong("INVALID_ATTACHMENT", format!("There is no file {unknown}."));
            }
            ids.collect::<Vec<_>>().join(";")
        }
        _ => value,
    };
    // §8, §10.2: HTML is sanitised.
    let html = property.field_type == "html" && state.config.switches.html_sanitised;
    Ok(Written::Value(if html { sanitise(&kept) } else { kept }))
}

fn enumeration(
    state: &State,
    object: TypeId,
    property: &Property,
    value: String,
) -> Result<Written, Invalid> {
    let name = property.name.as_str();
    match name {
        "hubspot_owner_id" => return owner(state, object, value),
        "hubspot_team_id" => {
            let known = value.parse().is_ok_and(|id| state.teams.contains_key(&id));
            let message = format!("{value} is no team.");
            return if known {
                Ok(Written::Value(value))
            } else {
                Err(Invalid::new("INVALID_OPTION", name, message))
            };
        }
        // Pipelines and stages are looked at together, by the object.
        "hs_pipeline" | "hs_pipeline_stage" | "pipeline" | "dealstage" => {
            return Ok(Written::Value(value));
        }
        _ => {}
    }
    let check = |value: &str| {
        if property.options.iter().any(|option| option.value == value) {
            return Ok(value.to_owned());
        }
        let allowed: Vec<&str> = property.options.iter().map(|o| o.value.as_str()).collect();
        let message = format!(
            "{value} was not one of the allowed options: [{}]",
            allowed.join(", ")
        );
        Err(Invalid::new("INVALID_OPTION", name, message))
    };
    if !property.is_multiple() {
        return check(&value).map(Written::Value);
    }
    let more = value.starts_with(';');
    let mut values: Vec<String> = Vec::new();
    for part in value.split(';').filter(|part| !part.is_empty()) {
        let part = check(part)?;
        if !values.contains(&part) {
            values.push(part);
        }
    }
    Ok(match (more, values.is_empty()) {
        (true, _) => Written::More(values),
        (false, true) => Written::Nothing,
        (false, false) => Written::Value(values.join(";")),
    })
}

/// §15: owners are named by their own id, not by their user's.
fn owner(state: &State, object: TypeId, value: String) -> Result<Written, Invalid> {
    let found: Option<&Owner> = value.parse().ok().and_then(|id| state.owners.get(&id));
    let wrong = || {
        let message = format!("{value} is not a valid owner ID.");
        Invalid::new("INVALID_OWNER_ID", "hubspot_owner_id", message)
    };
    let owner = found.ok_or_else(wrong)?;
    if owner.archived.is_none() || object.is_activity() {
        return Ok(Written::Value(value));
    }
    match state.config.switches.archived_owner {
        ArchivedOwner::Refused => Err(wrong()),
        ArchivedOwner::Dropped => Ok(Written::Kept),
    }
}

/// HTML without scripts, styles, frames, handlers and script addresses; everything else byte for byte [INF].
fn sanitise(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(begin) = rest.find('<') {
        let (before, tag) = rest.split_at(begin);
        out.push_str(before);
        let Some(end) = tag_end(tag) else {
            out.push_str(tag);
            return out;
        };
        let (tag, after) = tag.split_at(end);
        let inner = tag.trim_start_matches('<').trim_start_matches('/');
        let name: String = inner
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_lowercase();
        if matches!(name.as_str(), "script" | "style" | "iframe" | "object") {
            let close = format!("</{name}");
            let lower = after.to_ascii_lowercase();
            let skipped = if tag.starts_with("</") || tag.ends_with("/>") {
                0
            } else {
                lower.find(&close).unwrap_or(after.len())
            };
            rest = after.get(skipped..).unwrap_or_default();
            continue;
        }
        out.push_str(&without_handlers(tag));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Where a tag ends, quotes respected; none for a `<` that begins no tag.
fn tag_end(text: &str) -> Option<usize> {
    let second = text.chars().nth(1)?;
    if !second.is_ascii_alphabetic() && !matches!(second, '/' | '!') {
        return Some(1);
    }
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, '>') => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// A tag without attributes `on…` and without addresses `javascript:`.
fn without_handlers(tag: &str) -> String {
    let lower = tag.to_ascii_lowercase();
    if !lower.contains(" on") && !lower.contains("javascript:") {
        return tag.to_owned();
    }
    let mut out = String::with_capacity(tag.len());
    let mut rest = tag;
    while let Some(at) = rest.find(char::is_whitespace) {
        let (before, attribute) = rest.split_at(at);
        out.push_str(before);
        let trimmed = attribute.trim_start();
        let name: String = trimmed
            .chars()
            .take_while(|c| !c.is_whitespace() && !matches!(c, '=' | '>'))
            .collect();
        let after = trimmed.get(name.len()..).unwrap_or_default();
        let value = value_length(after);
        let (value, next) = after.split_at(value);
        let bad = name.to_ascii_lowercase().starts_with("on")
            || value.to_ascii_lowercase().contains("javascript:");
        if !bad {
            let space = attribute.len() - trimmed.len();
            out.push_str(attribute.get(..space).unwrap_or_default());
            out.push_str(&name);
            out.push_str(value);
        }
        rest = next;
    }
    out.push_str(rest);
    out
}

/// Bytes of `="…"` at the beginning of a text.
fn value_length(text: &str) -> usize {
    let Some(value) = text.strip_prefix('=') else {
        return 0;
    };
    match value.chars().next() {
        Some(quote @ ('"' | '\'')) => value
            .get(1..)
            .and_then(|inner| inner.find(quote))
            .map_or(text.len(), |at| at + 3),
        _ => value
            .find(|c: char| c.is_whitespace() || c == '>')
            .map_or(text.len(), |at| at + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_and_handlers_go_and_everything_else_stays_byte_for_byte() {
        let cases = [
            (
                "<p>a < b &amp; \u{202e}c</p>",
                "<p>a < b &amp; \u{202e}c</p>",
            ),
            ("x<script>alert('<p>')</script>y", "xy"),
            (
                "<a href=\"javascript:x()\" title='t'>z</a>",
                "<a title='t'>z</a>",
            ),
            ("<img src=\"a.png\" onerror=\"x()\">", "<img src=\"a.png\">"),
            ("1 <2 and <b>3", "1 <2 and <b>3"),
        ];
        for (given, kept) in cases {
            assert_eq!(sanitise(given), kept);
        }
    }

    #[test]
    fn numbers_moments_and_days_are_read_as_documented() {
        assert!(["0", "-12.50", ".5", "7."].into_iter().all(is_number));
        assert!(
            !["", "1e3", "1,5", "-", "abc", "1.2.3"]
                .into_iter()
                .any(is_number)
        );
        assert_eq!(moment("1709287200000"), moment("2024-03-01T10:00:00.000Z"));
        assert!(moment("2024-03-01T10:00:00+01:00").is_none());
        assert!(day("2024-03-01").is_some() && day("1709251200000").is_some());
        assert!(day("1709251200001").is_none() && day("2024-3-1").is_none());
    }
}
