//! The `migration.toml` that `init` writes: everything that can be set, with what it means and what it is by default.

use serde_json::Value;
use toml_edit::Value as Toml;

use super::Config;
use super::settings::is_secret;
use crate::contract::description::Description;

impl Config {
    /// A commented file for these two plugins; what the user must fill in is marked `fill in`. Without descriptions, a
    /// template with made-up names.
    pub fn template(source: Option<&Description>, destination: Option<&Description>) -> String {
        let from = source.map_or("old-desk", |d| d.name.as_str());
        let to = match destination.map_or("acme-desk", |d| d.name.as_str()) {
            same if same == from => format!("{same}-new"),
            other => other.to_owned(),
        };
        let mut text = String::from(HEAD);
        text.push_str(&format!(
            "[migration]\nfrom = {}\nto = {}\n",
            quoted(from),
            quoted(&to)
        ));
        text.push_str(MIGRATION);
        connection(&mut text, from, source, "The source: only read.");
        connection(&mut text, &to, destination, "The destination.");
        text.push_str(REST);
        text
    }
}

fn connection(text: &mut String, name: &str, description: Option<&Description>, what: &str) {
    text.push_str(&format!(
        "# {what}\n[connections.{}]\n",
        bare_or_quoted(name)
    ));
    let Some(description) = description else {
        text.push_str(&format!(
            "plugin = {}\n# The settings of the plugin: `transload plugin show {name}` lists them. A secret is never written\n\
             # here, only where it is: \"env:NAME\" (a variable) or \"file:PATH\" (a file that only you can read).\n\
             # api_token = \"env:{}\"\n\n",
            quoted(name),
            variable(name, "api_token"),
        ));
        return;
    };
    text.push_str(&format!(
        "plugin = {}\n",
        quoted(&format!("{}@^{}", description.name, description.version))
    ));
    if let [first, _, ..] = description.auth.as_slice() {
        text.push_str("# How to authenticate:\n");
        for scheme in &description.auth {
            let title = one_line(&scheme.title);
            text.push_str(&format!("#   {}: {title}\n", scheme.name));
        }
        text.push_str(&format!("# auth = {}\n", quoted(&first.name)));
    }
    let schema: Value = serde_json::from_str(&description.config_schema).unwrap_or_default();
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (setting, property) in schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let about = ["description", "title"]
            .iter()
            .find_map(|k| property.get(k)?.as_str());
        for line in about.unwrap_or("").lines() {
            text.push_str(&format!("# {line}\n"));
        }
        let allowed: Vec<String> = property
            .get("enum")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(Value::to_string)
            .collect();
        if !allowed.is_empty() {
            text.push_str(&format!("# One of: {}\n", allowed.join(", ")));
        }
        let needed = required.contains(&setting.as_str());
        let example = ["default", "examples"].iter().find_map(|k| {
            let value = property.get(k)?;
            toml_value(if *k == "examples" {
                value.get(0)?
            } else {
                value
            })
        });
        let value = match (is_secret(property), example) {
            (true, _) => quoted(&format!("env:{}", variable(name, setting))),
            (false, Some(example)) => example,
            (false, None) => empty_of(property),
        };
        let comment = if needed { "" } else { "# " };
        let mark = if needed && !is_secret(property) {
            "   # fill in"
        } else {
            ""
        };
        text.push_str(&format!(
            "{comment}{} = {value}{mark}\n",
            bare_or_quoted(setting)
        ));
    }
    text.push_str("# Hosts to allow beyond those the plugin asks for:\n# allow_hosts = [\"files.example.com\"]\n\n");
}

/// `acme-desk`, `api_token` → `ACME_DESK_API_TOKEN`
fn variable(connection: &str, setting: &str) -> String {
    format!("{connection}_{setting}")
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect()
}

fn empty_of(property: &Value) -> String {
    match property.get("type").and_then(Value::as_str) {
        Some("integer" | "number") => "0".to_owned(),
        Some("boolean") => "false".to_owned(),
        Some("array") => "[]".to_owned(),
        _ => "\"\"".to_owned(),
    }
}

fn toml_value(json: &Value) -> Option<String> {
    Some(match json {
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => n.to_string(),
        Value::String(s) => quoted(s),
        Value::Array(list) => {
            let list: Option<Vec<String>> = list.iter().map(toml_value).collect();
            format!("[{}]", list?.join(", "))
        }
        Value::Null | Value::Object(_) => return None,
    })
}

fn quoted(text: &str) -> String {
    Toml::from(text).to_string()
}

fn bare_or_quoted(key: &str) -> String {
    toml_edit::Key::new(key).to_string()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

const HEAD: &str = "\
# What moves from where to where, and by which rules. Lines that are commented out show what is taken by default.
#
#   transload check     tests both connections
#   transload plan      shows what will arrive, what changes, what is lost; adds its proposals to [map] below
#   transload run       does it; may be stopped and started again at any time
#   transload rollback  takes it back

";

const MIGRATION: &str = "\
# For platforms that know dates only, and for the times in this file.
# time_zone = \"UTC\"
# What has been read and done, beside this file.
# store = \"transload.db\"
# Dangers that you take on, by code; `transload plan --accept CODE` adds to it.
# accept = []

";

const REST: &str = "\
[people]
# The destination's agent who stands in for agents it does not know; their names stay in the text.
# fallback_agent = \"migration@example.com\"

# People and companies that are already there: leave | fill-empty | source-wins
[people.match]
# customer = \"fill-empty\"
# company = \"fill-empty\"

# Agents whose addresses differ on both sides.
[people.agents]
# \"jo@old.example\" = \"jo@new.example\"

# What moves; what hangs on a conversation follows it.
[filter]
# kinds = [\"customer\", \"conversation\", \"message\"]
# Conversations by the time of their last change, or of their creation:
# updated_since = 2024-01-31
# updated_before = 2025-01-31
# created_since = 2024-01-31
# created_before = 2025-01-31
# Conversations in these states, of these brands, of these teams only:
# statuses = [\"open\", \"snoozed\"]
# brands = [\"Acme\"]
# teams = [\"Support\"]
# Those marked as spam, and those that are deleted but can still be read, too (where the destination's connection takes them):
# spam = false
# deleted = false
# Tags that are taken off everything; a * stands for any letters:
# exclude_tags = [\"tmp-*\"]
# Customers left out everywhere, by id or address, with what hangs on them:
# exclude_people = []

[load]
# newest-first | oldest-first | open-first
# order = \"newest-first\"
# Conversations that are not closed wait for the last delta (`transload delta --close`).
# hold_open = false
# Halts after so many rejects of one cause in a row, or at so many percent of a kind.
# stop_rule = { consecutive = 20, percent = 2.0 }
# concurrency = 8

# What changed after the run, brought over by `transload delta`. Changed on both sides: target-wins | source-wins | ask; changed where
# the destination takes no change: list | recreate; deleted in the source: list | remove.
[delta]
# conflicts = \"target-wins\"
# frozen = \"list\"
# deleted = \"list\"

# How much of the free rate limits we may use: your live work comes first.
[budget]
# share = 0.5
# hours = [{ days = \"mon-fri\", from = \"20:00\", to = \"06:00\", share = 0.9 }]

# Run by the shell on pause, stop and end, with TRANSLOAD_EVENT, TRANSLOAD_RUN and TRANSLOAD_MESSAGE set.
[notify]
# command = \"logger -t transload \\\"$TRANSLOAD_EVENT $TRANSLOAD_MESSAGE\\\"\"
# Sent the same as JSON, with the run's sum; an address may be a secret: \"env:NAME\" or \"file:PATH\".
# webhook = \"https://hooks.example.com/transload\"

# What a value or a custom field becomes. `transload plan` adds what is missing and never changes what stands here; \"\" is a
# question that waits for your answer (`plan --accept-all` takes the best guess).
#   [map.conversation.status]
#   \"open\" = \"open\"
#   \"*\" = \"pending\"          # for values not named
#   [map.fields]
#   \"customer/tier\" = \"vip\"  # into a field that is there
#   \"customer/old\" = false   # left out; `true` makes it
#   [map.team.name]           # likewise tag, brand, object-type
#   \"Support\" = \"Helpdesk\" # looked for, or made, by that name
[map]
";
