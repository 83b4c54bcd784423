//! Credentials: applied, renewed, waited for, never shown.

use super::*;
use crate::contract::description::{Oauth2, SignedJwt, TokenRequestFormat};

/// A platform that takes one token at a time and rotates refresh tokens at every use.
#[derive(Default)]
struct Platform {
    access: String,
    refresh: String,
    issued: u32,
    refreshes: u32,
    reads: u32,
}

fn serve(platform: &Arc<Mutex<Platform>>, expires_in: u32) -> FnTransport {
    let platform = platform.clone();
    FnTransport::new(move |request: OutRequest| {
        let mut p = platform.lock().unwrap();
        let answer = if request.url.path() == "/token" {
            p.refreshes += 1;
            let body = String::from_utf8(request.body.to_bytes().unwrap()).unwrap();
            let rotating = body.contains("grant_type=refresh_token");
            if rotating && !body.contains(&format!("refresh_token={}", p.refresh)) {
                Ok(InResponse::whole(400, &[], r#"{"error":"invalid_grant"}"#))
            } else {
                p.issued += 1;
                p.access = format!("access-{}", p.issued);
                p.refresh = format!("rotated-{}", p.issued);
                let (access, refresh) = (&p.access, &p.refresh);
                Ok(InResponse::whole(
                    200,
                    &[],
                    format!(
                        r#"{{"access_token":"{access}","refresh_token":"{refresh}","expires_in":{expires_in}}}"#
                    ),
                ))
            }
        } else {
            p.reads += 1;
            let sent = request
                .secret_headers
                .first()
                .map(|(_, s)| s.expose().to_owned());
            if sent == Some(format!("Bearer {}", p.access)) {
                ok("{}")
            } else {
                status(401)
            }
        };
        async move { answer }
    })
}

fn oauth(refresh: bool) -> Oauth2 {
    Oauth2 {
        token_url: "https://login.example.com/token".into(),
        client_id: "id".into(),
        client_secret: "{secret:client}".into(),
        scope: None,
        refresh_token: refresh.then(|| "{secret:refresh}".into()),
        format: TokenRequestFormat::Form,
        extra: vec![],
        prefix: None,
    }
}

fn rotating(bench: &mut Bench) {
    bench.secret("client", "c");
    bench.secret("refresh", "first");
    bench.auth(Auth::RefreshToken(oauth(true)));
}

#[tokio::test]
async fn every_way_of_applying_a_static_credential_works() {
    let mut bench = Bench::new(Role::Source);
    bench.secret("key", "s3cret\n");
    for (auth, name, value) in [
        (
            Auth::Bearer("{secret:key}".into()),
            "authorization",
            "Bearer s3cret",
        ),
        (
            Auth::Basic(("{subdomain}/token".into(), "{secret:key}".into())),
            "authorization",
            "Basic YWNtZS90b2tlbjpzM2NyZXQ=",
        ),
        (
            Auth::Header(("x-key".into(), "k={secret:key}".into())),
            "x-key",
            "k=s3cret",
        ),
    ] {
        bench.auth(auth);
        let gateway = bench.open(FnTransport::new(move |request: OutRequest| {
            let (sent, secret) = &request.secret_headers[0];
            let fits = sent == name && secret.expose() == value;
            async move { status(if fits { 200 } else { 400 }) }
        }));
        assert_eq!(
            short(&gateway.exchange(&get("/x"), None).await.unwrap()),
            "answered 200"
        );
    }
}

#[tokio::test]
async fn a_token_stands_behind_the_word_that_its_platform_wants() {
    let mut bench = Bench::new(Role::Source);
    bench.secret("client", "c");
    bench.auth(Auth::ClientCredentials(Oauth2 {
        prefix: Some("Acme-token".into()),
        ..oauth(false)
    }));
    let gateway = bench.open(FnTransport::new(|request: OutRequest| {
        let sent = request.secret_headers.first();
        let answer = match sent.map(|(_, secret)| secret.expose() == "Acme-token t1") {
            None => ok(r#"{"access_token":"t1","token_type":"Bearer"}"#),
            Some(fits) => status(if fits { 200 } else { 400 }),
        };
        async move { answer }
    }));
    assert_eq!(
        short(&gateway.exchange(&get("/x"), None).await.unwrap()),
        "answered 200"
    );
}

#[tokio::test]
async fn an_expired_token_is_renewed_once_for_everybody() {
    let mut bench = Bench::new(Role::Source);
    bench.secret("client", "c");
    bench.auth(Auth::ClientCredentials(oauth(false)));
    let platform = Arc::new(Mutex::new(Platform::default()));
    let gateway = bench.open(serve(&platform, 3600));
    let all = || {
        futures::future::join_all(
            (0..20).map(|_| async { short(&gateway.exchange(&get("/x"), None).await.unwrap()) }),
        )
    };
    assert!(all().await.iter().all(|f| f == "answered 200"));
    assert_eq!(platform.lock().unwrap().refreshes, 1);
    platform.lock().unwrap().access = "revoked".into();
    assert!(all().await.iter().all(|f| f == "answered 200"));
    assert_eq!(platform.lock().unwrap().refreshes, 2);
    bench.clock.sleep(Duration::from_secs(3600)).await;
    assert!(all().await.iter().all(|f| f == "answered 200"));
    assert_eq!(platform.lock().unwrap().refreshes, 3);
}

#[tokio::test]
async fn a_rotated_token_is_saved_privately_before_it_is_used_and_survives_a_restart() {
    use std::os::unix::fs::PermissionsExt;
    let mut bench = Bench::new(Role::Source);
    rotating(&mut bench);
    let platform = Arc::new(Mutex::new(Platform {
        refresh: "first".into(),
        ..Platform::default()
    }));
    for _ in 0..3 {
        let gateway = bench.open(serve(&platform, 3600));
        assert_eq!(
            short(&gateway.exchange(&get("/x"), None).await.unwrap()),
            "answered 200"
        );
        let path = bench.spec.credential_store.clone().unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(
            std::fs::read_to_string(&path)
                .unwrap()
                .contains(&platform.lock().unwrap().refresh)
        );
        platform.lock().unwrap().access = "revoked".into();
    }
    // The third revocation was seen by nobody.
    assert_eq!(
        platform.lock().unwrap().issued,
        3,
        "one to begin with, one for each revocation that a restart met"
    );
}

#[tokio::test]
async fn a_token_lost_between_refresh_and_save_pauses_until_the_user_gives_another() {
    let mut bench = Bench::new(Role::Source);
    rotating(&mut bench);
    // The platform rotated, and the process that asked died before it could save.
    let platform = Arc::new(Mutex::new(Platform {
        refresh: "lost".into(),
        ..Platform::default()
    }));
    let gateway = bench.open(serve(&platform, 3600));
    let mut pauses = gateway.pauses();
    let waiting = {
        let g = gateway.clone();
        tokio::spawn(async move { g.exchange(&get("/x"), None).await })
    };
    bench.soon(pauses.changed()).await.unwrap();
    let pause = gateway.state().paused.unwrap();
    let PauseReason::Credential(why) = pause.reason else {
        panic!("{pause:?}")
    };
    assert!(why.contains("invalid_grant"), "{why}");
    platform.lock().unwrap().refresh = "second".into();
    bench.secret("refresh", "second");
    assert_eq!(short(&waiting.await.unwrap().unwrap()), "answered 200");
    assert_eq!(gateway.state().paused, None);
}

#[tokio::test]
async fn a_refused_key_pauses_and_rejects_nothing_until_a_new_one_is_there() {
    let mut bench = Bench::new(Role::Destination);
    bench.secret("key", "old");
    bench.auth(Auth::Bearer("{secret:key}".into()));
    let platform = Arc::new(Mutex::new(Platform {
        access: "new".into(),
        ..Platform::default()
    }));
    let gateway = bench.open(serve(&platform, 0));
    let mut pauses = gateway.pauses();
    let all: Vec<_> = (0..10)
        .map(|_| {
            let g = gateway.clone();
            tokio::spawn(
                async move { g.exchange(&post(Replay::Once), Some(&Log::default())).await },
            )
        })
        .collect();
    bench.soon(pauses.changed()).await.unwrap();
    bench.secret("key", "new");
    for task in all {
        assert_eq!(short(&task.await.unwrap().unwrap()), "answered 200");
    }
    assert_eq!(gateway.state().paused, None);
}

#[tokio::test]
async fn a_stop_ends_the_wait_for_a_credential() {
    let mut bench = Bench::new(Role::Source);
    bench.secret("key", "wrong");
    bench.auth(Auth::Bearer("{secret:key}".into()));
    let gateway = bench.open(FnTransport::new(|_| async { status(401) }));
    let mut pauses = gateway.pauses();
    let waiting = {
        let g = gateway.clone();
        tokio::spawn(async move { g.exchange(&get("/x"), None).await })
    };
    bench.soon(pauses.changed()).await.unwrap();
    bench.stop.cancel();
    assert_eq!(short(&waiting.await.unwrap().unwrap()), "cancelled");
}

#[tokio::test]
async fn an_anonymous_request_carries_no_credential() {
    let mut bench = Bench::new(Role::Source);
    bench.secret("key", "s3cret");
    bench.auth(Auth::Bearer("{secret:key}".into()));
    let gateway = bench.open(FnTransport::new(|request: OutRequest| async move {
        status(if request.secret_headers.is_empty() {
            200
        } else {
            400
        })
    }));
    let request = Request {
        anonymous: true,
        ..get("/x")
    };
    assert_eq!(
        short(&gateway.exchange(&request, None).await.unwrap()),
        "answered 200"
    );
}

#[tokio::test]
async fn a_credential_shows_in_no_debug_text_no_error_and_no_session_cookie() {
    let mut bench = Bench::new(Role::Source);
    bench.secret("key", "s3cret");
    bench.auth(Auth::Bearer("{secret:key}".into()));
    let shown = Arc::new(Mutex::new(String::new()));
    let log = shown.clone();
    let gateway = bench.open(FnTransport::new(move |request: OutRequest| {
        log.lock().unwrap().push_str(&format!("{request:?}"));
        async { Ok(InResponse::whole(200, &[("set-cookie", "session=1")], "")) }
    }));
    let answer = gateway.exchange(&get("/x"), None).await.unwrap();
    let text = format!("{answer:?} {:?} {}", gateway.state(), shown.lock().unwrap());
    assert!(
        !text.contains("s3cret") && !text.contains("session=1"),
        "{text}"
    );
    assert!(shown.lock().unwrap().contains("Secret(…)"));
    // A secret that would break the header pauses the connection without being repeated.
    bench.secret("key", "s3c\rret");
    let gateway = bench.open(FnTransport::new(|_| async { ok("{}") }));
    let mut pauses = gateway.pauses();
    let task = {
        let g = gateway.clone();
        tokio::spawn(async move { g.exchange(&get("/x"), None).await })
    };
    bench.soon(pauses.changed()).await.unwrap();
    assert!(!format!("{:?}", gateway.state()).contains("s3c"));
    bench.stop.cancel();
    task.await.unwrap().unwrap();
}

/// As [`serve`], a second late: what must not happen at once has time to.
fn serve_slowly(bench: &Bench, platform: &Arc<Mutex<Platform>>) -> FnTransport {
    let (inner, clock) = (Arc::new(serve(platform, 3600)), bench.clock.clone());
    FnTransport::new(move |request| {
        let (inner, clock) = (inner.clone(), clock.clone());
        async move {
            clock.sleep(Duration::from_secs(1)).await;
            inner.round_trip(request).await
        }
    })
}

fn first() -> Arc<Mutex<Platform>> {
    let refresh = "first".into();
    Arc::new(Mutex::new(Platform {
        refresh,
        ..Platform::default()
    }))
}

#[tokio::test]
async fn two_owners_of_one_credential_file_refresh_once() {
    let mut bench = Bench::new(Role::Source);
    rotating(&mut bench);
    let platform = first();
    // Two gateways share nothing but the file; the lock belongs to the file handle, as between processes.
    let gateways = [(); 2].map(|()| bench.open(serve_slowly(&bench, &platform)));
    let all = gateways
        .iter()
        .map(|g| async { short(&g.exchange(&get("/x"), None).await.unwrap()) });
    let fates = futures::future::join_all(all).await;
    assert_eq!(fates, ["answered 200"; 2]);
    assert_eq!(platform.lock().unwrap().refreshes, 1);
    // Refused to both at once: renewed by one, taken over by the other.
    platform.lock().unwrap().access = "revoked".into();
    let all = gateways
        .iter()
        .map(|g| async { short(&g.exchange(&get("/x"), None).await.unwrap()) });
    let fates = futures::future::join_all(all).await;
    assert_eq!(fates, ["answered 200"; 2]);
    assert_eq!(platform.lock().unwrap().refreshes, 2);
}

const LOCK_OF: &str = "TRANSLOAD_TEST_LOCK";

/// The other process of the test below: holds the lock until it is killed.
#[test]
#[ignore = "started by the test below"]
fn holds_a_lock_in_another_process() {
    let Ok(path) = std::env::var(LOCK_OF) else {
        return;
    };
    let file = std::fs::File::create(path).unwrap();
    file.lock().unwrap();
    println!("locked");
    let _ = std::io::Read::read(&mut std::io::stdin(), &mut [0]);
}

#[tokio::test]
async fn a_refresh_waits_for_another_process_and_outlives_its_death() {
    use std::io::BufRead;
    use std::process::{Command, Stdio};

    let mut bench = Bench::new(Role::Source);
    rotating(&mut bench);
    let mut lock = bench
        .spec
        .credential_store
        .clone()
        .unwrap()
        .into_os_string();
    lock.push(".lock");
    let module = module_path!().split_once("::").unwrap().1;
    let mut other = Command::new(std::env::current_exe().unwrap())
        .arg(format!("{module}::holds_a_lock_in_another_process"))
        .args(["--exact", "--ignored", "--nocapture"])
        .env(LOCK_OF, lock)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = std::io::BufReader::new(other.stdout.take().unwrap());
    assert!(
        said.lines().any(|l| l.unwrap().contains("locked")),
        "the other process has the lock"
    );
    let platform = first();
    let gateway = bench.open(serve(&platform, 3600));
    let waiting = tokio::spawn(async move { gateway.exchange(&get("/x"), None).await });
    bench.clock.sleep(Duration::from_secs(60)).await;
    assert_eq!(platform.lock().unwrap().refreshes, 0);
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(short(&waiting.await.unwrap().unwrap()), "answered 200");
    assert_eq!(platform.lock().unwrap().refreshes, 1);
}

/// Waits for a credential pause and says why.
async fn paused(bench: &Bench, gateway: &Gateway) -> String {
    let mut pauses = gateway.pauses();
    let pause = bench.soon(pauses.wait_for(Option::is_some)).await;
    let pause = pause.unwrap().clone();
    let Some(PauseReason::Credential(why)) = pause.map(|p| p.reason) else {
        panic!("not for a credential")
    };
    why
}

#[tokio::test]
async fn a_rotated_token_that_cannot_be_saved_is_neither_used_nor_lost() {
    let mut bench = Bench::new(Role::Source);
    rotating(&mut bench);
    let store = bench.spec.credential_store.clone().unwrap();
    // Something in the way of the new file, which no permission of the tester overcomes.
    let obstacle = store.with_extension("json.new");
    std::fs::create_dir(&obstacle).unwrap();
    let platform = first();
    let gateway = bench.open(serve(&platform, 3600));
    let waiting = {
        let g = gateway.clone();
        tokio::spawn(async move { g.exchange(&get("/x"), None).await })
    };
    let why = paused(&bench, &gateway).await;
    assert!(why.contains("could not be saved"), "{why}");
    bench.clock.sleep(Duration::from_secs(600)).await;
    {
        let p = platform.lock().unwrap();
        assert_eq!((p.refreshes, p.reads), (1, 0));
    }
    assert!(!store.exists());
    std::fs::remove_dir(&obstacle).unwrap();
    assert_eq!(short(&waiting.await.unwrap().unwrap()), "answered 200");
    {
        let p = platform.lock().unwrap();
        assert_eq!((p.refreshes, p.reads), (1, 1));
    }
    assert!(
        std::fs::read_to_string(&store)
            .unwrap()
            .contains("rotated-1")
    );
    assert_eq!(gateway.state().paused, None);
}

#[tokio::test]
async fn no_refresh_token_is_spent_where_nothing_can_be_saved() {
    let mut bench = Bench::new(Role::Source);
    rotating(&mut bench);
    let folder = bench.dir.path().join("absent");
    bench.spec.credential_store = Some(folder.join("credential.json"));
    let platform = first();
    let gateway = bench.open(serve(&platform, 3600));
    let waiting = {
        let g = gateway.clone();
        tokio::spawn(async move { g.exchange(&get("/x"), None).await })
    };
    let why = paused(&bench, &gateway).await;
    assert!(why.contains("could not be saved"), "{why}");
    assert_eq!(platform.lock().unwrap().refreshes, 0);
    std::fs::create_dir(&folder).unwrap();
    assert_eq!(short(&waiting.await.unwrap().unwrap()), "answered 200");
}

/// A key pair made for this test and used nowhere else.
const KEY: &str = include_str!("rsa_for_tests.pem");
const PUBLIC_KEY: &[u8] = include_bytes!("rsa_for_tests.pub.pem");

/// The claims of an assertion, as a token endpoint checks them.
fn claims(body: &[u8]) -> serde_json::Value {
    let fields: BTreeMap<_, _> = url::form_urlencoded::parse(body).into_owned().collect();
    assert_eq!(
        fields["grant_type"],
        "urn:ietf:params:oauth:grant-type:jwt-bearer"
    );
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    rules.set_audience(&["https://acme.example.com"]);
    rules.set_issuer(&["client-1"]);
    // Time is virtual: the caller looks at it.
    rules.validate_exp = false;
    let key = jsonwebtoken::DecodingKey::from_rsa_pem(PUBLIC_KEY).unwrap();
    jsonwebtoken::decode(&fields["assertion"], &key, &rules)
        .unwrap()
        .claims
}

#[tokio::test]
async fn an_assertion_is_signed_for_the_time_it_is_sent_and_renewed_with_a_new_one() {
    let mut bench = Bench::new(Role::Source);
    bench.secret("key", "no key");
    bench.auth(Auth::SignedJwt(SignedJwt {
        token_url: "https://login.example.com/token".into(),
        issuer: "client-1".into(),
        subject: "{subdomain}@example.com".into(),
        audience: "https://acme.example.com".into(),
        private_key: "{secret:key}".into(),
        lifetime_s: 300,
        grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer".into(),
    }));
    let seen = Arc::new(Mutex::new(vec![]));
    let log = seen.clone();
    let gateway = bench.open(FnTransport::new(move |request: OutRequest| {
        let mut log = log.lock().unwrap();
        let answer = if request.url.path() == "/token" {
            log.push(request.body.to_bytes().unwrap());
            ok(r#"{"access_token":"t","expires_in":"600"}"#)
        } else {
            let (name, secret) = &request.secret_headers[0];
            let fits = name == "authorization" && secret.expose() == "Bearer t";
            status(if fits { 200 } else { 400 })
        };
        async move { answer }
    }));
    let waiting = {
        let g = gateway.clone();
        tokio::spawn(async move { g.exchange(&get("/x"), None).await })
    };
    assert_eq!(
        paused(&bench, &gateway).await,
        "the private key cannot be used"
    );
    assert!(seen.lock().unwrap().is_empty());
    bench.secret("key", KEY);
    assert_eq!(short(&waiting.await.unwrap().unwrap()), "answered 200");
    let signed = bench.clock.now() / 1000;
    bench.clock.sleep(Duration::from_secs(600)).await;
    assert_eq!(
        short(&gateway.exchange(&get("/x"), None).await.unwrap()),
        "answered 200"
    );
    let expected = |at: i64| {
        json!({"iss": "client-1", "sub": "acme@example.com", "aud": "https://acme.example.com",
            "iat": at, "exp": at + 300})
    };
    let seen: Vec<_> = seen.lock().unwrap().iter().map(|b| claims(b)).collect();
    assert_eq!(seen, [expected(signed), expected(signed + 600)]);
}
