//! How fast: token windows per rule, corrected by the platform's own headers, and concurrency that falls and climbs.
//!
//! A rule of less than an hour is *paced*: requests leave evenly, never in a burst after idleness. One of up to a minute is
//! *exact*: with n requests a window, one leaves no earlier than a window after the n-th before it was answered, and so
//! arrives a whole window after it: neither a fixed nor a sliding window of the platform ever overflows, and what is lost of
//! our share is a way there and back a window. A longer one is paced at [`PACE`] of our share instead, which costs no
//! memory of each request. A rule of an hour or more is a *quota*:
//! counted, not paced; when it is used up, callers wait until it refills, which the gateway shows as a pause. Our share of it is
//! one of what others leave: where the platform says how much is used, what is beyond our own count is theirs (rule M-11).
//!
//! Order is first come, first served among requests under the same rules. The count starts anew with the process; what an
//! earlier process used is learned from the platform's headers or its refusal, as if others had used it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::grants::{method_matches, path_matches};
use crate::clock::SharedClock;
use crate::contract::description::{LimitMeaning, RateRule};
use crate::contract::http::Header;

/// Part of the share of a long window that is used: the rest absorbs the jitter of the network, up to 1.5 % of it.
const PACE: f64 = 0.985;
/// Up to here a window is exact, ms, and if it holds no more than so many: each is remembered.
const EXACT_MS: u64 = 60_000;
const EXACT_LIMIT: f64 = 50_000.0;
/// A request that has not come to its end has arrived by then, ms: a long upload or a lost attempt holds nobody up for longer.
const ARRIVED_MS: i64 = 5_000;
/// From here on a window is a quota: too long to sit out unseen (contract, `rate-rule.per-ms`).
const QUOTA_MS: u64 = 3_600_000;
/// A quota that others have used up is asked for anew this often: no answer tells that it has refilled while nothing is sent.
const PROBE_MS: i64 = 900_000;
/// A window's use is counted in so many slices.
const SLICES: i64 = 100;

/// What a caller has to wait for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wait {
    /// Nothing.
    Go,
    /// A moment of the clock, ms.
    Until(i64),
    /// A quota to refill, at that time.
    Quota(String, i64),
}

/// How much of a rule is used.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleUse {
    /// The rule's name.
    pub rule: String,
    /// Requests in the last window, or what they cost.
    pub used: u64,
    /// What may be used of it: the limit as the platform last stated it, of a quota less what others have used, times our share.
    pub allowed: f64,
}

/// A rule that a request falls under, and what it costs there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    rule: usize,
    cost: u32,
}

/// What a request has taken of the rules that it falls under, and what each had given in all by then.
#[derive(Debug, Clone, Default)]
pub(super) struct Taken {
    rules: Vec<(Due, u64)>,
}

struct Rule {
    spec: RateRule,
    /// The platform's limit: declared, then as its headers say.
    limit: f64,
    /// When the next request is due, ms with fractions.
    next: f64,
    /// Slower than usual, requests a ms, until then.
    slow: Option<(f64, i64)>,
    /// What the platform said is left, until then.
    left: Option<(f64, i64)>,
    /// Of a quota: what is used by the platform's count and not by ours, and when it said so.
    others: Option<(f64, i64)>,
    hold_until: i64,
    /// What all requests so far have taken.
    sent: u64,
    slices: VecDeque<(i64, u64)>,
    /// Of the last requests of an exact rule, as many as a window holds (one that costs more is there more often): when each was
    /// answered, or must have been.
    answered: VecDeque<i64>,
}

impl Rule {
    fn is_quota(&self) -> bool {
        self.spec.per_ms >= QUOTA_MS
    }

    fn is_exact(&self) -> bool {
        self.spec.per_ms <= EXACT_MS && self.limit <= EXACT_LIMIT
    }

    /// How many requests the platform may have to count at once, where that is looked at.
    fn exact(&self, share: f64) -> Option<usize> {
        self.is_exact()
            .then(|| ((self.limit * self.share(share)) as usize).max(1))
    }

    fn window(&self) -> f64 {
        self.spec.per_ms.max(1) as f64
    }

    fn window_ms(&self) -> i64 {
        i64::try_from(self.spec.per_ms.max(1)).unwrap_or(i64::MAX / 4)
    }

    fn share(&self, share: f64) -> f64 {
        if self.spec.shared { share } else { 1.0 }
    }

    /// How late a request may be without losing its place: what timers and a ms clock are off by.
    fn slack(&self) -> f64 {
        (self.window() * 0.005).clamp(1.0, 5.0)
    }

    /// Requests a ms.
    fn usual(&self, share: f64) -> f64 {
        let pace = if self.is_exact() { 1.0 } else { PACE };
        self.limit * self.share(share) * pace / self.window()
    }

    fn interval(&self, share: f64, now: i64) -> f64 {
        let usual = 1.0 / self.usual(share).max(1e-9);
        match self.slow {
            Some((rate, until)) if now < until => usual.max(1.0 / rate.max(1e-9)),
            _ => usual,
        }
    }

    fn forget(&mut self, now: i64) {
        let oldest = now.saturating_sub(self.window_ms());
        while self
            .slices
            .front()
            .is_some_and(|(start, _)| *start <= oldest)
        {
            self.slices.pop_front();
        }
        if self.left.is_some_and(|(_, until)| until <= now) {
            self.left = None;
        }
    }

    fn used(&self) -> u64 {
        self.slices.iter().map(|(_, n)| n).sum()
    }

    fn wait(&mut self, cost: u32, share: f64, now: i64) -> Wait {
        self.forget(now);
        let due = if cost == 0 {
            now
        } else if self.is_quota() {
            self.quota_due(cost, share, now)
        } else {
            let paced = (self.next - self.slack()).ceil() as i64;
            // What must have left the window when this is added to it.
            let before = self.exact(share).and_then(|n| {
                self.answered
                    .iter()
                    .rev()
                    .nth(n.saturating_sub(cost as usize))
            });
            before.map_or(paced, |at| paced.max(at.saturating_add(self.window_ms())))
        };
        let left = match self.left {
            Some((left, until)) if left < 1.0_f64.min(cost.into()) => until,
            _ => now,
        };
        let until = due.max(left).max(self.hold_until);
        if until <= now {
            Wait::Go
        } else if self.is_quota() {
            Wait::Quota(self.spec.name.clone(), until)
        } else {
            Wait::Until(until)
        }
    }

    /// What we may use in a window.
    fn allowed(&self, share: f64) -> f64 {
        let others = self.others.map_or(0.0, |(others, _)| others);
        (self.limit - others).max(0.0) * self.share(share)
    }

    /// When a quota has room for so much more.
    fn quota_due(&self, cost: u32, share: f64, now: i64) -> i64 {
        let ours = self.used() as f64 + f64::from(cost);
        // What costs more than our share goes when nothing else does.
        if ours > (self.limit * self.share(share)).max(cost.into()) {
            let first = self.slices.front().map_or(now, |(start, _)| *start);
            return first.saturating_add(self.window_ms());
        }
        match self.others {
            Some((_, told)) if ours > self.allowed(share) => told.saturating_add(PROBE_MS),
            _ => now,
        }
    }

    fn take(&mut self, cost: u32, share: f64, now: i64) -> u64 {
        // One asks how things stand; the next waits for its answer, or for its own time.
        let over = self.used() as f64 + f64::from(cost) > self.allowed(share);
        if let Some((_, told)) = self.others.as_mut().filter(|_| over) {
            *told = now;
        }
        if cost > 0 {
            self.count(cost.into(), share, now);
        }
        self.sent += u64::from(cost);
        if let Some(n) = self.exact(share) {
            let lost = now.saturating_add(ARRIVED_MS);
            self.answered.extend((0..cost).map(|_| lost));
            while self.answered.len() > n {
                self.answered.pop_front();
            }
        }
        self.sent
    }

    fn count(&mut self, cost: u64, share: f64, now: i64) {
        self.next = self.next.max(now as f64) + self.interval(share, now) * cost as f64;
        if let Some((left, _)) = &mut self.left {
            *left -= cost as f64;
        }
        let width = (self.window_ms() / SLICES).max(1);
        let slice = now - now.rem_euclid(width);
        match self.slices.back_mut() {
            Some((start, n)) if *start == slice => *n += cost,
            _ => self.slices.push_back((slice, cost)),
        }
    }

    /// A request cost less than was thought.
    fn give_back(&mut self, mut cost: u64, share: f64, now: i64) {
        self.next -= self.interval(share, now) * cost as f64;
        for (_, n) in self.slices.iter_mut().rev() {
            let of_this = cost.min(*n);
            *n -= of_this;
            cost -= of_this;
        }
    }

    /// A request has come to its end, whatever that was: it has arrived by now, or never will.
    fn ended(&mut self, cost: u32, number: u64, now: i64) {
        let after = usize::try_from(self.sent.saturating_sub(number)).unwrap_or(usize::MAX);
        let own = self.answered.iter_mut().rev().skip(after);
        own.take(cost as usize).for_each(|at| *at = now);
    }

    /// Takes the platform's word for what the request cost and what is left.
    fn learn(&mut self, cost: u32, number: u64, headers: &[Header], share: f64, now: i64) {
        let seen = Seen::read(&self.spec, headers, now);
        if let Some(truly) = seen.cost {
            let (truly, thought) = (truly.ceil() as u64, u64::from(cost));
            if truly > thought {
                self.count(truly - thought, share, now);
            } else {
                self.give_back(thought - truly, share, now);
            }
        }
        if let Some(limit) = seen.limit.filter(|l| *l >= 1.0) {
            self.limit = limit;
        }
        let Some(remaining) = seen.left_of(self.limit) else {
            return;
        };
        // Requests that left after this one may not be in the platform's count yet.
        let after = self.sent.saturating_sub(number) as f64;
        if self.is_quota() {
            self.forget(now);
            let ours = (self.used() as f64 - after).max(0.0);
            self.others = Some(((self.limit - remaining - ours).max(0.0), now));
        }
        let left = (remaining * self.share(share) - after).max(0.0);
        let window = self.window_ms();
        let reset = seen
            .reset
            .filter(|(at, _)| *at > now && *at <= now.saturating_add(window * 2));
        match reset {
            Some((at, coarse)) => {
                // Whole seconds are rounded up; for pacing the true end is taken, for a long window the safe one.
                let soon = if coarse { (at - 999).max(now + 1) } else { at };
                let until = if window < 10_000 { soon } else { at };
                self.left = Some((left, until));
                if let Some((_, told)) = &mut self.others {
                    *told = (*told).min(at - PROBE_MS);
                }
                let rate = left.max(0.001) / (soon - now) as f64;
                let scarce = !self.is_quota() && rate < self.usual(share) * 0.9;
                self.slow = scarce.then_some((rate, soon));
            }
            None if remaining < 1.0 => {
                let probe = if self.is_quota() {
                    PROBE_MS
                } else {
                    (window / 20).clamp(50, 10_000)
                };
                self.hold_until = self.hold_until.max(now + probe);
            }
            None => {}
        }
    }
}

/// Numbers in an answer's headers.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    limit: Option<f64>,
    remaining: Option<f64>,
    used: Option<f64>,
    cost: Option<f64>,
    /// When the window ends, and whether that is in whole seconds.
    reset: Option<(i64, bool)>,
    retry_at: Option<i64>,
}

impl Seen {
    fn read(rule: &RateRule, headers: &[Header], now: i64) -> Self {
        let mut seen = Self::default();
        for wanted in &rule.headers {
            let named = headers
                .iter()
                .filter(|h| h.name.eq_ignore_ascii_case(&wanted.name));
            let found = named
                .filter_map(|h| numbers(&h.value, wanted.key.as_deref()))
                .find(|found| found.len() >= wanted.numbers.len());
            for (meaning, n) in wanted.numbers.iter().zip(found.into_iter().flatten()) {
                seen.take(*meaning, n, now);
            }
        }
        seen
    }

    fn take(&mut self, meaning: LimitMeaning, n: f64, now: i64) {
        let (seconds, now) = (n * 1000.0, now as f64);
        match meaning {
            LimitMeaning::Limit => self.limit = Some(n),
            LimitMeaning::Remaining => self.remaining = Some(n),
            LimitMeaning::Used => self.used = Some(n),
            LimitMeaning::Cost => self.cost = Some(n),
            LimitMeaning::ResetEpochS => self.reset = Some((seconds as i64, true)),
            LimitMeaning::ResetEpochMs => self.reset = Some((n as i64, false)),
            LimitMeaning::ResetSeconds => self.reset = Some(((now + seconds) as i64, true)),
            LimitMeaning::RetryAfter => self.retry_at = Some((now + seconds) as i64),
        }
    }

    /// What is left of a limit, unless the headers state another one.
    fn left_of(&self, limit: f64) -> Option<f64> {
        self.remaining
            .or_else(|| Some(self.limit.unwrap_or(limit) - self.used?))
    }
}

/// The numbers in a header's value, divided by `/`: in all of it, or after `<key>=` in a list of pairs. None if one is no number.
fn numbers(value: &str, key: Option<&str>) -> Option<Vec<f64>> {
    let text = match key {
        None => value.trim(),
        Some(key) => value.split([',', ';', ' ']).find_map(|pair| {
            let (name, numbers) = pair.trim().split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case(key)
                .then_some(numbers.trim())
        })?,
    };
    text.split('/').map(number).collect()
}

/// The number that a text begins with.
fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    text.get(..end)?
        .parse::<f64>()
        .ok()
        .filter(|n| n.is_finite())
}

/// When to come again, by `Retry-After` (seconds or a date) or by what the rules call so.
pub(super) fn retry_at(headers: &[Header], now: i64) -> Option<i64> {
    let value = headers
        .iter()
        .find(|h| h.name.eq_ignore_ascii_case("retry-after"))?
        .value
        .trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return (seconds.is_finite() && seconds >= 0.0)
            .then(|| now.saturating_add((seconds * 1000.0).ceil() as i64));
    }
    let date = chrono::DateTime::parse_from_rfc2822(value).ok()?;
    Some(date.timestamp_millis())
}

struct State {
    rules: Vec<Rule>,
    share: f64,
    /// Holds everything, whatever rules it falls under.
    hold_until: i64,
}

/// One connection's budget.
pub(super) struct Budget {
    clock: SharedClock,
    state: Mutex<State>,
    lanes: Mutex<HashMap<Vec<usize>, Arc<tokio::sync::Mutex<()>>>>,
    changed: Notify,
    /// What the requests of a dry run cost of each rule, in their order.
    noted: Mutex<Vec<u64>>,
    pub concurrency: Concurrency,
}

/// A request's turn: rules that it counted against, and its place among those under way.
pub(super) struct Turn {
    pub taken: Taken,
    pub place: Place,
}

impl Budget {
    pub fn new(rules: Vec<RateRule>, share: f64, most: u32, clock: SharedClock) -> Self {
        let rules = rules
            .into_iter()
            .map(|spec| Rule {
                limit: f64::from(spec.limit),
                spec,
                next: 0.0,
                slow: None,
                left: None,
                others: None,
                hold_until: 0,
                sent: 0,
                slices: VecDeque::new(),
                answered: VecDeque::new(),
            })
            .collect();
        Self {
            concurrency: Concurrency::new(most, clock.clone()),
            clock,
            state: Mutex::new(State {
                rules,
                share,
                hold_until: 0,
            }),
            lanes: Mutex::default(),
            changed: Notify::new(),
            noted: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which rules a request falls under, and what it costs there.
    pub fn matching(&self, method: &str, path: &str) -> Vec<Due> {
        let state = self.state();
        let fits =
            |of: &str, pattern: &str| method_matches(of, method) && path_matches(pattern, path);
        let cost = |rule: &RateRule| {
            let mut costs = rule.costs.iter();
            costs
                .find(|one| fits(&one.method, &one.path))
                .map_or(1, |one| one.cost)
        };
        state
            .rules
            .iter()
            .enumerate()
            .filter(|(_, r)| fits(&r.spec.method, &r.spec.path))
            .map(|(rule, r)| Due {
                rule,
                cost: cost(&r.spec),
            })
            .collect()
    }

    /// Remembers what a request of a dry run costs, sent or not.
    pub fn note(&self, rules: &[Due]) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        for due in rules {
            if noted.len() <= due.rule {
                noted.resize(due.rule + 1, 0);
            }
            if let Some(cost) = noted.get_mut(due.rule) {
                *cost += u64::from(due.cost);
            }
        }
    }

    /// How long what was noted takes at our share of the limits, ms: by the tightest.
    pub fn needed_ms(&self) -> u64 {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.state();
        let share = state.share;
        let needed = state.rules.iter().zip(noted.iter()).map(|(rule, cost)| {
            let share = if rule.spec.shared { share } else { 1.0 };
            let limit = f64::from(rule.spec.limit.max(1)) * share;
            #[allow(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a forecast in ms of counts far below 2^52"
            )]
            let ms = (*cost as f64 * rule.spec.per_ms as f64 / limit) as u64;
            ms
        });
        needed.max().unwrap_or(0)
    }

    /// Waits for a turn. `waiting` is told what for, each time it changes.
    ///
    /// # Cancel safety
    /// Dropping the future gives the place in the queue up and takes nothing.
    pub async fn turn(&self, rules: &[Due], mut waiting: impl FnMut(&Wait)) -> Turn {
        let lane = {
            let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
            let lane = rules.iter().map(|due| due.rule).collect();
            lanes.entry(lane).or_default().clone()
        };
        let _first_in_line = lane.lock().await;
        loop {
            let changed = self.changed.notified();
            let wait = self.wait(rules);
            waiting(&wait);
            match wait {
                Wait::Go => {
                    let place = self.concurrency.enter().await;
                    if let Some(taken) = self.take(rules) {
                        return Turn { taken, place };
                    }
                }
                Wait::Until(at) | Wait::Quota(_, at) => {
                    let ms = u64::try_from(at - self.clock.now()).unwrap_or(0);
                    tokio::select! {
                        () = self.clock.sleep(Duration::from_millis(ms)) => {}
                        () = changed => {}
                    }
                }
            }
        }
    }

    fn wait(&self, rules: &[Due]) -> Wait {
        let now = self.clock.now();
        self.state().wait(rules, now)
    }

    fn take(&self, rules: &[Due]) -> Option<Taken> {
        let now = self.clock.now();
        let mut state = self.state();
        if state.wait(rules, now) != Wait::Go {
            return None;
        }
        let share = state.share;
        let mut taken = Taken::default();
        for due in rules {
            if let Some(rule) = state.rules.get_mut(due.rule) {
                taken.rules.push((*due, rule.take(due.cost, share, now)));
            }
        }
        Some(taken)
    }

    /// An attempt has ended: answered, or given up.
    pub fn ended(&self, taken: &Taken) {
        let now = self.clock.now();
        let mut state = self.state();
        let mut exact = false;
        for (due, number) in &taken.rules {
            if let Some(rule) = state.rules.get_mut(due.rule) {
                rule.ended(due.cost, *number, now);
                exact |= rule.is_exact();
            }
        }
        drop(state);
        if exact {
            self.changed.notify_waiters();
        }
    }

    /// Corrects the rules by an answer's headers.
    pub fn learn(&self, taken: &Taken, headers: &[Header]) {
        if taken.rules.is_empty() {
            return;
        }
        let now = self.clock.now();
        let mut state = self.state();
        let share = state.share;
        let meant: Vec<bool> = taken
            .rules
            .iter()
            .map(|(due, _)| state.is_meant(due.rule, taken, headers, now))
            .collect();
        for ((due, number), is_meant) in taken.rules.iter().zip(meant) {
            if let (true, Some(rule)) = (is_meant, state.rules.get_mut(due.rule)) {
                rule.learn(due.cost, *number, headers, share, now);
            }
        }
    }

    /// The platform said "too fast": the rules that the request fell under hold until then, or everything where none is known.
    /// `fallback` is for an answer that does not say when. Returns when that is.
    pub fn hold(&self, taken: &Taken, headers: &[Header], quota: bool, fallback: Duration) -> i64 {
        let now = self.clock.now();
        let mut state = self.state();
        let by_rule = taken.rules.iter().filter_map(|(due, _)| {
            let rule = state.rules.get(due.rule)?;
            let seen = Seen::read(&rule.spec, headers, now);
            let spent = seen.left_of(rule.limit).is_some_and(|r| r < 1.0);
            seen.retry_at
                .or_else(|| seen.reset.filter(|_| spent).map(|(at, _)| at))
        });
        let fallback = now.saturating_add(i64::try_from(fallback.as_millis()).unwrap_or(i64::MAX));
        let stated = retry_at(headers, now)
            .or_else(|| by_rule.max())
            .filter(|at| *at > now);
        let until = stated.unwrap_or(fallback);
        let mut held = false;
        for (due, _) in &taken.rules {
            if let Some(rule) = state.rules.get_mut(due.rule)
                && rule.is_quota() == quota
            {
                rule.hold_until = rule.hold_until.max(until);
                held = true;
            }
        }
        if !held {
            state.hold_until = state.hold_until.max(until);
        }
        until
    }

    /// Changes the share of shared limits while running (rule M-11).
    pub fn set_share(&self, share: f64) {
        self.state().share = share.clamp(0.001, 1.0);
        self.changed.notify_waiters();
    }

    /// How much of each rule is used.
    pub fn uses(&self) -> Vec<RuleUse> {
        let now = self.clock.now();
        let mut state = self.state();
        let share = state.share;
        let of = |rule: &mut Rule| {
            rule.forget(now);
            RuleUse {
                rule: rule.spec.name.clone(),
                used: rule.used(),
                allowed: rule.allowed(share),
            }
        };
        state.rules.iter_mut().map(of).collect()
    }
}

impl State {
    /// Whether an answer's headers speak of a rule: of those that its request fell under and that read the same headers, they speak
    /// of the one whose limit they state, else of the first. A platform with a limit of its own for searches may tell of either.
    fn is_meant(&self, index: usize, taken: &Taken, headers: &[Header], now: i64) -> bool {
        let Some(rule) = self.rules.get(index) else {
            return false;
        };
        let Some(stated) = Seen::read(&rule.spec, headers, now).limit else {
            return true;
        };
        let names = |rule: &Rule| -> Vec<String> {
            let all = rule.spec.headers.iter();
            all.map(|h| h.name.to_ascii_lowercase()).collect()
        };
        let own = names(rule);
        taken
            .rules
            .iter()
            .filter_map(|(due, _)| Some((due.rule, self.rules.get(due.rule)?)))
            .filter(|(_, rule)| names(rule) == own)
            .min_by_key(|(other, rule)| (rule.limit != stated, *other))
            .is_some_and(|(meant, _)| meant == index)
    }

    fn wait(&mut self, rules: &[Due], now: i64) -> Wait {
        let mut longest = if self.hold_until > now {
            Wait::Until(self.hold_until)
        } else {
            Wait::Go
        };
        for due in rules {
            let Some(rule) = self.rules.get_mut(due.rule) else {
                continue;
            };
            let wait = rule.wait(due.cost, self.share, now);
            if end(&wait) > end(&longest) {
                longest = wait;
            }
        }
        longest
    }
}

fn end(wait: &Wait) -> i64 {
    match wait {
        Wait::Go => i64::MIN,
        Wait::Until(at) | Wait::Quota(_, at) => *at,
    }
}

/// Requests under way at once: halved when the platform is overwhelmed, one more after each round of successes.
pub(super) struct Concurrency {
    clock: SharedClock,
    semaphore: Arc<Semaphore>,
    state: Arc<Mutex<Width>>,
    most: f64,
}

struct Width {
    /// What is aimed at.
    limit: f64,
    /// Permits that exist.
    permits: usize,
    /// Not halved again before this: one overload is one signal, however many requests it hit.
    calm_until: i64,
}

/// A place among the requests under way; given back when dropped.
pub(super) struct Place {
    permit: Option<OwnedSemaphorePermit>,
    state: Arc<Mutex<Width>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut width = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if width.permits > width.target()
            && let Some(permit) = self.permit.take()
        {
            width.permits -= 1;
            permit.forget();
        }
    }
}

impl Width {
    fn target(&self) -> usize {
        (self.limit as usize).max(1)
    }
}

impl Concurrency {
    fn new(most: u32, clock: SharedClock) -> Self {
        let permits = most.max(1) as usize;
        let width = Width {
            limit: permits as f64,
            permits,
            calm_until: i64::MIN,
        };
        Self {
            clock,
            semaphore: Arc::new(Semaphore::new(permits)),
            state: Arc::new(Mutex::new(width)),
            most: permits as f64,
        }
    }

    async fn enter(&self) -> Place {
        // The semaphore is never closed; without a permit the place simply counts for nothing.
        let permit = self.semaphore.clone().acquire_owned().await.ok();
        Place {
            permit,
            state: self.state.clone(),
        }
    }

    /// The platform is overwhelmed.
    pub fn fall(&self) {
        let now = self.clock.now();
        let mut width = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= width.calm_until {
            width.limit = (width.limit / 2.0).max(1.0);
            width.calm_until = now + 1000;
        }
    }

    /// A request went well.
    pub fn climb(&self) {
        let mut width = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        width.limit = (width.limit + 1.0 / width.limit).min(self.most);
        let missing = width.target().saturating_sub(width.permits);
        if missing > 0 {
            width.permits += missing;
            self.semaphore.add_permits(missing);
        }
    }

    /// Requests that may be under way at once.
    pub fn limit(&self) -> usize {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .target()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::description::LimitHeader;

    /// What is read from an answer with these headers, by these words on them.
    fn seen(headers: &[(&str, &str)], words: &[(&str, Option<&str>, &[LimitMeaning])]) -> Seen {
        let rule = RateRule {
            name: "all".into(),
            method: "*".into(),
            path: "/**".into(),
            costs: vec![],
            limit: 1,
            per_ms: 1000,
            headers: words
                .iter()
                .map(|(name, key, numbers)| LimitHeader {
                    name: (*name).into(),
                    key: key.map(Into::into),
                    numbers: numbers.to_vec(),
                })
                .collect(),
            shared: false,
        };
        let headers: Vec<Header> = headers
            .iter()
            .map(|(name, value)| Header {
                name: (*name).into(),
                value: (*value).into(),
            })
            .collect();
        Seen::read(&rule, &headers, 1_000_000)
    }

    #[test]
    fn what_platforms_say_of_their_limits_can_be_said_as_data() {
        use LimitMeaning::{Cost, Limit, Remaining, ResetEpochS, ResetSeconds, RetryAfter, Used};
        let of = |limit, remaining, used| Seen {
            limit,
            remaining,
            used,
            ..Seen::default()
        };
        // Two numbers after a key, beside another pair (Salesforce facts, limits).
        let both: &[LimitMeaning] = &[Used, Limit];
        let pairs = "api-usage=18/5000; per-app-api-usage=17/250(appName=x)";
        let header = &[("Sforce-Limit-Info", pairs)];
        let org = seen(header, &[("sforce-limit-info", Some("api-usage"), both)]);
        assert_eq!(org, of(Some(5000.0), None, Some(18.0)));
        let app = Some("per-app-api-usage");
        let app = seen(header, &[("sforce-limit-info", app, both)]);
        assert_eq!(app, of(Some(250.0), None, Some(17.0)));
        // Two numbers and nothing else (Gorgias facts, rate limits).
        let name = "x-account-api-call-limit";
        let bucket = seen(
            &[(name, "10/40"), ("retry-after", "5")],
            &[(name, None, both), ("retry-after", None, &[RetryAfter])],
        );
        assert_eq!(bucket.retry_at, Some(1_005_000));
        assert_eq!((bucket.used, bucket.limit), (Some(10.0), Some(40.0)));
        assert_eq!(bucket.left_of(1.0), Some(30.0));
        // A header for each, with a fraction, and one for the request's own weight (Freshdesk, Zoho Desk facts, rate limits).
        let each = seen(
            &[
                ("x-ratelimit-total", "100.0"),
                ("x-ratelimit-remaining", "93"),
                ("x-ratelimit-used-currentrequest", "7"),
            ],
            &[
                ("x-ratelimit-total", None, &[Limit]),
                ("x-ratelimit-remaining", None, &[Remaining]),
                ("x-ratelimit-used-currentrequest", None, &[Cost]),
            ],
        );
        let cost = Some(7.0);
        assert_eq!(
            each,
            Seen {
                cost,
                ..of(Some(100.0), Some(93.0), None)
            }
        );
        // An end of the window in seconds since 1970 (Intercom facts, rate limits).
        let reset = seen(
            &[("x-ratelimit-reset", "1010")],
            &[("x-ratelimit-reset", None, &[ResetEpochS])],
        );
        assert_eq!(reset.reset, Some((1_010_000, true)));
        // Pairs, a number each (Zendesk facts, rate limits).
        let name = "ratelimit-tickets-index";
        let pairs = seen(
            &[(name, "total=100; remaining=99; resets=41")],
            &[
                (name, Some("total"), &[Limit]),
                (name, Some("remaining"), &[Remaining]),
                (name, Some("resets"), &[ResetSeconds]),
            ],
        );
        assert_eq!(pairs.reset, Some((1_041_000, true)));
        assert_eq!((pairs.limit, pairs.remaining), (Some(100.0), Some(99.0)));
    }

    #[test]
    fn a_header_that_holds_other_than_it_should_says_nothing() {
        let both: &[LimitMeaning] = &[LimitMeaning::Used, LimitMeaning::Limit];
        for value in ["18", "", "/", "x/5000", "18/", "-1/40", "other=1/2"] {
            let key = value.contains('=').then_some("api-usage");
            let found = seen(&[("limits", value)], &[("limits", key, both)]);
            assert_eq!(found, Seen::default(), "{value:?}");
        }
    }
}
