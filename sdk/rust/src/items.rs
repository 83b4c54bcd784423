//! The items of a unit as what they are.
//!
//! `write` is called with items of one kind; what a function of a connector wants of them is what that kind is: teams, threads.

use std::collections::BTreeMap;

use crate::Context;
use crate::card::loss;
use crate::destination::{Item, Thread};
use crate::effects::{effect, reject, report};
use crate::ledger::{Action, Status};
use crate::thread::{is_spam, thread_of};
use crate::types::{
    Agent, Brand, Company, CustomObject, Customer, Entity, Error, Fidelity, FieldDefinition,
    ObjectType, Relationship, Tag, Team,
};

/// What a record of one kind says.
pub trait Data: Sized + 'static {
    /// What people call one.
    const CALLED: &'static str;

    /// The data of a record, if it is of this kind.
    fn of(data: &Entity) -> Option<&Self>;
}

macro_rules! data {
    ($($kind:ident $called:literal),* $(,)?) => {
        $(impl Data for $kind {
            const CALLED: &'static str = $called;

            fn of(data: &Entity) -> Option<&Self> {
                match data {
                    Entity::$kind(data) => Some(data),
                    _ => None,
                }
            }
        })*
    };
}

data! {
    Agent "agent",
    Brand "brand",
    Company "company",
    CustomObject "custom object",
    Customer "customer",
    FieldDefinition "field definition",
    ObjectType "object type",
    Relationship "relationship",
    Tag "tag",
    Team "team",
}

/// The items that are of a kind, with what they say, in their order.
pub fn of<T: Data>(items: &[Item]) -> impl Iterator<Item = (&Item, &T)> {
    let one = |item| Some((item, T::of(&Item::entry(item).data)?));
    items.iter().filter_map(one)
}

/// The same where they are to be written: an item of another kind, which no host sends, is rejected when its turn comes.
pub fn each<'i, T: Data>(
    cx: &Context,
    items: &'i [Item],
) -> impl Iterator<Item = (&'i Item, &'i T)> {
    items.iter().filter_map(|item| {
        let data = T::of(&item.entry().data);
        if data.is_none() {
            reject(cx, item, Error::Bug(format!("no {}", T::CALLED)));
        }
        Some((item, data?))
    })
}

/// Records of custom objects by the object that `name` says, each object's in their order.
pub fn by_object<'i>(
    records: impl Iterator<Item = (&'i Item, &'i CustomObject)>,
    name: impl Fn(&CustomObject) -> String,
) -> BTreeMap<String, Vec<Item>> {
    let mut by_object: BTreeMap<String, Vec<Item>> = BTreeMap::new();
    for (item, record) in records {
        by_object
            .entry(name(record))
            .or_default()
            .push(item.clone());
    }
    by_object
}

/// What is said of tags in a platform that has them as words only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagNotes {
    /// Of one that had a colour.
    pub color: &'static str,
    /// Of one that is written otherwise here.
    pub rewritten: &'static str,
    /// Of one that is the same word here as another one.
    pub same: &'static str,
}

/// Tags that exist by being used: each is the word that `word` makes of its name, and two that become one, whatever their letters'
/// case, are said so.
pub fn tags_as_words(cx: &Context, items: &[Item], word: impl Fn(&str) -> String, notes: TagNotes) {
    let mut first: BTreeMap<String, &str> = BTreeMap::new();
    for (item, tag) in each::<Tag>(cx, items) {
        let mut losses = Vec::new();
        if tag.color.is_some() {
            losses.push(loss("tag.color", Fidelity::Lost, notes.color));
        }
        let word = word(&tag.name);
        if word != tag.name {
            losses.push(loss("tag.name", Fidelity::Converted, notes.rewritten));
        }
        let other = first.entry(word.to_lowercase()).or_insert(&tag.name);
        if *other != tag.name {
            losses.push(loss("tag.name", Fidelity::Lost, notes.same));
        }
        let main = effect("main", "tag", word, Action::Matched);
        report(cx, item, Status::Matched, vec![main], losses);
    }
}

/// The items' threads ([`thread_of`]), in their order. Spam is said to be skipped where the setting `spam` does not carry it, and
/// what is no thread is rejected, each when its turn comes.
pub fn threads<'i>(
    cx: &Context,
    items: &'i [Item],
    spam: bool,
) -> impl Iterator<Item = (&'i Item, Thread)> {
    items.iter().filter_map(move |item| match thread_of(item) {
        Ok(thread) if is_spam(&thread) && !spam => {
            let why = Status::Skipped("spam; carried with `spam = true`".to_owned());
            report(cx, item, why, Vec::new(), Vec::new());
            None
        }
        Ok(thread) => Some((item, thread)),
        Err(error) => {
            reject(cx, item, error);
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::testing::Harness;
    use crate::testing::items::{customer, entry, item, team, thread};
    use crate::types::{Conversation, Customer, Kind};

    fn statuses(write: impl FnOnce(&Context)) -> Vec<(String, Status)> {
        let harness = Harness::scripted([]);
        let cx = harness.context();
        write(&cx);
        block_on(cx.reported()).unwrap();
        let outcomes = harness.outcomes().into_iter();
        outcomes.map(|one| (one.item, one.status)).collect()
    }

    #[test]
    fn items_of_the_kind_come_with_their_data_and_others_are_rejected() {
        let items = [
            team("t1", "Support"),
            customer("c1", vec![], Customer::empty()),
            team("t2", "Sales"),
        ];
        let names = |(_, team): (&Item, &Team)| team.name.clone();
        let mut found = Vec::new();
        let rejected = statuses(|cx| found.extend(each(cx, &items).map(names)));
        assert_eq!(found, ["Support", "Sales"]);
        let why = Status::Rejected(Error::Bug("no team".to_owned()));
        assert_eq!(rejected, [("customer:c1".to_owned(), why)]);
        assert_eq!(of(&items).map(names).collect::<Vec<_>>(), found);
    }

    #[test]
    fn spam_is_skipped_unless_it_is_carried_and_what_is_no_thread_is_rejected() {
        let spam = Conversation {
            spam: true,
            ..Conversation::empty()
        };
        let items = [
            thread("a", vec![], Conversation::empty(), vec![]),
            thread("b", vec![], spam, vec![]),
            team("t1", "Support"),
        ];
        let ids = |cx: &Context, spam: bool| -> Vec<String> {
            let ids = threads(cx, &items, spam).map(|(_, thread)| thread.conversation.head.id);
            ids.collect()
        };
        let mut found = Vec::new();
        let without = statuses(|cx| found = ids(cx, false));
        assert_eq!(found, ["a"]);
        assert!(matches!(&without[..], [
            (b, Status::Skipped(_)),
            (team, Status::Rejected(_)),
        ] if b == "conversation:b" && team == "team:t1"));
        let with = statuses(|cx| found = ids(cx, true));
        assert_eq!((found.len(), with.len()), (2, 1));
    }

    #[test]
    fn two_tags_that_become_one_word_are_said_so() {
        let tag = |id: &str, name: &str, color: Option<&str>| {
            let data = Tag {
                name: name.to_owned(),
                color: color.map(str::to_owned),
            };
            item(entry(Kind::Tag, id, Vec::new(), Entity::Tag(data)))
        };
        let items = [
            tag("1", "vip", None),
            tag("2", "VIP", Some("red")),
            tag("3", "a,b", None),
        ];
        let notes = TagNotes {
            color: "no colours",
            rewritten: "rewritten",
            same: "the same",
        };
        let harness = Harness::scripted([]);
        let cx = harness.context();
        tags_as_words(&cx, &items, |name| name.replace(',', " "), notes);
        block_on(cx.reported()).unwrap();
        let said = harness.outcomes().into_iter().map(|one| {
            let word = one.effects[0].target_id.clone();
            let notes: Vec<String> = one.losses.into_iter().map(|loss| loss.note).collect();
            (word, notes.join("; "))
        });
        let word = |word: &str, notes: &str| (word.to_owned(), notes.to_owned());
        let wanted = [
            word("vip", ""),
            word("VIP", "no colours; the same"),
            word("a b", "rewritten"),
        ];
        assert_eq!(said.collect::<Vec<_>>(), wanted);
    }
}
