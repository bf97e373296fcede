//! The system clock, and the formats of a time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Seconds since 1970, or 0 if the clock is set to an earlier time.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// A time of the clock that runs while the machine is suspended, and of the one that is never set.
#[derive(Clone, Copy)]
pub(crate) struct Moment(Instant, SystemTime);

impl Moment {
    pub(crate) fn now() -> Self {
        Moment(Instant::now(), SystemTime::now())
    }

    /// The time since then: the longer one of both clocks.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed().max(self.1.elapsed().unwrap_or_default())
    }
}

/// The `Date` header of a response minus the local time, in seconds; `None` without a valid header.
pub(crate) fn offset(headers: &http::HeaderMap) -> Option<i64> {
    let date = httpdate::parse_http_date(headers.get(http::header::DATE)?.to_str().ok()?).ok()?;
    let seconds = i64::try_from(date.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()?;
    seconds.checked_sub(now())
}

/// Seconds since 1970 as APIv2 writes a time, in China's time zone: `20261123200000`.
#[cfg(feature = "sandbox")]
pub(crate) fn china_digits(seconds: i64) -> String {
    let moment = china_time(seconds);
    let ((hour, minute, second), date) = (moment.to_hms(), moment.date());
    format!("{}{:02}{:02}{hour:02}{minute:02}{second:02}", date.year(), u8::from(date.month()), date.day())
}

/// The date of a time in seconds since 1970, in China's time zone: `2026-11-23`.
#[cfg(any(feature = "cli", feature = "sandbox"))]
pub(crate) fn china_date(seconds: i64) -> String {
    china_time(seconds).date().to_string()
}

#[cfg(any(feature = "cli", feature = "sandbox"))]
fn china_time(seconds: i64) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(seconds.saturating_add(8 * 3600))
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
}

/// A time as RFC 3339 in the given zone: `2026-11-23T20:00:00+08:00`, `2026-11-23T12:00:00Z`.
#[cfg(any(feature = "cli", feature = "sandbox"))]
pub(crate) fn rfc3339(moment: SystemTime, zone: time::UtcOffset) -> String {
    let moment = time::OffsetDateTime::from(moment).to_offset(zone);
    let (hour, minute, second) = moment.to_hms();
    let zone = match zone.as_hms() {
        (0, 0, _) => "Z".to_owned(),
        (hours, minutes, _) => format!("{hours:+03}:{minutes:02}"),
    };
    format!("{}T{hour:02}:{minute:02}:{second:02}{zone}", moment.date())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elapsed_is_the_longer_time_of_both_clocks() {
        let hour = Duration::from_secs(3600);
        let (instant, wall) = (Instant::now(), SystemTime::now());
        assert!(Moment(instant, wall - hour).elapsed() >= hour, "suspended");
        assert!(Moment(instant, wall + hour).elapsed() < hour, "set back");
        if let Some(earlier) = instant.checked_sub(hour) {
            assert!(Moment(earlier, wall + hour).elapsed() >= hour);
        }
    }
}
