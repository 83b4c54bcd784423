//! Times as Kustomer writes them (Kustomer facts §3): ISO 8601 in UTC with milliseconds, and with any offset in custom
//! attributes.

use chrono::{DateTime, SecondsFormat};
use transload_sdk::types::Moment;

/// Reads a time. `None` for what is no full date with time and offset, and for more than milliseconds can hold.
/// `Z` gives no offset, `+00:00` one of zero, so that both can be written again as they were.
pub fn parse(text: &str) -> Option<Moment> {
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    if time.timestamp_subsec_nanos() % 1_000_000 != 0 {
        return None;
    }
    let offset_minutes = match text.as_bytes().last() {
        Some(b'Z' | b'z') => None,
        _ => i16::try_from(time.offset().local_minus_utc() / 60).ok(),
    };
    Some(Moment {
        at: time.timestamp_millis(),
        offset_minutes,
    })
}

/// Milliseconds as Kustomer writes them; a search must be given full UTC times (Kustomer facts §8).
pub fn format(at: i64) -> String {
    DateTime::from_timestamp_millis(at)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_offset_and_what_does_not_fit_is_refused() {
        assert_eq!(
            parse("2026-10-21T14:02:11.925Z"),
            Some(Moment {
                at: 1_792_591_331_925,
                offset_minutes: None
            })
        );
        assert_eq!(
            parse("2016-11-06T13:54:29-05:00"),
            Some(Moment {
                at: 1_478_458_469_000,
                offset_minutes: Some(-300)
            })
        );
        assert_eq!(
            parse("2016-11-06T18:54:29+00:00").unwrap().offset_minutes,
            Some(0)
        );
        for odd in [
            "2016-11-06",
            "soon",
            "",
            "2016-11-06T18:54:29.1234567Z",
            "2016-13-06T18:54:29Z",
        ] {
            assert_eq!(parse(odd), None, "{odd}");
        }
        assert_eq!(format(1_792_591_331_925), "2026-10-21T14:02:11.925Z");
    }
}
