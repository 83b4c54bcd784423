//! Credentials: applied, renewed, waited for, never shown.

use super::*;
use crate::contract::description::{Oauth2, TokenRequestFormat};

/// A platform that takes one token at a time and rotates refresh tokens at every use.
#[derive(Default)]
struct Platform {
    access: String,
    refresh: String,
    issued: u32,
    refreshes: u32,
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
                Ok(InResponse::whole(200, &[], format!(
                    r#"{{"access_token":"{access}","refresh_token":"{refresh}","expires_in":{expires_in}}}"#
                )))
            }
        } else {
            let sent = request.secret_headers.first().map(|(_, s)| s.expose().to_owned());
            if sent == Some(format!("Bearer {}", p.access)) { ok("{}") } else { status(401) }
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
        (Auth::Bearer("{secret:key}".into()), "authorization", "Bearer s3cret"),
        (Auth::Basic(("{subdomain}/token".into(), "{secret:key}".into())), "authorization",
            "Basic YWNtZS90b2tlbjpzM2NyZXQ="),
        (Auth::Header(("x-key".into(), "k={secret:key}".into())), "x-key", "k=s3cret"),
    ] {
        bench.auth(auth);
        let gateway = bench.open(FnTransport::new(move |request: OutRequest| {
            let (sent, secret) = &request.secret_headers[0];
            let fits = sent == name && secret.expose() == value;
            async move { status(if fits { 200 } else { 400 }) }
        }));
        assert_eq!(short(&gateway.exchange(&get("/x"), None).await.unwrap()), "answered 200");
    }
}

#[tokio::test]
async fn an_expired_token_is_renewed_once_for_everybody() {
    let mut bench = Bench::new(Role::Source);
    bench.secret("client", "c");
    bench.auth(Auth::ClientCredentials(oauth(false)));
    let platform = Arc::new(Mutex::new(Platform::default()));
    let gateway = bench.open(serve(&platform, 3600));
    let all = || futures::future::join_all((0..20).map(|_| async {
        short(&gateway.exchange(&get("/x"), None).await.unwrap())
    }));
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
    let platform = Arc::new(Mutex::new(Platform { refresh: "first".into(), ..Platform::default() }));
    for _ in 0..3 {
        let gateway = bench.open(serve(&platform, 3600));
        assert_eq!(short(&gateway.exchange(&get("/x"), None).await.unwrap()), "answered 200");
        let path = bench.spec.credential_store.clone().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(std::fs::read_to_string(&path).unwrap().contains(&platform.lock().unwrap().refresh));
        platform.lock().unwrap().access = "revoked".into();
    }
    assert_eq!(platform.lock().unwrap().issued, 5, "one a revocation, one to begin with");
}

#[tokio::test]
async fn a_token_lost_between_refresh_and_save_pauses_until_the_user_gives_another() {
    let mut bench = Bench::new(Role::Source);
    rotating(&mut bench);
    // The platform rotated, and the process that asked died before it could save.
    let platform = Arc::new(Mutex::new(Platform { refresh: "lost".into(), ..Platform::default() }));
    let gateway = bench.open(serve(&platform, 3600));
    let mut pauses = gateway.pauses();
    let waiting = { let g = gateway.clone(); tokio::spawn(async move { g.exchange(&get("/x"), None).await }) };
    pauses.changed().await.unwrap();
    let pause = gateway.state().paused.unwrap();
    let PauseReason::Credential(why) = pause.reason else { panic!("{pause:?}") };
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
    let platform = Arc::new(Mutex::new(Platform { access: "new".into(), ..Platform::default() }));
    let gateway = bench.open(serve(&platform, 0));
    let mut pauses = gateway.pauses();
    let all: Vec<_> = (0..10).map(|_| {
        let g = gateway.clone();
        tokio::spawn(async move { g.exchange(&post(Replay::Once), Some(&Log::default())).await })
    }).collect();
    pauses.changed().await.unwrap();
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
    let waiting = { let g = gateway.clone(); tokio::spawn(async move { g.exchange(&get("/x"), None).await }) };
    pauses.changed().await.unwrap();
    bench.stop.cancel();
    assert_eq!(short(&waiting.await.unwrap().unwrap()), "cancelled");
}

#[tokio::test]
async fn an_anonymous_request_carries_no_credential() {
    let mut bench = Bench::new(Role::Source);
    bench.secret("key", "s3cret");
    bench.auth(Auth::Bearer("{secret:key}".into()));
    let gateway = bench.open(FnTransport::new(|request: OutRequest| async move {
        status(if request.secret_headers.is_empty() { 200 } else { 400 })
    }));
    let request = Request { anonymous: true, ..get("/x") };
    assert_eq!(short(&gateway.exchange(&request, None).await.unwrap()), "answered 200");
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
    assert!(!text.contains("s3cret") && !text.contains("session=1"), "{text}");
    assert!(shown.lock().unwrap().contains("Secret(…)"));
    // A secret that would break the header pauses the connection without being repeated.
    bench.secret("key", "s3c\rret");
    let gateway = bench.open(FnTransport::new(|_| async { ok("{}") }));
    let mut pauses = gateway.pauses();
    let task = { let g = gateway.clone(); tokio::spawn(async move { g.exchange(&get("/x"), None).await }) };
    pauses.changed().await.unwrap();
    assert!(!format!("{:?}", gateway.state()).contains("s3c"));
    bench.stop.cancel();
    task.await.unwrap().unwrap();
}
