//! Invariant I-5: what a guest does wrong ends its unit, typed, and no other.

use std::time::Instant;

use super::guest::Guest;
use super::*;
use crate::contract::types::Error as Refused;

/// A `check` that does one thing for each letter, and answers `cancelled` for any other.
fn many(cases: &[(char, &str)]) -> Guest {
    let honest = Guest::default();
    let cases: String = cases
        .iter()
        .map(|(letter, body)| {
            format!(
                "(if (i32.eq (local.get $letter) (i32.const {})) (then {body}))",
                u32::from(*letter)
            )
        })
        .collect();
    let check = &honest.check;
    Guest {
        check: format!(
            "(local $letter i32) (local $n i32)
            (local.set $letter (i32.load8_u (local.get 0)))
            {cases} {check}"
        ),
        ..honest
    }
}

/// Where bodies write what they return: the middle of the second page, which nothing else uses.
const OUT: &str = "(i32.const 98304)";

async fn check(
    plugin: &Plugin,
    host: Arc<dyn UnitHost>,
    letter: char,
) -> Result<String, UnitError> {
    let answer = plugin.check(host, context(letter)).await?;
    Ok(match answer {
        Ok(account) => format!("account {}", account.id),
        Err(Refused::Cancelled) => "as it should be".to_owned(),
        Err(error) => format!("{error:?}"),
    })
}

async fn ends(bench: &Bench, plugin: &Plugin, letter: char) -> UnitError {
    let host = bench.host();
    let error = check(plugin, host.clone(), letter).await.unwrap_err();
    assert_eq!(
        host.ended.load(Ordering::SeqCst),
        1,
        "the host is told once"
    );
    // The same plugin goes on as if nothing had been.
    let next = check(plugin, bench.host(), 'g').await.unwrap();
    assert_eq!(next, "as it should be");
    println!("{letter}: {error}");
    error
}

#[tokio::test]
async fn a_trap_a_loop_a_memory_bomb_or_a_flood_costs_one_unit() {
    let bench = Bench::new();
    let guest = many(&[
        ('u', "unreachable"),
        ('l', "(loop $again (br $again))"),
        ('r', "(drop (call $deeper (i32.const 1)))"),
        (
            'm',
            "(loop $again (drop (memory.grow (i32.const 16))) (br $again))",
        ),
        (
            't',
            "(if (i32.ne (table.grow $wide (ref.null func) (i32.const 10000)) (i32.const -1))
                (then unreachable))",
        ),
        (
            'b',
            "(loop $again (drop (call $builder (i32.const 1024) (i32.const 3))) (br $again))",
        ),
        (
            'a',
            "(local.set $n (call $builder (i32.const 1024) (i32.const 3)))
            (loop $again (call $append (local.get $n) (i32.const 0) (i32.const 65536)) (br $again))",
        ),
        ('s', "(loop $again (call $sleep (i64.const 0)) (br $again))"),
        // A request with 64 KiB of body, again and again: its method and URL are any text, the rest of it is zero.
        (
            'q',
            "(i32.store (i32.const 90112) (i32.const 1024)) (i32.store offset=4 (i32.const 90112) (i32.const 3))
            (i32.store offset=8 (i32.const 90112) (i32.const 1024)) (i32.store offset=12 (i32.const 90112) (i32.const 3))
            (i32.store8 offset=24 (i32.const 90112) (i32.const 1)) (i32.store offset=36 (i32.const 90112) (i32.const 65536))
            (loop $again (call $send (i32.const 90112) (i32.const 98304)) (br $again))",
        ),
        (
            'd',
            "(call $read (i32.const 1024) (i32.const 3) (i64.const 9000000000) (i32.const 1024) (i32.const 3)
                (i64.const 0) (i32.const -1) (i32.const 98304))",
        ),
    ]);
    let plugin = Guest {
        more: "(table $wide 1 funcref)
            (func $deeper (param i32) (result i32)
                (i32.rotl (call $deeper (i32.add (local.get 0) (i32.const 1))) (local.get 0)))"
            .to_owned(),
        ..guest
    };
    let plugin = bench.load(plugin.component()).await.unwrap();
    let trap = ends(&bench, &plugin, 'u').await;
    assert!(matches!(&trap, UnitError::Trap(why) if why.contains("unreachable")));
    let table = check(&plugin, bench.host(), 't').await.unwrap();
    assert_eq!(table, "as it should be", "a table just does not grow");
    let cpu = ends(&bench, &plugin, 'l').await;
    assert!(matches!(cpu, UnitError::Cpu { limit, .. } if limit == bench.config.cpu_limit));
    let memory = ends(&bench, &plugin, 'm').await;
    assert!(
        matches!(memory, UnitError::Memory { wanted, limit } if limit == 32 << 20 && wanted > limit)
    );
    for (letter, words) in [
        ('r', "call stack"),
        ('b', "blobs under construction"),
        ('a', "bytes in the blobs"),
        ('s', "too many calls"),
        ('q', "requests and answers of one unit"),
        ('d', "a read of"),
    ] {
        let error = ends(&bench, &plugin, letter).await;
        assert!(
            matches!(&error, UnitError::HostLimit(what) if what.contains(words)),
            "{letter}: {error}"
        );
        assert!(!error.may_pass(), "{letter}");
    }
}

#[tokio::test]
async fn values_that_are_none_end_the_unit_that_gave_them() {
    let bench = Bench::new();
    // An account begins after the discriminant of its result: id, name, url …; `roles` is its seventh member.
    let id = |at: &str, length: &str| {
        format!(
            "(i32.store offset=8 {OUT} {at}) (i32.store offset=12 {OUT} {length}) (return {OUT})"
        )
    };
    let cases = [
        // An address outside of its memory, and one that no record can have.
        ('o', "(return (i32.const -16))".to_owned()),
        ('i', "(return (i32.const 98305))".to_owned()),
        // Neither an answer nor an error.
        (
            'e',
            format!("(i32.store8 {OUT} (i32.const 7)) (return {OUT})"),
        ),
        // Text outside of its memory, text that is longer than it, and text that is none.
        ('p', id("(i32.const -8)", "(i32.const 100)")),
        ('n', id("(i32.const 1024)", "(i32.const -1)")),
        (
            'x',
            format!(
                "(i32.store8 (i32.const 98500) (i32.const 255)) {}",
                id("(i32.const 98500)", "(i32.const 1)")
            ),
        ),
        // A handle that nobody gave.
        (
            'h',
            "(call $append (i32.const 77) (i32.const 0) (i32.const 1))".to_owned(),
        ),
    ];
    let cases: Vec<(char, &str)> = cases.iter().map(|(c, body)| (*c, body.as_str())).collect();
    let plugin = bench.load(many(&cases).component()).await.unwrap();
    for (letter, _) in cases {
        let error = ends(&bench, &plugin, letter).await;
        assert!(matches!(error, UnitError::Trap(_)), "{letter}: {error}");
    }
}

#[tokio::test]
async fn a_list_of_more_than_the_host_takes_is_not_copied() {
    let bench = Bench::new();
    // A million roles, each of them the same 32 KiB: 32 GB from 8 MB of memory.
    let body = format!(
        "(drop (memory.grow (i32.const 200)))
        (local.set $n (i32.const 1048576))
        (loop $again
            (i32.store (local.get $n) (i32.const 0))
            (i32.store offset=4 (local.get $n) (i32.const 32768))
            (local.set $n (i32.add (local.get $n) (i32.const 8)))
            (br_if $again (i32.lt_u (local.get $n) (i32.const 9437184))))
        (i32.store offset=72 {OUT} (i32.const 1048576))
        (i32.store offset=76 {OUT} (i32.const 1048576))
        (return {OUT})"
    );
    let plugin = bench
        .load(many(&[('g', ""), ('b', &body)]).component())
        .await
        .unwrap();
    let _measuring = MEASURING.lock().await;
    let before = resident();
    let error = ends(&bench, &plugin, 'b').await;
    assert!(
        matches!(&error, UnitError::HostLimit(what) if what.contains("too much data")),
        "{error}"
    );
    let grown = resident().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more");
}

/// Held by a test while it measures the process that all tests share.
static MEASURING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Bytes of this process in memory.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = pages.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_beside_one_that_loops_or_waits_go_on() {
    let mut bench = Bench::new();
    bench.config.cpu_limit = Duration::from_secs(2);
    bench.config.wall_limit = Duration::from_secs(2);
    let guest = many(&[
        ('l', "(loop $again (br $again))"),
        ('w', "(call $sleep (i64.const 100000))"),
    ]);
    let plugin = bench.load(guest.component()).await.unwrap();
    let began = Instant::now();
    // As many as there are threads loop, and one more than that has a slot.
    let hostile: Vec<_> = ['l', 'l', 'w']
        .map(|letter| {
            let (plugin, host) = (plugin.clone(), bench.host());
            tokio::spawn(async move { check(&plugin, host, letter).await })
        })
        .into();
    for _ in 0..100 {
        let answer = check(&plugin, bench.host(), 'g').await.unwrap();
        assert_eq!(answer, "as it should be");
    }
    let took = began.elapsed();
    assert!(
        hostile.iter().all(|unit| !unit.is_finished()),
        "they were still there"
    );
    println!("100 honest units beside three hostile ones took {took:?}");
    let mut ends = vec![];
    for unit in hostile {
        ends.push(unit.await.unwrap().unwrap_err());
    }
    assert!(matches!(
        ends[0],
        UnitError::Cpu { .. } | UnitError::Wall(_)
    ));
    assert!(matches!(ends[2], UnitError::Wall(limit) if limit == bench.config.wall_limit));
}

#[tokio::test]
async fn memory_that_a_guest_took_is_given_back_when_it_has_ended() {
    let mut bench = Bench::new();
    bench.config.memory_limit = 128 << 20;
    bench.config.cpu_limit = Duration::from_secs(20);
    // Takes 100 MB, touches every page of it, and falls over.
    let body = "(local.set $n (i32.shl (memory.grow (i32.const 1600)) (i32.const 16)))
        (loop $again
            (i32.store (local.get $n) (i32.const 1))
            (local.set $n (i32.add (local.get $n) (i32.const 4096)))
            (br_if $again (i32.lt_u (local.get $n) (i32.const 104857600))))
        unreachable";
    let plugin = bench.load(many(&[('m', body)]).component()).await.unwrap();
    let _measuring = MEASURING.lock().await;
    ends(&bench, &plugin, 'm').await;
    let before = resident();
    for _ in 0..8 {
        ends(&bench, &plugin, 'm').await;
    }
    let grown = resident().saturating_sub(before);
    assert!(
        grown < 50 << 20,
        "{grown} bytes stay after eight times 100 MB"
    );
}

#[tokio::test]
async fn a_guest_that_cannot_even_take_its_arguments_ends_its_unit() {
    let bench = Bench::new();
    for realloc in [
        "unreachable",
        "(loop $again (br $again)) unreachable",
        "(i32.const -8)",
        "(i32.const 3)",
        // Calls of the host from within it.
        "(call $log (i32.const 0) (i32.const 1024) (i32.const 3)) (i32.const 65536)",
    ] {
        let guest = Guest {
            realloc: realloc.to_owned(),
            ..Guest::default()
        };
        let plugin = bench.load(guest.component()).await.unwrap();
        let ended = check(&plugin, bench.host(), 'g').await;
        println!("{realloc}: {ended:?}");
        match (realloc.contains("loop"), &ended) {
            (true, Err(UnitError::Cpu { .. })) => {}
            (false, Err(UnitError::Trap(_))) => {}
            // An address that is no multiple of four is good enough for text.
            (false, Ok(answer)) if realloc.contains("const 3") => {
                assert_eq!(answer, "as it should be");
            }
            other => panic!("{realloc}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_flood_of_the_log_is_cut_and_cannot_pass_for_the_hosts_own_lines() {
    let bench = Bench::new();
    let body = "(loop $again
            (call $log (i32.const 3) (i32.const 98304) (i32.const 3000))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $n) (i32.const 1000))))";
    let guest = Guest {
        more: "(data (i32.const 98304) \"a\\0a\\1b[31mERROR\\e2\\80\\ae\")".to_owned(),
        ..many(&[('f', body)])
    };
    let plugin = bench.load(guest.component()).await.unwrap();
    let host = bench.host();
    let ended = check(&plugin, host.clone(), 'f').await.unwrap();
    assert_eq!(ended, "as it should be", "it is no reason to end a unit");
    let lines = host.logged.lock().unwrap();
    let bytes: usize = lines.iter().map(String::len).sum();
    assert!(bytes < 11_000, "{bytes} bytes were logged");
    assert!(
        lines[0].starts_with("a\\n\\u{1b}[31mERROR"),
        "{:?}",
        lines[0]
    );
    assert!(lines.iter().all(|line| !line.contains(char::is_control)));
    assert!(lines.last().unwrap().contains("logs too much"));
}
