//! Accounts, contacts, teams and records, as they are there.

use serde_json::Value;
use transload_sdk::destination::{Observed, Presence, Written};
use transload_sdk::types::{
    self, Address, AddressChannel, CustomObject, Customer, Entity, Entry, Error, Head, Kind,
    Reference, Team,
};
use transload_sdk::words::record_parts;

use super::fields;
use crate::api::words_of;
use crate::client::Desk;
use crate::map::{self, Owner, plain};
use crate::own;
use crate::write::objects::{self, RECORD};
use crate::write::people::{self, Object, cf_of};
use crate::write::{schema, teams};

/// Reads back anything but a thread.
///
/// # Errors
/// What ends the unit.
pub async fn one(desk: &Desk, one: &Written) -> Result<Observed, Error> {
    let kind = one.main().map(|effect| effect.target_kind.as_str());
    match kind {
        Some("contact") => contact(desk, one).await,
        Some("account") => account(desk, one).await,
        Some("team") => team(desk, one).await,
        Some(RECORD) => record(desk, one).await,
        _ => Ok(one.found(Presence::Present, None)),
    }
}

fn text(object: &Object, name: &str) -> Option<String> {
    let text = words_of(object.get(name).unwrap_or(&Value::Null));
    Some(text).filter(|text| !text.is_empty())
}

/// What every record says of itself. Its time is the one of our own field: Zoho Desk's may be that of the migration.
fn head(desk: &Desk, owner: Owner, kind: Kind, object: &Object) -> Head {
    let cf = cf_of(object);
    let own = |key: &str| {
        let name = desk.state.own(owner, key)?;
        text(&cf, name)
    };
    let mut head = Head::new(kind, text(object, "id").unwrap_or_default());
    head.external_id = own(own::MARKER);
    head.url = own(own::URL);
    let made = own(own::CREATED).or_else(|| text(object, "createdTime"));
    head.created_at = made.as_deref().and_then(map::parse_iso);
    head.fields = fields(desk, owner, &cf);
    head
}

async fn contact(desk: &Desk, one: &Written) -> Result<Observed, Error> {
    let Some(object) = people::read_one(desk, Owner::Contact, one.target()).await? else {
        return Ok(one.found(Presence::Absent, None));
    };
    let names = [text(&object, "firstName"), text(&object, "lastName")];
    let name = names
        .iter()
        .flatten()
        .cloned()
        .collect::<Vec<_>>()
        .join(" ");
    let address = |name: &str, channel: AddressChannel| {
        let value = text(&object, name)?;
        Some(Address {
            primary: name == "email",
            ..Address::new(channel, value)
        })
    };
    let addresses = [
        address("email", AddressChannel::Email),
        address("secondaryEmail", AddressChannel::Email),
        address("phone", AddressChannel::Phone),
        address("mobile", AddressChannel::Phone),
    ];
    let cf = cf_of(&object);
    let merged = desk.state.own(Owner::Contact, own::MERGED);
    let merged = merged.and_then(|name| text(&cf, name)).unwrap_or_default();
    let account = text(&object, "accountId");
    let customer = Customer {
        name: Some(name),
        company: account.map(|id| Reference::to(Kind::Company, id)),
        addresses: addresses.into_iter().flatten().collect(),
        merged_from: merged.lines().map(str::to_owned).collect(),
        ..Customer::empty()
    };
    let entry = Entry {
        head: head(desk, Owner::Contact, Kind::Customer, &object),
        data: Entity::Customer(customer),
    };
    Ok(one.there(entry, &people::facets(Owner::Contact, &object)))
}

async fn account(desk: &Desk, one: &Written) -> Result<Observed, Error> {
    let Some(object) = people::read_one(desk, Owner::Account, one.target()).await? else {
        return Ok(one.found(Presence::Absent, None));
    };
    let name = text(&object, "accountName").unwrap_or_default();
    let entry = Entry {
        head: head(desk, Owner::Account, Kind::Company, &object),
        data: Entity::Company(types::Company::called(name)),
    };
    Ok(one.there(entry, &people::facets(Owner::Account, &object)))
}

async fn team(desk: &Desk, one: &Written) -> Result<Observed, Error> {
    let all = teams::all(desk).await?;
    let Some(team) = all.into_iter().find(|team| team.id == one.target()) else {
        return Ok(one.found(Presence::Absent, None));
    };
    let facets = teams::team_facets(&team);
    let members = team.agents.iter();
    let data = Team {
        name: team.name.clone(),
        description: None,
        members: members.map(|id| Reference::to(Kind::Agent, id)).collect(),
    };
    let entry = Entry::new(Kind::Team, team.id.as_str(), Entity::Team(data));
    Ok(one.there(entry, &facets))
}

async fn record(desk: &Desk, one: &Written) -> Result<Observed, Error> {
    let Some(object) = objects::read(desk, one.target()).await? else {
        return Ok(one.found(Presence::Absent, None));
    };
    let module = record_parts(one.target()).map(|(module, _)| module);
    let module = module.unwrap_or_default();
    let known = schema::all_fields(desk, module).await?;
    let own = schema::own_of(&known);
    let cf = cf_of(&object);
    let mut head = Head::new(Kind::CustomObject, one.target().to_owned());
    let own_text = |key: &str| text(&cf, &own.get(key)?.api_name);
    head.external_id = own_text(own::MARKER);
    head.url = own_text(own::URL);
    head.created_at = own_text(own::CREATED).as_deref().and_then(map::parse_iso);
    let kept = cf
        .iter()
        .filter(|(name, value)| !value.is_null() && own.values().all(|own| own.api_name != **name));
    head.fields = kept
        .map(|(name, value)| types::Field {
            name: name.clone(),
            value: types::Value::Text(plain(value)),
            target: Some(name.clone()),
        })
        .collect();
    let look = |key: &str, kind: Kind| {
        let held = cf.get(&own.get(key)?.api_name)?;
        let id = plain(held);
        (!id.is_empty()).then(|| Reference::to(kind, &id))
    };
    let name = text(&object, "name").unwrap_or_default();
    let data = CustomObject {
        customer: look(own::CUSTOMER, Kind::Customer),
        company: look(own::COMPANY, Kind::Company),
        conversation: look(own::TICKET, Kind::Conversation),
        ..CustomObject::of(module, name)
    };
    let entry = Entry {
        head,
        data: Entity::CustomObject(data),
    };
    Ok(one.there(entry, &objects::facets(&object)))
}
