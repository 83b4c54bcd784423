//! What the destination has no place for: written to the run's export folder, one file a kind, and counted as exported.
//!
//! The rules come first: what a filter leaves out is skipped here as it is in loading, so that the export is no way round a
//! filter (rules M-12, M-13). A file is complete before any record is said to be in it; a run that is killed in between writes
//! it again.
//!
//! Files that the destination does not take are there as bytes too, in the folder `files`: those that are too large for it from
//! here, those that it refused when the connector says so.

use std::io::Write as _;
use std::path::Path;

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::assemble::Assembler;
use crate::contract::types::{BlobRef, Entry};
use crate::error::Error;
use crate::exported::{self, create_private_dir, private_file};
use crate::unit::{Surroundings, decided};

/// Rows that are written, and given their outcome, at once.
const AT_ONCE: i64 = 500;

/// What an export works with.
pub struct Export<'a> {
    /// What outcomes need.
    pub around: &'a Surroundings,
    /// Knows the rules.
    pub assembler: &'a Assembler,
    /// Which reading is exported.
    pub extraction: &'a str,
    /// The run's folder.
    pub dir: &'a Path,
}

impl Export<'_> {
    /// What the destination has no place for goes to the export folder, one file a kind, and is counted as exported.
    ///
    /// # Errors
    /// A store error, a folder that cannot be written.
    pub async fn run(&self) -> Result<(), Error> {
        self.skip_by_rule().await?;
        let kinds = self
            .around
            .store
            .rows(
                "SELECT DISTINCT s.kind FROM staged s LEFT JOIN outcomes o ON o.run = $2 AND o.kind = s.kind AND o.source_id = s.id \
                 WHERE s.extraction = $1 AND (o.source_id IS NULL OR o.status = 'exported')",
                vec![self.extraction.into(), (&self.around.run).into()],
            )
            .await?;
        for row in kinds {
            let kind: String = row.try_get("kind")?;
            create_private_dir(self.dir)?;
            let name = format!("{kind}.jsonl");
            let path = self.dir.join(&name);
            let partial = self.dir.join(format!("{name}.partial"));
            let io = |error| Error::io("write the export", &partial, error);
            let mut file = std::io::BufWriter::new(private_file(&partial).map_err(io)?);
            let mut after = String::new();
            loop {
                let rows = self
                    .page(
                        "SELECT s.id, s.payload FROM staged s LEFT JOIN outcomes o ON o.run = $2 AND o.kind = s.kind \
                         AND o.source_id = s.id WHERE s.extraction = $1 AND s.kind = $3 AND s.id > $4 \
                         AND (o.source_id IS NULL OR o.status = 'exported') ORDER BY s.id LIMIT $5",
                        &kind,
                        &after,
                    )
                    .await?;
                let Some(last) = rows.last() else {
                    break;
                };
                after = last.try_get("id")?;
                for row in &rows {
                    writeln!(file, "{}", row.try_get::<String, _>("payload")?).map_err(io)?;
                }
            }
            file.into_inner()
                .map_err(|e| io(e.into_error()))?
                .sync_all()
                .map_err(io)?;
            std::fs::rename(&partial, &path).map_err(io)?;
            self.exported(&kind, &name).await?;
        }
        Ok(())
    }

    /// The outcomes of records that a rule leaves out and that no kind's loading came upon: the export is no way round a filter
    /// (rules M-12, M-13).
    async fn skip_by_rule(&self) -> Result<(), Error> {
        let mut after = (String::new(), String::new());
        loop {
            let rows = self
                .page(
                    "SELECT s.kind, s.id, s.hash, s.payload FROM staged s LEFT JOIN outcomes o ON o.run = $2 AND o.kind = s.kind \
                     AND o.source_id = s.id WHERE s.extraction = $1 AND (s.kind, s.id) > ($3, $4) AND o.source_id IS NULL \
                     ORDER BY s.kind, s.id LIMIT $5",
                    &after.0,
                    &after.1,
                )
                .await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = (last.try_get("kind")?, last.try_get("id")?);
            let (mut batch, mut ledger) = (vec![], vec![]);
            for row in rows {
                let entry: Entry = serde_json::from_str(&row.try_get::<String, _>("payload")?)?;
                let Some(rule) = self.assembler.rule_against(&entry).await? else {
                    continue;
                };
                let (kind, hash): (String, String) = (row.try_get("kind")?, row.try_get("hash")?);
                let record = [kind.as_str(), entry.head.id.as_str(), hash.as_str()];
                let (statement, entry) =
                    decided(self.around, &record, "skipped", Some(&rule), None);
                batch.push(statement);
                ledger.push(entry);
            }
            self.around.store.write_ledger(batch, ledger).await?;
        }
    }

    /// The next rows after an id of a kind: `$1` and `$2` are the reading and the run, `$3` and `$4` the place, `$5` how many.
    async fn page(
        &self,
        sql: &'static str,
        kind: &str,
        after: &str,
    ) -> Result<Vec<SqliteRow>, Error> {
        let args = vec![
            self.extraction.into(),
            (&self.around.run).into(),
            kind.into(),
            after.into(),
            AT_ONCE.into(),
        ];
        Ok(self.around.store.rows(sql, args).await?)
    }

    /// The outcomes of a kind's records that are in an export file.
    async fn exported(&self, kind: &str, file: &str) -> Result<(), Error> {
        let mut after = String::new();
        loop {
            let rows = self
                .page(
                    "SELECT s.id, s.hash FROM staged s LEFT JOIN outcomes o ON o.run = $2 AND o.kind = s.kind \
                     AND o.source_id = s.id WHERE s.extraction = $1 AND s.kind = $3 AND s.id > $4 AND o.source_id IS NULL \
                     ORDER BY s.id LIMIT $5",
                    kind,
                    &after,
                )
                .await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = last.try_get("id")?;
            let (mut batch, mut ledger) = (vec![], vec![]);
            for row in rows {
                let (id, hash): (String, String) = (row.try_get("id")?, row.try_get("hash")?);
                let record = [kind, id.as_str(), hash.as_str()];
                let (statement, entry) =
                    decided(self.around, &record, "exported", Some(file), None);
                batch.push(statement);
                ledger.push(entry);
            }
            self.around.store.write_ledger(batch, ledger).await?;
        }
    }
}

/// A record whose bytes are exported: an attachment's id and hash, its name and its bytes.
pub struct Oversized {
    /// The record's id.
    pub id: String,
    /// Hash of the staged row.
    pub hash: String,
    /// The file's name.
    pub name: String,
    /// Its bytes.
    pub blob: BlobRef,
}

/// Exports files that are larger than the destination takes (rule M-16), and says so of their records. They are complete before
/// anything is said; done again, it comes to the same.
///
/// # Errors
/// A store error, a folder that cannot be written, bytes that are no longer there.
pub async fn files(around: &Surroundings, dir: &Path, all: &[Oversized]) -> Result<(), Error> {
    let (mut batch, mut ledger) = (vec![], vec![]);
    for file in all {
        let name = exported::file(&around.blobs, dir, (&file.id, &file.name), &file.blob).await?;
        let record = ["attachment", file.id.as_str(), file.hash.as_str()];
        let (statement, entry) = decided(around, &record, "exported", Some(&name), None);
        batch.push(statement);
        ledger.push(entry);
    }
    around.store.write_ledger(batch, ledger).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{
        EXTRACTION, attachment, config, conversation, customer, message, object, reference, run,
        stage, surroundings,
    };
    use super::*;
    use crate::contract::destination::SurveyReport;
    use crate::store::sha256;

    /// Exports what is staged by these rules; the files by name, and each record's outcome.
    async fn exported(records: &[Entry], rules: &str) -> (Vec<(String, String)>, Vec<String>) {
        let (dir, around) = surroundings("r1").await;
        run(&around.store, "r1", "running").await;
        stage(&around.store, records).await;
        let survey = SurveyReport {
            slots: vec![],
            agents: vec![],
            fields: vec![],
            allowances: vec![],
            notices: vec![],
            counts: vec![],
            support: None,
        };
        let assembler = Assembler::new(
            around.store.clone(),
            config(rules),
            EXTRACTION,
            "a2",
            "r1",
            "old-desk",
            "o",
            &survey,
        );
        let folder = dir.path().join("export");
        let export = Export {
            around: &around,
            assembler: &assembler,
            extraction: EXTRACTION,
            dir: &folder,
        };
        export.run().await.unwrap();
        // A run that was killed after the last outcome does the same again.
        export.run().await.unwrap();
        let mut files: Vec<(String, String)> = std::fs::read_dir(&folder)
            .map(|entries| {
                entries
                    .map(|entry| {
                        let path = entry.unwrap().path();
                        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                        (name, std::fs::read_to_string(path).unwrap())
                    })
                    .collect()
            })
            .unwrap_or_default();
        files.sort();
        let rows = around
            .store
            .rows(
                "SELECT kind, source_id, status, cause FROM outcomes ORDER BY kind, source_id",
                vec![],
            )
            .await
            .unwrap();
        let outcomes = rows
            .iter()
            .map(|row| {
                let text = |name: &str| row.try_get::<String, _>(name).unwrap();
                format!(
                    "{} {}: {}: {}",
                    text("kind"),
                    text("source_id"),
                    text("status"),
                    text("cause")
                )
            })
            .collect();
        (files, outcomes)
    }

    #[tokio::test]
    async fn a_person_who_is_excluded_is_not_exported_nor_is_what_hangs_on_them() {
        let records = [
            customer("ana", &["ana@example.com"]),
            customer("bob", &["bob@example.com"]),
            conversation("of-ana", "ana", "Open".into()),
            message("m1", Some("of-ana"), "bob"),
            attachment("f1", reference("Message", "m1")),
            conversation("of-bob", "bob", "Open".into()),
            message("m2", Some("of-bob"), "ana"),
            message("m3", Some("of-bob"), "bob"),
            attachment("f2", reference("Message", "m2")),
            attachment("f3", reference("Message", "m3")),
            object("order-of-ana", "ana"),
            attachment("f4", reference("CustomObject", "order-of-ana")),
            // What it hangs on was never read.
            attachment("f5", reference("Message", "m9")),
        ];
        let rules = "[filter]\nexclude_people = [\"ANA@example.com\"]";
        let (files, outcomes) = exported(&records, rules).await;
        let owner = "belongs to a person named in [filter] exclude_people";
        assert_eq!(
            outcomes,
            [
                format!("attachment f1: skipped: with its message: with its conversation: {owner}"),
                format!("attachment f2: skipped: with its message: {owner}"),
                "attachment f3: exported: attachment.jsonl".into(),
                format!("attachment f4: skipped: with its custom-object: {owner}"),
                "attachment f5: exported: attachment.jsonl".into(),
                format!("conversation of-ana: skipped: {owner}"),
                "conversation of-bob: exported: conversation.jsonl".into(),
                format!("custom-object order-of-ana: skipped: {owner}"),
                "customer ana: skipped: named in [filter] exclude_people".into(),
                "customer bob: exported: customer.jsonl".into(),
                format!("message m1: skipped: with its conversation: {owner}"),
                format!("message m2: skipped: {owner}"),
                "message m3: exported: message.jsonl".into(),
            ]
        );
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "attachment.jsonl",
                "conversation.jsonl",
                "customer.jsonl",
                "message.jsonl"
            ]
        );
        for (name, text) in &files {
            assert!(!text.contains("ana"), "{name}: {text}");
        }
        assert_eq!(files[0].1.lines().count(), 2);
    }

    #[tokio::test]
    async fn conversations_before_the_date_are_not_exported_nor_is_what_hangs_on_them() {
        let begun = |id: &str, at: i64| {
            let mut entry = conversation(id, "bob", "Open".into());
            entry.head.created_at = Some(at);
            entry
        };
        let records = [
            begun("old", 1_000),
            message("m1", Some("old"), "bob"),
            attachment("f1", reference("Message", "m1")),
            begun("young", 1_900_000_000_000),
            message("m2", Some("young"), "bob"),
            attachment("f2", reference("Message", "m2")),
        ];
        // A file goes where its message goes.
        let rules = "[filter]\nkinds = [\"conversation\", \"message\"]\ncreated_since = 2024-01-31";
        let (files, outcomes) = exported(&records, rules).await;
        let before = "created before [filter] created_since";
        assert_eq!(
            outcomes,
            [
                format!(
                    "attachment f1: skipped: with its message: with its conversation: {before}"
                ),
                "attachment f2: exported: attachment.jsonl".into(),
                format!("conversation old: skipped: {before}"),
                "conversation young: exported: conversation.jsonl".into(),
                format!("message m1: skipped: with its conversation: {before}"),
                "message m2: exported: message.jsonl".into(),
            ]
        );
        for (name, text) in &files {
            assert_eq!(text.lines().count(), 1, "{name}: {text}");
        }
    }

    #[tokio::test]
    async fn a_file_is_exported_as_it_is_under_its_records_id() {
        use std::os::unix::fs::PermissionsExt as _;

        let (dir, around) = surroundings("r1").await;
        run(&around.store, "r1", "running").await;
        let folder = dir.path().join("export");
        let bytes = vec![7_u8; 300_000];
        let file = |id: &str, name: &str| Oversized {
            id: id.into(),
            hash: "h".into(),
            name: name.into(),
            blob: around.blobs.put_bytes(&bytes, "video/mp4").unwrap(),
        };
        let all = [
            file("a1", "film.mp4"),
            file("../../a2", "../a b\u{202e}.mp4"),
        ];
        for _ in 0..2 {
            files(&around, &folder, &all).await.unwrap();
        }
        let strange = format!("files/{}-.._a_b_.mp4", sha256("../../a2"));
        let causes = around
            .store
            .map(
                "SELECT source_id, cause FROM outcomes WHERE kind = 'attachment' AND status = 'exported'",
                vec![],
            )
            .await
            .unwrap();
        assert_eq!(causes.len(), 2);
        assert_eq!(causes["a1"], "files/a1-film.mp4");
        assert_eq!(causes["../../a2"], strange);
        for name in causes.values() {
            let path = folder.join(name);
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(folder.join("files")).unwrap().count(), 2);
    }

    #[tokio::test]
    async fn where_everything_is_left_out_there_is_no_file() {
        let records = [customer("ana", &["ana@example.com"])];
        let rules = "[filter]\nkinds = [\"conversation\"]";
        let (files, outcomes) = exported(&records, rules).await;
        assert_eq!(files, []);
        assert_eq!(
            outcomes,
            ["customer ana: skipped: its kind is not in [filter] kinds"]
        );
    }
}
