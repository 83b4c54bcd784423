//! When two facts are the same: how a platform may spell a value without changing it.
//!
//! Three grades. *Same*: nothing a person would call different; blanks around a text, the case of an e-mail address, the fractions of
//! a second. *Alike*: another form of the same words (markup, punctuation, a date for a moment), which a connector must declare.
//! *Other*: other words. What a grade means for a field is the business of its fidelity.

use std::borrow::Cow;
use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate};

use super::facts::Fact;
use crate::contract::types::{Reference, Value};

/// How alike two facts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Nothing a person would call different.
    Same,
    /// Another form of the same.
    Alike,
    /// There is less than there should be, and nothing else.
    Less,
    /// Something else.
    Other,
}

/// Times count to the second: few platforms keep more.
const GRAIN: i64 = 1_000;
/// A date in any time zone begins at most this far from the moment.
const DAY: i64 = 26 * 3_600_000;

/// Compares what should be there with what is.
pub fn grade(wanted: &Fact, found: &Fact) -> Grade {
    match (wanted, found) {
        (Fact::Text(wanted), Fact::Text(found)) => text(wanted, found),
        (Fact::Time(wanted), Fact::Time(found)) => time(*wanted, *found),
        (Fact::One(wanted), Fact::One(found)) => one(wanted, found),
        (Fact::Many(wanted), Fact::Many(found)) => many(wanted, found),
        (Fact::Labels(wanted), Fact::Labels(found)) => labels(wanted, found),
        (Fact::Values(wanted), Fact::Values(found)) => values(wanted, found, |value| {
            Cow::Owned(value.trim().to_lowercase())
        }),
        (Fact::Numbers(wanted), Fact::Numbers(found)) => values(wanted, found, |value| {
            Cow::Owned(value.chars().filter(char::is_ascii_digit).collect())
        }),
        (Fact::Custom(wanted), Fact::Custom(found)) => custom(wanted, found),
        _ => Grade::Other,
    }
}

/// Texts: line ends and blanks around are nobody's words.
pub fn text(wanted: &str, found: &str) -> Grade {
    if folded(wanted) == folded(found) {
        Grade::Same
    } else if letters(wanted) == letters(found) {
        Grade::Alike
    } else if !found.trim().is_empty() && letters(wanted).starts_with(&letters(found)) {
        Grade::Less
    } else {
        Grade::Other
    }
}

fn time(wanted: i64, found: i64) -> Grade {
    if (wanted - found).abs() < GRAIN {
        Grade::Same
    } else {
        Grade::Other
    }
}

/// A reference of which only the target counts.
fn one(wanted: &Reference, found: &Reference) -> Grade {
    match (&wanted.target, &found.target) {
        (Some(wanted), Some(found)) if is_target(wanted, found) => Grade::Same,
        (Some(_), Some(_)) => Grade::Other,
        // It did not come along, so that nothing can be said of who stands there.
        (None, _) => Grade::Same,
        (Some(_), None) => Grade::Less,
    }
}

/// Whether what was reported of an object, or of a field, is what was read back of it. A connector may have reported more than the id
/// (`object/id`, `id/name`, a field with its type), and reads back the word of it that tells one from the other.
pub fn is_target(reported: &str, read: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || "_-%".contains(c);
    let has = |whole: &str, word: &str| {
        !word.is_empty()
            && word.chars().all(is_part)
            && whole.split(|c| !is_part(c)).any(|part| part == word)
    };
    reported.eq_ignore_ascii_case(read) || has(reported, read) || has(read, reported)
}

/// Where a platform knows one, it is the first that came along.
fn many(wanted: &[Reference], found: &[Reference]) -> Grade {
    let targets = |all: &[Reference]| -> Vec<String> {
        all.iter().filter_map(|one| one.target.clone()).collect()
    };
    let (wanted, found) = (targets(wanted), targets(found));
    let Some(first) = wanted.first() else {
        return Grade::Same;
    };
    let is_in = |one: &String, all: &[String]| all.iter().any(|other| is_target(one, other));
    if wanted.iter().all(|one| is_in(one, &found)) {
        Grade::Same
    } else if found.is_empty() {
        Grade::Less
    } else if is_in(first, &found) {
        Grade::Alike
    } else {
        Grade::Other
    }
}

fn labels(wanted: &[Reference], found: &[Reference]) -> Grade {
    let here = |one: &&Reference| {
        found.iter().any(|other| {
            let target = match (&one.target, &other.target) {
                (Some(wanted), Some(found)) => is_target(wanted, found),
                _ => false,
            };
            let name = one.name.as_ref().unwrap_or(&one.id);
            target || letters(name) == letters(&other.id)
        })
    };
    let known: Vec<&Reference> = wanted.iter().filter(|one| one.target.is_some()).collect();
    match known.iter().filter(|one| here(one)).count() {
        n if n == known.len() => Grade::Same,
        _ => Grade::Less,
    }
}

fn values(wanted: &[String], found: &[String], form: fn(&str) -> Cow<'_, str>) -> Grade {
    let set = |all: &[String]| -> BTreeSet<String> {
        let formed = all.iter().map(|value| form(value).into_owned());
        formed.filter(|value| !value.is_empty()).collect()
    };
    let (wanted, found) = (set(wanted), set(found));
    // A number may have got, or lost, the digits of its country.
    let is_in = |one: &String, all: &BTreeSet<String>| {
        all.iter().any(|other| {
            one == other
                || one.len() > 5
                    && other.len() > 5
                    && (one.ends_with(other) || other.ends_with(one))
        })
    };
    if !found.iter().all(|one| is_in(one, &wanted)) {
        Grade::Other
    } else if wanted.iter().all(|one| is_in(one, &found)) {
        Grade::Same
    } else if found.is_empty() {
        Grade::Less
    } else {
        Grade::Alike
    }
}

// ---- custom fields

fn custom(wanted: &Value, found: &Value) -> Grade {
    let there = words_of(found);
    let same = |is: bool| if is { Grade::Same } else { Grade::Other };
    match wanted {
        Value::Text(own) | Value::Link(own) => text(own, &there.join(", ")),
        Value::Integer(_) | Value::Decimal(_) => same(is_number(wanted, &there)),
        Value::Boolean(own) => same(there.first().is_some_and(|word| {
            let yes = ["true", "1", "yes"].contains(&word.to_lowercase().as_str());
            yes == *own
        })),
        Value::Date(own) => match there.first() {
            Some(word) if word.starts_with(own.as_str()) => Grade::Same,
            Some(word) => match (date(own), moment(word)) {
                (Some(own), Some(at)) if (own - at).abs() <= DAY => Grade::Alike,
                _ => Grade::Other,
            },
            None => Grade::Other,
        },
        Value::Moment(own) => match there.first().and_then(|word| moment(word)) {
            Some(at) => match time(own.at, at) {
                Grade::Same => Grade::Same,
                _ if (own.at - at).abs() <= DAY => Grade::Alike,
                _ => Grade::Other,
            },
            None => Grade::Other,
        },
        Value::Choice(own) => elements(std::slice::from_ref(own), &there),
        Value::Choices(own) | Value::Path(own) => elements(own, &there),
        Value::Reference(own) => one_in(std::slice::from_ref(own), &there),
        Value::References(own) => one_in(own, &there),
        Value::Json(own) => match letters(own) == letters(&there.concat()) {
            true => Grade::Same,
            false => Grade::Other,
        },
    }
}

/// Chosen values: as they are, or in the words of the options that the connector made of them.
fn elements(wanted: &[String], there: &[String]) -> Grade {
    let exact: BTreeSet<&str> = wanted.iter().map(|own| own.trim()).collect();
    let split: BTreeSet<&str> = there
        .iter()
        .flat_map(|word| word.split(';'))
        .map(str::trim)
        .collect();
    if exact == split {
        return Grade::Same;
    }
    let all = letters(&there.concat());
    match wanted.iter().all(|own| all.contains(&letters(own))) {
        true => Grade::Alike,
        false => Grade::Other,
    }
}

fn one_in(wanted: &[Reference], there: &[String]) -> Grade {
    let known: Vec<&str> = wanted
        .iter()
        .filter_map(|one| one.target.as_deref())
        .collect();
    let here = |one: &&str| {
        let mut words = there.iter();
        words.any(|word| is_target(one, word) || word.contains(one))
    };
    match known.iter().all(here) {
        true => Grade::Same,
        false => Grade::Other,
    }
}

fn is_number(wanted: &Value, there: &[String]) -> bool {
    let own = match wanted {
        Value::Integer(own) => own.to_string(),
        Value::Decimal(own) => own.clone(),
        _ => return false,
    };
    let Some(word) = there.first() else {
        return false;
    };
    match (own.parse::<f64>(), word.parse::<f64>()) {
        (Ok(own), Ok(there)) => (own - there).abs() <= own.abs() * 1e-12,
        _ => own == *word,
    }
}

/// A value as words.
pub fn words_of(value: &Value) -> Vec<String> {
    match value {
        Value::Text(own)
        | Value::Decimal(own)
        | Value::Date(own)
        | Value::Choice(own)
        | Value::Link(own)
        | Value::Json(own) => vec![own.clone()],
        Value::Integer(own) => vec![own.to_string()],
        Value::Boolean(own) => vec![own.to_string()],
        Value::Moment(own) => vec![shown_time(own.at)],
        Value::Choices(own) | Value::Path(own) => own.clone(),
        Value::Reference(own) => vec![shown_reference(own)],
        Value::References(own) => own.iter().map(shown_reference).collect(),
    }
}

fn date(text: &str) -> Option<i64> {
    let date: NaiveDate = text.get(..10)?.parse().ok()?;
    Some(date.and_hms_opt(12, 0, 0)?.and_utc().timestamp_millis())
}

/// A moment in any of the ways that platforms write one: with a zone, as a date, as seconds or milliseconds since 1970.
fn moment(text: &str) -> Option<i64> {
    let zoned = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"));
    if let Ok(at) = zoned {
        return Some(at.timestamp_millis());
    }
    if let Ok(number) = text.parse::<i64>() {
        let is_seconds = number.abs() < 100_000_000_000;
        return Some(if is_seconds { number * 1_000 } else { number });
    }
    date(text)
}

// ---- words

/// A text by its words, with all blanks as one.
pub fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The letters and digits of a text, which survive wrapping, markup and punctuation.
pub fn letters(text: &str) -> String {
    let letters = text.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// The text of HTML: no markup, no scripts, no styles; entities are what they stand for.
pub fn of_html(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let is_markup = after.starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c));
        if !is_markup {
            out.push('<');
            rest = after;
            continue;
        }
        rest = after;
        let name = |tag: &str| {
            let begins = rest.get(..tag.len());
            begins.is_some_and(|begin| begin.eq_ignore_ascii_case(tag))
        };
        let behind = |end: &str| match find_any_case(rest, end) {
            Some(at) => rest.get(at + end.len()..).unwrap_or_default(),
            None => "",
        };
        out.push(' ');
        rest = if rest.starts_with("!--") {
            behind("-->")
        } else if name("script") {
            behind("</script>")
        } else if name("style") {
            behind("</style>")
        } else {
            behind(">")
        };
    }
    out.push_str(rest);
    html_escape::decode_html_entities(&out).into_owned()
}

/// Where a tag begins, in letters of any case.
fn find_any_case(text: &str, tag: &str) -> Option<usize> {
    let (text, tag) = (text.as_bytes(), tag.as_bytes());
    let mut windows = text.windows(tag.len());
    windows.position(|window| window.eq_ignore_ascii_case(tag))
}

// ---- shown

/// The most that is shown of a value.
const SHOWN: usize = 80;
/// What is shown before the first letter that differs.
const BEFORE: usize = 24;

/// Two values, shortened to where they begin to differ.
pub fn shortened(wanted: &str, found: &str) -> (String, String) {
    let same = wanted
        .chars()
        .zip(found.chars())
        .take_while(|(a, b)| a == b)
        .count();
    let from = same.saturating_sub(BEFORE);
    (part_of(wanted, from), part_of(found, from))
}

fn part_of(text: &str, from: usize) -> String {
    let count = text.chars().count();
    let from = if count <= SHOWN { 0 } else { from.min(count) };
    let mut shown: String = text.chars().skip(from).take(SHOWN).collect();
    if from > 0 {
        shown.insert(0, '…');
    }
    if count > from + SHOWN {
        shown.push('…');
    }
    shown
}

/// A fact for a person.
pub fn shown(fact: &Fact) -> String {
    let many = |all: &[Reference]| {
        all.iter()
            .map(shown_reference)
            .collect::<Vec<_>>()
            .join(", ")
    };
    match fact {
        Fact::Text(text) => text.clone(),
        Fact::Time(at) => shown_time(*at),
        Fact::One(one) => shown_reference(one),
        Fact::Many(all) | Fact::Labels(all) => many(all),
        Fact::Values(all) | Fact::Numbers(all) => all.join(", "),
        Fact::Custom(value) => words_of(value).join(", "),
    }
}

/// A time for a person.
pub fn shown_time(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).map_or_else(
        || format!("{ms} ms"),
        |at| at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
    )
}

/// A reference for a person: where it leads, and what it is called.
pub fn shown_reference(one: &Reference) -> String {
    let kind = crate::kinds::name(&one.kind);
    let at = one.target.as_ref().unwrap_or(&one.id);
    match &one.name {
        Some(name) => format!("{kind} {at} ({name})"),
        None => format!("{kind} {at}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::types::{Kind, Moment};

    #[test]
    fn html_says_what_it_says_without_its_markup() {
        for (html, text) in [
            ("<p>a &lt; b<br>c&nbsp;&amp; d</p>", "a < b c & d"),
            (
                "one<style>p { }</style> <SCRIPT>no()</Script>two<!-- not > this -->",
                "one two",
            ),
            ("1 < 2 and <b>3</b>", "1 < 2 and 3"),
            ("cut <b", "cut"),
        ] {
            assert_eq!(folded(&of_html(html)), text, "{html}");
        }
    }

    #[test]
    fn a_long_html_is_read_in_a_moment() {
        let html = "<p class=\"x\">word</p>".repeat(20_000);
        assert_eq!(letters(&of_html(&html)).len(), 80_000);
    }

    #[test]
    fn texts_are_graded_by_their_words() {
        assert_eq!(text("a  b\r\nc", " a b c "), Grade::Same);
        assert_eq!(text("a, b", "a b!"), Grade::Alike);
        assert_eq!(text("a long text", "a long"), Grade::Less);
        assert_eq!(text("a", "b"), Grade::Other);
    }

    #[test]
    fn a_target_is_known_by_the_word_of_it_that_was_read_back() {
        for (reported, read) in [
            ("17", "17"),
            ("object/17", "17"),
            ("17/VIP", "17"),
            ("field:360001:tagger::", "360001"),
            (r#"{"name":"cf_tier","kind":"custom_text"}"#, "cf_tier"),
            ("placeholder:9:Ana", "9"),
        ] {
            assert!(is_target(reported, read), "{reported} {read}");
        }
        for (reported, read) in [
            ("17", "1"),
            ("object/17", "7"),
            ("a:b", ""),
            ("a b", "a b c"),
        ] {
            assert!(!is_target(reported, read), "{reported} {read}");
        }
    }

    #[test]
    fn values_of_custom_fields_are_the_same_in_a_platforms_own_types() {
        let words = |word: &str| Value::Text(word.into());
        let moment = Value::Moment(Moment {
            at: 1_700_000_000_123,
            offset_minutes: None,
        });
        for (wanted, found, grade) in [
            (
                Value::Decimal("1.50".into()),
                Value::Decimal("1.5".into()),
                Grade::Same,
            ),
            (Value::Integer(3), words("3"), Grade::Same),
            (Value::Integer(3), words("4"), Grade::Other),
            (Value::Boolean(true), words("true"), Grade::Same),
            (Value::Boolean(false), Value::Boolean(true), Grade::Other),
            (
                Value::Choice("gold".into()),
                words("tier__gold"),
                Grade::Alike,
            ),
            (Value::Choice("gold".into()), words("gold"), Grade::Same),
            (
                Value::Choices(vec!["a".into(), "b".into()]),
                words("b;a"),
                Grade::Same,
            ),
            (moment.clone(), words("2023-11-14T22:13:20Z"), Grade::Same),
            (moment.clone(), words("2023-11-14"), Grade::Alike),
            (moment.clone(), Value::Integer(1_700_000_000), Grade::Same),
            (moment, words("2023-12-14"), Grade::Other),
            (
                Value::Date("2023-11-14".into()),
                words("2023-11-14T00:00:00Z"),
                Grade::Same,
            ),
        ] {
            assert_eq!(custom(&wanted, &found), grade, "{wanted:?} {found:?}");
        }
    }

    #[test]
    fn those_that_came_along_count_and_the_first_is_in_charge() {
        let to = |target: Option<&str>| Reference {
            kind: Kind::Agent,
            id: "x".into(),
            target: target.map(str::to_owned),
            name: None,
        };
        let (a, b, none) = (to(Some("a")), to(Some("b")), to(None));
        let all = [none.clone(), a.clone(), b.clone()];
        assert_eq!(many(&all, &[a.clone(), b.clone()]), Grade::Same);
        assert_eq!(many(&all, std::slice::from_ref(&a)), Grade::Alike);
        assert_eq!(many(&all, std::slice::from_ref(&b)), Grade::Other);
        assert_eq!(many(&all, &[]), Grade::Less);
        assert_eq!(many(std::slice::from_ref(&none), &[b]), Grade::Same);
        assert_eq!(one(&none, &a), Grade::Same);
    }

    #[test]
    fn two_values_are_shown_from_where_they_begin_to_differ() {
        let same = "x".repeat(200);
        let (wanted, found) = shortened(&format!("{same}left"), &format!("{same}right"));
        assert!(wanted.ends_with("left") && found.ends_with("right"));
        assert!(wanted.starts_with('…') && wanted.chars().count() < 40);
        assert_eq!(shortened("a", "b"), ("a".to_owned(), "b".to_owned()));
    }
}
