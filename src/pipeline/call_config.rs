//! What travels beside a request and its answer through the layers: how the one is sent, and where the other went.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::proto::base_uri::BaseUri;
use crate::transport::body::{BodyStream, Deadlines};
use crate::transport::connect::Proxy;
use crate::transport::sink::OpenSink;

/// How one request is sent and what becomes of its answer; travels with the request through the layers.
#[derive(Clone, Default)]
pub(crate) struct CallConfig {
    /// Where the credential may go; where none is named, to the settings' `base_uri`.
    pub(crate) destination: Option<BaseUri>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) patience: Deadlines,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) debug: bool,
    /// A call of APIv2, whose answers say where they failed in XML even where a file was asked for.
    pub(crate) v2: bool,
    /// Whether the client certificate is presented.
    pub(crate) security: bool,
    pub(crate) delivery: Delivery,
    /// How often this call may be repeated, where it says so.
    pub(crate) retry: Option<Retry>,
}

/// Where the body of a 2xx answer goes, if its signature does not cover it. Any other is collected, since nobody may see it
/// before it is verified.
#[derive(Clone, Default)]
pub(crate) enum Delivery {
    #[default]
    Collect,
    Sink(Slot<OpenSink>),
    Stream,
}

/// A thing that can be taken out once, and can travel in the extensions of a request or an answer meanwhile.
pub(crate) struct Slot<T>(Arc<Mutex<Option<T>>>);

impl<T> Slot<T> {
    pub(crate) fn new(thing: T) -> Self {
        Slot(Arc::new(Mutex::new(Some(thing))))
    }

    fn lock(&self) -> MutexGuard<'_, Option<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn take(&self) -> Option<T> {
        self.lock().take()
    }

    pub(crate) fn put(&self, thing: T) {
        *self.lock() = Some(thing);
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Slot(Arc::clone(&self.0))
    }
}

/// Marks an answer whose body went elsewhere as it came: into the sink, or into this stream.
#[derive(Clone)]
pub(crate) enum Delivered {
    Sink,
    Stream(Slot<BodyStream>),
}

/// The longest pause of our own.
const MOST_PAUSE: Duration = Duration::from_secs(10);

/// How often a call is repeated, and after which pause; each pause is twice the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Retry {
    /// Besides the first attempt.
    pub(crate) times: u32,
    pub(crate) pause: Duration,
}

impl Retry {
    pub(crate) const PAUSE: Duration = Duration::from_millis(500);
    pub(crate) const MOST: u32 = 10;

    pub(crate) fn times(times: u32) -> Self {
        Retry { times: times.min(Retry::MOST), pause: Retry::PAUSE }
    }

    /// The pause before the repetition of that number, counted from 0, with `random` of 256 parts of it at random.
    pub(crate) fn pause(self, number: u32, random: u8) -> Duration {
        let pause = self.pause.saturating_mul(1u32.checked_shl(number).unwrap_or(u32::MAX)).min(MOST_PAUSE);
        // Half of it is certain, so that many clients do not come back at once and none comes back at once.
        pause / 2 + pause / 2 * u32::from(random) / 255
    }
}

/// What became of the attempts; on the answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempts {
    pub(crate) count: u32,
    pub(crate) by_backup: bool,
}

/// Why the service refused a signature, for the error.
#[derive(Clone)]
pub(crate) struct Hint(pub(crate) Arc<str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_within_bounds() {
        let retry = Retry::times(99);
        assert_eq!(retry.times, Retry::MOST);
        let (least, most) = (|number| retry.pause(number, 0), |number| retry.pause(number, 255));
        assert_eq!((least(0), most(0)), (Duration::from_millis(250), Duration::from_millis(500)));
        assert_eq!((least(1), most(1)), (Duration::from_millis(500), Duration::from_secs(1)));
        assert_eq!((least(40), most(40)), (Duration::from_secs(5), MOST_PAUSE));
    }
}
