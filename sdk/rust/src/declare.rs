//! What a description is put together from, in short.

use crate::connector::{
    Auth, AuthScheme, ByProduct, ConflictKey, ConflictScope, KindSupport, Normalisation,
    RefusalMeaning, RefusedAnswer, RequestPattern, SideEffect, SideEffectSeverity, SystemChange,
    TextLimit, UpdateMode, UpdateSupport,
};
use crate::destination::{Slot, SlotOption};
use crate::session::{Notice, Severity};
use crate::types::{Error, Invalid, Kind};

/// A way to authenticate, with a note for whoever chooses.
pub fn scheme(name: &str, title: &str, auth: Auth, note: Option<&str>) -> AuthScheme {
    AuthScheme {
        name: name.to_owned(),
        title: title.to_owned(),
        auth,
        note: note.map(str::to_owned),
    }
}

/// Requests that are let out; `reads` when they change nothing.
pub fn pattern(method: &str, path: &str, reads: bool) -> RequestPattern {
    RequestPattern {
        method: method.to_owned(),
        path: path.to_owned(),
        reads,
    }
}

/// What an answer with this status means, if its body contains a text.
pub fn refused(status: u16, contains: Option<&str>, meaning: RefusalMeaning) -> RefusedAnswer {
    RefusedAnswer {
        status,
        body_contains: contains.map(str::to_owned),
        meaning,
    }
}

/// A kind that can be made and deleted: how many of its items a unit takes, and calls for so many items. It is not matched, keeps
/// no time of its own, conflicts with nothing and settles as a unit does, unless the caller says otherwise.
pub fn kind(kind: Kind, batch_items: u32, calls: u32, per_items: u32) -> KindSupport {
    KindSupport {
        kind,
        batch_items,
        batch_bytes: 4_000_000,
        max_concurrency: None,
        conflicts: Vec::new(),
        settle: Vec::new(),
        updates: Vec::new(),
        keeps_created_at: false,
        can_create: true,
        can_delete: true,
        matches: false,
        calls,
        per_items,
    }
}

/// A field in which nothing longer is given, by a source, or taken, by a destination: `field` as in a loss, in characters.
pub fn text_limit(kind: Kind, field: &str, characters: usize) -> TextLimit {
    TextLimit {
        kind,
        field: field.to_owned(),
        characters: u32::try_from(characters).unwrap_or(u32::MAX),
    }
}

/// No two units of the kind at the same time.
pub fn one_at_a_time(support: KindSupport) -> KindSupport {
    KindSupport {
        max_concurrency: Some(1),
        ..support
    }
}

/// What two items must not share while both are under way.
pub fn key(scope: ConflictScope, path: &str, normalise: Normalisation) -> ConflictKey {
    ConflictKey {
        scope,
        path: path.to_owned(),
        normalise,
    }
}

/// What an update of a record in this state can be; no note where it is empty.
pub fn update(state: &str, modes: Vec<UpdateMode>, silent: bool, note: &str) -> UpdateSupport {
    UpdateSupport {
        state: state.to_owned(),
        modes,
        silent,
        note: (!note.is_empty()).then(|| note.to_owned()),
    }
}

/// A kind of which nothing can be changed, in any state.
pub fn frozen(note: &str) -> Vec<UpdateSupport> {
    vec![update("any", vec![UpdateMode::Frozen], true, note)]
}

/// Something that the platform does besides: how the connector avoids it, and what a person can do.
pub fn side_effect(
    code: &str,
    title: &str,
    severity: SideEffectSeverity,
    avoided_by: Option<&str>,
    operator: Option<&str>,
) -> SideEffect {
    SideEffect {
        code: code.to_owned(),
        title: title.to_owned(),
        severity,
        avoided_by: avoided_by.map(str::to_owned),
        operator: operator.map(str::to_owned),
    }
}

/// Something that the platform makes beside a record, and how it is found.
pub fn by_product(kind: Kind, what: &str, found_by: &str) -> ByProduct {
    ByProduct {
        kind,
        what: what.to_owned(),
        found_by: found_by.to_owned(),
    }
}

/// Something that a person should know of an account.
pub fn notice(code: &str, severity: Severity, message: String, remedy: Option<&str>) -> Notice {
    Notice {
        code: code.to_owned(),
        severity,
        message,
        remedy: remedy.map(str::to_owned),
    }
}

/// A setting that names somebody of the account: a stand-in, for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Naming {
    /// Its name, `fallback_agent`.
    pub setting: &'static str,
    /// What whoever it names must be: `active agent of the account`.
    pub must_be: &'static str,
    /// What a person can do where it names nobody.
    pub remedy: &'static str,
}

impl Naming {
    /// It names nobody, which is said before anything is planned, since it would stop the first unit.
    pub fn notice(&self, wanted: &str) -> Notice {
        let code = self.setting.replace('_', "-");
        notice(
            &code,
            Severity::Danger,
            self.nobody(wanted),
            Some(self.remedy),
        )
    }

    /// What ends a unit where it names nobody.
    pub fn error(&self, wanted: &str) -> Error {
        Error::Invalid(Invalid {
            field: Some(self.setting.to_owned()),
            reason: self.nobody(wanted),
        })
    }

    fn nobody(&self, wanted: &str) -> String {
        let Self {
            setting, must_be, ..
        } = self;
        format!("`{setting}` names {wanted}, who is no {must_be}")
    }
}

/// A value of a slot.
pub fn option(value: &str, label: &str) -> SlotOption {
    SlotOption {
        value: value.to_owned(),
        label: label.to_owned(),
    }
}

/// What is there of a kind whose records are known by a name: teams, tags, brands, object types. The host proposes which of them
/// a record of the source is, and shows the record by that name.
pub fn names(kind: Kind, there: impl IntoIterator<Item = String>) -> Slot {
    Slot {
        kind,
        name: "name".to_owned(),
        values: there.into_iter().map(|name| option(&name, &name)).collect(),
        defaults: Vec::new(),
        fallback: None,
    }
}

/// Of the pairs proposed for a slot those whose second is among its values.
pub fn possible(pairs: &[(&str, &str)], values: &[SlotOption]) -> Vec<(String, String)> {
    let is_there = |value: &str| values.iter().any(|option| option.value == value);
    let there = pairs.iter().filter(|(_, value)| is_there(value));
    there
        .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
        .collect()
}

/// A field that the platform changes by itself.
pub fn system_change(kind: Kind, field: &str, when: &str) -> SystemChange {
    SystemChange {
        kind,
        field: field.to_owned(),
        when: when.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_names_nobody_says_so_before_and_while_it_is_used() {
        let naming = Naming {
            setting: "fallback_agent",
            must_be: "active agent of the account",
            remedy: "leave it out",
        };
        let words = "`fallback_agent` names bo, who is no active agent of the account";
        let notice = naming.notice("bo");
        assert_eq!(
            (notice.code.as_str(), notice.message.as_str()),
            ("fallback-agent", words)
        );
        let Error::Invalid(invalid) = naming.error("bo") else {
            panic!("another error")
        };
        assert_eq!(invalid.field.as_deref(), Some("fallback_agent"));
        assert_eq!(invalid.reason, words);
    }
}
