//! Invariant I-7, and what else is asked of a component before any of it runs.

use std::os::unix::fs::PermissionsExt as _;

use super::guest::Guest;
use super::*;

/// A component of interfaces without content, for what is decided by names alone.
fn named(imports: &[&str], exports: &[&str]) -> Vec<u8> {
    let imports = imports
        .iter()
        .map(|name| format!("(import \"{name}\" (instance))"));
    let exports = exports
        .iter()
        .map(|name| format!("(export \"{name}\" (instance $i))"));
    let (imports, exports): (String, String) = (imports.collect(), exports.collect());
    wat::parse_str(format!("(component {imports} (instance $i) {exports})")).unwrap()
}

/// A connector of which it is noticed when any of it runs: its description takes longer than it may.
fn tell_tale() -> Guest {
    Guest {
        describe: "(loop $again (br $again)) unreachable".to_owned(),
        ..Guest::default()
    }
}

#[tokio::test]
async fn nothing_runs_whose_digest_was_not_checked() {
    let bench = Bench::new();
    let bytes = tell_tale().component();
    let sha256 = digest(&bytes);
    // It would be noticed if it ran.
    let ran = bench.sandbox().load(bytes.clone(), &sha256).await;
    assert!(
        matches!(ran, Err(SandboxError::Describe(UnitError::Cpu { .. }))),
        "{ran:?}"
    );
    // Compiled or not, in the cache or not: one bit of it, or of the digest, and it does not.
    for at in [8, bytes.len() / 2, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let refused = bench.sandbox().load(changed.clone(), &sha256).await;
        let Err(SandboxError::Digest { expected, found }) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!((expected, found), (sha256.clone(), digest(&changed)));
    }
    let other = digest(b"another");
    let refused = bench.sandbox().load(bytes.clone(), &other).await;
    assert!(
        matches!(refused, Err(SandboxError::Digest { .. })),
        "{refused:?}"
    );
    // From a file that changes after it was installed.
    let path = bench.dir.path().join("component.wasm");
    std::fs::write(&path, [bytes.as_slice(), b"\0"].concat()).unwrap();
    let refused = bench.sandbox().load_file(&path, &sha256).await;
    assert!(
        matches!(refused, Err(SandboxError::Digest { .. })),
        "{refused:?}"
    );
}

/// The one compiled component in the cache.
fn compiled(bench: &Bench) -> PathBuf {
    let entries = std::fs::read_dir(&bench.config.cache_dir).unwrap();
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    assert_eq!(entries.len(), 2, "{entries:?}");
    assert_eq!(entries[0], hash_of(&entries[1]));
    entries.remove(1)
}

/// Where the hash of its bytes is.
fn hash_of(compiled: &Path) -> PathBuf {
    compiled.with_extension("blake3")
}

/// Puts other bytes in a file's place: a compiled component may be mapped somewhere.
fn replace(path: &Path, bytes: &[u8]) {
    let beside = path.with_extension("beside");
    std::fs::write(&beside, bytes).unwrap();
    std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(beside, path).unwrap();
}

#[tokio::test]
async fn a_compiled_component_that_was_changed_is_compiled_again_and_never_run() {
    let bench = Bench::new();
    let bytes = Guest::default().component();
    bench.load(bytes.clone()).await.unwrap();
    let path = compiled(&bench);
    let good = std::fs::read(&path).unwrap();
    let mode = |mode: u32| std::fs::Permissions::from_mode(mode);
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    // Code of another component in this one's place: valid in itself, and it would be noticed.
    let other = Bench::new();
    other.load(tell_tale().component()).await.unwrap_err();
    let another = std::fs::read(compiled(&other)).unwrap();
    let hash = std::fs::read(hash_of(&path)).unwrap();
    let another_hash = std::fs::read(hash_of(&compiled(&other))).unwrap();
    let spoilt = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    for (what, bad, bad_hash) in [
        (
            "a bit of its code",
            spoilt(&good, good.len() / 2),
            hash.clone(),
        ),
        ("a bit of its hash", good.clone(), spoilt(&hash, 0)),
        (
            "its last half",
            good[..good.len() / 2].to_vec(),
            hash.clone(),
        ),
        ("all of it", vec![], vec![]),
        ("the code, not the hash", another.clone(), hash.clone()),
        ("the hash, not the code", good.clone(), another_hash.clone()),
    ] {
        replace(&path, &bad);
        replace(&hash_of(&path), &bad_hash);
        let plugin = bench.load(bytes.clone()).await.unwrap();
        assert_eq!(plugin.description().name, "wat", "{what}");
        assert_eq!(std::fs::read(&path).unwrap(), good, "{what}: made again");
        assert_eq!(std::fs::read(hash_of(&path)).unwrap(), hash, "{what}");
    }
    std::fs::remove_file(hash_of(&path)).unwrap();
    bench.load(bytes.clone()).await.unwrap();
    assert_eq!(std::fs::read(hash_of(&path)).unwrap(), hash, "made again");
    // Whole, but where others can write: it may be anybody's.
    for (what, file, dir) in [("file", 0o620, 0o700), ("folder", 0o600, 0o777)] {
        replace(&path, &another);
        replace(&hash_of(&path), &another_hash);
        std::fs::set_permissions(&path, mode(file)).unwrap();
        std::fs::set_permissions(&bench.config.cache_dir, mode(dir)).unwrap();
        let plugin = bench.load(bytes.clone()).await.unwrap();
        assert_eq!(plugin.description().name, "wat", "{what}");
        std::fs::set_permissions(&bench.config.cache_dir, mode(0o700)).unwrap();
    }
}

#[tokio::test]
async fn a_compiled_component_is_taken_from_the_cache_when_it_fits() {
    let bench = Bench::new();
    // `describe` is all that runs at loading, so a cache that is used shows in what it runs: here another component's code,
    // put there with its hash by somebody who may.
    let bytes = Guest::default().component();
    bench.load(bytes.clone()).await.unwrap();
    let other = Bench::new();
    other.load(tell_tale().component()).await.unwrap_err();
    let (from, to) = (compiled(&other), compiled(&bench));
    replace(&to, &std::fs::read(&from).unwrap());
    replace(&hash_of(&to), &std::fs::read(hash_of(&from)).unwrap());
    let ran = bench.load(bytes).await;
    assert!(
        matches!(ran, Err(SandboxError::Describe(UnitError::Cpu { .. }))),
        "{ran:?}"
    );
}

#[tokio::test]
async fn a_contract_of_the_future_is_refused_with_what_to_do() {
    let bench = Bench::new();
    for version in ["0.1.1", "0.2.0", "1.0.0"] {
        let export = format!("transload:connector/source@{version}");
        let refused = bench.load(named(&[], &[&export])).await.unwrap_err();
        assert!(matches!(refused, SandboxError::FutureContract { .. }));
        let text = refused.to_string();
        for words in [
            version,
            "0.1.0",
            "newer host",
            "older version of the connector",
        ] {
            assert!(text.contains(words), "{words} in {text}");
        }
    }
    for version in ["0.0.9", "0.1.0-rc.1"] {
        let export = format!("transload:connector/source@{version}");
        let refused = bench.load(named(&[], &[&export])).await.unwrap_err();
        assert!(
            matches!(refused, SandboxError::UnknownContract { .. }),
            "{version}: {refused}"
        );
        assert!(
            refused
                .to_string()
                .contains("build the connector for 0.1.0")
        );
    }
}

#[tokio::test]
async fn a_component_that_imports_what_no_connector_gets_is_refused_with_what_to_do() {
    let bench = Bench::new();
    let source = ["transload:connector/source@0.1.0"];
    for import in [
        "wasi:clocks/wall-clock@0.3.0",
        "wasi:clocks/timezone@0.2.9",
        "wasi:http/outgoing-handler@0.2.9",
        "wasi:filesystem/types@0.2.9-rc.1",
        "evil:connector/http@0.1.0",
    ] {
        let imports = ["transload:connector/http@0.1.0", import];
        let refused = bench.load(named(&imports, &source)).await.unwrap_err();
        assert!(matches!(&refused, SandboxError::ForeignImports(all) if all == &[import]));
        let text = refused.to_string();
        for words in [
            import,
            "without WASI",
            "wasm32-unknown-unknown",
            "componentize-py",
        ] {
            assert!(text.contains(words), "{words} in {text}");
        }
    }
    // What an interpreter needs of its system is served; this one only exports nothing.
    let imports = [
        "transload:connector/http@0.1.0",
        "wasi:clocks/wall-clock@0.2.9",
        "wasi:sockets/tcp@0.2.0",
    ];
    let refused = bench.load(named(&imports, &source)).await.unwrap_err();
    assert!(matches!(&refused, SandboxError::Link(_)), "{refused}");
}

#[tokio::test]
async fn what_is_no_connector_does_not_load() {
    let bench = Bench::new();
    let module = wat::parse_str("(module)").unwrap();
    let empty = named(&[], &["transload:connector/source@0.1.0"]);
    for (what, bytes) in [
        ("a module", module),
        ("text", b"#!/bin/sh".to_vec()),
        ("nothing", vec![]),
    ] {
        let refused = bench.load(bytes).await.unwrap_err();
        assert!(
            matches!(refused, SandboxError::Outline(_)),
            "{what}: {refused}"
        );
    }
    let refused = bench.load(empty).await.unwrap_err();
    assert!(matches!(refused, SandboxError::Link(_)), "{refused}");
    let large = vec![0; bench.config.component_limit + 1];
    let refused = bench.load(large).await.unwrap_err();
    assert!(
        matches!(refused, SandboxError::TooLarge { .. }),
        "{refused}"
    );
}

#[tokio::test]
async fn a_connector_that_misbehaves_while_it_is_loaded_is_not_loaded() {
    let bench = Bench::new();
    let with = |more: &str| Guest {
        more: more.to_owned(),
        ..Guest::default()
    };
    let described = |describe: &str| Guest {
        describe: describe.to_owned(),
        ..Guest::default()
    };
    for (what, guest, words) in [
        (
            "computes before its first call",
            with("(func $spin (loop $again (br $again))) (start $spin)"),
            "computed for more than",
        ),
        (
            "falls over before its first call",
            with("(func $fall unreachable) (start $fall)"),
            "unreachable",
        ),
        ("computes for ever", tell_tale(), "computed for more than"),
        (
            "gives no description",
            described("(i32.const 0)"),
            "its description is wrong",
        ),
        (
            "calls the host",
            described(
                "(call $read (i32.const 1024) (i32.const 3) (i64.const 1) (i32.const 1024) (i32.const 3)
                    (i64.const 0) (i32.const 1) (i32.const 98304)) (i32.const 0)",
            ),
            "it may not call the host",
        ),
        (
            "wants more memory than there is from the start",
            Guest {
                pages: 1024,
                ..Guest::default()
            },
            "does not compile",
        ),
        (
            "has more memories than a connector may have",
            with(&"(memory 1)".repeat(9)),
            "does not compile",
        ),
    ] {
        let refused = bench.load(guest.component()).await.unwrap_err();
        println!("{what}: {refused}");
        assert!(refused.to_string().contains(words), "{what}: {refused}");
    }
}

#[tokio::test]
async fn threads_and_what_differs_from_machine_to_machine_are_not_compiled() {
    let bench = Bench::new();
    // Shared memory, and an instruction whose result the processor may choose (rule D-7).
    for more in [
        "(memory 1 1 shared)",
        "(func (result v128) (f32x4.relaxed_min (v128.const i64x2 0 0) (v128.const i64x2 0 0)))",
    ] {
        let module = format!("(core module {more})");
        let text = format!(
            "(component {module} (instance $i) (export \"transload:connector/source@0.1.0\" (instance $i)))"
        );
        let refused = bench.load(wat::parse_str(text).unwrap()).await.unwrap_err();
        assert!(
            matches!(refused, SandboxError::Compile(_)),
            "{more}: {refused}"
        );
    }
}
