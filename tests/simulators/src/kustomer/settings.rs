//! The small lists of an organisation: teams, tags, brands, schedules, queues, SLAs, surveys, shortcuts, workflows, the
//! knowledge base and so on (Kustomer facts §9.8, §9.9, §9.13). They are few, so they are kept as JSON.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::custom::klasses as klasses_of;
use super::ids::Kind;
use super::render::{one, with_org};
use super::world::World;
use crate::common::Clock;

/// Names of tags; every one but the last few is in use. Charset and length as §9.9.
const TAGS: &[&str] = &[
    "refund",
    "shipping",
    "shipping/late",
    "shipping/lost",
    "vip",
    "VIP",
    "billing",
    "bug",
    "feature-request",
    "how to",
    "spam?",
    "À_traiter",
    "ÿ",
    "<urgent>",
    "a.b.c",
    "q1-2019",
    "q2-2019",
    "q3-2019",
    "q4-2019",
    "black friday",
    "return",
    "exchange",
    "damaged",
    "wrong_item",
    "address change",
    "cancel",
    "fraud-check",
    "legal",
    "press",
    "partner",
    "b2b",
    "b2c",
    "de",
    "fr",
    "jp",
    "us",
    "x",
    "trailing space ",
    "double  space",
    "very long tag name that just fits into the sixty-four characters",
    "escalated",
    "escalated/2nd",
    "escalated/3rd",
    "done",
    "waiting",
    "callback",
    "chat",
    "phone",
    "social",
    "survey",
    "old tag",
    "deleted tag",
    "merged-away",
];
/// What is left of tags and teams, of articles and their like, where there are few.
const FEW: usize = 2;
/// From this tag on they are deleted.
const FIRST_DELETED_TAG: usize = 50;

const TEAMS: &[&str] = &[
    "Support",
    "Billing",
    "Tier 2",
    "Logistics",
    "日本チーム",
    "Social & Press",
    "Night shift",
    "Old team",
];

/// All lists, by the path that serves them.
#[derive(Debug, Default)]
pub(super) struct Settings {
    lists: BTreeMap<&'static str, Vec<Value>>,
}

impl Settings {
    pub(super) fn list(&self, path: &str) -> Option<&[Value]> {
        self.lists.get(path).map(Vec::as_slice)
    }

    pub(super) fn new(world: &World) -> Self {
        let mut lists = BTreeMap::new();
        lists.insert("teams", teams(world));
        lists.insert("tags", tags(world));
        lists.insert("klasses", klasses(world));
        service(world, &mut lists);
        people(world, &mut lists);
        knowledge(world, &mut lists);
        routing(world, &mut lists);
        for empty in [
            "cards",
            "kviews",
            "notifications",
            "hooks/email",
            "hooks/web",
            "kb/forms",
            "kb/routes",
        ] {
            lists.insert(empty, Vec::new());
        }
        if world.few {
            // What others refer to by number stays whole.
            for path in ["kb/articles", "kb/categories", "shortcuts", "workflows"] {
                if let Some(list) = lists.get_mut(path) {
                    list.truncate(FEW);
                }
            }
        }
        Self { lists }
    }
}

/// One object of a small list.
struct Maker<'a> {
    world: &'a World,
    part: u8,
    path: &'static str,
    kind: &'static str,
}

impl<'a> Maker<'a> {
    /// Objects of the list at `path`; `part` tells their ids apart from those of other lists.
    fn new(world: &'a World, part: u8, path: &'static str, kind: &'static str) -> Self {
        Self {
            world,
            part,
            path,
            kind,
        }
    }

    fn id(&self, number: u32) -> String {
        self.world
            .oid_part(Kind::Setting, self.part, number)
            .to_string()
    }

    fn make(&self, number: u32, attributes: Value, relationships: &[(&str, Value)]) -> Value {
        let id = self.id(number);
        let at = Clock::iso(self.world.founded + i64::from(number) * 86_400_000);
        let mut all = attributes.as_object().cloned().unwrap_or_default();
        for name in ["createdAt", "updatedAt", "modifiedAt"] {
            all.entry(name).or_insert_with(|| at.clone().into());
        }
        let mut related = with_org(self.world);
        let author = self.world.id(Kind::User, 1);
        related.insert("createdBy".into(), one("user", "users", &author));
        related.insert("modifiedBy".into(), one("user", "users", &author));
        for (name, value) in relationships {
            related.insert((*name).to_owned(), value.clone());
        }
        json!({
            "type": self.kind,
            "id": id,
            "attributes": all,
            "relationships": related,
            "links": {"self": format!("/v1/{}/{id}", self.path)},
        })
    }
}

impl World {
    /// The id of a tag; numbers go around.
    pub(super) fn tag_id(&self, number: u64) -> String {
        self.id(Kind::Tag, (number % self.tag_count() as u64) as u32)
    }
    /// How many tags there are.
    pub(super) fn tag_count(&self) -> usize {
        if self.few { FEW } else { TAGS.len() }
    }
    fn team_count(&self) -> usize {
        if self.few { FEW } else { TEAMS.len() }
    }
    /// The id of a team; numbers go around.
    pub(super) fn team_id(&self, number: u64) -> String {
        self.id(Kind::Team, (number % self.team_count() as u64) as u32)
    }
    /// The id of a brand; numbers go around.
    pub(super) fn brand_id(&self, number: u64) -> String {
        self.oid_part(Kind::Setting, 1, (number % 3) as u32)
            .to_string()
    }
    /// The id of a queue; numbers go around.
    pub(super) fn queue_id(&self, number: u64) -> String {
        self.oid_part(Kind::Setting, 4, (number % 4) as u32)
            .to_string()
    }
    pub(super) fn sla_id(&self) -> String {
        self.oid_part(Kind::Setting, 6, 0).to_string()
    }
    pub(super) fn sla_version_id(&self) -> String {
        self.oid_part(Kind::Setting, 7, 1).to_string()
    }
    pub(super) fn survey_id(&self, number: u64) -> String {
        self.oid_part(Kind::Setting, 8, (number % 2) as u32)
            .to_string()
    }
    pub(super) fn sub_status_id(&self, number: u64) -> String {
        self.oid_part(Kind::Setting, 20, (number % 3) as u32)
            .to_string()
    }
}

fn base(
    world: &World,
    kind: Kind,
    name: &str,
    number: usize,
    path: &str,
    attributes: Value,
) -> Value {
    let id = world.id(kind, number as u32);
    let at = Clock::iso(world.founded + number as i64 * 3_600_000);
    let mut all = attributes.as_object().cloned().unwrap_or_default();
    for name in ["createdAt", "updatedAt", "modifiedAt"] {
        all.insert(name.to_owned(), at.clone().into());
    }
    let mut related = with_org(world);
    let author = world.id(Kind::User, 1);
    related.insert("createdBy".into(), one("user", "users", &author));
    related.insert("modifiedBy".into(), one("user", "users", &author));
    json!({
        "type": name,
        "id": id,
        "attributes": all,
        "relationships": related,
        "links": {"self": format!("/v1/{path}/{id}")},
    })
}

fn teams(world: &World) -> Vec<Value> {
    let members = |number: usize| -> Vec<String> {
        (0..world.users.len())
            .filter(|user| user % TEAMS.len() == number || user % 5 == number)
            .map(|user| world.id(Kind::User, user as u32))
            .collect()
    };
    TEAMS
        .iter()
        .take(world.team_count())
        .enumerate()
        .map(|(number, name)| {
            let deleted = number + 1 == TEAMS.len();
            let mut attributes = json!({
                "name": name, "displayName": name, "icon": "chat", "members": members(number),
                "roleGroups": [], "deleted": deleted,
            });
            if deleted && let Some(map) = attributes.as_object_mut() {
                map.insert(
                    "deletedAt".into(),
                    Clock::iso(world.founded + 86_400_000).into(),
                );
            }
            base(world, Kind::Team, "team", number, "teams", attributes)
        })
        .collect()
}

fn tags(world: &World) -> Vec<Value> {
    TAGS.iter()
        .take(world.tag_count())
        .enumerate()
        .map(|(number, name)| {
            let deleted = number >= FIRST_DELETED_TAG;
            let mut attributes = json!({"name": name, "color": "#8c7ae6", "deleted": deleted});
            if deleted && let Some(map) = attributes.as_object_mut() {
                map.insert(
                    "deletedAt".into(),
                    Clock::iso(world.founded + 86_400_000).into(),
                );
            }
            base(world, Kind::Tag, "tag", number, "tags", attributes)
        })
        .collect()
}

fn klasses(world: &World) -> Vec<Value> {
    klasses_of(world.few)
        .iter()
        .enumerate()
        .map(|(number, klass)| {
            let mut attributes = json!({
                "name": klass.name, "displayName": klass.display, "icon": "cart", "color": "#6AF",
                "status": klass.status, "appDisabled": false,
            });
            if let Some(map) = attributes.as_object_mut() {
                if klass.task {
                    map.insert("klassSchema".into(), "task".into());
                    map.insert(
                        "mixins".into(),
                        json!(["commentable", "assignable", "editable", "creatable"]),
                    );
                }
                if klass.name.starts_with("acme_") {
                    map.insert("appVersion".into(), "2.4.1".into());
                }
            }
            let mut resource = base(world, Kind::Klass, "klass", number, "klasses", attributes);
            if let Some(related) = resource
                .get_mut("relationships")
                .and_then(Value::as_object_mut)
            {
                let link = json!({"links": {"self": format!("/v1/klasses/{}", klass.name)}});
                related.insert("kobjects".into(), link);
            }
            resource
        })
        .collect()
}

fn service(world: &World, lists: &mut BTreeMap<&'static str, Vec<Value>>) {
    let brands = Maker::new(world, 1, "brands", "brand");
    let all = ["Acme", "Acme Pro", "アクメ"]
        .iter()
        .enumerate()
        .map(|(number, name)| {
            brands.make(
                number as u32,
                json!({"name": name, "default": number == 0}),
                &[],
            )
        });
    lists.insert("brands", all.collect());

    let schedules = Maker::new(world, 2, "schedules", "schedule");
    let week = json!({"0": null, "1": [[480, 1020]], "2": [[480, 1020]], "3": [[480, 720], [780, 1020]],
        "4": [[480, 1020]], "5": [[480, 900]], "6": null});
    lists.insert(
        "schedules",
        vec![
            schedules.make(0, json!({"name": "Office", "hours": week, "timezone": "Europe/Berlin", "default": true}), &[]),
            schedules.make(1, json!({"name": "Night", "hours": week, "timezone": "America/New_York", "default": false}), &[]),
            // Past midnight, and hours of a form that no document names.
            schedules.make(2, json!({"name": "Weekend", "hours": {"0": null, "1": [[0, 1440]], "2": [[1320, 120]],
                "3": [], "4": [[480, 1020]], "5": [[480, 1020]], "6": "by appointment"},
                "timezone": "Asia/Tokyo", "default": false}), &[]),
        ],
    );
    let holidays = Maker::new(world, 3, "schedules/holidays", "holiday");
    let schedule = one("schedule", "schedules", &schedules.id(0));
    let day = json!({"name": "New Year", "startDate": "2026-01-01", "endDate": "2026-01-01",
        "description": "Closed", "enabled": true});
    lists.insert(
        "holidays",
        vec![
            holidays.make(0, day, &[("schedule", schedule.clone())]),
            holidays.make(
                1,
                json!({"name": "Zwischen den Jahren", "startDate": "2026-12-24", "endDate": "2026-12-31", "description": "", "enabled": false}),
                &[("schedule", schedule)],
            ),
        ],
    );

    let slas = Maker::new(world, 6, "slas", "sla");
    let versions = Maker::new(world, 7, "slas/versions", "sla_version");
    let list = json!({"data": [{"type": "sla_version", "id": versions.id(0)}, {"type": "sla_version", "id": versions.id(1)}]});
    let other = json!({"data": [{"type": "sla_version", "id": versions.id(2)}]});
    lists.insert(
        "slas",
        vec![
            slas.make(0, json!({"currentVersion": 2}), &[("versions", list)]),
            slas.make(1, json!({"currentVersion": 1}), &[("versions", other)]),
        ],
    );
    let version = |number: u32, first_response: i64| {
        let sla = one("sla", "slas", &slas.id(0));
        let times = json!({"1": first_response * 4, "2": first_response * 3, "3": first_response * 2,
            "4": first_response, "5": first_response / 2});
        versions.make(
            number,
            json!({
                "name": "Standard", "description": "All e-mail", "version": number + 1, "hours": "business",
                "metrics": {
                    "firstResponse": {"enabled": true, "times": times},
                    "longestUnrespondedMessage": {"enabled": true, "times": times},
                    "totalConversationOpenTime": {"enabled": false, "times": {}},
                    "totalCustomerWaitTime": {"enabled": false, "times": {}},
                },
                "criteria": {"and": [{"conversation_channel": {"operator": "equals", "value": "email"}}]},
            }),
            &[("sla", sla)],
        )
    };
    let sla = one("sla", "slas", &slas.id(1));
    let always = versions.make(
        2,
        json!({
            "name": "Enterprise, around the clock", "description": "", "version": 1, "hours": "calendar",
            "metrics": {
                "firstResponse": {"enabled": true, "times": {"1": 86_400_000, "2": 90_000_000, "3": 5_400_000, "4": 90_000, "5": 60_000}},
                "longestUnrespondedMessage": {"enabled": false, "times": {"1": 0, "2": 0, "3": 0, "4": 0, "5": 0}},
                "totalConversationOpenTime": {"enabled": false, "times": {}},
                "totalCustomerWaitTime": {"enabled": false, "times": {}},
                // Not documented; a form of its own.
                "nextReply": {"enabled": true, "percentile": 95},
            },
            "criteria": {
                "and": [{"conversation_channel": {"operator": "contains", "value": "email"}, "customer_locale": {"operator": "not_equals", "value": "de"}}],
                "or": [
                    {"company_custom_planStr": {"operator": "equals", "value": "enterprise"}},
                    {"conversation_tags": {"operator": "contains", "value": world.tag_id(4)}},
                ],
            },
            "pausedIn": ["snoozed"],
        }),
        &[("sla", sla)],
    );
    lists.insert(
        "sla_versions",
        vec![version(0, 3_600_000), version(1, 1_800_000), always],
    );

    let surveys = Maker::new(world, 8, "satisfaction", "satisfaction");
    let survey = |number: u32, channel: &str, kind: &str, options: u32| {
        surveys.make(
            number,
            json!({
                "name": format!("CSAT {channel}"), "formType": "csat", "enabled": true, "channel": channel,
                "description": "After the conversation", "from": {"channel": channel, "account": "support@acme.example", "app": "postmark"},
                "delayTime": 3_600_000, "scale": {"type": kind, "options": options, "labelLow": "Bad", "labelHigh": "Good"},
                "introduction": "How did we do?", "ratingPrompt": "Please rate us.",
                "questions": [], "positiveQuestions": [], "negativeQuestions": [], "allQuestions": [],
                "followUpType": "none", "criteria": {"and": [], "or": []}, "metaTitle": "Survey", "metaDescription": "",
            }),
            &[],
        )
    };
    lists.insert(
        "satisfaction",
        vec![
            survey(0, "email", "number", 5),
            survey(1, "chat", "emoji", 2),
            surveys.make(
                2,
                json!({
                    "name": "SMS, by rating", "formType": "csat", "enabled": false, "channel": "sms", "description": "",
                    "from": {"channel": "sms", "account": "+15555550100", "app": "twilio"}, "delayTime": 0,
                    "scale": {"type": "smileys", "options": 3, "labelLow": "", "labelHigh": ""},
                    "introduction": "", "ratingPrompt": "1 to 3?",
                    "questions": [], "allQuestions": [{"prompt": "Anything else?"}],
                    "positiveQuestions": ["What did we do well?"],
                    "negativeQuestions": [{"label": "What went wrong?", "type": "choice", "options": ["late", "rude"]}, 7],
                    "followUpType": "byRating", "metaTitle": "", "metaDescription": "",
                    "criteria": {"and": [{"conversation_channels": {"operator": "contains", "value": "sms"}}], "or": []},
                }),
                &[],
            ),
        ],
    );
}

fn people(world: &World, lists: &mut BTreeMap<&'static str, Vec<Value>>) {
    let groups = Maker::new(world, 9, "role-groups", "role_group");
    lists.insert(
        "role-groups",
        vec![
            groups.make(0, json!({"name": "admin", "description": "All", "display": "Admin", "system": true, "roles": ["org.admin"]}), &[]),
            groups.make(1, json!({"name": "agent", "description": "Work", "display": "Agent", "system": true, "roles": ["org.user"]}), &[]),
        ],
    );
    let roles = Maker::new(world, 10, "auth/roles", "role");
    let named = ["org.admin", "org.user"].iter().enumerate();
    lists.insert(
        "auth/roles",
        named
            .map(|(n, name)| roles.make(n as u32, json!({"name": name}), &[]))
            .collect(),
    );

    let shortcuts = Maker::new(world, 11, "shortcuts", "shortcut");
    let categories = Maker::new(world, 12, "shortcuts/categories", "shortcut_category");
    let parent = one(
        "shortcut_category",
        "shortcuts/categories",
        &categories.id(0),
    );
    lists.insert(
        "shortcuts/categories",
        vec![categories.make(0, json!({"name": "Greetings"}), &[])],
    );
    let shortcut = |number: u32, name: &str, text: &str, deleted: bool| {
        let blocks = json!([{"key": "a1", "text": text, "type": "unstyled", "depth": 0,
            "inlineStyleRanges": [], "entityRanges": [], "data": {}}]);
        shortcuts.make(
            number,
            json!({
                "name": name, "draft": {"text": text}, "payload": {"text": {"blocks": blocks, "entityMap": {}}},
                "conversation": {"tags": {"operator": "add", "value": [world.tag_id(0)]}, "custom": {}},
                "isPrivate": number == 2, "deleted": deleted, "appDisabled": false, "rev": 3,
            }),
            &[("parent", parent.clone())],
        )
    };
    lists.insert(
        "shortcuts",
        vec![
            shortcut(
                0,
                "Hello",
                "Hello {{customer.firstName}}, thanks for writing about {{conversation.name}}.",
                false,
            ),
            shortcut(
                1,
                "Bye 👋",
                "Best regards\n{{currentUser.displayName}}\n[[sn.org.signature]]",
                false,
            ),
            shortcut(2, "Mine", "Just for me.", false),
            shortcut(3, "Old", "No longer used.", true),
            rich_shortcut(world, &shortcuts, &parent),
        ],
    );
    let snoozes = Maker::new(world, 13, "snoozes", "snooze");
    lists.insert(
        "snoozes",
        vec![
            snoozes.make(0, json!({"name": "One hour", "type": "relative", "value": 3_600_000, "enabled": true}), &[]),
            snoozes.make(1, json!({"name": "Monday", "type": "dynamic", "value": {"day": 1, "time": 540}, "enabled": true}), &[]),
            snoozes.make(2, json!({"name": "New Year", "type": "absolute", "value": 1_798_761_600_000_i64, "enabled": false}), &[]),
            snoozes.make(3, json!({"name": "Full moon", "type": "lunar", "value": {"phase": "full"}, "enabled": true}), &[]),
        ],
    );
    let webhooks = Maker::new(world, 14, "outbound-webhooks", "outbound_webhook");
    lists.insert(
        "outbound-webhooks",
        vec![webhooks.make(0, json!({"name": "CRM", "url": "https://crm.acme.example/hook?key=hush-hush-0453", "events": ["customer.update"],
            "token": "hush-hush-0454", "enabled": true}), &[])],
    );
    let spam = Maker::new(world, 15, "spam/senders", "spam_sender");
    lists.insert(
        "spam/senders",
        vec![spam.make(
            0,
            json!({"sender": "offers@spam.example", "channel": "email", "list": "deny"}),
            &[],
        )],
    );
    // Outbound accounts have no id (§9.13).
    let account = |channel: &str, name: &str, account: &str| json!({"type": "outbound_account", "attributes": {"channel": channel, "name": name, "account": account}});
    lists.insert(
        "outboundAccounts",
        vec![
            account("email", "Acme Support", "support@acme.example"),
            account("email", "Acme Billing", "billing@acme.example"),
            account("sms", "Acme", "+15555550100"),
        ],
    );
}

/// A shortcut that does more than write: a subject, attributes, tags taken off, people it is for, a picture, text as blocks only.
fn rich_shortcut(world: &World, shortcuts: &Maker<'_>, parent: &Value) -> Value {
    let block = |text: &str| {
        json!({"key": "b", "text": text, "type": "unordered-list-item", "depth": 0,
            "inlineStyleRanges": [], "entityRanges": [{"offset": 0, "length": 4, "key": 0}], "data": {}})
    };
    let blocks = [
        "Line one of {{customer.firstName}}",
        "```not a fence```",
        "<b>& more</b> | 100 %",
    ]
    .map(block);
    let data = |kind: &str, ids: &[String]| {
        let all: Vec<Value> = ids
            .iter()
            .map(|id| json!({"type": kind, "id": id}))
            .collect();
        json!({"data": all})
    };
    shortcuts.make(
        4,
        json!({
            "name": "Refund | <done>", "draft": {"text": ""},
            "payload": {"text": {"blocks": blocks, "entityMap": {"0": {"type": "LINK", "mutability": "MUTABLE", "data": {"url": "https://acme.example/refunds"}}}}},
            "conversation": {"name": "Refund", "tags": {"operator": "remove", "value": [world.tag_id(0), "ffffffffffffffffffffffff"]},
                "custom": {"refundNum": 12.5, "contactReasonTree": "billing.refund"}, "status": "done"},
            "isPrivate": true, "deleted": false, "appDisabled": true, "rev": 1,
        }),
        &[
            ("parent", parent.clone()),
            ("accessUsers", data("user", &[world.id(Kind::User, 2)])),
            ("accessTeams", data("team", &[world.team_id(1)])),
            ("attachments", data("attachment", &["6717c2b1e5b1f00012ab3513".to_owned()])),
        ],
    )
}

fn routing(world: &World, lists: &mut BTreeMap<&'static str, Vec<Value>>) {
    let queues = Maker::new(world, 4, "routing/queues", "queue");
    let names = ["DEFAULT_QUEUE", "Billing", "Chat", "大切なお客様"];
    let all = names.iter().enumerate().map(|(number, name)| {
        let attributes = json!({"name": name, "displayName": name, "description": "", "priority": number,
            "itemSize": 1, "restrictTransfersByUsers": false, "system": number == 0});
        queues.make(number as u32, attributes, &[])
    });
    lists.insert("routing/queues", all.collect());
    let rules = Maker::new(world, 5, "routing/queue-rules", "queue_rule");
    let rule = |number: u32, queue: u32, channel: &str| {
        let target = one("queue", "routing/queues", &queues.id(queue));
        let attributes = json!({"name": format!("To {channel}"), "enabled": true, "order": number,
            "criteria": {"and": [{"conversation_channels": {"operator": "contains", "value": channel}}]}});
        rules.make(number, attributes, &[("queue", target)])
    };
    let criteria = |number: u32, queue: u32, name: &str, enabled: bool, criteria: Value| {
        let target = one("queue", "routing/queues", &queues.id(queue));
        let attributes =
            json!({"name": name, "enabled": enabled, "order": number, "criteria": criteria});
        rules.make(number, attributes, &[("queue", target)])
    };
    lists.insert(
        "routing/queue-rules",
        vec![
            rule(0, 2, "chat"),
            rule(1, 1, "email"),
            // Groups in groups, a custom attribute, ids of tags and people.
            criteria(
                2,
                3,
                "VIPs & <angry> ones",
                true,
                json!({"and": [
                    {"or": [
                        {"customer_custom_vipBool": {"operator": "equals", "value": true}},
                        {"customer_tags": {"operator": "contains_any", "value": [world.tag_id(4), world.tag_id(5)]}},
                        {"not": {"conversation_priority": {"operator": "lt", "value": 4}}},
                    ]},
                    {"conversation_custom_refundNum": {"operator": "gte", "value": 250.5}},
                    {"conversation_assigned_users": {"operator": "not_set", "value": ""}},
                    {"kobject_custom_ecomm-order_totalPriceNum": {"operator": "gt", "value": 100}},
                ]}),
            ),
            // Operators that no document names, an id of nothing, a date, and both forms of a test.
            criteria(
                3,
                0,
                "Odd",
                false,
                json!({"and": [
                    {"message_body": {"operator": "matches_semantically", "value": "refund please", "threshold": 0.8}},
                    {"conversation_created_at": {"gte": "2026-01-01T00:00:00.000Z"}},
                    {"conversation_queue": {"operator": "in", "value": ["ffffffffffffffffffffffff"]}},
                    {"conversation_status": "open"},
                    "spam",
                ], "or": []}),
            ),
            criteria(4, 0, "Everything else", true, json!({"and": [], "or": []})),
        ],
    );
    lists.insert("routing/queue-rules-criteria", Vec::new());
    let workflows = Maker::new(world, 16, "workflows", "workflow");
    let workflow = |number: u32, name: &str, enabled: bool, event: Option<&str>| {
        let trigger = match event {
            Some(event) => json!({"eventName": event}),
            None => json!({"callable": true}),
        };
        workflows.make(
            number,
            json!({"name": name, "description": "", "enabled": enabled, "trigger": trigger,
                "steps": [{"id": "a", "action": "kustomer.conversation.update", "params": {"tags": ["vip"]}, "transitions": []}]}),
            &[],
        )
    };
    let mut all = vec![
        workflow(0, "Tag VIPs", true, Some("kustomer.conversation.create")),
        workflow(1, "Close old ones", false, Some("kustomer.timer.daily")),
        workflow(2, "Shared step", true, None),
    ];
    let made = odd_workflows(world, &workflows.id(2), &queues.id(1));
    for (number, attributes) in (3..).zip(made) {
        all.push(workflows.make(number, attributes, &[]));
    }
    lists.insert("workflows", all);
    let sub_statuses = Maker::new(world, 20, "sub-statuses", "sub_status");
    let all = ["Waiting for parts", "With the courier", "Legal"]
        .iter()
        .enumerate();
    lists.insert(
        "sub-statuses",
        all.map(|(n, name)| sub_statuses.make(n as u32, json!({"name": name}), &[]))
            .collect(),
    );
}

/// Workflows as people build them: branches, waits, ids, what an app does, a call to a foreign address with a secret, steps that
/// nothing leads to and forms that no document names. What is known of the form is little (§9.13): a trigger, steps with actions and
/// parameters, transitions with conditions.
fn odd_workflows(world: &World, shared: &str, queue: &str) -> Vec<Value> {
    let team = world.team_id(1);
    let agent = world.id(Kind::User, 2);
    vec![
        json!({"name": "Refunds over €250", "description": "Asks billing, then waits", "enabled": true,
        "trigger": {"eventName": "kustomer.conversation.update", "transitions": [
            {"target": "look", "condition": {"op": "and", "values": [
                {"op": "eq", "values": ["/#steps.1.attributes.data.attributes.status", "open"]},
                {"op": "gt", "values": ["/#steps.1.attributes.data.attributes.custom.refundNum", 250]},
            ]}},
            {"target": "end", "condition": {"op": "true", "values": [true]}},
        ]},
        "steps": [
            {"id": "look", "action": "kustomer.customer.get", "appVersion": "kustomer-^1.0.0",
                "params": {"id": "/#steps.1.attributes.customer.id"}, "errorCases": [], "transitions": [
                {"target": "assign", "condition": {"op": "or", "values": [
                    {"op": "contains", "values": ["/#steps.2.attributes.tags", world.tag_id(4)]},
                    {"op": "is-set", "values": ["/#steps.2.attributes.custom.loyaltyTierStr"]},
                ]}},
                {"target": "nowhere", "condition": {"op": "fuzzy-match", "values": ["/#steps.2.attributes.name", "acme", 0.7]}},
            ]},
            {"id": "assign", "name": "To billing", "action": "kustomer.conversation.update",
                "params": {"id": "/#steps.1.id", "assignedTeams": [team], "assignedUsers": [agent], "queue": queue,
                    "tags": {"operator": "add", "value": ["billing", "refund"]},
                    "custom": {"escalatedBool": true, "unheardOfStr": "x"}},
                "transitions": [{"target": "tell", "condition": {}}]},
            {"id": "tell", "action": "kustomer.rest-api.json", "params": {
                "method": "POST", "uri": "https://erp.acme.example/refunds",
                "headers": {"Authorization": "Bearer hush-hush-0451", "x-api-key": "hush-hush-0452"},
                "body": {"rows": [{"order": "/#steps.1.attributes.data.attributes.custom.orderNumberStr"}]}},
                "errorCases": [{"status": 500, "retry": {"times": 3}}],
                "transitions": [{"target": "end"}]},
            {"id": "end", "action": "kustomer.workflow.call", "params": {"workflow": shared}, "transitions": []},
            {"id": "lost", "action": "acme_orders.order.get", "params": {"id": null}, "transitions": []},
            "not even a step",
        ]}),
        json!({"name": "プレミアム | <script>alert(1)</script>", "description": "", "enabled": true,
            "trigger": {"eventName": "acme_orders.shipped", "filters": [{"weird": [1, 2]}]},
            "variables": {"greeting": "Hallo"},
            "steps": {"a": {"action": "kustomer.message.create"}}}),
        json!({"name": "Empty", "enabled": false, "trigger": null, "steps": []}),
    ]
}

/// Articles are containers; title, body and slug are on their versions, one for each language (§9.13).
fn knowledge(world: &World, lists: &mut BTreeMap<&'static str, Vec<Value>>) {
    let categories = Maker::new(world, 17, "kb/categories", "kb_category");
    let tree = ["Home", "Orders", "Returns", "アカウント"];
    let all = tree.iter().enumerate().map(|(number, name)| {
        let attributes = json!({"hash": format!("c{number}"), "published": true, "root": number == 0,
            "positions": [], "categoryPositions": [], "langs": {"en_us": {"title": name}, "de": {"title": format!("{name} (de)")}}});
        let parent = one("kb_category", "kb/categories", &categories.id(0));
        let related = if number == 0 { vec![] } else { vec![("parent", parent)] };
        categories.make(number as u32, attributes, &related)
    });
    lists.insert("kb/categories", all.collect());

    let articles = Maker::new(world, 18, "kb/articles", "kb_article");
    let versions = Maker::new(world, 19, "kb/articles/versions", "kb_article_version");
    let mut article_list = Vec::new();
    let mut version_list = Vec::new();
    for number in 0..12_u32 {
        let languages: &[&str] = match number % 3 {
            0 => &["en_us"],
            1 => &["en_us", "de"],
            _ => &["en_us", "de", "ja"],
        };
        let mut by_language = Map::new();
        for (at, language) in languages.iter().enumerate() {
            let id = number * 10 + at as u32;
            by_language.insert((*language).to_owned(), versions.id(id).into());
            let article = one("kb_article", "kb/articles", &articles.id(number));
            let title = match *language {
                "de" => format!("Artikel {number}: Größe & Maß"),
                "ja" => format!("記事 {number}"),
                _ => format!("Article {number}: sizes & returns"),
            };
            let image = format!("{}/kb/{number}.png", "https://cdn.acme.example");
            let attributes = json!({
                "lang": language, "title": title, "slug": format!("article-{number}-{language}"),
                "htmlBody": format!("<h1>{}</h1><p>Text <b>bold</b> 👍</p><img src=\"{image}\"><p>See <a href=\"/en_us/article-0\">this</a>.</p>", title.replace('&', "&amp;")),
                "metaTitle": title, "metaDescription": "", "metaKeywords": "", "status": "published",
            });
            version_list.push(versions.make(id, attributes, &[("article", article)]));
        }
        let deleted = number == 11;
        let attributes = json!({
            "hash": format!("a{number}"), "lang": "en_us", "status": if number == 10 { "draft" } else { "published" },
            "scope": if number % 4 == 3 { "internal" } else { "public" }, "tags": [],
            "categories": [categories.id(1 + number % 3)], "knowledgeBases": [], "deleted": deleted,
            "deletedAt": deleted.then(|| Clock::iso(world.founded + 9_000_000)),
            "publishedAt": Clock::iso(world.founded + 8_000_000), "langVersions": by_language, "latestLangs": languages,
            "metaTitle": "", "metaDescription": "", "metaKeywords": "",
        });
        article_list.push(articles.make(number, attributes, &[]));
    }
    lists.insert("kb/articles", article_list);
    lists.insert("kb/versions", version_list);
    for (path, kind) in [
        ("kb/tags", "kb_tag"),
        ("kb/templates", "kb_template"),
        ("kb/themes", "kb_theme"),
    ] {
        let maker = Maker::new(world, 21, path, kind);
        lists.insert(path, vec![maker.make(0, json!({"name": "Standard"}), &[])]);
    }
}
