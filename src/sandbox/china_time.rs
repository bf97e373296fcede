//! Times as APIv3 writes them: RFC 3339 in China's time zone.

use std::time::{Duration, SystemTime};

use time::{Date, Month, PrimitiveDateTime, Time, UtcOffset};

use crate::clock::rfc3339;

/// A time as the service writes it: `2026-11-23T20:00:00+08:00`.
pub(super) fn format(time: SystemTime) -> String {
    rfc3339(time, UtcOffset::from_hms(8, 0, 0).unwrap_or(UtcOffset::UTC))
}

/// Seconds since 1970 as the service writes a time.
pub(super) fn format_seconds(seconds: i64) -> String {
    format(SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
}

/// Seconds since 1970 as bills and APIv2 write a time: `2026-11-23 20:00:00`.
pub(super) fn format_plain(seconds: i64) -> String {
    format_seconds(seconds).replace('T', " ").replace("+08:00", "")
}

/// Seconds since 1970 of a time such as `2018-06-08T10:34:56+08:00`; `None` if there is no such
/// time.
pub(super) fn parse_rfc3339(text: &str) -> Option<i64> {
    const MOMENT: &str = "0000-00-00T00:00:00";
    let (moment, zone) = (text.get(..MOMENT.len())?, text.get(MOMENT.len()..)?);
    let offset = match zone {
        "Z" => 0,
        _ if has_form(zone, "+00:00") || has_form(zone, "-00:00") => {
            let (hours, minutes) = (number(zone, 1, 2)?, number(zone, 4, 2)?);
            let seconds = i64::from(hours) * 3600 + i64::from(minutes) * 60;
            if hours > 23 || minutes > 59 {
                return None;
            }
            if zone.starts_with('-') { -seconds } else { seconds }
        }
        _ => return None,
    };
    if !has_form(moment, MOMENT) {
        return None;
    }
    let digits: String = moment.chars().filter(char::is_ascii_digit).collect();
    Some(utc_seconds(&digits)? - offset)
}

/// Seconds since 1970 of a time of APIv2 such as `20180608103456`; `None` if there is no such time.
pub(super) fn parse_digits(text: &str) -> Option<i64> {
    Some(utc_seconds(text)? - 8 * 3600)
}

/// Seconds since 1970 at the beginning of a date such as `2019-06-11`; `None` if there is no such
/// date.
pub(super) fn parse_date(text: &str) -> Option<i64> {
    if !has_form(text, "0000-00-00") {
        return None;
    }
    parse_digits(&format!("{}000000", text.replace('-', "")))
}

/// Seconds since 1970 of 14 digits in UTC.
fn utc_seconds(text: &str) -> Option<i64> {
    if !has_form(text, "00000000000000") {
        return None;
    }
    let part = |at, length| number(text, at, length).and_then(|number| u8::try_from(number).ok());
    let year = i32::try_from(number(text, 0, 4)?).ok()?;
    let date = Date::from_calendar_date(year, Month::try_from(part(4, 2)?).ok()?, part(6, 2)?).ok()?;
    let time = Time::from_hms(part(8, 2)?, part(10, 2)?, part(12, 2)?).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp())
}

fn number(text: &str, at: usize, length: usize) -> Option<u32> {
    text.get(at..at + length)?.parse().ok()
}

/// Whether a text equals `form`, where each `0` stands for a digit.
pub(super) fn has_form(text: &str, form: &str) -> bool {
    text.len() == form.len()
        && text.bytes().zip(form.bytes()).all(|(byte, of)| if of == b'0' { byte.is_ascii_digit() } else { byte == of })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        let seconds = 1_528_425_296;
        assert_eq!(format_seconds(seconds), "2018-06-08T10:34:56+08:00");
        assert_eq!(parse_rfc3339("2018-06-08T10:34:56+08:00"), Some(seconds));
        assert_eq!(parse_rfc3339("2018-06-08T02:34:56Z"), Some(seconds));
        assert_eq!(parse_rfc3339("2018-06-07T21:04:56-05:30"), Some(seconds));
        assert_eq!(parse_digits("20180608103456"), Some(seconds));
        assert_eq!(parse_date("1970-01-02"), Some(16 * 3600));
        for text in [
            "2038-13-45T99:99:99+08:00",
            "2018-02-30T00:00:00+08:00",
            "2018-06-08T10:34:56",
            "2018-06-08T10:34:56+99:00",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
        assert_eq!(
            (parse_digits("2018060810345"), parse_digits("20181308103456"), parse_date("2019-02-29")),
            (None, None, None)
        );
    }
}
