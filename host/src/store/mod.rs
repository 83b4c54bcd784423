//! State: what is stored, and the one way it is written.
//!
//! All writes of a process go through one task on one connection with `synchronous=FULL`: callers hand it small batches of
//! statements, many callers' batches share one transaction (group commit), and a caller hears back once that transaction is
//! durable. Reads use a pool of their own and see only what is committed.
//!
//! The queries are plain SQL with numbered parameters that PostgreSQL understands too; ids are assigned here, not by the
//! database. What rows mean is the business of `unit` and `pipeline`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteRow, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Row};
use tokio::sync::{mpsc, oneshot};

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
    /// Text or JSON.
    Text(String),
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
        Self::Text(v.to_owned())
    }
}
impl From<String> for Arg {
    fn from(v: String) -> Self {
        Self::Text(v)
    }
}
impl From<&String> for Arg {
    fn from(v: &String) -> Self {
        Self::Text(v.clone())
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
            .pragma("cache_size", "-16000")
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
        let highest: i64 = sqlx::query_scalar(
            "SELECT max(coalesce((SELECT max(id) FROM units), 0), coalesce((SELECT max(id) FROM effects), 0))",
        )
        .fetch_one(&mut writer)
        .await?;
        let token: Option<i64> = sqlx::query_scalar("SELECT token FROM lease WHERE id = 1")
            .fetch_optional(&mut writer)
            .await?;
        let reads = SqlitePoolOptions::new()
            .max_connections(8)
            .connect_with(options.clone().read_only(true).create_if_missing(false))
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
    /// # Errors
    /// [`StoreError::Database`]
    pub async fn chain_holds(&self) -> Result<bool, StoreError> {
        let mut previous = String::new();
        let mut covered: HashMap<(String, String), String> = HashMap::new();
        for row in self
            .rows(
                "SELECT rows_hash, rows_ref, hash FROM chain ORDER BY seq",
                vec![],
            )
            .await?
        {
            let rows_hash: String = row.try_get("rows_hash")?;
            let rows_ref: String = row.try_get("rows_ref")?;
            let hash: String = row.try_get("hash")?;
            if hash != link(&previous, &rows_hash) || rows_hash != sha256(&rows_ref) {
                return Ok(false);
            }
            for (run, record, digest) in
                serde_json::from_str::<Vec<(String, String, String)>>(&rows_ref)?
            {
                covered.insert((run, record), digest);
            }
            previous = hash;
        }
        let mut effects: HashMap<(String, String, i64), Vec<String>> = HashMap::new();
        for row in self
            .rows(
                "SELECT run, kind, source_id, unit, effect FROM effects ORDER BY id",
                vec![],
            )
            .await?
        {
            let (kind, id): (String, String) = (row.try_get("kind")?, row.try_get("source_id")?);
            effects
                .entry((
                    row.try_get("run")?,
                    format!("{kind}/{id}"),
                    row.try_get("unit")?,
                ))
                .or_default()
                .push(row.try_get("effect")?);
        }
        for row in self
            .rows(
                "SELECT run, kind, source_id, status, coalesce(cause, '') AS cause, hash, unit FROM outcomes",
                vec![],
            )
            .await?
        {
            let run: String = row.try_get("run")?;
            let (kind, id): (String, String) = (row.try_get("kind")?, row.try_get("source_id")?);
            let record = format!("{kind}/{id}");
            let Some(digest) = covered.get(&(run.clone(), record.clone())) else {
                continue;
            };
            let unit = row.try_get::<Option<i64>, _>("unit")?.unwrap_or(0);
            let of_record = effects.remove(&(run, record, unit)).unwrap_or_default();
            let (status, cause, hash): (String, String, String) =
                (row.try_get("status")?, row.try_get("cause")?, row.try_get("hash")?);
            if *digest != outcome_digest(&status, &cause, &hash, &of_record) {
                return Ok(false);
            }
        }
        Ok(true)
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
    while queue.recv_many(&mut group, GROUP).await > 0 {
        let jobs: Vec<Job> = group.drain(..).collect();
        if jobs.len() > 1 && apply(&mut connection, &jobs).await.is_ok() {
            for job in jobs {
                let _ = job.done.send(Ok(()));
            }
            continue;
        }
        if jobs.len() > 1 {
            renew(&mut connection, &options).await;
        }
        for job in jobs {
            let result = apply(&mut connection, std::slice::from_ref(&job)).await;
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

async fn apply(connection: &mut SqliteConnection, jobs: &[Job]) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for statement in jobs.iter().flat_map(|job| &job.statements) {
        let done = bind(sqlx::query(statement.sql), statement.args.clone())
            .execute(&mut *transaction)
            .await?;
        if statement.fenced && done.rows_affected() == 0 {
            transaction.rollback().await?;
            return Err(StoreError::Fenced);
        }
    }
    let covered: Vec<_> = jobs
        .iter()
        .flat_map(|job| &job.ledger)
        .map(|entry| (&entry.run, &entry.record, &entry.digest))
        .collect();
    if !covered.is_empty() {
        let last = sqlx::query("SELECT seq, hash FROM chain ORDER BY seq DESC LIMIT 1")
            .fetch_optional(&mut *transaction)
            .await?;
        let (seq, previous) = match last {
            Some(row) => (row.try_get::<i64, _>("seq")? + 1, row.try_get("hash")?),
            None => (1, String::new()),
        };
        let rows_ref = serde_json::to_string(&covered)?;
        let rows_hash = sha256(&rows_ref);
        bind(
            sqlx::query(
                "INSERT INTO chain (seq, rows_hash, rows_ref, hash) VALUES ($1, $2, $3, $4)",
            ),
            vec![
                seq.into(),
                (&rows_hash).into(),
                rows_ref.into(),
                link(&previous, &rows_hash).into(),
            ],
        )
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    Ok(())
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
    async fn the_file_is_private_to_its_owner() {
        use std::os::unix::fs::PermissionsExt;
        let (_dir, store) = store().await;
        let mode = std::fs::metadata(store.path())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
