//! What becomes of a request: settled, in doubt, refused (rule D-2).

use futures::StreamExt;

use super::*;
use crate::contract::description::{RefusalMeaning, RefusedAnswer};
use crate::contract::http::{Part, PartBody, PollOptions};

type Answer = fn() -> Result<InResponse, TransportError>;

fn cut() -> Result<InResponse, TransportError> {
    Ok(InResponse::whole(201, &[("content-length", "10")], "{}"))
}

fn not_json() -> Result<InResponse, TransportError> {
    Ok(InResponse::whole(
        200,
        &[("content-type", "application/json")],
        "{\"a\":",
    ))
}

fn long() -> Result<InResponse, TransportError> {
    Ok(InResponse::whole(200, &[], vec![b'x'; 2000]))
}

async fn fate(role: Role, request: &Request, answers: Vec<Answer>) -> (String, usize, Vec<String>) {
    let mut bench = Bench::new(role);
    bench.spec.limits.max_answer_bytes = 1000;
    let named = RefusedAnswer {
        status: 403,
        body_contains: Some("LIMIT".into()),
        meaning: RefusalMeaning::SlowDown,
    };
    bench.spec.description.refusals = vec![named];
    let (transport, calls) = script(answers);
    let log = Log::default();
    let exchange = bench
        .open(transport)
        .exchange(request, Some(&log))
        .await
        .unwrap();
    let calls = *calls.lock().unwrap();
    (short(&exchange), calls, log.lines())
}

#[tokio::test]
async fn a_request_that_must_not_be_sent_twice_is_repeated_only_when_surely_refused() {
    let table: Vec<(Answer, &str, usize)> = vec![
        (|| status(201), "answered 201", 1),
        (|| status(400), "answered 400", 1),
        (|| status(409), "answered 409", 1),
        (|| status(408), "doubt", 1),
        (|| status(500), "doubt", 1),
        (|| status(502), "doubt", 1),
        (|| status(503), "doubt", 1),
        (|| status(522), "doubt", 1),
        (cut, "doubt", 1),
        (not_json, "doubt", 1),
        (long, "doubt", 1),
        (|| Err(TransportError::broken()), "doubt", 1),
        (|| status(429), "answered 200", 2),
        (
            || Ok(InResponse::whole(403, &[], "LIMIT")),
            "answered 200",
            2,
        ),
        (|| Ok(InResponse::whole(403, &[], "no")), "answered 403", 1),
        (|| Err(TransportError::refused()), "answered 200", 2),
    ];
    for (n, (first, fate_, sent)) in table.into_iter().enumerate() {
        let answers = vec![first, || ok("{}")];
        let (seen, calls, log) = fate(Role::Destination, &post(Replay::Once), answers).await;
        assert_eq!((seen.as_str(), calls), (fate_, sent), "row {n}");
        let expected: &[&str] = if sent == 2 {
            &["intend 1", "refused 1", "intend 2"]
        } else {
            &["intend 1"]
        };
        assert_eq!(log, expected, "row {n}");
    }
}

#[tokio::test]
async fn an_idempotent_request_is_repeated_and_says_that_it_was() {
    let bench = Bench::new(Role::Destination);
    let (transport, _) = script(vec![
        || Err(TransportError::broken()),
        || status(503),
        || ok("{}"),
    ]);
    let log = Log::default();
    let gateway = bench.open(transport);
    let answer = gateway
        .exchange(&post(Replay::Idempotent), Some(&log))
        .await
        .unwrap();
    let Exchange::Answered {
        response, attempts, ..
    } = answer
    else {
        panic!("{answer:?}")
    };
    assert!(response.attempted_before);
    assert_eq!(attempts, 3);
    assert_eq!(log.lines(), ["intend 1", "intend 2", "intend 3"]);
}

#[tokio::test]
async fn beyond_its_window_an_idempotent_request_counts_as_once() {
    let request = Request {
        window_ms: Some(0),
        ..post(Replay::Idempotent)
    };
    let answers: Vec<Answer> = vec![
        || Err(TransportError::broken()),
        || Ok(InResponse::whole(429, &[("retry-after", "9")], "")),
        || ok("{}"),
    ];
    assert_eq!(fate(Role::Destination, &request, answers).await.0, "doubt");
}

#[tokio::test]
async fn doubt_outlasts_a_later_sure_refusal() {
    let answers: Vec<Answer> = vec![|| Err(TransportError::broken()), || {
        Err(TransportError::refused())
    }];
    let (seen, calls, _) = fate(Role::Destination, &post(Replay::Idempotent), answers).await;
    assert_eq!((seen.as_str(), calls), ("doubt", 6));
}

#[tokio::test]
async fn a_platform_that_cannot_be_reached_leaves_no_doubt() {
    let answers: Vec<Answer> = vec![|| Err(TransportError::refused())];
    let (seen, calls, log) = fate(Role::Destination, &post(Replay::Once), answers).await;
    assert_eq!((seen.as_str(), calls), ("connection", 6));
    assert_eq!(log.last().unwrap(), "refused 6");
}

#[tokio::test]
async fn a_read_is_repeated_and_its_last_answer_is_the_answer() {
    let table: Vec<(Vec<Answer>, &str, usize)> = vec![
        (
            vec![|| status(503), || Err(TransportError::broken()), || {
                ok("{}")
            }],
            "answered 200",
            3,
        ),
        (vec![|| status(503)], "answered 503", 6),
        (vec![|| status(500)], "answered 500", 1),
        (vec![|| Err(TransportError::broken())], "connection", 6),
        (vec![cut, || ok("{}")], "answered 200", 2),
        (vec![long], "toolarge", 1),
    ];
    for (n, (answers, fate_, sent)) in table.into_iter().enumerate() {
        let (seen, calls, log) = fate(Role::Source, &get("/x"), answers).await;
        assert_eq!((seen.as_str(), calls), (fate_, sent), "row {n}");
        assert!(log.is_empty());
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_is_doubt_for_a_write_and_a_timeout_for_a_read() {
    let bench = Bench::new(Role::Destination);
    let gateway = bench.open(FnTransport::new(|_| std::future::pending()));
    let log = Log::default();
    let write = gateway
        .exchange(&post(Replay::Once), Some(&log))
        .await
        .unwrap();
    assert_eq!(short(&write), "doubt");
    let read = gateway.exchange(&get("/x"), None).await.unwrap();
    assert_eq!(short(&read), "timeout");
}

#[tokio::test]
async fn an_answer_without_end_is_taken_up_to_the_limit_and_no_further() {
    let mut bench = Bench::new(Role::Destination);
    bench.spec.limits.max_answer_bytes = 1 << 20;
    let taken = Arc::new(Mutex::new(0_u64));
    let count = taken.clone();
    let gateway = bench.open(FnTransport::new(move |_| {
        let count = count.clone();
        let piece = move || {
            *count.lock().unwrap() += 1 << 16;
            Ok(vec![0; 1 << 16].into())
        };
        let mut answer = InResponse::whole(200, &[], "");
        answer.body = futures::stream::repeat_with(piece).boxed();
        async { Ok(answer) }
    }));
    let read = gateway.exchange(&get("/x"), None).await.unwrap();
    assert_eq!(short(&read), "toolarge");
    // It may have been applied: nobody has read what it says.
    let write = gateway
        .exchange(post(Replay::Once), Some(&Log::default()))
        .await
        .unwrap();
    assert_eq!(short(&write), "doubt");
    assert!(*taken.lock().unwrap() <= 2 * ((1 << 20) + (1 << 16)));
    // A length that is stated is believed, and nothing is taken at all.
    let before = *taken.lock().unwrap();
    let stated = || {
        Ok(InResponse::whole(
            200,
            &[("content-length", "1073741824")],
            "",
        ))
    };
    let (transport, _) = script(vec![stated]);
    let read = bench.open(transport).exchange(&get("/x"), None).await;
    assert!(matches!(
        read.unwrap(),
        Exchange::Failed(http::Error::TooLarge(Some(1_073_741_824)))
    ));
    assert_eq!(*taken.lock().unwrap(), before);
}

#[tokio::test]
async fn a_digest_sees_content_and_not_perishable_text() {
    let bench = Bench::new(Role::Destination);
    let gateway = bench.open(FnTransport::new(|_| async { ok("{}") }));
    let with = |body: &str, perishable: &[&str]| Request {
        body: Body::Bytes(body.into()),
        perishable: perishable.iter().map(|p| (*p).to_owned()).collect(),
        ..post(Replay::Once)
    };
    let digest = |request: &Request| gateway.digest(request);
    let token = digest(&with("a tok1 b", &["tok1"]));
    assert_eq!(token, digest(&with("a tok22 b", &["tok22"])));
    assert_ne!(token, digest(&with("a tok1 c", &["tok1"])));
    assert_ne!(digest(&with("a", &[])), digest(&with("b", &[])));
    let other = Request {
        headers: vec![header("x-a", "b")],
        ..with("a", &[])
    };
    assert_eq!(digest(&with("a", &[])), digest(&other));
    let elsewhere = Request {
        url: "/things?x=1".into(),
        ..with("a", &[])
    };
    assert_ne!(digest(&with("a", &[])), digest(&elsewhere));
}

#[tokio::test]
async fn a_digest_of_pieces_has_blobs_by_their_hash_and_each_piece_as_what_it_is() {
    let bench = Bench::new(Role::Destination);
    let gateway = bench.open(FnTransport::new(|_| async { ok("{}") }));
    let blob = |sha256: &str| crate::contract::types::BlobRef {
        sha256: sha256.into(),
        size: 3,
        media_type: "image/png".into(),
    };
    let bytes = |text: &str| http::Piece::Bytes(text.into());
    let (a, b) = (blob("aa"), blob("bb"));
    let bodies = [
        vec![bytes("x"), http::Piece::Base64(a.clone())],
        vec![bytes("x"), http::Piece::Base64(b)],
        vec![bytes("x"), http::Piece::Blob(a.clone())],
        vec![bytes("y"), http::Piece::Base64(a.clone())],
        vec![http::Piece::Base64(a.clone()), bytes("x")],
        vec![bytes("x"), bytes("aa")],
        vec![bytes("xaa")],
    ];
    let digest = |pieces: &Vec<http::Piece>, perishable: &[&str]| {
        gateway.digest(&Request {
            body: Body::Pieces(pieces.clone()),
            perishable: perishable.iter().map(|p| (*p).to_owned()).collect(),
            ..post(Replay::Once)
        })
    };
    let digests: std::collections::HashSet<_> = bodies.iter().map(|b| digest(b, &[])).collect();
    assert_eq!(digests.len(), bodies.len());
    // A blob that is nowhere has one: its bytes are not looked at.
    assert_eq!(digest(&bodies[0], &[]), digest(&bodies[0].clone(), &[]));
    let tokens = ["tok1", "tok22"].map(|t| vec![bytes(t), http::Piece::Base64(a.clone())]);
    assert_eq!(
        digest(&tokens[0], &["tok1"]),
        digest(&tokens[1], &["tok22"])
    );
}

#[tokio::test]
async fn a_multipart_body_streams_blobs_and_is_the_same_every_time() {
    let bench = Bench::new(Role::Destination);
    let mut builder = bench.blobs.builder("image/png");
    builder.append(b"\x89PNG\r\n").unwrap();
    let blob = builder.finish().unwrap();
    let seen = Arc::new(Mutex::new(vec![]));
    let log = seen.clone();
    let gateway = bench.open(FnTransport::new(move |request: OutRequest| {
        let body = request.body.to_bytes().unwrap();
        assert_eq!(body.len() as u64, request.body.len());
        let media = request
            .headers
            .iter()
            .find(|h| h.name == "content-type")
            .unwrap();
        log.lock().unwrap().push((media.value.clone(), body));
        async { ok("{}") }
    }));
    let file = Part {
        name: "file".into(),
        filename: Some("a\"b\r\n.png".into()),
        media_type: Some("image/png".into()),
        body: PartBody::Blob(blob),
    };
    let text = Part {
        name: "n".into(),
        filename: None,
        media_type: None,
        body: PartBody::Bytes("ä".into()),
    };
    let request = Request {
        body: Body::Multipart(vec![text, file]),
        ..post(Replay::Once)
    };
    for _ in 0..2 {
        gateway
            .exchange(&request, Some(&Log::default()))
            .await
            .unwrap();
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0], seen[1]);
    let boundary = seen[0]
        .0
        .strip_prefix("multipart/form-data; boundary=")
        .unwrap();
    let mut expected = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\nä\r\n--{boundary}\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"a%22b%0D%0A.png\"\r\n\
         Content-Type: image/png\r\n\r\n"
    )
    .into_bytes();
    expected.extend_from_slice(b"\x89PNG\r\n\r\n");
    expected.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    assert_eq!(seen[0].1, expected);
}

#[tokio::test]
async fn a_download_becomes_a_blob_only_when_it_is_whole() {
    let bench = Bench::new(Role::Source);
    let (transport, calls) = script(vec![cut, || {
        Ok(InResponse::whole(
            200,
            &[("content-type", "text/csv")],
            "a,b",
        ))
    }]);
    let (response, blob) = bench
        .open(transport)
        .download(&get("/f"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((response.status, response.body.len()), (200, 0));
    assert_eq!((blob.size, blob.media_type.as_str()), (3, "text/csv"));
    assert_eq!(bench.blobs.read(&blob, 0, 9).unwrap(), b"a,b");
    assert_eq!(*calls.lock().unwrap(), 2);
    let (transport, _) = script(vec![|| Ok(InResponse::whole(200, &[], vec![0; 2 << 20]))]);
    let answer = bench.open(transport).download(&get("/f")).await.unwrap();
    assert!(matches!(answer, Err(http::Error::TooLarge(_))));
}

#[tokio::test]
async fn an_endless_or_broken_download_is_given_up_and_leaves_nothing() {
    let mut bench = Bench::new(Role::Source);
    bench.spec.limits.attempts = 2;
    let zeros = || Ok(vec![0; 1 << 16].into());
    let endless = move |_| async move {
        let mut answer = InResponse::whole(200, &[], "");
        answer.body = futures::stream::repeat_with(zeros).boxed();
        Ok(answer)
    };
    let gateway = bench.open(FnTransport::new(endless));
    let answer = gateway.download(&get("/f")).await.unwrap();
    assert!(matches!(answer, Err(http::Error::TooLarge(_))));
    let broken = move |_| async move {
        let mut answer = InResponse::whole(200, &[], "");
        answer.body = futures::stream::iter([zeros(), Err(TransportError::broken())]).boxed();
        Ok(answer)
    };
    let gateway = bench.open(FnTransport::new(broken));
    let answer = gateway.download(&get("/f")).await.unwrap();
    assert!(matches!(answer, Err(http::Error::Connection(_))));
    let stalled = move |_| async move {
        let mut answer = InResponse::whole(200, &[], "");
        let then = futures::stream::pending();
        answer.body = futures::stream::iter([zeros()]).chain(then).boxed();
        Ok(answer)
    };
    let start = bench.clock.now();
    let gateway = bench.open(FnTransport::new(stalled));
    let answer = gateway.download(&get("/f")).await.unwrap();
    assert!(matches!(answer, Err(http::Error::Timeout)));
    let waited = u64::try_from(bench.clock.now() - start).unwrap();
    assert!(Duration::from_millis(waited) >= bench.spec.limits.download_timeout * 2);
    let tmp = bench.dir.path().join("blobs/tmp");
    assert_eq!(std::fs::read_dir(tmp).unwrap().count(), 0);
}

#[tokio::test]
async fn polling_waits_in_the_host_until_the_answer_says_so_or_time_is_up() {
    let bench = Bench::new(Role::Source);
    let answers: Vec<Answer> = vec![|| ok(r#"{"job":{"state":"busy"}}"#), || {
        ok(r#"{"job":{"state":"done"}}"#)
    }];
    let options = |give_up_after_ms| PollOptions {
        every_ms: 30_000,
        give_up_after_ms,
        pointer: "/job/state".into(),
        until: vec!["done".into()],
    };
    let (transport, calls) = script(answers);
    let start = bench.clock.now();
    let gateway = bench.open(transport);
    let answer = gateway
        .poll(&get("/job"), options(90_000))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(answer.body, br#"{"job":{"state":"done"}}"#);
    assert_eq!(
        (*calls.lock().unwrap(), bench.clock.now() - start),
        (2, 30_000)
    );
    let (transport, calls) = script(vec![|| ok(r#"{"job":{"state":"busy"}}"#)]);
    let answer = bench
        .open(transport)
        .poll(&get("/job"), options(90_000))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((answer.status, *calls.lock().unwrap()), (200, 4));
}
