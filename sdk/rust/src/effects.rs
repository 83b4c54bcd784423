//! What a destination says of its items, in short; and the prints of facets by which a later undo knows what was changed since.
//!
//! A *facet* is one thing of an object that we wrote, by name, as the platform holds it. [`print()`] makes one line of many,
//! [`changed`] says which of them differ now (rule D-11).

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::Context;
use crate::destination::{Item, Undoing};
use crate::http::OperationKey;
use crate::ledger::{
    Action, Effect, Outcome, Proof, RefusedEntry, Status, UndoOutcome, UndoStatus,
};
use crate::types::{Error, Kind, Loss};

/// Says what became of an item; durable before the next request leaves.
pub fn report(cx: &Context, item: &Item, status: Status, effects: Vec<Effect>, losses: Vec<Loss>) {
    cx.report(Outcome {
        item: item.key.clone(),
        status,
        effects,
        losses,
        refused: Vec::new(),
    });
}

/// Says that the fate of an item is not known.
pub fn unsettled(cx: &Context, item: &Item, why: &str, losses: Vec<Loss>) {
    let status = Status::Unsettled(why.to_owned());
    report(cx, item, status, Vec::new(), losses);
}

/// Says that an item was refused.
pub fn reject(cx: &Context, item: &Item, error: Error) {
    report(cx, item, Status::Rejected(error), Vec::new(), Vec::new());
}

/// Says that the destination has no place for an item: the host writes it to the export folder, to the kind's file there.
pub fn export(cx: &Context, item: &Item) {
    let status = Status::Exported(exported_as(&item.entry().head.kind));
    report(cx, item, status, Vec::new(), Vec::new());
}

/// The file of the export folder that holds records of a kind.
pub fn exported_as(kind: &Kind) -> String {
    format!("{}.jsonl", kind.word())
}

/// The status of an item whose main effect has that action.
pub fn status_of(action: Action) -> Status {
    match action {
        Action::Created => Status::Created,
        Action::Updated => Status::Updated,
        Action::Matched => Status::Matched,
    }
}

/// Says what became of an item of several objects, by its effects, the first of which is on its own: what was made, what of it was
/// changed or added to. `open` is what is not known of it; then nothing is known of its entries, either.
pub fn conclude(
    cx: &Context,
    item: &Item,
    open: Option<&str>,
    effects: Vec<Effect>,
    losses: Vec<Loss>,
    refused: Vec<RefusedEntry>,
) {
    let first = effects.first().map(|main| main.action);
    let is_made = |effect: &Effect| effect.action == Action::Created;
    let status = match (open, first) {
        (Some(what), _) => Status::Unsettled(format!("{what} was not answered")),
        (None, Some(Action::Created)) => Status::Created,
        (None, Some(Action::Updated)) => Status::Updated,
        (None, _) if effects.iter().any(is_made) => Status::Updated,
        (None, _) => Status::Matched,
    };
    cx.report(Outcome {
        item: item.key.clone(),
        status,
        effects,
        losses,
        refused: if open.is_some() { Vec::new() } else { refused },
    });
}

/// An effect without what only some have.
pub fn effect(part: &str, kind: &str, id: impl Into<String>, action: Action) -> Effect {
    Effect {
        part: part.to_owned(),
        target_kind: kind.to_owned(),
        target_id: id.into(),
        action,
        proof: None,
        key: None,
        before: None,
        fingerprint: None,
        version: None,
        updated_at: None,
        url: None,
    }
}

/// An effect of something that is there by our request. Without proof it may be somebody else's: then it is matched, and
/// rollback leaves it (rule D-4).
pub fn made(
    part: &str,
    kind: &str,
    id: impl Into<String>,
    proof: Option<Proof>,
    key: OperationKey,
) -> Effect {
    let action = if proof.is_some() {
        Action::Created
    } else {
        Action::Matched
    };
    Effect {
        proof,
        key: Some(key),
        ..effect(part, kind, id, action)
    }
}

/// The effect of an object that was there and that a request has changed: with what was there before, and the print of what was
/// sent.
pub fn updated(
    main: Effect,
    key: OperationKey,
    before: Map<String, Value>,
    print: String,
) -> Effect {
    Effect {
        action: Action::Updated,
        key: Some(key),
        before: Some(Value::Object(before).to_string()),
        fingerprint: Some(print),
        ..main
    }
}

/// Something of the connector's own that is there: of an earlier run, or of an attempt of this one whose outcome was lost.
pub fn found(cx: &Context, kind: &str, id: impl Into<String>, of_this_run: bool) -> Effect {
    let matched = effect("main", kind, id, Action::Matched);
    if !of_this_run {
        return matched;
    }
    Effect {
        action: Action::Created,
        proof: Some(Proof::Marker(cx.run().to_owned())),
        ..matched
    }
}

/// Reports something of the connector's own, under an item key that begins with `own:`.
///
/// # Errors
/// What the host makes of it.
pub async fn own(cx: &Context, item: &str, effects: Vec<Effect>) -> Result<(), Error> {
    let made = effects
        .iter()
        .any(|effect| effect.action == Action::Created);
    let status = if made {
        Status::Created
    } else {
        Status::Matched
    };
    cx.report(Outcome {
        item: item.to_owned(),
        status,
        effects,
        losses: Vec::new(),
        refused: Vec::new(),
    });
    Ok(cx.reported().await?)
}

/// How the line begins that says in a description what an object stands for.
pub const DESCRIBED: &str = "Migrated: ";

/// What is written into descriptions, so that an object that can have no marker of its own is known as ours.
pub fn description_marker(cx: &Context, marker: &str) -> String {
    format!("{DESCRIBED}{marker} (run {})", cx.run())
}

/// A description of so many characters: what the source says of an object, cut where it must be, and below it
/// [`description_marker`]'s line, which is whole.
pub fn described(cx: &Context, words: Option<&str>, marker: &str, chars: usize) -> String {
    let marker = description_marker(cx, marker);
    let Some(words) = words else {
        return marker;
    };
    let room = chars.saturating_sub(marker.chars().count() + 1);
    let (words, _) = crate::text::cut_chars(words, room);
    format!("{words}\n{marker}")
}

/// Whether a description is ours of this run.
pub fn is_of_run(cx: &Context, description: Option<&str>) -> bool {
    description.is_some_and(|text| text.contains(&format!("(run {})", cx.run())))
}

/// A marker for a field of so many characters, at least a hundred; of one that is too long its beginning and its digest, so that two
/// stay two.
pub fn marker_within(marker: &str, chars: usize) -> String {
    if marker.chars().count() <= chars {
        return marker.to_owned();
    }
    let digest = crate::sha256(marker.as_bytes());
    let room = chars.saturating_sub(digest.len() + 1);
    let kept: String = marker.chars().take(room).collect();
    format!("{kept}#{digest}")
}

/// A name as a field of so many characters takes it, more than nine; of one that is too long its beginning, `mark` and its short
/// digest, so that two stay two. Whether it was cut.
pub fn name_within(name: &str, chars: usize, mark: char) -> (String, bool) {
    if name.chars().count() <= chars {
        return (name.to_owned(), false);
    }
    (with_digest(name, name, chars, mark), true)
}

/// The beginning of what is shown of a text, `mark` and the text's short digest, in so many characters.
pub fn with_digest(shown: &str, text: &str, chars: usize, mark: char) -> String {
    let digest = short_hash(text);
    let room = chars.saturating_sub(digest.len() + 1);
    let (kept, _) = crate::text::cut_chars(shown, room);
    format!("{}{mark}{digest}", kept.trim_end())
}

/// The marker of a part of an item: of a message, a file, a second ticket.
pub fn part_marker(marker: &str, part: &str) -> String {
    format!("{marker}/{part}")
}

/// A short digest of text, of eight hexadecimal digits, to keep apart what a slug would fuse. FNV-1a: stable, and no secret hangs on it.
pub fn short_hash(text: &str) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    format!("{:08x}", (hash >> 32) ^ (hash & 0xffff_ffff))
}

/// Facets of an object as one line of digests, `subject=1f…;status=…`: so a later comparison can say what differs.
pub fn print(facets: &[(String, String)]) -> String {
    let facet = |(name, value): &(String, String)| format!("{name}={}", short_hash(value));
    facets.iter().map(facet).collect::<Vec<_>>().join(";")
}

/// The names of the facets that a recorded [`print()`] has and that differ now; what is not known now is not compared, so
/// something that is gone must be among `now` with an empty value, or be part of a facet that stands for all (`attributes`).
pub fn changed(recorded: &str, now: &[(String, String)]) -> Vec<String> {
    let facets = recorded
        .split(';')
        .filter_map(|facet| facet.rsplit_once('='));
    let differs = |name: &str, digest: &str| {
        now.iter()
            .find(|(known, _)| known == name)
            .is_some_and(|(_, value)| short_hash(value) != digest)
    };
    facets
        .filter(|(name, digest)| differs(name, digest))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// The facets of a record's values: of those that were sent, and count, as the record has them now. `as_held` makes two readings of a
/// value equal.
pub fn facets_of(
    sent: &Map<String, Value>,
    now: &Map<String, Value>,
    counts: impl Fn(&str) -> bool,
    as_held: impl Fn(&Value) -> String,
) -> Vec<(String, String)> {
    let names = sent.keys().filter(|name| counts(name));
    let held = |name: &String| as_held(now.get(name).unwrap_or(&Value::Null));
    names.map(|name| (name.clone(), held(name))).collect()
}

/// The names of a recorded print's facets.
pub fn facet_names(recorded: &str) -> Vec<String> {
    let facets = recorded.split(';');
    let facets = facets.filter_map(|facet| facet.rsplit_once('='));
    facets.map(|(name, _)| name.to_owned()).collect()
}

/// The names of the facets that an effect recorded.
pub fn recorded_names(effect: &Effect) -> Vec<String> {
    facet_names(effect.fingerprint.as_deref().unwrap_or_default())
}

/// The facets that were recorded, as they are now: equal to the recorded print when nothing differs.
pub fn print_now(recorded: &str, now: &[(String, String)]) -> String {
    let known = |name: &String| now.iter().find(|(n, _)| n == name).cloned();
    let facets = facet_names(recorded).into_iter();
    let facets = facets.map(|name| known(&name).unwrap_or((name, String::new())));
    print(&facets.collect::<Vec<_>>())
}

// ---- undoing

/// What becomes of an effect that is to be undone, and why.
pub type Verdict = (UndoStatus, Option<String>);

/// With a reason.
pub fn verdict(status: UndoStatus, reason: impl Into<String>) -> Verdict {
    (status, Some(reason.into()))
}

/// Says what became of an effect.
pub fn report_undo(cx: &Context, one: &Undoing, (status, reason): Verdict) {
    cx.report_undo(UndoOutcome {
        effect: one.effect_id,
        status,
        reason,
    });
}

/// Which of the facets that an effect recorded are otherwise now, in words; `None` where it is as it was written.
pub fn changed_since(effect: &Effect, now: &[(String, String)]) -> Option<String> {
    let changed = changed(effect.fingerprint.as_deref()?, now);
    (!changed.is_empty()).then(|| format!("changed since: {}", changed.join(", ")))
}

/// As [`changed_since`]; a facet that is not among `now` counts as empty.
pub fn changed_or_gone(effect: &Effect, now: &[(String, String)]) -> Option<String> {
    let recorded = effect.fingerprint.as_deref()?;
    let known = |name: &String| now.iter().any(|(known, _)| known == name);
    let gone = facet_names(recorded)
        .into_iter()
        .filter(|name| !known(name));
    let gone = gone.map(|name| (name, String::new()));
    let all: Vec<(String, String)> = now.iter().cloned().chain(gone).collect();
    changed_since(effect, &all)
}

/// What was there before an update.
pub fn before(effect: &Effect) -> Option<Map<String, Value>> {
    serde_json::from_str(effect.before.as_deref()?).ok()
}

/// Effects in rounds, in their order, in each of which no object is met twice: what was changed twice is put back twice, the later
/// change first.
pub fn rounds<'a, 'u>(
    all: &'a [&'u Undoing],
    id: impl Fn(&Undoing) -> String,
) -> Vec<&'a [&'u Undoing]> {
    let mut rounds = Vec::new();
    let mut rest = all;
    while !rest.is_empty() {
        let mut met = BTreeSet::new();
        let is_new = |one: &&&Undoing| met.insert((one.effect.target_kind.clone(), id(one)));
        let count = rest.iter().take_while(is_new).count();
        let (now, later) = rest.split_at(count.max(1));
        rounds.push(now);
        rest = later;
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_print_says_which_facet_changed_and_does_not_ask_for_what_is_not_known() {
        let facets = |name: &str| {
            vec![
                ("name".to_owned(), name.to_owned()),
                ("a=b".to_owned(), "x".to_owned()),
            ]
        };
        let recorded = print(&facets("Ana"));
        assert_eq!(changed(&recorded, &facets("Ana")), Vec::<String>::new());
        assert_eq!(changed(&recorded, &facets("Bo")), ["name"]);
        assert_eq!(changed(&recorded, &[]), Vec::<String>::new());
        assert_eq!(facet_names(&recorded), ["name", "a=b"]);
        assert_eq!(print_now(&recorded, &facets("Ana")), recorded);
        assert_ne!(print_now(&recorded, &[]), recorded);
    }

    #[test]
    fn what_an_object_stands_for_is_below_what_is_said_of_it_however_long() {
        let harness = crate::testing::Harness::scripted([]);
        let cx = harness.context();
        let marker = description_marker(&cx, "m");
        assert_eq!(described(&cx, None, "m", 10), marker);
        let chars = marker.chars().count() + 4;
        let text = described(&cx, Some("long words"), "m", chars);
        assert_eq!(text, format!("lon\n{marker}"));
        assert!(is_of_run(&cx, Some(&text)));
    }

    #[test]
    fn long_names_that_begin_alike_stay_two() {
        assert_eq!(name_within("short", 12, '~'), ("short".to_owned(), false));
        let (one, cut) = name_within("beginning: one", 13, '~');
        let (two, _) = name_within("beginning: two", 13, '~');
        assert!(cut && one != two, "{one} {two}");
        assert!(
            one.starts_with("begi~") && one.chars().count() == 13,
            "{one}"
        );
        assert_eq!(with_digest("ab cd", "x", 12, '-').chars().count(), 11);
    }

    #[test]
    fn what_was_sent_is_compared_as_it_is_held_now() {
        let sent = serde_json::json!({"name": "Ana", "tier": "gold", "at": 1});
        let now = serde_json::json!({"name": "Bo", "at": 2, "other": 3});
        let (Value::Object(sent), Value::Object(now)) = (sent, now) else {
            panic!("no objects")
        };
        let facets = facets_of(&sent, &now, |name| name != "at", Value::to_string);
        let facet = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(facets, [facet("name", "\"Bo\""), facet("tier", "null")]);
    }

    #[test]
    fn what_was_changed_twice_is_put_back_in_two_rounds() {
        let one = |id: &str| Undoing {
            effect_id: 0,
            kind: Kind::Customer,
            item: String::new(),
            marker: String::new(),
            effect: effect("main", "user", id, Action::Updated),
        };
        let all = ["1", "2", "1", "1"].map(one);
        let all: Vec<&Undoing> = all.iter().collect();
        let rounds = rounds(&all, |one| one.effect.target_id.clone());
        assert_eq!(
            rounds.iter().map(|r| r.len()).collect::<Vec<_>>(),
            [2, 1, 1]
        );
    }
}
