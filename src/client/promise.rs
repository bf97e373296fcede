//! What an asynchronous verb returns: a future, with the three methods that PHP code carried over needs.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::BoxFuture;
use crate::error::Error;
use crate::pipeline::trace;
use crate::transport::runtime;

/// A call under way, or about to be: a future of its [`Response`](crate::Response).
///
/// Like every future of Rust it does nothing until it is awaited or [waited](Promise::wait) for. It runs on the tokio runtime
/// it is awaited on, which must have its clock and its I/O enabled (`enable_all`, as `#[tokio::main]` does); under another
/// executor its network traffic runs on a thread of its own. Dropping it cancels the call.
///
/// ```no_run
/// # async fn run(client: wechatpay_chain::Client) -> Result<(), wechatpay_chain::Error> {
/// let response = client.chain("v3/certificates").get_async(()).await?;
///
/// // As PHP code has it:
/// client.chain("v3/certificates").get_async(())
///     .then(|response| println!("{}", response.text()))
///     .otherwise(|error| eprintln!("{error}"))
///     .wait()?;
/// # Ok(()) }
/// ```
#[must_use = "a call does nothing until it is awaited or waited for"]
pub struct Promise<T> {
    future: BoxFuture<'static, Result<T, Error>>,
    /// Whether no code of the caller's is in it.
    contained: bool,
}

impl<T: Send + 'static> Promise<T> {
    pub(crate) fn new(future: impl Future<Output = Result<T, Error>> + Send + 'static) -> Self {
        Promise { future: Box::pin(future), contained: false }
    }

    /// Says that no code of the caller's is in it, if so.
    pub(crate) fn contained(self, contained: bool) -> Self {
        Promise { contained, ..self }
    }

    /// Goes on with the result of a call that succeeded; an error passes by.
    pub fn then<U: Send + 'static>(self, fulfilled: impl FnOnce(T) -> U + Send + 'static) -> Promise<U> {
        Promise::new(async move { self.await.map(fulfilled) })
    }

    /// Goes on with the error of a call that failed, and makes a result of it; a success passes by.
    pub fn otherwise(self, rejected: impl FnOnce(Error) -> T + Send + 'static) -> Promise<T> {
        Promise::new(async move { Ok(self.await.unwrap_or_else(rejected)) })
    }

    /// Blocks this thread until the call is done. Works on any thread; inside async code it blocks that thread, so prefer
    /// `.await` there.
    ///
    /// # Errors
    /// The error of the call, unless [`otherwise`](Self::otherwise) took it.
    pub fn wait(self) -> Result<T, Error> {
        if self.contained && !trace::is_heard() { runtime::block_on_contained(self) } else { runtime::block_on(self) }
    }
}

impl<T> Future for Promise<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // What was begun on another runtime has connections there.
        self.contained = false;
        runtime::poll(self.future.as_mut(), context)
    }
}

impl<T> fmt::Debug for Promise<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Promise")
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn what_was_begun_elsewhere_is_not_driven_by_a_borrowed_runtime() {
        let mut promise = Promise::new(std::future::pending::<Result<(), Error>>()).contained(true);
        assert!(Pin::new(&mut promise).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(!promise.contained);
    }
}
