//! The source card (rule M-2): one private text, of one format for all destinations, that holds what a record was in the source
//! and the destination has no field for.
//!
//! A readable list first, then the same as one line of JSON, so that a person can read it and a program can. The marker stands
//! in both, so the platform's search finds a record by its source id. The order is the order given: the same record gives the
//! same card.

mod facts;

pub use facts::{
    Facts, Misfit, addresses, conversation, customer, fitted, head, location, loss, object,
    only_on_card, satisfaction, whole_object,
};
use serde::Serialize;

use crate::text::escape_html;
use crate::time;
use crate::types::{Entry, Fidelity, Loss, Value};
use crate::{Result, destination};

/// Version of the JSON line's form.
const FORM: u32 = 1;

/// What a card is made of.
#[derive(Debug, Clone)]
pub struct ItemCtx<'a> {
    /// Name of the source platform.
    pub platform: &'a str,
    /// `platform:organisation:kind:id`, as the item has it.
    pub marker: &'a str,
    /// The record.
    pub entry: &'a Entry,
    /// Facts that the destination has no field for: name and value, in words.
    pub facts: Vec<(String, String)>,
    /// What the host knows besides.
    pub notes: &'a [String],
    /// What did not travel as it was; the record's own losses are added.
    pub losses: &'a [Loss],
}

impl<'a> ItemCtx<'a> {
    /// For an item, without facts and losses yet.
    pub fn new(cx: &'a crate::Context, item: &'a destination::Item) -> Self {
        Self {
            platform: cx.platform(),
            marker: &item.marker,
            entry: item.entry(),
            facts: Vec::new(),
            notes: &item.notes,
            losses: &[],
        }
    }

    /// Adds a fact where there is one.
    #[must_use]
    pub fn fact(mut self, name: &str, value: Option<impl std::fmt::Display>) -> Self {
        if let Some(value) = value {
            self.facts.push((name.to_owned(), value.to_string()));
        }
        self
    }
}

/// A card in two renderings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// HTML without any style.
    pub html: String,
    /// Plain text.
    pub text: String,
}

#[derive(Serialize)]
struct Compact<'a> {
    transload_card: u32,
    source: &'a str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    facts: Vec<(&'a str, &'a str)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<(&'a str, String)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    raw: Vec<(&'a str, &'a str)>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    notes: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    losses: Vec<(&'a str, &'static str, &'a str)>,
}

/// Writes the card: id, address and original times; the facts given; custom fields without a target; attributes the contract
/// has no slot for; notes; losses.
///
/// # Errors
/// `bug` where a custom field's value is no JSON.
pub fn source_card(item: &ItemCtx<'_>) -> Result<Card> {
    let head = &item.entry.head;
    let mut fields = Vec::new();
    for field in head.fields.iter().filter(|field| field.target.is_none()) {
        fields.push((field.name.as_str(), value_text(&field.value)?));
    }
    let compact = Compact {
        transload_card: FORM,
        source: item.marker,
        id: &head.id,
        url: head.url.as_deref(),
        created_at: head.created_at.and_then(time::format_utc),
        updated_at: head.updated_at.and_then(time::format_utc),
        facts: item
            .facts
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect(),
        fields,
        raw: head
            .raw
            .iter()
            .map(|raw| (raw.name.as_str(), raw.json.as_str()))
            .collect(),
        notes: item.notes,
        losses: head
            .losses
            .iter()
            .chain(item.losses)
            .map(|loss| (loss.field.as_str(), fidelity(loss.how), loss.note.as_str()))
            .collect(),
    };
    let json = serde_json::to_string(&compact)?;

    let mut lines: Vec<(String, String)> = vec![
        ("Source".to_owned(), item.platform.to_owned()),
        ("Source id".to_owned(), head.id.clone()),
        ("Marker".to_owned(), item.marker.to_owned()),
    ];
    let mut line = |name: &str, value: &str| lines.push((name.to_owned(), value.to_owned()));
    for (name, value) in [
        ("Link", compact.url),
        ("Created", compact.created_at.as_deref()),
        ("Updated", compact.updated_at.as_deref()),
    ] {
        if let Some(value) = value {
            line(name, value);
        }
    }
    for (name, value) in &compact.facts {
        line(name, value);
    }
    for (name, value) in &compact.fields {
        line(name, value);
    }
    for (name, value) in &compact.raw {
        line(name, value);
    }
    for note in compact.notes {
        line("Note", note);
    }
    for (field, how, note) in &compact.losses {
        line(
            &format!("Not as it was ({how})"),
            &format!("{field}: {note}"),
        );
    }

    let mut text = String::new();
    let mut html = String::from("<ul>");
    for (name, value) in &lines {
        text.push_str(&format!("{name}: {value}\n"));
        html.push_str(&format!(
            "<li>{}: {}</li>",
            escape_html(name),
            escape_html(value)
        ));
    }
    html.push_str(&format!("</ul><pre>{}</pre>", escape_html(&json)));
    text.push('\n');
    text.push_str(&json);
    text.push('\n');
    Ok(Card { html, text })
}

fn fidelity(how: Fidelity) -> &'static str {
    match how {
        Fidelity::Exact => "exact",
        Fidelity::Converted => "converted",
        Fidelity::Lost => "lost",
    }
}

/// A custom field's value for reading.
fn value_text(value: &Value) -> Result<String> {
    Ok(match value {
        Value::Text(text)
        | Value::Decimal(text)
        | Value::Date(text)
        | Value::Choice(text)
        | Value::Link(text)
        | Value::Json(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Boolean(yes) => yes.to_string(),
        Value::Moment(moment) => match time::format(moment) {
            Some(text) => text,
            None => moment.at.to_string(),
        },
        Value::Choices(items) => serde_json::to_string(items)?,
        Value::Path(items) => items.join(" / "),
        Value::Reference(reference) => reference.id.clone(),
        Value::References(references) => {
            serde_json::to_string(&references.iter().map(|r| &r.id).collect::<Vec<_>>())?
        }
    })
}
