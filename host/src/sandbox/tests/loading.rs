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
    // One that is kept in the cache, from a file that changes after it was installed.
    let bytes = Guest::default().component();
    let sha256 = digest(&bytes);
    let path = bench.dir.path().join("component.wasm");
    std::fs::write(&path, &bytes).unwrap();
    bench.sandbox().load_file(&path, &sha256).await.unwrap();
    compiled(&bench);
    bench.sandbox().load_file(&path, &sha256).await.unwrap();
    let mut changed = bytes.clone();
    changed[bytes.len() / 2] ^= 1;
    for changed in [[bytes.as_slice(), b"\0"].concat(), changed] {
        std::fs::write(&path, &changed).unwrap();
        for refused in [
            bench.sandbox().load_file(&path, &sha256).await,
            bench.sandbox().load(changed.clone(), &sha256).await,
        ] {
            let Err(SandboxError::Digest { expected, found }) = refused else {
                panic!("{refused:?}")
            };
            assert_eq!((expected, found), (sha256.clone(), digest(&changed)));
        }
    }
}

/// The one compiled component in the cache.
fn compiled(bench: &Bench) -> PathBuf {
    let entries = std::fs::read_dir(&bench.config.cache_dir).unwrap();
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    assert_eq!(entries.len(), 2, "{entries:?}");
    assert_eq!(entries[1], seal_of(&entries[0]));
    entries.remove(0)
}

/// Where what is known of it is.
fn seal_of(compiled: &Path) -> PathBuf {
    compiled.with_extension("seal")
}

/// Another connector, which says the same of itself: that its code runs is noticed when it is asked for its account.
fn impostor() -> Guest {
    Guest {
        check: "unreachable".to_owned(),
        ..Guest::default()
    }
}

/// Which of the two runs.
async fn is_impostor(bench: &Bench, plugin: &Plugin) -> bool {
    match plugin.check(bench.host(), context('a')).await {
        Ok(answered) => {
            answered.unwrap_err();
            false
        }
        Err(UnitError::Trap(_)) => true,
        Err(other) => panic!("{other:?}"),
    }
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
    let plugin = other.load(impostor().component()).await.unwrap();
    assert!(is_impostor(&other, &plugin).await);
    let another = std::fs::read(compiled(&other)).unwrap();
    let seal = std::fs::read(seal_of(&path)).unwrap();
    let another_seal = std::fs::read(seal_of(&compiled(&other))).unwrap();
    let spoilt = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    for (what, bad, bad_seal) in [
        (
            "a bit of its code",
            spoilt(&good, good.len() / 2),
            seal.clone(),
        ),
        ("a bit of its seal", good.clone(), spoilt(&seal, 0)),
        ("a bit of its hashes", good.clone(), spoilt(&seal, 20)),
        (
            "its last half",
            good[..good.len() / 2].to_vec(),
            seal.clone(),
        ),
        ("all of it", vec![], vec![]),
        ("the code, not the seal", another.clone(), seal.clone()),
        ("the seal, not the code", good.clone(), another_seal.clone()),
        ("both", another.clone(), another_seal.clone()),
    ] {
        replace(&path, &bad);
        replace(&seal_of(&path), &bad_seal);
        let plugin = bench.load(bytes.clone()).await.unwrap();
        assert!(!is_impostor(&bench, &plugin).await, "{what}");
        assert_eq!(std::fs::read(&path).unwrap(), good, "{what}: made again");
        assert_eq!(std::fs::read(seal_of(&path)).unwrap(), seal, "{what}");
    }
    std::fs::remove_file(seal_of(&path)).unwrap();
    bench.load(bytes.clone()).await.unwrap();
    assert_eq!(std::fs::read(seal_of(&path)).unwrap(), seal, "made again");
    // Whole, but where others can write: it may be anybody's.
    for (what, file, dir) in [("file", 0o620, 0o700), ("folder", 0o600, 0o777)] {
        replace(&path, &another);
        replace(&seal_of(&path), &another_seal);
        std::fs::set_permissions(&path, mode(file)).unwrap();
        std::fs::set_permissions(&bench.config.cache_dir, mode(dir)).unwrap();
        let plugin = bench.load(bytes.clone()).await.unwrap();
        assert!(!is_impostor(&bench, &plugin).await, "{what}");
        std::fs::set_permissions(&bench.config.cache_dir, mode(0o700)).unwrap();
    }
}

#[tokio::test]
async fn a_compiled_component_is_taken_from_the_cache_when_it_fits() {
    let bench = Bench::new();
    // A cache that is used shows in what runs: here another component's code, put there with a seal that fits by somebody who may.
    let bytes = Guest::default().component();
    bench.load(bytes.clone()).await.unwrap();
    let other = Bench::new();
    other.load(impostor().component()).await.unwrap();
    let (from, to) = (compiled(&other), compiled(&bench));
    let read = |compiled: &Path| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(seal_of(compiled)).unwrap()).unwrap()
    };
    let (mut seal, own) = (read(&from), read(&to));
    seal["component"] = own["component"].clone();
    seal["description"]["title"] = "Kept".into();
    replace(&to, &std::fs::read(&from).unwrap());
    replace(&seal_of(&to), seal.to_string().as_bytes());
    let plugin = bench.load(bytes).await.unwrap();
    assert!(is_impostor(&bench, &plugin).await);
    // So does what it says of itself, but not when it is asked once more.
    assert_eq!(plugin.description().title, "Kept");
    let again = plugin.describe_again().await.unwrap();
    assert_ne!(again.title, "Kept");
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
