//! How fast a mapping is proposed: a large schema of the source against an account that has much of it under other names.
//!
//! It is one thread that computes, so that the time of the processor is what it takes, whatever else the machine does.

use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use transload_host::config::Config;
use transload_host::contract::destination::{
    Slot, SlotOption, SurveyReport, TargetAgent, TargetField,
};
use transload_host::contract::types::{Entry, FieldType, Kind};
use transload_host::pipeline::evidence::Seen;
use transload_host::pipeline::mapping::{self, Known};

use crate::host::cpu_seconds;
use crate::table::Line;

/// Custom attributes of the source, and as many fields there.
const ATTRIBUTES: usize = 300;
/// Types of custom objects.
const KLASSES: usize = 40;
/// Agents on both sides.
const AGENTS: usize = 200;
/// Tags of the source.
const TAGS: usize = 1_000;
/// It is proposed so often.
const TIMES: u32 = 10;
/// What is wanted, ms.
const WANTED_MS: f64 = 1_000.0;

const WORDS: [&str; 20] = [
    "loyalty", "order", "refund", "region", "contract", "renewal", "device", "serial", "billing",
    "address", "priority", "channel", "campaign", "source", "segment", "language", "invoice",
    "delivery", "warranty", "status",
];

/// Measures proposals and the plan's own lists.
///
/// # Errors
/// Records or rules that are not as they should be.
pub fn measure() -> Result<Vec<Line>> {
    let config = Config::parse(
        Path::new("migration.toml"),
        "[migration]\nfrom = \"old\"\nto = \"new\"\n[connections.old]\nplugin = \"o\"\n[connections.new]\nplugin = \"n\"\n".into(),
    )?;
    let (schema, survey) = (schema()?, survey());
    let seen = Seen::default();
    let known = Known {
        schema: &schema,
        slots: &survey.slots,
        fields: &survey.fields,
        agents: &survey.agents,
        seen: &seen,
        destination: "new",
    };
    let begun = cpu_seconds()?;
    let (mut proposed, mut guesses) = (0, 0);
    for _ in 0..TIMES {
        let proposal = mapping::proposal(&config, &known, true);
        let fields = mapping::fields(&config, &schema, &survey.fields, &seen, "new");
        let names = mapping::names(&config, &schema, &survey.slots, &seen, "new");
        proposed = proposal.len();
        guesses = fields.plan.iter().filter(|f| f.perhaps.is_some()).count()
            + names.iter().filter(|n| n.perhaps.is_some()).count();
    }
    // A bench of nothing would be fast.
    ensure!(
        proposed >= ATTRIBUTES && guesses > 20,
        "{proposed} proposals, {guesses} guesses"
    );
    let ms = (cpu_seconds()? - begun) * 1e3 / f64::from(TIMES);
    Ok(vec![
        Line::at_most(
            "f",
            format!("a mapping of {ATTRIBUTES} attributes and {KLASSES} klasses proposed"),
            "ms",
            ms,
            WANTED_MS,
            1.0,
        ),
        Line::told("  entries proposed", "", proposed as f64),
        Line::told("  of them guesses at fields and names", "", guesses as f64),
    ])
}

fn word(n: usize) -> &'static str {
    WORDS.get(n % WORDS.len()).copied().unwrap_or_default()
}

/// A name of two words, the second of which tells it from the next twenty.
fn label(n: usize) -> String {
    format!("{} {} {}", word(n), word(n * 7 + n / 20), n / 40)
}

fn record(kind: &str, id: String, data: Value) -> Result<Entry> {
    Ok(serde_json::from_value(json!({
        "head": {"kind": kind, "id": id, "deleted": false, "fields": [], "raw": [], "losses": []},
        "data": {kind: data},
    }))?)
}

fn schema() -> Result<Vec<Entry>> {
    let mut all = vec![];
    for n in 0..ATTRIBUTES {
        // Two thirds on the four large kinds, the rest on the klasses.
        let (owner, kind, object) = match n % 6 {
            0 | 1 => ("customer".to_owned(), "Customer", None),
            2 => ("conversation".to_owned(), "Conversation", None),
            3 => ("company".to_owned(), "Company", None),
            _ => {
                let klass = format!("klass{}", n % KLASSES);
                (
                    format!("custom-object:{klass}"),
                    "CustomObject",
                    Some(klass),
                )
            }
        };
        let id = format!("{owner}/attribute{n}Str");
        let data = json!({"owner": {"kind": kind, "object_type": object}, "name": format!("attribute{n}Str"),
            "label": label(n), "field_type": "Text", "options": [], "required": false, "sensitive": false, "retired": false});
        all.push(record("FieldDefinition", id, data)?);
    }
    for n in 0..KLASSES {
        let data = json!({"name": format!("klass{n}"), "label": format!("{} {}", word(n), word(n + 9)), "status": "enabled",
            "traits": []});
        all.push(record("ObjectType", format!("klass{n}"), data)?);
    }
    for n in 0..AGENTS {
        let data = json!({"name": format!("{} {}", word(n), word(n + n / 20)), "email": format!("agent{n}@old.example"),
            "state": "Active", "machine": false, "roles": [], "teams": []});
        all.push(record("Agent", format!("a{n}"), data)?);
    }
    for n in 0..TAGS {
        all.push(record("Tag", format!("t{n}"), json!({"name": label(n)}))?);
    }
    Ok(all)
}

fn survey() -> SurveyReport {
    let fields = (0..ATTRIBUTES).map(|n| TargetField {
        kind: match n % 6 {
            0 | 1 => Kind::Customer,
            2 => Kind::Conversation,
            3 => Kind::Company,
            _ => Kind::CustomObject,
        },
        object_type: (n % 6 > 3).then(|| format!("klass{}", n % KLASSES)),
        address: format!("f{n}"),
        name: format!("field_{n}"),
        // A third is the same, a third is spelled nearly so, a third is something else.
        label: match n % 3 {
            0 => label(n),
            1 => format!("{}s", label(n)).replacen('a', "aa", 1),
            _ => format!("other thing {n}"),
        },
        field_type: FieldType::Text,
        required: false,
        options: vec![],
    });
    let names = (0..KLASSES).map(|n| SlotOption {
        value: format!("o{n}"),
        label: format!("{} {}s", word(n), word(n + 9)),
    });
    let agents = (0..AGENTS).map(|n| TargetAgent {
        id: format!("u{n}"),
        email: Some(format!("person{n}@new.example")),
        name: format!("{} {}", word(n), word(n + n / 20)),
        active: true,
        note: None,
    });
    SurveyReport {
        slots: vec![Slot {
            kind: Kind::ObjectType,
            name: "name".into(),
            values: names.collect(),
            defaults: vec![],
            fallback: None,
        }],
        agents: agents.collect(),
        fields: fields.collect(),
        allowances: vec![],
        notices: vec![],
        counts: vec![],
        support: None,
    }
}
