//! Threads as Cases, with their files, e-mails and comments.
//!
//! A unit's threads go level by level, each level in as few requests as there can be: all Cases, then all files, then all
//! e-mails, then all comments, two hundred rows a request; one Case's children stay together, and are in the order of their
//! Cases, so that no two requests wait for one lock (Salesforce facts §15). A Case is made in its last status, since a later
//! change would wake what reacts to closing (Salesforce facts §9.2).
//!
//! Cases, files and e-mails carry a unique external id, so their requests may be repeated (Salesforce facts §12). Comments have
//! none: one that may be there is looked for under its Case by what it says, and only what is not there is made again.
//!
//! A thread that an earlier run loaded and that changed since is changed: fields of its Case, and what was said since.
//!
//! Calls at best for a thousand threads of ten parts, eight of them e-mails: 5 for the Cases, 40 for the e-mails, 10 for the
//! comments; files are one call and one look for two hundred. Bulk API 2.0 takes four calls and some polls for each kind of a
//! job, but gives its results without order, cannot carry files, and has no external id for comments to know rows by; at
//! batches of two hundred threads it costs more calls than it saves: three jobs of at least six calls for what is eleven here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::card::loss;
use transload_sdk::destination::{Item, Thread};
use transload_sdk::effects::{effect, made, reject};
use transload_sdk::http::Refusal as _;
use transload_sdk::items::threads;
use transload_sdk::ledger::{Action, Effect, Proof};
use transload_sdk::loading::{self, Uploaded, expected, named, object_part, settled};
use transload_sdk::policy::Change;
use transload_sdk::thread::{File, Unit, conversation_of, files_of, stored_texts, updated_at};
use transload_sdk::types::{Entry, Error, Fidelity};
use transload_sdk::words::Words;

use super::facet;
use super::files::{self, Wanted as WantedFile};
use super::looked::{Fate, Looked, Want, Wanted};
use crate::api::{Fault, Record, id_of, id18, text};
use crate::client::{self, ChangeRow, ROWS, Row, Saved};
use crate::fields::{RUN, SOURCE_ID};
use crate::map::Choices;
use crate::state::{Config, State};
use crate::thread::{
    self, CASE, CHILDREN_PER_CASE, COMMENT, CaseDraft, Child, MAIL, Mapped, Surroundings,
};
use crate::undo::facets_now;

/// Links of Cases to topics.
pub const TOPIC: &str = "TopicAssignment";

/// Writes threads, and notes on customers that belong to none.
///
/// # Errors
/// What ends the unit.
pub async fn cases(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let (state, config): (State, Config) = (cx.state()?, cx.config()?);
    let threads: Vec<(&Item, Thread)> = threads(cx, items, config.spam).collect();
    let choices = super::choices(cx, CASE, items).await?;
    let loader = Loader {
        cx,
        state: &state,
        config: &config,
        words: config.words(cx.time_zone()),
        choices,
    };
    let loaded = loader.loaded_before(&threads).await?;
    let (mut loads, mut changed) = (Vec::new(), Vec::new());
    for (item, thread) in threads {
        let before = item.known().filter(|case| loaded.contains(*case));
        let load = loader.begin(item, thread)?;
        match (before, item.prior_main()) {
            (None, _) => loads.push(load),
            (Some(_), Some(main)) if main.updated_at != updated_at(&load.thread) => {
                changed.push(load)
            }
            (Some(case), _) => loader.keep(&load, case),
        }
    }
    loader.update(changed).await?;
    loader.load(loads).await
}

/// A thread on its way.
type Load<'a> = loading::Load<'a, CaseDraft, Child>;

struct Loader<'a> {
    cx: &'a Context,
    state: &'a State,
    config: &'a Config,
    words: Words,
    choices: Choices,
}

impl Loader<'_> {
    /// Maps a thread, with its files as if they would all be taken.
    fn begin<'i>(&self, item: &'i Item, thread: Thread) -> Result<Load<'i>, Error> {
        let not_sent = |entry: &Entry| files::to_be_sent(entry, self.config).err();
        let files = expected(&thread, not_sent);
        let mapped = self.map(item, &thread, &files)?;
        let mut load = Load::new(item, thread, files, mapped.cases);
        load.map(mapped.children, mapped.losses, mapped.refused);
        Ok(load)
    }

    fn map(
        &self,
        item: &Item,
        thread: &Thread,
        files: &BTreeMap<String, File>,
    ) -> Result<Mapped, Error> {
        let texts = stored_texts(self.cx, thread)?;
        let around = Surroundings {
            state: self.state,
            config: self.config,
            unit: Unit::new(self.cx, &texts),
            words: &self.words,
            choices: &self.choices,
            files,
            children: CHILDREN_PER_CASE,
        };
        thread::map_thread(item, thread, &around)
    }

    // ---- what is there already

    /// The Cases that earlier runs made of these threads, as far as they are there still.
    async fn loaded_before(&self, threads: &[(&Item, Thread)]) -> Result<BTreeSet<String>, Error> {
        let ids: BTreeSet<String> = threads
            .iter()
            .filter_map(|(item, _)| item.known())
            .map(str::to_owned)
            .collect();
        if ids.is_empty() {
            return Ok(ids);
        }
        let found = client::retrieve(self.cx, CASE, &ids, &["Id"]).await?;
        Ok(found.into_keys().collect())
    }

    /// A thread that is there and did not change stays as it is; so does one that another project loaded.
    fn keep(&self, load: &Load<'_>, case: &str) {
        let url = Some(url(case));
        let main = effect("main", CASE, case, Action::Matched);
        load.keep(self.cx, Effect { url, ..main });
    }

    // ---- level by level

    async fn load(&self, loads: Vec<Load<'_>>) -> Result<(), Error> {
        if loads.is_empty() {
            return Ok(());
        }
        let mut loads = self.first_cases(loads).await?;
        self.further_cases(&mut loads).await?;
        self.children(loads, &BTreeSet::new()).await
    }

    /// What stands under the Cases: files, e-mails, comments, topics. `known` are the external ids of e-mails that are there.
    async fn children(
        &self,
        mut loads: Vec<Load<'_>>,
        known: &BTreeSet<String>,
    ) -> Result<(), Error> {
        self.send_files(&mut loads).await?;
        for load in &mut loads {
            // What became of the files is known now, and the threads say it.
            if !load.files.is_empty() {
                let mapped = self.map(load.item, &load.thread, &load.files)?;
                load.map(mapped.children, mapped.losses, mapped.refused);
            }
            load.spread();
        }
        let comments = self.mails(&mut loads, known).await?;
        self.comments(&mut loads, comments).await?;
        self.topics(&mut loads).await?;
        for load in loads {
            load.conclude(self.cx);
        }
        Ok(())
    }

    // ---- what changed since an earlier run

    /// Threads that an earlier run loaded and that changed since (rule M-9): the Case's fields are set anew, but for those that
    /// somebody changed here; what was said since is added. E-mails and comments that are there stay as they are.
    async fn update(&self, mut loads: Vec<Load<'_>>) -> Result<(), Error> {
        if loads.is_empty() {
            return Ok(());
        }
        for load in &mut loads {
            load.resume(CASE);
            load.ids.iter_mut().for_each(|id| *id = id18(id));
        }
        self.change_cases(&mut loads).await?;
        let known = self.known_children(&mut loads).await?;
        self.children(loads, &known).await
    }

    async fn change_cases(&self, loads: &mut [Load<'_>]) -> Result<(), Error> {
        let firsts = loads.iter().filter_map(|load| load.ids.first());
        let ids: BTreeSet<String> = firsts.cloned().collect();
        let drafts = loads.iter().filter_map(|load| load.drafts.first());
        let names = drafts.flat_map(|draft| draft.fields.keys().cloned());
        let names: BTreeSet<String> = names.filter(|name| !is_of_birth(name)).collect();
        let fields = std::iter::once("Id").chain(names.iter().map(String::as_str));
        let fields: Vec<&str> = fields.collect();
        let now = client::retrieve(self.cx, CASE, &ids, &fields).await?;
        let change = |load: &mut Load<'_>| {
            let change = now
                .get(load.ids.first()?)
                .map(|record| change_of(load, record));
            change.filter(|change| !change.wanted.is_empty())
        };
        let changes: Vec<Option<Change>> = loads.iter_mut().map(change).collect();
        let row = |(load, change): (&Load<'_>, &Option<Change>)| {
            Some(ChangeRow {
                item: load.item.key.clone(),
                part: "main".to_owned(),
                object: CASE.to_owned(),
                id: load.ids.first()?.clone(),
                values: change.as_ref()?.wanted.clone(),
            })
        };
        let rows: Vec<ChangeRow> = loads.iter().zip(&changes).filter_map(row).collect();
        let done = client::change(self.cx, &named("cases", loads), &rows).await?;
        let mut done = done.into_iter();
        for (load, change) in loads.iter_mut().zip(changes) {
            let id = load.ids.first().map(String::as_str).unwrap_or_default();
            let main = about(effect("main", CASE, id, Action::Matched), load);
            let sent = change.and_then(|change| {
                let print = super::sent_print(&change.wanted);
                Some((change, done.next()?, print))
            });
            let refused = "the change of its Case was refused: left as it is";
            load.change(main, sent, refused, "a change of its Case");
        }
        Ok(())
    }

    /// What is there of e-mails and files: the external ids of those; these are the loads'.
    async fn known_children(&self, loads: &mut [Load<'_>]) -> Result<BTreeSet<String>, Error> {
        let cases: BTreeSet<String> = loads.iter().flat_map(|l| l.ids.iter().cloned()).collect();
        let select = format!("SELECT Id, ParentId, {SOURCE_ID} FROM {MAIL}");
        let mut mails = Vec::new();
        if self.state.has(MAIL, SOURCE_ID) {
            mails = client::query_in(self.cx, &select, "ParentId", &cases, None).await?;
        }
        let known = mails.iter().map(|mail| text(mail, SOURCE_ID).to_owned());
        // The card is a field; what did not fit there was said once.
        for children in loads.iter_mut().flat_map(|load| &mut load.children) {
            children.retain(|child| !child.part.starts_with("card:"));
        }
        let ids = loads.iter().flat_map(|load| files_of(&load.thread));
        let ids: BTreeSet<&str> = ids.map(|entry| entry.head.id.as_str()).collect();
        let there = files::there(self.cx, self.state, &ids).await?;
        for load in loads.iter_mut() {
            for (id, file) in &mut load.files {
                if let Some(found) = there.get(id) {
                    *file = self.at_site(found.clone());
                }
            }
        }
        Ok(known.collect())
    }

    /// The first Case of each thread. Gives the threads that go on; the others have their outcome.
    async fn first_cases<'i>(&self, loads: Vec<Load<'i>>) -> Result<Vec<Load<'i>>, Error> {
        let mut waiting = loads;
        let mut there = Vec::new();
        // A second time without the owner, where Salesforce does not take him.
        for (batch, is_last) in [("cases", false), ("cases-unowned", true)] {
            let rows: Vec<Row> = waiting.iter().map(|load| case_row(load, 0, None)).collect();
            let saved = client::insert(self.cx, &named(batch, &waiting), &rows).await?;
            let mut again = Vec::new();
            for (mut load, saved) in std::mem::take(&mut waiting).into_iter().zip(saved) {
                match saved {
                    Saved::Made { id, proof, key } => {
                        load.is_old |= proof != Proof::Fresh;
                        let main = made("main", CASE, id, Some(proof), key);
                        load.hold(described(&load, 0, main));
                        there.push(load);
                    }
                    Saved::There { id, .. } => self.keep(&load, &id),
                    Saved::Refused(fault) if is_of_owner(&fault) && !is_last => {
                        let note = "the owner cannot own it here: named on the source card";
                        let field = "conversation.assignees";
                        load.losses.push(loss(field, Fidelity::Converted, note));
                        for case in &mut load.drafts {
                            case.fields.shift_remove("OwnerId");
                        }
                        again.push(load);
                    }
                    Saved::Refused(fault) => {
                        reject(self.cx, load.item, fault.rejection());
                    }
                    Saved::Unsettled => load.unsettled(self.cx, "a Case was not answered"),
                }
            }
            if again.is_empty() {
                break;
            }
            waiting = again;
        }
        Ok(there)
    }

    /// The Cases that continue others (rule M-16). What one would hold that is refused stands under the one before.
    async fn further_cases(&self, loads: &mut [Load<'_>]) -> Result<(), Error> {
        let mut places = Vec::new();
        let mut rows = Vec::new();
        for (at, load) in loads.iter().enumerate() {
            for number in 1..load.drafts.len() {
                places.push((at, number));
                rows.push(case_row(load, number, load.ids.first()));
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        let saved = client::insert(self.cx, &named("further-cases", loads), &rows).await?;
        for ((at, number), saved) in places.into_iter().zip(saved) {
            let Some(load) = loads.get_mut(at) else {
                continue;
            };
            match saved {
                Saved::Made { id, proof, key } => {
                    let further = made(&object_part(number), CASE, id, Some(proof), key);
                    load.hold(described(load, number, further));
                }
                Saved::There { .. } | Saved::Refused(_) => {
                    let note =
                        "a Case that continues it was refused: all stands under the one before";
                    let field = "conversation.messages";
                    load.losses.push(loss(field, Fidelity::Converted, note));
                    load.hold_in_last();
                }
                Saved::Unsettled => {
                    load.open = Some("a Case that continues it");
                    load.hold_in_last();
                }
            }
        }
        Ok(())
    }

    /// A file with its whole address.
    fn at_site(&self, file: File) -> File {
        match file {
            File::There { id, url } => File::There {
                id,
                url: format!("{}{url}", self.config.site()),
            },
            other => other,
        }
    }

    async fn send_files(&self, loads: &mut [Load<'_>]) -> Result<(), Error> {
        let mut fates = Vec::new();
        {
            let mut places = Vec::new();
            let mut wanted = Vec::new();
            for (at, load) in loads.iter().enumerate() {
                let Some(case) = load.ids.first() else {
                    continue;
                };
                for entry in files_of(&load.thread) {
                    let file = load.files.get(&entry.head.id);
                    if matches!(file, Some(File::There { .. })) {
                        continue;
                    }
                    if let Ok((name, content)) = files::to_be_sent(entry, self.config) {
                        places.push((at, entry.head.id.clone()));
                        wanted.push(WantedFile {
                            item: &load.item.key,
                            entry,
                            name,
                            content,
                            case,
                        });
                    }
                }
            }
            let batch = named("files", loads);
            let sent = files::send(self.cx, self.state, &batch, &wanted).await?;
            fates.extend(places.into_iter().zip(sent));
        }
        for ((at, id), fate) in fates {
            let Some(load) = loads.get_mut(at) else {
                continue;
            };
            let fate = match fate {
                Uploaded::There(file, effect) => Uploaded::There(self.at_site(file), effect),
                other => other,
            };
            load.upload(&id, fate);
        }
        // An e-mail could not get a file later: what is not known ends here, and is taken up again.
        Ok(())
    }

    /// The e-mails of all threads. Those that Salesforce does not take come back as comments.
    async fn mails(
        &self,
        loads: &mut [Load<'_>],
        there: &BTreeSet<String>,
    ) -> Result<Vec<(usize, String, Child)>, Error> {
        let mut packs = Packs::default();
        for (at, load) in settled(loads) {
            for (case, children) in load.ids.iter().zip(&load.children) {
                let is_new = |child: &&Child| {
                    let marker = child.fields.get(SOURCE_ID).and_then(Value::as_str);
                    child.mail && !marker.is_some_and(|marker| there.contains(marker))
                };
                let mails: Vec<&Child> = children.iter().filter(is_new).collect();
                packs.add(
                    mails
                        .into_iter()
                        .map(|child| (at, case.clone(), child.clone())),
                );
            }
        }
        let mut comments = Vec::new();
        let mut known = Vec::new();
        for (number, pack) in packs.all().into_iter().enumerate() {
            let batch = format!("{}:{number}", named("mails", loads));
            let back = self.mail_pack(loads, &batch, pack).await?;
            for (at, case, mut child, fault) in back {
                if names_people(&fault) {
                    known.push((at, case, child, fault));
                } else {
                    comments.extend(self.instead(loads, at, &case, &mut child, &fault));
                }
            }
        }
        // Addresses of people who are here are to be given by their ids (Salesforce facts §9.3).
        let people = self
            .people(known.iter().map(|(_, _, child, _)| child))
            .await?;
        let mut packs = Packs::default();
        for (at, case, mut child, _) in known {
            thread::by_ids(&mut child, &people);
            packs.add(std::iter::once((at, case, child)));
        }
        for (number, pack) in packs.all().into_iter().enumerate() {
            let batch = format!("{}:{number}", named("mails-by-id", loads));
            for (at, case, mut child, fault) in self.mail_pack(loads, &batch, pack).await? {
                comments.extend(self.instead(loads, at, &case, &mut child, &fault));
            }
        }
        Ok(comments)
    }

    /// One request for e-mails; gives those that were refused.
    async fn mail_pack(
        &self,
        loads: &mut [Load<'_>],
        batch: &str,
        pack: Vec<(usize, String, Child)>,
    ) -> Result<Vec<(usize, String, Child, Fault)>, Error> {
        let row = |(at, case, child): &(usize, String, Child)| {
            let item = loads.get(*at).map(|load| load.item.key.clone());
            child_row(item.unwrap_or_default(), MAIL, case, child)
        };
        let rows: Vec<Row> = pack.iter().map(row).collect();
        let saved = client::insert(self.cx, batch, &rows).await?;
        let mut refused = Vec::new();
        for ((at, case, child), saved) in pack.into_iter().zip(saved) {
            let Some(load) = loads.get_mut(at) else {
                continue;
            };
            match saved {
                Saved::Made { id, proof, key } => {
                    let mut mail = made(&child.part, MAIL, id, Some(proof), key);
                    mail.fingerprint = Some(thread::child_print(&child));
                    load.effects.push(mail);
                }
                Saved::There { id, key } => {
                    let note = "an e-mail of an earlier load is there: left as it is";
                    load.losses.push(loss("message", Fidelity::Lost, note));
                    load.effects.push(made(&child.part, MAIL, id, None, key));
                }
                Saved::Refused(fault) => refused.push((at, case, child, fault)),
                Saved::Unsettled => load.open = Some("an e-mail"),
            }
        }
        Ok(refused)
    }

    /// What stands for an e-mail that was refused.
    fn instead(
        &self,
        loads: &mut [Load<'_>],
        at: usize,
        case: &str,
        child: &mut Child,
        fault: &Fault,
    ) -> Vec<(usize, String, Child)> {
        if let Some(load) = loads.get_mut(at) {
            let note = "refused as an e-mail: a comment";
            load.losses.push(loss("message", Fidelity::Converted, note));
        }
        let comments = thread::as_comments(child, &fault.code, self.state.audits(COMMENT));
        let comments = comments.into_iter();
        comments.map(|one| (at, case.to_owned(), one)).collect()
    }

    /// Contacts, leads and users by their addresses, of those that e-mails name.
    async fn people<'c>(
        &self,
        mails: impl Iterator<Item = &'c Child>,
    ) -> Result<BTreeMap<String, String>, Error> {
        let addresses: BTreeSet<String> = mails.flat_map(thread::addresses_of).collect();
        let mut people = BTreeMap::new();
        if addresses.is_empty() {
            return Ok(people);
        }
        for object in ["Contact", "User", "Lead"] {
            let select = format!("SELECT Id, Email FROM {object}");
            let found = client::query_in(self.cx, &select, "Email", &addresses, None).await?;
            for person in found {
                let address = text(&person, "Email").to_lowercase();
                people.entry(address).or_insert_with(|| id_of(&person));
            }
        }
        Ok(people)
    }

    async fn comments(
        &self,
        loads: &mut [Load<'_>],
        instead: Vec<(usize, String, Child)>,
    ) -> Result<(), Error> {
        let mut wants = Vec::new();
        for (at, load) in settled(loads) {
            let instead = || instead.iter().filter(|(of, ..)| *of == at);
            let planned = load.ids.iter().zip(&load.children);
            let planned = planned.flat_map(|(case, children)| {
                let comments = children.iter().filter(|child| !child.mail);
                comments.map(move |child| (case, child))
            });
            let all = planned.chain(instead().map(|(_, case, child)| (case, child)));
            for (case, child) in all {
                let wanted = Wanted {
                    row: child_row(load.item.key.clone(), COMMENT, case, child),
                    parent: case.clone(),
                    print: thread::child_print(child),
                };
                let maybe_there = load.is_old.then_some(load.item.in_doubt_since);
                wants.push(Want::new(at, wanted, maybe_there));
            }
        }
        let look = Looked {
            cx: self.cx,
            object: COMMENT,
            select: "SELECT Id, ParentId, CommentBody, IsPublished FROM CaseComment",
            parent: "ParentId",
            identity: |record| {
                let (published, body) = thread::comment_identity(record);
                format!("{published} {body}")
            },
        };
        let made = look.insert(&named("comments", loads), wants).await?;
        take(loads, made, "a comment");
        Ok(())
    }

    async fn topics(&self, loads: &mut [Load<'_>]) -> Result<(), Error> {
        let mut wants = Vec::new();
        for (at, load) in settled(loads) {
            let Some(case) = load.ids.first() else {
                continue;
            };
            for topic in thread::topics_of(conversation_of(&load.thread)?) {
                let values = [("TopicId", &topic), ("EntityId", case)];
                let values = values.map(|(name, id)| (name.to_owned(), json!(id)));
                let wanted = Wanted {
                    row: Row {
                        item: load.item.key.clone(),
                        part: format!("topic:{topic}"),
                        object: TOPIC.to_owned(),
                        values: Map::from_iter(values),
                    },
                    parent: case.clone(),
                    print: String::new(),
                };
                let maybe_there = load.is_old.then_some(load.item.in_doubt_since);
                wants.push(Want::new(at, wanted, maybe_there));
            }
        }
        let look = Looked {
            cx: self.cx,
            object: TOPIC,
            select: "SELECT Id, TopicId, EntityId FROM TopicAssignment",
            parent: "EntityId",
            identity: |record| id18(text(record, "TopicId")),
        };
        let made = look.insert(&named("topics", loads), wants).await?;
        take(loads, made, "a topic");
        Ok(())
    }
}

/// Puts what became of rows where it belongs.
fn take(loads: &mut [Load<'_>], made: Vec<(usize, Fate)>, what: &'static str) {
    for (at, fate) in made {
        let Some(load) = loads.get_mut(at) else {
            continue;
        };
        match fate {
            Fate::There(_, effect) => load.add(*effect),
            Fate::Refused(wanted, _) if wanted.row.object == TOPIC => {
                let note = "a topic was refused: the tag is in its field, or on the source card";
                load.losses
                    .push(loss("conversation.tags", Fidelity::Converted, note));
            }
            Fate::Refused(wanted, fault) => {
                let note = "a comment of ours was refused: a part of the source card, or a link, is missing";
                load.refuse(&wanted.row.part, &fault.said(), note);
            }
            Fate::Unsettled => load.open = Some(what),
        }
    }
}

/// Children in packs of as many as one request takes, those of one Case in one pack where they fit.
#[derive(Default)]
struct Packs {
    full: Vec<Vec<(usize, String, Child)>>,
    open: Vec<(usize, String, Child)>,
}

impl Packs {
    fn add(&mut self, of_one: impl Iterator<Item = (usize, String, Child)>) {
        let of_one: Vec<_> = of_one.collect();
        if self.open.len() + of_one.len() > ROWS && !self.open.is_empty() {
            self.full.push(std::mem::take(&mut self.open));
        }
        for one in of_one {
            if self.open.len() == ROWS {
                self.full.push(std::mem::take(&mut self.open));
            }
            self.open.push(one);
        }
    }

    fn all(mut self) -> Vec<Vec<(usize, String, Child)>> {
        if !self.open.is_empty() {
            self.full.push(self.open);
        }
        self.full
    }
}

fn case_row(load: &Load<'_>, number: usize, parent: Option<&String>) -> Row {
    let draft = load.drafts.get(number);
    let mut values = draft.map(|draft| draft.fields.clone()).unwrap_or_default();
    if let Some(parent) = parent {
        values.insert("ParentId".to_owned(), json!(parent));
    }
    Row {
        item: load.item.key.clone(),
        part: object_part(number),
        object: CASE.to_owned(),
        values,
    }
}

/// The effect of a Case that was made.
fn described(load: &Load<'_>, number: usize, effect: Effect) -> Effect {
    let draft = load.drafts.get(number);
    let effect = about(effect, load);
    Effect {
        fingerprint: draft.map(|draft| super::sent_print(&draft.fields)),
        ..effect
    }
}

/// A Case's effect with what is said of every one.
fn about(main: Effect, load: &Load<'_>) -> Effect {
    Effect {
        updated_at: updated_at(&load.thread),
        url: Some(url(&main.target_id)),
        ..main
    }
}

/// What a Case is given once, when it is made.
fn is_of_birth(name: &str) -> bool {
    matches!(
        name,
        "CreatedDate"
            | "CreatedById"
            | "LastModifiedDate"
            | "ClosedDate"
            | "RecordTypeId"
            | SOURCE_ID
            | RUN
    )
}

/// What becomes of a Case that is there: what differs, but for what somebody changed here since we wrote it (rule D-11).
fn change_of(load: &mut Load<'_>, record: &Record) -> Change {
    let draft = load.drafts.first();
    let mut wanted = draft.map(|draft| draft.fields.clone()).unwrap_or_default();
    wanted.retain(|name, _| !is_of_birth(name));
    load.change_of(wanted, record, &facets_now(CASE, record), facet)
}

fn child_row(item: String, object: &str, case: &str, child: &Child) -> Row {
    let mut values = Map::new();
    values.insert("ParentId".to_owned(), Value::from(case));
    values.extend(child.fields.clone());
    Row {
        item,
        part: child.part.clone(),
        object: object.to_owned(),
        values,
    }
}

/// Whether a Case was refused because of who would own it (Salesforce facts §3, §11).
fn is_of_owner(fault: &Fault) -> bool {
    fault.is("INACTIVE_OWNER_OR_USER")
        || fault.is("OP_WITH_INVALID_USER_TYPE_EXCEPTION")
        || fault.fields.iter().any(|field| field == "OwnerId")
}

/// Whether an e-mail was refused because it names people who are here by their addresses (Salesforce facts §9.3).
fn names_people(fault: &Fault) -> bool {
    let fields = ["ToAddress", "CcAddress", "BccAddress"];
    let named = |field: &String| fields.contains(&field.as_str());
    !fault.is("INVALID_EMAIL_ADDRESS") && fault.fields.iter().any(named)
}

fn url(case: &str) -> String {
    format!("/{case}")
}
