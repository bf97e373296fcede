//! Per-call settings, carried through the layers in the extensions of the request.

use std::time::Duration;

use tokio::time::Instant;

use crate::proto::base_uri::BaseUri;
use crate::proto::request::SigningInput;
use crate::transport::http_client::HttpConfig;
use crate::transport::sink::OpenSink;
use crate::transport::slot::Slot;

/// How one request is sent and where its response goes. The only type in the extensions of a
/// request.
///
/// `base_uri` and the two time limits are filled in when the call is prepared. `retry` without a
/// value takes the client's setting in the retry layer.
#[derive(Clone)]
pub(crate) struct CallConfig {
    /// The base of the path, and the host that may receive the credential.
    pub(crate) base_uri: Option<BaseUri>,
    /// The time limit of the whole call; zero is no limit.
    pub(crate) timeout: Option<Duration>,
    /// The longest wait for the signer, for the head of the response, and between two pieces of its
    /// body; zero is no limit.
    pub(crate) read_timeout: Option<Duration>,
    /// The end of the call's time, known when the call begins.
    pub(crate) deadline: Option<Instant>,
    pub(crate) http: HttpConfig,
    pub(crate) retry: Option<Retry>,
    pub(crate) redirects: Redirects,
    /// Whether the body of a response is returned as a stream.
    pub(crate) stream: bool,
    /// Whether a response other than 2xx is an error.
    pub(crate) http_errors: bool,
    pub(crate) signing: SigningInput,
    /// The sink for the body of a 2xx response, if its signature does not cover the body. A
    /// response whose signature covers the body is collected first, because it must be verified
    /// first.
    pub(crate) sink: Option<Slot<OpenSink>>,
    /// Whether a digest in a verified response covers the body, so that its own signature is not
    /// needed.
    pub(crate) digest_is_known: bool,
}

impl CallConfig {
    /// The settings of a call without options.
    pub(crate) const DEFAULT: CallConfig = CallConfig {
        base_uri: None,
        timeout: None,
        read_timeout: None,
        deadline: None,
        http: HttpConfig { proxy: None, connect_timeout: None, client_certificate: false, debug: None, sends: None },
        retry: None,
        redirects: Redirects { left: 0, strict: false },
        stream: false,
        http_errors: true,
        signing: SigningInput::Body,
        sink: None,
        digest_is_known: false,
    };
}

/// The `allow_redirects` option.
#[derive(Clone, Copy, Default)]
pub(crate) struct Redirects {
    /// How many may still be followed.
    pub(crate) left: u8,
    /// Whether a 301 or 302 keeps the method of a request other than GET and HEAD.
    pub(crate) strict: bool,
}

/// The longest pause between attempts, unless the service asks for a longer one.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// The `retry` option: exponential backoff with jitter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Retry {
    /// The number of attempts after the first.
    pub(crate) times: u32,
    /// The pause before the first repetition.
    pub(crate) pause: Duration,
}

impl Retry {
    pub(crate) const DEFAULT_PAUSE: Duration = Duration::from_millis(500);
    pub(crate) const MAX_TIMES: u32 = 10;

    pub(crate) fn times(times: u32) -> Self {
        Retry { times: times.min(Retry::MAX_TIMES), pause: Retry::DEFAULT_PAUSE }
    }

    /// The pause before a repetition, counted from 0. Each pause is twice the one before. One half
    /// of it is fixed and the other is multiplied by `random / 255`, so that clients spread out.
    pub(crate) fn pause(self, repetition: u32, random: u8) -> Duration {
        let pause = self.pause.saturating_mul(1u32.checked_shl(repetition).unwrap_or(u32::MAX)).min(MAX_PAUSE);
        pause / 2 + pause / 2 * u32::from(random) / 255
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_within_bounds() {
        let retry = Retry::times(99);
        assert_eq!(retry.times, Retry::MAX_TIMES);
        let (shortest, longest) = (|number| retry.pause(number, 0), |number| retry.pause(number, 255));
        assert_eq!((shortest(0), longest(0)), (Duration::from_millis(250), Duration::from_millis(500)));
        assert_eq!((shortest(1), longest(1)), (Duration::from_millis(500), Duration::from_secs(1)));
        assert_eq!((shortest(40), longest(40)), (Duration::from_secs(5), MAX_PAUSE));
    }
}
