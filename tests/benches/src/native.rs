//! The baseline: a straight-line program for these two platforms, with reqwest and serde and nothing else.
//!
//! It knows both vendors by heart, keeps everything in memory, journals nothing, maps what it must and puts the rest into one
//! private comment. It makes the same requests as the host with its connectors: the same endpoints, the same pages and batches,
//! as many at once, reading and writing at the same time where the host does. What differs is printed by the bench.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;
use transload_simulators::common::Clock;
use transload_simulators::kustomer;

use crate::host::{cpu_seconds, memory};

/// Rows of a search, of most lists, of lists of people.
const ROWS: usize = 500;
const LIST_ROWS: &str = "100";
const PEOPLE_ROWS: &str = "500";
/// Requests at once for what hangs on the rows of a page.
const BELOW_AT_ONCE: usize = 16;
/// Batches written at once, and files fetched at once.
const BATCHES_AT_ONCE: usize = 8;
const FILES_AT_ONCE: usize = 12;
/// Records of a batch, and rows of a page, at the destination.
const BATCH: usize = 100;
/// The last pass begins so much before the first one began, ms.
const OVERLAP_MS: i64 = 25 * 60_000;
/// What is older than this is in the archive (with a margin, in both), ms.
const HORIZON_MS: i64 = 730 * 86_400_000;
const MARGIN_MS: i64 = 10 * 86_400_000;

/// How it is called.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Address of the source.
    #[arg(long)]
    from: String,
    /// Address of the destination.
    #[arg(long)]
    to: String,
    /// Token of the destination.
    #[arg(long)]
    token: String,
}

/// What it took.
#[derive(Debug, Serialize, Deserialize)]
pub struct Taken {
    /// From the first request to the last.
    pub seconds: f64,
    /// Records read.
    pub records: u64,
    /// Records refused by the destination.
    pub refused: u64,
    /// Of the processor.
    pub cpu_seconds: f64,
    /// The most memory that was resident, bytes.
    pub peak: u64,
}

/// Moves everything in this process and prints what it took.
///
/// # Errors
/// An answer that this program does not expect.
pub async fn run_here(options: &Options) -> Result<()> {
    // Somebody else in the process may have installed one: any is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let begun = Instant::now();
    let (from, now) = (options.from.clone(), Clock::real().now_ms());
    let ((people, there), (threads, read)) = (oneshot::channel(), oneshot::channel());
    // Two threads: one reads, one writes.
    let reader = std::thread::spawn(move || {
        alone(async move {
            let source = Source::new(from, now)?;
            source.read(people, threads).await
        })
    });
    let (from, to, token) = (
        options.from.clone(),
        options.to.clone(),
        options.token.clone(),
    );
    let writer = std::thread::spawn(move || {
        alone(async move {
            let (source, http) = (Source::new(from, now)?, client()?);
            let destination = Destination {
                http,
                url: to,
                token,
            };
            destination.write(&source, there, read).await
        })
    });
    let ended = |_| anyhow::anyhow!("a thread panicked");
    let joined = tokio::task::spawn_blocking(move || (reader.join(), writer.join())).await?;
    let (records, refused) = (joined.0.map_err(ended)??, joined.1.map_err(ended)??);
    let taken = Taken {
        seconds: begun.elapsed().as_secs_f64(),
        records,
        refused,
        cpu_seconds: cpu_seconds()?,
        peak: memory("VmHWM")?,
    };
    println!("{}", serde_json::to_string(&taken)?);
    Ok(())
}

fn client() -> Result<reqwest::Client> {
    let client = reqwest::Client::builder().no_proxy().tcp_nodelay(true);
    Ok(client.build()?)
}

/// Runs something on this thread only.
fn alone<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// A list of resources, or one.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Data {
    Many(Vec<Resource>),
    One(Box<Resource>),
}

impl Default for Data {
    fn default() -> Self {
        Self::Many(vec![])
    }
}

#[derive(Debug, Default, Deserialize)]
struct Answer {
    #[serde(default)]
    data: Data,
    #[serde(default)]
    meta: Value,
    #[serde(default)]
    links: Links,
}

#[derive(Debug, Default, Clone, Deserialize)]
struct Links {
    #[serde(default, rename = "self")]
    own: Option<String>,
    #[serde(default)]
    next: Option<String>,
    #[serde(default)]
    related: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Resource {
    #[serde(default)]
    id: String,
    #[serde(default)]
    attributes: Map<String, Value>,
    #[serde(default)]
    relationships: Map<String, Value>,
    #[serde(default)]
    links: Links,
}

impl Answer {
    fn rows(self) -> Vec<Resource> {
        match self.data {
            Data::Many(rows) => rows,
            Data::One(row) => vec![*row],
        }
    }
}

impl Resource {
    fn id(&self) -> String {
        if !self.id.is_empty() {
            return self.id.clone();
        }
        let own = self.links.own.as_deref().unwrap_or_default();
        own.rsplit('/').next().unwrap_or_default().to_owned()
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).and_then(Value::as_str)
    }

    fn is(&self, name: &str) -> bool {
        self.attributes.get(name).and_then(Value::as_bool) == Some(true)
    }

    fn one(&self, name: &str) -> Option<String> {
        let id = self.relationships.get(name)?.pointer("/data/id")?;
        id.as_str().map(ToOwned::to_owned)
    }

    fn many(&self, name: &str) -> Vec<String> {
        let data = self
            .relationships
            .get(name)
            .and_then(|r| r.pointer("/data"));
        let ids = data.and_then(Value::as_array).into_iter().flatten();
        ids.filter_map(|pointer| pointer.get("id")?.as_str())
            .map(ToOwned::to_owned)
            .collect()
    }

    fn list(&self, name: &str) -> Vec<String> {
        let list = self.attributes.get(name).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(ToOwned::to_owned)
            .collect()
    }

    /// Whole seconds.
    fn at(&self, name: &str) -> Option<String> {
        Some(format!("{}Z", self.text(name)?.get(..19)?))
    }

    /// What has no field at the destination, line by line.
    fn card(&self) -> String {
        let lines = self
            .attributes
            .iter()
            .filter(|(name, value)| {
                !value.is_null() && !matches!(name.as_str(), "preview" | "body")
            })
            .map(|(name, value)| match value {
                Value::String(text) => format!("{name}: {text}"),
                other => format!("{name}: {other}"),
            });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Single references among the custom attributes: name and id.
    fn references(&self) -> Vec<(String, String)> {
        let custom = self.attributes.get("custom").and_then(Value::as_object);
        custom
            .into_iter()
            .flatten()
            .filter(|(name, _)| name.ends_with("Id"))
            .filter_map(|(name, value)| {
                let first = value.as_array().map_or(Some(value), |list| list.first())?;
                Some((name.clone(), first.as_str()?.to_owned()))
            })
            .collect()
    }
}

/// A file of a message.
#[derive(Debug, Clone)]
struct File {
    name: String,
    link: Option<String>,
}

/// A message or a note.
#[derive(Debug)]
struct Said {
    resource: Resource,
    is_note: bool,
    files: Vec<File>,
}

/// What is written while messages are still being read.
#[derive(Debug)]
struct People {
    teams: Vec<Resource>,
    agents: Vec<Resource>,
    klasses: Vec<String>,
    fields: BTreeMap<String, Vec<String>>,
    companies: Vec<Resource>,
    customers: Vec<Resource>,
}

/// What is written at the end.
#[derive(Debug)]
struct Threads {
    conversations: Vec<Resource>,
    said: HashMap<String, Vec<Said>>,
    lone: Vec<Said>,
    objects: Vec<(String, Resource)>,
}

#[derive(Clone)]
struct Source {
    http: reqwest::Client,
    url: String,
    now: i64,
}

impl Source {
    fn new(url: String, now: i64) -> Result<Self> {
        Ok(Self {
            http: client()?,
            url,
            now,
        })
    }

    async fn answer(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(kustomer::FULL_KEY)
            .header("accept", "application/json");
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        match response.status().as_u16() {
            404 => Ok(Answer::default()),
            200..=299 => Ok(serde_json::from_slice(&response.bytes().await?)?),
            status => bail!("{path} answers {status}: {}", response.text().await?),
        }
    }

    async fn get(&self, path: &str) -> Result<Answer> {
        self.answer(Method::GET, path, None).await
    }

    async fn all(&self, path: &str, query: &str, rows: &str) -> Result<Vec<Resource>> {
        let mut all = vec![];
        for page in 1.. {
            let answer = self
                .get(&format!("{path}?page={page}&pageSize={rows}{query}"))
                .await?;
            let more = answer.links.next.is_some();
            let rows = answer.rows();
            let empty = rows.is_empty();
            all.extend(rows);
            if !more || empty {
                break;
            }
        }
        Ok(all)
    }

    async fn page(&self, index: &str, page: usize, rows: usize, body: &Value) -> Result<Answer> {
        let path = format!("/v1/customers/{index}?page={page}&pageSize={rows}");
        self.answer(Method::POST, &path, Some(body)).await
    }

    /// One window of an index, page by page; each goes to `with` before the next is asked for.
    async fn window<F>(
        &self,
        index: &str,
        context: &str,
        since: Option<i64>,
        with: &F,
    ) -> Result<()>
    where
        F: AsyncFn(Vec<Resource>) -> Result<()>,
    {
        let object = if context.starts_with("kobject_") {
            "kobject"
        } else {
            context
        };
        let updated = format!("{object}_updated_at");
        let mut from = since.map(Clock::iso);
        loop {
            // A search serves a hundred pages; then it is asked anew from the last row on.
            let mut and = vec![json!({ updated.clone(): {"lt": Clock::iso(self.now)} })];
            and.extend(
                from.iter()
                    .map(|from| json!({ updated.clone(): {"gte": from} })),
            );
            let body = json!({
                "queryContext": context, "and": and, "includeDeleted": true, "sort": [{ updated.clone(): "asc" }]
            });
            let mut last = None;
            for page in 1..=100 {
                let answer = self.page(index, page, ROWS, &body).await?;
                let total = answer.meta.get("total").and_then(Value::as_u64);
                let rows = answer.rows();
                last = rows
                    .last()
                    .and_then(|r| r.text("updatedAt"))
                    .map(ToOwned::to_owned);
                let seen = (page - 1) * ROWS + rows.len();
                let over = rows.is_empty() || total.is_some_and(|total| seen as u64 >= total);
                if !rows.is_empty() {
                    with(rows).await?;
                }
                if over {
                    return Ok(());
                }
            }
            from = last;
        }
    }

    /// Both indexes of a context at once.
    async fn both<F>(&self, context: &str, since: Option<i64>, with: &F) -> Result<()>
    where
        F: AsyncFn(Vec<Resource>) -> Result<()>,
    {
        let archive = async {
            if since.is_none_or(|since| since < self.now - HORIZON_MS + MARGIN_MS) {
                self.window("archive/search", context, since, with).await?;
            }
            Ok(())
        };
        futures::try_join!(self.window("search", context, since, with), archive)?;
        Ok(())
    }

    async fn rows(&self, context: &str) -> Result<Vec<Resource>> {
        let found = tokio::sync::Mutex::new((HashSet::new(), vec![]));
        let keep = async |rows: Vec<Resource>| {
            let mut found = found.lock().await;
            let (ids, all) = &mut *found;
            all.extend(rows.into_iter().filter(|row| ids.insert(row.id.clone())));
            Ok(())
        };
        self.both(context, None, &keep).await?;
        Ok(found.into_inner().1)
    }

    /// The files of a message: one is asked for by its id, several are listed.
    async fn files(&self, path: &str, id: &str, ids: &[String]) -> Result<Vec<File>> {
        let rows = match ids {
            [one] => {
                self.get(&format!("/v1/{path}/{id}/attachments/{one}"))
                    .await?
            }
            _ => {
                self.get(&format!(
                    "/v1/{path}/{id}/attachments?page=1&pageSize={LIST_ROWS}"
                ))
                .await?
            }
        };
        Ok(rows
            .rows()
            .into_iter()
            .map(|file| File {
                name: file.text("name").unwrap_or("file").to_owned(),
                // What lies with others is not fetched; nor does the host, unless it is granted.
                link: file
                    .links
                    .related
                    .clone()
                    .filter(|link| !file.is("redacted") && !link.contains("/external/")),
            })
            .collect())
    }

    async fn look_around(&self, klasses: &[String]) -> Result<()> {
        let mut contexts: Vec<String> = ["company", "customer", "conversation", "message", "note"]
            .map(str::to_owned)
            .to_vec();
        contexts.extend(klasses.iter().map(|klass| format!("kobject_{klass}")));
        for context in contexts {
            let body = json!({ "queryContext": context, "and": [], "includeDeleted": true });
            self.page("search", 1, 1, &body).await?;
            if context != "note" {
                self.page("archive/search", 1, 1, &body).await?;
            }
        }
        Ok(())
    }

    async fn read(
        &self,
        people: oneshot::Sender<People>,
        threads: oneshot::Sender<Threads>,
    ) -> Result<u64> {
        let mut records = 0;
        let mut klasses = vec![];
        for status in ["enabled", "existing_only", "disabled"] {
            for klass in self
                .all("/v1/klasses", &format!("&status={status}"), LIST_ROWS)
                .await?
            {
                klasses.extend(klass.text("name").map(ToOwned::to_owned));
            }
        }
        self.look_around(&klasses).await?;
        let teams = self.all("/v1/teams", "", PEOPLE_ROWS).await?;
        let mut agents = vec![];
        for only in ["", "&deleted=true", "&pending=true"] {
            agents.extend(self.all("/v1/users", only, PEOPLE_ROWS).await?);
        }
        records += self.all("/v1/tags", "", LIST_ROWS).await?.len() as u64;
        records += self.all("/v1/brands", "", LIST_ROWS).await?.len() as u64;
        let mut fields = BTreeMap::new();
        for resource in ["customer", "company", "conversation", "message", "user"]
            .map(str::to_owned)
            .into_iter()
            .chain(klasses.iter().map(|klass| format!("kobject.{klass}")))
        {
            let found = self.get(&format!("/v1/metadata/{resource}")).await?.rows();
            let properties = found
                .first()
                .and_then(|r| r.attributes.get("properties"))
                .and_then(Value::as_object);
            let names = properties
                .into_iter()
                .flatten()
                .map(|(name, _)| name.clone());
            fields.insert(resource, names.collect::<Vec<_>>());
        }
        let companies = self.rows("company").await?;
        let customers = self.rows("customer").await?;
        records += (teams.len() + agents.len() + companies.len() + customers.len()) as u64;
        let sent = people.send(People {
            teams,
            agents,
            klasses: klasses.clone(),
            fields,
            companies,
            customers,
        });
        if sent.is_err() {
            bail!("nobody writes");
        }
        let (said, lone) = self.said().await?;
        let conversations = self.rows("conversation").await?;
        let mut objects = vec![];
        for klass in &klasses {
            let found = self.rows(&format!("kobject_{klass}")).await?;
            let found: Vec<Resource> = stream::iter(found)
                .map(|mut object| async move {
                    if let Some(url) = object.text("s3DataUrl").map(ToOwned::to_owned) {
                        let data = self.http.get(url).send().await?.text().await?;
                        object.attributes.insert("data".to_owned(), json!(data));
                    }
                    Ok::<_, anyhow::Error>(object)
                })
                .buffered(BELOW_AT_ONCE)
                .try_collect()
                .await?;
            objects.extend(found.into_iter().map(|object| (klass.clone(), object)));
        }
        records += self.all("/v1/kb/categories", "", LIST_ROWS).await?.len() as u64;
        for article in self.all("/v1/kb/articles", "", LIST_ROWS).await? {
            let path = format!("/v1/kb/articles/{}/versions", article.id());
            self.all(&path, "", LIST_ROWS).await?;
            records += 1;
        }
        // What moved meanwhile: nothing does here, but one has to look.
        let nothing = async |_: Vec<Resource>| Ok(());
        let since = Some(self.now - OVERLAP_MS);
        for context in ["company", "customer", "message", "note", "conversation"]
            .map(str::to_owned)
            .into_iter()
            .chain(klasses.iter().map(|klass| format!("kobject_{klass}")))
        {
            self.both(&context, since, &nothing).await?;
        }
        objects.sort_by(|(_, a), (_, b)| b.text("createdAt").cmp(&a.text("createdAt")));
        let files = |said: &Said| 1 + said.files.len();
        records += said
            .values()
            .flatten()
            .chain(&lone)
            .map(files)
            .sum::<usize>() as u64;
        records += (conversations.len() + objects.len()) as u64;
        let sent = threads.send(Threads {
            conversations,
            said,
            lone,
            objects,
        });
        if sent.is_err() {
            bail!("nobody writes");
        }
        Ok(records)
    }

    /// Messages and notes with their files, by conversation, and those without one.
    async fn said(&self) -> Result<(HashMap<String, Vec<Said>>, Vec<Said>)> {
        let found = tokio::sync::Mutex::new((HashSet::new(), Vec::<Said>::new()));
        let keep = async |is_note: bool, rows: Vec<Resource>| {
            let with_files: Vec<Said> = stream::iter(rows)
                .map(|resource| async move {
                    let ids = resource.many("attachments");
                    let path = if is_note { "notes" } else { "messages" };
                    let files = if ids.is_empty() {
                        vec![]
                    } else {
                        self.files(path, &resource.id, &ids).await?
                    };
                    Ok::<_, anyhow::Error>(Said {
                        resource,
                        is_note,
                        files,
                    })
                })
                .buffered(BELOW_AT_ONCE)
                .try_collect()
                .await?;
            let mut found = found.lock().await;
            let (ids, all) = &mut *found;
            all.extend(
                with_files
                    .into_iter()
                    .filter(|said| ids.insert(said.resource.id.clone())),
            );
            Ok::<_, anyhow::Error>(())
        };
        let messages = async |rows: Vec<Resource>| keep(false, rows).await;
        let notes = async |rows: Vec<Resource>| keep(true, rows).await;
        let old_notes = async {
            // In the order of creation, up to the horizon.
            let horizon = Clock::iso(self.now - HORIZON_MS + MARGIN_MS);
            for page in 1.. {
                let path = format!("/v1/notes?page={page}&pageSize={LIST_ROWS}&sort=asc");
                let answer = self.get(&path).await?;
                let more = answer.links.next.is_some();
                let rows = answer.rows();
                let past = rows
                    .last()
                    .and_then(|row| row.text("createdAt"))
                    .is_none_or(|at| at > horizon.as_str());
                let old = rows
                    .into_iter()
                    .filter(|row| row.text("updatedAt").is_none_or(|at| at < horizon.as_str()));
                notes(old.collect()).await?;
                if !more || past {
                    break;
                }
            }
            Ok(())
        };
        futures::try_join!(
            self.both("message", None, &messages),
            self.window("search", "note", None, &notes),
            old_notes
        )?;
        let (mut by_conversation, mut lone) = (HashMap::<String, Vec<Said>>::new(), vec![]);
        for said in found.into_inner().1 {
            match said.resource.one("conversation") {
                Some(conversation) => by_conversation.entry(conversation).or_default().push(said),
                None => lone.push(said),
            }
        }
        for said in by_conversation.values_mut() {
            said.sort_by_key(said_at);
        }
        Ok((by_conversation, lone))
    }
}

fn said_at(said: &Said) -> Option<String> {
    said.resource
        .at("sentAt")
        .or_else(|| said.resource.at("createdAt"))
}

struct Destination {
    http: reqwest::Client,
    url: String,
    token: String,
}

/// Ids at the destination, by the source's.
#[derive(Default)]
struct Ids {
    me: u64,
    groups: HashMap<String, u64>,
    agents: HashMap<String, u64>,
    companies: HashMap<String, u64>,
    customers: HashMap<String, u64>,
    objects: HashMap<String, (String, String)>,
}

impl Destination {
    /// The status and the JSON that a request is answered with.
    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(&self.token)
            .header("accept", "application/json");
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await?;
        let json = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes)?
        };
        Ok((status, json))
    }

    async fn get(&self, path: &str) -> Result<Value> {
        Ok(self.send(Method::GET, path, None).await?.1)
    }

    async fn post(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        self.send(Method::POST, path, Some(body)).await
    }

    async fn list(&self, path: &str, member: &str) -> Result<Vec<Value>> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let base = format!("{path}{joint}page[size]={BATCH}");
        let (mut all, mut url) = (vec![], base.clone());
        loop {
            let page = self.get(&url).await?;
            all.extend(
                page.get(member)
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                    .cloned(),
            );
            let more = page.pointer("/meta/has_more").and_then(Value::as_bool) == Some(true);
            match page.pointer("/meta/after_cursor").and_then(Value::as_str) {
                Some(cursor) if more => url = format!("{base}&page[after]={cursor}"),
                _ => return Ok(all),
            }
        }
    }

    /// A job's rows, once it has ended.
    async fn job(&self, started: &Value) -> Result<Vec<Value>> {
        let id = started
            .pointer("/job_status/id")
            .and_then(Value::as_str)
            .with_context(|| format!("no job: {started}"))?;
        loop {
            let job = self.get(&format!("/api/v2/job_statuses/{id}")).await?;
            if job.pointer("/job_status/status").and_then(Value::as_str) == Some("completed") {
                let rows = job.pointer("/job_status/results").and_then(Value::as_array);
                return Ok(rows.cloned().unwrap_or_default());
            }
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        }
    }

    async fn write(
        &self,
        source: &Source,
        people: oneshot::Receiver<People>,
        threads: oneshot::Receiver<Threads>,
    ) -> Result<u64> {
        let people = people.await?;
        let mut ids = Ids {
            me: number(&self.get("/api/v2/users/me").await?, "/user/id")?,
            ..Ids::default()
        };
        self.groups(&people.teams, &mut ids).await?;
        self.agents(&people.agents, &mut ids).await?;
        self.schema(&people).await?;
        self.companies(&people.companies, &mut ids).await?;
        let mut refused = self.customers(&people.customers, &mut ids).await?;
        let threads = threads.await?;
        let ids = &mut ids;
        refused += self.tickets(source, &threads, ids).await?;
        self.objects(&threads.objects, ids).await?;
        self.links(&people, &threads.objects, ids).await?;
        Ok(refused)
    }

    async fn groups(&self, teams: &[Resource], ids: &mut Ids) -> Result<()> {
        self.list("/api/v2/groups", "groups").await?;
        for team in teams {
            let body = json!({"group": {"name": team.text("name").unwrap_or("team"), "description": team.card()}});
            let (_, made) = self.post("/api/v2/groups", &body).await?;
            if let Ok(id) = number(&made, "/group/id") {
                ids.groups.insert(team.id(), id);
            }
        }
        Ok(())
    }

    async fn agents(&self, agents: &[Resource], ids: &mut Ids) -> Result<()> {
        let staff = self
            .list("/api/v2/users?role[]=agent&role[]=admin", "users")
            .await?;
        let by_email: HashMap<String, u64> = staff
            .iter()
            .filter_map(|user| {
                let email = user.get("email")?.as_str()?.to_lowercase();
                Some((email, user.get("id")?.as_u64()?))
            })
            .collect();
        for agent in agents {
            let email = agent.text("email").unwrap_or_default().to_lowercase();
            if let Some(id) = by_email.get(&email) {
                ids.agents.insert(agent.id(), *id);
            }
        }
        Ok(())
    }

    /// Objects and fields; all of them text.
    async fn schema(&self, people: &People) -> Result<()> {
        for klass in &people.klasses {
            let key = key(klass);
            let body = json!({"custom_object": {"key": key, "title": klass, "title_pluralized": format!("{klass}s")}});
            self.post("/api/v2/custom_objects", &body).await?;
        }
        for (resource, names) in &people.fields {
            let (path, word) = match resource.as_str() {
                "customer" => ("/api/v2/user_fields".to_owned(), "user_field"),
                "company" => (
                    "/api/v2/organization_fields".to_owned(),
                    "organization_field",
                ),
                "conversation" => ("/api/v2/ticket_fields".to_owned(), "ticket_field"),
                other => match other.strip_prefix("kobject.") {
                    Some(klass) => (
                        format!("/api/v2/custom_objects/{}/fields", key(klass)),
                        "custom_object_field",
                    ),
                    None => continue,
                },
            };
            for name in names {
                let body = json!({ word: {"type": "text", "title": name, "key": key(name)} });
                self.post(&path, &body).await?;
            }
        }
        Ok(())
    }

    async fn companies(&self, companies: &[Resource], ids: &mut Ids) -> Result<()> {
        for batch in companies.chunks(BATCH) {
            self.list("/api/v2/organizations", "organizations").await?;
            for company in batch {
                let body = json!({"organization": {
                    "name": company.text("name").unwrap_or("company"), "external_id": marker("company", &company.id),
                    "notes": company.card(), "organization_fields": {"transload_source_id": company.id},
                }});
                let (_, made) = self.post("/api/v2/organizations", &body).await?;
                if let Ok(id) = number(&made, "/organization/id") {
                    ids.companies.insert(company.id.clone(), id);
                }
            }
        }
        Ok(())
    }

    async fn customers(&self, customers: &[Resource], ids: &mut Ids) -> Result<u64> {
        let wanted: Vec<&Resource> = customers
            .iter()
            .filter(|customer| !customer.is("deleted"))
            .collect();
        let companies = &ids.companies;
        let batches = stream::iter(wanted.chunks(BATCH)).then(|batch| async move {
            self.look_for(batch).await?;
            Ok::<_, anyhow::Error>(batch)
        });
        let made: Vec<Vec<(String, Option<u64>)>> = batches
            .map_ok(|batch| async move {
                let mut made = vec![];
                for customer in batch {
                    let id = self.customer(customer, companies).await?;
                    made.push((customer.id.clone(), id));
                }
                Ok(made)
            })
            .try_buffer_unordered(BATCHES_AT_ONCE)
            .try_collect()
            .await?;
        let mut refused = 0;
        for (id, target) in made.into_iter().flatten() {
            match target {
                Some(target) => {
                    ids.customers.insert(id, target);
                }
                None => refused += 1,
            }
        }
        Ok(refused)
    }

    /// Whether customers are there already: by marker, then by address, whichever way is shorter.
    async fn look_for(&self, batch: &[&Resource]) -> Result<()> {
        let markers: Vec<String> = batch.iter().map(|c| marker("customer", &c.id)).collect();
        let path = format!("/api/v2/users/show_many?external_ids={}", markers.join(","));
        self.get(&path).await?;
        let emails: Vec<String> = batch.iter().flat_map(|customer| emails(customer)).collect();
        if emails.is_empty() {
            return Ok(());
        }
        let count = self.get("/api/v2/users/count").await?;
        let everybody = number(&count, "/count/value")?;
        if everybody.div_ceil(BATCH as u64) <= emails.len() as u64 {
            self.list("/api/v2/users", "users").await?;
        } else {
            for email in emails {
                self.by_email(&email).await?;
            }
        }
        Ok(())
    }

    async fn by_email(&self, email: &str) -> Result<Value> {
        let mut url = reqwest::Url::parse(&self.url)?;
        url.set_path("/api/v2/users/search");
        url.query_pairs_mut()
            .append_pair("query", &format!("email:\"{email}\""));
        let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
        self.get(&path).await
    }

    async fn customer(
        &self,
        customer: &Resource,
        companies: &HashMap<String, u64>,
    ) -> Result<Option<u64>> {
        let mut emails = emails(customer);
        for _ in 0..4 {
            let mut user = json!({
                "name": customer.text("name").filter(|n| !n.trim().is_empty()).unwrap_or("customer"),
                "role": "end-user", "external_id": marker("customer", &customer.id), "verified": true,
                "skip_verify_email": true, "notes": customer.card(), "user_fields": {"transload_source_id": customer.id},
            });
            if let Some(user) = user.as_object_mut() {
                user.extend(emails.first().map(|e| ("email".to_owned(), json!(e))));
                let more: Vec<Value> = emails
                    .iter()
                    .skip(1)
                    .map(|e| json!({"type": "email", "value": e, "verified": true, "skip_verify_email": true}))
                    .collect();
                user.insert("identities".to_owned(), json!(more));
                let company = customer
                    .one("company")
                    .and_then(|id| companies.get(&id).copied());
                user.extend(company.map(|id| ("organization_id".to_owned(), json!(id))));
            }
            let (_, made) = self.post("/api/v2/users", &json!({ "user": user })).await?;
            if let Ok(id) = number(&made, "/user/id") {
                return Ok(Some(id));
            }
            // Somebody has the address.
            if emails.is_empty() {
                break;
            }
            let taken = emails.remove(0);
            self.by_email(&taken).await?;
        }
        Ok(None)
    }

    async fn tickets(&self, source: &Source, threads: &Threads, ids: &Ids) -> Result<u64> {
        let mut wanted: Vec<&Resource> = threads
            .conversations
            .iter()
            .filter(|c| !c.is("deleted") && !c.is("spam"))
            .collect();
        wanted.sort_by(|a, b| b.text("createdAt").cmp(&a.text("createdAt")));
        let nothing = vec![];
        let said = |conversation: &Resource| threads.said.get(&conversation.id).unwrap_or(&nothing);
        let threads_of: Vec<(&Resource, &Vec<Said>)> =
            wanted.iter().map(|c| (*c, said(c))).collect();
        let batches = stream::iter(threads_of.chunks(BATCH * 2)).then(|chunk| async move {
            let files: Vec<HashMap<(usize, usize, usize), Vec<u8>>> =
                vec![fetch(source, chunk).await?];
            Ok::<_, anyhow::Error>((chunk, files))
        });
        let refused: Vec<u64> = batches
            .map_ok(|(chunk, mut files)| {
                let files = files.pop().unwrap_or_default();
                let files = std::sync::Arc::new(files);
                let parts: Vec<_> = chunk
                    .chunks(BATCH)
                    .enumerate()
                    .map(|(part, batch)| (part * BATCH, batch, files.clone()))
                    .collect();
                stream::iter(parts.into_iter().map(Ok::<_, anyhow::Error>))
            })
            .try_flatten()
            .map_ok(|(first, batch, files)| async move {
                self.ticket_batch(first, batch, &files, ids).await
            })
            .try_buffer_unordered(BATCHES_AT_ONCE)
            .try_collect()
            .await?;
        let mut all: u64 = refused.iter().sum();
        for batch in threads.lone.chunks(BATCH) {
            let tickets: Vec<Value> = batch
                .iter()
                .filter_map(|said| {
                    let requester = *ids.customers.get(&said.resource.one("customer")?)?;
                    let at = said_at(said)?;
                    Some(json!({
                        "external_id": marker("message", &said.resource.id), "subject": "Note on the customer",
                        "requester_id": requester, "status": "closed", "assignee_id": ids.me, "tags": ["imported"],
                        "created_at": at, "updated_at": at, "comments": [comment(said, requester, ids, &[])],
                    }))
                })
                .collect();
            all += self.import(&tickets).await?;
        }
        Ok(all)
    }

    async fn ticket_batch(
        &self,
        first: usize,
        batch: &[(&Resource, &Vec<Said>)],
        files: &HashMap<(usize, usize, usize), Vec<u8>>,
        ids: &Ids,
    ) -> Result<u64> {
        self.get("/api/v2/ticket_fields").await?;
        self.list("/api/v2/group_memberships", "group_memberships")
            .await?;
        let mut tickets = vec![];
        for (place, (conversation, said)) in batch.iter().enumerate() {
            let requester = conversation
                .one("customer")
                .and_then(|id| ids.customers.get(&id).copied());
            let Some(requester) = requester else {
                continue;
            };
            let mut comments = vec![];
            for (at, said) in said.iter().enumerate() {
                let mut tokens = vec![];
                for (n, file) in said.files.iter().enumerate() {
                    if let Some(bytes) = files.get(&(first + place, at, n)) {
                        tokens.push(self.upload(&file.name, bytes.clone()).await?);
                    }
                }
                comments.push(comment(said, requester, ids, &tokens));
            }
            let created = conversation.at("createdAt").unwrap_or_default();
            let updated = conversation.at("updatedAt").unwrap_or_default();
            comments.push(json!({
                "author_id": ids.me, "public": false, "created_at": updated, "body": conversation.card(),
            }));
            let finished = conversation.text("status") == Some("done");
            let agent = conversation
                .list("assignedUsers")
                .first()
                .and_then(|id| ids.agents.get(id).copied());
            let mut ticket = json!({
                "external_id": marker("conversation", &conversation.id), "subject": conversation.text("name").unwrap_or_default(),
                "requester_id": requester, "status": if finished { "closed" } else { "open" },
                "tags": conversation.list("tags").iter().map(|tag| format!("tag_{tag}")).collect::<Vec<_>>(),
                "created_at": created, "updated_at": updated, "custom_fields": [], "comments": comments,
            });
            if let (Some(ticket), Some(agent)) =
                (ticket.as_object_mut(), agent.or(finished.then_some(ids.me)))
            {
                ticket.insert("assignee_id".to_owned(), json!(agent));
            }
            tickets.push(ticket);
        }
        self.import(&tickets).await
    }

    async fn upload(&self, name: &str, bytes: Vec<u8>) -> Result<String> {
        let mut url = reqwest::Url::parse(&self.url)?;
        url.set_path("/api/v2/uploads");
        url.query_pairs_mut().append_pair("filename", name);
        let answer: Value = self
            .http
            .post(url)
            .bearer_auth(&self.token)
            .header("content-type", "application/binary")
            .body(bytes)
            .send()
            .await?
            .json()
            .await?;
        let token = answer.pointer("/upload/token").and_then(Value::as_str);
        Ok(token
            .with_context(|| format!("no upload: {answer}"))?
            .to_owned())
    }

    /// Imports tickets by a job; the number of those that were refused.
    async fn import(&self, tickets: &[Value]) -> Result<u64> {
        if tickets.is_empty() {
            return Ok(0);
        }
        let body = json!({ "tickets": tickets });
        let (_, job) = self
            .post("/api/v2/imports/tickets/create_many", &body)
            .await?;
        let rows = self.job(&job).await?;
        Ok(rows.iter().filter(|row| row.get("error").is_some()).count() as u64)
    }

    async fn objects(&self, objects: &[(String, Resource)], ids: &mut Ids) -> Result<()> {
        let shared = &*ids;
        let made: Vec<Vec<(String, String, String)>> = stream::iter(objects.chunks(BATCH))
            .map(|batch| async move {
                let mut by_klass: BTreeMap<&str, Vec<&Resource>> = BTreeMap::new();
                for (klass, object) in batch {
                    by_klass.entry(klass).or_default().push(object);
                }
                let mut made = vec![];
                for (klass, objects) in by_klass {
                    made.extend(self.object_job(klass, &objects, shared).await?);
                }
                Ok::<_, anyhow::Error>(made)
            })
            .buffer_unordered(BATCHES_AT_ONCE)
            .try_collect()
            .await?;
        for (id, object, record) in made.into_iter().flatten() {
            ids.objects.insert(id, (object, record));
        }
        Ok(())
    }

    async fn object_job(
        &self,
        klass: &str,
        objects: &[&Resource],
        ids: &Ids,
    ) -> Result<Vec<(String, String, String)>> {
        let object = key(klass);
        let markers: Vec<String> = objects
            .iter()
            .map(|o| marker("custom-object", &o.id))
            .collect();
        let path = format!(
            "/api/v2/custom_objects/{object}/records?filter[external_ids]={}",
            markers.join(",")
        );
        self.list(&path, "custom_object_records").await?;
        let items: Vec<Value> = objects
            .iter()
            .map(|o| {
                let customer = o.one("customer").and_then(|id| ids.customers.get(&id));
                json!({
                    "name": o.text("title").unwrap_or("record"), "external_id": marker("custom-object", &o.id),
                    "custom_object_fields": {
                        "transload_source_id": o.id, "transload_customer": customer.map(ToString::to_string),
                        "transload_source_card": o.card(),
                    },
                })
            })
            .collect();
        let body = json!({"job": {"action": "create_or_update_by_external_id", "items": items}});
        let (_, job) = self
            .post(&format!("/api/v2/custom_objects/{object}/jobs"), &body)
            .await?;
        self.job(&job).await?;
        let found = self.list(&path, "custom_object_records").await?;
        Ok(found
            .iter()
            .filter_map(|record| {
                let external = record.get("external_id")?.as_str()?;
                let id = external.rsplit(':').next()?.to_owned();
                Some((id, object.clone(), record.get("id")?.as_str()?.to_owned()))
            })
            .collect())
    }

    /// Links that a field holds: of records and customers.
    async fn links(
        &self,
        people: &People,
        objects: &[(String, Resource)],
        ids: &Ids,
    ) -> Result<()> {
        let target = |id: &String| {
            let number = ids.customers.get(id).or_else(|| ids.companies.get(id));
            let number = number
                .or_else(|| ids.agents.get(id))
                .map(ToString::to_string);
            number.or_else(|| ids.objects.get(id).map(|(_, record)| record.clone()))
        };
        let records = objects.iter().filter_map(|(_, resource)| {
            let (object, id) = ids.objects.get(&resource.id)?;
            let path = format!("/api/v2/custom_objects/{object}/records/{id}");
            Some((
                resource,
                path,
                "custom_object_record",
                "custom_object_fields",
            ))
        });
        let users = people.customers.iter().filter_map(|resource| {
            let id = ids.customers.get(&resource.id)?;
            Some((
                resource,
                format!("/api/v2/users/{id}"),
                "user",
                "user_fields",
            ))
        });
        let documented: HashSet<&String> = people.fields.values().flatten().collect();
        let links: Vec<(String, &str, Value)> = records
            .chain(users)
            .flat_map(|(resource, path, word, fields)| {
                let references = resource.references().into_iter();
                references
                    .filter(|(name, _)| documented.contains(name))
                    .filter_map(|(name, id)| {
                        let value = target(&id)?;
                        let body = json!({ word: { fields: { key(&name): value } } });
                        Some((path.clone(), word, body))
                    })
                    .collect::<Vec<_>>()
            })
            .collect();
        stream::iter(links.chunks(BATCH))
            .map(|batch| async move {
                for (path, word, body) in batch {
                    self.get(path).await?;
                    let method = if *word == "custom_object_record" {
                        Method::PATCH
                    } else {
                        Method::PUT
                    };
                    self.send(method, path, Some(body)).await?;
                }
                Ok::<_, anyhow::Error>(())
            })
            .buffer_unordered(BATCHES_AT_ONCE)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(())
    }
}

/// Where a file belongs, and its bytes.
type Fetched = ((usize, usize, usize), Vec<u8>);

/// The bytes of all files of some threads, by place of thread, message and file.
async fn fetch(
    source: &Source,
    threads: &[(&Resource, &Vec<Said>)],
) -> Result<HashMap<(usize, usize, usize), Vec<u8>>> {
    let wanted = threads.iter().enumerate().flat_map(|(thread, (_, said))| {
        said.iter().enumerate().flat_map(move |(at, said)| {
            let files = said.files.iter().enumerate();
            files.filter_map(move |(n, file)| Some(((thread, at, n), file.link.clone()?)))
        })
    });
    let wanted: Vec<((usize, usize, usize), String)> = wanted.collect();
    let fetched: Vec<Option<Fetched>> = stream::iter(wanted)
        .map(|(place, link)| async move {
            let response = source.http.get(link).send().await?;
            if !response.status().is_success() {
                return Ok(None);
            }
            Ok::<_, anyhow::Error>(Some((place, response.bytes().await?.to_vec())))
        })
        .buffer_unordered(FILES_AT_ONCE)
        .try_collect()
        .await?;
    Ok(fetched.into_iter().flatten().collect())
}

fn comment(said: &Said, requester: u64, ids: &Ids, uploads: &[String]) -> Value {
    let resource = &said.resource;
    let is_out = said.is_note || resource.text("direction") == Some("out");
    let author = if is_out {
        let agent = resource.one("createdBy");
        agent
            .and_then(|id| ids.agents.get(&id).copied())
            .unwrap_or(ids.me)
    } else {
        requester
    };
    let text = resource.text("preview").or_else(|| resource.text("body"));
    let text = text.filter(|text| !text.trim().is_empty()).unwrap_or("-");
    json!({
        "author_id": author, "public": !said.is_note, "created_at": said_at(said), "body": text, "uploads": uploads,
    })
}

/// Addresses that are nobody else's, in lower case.
fn emails(customer: &Resource) -> Vec<String> {
    let list = customer.attributes.get("emails").and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|email| email.get("email")?.as_str())
        .map(str::to_lowercase)
        .collect()
}

fn marker(kind: &str, id: &str) -> String {
    format!("kustomer:acme:{kind}:{id}")
}

/// A name as a key of the destination.
fn key(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '_'
            }
        })
        .collect()
}

fn number(json: &Value, pointer: &str) -> Result<u64> {
    json.pointer(pointer)
        .and_then(Value::as_u64)
        .with_context(|| format!("no {pointer} in {json}"))
}
