//! Record ids: 15 letters that tell capitals from small ones, and three more that repeat the case for those who do not.

/// The letters of the checksum.
const CHECK: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
/// The digits of a record's number.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The 18-letter id of the record with this number of an object with this key prefix.
pub(super) fn id(prefix: &str, number: u64) -> String {
    let mut left = number;
    let mut digits = [b'0'; 9];
    for digit in digits.iter_mut().rev() {
        let at = usize::try_from(left % 62).unwrap_or(0);
        *digit = DIGITS.get(at).copied().unwrap_or(b'0');
        left /= 62;
    }
    let short = format!("{prefix}Hs0{}", String::from_utf8_lossy(&digits));
    format!("{short}{}", check(&short))
}

/// The three letters that say which of the 15 are capitals.
fn check(short: &str) -> String {
    let bytes = short.as_bytes();
    let chunk = |chunk: &[u8]| {
        let bits = chunk
            .iter()
            .enumerate()
            .filter(|(_, byte)| byte.is_ascii_uppercase())
            .map(|(at, _)| 1_usize << at)
            .sum::<usize>();
        char::from(CHECK.get(bits).copied().unwrap_or(b'A'))
    };
    bytes.chunks(5).map(chunk).collect()
}

/// The 18-letter form of an id, or `None` when the text is no id.
pub(super) fn full(text: &str) -> Option<String> {
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    match text.len() {
        15 => Some(format!("{text}{}", check(text))),
        18 => {
            let (short, letters) = text.split_at(15);
            check(short)
                .eq_ignore_ascii_case(letters)
                .then(|| format!("{short}{}", check(short)))
        }
        _ => None,
    }
}

/// The 15-letter form.
pub(super) fn short(id: &str) -> &str {
    id.get(..15).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_id_gets_the_letters_that_the_vendor_gives_it() {
        assert_eq!(
            full("001A0000006Vm9r").as_deref(),
            Some("001A0000006Vm9rIAC")
        );
        assert_eq!(
            full("001A0000006Vm9rIAC").as_deref(),
            Some("001A0000006Vm9rIAC")
        );
        assert_eq!(full("001A0000006Vm9rIAA"), None);
        assert_eq!(full("no id"), None);
    }

    #[test]
    fn ids_rise_with_their_numbers_and_keep_their_prefix() {
        let (first, second) = (id("500", 61), id("500", 62));
        assert!(first.starts_with("500") && first.len() == 18 && first < second);
        assert_eq!(full(short(&first)), Some(first));
    }
}
