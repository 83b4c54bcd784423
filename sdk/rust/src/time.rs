//! Times between platforms: RFC 3339 with its offset to milliseconds and back, and dates in a time zone.

use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};

use crate::types::Moment;

/// Reads RFC 3339: `2024-01-31T23:59:59.250+02:00`. A `Z` or an unknown offset (`-00:00`) gives no offset. `None` for what is
/// no full date with time and offset, for leap seconds, for offsets with seconds, and for what is finer than a millisecond and
/// so would not come back as it was: use [`parse_lossy`] and declare the loss.
pub fn parse(text: &str) -> Option<Moment> {
    let (moment, exact) = read(text)?;
    exact.then_some(moment)
}

/// As [`parse`], but cuts what is finer than a millisecond; says whether anything was cut.
pub fn parse_lossy(text: &str) -> Option<(Moment, bool)> {
    read(text).map(|(moment, exact)| (moment, !exact))
}

fn read(text: &str) -> Option<(Moment, bool)> {
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    let nanos = time.timestamp_subsec_nanos();
    if nanos >= 1_000_000_000 {
        return None;
    }
    let unknown = text.ends_with(['Z', 'z']) || text.ends_with("-00:00");
    let offset = time.offset().local_minus_utc();
    let offset_minutes = if unknown {
        None
    } else {
        Some(i16::try_from(offset / 60).ok()?)
    };
    // Before 1970 milliseconds count down; chrono floors, so that the parts always add up.
    let moment = Moment {
        at: time.timestamp_millis(),
        offset_minutes,
    };
    Some((moment, nanos.is_multiple_of(1_000_000)))
}

/// Writes RFC 3339 with the offset the moment has, else `Z`; milliseconds only where there are any. `None` beyond the year
/// 9999 or before 0, which RFC 3339 cannot write.
pub fn format(moment: &Moment) -> Option<String> {
    match moment.offset_minutes {
        None => format_utc(moment.at),
        Some(minutes) => {
            let offset = FixedOffset::east_opt(i32::from(minutes) * 60)?;
            write(utc(moment.at)?.with_timezone(&offset), false)
        }
    }
}

/// Writes milliseconds as RFC 3339 in UTC (`2024-01-31T21:59:59Z`); milliseconds only where there are any.
pub fn format_utc(at: i64) -> Option<String> {
    write(utc(at)?.fixed_offset(), true)
}

fn utc(at: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(at)
}

fn write(time: DateTime<FixedOffset>, z: bool) -> Option<String> {
    use chrono::Datelike;
    if !(0..=9999).contains(&time.year()) {
        return None;
    }
    let form = if time.timestamp_subsec_millis() == 0 {
        SecondsFormat::Secs
    } else {
        SecondsFormat::Millis
    };
    Some(time.to_rfc3339_opts(form, z))
}

/// The date (`YYYY-MM-DD`) of a moment in UTC.
pub fn date_utc(at: i64) -> Option<String> {
    Some(format_utc(at)?.get(..10)?.to_owned())
}

/// The date (`YYYY-MM-DD`) of a moment in a time zone by its IANA name ([`crate::Context::time_zone`]), for platforms that know
/// dates only (rule M-17). `None` for a name that is no time zone.
pub fn date_in(at: i64, zone: &str) -> Option<String> {
    date_utc(at.checked_add(i64::from(offset(at, zone)?) * 60_000)?)
}

/// Minutes ahead of UTC: of the host's tables in a component, of our own in native tests.
#[cfg(target_arch = "wasm32")]
fn offset(at: i64, zone: &str) -> Option<i32> {
    crate::bindings::common::transload::connector::runtime::utc_offset(at, zone)
}

#[cfg(not(target_arch = "wasm32"))]
fn offset(at: i64, zone: &str) -> Option<i32> {
    use chrono::Offset as _;
    let zone: chrono_tz::Tz = zone.parse().ok()?;
    let there = utc(at)?.with_timezone(&zone);
    Some(there.offset().fix().local_minus_utc() / 60)
}

/// The moment, moved into what a platform accepts; and whether it had to be moved, which is a loss to be declared.
pub fn clamp(at: i64, earliest: i64, latest: i64) -> (i64, bool) {
    let moved = at.min(latest).max(earliest);
    (moved, moved != at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn offsets_and_milliseconds_come_back_as_they_were_written() {
        for text in [
            "2024-01-31T23:59:59.250+02:00",
            "2024-01-31T23:59:59Z",
            "1969-12-31T23:59:59.999Z",
            "2024-02-29T00:00:00-09:30",
        ] {
            assert_eq!(format(&parse(text).unwrap()).unwrap(), text);
        }
    }

    #[test]
    fn what_would_be_lost_is_not_read_without_saying_so() {
        let text = "2024-01-31T23:59:59.2509Z";
        assert_eq!(parse(text), None);
        let (moment, cut) = parse_lossy(text).unwrap();
        assert!(cut);
        assert_eq!(format(&moment).unwrap(), "2024-01-31T23:59:59.250Z");
        for nothing in [
            "2024-01-31",
            "2024-01-31T23:59:59",
            "2016-12-31T23:59:60Z",
            "",
        ] {
            assert_eq!(parse(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn an_unknown_offset_is_no_offset() {
        assert_eq!(
            parse("2024-01-31T00:00:00-00:00").unwrap().offset_minutes,
            None
        );
        assert_eq!(
            parse("2024-01-31T00:00:00+00:00").unwrap().offset_minutes,
            Some(0)
        );
    }

    #[test]
    fn a_date_is_that_of_the_place() {
        let at = parse("2024-03-31T22:30:00Z").unwrap().at;
        assert_eq!(date_in(at, "Europe/Berlin").unwrap(), "2024-04-01");
        assert_eq!(date_in(at, "America/New_York").unwrap(), "2024-03-31");
        assert_eq!(date_in(at, "Mars/Base"), None);
    }

    proptest! {
        #[test]
        fn moments_survive_their_text(
            at in -60_000_000_000_000i64..253_000_000_000_000,
            offset in proptest::option::of(-840i16..=840),
        ) {
            let moment = Moment { at, offset_minutes: offset };
            let text = format(&moment).unwrap();
            prop_assert_eq!(parse(&text).unwrap(), moment);
        }
    }
}
