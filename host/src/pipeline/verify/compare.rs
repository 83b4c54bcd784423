//! One record as it should be, held against the record as it is, and each difference with whether it was declared.
//!
//! What is declared: a field that the fidelity table calls converted or lost, a loss that the record's own outcome named, a part that
//! was refused, exported or left out with a reason, a value that a matched record had before. A conversion is another form of the
//! same, and never another word: the text of a message, whom a record belongs to and what a slot was mapped to are held to what they
//! are whatever is converted.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::facts::{Fact, Stated, facts, texts};
use super::same::{
    Grade, grade, is_target, letters, of_html, shortened, shown, shown_time, text as text_grade,
};
use super::thread::{Said, pair};
use crate::blobs::BlobStore;
use crate::contract::description::{FieldFidelity, SystemChange};
use crate::contract::destination::{Body, Item, Observed, Presence, ThreadPart};
use crate::contract::types::{
    Attachment, Author, Entity, Entry, Fidelity, Kind, Loss, Text, Value, Visibility,
};
use crate::kinds;
use crate::pipeline::model::{BesideHow, BesideRow, DifferenceKind, Files};

/// Rows of a record that are kept to be shown: more of a thread is not read through.
const ROWS: usize = 60;

/// A difference of one record.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What sort of difference.
    pub what: DifferenceKind,
    /// Path in the contract's words: `conversation.subject`.
    pub field: String,
    /// Which message or file of the record.
    pub part: Option<String>,
    /// What should be there, shortened.
    pub expected: Option<String>,
    /// What is there, shortened.
    pub found: Option<String>,
    /// Why it had to be expected.
    pub declared: Option<String>,
}

/// What is known beforehand of how a record travels.
pub struct Terms<'a> {
    /// By the connector, for the account.
    pub fidelity: &'a [FieldFidelity],
    /// What the platform changes by itself.
    pub system: &'a [SystemChange],
    /// Of this record's outcome.
    pub losses: &'a [Loss],
    /// The platform takes a time of creation for the kind.
    pub keeps_created_at: bool,
    /// The record was there before, so that it may hold values of its own (rule M-7).
    pub was_there: bool,
    /// It was there before, and nothing was changed of it.
    pub untouched: bool,
    /// Messages and files inside that did not become part of the record, by kind and id, and why.
    pub left_out: &'a HashMap<(String, String), String>,
    /// What was recorded of what the platform held when it was last written.
    pub print: Option<&'a str>,
    /// Long texts.
    pub blobs: &'a BlobStore,
}

/// What a comparison gives.
#[derive(Debug, Default)]
pub struct Compared {
    /// What differs.
    pub findings: Vec<Finding>,
    /// All that was looked at, the first of it, and how much more there was.
    pub rows: Vec<BesideRow>,
    /// Rows that there was no room for.
    pub more: u64,
}

impl Compared {
    /// Something that differs.
    pub fn add(&mut self, finding: Finding) {
        self.row(BesideRow {
            field: finding.field.clone(),
            part: finding.part.clone(),
            source: finding.expected.clone(),
            destination: finding.found.clone(),
            how: match &finding.declared {
                Some(_) => BesideHow::Declared,
                None => BesideHow::Differs,
            },
            why: finding.declared.clone(),
        });
        self.findings.push(finding);
    }

    /// Says why what differs had to be expected, where nothing said so.
    pub fn declare(&mut self, is: impl Fn(&Finding) -> bool, why: &str) {
        let open = self.findings.iter_mut();
        for finding in open.filter(|finding| finding.declared.is_none() && is(finding)) {
            finding.declared = Some(why.to_owned());
            let same = |row: &&mut BesideRow| {
                row.how == BesideHow::Differs
                    && row.field == finding.field
                    && row.part == finding.part
            };
            for row in self.rows.iter_mut().filter(same) {
                row.how = BesideHow::Declared;
                row.why = Some(why.to_owned());
            }
        }
    }

    /// Something that is the same.
    fn same(&mut self, field: String, part: Option<&str>, source: &str, destination: &str) {
        let part = part.map(str::to_owned);
        let short = |text: &str| Some(shortened(text, "").0);
        let (source, destination) = (short(source), short(destination));
        self.row(BesideRow {
            field,
            part,
            source,
            destination,
            how: BesideHow::Same,
            why: None,
        });
    }

    fn row(&mut self, row: BesideRow) {
        match self.rows.len() < ROWS {
            true => self.rows.push(row),
            false => self.more += 1,
        }
    }
}

/// Compares a record, with what hangs on it.
pub fn compare(item: &Item, observed: &Observed, terms: &Terms<'_>, files: &mut Files) -> Compared {
    let Some(own) = item.body.entries.first() else {
        return Compared::default();
    };
    let mut side = Side {
        kind: kinds::name(&own.head.kind).to_owned(),
        terms,
        authors_here: HashSet::new(),
        compared: Compared::default(),
    };
    let gone = match observed.presence {
        Presence::Present => None,
        Presence::Absent => Some("not there"),
        Presence::Merged => Some("merged into another"),
        Presence::Hidden => Some("deleted, or archived"),
    };
    if let Some(gone) = gone {
        let finding = side.finding(DifferenceKind::Missing, "", None);
        side.compared.add(Finding {
            found: Some(gone.to_owned()),
            ..finding
        });
        return side.compared;
    }
    if let Some(body) = &observed.body
        && let Some(there) = body.entries.first()
    {
        // A note that hangs on a customer alone may stand in a thread made for it.
        let same_kind = |entry: &&Entry| entry.head.kind == own.head.kind;
        let there = body.entries.iter().find(same_kind).unwrap_or(there);
        side.slots(item, observed);
        let slots: Vec<&str> = item
            .values
            .iter()
            .map(|value| value.slot.as_str())
            .collect();
        side.record(own, there, &slots, None);
        match own.head.kind {
            Kind::Conversation => side.thread(&item.body, body, files),
            Kind::Message => {
                side.texts(own, there, None);
                let wanted = [(own, loose_files(&item.body))];
                let all = body
                    .entries
                    .iter()
                    .filter(|entry| entry.head.kind == Kind::Attachment);
                side.files(&wanted, &[(there, all.collect())], &[(0, 0)], files);
            }
            _ => {}
        }
    }
    side.changes(observed);
    side.compared
}

struct Side<'a> {
    kind: String,
    terms: &'a Terms<'a>,
    /// Who is the author of something in the thread there: what a loss says of authors is not about them.
    authors_here: HashSet<String>,
    compared: Compared,
}

impl Side<'_> {
    fn finding(&self, what: DifferenceKind, path: &str, part: Option<&str>) -> Finding {
        Finding {
            what,
            field: match path {
                "" => self.kind.clone(),
                path => path.to_owned(),
            },
            part: part.map(str::to_owned),
            expected: None,
            found: None,
            declared: None,
        }
    }

    // ---- what is declared

    /// How a field travels, and what is said of it: `kind.path`, the whole of which it is a part, or the rest of its kind.
    fn how(&self, kind: &str, path: &str) -> (Fidelity, Option<String>) {
        let first = path.split('.').next().unwrap_or(path);
        let rows = self.terms.fidelity.iter();
        let of_kind: Vec<&FieldFidelity> =
            rows.filter(|row| kinds::name(&row.kind) == kind).collect();
        let row = [path, first, "*"]
            .iter()
            .find_map(|name| of_kind.iter().find(|row| row.field == *name));
        match row {
            Some(row) => {
                let how = match row.how {
                    Fidelity::Exact => "exact",
                    Fidelity::Converted => "converted",
                    Fidelity::Lost => "lost",
                };
                let note = row
                    .note
                    .as_ref()
                    .map_or_else(String::new, |note| format!(": {note}"));
                (
                    row.how,
                    Some(format!("{kind}.{} is {how}{note}", row.field)),
                )
            }
            None => (Fidelity::Exact, None),
        }
    }

    /// What the outcome of this record says of a field.
    fn loss_of(&self, kind: &str, path: &str) -> Option<&Loss> {
        let whole = format!("{kind}.{path}");
        self.terms.losses.iter().find(|loss| {
            let said = loss.field.as_str();
            let is = |name: &str| {
                said == name
                    || name
                        .strip_prefix(said)
                        .is_some_and(|rest| rest.starts_with('.'))
                    || said
                        .strip_prefix(name)
                        .is_some_and(|rest| rest.starts_with('.'))
            };
            is(&whole) || (kind == self.kind && is(path))
        })
    }

    /// The same in words.
    fn loss(&self, kind: &str, path: &str) -> Option<String> {
        let loss = self.loss_of(kind, path)?;
        Some(format!("loss of this record: {}", loss.note))
    }

    /// Why a difference had to be expected, if it had to be.
    fn why(&self, kind: &str, path: &str, grade: Grade) -> Option<String> {
        if let Some(loss) = self.loss(kind, path) {
            return Some(loss);
        }
        let (how, words) = self.how(kind, path);
        if path == "created-at" && words.is_none() && !self.terms.keeps_created_at {
            return Some(format!("no time of creation can be given to a {kind}"));
        }
        match (how, grade) {
            (Fidelity::Lost | Fidelity::Converted, _) => words,
            (Fidelity::Exact, Grade::Alike) => Some("the same in another form".to_owned()),
            (Fidelity::Exact, _) => None,
        }
    }

    // ---- one record

    fn slots(&mut self, item: &Item, observed: &Observed) {
        for wanted in &item.values {
            let there = observed
                .values
                .iter()
                .find(|value| value.slot == wanted.slot);
            // One that is not read back says nothing.
            let Some(there) = there else {
                continue;
            };
            let path = format!("{}.{}", self.kind, wanted.slot);
            if there.value == wanted.value {
                self.compared.same(path, None, &wanted.value, &there.value);
                continue;
            }
            let finding = self.finding(DifferenceKind::Differs, &path, None);
            let declared = self
                .loss(&self.kind, &wanted.slot)
                .or_else(|| self.system(&wanted.slot))
                .or_else(|| self.of_its_own());
            self.compared.add(Finding {
                expected: Some(wanted.value.clone()),
                found: Some(there.value.clone()),
                declared,
                ..finding
            });
        }
    }

    /// What the platform does by itself to a field of the record.
    fn system(&self, field: &str) -> Option<String> {
        let is = |change: &&SystemChange| {
            kinds::name(&change.kind) == self.kind
                && (change.field == field || letters(&change.field) == letters(field))
        };
        let change = self.terms.system.iter().find(is)?;
        Some(format!(
            "the platform changes it by itself: {}",
            change.when
        ))
    }

    fn of_its_own(&self) -> Option<String> {
        self.terms
            .was_there
            .then(|| "it was there before, and keeps what it had (rule M-7)".to_owned())
    }

    /// The facts of an entry; of a message, `part` says which.
    fn record(&mut self, own: &Entry, there: &Entry, slots: &[&str], part: Option<&str>) {
        let kind = kinds::name(&own.head.kind).to_owned();
        let found = facts(there);
        for wanted in facts(own) {
            if slots.contains(&wanted.path.as_str()) {
                continue;
            }
            if kind == "message" && wanted.path == "author" {
                self.author(&wanted, there, part);
                continue;
            }
            let other = found.iter().find(|other| match &wanted.address {
                Some(address) => other
                    .address
                    .as_ref()
                    .is_some_and(|word| is_target(address, word)),
                None => other.path == wanted.path,
            });
            // A field that was not made has no place to be looked for in.
            if wanted.path.starts_with("fields.") && wanted.address.is_none() {
                continue;
            }
            // Only what is a mail there has these.
            let of_mails =
                kind == "message" && ["subject", "message-id"].contains(&wanted.path.as_str());
            if of_mails && other.is_none() {
                continue;
            }
            let grade = match other {
                None => Grade::Less,
                Some(other) => grade(&wanted.fact, &other.fact),
            };
            if let Some(other) = other.filter(|_| grade == Grade::Same) {
                let path = format!("{kind}.{}", wanted.path);
                let (here, there) = (shown(&wanted.fact), shown(&other.fact));
                self.compared.same(path, part, &here, &there);
            }
            if grade == Grade::Same || other.is_none() && says_nothing(&wanted.fact) {
                continue;
            }
            self.fact(&kind, &wanted, other, grade, part);
        }
    }

    fn fact(
        &mut self,
        kind: &str,
        wanted: &Stated,
        other: Option<&Stated>,
        grade: Grade,
        part: Option<&str>,
    ) {
        let is_reference = matches!(wanted.fact, Fact::One(_) | Fact::Many(_));
        let what = match is_reference && grade == Grade::Other {
            true => DifferenceKind::Moved,
            false => DifferenceKind::Differs,
        };
        let path = format!("{kind}.{}", wanted.path);
        let by_type = match &wanted.fact {
            Fact::Custom(value) => self.by_type(value),
            _ => None,
        };
        let mut declared = match self.loss(kind, &wanted.path) {
            Some(loss) => Some(loss),
            None => by_type.or_else(|| self.why(kind, &wanted.path, grade)),
        };
        // Another person is no form of the same.
        if what == DifferenceKind::Moved && wanted.path != "members" {
            declared = self.loss(kind, &wanted.path);
        }
        // What was empty was filled, unless nothing was to be changed.
        if declared.is_none() && (other.is_some() || self.terms.untouched) {
            declared = self.system(&wanted.path).or_else(|| self.of_its_own());
        }
        let (expected, found) = shortened(
            &shown(&wanted.fact),
            &other.map(|other| shown(&other.fact)).unwrap_or_default(),
        );
        let finding = self.finding(what, &path, part);
        self.compared.add(Finding {
            expected: Some(expected),
            found: other.map(|_| found),
            declared,
            ..finding
        });
    }

    /// A value whose type the connector converts.
    fn by_type(&self, value: &Value) -> Option<String> {
        let field = match value {
            Value::Choice(_) | Value::Choices(_) | Value::Path(_) => "options",
            Value::Text(_) | Value::Integer(_) | Value::Decimal(_) | Value::Boolean(_) => {
                return None;
            }
            _ => "field-type",
        };
        match self.how("field-definition", field) {
            (Fidelity::Exact, _) => None,
            (_, words) => words,
        }
    }

    fn author(&mut self, wanted: &Stated, there: &Entry, part: Option<&str>) {
        let Fact::One(person) = &wanted.fact else {
            return;
        };
        let Entity::Message(message) = &there.data else {
            return;
        };
        if person.target.is_none() {
            return;
        }
        let (found, declared) = match &message.author {
            Author::Person(other) => {
                let same = Fact::One(other.clone());
                if grade(&wanted.fact, &same) == Grade::Same || other.target.is_none() {
                    let (here, there) = (shown(&wanted.fact), shown(&same));
                    self.compared
                        .same("message.author".to_owned(), part, &here, &there);
                    return;
                }
                let target = person.target.as_deref().unwrap_or_default();
                let is_here = self.authors_here.contains(target);
                let loss = self.loss("message", "author").filter(|_| !is_here);
                (shown(&same), loss)
            }
            Author::Name(name) => {
                let same = person
                    .name
                    .as_ref()
                    .is_some_and(|own| letters(own) == letters(name));
                if same {
                    let here = shown(&wanted.fact);
                    self.compared
                        .same("message.author".to_owned(), part, &here, name);
                    return;
                }
                (name.clone(), self.why("message", "author", Grade::Other))
            }
            Author::System => (
                "nobody".to_owned(),
                self.why("message", "author", Grade::Less),
            ),
        };
        let finding = self.finding(DifferenceKind::Author, "message.author", part);
        self.compared.add(Finding {
            expected: Some(shown(&wanted.fact)),
            found: Some(found),
            declared,
            ..finding
        });
    }

    /// What was changed since it was written, by the connector's own print.
    fn changes(&mut self, observed: &Observed) {
        let (Some(then), Some(now)) = (self.terms.print, observed.fingerprint.as_deref()) else {
            return;
        };
        let changed = changed(then, now);
        if changed.is_empty() {
            return;
        }
        let finding = self.finding(DifferenceKind::Changed, "", None);
        self.compared.add(Finding {
            found: Some(changed.join(", ")),
            ..finding
        });
    }

    // ---- threads

    fn thread(&mut self, wanted: &Body, found: &Body, files: &mut Files) {
        let own = parts_of(wanted);
        // What happened is told by the platform's own events, if at all.
        let own: Vec<(&Entry, Vec<&Entry>)> = own
            .into_iter()
            .filter(|(message, _)| !is_event(message) || self.is_left_out(message).is_none())
            .collect();
        let mut there = parts_of(found);
        let loose = loose_files(found);
        let said = |parts: &[(&Entry, Vec<&Entry>)]| -> Vec<Said> {
            parts
                .iter()
                .map(|(message, files)| self.said(message, files))
                .collect()
        };
        let (wanted_said, found_said) = (said(&own), said(&there));
        let paired = pair(&wanted_said, &found_said);
        let name = |w: usize| {
            own.get(w)
                .map(|(message, _)| part_name(message, w, own.len()))
        };
        let authors = paired.pairs.iter().filter_map(|(w, f)| {
            let own = author_of(own.get(*w)?.0)?;
            let same = author_of(there.get(*f)?.0).is_some_and(|other| is_target(own, other));
            same.then(|| own.to_owned())
        });
        self.authors_here = authors.collect();
        for (w, f) in &paired.pairs {
            let (Some((message, _)), Some((other, _))) = (own.get(*w), there.get(*f)) else {
                continue;
            };
            let part = name(*w);
            self.texts(message, other, part.as_deref());
            self.record(message, other, &[], part.as_deref());
        }
        for (w, f) in &paired.moved {
            let finding = self.finding(
                DifferenceKind::Order,
                "message.sent-at",
                name(*w).as_deref(),
            );
            self.compared.add(Finding {
                expected: Some(format!("place {} of {}", w + 1, own.len())),
                found: Some(format!("place {} of {}", f + 1, there.len())),
                ..finding
            });
        }
        for w in &paired.missing {
            let Some((message, _)) = own.get(*w) else {
                continue;
            };
            let declared = self
                .is_left_out(message)
                .or_else(|| self.loss("message", "text"))
                .or_else(|| {
                    let silent = wanted_said.get(*w).is_some_and(|said| said.keys.is_empty());
                    (silent || is_event(message)).then(|| {
                        self.how("message", "*")
                            .1
                            .unwrap_or_else(|| "it says nothing".to_owned())
                    })
                });
            let finding = self.finding(DifferenceKind::Missing, "message", name(*w).as_deref());
            self.compared.add(Finding {
                expected: Some(self.excerpt(message)),
                declared,
                ..finding
            });
        }
        for (f, repeats) in &paired.extra {
            let Some((message, _)) = there.get(*f) else {
                continue;
            };
            let (what, part) = match repeats {
                Some(w) => (DifferenceKind::Duplicate, name(*w)),
                None => (DifferenceKind::Extra, None),
            };
            let part = part.map_or_else(
                || format!("message {} there", message.head.id),
                |of| format!("message {} there repeats {of}", message.head.id),
            );
            let finding = self.finding(what, "message", Some(&part));
            self.compared.add(Finding {
                found: Some(self.excerpt(message)),
                ..finding
            });
        }
        // Some platforms hang a file on the thread and not on what was said.
        if let (Some(head), false) = (found.entries.first(), loose.is_empty()) {
            there.push((head, loose));
        }
        self.files(&own, &there, &paired.pairs, files);
    }

    fn is_left_out(&self, entry: &Entry) -> Option<String> {
        let key = (
            kinds::name(&entry.head.kind).to_owned(),
            entry.head.id.clone(),
        );
        self.terms.left_out.get(&key).cloned()
    }

    fn read(&self, text: Option<&Text>) -> Option<String> {
        match text? {
            Text::Inline(text) => Some(text.clone()),
            Text::Stored(blob) => {
                let bytes = self.terms.blobs.read_all(blob).ok()?;
                Some(String::from_utf8_lossy(&bytes).into_owned())
            }
        }
    }

    /// A message's words: its plain text, and what its HTML says.
    fn words(&self, entry: &Entry) -> Vec<String> {
        let (plain, html) = texts(entry);
        let html = self.read(html).map(|html| of_html(&html));
        let both = [self.read(plain), html].into_iter().flatten();
        both.filter(|text| !text.trim().is_empty()).collect()
    }

    fn said(&self, message: &Entry, files: &[&Entry]) -> Said {
        let mut keys: Vec<String> = vec![];
        for text in self.words(message) {
            let key = letters(&text);
            // What has no letters is told by its signs.
            let key = if key.is_empty() {
                text.trim().to_owned()
            } else {
                key
            };
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let mut names: Vec<String> = files.iter().filter_map(|file| file_name(file)).collect();
        names.sort();
        Said {
            keys,
            beside: names.join("\n"),
            at: time_of(message),
        }
    }

    fn excerpt(&self, message: &Entry) -> String {
        let words = self.words(message).into_iter().next().unwrap_or_default();
        let at = time_of(message).map(shown_time).unwrap_or_default();
        shortened(&format!("{at} {}", super::same::folded(&words)), "").0
    }

    fn texts(&mut self, own: &Entry, other: &Entry, part: Option<&str>) {
        let (wanted, found) = (self.words(own), self.words(other));
        let Some(first) = wanted.first() else {
            return;
        };
        let grades = wanted.iter().flat_map(|wanted| {
            let found = &found;
            found.iter().map(move |found| text_grade(wanted, found))
        });
        let best = grades.min().unwrap_or(Grade::Less);
        let (_, html) = texts(own);
        let path = if wanted.len() == 1 && html.is_some() {
            "html"
        } else {
            "text"
        };
        if best == Grade::Same {
            let found = found.first().map(String::as_str).unwrap_or_default();
            let path = format!("message.{path}");
            self.compared.same(path, part, first, found);
            return;
        }
        let declared = match best {
            // Another form of the same words.
            Grade::Same | Grade::Alike => match self.how("message", path) {
                (Fidelity::Exact, _) => self.how("message", "html"),
                how => how,
            }
            .1
            .or_else(|| Some("the same words in another form".to_owned())),
            Grade::Less => self
                .loss("message", path)
                .or_else(|| self.loss("message", "text")),
            // A conversion is no other word.
            Grade::Other => {
                let losses = [path, "text"].map(|path| self.loss_of("message", path));
                let mut lost = losses.into_iter().flatten();
                lost.find(|loss| loss.how == Fidelity::Lost)
                    .map(|loss| format!("loss of this record: {}", loss.note))
            }
        };
        let (expected, found) =
            shortened(first, found.first().map(String::as_str).unwrap_or_default());
        let finding = self.finding(DifferenceKind::Differs, &format!("message.{path}"), part);
        self.compared.add(Finding {
            expected: Some(expected),
            found: Some(found),
            declared,
            ..finding
        });
    }

    // ---- files

    /// Files of a thread: in their message, else anywhere in it; by their bytes where those are to be had, else by name and size.
    fn files(
        &mut self,
        own: &[(&Entry, Vec<&Entry>)],
        there: &[(&Entry, Vec<&Entry>)],
        pairs: &[(usize, usize)],
        counted: &mut Files,
    ) {
        let of_thread = self.kind == kinds::name(&Kind::Conversation);
        let part_of = |w: usize| {
            let (message, _) = own.get(w).filter(|_| of_thread)?;
            Some(part_name(message, w, own.len()))
        };
        let of_pair: BTreeMap<usize, usize> = pairs.iter().copied().collect();
        let mut free: Vec<(usize, &Entry)> = vec![];
        for (f, (_, files)) in there.iter().enumerate() {
            free.extend(files.iter().map(|file| (f, *file)));
        }
        let mut wanted: Vec<(usize, &Entry)> = vec![];
        for (w, (_, files)) in own.iter().enumerate() {
            wanted.extend(files.iter().map(|file| (w, *file)));
        }
        // The surest signs first: in its own message by bytes and by name, then in another.
        type Sign = fn(&Entry, &Entry) -> bool;
        let signs: [(bool, Sign); 5] = [
            (true, same_bytes),
            (true, same_name),
            (false, same_bytes),
            (false, same_name),
            (true, same_size),
        ];
        let mut found: Vec<(usize, &Entry, usize, &Entry)> = vec![];
        for (in_message, sign) in signs {
            wanted.retain(|(w, file)| {
                let fits = |(f, other): &(usize, &Entry)| {
                    (!in_message || of_pair.get(w) == Some(f)) && sign(file, other)
                };
                match free.iter().position(fits) {
                    Some(at) => {
                        let (f, other) = free.remove(at);
                        found.push((*w, file, f, other));
                        false
                    }
                    None => true,
                }
            });
        }
        for (w, file, _, other) in found {
            let part = part_of(w);
            self.file(file, other, part, counted);
        }
        for (w, file) in wanted {
            let part = part_of(w);
            let Entity::Attachment(attachment) = &file.data else {
                continue;
            };
            // A file goes with its message.
            let message = own.get(w).map(|(message, _)| *message);
            let declared = self
                .is_left_out(file)
                .or_else(|| self.is_left_out(message?))
                .or_else(|| self.loss("attachment", "content"));
            let finding = self.finding(DifferenceKind::Missing, "attachment", part.as_deref());
            self.compared.add(Finding {
                expected: Some(shown_file(attachment)),
                declared,
                ..finding
            });
        }
        let kept: Vec<&Entry> = own
            .iter()
            .flat_map(|(_, files)| files.iter().copied())
            .collect();
        for (_, file) in free {
            let Entity::Attachment(attachment) = &file.data else {
                continue;
            };
            let repeats = kept
                .iter()
                .any(|own| same_bytes(own, file) || same_name(own, file));
            let what = match repeats {
                true => DifferenceKind::Duplicate,
                false => DifferenceKind::Extra,
            };
            let finding = self.finding(what, "attachment", None);
            self.compared.add(Finding {
                found: Some(shown_file(attachment)),
                ..finding
            });
        }
    }

    fn file(&mut self, own: &Entry, other: &Entry, part: Option<String>, counted: &mut Files) {
        let (Entity::Attachment(wanted), Entity::Attachment(found)) = (&own.data, &other.data)
        else {
            return;
        };
        let same = match (&wanted.content, &found.content) {
            (Some(wanted), Some(found)) => {
                counted.by_hash += 1;
                wanted.sha256 == found.sha256
            }
            _ => {
                counted.by_size += 1;
                match (size_of(wanted), size_of(found)) {
                    (Some(wanted), Some(found)) => wanted == found,
                    _ => true,
                }
            }
        };
        if !same {
            let declared = self
                .loss("attachment", "content")
                .or_else(|| self.is_left_out(own));
            let finding = self.finding(DifferenceKind::File, "attachment.content", part.as_deref());
            self.compared.add(Finding {
                expected: Some(shown_file(wanted)),
                found: Some(shown_file(found)),
                declared,
                ..finding
            });
        }
        if same {
            let path = "attachment.content".to_owned();
            let (here, there) = (shown_file(wanted), shown_file(found));
            self.compared.same(path, part.as_deref(), &here, &there);
        }
        if !same_name(own, other) && !wanted.name.trim().is_empty() {
            let declared = self.why("attachment", "name", Grade::Other);
            let finding = self.finding(DifferenceKind::Differs, "attachment.name", part.as_deref());
            self.compared.add(Finding {
                expected: Some(wanted.name.clone()),
                found: Some(found.name.clone()),
                declared,
                ..finding
            });
        }
    }
}

/// A source's fact that says nothing where it is missing: that nobody is in a team.
fn says_nothing(fact: &Fact) -> bool {
    match fact {
        Fact::One(one) => one.target.is_none(),
        Fact::Many(all) | Fact::Labels(all) => all.iter().all(|one| one.target.is_none()),
        _ => false,
    }
}

fn is_event(message: &Entry) -> bool {
    matches!(&message.data, Entity::Message(message) if message.visibility == Visibility::Event)
}

/// The target of the person who wrote a message.
fn author_of(message: &Entry) -> Option<&str> {
    match &message.data {
        Entity::Message(data) => match &data.author {
            Author::Person(person) => person.target.as_deref(),
            _ => None,
        },
        _ => None,
    }
}

fn time_of(message: &Entry) -> Option<i64> {
    match &message.data {
        Entity::Message(data) => data.sent_at.or(message.head.created_at),
        _ => message.head.created_at,
    }
}

fn part_name(message: &Entry, place: usize, of: usize) -> String {
    format!("message {} ({} of {of})", message.head.id, place + 1)
}

/// The messages of a body with their files.
fn parts_of(body: &Body) -> Vec<(&Entry, Vec<&Entry>)> {
    let at = |place: &u32| body.entries.get(usize::try_from(*place).ok()?);
    let part = |part: &ThreadPart| {
        let message = at(&part.message)?;
        let is_message = message.head.kind == Kind::Message;
        let files = part.attachments.iter().filter_map(at).collect();
        is_message.then_some((message, files))
    };
    body.parts.iter().filter_map(part).collect()
}

/// The files that hang on the record itself.
fn loose_files(body: &Body) -> Vec<&Entry> {
    let own = body.parts.iter().filter(|part| part.message == 0);
    let places = own.flat_map(|part| &part.attachments);
    let at = |place: &u32| body.entries.get(usize::try_from(*place).ok()?);
    places.filter_map(at).collect()
}

fn file_name(file: &Entry) -> Option<String> {
    match &file.data {
        Entity::Attachment(attachment) => Some(letters(&attachment.name)),
        _ => None,
    }
}

fn size_of(file: &Attachment) -> Option<u64> {
    file.content.as_ref().map(|blob| blob.size).or(file.size)
}

fn same_bytes(own: &Entry, other: &Entry) -> bool {
    match (&own.data, &other.data) {
        (Entity::Attachment(own), Entity::Attachment(other)) => {
            match (&own.content, &other.content) {
                (Some(own), Some(other)) => own.sha256 == other.sha256,
                _ => false,
            }
        }
        _ => false,
    }
}

/// Names by their letters: what signs a name may have is each platform's own. An id may stand behind it.
fn same_name(own: &Entry, other: &Entry) -> bool {
    match (file_name(own), file_name(other)) {
        (Some(own), Some(other)) => own == other,
        _ => false,
    }
}

fn same_size(own: &Entry, other: &Entry) -> bool {
    match (&own.data, &other.data) {
        (Entity::Attachment(own), Entity::Attachment(other)) => {
            size_of(own).is_some() && size_of(own) == size_of(other)
        }
        _ => false,
    }
}

fn shown_file(file: &Attachment) -> String {
    let size = size_of(file).map_or_else(String::new, |size| format!(", {size} bytes"));
    let hash = file.content.as_ref().and_then(|blob| blob.sha256.get(..12));
    let hash = hash.map_or_else(String::new, |hash| format!(", sha-256 {hash}…"));
    format!("{}{size}{hash}", file.name)
}

/// What was written last, of several prints on one object, the oldest first: a later one stands for what it names.
pub fn last_print(prints: &[&str]) -> Option<String> {
    let (first, later) = prints.split_first()?;
    let Some(mut facets) = facets_of(first) else {
        return Some((*first).to_owned());
    };
    for print in later {
        for (name, digest) in facets_of(print).unwrap_or_default() {
            if let Some(known) = facets.get_mut(&name) {
                *known = digest;
            }
        }
    }
    let line = facets
        .iter()
        .map(|(name, digest)| format!("{name}={digest}"));
    Some(line.collect::<Vec<_>>().join(";"))
}

/// The print of now, with some facets as they were then.
pub fn print_but(now: &str, then: &str, facets: &[String]) -> String {
    if facets.is_empty() {
        return now.to_owned();
    }
    let (Some(mut print), Some(then)) = (facets_of(now), facets_of(then)) else {
        return then.to_owned();
    };
    for name in facets {
        match then.get(name) {
            Some(digest) => print.insert(name.clone(), digest.clone()),
            None => print.remove(name),
        };
    }
    let line = print
        .iter()
        .map(|(name, digest)| format!("{name}={digest}"));
    line.collect::<Vec<_>>().join(";")
}

/// A print of the SDK's making, by its facets.
fn facets_of(print: &str) -> Option<BTreeMap<String, String>> {
    let pairs = print.split(';').map(|facet| facet.rsplit_once('='));
    pairs
        .map(|pair| pair.map(|(name, digest)| (name.to_owned(), digest.to_owned())))
        .collect()
}

/// What a print of now has otherwise than that of then. A print is the connector's own; where it is a line of `name=digest` divided by
/// `;`, as the SDK makes it, the names can be told.
pub fn changed(then: &str, now: &str) -> Vec<String> {
    if then == now {
        return vec![];
    }
    match (facets_of(then), facets_of(now)) {
        (Some(then), Some(now)) => {
            let differs = |(name, digest): &(&String, &String)| now.get(*name) != Some(*digest);
            then.iter()
                .filter(differs)
                .map(|(name, _)| name.clone())
                .collect()
        }
        _ => vec!["what was written".to_owned()],
    }
}

#[cfg(test)]
mod tests;
