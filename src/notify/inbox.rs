//! An inbox with leases: handles each notification once, in however many processes.
//!
//! [`Task::run`] is the protocol. It runs on the background runtime, so it does not end when the
//! service closes the connection and the server drops its request. The handler runs as a task on
//! the runtime of the caller.

use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::{Instrument, Span, warn};

use super::outcome::Outcome;
use crate::clock::Moment;
use crate::crypto::random;
use crate::error::BoxError;
use crate::store::{Claim, MemoryStore, Store};
use crate::transport::runtime::{self, Race, race};

/// The default lease. The service delivers again after 15, 15 and 30 seconds.
const LEASE: Duration = Duration::from_secs(30);
const MIN_LEASE: Duration = Duration::from_millis(100);
/// The default retention. The service delivers a notification for about 24 hours.
const RETENTION: Duration = Duration::from_secs(48 * 60 * 60);
/// The time limit of one operation of the store. The service waits five seconds for the response.
pub(super) const STORE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a response waits for the store to record the result of the handler.
const RECORD_WAIT: Duration = Duration::from_secs(1);
/// How long recording a success is retried.
const RECORD_LIMIT: Duration = Duration::from_secs(600);

/// The settings for handling each notification once: where claims are stored, and for how long.
///
/// ```
/// use std::time::Duration;
/// use wechatpay_chain::notify::Inbox;
/// use wechatpay_chain::store::MemoryStore;
///
/// let inbox = Inbox::new(MemoryStore::default()).lease(Duration::from_secs(20));
/// ```
///
/// A claim is a lease on the ID of a notification. It is renewed while the handler runs, and ends
/// by itself if the process dies. If it can no longer be renewed in time, the handler is dropped
/// before the lease ends, because another process may begin then.
#[derive(Clone)]
pub struct Inbox {
    store: Arc<dyn Store>,
    lease: Duration,
    retention: Duration,
    /// The keys whose success the store has not recorded yet. It may have forgotten their leases.
    recording: Arc<Mutex<HashSet<String>>>,
}

impl Inbox {
    /// Creates an inbox with a lease of 30 seconds and a retention of 48 hours.
    #[must_use]
    pub fn new(store: impl Store) -> Self {
        Inbox { store: Arc::new(store), lease: LEASE, retention: RETENTION, recording: Arc::default() }
    }

    /// Sets the duration of a lease, at least 100 ms. It is renewed after a third of it. After a
    /// process has died, its notifications can be claimed once their leases have ended. A store
    /// that is unavailable for longer than the lease ends the handlers that run.
    #[must_use]
    pub fn lease(self, lease: Duration) -> Self {
        Inbox { lease: lease.max(MIN_LEASE), ..self }
    }

    /// Sets how long the store remembers a notification that was handled. WeChat Pay delivers a
    /// notification for about 24 hours.
    #[must_use]
    pub fn retention(self, retention: Duration) -> Self {
        Inbox { retention, ..self }
    }

    fn recording(&self) -> MutexGuard<'_, HashSet<String>> {
        self.recording.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims the key, runs the handler, and records its result.
    ///
    /// Dropping this future does not end the handler.
    pub(super) async fn handle<F>(&self, key: String, handler: impl FnOnce() -> F + Send + 'static) -> Outcome
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        let (response, receiver) = oneshot::channel();
        let task = Task { inbox: self.clone(), key, response: Some(response) };
        let (runtime, span) = (Handle::try_current().ok(), Span::current());
        let run = task.run(move || Work::start(handler, runtime, span));
        match runtime::spawn_on_background(run) {
            Ok(()) => receiver.await.unwrap_or_else(|_| Outcome::StoreUnavailable("the task ended early".into())),
            Err(error) => Outcome::StoreUnavailable(error.into()),
        }
    }
}

/// With a [`MemoryStore`].
impl Default for Inbox {
    fn default() -> Self {
        Inbox::new(MemoryStore::default())
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("lease", &self.lease).field("retention", &self.retention).finish_non_exhaustive()
    }
}

/// One delivery of a notification.
struct Task {
    inbox: Inbox,
    key: String,
    response: Option<oneshot::Sender<Outcome>>,
}

/// The reason to stop waiting for the handler.
enum Ended {
    Returned(Result<(), Failure>),
    /// The lease is lost, or cannot be renewed in time.
    LeaseLost(Option<Claim>),
}

impl Task {
    async fn run(mut self, start: impl FnOnce() -> Result<Work, BoxError>) {
        if self.inbox.recording().contains(&self.key) {
            return self.respond(Outcome::Repeated);
        }
        let token = match random::nonce() {
            Ok(token) => token,
            Err(error) => return self.respond(Outcome::StoreUnavailable(error.into())),
        };
        // The lease is measured from before the claim is sent, so it ends here before it ends in
        // the store.
        let sent = Moment::now();
        match self.claim(&token, STORE_TIMEOUT).await {
            Ok(Claim::Held) if self.is_usable(sent) => {}
            Ok(Claim::Done(_)) => return self.respond(Outcome::Repeated),
            Ok(Claim::Taken) => return self.respond(Outcome::InProgress),
            Ok(Claim::Held) => {
                self.respond(Outcome::StoreUnavailable("the claim took longer than its lease".into()));
                return self.release(&token).await;
            }
            Err(error) => {
                self.respond(Outcome::StoreUnavailable(error));
                // The store may have executed the claim.
                return self.release(&token).await;
            }
        }
        let mut work = match start() {
            Ok(work) => work,
            Err(error) => {
                self.respond(Outcome::StoreUnavailable(error));
                return self.release(&token).await;
            }
        };
        let returned = match self.renew_until_returned(&token, sent, &mut work).await {
            Ended::Returned(returned) => returned,
            Ended::LeaseLost(claim) => {
                work.cancel();
                let is_done = matches!(claim, Some(Claim::Done(_)));
                self.respond(if is_done { Outcome::Repeated } else { Outcome::LeaseLost });
                work.returned().await
            }
        };
        match returned {
            Ok(()) => self.record().await,
            // The outcome of what the handler waited for is unknown, such as a transaction that was
            // being committed, so the next claim waits for the end of the lease.
            Err(Failure::Dropped) => self.respond(Outcome::Dropped),
            Err(failure) => {
                let release = self.release(&token);
                let _ = runtime::timeout(RECORD_WAIT, pin!(release)).await;
                self.respond(match failure {
                    Failure::Returned(error) => Outcome::Failed(error),
                    _ => Outcome::Panicked,
                });
            }
        }
    }

    /// Renews the lease until the handler returns or the lease is lost.
    async fn renew_until_returned(&self, token: &str, claimed: Moment, work: &mut Work) -> Ended {
        let lease = self.inbox.lease;
        let (mut granted, mut pause) = (claimed, lease / 3);
        loop {
            if let Some(returned) = runtime::timeout(pause, pin!(work.returned())).await {
                return Ended::Returned(returned);
            }
            if !self.is_usable(granted) {
                return Ended::LeaseLost(None);
            }
            let sent = Moment::now();
            let limit = (lease / 10 * 9).saturating_sub(granted.elapsed()).min(STORE_TIMEOUT);
            match race(work.returned(), self.claim(token, limit)).await {
                Race::First(returned) => return Ended::Returned(returned),
                Race::Second(Ok(Claim::Held)) => (granted, pause) = (sent, lease / 3),
                Race::Second(Ok(claim)) => return Ended::LeaseLost(Some(claim)),
                Race::Second(Err(_)) => pause = lease / 20,
            }
        }
    }

    /// Whether a lease granted then is certain to last for a while. A tenth of it is left for the
    /// handler to end, and for clocks that run at different rates.
    fn is_usable(&self, granted: Moment) -> bool {
        granted.elapsed() < self.inbox.lease / 10 * 9
    }

    /// Records a success, until the store has confirmed it.
    async fn record(&mut self) {
        let (inbox, key) = (self.inbox.clone(), self.key.clone());
        inbox.recording().insert(key.clone());
        let mut recording = pin!(async move {
            let (started, mut pause) = (Moment::now(), Duration::from_millis(50));
            loop {
                let complete = pin!(inbox.store.complete(&key, "", inbox.retention));
                let error = match runtime::timeout(STORE_TIMEOUT, complete).await {
                    Some(Ok(())) => break,
                    Some(Err(error)) => error,
                    None => not_in_time(),
                };
                if started.elapsed() > RECORD_LIMIT {
                    warn!(%key, %error, "a notification was handled, and the store did not record it");
                    break;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(STORE_TIMEOUT);
            }
            inbox.recording().remove(&key);
        });
        // The response does not wait for a store that is unavailable: the handler has succeeded.
        let recorded = runtime::timeout(RECORD_WAIT, recording.as_mut()).await;
        self.respond(Outcome::Success);
        if recorded.is_none() {
            recording.await;
        }
    }

    async fn claim(&self, token: &str, limit: Duration) -> Result<Claim, BoxError> {
        let claim = pin!(self.inbox.store.claim(&self.key, token, self.inbox.lease));
        runtime::timeout(limit, claim).await.unwrap_or_else(|| Err(not_in_time()))
    }

    /// Gives up the claim. If that fails, the lease ends by itself.
    async fn release(&self, token: &str) {
        let release = pin!(self.inbox.store.release(&self.key, token));
        let _ = runtime::timeout(STORE_TIMEOUT, release).await;
    }

    /// Sends the first outcome. Later ones have no effect.
    fn respond(&mut self, outcome: Outcome) {
        if let Some(response) = self.response.take() {
            let _ = response.send(outcome);
        }
    }
}

fn not_in_time() -> BoxError {
    "the store did not respond in time".into()
}

/// A handler that runs.
struct Work {
    returned: oneshot::Receiver<Result<(), Failure>>,
    cancel: Option<oneshot::Sender<()>>,
}

enum Failure {
    Returned(BoxError),
    Panicked,
    /// The handler was dropped before it returned, by [`Work::cancel`] or with its runtime.
    Dropped,
}

impl Work {
    /// Starts the handler on its runtime, or on a thread of its own.
    fn start<F>(
        handler: impl FnOnce() -> F + Send + 'static,
        runtime: Option<Handle>,
        span: Span,
    ) -> Result<Self, BoxError>
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        let (report, returned) = oneshot::channel();
        let (cancel, cancelled) = oneshot::channel();
        let mut report = Report(Some(report));
        let run = async move {
            let handler = async move { handler().await };
            // A dropped sender cancels, too, because the lease is then no longer renewed.
            let cancelled = async move { drop(cancelled.await) };
            report.send(match race(cancelled, handler).await {
                Race::First(()) => Err(Failure::Dropped),
                Race::Second(result) => result.map_err(Failure::Returned),
            });
        };
        let run = run.instrument(span);
        match runtime {
            Some(runtime) => drop(runtime.spawn(run)),
            None => drop(runtime::spawn(run)?),
        }
        Ok(Work { returned, cancel: Some(cancel) })
    }

    /// Drops the handler where it waits. It may return before that.
    fn cancel(&mut self) {
        if let Some(cancel) = self.cancel.take() {
            let _ = cancel.send(());
        }
    }

    async fn returned(&mut self) -> Result<(), Failure> {
        (&mut self.returned).await.unwrap_or(Err(Failure::Dropped))
    }
}

/// Reports the end of a handler, also if it panics or is dropped.
struct Report(Option<oneshot::Sender<Result<(), Failure>>>);

impl Report {
    fn send(&mut self, result: Result<(), Failure>) {
        if let Some(sender) = self.0.take() {
            let _ = sender.send(result);
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let failure = if std::thread::panicking() { Failure::Panicked } else { Failure::Dropped };
        self.send(Err(failure));
    }
}
