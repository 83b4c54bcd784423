//! From a core module to a component. Also the chores' (`xtask`): it knows nothing of this crate.
//!
//! The compiler gives a core module; wit-component adds the types that wit-bindgen left in its custom sections.

use wit_component::{ComponentEncoder, DecodedWasm};

/// The package that a connector may import.
const CONTRACT: &str = "transload:connector/";

/// Makes a core module a component, and checks what it imports: anything but the contract (WASI) means that a dependency wants a
/// clock, a file or chance.
///
/// # Errors
/// What is wrong with the module, in words for its author.
pub fn encode(module: &[u8]) -> Result<Vec<u8>, String> {
    let words = |error: &dyn std::fmt::Display| format!("it is no component: {error:#}");
    let component = ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(ComponentEncoder::encode)
        .map_err(|e| words(&e))?;
    let decoded = wit_component::decode(&component).map_err(|e| words(&e))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err("the result holds types only".to_owned());
    };
    let Some(world) = resolve.worlds.get(world) else {
        return Err("the component has no world".to_owned());
    };
    let foreign: Vec<String> = world
        .imports
        .keys()
        .map(|key| resolve.name_world_key(key))
        .filter(|name| !name.starts_with(CONTRACT))
        .collect();
    if !foreign.is_empty() {
        let names = foreign.join(", ");
        return Err(format!("it imports what no connector may: {names}"));
    }
    if world.exports.is_empty() {
        return Err(
            "it exports nothing: is `export_source!` or `export_destination!` missing?".to_owned(),
        );
    }
    Ok(component)
}
