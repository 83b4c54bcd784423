//! What an interpreter needs of a system, and nothing behind it ([0017](../../../docs/decisions/0017-python-connectors.md)).
//!
//! A connector in Rust imports the contract and nothing else. An interpreted one brings a C library along, which imports WASI
//! whether it is used or not: exactly the [`INTERFACES`] below. They are served here, by hand, so that there is nothing to open:
//!
//! - no folder, no file, no argument, no variable, no terminal: the lists are empty, and what asks for more is refused;
//! - no socket and no name: refused as a system refuses that has no network;
//! - the time is the unit's `now` and stands still; chance comes of the unit, so a unit that runs again draws the same;
//! - what is printed goes to the connector's own log, under its limit.
//!
//! Whatever is not named in [`define`] is refused: with the call's own word for "not allowed", where it has one, else by
//! ending the unit. A handle is a number and holds nothing.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use semver::Version;
use sha2::{Digest as _, Sha256};
use wasmtime::component::types::{ComponentFunc, ComponentItem, Type};
use wasmtime::component::{
    Component, ComponentType, Lift, Linker, LinkerInstance, Lower, ResourceDynamic, ResourceType,
    Val,
};
use wasmtime::{Engine, StoreContextMut};

use super::imports::UnitState;
use crate::contract::runtime::Level;

/// All of WASI that a component may import: what CPython, as componentize-py builds it in, imports.
const INTERFACES: [&str; 25] = [
    "cli/environment",
    "cli/exit",
    "cli/stderr",
    "cli/stdin",
    "cli/stdout",
    "cli/terminal-input",
    "cli/terminal-output",
    "cli/terminal-stderr",
    "cli/terminal-stdin",
    "cli/terminal-stdout",
    "clocks/monotonic-clock",
    "clocks/wall-clock",
    "filesystem/preopens",
    "filesystem/types",
    "io/error",
    "io/poll",
    "io/streams",
    "random/random",
    "sockets/instance-network",
    "sockets/ip-name-lookup",
    "sockets/network",
    "sockets/tcp",
    "sockets/tcp-create-socket",
    "sockets/udp",
    "sockets/udp-create-socket",
];

/// Their resources. A handle's type is its place here, so that one cannot pass for another.
const RESOURCES: [&str; 14] = [
    "input-stream",
    "output-stream",
    "pollable",
    "error",
    "terminal-input",
    "terminal-output",
    "descriptor",
    "directory-entry-stream",
    "network",
    "tcp-socket",
    "udp-socket",
    "incoming-datagram-stream",
    "outgoing-datagram-stream",
    "resolve-address-stream",
];
const INPUT: u32 = 0;
const OUTPUT: u32 = 1;
const POLLABLE: u32 = 2;

/// What the two outputs are by number.
const STDOUT: u32 = 1;
const STDERR: u32 = 2;

/// Longest line that is collected, bytes; a longer one is several.
const LINE: usize = 1 << 10;
/// What an output says it takes at once, bytes.
const WRITE: u64 = 1 << 16;
/// Most bytes of chance in one call: more than any key or seed, little to the host.
const CHANCE: u64 = 1 << 16;

/// The call that a unit was ended for.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Forbidden(pub(super) String);

/// What one unit has of a system.
#[derive(Debug, Default)]
pub(super) struct System {
    chance: Option<Box<ChaCha20Rng>>,
    /// Lines in the making, of both outputs.
    lines: [Vec<u8>; 2],
}

/// Whether an import is one of those that are served: `wasi:io/streams@0.2.9`.
pub(super) fn serves(import: &str) -> bool {
    interface(import).is_some()
}

/// `wasi:io/streams@0.2.9` → `io/streams`. Versions with one second number fit each other.
fn interface(import: &str) -> Option<&str> {
    let (name, version) = import.strip_prefix("wasi:")?.split_once('@')?;
    let version = Version::parse(version).ok()?;
    let ours = (version.major, version.minor) == (0, 2) && version.pre.is_empty();
    (ours && INTERFACES.contains(&name)).then_some(name)
}

/// Whether a component wants any of it.
pub(super) fn wanted(engine: &Engine, component: &Component) -> bool {
    let ty = component.component_type();
    ty.imports(engine).any(|(name, _)| serves(name))
}

/// Defines what this component imports of it, as its own imports have the types.
pub(super) fn link(
    linker: &mut Linker<UnitState>,
    engine: &Engine,
    component: &Component,
) -> wasmtime::Result<()> {
    for (import, item) in component.component_type().imports(engine) {
        let (Some(name), ComponentItem::ComponentInstance(instance)) = (interface(import), item.ty)
        else {
            continue;
        };
        let mut place = linker.instance(import)?;
        for (export, item) in instance.exports(engine) {
            match item.ty {
                ComponentItem::Resource(_) => {
                    let of = RESOURCES.iter().position(|resource| *resource == export);
                    let of = of.and_then(|place| u32::try_from(place).ok());
                    let of = of.unwrap_or(u32::MAX);
                    place.resource(export, ResourceType::host_dynamic(of), |_, _| Ok(()))?;
                }
                ComponentItem::ComponentFunc(_) => define(&mut place, name, export)?,
                _ => {}
            }
        }
    }
    Ok(())
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    #[allow(dead_code, reason = "the type has it; nothing fails here")]
    Failed(ResourceDynamic),
    #[component(name = "closed")]
    Closed,
}

type Place<'a> = LinkerInstance<'a, UnitState>;
type Unit<'a> = StoreContextMut<'a, UnitState>;
type Handle = ResourceDynamic;

/// One function of one interface.
fn define(place: &mut Place<'_>, interface: &str, name: &str) -> wasmtime::Result<()> {
    match (interface, name) {
        ("clocks/wall-clock", "now") => place.func_wrap(name, |unit: Unit<'_>, (): ()| {
            let ms = unit.data().host.now().max(0).unsigned_abs();
            let nanoseconds = u32::try_from(ms % 1_000).unwrap_or(0) * 1_000_000;
            Ok((Datetime {
                seconds: ms / 1_000,
                nanoseconds,
            },))
        }),
        ("clocks/wall-clock", "resolution") => place.func_wrap(name, |_: Unit<'_>, (): ()| {
            Ok((Datetime {
                seconds: 0,
                nanoseconds: 1_000_000,
            },))
        }),
        ("clocks/monotonic-clock", "now") => place.func_wrap(name, |unit: Unit<'_>, (): ()| {
            let ms = unit.data().host.now().max(0).unsigned_abs();
            Ok((ms.saturating_mul(1_000_000),))
        }),
        ("clocks/monotonic-clock", "resolution") => {
            place.func_wrap(name, |_: Unit<'_>, (): ()| Ok((1_000_000_u64,)))
        }
        ("random/random", "get-random-u64") => place
            .func_wrap(name, |mut unit: Unit<'_>, (): ()| {
                Ok((unit.data_mut().chance().next_u64(),))
            }),
        ("random/random", "get-random-bytes") => {
            place.func_wrap(name, |mut unit: Unit<'_>, (length,): (u64,)| {
                let length = usize::try_from(length.min(CHANCE + 1)).unwrap_or(usize::MAX);
                if length as u64 > CHANCE {
                    let text = format!("more than {CHANCE} random bytes at once");
                    return Err(Forbidden(text).into());
                }
                let mut bytes = vec![0; length];
                unit.data_mut().chance().fill_bytes(&mut bytes);
                Ok((bytes,))
            })
        }
        ("cli/environment", "get-environment") => place.func_wrap(name, |_: Unit<'_>, (): ()| {
            Ok((Vec::<(String, String)>::new(),))
        }),
        ("cli/environment", "get-arguments") => {
            place.func_wrap(name, |_: Unit<'_>, (): ()| Ok((Vec::<String>::new(),)))
        }
        ("cli/environment", "initial-cwd") => {
            place.func_wrap(name, |_: Unit<'_>, (): ()| Ok((None::<String>,)))
        }
        ("cli/stdin", "get-stdin") => gives(place, name, INPUT, 0),
        ("cli/stdout", "get-stdout") => gives(place, name, OUTPUT, STDOUT),
        ("cli/stderr", "get-stderr") => gives(place, name, OUTPUT, STDERR),
        ("cli/terminal-stdin" | "cli/terminal-stdout" | "cli/terminal-stderr", _) => {
            place.func_wrap(name, |_: Unit<'_>, (): ()| Ok((None::<Handle>,)))
        }
        ("filesystem/preopens", "get-directories") => place
            .func_wrap(name, |_: Unit<'_>, (): ()| {
                Ok((Vec::<(Handle, String)>::new(),))
            }),
        ("io/streams", "[method]output-stream.check-write") => place
            .func_wrap(name, |_: Unit<'_>, (_,): (Handle,)| {
                Ok((Ok::<u64, StreamError>(WRITE),))
            }),
        (
            "io/streams",
            "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush",
        ) => place.func_wrap(
            name,
            |mut unit: Unit<'_>, (output, bytes): (Handle, Vec<u8>)| {
                unit.data_mut().printed(output.rep(), &bytes);
                Ok((Ok::<(), StreamError>(()),))
            },
        ),
        ("io/streams", "[method]output-stream.flush" | "[method]output-stream.blocking-flush") => {
            place.func_wrap(name, |_: Unit<'_>, (_,): (Handle,)| {
                Ok((Ok::<(), StreamError>(()),))
            })
        }
        ("io/streams", "[method]input-stream.read" | "[method]input-stream.blocking-read") => place
            .func_wrap(name, |_: Unit<'_>, (_, _): (Handle, u64)| {
                Ok((Err::<Vec<u8>, _>(StreamError::Closed),))
            }),
        ("io/streams", "[method]output-stream.subscribe" | "[method]input-stream.subscribe") => {
            place.func_wrap(name, |_: Unit<'_>, (_,): (Handle,)| {
                Ok((Handle::new_own(0, POLLABLE),))
            })
        }
        // Whatever can be waited for here is there already.
        ("io/poll", "poll") => place.func_wrap(name, |_: Unit<'_>, (all,): (Vec<Handle>,)| {
            let all = u32::try_from(all.len()).unwrap_or(u32::MAX);
            Ok(((0..all).collect::<Vec<u32>>(),))
        }),
        ("io/poll", "[method]pollable.ready") => {
            place.func_wrap(name, |_: Unit<'_>, (_,): (Handle,)| Ok((true,)))
        }
        ("io/poll", "[method]pollable.block") => {
            place.func_wrap(name, |_: Unit<'_>, (_,): (Handle,)| Ok(()))
        }
        _ => {
            let what = format!("wasi:{interface}#{name}");
            place.func_new(name, move |_, ty, given, results| {
                refuse(&what, &ty, given, results)
            })
        }
    }
}

fn gives(place: &mut Place<'_>, name: &str, of: u32, number: u32) -> wasmtime::Result<()> {
    place.func_wrap(name, move |_: Unit<'_>, (): ()| {
        Ok((Handle::new_own(number, of),))
    })
}

/// Answers "not allowed" where the call can say so, as a program expects it of its system.
fn refuse(
    what: &str,
    ty: &ComponentFunc,
    given: &[Val],
    results: &mut [Val],
) -> wasmtime::Result<()> {
    // A handle that was lent would have to be given back first.
    let lent = given.iter().any(|value| matches!(value, Val::Resource(_)));
    if !lent
        && let (Some(Type::Result(result)), [place]) = (ty.results().next(), results)
        && let Some(Type::Enum(codes)) = result.err()
        && let Some(code) = codes
            .names()
            .find(|code| ["access", "access-denied"].contains(code))
    {
        *place = Val::Result(Err(Some(Box::new(Val::Enum(code.to_owned())))));
        return Ok(());
    }
    Err(Forbidden(what.to_owned()).into())
}

impl UnitState {
    /// The unit's own chance: the same numbers whenever it runs.
    fn chance(&mut self) -> &mut ChaCha20Rng {
        let host = &self.host;
        self.system.chance.get_or_insert_with(|| {
            let mut hash = Sha256::new();
            hash.update(b"transload unit ");
            hash.update(host.seed());
            Box::new(ChaCha20Rng::from_seed(hash.finalize().into()))
        })
    }

    /// A piece of what the guest prints; whole lines go to its log.
    fn printed(&mut self, output: u32, bytes: &[u8]) {
        for byte in bytes {
            let [first, second] = &mut self.system.lines;
            let line = if output == STDERR { second } else { first };
            if *byte != b'\n' {
                line.push(*byte);
                if line.len() < LINE {
                    continue;
                }
            }
            let text = String::from_utf8_lossy(&std::mem::take(line)).into_owned();
            if let Some(text) = self.log.line(&text) {
                self.host.log(Level::Debug, &text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_wasi_exactly_what_an_interpreter_needs_is_served() {
        assert!(serves("wasi:io/streams@0.2.9"));
        assert!(serves("wasi:clocks/wall-clock@0.2.0"));
        for import in [
            "wasi:http/outgoing-handler@0.2.9",
            "wasi:random/insecure@0.2.9",
            "wasi:io/streams@0.3.0",
            "wasi:io/streams@0.2.9-rc.1",
            "wasi:io/streams@1.2.0",
            "wasi:io/streams",
            "evil:io/streams@0.2.9",
            "wasi:keyvalue/store@0.2.0",
            "wasi:io/streams-too@0.2.9",
        ] {
            assert!(!serves(import), "{import}");
        }
    }

    #[test]
    fn every_handle_type_is_where_its_number_says() {
        let named = |place: u32| RESOURCES[place as usize];
        assert_eq!(
            [INPUT, OUTPUT, POLLABLE].map(named),
            ["input-stream", "output-stream", "pollable"]
        );
    }
}
