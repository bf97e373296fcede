//! The return type of the asynchronous verbs: a future, with the methods that code ported from PHP
//! needs.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::Error;
use crate::transport::BoxFuture;
use crate::transport::runtime;

/// A future of a [`Response`](crate::Response), or of what [`then`](Self::then) makes of it.
///
/// Like every future of Rust it does nothing until it is awaited or [waited](Promise::wait) for. It
/// runs on the tokio runtime that polls it, which must have its timer and I/O enabled
/// (`enable_all`, as `#[tokio::main]` does). Under another executor its network I/O runs on a
/// thread of its own. Dropping it cancels the call.
///
/// ```no_run
/// # async fn run(client: wechatpay_chain::Client) -> Result<(), wechatpay_chain::Error> {
/// let response = client.chain("v3/certificates").get_async(()).await?;
///
/// // As in PHP:
/// client.chain("v3/certificates").get_async(())
///     .then(|response| println!("{}", response.text()))
///     .otherwise(|error| eprintln!("{error}"))
///     .wait()?;
/// # Ok(()) }
/// ```
#[must_use = "a call does nothing until it is awaited or waited for"]
pub struct Promise<T> {
    future: BoxFuture<'static, Result<T, Error>>,
    /// Whether it was polled. Its connections then belong to that runtime, so `wait` must not move it
    /// to a pooled one.
    polled: bool,
}

impl<T: Send + 'static> Promise<T> {
    pub(crate) fn new(future: impl Future<Output = Result<T, Error>> + Send + 'static) -> Self {
        Promise { future: Box::pin(future), polled: false }
    }

    /// Maps the result of a successful call. An error is passed on.
    pub fn then<U: Send + 'static>(self, fulfilled: impl FnOnce(T) -> U + Send + 'static) -> Promise<U> {
        self.map(|result| async {
            let value = result?;
            runtime::run_callers_code(async { Ok(fulfilled(value)) }).await
        })
    }

    /// Maps the error of a failed call to a result. A success is passed on.
    pub fn otherwise(self, rejected: impl FnOnce(Error) -> T + Send + 'static) -> Promise<T> {
        self.map(|result| async {
            match result {
                Err(error) => runtime::run_callers_code(async { Ok(rejected(error)) }).await,
                success => success,
            }
        })
    }

    fn map<U, F>(self, next: impl FnOnce(Result<T, Error>) -> F + Send + 'static) -> Promise<U>
    where
        F: Future<Output = Result<U, Error>> + Send,
    {
        let Promise { future, polled } = self;
        Promise { future: Box::pin(async move { next(future.await).await }), polled }
    }

    /// Blocks this thread until the call is done. Works on any thread. Inside async code it blocks
    /// the thread of the runtime, so use `.await` there.
    ///
    /// # Errors
    /// The error of the call, unless [`otherwise`](Self::otherwise) mapped it.
    pub fn wait(self) -> Result<T, Error> {
        if self.polled { runtime::block_on_background(self) } else { runtime::block_on(self) }
    }
}

impl<T> Future for Promise<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.polled = true;
        runtime::poll(self.future.as_mut(), context)
    }
}

impl<T> fmt::Debug for Promise<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Promise")
    }
}
