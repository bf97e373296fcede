//! A notification on its way to a `notify_url`: what it reports, and its delivery.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::string_enum::string_enum;
use crate::proto::url::web_host;

/// The pauses between the attempts in seconds, as the service documents them.
const PAUSES: [u64; 15] = [15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10_800, 10_800, 10_800, 21_600, 21_600];

/// A notification to send, as a handler returns it.
#[derive(Debug)]
pub(super) struct Notification {
    pub(super) notify_url: String,
    pub(super) message: Message,
}

impl Notification {
    pub(super) fn new(notify_url: &str, message: Message) -> Self {
        Notification { notify_url: notify_url.to_owned(), message }
    }
}

/// What a notification reports. It is encrypted and signed anew for each attempt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) event_type: String,
    /// The resource in plain text; in APIv2 the fields of the notification.
    pub(super) resource: Value,
    pub(super) format: Format,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(super) enum Format {
    V2,
    V3 {
        /// The type of the resource: `transaction`, `refund`, ...
        original_type: String,
    },
    /// As `V3`, but with a wrong signature, to see whether the merchant rejects it.
    Probe {
        original_type: String,
    },
}

impl Message {
    pub(super) fn v2(event_type: &str, fields: Value) -> Self {
        Message { event_type: event_type.to_owned(), resource: fields, format: Format::V2 }
    }

    pub(super) fn v3(event_type: &str, original_type: &str, resource: Value) -> Self {
        let format = Format::V3 { original_type: original_type.to_owned() };
        Message { event_type: event_type.to_owned(), resource, format }
    }

    /// A probe: a notification of a payment with a wrong signature.
    pub(super) fn probe() -> Self {
        let format = Format::Probe { original_type: "transaction".to_owned() };
        Message { event_type: "TRANSACTION.SUCCESS".to_owned(), resource: Value::Object(Default::default()), format }
    }

    fn is_probe(&self) -> bool {
        matches!(self.format, Format::Probe { .. })
    }
}

string_enum! {
    /// What became of a notification. The page shows these strings.
    DeliveryOutcome {
        Waiting = "waiting",
        Delivered = "delivered",
        /// No attempt succeeded.
        GivenUp = "given up",
        ProbeRefused = "refused, as it should be",
        ProbeAccepted = "accepted, and its signature was wrong: the merchant does not verify",
        ProbeUnanswered = "no response",
        NotSentBadUrl = "not sent: the notify_url is not a URL",
        NotSentElsewhere = "not sent: the notify_url is not on this machine (--notify-anywhere allows others)",
    }
}

/// The hosts that notifications may be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AllowedHosts {
    ThisMachine,
    Any,
}

impl AllowedHosts {
    /// Whether a notification may be sent to this URL.
    ///
    /// # Errors
    /// The outcome of a notification that is not sent.
    pub(super) fn check(self, url: &str) -> Result<(), DeliveryOutcome> {
        let host = web_host(url).map_err(|_| DeliveryOutcome::NotSentBadUrl)?;
        if is_loopback(host) || self == AllowedHosts::Any { Ok(()) } else { Err(DeliveryOutcome::NotSentElsewhere) }
    }
}

/// Whether a host name is one of this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    matches!(host, "127.0.0.1" | "localhost" | "[::1]")
}

/// A notification with its attempts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Delivery {
    pub(super) id: String,
    pub(super) url: String,
    pub(super) message: Message,
    /// The time of creation, in milliseconds since 1970.
    #[serde(default)]
    pub(super) created_at: u64,
    pub(super) attempts: Vec<Attempt>,
    /// When the next attempt is due, in milliseconds since 1970. `None` during an attempt and after
    /// the last one.
    pub(super) next_at: Option<u64>,
    pub(super) outcome: DeliveryOutcome,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Attempt {
    /// Milliseconds since 1970.
    pub(super) at: u64,
    /// The duration in milliseconds.
    #[serde(default)]
    pub(super) elapsed: Option<u64>,
    /// The status of the response, if there was one.
    pub(super) status: Option<u16>,
    /// The beginning of the response, or the error.
    pub(super) response: String,
    /// The injected fault.
    pub(super) fault: Option<String>,
    /// The number of the sealed notification that was sent. It is not persisted.
    #[serde(skip)]
    pub(super) sealed: Option<u64>,
}

impl Delivery {
    /// Adds an attempt and decides on the next one. `speed` divides the pauses.
    pub(super) fn record(&mut self, attempt: Attempt, accepted: bool, speed: f64) {
        let has_response = attempt.status.is_some();
        self.attempts.push(attempt);
        let outcome = if self.message.is_probe() {
            match (accepted, has_response) {
                (true, _) => DeliveryOutcome::ProbeAccepted,
                (false, true) => DeliveryOutcome::ProbeRefused,
                (false, false) => DeliveryOutcome::ProbeUnanswered,
            }
        } else if accepted {
            DeliveryOutcome::Delivered
        } else if let Some(pause) = PAUSES.get(self.attempts.len() - 1) {
            let pause = Duration::from_secs(*pause).div_f64(speed);
            self.next_at = Some(milliseconds() + u64::try_from(pause.as_millis()).unwrap_or(u64::MAX / 2));
            self.outcome = DeliveryOutcome::Waiting;
            return;
        } else {
            DeliveryOutcome::GivenUp
        };
        (self.next_at, self.outcome) = (None, outcome);
    }
}

/// The current time in milliseconds since 1970.
pub(super) fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
