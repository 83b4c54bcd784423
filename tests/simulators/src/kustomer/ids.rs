//! Record ids: 24 hexadecimal digits, as Kustomer facts §3.
//!
//! The first four bytes are the time of creation in seconds, as in any ObjectId; for imported records that is the time
//! of the import (§13 item 17). The rest says which record it is, so that no map from ids to records is needed.

use std::fmt;
use std::str::FromStr;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the vendor's")]
pub enum Kind {
    Org = 1,
    User,
    Team,
    Tag,
    Brand,
    Company,
    Customer,
    Conversation,
    Message,
    Note,
    Draft,
    Forward,
    Klass,
    KObject,
    MessageAttachment,
    NoteAttachment,
    DraftAttachment,
    ForwardAttachment,
    Event,
    ConversationTime,
    Merge,
    Session,
    /// One of the small configuration objects; the id's `part` says which list.
    Setting,
    AuditLog,
    Edge,
    SatisfactionResponse,
}

impl Kind {
    const ALL: [Self; 26] = [
        Self::Org,
        Self::User,
        Self::Team,
        Self::Tag,
        Self::Brand,
        Self::Company,
        Self::Customer,
        Self::Conversation,
        Self::Message,
        Self::Note,
        Self::Draft,
        Self::Forward,
        Self::Klass,
        Self::KObject,
        Self::MessageAttachment,
        Self::NoteAttachment,
        Self::DraftAttachment,
        Self::ForwardAttachment,
        Self::Event,
        Self::ConversationTime,
        Self::Merge,
        Self::Session,
        Self::Setting,
        Self::AuditLog,
        Self::Edge,
        Self::SatisfactionResponse,
    ];

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// An id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Oid([u8; 12]);

impl Oid {
    /// The id of a record made at `time_ms`. `part` tells records of one parent apart.
    pub fn new(time_ms: i64, salt: u16, kind: Kind, part: u8, number: u32) -> Self {
        let [t0, t1, t2, t3] = u32::try_from(time_ms.div_euclid(1000))
            .unwrap_or(0)
            .to_be_bytes();
        let [s0, s1] = salt.to_be_bytes();
        let [n0, n1, n2, n3] = number.to_be_bytes();
        Self([t0, t1, t2, t3, s0, s1, kind as u8, part, n0, n1, n2, n3])
    }

    /// What the record is; `None` for an id that no record of a simulator can have.
    pub fn kind(&self) -> Option<Kind> {
        let [_, _, _, _, _, _, kind, ..] = self.0;
        Kind::from_byte(kind)
    }

    /// The part within its parent.
    pub fn part(&self) -> u8 {
        let [_, _, _, _, _, _, _, part, ..] = self.0;
        part
    }

    /// The number of the record among its kind.
    pub fn number(&self) -> u32 {
        let [.., n0, n1, n2, n3] = self.0;
        u32::from_be_bytes([n0, n1, n2, n3])
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Oid {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 12];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_sorts_by_time() {
        let id = Oid::new(1_700_000_000_000, 7, Kind::Message, 3, 70_000);
        let read: Oid = id.to_string().parse().unwrap();
        assert_eq!(read, id);
        assert_eq!(
            (read.kind(), read.part(), read.number()),
            (Some(Kind::Message), 3, 70_000)
        );
        assert_eq!(id.to_string().len(), 24);
        assert!(id < Oid::new(1_700_000_001_000, 0, Kind::Org, 0, 0));
        assert!("xyz".parse::<Oid>().is_err());
    }
}
