//! Text that was written in one encoding and read in another.
//!
//! Nearly all of it is UTF-8 read as Latin-1 or Windows-1252: `Ã¼` for `ü`, `â€™` for `’`, `ÐŸÑ€Ð¸` for `При`. Each byte has become a
//! character, so the bytes can be had back, and if they are UTF-8 the text may be damaged. It need not be: `„Spaß“` holds `ß“`, which
//! are the bytes of a letter of N'Ko, and `IRMÃ…` those of `Å`. So what counts is whether anybody would write these characters
//! beside each other:
//!
//! - a sequence of two with `Â`, `Ã`, `Ä` or `Å` stands for a Latin letter or sign. It counts if what follows is no sign that follows
//!   words anyway (quotes, dashes, `…`, spaces), or if the capital stands behind a small letter, where it has no business;
//! - others of two, and of three or four, stand for letters of other scripts. A word has several: two in a row count, of one script;
//! - `â€` and its like, and those of emoji, begin what stands for a sign: one counts.
//!
//! Besides, in the same manner, UTF-8 read as Windows-1251 (`РџСЂРё`) or Mac Roman (`‚Äô`, `√©`), and what became of U+FFFD in GBK.
//!
//! Precision goes before completeness: what is reported is looked at by a person, and a report of things that are right is not read
//! twice. An own detector, and no port of ftfy: docs/decisions/0012.

/// What a text was read as, and where it shows first: a byte offset and the characters there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misread {
    /// The encoding it was read in, as the pattern says.
    pub pattern: &'static str,
    /// Byte offset of the first.
    pub at: usize,
    /// How many there are.
    pub count: usize,
}

/// UTF-8 read as Latin-1 or Windows-1252.
pub const WINDOWS_1252: &str = "UTF-8 read as Latin-1 or Windows-1252";
/// UTF-8 read as Windows-1251.
pub const WINDOWS_1251: &str = "UTF-8 read as Windows-1251";
/// UTF-8 read as Mac Roman.
pub const MAC_ROMAN: &str = "UTF-8 read as Mac Roman";
/// U+FFFD, written in UTF-8 and read as GBK.
pub const GBK: &str = "replacement characters read as GBK";

/// Looks for damage; `None` if there is none that is sure enough.
#[must_use]
pub fn find(text: &str) -> Option<Misread> {
    if text.is_ascii() {
        return None;
    }
    windows_1252(text)
        .or_else(|| windows_1251(text))
        .or_else(|| mac_roman(text))
        .or_else(|| gbk(text))
}

/// The byte that Latin-1 or Windows-1252 shows as this character.
fn byte_1252(c: char) -> Option<u8> {
    let special = match c {
        '€' => 0x80,
        '‚' => 0x82,
        'ƒ' => 0x83,
        '„' => 0x84,
        '…' => 0x85,
        '†' => 0x86,
        '‡' => 0x87,
        'ˆ' => 0x88,
        '‰' => 0x89,
        'Š' => 0x8a,
        '‹' => 0x8b,
        'Œ' => 0x8c,
        'Ž' => 0x8e,
        '‘' => 0x91,
        '’' => 0x92,
        '“' => 0x93,
        '”' => 0x94,
        '•' => 0x95,
        '–' => 0x96,
        '—' => 0x97,
        '˜' => 0x98,
        '™' => 0x99,
        'š' => 0x9a,
        '›' => 0x9b,
        'œ' => 0x9c,
        'ž' => 0x9e,
        'Ÿ' => 0x9f,
        _ => 0,
    };
    match special {
        0 => u8::try_from(u32::from(c)).ok().filter(|byte| *byte >= 0x80),
        byte => Some(byte),
    }
}

/// Signs that stand behind a word anyway, and letters that Windows-1252 has among its signs.
fn may_follow_a_word(c: char) -> bool {
    matches!(
        c,
        '…' | '‘'
            | '’'
            | '“'
            | '”'
            | '•'
            | '–'
            | '—'
            | '™'
            | '›'
            | '‹'
            | '«'
            | '»'
            | '\u{a0}'
            | '´'
            | '¨'
            | '·'
            | 'Š'
            | 'š'
            | 'Ž'
            | 'ž'
            | 'Œ'
            | 'œ'
            | 'º'
            | 'ª'
            | '°'
            | '¹'
            | '²'
            | '³'
            | '\u{ad}'
            | '®'
            | '©'
    )
}

/// A sequence of characters whose bytes are one character in UTF-8.
struct Sequence {
    at: usize,
    end: usize,
    decoded: char,
    first: char,
    rest: [char; 3],
    length: usize,
    /// The characters beside it.
    before: Option<char>,
    after: Option<char>,
}

impl Sequence {
    fn following(&self) -> &[char] {
        self.rest.get(..self.length - 1).unwrap_or_default()
    }
}

fn windows_1252(text: &str) -> Option<Misread> {
    let sequences = sequences(text);
    let mut found: Option<Misread> = None;
    let mut note = |at: usize| match &mut found {
        Some(misread) => misread.count += 1,
        None => {
            found = Some(Misread {
                pattern: WINDOWS_1252,
                at,
                count: 1,
            });
        }
    };
    let mut weak = 0;
    let mut first_weak = 0;
    for (number, sequence) in sequences.iter().enumerate() {
        match strength(sequence) {
            Strength::Sure => note(sequence.at),
            Strength::Weak => {
                if weak == 0 {
                    first_weak = sequence.at;
                }
                weak += 1;
            }
            Strength::InARow if in_a_row(&sequences, number) => note(sequence.at),
            Strength::InARow | Strength::None => {}
        }
    }
    // Weak signs count beside a sure one.
    if let Some(misread) = &mut found
        && weak > 0
    {
        misread.count += weak;
        misread.at = misread.at.min(first_weak);
    }
    found
}

/// Whether a sequence stands among others of its script, so that they are a word. Capitals that Windows-1252 has among its signs make
/// such words by accident (`ÚŽ`), so one of them must hold a sign that follows no word, or they be many.
fn in_a_row(sequences: &[Sequence], number: usize) -> bool {
    const MANY: usize = 4;
    let Some(this) = sequences.get(number) else {
        return false;
    };
    let alike = |a: &Sequence, b: &Sequence| {
        a.end == b.at
            && script(a.decoded) == script(b.decoded)
            && matches!(strength(a), Strength::InARow)
            && matches!(strength(b), Strength::InARow)
    };
    let (before, from) = sequences.split_at(number);
    let mut word = vec![this];
    for other in before.iter().rev().take(MANY) {
        match word.last().is_some_and(|last| alike(other, last)) {
            true => word.push(other),
            false => break,
        }
    }
    let mut last = this;
    for other in from.iter().skip(1).take(MANY) {
        if !alike(last, other) {
            break;
        }
        word.push(other);
        last = other;
    }
    let mut following = word.iter().flat_map(|sequence| sequence.following());
    word.len() >= MANY
        || word.len() > 1 && following.any(|c| !is_letter(*c) && !may_follow_a_word(*c))
}

/// Letters that Windows-1252 has among its signs.
fn is_letter(c: char) -> bool {
    matches!(c, 'Š' | 'š' | 'Ž' | 'ž' | 'Œ' | 'œ' | 'Ÿ' | 'ƒ')
}

enum Strength {
    /// Nobody writes this.
    Sure,
    /// Somebody might.
    Weak,
    /// Sure if there is another one beside it.
    InARow,
    None,
}

fn strength(sequence: &Sequence) -> Strength {
    let following = sequence.following();
    let sign = following.iter().all(|c| may_follow_a_word(*c));
    match sequence.first {
        // What stands for a C1 control character was none to begin with.
        'Â' if sequence.decoded < '\u{a0}' => Strength::None,
        'Â' | 'Ã' | 'Ä' | 'Å' => {
            let behind_small = sequence.before.is_some_and(char::is_lowercase);
            let behind_word = sequence.before.is_some_and(char::is_alphabetic);
            // `20Â°C` and `Â `, where no word could end in `Â`. French writes `«Â»`.
            let stands_alone =
                sequence.first == 'Â' && !following.contains(&'»') && !following.contains(&'«');
            // `Ã `, `Ã–STERREICH` and `Ãœber`: no word is `Ã`. A word may be `Å`, or begin with `Äž`.
            let begins = match sequence.first {
                'Ã' => {
                    let capital = following.iter().any(|c| c.is_uppercase());
                    let goes_on = match capital {
                        true => sequence.after.is_some_and(char::is_lowercase),
                        false => sequence.after.is_some_and(char::is_alphabetic),
                    };
                    goes_on || following.contains(&'\u{a0}')
                }
                _ => {
                    let before_small = sequence.after.is_some_and(char::is_lowercase);
                    before_small && !following.iter().any(|c| c.is_alphabetic())
                }
            };
            match sign {
                false => Strength::Sure,
                true if behind_small => Strength::Sure,
                true if !behind_word && (stands_alone || begins) => Strength::Sure,
                true => Strength::Weak,
            }
        }
        'â' | 'ï' | 'ð' | 'ã' if sequence.length > 2 && !sequence.decoded.is_alphabetic() => {
            if sign {
                Strength::Weak
            } else {
                Strength::Sure
            }
        }
        _ if sequence.decoded.is_alphabetic() || is_mark(sequence.decoded) => Strength::InARow,
        _ => Strength::None,
    }
}

/// Vowel signs and points of the scripts that have them.
fn is_mark(c: char) -> bool {
    matches!(u32::from(c), 0x0591..=0x05c7 | 0x064b..=0x0652 | 0x0900..=0x0e4e)
}

/// Blocks in which a word stays.
fn script(c: char) -> u32 {
    match u32::from(c) {
        0x0370..=0x03ff => 1,
        0x0400..=0x052f => 2,
        0x0590..=0x05ff => 3,
        0x0600..=0x06ff => 4,
        0x0900..=0x0dff => 5,
        0x0e00..=0x0e7f => 6,
        0x1e00..=0x1eff => 7,
        0x3040..=0x30ff | 0x3400..=0x9fff | 0xff00..=0xffef => 8,
        0xac00..=0xd7a3 => 9,
        other => 1_000 + (other >> 8),
    }
}

fn sequences(text: &str) -> Vec<Sequence> {
    let mut found: Vec<Sequence> = vec![];
    let mut chars = text.char_indices();
    let mut before = None;
    while let Some((at, first)) = chars.next() {
        let lead = byte_1252(first).map_or(0, length_of);
        if lead < 2 {
            before = Some(first);
            continue;
        }
        let mut bytes = [0_u8; 4];
        let mut rest = ['\0'; 3];
        let ahead = chars.as_str();
        let mut end = at + first.len_utf8();
        let mut taken = 1;
        for (slot, c) in bytes
            .iter_mut()
            .zip(std::iter::once(first).chain(ahead.chars()))
            .take(lead)
        {
            *slot = byte_1252(c).unwrap_or(0);
        }
        for (slot, c) in rest.iter_mut().zip(ahead.chars()).take(lead - 1) {
            *slot = c;
            end += c.len_utf8();
            taken += 1;
        }
        let decoded = bytes
            .get(..lead)
            .and_then(|bytes| std::str::from_utf8(bytes).ok());
        match decoded.and_then(|text| text.chars().next()) {
            Some(decoded) if taken == lead => {
                let preceding = before;
                for _ in 1..lead {
                    before = chars.next().map(|(_, c)| c);
                }
                found.push(Sequence {
                    at,
                    end,
                    decoded,
                    first,
                    rest,
                    length: lead,
                    before: preceding,
                    after: chars.as_str().chars().next(),
                });
            }
            _ => before = Some(first),
        }
    }
    found
}

/// How many bytes a character has that begins with this one; 0 if none does.
fn length_of(byte: u8) -> usize {
    match byte {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 0,
    }
}

/// Cyrillic of which each letter became two: `Р` or `С` and a sign. Three in a row; Ukrainian `Рі` begins a word.
fn windows_1251(text: &str) -> Option<Misread> {
    let mut run: usize = 0;
    let mut begun = 0;
    let mut longest: Option<Misread> = None;
    let mut lead: Option<usize> = None;
    for (at, c) in text.char_indices() {
        match lead {
            Some(start) if is_second_1251(c) => {
                if run == 0 {
                    begun = start;
                }
                run += 1;
                lead = None;
                if run >= 3 {
                    match &mut longest {
                        Some(misread) => misread.count += 1,
                        None => {
                            longest = Some(Misread {
                                pattern: WINDOWS_1251,
                                at: begun,
                                count: run,
                            });
                        }
                    }
                }
                continue;
            }
            Some(_) => run = 0,
            None => {}
        }
        lead = matches!(c, 'Р' | 'С').then_some(at);
        if lead.is_none() {
            run = 0;
        }
    }
    longest
}

/// What Windows-1251 shows for the second byte of a Cyrillic letter in UTF-8, 0x80 to 0xBF.
fn is_second_1251(c: char) -> bool {
    "ЂЃ‚ѓ„…†‡€‰Љ‹ЊЌЋЏђ‘’“”•–—\u{98}™љ›њќћџ\u{a0}ЎўЈ¤Ґ¦§Ё©Є«¬\u{ad}®Ї°±Ііґµ¶·ё№є»јЅѕї".contains(c)
}

/// `‚Äô` for `’`, and `√©` for `é` inside a word.
fn mac_roman(text: &str) -> Option<Misread> {
    let mut found: Option<Misread> = None;
    let mut before: Option<char> = None;
    for (at, c) in text.char_indices() {
        let mut ahead = text.get(at + c.len_utf8()..).unwrap_or_default().chars();
        let (second, third) = (ahead.next(), ahead.next());
        let sign = c == '‚' && second == Some('Ä') && third.is_some_and(is_second_mac_sign);
        // A root stands behind a number, or alone.
        let letter = c == '√'
            && before.is_some_and(char::is_lowercase)
            && second.is_some_and(is_second_mac_letter)
            && !third.is_some_and(char::is_numeric);
        if sign || letter {
            match &mut found {
                Some(misread) => misread.count += 1,
                None => {
                    found = Some(Misread {
                        pattern: MAC_ROMAN,
                        at,
                        count: 1,
                    });
                }
            }
        }
        before = Some(c);
    }
    found
}

/// Quotes, dashes and `…` end so: E2 80 93 to E2 80 A6.
fn is_second_mac_sign(c: char) -> bool {
    "ìîòôöúùû¶¢°".contains(c)
}

/// What Mac Roman shows for the second byte of `à` to `ÿ`, without what may stand under a root.
fn is_second_mac_letter(c: char) -> bool {
    "†°¢£§•¶ß®©™´¨≠Æ±≥¥∂∫ªºæø".contains(c)
}

/// Pairs of EF BF BD, read two bytes at a time.
fn gbk(text: &str) -> Option<Misread> {
    let at = text.find("锟斤拷")?;
    Some(Misread {
        pattern: GBK,
        at,
        count: text.matches("锟斤拷").count(),
    })
}

#[cfg(test)]
mod tests;
