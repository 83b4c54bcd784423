//! What a destination is given, as a connector reads it: a record, or a thread in order.
//!
//! In the contract a body is one list of entries and places in it; here it is a [`Thread`] of [`Part`]s.

use crate::Result;
use crate::bindings::common::transload::connector::destination_types::ThreadPart;
use crate::destination::{Body, Candidate, Item, Observed, Presence, Written};
use crate::effects::print_now;
use crate::ledger::{Effect, RefusedEntry};
use crate::types::{Entity, Entry, Error, Head, Kind};

/// A conversation with its messages in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Thread {
    /// Everything but its messages.
    pub conversation: Entry,
    /// Public messages, notes and events, in the thread's order.
    pub parts: Vec<Part>,
}

/// A message with its attachments.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The message.
    pub message: Entry,
    /// What it carries, in its order.
    pub attachments: Vec<Entry>,
}

/// What stands for the record of a body that has none.
static NOTHING: Entry = Entry {
    head: Head::new(Kind::Other(String::new()), String::new()),
    data: Entity::Other(String::new()),
};

impl Item {
    /// The item's own record: a thread's conversation.
    pub fn entry(&self) -> &Entry {
        self.body.entry()
    }

    /// The item as a thread; any other record is one without parts.
    ///
    /// # Errors
    /// `bug` for a body whose places lie beyond its entries, which no host makes.
    pub fn thread(&self) -> Result<Thread> {
        self.body.thread()
    }

    /// Says that the destination does not take one of the item's entries, a file mostly, though it takes the record: for
    /// [`Outcome::refused`](crate::ledger::Outcome::refused). `None` for what is no entry of it.
    pub fn refused(&self, entry: &Head, reason: impl Into<String>) -> Option<RefusedEntry> {
        let is = |one: &Entry| one.head.kind == entry.kind && one.head.id == entry.id;
        let place = self.body.entries.iter().skip(1).position(is)? + 1;
        Some(RefusedEntry {
            place: u32::try_from(place).ok()?,
            reason: reason.into(),
        })
    }

    /// The object that the record is for sure. A candidate that is doubtful comes in `existing`, too, and is somebody else until a
    /// person says otherwise (rule M-7).
    pub fn certain(&self) -> Option<&Candidate> {
        self.existing
            .as_ref()
            .filter(|candidate| candidate.doubtful.is_none())
    }

    /// The message that a part of it stands for: `message:<id>`, `message:<id>#2`, `message:<id>/note`.
    pub fn message_of(&self, part: &str) -> Option<&Head> {
        let id = part.strip_prefix("message:")?;
        let heads = self.body.entries.iter().map(|entry| &entry.head);
        let is_of = |head: &&Head| {
            let rest = id.strip_prefix(&head.id);
            let ends = |rest: &str| rest.is_empty() || rest.starts_with(['#', '/']);
            head.kind == Kind::Message && rest.is_some_and(ends)
        };
        heads.filter(is_of).max_by_key(|head| head.id.len())
    }

    /// Whether an earlier run has an effect on the same object.
    pub fn has_prior(&self, effect: &Effect) -> bool {
        let same = |prior: &Effect| {
            (&prior.target_kind, &prior.target_id) == (&effect.target_kind, &effect.target_id)
        };
        self.prior.iter().any(same)
    }

    /// What an earlier run did last to one of its objects.
    pub fn prior_part(&self, kind: &str, part: &str) -> Option<&Effect> {
        let is = |effect: &&Effect| effect.target_kind == kind && effect.part == part;
        self.prior.iter().find(is)
    }

    /// What an earlier run did last to the record's own object.
    pub fn prior_main(&self) -> Option<&Effect> {
        self.prior.iter().find(|effect| effect.part == "main")
    }

    /// The target of the object that the record is already: that of an earlier run, or the one that it is for sure.
    pub fn known(&self) -> Option<&str> {
        let prior = self.prior_main().map(|effect| &effect.target_id);
        let target = prior.or_else(|| self.certain().map(|found| &found.target_id));
        target.map(String::as_str)
    }

    /// Says that the destination does not take the message that a part stands for, once however many parts it has. Whether the part
    /// is a message's.
    pub fn refuse_message(
        &self,
        part: &str,
        reason: &str,
        refused: &mut Vec<RefusedEntry>,
    ) -> bool {
        let Some(head) = self.message_of(part) else {
            return false;
        };
        let entry = self.refused(head, reason);
        let known = |entry: &RefusedEntry| refused.iter().any(|one| one.place == entry.place);
        if let Some(entry) = entry.filter(|entry| !known(entry)) {
            refused.push(entry);
        }
        true
    }

    /// What a slot is mapped to.
    pub fn value(&self, slot: &str) -> Option<&str> {
        self.values
            .iter()
            .find(|v| v.slot == slot)
            .map(|v| v.value.as_str())
    }
}

impl Written {
    /// The effect of the record's own object.
    pub fn main(&self) -> Option<&Effect> {
        self.effects.iter().find(|effect| effect.part == "main")
    }

    /// The id of the record's own object; nothing where there is none.
    pub fn target(&self) -> &str {
        self.main().map_or("", |effect| effect.target_id.as_str())
    }

    /// What is there of it: its body, and the facets that were recorded as they are now.
    pub fn there(&self, body: impl Into<Body>, now: &[(String, String)]) -> Observed {
        Observed {
            fingerprint: self.print_now(now),
            ..self.found(Presence::Present, Some(body.into()))
        }
    }

    /// What was found of it, without values; `body` where it is to be compared.
    pub fn found(&self, presence: Presence, body: Option<Body>) -> Observed {
        Observed {
            item: self.item.clone(),
            presence,
            body,
            values: Vec::new(),
            fingerprint: None,
        }
    }

    /// The facets that were recorded, as they are now: equal to what was recorded when nothing differs.
    pub fn print_now(&self, now: &[(String, String)]) -> Option<String> {
        let recorded = self.main()?.fingerprint.as_deref()?;
        Some(print_now(recorded, now))
    }
}

impl Body {
    /// The record itself. A body without one never reaches a connector: the entry points refuse it.
    pub fn entry(&self) -> &Entry {
        self.entries.first().unwrap_or(&NOTHING)
    }

    /// Adds files that hang on the record itself, as a thread's do at a platform where a comment carries none.
    pub fn hang(&mut self, files: Vec<Entry>) {
        if files.is_empty() {
            return;
        }
        let attachments = files.into_iter().map(|entry| self.push(entry)).collect();
        self.parts.push(ThreadPart {
            message: 0,
            attachments,
        });
    }

    /// As [`Item::thread`].
    ///
    /// # Errors
    /// As [`Item::thread`].
    pub fn thread(&self) -> Result<Thread> {
        let part = |part: &ThreadPart| {
            let attachments = part
                .attachments
                .iter()
                .map(|place| self.at(*place).cloned());
            Ok(Part {
                message: self.at(part.message)?.clone(),
                attachments: attachments.collect::<Result<_>>()?,
            })
        };
        Ok(Thread {
            conversation: self.at(0)?.clone(),
            parts: self.parts.iter().map(part).collect::<Result<_>>()?,
        })
    }

    /// Refuses a body whose places point nowhere, or without a record.
    #[cfg(all(target_arch = "wasm32", feature = "destination"))]
    pub(crate) fn check(&self) -> Result<()> {
        let places = self.parts.iter().flat_map(|part| &part.attachments);
        let messages = self.parts.iter().map(|part| &part.message);
        places
            .chain(messages)
            .chain(&[0])
            .try_for_each(|place| self.at(*place).map(drop))
    }

    fn at(&self, place: u32) -> Result<&Entry> {
        self.entries
            .get(place as usize)
            .ok_or_else(|| Error::Bug(format!("the body has no entry {place}")))
    }

    fn push(&mut self, entry: Entry) -> u32 {
        self.entries.push(entry);
        u32::try_from(self.entries.len() - 1).unwrap_or(u32::MAX)
    }
}

impl From<Entry> for Body {
    fn from(entry: Entry) -> Self {
        Self {
            entries: vec![entry],
            parts: Vec::new(),
        }
    }
}

impl From<Thread> for Body {
    fn from(thread: Thread) -> Self {
        let mut body = Self::from(thread.conversation);
        for part in thread.parts {
            let message = body.push(part.message);
            let attachments = part.attachments.into_iter();
            let attachments = attachments.map(|entry| body.push(entry)).collect();
            body.parts.push(ThreadPart {
                message,
                attachments,
            });
        }
        body
    }
}
