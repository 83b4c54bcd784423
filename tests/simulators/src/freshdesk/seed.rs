//! What is in the account before anybody writes: people, groups, fields, rules, and some old tickets.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use serde_json::json;

use super::model::{
    Agent, Choice, Conversation, Field, Group, Id, Owner, Rule, RuleAction, Ticket, Trigger,
};
use super::search::{self, Kind};
use super::settings::Role;
use super::state::State;
use super::tickets::{self, CLOSED, OPEN, PENDING};
use super::{companies, contacts, conversations, fields, groups, objects};

/// Fills a new account.
pub(super) fn fill(state: &mut State) {
    let wanted = state.config.preexisting.clone();
    let founded = state.second() - Duration::days(900);
    state.account_id = state.next_id();
    state.product_id = state.next_id();
    state.mailbox_id = state.next_id();
    state.business_hour_id = state.next_id();
    for (name, description) in Role::ALL {
        let id = state.next_id();
        state.roles.push(Role {
            id,
            name,
            description,
            created_at: founded,
        });
    }
    let role = |state: &State, name: &str| {
        let role = state.roles.iter().find(|role| role.name == name);
        role.map_or(0, |role| role.id)
    };
    let admin = role(state, "Account Administrator");
    let plain = role(state, "Agent");
    let at = |local: &str| format!("{local}@{}", wanted.agent_domain);
    state.owner_id = agent(state, &at("owner"), "Olga Owner", admin, founded);
    let mine = if state.config.key_is_admin {
        admin
    } else {
        plain
    };
    state.api_user = agent(state, &at("migration"), "Migration", mine, founded);
    let key = state.config.api_key.clone();
    state.credentials.keys.insert(key, state.api_user);
    let numbered = (1..=wanted.agents).map(|n| (at(&format!("agent{n}")), format!("Agent {n}")));
    let mut members = Vec::new();
    for (email, name) in numbered.chain(wanted.agents_by_email.iter().cloned()) {
        let known = state.person_by(&super::state::email_key(&email)).is_some();
        if !known {
            members.push(agent(state, &email, &name, plain, founded));
        }
    }
    for (at, name) in wanted.groups.iter().enumerate() {
        let id = state.next_id();
        let half = members.iter().enumerate().filter(|(n, _)| n % 2 == at % 2);
        let agent_ids = half.map(|(_, id)| *id).collect();
        let group = Group {
            id,
            name: name.clone(),
            agent_ids,
            escalate_to: wanted.round_robin.then_some(state.owner_id),
            unassigned_for: wanted.round_robin.then(|| "30m".to_owned()),
            auto_ticket_assign: i64::from(wanted.round_robin),
            created_at: founded,
            updated_at: founded,
            ..groups::blank(state)
        };
        state.groups.insert(id, group);
    }
    standard_fields(state, founded);
    own_fields(state, wanted.required_fields);
    for (at, name) in wanted.companies.iter().enumerate() {
        let mut company = companies::blank(state);
        company.name.clone_from(name);
        if at == 0 && !wanted.company_domain.is_empty() {
            company.domains = vec![wanted.company_domain.clone()];
        }
        (company.created_at, company.updated_at) = (founded, founded);
        state.put_company(company);
    }
    let mut people = Vec::new();
    for (email, name) in &wanted.contacts {
        let mut person = contacts::blank(state);
        person.email = Some(email.clone());
        person.name = Some(name.clone());
        person.active = true;
        (person.created_at, person.updated_at) = (founded, founded);
        people.push(person.id);
        state.put_person(person);
    }
    for schema in &wanted.schemas {
        if let Err(problem) = objects::make_schema(state, schema) {
            tracing::warn!(%problem, object = schema.name, "A custom object could not be made.");
        }
    }
    if !people.is_empty() {
        for number in 0..wanted.tickets {
            old_ticket(state, number, &people, false);
        }
        if wanted.archived_ticket {
            old_ticket(state, wanted.tickets, &people, true);
        }
    }
    if wanted.business_rules {
        rules(state);
    }
    learn_all(state);
}

fn agent(state: &mut State, email: &str, name: &str, role: Id, since: DateTime<Utc>) -> Id {
    let mut person = contacts::blank(state);
    person.email = Some(email.to_owned());
    person.name = Some(name.to_owned());
    person.active = true;
    (person.created_at, person.updated_at) = (since, since);
    person.agent = Some(Agent {
        available: true,
        occasional: false,
        signature: None,
        ticket_scope: 1,
        agent_type: 1,
        role_ids: vec![role],
        created_at: since,
        updated_at: since,
    });
    let id = person.id;
    state.put_person(person);
    id
}

/// Name, label, type and choices of a standard field.
type Standard = (
    &'static str,
    &'static str,
    &'static str,
    &'static [(Id, &'static str)],
);

const TICKET: &[Standard] = &[
    ("requester", "Search a requester", "default_requester", &[]),
    ("subject", "Subject", "default_subject", &[]),
    (
        "ticket_type",
        "Type",
        "default_ticket_type",
        &[
            (0, "Question"),
            (0, "Incident"),
            (0, "Problem"),
            (0, "Feature Request"),
            (0, "Refund"),
        ],
    ),
    (
        "source",
        "Source",
        "default_source",
        &[
            (1, "Email"),
            (2, "Portal"),
            (3, "Phone"),
            (7, "Chat"),
            (9, "Feedback Widget"),
            (10, "Outbound Email"),
        ],
    ),
    (
        "status",
        "Status",
        "default_status",
        &[
            (2, "Open"),
            (3, "Pending"),
            (4, "Resolved"),
            (5, "Closed"),
            (6, "Waiting on Customer"),
            (7, "Waiting on Third Party"),
        ],
    ),
    (
        "priority",
        "Priority",
        "default_priority",
        &[(1, "Low"), (2, "Medium"), (3, "High"), (4, "Urgent")],
    ),
    ("group", "Group", "default_group", &[]),
    ("agent", "Agent", "default_agent", &[]),
    ("product", "Product", "default_product", &[]),
    ("company", "Company", "default_company", &[]),
    ("description", "Description", "default_description", &[]),
];

const CONTACT: &[Standard] = &[
    ("name", "Full Name", "default_name", &[]),
    ("job_title", "Title", "default_job_title", &[]),
    ("email", "Email", "default_email", &[]),
    ("phone", "Work Phone", "default_phone", &[]),
    ("mobile", "Mobile Phone", "default_mobile", &[]),
    ("twitter_id", "Twitter", "default_twitter_id", &[]),
    (
        "unique_external_id",
        "Unique External Id",
        "default_unique_external_id",
        &[],
    ),
    ("company_name", "Company", "default_company_name", &[]),
    ("address", "Address", "default_address", &[]),
    ("time_zone", "Time Zone", "default_time_zone", &[]),
    ("language", "Language", "default_language", &[]),
    ("tag_names", "Tags", "default_tag_names", &[]),
    ("description", "About", "default_description", &[]),
];

const COMPANY: &[Standard] = &[
    ("name", "Company Name", "default_name", &[]),
    ("description", "Description", "default_description", &[]),
    ("note", "Notes", "default_note", &[]),
    (
        "domains",
        "Domains for this company",
        "default_domains",
        &[],
    ),
    (
        "health_score",
        "Health score",
        "default_health_score",
        &[(0, "At risk"), (0, "Doing okay"), (0, "Happy")],
    ),
    (
        "account_tier",
        "Account tier",
        "default_account_tier",
        &[(0, "Basic"), (0, "Premium"), (0, "Enterprise")],
    ),
    ("renewal_date", "Renewal date", "default_renewal_date", &[]),
    (
        "industry",
        "Industry",
        "default_industry",
        &[
            (0, "Automotive"),
            (0, "Consumer Durables and Apparel"),
            (0, "Consumer Services"),
            (0, "Financial Services"),
            (0, "Food, Beverage and Tobacco"),
            (0, "Health Care Equipment and Services"),
            (0, "Retailing"),
            (0, "Software and Services"),
        ],
    ),
];

fn standard_fields(state: &mut State, since: DateTime<Utc>) {
    for (owner, fields) in [
        (Owner::Ticket, TICKET),
        (Owner::Contact, CONTACT),
        (Owner::Company, COMPANY),
    ] {
        for (name, label, kind, choices) in fields {
            let mut field = fields::blank(state, owner, kind);
            field.name = (*name).to_owned();
            field.label = (*label).to_owned();
            field.label_for_customers = (*label).to_owned();
            field.default = true;
            field.required_for_agents = matches!(*name, "requester" | "subject" | "name");
            (field.created_at, field.updated_at) = (since, since);
            field.choices = listed(state, choices);
            state.put_field(field);
        }
    }
}

fn listed(state: &mut State, choices: &[(Id, &str)]) -> Vec<Choice> {
    let mut all = Vec::with_capacity(choices.len());
    for (id, value) in choices {
        all.push(Choice {
            id: if *id == 0 { state.next_id() } else { *id },
            value: (*value).to_owned(),
            label: match *value {
                "Open" => "Being Processed",
                "Pending" => "Awaiting your Reply",
                "Resolved" => "This ticket has been Resolved",
                "Closed" => "This ticket has been Closed",
                "Waiting on Customer" => "Awaiting your Reply",
                "Waiting on Third Party" => "Being Processed",
                other => other,
            }
            .to_owned(),
            position: i64::try_from(all.len()).unwrap_or(0) + 1,
            choices: Vec::new(),
        });
    }
    all
}

/// Fields that an admin made long ago.
fn own_fields(state: &mut State, required: bool) {
    let order = fields::made(state, Owner::Ticket, "custom_text", "Order number");
    state.put_field(order);
    let mut tier = fields::made(state, Owner::Contact, "custom_dropdown", "Loyalty tier");
    tier.choices = listed(state, &[(0, "silver"), (0, "gold")]);
    state.put_field(tier);
    if required {
        let mut line = fields::made(state, Owner::Ticket, "custom_dropdown", "Product line");
        line.choices = listed(state, &[(0, "Shoes"), (0, "Bags")]);
        line.required_for_agents = true;
        line.has_sections = true;
        state.put_field(line);
        let cause = fields::made(state, Owner::Ticket, "custom_text", "Root cause");
        state.put_field(Field {
            required_for_closure: true,
            ..cause
        });
    }
}

fn old_ticket(state: &mut State, number: usize, people: &[Id], archived: bool) {
    let requester = people.get(number % people.len()).copied().unwrap_or(0);
    let (status, age) = if archived {
        (CLOSED, 500)
    } else {
        match number % 3 {
            0 => (OPEN, 5),
            1 => (CLOSED, 100),
            _ => (PENDING, 40),
        }
    };
    let at = state.second() - Duration::days(age);
    state.last_ticket_id += 1;
    let id = state.last_ticket_id;
    let done = (status == CLOSED).then_some(at);
    let ticket = Ticket {
        id,
        subject: format!("Old question {}", number + 1),
        description: format!("<div>Where is order {}?</div>", 1_000 + number),
        status,
        priority: 2,
        source: 1,
        kind: Some("Question".to_owned()),
        company_id: state
            .people
            .get(&requester)
            .and_then(|person| person.company_id),
        tags: vec!["old".to_owned()],
        custom_fields: BTreeMap::from([(
            "cf_order_number".to_owned(),
            json!(format!("A{number}")),
        )]),
        created_at: at,
        updated_at: at,
        made_at: at,
        touched_at: at,
        status_since: at,
        due_by: at + Duration::days(3),
        fr_due_by: at + Duration::days(1),
        first_responded_at: Some(at),
        resolved_at: done,
        closed_at: done,
        archived,
        with_offset: status == CLOSED,
        ..tickets::blank(state, requester)
    };
    state.put_ticket(ticket);
    let said = Conversation {
        id: state.next_id(),
        ticket_id: id,
        user_id: state.owner_id,
        body: "<div>On its way.</div>".to_owned(),
        private: false,
        incoming: false,
        source: conversations::NOTE,
        to_emails: Vec::new(),
        cc_emails: Vec::new(),
        bcc_emails: Vec::new(),
        from_email: None,
        attachments: Vec::new(),
        import_id: None,
        created_at: at,
        time_given: false,
        updated_at: at,
    };
    state.say(said);
}

fn rules(state: &mut State) {
    let rule = |name: &str, trigger, action| Rule {
        name: name.to_owned(),
        trigger,
        active: true,
        action,
    };
    state.rules = vec![
        rule(
            "Mark new tickets for triage",
            Trigger::Creation,
            RuleAction::Tag("auto-triage".to_owned()),
        ),
        rule(
            "Tell the ERP of new tickets",
            Trigger::Creation,
            RuleAction::Webhook("https://erp.acme.example/hooks/tickets".to_owned()),
        ),
        rule(
            "Tell the agent of changes",
            Trigger::Update,
            RuleAction::MailAgent,
        ),
        rule(
            "Remind of pending tickets",
            Trigger::Hourly,
            RuleAction::MailRequester,
        ),
    ];
}

/// Search knows all that is old.
fn learn_all(state: &mut State) {
    let tickets: Vec<Id> = state.tickets.keys().copied().collect();
    let people: Vec<Id> = state.people.keys().copied().collect();
    let companies: Vec<Id> = state.companies.keys().copied().collect();
    for (kind, ids) in [
        (Kind::Ticket, tickets),
        (Kind::Contact, people),
        (Kind::Company, companies),
    ] {
        for id in ids {
            search::learn(state, kind, id);
        }
    }
}
