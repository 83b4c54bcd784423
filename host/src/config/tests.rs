use super::*;
use crate::contract::description as wit;
use crate::contract::types::{Fidelity, InventoryCategory, Kind};

const GOOD: &str = r#"# ours
[migration]
from = "old"   # read only
to = "new"
time_zone = "Europe/Berlin"

[connections.old]
plugin = "old-desk@^0.1"
token = "env:TRANSLOAD_TEST_NOT_SET"

[connections.new]
plugin = "acme-desk"
subdomain = "acme"

[people]
fallback_agent = "m@acme.example"
[people.match]
company = "leave"

[map.conversation.status]
# mine
"open" = "offen"
"*" = "alt"
"later" = ""

[map.fields]
"customer/tier" = "vip"
"customer/old" = false

[filter]
updated_since = 2024-07-01
created_since = "2024-07-01T08:00:00+02:00"

[budget]
share = 0.25
hours = [{ days = "fri-sat", from = "22:00", to = "06:00", share = 1.0 }]
"#;

const SCHEMA: &str = r#"{"type":"object","required":["subdomain","api_token"],"properties":{
    "subdomain":{"type":"string","minLength":1,"description":"The part before .acme.example."},
    "api_token":{"type":"string","writeOnly":true,"minLength":20},
    "page_size":{"type":"integer","maximum":100,"default":50}}}"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("migration.toml"), text.to_owned())
}

fn wrong(text: &str) -> String {
    let error = parse(text).unwrap_err();
    format!(
        "{error} [{}] {}",
        error.code(),
        error.hint().unwrap_or_default()
    )
}

fn with_new(settings: &str) -> Config {
    parse(&GOOD.replace("subdomain = \"acme\"", settings)).unwrap()
}

#[test]
fn a_good_file_is_read_with_all_its_defaults() {
    let config = parse(GOOD).unwrap();
    assert_eq!(config.people.policy("company"), MatchPolicy::Leave);
    assert_eq!(config.people.policy("customer"), MatchPolicy::FillEmpty);
    assert_eq!(
        config.map.value("conversation", "status", "open"),
        Some("offen")
    );
    assert_eq!(
        config.map.value("conversation", "status", "waiting"),
        Some("alt")
    );
    assert_eq!(
        config.map.value("conversation", "status", "later"),
        Some("alt")
    );
    assert_eq!(config.map.value("conversation", "priority", "1"), None);
    assert_eq!(config.map.fields["customer/old"], FieldTarget::Make(false));
    assert_eq!(
        config.load.stop_rule,
        StopRule {
            consecutive: 20,
            percent: 2.0
        }
    );
    assert_eq!(
        config.connections["old"].plugin.to_string(),
        "old-desk@^0.1"
    );
    assert_eq!(config.connections["new"].plugin.to_string(), "acme-desk");
    let zone = config.migration.time_zone;
    // Midnight in Berlin, in summer.
    assert_eq!(
        config.filter.updated_since.unwrap().to_ms(zone),
        1_719_784_800_000
    );
    assert_eq!(
        config.filter.created_since.unwrap().to_ms(zone),
        1_719_813_600_000
    );
}

#[test]
fn hours_go_over_midnight_and_belong_to_the_day_they_begin_on() {
    let config = parse(GOOD).unwrap();
    let share = |text: &str| {
        let at = DateTime::parse_from_rfc3339(text)
            .unwrap()
            .timestamp_millis();
        config.budget.share_at(at, config.migration.time_zone)
    };
    assert_eq!(share("2024-07-05T21:59:00+02:00"), 0.25); // a Friday
    assert_eq!(share("2024-07-05T22:00:00+02:00"), 1.0);
    assert_eq!(share("2024-07-06T05:59:00+02:00"), 1.0);
    assert_eq!(share("2024-07-06T06:00:00+02:00"), 0.25);
    assert_eq!(share("2024-07-07T05:59:00+02:00"), 1.0);
    assert_eq!(share("2024-07-08T05:59:00+02:00"), 0.25);
}

#[test]
fn broken_toml_is_shown_with_its_line_and_a_caret() {
    let message = wrong("[migration]\nfrom = \"a\nto = \"b\"\n");
    assert!(message.starts_with("migration.toml:2:"), "{message}");
    assert!(
        message.contains("\n2 | from = \"a\n") && message.contains('^'),
        "{message}"
    );
    assert!(message.contains("[config-syntax]"), "{message}");
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_key() {
    let message = wrong(&GOOD.replace("fallback_agent", "fallbck_agent"));
    assert_eq!(
        message,
        "migration.toml:16:1: unknown key `fallbck_agent` [config-unknown-key] did you mean `fallback_agent`?"
    );
    let message = wrong(&format!("{GOOD}\n[loud]\nx = 1\n"));
    assert!(
        message.contains("unknown key `loud`") && message.contains("did you mean `load`?"),
        "{message}"
    );
    let message = wrong(&GOOD.replace("share = 0.25", "zzzzzzzzzz = 1"));
    assert!(message.contains("known here: share, hours"), "{message}");
}

#[test]
fn a_web_hook_is_an_address_or_where_one_is_kept() {
    for good in [
        "https://hooks.example/x",
        "http://10.0.0.7:80",
        "env:HOOK",
        "file:hook",
    ] {
        let text = format!("{GOOD}\n[notify]\nwebhook = \"{good}\"\n");
        assert_eq!(parse(&text).unwrap().notify.webhook.as_deref(), Some(good));
    }
    for bad in ["hooks.example/x", "ftp://hooks.example", "https://", ""] {
        let message = wrong(&format!("{GOOD}\n[notify]\nwebhook = \"{bad}\"\n"));
        assert!(message.contains("notify.webhook"), "{message}");
    }
}

#[test]
fn a_value_that_cannot_be_is_named_with_its_key() {
    for (from, to, expect) in [
        (
            "share = 0.25",
            "share = 1.5",
            "budget.share: 1.5 is no share",
        ),
        (
            "company = \"leave\"",
            "company = \"leaf\"",
            "did you mean \"leave\"?",
        ),
        (
            "company = \"leave\"",
            "compani = \"leave\"",
            "did you mean `company`?",
        ),
        (
            "Europe/Berlin",
            "Berlin",
            "migration.time_zone: \"Berlin\" is no time zone",
        ),
        (
            "2024-07-01\n",
            "\"july\"\n",
            "filter.updated_since: \"july\" is no date",
        ),
        ("fri-sat", "friday", "names no days"),
        ("22:00", "22", "is no time of day"),
        ("old-desk@^0.1", "old-desk@one", "is no version requirement"),
        (
            "to = \"new\"",
            "to = \"old\"",
            "the same connection is read and written",
        ),
        ("\"customer/tier\"", "\"tier\"", "write \"customer/tier\""),
        (
            "map.conversation",
            "map.conversations",
            "did you mean `conversation`?",
        ),
        ("to = \"new\"", "to = 3", "migration.to: invalid type"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let message = wrong(&GOOD.replacen(from, to, 1));
        assert!(message.contains(expect), "{from} → {to}: {message}");
    }
}

#[test]
fn an_unknown_connection_is_named_with_the_nearest_one() {
    let message = wrong(&GOOD.replace("to = \"new\"", "to = \"now\""));
    assert_eq!(
        message,
        "migration.toml:4:1: migration.to: there is no connection \"now\" \
         [config-unknown-connection] did you mean \"new\"?"
    );
}

#[test]
fn a_literal_secret_is_refused_and_not_repeated() {
    let config = with_new("subdomain = \"a\"\napi_token = \"s3cr3t\"");
    let error = config.settings("new", SCHEMA).unwrap_err();
    assert_eq!(error.code(), "config-literal-secret");
    assert!(
        error
            .to_string()
            .starts_with("migration.toml:14:1: connections.new.api_token"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("api_token = \"env:NAME\""));
    assert!(!format!("{error:?} {error} {:?}", error.hint()).contains("s3cr3t"));
}

#[test]
fn a_missing_secret_is_named_with_its_variable_or_file() {
    let config = with_new("subdomain = \"a\"\napi_token = \"env:TRANSLOAD_TEST_NOT_SET\"");
    let settings = config.settings("new", SCHEMA).unwrap();
    let error = settings.read_secrets().unwrap_err();
    assert_eq!(error.code(), "config-missing-secret");
    assert!(
        error
            .to_string()
            .contains("new.api_token: the variable TRANSLOAD_TEST_NOT_SET is not set")
    );

    let config = with_new("subdomain = \"a\"\napi_token = \"file:no/such\"");
    let error = config
        .settings("new", SCHEMA)
        .unwrap()
        .read_secrets()
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the file ./no/such cannot be read"),
        "{error}"
    );

    let config = with_new("subdomain = \"a\"");
    let error = config.settings("new", SCHEMA).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("connections.new.api_token: this setting is missing"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("env:NAME"));
}

#[test]
fn a_secret_file_gives_its_text_without_the_last_line_end_and_never_shows_it() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("token"), " päss\nword \r\n").unwrap();
    let text = GOOD.replace(
        "subdomain = \"acme\"",
        "subdomain = \"a\"\napi_token = \"file:token\"",
    );
    let config = Config::parse(&dir.path().join("migration.toml"), text).unwrap();
    let settings = config.settings("new", SCHEMA).unwrap();
    assert_eq!(
        settings.config,
        serde_json::json!({"subdomain": "a", "page_size": 50})
    );
    let secrets = settings.read_secrets().unwrap();
    assert_eq!(secrets["api_token"].expose(), " päss\nword ");
    assert_eq!(format!("{secrets:?}"), r#"{"api_token": ***}"#);
}

#[test]
fn settings_are_checked_against_the_plugins_schema() {
    let secret = "api_token = \"env:X\"";
    for (settings, expect) in [
        (
            format!("{secret}\nsubdomein = \"a\""),
            "unknown key `subdomein`",
        ),
        (
            format!("{secret}\nsubdomain = 3"),
            "connections.new.subdomain: 3 is not of type",
        ),
        (
            format!("{secret}\nsubdomain = \"\""),
            "connections.new.subdomain: ",
        ),
        (
            format!("{secret}\nsubdomain = \"a\"\npage_size = 500"),
            "connections.new.page_size: 500",
        ),
    ] {
        let error = with_new(&settings).settings("new", SCHEMA).unwrap_err();
        assert!(error.to_string().contains(expect), "{settings}: {error}");
        assert!(error.to_string().starts_with("migration.toml:1"), "{error}");
    }
    assert_eq!(
        with_new("x = 1").settings("new", "{").unwrap_err().code(),
        "plugin-schema"
    );
}

#[test]
fn a_plan_adds_to_the_map_and_leaves_what_the_user_wrote() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    std::fs::write(&path, GOOD).unwrap();
    let mut config = Config::load(&path).unwrap();
    let value = |slot: &str, value: &str, target: Option<&str>, comment: &str| ProposedValue {
        kind: "conversation".into(),
        slot: slot.into(),
        value: value.into(),
        target: target.map(str::to_owned),
        comment: Some(comment.into()),
    };
    let proposal = MapProposal {
        values: vec![
            value("status", "open", Some("new"), "must not win"),
            value("status", "snoozed \"x\"\n", Some("hold"), "by name, 0.9"),
            value("priority", "4/1..5", None, "choose: low, high\nurgent"),
        ],
        fields: vec![ProposedField {
            field: "customer/größe".into(),
            target: FieldTarget::Make(true),
            comment: None,
        }],
        agents: vec![],
    };
    assert_eq!(config.write_map(&proposal).unwrap(), 3);
    assert_eq!(
        config.write_map(&proposal).unwrap(),
        0,
        "a second time there is nothing to add"
    );
    assert_eq!(
        config
            .write_accepted(&["auto-close".into(), "auto-close".into()])
            .unwrap(),
        1
    );

    let text = std::fs::read_to_string(&path).unwrap();
    for line in GOOD.lines() {
        assert!(
            text.lines().any(|l| l == line),
            "{line:?} is gone from:\n{text}"
        );
    }
    let again = Config::load(&path).unwrap();
    assert_eq!(
        again.map.value("conversation", "status", "open"),
        Some("offen")
    );
    assert_eq!(
        again.map.value("conversation", "status", "snoozed \"x\"\n"),
        Some("hold")
    );
    assert_eq!(again.map.value("conversation", "priority", "4/1..5"), None);
    assert_eq!(again.map.fields["customer/größe"], FieldTarget::Make(true));
    assert_eq!(again.migration.accept, ["auto-close"]);
    assert!(
        text.contains("# by name, 0.9") && text.contains("# choose: low, high urgent"),
        "{text}"
    );
}

/// What was there is there, in one piece before and one piece after what was added.
fn only_added(before: &str, after: &str) {
    let same = |a: &mut dyn Iterator<Item = (u8, u8)>| a.take_while(|(a, b)| a == b).count();
    let front = same(&mut before.bytes().zip(after.bytes()));
    let back = same(&mut before.bytes().rev().zip(after.bytes().rev()));
    assert!(after.len() > before.len(), "nothing was added:\n{after}");
    assert!(
        front + back >= before.len(),
        "of {} bytes {front} are left in front and {back} behind:\n{after}",
        before.len()
    );
}

#[test]
fn who_stands_in_is_passed_on_to_a_destination_that_has_somebody_stand_in() {
    let with = SCHEMA.replace(
        "\"page_size\"",
        "\"fallback_agent\":{\"type\":\"string\",\"default\":\"nobody\"},\"page_size\"",
    );
    let secret = "subdomain = \"a\"\napi_token = \"env:X\"";
    let setting = |config: &Config, connection: &str, schema: &str| {
        let settings = config.settings(connection, schema).unwrap();
        settings.config.get("fallback_agent").cloned()
    };
    let config = with_new(secret);
    assert_eq!(
        setting(&config, "new", &with),
        Some("m@acme.example".into())
    );
    // The connection's own word goes first, and a plugin without the setting gets none.
    let own = with_new(&format!("{secret}\nfallback_agent = \"other\""));
    assert_eq!(setting(&own, "new", &with), Some("other".into()));
    assert_eq!(setting(&config, "new", SCHEMA), None);
    // Nobody stands in at the source.
    let source = r#"{"properties":{"token":{"type":"string","writeOnly":true},"fallback_agent":{"type":"string"}}}"#;
    assert_eq!(setting(&config, "old", source), None);
}

#[test]
fn what_stands_in_the_file_is_never_written_anew_whatever_form_it_has() {
    let head = "[migration]\nfrom = \"old\" # a\nto   =   'new'\n[connections]\nold.plugin = \"old-desk\"\nnew.plugin = \
                \"acme-desk\"\nold.token = \"env:X\"\n";
    let table = "\n# before\n[map.conversation.status] # mine\n\"open\" = \"new\"   # as it is\n  # and this\n\n[load]\norder = \"open-first\"\n# the end";
    let forms = [
        // A table of its own, in the middle.
        table.to_owned(),
        // None at all, and no line end after the last line.
        "# nothing".to_owned(),
        "\n[map]\n# empty\n".to_owned(),
        "\n[map.conversation.status]".to_owned(),
        // Dots, in some order of the user's own.
        "\n[map.conversation]\nstatus.open = \"new\"\npriority.\"4/1..5\" = \"high\"\nstatus.later = \"\"\n# c\n".to_owned(),
        "\n[map]\nconversation.priority.\"1\" = \"low\"\n".to_owned(),
        // On one line.
        "\n[map.conversation]\nstatus = { \"open\" = \"new\" } # c\n".to_owned(),
        "\n[map]\nconversation = { status = {}, priority.x = \"low\" }\n[load]\n".to_owned(),
        "\n[map]\nconversation = { priority = {} }\n".to_owned(),
    ];
    let proposal = MapProposal {
        values: vec![ProposedValue {
            kind: "conversation".into(),
            slot: "status".into(),
            value: "other:\u{7f}\n\"a\"".into(),
            target: Some("on \"hold\"\r\n\u{7f}".into()),
            comment: Some("why".into()),
        }],
        fields: vec![],
        agents: vec![],
    };
    for form in &forms {
        for (newline, mark) in [("\n", ""), ("\r\n", ""), ("\n", "\u{feff}")] {
            let before = format!("{mark}{head}{form}").replace('\n', newline);
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(FILE_NAME);
            std::fs::write(&path, &before).unwrap();
            let mut config = Config::load(&path).unwrap();
            let old = config.map.clone();
            assert_eq!(config.write_map(&proposal).unwrap(), 1, "{before}");
            let after = std::fs::read_to_string(&path).unwrap();
            only_added(&before, &after);
            let again = Config::load(&path).unwrap();
            let mut expected = old;
            expected
                .values
                .entry("conversation".into())
                .or_default()
                .entry("status".into())
                .or_default()
                .insert("other:\u{7f}\n\"a\"".into(), "on \"hold\"\r\n\u{7f}".into());
            assert_eq!(again.map, expected, "{after}");
            assert_eq!(config.write_map(&proposal).unwrap(), 0);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), after);

            assert_eq!(
                config.write_accepted(&["a".into(), "b\"".into()]).unwrap(),
                2
            );
            let accepted = std::fs::read_to_string(&path).unwrap();
            only_added(&after, &accepted);
            assert_eq!(config.write_accepted(&["c".into(), "a".into()]).unwrap(), 1);
            only_added(&accepted, &std::fs::read_to_string(&path).unwrap());
            assert_eq!(
                Config::load(&path).unwrap().migration.accept,
                ["a", "b\"", "c"]
            );
        }
    }
}

#[test]
fn a_file_that_is_a_link_stays_one_and_its_rights_stay() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let real = dir.path().join("real.toml");
    std::fs::write(&real, GOOD).unwrap();
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).unwrap();
    let path = dir.path().join(FILE_NAME);
    std::os::unix::fs::symlink(&real, &path).unwrap();
    let mut config = Config::load(&path).unwrap();
    config.write_accepted(&["a".into()]).unwrap();
    assert!(path.is_symlink());
    assert!(
        std::fs::read_to_string(&real)
            .unwrap()
            .contains("accept = [\"a\"]")
    );
    let mode = std::fs::metadata(&real).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn the_digest_changes_with_what_is_written_and_with_nothing_else() {
    let digest = parse(GOOD).unwrap().digest();
    assert_eq!(digest.len(), 64);
    for same in [
        GOOD.replace("# mine", "# yours"),
        GOOD.replace("share = 0.25", "share = 0.5"),
        format!("{GOOD}\n[notify]\ncommand = \"true\"\nwebhook = \"env:HOOK\"\n"),
        format!("{GOOD}\n[load]\nconcurrency = 2\n"),
        GOOD.replace("env:TRANSLOAD_TEST_NOT_SET", "env:OTHER"),
    ] {
        assert_ne!(same, GOOD);
        assert_eq!(parse(&same).unwrap().digest(), digest);
    }
    for other in [
        GOOD.replace("offen", "new"),
        GOOD.replace("2024-07-01", "2024-07-02"),
        GOOD.replace("\"leave\"", "\"source-wins\""),
        GOOD.replace("\"acme\"", "\"acme2\""),
    ] {
        assert_ne!(parse(&other).unwrap().digest(), digest);
    }
}

#[test]
fn the_template_is_a_good_file_and_shows_every_default_as_it_is() {
    let text = Config::template(None, None);
    let config = parse(&text).unwrap();
    assert_eq!(config.migration.from, "old-desk");
    // Everything that is commented out as a setting is what is taken anyway, or parses at least.
    let mut section = String::new();
    let shown: String = text
        .lines()
        .map(|line| {
            if line.starts_with('[') {
                section = line.to_owned();
            }
            match line.strip_prefix("# ") {
                Some(rest) if rest.contains(" = ") && !rest.starts_with(' ') => {
                    // The header of [migration] has no settings before it.
                    if section.is_empty() {
                        line.to_owned()
                    } else {
                        rest.to_owned()
                    }
                }
                _ => line.to_owned(),
            }
        })
        .collect::<Vec<_>>()
        .join("\n");
    let shown = parse(&shown).unwrap();
    assert_eq!(shown.load, config.load);
    assert_eq!(shown.migration, config.migration);
    assert_eq!(shown.people.matching.len(), 2);
    assert_eq!(shown.budget.share, config.budget.share);
}

/// What a made-up plugin says of itself.
pub(crate) fn description(name: &str) -> wit::Description {
    wit::Description {
        name: name.into(),
        version: "0.1.3".into(),
        title: "Acme Desk".into(),
        role: wit::Role::Destination,
        config_schema: r#"{"type":"object","required":["subdomain","api_token"],"properties":{
            "subdomain":{"type":"string","description":"The part before .acme.example.\nNot the whole \"host\"."},
            "plan":{"type":"string","enum":["small","big"],"default":"small"},
            "page_size":{"type":"integer","default":50},
            "tags":{"type":"array","items":{"type":"string"}},
            "api_token":{"type":"string","writeOnly":true,"description":"A token."}}}"#
            .into(),
        auth: vec![
            wit::AuthScheme {
                name: "token".into(),
                title: "A token".into(),
                auth: wit::Auth::Bearer("{secret:api_token}".into()),
                note: None,
            },
            wit::AuthScheme {
                name: "header".into(),
                title: "A header".into(),
                auth: wit::Auth::Header(("x-token".into(), "{secret:api_token}".into())),
                note: Some("ends soon".into()),
            },
        ],
        base_url: "https://{subdomain}.acme.example".into(),
        hosts: vec![wit::HostGrant {
            pattern: "*.files.example".into(),
            purpose: "attachments".into(),
            anonymous: true,
        }],
        requests: vec![wit::RequestPattern {
            method: "POST".into(),
            path: "/search".into(),
            reads: true,
        }],
        refusals: vec![],
        rate_rules: vec![wit::RateRule {
            name: "all".into(),
            method: "*".into(),
            path: "**".into(),
            costs: vec![],
            limit: 700,
            per_ms: 60_000,
            headers: vec![],
            shared: true,
        }],
        kinds: vec![wit::KindSupport {
            kind: Kind::Customer,
            batch_items: 100,
            batch_bytes: 1 << 20,
            max_concurrency: None,
            conflicts: vec![],
            settle: vec![],
            updates: vec![],
            keeps_created_at: true,
            can_create: true,
            can_delete: false,
            matches: true,
            calls: 1,
            per_items: 100,
        }],
        fidelity: vec![wit::FieldFidelity {
            kind: Kind::Message,
            field: "reactions".into(),
            how: Fidelity::Lost,
            note: Some("no place".into()),
        }],
        side_effects: vec![wit::SideEffect {
            code: "auto-close".into(),
            title: "Closes after 28 days".into(),
            severity: wit::SideEffectSeverity::Caution,
            avoided_by: None,
            operator: Some("switch the automation off".into()),
        }],
        by_products: vec![],
        system_changes: vec![],
        text_limits: vec![wit::TextLimit {
            kind: Kind::Message,
            field: "message.text".into(),
            characters: 10_240,
        }],
        rebuilds: vec![wit::Rebuild {
            category: InventoryCategory::Workflow,
            feature: Some("Triggers".into()),
            note: Some("Admin > Rules".into()),
        }],
        notes: vec!["Made up.".into()],
    }
}

#[test]
fn the_template_of_two_plugins_needs_only_what_is_marked() {
    let (source, destination) = (description("old-desk"), description("acme-desk"));
    let text = Config::template(Some(&source), Some(&destination));
    insta::assert_snapshot!(text.split_once("[people]").unwrap().0);
    let text = text.replace("subdomain = \"\"   # fill in", "subdomain = \"acme\"");
    let config = parse(&text).unwrap();
    let settings = config
        .settings("acme-desk", &destination.config_schema)
        .unwrap();
    assert_eq!(settings.config["subdomain"], "acme");
    assert_eq!(settings.config["page_size"], 50);
    assert_eq!(settings.secrets.len(), 1);
    assert!(
        text.contains("api_token = \"env:ACME_DESK_API_TOKEN\""),
        "{text}"
    );

    // Two accounts on one platform.
    let config = parse(&Config::template(Some(&source), Some(&source))).unwrap();
    assert_eq!(config.migration.to, "old-desk-new");
    assert_eq!(config.connections["old-desk-new"].plugin.name, "old-desk");
}

#[test]
fn a_table_on_one_line_is_added_to_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    let (head, rest) = GOOD.split_once("[map.conversation.status]").unwrap();
    let rest = &rest[rest.find("[filter]").unwrap()..];
    let line = "[map.conversation]\nstatus = { \"open\" = \"offen\" } # one line\n\n";
    std::fs::write(&path, format!("{head}{line}{rest}")).unwrap();
    let mut config = Config::load(&path).unwrap();
    let proposal = MapProposal {
        values: vec![ProposedValue {
            kind: "conversation".into(),
            slot: "status".into(),
            value: "closed".into(),
            target: Some("zu".into()),
            comment: Some("why".into()),
        }],
        fields: vec![],
        agents: vec![],
    };
    assert_eq!(config.write_map(&proposal).unwrap(), 1);
    assert_eq!(
        config.map.value("conversation", "status", "closed"),
        Some("zu")
    );
    assert_eq!(
        config.map.value("conversation", "status", "open"),
        Some("offen")
    );
    assert!(
        std::fs::read_to_string(&path)
            .unwrap()
            .contains("} # one line\n")
    );
}
