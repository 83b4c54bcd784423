//! What the account is: roles, products, mailboxes, languages, time zones.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::body::iso;
use super::call::Call;
use super::model::Id;
use super::switches::Plan;

/// A role of agents.
#[derive(Debug, Clone)]
pub(super) struct Role {
    pub id: Id,
    pub name: &'static str,
    pub description: &'static str,
    pub created_at: DateTime<Utc>,
}

impl Role {
    /// Name and description of those every account has.
    pub const ALL: [(&'static str, &'static str); 4] = [
        (
            "Account Administrator",
            "Has complete control over the help desk including access to Account or Billing related information, and \
             receives Invoices.",
        ),
        (
            "Administrator",
            "Can configure all features through the Admin tab, but is restricted from viewing Account or Billing \
             related information.",
        ),
        (
            "Supervisor",
            "Can perform all agent related activities and access reports, but cannot access or change configurations \
             in the Admin tab.",
        ),
        (
            "Agent",
            "Can log, view, reply, update and resolve tickets and manage contacts.",
        ),
    ];

    fn json(&self) -> Value {
        json!({
            "id": self.id, "name": self.name, "description": self.description, "default": true,
            "created_at": iso(self.created_at), "updated_at": iso(self.created_at),
        })
    }
}

/// Languages that a contact or agent may have [INF].
const LANGUAGES: &[&str] = &[
    "ar", "bg", "bs", "ca", "cs", "cy-GB", "da", "de", "el", "en", "es", "es-LA", "et", "fa", "fi",
    "fil", "fr", "he", "hr", "hu", "id", "is", "it", "ja-JP", "ko", "lt", "lv-LV", "ms", "nb-NO",
    "nl", "nn-NO", "no", "pl", "pt-BR", "pt-PT", "ro", "ru-RU", "sk", "sl", "sr", "sv-SE",
    "test-ui", "th", "tr", "uk", "ur-IN", "vi", "zh-CN", "zh-TW",
];

/// Time zones by the names of Rails [INF]; the facts show `Madrid` and `Chennai`.
const TIME_ZONES: &[&str] = &[
    "Abu Dhabi",
    "Adelaide",
    "Alaska",
    "Almaty",
    "American Samoa",
    "Amsterdam",
    "Arizona",
    "Astana",
    "Athens",
    "Atlantic Time (Canada)",
    "Auckland",
    "Azores",
    "Baghdad",
    "Baku",
    "Bangkok",
    "Beijing",
    "Belgrade",
    "Berlin",
    "Bern",
    "Bogota",
    "Brasilia",
    "Bratislava",
    "Brisbane",
    "Brussels",
    "Bucharest",
    "Budapest",
    "Buenos Aires",
    "Cairo",
    "Canberra",
    "Cape Verde Is.",
    "Caracas",
    "Casablanca",
    "Central America",
    "Central Time (US & Canada)",
    "Chatham Is.",
    "Chennai",
    "Chihuahua",
    "Chongqing",
    "Copenhagen",
    "Darwin",
    "Dhaka",
    "Dublin",
    "Eastern Time (US & Canada)",
    "Edinburgh",
    "Ekaterinburg",
    "Fiji",
    "Georgetown",
    "Greenland",
    "Guadalajara",
    "Guam",
    "Hanoi",
    "Harare",
    "Hawaii",
    "Helsinki",
    "Hobart",
    "Hong Kong",
    "Indiana (East)",
    "International Date Line West",
    "Irkutsk",
    "Islamabad",
    "Istanbul",
    "Jakarta",
    "Jerusalem",
    "Kabul",
    "Kaliningrad",
    "Kamchatka",
    "Karachi",
    "Kathmandu",
    "Kolkata",
    "Krasnoyarsk",
    "Kuala Lumpur",
    "Kuwait",
    "Kyiv",
    "La Paz",
    "Lima",
    "Lisbon",
    "Ljubljana",
    "London",
    "Madrid",
    "Magadan",
    "Marshall Is.",
    "Mazatlan",
    "Melbourne",
    "Mexico City",
    "Mid-Atlantic",
    "Midway Island",
    "Minsk",
    "Monrovia",
    "Monterrey",
    "Montevideo",
    "Moscow",
    "Mountain Time (US & Canada)",
    "Mumbai",
    "Muscat",
    "Nairobi",
    "New Caledonia",
    "New Delhi",
    "Newfoundland",
    "Novosibirsk",
    "Nuku'alofa",
    "Osaka",
    "Pacific Time (US & Canada)",
    "Paris",
    "Perth",
    "Port Moresby",
    "Prague",
    "Pretoria",
    "Puerto Rico",
    "Quito",
    "Rangoon",
    "Riga",
    "Riyadh",
    "Rome",
    "Samara",
    "Samoa",
    "Santiago",
    "Sapporo",
    "Sarajevo",
    "Saskatchewan",
    "Seoul",
    "Singapore",
    "Skopje",
    "Sofia",
    "Solomon Is.",
    "Srednekolymsk",
    "Sri Jayawardenepura",
    "St. Petersburg",
    "Stockholm",
    "Sydney",
    "Taipei",
    "Tallinn",
    "Tashkent",
    "Tbilisi",
    "Tehran",
    "Tijuana",
    "Tokelau Is.",
    "Tokyo",
    "UTC",
    "Ulaanbaatar",
    "Urumqi",
    "Vienna",
    "Vilnius",
    "Vladivostok",
    "Volgograd",
    "Warsaw",
    "Wellington",
    "West Central Africa",
    "Yakutsk",
    "Yerevan",
    "Zagreb",
    "Zurich",
];

/// Whether there is such a language.
pub(super) fn is_language(code: &str) -> bool {
    LANGUAGES.contains(&code)
}

/// Whether there is such a time zone.
pub(super) fn is_time_zone(name: &str) -> bool {
    TIME_ZONES.contains(&name)
}

pub(super) fn roles(call: &mut Call<'_>) -> Outcome {
    call.page(call.state.roles.iter(), None, Role::json)
}

pub(super) fn role(call: &mut Call<'_>) -> Outcome {
    let id = call.id(0)?;
    let role = call.state.roles.iter().find(|role| role.id == id);
    Answer::ok(role.ok_or(Failure::NotFound)?.json())
}

pub(super) fn products(call: &mut Call<'_>) -> Outcome {
    let made = call.state.roles.first().map(|role| iso(role.created_at));
    let product = json!({
        "id": call.state.product_id, "name": "Acme", "description": null, "primary_email": null,
        "created_at": made, "updated_at": made,
    });
    call.page([product].into_iter(), None, |product| product)
}

pub(super) fn email_configs(call: &mut Call<'_>) -> Outcome {
    let made = call.state.roles.first().map(|role| iso(role.created_at));
    let address = support_address(&call.state.config.domain);
    let mailbox = json!({
        "id": call.state.mailbox_id, "name": "Acme Support", "product_id": null, "to_email": address,
        "reply_email": address, "group_id": null, "primary_role": true, "active": true,
        "created_at": made, "updated_at": made,
    });
    call.page([mailbox].into_iter(), None, |mailbox| mailbox)
}

/// The address of the account's mailbox.
pub(super) fn support_address(domain: &str) -> String {
    format!("support@{domain}.freshdesk.com")
}

pub(super) fn helpdesk(_: &mut Call<'_>) -> Outcome {
    Answer::ok(json!({
        "primary_language": "en", "supported_languages": [], "portal_languages": ["en"],
    }))
}

/// What account it is. Not in the facts; the shape is our own guess [INF].
pub(super) fn account(call: &mut Call<'_>) -> Outcome {
    let state = &*call.state;
    let plan = match state.config.plan {
        Plan::Trial => "Trial",
        Plan::Free => "Sprout",
        Plan::Growth => "Garden",
        Plan::Pro => "Estate",
        Plan::Enterprise => "Forest",
    };
    Answer::ok(json!({
        "account_id": state.account_id, "account_name": "Acme",
        "account_domain": format!("{}.freshdesk.com", state.config.domain),
        "tier_type": plan, "timezone": "UTC", "data_center": "EU",
        "total_agents": {
            "full_time": state.seats_taken(),
            "occasional": state.agents.len() - state.seats_taken(),
        },
    }))
}
