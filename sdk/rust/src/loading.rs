//! Threads on their way to a platform that takes many records in one request.
//!
//! A unit's threads go together, level by level: the objects that hold them, their files, what stands under the objects. A
//! connector maps each thread into a [`Load`], sends a level of all of them, puts what became of each record into its load, and
//! at last [concludes](Load::conclude). What is not known of one thread does not hold up the others: it stays
//! [open](Load::open), and its later levels are not sent.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::Context;
use crate::card::loss;
use crate::destination::{Item, MatchPolicy, Thread};
use crate::effects::{conclude, report, unsettled, updated};
use crate::http::RowChanged;
use crate::ledger::{Action, Effect, RefusedEntry, Status};
use crate::policy::{Change, changes, leave_theirs};
use crate::thread::{File, files_of, updated_at};
use crate::types::{Entry, Fidelity, Loss};

/// A thread on its way. `D` is an object that is to hold it, `C` is what is to stand under one.
#[derive(Debug)]
pub struct Load<'a, D, C> {
    /// The item.
    pub item: &'a Item,
    /// What it is.
    pub thread: Thread,
    /// The objects that are to hold it: one, or more where there is too much for one (rule M-16); the later ones continue the
    /// first.
    pub drafts: Vec<D>,
    /// What is to stand under each, in order.
    pub children: Vec<Vec<C>>,
    /// Its files, by the attachment's id.
    pub files: BTreeMap<String, File>,
    /// The ids of its objects, in their order, as far as they are there.
    pub ids: Vec<String>,
    /// What is there of it.
    pub effects: Vec<Effect>,
    /// What was lost on the way, beside what its mapping says.
    pub losses: Vec<Loss>,
    /// What of its messages the platform does not take.
    pub refused: Vec<RefusedEntry>,
    /// Something of it may be there already: an earlier attempt made its object, or may have.
    pub is_old: bool,
    /// What is not known of it.
    pub open: Option<&'static str>,
    mapping: Said,
}

/// What the mapping of a thread says of it.
#[derive(Debug, Default)]
struct Said {
    losses: Vec<Loss>,
    refused: Vec<RefusedEntry>,
}

/// What became of a file that was sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Uploaded {
    /// Something is there by it; mostly the file.
    There(File, Box<Effect>),
    /// Refused, and named in the thread.
    Refused(File),
    /// Not known, even after sending several times.
    Unsettled,
}

impl<'a, D, C> Load<'a, D, C> {
    /// Of a thread that is to hang on these objects. [`Load::map`] says the rest.
    pub fn new(
        item: &'a Item,
        thread: Thread,
        files: BTreeMap<String, File>,
        drafts: Vec<D>,
    ) -> Self {
        Self {
            item,
            thread,
            drafts,
            children: Vec::new(),
            files,
            ids: Vec::new(),
            effects: Vec::new(),
            losses: Vec::new(),
            refused: Vec::new(),
            is_old: item.in_doubt_since.is_some(),
            open: None,
            mapping: Said::default(),
        }
    }

    /// What stands under its objects, what is lost, which files are not taken. Said anew when its files were sent, since the
    /// thread names those that are missing.
    pub fn map(&mut self, children: Vec<Vec<C>>, losses: Vec<Loss>, refused: Vec<RefusedEntry>) {
        self.children = children;
        self.mapping = Said { losses, refused };
    }

    /// It is there of an earlier run: the ids of its objects of that kind are what its effects say.
    pub fn resume(&mut self, kind: &str) {
        let item = self.item;
        let prior = (0..).map_while(|number| item.prior_part(kind, &object_part(number)));
        self.ids = prior.map(|effect| effect.target_id.clone()).collect();
        self.is_old = true;
    }

    /// One more of its objects is there.
    pub fn hold(&mut self, object: Effect) {
        self.ids.push(object.target_id.clone());
        self.effects.push(object);
    }

    /// One more of its objects is not there: what it was to hold stands under the one before.
    pub fn hold_in_last(&mut self) {
        self.ids.extend(self.ids.last().cloned());
    }

    /// Gives every list of children an object: what has none stands under the last.
    pub fn spread(&mut self) {
        while !self.ids.is_empty() && self.ids.len() < self.children.len() {
            self.hold_in_last();
        }
    }

    /// Something is there for it. What an earlier run has among its own effects is not said again.
    pub fn add(&mut self, effect: Effect) {
        if !self.item.has_prior(&effect) {
            self.effects.push(effect);
        }
    }

    /// What became of one of its files.
    pub fn upload(&mut self, id: &str, uploaded: Uploaded) {
        match uploaded {
            Uploaded::There(file, effect) => {
                self.files.insert(id.to_owned(), file);
                self.effects.push(*effect);
            }
            Uploaded::Refused(file) => {
                self.files.insert(id.to_owned(), file);
            }
            Uploaded::Unsettled => self.open = Some("a file"),
        }
    }

    /// A part of it is not taken. The host exports the message that it stands for; where it stands for none, since it is of our
    /// own making, `of_ours` is lost.
    pub fn refuse(&mut self, part: &str, reason: &str, of_ours: &'static str) {
        if !self.item.refuse_message(part, reason, &mut self.refused) {
            self.losses
                .push(loss("conversation", Fidelity::Lost, of_ours));
        }
    }

    // ---- what was there before

    /// What becomes of its first object, which is there as `there`: what differs of `wanted`, but for what somebody changed there
    /// since we wrote it (rule D-11). `now` are the facets of the object, `facet` is how a value is compared.
    pub fn change_of(
        &mut self,
        mut wanted: Map<String, Value>,
        there: &Map<String, Value>,
        now: &[(String, String)],
        facet: impl Fn(&Value) -> String,
    ) -> Change {
        let main = self.item.prior_main();
        let recorded = main.and_then(|main| main.fingerprint.as_deref());
        let value_of = |name: &str| there.get(name).unwrap_or(&Value::Null);
        wanted.retain(|name, value| facet(value_of(name)) != facet(value));
        if leave_theirs(&mut wanted, recorded, now) {
            let note = "changed here since it was loaded: left as it is";
            self.losses.push(loss("conversation", Fidelity::Lost, note));
        }
        changes(
            MatchPolicy::SourceWins,
            &wanted,
            &Value::Object(there.clone()),
        )
    }

    /// What became of its first object, which was there: `main` is its effect where nothing was to be changed, `sent` the change
    /// that was, its outcome and the print of what was sent. `refused` is the loss where it was refused, `open` what is not known
    /// where it was not answered.
    pub fn change<R>(
        &mut self,
        main: Effect,
        sent: Option<(Change, RowChanged<R>, String)>,
        refused: &'static str,
        open: &'static str,
    ) {
        let main = match sent {
            None => main,
            Some((change, RowChanged::Done(key), print)) => {
                updated(main, key, change.before, print)
            }
            Some((_, RowChanged::Refused(_), _)) => {
                self.losses
                    .push(loss("conversation", Fidelity::Lost, refused));
                main
            }
            Some((_, RowChanged::Unsettled, _)) => {
                self.open = Some(open);
                main
            }
        };
        self.effects.push(main);
    }

    /// Says that it is there, as `main`, and stays as it is: nothing of it changed since it was loaded, or another project loaded
    /// it.
    pub fn keep(&self, cx: &Context, main: Effect) {
        let at = updated_at(&self.thread);
        let mut losses = self.mapping.losses.clone();
        let prior = self.item.prior_main();
        if prior.is_none_or(|prior| prior.updated_at != at) {
            let note = "there already, from an earlier load: left as it is";
            losses.push(loss("conversation", Fidelity::Lost, note));
        }
        let main = Effect {
            action: Action::Matched,
            updated_at: at,
            ..main
        };
        report(cx, self.item, Status::Matched, vec![main], losses);
    }

    // ---- how it ends

    /// Says that whether its first object is there is not known.
    pub fn unsettled(self, cx: &Context, why: &str) {
        unsettled(cx, self.item, why, self.mapping.losses);
    }

    /// Says what became of it.
    pub fn conclude(self, cx: &Context) {
        let Said {
            mut losses,
            mut refused,
        } = self.mapping;
        losses.extend(self.losses);
        refused.extend(self.refused);
        conclude(cx, self.item, self.open, self.effects, losses, refused);
    }
}

/// A thread's files before any is sent, by the attachment's id: what `not_sent` says, else as if each were taken.
pub fn expected(
    thread: &Thread,
    not_sent: impl Fn(&Entry) -> Option<File>,
) -> BTreeMap<String, File> {
    let file = |entry: &Entry| not_sent(entry).unwrap_or(File::Expected);
    files_of(thread)
        .map(|entry| (entry.head.id.clone(), file(entry)))
        .collect()
}

/// Those of which nothing is unknown, with their places.
pub fn settled<'l, 'a, D, C>(
    loads: &'l [Load<'a, D, C>],
) -> impl Iterator<Item = (usize, &'l Load<'a, D, C>)> {
    let all = loads.iter().enumerate();
    all.filter(|(_, load)| load.open.is_none())
}

/// The name of a request that serves several: by the first item, so that it is the same whenever the unit runs.
pub fn named<D, C>(what: &str, loads: &[Load<'_, D, C>]) -> String {
    let first = loads.first().map_or("", |load| load.item.key.as_str());
    format!("{what}:{first}")
}

/// Which part of its item an object is that holds it, by its place.
pub fn object_part(number: usize) -> String {
    match number {
        0 => "main".to_owned(),
        n => format!("continued:{}", n + 1),
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use serde_json::json;

    use super::*;
    use crate::effects::{effect, print};
    use crate::http::key;
    use crate::ledger::Outcome;
    use crate::testing::Harness;
    use crate::testing::items::thread;
    use crate::types::{Conversation, Kind};

    type One<'a> = Load<'a, (), &'static str>;

    fn item(prior: Vec<Effect>) -> Item {
        Item {
            prior,
            ..thread("t1", vec![], Conversation::empty(), vec![])
        }
    }

    fn load(item: &Item) -> One<'_> {
        let thread = item.thread().unwrap();
        Load::new(item, thread, BTreeMap::new(), vec![()])
    }

    fn ticket(part: &str, id: &str) -> Effect {
        effect(part, "ticket", id, Action::Created)
    }

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    fn outcome(say: impl FnOnce(&Context)) -> Outcome {
        let harness = Harness::scripted([]);
        let cx = harness.context();
        say(&cx);
        block_on(cx.reported()).unwrap();
        harness.outcomes().remove(0)
    }

    fn notes(losses: &[Loss]) -> Vec<&str> {
        losses.iter().map(|loss| loss.note.as_str()).collect()
    }

    #[test]
    fn what_no_object_was_made_for_stands_under_the_last_one() {
        let item = item(vec![]);
        let mut one = load(&item);
        one.map(vec![vec!["a"], vec!["b"], vec!["c"]], vec![], vec![]);
        one.spread();
        assert_eq!(one.ids, [""; 0]);
        one.hold(ticket("main", "7"));
        one.hold_in_last();
        one.spread();
        assert_eq!(one.ids, ["7", "7", "7"]);
        assert_eq!(one.effects.len(), 1);
    }

    #[test]
    fn what_an_earlier_run_made_is_taken_up_in_its_order_and_not_said_again() {
        let prior = vec![
            ticket("continued:2", "8"),
            ticket("main", "7"),
            ticket("continued:4", "9"),
        ];
        let item = item(prior);
        let mut one = load(&item);
        one.resume("ticket");
        assert_eq!(
            (one.ids.as_slice(), one.is_old),
            (&["7", "8"].map(str::to_owned)[..], true)
        );
        one.add(ticket("continued:2", "8"));
        one.add(ticket("continued:3", "10"));
        assert_eq!(one.effects.len(), 1);
    }

    #[test]
    fn what_somebody_changed_since_is_left_and_named() {
        let facets = |subject: &str, tier: &str| {
            let all = [("subject", subject), ("tier", tier)];
            all.map(|(name, value)| (name.to_owned(), value.to_owned()))
        };
        let mut main = ticket("main", "7");
        main.fingerprint = Some(print(&facets("old", "gold")));
        let item = item(vec![main]);
        let mut one = load(&item);
        let there = object(json!({"subject": "theirs", "tier": "gold", "same": "x"}));
        let wanted = object(json!({"subject": "new", "tier": "silver", "same": "x"}));
        let plain = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let change = one.change_of(wanted, &there, &facets("theirs", "gold"), plain);
        assert_eq!(change.wanted, object(json!({"tier": "silver"})));
        assert_eq!(change.before, object(json!({"tier": "gold"})));
        assert_eq!(
            notes(&one.losses),
            ["changed here since it was loaded: left as it is"]
        );

        let done = RowChanged::<()>::Done(key("t1", "main", "update"));
        one.change(
            ticket("main", "7"),
            Some((change, done, "p".to_owned())),
            "refused",
            "open",
        );
        let main = &one.effects[0];
        assert_eq!(
            (main.action, main.before.as_deref()),
            (Action::Updated, Some(r#"{"tier":"gold"}"#))
        );
        one.change(
            ticket("main", "7"),
            Some((
                Change::default(),
                RowChanged::<()>::Unsettled,
                String::new(),
            )),
            "refused",
            "open",
        );
        assert_eq!(one.open, Some("open"));
    }

    #[test]
    fn a_load_that_did_not_change_is_kept_without_a_loss() {
        let mut main = ticket("main", "7");
        main.updated_at = updated_at(&item(vec![]).thread().unwrap());
        let (known, others) = (item(vec![main]), item(vec![]));
        let kept = outcome(|cx| load(&known).keep(cx, ticket("main", "7")));
        assert_eq!((kept.status, kept.losses.len()), (Status::Matched, 0));
        assert_eq!(kept.effects[0].action, Action::Matched);
        let kept = outcome(|cx| load(&others).keep(cx, ticket("main", "7")));
        assert_eq!(
            notes(&kept.losses),
            ["there already, from an earlier load: left as it is"]
        );
    }

    #[test]
    fn a_file_and_a_message_that_are_not_taken_and_what_is_open_come_to_the_outcome() {
        let item = item(vec![]);
        let mut one = load(&item);
        let lost = loss("attachment", Fidelity::Lost, "too large");
        one.map(vec![], vec![lost], vec![]);
        one.hold(ticket("main", "7"));
        one.upload("f1", Uploaded::Refused(File::NotTaken("odd".to_owned())));
        one.refuse("card:2", "no", "a card is missing");
        assert_eq!(one.files.get("f1"), Some(&File::NotTaken("odd".to_owned())));
        let said = outcome(|cx| one.conclude(cx));
        assert_eq!(said.status, Status::Created);
        assert_eq!(notes(&said.losses), ["too large", "a card is missing"]);

        let mut one = load(&item);
        one.upload("f1", Uploaded::Unsettled);
        let all = [one, load(&item)];
        let places: Vec<usize> = settled(&all).map(|(at, _)| at).collect();
        assert_eq!(places, [1]);
        assert_eq!(named("files", &all), format!("files:{}", item.key));
        let [one, _] = all;
        let said = outcome(|cx| one.conclude(cx));
        assert_eq!(
            said.status,
            Status::Unsettled("a file was not answered".to_owned())
        );
        assert_eq!(item.entry().head.kind, Kind::Conversation);
    }
}
