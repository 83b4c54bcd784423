//! The connector on the SDK's harness, the harness on the simulator's router: no socket, no time but the simulator's.
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use serde_json::{Map, Value, json};
use transload_plugin_kustomer::Kustomer;
use transload_sdk::http::{Body, Header, Request, Response};
use transload_sdk::session::Notice;
use transload_sdk::source::Partition;
use transload_sdk::testing::{Harness, answer};
use transload_sdk::types::{Entity, Entry, Kind, Visibility};
use transload_sdk::{Context, Source};
use transload_simulators::common::ask;
use transload_simulators::kustomer::{Config, FULL_KEY, Simulator, Switches};

/// Kinds that have parts of their own.
pub const KINDS: [Kind; 13] = [
    Kind::Team,
    Kind::Agent,
    Kind::Tag,
    Kind::Brand,
    Kind::FieldDefinition,
    Kind::ObjectType,
    Kind::Company,
    Kind::Customer,
    Kind::Conversation,
    Kind::Message,
    Kind::CustomObject,
    Kind::Category,
    Kind::Article,
];

/// Records by kind and id.
pub type Entries = BTreeMap<(String, String), Entry>;

/// What one partition, with all that it was split into, gave.
pub struct ReadPart {
    /// Its id.
    pub id: String,
    /// Distinct records of its kind.
    pub rows: u64,
    /// Partitions that were read: itself, and those it was split into.
    pub windows: u64,
    /// All that came.
    pub entries: Entries,
}

/// Keeps a record as a host does: a newer one takes the place of an older one, no other does.
pub fn stage(into: &mut Entries, entry: Entry) {
    let key = (entry.head.kind.word().to_owned(), entry.head.id.clone());
    let older = into
        .get(&key)
        .is_none_or(|staged| entry.head.updated_at > staged.head.updated_at);
    if older {
        into.insert(key, entry);
    }
}

/// A simulated account with its connector.
pub struct Account {
    pub sim: Simulator,
    settings: Map<String, Value>,
    token: String,
    state: Option<String>,
    notices: RefCell<Vec<Notice>>,
}

impl Account {
    pub fn without_discovery(config: Config) -> Self {
        let token = config
            .keys
            .first()
            .map_or_else(|| FULL_KEY.to_owned(), |key| key.token.clone());
        let sim = Simulator::new(config);
        let mut settings = Map::new();
        settings.insert("org".to_owned(), json!("acme"));
        Self {
            sim,
            settings,
            token,
            state: None,
            notices: RefCell::default(),
        }
    }

    pub async fn new(config: Config) -> Self {
        let mut account = Self::without_discovery(config);
        account.discover().await;
        account
    }

    /// Looks around, and gives what there is to say.
    pub async fn discover(&mut self) -> Vec<Notice> {
        let found = Kustomer::discover(&self.cx()).await.unwrap();
        self.state = Some(found.state);
        found.notices
    }

    /// An account whose platform sets no limits.
    pub fn config(size: usize, switches: Switches) -> Config {
        Config {
            size,
            switches,
            searches_per_minute: u64::MAX / 2,
            requests_per_minute: u64::MAX / 2,
            ..Config::default()
        }
    }

    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.settings.insert(name.to_owned(), value.into());
    }

    pub fn now(&self) -> i64 {
        self.sim.harness().clock.now_ms()
    }

    /// A host for one unit, whose platform is the simulator's router.
    pub fn harness(&self) -> Harness {
        let (router, token) = (self.sim.router(), self.token.clone());
        let harness = Harness::new(move |request| send(router.clone(), token.clone(), request))
            .config(&Value::Object(self.settings.clone()))
            .now(self.now());
        match &self.state {
            Some(state) => harness.state(state.clone()),
            None => harness,
        }
    }

    pub fn cx(&self) -> Context {
        self.harness().context()
    }

    /// The bytes of a file, as a host gets them.
    pub async fn open(&self, attachment: &Entry) -> Vec<u8> {
        let harness = self.harness();
        let blob = Kustomer::open_attachment(&harness.context(), attachment.clone())
            .await
            .unwrap();
        harness.blob(&blob).unwrap()
    }

    pub fn notices(&self) -> Vec<Notice> {
        self.notices.borrow().clone()
    }

    pub async fn drain(&self, kind: &Kind, since: Option<i64>) -> Entries {
        self.drain_until(kind, since, self.now() + 1).await
    }

    pub async fn drain_until(&self, kind: &Kind, since: Option<i64>, until: i64) -> Entries {
        let mut made = Entries::new();
        for part in self.parts(kind, since, until).await {
            for entry in part.entries.into_values() {
                stage(&mut made, entry);
            }
        }
        made
    }

    pub async fn drain_parts(&self, kind: &Kind, since: Option<i64>) -> Vec<ReadPart> {
        self.parts(kind, since, self.now() + 1).await
    }

    /// All that one partition gives.
    pub async fn drain_part(&self, part: &Partition) -> Entries {
        self.whole(part.clone()).await.entries
    }

    async fn parts(&self, kind: &Kind, since: Option<i64>, until: i64) -> Vec<ReadPart> {
        let parts = Kustomer::partitions(&self.cx(), kind.clone(), since, until)
            .await
            .unwrap();
        let again = Kustomer::partitions(&self.cx(), kind.clone(), since, until)
            .await
            .unwrap();
        assert_eq!(parts, again, "partitions are stable");
        let mut made = Vec::new();
        for part in parts {
            made.push(self.whole(part).await);
        }
        made
    }

    /// Reads a partition and all that it is split into.
    async fn whole(&self, part: Partition) -> ReadPart {
        let kind = part.kind.word().to_owned();
        let mut whole = ReadPart {
            id: part.id.clone(),
            rows: 0,
            windows: 0,
            entries: Entries::new(),
        };
        let mut open = vec![part];
        let mut seen = BTreeSet::new();
        while let Some(part) = open.pop() {
            assert!(seen.insert(part.id.clone()), "{} is read once", part.id);
            whole.windows += 1;
            open.extend(self.part(&part, &mut whole).await);
        }
        whole.rows = whole.entries.keys().filter(|(k, _)| *k == kind).count() as u64;
        whole
    }

    /// Reads a partition as a host does: pages to the end, a page that is not to be trusted again, and in the end as many
    /// distinct ids as the source says there are.
    async fn part(&self, part: &Partition, into: &mut ReadPart) -> Vec<Partition> {
        let mut cursor = None;
        let mut ids = BTreeSet::new();
        for _ in 0..10_000 {
            let page = Kustomer::read(&self.cx(), part, cursor.clone())
                .await
                .unwrap_or_else(|e| panic!("{}: {e:?}", part.id));
            self.notices.borrow_mut().extend(page.notices);
            if page.retry {
                continue;
            }
            for entry in page.records {
                if entry.head.kind == part.kind {
                    ids.insert(entry.head.id.clone());
                }
                stage(&mut into.entries, entry);
            }
            if !page.split.is_empty() {
                return page.split;
            }
            if page.next.is_none() {
                if let Some(total) = page.total {
                    // Never fewer. A row read at the edge of a page may have been touched and left the window since.
                    assert!(
                        ids.len() as u64 >= total,
                        "{}: {} of {total}",
                        part.id,
                        ids.len()
                    );
                }
                return Vec::new();
            }
            assert_ne!(page.next, cursor, "{} goes on", part.id);
            cursor = page.next;
        }
        panic!("{} does not end", part.id);
    }
}

/// One request to the router; as a host does it, with the key unless it is anonymous.
async fn send(router: Router, token: String, request: Request) -> Response {
    let bearer = (!request.anonymous).then_some(token.as_str());
    let headers = request.headers.into_iter().map(|h| (h.name, h.value));
    let body = match request.body {
        Body::Bytes(bytes) => bytes,
        _ => Vec::new(),
    };
    let (method, url) = (request.method.as_str(), request.url.as_str());
    let Some(got) = ask(router, method, url, headers, bearer, body).await else {
        return answer(400, "not a request");
    };
    let header = |(name, value)| Header { name, value };
    Response {
        status: got.status,
        headers: got.headers.into_iter().map(header).collect(),
        body: got.body,
        attempted_before: false,
    }
}

/// Whether a granted path (`*` within a segment, `**` across) covers a path.
pub fn glob(pattern: &str, path: &str) -> bool {
    fn segments(pattern: &[&str], path: &[&str]) -> bool {
        match (pattern, path) {
            ([], []) => true,
            (["**", rest @ ..], _) => (0..=path.len()).any(|n| segments(rest, &path[n..])),
            ([first, rest @ ..], [here, left @ ..]) => {
                let fits = match first.split_once('*') {
                    Some((begin, end)) => {
                        here.len() >= begin.len() + end.len()
                            && here.starts_with(begin)
                            && here.ends_with(end)
                    }
                    None => first == here,
                };
                fits && segments(rest, left)
            }
            _ => false,
        }
    }
    segments(
        &pattern.split('/').collect::<Vec<_>>(),
        &path.split('/').collect::<Vec<_>>(),
    )
}

/// Whether a record is a note.
pub fn is_note(entry: &Entry) -> bool {
    matches!(&entry.data, Entity::Message(message) if message.visibility == Visibility::Internal)
}
