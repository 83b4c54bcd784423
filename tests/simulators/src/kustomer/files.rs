//! Files: what they are called, where their links lead, and their content.
//!
//! Bytes never pass through the API (Kustomer facts §9.6). A link leads to a storage host, lives 600 seconds, and is
//! refused with an `Authorization` header, as S3 does with two ways of proving who one is. Content is drawn from the
//! seed in blocks and streamed; nothing is stored.

use axum::http::StatusCode;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::draw::Draw;
use super::generate::purpose;
use super::ids::{Kind, Oid};
use super::model::flag;
use super::text;
use super::world::World;

const BLOCK: usize = 64 * 1024;

/// Where links lead.
#[derive(Clone, Debug)]
pub struct Hosts {
    /// The storage host, without a slash at the end.
    pub files: String,
    /// The host of files that were never the organisation's own.
    pub external: String,
}

impl Default for Hosts {
    fn default() -> Self {
        Self {
            files: "http://files.kustomer.test".to_owned(),
            external: "http://external.example.test".to_owned(),
        }
    }
}

/// Where a file's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the organisation's storage.
    Stored,
    /// On a foreign host.
    External,
    /// On a foreign host that no longer has it.
    Dead,
    /// Nowhere: only its name is known (`renderMode: metadata_only`).
    Nowhere,
}

/// A file.
#[derive(Clone, Debug)]
pub struct File {
    /// The attachment's id.
    pub id: Oid,
    /// Its name.
    pub name: String,
    /// Its media type.
    pub content_type: &'static str,
    /// Its length in bytes.
    pub length: u64,
    /// Where it is.
    pub place: Place,
    /// Whether the HTML of its message shows it, and under which content id.
    pub inline: Option<String>,
}

const TYPES: &[(&str, &str)] = &[
    ("application/pdf", "pdf"),
    ("image/jpeg", "jpg"),
    ("image/png", "png"),
    ("text/plain", "txt"),
    ("application/octet-stream", "bin"),
    ("audio/mpeg", "mp3"),
    (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xlsx",
    ),
];

impl World {
    /// The files that hang on a record.
    pub(super) fn files_of(&self, kind: Kind, number: u32) -> Vec<File> {
        let at = number as usize;
        let count = match kind {
            Kind::MessageAttachment => self
                .messages
                .get(at)
                .filter(|m| m.flags & flag::REDACTED == 0)
                .map_or(0, |m| m.files),
            Kind::NoteAttachment => self.notes.get(at).map_or(0, |n| n.files),
            Kind::DraftAttachment => u8::from(number.is_multiple_of(2)),
            Kind::ForwardAttachment => u8::from(number.is_multiple_of(3)),
            _ => 0,
        };
        (0..count)
            .map(|part| self.make_file(self.oid_part(kind, part, number)))
            .collect()
    }

    /// The file with this id, if there is one.
    pub(super) fn file(&self, id: Oid) -> Option<File> {
        self.files_of(id.kind()?, id.number())
            .into_iter()
            .find(|file| file.id == id)
    }

    fn make_file(&self, id: Oid) -> File {
        let kind = id.kind().unwrap_or(Kind::MessageAttachment);
        let mut draw = self.draw(purpose::FILE + u64::from(id.part()), kind, id.number());
        let (content_type, extension) = draw.pick(TYPES);
        let length = match draw.below(100) {
            0..4 => 0,
            4..50 => draw.below(4_000) + 1,
            50..90 => draw.below(400_000) + 1,
            90..98 => draw.below(4_000_000) + 1,
            _ => 20 * 1024 * 1024,
        };
        let place = match draw.below(100) {
            _ if kind != Kind::MessageAttachment => Place::Stored,
            0..4 => Place::External,
            4..6 => Place::Dead,
            6..8 => Place::Nowhere,
            _ => Place::Stored,
        };
        let name = text::file_name(&mut draw, extension);
        let inline = (kind == Kind::MessageAttachment
            && content_type.starts_with("image/")
            && place == Place::Stored
            && draw.chance(500))
        .then(|| format!("{id}@mail.acme.example"));
        File {
            id,
            name,
            content_type,
            length: length.min(self.attachment_cap),
            place,
            inline,
        }
    }

    /// Where a file can be had now; `None` if nowhere.
    pub(super) fn link(&self, file: &File) -> Option<String> {
        let hosts = self.hosts();
        let name: String =
            url::form_urlencoded::byte_serialize(file.name.as_bytes()).collect::<String>();
        let name = name.replace('+', "%20");
        match file.place {
            Place::Stored => Some(self.sign(&hosts.files, &format!("{}-{name}", file.id))),
            Place::External => Some(format!("{}/external/{}/{name}", hosts.external, file.id)),
            Place::Dead => Some(format!(
                "{}/external/gone/{}/{name}",
                hosts.external, file.id
            )),
            Place::Nowhere => None,
        }
    }

    /// A link to the `data` of a KObject that was too big to be kept in the record.
    pub(super) fn data_link(&self, kobject: u32) -> String {
        let id = self.oid(Kind::KObject, kobject);
        self.sign(&self.hosts().files, &format!("{id}-data.json"))
    }

    fn sign(&self, base: &str, object: &str) -> String {
        let date = self.clock.now_ms();
        let seconds = self.link_life_ms / 1000;
        let signature = self.signature(object, date, seconds);
        format!(
            "{base}/attachments/{}/{object}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date={}\
             &X-Amz-Expires={seconds}&X-Amz-SignedHeaders=host&X-Amz-Signature={signature}",
            self.org(),
            amz_date(date),
        )
    }

    fn signature(&self, object: &str, date_ms: i64, seconds: i64) -> String {
        let text = format!("{} {object} {} {seconds}", self.seed, amz_date(date_ms));
        hex::encode(Sha256::digest(text))
    }

    /// What the storage host answers: status, media type, and the content in pieces.
    pub(super) fn fetch(
        &self,
        object: &str,
        query: &[(String, String)],
        authorized: bool,
    ) -> Result<(String, u64, Content), Refused> {
        let get = |name: &str| {
            query
                .iter()
                .find(|(n, _)| n == name)
                .map_or("", |(_, v)| v.as_str())
        };
        let (date, expires) = (get("X-Amz-Date"), get("X-Amz-Expires"));
        if authorized {
            return Err(Refused::new(
                StatusCode::BAD_REQUEST,
                "InvalidArgument",
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, \
                 Signature query string parameter or the Authorization header should be specified",
            ));
        }
        let made = chrono::NaiveDateTime::parse_from_str(date, "%Y%m%dT%H%M%SZ")
            .map(|date| date.and_utc().timestamp_millis());
        let (Ok(made), Ok(seconds)) = (made, expires.parse::<i64>()) else {
            return Err(Refused::new(
                StatusCode::FORBIDDEN,
                "AccessDenied",
                "Access Denied",
            ));
        };
        if get("X-Amz-Signature") != self.signature(object, made, seconds) {
            let message = "The request signature we calculated does not match the signature you \
                           provided. Check your key and signing method.";
            return Err(Refused::new(
                StatusCode::FORBIDDEN,
                "SignatureDoesNotMatch",
                message,
            ));
        }
        if self.clock.now_ms() > made + seconds * 1000 {
            let message = "Request has expired";
            return Err(Refused::new(StatusCode::FORBIDDEN, "AccessDenied", message));
        }
        self.stored(object.get(..24).unwrap_or_default())
            .ok_or_else(no_such_key)
    }

    /// What the foreign host answers.
    pub(super) fn fetch_external(&self, id: &str) -> Result<(String, u64, Content), Refused> {
        self.stored(id).ok_or_else(no_such_key)
    }

    fn stored(&self, id: &str) -> Option<(String, u64, Content)> {
        let oid: Oid = id.parse().ok()?;
        if oid.kind() == Some(Kind::KObject) {
            let number = self.find(Kind::KObject, id)?;
            let bytes = Bytes::from(self.kobject_data(number).to_string());
            return Some((
                "application/json".to_owned(),
                bytes.len() as u64,
                Box::new(std::iter::once(bytes)),
            ));
        }
        let file = self.file(oid)?;
        let content = content(self.seed, &file).map(Bytes::from);
        Some((file.content_type.to_owned(), file.length, Box::new(content)))
    }
}

/// A file's content in pieces.
pub(super) type Content = Box<dyn Iterator<Item = Bytes> + Send>;

/// An answer of the storage host that is not the file.
pub(super) struct Refused {
    pub status: StatusCode,
    pub body: String,
}

impl Refused {
    fn new(status: StatusCode, code: &str, message: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
             <Message>{message}</Message></Error>"
        );
        Self { status, body }
    }
}

fn no_such_key() -> Refused {
    Refused::new(
        StatusCode::NOT_FOUND,
        "NoSuchKey",
        "The specified key does not exist.",
    )
}

fn amz_date(ms: i64) -> String {
    chrono::DateTime::<chrono::Utc>::from_timestamp_millis(ms)
        .unwrap_or_default()
        .format("%Y%m%dT%H%M%SZ")
        .to_string()
}

/// The content of a file in blocks, each drawn by itself. Text files hold text.
pub(super) fn content(seed: u64, file: &File) -> impl Iterator<Item = Vec<u8>> + Send + use<> {
    let (id, length) = (file.id, file.length);
    let textual = file.content_type == "text/plain";
    let number = u64::from(id.number()) << 16 | u64::from(id.part()) << 8;
    let blocks = length.div_ceil(BLOCK as u64);
    (0..blocks).map(move |block| {
        let size = (length - block * BLOCK as u64).min(BLOCK as u64) as usize;
        let mut bytes = vec![0; size];
        let kind = id.kind().map_or(0, |kind| kind as u64);
        let mut draw = Draw::new(seed ^ block, purpose::CONTENT + kind * 1000, number);
        draw.fill(&mut bytes);
        if textual {
            for byte in &mut bytes {
                *byte = if *byte < 20 { b'\n' } else { b' ' + *byte % 95 };
            }
        }
        bytes
    })
}
