//! What a Transload connector is written with.
//!
//! A connector translates between a platform's API and the records of the contract (`wit/`); everything else is the host's: it
//! adds credentials, paces, retries, journals, and replays a unit of work after a crash. So a connector has no clock, no random
//! numbers and no state between calls, and must take the same way whenever it gets the same answers. This crate keeps to that
//! itself: nothing in it depends on the order of a hash map, on time, or on chance.
//!
//! - Implement [`Source`] or [`Destination`] and name the type in [`export_source!`] or [`export_destination!`].
//! - Everything a call may do goes through its [`Context`]: settings, HTTP, blobs, waiting, and what became of each item.
//! - The contract's records are in modules named as in `wit/`: [`types`], [`http`], [`ledger`], [`connector`], [`session`],
//!   [`source`], [`destination`].
//! - [`testing`] runs a whole connector natively, against a closure that plays the platform.
//!
//! The macros make a component's entry points on `wasm32` and nothing elsewhere, so a connector's crate is tested as any other.
#![doc = include_str!("../README.md")]

/// How to write a destination, from nothing to its tests.
#[doc = include_str!("../DESTINATIONS.md")]
pub mod destinations {}

mod blobs;
pub mod card;
mod context;
pub mod declare;
pub mod effects;
mod error;
mod fidelity;
pub mod fields;
mod item;
pub mod items;
pub mod json;
pub mod links;
pub mod loading;
pub mod markup;
pub mod people;
pub mod placing;
pub mod policy;
pub mod read_back;
mod rebuild;
mod records;
pub mod rehearsal;
mod role;

mod fingerprint;

pub mod http;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod text;
pub mod thread;
pub mod time;
pub mod undo;
pub mod words;

#[cfg(target_arch = "wasm32")]
mod guest;

#[doc(hidden)]
#[allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated code")]
pub mod bindings;

/// What a connector says of itself, and `describe`'s answer.
pub mod connector {
    pub use crate::bindings::common::transload::connector::description_types::{
        Auth, AuthScheme, ByProduct, ConflictKey, ConflictScope, Description, FieldFidelity,
        HostGrant, KindSupport, LimitHeader, LimitMeaning, Lookup, Normalisation, Oauth2, RateRule,
        Rebuild, RefusalMeaning, RefusedAnswer, RequestCost, RequestPattern, Role, Settle,
        SideEffect, SideEffectSeverity, SignedJwt, SystemChange, TextLimit, TokenRequestFormat,
        UpdateMode, UpdateSupport,
    };
    pub use crate::fidelity::fidelity_table;
    pub use crate::rebuild::{CATEGORIES, rebuild_table};
}

/// What a destination is given and answers.
pub mod destination {
    pub use crate::bindings::common::transload::connector::destination_types::{
        AccountSupport, Allowance, Body, Candidate, Item, MatchKey, MatchPolicy, MatchResult,
        Observed, Presence, Slot, SlotOption, SlotValue, SurveyReport, TargetAgent, TargetField,
        UndoMode, Undoing, Written,
    };
    pub use crate::item::{Part, Thread};
}

/// What became of items and effects.
pub mod ledger {
    pub use crate::bindings::common::transload::connector::ledger::{
        Action, Effect, Outcome, Proof, Refusal, RefusedEntry, Status, UndoOutcome, UndoStatus,
    };
}

/// Whom a credential belongs to, and what a person should know.
pub mod session {
    pub use crate::bindings::common::transload::connector::session::{Account, Notice, Severity};
}

/// What a source answers.
pub mod source {
    pub use crate::bindings::common::transload::connector::source_types::{
        Certainty, Discovery, InventoryItem, InventoryLine, KindCount, LinePart, Page, Partition,
    };
}

/// The canonical records. `wit/0.1/types.wit` documents every field.
pub mod types {
    pub use crate::bindings::common::transload::connector::types::*;
}

pub use blobs::{Blobs, Builder};
pub use context::{Context, Level};
pub use fingerprint::{fingerprint, sha256};
pub use role::{Destination, Source};

/// What a connector's functions return.
pub type Result<T, E = types::Error> = std::result::Result<T, E>;

#[doc(hidden)]
pub mod __export {
    //! What the export macros expand to. No part of the interface.
    #[cfg(all(target_arch = "wasm32", feature = "destination"))]
    pub use crate::guest::DestinationComponent;
    #[cfg(all(target_arch = "wasm32", feature = "source"))]
    pub use crate::guest::SourceComponent;
}

/// Makes a type that implements [`Source`] the component's entry points. Once in a crate; nothing outside `wasm32`.
#[macro_export]
macro_rules! export_source {
    ($connector:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Component = $crate::__export::SourceComponent<$connector>;
            $crate::bindings::describe::__export_describe!(Component with_types_in $crate::bindings::describe);
            $crate::bindings::source::__export_source_role!(Component with_types_in $crate::bindings::source);
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            const fn implements_source<T: $crate::Source>() {}
            implements_source::<$connector>();
        };
    };
}

/// Makes a type that implements [`Destination`] the component's entry points. Once in a crate; nothing outside `wasm32`.
#[macro_export]
macro_rules! export_destination {
    ($connector:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Component = $crate::__export::DestinationComponent<$connector>;
            $crate::bindings::describe::__export_describe!(Component with_types_in $crate::bindings::describe);
            $crate::bindings::destination::__export_destination_role!(Component with_types_in $crate::bindings::destination);
            $crate::bindings::rehearsal::__export_rehearsal!(Component with_types_in $crate::bindings::rehearsal);
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            const fn implements_destination<T: $crate::Destination>() {}
            implements_destination::<$connector>();
        };
    };
}
