//! The platform behind the SDK's harness.

pub mod platform;

use std::cell::RefCell;
use std::rc::Rc;

use platform::{Sent, Tessera as Platform};
use serde_json::json;
use transload_example_tessera::Tessera;
use transload_sdk::http::{Body, PartBody, Request};
use transload_sdk::testing::trial::Trial;
use transload_sdk::testing::{Harness, answer};
use transload_sdk::types::BlobRef;

/// The day on which tests migrate.
pub const NOW: i64 = 1_700_000_000_000 + 30 * 86_400_000;

pub type Shared = Rc<RefCell<Platform>>;

pub fn platform() -> Shared {
    Rc::new(RefCell::new(Platform::new(NOW)))
}

/// A harness before a platform; what is waited for passes there.
pub fn harness(platform: &Shared) -> Harness {
    let (asked, waited) = (Rc::clone(platform), Rc::clone(platform));
    Harness::new(move |request| {
        let sent = sent(&request);
        let (status, body) = asked
            .borrow_mut()
            .answer(&request.method, &request.url, sent);
        std::future::ready(answer(status, body.to_string()))
    })
    .config(&json!({"subdomain": "acme"}))
    .now(platform.borrow().now)
    .sleeping(move |ms| waited.borrow_mut().now += i64::try_from(ms).unwrap())
    .holding(bytes)
}

/// What files of the test's items hold: as many bytes as they say.
fn bytes(blob: &BlobRef) -> Vec<u8> {
    vec![b'x'; usize::try_from(blob.size).unwrap()]
}

fn sent(request: &Request) -> Sent {
    match &request.body {
        Body::None => Sent::Nothing,
        Body::Bytes(bytes) => Sent::Json(serde_json::from_slice(bytes).unwrap()),
        Body::Multipart(parts) => {
            let [part] = parts.as_slice() else {
                panic!("one part")
            };
            assert_eq!(part.name, "file");
            let PartBody::Blob(blob) = &part.body else {
                panic!("a blob")
            };
            Sent::File {
                name: part.filename.clone().unwrap(),
                bytes: bytes(blob),
            }
        }
        other => panic!("{other:?}"),
    }
}

/// A connection, prepared.
pub async fn trial(platform: &Shared) -> Trial<Tessera> {
    let (plays, clock) = (Rc::clone(platform), Rc::clone(platform));
    let mut trial = Trial::new(move || harness(&plays), move || clock.borrow().now);
    trial.set("subdomain", "acme");
    trial.prepare().await;
    trial
}
