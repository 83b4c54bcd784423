//! probe
mod a { wit_bindgen::generate!({ path: "../../wit/0.1", world: "source-connector", generate_all, additional_derives: [PartialEq, Clone, serde::Serialize, serde::Deserialize], pub_export_macro: true }); }
