//! What the connectors can be told to do, and the doing of it.

use futures::future::{FutureExt as _, join_all};
use futures::stream::{FuturesUnordered, StreamExt as _};
use serde::Deserialize;
use transload_sdk::types::{BlobRef, Error};
use transload_sdk::{Context, Level, Result};

use crate::signed;

/// One way to misbehave. The words of the settings are these in lower case with dashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Misdeed {
    /// Ends in a trap, as a panic does.
    Trap,
    /// Computes for ever.
    Loop,
    /// Calls itself for ever.
    Recurse,
    /// Reads JSON that is nested as deeply as its parser goes, and writes it again. No misdeed: it must not be taken for one.
    Nested,
    /// Wants memory for ever.
    Allocate,
    /// Waits for ever.
    Sleep,
    /// Waits for what nobody will ever do.
    WaitForNothing,
    /// Sends reads for ever, fifty at once.
    FloodRequests,
    /// Writes lines to the log, a hundred thousand long ones, and then goes on as if nothing had happened.
    FloodLog,
    /// Begins blobs for ever.
    FloodBuilders,
    /// Appends to one blob for ever.
    GrowBlob,
    /// A source: every page has a next one, none has a record.
    EndlessPages,
    /// A source: every page is followed by itself.
    SamePage,
    /// A source: every partition is to be read as another one instead.
    EndlessSplits,
    /// A source: a page of 80 MB.
    GiantPage,
    /// Asks for an answer of a gigabyte.
    GiantAnswer,
    /// Asks for a file of which the settings' `address` gives hash and size, `<sha-256>/<bytes>`.
    ForeignBlob,
    /// Sends such a file.
    SendForeignBlob,
    /// Asks the address that the settings name.
    Elsewhere,
    /// Asks an address of a private network.
    PrivateAddress,
    /// Asks for what the desk redirects.
    Redirect,
    /// Brings a credential of its own along.
    AuthorizationHeader,
    /// Asks the host for its secret, in the words that `describe` uses for it.
    SecretTemplate,
    /// Sends a header, `<name>: <value>` of the settings' `address`.
    Header,
    /// Sends a request with a method that the settings' `address` names.
    Method,
    /// Begins requests for ever and waits for none.
    OpenWithoutWaiting,
    /// Gives a text of a hundred megabytes to the log.
    GiantLine,
    /// Fails, with a text of a hundred megabytes.
    GiantError,
    /// Asks for a path of a hundred megabytes.
    GiantUrl,
    /// Sends a body of a hundred megabytes.
    GiantBody,
    /// Logs what looks like secrets.
    LogSecrets,
    /// Waits in the host for ever, a moment at a time.
    PollForEver,
    /// A source: a page of a million records.
    MillionRecords,
    /// Writes, whatever the call is.
    Writes,
    /// Writes what nobody granted.
    Undeclared,
    /// A destination: says that the account has a kind of which the description says nothing.
    UndescribedKind,
    /// A destination: reports what became of a record that its unit does not have.
    UnknownOutcome,
    /// A destination: says `created` and does not say why that may be believed.
    CreatedWithoutProof,
    /// A destination: says that two records became one object, which it created for both.
    ForgedTarget,
    /// A destination: says what became of an effect that it was not given.
    UnknownEffect,
    /// A destination: makes a record and says that it was skipped.
    Unclaimed,
    /// A destination: traps while its requests are on their way.
    AbandonAndTrap,
    /// A destination: goes by the order in which answers come.
    AsTheyCome,
}

/// The part of the settings that is about misbehaving.
#[derive(Debug, Default, Deserialize)]
struct Settings {
    misdeed: Option<Misdeed>,
    /// The exported call that commits it.
    at: Option<String>,
    /// For calls with records: only those that get the record of this id.
    only: Option<String>,
    address: Option<String>,
}

/// What is to be committed in this call.
///
/// # Errors
/// `bug` for settings that name no misdeed there is.
pub fn wanted(cx: &Context, call: &str) -> Result<Option<Misdeed>> {
    let settings: Settings = cx.config()?;
    let here = settings.at.as_deref() == Some(call);
    Ok(settings.misdeed.filter(|_| here))
}

/// What is to be committed in this call, for these records.
///
/// # Errors
/// As [`wanted`].
pub fn wanted_for<'a>(
    cx: &Context,
    call: &str,
    mut ids: impl Iterator<Item = &'a str>,
) -> Result<Option<Misdeed>> {
    let only = cx.config::<Settings>()?.only;
    let meant = only.is_none_or(|only| ids.any(|id| id == only));
    Ok(wanted(cx, call)?.filter(|_| meant))
}

/// Commits what is to be committed in this call.
///
/// # Errors
/// As [`commit`].
pub async fn at(cx: &Context, call: &str) -> Result<()> {
    match wanted(cx, call)? {
        Some(misdeed) => commit(cx, misdeed).await,
        None => Ok(()),
    }
}

/// Commits it. Returns if the misdeed can be got over.
///
/// # Errors
/// What the host says to it.
pub async fn commit(cx: &Context, misdeed: Misdeed) -> Result<()> {
    let address = || {
        let address = cx.config::<Settings>()?.address;
        address.ok_or_else(|| Error::Bug("the settings name no address".to_owned()))
    };
    let get = |url: &str| signed(cx.http().get(url));
    match misdeed {
        Misdeed::Trap => std::process::abort(),
        Misdeed::Loop => loop {
            std::hint::black_box(());
        },
        Misdeed::Recurse => {
            cx.progress(deeper(cx.now().unsigned_abs()), None);
        }
        Misdeed::Nested => {
            let deep: serde_json::Value = get("/nested").send().await?.json()?;
            cx.progress(deep.to_string().len() as u64, None);
        }
        Misdeed::Allocate => {
            let mut all = Vec::new();
            loop {
                all.push(vec![1_u8; 1 << 20]);
                std::hint::black_box(&all);
            }
        }
        Misdeed::Sleep => cx.sleep(u64::MAX).await,
        Misdeed::WaitForNothing => std::future::pending().await,
        Misdeed::FloodRequests => loop {
            let all = (0..50).map(|n| get(&format!("/ping/{n}")).send());
            for reply in join_all(all).await {
                reply?;
            }
        },
        Misdeed::FloodLog => {
            let line = format!("forged\n\u{1b}[31mERROR\u{1b}[0m {}", "x".repeat(2_000));
            for _ in 0..100_000 {
                cx.log(Level::Error, &line);
            }
        }
        Misdeed::FloodBuilders => {
            let mut all = Vec::new();
            loop {
                let mut builder = cx.blobs().builder("text/plain");
                builder.append(b"x");
                all.push(builder);
            }
        }
        Misdeed::GrowBlob => {
            let mut builder = cx.blobs().builder("text/plain");
            loop {
                builder.append(&[1; 1 << 20]);
            }
        }
        Misdeed::GiantAnswer => {
            get("/giant").send().await?;
        }
        Misdeed::ForeignBlob => {
            let bytes = cx.blobs().read_all(&blob(&address()?)?);
            return Err(Error::Bug(format!("read {} bytes", bytes.len())));
        }
        Misdeed::SendForeignBlob => {
            let request = cx.http().post("/customers").body_blob(blob(&address()?)?);
            let request = request.key("*", "theft", "send");
            signed(request).send().await?;
        }
        Misdeed::Elsewhere => {
            get(&address()?).send().await?;
        }
        Misdeed::PrivateAddress => {
            get("https://10.0.0.1/").send().await?;
        }
        Misdeed::Redirect => {
            get("/redirect").send().await?;
        }
        Misdeed::AuthorizationHeader => {
            let request = get("/ping").header("Authorization", "Bearer of-my-own");
            request.send().await?;
        }
        Misdeed::SecretTemplate => {
            let request = get("/ping").header("x-note", "{secret:token}");
            request.send().await?;
        }
        Misdeed::Undeclared => {
            let request = cx.http().delete("/everything").key("*", "all", "delete");
            signed(request).send().await?;
        }
        Misdeed::Header => {
            let address = address()?;
            let (name, value) = address.split_once(": ").unwrap_or((&address, ""));
            get("/ping").header(name, value).send().await?;
        }
        Misdeed::Method => {
            let request = cx.http().request(address()?, "/ping");
            signed(request.key("*", "all", "method")).send().await?;
        }
        Misdeed::OpenWithoutWaiting => {
            let mut open = FuturesUnordered::new();
            for n in 0_u64.. {
                open.push(get(&format!("/ping/{n}")).send());
                // Begun, and not waited for.
                let _ = open.next().now_or_never();
            }
        }
        Misdeed::GiantLine => cx.log(Level::Info, &giant()),
        Misdeed::GiantError => return Err(Error::Bug(giant())),
        Misdeed::GiantUrl => {
            get(&format!("/{}", giant())).send().await?;
        }
        Misdeed::GiantBody => {
            let request = cx
                .http()
                .post("/customers")
                .body_bytes("text/plain", giant());
            signed(request.key("*", "giant", "send")).send().await?;
        }
        Misdeed::LogSecrets => {
            cx.log(
                Level::Error,
                "Authorization: Bearer of-somebody-else-0123456789",
            );
            cx.log(
                Level::Error,
                r#"{"access_token":"of-somebody-else-0123456789"}"#,
            );
        }
        Misdeed::PollForEver => {
            let polled = get("/ping").poll(1, u64::MAX, "/state", &["done"]).await?;
            cx.progress(u64::from(polled.status), None);
        }
        Misdeed::Writes => {
            let request = cx.http().post("/customers").json("x");
            signed(request.key("*", "a write", "send")).send().await?;
        }
        // The caller's own.
        Misdeed::EndlessPages
        | Misdeed::SamePage
        | Misdeed::EndlessSplits
        | Misdeed::GiantPage
        | Misdeed::MillionRecords
        | Misdeed::ForgedTarget
        | Misdeed::UnknownEffect
        | Misdeed::UndescribedKind
        | Misdeed::UnknownOutcome
        | Misdeed::CreatedWithoutProof
        | Misdeed::Unclaimed
        | Misdeed::AbandonAndTrap
        | Misdeed::AsTheyCome => {
            return Err(Error::Bug(format!("{misdeed:?} cannot be committed here")));
        }
    }
    Ok(())
}

/// The last rotation keeps the compiler from making a loop of it.
#[allow(unconditional_recursion, reason = "the misdeed")]
fn deeper(n: u64) -> u64 {
    if n == 0 {
        return 0;
    }
    deeper(n.wrapping_mul(3) | 1).rotate_left(1) ^ n
}

/// A hundred megabytes.
fn giant() -> String {
    "x".repeat(100 << 20)
}

fn blob(text: &str) -> Result<BlobRef> {
    let parsed = text
        .split_once('/')
        .and_then(|(sha256, size)| Some((sha256.to_owned(), size.parse().ok()?)));
    let (sha256, size) = parsed.ok_or_else(|| Error::Bug("no hash and size".to_owned()))?;
    Ok(BlobRef {
        sha256,
        size,
        media_type: "text/plain".to_owned(),
    })
}
