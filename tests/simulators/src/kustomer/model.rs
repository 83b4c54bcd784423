//! Records as they are kept: the few facts that other records or the indexes need. Everything else is drawn from the
//! record's own stream when it is rendered.

/// Bits of [`Conversation::flags`] and the like.
pub mod flag {
    /// Deleted.
    pub const DELETED: u16 = 1;
    /// Marked as spam.
    pub const SPAM: u16 = 2;
    /// Came by an import.
    pub const IMPORTED: u16 = 4;
    /// Messages within one second.
    pub const BURST: u16 = 8;
    /// Outbound.
    pub const OUT: u16 = 16;
    /// Sent by a rule.
    pub const AUTO: u16 = 32;
    /// Could not be sent.
    pub const FAILED: u16 = 64;
    /// Its content was taken out.
    pub const REDACTED: u16 = 128;
    /// Merged into another record.
    pub const MERGED: u16 = 256;
    /// Its text was given by a test.
    pub const GIVEN: u16 = 512;
    /// Nothing of it is left: no search shows it, not even one for deleted records.
    pub const PURGED: u16 = 1024;
}

/// No record.
pub const NONE: u32 = u32::MAX;

/// The channels (Kustomer facts §9.4); an index into this is kept.
pub const CHANNELS: &[&str] = &[
    "email",
    "chat",
    "sms",
    "whatsapp",
    "facebook",
    "instagram",
    "voice",
    "twitter-dm",
    "twitter-tweet",
    "form",
];
/// The place of `voice` in [`CHANNELS`].
pub const VOICE: u8 = 6;

/// The statuses of a conversation; an index into this is kept.
pub const STATUSES: &[&str] = &["open", "snoozed", "done"];

/// A conversation: 56 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Conversation {
    /// When it began, in milliseconds.
    pub created: i64,
    /// When it last changed.
    pub updated: i64,
    /// When it was imported, 0 if it was not.
    pub imported: i64,
    /// Its customer.
    pub customer: u32,
    /// Its first message; the others follow.
    pub first_message: u32,
    /// How many messages were generated for it.
    pub messages: u32,
    /// Its first note; the others follow.
    pub first_note: u32,
    /// How many notes were generated for it.
    pub notes: u16,
    /// Facts, as bits.
    pub flags: u16,
    /// Version.
    pub rev: u16,
    /// Place in [`STATUSES`].
    pub status: u8,
    /// Place of its first channel in [`CHANNELS`].
    pub channel: u8,
}

/// A message: 32 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// When it was sent.
    pub sent: i64,
    /// When the record was made, as milliseconds after `sent`.
    pub created_after: u32,
    /// Its conversation.
    pub conversation: u32,
    /// When it last changed.
    pub updated: i64,
    /// Facts, as bits.
    pub flags: u16,
    /// Version.
    pub rev: u16,
    /// Place in [`CHANNELS`].
    pub channel: u8,
    /// How many files it has.
    pub files: u8,
}

/// A note.
#[derive(Clone, Copy, Debug)]
pub struct Note {
    /// When it was written.
    pub created: i64,
    /// When it last changed.
    pub updated: i64,
    /// Its conversation, or [`NONE`].
    pub conversation: u32,
    /// Its customer.
    pub customer: u32,
    /// Facts, as bits.
    pub flags: u16,
    /// How many files it has.
    pub files: u8,
}

/// A customer.
#[derive(Clone, Copy, Debug)]
pub struct Customer {
    /// When the record was made.
    pub created: i64,
    /// When it last changed.
    pub updated: i64,
    /// Its company, or [`NONE`].
    pub company: u32,
    /// The customer it was merged into, or [`NONE`].
    pub merged_into: u32,
    /// Facts, as bits.
    pub flags: u16,
    /// Version.
    pub rev: u16,
}

/// A company.
#[derive(Clone, Copy, Debug)]
pub struct Company {
    /// When the record was made.
    pub created: i64,
    /// When it last changed.
    pub updated: i64,
    /// Facts, as bits.
    pub flags: u16,
}

/// A record of a klass.
#[derive(Clone, Copy, Debug)]
pub struct KObject {
    /// When the record was made.
    pub created: i64,
    /// When it last changed.
    pub updated: i64,
    /// The customer or company it belongs to, or [`NONE`].
    pub owner: u32,
    /// Its klass: a place in [`super::custom::KLASSES`].
    pub klass: u8,
    /// Facts, as bits.
    pub flags: u16,
    /// Version.
    pub rev: u16,
}

/// A person who works with the organisation's data.
#[derive(Clone, Debug)]
pub struct User {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
    /// `user`, `machine`, `limited` or `hourly`.
    pub kind: &'static str,
    /// Deactivated.
    pub deleted: bool,
    /// Invited, and never logged in.
    pub pending: bool,
    /// When the record was made.
    pub created: i64,
}
