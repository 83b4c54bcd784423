//! How alike two names are, and whether a field can hold what another one holds: what proposals go by.
//!
//! Policy: the same name, and the same but for case, blanks and signs, count without a word of the user's. Everything below that
//! is a guess, and only ever proposed: a person, or `plan --accept-all`, says yes to it.

use strsim::osa_distance;

use crate::contract::types::FieldType;

/// How sure a match is, and why.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sure {
    /// From 0 to 1.
    pub confidence: f64,
    /// In words.
    pub reason: &'static str,
}

impl Sure {
    /// As sure as this times a share.
    #[must_use]
    pub fn times(self, share: f64) -> Self {
        Self {
            confidence: self.confidence * share,
            ..self
        }
    }

    /// As it stands in a comment: `78 % sure: a name spelled much like it, "Loyalty tier"`.
    #[must_use]
    pub fn words(self, target: &str) -> String {
        format!(
            "{}: {} as {target:?}",
            percent(self.confidence),
            self.reason
        )
    }
}

/// `78 % sure`
#[must_use]
pub fn percent(confidence: f64) -> String {
    format!("{:.0} % sure", confidence * 100.0)
}

/// The same name.
pub const SAME: Sure = Sure {
    confidence: 1.0,
    reason: "the same name",
};
/// The same name, written otherwise.
pub const ALIKE: Sure = Sure {
    confidence: 0.9,
    reason: "the same name but for case, blanks and signs",
};
/// From here on a guess is worth somebody's look.
pub const WORTH_A_LOOK: f64 = 0.6;
/// Two names are spelled alike from here on.
const SPELLED_ALIKE: f64 = 0.75;

/// A name without case, blanks and signs.
#[must_use]
pub fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// A name, taken apart once for many comparisons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    whole: String,
    plain: String,
    /// Lower case, sorted, none twice.
    words: Vec<String>,
    /// Characters of `plain`.
    length: usize,
    /// Which of 64 groups of letters are in `plain`.
    letters: u64,
}

impl Name {
    /// Takes a name apart.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut words = words(name);
        words.sort_unstable();
        words.dedup();
        let plain = plain(name);
        Self {
            whole: name.to_owned(),
            length: plain.chars().count(),
            letters: plain
                .chars()
                .fold(0, |all, c| all | 1 << (u32::from(c) % 64)),
            plain,
            words,
        }
    }

    /// Whether both are one but for case, blanks and signs.
    #[must_use]
    pub fn is_plainly(&self, other: &Self) -> bool {
        !self.plain.is_empty() && self.plain == other.plain
    }

    /// How sure it is that both mean the same; `None` where nothing suggests it.
    #[must_use]
    pub fn like(&self, other: &Self) -> Option<Sure> {
        if self.whole == other.whole && !self.whole.is_empty() {
            return Some(SAME);
        }
        if self.plain.is_empty() || other.plain.is_empty() {
            return None;
        }
        if self.plain == other.plain {
            return Some(ALIKE);
        }
        if self.words == other.words {
            return Some(Sure {
                confidence: 0.88,
                reason: "the same words in another order",
            });
        }
        // `line 1` and `line 2` are two things however alike they look.
        if digits(&self.plain).ne(digits(&other.plain)) {
            return None;
        }
        let within = self.within(other).or_else(|| other.within(self));
        let spelled = self.spelled(other);
        match (within, spelled) {
            (Some(a), Some(b)) if b.confidence > a.confidence => Some(b),
            (a, b) => a.or(b),
        }
    }

    /// Where all words of this name are among the other's.
    fn within(&self, other: &Self) -> Option<Sure> {
        let longest = self.words.iter().map(|w| w.chars().count()).max()?;
        let all = self.words.iter().all(|word| other.words.contains(word));
        if !all || longest < 4 || self.words.len() >= other.words.len() {
            return None;
        }
        #[allow(clippy::cast_precision_loss, reason = "a handful of words")]
        let share = self.words.len() as f64 / other.words.len() as f64;
        Some(Sure {
            confidence: 0.55 + 0.3 * share,
            reason: "one name is within the other",
        })
    }

    fn spelled(&self, other: &Self) -> Option<Sure> {
        let (least, most) = (self.length.min(other.length), self.length.max(other.length));
        // Too short to be told apart by spelling; too unequal to be worth the time.
        if least < 4 || least * 4 < most * 3 {
            return None;
        }
        // Each letter that only one of them has takes a change at least.
        let lacking = (self.letters & !other.letters).count_ones();
        let more = (other.letters & !self.letters).count_ones();
        if lacking.max(more) as usize * 4 > most {
            return None;
        }
        let distance = osa_distance(&self.plain, &other.plain);
        #[allow(clippy::cast_precision_loss, reason = "characters of a name")]
        let score = 1.0 - distance as f64 / most as f64;
        (score >= SPELLED_ALIKE).then_some(Sure {
            confidence: 0.9 * score,
            reason: "spelled nearly the same",
        })
    }
}

fn digits(plain: &str) -> impl Iterator<Item = char> + '_ {
    plain.chars().filter(|c| c.is_numeric())
}

/// `orderTotal_eur` → order, total, eur
fn words(name: &str) -> Vec<String> {
    let mut all = vec![];
    let mut word = String::new();
    let mut before_lower = false;
    for c in name.chars() {
        let ends = !c.is_alphanumeric() || (c.is_uppercase() && before_lower);
        if ends && !word.is_empty() {
            all.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        before_lower = c.is_lowercase() || c.is_numeric();
    }
    if !word.is_empty() {
        all.push(word);
    }
    all
}

/// How well values of one type fit into a field of another, from 0 to 1; `None` where they do not. 1 is the same type; below it
/// the connector has to convert, and what it cannot is a loss.
#[must_use]
pub fn holds(from: &FieldType, to: &FieldType) -> Option<f64> {
    use FieldType as T;
    if same_type(from, to) {
        return Some(1.0);
    }
    match (from, to) {
        (T::Text, T::LongText)
        | (T::Integer, T::Decimal)
        | (T::Choice, T::Choices)
        | (T::Link, T::Text) => Some(0.9),
        (T::Choice | T::Link, T::Text | T::LongText) | (T::Date, T::Moment) => Some(0.85),
        (
            T::Integer | T::Decimal | T::Boolean | T::Date | T::Moment | T::Tree | T::Choices,
            T::Text | T::LongText,
        ) => Some(0.75),
        (T::Text, T::Choice) | (T::LongText, T::Text) | (T::Moment, T::Date) => Some(0.7),
        _ => None,
    }
}

/// Whether both hold the same values. Whether a value of one type can be made one of another is the connector's to say, and one
/// that cannot would reject the whole field.
#[must_use]
pub fn same_type(from: &FieldType, to: &FieldType) -> bool {
    match (from, to) {
        // An object type goes by another name there.
        (FieldType::Reference(a), FieldType::Reference(b)) => {
            a.kind == b.kind && a.multi == b.multi
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sure(a: &str, b: &str) -> Option<(u32, &'static str)> {
        let found = Name::new(a).like(&Name::new(b));
        let back = Name::new(b).like(&Name::new(a));
        assert_eq!(found, back, "{a} {b}");
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "percent"
        )]
        found.map(|sure| ((sure.confidence * 100.0).round() as u32, sure.reason))
    }

    #[test]
    fn names_are_alike_by_their_letters_their_words_and_their_spelling() {
        assert_eq!(sure("Tier", "Tier"), Some((100, "the same name")));
        assert_eq!(sure("VIP tier", "vip_tier"), Some((90, ALIKE.reason)));
        assert_eq!(
            sure("tierLoyalty", "Loyalty tier"),
            Some((88, "the same words in another order"))
        );
        assert_eq!(
            sure("Tier", "Loyalty tier"),
            Some((70, "one name is within the other"))
        );
        assert_eq!(
            sure("Loyality tier", "Loyalty tier"),
            Some((83, "spelled nearly the same"))
        );
    }

    #[test]
    fn what_is_not_alike_is_not_guessed() {
        for (a, b) in [
            ("Order", "Customer"),
            ("Address line 1", "Address line 2"),
            ("id", "ids"),
            ("", ""),
            ("!!!", "???"),
            ("Größe", "Color"),
            ("a", "a long name with a"),
        ] {
            assert_eq!(sure(a, b), None, "{a} {b}");
        }
    }

    #[test]
    fn a_guess_is_never_as_sure_as_a_name_that_is_the_same() {
        for (a, b) in [
            ("Loyalty tiers", "Loyalty tier"),
            ("aaaaaaaaaaaaaaaaaaab", "aaaaaaaaaaaaaaaaaaaa"),
        ] {
            let found = Name::new(a).like(&Name::new(b)).unwrap();
            assert!(found.confidence < ALIKE.confidence, "{a} {b}: {found:?}");
        }
    }

    #[test]
    fn a_wider_type_holds_a_narrower_one_and_not_the_other_way() {
        use FieldType as T;
        assert_eq!(holds(&T::Text, &T::Text), Some(1.0));
        assert!(holds(&T::Integer, &T::Decimal) > holds(&T::Integer, &T::Text));
        assert_eq!(holds(&T::Decimal, &T::Integer), None);
        assert_eq!(holds(&T::Text, &T::Boolean), None);
        assert_eq!(holds(&T::Json, &T::Text), None);
    }
}
