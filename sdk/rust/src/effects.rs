//! What a destination says of its items, in short; and the prints of facets by which a later undo knows what was changed since.
//!
//! A *facet* is one thing of an object that we wrote, by name, as the platform holds it. [`print()`] makes one line of many,
//! [`changed`] says which of them differ now (rule D-11).

use crate::Context;
use crate::destination::Item;
use crate::http::OperationKey;
use crate::ledger::{Action, Effect, Outcome, Proof, Status};
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

/// Whether a description is ours of this run.
pub fn is_of_run(cx: &Context, description: Option<&str>) -> bool {
    description.is_some_and(|text| text.contains(&format!("(run {})", cx.run())))
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

/// The facets of a recorded [`print()`] as they are now: equal to it when nothing differs. One that is not known now is empty.
pub fn print_again(recorded: &str, now: &[(String, String)]) -> String {
    let facets: Vec<(String, String)> = recorded
        .split(';')
        .filter_map(|facet| facet.rsplit_once('='))
        .map(|(name, _)| {
            let known = now.iter().find(|(known, _)| known == name);
            let unknown = || (name.to_owned(), String::new());
            known.cloned().unwrap_or_else(unknown)
        })
        .collect();
    print(&facets)
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
        assert_eq!(print_again(&recorded, &facets("Ana")), recorded);
        assert_ne!(print_again(&recorded, &[]), recorded);
    }
}
