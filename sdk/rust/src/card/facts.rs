//! What a source card says (rule M-2): facts in the making, and those of people, companies and conversations.
//!
//! What a card looks like is in [`super`]; here is what it says, which is the same at every destination. Names of facts are
//! stable, so that they can be searched. Where a card stands, and how it is cut, is the connector's.

use super::{ItemCtx, source_card};
use crate::Result;
use crate::blobs::Blobs;
use crate::destination::Item;
use crate::text::split_bytes;
use crate::time;
use crate::types::{
    Address, AddressChannel, Conversation, ConversationStatus, CustomObject, Customer, Direction,
    Entity, Entry, Fidelity, Field, Head, Location, Loss, Reference, Satisfaction, SlaResult,
    Value,
};
use crate::words::{self, Words};

/// Why a value cannot go into its field, and where it goes instead; a sentence per cause, so that a report can group by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misfit(pub &'static str);

/// A loss. The note is one sentence per cause and names no record: a report groups by it, and knows whose loss it is.
pub fn loss(field: impl Into<String>, how: Fidelity, note: &'static str) -> Loss {
    Loss {
        field: field.into(),
        how,
        note: note.to_owned(),
    }
}

/// A time to the millisecond.
fn iso(at: i64) -> String {
    time::format_utc(at).unwrap_or_else(|| at.to_string())
}

/// Facts in the making.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    words: Words,
    facts: Vec<(String, String)>,
    messages: Vec<String>,
}

impl Facts {
    /// An empty one.
    pub fn new(words: Words) -> Self {
        Self {
            words,
            ..Self::default()
        }
    }

    /// How references and values are said on it.
    pub fn words(&self) -> &Words {
        &self.words
    }

    /// One more fact; nothing for an empty one.
    pub fn add(&mut self, name: impl Into<String>, value: impl AsRef<str>) {
        if !value.as_ref().is_empty() {
            self.facts.push((name.into(), value.as_ref().to_owned()));
        }
    }

    /// A text, where there is one.
    pub fn text(&mut self, name: &str, value: Option<&str>) {
        self.add(name, value.unwrap_or_default());
    }

    /// A time to the millisecond, where there is one.
    pub fn time(&mut self, name: &str, at: Option<i64>) {
        self.add(name, at.map(iso).unwrap_or_default());
    }

    /// A number, where there is one.
    pub fn count(&mut self, name: &str, count: Option<u64>) {
        self.add(name, count.map(|n| n.to_string()).unwrap_or_default());
    }

    /// What a record points to.
    pub fn reference(&mut self, name: &str, reference: Option<&Reference>) {
        let said = reference.map(|reference| self.words.reference(reference));
        self.add(name, said.unwrap_or_default());
    }

    /// All that a record points to.
    pub fn references(&mut self, name: &str, list: &[Reference]) {
        self.add(name, self.words.references(list));
    }

    /// A custom field whose value has no place of its own.
    pub fn misfit(&mut self, field: &Field, why: Misfit, losses: &mut Vec<Loss>) {
        self.field(field);
        let path = format!("fields.{}", field.name);
        losses.push(loss(path, Fidelity::Converted, why.0));
    }

    /// A custom field's value in words.
    pub fn field(&mut self, field: &Field) {
        self.add(row_of(field), self.words.value(&field.value));
    }

    /// The custom fields that hold several references: there is no lookup for them, so they stand here in words as well as in
    /// their text field (rule M-15).
    pub fn lists(&mut self, fields: &[Field], losses: &mut Vec<Loss>) {
        for field in fields {
            let several = matches!(&field.value, Value::References(list) if !list.is_empty());
            let said = self.facts.iter().any(|(name, _)| *name == row_of(field));
            if several && !said {
                let why = Misfit(
                    "several references stand as text: in their field and on the source card",
                );
                self.misfit(field, why, losses);
            }
        }
    }

    /// Custom fields, each put where `place` puts it: whether its field has it by then, else it is named here. One that has no field,
    /// or is not exact in it, stands here with what `place` says of it.
    pub fn place(
        &mut self,
        fields: &[Field],
        losses: &mut Vec<Loss>,
        mut place: impl FnMut(&Field, &Words) -> Result<bool, Misfit>,
    ) {
        for field in fields {
            match place(field, &self.words) {
                Ok(true) => {}
                Ok(false) => self.field(field),
                Err(why) => self.misfit(field, why, losses),
            }
        }
        self.lists(fields, losses);
    }

    /// Something said in a thread, by its place there.
    pub fn message(&mut self, number: usize, facts: &[String]) {
        self.messages
            .push(format!("{number}: {}", facts.join("; ")));
    }

    /// Something of a thread that was not loaded.
    pub fn skipped(&mut self, id: &str, why: &str) {
        self.messages.push(format!("not loaded: id {id}; {why}"));
    }

    /// The card of an item, with its raw attributes, the host's notes and what does not travel as it was. Messages follow at
    /// the end, a line each, and are not in the line for programs: of a thread of thousands it would double the card.
    ///
    /// # Errors
    /// As the SDK's `source_card`.
    pub fn render(
        &self,
        platform: &str,
        item: &Item,
        entry: &Entry,
        losses: &[Loss],
    ) -> Result<String> {
        // Custom fields are among the facts where they have no place; the SDK need not say them again.
        let bare = Entry {
            head: Head {
                fields: Vec::new(),
                ..entry.head.clone()
            },
            data: Entity::Other(String::new()),
        };
        let mut distinct: Vec<Loss> = Vec::new();
        for loss in losses {
            if !distinct.contains(loss) {
                distinct.push(loss.clone());
            }
        }
        let mut text = source_card(&ItemCtx {
            platform,
            marker: &item.marker,
            entry: &bare,
            facts: self.facts.clone(),
            notes: &item.notes,
            losses: &distinct,
        })?
        .text;
        if !self.messages.is_empty() {
            text.push_str("\nmessages:\n");
            for line in &self.messages {
                text.push_str(line);
                text.push('\n');
            }
        }
        Ok(text)
    }
}

/// What of a card fits into so many bytes: all of it; else what is to be read without the line for programs; else as much of
/// that as fits. Says whether anything that is to be read was cut.
pub fn fitted(card: &str, bytes: usize) -> (&str, bool) {
    if card.len() <= bytes {
        return (card, false);
    }
    let readable = card
        .rsplit_once("\n\n{")
        .map_or(card, |(readable, _)| readable);
    if readable.len() <= bytes {
        return (readable, false);
    }
    let first = split_bytes(readable, bytes).into_iter().next();
    (first.unwrap_or_default(), true)
}

fn row_of(field: &Field) -> String {
    format!("field {}", field.name)
}

/// Facts of any record's head beyond what every card says.
pub fn head(head: &Head, card: &mut Facts) {
    card.text("external id", head.external_id.as_deref());
    card.time("imported", head.imported_at);
    card.reference("created by", head.created_by.as_ref());
    card.reference("modified by", head.modified_by.as_ref());
}

/// Facts of a record of an object type for which destinations have no places; not its tags, nor whose it is.
///
/// # Errors
/// `bug` where a stored text is not UTF-8.
pub fn object(blobs: &Blobs, object: &CustomObject, card: &mut Facts) -> Result<()> {
    if let Some(text) = &object.description {
        card.add("description", blobs.read_text(text)?);
    }
    card.text("status", object.status.as_deref());
    card.text("icon", object.icon.as_deref());
    card.add("images", object.images.join(", "));
    card.reference("assignee", object.assignee.as_ref());
    card.reference("queue", object.queue.as_ref());
    card.time("closed", object.closed_at);
    for comment in &object.comments {
        let at = comment.at.and_then(time::format_utc).unwrap_or_default();
        let name = format!("comment {at} {}", words::author(&comment.author));
        card.add(name, blobs.read_text(&comment.text)?);
    }
    if let Some(data) = &object.data {
        card.add("data", blobs.read_text(data)?);
    }
    Ok(())
}

/// All of a record of an object type, for a destination that has none of these. References go by their names: whether they are
/// there already differs from run to run.
///
/// # Errors
/// As [`object`].
pub fn whole_object(
    blobs: &Blobs,
    of: &Head,
    record: &CustomObject,
    card: &mut Facts,
) -> Result<()> {
    let bare = |reference: &Reference| Reference {
        target: None,
        ..reference.clone()
    };
    let named = |reference: &Option<Reference>| reference.as_ref().map(bare);
    card.add("object type", &record.object_type);
    card.add("title", &record.title);
    head(of, card);
    for (name, reference) in [
        ("customer", &record.customer),
        ("company", &record.company),
        ("conversation", &record.conversation),
    ] {
        card.reference(name, named(reference).as_ref());
    }
    let tags: Vec<Reference> = record.tags.iter().map(bare).collect();
    card.references("tags", &tags);
    let by_name = CustomObject {
        assignee: named(&record.assignee),
        queue: named(&record.queue),
        ..record.clone()
    };
    object(blobs, &by_name, card)?;
    for field in &of.fields {
        card.field(field);
    }
    Ok(())
}

/// Losses of a record of an object type whose card is all that becomes of it: its pictures are links there.
pub fn only_on_card(record: &CustomObject) -> Vec<Loss> {
    let note = "pictures are links: on the source card";
    let pictures = loss("custom-object.images", Fidelity::Converted, note);
    (!record.images.is_empty())
        .then_some(pictures)
        .into_iter()
        .collect()
}

/// Facts of a conversation, [`head`] among them; not its customer, subject and tags, for which destinations have places.
pub fn conversation(entry: &Entry, conversation: &Conversation, card: &mut Facts) {
    head(&entry.head, card);
    card.add(
        "status",
        match &conversation.status {
            ConversationStatus::Open => "open",
            ConversationStatus::Snoozed => "snoozed",
            ConversationStatus::Closed => "closed",
            ConversationStatus::Other(word) => word,
        },
    );
    card.text("sub-status", conversation.sub_status.as_deref());
    card.time("snoozed until", conversation.snooze_until);
    card.text("snooze status", conversation.snooze_status.as_deref());
    if let Some(p) = &conversation.priority {
        let scale = format!("{} on {}..{}", p.value, p.lowest, p.highest);
        card.add("priority", scale);
    }
    card.references("assignees", &conversation.assignees);
    card.references("teams", &conversation.teams);
    card.reference("queue", conversation.queue.as_ref());
    card.add("channels", conversation.channels.join(", "));
    card.reference("brand", conversation.brand.as_ref());
    card.add(
        "direction",
        match conversation.direction {
            Direction::Inbound => "inbound",
            Direction::Outbound => "outbound",
            Direction::None => "",
        },
    );
    card.text("language", conversation.language.as_deref());
    if let Some(judged) = &conversation.satisfaction {
        satisfaction(judged, card);
    }
    if let Some(promise) = &conversation.sla {
        sla(promise, card);
    }
    card.add("spam", if conversation.spam { "yes" } else { "" });
    card.add("locked", if conversation.locked { "yes" } else { "" });
    card.time("ended", conversation.ended_at);
    card.text("ended because", conversation.ended_reason.as_deref());
    card.reference("merged into", conversation.merged_into.as_ref());
    card.references("linked", &conversation.linked);
    card.time("closed", conversation.closed_at);
    card.time("first response", conversation.first_response_at);
    card.time("last activity", conversation.last_activity_at);
    card.count("messages in the source", conversation.message_count);
    card.count("notes in the source", conversation.note_count);
}

fn sla(sla: &SlaResult, card: &mut Facts) {
    let time = |name: &str, at: Option<i64>| at.map(|at| format!("{name} {}", iso(at)));
    let words = [
        sla.name.clone(),
        sla.metric.clone(),
        sla.status.clone(),
        sla.breached.then(|| "breached".to_owned()),
        time("breach", sla.breach_at),
        time("satisfied", sla.satisfied_at),
    ];
    card.add("sla", joined(words));
}

/// A customer's judgement.
pub fn satisfaction(judged: &Satisfaction, card: &mut Facts) {
    let time = |name: &str, at: Option<i64>| at.map(|at| format!("{name} {}", iso(at)));
    let survey = judged.survey.as_ref();
    let words = [
        judged.rating.clone(),
        judged.score.as_ref().map(|score| format!("score {score}")),
        judged.scale.as_ref().map(|scale| format!("scale {scale}")),
        judged.status.clone(),
        judged.channel.clone(),
        survey.map(|survey| card.words().reference(survey)),
        time("sent", judged.sent_at),
        time("answered", judged.answered_at),
    ];
    card.add("satisfaction", joined(words));
    for (question, answer) in &judged.answers {
        card.add("satisfaction answer", format!("{question}: {answer}"));
    }
}

/// What a person was in the source and has no place in what is called `name` here; [`head`] is among it. Addresses
/// ([`addresses`]), company, tags and merged records are not: most destinations have places for some of them, and what has none
/// is the connector's to add.
pub fn customer(head: &Head, name: &str, customer: &Customer, card: &mut Facts) {
    self::head(head, card);
    card.add("external ids", customer.external_ids.join(", "));
    let shown = customer.display_name.as_deref();
    card.text("display name", shown.filter(|shown| *shown != name));
    card.text("first name", customer.first_name.as_deref());
    card.text("last name", customer.last_name.as_deref());
    card.text("username", customer.username.as_deref());
    card.text("company name", customer.company_name.as_deref());
    card.text("locale", customer.locale.as_deref());
    card.text("language", customer.language.as_deref());
    card.text("time zone", customer.time_zone.as_deref());
    card.text("gender", customer.gender.as_deref());
    card.text("birthday", customer.birthday.as_deref());
    card.text("avatar", customer.avatar_url.as_deref());
    card.time("signed up", customer.signed_up_at);
    card.time("last seen", customer.last_seen_at);
    card.time("last activity", customer.last_activity_at);
    card.references("watchers", &customer.watchers);
    card.count("conversations in the source", customer.conversation_count);
    for place in &customer.locations {
        location(place, card);
    }
    if let Some(judged) = &customer.satisfaction {
        satisfaction(judged, card);
    }
}

/// Addresses that have no place at the destination, a fact each, by channel: `e-mail`, `phone`, the network's name.
pub fn addresses<'a>(left: impl IntoIterator<Item = &'a Address>, card: &mut Facts) {
    for address in left {
        let channel = match &address.channel {
            AddressChannel::Email => "e-mail",
            AddressChannel::Phone => "phone",
            AddressChannel::Whatsapp => "whatsapp",
            AddressChannel::Url => "url",
            AddressChannel::Social(word) | AddressChannel::Other(word) => word,
        };
        match &address.label {
            Some(label) => card.add(channel, format!("{} ({label})", address.value)),
            None => card.add(channel, &address.value),
        }
    }
}

/// A place.
pub fn location(location: &Location, card: &mut Facts) {
    let mut words: Vec<String> = Vec::new();
    words.extend(location.label.clone());
    words.extend(location.name.clone());
    words.extend(location.lines.iter().cloned());
    words.extend(location.postal_code.clone());
    words.extend(location.city.clone());
    words.extend(location.region.clone());
    words.extend(location.country.clone());
    words.extend(location.latitude.clone());
    words.extend(location.longitude.clone());
    card.add("location", words.join(", "));
}

fn joined<const N: usize>(words: [Option<String>; N]) -> String {
    words.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_that_does_not_fit_first_gives_up_what_only_programs_read() {
        let card = "Source id: v1\nfield a: b\n\n{\"id\":\"v1\"}\n";
        assert_eq!(fitted(card, 100), (card, false));
        assert_eq!(fitted(card, 30), ("Source id: v1\nfield a: b", false));
        assert_eq!(fitted(card, 15), ("Source id: v1\n", true));
    }

    #[test]
    fn pictures_of_a_record_that_is_only_a_card_are_said_to_be_links() {
        let bare = CustomObject::of("order", "7");
        assert_eq!(only_on_card(&bare), []);
        let pictured = CustomObject {
            images: vec!["https://files.example/1".to_owned()],
            ..bare
        };
        assert_eq!(only_on_card(&pictured).len(), 1);
    }

    #[test]
    fn a_field_is_in_its_place_or_named_and_what_does_not_fit_is_said() {
        let field = |name: &str| Field {
            name: name.to_owned(),
            value: Value::Text("x".to_owned()),
            target: None,
        };
        let (mut card, mut losses) = (Facts::new(Words::default()), Vec::new());
        let fields = ["there", "later", "nowhere"].map(field);
        card.place(&fields, &mut losses, |field, _| match field.name.as_str() {
            "there" => Ok(true),
            "later" => Ok(false),
            _ => Err(Misfit("no field for it")),
        });
        let named: Vec<&str> = card.facts.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(named, [row_of(&fields[1]), row_of(&fields[2])]);
        assert_eq!(losses.len(), 1);
        assert_eq!(losses[0].field, "fields.nowhere");
    }
}
