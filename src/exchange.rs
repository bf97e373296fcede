//! What travels beside a request and its answer through the layers: how the one is sent, and where the other went.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::body::{BodyStream, Patience};
use crate::connect::Proxy;
use crate::layer::failover::Retry;
use crate::sink::OpenSink;

/// How one request is sent and what becomes of its answer; travels with the request through the layers.
#[derive(Clone, Default)]
pub(crate) struct Exchange {
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) patience: Patience,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) debug: bool,
    /// A call of APIv2, whose answers say where they failed in XML even where a file was asked for.
    #[cfg(feature = "v2")]
    pub(crate) v2: bool,
    /// Whether the client certificate is presented.
    #[cfg(feature = "v2")]
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
