//! What the sandbox's handle and its server share: the state behind its lock, and the database.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::keys::Keys;
use super::refusal_log::RefusalLog;
use super::state::State;
use super::store::{PendingWrite, Store};
use super::stub;
use crate::error::{Error, ErrorKind};
use crate::pipeline::http_service::HttpService;
use crate::pipeline::send::Promise;
use crate::transport::runtime;

/// The maximum time that a method of the sandbox waits.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(10);

pub(super) struct SandboxInner {
    pub(super) keys: Arc<Keys>,
    state: Mutex<State>,
    store: Store,
    /// Sends notifications.
    pub(super) transport: HttpService,
    /// Other hosts than those of the service that the proxy connects to.
    pub(super) proxied_hosts: Vec<String>,
    /// Where refused signatures are explained.
    pub(super) refusal_log: Option<RefusalLog>,
    /// Whether a task of the server panicked.
    pub(super) panicked: AtomicBool,
}

impl SandboxInner {
    pub(super) fn new(state: State, store: Store, transport: HttpService, refusal_log: Option<RefusalLog>) -> Self {
        SandboxInner {
            keys: Arc::clone(&state.platform.keys),
            state: Mutex::new(state),
            store,
            transport,
            proxied_hosts: Vec::new(),
            refusal_log,
            panicked: AtomicBool::new(false),
        }
    }

    #[allow(clippy::panic, reason = "waiting for the lock would hang the test")]
    fn lock(&self) -> MutexGuard<'_, State> {
        if stub::is_responding() {
            panic!("the function of a stub called the sandbox, which waits for its response");
        }
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads from the state.
    pub(super) fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.lock())
    }

    /// Changes a part of the state that is not persisted.
    pub(super) fn change_unpersisted(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
    }

    /// Changes the state as one transaction, and begins to write the changed rows.
    ///
    /// The rows are passed to the store under the lock, so that they are written in the order of
    /// the transactions.
    pub(super) fn transact<T>(&self, change: impl FnOnce(&mut State) -> T) -> (T, PendingWrite) {
        let mut state = self.lock();
        let outcome = change(&mut state);
        let pending = self.store.write(state.take_changes());
        (outcome, pending)
    }

    /// Changes the state as one transaction, and waits until the changed rows are written.
    ///
    /// # Errors
    /// The errors of `change`; [`ErrorKind::Config`] if the rows cannot be written;
    /// [`ErrorKind::Timeout`] if they are not written in time.
    pub(super) fn transact_async<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut State) -> Result<T, Error> + Send + 'static,
    ) -> Promise<T> {
        let inner = Arc::clone(self);
        Promise::new(async move {
            let (outcome, pending) = inner.transact(change);
            let mut writing = std::pin::pin!(pending.written());
            match runtime::timeout(MAX_WAIT, writing.as_mut()).await {
                Some(true) => outcome,
                Some(false) => Err(Error::config("the sandbox's database cannot be written")),
                None => Err(Error::new(
                    ErrorKind::Timeout,
                    format!(
                        "the sandbox's database was not written within {MAX_WAIT:?}: is the disk of its folder slow or full?"
                    ),
                )),
            }
        })
    }
}
