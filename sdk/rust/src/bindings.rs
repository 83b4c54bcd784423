//! The contract's types and entry points as wit-bindgen makes them.
//!
//! Four generations, one set of types: [`common`] holds everything that a connector imports, and so every record; the others
//! hold one exported interface each and take all records from [`common`]. A component's world is the union of the parts that
//! were linked into it: `connector` is a part of its own because both roles export it, and one crate can define its entry
//! points only once.
//!
//! The exports are bound synchronously (`async: false`) and only where they are used: wit-bindgen writes the conversion of every
//! record into the body of every exported function, and the compiler's time for such a body grows faster than its length; as
//! an async body it takes minutes and gigabytes. A sync export may still wait for async imports (the guest module), and one unit
//! is one call in one instance, so nothing is lost by it.
//!
//! Nothing outside this crate names this module, save through [`export_source!`](crate::export_source) and
//! [`export_destination!`](crate::export_destination): what a connector's author sees are the re-exports by interface
//! ([`crate::types`], [`crate::http`], …).

/// Everything a connector of either role imports.
pub mod common {
    wit_bindgen::generate!({
        path: "../../wit/0.1",
        world: "common",
        generate_all,
        generate_unused_types: true,
        additional_derives: [PartialEq, Clone, serde::Serialize, serde::Deserialize],
    });
}

/// What both roles export: `describe`.
#[cfg(target_arch = "wasm32")]
pub mod describe {
    wit_bindgen::generate!({
        path: "../../wit/0.1",
        inline: r#"
            package transload:sdk;
            world describe { export transload:connector/connector@0.1.0; }
        "#,
        with: {
            "transload:connector/types@0.1.0": crate::bindings::common::transload::connector::types,
            "transload:connector/description-types@0.1.0":
                crate::bindings::common::transload::connector::description_types,
        },
        async: false,
        pub_export_macro: true,
        export_macro_name: "__export_describe",
    });
}

/// What a source exports.
#[cfg(all(target_arch = "wasm32", feature = "source"))]
pub mod source {
    wit_bindgen::generate!({
        path: "../../wit/0.1",
        inline: r#"
            package transload:sdk;
            world source { export transload:connector/source@0.1.0; }
        "#,
        with: {
            "transload:connector/types@0.1.0": crate::bindings::common::transload::connector::types,
            "transload:connector/session@0.1.0": crate::bindings::common::transload::connector::session,
            "transload:connector/source-types@0.1.0":
                crate::bindings::common::transload::connector::source_types,
        },
        async: false,
        pub_export_macro: true,
        export_macro_name: "__export_source_role",
    });
}

/// What a destination exports.
#[cfg(all(target_arch = "wasm32", feature = "destination"))]
pub mod destination {
    wit_bindgen::generate!({
        path: "../../wit/0.1",
        inline: r#"
            package transload:sdk;
            world destination { export transload:connector/destination@0.1.0; }
        "#,
        with: {
            "transload:connector/types@0.1.0": crate::bindings::common::transload::connector::types,
            "transload:connector/session@0.1.0": crate::bindings::common::transload::connector::session,
            "transload:connector/description-types@0.1.0":
                crate::bindings::common::transload::connector::description_types,
            "transload:connector/http@0.1.0": crate::bindings::common::transload::connector::http,
            "transload:connector/ledger@0.1.0": crate::bindings::common::transload::connector::ledger,
            "transload:connector/destination-types@0.1.0":
                crate::bindings::common::transload::connector::destination_types,
        },
        async: false,
        pub_export_macro: true,
        export_macro_name: "__export_destination_role",
    });
}

/// What a destination answers for its platform, in a dry run.
#[cfg(all(target_arch = "wasm32", feature = "destination"))]
pub mod rehearsal {
    wit_bindgen::generate!({
        path: "../../wit/0.1",
        inline: r#"
            package transload:sdk;
            world rehearsal { export transload:connector/rehearsal@0.1.0; }
        "#,
        with: {
            "transload:connector/types@0.1.0": crate::bindings::common::transload::connector::types,
            "transload:connector/http@0.1.0": crate::bindings::common::transload::connector::http,
        },
        async: false,
        pub_export_macro: true,
        export_macro_name: "__export_rehearsal",
    });
}
