//! Records as the API shows them (Kustomer facts §9), drawn from the record's own stream.

use serde_json::{Map, Value, json};

use super::custom::{self, KLASSES};
use super::files::File;
use super::generate::purpose;
use super::ids::Kind;
use super::model::{CHANNELS, NONE, STATUSES, VOICE, flag};
use super::text::{self, PREVIEW_CAP};
use super::world::World;
use crate::common::Clock;

/// A to-one relationship.
pub(super) fn one(kind: &str, path: &str, id: &str) -> Value {
    let mut links = Map::new();
    put(&mut links, "self", format!("/v1/{path}/{id}"));
    let mut data = Map::new();
    put(&mut data, "type", kind);
    put(&mut data, "id", id);
    let mut relationship = Map::new();
    put(&mut relationship, "links", links);
    put(&mut relationship, "data", data);
    relationship.into()
}

/// Relationships that every record has.
pub(super) fn with_org(world: &World) -> Map<String, Value> {
    let mut related = Map::new();
    related.insert("org".into(), one("org", "orgs", &world.org()));
    related
}

fn put(map: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    map.insert(name.to_owned(), value.into());
}

fn iso(ms: i64) -> Value {
    Clock::iso(ms).into()
}

/// An empty object with room for what a record has; most have fewer than fifty attributes.
fn roomy() -> Map<String, Value> {
    Map::with_capacity(64)
}

/// Puts a record together. Its parts are moved: `json!` would copy them, which is most of the cost of a page.
fn resource(
    kind: &str,
    id: &str,
    attributes: Map<String, Value>,
    relationships: Map<String, Value>,
    path: &str,
) -> Value {
    let mut links = Map::new();
    put(&mut links, "self", format!("/v1/{path}/{id}"));
    let mut record = Map::with_capacity(5);
    put(&mut record, "type", kind);
    put(&mut record, "id", id);
    put(&mut record, "attributes", attributes);
    put(&mut record, "relationships", relationships);
    put(&mut record, "links", links);
    record.into()
}

impl World {
    /// The organisation's id.
    pub(super) fn org(&self) -> String {
        self.oid(Kind::Org, 0).to_string()
    }

    /// The id of a user; numbers go around.
    pub(super) fn user_id(&self, number: u64) -> String {
        self.id(Kind::User, (number % self.users.len().max(1) as u64) as u32)
    }

    /// Who made and who last changed a record: users below a number.
    fn written_by(&self, below: u64, draw: &mut super::draw::Draw, r: &mut Map<String, Value>) {
        for name in ["createdBy", "modifiedBy"] {
            put(
                r,
                name,
                one("user", "users", &self.user_id(draw.below(below))),
            );
        }
    }

    /// A record of one of the big kinds.
    pub(super) fn render(&self, kind: Kind, number: u32) -> Option<Value> {
        match kind {
            Kind::User => self.user_json(number),
            Kind::Company => self.company_json(number),
            Kind::Customer => self.customer_json(number),
            Kind::Conversation => self.conversation_json(number),
            Kind::Message => self.message_json(number),
            Kind::Note => self.note_json(number),
            Kind::KObject => self.kobject_json(number),
            Kind::ConversationTime => self.time_json(number),
            _ => None,
        }
    }

    /// Some record for a reference of a custom attribute.
    fn refer(&self, target: &str, draw: &mut super::draw::Draw) -> Option<String> {
        let any = |draw: &mut super::draw::Draw, kind: Kind| {
            let count = self.len(kind) as u64;
            (count > 0).then(|| self.id(kind, draw.below(count) as u32))
        };
        match target {
            "customer" => any(draw, Kind::Customer),
            "company" => any(draw, Kind::Company),
            "conversation" => any(draw, Kind::Conversation),
            "user" => any(draw, Kind::User),
            _ => {
                let name = target.strip_prefix("kobject.")?;
                let klass = KLASSES.iter().position(|klass| klass.name == name)?;
                let members = self.kobjects_by_klass.get(klass)?;
                let at = draw.below(members.len() as u64) as usize;
                members
                    .get(at)
                    .map(|number| self.id(Kind::KObject, *number))
            }
        }
    }

    fn custom(
        &self,
        kind: Kind,
        number: u32,
        attributes: &'static [custom::Attribute],
        around: i64,
    ) -> Map<String, Value> {
        let mut draw = self.draw(purpose::CUSTOM, kind, number);
        let attributes = custom::chosen(attributes, self.few);
        custom::values(&attributes, &mut draw, around, |target, draw| {
            self.refer(target, draw)
        })
    }

    fn tags(&self, draw: &mut super::draw::Draw) -> Value {
        let count = match draw.below(20) {
            0..12 => 0,
            12..19 => draw.between(1, 4),
            _ => 20,
        };
        let first = draw.below(1000);
        // A step that shares no divisor with the number of tags, so that none comes twice.
        (0..count)
            .take(self.tag_count())
            .map(|n| self.tag_id(first + n as u64 * 3))
            .collect::<Vec<_>>()
            .into()
    }

    fn user_json(&self, number: u32) -> Option<Value> {
        let user = self.users.get(number as usize)?;
        let id = self.id(Kind::User, number);
        let mut a = roomy();
        put(&mut a, "name", user.name.clone());
        put(&mut a, "displayName", user.name.clone());
        put(&mut a, "email", user.email.clone());
        put(&mut a, "userType", user.kind);
        put(&mut a, "avatarUrl", Value::Null);
        put(&mut a, "roles", json!(["org.user"]));
        put(&mut a, "roleGroups", json!([]));
        put(&mut a, "isEmailValid", true);
        if user.deleted {
            put(&mut a, "deletedAt", iso(user.created + 400 * 86_400_000));
        }
        if !user.pending {
            put(&mut a, "emailVerifiedAt", iso(user.created + 3_600_000));
            put(&mut a, "firstLoginAt", iso(user.created + 7_200_000));
        }
        put(
            &mut a,
            "password",
            json!({"allowNew": true, "forceNew": false}),
        );
        put(&mut a, "createdAt", iso(user.created));
        put(&mut a, "updatedAt", iso(user.created + 86_400_000));
        put(&mut a, "modifiedAt", iso(user.created + 86_400_000));
        put(
            &mut a,
            "custom",
            self.custom(Kind::User, number, custom::USER, user.created),
        );
        Some(resource("user", &id, a, with_org(self), "users"))
    }

    fn company_json(&self, number: u32) -> Option<Value> {
        let company = self.companies.get(number as usize)?;
        let id = self.id(Kind::Company, number);
        let mut draw = self.draw(purpose::RENDER, Kind::Company, number);
        let name = format!(
            "{} {} {number}",
            draw.pick(text::LAST_NAMES),
            draw.pick(&[
                "GmbH",
                "& Sons",
                "株式会社",
                "Ltd.",
                "S.A.",
                "\"Quoted\" Inc"
            ])
        );
        let domain = format!("company{number}.example");
        let mut a = roomy();
        put(&mut a, "name", name);
        if draw.chance(600) {
            put(&mut a, "externalId", format!("co-{number}"));
        }
        put(&mut a, "avatarUrl", Value::Null);
        put(
            &mut a,
            "emails",
            json!([{"email": format!("info@{domain}"), "type": "work", "verified": false}]),
        );
        put(&mut a, "phones", json!([]));
        put(&mut a, "whatsapps", json!([]));
        put(&mut a, "socials", json!([]));
        put(
            &mut a,
            "urls",
            json!([{"url": format!("https://{domain}"), "type": "website"}]),
        );
        let domains: Vec<Value> = (0..draw.between(0, 3))
            .map(|n| json!({"domain": if n == 0 { domain.clone() } else { format!("{n}.{domain}") }}))
            .collect();
        put(&mut a, "domains", domains);
        put(
            &mut a,
            "locations",
            json!([{"type": "work", "address": "1 Main St", "countryCode": "US"}]),
        );
        if draw.chance(500) {
            put(&mut a, "employeeCount", draw.between(1, 90_000));
        }
        put(&mut a, "tags", self.tags(&mut draw));
        put(&mut a, "defaultLang", "en_us");
        put(&mut a, "createdAt", iso(company.created));
        put(&mut a, "updatedAt", iso(company.updated));
        put(&mut a, "modifiedAt", iso(company.updated));
        put(&mut a, "rev", draw.between(1, 20));
        put(&mut a, "roleGroupVersions", json!([]));
        put(
            &mut a,
            "custom",
            self.custom(Kind::Company, number, custom::COMPANY, company.created),
        );
        if company.flags & flag::DELETED != 0 {
            put(&mut a, "deleted", true);
        }
        let mut r = with_org(self);
        self.written_by(50, &mut draw, &mut r);
        Some(resource("company", &id, a, r, "companies"))
    }

    /// The parent of a company in the hierarchy (§9.2): a forest of three levels.
    pub(super) fn parent_company(&self, number: u32) -> Option<u32> {
        (!number.is_multiple_of(4) && number < 64)
            .then_some(number / 4 * 4)
            .filter(|parent| *parent != number)
    }

    /// The edge from a company's parent to it.
    pub(super) fn edge_json(&self, child: u32) -> Option<Value> {
        let parent = self.parent_company(child)?;
        let id = self.oid(Kind::Edge, child).to_string();
        let mut a = roomy();
        put(&mut a, "name", "company_hierarchy");
        put(&mut a, "sourceId", self.id(Kind::Company, parent));
        put(&mut a, "targetId", self.id(Kind::Company, child));
        put(&mut a, "createdAt", iso(self.founded));
        put(&mut a, "updatedAt", iso(self.founded));
        Some(resource("kedge", &id, a, with_org(self), "kedge"))
    }

    fn customer_json(&self, number: u32) -> Option<Value> {
        let customer = self.customers.get(number as usize)?;
        let id = self.id(Kind::Customer, number);
        let mut draw = self.draw(purpose::RENDER, Kind::Customer, number);
        let (first, last) = (draw.pick(text::FIRST_NAMES), draw.pick(text::LAST_NAMES));
        let nameless = draw.chance(30);
        let given = self.given_names.get(&number);
        let name = match given {
            Some(given) => given.as_str().into(),
            None if nameless => Value::Null,
            None => format!("{first} {last}").into(),
        };
        let mut a = roomy();
        put(&mut a, "name", name.clone());
        put(
            &mut a,
            "displayName",
            if name.is_null() {
                Value::from("Olive Penguin")
            } else {
                name
            },
        );
        put(
            &mut a,
            "displayColor",
            draw.pick(&["teal", "orange", "blue"]),
        );
        put(&mut a, "displayIcon", draw.pick(&["cake", "cup", "tree"]));
        if !nameless && given.is_none() {
            put(&mut a, "firstName", first);
            put(&mut a, "lastName", last);
        }
        put(
            &mut a,
            "username",
            if draw.chance(100) {
                Value::from(format!("user{number}"))
            } else {
                Value::Null
            },
        );
        put(&mut a, "avatarUrl", Value::Null);
        let external = draw.chance(600);
        if external {
            put(&mut a, "externalId", format!("crm-{number}"));
            put(
                &mut a,
                "externalIds",
                json!([{"externalId": format!("crm-{number}"), "verified": true}]),
            );
        } else {
            put(&mut a, "externalIds", json!([]));
        }
        put(&mut a, "sharedExternalIds", json!([]));
        put(&mut a, "emails", self.customer_emails(number, &mut draw));
        // Two customers, 3 and 4 of every hundred, share an address.
        let shared = if matches!(number % 100, 3 | 4) {
            json!([{"email": format!("family{}@example.com", number / 100), "type": "home", "verified": false}])
        } else {
            json!([])
        };
        put(&mut a, "sharedEmails", shared);
        let phones: Vec<Value> = match draw.below(10) {
            0..4 => vec![
                json!({"phone": format!("+1555{number:07}"), "type": "mobile", "verified": false}),
            ],
            // Strings that are no number occur (§9.1).
            4 => vec![
                json!({"phone": format!("ext. {number} (ask for Bob)"), "type": "work", "verified": false}),
            ],
            _ => vec![],
        };
        put(&mut a, "phones", phones);
        for name in [
            "sharedPhones",
            "whatsapps",
            "sharedWhatsapps",
            "facebookIds",
            "instagramIds",
            "smoochIds",
        ] {
            put(&mut a, name, json!([]));
        }
        let socials = if draw.chance(60) {
            json!([{"type": "twitter", "userid": format!("9{number}"), "username": format!("tw{number}"),
                "url": format!("https://twitter.com/tw{number}"), "verified": false}])
        } else {
            json!([])
        };
        put(&mut a, "socials", socials);
        put(&mut a, "sharedSocials", json!([]));
        put(
            &mut a,
            "urls",
            if draw.chance(50) {
                json!([{"url": "https://blog.example.com/ü", "type": "blog"}])
            } else {
                json!([])
            },
        );
        let locations = if draw.chance(400) {
            json!([{"type": "home", "name": "Home", "address": "1 Main St\nApt 2", "cityName": "Köln", "zipCode": "50667",
                "countryCode": "DE", "countryName": "Germany", "regionName": "NRW"}])
        } else {
            json!([])
        };
        put(&mut a, "locations", locations);
        put(
            &mut a,
            "recentLocation",
            json!({"updatedAt": Clock::iso(customer.updated)}),
        );
        put(&mut a, "activeUsers", json!([]));
        put(&mut a, "watchers", json!([]));
        let language = text::language(&mut draw);
        put(&mut a, "locale", language);
        put(&mut a, "defaultLang", language);
        put(
            &mut a,
            "timeZone",
            if draw.chance(300) {
                Value::from("Asia/Tokyo")
            } else {
                Value::Null
            },
        );
        put(
            &mut a,
            "gender",
            draw.pick(&[Some("m"), Some("f"), None, None]),
        );
        put(
            &mut a,
            "birthdayAt",
            if draw.chance(100) {
                Value::from("1980-02-29T00:00:00.000Z")
            } else {
                Value::Null
            },
        );
        put(
            &mut a,
            "signedUpAt",
            if draw.chance(300) {
                iso(customer.created)
            } else {
                Value::Null
            },
        );
        put(&mut a, "presence", "offline");
        put(&mut a, "createdAt", iso(customer.created));
        put(&mut a, "updatedAt", iso(customer.updated));
        put(&mut a, "modifiedAt", iso(customer.updated));
        put(&mut a, "lastSeenAt", iso(customer.updated));
        put(&mut a, "lastActivityAt", iso(customer.updated));
        put(&mut a, "lastCustomerActivityAt", iso(customer.updated));
        put(&mut a, "importedAt", Value::Null);
        self.customer_counts(number, &mut a);
        put(&mut a, "tags", self.tags(&mut draw));
        put(
            &mut a,
            "sentiment",
            json!({"polarity": draw.between(-1, 1), "confidence": 0.75}),
        );
        put(
            &mut a,
            "satisfactionLevel",
            json!({"count": 0, "acknowledgeCount": 0}),
        );
        put(&mut a, "verified", draw.chance(300));
        put(&mut a, "deleted", customer.flags & flag::DELETED != 0);
        put(&mut a, "recentItems", json!([]));
        put(&mut a, "accessOverride", json!([]));
        put(&mut a, "roleGroupVersions", json!([]));
        put(&mut a, "rev", customer.rev);
        put(
            &mut a,
            "custom",
            self.custom(Kind::Customer, number, custom::CUSTOMER, customer.created),
        );

        let mut r = with_org(self);
        put(
            &mut r,
            "messages",
            json!({"links": {"self": format!("/v1/customers/{id}/messages")}}),
        );
        self.written_by(50, &mut draw, &mut r);
        if customer.company != NONE {
            put(
                &mut r,
                "company",
                one(
                    "company",
                    "companies",
                    &self.id(Kind::Company, customer.company),
                ),
            );
        }
        // One relationship for each klass that has records (§9.1).
        for kobject in self
            .kobjects_by_owner
            .get(&(false, number))
            .into_iter()
            .flatten()
        {
            let klass = self.kobjects.get(*kobject as usize).map_or(0, |k| k.klass);
            if let Some(klass) = KLASSES.get(klass as usize) {
                let link = json!({"links": {"self": format!("/v1/customers/{id}/klasses/{}", klass.name)},
                    "meta": {"kobject": true}});
                put(&mut r, klass.name, link);
            }
        }
        Some(resource("customer", &id, a, r, "customers"))
    }

    fn customer_emails(&self, number: u32, draw: &mut super::draw::Draw) -> Value {
        let own = match draw.below(20) {
            0 => format!("Customer.{number}+shop@Example.COM"),
            1 => format!("o'neil{number}@sub.example.co.uk"),
            _ => format!("customer{number}@example.com"),
        };
        let email =
            |email: String, kind: &str| json!({"email": email, "type": kind, "verified": false});
        if number % 200 == 2 {
            // A customer who writes from an agent's address.
            let agent = self
                .users
                .get((number as usize / 200 + 1) % self.users.len().max(1));
            let address = agent.map_or_else(String::new, |user| user.email.clone());
            return json!([email(address, "work"), email(own, "home")]);
        }
        match draw.below(20) {
            0 => json!([]),
            1 => json!([
                email(own, "home"),
                email(format!("second{number}@example.org"), "work")
            ]),
            _ => json!([email(own, "home")]),
        }
    }

    fn customer_counts(&self, number: u32, a: &mut Map<String, Value>) {
        let (mut counts, mut last) = ([0_u32; 3], None::<(i64, u32)>);
        for conversation in self.conversations_of(number) {
            let Some(found) = self.conversations.get(*conversation as usize) else {
                continue;
            };
            if found.flags & flag::DELETED != 0 {
                continue;
            }
            if let Some(count) = counts.get_mut(found.status as usize) {
                *count += 1;
            }
            last = last.max(Some((found.created, *conversation)));
        }
        let [open, snoozed, done] = counts;
        put(
            a,
            "conversationCounts",
            json!({"all": open + snoozed + done, "open": open, "snoozed": snoozed, "done": done}),
        );
        let status = match (open, snoozed, done) {
            (1.., ..) => Some("open"),
            (_, 1.., _) => Some("snoozed"),
            (_, _, 1..) => Some("done"),
            _ => None,
        };
        put(a, "progressiveStatus", status);
        if let Some((_, conversation)) = last {
            let found = self.conversations.get(conversation as usize);
            let channel = found.and_then(|c| CHANNELS.get(c.channel as usize));
            put(
                a,
                "lastConversation",
                json!({"id": self.id(Kind::Conversation, conversation),
                "channels": [channel], "tags": [], "sentiment": {"polarity": 0, "confidence": 0}}),
            );
        }
    }

    fn conversation_json(&self, number: u32) -> Option<Value> {
        let c = self.conversations.get(number as usize)?;
        let id = self.id(Kind::Conversation, number);
        let mut draw = self.draw(purpose::RENDER, Kind::Conversation, number);
        let mut a = roomy();
        put(&mut a, "name", text::subject(&mut draw));
        if draw.chance(200) {
            put(&mut a, "externalId", format!("ext-{number}"));
        }
        let facts = self.thread_facts(number);
        put(&mut a, "preview", facts.preview);
        put(&mut a, "channels", facts.channels);
        let status = STATUSES.get(c.status as usize).copied().unwrap_or("open");
        put(&mut a, "status", status);
        put(&mut a, "open", json!({"statusAt": Clock::iso(c.created)}));
        put(&mut a, "messageCount", facts.messages);
        put(&mut a, "noteCount", facts.notes);
        put(
            &mut a,
            "inboundMessageCount",
            facts.messages - facts.outbound,
        );
        put(&mut a, "outboundMessageCount", facts.outbound);
        let time = c.updated - c.created;
        if c.status == 1 {
            let until = (self.born / 86_400_000 + draw.between(1, 60)) * 86_400_000;
            put(
                &mut a,
                "snooze",
                json!({"status": "scheduled", "statusAt": Clock::iso(c.updated), "time": Clock::iso(until)}),
            );
        }
        put(&mut a, "snoozeCount", u32::from(c.status == 1));
        put(&mut a, "doneCount", u32::from(c.status == 2));
        put(&mut a, "reopenCount", 0);
        put(&mut a, "reopenFromDoneCount", 0);
        if c.status == 2 {
            let done = json!({"createdAt": Clock::iso(c.updated), "createdBy": self.user_id(draw.below(50)),
                "createdByTeams": [], "assignedUsers": [], "assignedTeams": [], "time": time, "businessTime": time / 3,
                "noteCount": facts.notes, "messageCount": facts.messages, "outboundMessageCount": facts.outbound});
            put(&mut a, "firstDone", done.clone());
            put(&mut a, "lastDone", done);
        }
        self.satisfaction(number, &mut draw, &mut a);
        put(&mut a, "createdAt", iso(c.created));
        put(&mut a, "updatedAt", iso(c.updated));
        put(&mut a, "modifiedAt", iso(c.updated));
        put(&mut a, "lastActivityAt", iso(c.updated));
        if c.imported > 0 {
            put(&mut a, "importedAt", iso(c.imported));
        }
        put(&mut a, "spam", c.flags & flag::SPAM != 0);
        let ended = draw.chance(80);
        put(&mut a, "ended", ended);
        if ended {
            put(&mut a, "endedAt", iso(c.updated));
            put(&mut a, "endedReason", "Customer left the chat");
            put(&mut a, "endedByType", draw.pick(&["user", "customer"]));
        }
        put(&mut a, "locked", draw.chance(10));
        put(&mut a, "pinned", draw.chance(10));
        put(&mut a, "deleted", c.flags & flag::DELETED != 0);
        put(&mut a, "tags", self.tags(&mut draw));
        put(&mut a, "suggestedTags", json!([]));
        put(&mut a, "predictions", json!([]));
        put(&mut a, "suggestedShortcuts", json!([]));
        let users: Vec<String> = match draw.below(10) {
            0..4 => vec![],
            4..9 => vec![self.user_id(draw.below(1000))],
            _ => (0..draw.between(2, 10))
                .map(|n| self.user_id(n as u64))
                .collect(),
        };
        put(&mut a, "assignedUsers", users);
        let teams: Vec<String> = match draw.below(10) {
            0..5 => vec![],
            5..9 => vec![self.team_id(draw.below(1000))],
            _ => (0..draw.between(2, 5))
                .map(|n| self.team_id(n as u64))
                .collect(),
        };
        put(&mut a, "assignedTeams", teams);
        put(&mut a, "sentiment", json!({}));
        put(&mut a, "firstResponse", json!({}));
        put(
            &mut a,
            "direction",
            if facts.first_out { "out" } else { "in" },
        );
        if let Some(last_out) = facts.last_out {
            put(
                &mut a,
                "lastMessageDirection",
                if last_out { "out" } else { "in" },
            );
        }
        put(&mut a, "lastMessageIn", facts.last_in);
        for (name, value) in facts.more {
            put(&mut a, name, value);
        }
        put(&mut a, "priority", draw.between(1, 5));
        put(&mut a, "defaultLang", self.language(number));
        if number % 101 == 50 {
            put(&mut a, "mergedTarget", true);
            put(&mut a, "linkedConversations", json!([]));
        }
        put(
            &mut a,
            "modificationHistory",
            json!({"statusAt": Clock::iso(c.updated)}),
        );
        put(&mut a, "roleGroupVersions", json!([]));
        put(&mut a, "accessOverride", json!([]));
        put(&mut a, "rev", c.rev);
        put(
            &mut a,
            "custom",
            self.custom(Kind::Conversation, number, custom::CONVERSATION, c.created),
        );

        let mut r = with_org(self);
        put(
            &mut r,
            "customer",
            one(
                "customer",
                "customers",
                &self.id(Kind::Customer, c.customer),
            ),
        );
        put(
            &mut r,
            "messages",
            json!({"links": {"self": format!("/v1/conversations/{id}/messages")}}),
        );
        self.written_by(50, &mut draw, &mut r);
        if draw.chance(700) {
            put(
                &mut r,
                "brand",
                one("brand", "brands", &self.brand_id(draw.below(3))),
            );
        }
        if draw.chance(500) {
            put(
                &mut r,
                "queue",
                one("queue", "routing/queues", &self.queue_id(draw.below(4))),
            );
        }
        if draw.chance(100) {
            put(
                &mut r,
                "subStatus",
                one(
                    "sub_status",
                    "sub-statuses",
                    &self.sub_status_id(draw.below(3)),
                ),
            );
        }
        if draw.chance(150) {
            put(&mut r, "sla", one("sla", "slas", &self.sla_id()));
            put(
                &mut r,
                "slaVersion",
                one("sla_version", "slas/versions", &self.sla_version_id()),
            );
            let breached = draw.chance(200);
            put(
                &mut a,
                "sla",
                json!({"name": "Standard", "version": self.sla_version_id(), "matchedAt": Clock::iso(c.created),
                "status": if c.status == 2 { "done" } else { "pending" }, "breached": breached,
                "metrics": {"firstResponse": {"breachAt": Clock::iso(c.created + 3_600_000)}},
                "summary": {"firstBreachAt": Clock::iso(c.created + 3_600_000)}}),
            );
        }
        Some(resource("conversation", &id, a, r, "conversations"))
    }

    fn satisfaction(&self, number: u32, draw: &mut super::draw::Draw, a: &mut Map<String, Value>) {
        let updated = self
            .conversations
            .get(number as usize)
            .map_or(0, |c| c.updated);
        if !draw.chance(150) {
            put(a, "satisfaction", 0);
            return;
        }
        let survey = draw.below(2);
        let status = draw.pick(&[
            "rated",
            "commented",
            "offered",
            "unresponded",
            "canceled",
            "scheduled",
        ]);
        let answered = matches!(status, "rated" | "commented");
        let mut level = Map::new();
        put(&mut level, "form", self.survey_id(survey));
        put(
            &mut level,
            "formResponse",
            self.id(Kind::SatisfactionResponse, number),
        );
        put(&mut level, "status", status);
        put(
            &mut level,
            "channel",
            if survey == 0 { "email" } else { "chat" },
        );
        put(&mut level, "createdAt", iso(updated));
        put(&mut level, "updatedAt", iso(updated));
        put(&mut level, "sentAt", iso(updated));
        put(&mut level, "sentBy", self.user_id(draw.below(50)));
        put(&mut level, "sentByTeams", json!([]));
        let mut number_value = 0;
        if answered {
            let rating = if survey == 0 {
                draw.between(1, 5)
            } else {
                draw.between(0, 1)
            };
            let score = i64::from(if survey == 0 {
                rating >= 4
            } else {
                rating == 1
            });
            number_value = score * 2 - 1;
            put(&mut level, "rating", rating);
            put(&mut level, "score", score);
            if status == "commented" {
                let answer = text::body(draw, "en_us")
                    .chars()
                    .take(500)
                    .collect::<String>();
                put(&mut level, "firstAnswer", answer.clone());
                put(
                    &mut level,
                    "answers",
                    json!([{"question": "Why?", "answer": answer}]),
                );
            }
        }
        put(a, "satisfaction", number_value);
        put(a, "satisfactionLevel", level);
    }

    fn message_json(&self, number: u32) -> Option<Value> {
        let m = *self.messages.get(number as usize)?;
        let id = self.id(Kind::Message, number);
        let conversation = self.conversations.get(m.conversation as usize)?;
        let mut draw = self.draw(purpose::RENDER, Kind::Message, number);
        let out = m.flags & flag::OUT != 0;
        let channel = CHANNELS.get(m.channel as usize).copied().unwrap_or("email");
        let app = match channel {
            "email" => draw.pick(&["postmark", "gmail"]),
            "chat" | "form" => "chat",
            "sms" | "voice" => "twilio",
            "whatsapp" => "smooch",
            _ => "messagebird",
        };
        let first = self.messages_of(m.conversation).next() == Some(number);
        let whole = self.message_text(number);
        let redacted = m.flags & flag::REDACTED != 0;
        let made = m.sent + i64::from(m.created_after);
        let mut a = roomy();
        if channel == "email" {
            put(
                &mut a,
                "externalId",
                format!("<{id}.{}@mail.acme.example>", draw.below(1 << 40)),
            );
            put(
                &mut a,
                "subject",
                if first {
                    text::subject(&mut draw)
                } else {
                    format!("Re: {}", text::subject(&mut draw))
                },
            );
        }
        put(&mut a, "channel", channel);
        put(&mut a, "app", app);
        // Sometimes the size is 0 (§9.4).
        put(
            &mut a,
            "size",
            if draw.chance(50) { 0 } else { whole.len() },
        );
        put(&mut a, "direction", if out { "out" } else { "in" });
        let kind = match (first, out, m.flags & flag::AUTO != 0) {
            (true, false, _) => "initial-in",
            (true, true, _) => "initial-out",
            (_, true, true) => "followup-out",
            (_, true, false) => "response-out",
            (_, false, _) => draw.pick(&["response-in", "followup-in"]),
        };
        put(&mut a, "directionType", kind);
        put(&mut a, "preview", cut(&whole));
        put(
            &mut a,
            "meta",
            self.message_meta(number, channel, out, &mut draw),
        );
        let failed = m.flags & flag::FAILED != 0;
        put(
            &mut a,
            "status",
            if failed {
                "error"
            } else if out {
                "sent"
            } else {
                "received"
            },
        );
        if failed {
            put(
                &mut a,
                "error",
                json!({"status": 422, "code": "inactive_recipient", "title": "Mailbox unavailable",
                "detail": "The address bounced.", "source": {}, "meta": {}, "links": {}}),
            );
            put(&mut a, "errorAt", iso(m.sent + 2000));
        }
        put(&mut a, "auto", m.flags & flag::AUTO != 0);
        put(&mut a, "spam", conversation.flags & flag::SPAM != 0);
        if m.flags & flag::AUTO != 0 && draw.chance(300) {
            put(&mut a, "source", draw.pick(&["bulk", "satisfaction"]));
        }
        put(&mut a, "assignedTeams", json!([]));
        put(&mut a, "assignedUsers", json!([]));
        put(&mut a, "createdByTeams", json!([]));
        put(&mut a, "sentAt", iso(m.sent));
        put(&mut a, "createdAt", iso(made));
        put(&mut a, "updatedAt", iso(m.updated));
        put(&mut a, "modifiedAt", iso(m.updated));
        if m.flags & flag::IMPORTED != 0 {
            put(&mut a, "importedAt", iso(conversation.imported));
        }
        put(&mut a, "redacted", redacted);
        if redacted {
            put(&mut a, "redactedAt", iso(m.updated));
        }
        let reactions = if draw.chance(40) {
            json!([{"subjectId": self.id(Kind::Customer, conversation.customer), "subjectType": "customer",
                "name": draw.pick(&["👍", "love", "haha"]), "createdAt": Clock::iso(m.sent + 60_000)}])
        } else {
            json!([])
        };
        put(&mut a, "reactions", reactions);
        put(&mut a, "intentDetections", json!([]));
        put(
            &mut a,
            "sentiment",
            json!({"polarity": draw.between(-1, 1), "confidence": 0.5}),
        );
        put(&mut a, "lang", self.language(m.conversation));
        put(
            &mut a,
            "custom",
            self.custom(Kind::Message, number, custom::MESSAGE, m.sent),
        );
        put(&mut a, "rev", m.rev);

        let mut r = with_org(self);
        let customer = self.id(Kind::Customer, conversation.customer);
        // The type reads in the plural here (§3).
        put(&mut r, "customer", one("customers", "customers", &customer));
        put(
            &mut r,
            "conversation",
            one(
                "conversation",
                "conversations",
                &self.id(Kind::Conversation, m.conversation),
            ),
        );
        if out {
            self.written_by(1000, &mut draw, &mut r);
        }
        let files = self.files_of(Kind::MessageAttachment, number);
        if !files.is_empty() {
            put(
                &mut r,
                "attachments",
                named_files(&format!("messages/{id}"), &files),
            );
        }
        let mut message = resource("message", &id, a, r, "messages");
        if let Some(links) = message.get_mut("links").and_then(Value::as_object_mut) {
            put(links, "related", format!("/v1/{app}/messages/{id}"));
        }
        Some(message)
    }

    /// `meta` differs by channel, and recipients come in three shapes (§9.4).
    fn message_meta(
        &self,
        number: u32,
        channel: &str,
        out: bool,
        draw: &mut super::draw::Draw,
    ) -> Value {
        let Some(m) = self.messages.get(number as usize) else {
            return json!({});
        };
        let conversation = self.conversations.get(m.conversation as usize);
        let customer = conversation.map_or(0, |c| c.customer);
        let own = format!("customer{customer}@example.com");
        let (from, to) = if out {
            ("support@acme.example".to_owned(), own)
        } else {
            (own, "support@acme.example".to_owned())
        };
        match channel {
            "email" => {
                let recipients = match draw.below(10) {
                    0 => json!({"email": to}),
                    1 => json!(to),
                    2 => {
                        json!([{"email": to}, {"email": "second@example.org", "name": "Sécond, \"Q\""}])
                    }
                    _ => json!([{"email": to}]),
                };
                let copies = if draw.chance(100) {
                    json!([{"email": "boss@example.org"}])
                } else {
                    json!([])
                };
                let mut meta = json!({"from": from, "to": recipients, "cc": copies,
                    "recipient": {"email": to, "mailboxHash": ""}, "subject": "Where is my order?", "inReplyTo": ""});
                if draw.chance(30)
                    && let Some(map) = meta.as_object_mut()
                {
                    put(map, "bcc", json!([{"email": "archive@acme.example"}]));
                }
                meta
            }
            "voice" => {
                let recording =
                    format!("{}/external/recordings/{number}.mp3", self.hosts().external);
                let length = draw.between(5, 3000) * 1000;
                let mut meta = json!({"from": "+15555550123", "to": "+15555550100", "status": "completed",
                    "placedAt": Clock::iso(m.sent), "answeredAt": Clock::iso(m.sent + 5000), "endedAt": Clock::iso(m.sent + 5000 + length)});
                if draw.chance(700)
                    && let Some(map) = meta.as_object_mut()
                {
                    put(map, "externalRecordingUrl", recording);
                }
                meta
            }
            "chat" => json!({"payload": {"type": "text"}}),
            "twitter-tweet" => {
                json!({"permalink": format!("https://twitter.com/acme/status/{number}"), "messageType": "mention"})
            }
            "form" => json!({"form": "Contact us"}),
            _ => {
                json!({"from": if out { "acme" } else { "customer" }, "to": if out { "customer" } else { "acme" }})
            }
        }
    }

    pub(super) fn message_html(&self, number: u32) -> String {
        let inline: Vec<String> = self
            .files_of(Kind::MessageAttachment, number)
            .into_iter()
            .filter_map(|file| file.inline)
            .collect();
        text::html(&self.message_text(number), &inline)
    }

    fn note_json(&self, number: u32) -> Option<Value> {
        let n = self.notes.get(number as usize)?;
        let id = self.id(Kind::Note, number);
        let mut draw = self.draw(purpose::RENDER, Kind::Note, number);
        let author = self.user_id(draw.below(1000));
        let mut a = roomy();
        put(&mut a, "body", self.note_text(number));
        put(
            &mut a,
            "createdByTeams",
            json!([self.team_id(draw.below(8))]),
        );
        put(&mut a, "createdAt", iso(n.created));
        put(&mut a, "updatedAt", iso(n.updated));
        put(&mut a, "modifiedAt", iso(n.updated));
        let mut r = with_org(self);
        put(
            &mut r,
            "customer",
            one(
                "customer",
                "customers",
                &self.id(Kind::Customer, n.customer),
            ),
        );
        if n.conversation != NONE {
            put(
                &mut r,
                "conversation",
                one(
                    "conversation",
                    "conversations",
                    &self.id(Kind::Conversation, n.conversation),
                ),
            );
        }
        put(&mut r, "createdBy", one("user", "users", &author));
        put(&mut r, "modifiedBy", one("user", "users", &author));
        if n.flags & flag::DELETED != 0 {
            put(&mut a, "deleted", true);
            put(&mut a, "deletedAt", iso(n.updated));
            put(&mut r, "deletedBy", one("user", "users", &author));
        }
        let files = self.files_of(Kind::NoteAttachment, number);
        if !files.is_empty() {
            put(
                &mut r,
                "attachments",
                named_files(&format!("notes/{id}"), &files),
            );
        }
        if let Some(user) = self.mentioned(number) {
            put(
                &mut r,
                "userMentions",
                json!({"data": [{"type": "user", "id": self.id(Kind::User, user)}]}),
            );
        }
        Some(resource("note", &id, a, r, "notes"))
    }

    fn kobject_json(&self, number: u32) -> Option<Value> {
        let k = self.kobjects.get(number as usize)?;
        let klass = KLASSES.get(k.klass as usize)?;
        let id = self.id(Kind::KObject, number);
        let mut draw = self.draw(purpose::RENDER, Kind::KObject, number);
        let mut a = roomy();
        if draw.chance(800) {
            put(&mut a, "externalId", format!("{number}"));
        }
        put(
            &mut a,
            "title",
            format!(
                "{} #{number} {}",
                klass.display,
                draw.pick(&["", "✓", "(späte Lieferung)", "注文"])
            ),
        );
        put(
            &mut a,
            "description",
            if draw.chance(500) {
                "3 items\r\nsecond line"
            } else {
                ""
            },
        );
        put(&mut a, "icon", "cart");
        put(
            &mut a,
            "images",
            if draw.chance(100) {
                json!(["https://cdn.acme.example/a.png"])
            } else {
                json!([])
            },
        );
        put(
            &mut a,
            "custom",
            self.custom(Kind::KObject, number, klass.attributes, k.created),
        );
        // Big data is kept outside the record (§9.12).
        if number % 17 == 3 {
            put(&mut a, "s3DataUrl", self.data_link(number));
        } else if draw.chance(600) {
            put(&mut a, "data", self.kobject_data(number));
        }
        put(&mut a, "tags", self.tags(&mut draw));
        put(&mut a, "createdAt", iso(k.created));
        put(&mut a, "updatedAt", iso(k.updated));
        put(&mut a, "rev", k.rev);
        put(&mut a, "roleGroupVersions", json!([]));
        let mut r = with_org(self);
        if klass.task {
            let done = draw.chance(500);
            put(&mut a, "status", if done { "done" } else { "open" });
            put(&mut a, "assignedUser", self.user_id(draw.below(1000)));
            put(&mut a, "queue", self.queue_id(draw.below(4)));
            put(&mut a, "doneCount", u32::from(done));
            put(&mut a, "reopenCount", 0);
            put(&mut a, "reopenFromDoneCount", 0);
            put(&mut a, "klassDisplayName", klass.display);
            put(&mut a, "klassMixins", json!(["assignable"]));
            put(
                &mut r,
                "queue",
                one("queue", "routing/queues", &self.queue_id(0)),
            );
        }
        // The key is `link` here, not `links` (§3).
        put(
            &mut r,
            "klass",
            json!({"link": {"self": format!("/v1/klasses/{}", klass.name)},
            "data": {"type": "klass", "id": klass.name}}),
        );
        match klass.owner {
            Some("customer") if k.owner != NONE => {
                put(
                    &mut r,
                    "customer",
                    one("customer", "customers", &self.id(Kind::Customer, k.owner)),
                );
            }
            Some("company") if k.owner != NONE => {
                put(
                    &mut r,
                    "company",
                    one("company", "companies", &self.id(Kind::Company, k.owner)),
                );
            }
            _ => {}
        }
        // The klass in the path may be in the plural although its name is not (§3).
        let path = if klass.name == "shipment" {
            "shipments"
        } else {
            klass.name
        };
        Some(resource(
            &format!("kobject.{}", klass.name),
            &id,
            a,
            r,
            &format!("klasses/{path}"),
        ))
    }

    /// The free JSON of a record.
    pub(super) fn kobject_data(&self, number: u32) -> Value {
        let mut draw = self.draw(purpose::RENDER + 2, Kind::KObject, number);
        let count = if number % 17 == 3 {
            400
        } else {
            draw.between(0, 4)
        };
        let items: Vec<Value> = (0..count)
            .map(|n| json!({"sku": format!("A{n}"), "qty": draw.between(1, 9), "price": 12.5, "name": "Größe ✓"}))
            .collect();
        json!({"items": items, "nested": {"empty": {}, "null": null, "list": [1, "2", false]}})
    }

    /// An agent's time on a message (§9.13); seconds.
    fn time_json(&self, message: u32) -> Option<Value> {
        let m = self.messages.get(message as usize)?;
        let id = self.id(Kind::ConversationTime, message);
        let mut draw = self.draw(purpose::RENDER, Kind::ConversationTime, message);
        let seconds = draw.between(3, 900);
        let made = m.sent + i64::from(m.created_after);
        let mut a = roomy();
        put(&mut a, "createdAt", iso(made));
        put(&mut a, "createdByTeams", json!([]));
        put(&mut a, "assignedUsers", json!([]));
        put(&mut a, "assignedTeams", json!([]));
        put(&mut a, "handleAt", iso(made - seconds * 1000));
        put(&mut a, "handleTime", seconds);
        put(
            &mut a,
            "channels",
            json!([CHANNELS.get(m.channel as usize)]),
        );
        put(&mut a, "messageAt", iso(made));
        put(&mut a, "messageTime", seconds);
        put(&mut a, "updatedAt", iso(m.updated));
        let customer = self
            .conversations
            .get(m.conversation as usize)
            .map_or(0, |c| c.customer);
        let mut r = with_org(self);
        put(
            &mut r,
            "customer",
            one("customer", "customers", &self.id(Kind::Customer, customer)),
        );
        put(
            &mut r,
            "conversation",
            one(
                "conversation",
                "conversations",
                &self.id(Kind::Conversation, m.conversation),
            ),
        );
        put(
            &mut r,
            "createdBy",
            one("user", "users", &self.user_id(draw.below(50))),
        );
        Some(resource(
            "conversation_time",
            &id,
            a,
            r,
            "conversations/times",
        ))
    }

    fn thread_facts(&self, number: u32) -> ThreadFacts {
        let mut facts = ThreadFacts::default();
        let mut channels: Vec<&str> = Vec::new();
        let mut ends = [None::<u32>; 4];
        for message in self.messages_of(number) {
            let Some(m) = self.messages.get(message as usize) else {
                continue;
            };
            let out = m.flags & flag::OUT != 0;
            if facts.messages == 0 {
                facts.first_out = out;
            }
            facts.messages += 1;
            facts.outbound += u32::from(out);
            facts.last_out = Some(out);
            let channel = CHANNELS.get(m.channel as usize).copied().unwrap_or("email");
            if !channels.contains(&channel) {
                channels.push(channel);
            }
            let [first_in, last_in, first_out, last_out] = &mut ends;
            let (first, last) = if out {
                (first_out, last_out)
            } else {
                (first_in, last_in)
            };
            first.get_or_insert(message);
            *last = Some(message);
        }
        if channels.is_empty() {
            let own = self
                .conversations
                .get(number as usize)
                .map_or(0, |c| c.channel);
            channels.extend(CHANNELS.get(own as usize));
        }
        facts.channels = json!(channels);
        facts.notes = self
            .notes_of(number)
            .filter(|n| {
                self.notes
                    .get(*n as usize)
                    .is_some_and(|n| n.flags & flag::DELETED == 0)
            })
            .count() as u32;
        let [first_in, last_in, first_out, last_out] = ends;
        facts.last_in = last_in.map_or_else(|| json!({}), |m| self.message_end(m));
        let named = [
            ("firstMessageIn", first_in),
            ("firstMessageOut", first_out),
            ("lastMessageOut", last_out),
        ];
        for (name, message) in named {
            if let Some(message) = message {
                facts.more.push((name, self.message_end(message)));
            }
        }
        let last = self.messages_of(number).next_back();
        if let Some(last) = last {
            let sent = self.messages.get(last as usize).map_or(0, |m| m.sent);
            facts.more.push(("lastMessageAt", iso(sent)));
            facts.preview = self
                .message_text(last)
                .chars()
                .take(200)
                .collect::<String>()
                .into();
        }
        facts
    }

    fn message_end(&self, number: u32) -> Value {
        let Some(m) = self.messages.get(number as usize) else {
            return json!({});
        };
        let channel = CHANNELS.get(m.channel as usize);
        let made = Clock::iso(m.sent + i64::from(m.created_after));
        json!({"id": self.id(Kind::Message, number), "sentAt": Clock::iso(m.sent), "createdAt": made, "channel": channel})
    }

    /// Whether a message is a call with a recording.
    pub(super) fn is_voice(&self, number: u32) -> bool {
        self.messages
            .get(number as usize)
            .is_some_and(|m| m.channel == VOICE)
    }
}

#[derive(Default)]
struct ThreadFacts {
    messages: u32,
    outbound: u32,
    notes: u32,
    first_out: bool,
    last_out: Option<bool>,
    channels: Value,
    preview: Value,
    last_in: Value,
    more: Vec<(&'static str, Value)>,
}

/// The relationship by which a record names its files.
fn named_files(path: &str, files: &[File]) -> Value {
    let data: Vec<Value> = files
        .iter()
        .map(|f| json!({"type": "attachment", "id": f.id.to_string()}))
        .collect();
    json!({"links": {"self": format!("/v1/{path}/attachments")}, "data": data})
}

/// A text as `preview` shows it.
fn cut(whole: &str) -> String {
    match whole.char_indices().nth(PREVIEW_CAP) {
        Some((at, _)) => whole.get(..at).unwrap_or(whole).to_owned(),
        None => whole.to_owned(),
    }
}
