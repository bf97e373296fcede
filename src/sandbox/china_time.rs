//! Times as APIv3 writes them: RFC 3339 in China's time zone.

use std::time::{Duration, SystemTime};

use time::UtcOffset;

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

/// The date of a time in seconds since 1970: `2026-11-23`.
pub(super) fn date_of_seconds(seconds: i64) -> String {
    format_seconds(seconds).split('T').next().unwrap_or_default().to_owned()
}
