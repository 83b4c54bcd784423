//! The history that a destination is tested with: one or two of every kind, with what platforms stumble over in it.

use serde_json::{Map, Value, json};

use crate::contract::types::Entry;
use crate::error::Error;

/// When it was written: a day of November 2023, ms since 1970.
const DAY: i64 = 1_700_000_000_000;

/// A word that is nowhere else than in the record that a platform is made to refuse.
pub(super) const BAD: &str = "Wurmstichig";

/// A word of a message that must show up in no error and no report.
pub(super) const PRIVATE: &str = "Gerstenkornblume";

/// Text that is hard to pass on: control of direction, letters of several parts, markup, formulas, line ends of all sorts, quotes.
const ODD: &str = "Zoë says: 1 < 2 && \"3\" > '2'; {{name}} %s %20 \\n =1+1 <b>not bold</b> &amp; e\u{301} \u{1F469}\u{200D}\u{1F680} \
                   \u{5D0}\u{5D1} \u{627}\u{644} \u{FF21}\nsecond line\n\n  indented line\ttab\nlast line";

/// Defaults of a kind, under what is said of a record.
fn blank(kind: &str) -> Value {
    match kind {
        "Team" => json!({"members": []}),
        "Agent" => json!({"state": "Active", "machine": false, "roles": [], "teams": []}),
        "Brand" => json!({"is_default": false}),
        "Company" => json!({"addresses": [], "domains": [], "locations": [], "tags": []}),
        "Customer" => {
            json!({"addresses": [], "external_ids": [], "locations": [], "tags": [], "merged_from": [], "watchers": []})
        }
        "Conversation" => {
            json!({"status": "Open", "assignees": [], "teams": [], "channels": ["email"], "tags": [],
            "direction": "Inbound", "spam": false, "locked": false, "linked": []})
        }
        "Message" => {
            json!({"visibility": "Public", "direction": "Inbound", "channel": "email", "to": [], "cc": [], "bcc": [],
            "body_source": "Full", "delivery": {"status": "Received"}, "auto": false, "bulk": false, "redacted": false,
            "spam": false, "forwarded": false, "reactions": [], "mentions": [], "links": []})
        }
        "Attachment" => json!({"inline": false, "state": "Available"}),
        "FieldDefinition" => {
            json!({"options": [], "required": false, "sensitive": false, "retired": false})
        }
        "ObjectType" => json!({"status": "enabled", "traits": []}),
        "CustomObject" => json!({"images": [], "tags": [], "comments": []}),
        _ => json!({}),
    }
}

struct Made<'a> {
    kind: &'a str,
    id: &'a str,
    at: i64,
    fields: Vec<(&'a str, Value)>,
    data: Value,
}

impl Made<'_> {
    fn entry(self) -> Result<Entry, Error> {
        let mut data = match blank(self.kind) {
            Value::Object(blank) => blank,
            _ => Map::new(),
        };
        if let Value::Object(more) = self.data {
            data.extend(more);
        }
        let fields = self
            .fields
            .into_iter()
            .map(|(name, value)| json!({"name": name, "value": value}));
        let fields: Vec<Value> = fields.collect();
        let entry = json!({
            "head": {
                "kind": self.kind, "id": self.id, "created_at": DAY + self.at, "updated_at": DAY + self.at + 1,
                "deleted": false, "fields": fields, "raw": [], "losses": [],
            },
            "data": {self.kind: data},
        });
        serde_json::from_value(entry).map_err(|e| {
            Error::failed(
                "corpus",
                format!("the test's record {} {} is none: {e}", self.kind, self.id),
            )
        })
    }
}

fn to(kind: &str, id: &str) -> Value {
    json!({"kind": kind, "id": id})
}

fn email(address: &str) -> Value {
    json!({"value": address, "channel": "Email", "shared": false, "primary": true})
}

fn minutes(n: i64) -> i64 {
    n * 60_000
}

/// All records, in no order.
pub(super) fn records() -> Result<Vec<Entry>, Error> {
    let made = |kind, id, at, data| Made {
        kind,
        id,
        at,
        fields: Vec::new(),
        data,
    };
    let person = |id: &str| json!({"Person": to("Customer", id)});
    let ada = json!({"Person": to("Agent", "a1")});
    let text = |text: &str| json!({"Inline": text});
    let all = vec![
        made("Team", "t1", 0, json!({"name": "Conformance support"})),
        made(
            "Agent",
            "a1",
            0,
            json!({"name": "Ada Conforming", "email": "ada@conformance.example"}),
        ),
        made("Tag", "g1", 0, json!({"name": "conformance-urgent"})),
        made("Tag", "g2", 0, json!({"name": "conformance-later"})),
        made(
            "FieldDefinition",
            "customer/plan",
            0,
            json!({"owner": {"kind": "Customer"}, "name": "plan", "label": "Conformance plan", "field_type": "Text"}),
        ),
        made(
            "FieldDefinition",
            "conversation/orders",
            0,
            json!({"owner": {"kind": "Conversation"}, "name": "orders", "label": "Conformance orders", "field_type": "Integer"}),
        ),
        made(
            "ObjectType",
            "boat",
            0,
            json!({"name": "boat", "label": "Conformance boat", "label_plural": "Conformance boats"}),
        ),
        made(
            "FieldDefinition",
            "custom-object:boat/length",
            0,
            json!({"owner": {"kind": "CustomObject", "object_type": "boat"}, "name": "length", "label": "Length", "field_type": "Decimal"}),
        ),
        made(
            "Company",
            "o1",
            minutes(1),
            json!({"name": "Conformance Ltd", "domains": ["conformance-ltd.example"]}),
        ),
        Made {
            fields: vec![("plan", json!({"Text": "gold"}))],
            ..made(
                "Customer",
                "c1",
                minutes(2),
                json!({"name": "Cleo Conforming", "company": to("Company", "o1"),
                "addresses": [email("cleo@conformance-ltd.example"),
                    {"value": "+1 555 555 0123", "channel": "Phone", "shared": false, "primary": true}]}),
            )
        },
        made(
            "Customer",
            "c2",
            minutes(3),
            json!({"name": format!("{BAD} Apple"), "addresses": [email("apple@conformance.example")]}),
        ),
        made(
            "Customer",
            "c3",
            minutes(4),
            json!({"name": "Zoë \u{5D0}\u{5D1} O'Brien-Ünal", "addresses": [email("Zoe.Odd@Conformance.Example")]}),
        ),
        Made {
            fields: vec![("orders", json!({"Integer": 3}))],
            ..made(
                "Conversation",
                "v1",
                minutes(10),
                json!({"customer": to("Customer", "c1"), "subject": "Where is my boat",
                "status": "Closed", "closed_at": DAY + minutes(40), "assignees": [to("Agent", "a1")], "teams": [to("Team", "t1")],
                "tags": [to("Tag", "g1")], "message_count": 2, "note_count": 1}),
            )
        },
        made(
            "Message",
            "v1m1",
            minutes(10),
            json!({"conversation": to("Conversation", "v1"), "customer": to("Customer", "c1"),
            "author": person("c1"), "text": text(&format!("Where is it? {PRIVATE}")), "sent_at": DAY + minutes(10), "attachment_count": 1}),
        ),
        made(
            "Attachment",
            "v1f1",
            minutes(10),
            json!({"parent": to("Message", "v1m1"), "conversation": to("Conversation", "v1"),
            "name": "a drawing é.txt", "media_type": "text/plain", "size": FILE.len()}),
        ),
        made(
            "Message",
            "v1n1",
            minutes(20),
            json!({"conversation": to("Conversation", "v1"), "visibility": "Internal",
            "direction": "None", "author": ada, "text": text("Ask the harbour first."), "sent_at": DAY + minutes(20)}),
        ),
        made(
            "Message",
            "v1m2",
            minutes(30),
            json!({"conversation": to("Conversation", "v1"), "direction": "Outbound",
            "author": ada, "text": text("On its way."), "sent_at": DAY + minutes(30), "delivery": {"status": "Sent"}}),
        ),
        made(
            "Conversation",
            "v2",
            minutes(50),
            json!({"customer": to("Customer", "c2"), "subject": "An apple", "message_count": 1,
            "note_count": 0}),
        ),
        made(
            "Message",
            "v2m1",
            minutes(50),
            json!({"conversation": to("Conversation", "v2"), "customer": to("Customer", "c2"),
            "author": person("c2"), "text": text("An apple, please."), "sent_at": DAY + minutes(50)}),
        ),
        made(
            "Conversation",
            "v3",
            minutes(60),
            json!({"customer": to("Customer", "c3"), "subject": "Odd \u{1F680} <subject> & \"more\"",
            "tags": [to("Tag", "g2")], "message_count": 1, "note_count": 0}),
        ),
        made(
            "Message",
            "v3m1",
            minutes(60),
            json!({"conversation": to("Conversation", "v3"), "customer": to("Customer", "c3"),
            "author": person("c3"), "text": text(ODD), "sent_at": DAY + minutes(60)}),
        ),
        Made {
            fields: vec![("length", json!({"Decimal": "12.50"}))],
            ..made(
                "CustomObject",
                "b1",
                minutes(70),
                json!({"object_type": "boat", "title": "The Conforming", "customer": to("Customer", "c1")}),
            )
        },
    ];
    all.into_iter().map(Made::entry).collect()
}

/// The record without which another one does not arrive, by kind and id.
pub(super) fn hangs_on(id: &str) -> Option<(&'static str, &'static str)> {
    match id {
        "v1" | "b1" => Some(("customer", "c1")),
        "v3" => Some(("customer", "c3")),
        "v1m1" | "v1f1" | "v1n1" | "v1m2" => Some(("conversation", "v1")),
        "v3m1" => Some(("conversation", "v3")),
        _ => None,
    }
}

/// By what a record is known in a request that has it, beside its id and marker.
pub(super) fn words(id: &str) -> &'static [&'static str] {
    match id {
        "c1" => &["Cleo Conforming", "cleo@conformance-ltd.example"],
        "c3" => &[
            "O'Brien",
            "zoe.odd@conformance.example",
            "Zoe.Odd@Conformance.Example",
        ],
        "v1" => &["Where is my boat"],
        "v3" => &["Odd \u{1F680}"],
        "v1m1" => &[PRIVATE],
        // A file goes with its message.
        "v1f1" => &[PRIVATE, "a drawing"],
        "v1n1" => &["Ask the harbour first."],
        "v1m2" => &["On its way."],
        "v3m1" => &["{{name}} %s %20"],
        "b1" => &["The Conforming"],
        _ => &[],
    }
}

/// What is in the file of the history.
pub(super) const FILE: &[u8] = "A drawing, in words.\r\nIts second line: \u{2693}\n".as_bytes();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_of_the_history_is_one() {
        let records = records().unwrap();
        assert!(records.len() > 20);
    }
}
