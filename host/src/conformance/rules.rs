//! The rules of `docs/connector-spec.md`, as far as a program can hold a connector to them.

use serde::{Deserialize, Serialize};

use crate::contract::description::Role;

/// How much a rule binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// A connector that breaks it is refused.
    Must,
    /// A connector that breaks it has a reason.
    Should,
}

/// Whom a rule binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binds {
    /// Every connector.
    Both,
    /// Connectors that read.
    Sources,
    /// Connectors that write.
    Destinations,
}

impl Binds {
    /// Whether a connector of that role is bound.
    #[must_use]
    pub fn role(self, role: Role) -> bool {
        match self {
            Self::Both => true,
            Self::Sources => role == Role::Source,
            Self::Destinations => role == Role::Destination,
        }
    }
}

/// A rule that is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// As the spec numbers it.
    pub id: &'static str,
    /// How much it binds.
    pub level: Level,
    /// Whom it binds.
    pub binds: Binds,
    /// In a few words, as the spec's heading has it.
    pub title: &'static str,
}

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $level:ident, $binds:ident, $title:literal;)*) => {
        $($(#[$doc])* pub const $name: Rule = Rule {
            id: $id, level: Level::$level, binds: Binds::$binds, title: $title,
        };)*
        /// All of them, in the spec's order.
        pub const ALL: &[Rule] = &[$($name),*];
    };
}

rules! {
    /// Imports and exports.
    CONTRACT = "C-1", Must, Both, "imports the contract and nothing else";
    /// `describe` holds together.
    DESCRIBED = "C-2", Must, Both, "describes itself, without contradiction and always the same";
    /// `describe` leaves nothing out.
    COMPLETE = "C-3", Should, Both, "leaves nothing out of its description";
    /// `check` with a wrong secret.
    CREDENTIAL = "C-4", Must, Both, "says of a wrong credential that it is wrong, and changes nothing";
    /// `check` twice.
    ACCOUNT = "C-5", Must, Both, "names the account, always by the same id";
    /// `discover` or `survey` twice.
    STABLE = "C-6", Must, Both, "finds the same when it looks again";
    /// Cursors.
    PAGES = "C-7", Must, Sources, "gives the same page for the same cursor, and comes to an end";
    /// A whole run.
    WHOLE = "C-8", Must, Both, "brings a whole history to its end, and the sum adds up";
    /// Text.
    TEXT = "C-9", Must, Destinations, "passes text on as it is";
    /// Verification.
    READ_BACK = "C-10", Must, Destinations, "reads back what it wrote, and declares what is otherwise";
    /// Run again.
    AGAIN = "C-11", Must, Destinations, "does nothing twice when a run is started again";
    /// One bad record.
    ONE_BAD = "C-12", Must, Destinations, "loses no other record over one that is refused";
    /// Every request failed once.
    FAILED = "C-13", Must, Both, "ends the same when every request fails once";
    /// Every request was too fast once.
    SLOWED = "C-14", Must, Both, "ends the same when every request is told to slow down once";
    /// Every request was lost once on its way there.
    LOST = "C-15", Must, Both, "ends the same when every request is lost once before it arrives";
    /// Every answer was lost once.
    UNANSWERED = "C-16", Must, Both, "ends the same when every answer is lost once";
    /// Every reading request arrives twice.
    REPEATED = "C-17", Must, Both, "does not care if what only reads arrives twice";
    /// Killed.
    KILLED = "C-18", Must, Both, "ends the same when it is killed again and again";
    /// Divergence.
    SAME_WAY = "C-19", Must, Destinations, "takes the same way when a call is run again";
    /// Rollback.
    UNDONE = "C-20", Must, Destinations, "takes back everything it wrote, and nothing else";
    /// Rollback, killed.
    UNDO_KILLED = "C-21", Must, Destinations, "takes everything back though it is killed meanwhile";
    /// Grants.
    GRANTS = "C-22", Must, Both, "asks for nothing that it did not declare";
    /// Rate limits.
    LIMITS = "C-23", Must, Both, "declares the platform's limits, so that an undisturbed run is never told to slow down";
    /// No content in errors.
    PRIVATE = "C-24", Must, Both, "puts no content of a record into an error";
}

/// The rule of that number.
#[must_use]
pub fn find(id: &str) -> Option<&'static Rule> {
    ALL.iter().find(|rule| rule.id.eq_ignore_ascii_case(id))
}
