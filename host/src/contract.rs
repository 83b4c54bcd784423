//! The contract's types, generated from `wit/`: nothing in this crate declares a canonical record a second time.
//!
//! Types that are stored carry serde; the JSON form is wit-bindgen's own (`{"Customer":{…}}`), and stored payloads name the
//! contract version they were written with, because a renamed WIT field changes it.

/// What both roles share: the types, and the traits that the sandbox implements for every guest.
#[allow(missing_docs, reason = "generated; the documentation is in wit/")]
mod common {
    wasmtime::component::bindgen!({
        path: "../wit/0.1",
        world: "common",
        imports: { default: trappable },
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
        with: { "transload:connector/blobs.builder": crate::sandbox::BlobBuilder },
    });
}

pub use common::transload::connector::{
    blobs, description_types as description, destination_types as destination, http, ledger,
    runtime, session, source_types as source, types,
};

/// A connector that reads.
#[allow(missing_docs, reason = "generated; the documentation is in wit/")]
pub mod source_world {
    wasmtime::component::bindgen!({
        path: "../wit/0.1",
        world: "source-connector",
        require_store_data_send: true,
        with: {
            "transload:connector/types": crate::contract::types,
            "transload:connector/session": crate::contract::session,
            "transload:connector/description-types": crate::contract::description,
            "transload:connector/source-types": crate::contract::source,
            "transload:connector/blobs": crate::contract::blobs,
            "transload:connector/http": crate::contract::http,
            "transload:connector/runtime": crate::contract::runtime,
        },
    });
}

/// A connector that writes.
#[allow(missing_docs, reason = "generated; the documentation is in wit/")]
pub mod destination_world {
    wasmtime::component::bindgen!({
        path: "../wit/0.1",
        world: "destination-connector",
        require_store_data_send: true,
        with: {
            "transload:connector/types": crate::contract::types,
            "transload:connector/session": crate::contract::session,
            "transload:connector/description-types": crate::contract::description,
            "transload:connector/destination-types": crate::contract::destination,
            "transload:connector/blobs": crate::contract::blobs,
            "transload:connector/http": crate::contract::http,
            "transload:connector/runtime": crate::contract::runtime,
            "transload:connector/ledger": crate::contract::ledger,
        },
    });
}

/// What a connector that writes may export besides.
#[allow(missing_docs, reason = "generated; the documentation is in wit/")]
pub mod rehearsing_world {
    wasmtime::component::bindgen!({
        path: "../wit/0.1",
        world: "rehearsing",
        require_store_data_send: true,
        with: {
            "transload:connector/types": crate::contract::types,
            "transload:connector/blobs": crate::contract::blobs,
            "transload:connector/http": crate::contract::http,
        },
    });
}

pub use rehearsing_world::exports::transload::connector::rehearsal::Reply as Rehearsed;
