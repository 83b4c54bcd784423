//! Effects stay exact beyond kills and lost answers: what is applied late, what has expired, what moves while it is read, what
//! others add, what is still going on at the vendor, who owns the run, what a disk or a token did not keep, what comes in
//! another order.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;
use transload_e2e::engine::{
    Draw, Work, assert_arrived, assert_same, assert_taken_back, dies_by, fingerprint,
    killed_again_and_again, killed_at, killed_when, runtime, small, sorted, tiny, to_the_end,
    undisturbed, undisturbed_at, yes,
};
use transload_e2e::{Destination, Lab, LabConfig, Silent, compare};
use transload_host::error::Error;
use transload_host::gateway::{
    InResponse, OutRequest, ReqwestTransport, Transport, TransportError,
};
use transload_host::pipeline::model::{
    Events, LossGroup, Notice, RollbackOptions, RunReport, RunState,
};
use transload_host::pipeline::{rollback, run};
use transload_simulators::common::{Action, Fault, Harness, Hold, Occurrence, PathPattern};
use transload_simulators::kustomer::Kind;

mod blocking {
    use super::*;
    transload_e2e::destinations!(blocking a_run_that_is_resumed_when_everything_has_expired_ends_like_any_other, a_write_that_times_out_and_is_applied_90_seconds_later_is_not_made_again, a_rollback_that_is_killed_goes_on_where_it_was, an_owner_that_stood_still_sends_nothing_after_it_was_replaced, what_a_store_lost_since_its_newest_intent_is_made_up_for, answers_in_another_order_lead_to_the_same_end);
}

transload_e2e::destinations!(
    a_record_that_is_touched_between_two_pages_is_neither_lost_nor_there_twice,
    a_field_that_is_found_with_records_after_the_fields_are_loaded_is_there_before_its_values
);

const HOUR_MS: i64 = 3_600_000;

fn fault(method: &str, path: &str, occurrence: Occurrence, action: Action) -> Fault {
    Fault {
        method: Some(method.to_owned()),
        path: PathPattern::new(path),
        occurrence,
        action,
    }
}

fn a_write_that_times_out_and_is_applied_90_seconds_later_is_not_made_again<D: Destination>() {
    let seed = 21;
    let outside = runtime();
    let whole = outside.block_on(undisturbed_at::<D>(small(seed)));
    outside.block_on(async {
        let lab = Lab::<D>::of(small(seed)).await.unwrap();
        let before = sorted(lab.destination.state_fingerprint());
        let late = |status| Action::ApplyLate { ms: 90_000, status };
        for (number, (method, path)) in D::CREATIONS.iter().enumerate() {
            let status = (number % 2 == 0).then_some(504);
            let once = Occurrence::Between(1, 1);
            let faults = &lab.destination.harness().faults;
            faults.add(fault(method, path, once, late(status)));
        }
        let report = to_the_end(&lab, &Arc::default()).await;
        // Where a platform refuses the second of two, nobody waits for the first: it comes when the run has ended.
        lab.time.shown.advance(90_000);
        lab.destination.harness().apply_due().await;
        let what = format!("seed {seed}: applied 90 s late");
        let records = lab.destination.harness().recorder.all();
        let played = records.iter().filter(|r| r.fault.is_some()).count();
        assert!(played > 2, "{what}: hardly any fault was played");
        assert_eq!(lab.destination.harness().pending_late(), 0, "{what}");
        assert_arrived(&lab, &whole.fingerprint, &report, &what);
        assert_taken_back(&lab, &before, &what).await;
    });
}

fn a_run_that_is_resumed_when_everything_has_expired_ends_like_any_other<D: Destination>() {
    let seed = 22;
    let outside = runtime();
    let whole = outside.block_on(undisturbed_at::<D>(small(seed)));
    let kills = [
        (whole.boundaries / 4, 3 * HOUR_MS),
        (whole.boundaries / 2, 3 * 24 * HOUR_MS),
        (whole.boundaries * 7 / 8, 21 * 24 * HOUR_MS),
    ];
    for (n, later) in kills {
        let lab = outside.block_on(Lab::<D>::of(small(seed))).unwrap();
        let boundary = killed_at(&outside, &lab, Work::Run, n).unwrap();
        let what = format!(
            "seed {seed}, killed at {n} ({boundary}), {} h later",
            later / HOUR_MS
        );
        println!("{what}");
        lab.time.shown.advance(later);
        lab.renew_credential().unwrap();
        outside.block_on(async {
            let report = to_the_end(&lab, &Arc::default()).await;
            assert_eq!(report.state, RunState::Complete, "{what}");
            // Tickets that were closed meanwhile by the vendor's own rules differ in their status alone, and only after weeks.
            assert_eq!((report.duplicates, report.lost), (0, 0), "{what}");
            assert_arrived(&lab, &whole.fingerprint, &report, &what);
        });
    }
}

async fn a_record_that_is_touched_between_two_pages_is_neither_lost_nor_there_twice<
    D: Destination,
>() {
    let mut config = small(23);
    config.size = 40;
    let lab = Lab::<D>::of(config).await.unwrap();
    // Touched one after the other while the source is read: each moves to the end of what is still to be read.
    for number in (10..70).step_by(5) {
        lab.source.after_request(number, move |source| {
            let ids = source.world().ids(Kind::Conversation);
            let at = usize::try_from(number).unwrap() % ids.len();
            assert!(source.touch_conversation(&ids[at]));
        });
    }
    let report = to_the_end(&lab, &Arc::default()).await;
    assert_eq!(report.state, RunState::Complete);
    assert_eq!((report.duplicates, report.lost), (0, 0));
    assert_eq!(report.total.shortfall, 0);
    let found = compare(&lab.source, &lab.destination).await.unwrap();
    assert!(found.is_equal(), "{:#?}", found.differences);
}

/// In a search for customers.
const CUSTOMERS: &str = r#""queryContext":"customer""#;

/// From when reading begins, customers, and what is read after them, are found late.
struct SlowSearches {
    harness: Harness,
    held: Mutex<Option<Hold>>,
}

impl Events for SlowSearches {
    fn phase(&self, name: &str) {
        if name == "extract" {
            *self.held.lock().unwrap() = Some(self.harness.hold("/v1/customers/search", CUSTOMERS));
        }
    }

    fn progress(&self, _: &str, _: u64, _: Option<u64>) {}
    fn paused(&self, _: &str, _: Option<&str>) {}
    fn notice(&self, _: &Notice) {}
}

async fn a_field_that_is_found_with_records_after_the_fields_are_loaded_is_there_before_its_values<
    D: Destination,
>() {
    let lab = Lab::<D>::of(small(25)).await.unwrap();
    let quick = to_the_end(&lab, &Arc::default()).await;
    let lab = Lab::<D>::of(small(25)).await.unwrap();
    let project = lab.project().await.unwrap();
    let count = async |sql: &'static str| project.store.number(sql, vec![]).await.unwrap();
    let fields = "SELECT count(*) FROM staged WHERE kind = 'field-definition'";
    // Customers are not found before tags are loaded, which come after fields everywhere.
    let slow = SlowSearches {
        harness: lab.source.harness().clone(),
        held: Mutex::default(),
    };
    let let_go = async {
        while count("SELECT count(*) FROM outcomes WHERE kind = 'tag'").await == 0 {
            tokio::task::yield_now().await;
        }
        let before = count(fields).await;
        assert!(slow.held.lock().unwrap().take().is_some());
        before
    };
    let (report, before) = tokio::join!(run(&project, yes(), &slow), let_go);
    let after = count(fields).await;
    assert!(after > before, "every field was defined: {before}, {after}");
    let found = compare(&lab.source, &lab.destination).await.unwrap();
    assert!(found.is_equal(), "{:#?}", found.differences);
    // A value without a field would be one loss more.
    let losses = |report: &RunReport| {
        let counted = report.losses.iter();
        let line = |loss: &LossGroup| (loss.field.clone(), loss.note.clone(), loss.count);
        counted.map(line).collect::<BTreeSet<_>>()
    };
    assert_eq!(losses(&report.unwrap()), losses(&quick));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_else_hung_on_a_record_keeps_it_from_being_taken_back() {
    let lab = Lab::new(small(24)).await.unwrap();
    let report = to_the_end(&lab, &Arc::default()).await;
    assert_eq!(report.state, RunState::Complete);
    let snapshot = lab.destination.snapshot();
    let ours = snapshot.users.iter().find(|user| {
        let id = user.external_id.as_deref().unwrap_or_default();
        id.starts_with("kustomer:") && id.contains(":customer:")
    });
    let (user, email) = ours.map(|u| (u.id, u.external_id.clone())).unwrap();
    let theirs = lab
        .destination
        .add_ticket_for(user, "A new question")
        .unwrap();

    let project = lab.project().await.unwrap();
    let undone = rollback(&project, RollbackOptions::default(), &Silent)
        .await
        .unwrap();
    let left: Vec<_> = undone
        .problems
        .iter()
        .filter(|p| p.kind == "customer")
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0].status, "conflict");
    assert!(email.unwrap().ends_with(&left[0].source_id));
    assert!(undone.left >= 1);
    let after = lab.destination.snapshot();
    assert!(after.users.iter().any(|u| u.id == user && u.active));
    assert!(
        after
            .tickets
            .iter()
            .any(|t| t.id == theirs && t.deleted.is_none())
    );
    let ours = |t: &&transload_simulators::zendesk::model::Ticket| {
        t.external_id
            .as_deref()
            .is_some_and(|id| id.starts_with("kustomer:"))
            && t.deleted.is_none()
    };
    assert_eq!(
        after.tickets.iter().filter(ours).count(),
        0,
        "{:?}",
        undone.problems
    );
}

#[test]
fn a_rollback_that_begins_while_a_job_of_the_vendor_runs_waits_for_it() {
    let seed = 25;
    let outside = runtime();
    let lab = outside.block_on(Lab::new(small(seed))).unwrap();
    let before = sorted(lab.destination.state_fingerprint());
    let recorder = lab.destination.harness().recorder.clone();
    // Dead when the job is begun and its answer is durable: the vendor works on it for a while yet.
    let killed = killed_when(&outside, &lab, Work::Run, move |_, boundary| {
        let begun = |r: &transload_simulators::common::Record| {
            r.path.ends_with("/imports/tickets/create_many")
        };
        boundary == "Answered" && recorder.all().iter().any(begun)
    });
    assert!(killed.is_some(), "no job was begun");
    let imported = lab.destination.snapshot();
    let imported = imported.tickets.iter().filter(|t| t.imported).count();
    println!("seed {seed}: {imported} tickets were there when the rollback began");
    outside.block_on(assert_taken_back(&lab, &before, "a job was running"));
}

fn a_rollback_that_is_killed_goes_on_where_it_was<D: Destination>() {
    let seed = 26;
    let outside = runtime();
    for n in [1, 40, 111] {
        let lab = outside.block_on(Lab::<D>::of(small(seed))).unwrap();
        let before = sorted(lab.destination.state_fingerprint());
        outside.block_on(to_the_end(&lab, &Arc::default()));
        let boundary = killed_at(&outside, &lab, Work::Rollback, n);
        let what = format!("seed {seed}, rollback killed at boundary {n} ({boundary:?})");
        assert!(boundary.is_some(), "{what}");
        outside.block_on(assert_taken_back(&lab, &before, &what));
    }
}

fn an_owner_that_stood_still_sends_nothing_after_it_was_replaced<D: Destination>() {
    let seed = 27;
    let outside = runtime();
    let whole = outside.block_on(undisturbed_at::<D>(small(seed)));
    let lab = outside.block_on(Lab::<D>::of(small(seed))).unwrap();
    let before = sorted(lab.destination.state_fingerprint());

    // The first owner stops, thread and all, when an intent is durable and its request has not left: as by SIGSTOP.
    let (stopped, has_stopped) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let may_go_on = std::sync::Mutex::new(may_go_on);
    let mut first = outside.block_on(lab.project()).unwrap();
    let passed = std::sync::atomic::AtomicU64::new(0);
    first.boundary = Some(Arc::new(move |boundary| {
        let number = passed.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        if number >= 200 && format!("{boundary:?}") == "Intended" {
            let _ = stopped.send(());
            let _ = may_go_on.lock().unwrap().recv();
        }
        Box::pin(async {})
    }));
    let owner = std::thread::spawn(move || {
        let own = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        own.block_on(run(&first, yes(), &Silent))
    });
    has_stopped.recv_timeout(Duration::from_secs(300)).unwrap();
    lab.time.stand_still(Duration::from_secs(600));
    let report = outside.block_on(to_the_end(&lab, &Arc::default()));
    let what = format!("seed {seed}: taken over");
    assert_arrived(&lab, &whole.fingerprint, &report, &what);
    let sent = lab.destination.harness().recorder.all().len();
    let there = fingerprint(&lab, &report.run);

    // It goes on, and finds that its time is over before anything leaves.
    for _ in 0..2 {
        let _ = go_on.send(());
    }
    drop(go_on);
    let refused = owner.join().unwrap().unwrap_err();
    assert!(matches!(refused, Error::Environment(_)), "{refused}");
    let changing = lab.destination.harness().recorder.all();
    let changing: Vec<_> = changing[sent..]
        .iter()
        .filter(|r| r.method != "GET")
        .collect();
    assert!(changing.is_empty(), "{changing:?}");
    assert_same(&there, &fingerprint(&lab, &report.run), &what);
    outside.block_on(assert_taken_back(&lab, &before, &what));
}

/// The files of a store, as they are at one moment.
struct Kept {
    store: Vec<u8>,
    log: Vec<u8>,
}

impl Kept {
    /// Both files belong together if the first did not change while the second was read.
    fn of(dir: &Path) -> Self {
        let store = || std::fs::read(dir.join("transload.db")).unwrap();
        let mut before = store();
        loop {
            let log = std::fs::read(dir.join("transload.db-wal")).unwrap();
            let after = store();
            if before == after {
                return Self { store: after, log };
            }
            before = after;
        }
    }

    /// Puts them in a store's place: in other files, in a folder of another name, since what is left of the killed process has
    /// its own open still, and tidies them up by their path.
    fn restore<D: Destination>(self, lab: &mut Lab<D>) {
        let dir = lab.dir.with_file_name("restored");
        std::fs::rename(&lab.dir, &dir).unwrap();
        lab.dir = dir;
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(lab.dir.join(format!("transload.db{end}")));
        }
        std::fs::write(lab.dir.join("transload.db"), self.store).unwrap();
        std::fs::write(lab.dir.join("transload.db-wal"), self.log).unwrap();
    }
}

/// Runs until boundary `dies`, keeping the store as it is at the last boundary before of which `keeps` says so, and then puts
/// that in its place: all that came later was not on the disk.
fn without_the_last_commits<D: Destination>(
    outside: &Runtime,
    lab: &mut Lab<D>,
    dies: u64,
    keeps: impl Fn(u64, &str) -> bool + Send + Sync + 'static,
) -> String {
    let copy = Arc::new(Mutex::new(None));
    let (keep, dir) = (Arc::clone(&copy), lab.dir.clone());
    let boundary = killed_when(outside, lab, Work::Run, move |passed, name| {
        if keeps(passed, name) {
            *keep.lock().unwrap() = Some((passed, Kept::of(&dir)));
        }
        passed >= dies
    });
    let (kept, copy) = copy.lock().unwrap().take().unwrap();
    copy.restore(lab);
    format!("killed at {dies} ({boundary:?}), the store as it was at {kept}")
}

fn what_a_store_lost_since_its_newest_intent_is_made_up_for<D: Destination>() {
    let outside = runtime();
    let whole = outside.block_on(undisturbed_at::<D>(tiny()));
    for dies in (5..whole.boundaries).step_by(23) {
        let mut lab = outside.block_on(Lab::<D>::of(tiny())).unwrap();
        let before = sorted(lab.destination.state_fingerprint());
        let what = without_the_last_commits(&outside, &mut lab, dies, |_, name| name == "Intended");
        println!("{what}");
        let report = outside.block_on(to_the_end(&lab, &Arc::default()));
        assert_arrived(&lab, &whole.fingerprint, &report, &what);
        outside.block_on(assert_taken_back(&lab, &before, &what));
    }
}

/// No store with `synchronous=FULL` forgets an intent that it said was durable; a disk that lies about it does. What was made
/// under such an intent is found again by its marker, or refused by the platform and named, where the platform has a unique key
/// for it; a ticket's import has none, and nothing can know that it was sent. Nothing is lost, and nobody is mailed.
#[test]
fn a_disk_that_forgets_intents_loses_nothing_and_nobody_is_mailed() {
    let outside = runtime();
    let whole = outside.block_on(undisturbed(tiny()));
    for (kept, lost) in [(40, 40), (90, 12), (150, 40), (190, 30), (229, 14)] {
        let mut lab = outside.block_on(Lab::new(tiny())).unwrap();
        let keeps = move |passed, _: &str| passed == kept;
        let what = without_the_last_commits(&outside, &mut lab, kept + lost, keeps);
        let report = outside.block_on(to_the_end(&lab, &Arc::default()));
        println!("{what}: {} rejected", report.total.rejected);
        assert_eq!(report.state, RunState::Complete, "{what}");
        assert_eq!(report.lost, 0, "{what}");
        let found = outside
            .block_on(compare(&lab.source, &lab.destination))
            .unwrap();
        println!("{} there twice", found.duplicates);
        if report.rejects.is_empty() && found.duplicates == 0 {
            assert_arrived(&lab, &whole.fingerprint, &report, &what);
        }
        assert_eq!(lab.destination.outbox().all(), [], "{what}");
    }
}

fn answers_in_another_order_lead_to_the_same_end<D: Destination>() {
    let outside = runtime();
    let config = small(29);
    let whole = outside.block_on(undisturbed_at::<D>(config.clone()));
    for seed in [1, 2] {
        let lab = outside.block_on(Lab::<D>::of(config.clone())).unwrap();
        let before = sorted(lab.destination.state_fingerprint());
        lab.source.harness().shuffle(seed);
        lab.destination.harness().shuffle(seed);
        // So that journals are replayed against another order, too.
        let mut draw = Draw::new(seed);
        let kills = killed_again_and_again(&outside, &lab, Work::Run, &mut draw, 100..=400);
        let what = format!(
            "seed {}, shuffled by {seed}, killed {kills} times",
            config.seed
        );
        println!("{what}");
        let report = outside.block_on(to_the_end(&lab, &Arc::default()));
        assert_arrived(&lab, &whole.fingerprint, &report, &what);
        outside.block_on(assert_taken_back(&lab, &before, &what));
    }
}

const TOKENS: &str = "/oauth/tokens";

/// The wire, on which the process dies when the n-th answer of the token endpoint is there and nobody has read it.
struct Dying {
    wire: ReqwestTransport,
    left: Mutex<u32>,
    death: tokio::sync::mpsc::UnboundedSender<String>,
}

#[async_trait]
impl Transport for Dying {
    async fn resolve(
        &self,
        host: &str,
        port: u16,
    ) -> Result<Vec<std::net::SocketAddr>, TransportError> {
        self.wire.resolve(host, port).await
    }

    async fn round_trip(&self, request: OutRequest) -> Result<InResponse, TransportError> {
        let is_token = request.url.path() == TOKENS;
        let answer = self.wire.round_trip(request).await;
        let dies = is_token && {
            let mut left = self.left.lock().unwrap();
            *left = left.saturating_sub(1);
            *left == 0
        };
        if dies {
            let _ = self
                .death
                .send("a new token that nobody has saved".to_owned());
            std::future::pending::<()>().await;
        }
        answer
    }
}

/// A refresh token that was not used yet.
async fn refresh_token(lab: &Lab) -> String {
    let asked = serde_json::json!({"grant_type": "client_credentials", "client_id": "transload",
        "client_secret": "simulated-client-secret", "scope": "read write"});
    let request = Request::post(TOKENS)
        .header("content-type", "application/json")
        .body(Body::from(asked.to_string()))
        .unwrap();
    let answer = lab.destination.router().oneshot(request).await.unwrap();
    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    body["refresh_token"].as_str().unwrap().to_owned()
}

#[test]
fn a_token_that_was_renewed_and_not_saved_costs_another_and_nothing_else() {
    let outside = runtime();
    let whole = outside.block_on(undisturbed(tiny()));
    let config = LabConfig {
        destination: "client_id = \"transload\"\nclient_secret = \"file:client.secret\"\n\
                      refresh_token = \"file:destination.token\""
            .to_owned(),
        ..tiny()
    };
    let lab = outside.block_on(Lab::new(config)).unwrap();
    let before = sorted(lab.destination.state_fingerprint());
    let toml = lab.dir.join("migration.toml");
    let text = std::fs::read_to_string(&toml).unwrap();
    let text = text
        .replace("auth = \"access-token\"", "auth = \"oauth-refresh\"")
        .replace("access_token = \"file:destination.token\"\n", "");
    std::fs::write(&toml, text).unwrap();
    let token = lab.dir.join("destination.token");
    std::fs::copy(&token, lab.dir.join("client.secret")).unwrap();
    std::fs::write(lab.dir.join("client.secret"), "simulated-client-secret").unwrap();
    std::fs::write(&token, outside.block_on(refresh_token(&lab))).unwrap();
    let another = outside.block_on(refresh_token(&lab));

    // The first token serves for a while; the platform gives the second, and takes the old one's refresh token away.
    let (death, dead) = tokio::sync::mpsc::unbounded_channel();
    let mut project = outside.block_on(lab.project()).unwrap();
    project.transport = Some(Arc::new(Dying {
        wire: ReqwestTransport::new(Duration::from_secs(30)).unwrap(),
        left: Mutex::new(2),
        death,
    }));
    let passed = std::sync::atomic::AtomicU64::new(0);
    let clock = lab.time.shown.clone();
    project.boundary = Some(Arc::new(move |_| {
        if passed.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 100 {
            clock.advance(48 * HOUR_MS);
        }
        Box::pin(async {})
    }));
    let died = dies_by(&outside, project, Work::Run, dead);
    assert!(died.is_some(), "no token was renewed");

    // The old one is refused at the door: nothing is tried with it, and a person is asked for another.
    let project = outside.block_on(lab.project()).unwrap();
    let sent = lab.destination.harness().recorder.count();
    let refused = outside.block_on(run(&project, yes(), &Silent)).unwrap_err();
    assert_eq!(refused.code(), "auth", "{refused}");
    assert!(refused.to_string().contains("invalid_grant"), "{refused}");
    let tried = lab.destination.harness().recorder.all();
    let mut tried = tried.iter().filter(|record| record.number > sent);
    assert!(tried.all(|record| record.path == TOKENS));
    std::fs::write(&token, another).unwrap();
    let what = "killed before a token was saved";
    let report = outside.block_on(to_the_end(&lab, &Arc::default()));
    assert_arrived(&lab, &whole.fingerprint, &report, what);
    outside.block_on(assert_taken_back(&lab, &before, what));
}

#[test]
fn a_share_that_is_changed_while_a_run_goes_on_counts_from_the_next_minute() {
    const PERMILLE: usize = 4;
    const MINUTE_MS: i64 = 60_000;
    let outside = runtime();
    let config = LabConfig {
        limits: true,
        ..tiny()
    };
    let lab = outside.block_on(Lab::new(config)).unwrap();
    let harness = lab.destination.harness().clone();
    let (toml, clock) = (lab.dir.join("migration.toml"), lab.time.shown.clone());
    let changed = Arc::new(Mutex::new(0));
    let when = Arc::clone(&changed);
    harness.before_request(40, move || {
        let text = std::fs::read_to_string(&toml).unwrap();
        let text = text.replace("share = 1.0", &format!("share = 0.00{PERMILLE}"));
        std::fs::write(&toml, text).unwrap();
        clock.advance(MINUTE_MS);
        *when.lock().unwrap() = clock.now_ms();
    });
    let report = outside.block_on(to_the_end(&lab, &Arc::default()));
    assert_eq!(report.state, RunState::Complete);
    let sent = harness.recorder.all();
    let limit = sent.iter().find_map(|record| {
        let headers = &record.answer.as_ref()?.headers;
        let (_, limit) = headers.iter().find(|(name, _)| name == "x-rate-limit")?;
        limit.parse::<usize>().ok()
    });
    let allowed = limit.unwrap() * PERMILLE / 1_000;
    let changed = *changed.lock().unwrap();
    let from = |at: i64| sent.iter().filter(move |record| record.at_ms >= at);
    let a_minute = |at: i64| from(at).filter(|r| r.at_ms < at + MINUTE_MS).count();
    // What was sent before counts in its own minute.
    let slow = from(changed + MINUTE_MS).map(|record| a_minute(record.at_ms));
    let most = slow.max().expect("requests at the changed share");
    println!(
        "{allowed} in a minute were allowed, {most} sent, {} in all",
        sent.len()
    );
    assert!(
        most <= allowed,
        "{most} in a minute, and {allowed} were allowed"
    );
    assert!(sent[..39].iter().all(|record| record.at_ms < changed) && allowed < 39);
}
