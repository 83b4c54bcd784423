//! Which message at the destination is which of the source: the parts of two threads, paired.
//!
//! A platform gives messages ids of its own and moves their times, so what they say pairs them: the n-th of those that say the same with
//! the n-th there. What is left is paired by its place between its neighbours, as a message whose text was changed stays where it was.
//! What is left then is missing, or extra. The order is judged apart from the pairing: those that would have to be moved to make it the
//! source's are out of place. What is paired by its words costs no more than a look; only the few others look at their neighbours.

use std::collections::{HashMap, HashSet, VecDeque};

/// A message as it is paired.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// The letters of its texts, each form once; none for one that says nothing.
    pub keys: Vec<String>,
    /// What else tells it from another that says the same: names of its files.
    pub beside: String,
    /// Milliseconds, where known.
    pub at: Option<i64>,
}

/// Two threads, paired.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Paired {
    /// Places of what belongs together: the source's, the destination's.
    pub pairs: Vec<(usize, usize)>,
    /// Places of the source's that are not there.
    pub missing: Vec<usize>,
    /// Places of what is there beyond the source's, and the place of the source's message that it repeats.
    pub extra: Vec<(usize, Option<usize>)>,
    /// Pairs that are out of place.
    pub moved: Vec<(usize, usize)>,
}

/// Times of messages that are so near each other that a platform may order them as it likes (rule M-17).
const TIE: i64 = 2_000;

/// Pairs the parts of a thread.
pub fn pair(wanted: &[Said], found: &[Said]) -> Paired {
    let mut of_wanted: Vec<Option<usize>> = vec![None; wanted.len()];
    let mut free: HashSet<usize> = (0..found.len()).collect();
    // With files of the same names first, then by what is said alone.
    for with_beside in [true, false] {
        let key = |said: &Said, text: &str| match with_beside {
            true => format!("{text}\n{}", said.beside),
            false => text.to_owned(),
        };
        let mut there: HashMap<String, VecDeque<usize>> = HashMap::new();
        for (f, said) in found.iter().enumerate().filter(|(f, _)| free.contains(f)) {
            for text in &said.keys {
                there.entry(key(said, text)).or_default().push_back(f);
            }
        }
        for (place, said) in of_wanted.iter_mut().zip(wanted) {
            if place.is_some() {
                continue;
            }
            for text in &said.keys {
                let Some(places) = there.get_mut(&key(said, text)) else {
                    continue;
                };
                while places.front().is_some_and(|f| !free.contains(f)) {
                    places.pop_front();
                }
                if let Some(f) = places.pop_front() {
                    free.remove(&f);
                    *place = Some(f);
                    break;
                }
            }
        }
    }
    let mut free: Vec<usize> = free.into_iter().collect();
    free.sort_unstable();
    by_place(&mut of_wanted, &mut free, found, wanted);
    let pairs: Vec<(usize, usize)> = of_wanted
        .iter()
        .enumerate()
        .filter_map(|(w, f)| Some((w, (*f)?)))
        .collect();
    // It repeats what it says, or what is there of one that says nothing.
    let extra = free.into_iter().map(|f| {
        let there = found.get(f);
        let says =
            |said: &Said| there.is_some_and(|f| f.keys.iter().any(|k| said.keys.contains(k)));
        let same = |(_, other): &&(usize, usize)| {
            let as_it_is = |said: &Said| (said.keys.clone(), said.beside.clone());
            found.get(*other).map(as_it_is) == there.map(as_it_is)
        };
        let repeats = wanted.iter().position(says);
        let repeats = repeats.or_else(|| pairs.iter().find(same).map(|(w, _)| *w));
        (f, repeats)
    });
    let extra = extra.collect();
    Paired {
        missing: (0..wanted.len())
            .filter(|w| of_wanted.get(*w).is_some_and(Option::is_none))
            .collect(),
        extra,
        moved: out_of_place(&pairs, wanted),
        pairs,
    }
}

/// Pairs what is left between two neighbours that are paired: those of one time first, then in their order.
fn by_place(
    of_wanted: &mut [Option<usize>],
    free: &mut Vec<usize>,
    found: &[Said],
    wanted: &[Said],
) {
    let same_time = |w: usize, f: usize| match (wanted.get(w), found.get(f)) {
        (Some(w), Some(f)) => match (w.at, f.at) {
            (Some(w), Some(f)) => (w - f).abs() < 1_000,
            _ => false,
        },
        _ => false,
    };
    for by_time in [true, false] {
        for w in 0..wanted.len() {
            if of_wanted.get(w).is_none_or(Option::is_some) {
                continue;
            }
            let before = of_wanted.iter().take(w).rev().find_map(|f| *f);
            let after = of_wanted.iter().skip(w + 1).find_map(|f| *f);
            let fits = |f: &usize| {
                if by_time {
                    same_time(w, *f)
                } else {
                    before.is_none_or(|before| before < *f) && after.is_none_or(|after| *f < after)
                }
            };
            if let Some(at) = free.iter().position(fits)
                && let Some(place) = of_wanted.get_mut(w)
            {
                *place = Some(free.remove(at));
            }
        }
    }
}

/// The fewest pairs that would have to be moved to bring the destination's order to the source's; of those that are of one time with all
/// that they passed, none.
fn out_of_place(pairs: &[(usize, usize)], wanted: &[Said]) -> Vec<(usize, usize)> {
    let mut by_found: Vec<(usize, usize)> = pairs.to_vec();
    by_found.sort_by_key(|(_, f)| *f);
    let kept = longest_rising(&by_found.iter().map(|(w, _)| *w).collect::<Vec<_>>());
    let at = |w: usize| wanted.get(w).and_then(|said| said.at);
    let is_tie = |a: usize, b: usize| match (at(a), at(b)) {
        (Some(a), Some(b)) => (a - b).abs() < TIE,
        _ => false,
    };
    let crosses = |place: usize, w: usize| {
        by_found.iter().enumerate().any(|(other, (v, _))| {
            let inverted = (other < place && *v > w) || (other > place && *v < w);
            inverted && !is_tie(w, *v)
        })
    };
    let mut moved: Vec<(usize, usize)> = by_found
        .iter()
        .enumerate()
        .filter(|(place, (w, _))| !kept.contains(place) && crosses(*place, *w))
        .map(|(_, pair)| *pair)
        .collect();
    moved.sort_unstable();
    moved
}

/// The places of a longest rising part of a sequence.
fn longest_rising(sequence: &[usize]) -> HashSet<usize> {
    // By length: the place at which the lowest of all rising parts of that length ends.
    let mut ends: Vec<usize> = vec![];
    let mut before: Vec<Option<usize>> = Vec::with_capacity(sequence.len());
    for (place, value) in sequence.iter().enumerate() {
        let length = ends.partition_point(|end| sequence.get(*end) < Some(value));
        before.push(length.checked_sub(1).and_then(|l| ends.get(l)).copied());
        match ends.get_mut(length) {
            Some(end) => *end = place,
            None => ends.push(place),
        }
    }
    let mut kept = HashSet::new();
    let mut at = ends.last().copied();
    while let Some(place) = at {
        kept.insert(place);
        at = before.get(place).copied().flatten();
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(words: &[(&str, i64)]) -> Vec<Said> {
        words
            .iter()
            .map(|(text, seconds)| Said {
                keys: vec![(*text).to_owned()],
                beside: String::new(),
                at: Some(seconds * 1_000),
            })
            .collect()
    }

    const THREAD: [(&str, i64); 5] = [("a", 0), ("b", 60), ("c", 120), ("d", 180), ("e", 240)];

    #[test]
    fn a_thread_is_paired_with_itself() {
        let all = said(&THREAD);
        let paired = pair(&all, &all);
        assert_eq!(paired.pairs, [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]);
        assert_eq!(
            (paired.missing, paired.extra, paired.moved),
            (vec![], vec![], vec![])
        );
    }

    #[test]
    fn one_that_is_gone_is_missing_and_the_others_are_where_they_were() {
        let found = said(&[("a", 0), ("b", 60), ("d", 180), ("e", 240)]);
        let paired = pair(&said(&THREAD), &found);
        assert_eq!(paired.missing, [2]);
        assert_eq!((paired.extra, paired.moved), (vec![], vec![]));
    }

    #[test]
    fn one_that_is_there_twice_is_extra_and_says_what_it_repeats() {
        let found = said(&[
            ("a", 0),
            ("b", 60),
            ("b", 61),
            ("x", 70),
            ("c", 120),
            ("d", 180),
            ("e", 240),
        ]);
        let paired = pair(&said(&THREAD), &found);
        assert_eq!(paired.extra, [(2, Some(1)), (3, None)]);
        assert_eq!((paired.missing, paired.moved), (vec![], vec![]));
    }

    #[test]
    fn one_whose_text_was_changed_is_known_by_its_time_or_its_place() {
        for at in [120, 150] {
            let found = said(&[("a", 0), ("b", 60), ("C!", at), ("d", 180), ("e", 240)]);
            let paired = pair(&said(&THREAD), &found);
            assert_eq!(paired.pairs, [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]);
            assert_eq!((paired.missing, paired.extra), (vec![], vec![]));
        }
    }

    #[test]
    fn the_one_that_was_moved_is_out_of_place_and_not_those_that_it_passed() {
        let found = said(&[("e", 0), ("a", 0), ("b", 60), ("c", 120), ("d", 180)]);
        let paired = pair(&said(&THREAD), &found);
        assert_eq!(paired.moved, [(4, 0)]);
        assert_eq!((paired.missing, paired.extra), (vec![], vec![]));
    }

    #[test]
    fn those_of_one_second_may_stand_in_any_order() {
        let wanted = said(&[("a", 0), ("b", 0), ("c", 1), ("d", 60)]);
        let found = said(&[("b", 0), ("a", 0), ("d", 60), ("c", 61)]);
        assert_eq!(pair(&wanted, &found).moved, [(2, 3)]);
    }

    #[test]
    fn repeated_words_are_paired_in_their_order_and_by_their_files() {
        let wanted = said(&[("ok", 0), ("ok", 60), ("ok", 120)]);
        assert_eq!(pair(&wanted, &wanted).pairs, [(0, 0), (1, 1), (2, 2)]);
        let mut with_file = said(&[("ok", 0), ("ok", 60)]);
        if let Some(last) = with_file.last_mut() {
            last.beside = "a.png".into();
        }
        let turned: Vec<Said> = with_file.iter().rev().cloned().collect();
        assert_eq!(pair(&with_file, &turned).pairs, [(0, 1), (1, 0)]);
    }

    #[test]
    fn a_thread_of_thousands_is_paired_in_a_moment() {
        let words: Vec<String> = (0..5_000).map(|n| format!("message {n}")).collect();
        let all: Vec<(&str, i64)> = words.iter().map(|w| w.as_str()).zip(0..).collect();
        let all = said(&all);
        assert_eq!(pair(&all, &all).pairs.len(), 5_000);
    }
}
