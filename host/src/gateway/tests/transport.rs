//! The real transport against a server on the loopback that answers exactly what it is told to.

use std::net::SocketAddr;

use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::clock::SystemClock;
use crate::contract::http::{Part, PartBody};

/// `{"a":"zzz…"}`, 208 bytes, as gzip.
const GZIPPED: &[u8] = b"\
    \x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x4a\x54\xb2\x52\xaa\x1a\x26\x40\xa9\x16\
    \x00\x36\x0e\x2b\xdc\xd0\x00\x00\x00";

/// One answer for each connection, sent raw when the request is whole; then the connection is closed. Keeps what came.
pub(super) struct Server {
    pub at: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// Request line and headers, in lower case.
    pub head: String,
    pub body: Vec<u8>,
}

impl Server {
    pub async fn start(answers: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(vec![]));
        let log = seen.clone();
        tokio::spawn(async move {
            for answer in answers {
                let (mut socket, _) = listener.accept().await.unwrap();
                let request = receive(&mut socket).await;
                log.lock().unwrap().push(request);
                socket.write_all(&answer).await.unwrap();
                socket.shutdown().await.unwrap();
            }
        });
        Self { at, seen }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn url(&self, path: &str) -> url::Url {
        format!("http://{}{path}", self.at).parse().unwrap()
    }
}

async fn receive(socket: &mut tokio::net::TcpStream) -> Seen {
    let (mut bytes, mut buffer) = (vec![], vec![0; 1 << 16]);
    loop {
        let n = socket.read(&mut buffer).await.unwrap();
        bytes.extend_from_slice(&buffer[..n]);
        let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else {
            assert!(n > 0, "the request ended within its headers");
            continue;
        };
        let head = String::from_utf8(bytes[..end].to_vec())
            .unwrap()
            .to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|l| l.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |l| l.parse().unwrap());
        if bytes.len() >= end + 4 + length {
            return Seen {
                head,
                body: bytes.split_off(end + 4),
            };
        }
        assert!(n > 0, "the request ended within its body");
    }
}

pub(super) fn raw(head: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n").into_bytes();
    answer.extend_from_slice(body);
    answer
}

fn transport() -> ReqwestTransport {
    ReqwestTransport::new(Duration::from_secs(10)).unwrap()
}

fn out(method: &str, url: url::Url) -> OutRequest {
    OutRequest {
        method: method.into(),
        url,
        headers: vec![],
        secret_headers: vec![],
        body: OutBody::default(),
        addresses: vec![],
    }
}

async fn read(mut answer: InResponse) -> Result<Vec<u8>, TransportError> {
    let mut all = vec![];
    while let Some(piece) = answer.body.next().await {
        all.extend_from_slice(&piece?);
    }
    Ok(all)
}

fn value<'a>(answer: &'a InResponse, name: &str) -> Option<&'a str> {
    let found = answer.headers.iter().find(|h| h.name == name)?;
    Some(found.value.as_str())
}

/// A gateway whose base is the server, in real time.
fn gateway(bench: &mut Bench, server: &Server) -> Gateway {
    bench.spec.base_url = format!("http://{}/api", server.at);
    bench.spec.allow_private = vec!["127.0.0.0/8".parse().unwrap()];
    bench.spec.limits.backoff = Duration::from_millis(1);
    Gateway::new(
        bench.spec.clone(),
        Arc::new(transport()),
        Arc::new(SystemClock),
        bench.blobs.clone(),
        bench.stop.clone(),
    )
    .unwrap()
}

#[tokio::test]
async fn status_headers_and_body_arrive_as_they_were_sent() {
    let head = "404 Not Found\r\ncontent-length: 4\r\nX-Two: a\r\nx-two: b";
    let server = Server::start(vec![raw(head, b"\xff\x00\r\n")]).await;
    let mut request = out("POST", server.url("/a%20b?q=1"));
    request.headers = vec![
        header("X-One", "ä"),
        header("x-many", "1"),
        header("x-many", "2"),
    ];
    request.secret_headers = vec![("authorization".into(), Secret::new("Bearer s3cret"))];
    let answer = transport().round_trip(request).await.unwrap();
    assert_eq!(answer.status, 404);
    let two: Vec<_> = answer
        .headers
        .iter()
        .filter(|h| h.name == "x-two")
        .collect();
    assert_eq!((two[0].value.as_str(), two[1].value.as_str()), ("a", "b"));
    assert_eq!(read(answer).await.unwrap(), b"\xff\x00\r\n");
    let seen = &server.seen()[0];
    assert!(
        seen.head.starts_with("post /a%20b?q=1 http/1.1\r\n"),
        "{}",
        seen.head
    );
    for line in [
        "x-one: ä",
        "x-many: 1",
        "x-many: 2",
        "authorization: bearer s3cret",
    ] {
        assert!(
            seen.head.lines().any(|l| l == line),
            "{line} in {}",
            seen.head
        );
    }
    assert!(
        seen.head.lines().any(|l| l == "content-length: 0"),
        "{}",
        seen.head
    );
}

#[tokio::test]
async fn a_blob_is_streamed_with_its_length_and_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("blob");
    let bytes: Vec<u8> = (0..700_001u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(&path, &bytes).unwrap();
    let server = Server::start(vec![raw("204 No Content", b"")]).await;
    let mut request = out("PUT", server.url("/f"));
    let file = Piece::File {
        path,
        len: bytes.len() as u64,
    };
    request.body = OutBody(vec![
        Piece::Bytes("<".into()),
        file,
        Piece::Bytes(">".into()),
    ]);
    assert_eq!(transport().round_trip(request).await.unwrap().status, 204);
    let seen = &server.seen()[0];
    assert!(
        seen.head.lines().any(|l| l == "content-length: 700003"),
        "{}",
        seen.head
    );
    assert!(!seen.head.contains("transfer-encoding"), "{}", seen.head);
    assert_eq!(seen.body, [b"<", bytes.as_slice(), b">"].concat());
}

#[tokio::test]
async fn a_blob_that_is_gone_when_its_turn_comes_is_no_answer_and_no_short_body() {
    // It listens and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/f", listener.local_addr().unwrap());
    let mut request = out("PUT", url.parse().unwrap());
    let file = Piece::File {
        path: "/nonexistent/blob".into(),
        len: 5,
    };
    request.body = OutBody(vec![Piece::Bytes("<".into()), file]);
    let error = transport().round_trip(request).await.err().unwrap();
    assert_eq!(error, TransportError::broken());
}

#[tokio::test]
async fn a_file_inside_json_leaves_as_base64_with_its_length_whatever_that_is() {
    use base64::Engine as _;
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    // Nothing, each padding, and on both sides of what is encoded at once.
    for len in [0, 1, 2, 3, 49_151, 49_152, 49_153, 300_001_usize] {
        let mut bench = Bench::new(Role::Destination);
        let bytes: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
        let blob = bench.blobs.put_bytes(&bytes, "image/png").unwrap();
        let server = Server::start(vec![raw("204 No Content", b"")]).await;
        let request = Request {
            headers: vec![header("content-type", "application/json")],
            body: Body::Pieces(vec![
                http::Piece::Bytes(b"{\"data\":\"".to_vec()),
                http::Piece::Base64(blob.clone()),
                http::Piece::Bytes(b"\",\"raw\":\"".to_vec()),
                http::Piece::Blob(blob),
                http::Piece::Bytes(b"\"}".to_vec()),
            ]),
            ..post(Replay::Once)
        };
        let gateway = gateway(&mut bench, &server);
        let answer = gateway
            .exchange(&request, Some(&Log::default()))
            .await
            .unwrap();
        assert_eq!(short(&answer), "answered 204");
        let seen = &server.seen()[0];
        let text = encode(&bytes);
        let expected = [
            b"{\"data\":\"",
            text.as_bytes(),
            b"\",\"raw\":\"",
            &bytes,
            b"\"}",
        ]
        .concat();
        assert!(seen.body == expected, "{len}: {} bytes", seen.body.len());
        let length = format!("content-length: {}", expected.len());
        assert!(seen.head.lines().any(|l| l == length), "{}", seen.head);
        let json = "content-type: application/json";
        assert!(seen.head.lines().any(|l| l == json), "{}", seen.head);
    }
}

#[tokio::test]
async fn a_file_inside_json_is_encoded_as_it_leaves_and_never_held_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("blob");
    let file = std::fs::File::create(&path).unwrap();
    // A file without blocks on the disk, and far beyond what a host may hold for one request.
    let len = 200 << 20;
    file.set_len(len).unwrap();
    let mut stream = OutBody(vec![Piece::Base64 { path, len }]).into_stream();
    let (mut sum, mut largest) = (0, 0);
    while let Some(some) = futures::StreamExt::next(&mut stream).await {
        let some = some.unwrap();
        sum += some.len() as u64;
        largest = largest.max(some.len());
    }
    assert_eq!(sum, len.div_ceil(3) * 4);
    assert!(largest <= 64 * 1024, "{largest}");
}

#[tokio::test]
async fn a_multipart_request_of_a_guest_leaves_whole() {
    let mut bench = Bench::new(Role::Destination);
    let blob = bench
        .blobs
        .put_bytes(&[b'p'; 100_000], "image/png")
        .unwrap();
    let head = "201 Created\r\ncontent-type: application/json\r\ncontent-length: 8";
    let server = Server::start(vec![raw(head, b"{\"id\":1}")]).await;
    let part = |name: &str, body| Part {
        name: name.into(),
        filename: Some(format!("{name}.png")),
        media_type: Some("image/png".into()),
        body,
    };
    let parts = vec![
        part("a", PartBody::Bytes("ä".into())),
        part("b", PartBody::Blob(blob)),
    ];
    let request = Request {
        body: Body::Multipart(parts),
        ..post(Replay::Once)
    };
    let gateway = gateway(&mut bench, &server);
    let answer = gateway
        .exchange(&request, Some(&Log::default()))
        .await
        .unwrap();
    assert_eq!(short(&answer), "answered 201");
    let seen = &server.seen()[0];
    assert!(
        seen.head.starts_with("post /api/things http/1.1\r\n"),
        "{}",
        seen.head
    );
    let length = format!("content-length: {}", seen.body.len());
    assert!(seen.head.lines().any(|l| l == length), "{}", seen.head);
    let boundary = seen
        .head
        .lines()
        .find_map(|l| l.strip_prefix("content-type: multipart/form-data; boundary="));
    let end = format!("\r\n--{}--\r\n", boundary.unwrap());
    let tail = [b"\r\n\r\n", [b'p'; 100_000].as_slice(), end.as_bytes()].concat();
    assert!(seen.body.ends_with(&tail));
}

#[tokio::test]
async fn an_answer_that_ends_early_is_broken_however_it_is_framed() {
    for (head, body) in [
        ("200 OK\r\ncontent-length: 10", &b"12345"[..]),
        ("200 OK\r\ntransfer-encoding: chunked", b"5\r\n12345\r\n"),
        ("200 OK\r\ntransfer-encoding: chunked", b"5\r\n123"),
        (
            "200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 999",
            GZIPPED,
        ),
        ("200 OK\r\ncontent-encoding: gzip", &GZIPPED[..20]),
    ] {
        let server = Server::start(vec![raw(head, body)]).await;
        let answer = transport()
            .round_trip(out("GET", server.url("/")))
            .await
            .unwrap();
        assert_eq!(read(answer).await, Err(TransportError::broken()), "{head}");
    }
    let server = Server::start(vec![vec![], b"HTTP/1.1 200 OK\r\nx-half".to_vec()]).await;
    for _ in 0..2 {
        let answer = transport().round_trip(out("GET", server.url("/"))).await;
        assert_eq!(answer.err(), Some(TransportError::broken()));
    }
}

#[tokio::test]
async fn a_cut_answer_leaves_doubt_over_a_write_and_is_read_again() {
    let mut bench = Bench::new(Role::Destination);
    let cut = || raw("201 Created\r\ncontent-length: 10", b"{}");
    let server = Server::start(vec![
        cut(),
        cut(),
        raw("200 OK\r\ncontent-length: 2", b"{}"),
    ])
    .await;
    let gateway = gateway(&mut bench, &server);
    let log = Log::default();
    let write = gateway
        .exchange(&post(Replay::Once), Some(&log))
        .await
        .unwrap();
    assert_eq!(short(&write), "doubt");
    assert_eq!(log.lines(), ["intend 1"]);
    assert_eq!(
        short(&gateway.exchange(&get("/x"), None).await.unwrap()),
        "answered 200"
    );
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_download_over_the_network_becomes_a_blob() {
    let mut bench = Bench::new(Role::Source);
    let bytes = vec![7; 300_000];
    let cut = raw("200 OK\r\ncontent-length: 300000", &bytes[..1000]);
    let whole = raw(
        "200 OK\r\ncontent-type: image/png\r\ncontent-length: 300000",
        &bytes,
    );
    let server = Server::start(vec![cut, whole]).await;
    let gateway = gateway(&mut bench, &server);
    let (answer, blob) = gateway.download(&get("/f")).await.unwrap().unwrap();
    assert_eq!(
        (answer.status, blob.size, blob.media_type.as_str()),
        (200, 300_000, "image/png")
    );
    assert_eq!(bench.blobs.read_all(&blob).unwrap(), bytes);
}

#[tokio::test]
async fn a_compressed_answer_is_unpacked_and_its_packed_length_is_not_taken_for_its_own() {
    let mut bench = Bench::new(Role::Source);
    let head = format!(
        "200 OK\r\ncontent-encoding: gzip\r\ncontent-type: application/json\r\ncontent-length: {}",
        GZIPPED.len()
    );
    let server = Server::start(vec![raw(&head, GZIPPED)]).await;
    let gateway = gateway(&mut bench, &server);
    let answer = gateway.exchange(&get("/x"), None).await.unwrap();
    let Exchange::Answered { response, .. } = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(response.body.len(), 208);
    assert!(server.seen()[0].head.contains("accept-encoding: gzip"));
}

/// Zeros as gzip, a thousandth of their length: one literal, and over and over "the last byte, 258 times".
fn zeros_gzipped(at_least: usize) -> Vec<u8> {
    let mut bytes = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03".to_vec();
    let (mut pending, mut count) = (0_u32, 0);
    let mut put = |code: u32, bits: u32, backwards: bool| {
        for n in 0..bits {
            let at = if backwards { bits - 1 - n } else { n };
            pending |= (code >> at & 1) << count;
            count += 1;
            if count == 8 {
                bytes.push(u8::try_from(pending).unwrap());
                (pending, count) = (0, 0);
            }
        }
    };
    put(0b011, 3, false); // the last block, with fixed codes (RFC 1951, 3.2.6)
    put(0b0011_0000, 8, true);
    for _ in 0..at_least / 258 {
        put(0b1100_0101, 8, true);
        put(0, 5, true);
    }
    put(0, 14, true); // the end, and what fills the last byte
    bytes
}

#[tokio::test]
async fn a_compressed_bomb_is_given_up_at_the_limit_of_what_it_unpacks_to() {
    let mut bench = Bench::new(Role::Source);
    bench.spec.limits.max_answer_bytes = 1 << 20;
    let bomb = zeros_gzipped(16 << 20);
    assert!(bomb.len() < 200_000, "{} bytes", bomb.len());
    let head = "200 OK\r\ncontent-encoding: gzip\r\ncontent-type: application/octet-stream";
    let server = Server::start(vec![raw(head, &bomb), raw(head, &bomb)]).await;
    let gateway = gateway(&mut bench, &server);
    let answer = gateway.exchange(&get("/x"), None).await.unwrap();
    assert!(
        matches!(answer, Exchange::Failed(http::Error::TooLarge(None))),
        "{answer:?}"
    );
    let file = gateway.download(&get("/f")).await.unwrap();
    assert!(matches!(file, Err(http::Error::TooLarge(None))), "{file:?}");
    let temporary = bench.dir.path().join("blobs/tmp");
    assert_eq!(std::fs::read_dir(temporary).unwrap().count(), 0);
}

#[tokio::test]
async fn the_answer_to_head_has_a_length_and_no_body() {
    let mut bench = Bench::new(Role::Source);
    // Longer than an answer may be: nothing of it is read.
    let head = "200 OK\r\ncontent-type: application/json\r\ncontent-length: 99999999";
    let server = Server::start(vec![raw(head, b"")]).await;
    let gateway = gateway(&mut bench, &server);
    let request = Request {
        method: "HEAD".into(),
        ..get("/x")
    };
    let answer = gateway.exchange(&request, None).await.unwrap();
    let Exchange::Answered { response, .. } = answer else {
        panic!("{answer:?}")
    };
    assert_eq!((response.status, response.body.len()), (200, 0));
    assert!(
        response
            .headers
            .contains(&header("content-length", "99999999"))
    );
}

#[tokio::test]
async fn the_transport_follows_no_redirect_and_keeps_no_cookie() {
    let elsewhere = Server::start(vec![raw("200 OK", b"")]).await;
    let head = format!(
        "302 Found\r\nlocation: {}\r\nset-cookie: a=b",
        elsewhere.url("/y")
    );
    let again = raw("200 OK\r\ncontent-length: 0", b"");
    let server = Server::start(vec![raw(&head, b""), again]).await;
    let transport = transport();
    let answer = transport
        .round_trip(out("GET", server.url("/x")))
        .await
        .unwrap();
    assert_eq!(answer.status, 302);
    assert_eq!(
        value(&answer, "location"),
        Some(elsewhere.url("/y").as_str())
    );
    transport
        .round_trip(out("GET", server.url("/x")))
        .await
        .unwrap();
    assert!(
        !server.seen()[1].head.contains("cookie"),
        "{}",
        server.seen()[1].head
    );
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn a_name_is_dialled_at_its_checked_addresses_and_nowhere_else() {
    let server = Server::start(vec![raw("200 OK\r\ncontent-length: 0", b"")]).await;
    let transport = transport();
    let named = |name: &str| {
        format!("http://{name}:{}/", server.at.port())
            .parse()
            .unwrap()
    };
    // No resolver knows this name: only what was checked leads to the server.
    let mut request = out("GET", named("pinned.invalid"));
    request.addresses = vec![server.at];
    assert_eq!(transport.round_trip(request).await.unwrap().status, 200);
    assert!(
        server.seen()[0]
            .head
            .contains(&format!("host: pinned.invalid:{}", server.at.port()))
    );
    // Every resolver knows this one: without a checked address it is not asked.
    let error = transport
        .round_trip(out("GET", named("localhost")))
        .await
        .err()
        .unwrap();
    assert_eq!(error, TransportError::refused());
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_refused_connection_has_sent_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    drop(listener);
    let url: url::Url = format!("http://{at}/").parse().unwrap();
    let mut request = out("POST", url);
    request.body = OutBody(vec![Piece::Bytes("x".into())]);
    let error = transport().round_trip(request).await.err().unwrap();
    assert_eq!(error, TransportError::refused());
    assert!(error.nothing_sent);
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_has_been_sent_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    });
    let url: url::Url = format!("https://{at}/").parse().unwrap();
    let error = transport()
        .round_trip(out("POST", url))
        .await
        .err()
        .unwrap();
    assert_eq!(error, TransportError::refused());
}

#[tokio::test]
async fn a_header_that_is_not_utf8_loses_nothing() {
    let mut head = b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\nconnection: close\r\n".to_vec();
    head.extend_from_slice(b"x-utf8: f\xc3\xbcr\r\nx-latin1: f\xfcr\x80\r\n");
    head.extend_from_slice(b"location: /f\xfcr?q=\xc3\xbc%20\r\n\r\n");
    let server = Server::start(vec![head]).await;
    let answer = transport()
        .round_trip(out("GET", server.url("/")))
        .await
        .unwrap();
    assert_eq!(value(&answer, "x-utf8"), Some("für"));
    assert_eq!(value(&answer, "x-latin1"), Some("für\u{80}"));
    assert_eq!(value(&answer, "location"), Some("/f%FCr?q=%C3%BC%20"));
}

#[tokio::test]
async fn nothing_secret_and_nothing_of_a_body_or_a_query_reaches_the_log() {
    use crate::contract::description::{Oauth2, TokenRequestFormat};

    let mut bench = Bench::new(Role::Destination);
    for name in ["client", "refresh"] {
        bench.secret(name, &format!("s3cret-{name}"));
    }
    bench.auth(Auth::RefreshToken(Oauth2 {
        token_url: "/token?k=s3cret-query".into(),
        client_id: "id".into(),
        client_secret: "{secret:client}".into(),
        scope: None,
        refresh_token: Some("{secret:refresh}".into()),
        format: TokenRequestFormat::Form,
        extra: vec![],
        prefix: None,
    }));
    let json = "200 OK\r\ncontent-type: application/json";
    let token = br#"{"access_token":"s3cret-access","refresh_token":"s3cret-next"}"#;
    let lost = br#"{"error":"s3cret-in-error"}"#;
    let server = Server::start(vec![
        raw("400 Bad Request", lost),
        raw(json, token),
        raw(
            &format!("{json}\r\nset-cookie: s=s3cret-cookie"),
            br#"{"a":"s3cret-answer"}"#,
        ),
        raw(&format!("{json}\r\ncontent-length: 99"), b"s3cret-cut"),
        raw("401 Unauthorized", b"s3cret-refused"),
        raw(json, token),
        raw(json, b"{}"),
    ])
    .await;

    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // While only one subscriber lives, an event that another test's thread meets first is switched off for every thread.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let _guard = tracing::subscriber::set_default(subscriber);

    let mut gateway = gateway(&mut bench, &server);
    let mut pauses = gateway.pauses();
    let waiting = {
        let gateway = gateway.clone();
        tokio::spawn(async move { gateway.exchange(&get("/things?q=s3cret-q"), None).await })
    };
    pauses.changed().await.unwrap();
    let text = lines.text();
    assert!(text.contains("the token endpoint said 400"), "{text}");
    waiting.abort();
    // Another one with the same credential: a paused connection looks again after a minute only.
    gateway = super::transport::gateway(&mut bench, &server);
    let request = Request {
        url: "/things?q=s3cret-q".into(),
        body: Body::Bytes(b"s3cret-body".to_vec()),
        ..post(Replay::Once)
    };
    for fate in ["answered 200", "doubt", "answered 200"] {
        let seen = gateway
            .exchange(&request, Some(&Log::default()))
            .await
            .unwrap();
        assert_eq!(short(&seen), fate);
    }
    assert_eq!(server.seen().len(), 7);
    let text = format!("{}{:?}", lines.text(), gateway.state());
    // What is to be seen there: otherwise this proves nothing.
    for wanted in ["http.response.status_code=200", "grant=/things", "hyper"] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
    let leaked: Vec<_> = text.lines().filter(|l| l.contains("s3cret")).collect();
    assert!(leaked.is_empty(), "{leaked:#?}");
    let seen: String = server.seen().iter().map(|s| s.head.clone()).collect();
    assert!(seen.contains("bearer s3cret-access"), "it was sent");
}

/// What was logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
