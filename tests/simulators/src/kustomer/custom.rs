//! Custom attributes: what the metadata says and what the records hold (Kustomer facts §9.10).
//!
//! The suffix of a name is its type. Records hold values that the metadata does not cover, values of deleted
//! attributes, and values that do not fit their type, because real organisations do.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::draw::Draw;
use crate::common::Clock;

/// One custom attribute.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// The name with its suffix.
    pub name: &'static str,
    /// What people see.
    pub display: &'static str,
    /// For references, what they point to.
    pub target: Option<&'static str>,
    /// For references, whether there can be many.
    pub multi: bool,
    /// The values allowed for a string, if they are listed.
    pub choices: &'static [&'static str],
    /// Whether the metadata marks it deleted.
    pub deleted: bool,
    /// Whether the metadata knows it at all.
    pub documented: bool,
}

const fn plain(name: &'static str, display: &'static str) -> Attribute {
    Attribute {
        name,
        display,
        target: None,
        multi: false,
        choices: &[],
        deleted: false,
        documented: true,
    }
}

const fn choice(
    name: &'static str,
    display: &'static str,
    choices: &'static [&'static str],
) -> Attribute {
    Attribute {
        choices,
        ..plain(name, display)
    }
}

const fn link(
    name: &'static str,
    display: &'static str,
    target: &'static str,
    multi: bool,
) -> Attribute {
    Attribute {
        target: Some(target),
        multi,
        ..plain(name, display)
    }
}

const fn deleted(name: &'static str, display: &'static str) -> Attribute {
    Attribute {
        deleted: true,
        ..plain(name, display)
    }
}

const fn undocumented(name: &'static str) -> Attribute {
    Attribute {
        documented: false,
        ..plain(name, "")
    }
}

/// The paths of the multi-level list.
const TREE: &[&str] = &[
    "shipping",
    "shipping.late",
    "shipping.lost",
    "billing.refund.partial",
    "other",
];

/// Attributes of customers.
pub const CUSTOMER: &[Attribute] = &[
    choice(
        "loyaltyTierStr",
        "Loyalty tier",
        &["bronze", "silver", "gold"],
    ),
    plain("lifetimeValueNum", "Lifetime value"),
    plain("memberSinceAt", "Member since"),
    plain("vipBool", "VIP"),
    plain("profileUrl", "Profile"),
    plain("biographyTxt", "Biography"),
    plain("segmentTree", "Segment"),
    plain("taxIdStr", "Tax id"),
    link("ordersId", "Orders", "kobject.ecomm-order", true),
    link("referredById", "Referred by", "customer", false),
    deleted("oldFieldStr", "Old field"),
    undocumented("shadowStr"),
];
/// Attributes of companies.
pub const COMPANY: &[Attribute] = &[
    choice("planStr", "Plan", &["free", "team", "enterprise"]),
    plain("seatsNum", "Seats"),
    plain("renewalAt", "Renewal"),
    plain("partnerBool", "Partner"),
    plain("contractUrl", "Contract"),
    plain("remarksTxt", "Remarks"),
    plain("industryTree", "Industry"),
    link("ownerId", "Account owner", "user", false),
    deleted("legacyCodeStr", "Legacy code"),
];
/// Attributes of conversations.
pub const CONVERSATION: &[Attribute] = &[
    plain("orderNumberStr", "Order number"),
    plain("refundNum", "Refund"),
    plain("promisedAt", "Promised for"),
    plain("escalatedBool", "Escalated"),
    plain("ticketUrl", "Ticket elsewhere"),
    plain("summaryTxt", "Summary"),
    plain("contactReasonTree", "Contact reason"),
    link("orderId", "Order", "kobject.ecomm-order", false),
    link("devicesId", "Devices", "kobject.device_asset", true),
    deleted("oldReasonStr", "Old reason"),
    undocumented("importBatchNum"),
];
/// Attributes of messages.
pub const MESSAGE: &[Attribute] = &[
    plain("campaignStr", "Campaign"),
    plain("scoreNum", "Score"),
    plain("readAt", "Read"),
    plain("botBool", "By a bot"),
    deleted("oldTagStr", "Old tag"),
];
/// Attributes of users.
pub const USER: &[Attribute] = &[
    plain("employeeNumberStr", "Employee number"),
    plain("officeTree", "Office"),
];

/// One custom object definition (§9.11).
#[derive(Clone, Copy, Debug)]
pub struct KlassDef {
    /// The name, as in paths and types.
    pub name: &'static str,
    /// What people see.
    pub display: &'static str,
    /// `enabled`, `existing_only` or `disabled`.
    pub status: &'static str,
    /// Whether its records are tasks with a status and an assignee.
    pub task: bool,
    /// What its records belong to: `customer`, `company`, or nothing.
    pub owner: Option<&'static str>,
    /// Its share of all records, of a thousand.
    pub share: u64,
    /// Its attributes.
    pub attributes: &'static [Attribute],
}

/// All klasses. The references among them form two cycles: order → shipment → order, and product → product.
pub const KLASSES: &[KlassDef] = &[
    KlassDef {
        name: "ecomm-order",
        display: "Order",
        status: "enabled",
        task: false,
        owner: Some("customer"),
        share: 450,
        attributes: &[
            choice(
                "orderStatusStr",
                "Status",
                &["open", "fulfilled", "cancelled"],
            ),
            plain("totalPriceNum", "Total"),
            plain("placedAt", "Placed"),
            plain("giftBool", "Gift"),
            plain("trackingUrl", "Tracking"),
            plain("instructionsTxt", "Instructions"),
            plain("reasonTree", "Reason"),
            link("shipmentsId", "Shipments", "kobject.shipment", true),
            link("productsId", "Products", "kobject.product", true),
            link("soldById", "Sold by", "user", false),
            deleted("oldStatusStr", "Old status"),
            undocumented("warehouseStr"),
        ],
    },
    KlassDef {
        name: "shipment",
        display: "Shipment",
        status: "enabled",
        task: false,
        owner: Some("customer"),
        share: 200,
        attributes: &[
            choice(
                "carrierStr",
                "Carrier",
                &["DHL", "UPS", "La Poste", "日本郵便"],
            ),
            plain("weightNum", "Weight"),
            plain("deliveredAt", "Delivered"),
            link("orderId", "Order", "kobject.ecomm-order", false),
        ],
    },
    KlassDef {
        name: "product",
        display: "Product",
        status: "enabled",
        task: false,
        owner: None,
        share: 100,
        attributes: &[
            plain("skuStr", "SKU"),
            plain("priceNum", "Price"),
            plain("discontinuedBool", "Discontinued"),
            link("parentId", "Parent", "kobject.product", false),
            link("accessoriesId", "Accessories", "kobject.product", true),
        ],
    },
    KlassDef {
        name: "device_asset",
        display: "Device",
        status: "enabled",
        task: false,
        owner: Some("company"),
        share: 100,
        attributes: &[
            plain("serialStr", "Serial"),
            plain("installedAt", "Installed"),
            link("contactId", "Contact", "customer", false),
            link("siteId", "Site", "company", false),
        ],
    },
    KlassDef {
        name: "repair",
        display: "Repair",
        status: "enabled",
        task: true,
        owner: Some("customer"),
        share: 60,
        attributes: &[
            plain("faultTxt", "Fault"),
            plain("costNum", "Cost"),
            link("deviceId", "Device", "kobject.device_asset", false),
        ],
    },
    KlassDef {
        name: "acme_orders-subscription",
        display: "Subscription",
        status: "enabled",
        task: false,
        owner: Some("customer"),
        share: 40,
        attributes: &[plain("intervalStr", "Interval"), plain("nextAt", "Next")],
    },
    KlassDef {
        name: "legacy-contract",
        display: "Contract (old)",
        status: "existing_only",
        task: false,
        owner: Some("company"),
        share: 30,
        attributes: &[plain("numberStr", "Number"), plain("signedAt", "Signed")],
    },
    KlassDef {
        name: "old_survey",
        display: "Survey (old)",
        status: "disabled",
        task: false,
        owner: Some("customer"),
        share: 20,
        attributes: &[plain("answerTxt", "Answer"), plain("scoreNum", "Score")],
    },
];

/// The klasses of an organisation, all or a few: orders and shipments refer to each other.
pub(super) fn klasses(few: bool) -> &'static [KlassDef] {
    let (few_of_them, _) = KLASSES.split_at(2);
    if few { few_of_them } else { KLASSES }
}

/// The attributes of an organisation that has a few.
const FEW: &[&str] = &[
    "loyaltyTierStr",
    "referredById",
    "planStr",
    "contactReasonTree",
    "orderId",
    "orderStatusStr",
    "shipmentsId",
];

/// Of a resource's attributes, all or a few.
pub(super) fn chosen(attributes: &'static [Attribute], few: bool) -> Cow<'static, [Attribute]> {
    if !few {
        return Cow::Borrowed(attributes);
    }
    let chosen = attributes.iter().filter(|a| FEW.contains(&a.name));
    chosen.copied().collect()
}

/// The attributes that `GET /v1/metadata/{resource}` describes; `None` for an unknown resource.
pub fn attributes(resource: &str) -> Option<&'static [Attribute]> {
    match resource {
        "customer" => Some(CUSTOMER),
        "company" => Some(COMPANY),
        "conversation" => Some(CONVERSATION),
        "message" => Some(MESSAGE),
        "user" => Some(USER),
        _ => {
            let name = resource.strip_prefix("kobject.")?;
            KLASSES
                .iter()
                .find(|klass| klass.name == name)
                .map(|klass| klass.attributes)
        }
    }
}

/// The last word of a camel-case name: its type.
pub fn suffix(name: &str) -> &str {
    name.rfind(char::is_uppercase)
        .and_then(|at| name.get(at..))
        .unwrap_or(name)
}

/// The `properties` of a resource's metadata.
pub fn properties(attributes: &[Attribute], user: &str, sensitive: impl Fn(&str) -> bool) -> Value {
    let mut properties = Map::new();
    for (at, attribute) in attributes.iter().enumerate().filter(|(_, a)| a.documented) {
        let mut property = Map::new();
        let kind = match suffix(attribute.name) {
            "Num" => "number",
            "Bool" => "boolean",
            _ => "string",
        };
        property.insert("type".into(), kind.into());
        property.insert("displayName".into(), attribute.display.into());
        if !attribute.choices.is_empty() {
            property.insert("enumeration".into(), json!(attribute.choices));
        }
        if let Some(target) = attribute.target {
            property.insert("target".into(), target.into());
            property.insert("multi".into(), attribute.multi.into());
        }
        if suffix(attribute.name) == "Tree" {
            property.insert("tree".into(), tree());
        }
        if sensitive(attribute.name) {
            property.insert("hasSensitiveAttributes".into(), true.into());
        }
        let changed = Clock::iso(1_600_000_000_000 + at as i64 * 86_400_000);
        if attribute.deleted {
            property.insert("deletedAt".into(), changed.clone().into());
            property.insert("deletedBy".into(), user.into());
        }
        property.insert("modifiedBy".into(), user.into());
        property.insert("modifiedAt".into(), changed.clone().into());
        property.insert("updatedAt".into(), changed.into());
        properties.insert(attribute.name.to_owned(), property.into());
    }
    properties.into()
}

/// The tree as nested objects keyed by the part of the path; how it is really encoded is an open question (§14).
fn tree() -> Value {
    let mut root = Map::new();
    for path in TREE {
        let mut node = &mut root;
        for part in path.split('.') {
            let next = node.entry(part.to_owned()).or_insert_with(|| json!({}));
            match next {
                Value::Object(map) => node = map,
                _ => break,
            }
        }
    }
    root.into()
}

/// The `custom` of one record. `refer` gives the id of some record of a target kind, if there is one.
pub fn values(
    attributes: &[Attribute],
    draw: &mut Draw,
    around_ms: i64,
    mut refer: impl FnMut(&str, &mut Draw) -> Option<String>,
) -> Map<String, Value> {
    let mut custom = Map::new();
    // Half of the records have few values, as in life.
    let share = if draw.chance(500) { 150 } else { 600 };
    for attribute in attributes {
        if !draw.chance(share) {
            continue;
        }
        let value = if draw.chance(25) {
            misfit(attribute, draw)
        } else {
            fitting(attribute, draw, around_ms, &mut refer)
        };
        if let Some(value) = value {
            custom.insert(attribute.name.to_owned(), value);
        }
    }
    custom
}

fn fitting(
    attribute: &Attribute,
    draw: &mut Draw,
    around_ms: i64,
    refer: &mut impl FnMut(&str, &mut Draw) -> Option<String>,
) -> Option<Value> {
    if let Some(target) = attribute.target {
        if !attribute.multi {
            return refer(target, draw).map(Value::from);
        }
        let count = draw.between(1, 4);
        let ids: Vec<String> = (0..count).filter_map(|_| refer(target, draw)).collect();
        return Some(ids.into());
    }
    Some(match suffix(attribute.name) {
        "Num" => match draw.below(5) {
            0 => json!(draw.between(-5, 5)),
            1 => json!(draw.between(0, 9_007_199_254_740_991)),
            2 => json!(draw.below(10_000)),
            _ => json!(draw.between(0, 1_000_000) as f64 / 100.0),
        },
        "Bool" => json!(draw.chance(500)),
        "At" => {
            let at = around_ms - draw.between(0, 400) * 86_400_000;
            match draw.below(3) {
                // Values may carry any offset (§3).
                0 => Clock::iso(at)
                    .replace(".000Z", "-05:00")
                    .replace('Z', "-05:00")
                    .into(),
                _ => Clock::iso(at).into(),
            }
        }
        "Url" => format!("https://shop.example.com/{}?q=ä%20b#x", draw.below(100_000)).into(),
        "Txt" => draw
            .pick(&[
                "First line\nsecond line\r\nthird",
                "単一行",
                "tab\there",
                " trailing  ",
            ])
            .into(),
        "Tree" => draw.pick(TREE).into(),
        _ if !attribute.choices.is_empty() => draw.pick(attribute.choices).into(),
        _ => draw
            .pick(&[
                "A-17",
                "naïve café",
                "00123",
                "",
                "null",
                "مرحبا",
                "x".repeat(1024).as_str(),
            ])
            .into(),
    })
}

/// A value that does not fit the type that the name promises, or `null`.
fn misfit(attribute: &Attribute, draw: &mut Draw) -> Option<Value> {
    Some(match suffix(attribute.name) {
        "Num" => draw.pick(&["n/a", "12,50", ""]).into(),
        "Bool" => draw.pick(&["yes", "0"]).into(),
        "At" => draw.pick(&["next tuesday", "2021-02-30", "0"]).into(),
        "Url" => "not a url".into(),
        "Id" => match draw.below(3) {
            // A reference to nothing, a list where one is expected, and a text that is no id.
            0 => "000000000000000000000000".into(),
            1 => json!(["000000000000000000000000"]),
            _ => "order 4417".into(),
        },
        "Str" if !attribute.choices.is_empty() => "a value outside the list".into(),
        _ => Value::Null,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_type_suffix_occurs_on_customers_companies_conversations_and_orders() {
        let all: BTreeSet<&str> = ["Bool", "Num", "At", "Url", "Txt", "Tree", "Id", "Str"].into();
        for resource in ["customer", "company", "conversation", "kobject.ecomm-order"] {
            let suffixes: BTreeSet<&str> = attributes(resource)
                .unwrap()
                .iter()
                .map(|a| suffix(a.name))
                .collect();
            assert_eq!(suffixes, all, "{resource}");
        }
    }

    #[test]
    fn records_hold_values_of_deleted_and_unknown_attributes_and_misfits() {
        let (mut deleted, mut unknown, mut misfits) = (0, 0, 0);
        for number in 0..2000 {
            let mut draw = Draw::new(1, 1, number);
            let custom = values(CUSTOMER, &mut draw, 1_700_000_000_000, |_, _| {
                Some("id".into())
            });
            deleted += u32::from(custom.contains_key("oldFieldStr"));
            unknown += u32::from(custom.contains_key("shadowStr"));
            misfits += u32::from(custom.get("lifetimeValueNum").is_some_and(Value::is_string));
        }
        assert!(
            deleted > 0 && unknown > 0 && misfits > 0,
            "{deleted} {unknown} {misfits}"
        );
    }

    #[test]
    fn metadata_lists_deleted_attributes_and_leaves_unknown_ones_out() {
        let properties = properties(CUSTOMER, "user", |name| name == "taxIdStr");
        assert!(properties["oldFieldStr"]["deletedAt"].is_string());
        assert!(properties.get("shadowStr").is_none());
        assert_eq!(properties["ordersId"]["target"], "kobject.ecomm-order");
        assert_eq!(properties["taxIdStr"]["hasSensitiveAttributes"], true);
        assert!(properties["segmentTree"]["tree"]["billing"]["refund"].is_object());
    }
}
