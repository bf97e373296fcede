//! This machine's clock, for signing and verifying.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970; a clock before that counts as 0, and the service will say that it is wrong.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// A moment as RFC 3339 in a given zone: `2026-11-23T20:00:00+08:00`, `2026-11-23T12:00:00Z`.
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
