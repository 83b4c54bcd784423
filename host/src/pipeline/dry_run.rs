//! A dry run: the same run on a copy of the store, with the write seam swapped.
//!
//! Policy: the source is really read, into the project's own store, where a later run finds it. Then the store is copied, and
//! what follows is [`run`](super::run) itself on the copy: the same frozen units, the same connector, the same journal and
//! outcomes. What would change something is answered by [`Rehearsal`](crate::rehearsal::Rehearsal). So whatever a dry run
//! does, a later run knows nothing of it; only the bytes of files that it fetched are kept, since those are the source's.
//!
//! Cost: the disk space of the store once more, until the next dry run, so that single requests can be shown.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::Row as _;

use super::extract::unsigned;
use super::model::{DryRun, Events, NotToTheEnd, RunOptions, Shown, ShownRequest, WouldSend};
use super::project::Project;
use super::{Passes, forward, owned, read_owned, run_owned};
use crate::contract::ledger::Effect;
use crate::error::Error;
use crate::kinds;
use crate::rehearsal::{Piece, Sent, stand_ins};
use crate::sql;
use crate::store::{AMONG, Store};

/// Does everything a run would do, but for what would change something.
///
/// # Errors
/// As [`run`](super::run), save that nothing has to be approved; a disk that does not take the copy.
pub async fn dry_run(
    project: &Project,
    options: RunOptions,
    events: &dyn Events,
) -> Result<DryRun, Error> {
    owned(project, rehearse(project, options, events)).await
}

async fn rehearse(
    project: &Project,
    options: RunOptions,
    events: &dyn Events,
) -> Result<DryRun, Error> {
    let _stop = forward(&options.stop, &project.stop);
    let at = project.clock.now();
    Box::pin(read_owned(project, Passes::First, events)).await?;
    let copy = project.copy_for_dry_run().await?;
    let owned = copy.own().await?;
    let result = Box::pin(run_owned(&copy, options, events)).await;
    owned.release().await?;
    let kept = keep_files(&copy.store, &project.store).await;
    let (mut report, destination) = result?;
    // It is what a run is held against, and nothing came of it.
    report.against = None;
    kept?;
    let run = report.run.clone();
    let dry = DryRun {
        at,
        took_ms: unsigned(project.clock.now().saturating_sub(at)),
        done_before: unsigned(
            project
                .store
                .number(
                    "SELECT count(*) FROM outcomes WHERE run = $1 AND kind <> 'own'",
                    vec![(&run).into()],
                )
                .await?,
        ),
        would_send: would_send(&copy.store, &run).await?,
        forecast_ms: destination.gateway.needed_ms(),
        unknown: unknown(&copy.store, &run).await?,
        examples: examples(&copy.store, &run).await?,
        report,
    };
    let row = copy
        .store
        .row(
            "SELECT extraction, destination, account FROM runs WHERE id = $1",
            vec![(&run).into()],
        )
        .await?
        .ok_or_else(|| Error::input("no-such-run", format!("there is no run {run}")))?;
    let body = serde_json::to_string(&dry)?;
    for store in [&project.store, &copy.store] {
        store
            .write(vec![sql!(
                "INSERT INTO dry_runs (id, extraction, destination, account, config_digest, at_ms, body) \
                 SELECT coalesce(max(id), 0) + 1, $1, $2, $3, $4, $5, $6 FROM dry_runs",
                row.try_get::<String, _>("extraction")?,
                row.try_get::<String, _>("destination")?,
                row.try_get::<String, _>("account")?,
                project.config.digest(),
                at,
                &body
            )])
            .await?;
    }
    Ok(dry)
}

/// Files that were fetched need not be fetched again: what is known of them in one store is told to the other.
async fn keep_files(from: &Store, to: &Store) -> Result<(), Error> {
    let mut after = String::new();
    loop {
        let rows = from
            .rows(
                "SELECT extraction, id, hash, blob FROM staged WHERE kind = 'attachment' AND blob IS NOT NULL AND id > $1 \
                 ORDER BY id LIMIT 500",
                vec![(&after).into()],
            )
            .await?;
        let mut batch = vec![];
        for row in &rows {
            after = row.try_get("id")?;
            batch.push(sql!(
                "UPDATE staged SET blob = $4 WHERE extraction = $1 AND kind = 'attachment' AND id = $2 AND hash = $3 AND blob IS NULL",
                row.try_get::<String, _>("extraction")?,
                &after,
                row.try_get::<String, _>("hash")?,
                row.try_get::<String, _>("blob")?
            ));
        }
        if batch.is_empty() {
            return Ok(());
        }
        to.write(batch).await?;
    }
}

async fn would_send(store: &Store, run: &str) -> Result<Vec<WouldSend>, Error> {
    store
        .rows(
            "SELECT method, path, count(*) AS n FROM rehearsed WHERE run = $1 GROUP BY method, path ORDER BY n DESC, method, path",
            vec![run.into()],
        )
        .await?
        .iter()
        .map(|row| {
            Ok(WouldSend {
                method: row.try_get("method")?,
                path: row.try_get("path")?,
                count: unsigned(row.try_get("n")?),
            })
        })
        .collect()
}

async fn unknown(store: &Store, run: &str) -> Result<Vec<NotToTheEnd>, Error> {
    store
        .rows(
            "SELECT kind, coalesce(cause, '') AS cause, count(*) AS n, min(source_id) AS example FROM outcomes \
             WHERE run = $1 AND status = 'unsettled' GROUP BY kind, cause ORDER BY n DESC, kind, cause",
            vec![run.into()],
        )
        .await?
        .iter()
        .map(|row| {
            Ok(NotToTheEnd {
                kind: row.try_get("kind")?,
                cause: row.try_get("cause")?,
                count: unsigned(row.try_get("n")?),
                example: row.try_get("example")?,
            })
        })
        .collect()
}

/// A record of each kind for which something would be sent.
async fn examples(store: &Store, run: &str) -> Result<Vec<String>, Error> {
    let found = store
        .map(
            "SELECT kind, min(source_id) FROM effects WHERE run = $1 AND kind <> 'own' AND action <> 'matched' GROUP BY kind",
            vec![run.into()],
        )
        .await?;
    Ok(kinds::ALL
        .iter()
        .map(kinds::name)
        .filter_map(|kind| Some(format!("{kind}:{}", found.get(kind)?)))
        .collect())
}

/// What the last dry run would have sent for a record, by `kind:id` or by its id alone.
///
/// # Errors
/// `no-dry-run`; `no-such-record`; `which-record` where an id is not enough.
pub async fn show(project: &Project, record: &str) -> Result<Shown, Error> {
    let path = project.dry_run_store();
    if !path.exists() {
        return Err(Error::input("no-dry-run", "there was no dry run yet")
            .with_hint("`transload run --dry-run` makes one; then ask for the record again"));
    }
    let store = Store::open(&path).await?;
    let dry = store
        .row(
            "SELECT body FROM dry_runs ORDER BY at_ms DESC, id DESC LIMIT 1",
            vec![],
        )
        .await?
        .map(|row| row.try_get::<String, _>("body"))
        .transpose()?
        .ok_or_else(|| {
            Error::input("no-dry-run", "the last dry run did not come to its end")
                .with_hint("`transload run --dry-run` makes another")
        })?;
    let dry: DryRun = serde_json::from_str(&dry)?;
    let looked = Looked {
        store: &store,
        run: &dry.report.run,
    };
    looked.show(dry.at, record).await
}

/// A dry run's store.
struct Looked<'a> {
    store: &'a Store,
    run: &'a str,
}

impl Looked<'_> {
    async fn show(&self, at: i64, record: &str) -> Result<Shown, Error> {
        let (kind, id) = self.find(record).await?;
        let row = self
            .store
            .row(
                "SELECT status, cause FROM outcomes WHERE run = $1 AND kind = $2 AND source_id = $3",
                vec![self.run.into(), (&kind).into(), (&id).into()],
            )
            .await?;
        let (outcome, cause) = match row {
            Some(row) => (
                row.try_get::<String, _>("status")?,
                row.try_get::<Option<String>, _>("cause")?,
            ),
            None => ("open".to_owned(), None),
        };
        let mut requests = self.requests(&kind, &id).await?;
        // A message travels in its conversation, a file in its message's.
        let (mut carrier, mut of) = (None, id.clone());
        while requests.is_empty()
            && let Some((kind, parent)) = self.parent(&of).await?
        {
            requests = self.requests(&kind, &parent).await?;
            carrier = Some(format!("{kind}:{parent}"));
            of = parent;
        }
        let inside = carrier.filter(|_| !requests.is_empty());
        let mut stand_ins = BTreeMap::new();
        for request in &requests {
            for number in stand_ins_of(request) {
                if !stand_ins.contains_key(&number)
                    && let Some(whose) = self.whose(&number).await?
                {
                    stand_ins.insert(number, whose);
                }
            }
        }
        Ok(Shown {
            at,
            record: format!("{kind}:{id}"),
            inside,
            outcome,
            cause,
            losses: self.losses(&kind, &id).await?,
            requests,
            stand_ins,
        })
    }

    /// The one record of that name.
    async fn find(&self, record: &str) -> Result<(String, String), Error> {
        let known = kinds::ALL.iter().find_map(|kind| {
            let word = kinds::name(kind);
            let id = record.strip_prefix(word)?.strip_prefix(':')?;
            Some((word.to_owned(), id.to_owned()))
        });
        let own = record
            .starts_with("own:")
            .then(|| ("own".to_owned(), record.to_owned()));
        let (kind, id) = match known.or(own) {
            Some((kind, id)) => (Some(kind), id),
            None => (None, record.to_owned()),
        };
        let mut found: Vec<String> = vec![];
        for row in self
            .store
            .rows(
                "SELECT kind FROM outcomes WHERE run = $1 AND source_id = $2 ORDER BY kind",
                vec![self.run.into(), (&id).into()],
            )
            .await?
        {
            found.push(row.try_get("kind")?);
        }
        if let Some(kind) = &kind {
            found.retain(|found| found == kind);
        }
        match found.as_slice() {
            [kind] => Ok((kind.clone(), id)),
            [] => Err(Error::input(
                "no-such-record",
                format!("the last dry run had no record {record}"),
            )
            .with_hint(
                "name it as kind:id, with the source's id; the dry run names one of each kind",
            )),
            several => {
                let names: Vec<String> =
                    several.iter().map(|kind| format!("{kind}:{id}")).collect();
                Err(
                    Error::input("which-record", format!("several records have the id {id}"))
                        .with_hint(format!("say which: {}", names.join(", "))),
                )
            }
        }
    }

    /// What carries a record: a message's conversation, a file's message.
    async fn parent(&self, id: &str) -> Result<Option<(String, String)>, Error> {
        let row = self
            .store
            .row(
                "SELECT p.kind, p.id FROM staged s JOIN staged p ON p.extraction = s.extraction AND p.id = s.parent \
                 WHERE s.extraction = (SELECT extraction FROM runs WHERE id = $1) AND s.id = $2 \
                 AND s.kind IN ('message', 'attachment') LIMIT 1",
                vec![self.run.into(), id.into()],
            )
            .await?;
        row.map(|row| Ok((row.try_get("kind")?, row.try_get("id")?)))
            .transpose()
    }

    /// Requests with the record's own key, and those that its effects name.
    async fn requests(&self, kind: &str, id: &str) -> Result<Vec<ShownRequest>, Error> {
        let item = match kind {
            "own" => id.to_owned(),
            kind => format!("{kind}:{id}"),
        };
        // By number, which is the order in which they would have left.
        let mut found: BTreeMap<i64, (Sent, String)> = BTreeMap::new();
        let mut add = |row: &sqlx::sqlite::SqliteRow| -> Result<(), Error> {
            let sent: Sent = serde_json::from_str(&row.try_get::<String, _>("request")?)?;
            found.insert(row.try_get("number")?, (sent, row.try_get("item")?));
            Ok(())
        };
        for row in self
            .store
            .rows(
                "SELECT number, item, request FROM rehearsed WHERE run = $1 AND item = $2",
                vec![self.run.into(), (&item).into()],
            )
            .await?
        {
            add(&row)?;
        }
        let mut marker = String::new();
        for effect in self
            .store
            .rows(
                "SELECT effect, unit, marker FROM effects WHERE run = $1 AND kind = $2 AND source_id = $3",
                vec![self.run.into(), kind.into(), id.into()],
            )
            .await?
        {
            marker = effect.try_get("marker")?;
            let unit: i64 = effect.try_get("unit")?;
            let effect: Effect = serde_json::from_str(&effect.try_get::<String, _>("effect")?)?;
            let Some(key) = effect.key else { continue };
            let ident = format!("w:{}/{}/{}", key.item, key.part, key.step);
            for row in self
                .store
                .rows(
                    "SELECT number, item, request FROM rehearsed WHERE unit = $1 AND ident = $2",
                    vec![unit.into(), ident.into()],
                )
                .await?
            {
                add(&row)?;
            }
        }
        let needles: Vec<String> = [marker, id.to_owned()]
            .into_iter()
            .filter(|needle| !needle.is_empty())
            .collect();
        Ok(found
            .into_values()
            .map(|(sent, item)| shown(sent, item == "*", &needles))
            .collect())
    }

    async fn losses(&self, kind: &str, id: &str) -> Result<Vec<(String, String, String)>, Error> {
        self.store
            .rows(
                "SELECT DISTINCT field, how, note FROM losses WHERE run = $1 AND kind = $2 AND source_id = $3 ORDER BY field, note",
                vec![self.run.into(), kind.into(), id.into()],
            )
            .await?
            .iter()
            .map(|row| {
                Ok((
                    row.try_get("field")?,
                    row.try_get("how")?,
                    row.try_get("note")?,
                ))
            })
            .collect()
    }

    /// The record for whose object an id stands.
    async fn whose(&self, number: &str) -> Result<Option<String>, Error> {
        let row = self
            .store
            .row(
                "SELECT kind, source_id FROM effects WHERE run = $1 AND instr(target_id, $2) > 0 ORDER BY id LIMIT 1",
                vec![self.run.into(), number.into()],
            )
            .await?;
        row.map(|row| {
            let (kind, id): (String, String) = (row.try_get("kind")?, row.try_get("source_id")?);
            Ok(match kind.as_str() {
                "own" => id,
                kind => format!("{kind}:{id}"),
            })
        })
        .transpose()
    }
}

/// Ids in a request that only the platform gives: what stands for them.
fn stand_ins_of(request: &ShownRequest) -> Vec<String> {
    let mut all = stand_ins(&request.url);
    all.extend(stand_ins(&request.body));
    all.truncate(AMONG);
    all
}

/// A request for a person to read.
fn shown(sent: Sent, shared: bool, needles: &[String]) -> ShownRequest {
    let (body, others) = match (sent.form, sent.body.as_slice()) {
        (false, [Piece::Text(_, text)]) => match serde_json::from_str::<Value>(text) {
            Ok(mut json) => {
                let others = if shared { only(&mut json, needles) } else { 0 };
                (
                    serde_json::to_string_pretty(&json).unwrap_or_else(|_| text.clone()),
                    others,
                )
            }
            Err(_) => (text.clone(), 0),
        },
        (form, pieces) => {
            let shown = pieces.iter().map(piece);
            let joint = if form { "\n" } else { "" };
            (shown.collect::<Vec<_>>().join(joint), 0)
        }
    };
    ShownRequest {
        method: sent.method,
        url: sent.url,
        headers: sent.headers,
        body,
        others,
    }
}

fn piece(piece: &Piece) -> String {
    match piece {
        Piece::Text(field, text) if field.name.is_empty() => text.clone(),
        Piece::Text(field, text) => format!("{}: {text}", field.name),
        Piece::Bytes(field, bytes) => match field.filename.as_ref().unwrap_or(&field.name).as_str()
        {
            "" => format!("({} bytes)", bytes.len()),
            name => format!("{name}: ({} bytes)", bytes.len()),
        },
        Piece::File(field, blob) => {
            let name = field.filename.as_ref().unwrap_or(&field.name);
            let what = format!(
                "({} bytes of {}, sha256 {})",
                blob.size, blob.media_type, blob.sha256
            );
            match name.as_str() {
                "" => what,
                name => format!("{name}: {what}"),
            }
        }
        Piece::Base64(blob) => format!(
            "(base64 of {} bytes of {}, sha256 {})",
            blob.size, blob.media_type, blob.sha256
        ),
    }
}

/// Keeps of the first list in a body, whose elements tell the records apart, those that name one of these; how many were left out.
fn only(json: &mut Value, needles: &[String]) -> u64 {
    match json {
        Value::Array(list) => {
            let names = |one: &Value| {
                let text = one.to_string();
                needles.iter().any(|needle| text.contains(needle.as_str()))
            };
            let own = list.iter().filter(|one| names(one)).count();
            if own == 0 || own == list.len() {
                return 0;
            }
            let all = list.len();
            list.retain(names);
            (all - list.len()) as u64
        }
        Value::Object(members) => members
            .values_mut()
            .map(|member| only(member, needles))
            .find(|left_out| *left_out > 0)
            .unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_a_body_for_many_only_the_part_of_one_is_shown() {
        let needles = ["acme:1:customer:7".to_owned()];
        let mut body = json!({"users": [
            {"external_id": "acme:1:customer:6"}, {"external_id": "acme:1:customer:7"}, {"external_id": "x"},
        ]});
        assert_eq!(only(&mut body, &needles), 2);
        assert_eq!(
            body,
            json!({"users": [{"external_id": "acme:1:customer:7"}]})
        );
        let mut without = json!({"users": [{"name": "a"}, {"name": "b"}]});
        assert_eq!(only(&mut without, &needles), 0);
        assert_eq!(without["users"].as_array().unwrap().len(), 2);
    }
}
