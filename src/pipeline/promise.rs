//! The return type of the asynchronous verbs: a future, with the methods that code ported from PHP
//! needs.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::Error;
use crate::transport::BoxFuture;
use crate::transport::runtime;

/// A future of a [`Response`](crate::Response) or another result, with methods named after those of
/// PHP promises.
///
/// Like every Rust future, it does nothing until you `.await` it or call [`wait`](Promise::wait).
/// It runs on the tokio runtime that polls it; the runtime's timer and I/O must be enabled
/// (`enable_all`, as with `#[tokio::main]`). Under another executor, its network I/O runs on a
/// background thread. Dropping the promise cancels the call.
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
    /// Whether `wait` may drive the call on a pooled runtime. It must not if the call runs custom
    /// code, or after a poll, because the connections belong to the runtime that polled it.
    poolable: bool,
}

impl<T: Send + 'static> Promise<T> {
    pub(crate) fn new(future: impl Future<Output = Result<T, Error>> + Send + 'static) -> Self {
        Promise { future: Box::pin(future), poolable: false }
    }

    /// Lets [`wait`](Self::wait) drive the call on a pooled runtime. Use this only for calls that
    /// run no custom code.
    pub(crate) fn poolable(self, poolable: bool) -> Self {
        Promise { poolable, ..self }
    }

    /// Maps the result of a successful call. Errors are passed on unchanged.
    pub fn then<U: Send + 'static>(self, fulfilled: impl FnOnce(T) -> U + Send + 'static) -> Promise<U> {
        Promise::new(async move { self.future.await.map(fulfilled) })
    }

    /// Maps the error of a failed call to a result. The result of a successful call is passed on
    /// unchanged.
    pub fn otherwise(self, rejected: impl FnOnce(Error) -> T + Send + 'static) -> Promise<T> {
        Promise::new(async move { Ok(self.future.await.unwrap_or_else(rejected)) })
    }

    /// Blocks this thread until the call has finished. This works on any thread. In async code, use
    /// `.await` instead, because `wait` blocks the runtime's thread.
    ///
    /// # Errors
    /// Fails with the error of the call, unless [`otherwise`](Self::otherwise) has mapped it to a
    /// result.
    pub fn wait(self) -> Result<T, Error> {
        if self.poolable { runtime::block_on(self.future) } else { runtime::block_on_background(self.future) }
    }
}

impl<T> Future for Promise<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.poolable = false;
        runtime::poll(self.future.as_mut(), context)
    }
}

impl<T> fmt::Debug for Promise<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Promise")
    }
}
