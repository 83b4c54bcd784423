//! Rate limits against a platform that is strict about them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::*;
use crate::contract::description::{LimitHeader, LimitMeaning, RequestCost};

/// Refuses what goes beyond `limit` in `per_ms`: in any such window, or in fixed ones.
struct Strict {
    limit: usize,
    per_ms: i64,
    sliding: bool,
    seen: VecDeque<i64>,
}

impl Strict {
    fn admit(&mut self, now: i64) -> bool {
        let start = if self.sliding {
            now - self.per_ms
        } else {
            now - now.rem_euclid(self.per_ms) - 1
        };
        while self.seen.front().is_some_and(|at| *at <= start) {
            self.seen.pop_front();
        }
        let fits = self.seen.len() < self.limit;
        if fits {
            self.seen.push_back(now);
        }
        fits
    }
}

#[tokio::test]
async fn nearly_all_of_a_limit_is_used_and_nothing_is_refused() {
    for (limit, per_ms, sliding, jitter) in [
        (1000, 60_000, true, 300),
        (1000, 60_000, false, 300),
        (300, 60_000, true, 200),
        (50, 1000, false, 4),
        (2000, 120_000, true, 300),
    ] {
        let mut bench = Bench::new(Role::Source);
        bench.rule(limit, per_ms);
        let strict = Strict {
            limit: limit as usize,
            per_ms: per_ms as i64,
            sliding,
            seen: VecDeque::new(),
        };
        let strict = Arc::new(Mutex::new((strict, 0u64, 0u64)));
        let (clock, server) = (bench.clock.clone(), strict.clone());
        let gateway = bench.open(FnTransport::new(move |_| {
            let (clock, server) = (clock.clone(), server.clone());
            async move {
                // Half of the way there, half of it back; never the same twice.
                let way = Duration::from_millis(rand::random_range(1..=jitter));
                clock.sleep(way).await;
                let now = clock.now();
                let admitted = {
                    let mut server = server.lock().unwrap();
                    let admitted = server.0.admit(now);
                    if admitted {
                        server.1 += 1
                    } else {
                        server.2 += 1
                    }
                    admitted
                };
                clock.sleep(way).await;
                if admitted { ok("{}") } else { status(429) }
            }
        }));
        let (start, windows) = (bench.clock.now(), 4);
        let end = start + windows * per_ms as i64;
        let workers = (0..40).map(|_| {
            let (gateway, clock) = (gateway.clone(), bench.clock.clone());
            async move {
                while clock.now() < end {
                    gateway.exchange(&get("/x"), None).await.unwrap();
                }
            }
        });
        futures::future::join_all(workers).await;
        let server = strict.lock().unwrap();
        let (used, refused) = (server.1 as f64, server.2);
        let took = (bench.clock.now() - start) as f64 / per_ms as f64;
        let share = used / (took * f64::from(limit));
        assert_eq!(refused, 0, "{limit} per {per_ms}, sliding {sliding}");
        let least = if per_ms <= 60_000 { 0.985 } else { 0.97 };
        assert!(
            share >= least,
            "{share} of {limit} per {per_ms}, sliding {sliding}"
        );
    }
}

#[tokio::test]
async fn a_short_window_never_overflows_however_long_requests_are_on_their_way() {
    for limit in [1, 3] {
        let mut bench = Bench::new(Role::Source);
        bench.rule(limit, 1_000);
        let strict = Strict {
            limit: limit as usize,
            per_ms: 1_000,
            sliding: true,
            seen: VecDeque::new(),
        };
        let strict = Arc::new(Mutex::new((strict, 0u64, 0u64)));
        let (clock, server) = (bench.clock.clone(), strict.clone());
        let gateway = bench.open(FnTransport::new(move |_| {
            let (clock, server) = (clock.clone(), server.clone());
            async move {
                let way = Duration::from_millis(rand::random_range(1..=300));
                clock.sleep(way).await;
                let admitted = {
                    let mut server = server.lock().unwrap();
                    let admitted = server.0.admit(clock.now());
                    server.1 += u64::from(admitted);
                    server.2 += u64::from(!admitted);
                    admitted
                };
                if admitted { ok("{}") } else { status(429) }
            }
        }));
        let end = bench.clock.now() + 120_000;
        let workers = (0..8).map(|_| async {
            while bench.clock.now() < end {
                gateway.exchange(&get("/x"), None).await.unwrap();
            }
        });
        futures::future::join_all(workers).await;
        let server = strict.lock().unwrap();
        assert_eq!(server.2, 0, "refused, of {limit} a second");
        // A window and the mean of the ways, for each window's worth.
        let least = u64::from(limit) * 95;
        assert!(
            server.1 >= least,
            "{} in two minutes, of {limit} a second",
            server.1
        );
    }
}

#[tokio::test]
async fn a_request_that_takes_minutes_holds_the_others_up_for_seconds() {
    let mut bench = Bench::new(Role::Source);
    bench.rule(2, 1_000);
    let clock = bench.clock.clone();
    let gateway = bench.open(FnTransport::new(move |request| {
        let clock = clock.clone();
        async move {
            if request.url.path().ends_with("/slow") {
                clock.sleep(Duration::from_secs(300)).await;
            }
            ok("{}")
        }
    }));
    let start = bench.clock.now();
    let (slow, quick) = (get("/slow"), get("/quick"));
    let others = async {
        for _ in 0..4 {
            gateway.exchange(&quick, None).await.unwrap();
        }
        bench.clock.now() - start
    };
    let (_, took) = tokio::join!(gateway.exchange(&slow, None), others);
    assert!((5_000..10_000).contains(&took), "{took}");
}

#[tokio::test]
async fn of_a_shared_limit_only_our_share_is_used_and_the_share_can_change_at_once() {
    let mut bench = Bench::new(Role::Source);
    bench.rule(600, 60_000);
    bench.spec.description.rate_rules[0].shared = true;
    bench.spec.budget_share = 0.5;
    let gateway = bench.open(FnTransport::new(|_| async { ok("{}") }));
    let start = bench.clock.now();
    for _ in 0..100 {
        gateway.exchange(&get("/x"), None).await.unwrap();
    }
    let slow = bench.clock.now() - start;
    assert!((19_500..21_000).contains(&slow), "{slow}");
    gateway.set_budget_share(1.0);
    for _ in 0..100 {
        gateway.exchange(&get("/x"), None).await.unwrap();
    }
    let fast = bench.clock.now() - start - slow;
    assert!((9_500..10_800).contains(&fast), "{fast}");
}

#[tokio::test]
async fn a_used_up_daily_quota_pauses_visibly_until_it_refills() {
    let mut bench = Bench::new(Role::Source);
    bench.rule(10, 86_400_000);
    let (transport, calls) = script(vec![|| ok("{}")]);
    let gateway = bench.open(transport);
    for _ in 0..10 {
        gateway.exchange(&get("/x"), None).await.unwrap();
    }
    let start = bench.clock.now();
    let mut pauses = gateway.pauses();
    let waiting = {
        let g = gateway.clone();
        tokio::spawn(async move { g.exchange(&get("/x"), None).await })
    };
    bench.soon(pauses.changed()).await.unwrap();
    let pause = pauses.borrow_and_update().clone().unwrap();
    assert_eq!(pause.reason, PauseReason::Quota("all".into()));
    assert!(pause.until.unwrap() > start);
    assert_eq!(short(&waiting.await.unwrap().unwrap()), "answered 200");
    assert!(bench.clock.now() - start > 80_000_000);
    assert_eq!(gateway.state().paused, None);
    assert_eq!(*calls.lock().unwrap(), 11);
}

#[tokio::test]
async fn what_the_platform_says_is_left_is_obeyed() {
    let mut bench = Bench::new(Role::Source);
    bench.rule(600, 60_000);
    let meaning = |name: &str, meaning| LimitHeader {
        name: name.into(),
        key: None,
        numbers: vec![meaning],
    };
    bench.spec.description.rate_rules[0].headers = vec![
        meaning("x-remaining", LimitMeaning::Remaining),
        meaning("x-reset", LimitMeaning::ResetSeconds),
    ];
    let (transport, _) = script(vec![
        || {
            Ok(InResponse::whole(
                200,
                &[("x-remaining", "0"), ("x-reset", "40")],
                "",
            ))
        },
        || ok("{}"),
    ]);
    let gateway = bench.open(transport);
    let start = bench.clock.now();
    gateway.exchange(&get("/x"), None).await.unwrap();
    gateway.exchange(&get("/x"), None).await.unwrap();
    assert!(bench.clock.now() - start >= 40_000);
}

/// A quota of 5,000 a day, of which the platform says after each answer how much is used: by others, and by us.
fn shared_quota(bench: &mut Bench, others: &'static AtomicU64) -> FnTransport {
    bench.rule(1_000_000, 86_400_000);
    let rule = &mut bench.spec.description.rate_rules[0];
    rule.shared = true;
    rule.headers = vec![LimitHeader {
        name: "x-limit-info".into(),
        key: Some("api-usage".into()),
        numbers: vec![LimitMeaning::Used, LimitMeaning::Limit],
    }];
    let ours = Arc::new(AtomicU64::new(0));
    FnTransport::new(move |_| {
        let used = ours.fetch_add(1, Relaxed) + 1 + others.load(Relaxed);
        async move {
            let info = format!("api-usage={used}/5000");
            Ok(InResponse::whole(200, &[("x-limit-info", &info)], "{}"))
        }
    })
}

#[tokio::test]
async fn used_and_limit_in_one_header_give_our_share_of_what_others_leave() {
    static OTHERS: AtomicU64 = AtomicU64::new(4_000);
    let mut bench = Bench::new(Role::Source);
    let transport = shared_quota(&mut bench, &OTHERS);
    let gateway = bench.open(transport);
    gateway.set_budget_share(0.5);
    let start = bench.clock.now();
    for _ in 0..500 {
        gateway.exchange(&get("/x"), None).await.unwrap();
    }
    let state = gateway.state();
    assert_eq!(
        bench.clock.now(),
        start,
        "500 of the 1,000 that are free are ours"
    );
    assert_eq!(
        (state.utilisation[0].used, state.utilisation[0].allowed),
        (500, 500.0)
    );
    // The rest is left to the others: we look a quarter of an hour later, once, and then again.
    let mut pauses = gateway.pauses();
    let (first, second) = tokio::join!(
        async {
            gateway.exchange(&get("/x"), None).await.unwrap();
            bench.clock.now() - start
        },
        async {
            bench.soon(pauses.changed()).await.unwrap();
            let pause = pauses.borrow_and_update().clone().unwrap();
            assert_eq!(pause.reason, PauseReason::Quota("all".into()));
            gateway.exchange(&get("/x"), None).await.unwrap();
            bench.clock.now() - start
        }
    );
    assert_eq!((first, second), (900_000, 1_800_000));
    // What others used has left the window: there is more for us as well.
    OTHERS.store(0, Relaxed);
    gateway.exchange(&get("/x"), None).await.unwrap();
    let again = bench.clock.now();
    assert_eq!(again - start, 2_700_000);
    for _ in 0..1_000 {
        gateway.exchange(&get("/x"), None).await.unwrap();
    }
    assert_eq!(bench.clock.now(), again);
    assert_eq!(gateway.state().utilisation[0].allowed, 2_500.0);
}

fn cost(method: &str, path: &str, cost: u32) -> RequestCost {
    RequestCost {
        method: method.into(),
        path: path.into(),
        cost,
    }
}

#[tokio::test]
async fn a_request_counts_as_what_it_costs_by_the_first_pattern_that_fits() {
    let mut bench = Bench::new(Role::Source);
    bench.rule(20, 86_400_000);
    bench.spec.description.rate_rules[0].costs = vec![
        cost("GET", "/free/**", 0),
        cost("GET", "/list/*", 6),
        cost("*", "/list/**", 3),
    ];
    let gateway = bench.open(FnTransport::new(|_| async { ok("{}") }));
    let start = bench.clock.now();
    let used = || gateway.state().utilisation[0].used;
    for (path, sum) in [
        ("/one", 1),
        ("/list/a", 7),
        ("/list/a/b", 10),
        ("/free/x", 10),
    ] {
        gateway.exchange(&get(path), None).await.unwrap();
        assert_eq!(used(), sum, "{path}");
    }
    gateway.exchange(&get("/list/b"), None).await.unwrap();
    assert_eq!((used(), bench.clock.now()), (16, start));
    // Six do not fit any more; what is free and what costs less still does.
    let mut pauses = gateway.pauses();
    let waiting = {
        let g = gateway.clone();
        tokio::spawn(async move { g.exchange(&get("/list/c"), None).await })
    };
    bench.soon(pauses.changed()).await.unwrap();
    assert!(pauses.borrow_and_update().is_some());
    assert_eq!(used(), 16);
    assert_eq!(short(&waiting.await.unwrap().unwrap()), "answered 200");
    assert!(bench.clock.now() - start > 80_000_000);
}

#[tokio::test]
async fn what_costs_more_takes_more_of_a_paced_and_of_an_exact_window() {
    for (limit, per_ms, cost_of_one, windows) in [(100, 60_000, 10, 4), (10, 1_000, 5, 4)] {
        let mut bench = Bench::new(Role::Source);
        bench.rule(limit, per_ms);
        bench.spec.description.rate_rules[0].costs = vec![cost("*", "/**", cost_of_one)];
        let gateway = bench.open(FnTransport::new(|_| async { ok("{}") }));
        let start = bench.clock.now();
        for _ in 0..=limit * windows / cost_of_one {
            gateway.exchange(&get("/x"), None).await.unwrap();
        }
        let took = bench.clock.now() - start;
        let whole = i64::from(windows) * per_ms as i64;
        assert!((whole..whole * 11 / 10).contains(&took), "{limit}: {took}");
    }
}

#[tokio::test]
async fn a_weight_that_an_answer_states_corrects_what_was_counted() {
    let mut bench = Bench::new(Role::Source);
    bench.rule(100, 86_400_000);
    let rule = &mut bench.spec.description.rate_rules[0];
    rule.costs = vec![cost("GET", "/list", 3)];
    rule.headers = vec![LimitHeader {
        name: "x-weight".into(),
        key: None,
        numbers: vec![LimitMeaning::Cost],
    }];
    let (transport, _) = script(vec![
        || Ok(InResponse::whole(200, &[("x-weight", "50")], "{}")),
        || Ok(InResponse::whole(200, &[("x-weight", "1")], "{}")),
        || Ok(InResponse::whole(200, &[("x-weight", "3")], "{}")),
        || ok("{}"),
    ]);
    let gateway = bench.open(transport);
    for sum in [50, 51, 54, 57] {
        gateway.exchange(&get("/list"), None).await.unwrap();
        assert_eq!(gateway.state().utilisation[0].used, sum);
    }
}

#[tokio::test]
async fn a_rule_of_ten_seconds_and_one_of_a_day_hold_together() {
    let mut bench = Bench::new(Role::Source);
    bench.rule(100, 10_000);
    bench.rule(250, 86_400_000);
    for (rule, name, header) in [
        (0, "burst", "x-remaining"),
        (1, "daily", "x-daily-remaining"),
    ] {
        let rule = &mut bench.spec.description.rate_rules[rule];
        rule.name = name.into();
        rule.headers = vec![LimitHeader {
            name: header.into(),
            key: None,
            numbers: vec![LimitMeaning::Remaining],
        }];
    }
    let sent = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&sent);
    let gateway = bench.open(FnTransport::new(move |_| {
        let sent = count.fetch_add(1, Relaxed) + 1;
        async move {
            let daily = 250_u64.saturating_sub(sent).to_string();
            let headers = [("x-remaining", "50"), ("x-daily-remaining", &daily)];
            Ok(InResponse::whole(200, &headers, "{}"))
        }
    }));
    let start = bench.clock.now();
    for _ in 0..250 {
        gateway.exchange(&get("/x"), None).await.unwrap();
    }
    let paced = bench.clock.now() - start;
    assert!((24_000..26_500).contains(&paced), "{paced}");
    let mut pauses = gateway.pauses();
    let waiting = {
        let g = gateway.clone();
        tokio::spawn(async move { g.exchange(&get("/x"), None).await })
    };
    bench.soon(pauses.changed()).await.unwrap();
    let pause = pauses.borrow_and_update().clone().unwrap();
    assert_eq!(pause.reason, PauseReason::Quota("daily".into()));
    waiting.await.unwrap().unwrap();
    assert_eq!(sent.load(Relaxed), 251);
}

#[tokio::test]
async fn a_storm_of_429_is_sat_out_with_less_at_once_and_rejects_nothing() {
    let mut bench = Bench::new(Role::Destination);
    bench.spec.limits.concurrency = 16;
    let (clock, over) = (bench.clock.clone(), bench.clock.now() + 300_000);
    let gateway = bench.open(FnTransport::new(move |_| {
        let clock = clock.clone();
        async move {
            clock.sleep(Duration::from_millis(50)).await;
            if clock.now() < over {
                Ok(InResponse::whole(429, &[("retry-after", "7")], ""))
            } else {
                ok("{}")
            }
        }
    }));
    let all = (0..40).map(|_| async {
        short(
            &gateway
                .exchange(&post(Replay::Once), Some(&Log::default()))
                .await
                .unwrap(),
        )
    });
    let narrow = async {
        bench.clock.sleep(Duration::from_secs(200)).await;
        gateway.state().concurrency
    };
    let (fates, narrow) = tokio::join!(futures::future::join_all(all), narrow);
    assert!(fates.iter().all(|f| f == "answered 200"), "{fates:?}");
    assert_eq!(narrow, 1);
    assert!(gateway.state().concurrency > 1, "climbs back");
    assert!(gateway.state().requests[0].throttled > 0);
}

#[tokio::test]
async fn a_stop_ends_every_wait() {
    let mut bench = Bench::new(Role::Source);
    bench.rule(1, 86_400_000);
    let gateway = bench.open(FnTransport::new(|_| async { ok("{}") }));
    gateway.exchange(&get("/x"), None).await.unwrap();
    bench.stop.cancel();
    assert_eq!(
        short(&gateway.exchange(&get("/x"), None).await.unwrap()),
        "cancelled"
    );
}
