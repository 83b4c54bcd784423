//! Custom objects, which the REST API cannot make: a deployment of the Metadata API, a zip sent as a form and polled for
//! (Salesforce facts §10.3).
//!
//! The Metadata API has a SOAP side as well, which wants the session in the request's body; a connector has no session to put
//! there. A deployment that is repeated changes nothing, so its request may be sent twice. The zip is stored, not compressed,
//! and has no times in it: the same objects give the same bytes.

use serde::Deserialize;
use serde_json::{Value, json};
use transload_sdk::Context;
use transload_sdk::http::{self, OperationKey, Part, PartBody};
use transload_sdk::text::escape_html;
use transload_sdk::types::Error;

use crate::api::Fault;
use crate::client::{self, Sent, VERSION, path};

/// How often a deployment is asked after, ms.
const POLL_MS: u64 = 3_000;
/// After this it counts as stuck, ms.
const PATIENCE_MS: u64 = 1_800_000;
const NAMESPACE: &str = "http://soap.sforce.com/2006/04/metadata";

/// What became of a deployment.
#[derive(Debug, Clone, PartialEq)]
pub enum Deployed {
    /// All of it is there, or gone where it was destructive.
    Done(OperationKey),
    /// Nothing of it was done, and why.
    Refused(String),
    /// Not known.
    Unsettled,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Started {
    id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Ended {
    deploy_result: DeployResult,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct DeployResult {
    done: bool,
    success: bool,
    status: String,
    error_message: Option<String>,
    details: Option<Details>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Details {
    component_failures: Vec<Failure>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Failure {
    full_name: String,
    problem: String,
}

/// Makes a custom object with its fields. `metadata` is the object's definition, as JSON of the Metadata API's elements.
///
/// # Errors
/// What ends the unit.
pub async fn make_object(
    cx: &Context,
    key: OperationKey,
    object: &str,
    metadata: &Value,
) -> Result<Deployed, Error> {
    let files = [
        ("package.xml".to_owned(), package(Some(object))),
        (
            format!("objects/{object}.object"),
            document("CustomObject", metadata),
        ),
    ];
    deploy(cx, key, &files).await
}

/// Takes a custom object away, with its records and fields; Salesforce keeps its definition for 15 days (Salesforce facts
/// §10.3).
///
/// # Errors
/// What ends the unit.
pub async fn delete_object(
    cx: &Context,
    key: OperationKey,
    object: &str,
) -> Result<Deployed, Error> {
    let files = [
        ("package.xml".to_owned(), package(None)),
        ("destructiveChanges.xml".to_owned(), package(Some(object))),
    ];
    deploy(cx, key, &files).await
}

async fn deploy(
    cx: &Context,
    key: OperationKey,
    files: &[(String, String)],
) -> Result<Deployed, Error> {
    let options = json!({"deployOptions": {
        "allowMissingFiles": false, "autoUpdatePackage": false, "checkOnly": false, "ignoreWarnings": true,
        "performRetrieve": false, "purgeOnDelete": false, "rollbackOnError": true, "singlePackage": true,
    }});
    let part = |name: &str, filename: Option<&str>, media_type: &str, bytes: Vec<u8>| Part {
        name: name.to_owned(),
        filename: filename.map(str::to_owned),
        media_type: Some(media_type.to_owned()),
        body: PartBody::Bytes(bytes),
    };
    let parts = [
        part(
            "json",
            None,
            "application/json",
            options.to_string().into_bytes(),
        ),
        part("file", Some("deploy.zip"), "application/zip", zip(files)),
    ];
    let url = path("/metadata/deployRequest");
    for attempt in 1..=2 {
        let mut key = key.clone();
        if attempt > 1 {
            key.step = format!("{}~{attempt}", key.step);
        }
        let request =
            client::idempotent(cx, "POST", url.clone(), key.clone()).multipart(parts.clone());
        match http::write(request).await? {
            Sent::Done(reply) => {
                let started: Started = reply.json()?;
                return ended(cx, &started.id, key).await;
            }
            Sent::Refused(fault) => return Ok(Deployed::Refused(fault.said())),
            Sent::Doubt(_) => {}
        }
    }
    Ok(Deployed::Unsettled)
}

async fn ended(cx: &Context, id: &str, key: OperationKey) -> Result<Deployed, Error> {
    let url = path(&format!("/metadata/deployRequest/{id}?includeDetails=true"));
    let request = cx.http().get(url).header("accept", "application/json");
    let reply = request
        .poll(POLL_MS, PATIENCE_MS, "/deployResult/done", &["true"])
        .await?;
    if !reply.ok() {
        http::refused::<Fault>(&reply)?;
        return Ok(Deployed::Unsettled);
    }
    let ended: Ended = reply.json()?;
    let result = ended.deploy_result;
    if !result.done {
        return Ok(Deployed::Unsettled);
    }
    if result.success {
        return Ok(Deployed::Done(key));
    }
    let failures = result.details.unwrap_or_default().component_failures;
    let said: Vec<String> = failures
        .into_iter()
        .map(|failure| format!("{}: {}", failure.full_name, failure.problem))
        .chain(result.error_message)
        .collect();
    Ok(Deployed::Refused(match said.is_empty() {
        true => format!("the deployment ended as {}", result.status),
        false => said.join("; "),
    }))
}

// ---- XML

fn package(object: Option<&str>) -> String {
    let types = object.map(|object| json!({"members": object, "name": "CustomObject"}));
    let mut package = json!({"version": VERSION});
    if let (Some(types), Some(members)) = (types, package.as_object_mut()) {
        members.insert("types".to_owned(), types);
    }
    document("Package", &package)
}

fn document(root: &str, content: &Value) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    xml.push_str(&format!("<{root} xmlns=\"{NAMESPACE}\">"));
    inside(content, &mut xml);
    xml.push_str(&format!("</{root}>\n"));
    xml
}

/// Members as elements, lists as repeated ones, the rest as text.
fn inside(value: &Value, xml: &mut String) {
    let Value::Object(members) = value else {
        match value {
            Value::String(text) => xml.push_str(&escape_html(text)),
            Value::Null => {}
            other => xml.push_str(&other.to_string()),
        }
        return;
    };
    for (name, member) in members {
        let all = match member {
            Value::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        for one in all {
            xml.push_str(&format!("<{name}>"));
            inside(one, xml);
            xml.push_str(&format!("</{name}>"));
        }
    }
}

// ---- zip

/// A zip of stored files: for each a local header and its bytes, then the directory (PKWARE APPNOTE 4.3).
fn zip(files: &[(String, String)]) -> Vec<u8> {
    /// 1980-01-01, the first day that a zip knows.
    const DAY: u16 = 0x0021;
    /// Names are UTF-8.
    const FLAGS: u16 = 0x0800;
    const NEEDED: u16 = 20;
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    let short = |bytes: usize| u16::try_from(bytes).unwrap_or(u16::MAX);
    let mut zip: Vec<u8> = Vec::new();
    let mut directory: Vec<u8> = Vec::new();
    for (name, content) in files {
        let at = length(zip.len());
        // What both headers say of a file.
        let mut about: Vec<u8> = Vec::new();
        for word in [NEEDED, FLAGS, 0, 0, DAY] {
            about.extend(word.to_le_bytes());
        }
        let size = length(content.len());
        for word in [crc32(content.as_bytes()), size, size] {
            about.extend(word.to_le_bytes());
        }
        about.extend(short(name.len()).to_le_bytes());
        about.extend(0u16.to_le_bytes());
        zip.extend(0x0403_4b50u32.to_le_bytes());
        zip.extend(&about);
        zip.extend(name.as_bytes());
        zip.extend(content.as_bytes());
        directory.extend(0x0201_4b50u32.to_le_bytes());
        directory.extend(NEEDED.to_le_bytes());
        directory.extend(&about);
        // Comment, disk, attributes.
        directory.extend([0; 10]);
        directory.extend(at.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (start, size) = (length(zip.len()), length(directory.len()));
    zip.extend(directory);
    zip.extend(0x0605_4b50u32.to_le_bytes());
    zip.extend([0; 4]);
    zip.extend(short(files.len()).to_le_bytes());
    zip.extend(short(files.len()).to_le_bytes());
    zip.extend(size.to_le_bytes());
    zip.extend(start.to_le_bytes());
    zip.extend([0; 2]);
    zip
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = crc & 1;
            crc >>= 1;
            if carry == 1 {
                crc ^= 0xedb8_8320;
            }
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_zips() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_zip_names_its_files_in_its_directory() {
        let zip = zip(&[
            ("a.xml".to_owned(), "<a/>".to_owned()),
            ("b/c.xml".to_owned(), "x".to_owned()),
        ]);
        // Local headers of 30 bytes, entries of 46, the end of 22.
        assert_eq!(
            zip.len(),
            (30 + 5 + 4) + (30 + 7 + 1) + (46 + 5) + (46 + 7) + 22
        );
        let end = zip.len() - 22;
        assert_eq!(zip[end..end + 4], [0x50, 0x4b, 5, 6]);
        let start = u32::from_le_bytes(zip[end + 16..end + 20].try_into().unwrap()) as usize;
        assert_eq!(zip[start..start + 4], [0x50, 0x4b, 1, 2]);
        assert_eq!(&zip[start + 46..start + 51], b"a.xml");
    }

    #[test]
    fn metadata_is_written_as_elements() {
        let xml = document(
            "CustomObject",
            &json!({"label": "A & B", "fields": [{"unique": true}, {"length": 5}], "none": null}),
        );
        assert!(xml.contains("<label>A &amp; B</label>"));
        assert!(
            xml.contains(
                "<fields><unique>true</unique></fields><fields><length>5</length></fields>"
            )
        );
    }
}
