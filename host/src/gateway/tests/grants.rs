//! What a guest may reach, and with what in its hands.

use std::net::IpAddr;

use super::*;
use crate::contract::description::HostGrant;

fn host(pattern: &str, anonymous: bool) -> HostGrant {
    HostGrant {
        pattern: pattern.into(),
        purpose: "files".into(),
        anonymous,
    }
}

async fn fate(bench: &Bench, request: &Request) -> String {
    let gateway = bench.open(FnTransport::new(|_| async { ok("{}") }));
    short(
        &gateway
            .exchange(request, Some(&Log::default()))
            .await
            .unwrap(),
    )
}

#[tokio::test]
async fn private_addresses_are_refused_however_they_are_spelt() {
    let mut bench = Bench::new(Role::Source);
    let names = [
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "10.1.2.3",
        "192.168.0.1",
        "172.16.9.9",
        "169.254.169.254",
        "0.0.0.0",
        "2130706433",
        "0177.0.0.1",
        "0x7f.1",
        "127.1",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[fe80::1]",
        "[fd00::1]",
        "[ff02::1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[::]",
    ];
    for name in names {
        let url = format!("https://{name}/x");
        assert_eq!(
            fate(&bench, &get(&url)).await,
            "denied",
            "without a grant: {name}"
        );
        // Even a connector that declares the very host does not get there.
        let spelt = url::Url::parse(&url)
            .unwrap()
            .host_str()
            .unwrap()
            .to_owned();
        bench.spec.description.hosts = vec![host(spelt.trim_matches(['[', ']']), true)];
        assert_eq!(
            fate(&bench, &get(&url)).await,
            "denied",
            "with a grant: {name}"
        );
        bench.spec.description.hosts.clear();
    }
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_refused() {
    let bench = Bench::new(Role::Source);
    for bad in [
        "127.0.0.1",
        "10.0.0.7",
        "::1",
        "::ffff:10.0.0.1",
        "169.254.169.254",
    ] {
        let ip: IpAddr = bad.parse().unwrap();
        let good: IpAddr = "8.8.8.8".parse().unwrap();
        let transport = FnTransport::new(|_| async { ok("{}") }).resolving(move |_| vec![good, ip]);
        let answer = bench
            .open(transport)
            .exchange(&get("/x"), None)
            .await
            .unwrap();
        assert_eq!(short(&answer), "denied", "{bad}");
    }
}

#[tokio::test]
async fn a_name_that_changes_its_address_keeps_the_first_one() {
    let bench = Bench::new(Role::Source);
    let (dialled, asked) = (Arc::new(Mutex::new(vec![])), Mutex::new(0));
    let seen = dialled.clone();
    let transport = FnTransport::new(move |request: OutRequest| {
        seen.lock().unwrap().extend(request.addresses);
        async { ok("{}") }
    });
    let transport = transport.resolving(move |_| {
        let mut asked = asked.lock().unwrap();
        *asked += 1;
        vec![if *asked == 1 {
            [8, 8, 8, 8].into()
        } else {
            [127, 0, 0, 1].into()
        }]
    });
    let gateway = bench.open(transport);
    for _ in 0..3 {
        gateway.exchange(&get("/x"), None).await.unwrap();
    }
    let dialled = dialled.lock().unwrap();
    assert_eq!(dialled.len(), 3);
    assert!(dialled.iter().all(|a| a.ip() == IpAddr::from([8, 8, 8, 8])));
}

#[tokio::test]
async fn a_loopback_base_is_reached_only_when_the_user_names_it() {
    let mut bench = Bench::new(Role::Source);
    bench.spec.base_url = "http://127.0.0.1:8080".into();
    let open = |bench: &Bench| {
        let transport = Arc::new(FnTransport::new(|_| async { ok("{}") }));
        let (blobs, stop) = (bench.blobs.clone(), bench.stop.clone());
        Gateway::new(
            bench.spec.clone(),
            transport,
            bench.clock.clone(),
            blobs,
            stop,
        )
    };
    assert!(open(&bench).is_err());
    bench.spec.settings = json!({"base_url": "http://127.0.0.1:8080"});
    assert_eq!(fate(&bench, &get("/x")).await, "answered 200");
    assert_eq!(
        fate(&bench, &get("http://127.0.0.1:8081/x")).await,
        "denied"
    );
    bench.spec.settings = json!({});
    bench.spec.allow_private = vec!["127.0.0.0/8".parse().unwrap()];
    assert_eq!(fate(&bench, &get("/x")).await, "answered 200");
    bench.spec.allow_private = vec!["127.0.0.1:9".parse().unwrap()];
    assert!(open(&bench).is_err());
}

#[tokio::test]
async fn only_granted_hosts_schemes_methods_and_paths_pass() {
    let mut bench = Bench::new(Role::Destination);
    bench.spec.description.hosts = vec![host("*.files.example.net", true)];
    for (url, fate_) in [
        ("/things", "answered 200"),
        ("https://acme.example.com/api/things", "answered 200"),
        ("https://acme.example.com/other", "denied"),
        ("https://acme.example.com:444/api/things", "denied"),
        ("http://acme.example.com/api/things", "denied"),
        ("ftp://acme.example.com/api/things", "denied"),
        ("https://user:pw@acme.example.com/api/things", "denied"),
        ("https://acme.example.com.evil.example/api/things", "denied"),
        ("//evil.example/x", "denied"),
        ("https://a.files.example.net/f", "answered 200"),
        ("https://files.example.net/f", "denied"),
        ("https://evilfiles.example.net/f", "denied"),
        ("/a/..%2f..%2fadmin", "denied"),
        ("/a/%252e%252e/admin", "denied"),
        ("/a\r\nX: y", "denied"),
    ] {
        assert_eq!(fate(&bench, &get(url)).await, fate_, "{url}");
    }
    let delete = Request {
        method: "DELETE".into(),
        url: "/things/1".into(),
        ..post(Replay::Once)
    };
    assert_eq!(fate(&bench, &delete).await, "denied");
    let put = Request {
        method: "PUT".into(),
        url: "/things/1".into(),
        ..post(Replay::Once)
    };
    assert_eq!(fate(&bench, &put).await, "answered 200");
    let deep = Request {
        method: "PUT".into(),
        url: "/things/1/2".into(),
        ..post(Replay::Once)
    };
    assert_eq!(fate(&bench, &deep).await, "denied");
}

#[tokio::test]
async fn a_host_that_is_not_granted_has_the_name_by_which_it_would_be() {
    let mut bench = Bench::new(Role::Source);
    bench.spec.description.hosts = vec![host("*.files.example.net", true)];
    let links = [
        ("https://a.files.example.net/f", None),
        ("https://acme.example.com/api/things", None),
        // Below the base, but nowhere that is granted.
        ("https://acme.example.com/other", Some("acme.example.com")),
        ("https://cdn.example.org/1?q=2", Some("cdn.example.org")),
        ("https://cdn.example.org:444/1", Some("cdn.example.org:444")),
        ("http://cdn.example.org/1", Some("cdn.example.org:80")),
        // No host is what is wrong with these.
        ("https://user:pw@a.files.example.net/f", None),
        ("https://a.files.example.net/..%2f..%2fadmin", None),
        ("ftp://cdn.example.org/1", None),
        ("no link", None),
    ];
    let gateway = bench.open(FnTransport::new(|_| async { ok("{}") }));
    for (link, name) in links {
        assert_eq!(gateway.foreign_host(link).as_deref(), name, "{link}");
    }
    // Allowed by that name, it is read.
    bench.spec.grants = links
        .iter()
        .filter_map(|(_, name)| Some(host(name.as_ref()?, true)))
        .collect();
    bench.spec.allow_private = vec!["cdn.example.org:80".parse().unwrap()];
    let gateway = bench.open(FnTransport::new(|_| async { ok("{}") }));
    for (link, name) in links {
        assert_eq!(gateway.foreign_host(link), None, "{link} {name:?}");
    }
}

#[tokio::test]
async fn a_source_sends_nothing_that_is_not_declared_as_reading() {
    let bench = Bench::new(Role::Source);
    assert_eq!(fate(&bench, &post(Replay::Once)).await, "denied");
    let search = Request {
        url: "/things/search".into(),
        key: None,
        ..post(Replay::Safe)
    };
    assert_eq!(fate(&bench, &search).await, "answered 200");
}

#[tokio::test]
async fn a_mutating_request_needs_a_key_and_a_journal_and_must_not_be_called_safe() {
    let bench = Bench::new(Role::Destination);
    assert_eq!(fate(&bench, &post(Replay::Safe)).await, "denied");
    assert_eq!(
        fate(
            &bench,
            &Request {
                key: None,
                ..post(Replay::Once)
            }
        )
        .await,
        "denied"
    );
    let gateway = bench.open(FnTransport::new(|_| async { ok("{}") }));
    assert_eq!(
        short(&gateway.exchange(&post(Replay::Once), None).await.unwrap()),
        "denied"
    );
    assert_eq!(fate(&bench, &post(Replay::Once)).await, "answered 200");
}

#[tokio::test]
async fn headers_that_belong_to_the_host_and_injected_ones_are_refused() {
    let mut bench = Bench::new(Role::Source);
    bench.secret("key", "s3cret");
    bench.auth(Auth::Header(("X-Api-Key".into(), "{secret:key}".into())));
    for (name, value) in [
        ("Authorization", "Bearer x"),
        ("COOKIE", "a=b"),
        ("Host", "evil"),
        ("Content-Length", "1"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close"),
        ("Accept-Encoding", "br"),
        ("x-api-key", "mine"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-A", "b\r\nAuthorization: c"),
        ("X-A", "b\nc"),
        ("X-A\r\nB", "c"),
        ("X A", "b"),
        ("", "b"),
        ("X-A", "\0"),
    ] {
        let request = Request {
            headers: vec![header(name, value)],
            ..get("/x")
        };
        assert_eq!(
            fate(&bench, &request).await,
            "denied",
            "{name:?}: {value:?}"
        );
    }
    let request = Request {
        headers: vec![header("Accept", "text/csv")],
        ..get("/x")
    };
    assert_eq!(fate(&bench, &request).await, "answered 200");
}

#[tokio::test]
async fn a_read_that_is_redirected_is_checked_again_and_loses_its_credential() {
    let mut bench = Bench::new(Role::Source);
    bench.secret("key", "s3cret");
    bench.auth(Auth::Bearer("{secret:key}".into()));
    bench.spec.description.hosts = vec![host("files.example.net", false)];
    for (location, fate_, credentials) in [
        (
            "https://files.example.net/f",
            "answered 200",
            vec![true, false],
        ),
        ("/api/elsewhere", "answered 200", vec![true, true]),
        ("https://127.0.0.1/x", "denied", vec![true]),
        ("https://evil.example/x", "denied", vec![true]),
        ("http://files.example.net/f", "denied", vec![true]),
    ] {
        let seen = Arc::new(Mutex::new(vec![]));
        let log = seen.clone();
        let transport = FnTransport::new(move |request: OutRequest| {
            let mut log = log.lock().unwrap();
            log.push(!request.secret_headers.is_empty());
            let first = log.len() == 1;
            async move {
                if first {
                    Ok(InResponse::whole(302, &[("location", location)], ""))
                } else {
                    ok("{}")
                }
            }
        });
        let answer = bench
            .open(transport)
            .exchange(&get("/x"), None)
            .await
            .unwrap();
        assert_eq!(short(&answer), fate_, "{location}");
        assert_eq!(*seen.lock().unwrap(), credentials, "{location}");
    }
}

#[tokio::test]
async fn a_mutating_request_is_never_redirected() {
    let bench = Bench::new(Role::Destination);
    let (transport, calls) = script(vec![|| {
        Ok(InResponse::whole(307, &[("location", "/api/things/2")], ""))
    }]);
    let gateway = bench.open(transport);
    let answer = gateway
        .exchange(&post(Replay::Once), Some(&Log::default()))
        .await
        .unwrap();
    assert_eq!(short(&answer), "answered 307");
    assert_eq!(*calls.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_gateway_that_only_reads_lets_nothing_out_that_changes_something() {
    let mut bench = Bench::new(Role::Destination);
    bench.rule(60, 60_000);
    let (transport, calls) = script(vec![|| ok("{}")]);
    let gateway = bench.open(transport);
    gateway.only_reads();
    let log = Log::default();
    for replay in [Replay::Once, Replay::Idempotent] {
        let exchange = gateway.exchange(post(replay), Some(&log)).await.unwrap();
        assert_eq!(short(&exchange), "denied");
    }
    assert_eq!((*calls.lock().unwrap(), log.lines()), (0, vec![]));
    // Reads go on, and a search by POST is one.
    let search = Request {
        url: "/things/search".into(),
        ..post(Replay::Safe)
    };
    let search = Request {
        key: None,
        ..search
    };
    for read in [get("/things"), search] {
        let exchange = gateway.exchange(read, None).await.unwrap();
        assert_eq!(short(&exchange), "answered 200");
    }
    // What would be sent is checked as if it were, and takes its time.
    for _ in 0..118 {
        gateway.would_send(&post(Replay::Once)).unwrap();
    }
    let other = Request {
        url: "/elsewhere".into(),
        ..post(Replay::Once)
    };
    gateway.would_send(&other).unwrap_err();
    assert_eq!(gateway.needed_ms(), 120_000);
}
