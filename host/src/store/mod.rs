//! State: what is stored, and the one way it is written.
//!
//! All writes of a process go through one task on one connection with `synchronous=FULL`: callers hand it small batches of
//! statements, many callers' batches share one transaction (group commit), and a caller hears back once that transaction is
//! durable. Reads use a pool of their own and see only what is committed.
//!
//! The queries are plain SQL with numbered parameters that PostgreSQL understands too; ids are assigned here, not by the
//! database. What rows mean is the business of `unit` and `pipeline`.
//!
//! Memory does not grow with the database: each connection's page cache is bounded, [`Store::each`] hands rows over one by
//! one, and what is asked of many records is asked for [`AMONG`] at a time.

mod joined;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::TryStreamExt as _;
use sha2::{Digest, Sha256};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteRow, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use tokio::sync::{mpsc, oneshot};

use joined::Joined;

/// A failure of the store. Nothing is sent any more once one was met.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database could not be opened or is not ours.
    #[error("cannot open the store {path}: {reason}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the database says.
        reason: String,
    },
    /// A statement failed.
    #[error("the store could not be written or read: {0}")]
    Database(String),
    /// A row that must have been there was not: another owner holds the lease.
    #[error("another process has taken the store over")]
    Fenced,
    /// The writing task has ended.
    #[error("the store is closed")]
    Closed,
    /// Another process is using the store.
    #[error("another run is using the store {path} ({owner}); wait for it or stop it")]
    Busy {
        /// The file.
        path: PathBuf,
        /// Process that holds it.
        owner: String,
    },
    /// A stored value is not what this version writes.
    #[error("the store holds something unreadable: {0}")]
    Corrupt(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.to_string())
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Corrupt(error.to_string())
    }
}

/// A parameter.
#[derive(Debug, Clone)]
pub enum Arg {
    /// NULL.
    Null,
    /// A number or a time.
    Int(i64),
    /// Text or JSON; shared, so that a group that is taken apart is not copied first.
    Text(Arc<str>),
}

impl From<i64> for Arg {
    fn from(v: i64) -> Self {
        Self::Int(v)
    }
}
impl From<bool> for Arg {
    fn from(v: bool) -> Self {
        Self::Int(i64::from(v))
    }
}
impl From<u64> for Arg {
    fn from(v: u64) -> Self {
        Self::Int(i64::try_from(v).unwrap_or(i64::MAX))
    }
}
impl From<&str> for Arg {
    fn from(v: &str) -> Self {
        Self::Text(v.into())
    }
}
impl From<String> for Arg {
    fn from(v: String) -> Self {
        Self::Text(v.into())
    }
}
impl From<&String> for Arg {
    fn from(v: &String) -> Self {
        Self::Text(v.as_str().into())
    }
}
impl<T: Into<Arg>> From<Option<T>> for Arg {
    fn from(v: Option<T>) -> Self {
        v.map_or(Self::Null, Into::into)
    }
}

/// One statement of a batch.
#[derive(Debug, Clone)]
pub struct Statement {
    sql: &'static str,
    args: Vec<Arg>,
    fenced: bool,
}

/// A statement with its parameters.
#[macro_export]
macro_rules! sql {
    ($sql:expr $(, $arg:expr)* $(,)?) => {
        $crate::store::Statement::new($sql, vec![$($crate::store::Arg::from($arg)),*])
    };
}

/// How many records one query with [`among!`](crate::among) asks for.
pub const AMONG: usize = 64;

/// A query about [`AMONG`] records: its `among` stands for the list of their ids, `$1` to `$64`; further parameters begin at
/// `$65`. Its arguments are made by [`among`]. One text for any number of ids keeps the statement prepared.
#[macro_export]
macro_rules! among {
    ($before:literal $after:literal) => {
        concat!(
            $before,
            "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, \
             $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, \
             $44, $45, $46, $47, $48, $49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60, $61, $62, $63, $64)",
            $after
        )
    };
}

/// The arguments of a query with [`among!`](crate::among): up to [`AMONG`] ids, the last repeated, then the others.
#[must_use]
pub fn among<I: AsRef<str>>(ids: &[I], others: impl IntoIterator<Item = Arg>) -> Vec<Arg> {
    debug_assert!(ids.len() <= AMONG, "{} ids in one query", ids.len());
    let mut args: Vec<Arg> = ids
        .iter()
        .take(AMONG)
        .map(|id| Arg::from(id.as_ref()))
        .collect();
    let last = args.last().cloned().unwrap_or(Arg::Null);
    args.resize(AMONG, last);
    args.extend(others);
    args
}

impl Statement {
    /// A statement with `$1`… parameters.
    #[must_use]
    pub fn new(sql: &'static str, args: Vec<Arg>) -> Self {
        Self {
            sql,
            args,
            fenced: false,
        }
    }

    /// The statement itself: batches whose order does not matter are sorted by it, so that rows of one table are joined.
    #[must_use]
    pub fn text(&self) -> &'static str {
        self.sql
    }

    /// If this changes no row, the batch fails as [`StoreError::Fenced`] and nothing of it is kept.
    #[must_use]
    pub fn or_fenced(mut self) -> Self {
        self.fenced = true;
        self
    }
}

/// What the chain of hashes says of one record's outcome.
#[derive(Debug, Clone)]
pub struct LedgerEntry {
    /// The run.
    pub run: String,
    /// `kind/source id`.
    pub record: String,
    /// Digest of the outcome and its effects.
    pub digest: String,
}

struct Job {
    statements: Vec<Statement>,
    ledger: Vec<LedgerEntry>,
    done: oneshot::Sender<Result<(), StoreError>>,
}

/// The highest number that a unit or an effect has.
const HIGHEST_ID: &str = "SELECT max(coalesce((SELECT max(id) FROM units), 0), coalesce((SELECT max(id) FROM effects), 0))";

/// A handle on the store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    reads: SqlitePool,
    writes: mpsc::Sender<Job>,
    next_id: AtomicI64,
    token: AtomicI64,
}

/// Group commit takes at most this many batches into one transaction: enough to share the disk's sync among all units that
/// can run at once, few enough that nobody waits long.
const GROUP: usize = 256;
/// Connections for reading.
const READERS: u32 = 8;
/// Page cache of a reader, KiB: what one query touches. What many touch is in the cache of the operating system, which is
/// not ours to hold [`READERS`] times.
const READER_CACHE: &str = "-2000";
/// Page cache of the writer, KiB: the upper pages of all indexes and the leaves in which a batch lands.
const WRITER_CACHE: &str = "-16000";
/// Links of the ledger's chain that are verified at once: each covers the outcomes of one group commit.
const LINKS: i64 = 32;

impl Store {
    /// Opens the store, creating it and its tables where needed. The file is private to its owner.
    ///
    /// # Errors
    /// [`StoreError::Open`] for a folder that cannot be written or a file that is no store of ours.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let open = |reason: String| StoreError::Open {
            path: path.to_owned(),
            reason,
        };
        private_file(path).map_err(|e| open(e.to_string()))?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10))
            .statement_cache_capacity(256)
            .pragma("temp_store", "memory")
            .pragma("cache_size", WRITER_CACHE)
            .disable_statement_logging();
        let mut writer = SqliteConnection::connect_with(&options)
            .await
            .map_err(|e| open(e.to_string()))?;
        sqlx::migrate!("src/store/migrations")
            .run(&mut writer)
            .await
            .map_err(|e| open(e.to_string()))?;
        let level: i64 = sqlx::query_scalar("PRAGMA synchronous")
            .fetch_one(&mut writer)
            .await?;
        if level != 2 {
            return Err(open(format!(
                "synchronous is {level}, must be 2 (FULL): a crash could lose what was promised"
            )));
        }
        let highest: i64 = sqlx::query_scalar(HIGHEST_ID)
            .fetch_one(&mut writer)
            .await?;
        let token: Option<i64> = sqlx::query_scalar("SELECT token FROM lease WHERE id = 1")
            .fetch_optional(&mut writer)
            .await?;
        let reads = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(
                options
                    .clone()
                    .read_only(true)
                    .create_if_missing(false)
                    .pragma("cache_size", READER_CACHE),
            )
            .await
            .map_err(|e| open(e.to_string()))?;
        let (writes, queue) = mpsc::channel(4096);
        tokio::spawn(write_loop(writer, options, queue));
        Ok(Self {
            inner: Arc::new(Inner {
                path: path.to_owned(),
                reads,
                writes,
                next_id: AtomicI64::new(highest + 1),
                token: AtomicI64::new(token.unwrap_or(0)),
            }),
        })
    }

    /// The first row of a query on a store that is another project's, and maybe of another version of this program: nothing of it is
    /// changed.
    ///
    /// # Errors
    /// [`StoreError::Open`] for a file that cannot be read or is no store.
    pub async fn look(
        path: &Path,
        sql: &'static str,
        args: Vec<Arg>,
    ) -> Result<Option<SqliteRow>, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .busy_timeout(Duration::from_secs(10))
            .disable_statement_logging();
        let looked = async {
            let mut connection = SqliteConnection::connect_with(&options).await?;
            let row = bind(sqlx::query(sql), args)
                .fetch_optional(&mut connection)
                .await?;
            connection.close().await?;
            Ok(row)
        };
        looked.await.map_err(|e: sqlx::Error| StoreError::Open {
            path: path.to_owned(),
            reason: e.to_string(),
        })
    }

    /// Writes all that is committed to another file, which must not be there, as of one moment. It is private to its owner.
    ///
    /// # Errors
    /// [`StoreError::Open`] for a file that cannot be made, [`StoreError::Database`] for a full disk.
    pub async fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        private_file(path).map_err(|e| StoreError::Open {
            path: path.to_owned(),
            reason: e.to_string(),
        })?;
        let options = SqliteConnectOptions::new()
            .filename(&self.inner.path)
            .busy_timeout(Duration::from_secs(10))
            .disable_statement_logging();
        let mut connection = SqliteConnection::connect_with(&options).await?;
        sqlx::query("VACUUM INTO $1")
            .bind(path.to_string_lossy().into_owned())
            .execute(&mut connection)
            .await?;
        connection.close().await?;
        Ok(())
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The pool for reading.
    #[must_use]
    pub fn reads(&self) -> &SqlitePool {
        &self.inner.reads
    }

    /// A number that no unit, effect or chain link has.
    #[must_use]
    pub fn new_id(&self) -> i64 {
        self.inner.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// The fencing number of our lease (rule D-15).
    #[must_use]
    pub fn token(&self) -> i64 {
        self.inner.token.load(Ordering::Relaxed)
    }

    /// Writes a batch, all of it or nothing, and returns once it is durable.
    ///
    /// Cancel safety: dropping the future leaves open whether the batch is written.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] as statements ask for it; [`StoreError::Database`] for a full disk and the like.
    pub async fn write(&self, statements: Vec<Statement>) -> Result<(), StoreError> {
        self.write_ledger(statements, vec![]).await
    }

    /// As [`Store::write`], with outcomes that the chain of hashes covers.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn write_ledger(
        &self,
        statements: Vec<Statement>,
        ledger: Vec<LedgerEntry>,
    ) -> Result<(), StoreError> {
        if statements.is_empty() {
            return Ok(());
        }
        let (done, wait) = oneshot::channel();
        self.inner
            .writes
            .send(Job {
                statements,
                ledger,
                done,
            })
            .await
            .map_err(|_| StoreError::Closed)?;
        match wait.await.map_err(|_| StoreError::Closed)? {
            Err(StoreError::Database(why)) => Err(StoreError::Database(format!(
                "{}: {why}",
                self.inner.path.display()
            ))),
            written => written,
        }
    }

    /// Writes the file anew without what was deleted from it. Nothing else may be writing.
    ///
    /// # Errors
    /// [`StoreError::Database`]
    pub async fn compact(&self) -> Result<(), StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(&self.inner.path)
            .busy_timeout(Duration::from_secs(10));
        let mut own = SqliteConnection::connect_with(&options).await?;
        sqlx::query("VACUUM").execute(&mut own).await?;
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&mut own)
            .await?;
        own.close().await?;
        Ok(())
    }

    /// A statement that fails as fenced unless we still own the store; goes first into every batch with an intent.
    #[must_use]
    pub fn fence(&self) -> Statement {
        crate::sql!(
            "UPDATE lease SET until_ms = until_ms WHERE id = 1 AND token = $1",
            self.token()
        )
        .or_fenced()
    }

    /// Takes the lease, or says who has it.
    ///
    /// `alive` decides whether the named owner can still be at work; the new fencing number makes every later intent of the
    /// old owner fail.
    ///
    /// # Errors
    /// [`StoreError::Busy`] while another living owner's lease runs.
    pub async fn take_lease(
        &self,
        owner: &str,
        now: i64,
        lease_ms: i64,
        alive: impl Fn(&str) -> bool,
    ) -> Result<Takeover, StoreError> {
        let held = sqlx::query("SELECT token, owner, until_ms FROM lease WHERE id = 1")
            .fetch_optional(self.reads())
            .await?;
        let mut takeover = Takeover::Free;
        let mut token = 1;
        if let Some(row) = held {
            let holder: String = row.try_get("owner")?;
            let until: i64 = row.try_get("until_ms")?;
            token = row.try_get::<i64, _>("token")? + 1;
            if !holder.is_empty() {
                if alive(&holder) && until > now {
                    return Err(StoreError::Busy {
                        path: self.inner.path.clone(),
                        owner: holder,
                    });
                }
                takeover = if alive(&holder) {
                    Takeover::FromStalled { until }
                } else {
                    Takeover::FromDead
                };
            }
        }
        self.write(vec![
            crate::sql!(
                "INSERT INTO lease (id, token, owner, until_ms) VALUES (1, $1, $2, $3) \
                 ON CONFLICT (id) DO UPDATE SET token = $1, owner = $2, until_ms = $3 WHERE lease.token < $1",
                token,
                owner,
                now + lease_ms
            )
            .or_fenced(),
        ])
        .await?;
        self.inner.token.store(token, Ordering::Relaxed);
        // Whoever held it may have given numbers away since this store was opened.
        let highest: i64 = sqlx::query_scalar(HIGHEST_ID)
            .fetch_one(self.reads())
            .await?;
        let next = highest.saturating_add(1);
        self.inner.next_id.fetch_max(next, Ordering::Relaxed);
        Ok(takeover)
    }

    /// Prolongs our lease.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if somebody took it.
    pub async fn renew_lease(&self, now: i64, lease_ms: i64) -> Result<(), StoreError> {
        self.write(vec![
            crate::sql!(
                "UPDATE lease SET until_ms = $2 WHERE id = 1 AND token = $1",
                self.token(),
                now + lease_ms
            )
            .or_fenced(),
        ])
        .await
    }

    /// Gives the lease back.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn release_lease(&self) -> Result<(), StoreError> {
        self.write(vec![crate::sql!(
            "UPDATE lease SET owner = '', until_ms = 0 WHERE id = 1 AND token = $1",
            self.token()
        )])
        .await
    }

    /// All rows of a query.
    ///
    /// # Errors
    /// [`StoreError::Database`]
    pub async fn rows(
        &self,
        sql: &'static str,
        args: Vec<Arg>,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        Ok(bind(sqlx::query(sql), args).fetch_all(self.reads()).await?)
    }

    /// Shows every row of a query to `visit`, one after the other, without holding them all. The store is read as it was when
    /// this began; writing goes on meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Database`], and what `visit` says.
    pub async fn each<E: From<StoreError>>(
        &self,
        sql: &'static str,
        args: Vec<Arg>,
        mut visit: impl FnMut(&SqliteRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rows = bind(sqlx::query(sql), args).fetch(self.reads());
        while let Some(row) = rows.try_next().await.map_err(StoreError::from)? {
            visit(&row)?;
        }
        Ok(())
    }

    /// The first row of a query.
    ///
    /// # Errors
    /// [`StoreError::Database`]
    pub async fn row(
        &self,
        sql: &'static str,
        args: Vec<Arg>,
    ) -> Result<Option<SqliteRow>, StoreError> {
        Ok(bind(sqlx::query(sql), args)
            .fetch_optional(self.reads())
            .await?)
    }

    /// A single number; 0 where the query gives nothing.
    ///
    /// # Errors
    /// [`StoreError::Database`]
    pub async fn number(&self, sql: &'static str, args: Vec<Arg>) -> Result<i64, StoreError> {
        match self.row(sql, args).await? {
            Some(row) => Ok(row.try_get::<Option<i64>, _>(0)?.unwrap_or(0)),
            None => Ok(0),
        }
    }

    /// Two text columns as a map.
    ///
    /// # Errors
    /// [`StoreError::Database`]
    pub async fn map(
        &self,
        sql: &'static str,
        args: Vec<Arg>,
    ) -> Result<HashMap<String, String>, StoreError> {
        self.rows(sql, args)
            .await?
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect()
    }

    /// Checks the ledger's chain of hashes from its first link, and every outcome against the last link that covers it. False
    /// means that somebody changed the ledger by hand.
    ///
    /// Reads the chain link by link. An outcome that was given anew (it was unsettled first) is covered by several links, and
    /// only the last says what is stored; those records alone are remembered, and the chain is read once more for them.
    ///
    /// # Errors
    /// [`StoreError::Database`]
    pub async fn chain_holds(&self) -> Result<bool, StoreError> {
        let mut differing: HashMap<(String, String), i64> = HashMap::new();
        let (mut previous, mut after) = (String::new(), 0);
        loop {
            let links = self.links(after).await?;
            if links.is_empty() {
                break;
            }
            let mut covered = Covered::new();
            for link in links {
                if link.hash != self::link(&previous, &link.rows_hash)
                    || link.rows_hash != sha256(&link.rows_ref)
                {
                    return Ok(false);
                }
                for (run, record, digest) in link.outcomes()? {
                    covered.insert((run, record), (digest, link.seq));
                }
                (previous, after) = (link.hash, link.seq);
            }
            for (key, (_, seq)) in self.other_than_stored(covered).await? {
                differing.insert(key, seq);
            }
        }
        let mut after = 0;
        while !differing.is_empty() {
            let links = self.links(after).await?;
            if links.is_empty() {
                return Ok(false);
            }
            let mut covered = Covered::new();
            for link in links {
                for (run, record, digest) in link.outcomes()? {
                    let key = (run, record);
                    if differing.get(&key).is_some_and(|seq| *seq < link.seq) {
                        covered.insert(key, (digest, link.seq));
                    }
                }
                after = link.seq;
            }
            let asked: Vec<(String, String)> = covered.keys().cloned().collect();
            let other = self.other_than_stored(covered).await?;
            for key in asked {
                if !other.contains_key(&key) {
                    differing.remove(&key);
                }
            }
        }
        Ok(true)
    }

    /// The next links of the chain.
    async fn links(&self, after: i64) -> Result<Vec<ChainLink>, StoreError> {
        self.rows(
            "SELECT seq, rows_hash, rows_ref, hash FROM chain WHERE seq > $1 ORDER BY seq LIMIT $2",
            vec![after.into(), LINKS.into()],
        )
        .await?
        .iter()
        .map(|row| {
            Ok(ChainLink {
                seq: row.try_get("seq")?,
                rows_hash: row.try_get("rows_hash")?,
                rows_ref: row.try_get("rows_ref")?,
                hash: row.try_get("hash")?,
            })
        })
        .collect()
    }

    /// Of these outcomes, those that are stored otherwise, or not at all.
    async fn other_than_stored(&self, covered: Covered) -> Result<Covered, StoreError> {
        let mut by_kind: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        for (run, record) in covered.keys() {
            let (kind, id) = record.split_once('/').unwrap_or((record, ""));
            by_kind.entry((run, kind)).or_default().push(id);
        }
        let mut same: Vec<(String, String)> = vec![];
        for ((run, kind), ids) in by_kind {
            for ids in ids.chunks(AMONG) {
                let mut effects: HashMap<(String, i64), Vec<String>> = HashMap::new();
                for row in self
                    .rows(
                        crate::among!(
                            "SELECT source_id, unit, effect FROM effects WHERE source_id IN "
                            " AND account = (SELECT account FROM runs WHERE id = $65) AND kind = $66 ORDER BY id"
                        ),
                        among(ids, [run.into(), kind.into()]),
                    )
                    .await?
                {
                    effects
                        .entry((row.try_get("source_id")?, row.try_get("unit")?))
                        .or_default()
                        .push(row.try_get("effect")?);
                }
                for row in self
                    .rows(
                        crate::among!(
                            "SELECT source_id, status, coalesce(cause, '') AS cause, hash, coalesce(unit, 0) AS unit FROM outcomes \
                             WHERE source_id IN " " AND run = $65 AND kind = $66"
                        ),
                        among(ids, [run.into(), kind.into()]),
                    )
                    .await?
                {
                    let (id, unit): (String, i64) = (row.try_get("source_id")?, row.try_get("unit")?);
                    let (status, cause, hash): (String, String, String) =
                        (row.try_get("status")?, row.try_get("cause")?, row.try_get("hash")?);
                    let key = (run.to_owned(), format!("{kind}/{id}"));
                    let of_record = effects.remove(&(id, unit)).unwrap_or_default();
                    let digest = outcome_digest(&status, &cause, &hash, &of_record);
                    if covered.get(&key).is_some_and(|(wanted, _)| *wanted == digest) {
                        same.push(key);
                    }
                }
            }
        }
        let mut other = covered;
        for key in same {
            other.remove(&key);
        }
        Ok(other)
    }
}

/// Outcomes by run and record: the digest that a link of the chain covers, and that link's number.
type Covered = HashMap<(String, String), (String, i64)>;

/// A link of the chain as it is stored.
struct ChainLink {
    seq: i64,
    rows_hash: String,
    rows_ref: String,
    hash: String,
}

impl ChainLink {
    /// Run, record and digest of each outcome that it covers.
    fn outcomes(&self) -> Result<Vec<(String, String, String)>, StoreError> {
        Ok(serde_json::from_str(&self.rows_ref)?)
    }
}

/// From whom the lease was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takeover {
    /// Nobody had it.
    Free,
    /// Its owner is gone for sure: no request of it can still leave.
    FromDead,
    /// Its owner stands still and may wake up: wait before anything is looked up (rule D-15).
    FromStalled {
        /// When its lease ended, ms.
        until: i64,
    },
}

/// The hash of a chain link.
#[must_use]
pub fn link(previous: &str, rows_hash: &str) -> String {
    hex::encode(Sha256::digest(format!("{previous}\n{rows_hash}")))
}

/// What the chain says of an outcome: its words, the record it stands for, and its effects in order.
#[must_use]
pub fn outcome_digest(status: &str, cause: &str, hash: &str, effects: &[String]) -> String {
    sha256(&format!(
        "{status}\n{cause}\n{hash}\n{}",
        effects.join("\n")
    ))
}

/// sha-256 of text, hex.
#[must_use]
pub fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

fn private_file(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

fn bind(mut query: Query<'_>, args: Vec<Arg>) -> Query<'_> {
    for arg in args {
        query = match arg {
            Arg::Null => query.bind(None::<String>),
            Arg::Int(v) => query.bind(v),
            Arg::Text(v) => query.bind(v),
        };
    }
    query
}

/// The last link of the chain, as its one writer knows it.
#[derive(Debug, Clone, Default)]
struct LastLink {
    seq: i64,
    hash: String,
}

/// The one writer. A group that fails is taken apart, so that one caller's mistake is not another's loss.
///
/// A connection on which a transaction failed is replaced: after a full disk the database has rolled back by itself, and what the
/// connection believes of its transactions is no longer true.
async fn write_loop(
    mut connection: SqliteConnection,
    options: SqliteConnectOptions,
    mut queue: mpsc::Receiver<Job>,
) {
    let mut group = Vec::with_capacity(GROUP);
    let mut last = None;
    let mut joined = Joined::default();
    while queue.recv_many(&mut group, GROUP).await > 0 {
        let jobs = std::mem::replace(&mut group, Vec::with_capacity(GROUP));
        if jobs.len() > 1
            && apply(&mut connection, &mut joined, &mut last, &jobs)
                .await
                .is_ok()
        {
            for job in jobs {
                let _ = job.done.send(Ok(()));
            }
            continue;
        }
        if jobs.len() > 1 {
            renew(&mut connection, &options).await;
        }
        for job in jobs {
            let result = apply(
                &mut connection,
                &mut joined,
                &mut last,
                std::slice::from_ref(&job),
            )
            .await;
            if matches!(result, Err(StoreError::Database(_))) {
                renew(&mut connection, &options).await;
            }
            let _ = job.done.send(result);
        }
    }
    let _ = connection.close().await;
}

/// Opens the connection anew, if that is possible; the old one keeps giving its reason otherwise.
async fn renew(connection: &mut SqliteConnection, options: &SqliteConnectOptions) {
    if let Ok(new) = SqliteConnection::connect_with(options).await {
        let old = std::mem::replace(connection, new);
        let _ = old.close().await;
    }
}

/// Writes jobs in one transaction. `last` is what is known of the chain's end: nothing, unless the last transaction was ours and
/// went well.
async fn apply(
    connection: &mut SqliteConnection,
    joined: &mut Joined,
    last: &mut Option<LastLink>,
    jobs: &[Job],
) -> Result<(), StoreError> {
    let known = last.take();
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let statements: Vec<&Statement> = jobs.iter().flat_map(|job| &job.statements).collect();
    let mut rest = statements.as_slice();
    while let Some(first) = rest.first() {
        let (count, text) = joined.next(rest);
        let (now, later) = rest.split_at(count);
        rest = later;
        let args = now
            .iter()
            .flat_map(|one| one.args.iter().cloned())
            .collect();
        let query = match text {
            // Made of texts that are in the program, and of numbers.
            Some(text) => sqlx::query(AssertSqlSafe(text)),
            None => sqlx::query(first.sql),
        };
        let done = bind(query, args).execute(&mut *transaction).await?;
        if first.fenced && done.rows_affected() == 0 {
            transaction.rollback().await?;
            return Err(StoreError::Fenced);
        }
    }
    let covered: Vec<_> = jobs
        .iter()
        .flat_map(|job| &job.ledger)
        .map(|entry| (&entry.run, &entry.record, &entry.digest))
        .collect();
    let mut end = known;
    if !covered.is_empty() {
        let before = match end {
            Some(link) => link,
            None => last_link(&mut transaction).await?,
        };
        let rows_ref = serde_json::to_string(&covered)?;
        let rows_hash = sha256(&rows_ref);
        let link = LastLink {
            seq: before.seq + 1,
            hash: link(&before.hash, &rows_hash),
        };
        bind(
            sqlx::query(
                "INSERT INTO chain (seq, rows_hash, rows_ref, hash) VALUES ($1, $2, $3, $4)",
            ),
            vec![
                link.seq.into(),
                (&rows_hash).into(),
                rows_ref.into(),
                (&link.hash).into(),
            ],
        )
        .execute(&mut *transaction)
        .await?;
        end = Some(link);
    }
    transaction.commit().await?;
    *last = end;
    Ok(())
}

async fn last_link(connection: &mut SqliteConnection) -> Result<LastLink, StoreError> {
    let last = sqlx::query("SELECT seq, hash FROM chain ORDER BY seq DESC LIMIT 1")
        .fetch_optional(connection)
        .await?;
    Ok(match last {
        Some(row) => LastLink {
            seq: row.try_get("seq")?,
            hash: row.try_get("hash")?,
        },
        None => LastLink::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("s.db")).await.unwrap();
        (dir, store)
    }

    #[tokio::test]
    async fn one_callers_bad_statement_does_not_lose_anothers_rows() {
        let (_dir, store) = store().await;
        let good = store.write(vec![sql!(
            "INSERT INTO notices (run, code, body) VALUES ('r', 'a', 'b')"
        )]);
        let bad = store.write(vec![sql!("INSERT INTO no_such_table VALUES (1)")]);
        let (good, bad) = tokio::join!(good, bad);
        assert!(good.is_ok());
        assert!(matches!(bad, Err(StoreError::Database(_))));
        assert_eq!(
            store
                .number("SELECT count(*) FROM notices", vec![])
                .await
                .unwrap(),
            1
        );
    }

    #[tokio::test]
    async fn a_store_whose_database_rolled_back_by_itself_is_written_again() {
        let (_dir, store) = store().await;
        let row = |code: &str| {
            sql!(
                "INSERT INTO notices (run, code, body) VALUES ('r', $1, 'b')",
                code
            )
        };
        store.write(vec![row("a")]).await.unwrap();
        // As it does when the disk is full.
        let bad = sql!("INSERT OR ROLLBACK INTO notices (run, code, body) VALUES ('r', 'a', 'b')");
        for _ in 0..2 {
            let (one, other) = tokio::join!(
                store.write(vec![row("c"), bad.clone()]),
                store.write(vec![bad.clone()])
            );
            for refused in [one, other] {
                let why = refused.unwrap_err().to_string();
                assert!(why.contains("s.db: ") && why.contains("UNIQUE"), "{why}");
            }
        }
        store.write(vec![row("d")]).await.unwrap();
        let kept = "SELECT count(*) FROM notices";
        assert_eq!(store.number(kept, vec![]).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn an_intent_of_a_former_owner_is_refused() {
        let (_dir, store) = store().await;
        store.take_lease("a", 0, 1_000, |_| false).await.unwrap();
        let old = store.fence();
        assert_eq!(
            store.take_lease("b", 10, 1_000, |_| false).await.unwrap(),
            Takeover::FromDead
        );
        assert!(matches!(
            store.write(vec![old]).await,
            Err(StoreError::Fenced)
        ));
        assert!(store.write(vec![store.fence()]).await.is_ok());
    }

    #[tokio::test]
    async fn a_living_owners_lease_is_respected_until_it_ends() {
        let (_dir, store) = store().await;
        store.take_lease("a", 0, 1_000, |_| true).await.unwrap();
        assert!(matches!(
            store.take_lease("b", 500, 1_000, |_| true).await,
            Err(StoreError::Busy { .. })
        ));
        assert_eq!(
            store.take_lease("b", 1_500, 1_000, |_| true).await.unwrap(),
            Takeover::FromStalled { until: 1_000 }
        );
    }

    #[tokio::test]
    async fn who_takes_the_lease_gives_away_no_number_that_the_owner_before_gave() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.db");
        let (early, late) = (
            Store::open(&path).await.unwrap(),
            Store::open(&path).await.unwrap(),
        );
        early.take_lease("a", 0, 1_000, |_| false).await.unwrap();
        let given = early.new_id();
        let effect = sql!(
            "INSERT INTO effects (id, account, run, kind, source_id, part, target_kind, target_id, action, marker, effect, \
             unit, digest, at_ms) VALUES ($1, 'a', 'r', 'k', 's', '', 'k', 't', 'created', '', '{}', 1, '', 0)",
            given
        );
        early.write(vec![effect]).await.unwrap();
        late.take_lease("b", 10, 1_000, |_| false).await.unwrap();
        assert!(late.new_id() > given);
    }

    #[tokio::test]
    async fn the_file_is_private_to_its_owner() {
        use std::os::unix::fs::PermissionsExt;
        let (_dir, store) = store().await;
        let mode = std::fs::metadata(store.path())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    /// Gives outcomes in one commit: `(id, status)`.
    async fn give(store: &Store, outcomes: &[(&str, &str)]) {
        let mut statements = vec![sql!(
            "INSERT INTO runs (id, extraction, source, destination, account, platform, organisation, state, config_digest, \
             started_at) VALUES ('r', 'x', 's', 'd', 'acc', 'p', 'o', 'running', '', 0) ON CONFLICT (id) DO NOTHING"
        )];
        let mut ledger = vec![];
        for (id, status) in outcomes {
            let unit = store.new_id();
            let effect = format!("{{\"made\":\"{id}\"}}");
            statements.push(sql!(
                "INSERT INTO effects (id, account, run, kind, source_id, part, target_kind, target_id, action, marker, effect, \
                 unit, digest, at_ms) VALUES ($1, 'acc', 'r', 'customer', $2, 'main', 'user', $2, 'created', '', $3, $4, '', 0)",
                store.new_id(),
                *id,
                &effect,
                unit
            ));
            statements.push(sql!(
                "INSERT INTO outcomes (account, run, kind, source_id, status, hash, unit, at_ms) \
                 VALUES ('acc', 'r', 'customer', $1, $2, 'h', $3, 0) \
                 ON CONFLICT (run, kind, source_id) DO UPDATE SET status = $2, unit = $3",
                *id,
                *status,
                unit
            ));
            ledger.push(LedgerEntry {
                run: "r".into(),
                record: format!("customer/{id}"),
                digest: outcome_digest(status, "", "h", &[effect]),
            });
        }
        store.write_ledger(statements, ledger).await.unwrap();
    }

    #[tokio::test]
    async fn a_chain_of_many_links_holds_until_an_outcome_or_an_effect_is_changed_by_hand() {
        let (_dir, store) = store().await;
        for group in 0..40 {
            let ids: Vec<String> = (0..5).map(|n| format!("{group}/{n}")).collect();
            let outcomes: Vec<(&str, &str)> =
                ids.iter().map(|id| (id.as_str(), "created")).collect();
            give(&store, &outcomes).await;
        }
        assert!(store.chain_holds().await.unwrap());
        let change = |sql: &'static str| store.write(vec![Statement::new(sql, vec![])]);
        for (change_it, put_it_back) in [
            (
                "UPDATE outcomes SET status = 'matched' WHERE source_id = '17/3'",
                "UPDATE outcomes SET status = 'created' WHERE source_id = '17/3'",
            ),
            (
                "UPDATE effects SET effect = '{}' WHERE source_id = '39/4'",
                "UPDATE effects SET effect = '{\"made\":\"39/4\"}' WHERE source_id = '39/4'",
            ),
            (
                "UPDATE chain SET rows_ref = replace(rows_ref, '0/0', '0/9') WHERE seq = 1",
                "UPDATE chain SET rows_ref = replace(rows_ref, '0/9', '0/0') WHERE seq = 1",
            ),
        ] {
            change(change_it).await.unwrap();
            assert!(!store.chain_holds().await.unwrap(), "{change_it}");
            change(put_it_back).await.unwrap();
            assert!(store.chain_holds().await.unwrap(), "{put_it_back}");
        }
        change("DELETE FROM outcomes WHERE source_id = '3/3'")
            .await
            .unwrap();
        assert!(!store.chain_holds().await.unwrap());
    }

    #[tokio::test]
    async fn an_outcome_that_was_settled_later_is_covered_by_its_last_link_only() {
        let (_dir, store) = store().await;
        give(&store, &[("a", "unsettled"), ("b", "created")]).await;
        give(&store, &[("a", "created")]).await;
        assert!(store.chain_holds().await.unwrap());
        // What an earlier link says no longer counts.
        store
            .write(vec![sql!(
                "UPDATE outcomes SET status = 'unsettled', unit = (SELECT min(unit) FROM effects WHERE source_id = 'a') \
                 WHERE source_id = 'a'"
            )])
            .await
            .unwrap();
        assert!(!store.chain_holds().await.unwrap());
    }

    #[tokio::test]
    async fn rows_are_shown_one_by_one_and_an_error_ends_the_showing() {
        let (_dir, store) = store().await;
        give(
            &store,
            &[("a", "created"), ("b", "created"), ("c", "created")],
        )
        .await;
        let mut seen = vec![];
        let ended = store
            .each(
                "SELECT source_id FROM outcomes ORDER BY source_id",
                vec![],
                |row| {
                    let id: String = row.try_get("source_id")?;
                    if id == "c" {
                        return Err(StoreError::Closed);
                    }
                    seen.push(id);
                    Ok(())
                },
            )
            .await;
        assert!(matches!(ended, Err(StoreError::Closed)));
        assert_eq!(seen, ["a", "b"]);
    }

    #[tokio::test]
    async fn a_query_among_few_ids_finds_them_and_nothing_else() {
        let (_dir, store) = store().await;
        give(
            &store,
            &[("a", "created"), ("b", "created"), ("c", "created")],
        )
        .await;
        for ids in [vec!["c", "a"], vec!["a", "c", "x"], vec![]] {
            let found: Vec<String> = store
                .rows(
                    among!(
                        "SELECT source_id FROM outcomes WHERE source_id IN " " AND kind = $65 ORDER BY source_id"
                    ),
                    among(&ids, ["customer".into()]),
                )
                .await
                .unwrap()
                .iter()
                .map(|row| row.get(0))
                .collect();
            let wanted: Vec<&str> = ["a", "c"]
                .into_iter()
                .filter(|id| ids.contains(id))
                .collect();
            assert_eq!(found, wanted);
        }
    }
}
