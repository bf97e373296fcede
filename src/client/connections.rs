//! Settings and methods about connections.

use std::time::Duration;

use crate::client::Client;
use crate::client::builder::{CONNECT_TIMEOUT, ClientBuilder};
use crate::error::Error;
use crate::pipeline::send::Promise;
use crate::transport::http_client::HttpClient;
use crate::transport::proxy::Proxy;

impl ClientBuilder {
    /// Keeps a connection ready for this long after each call, so that the next call needs one
    /// round trip. WeChat Pay closes a connection that was idle for 8 seconds; the client opens
    /// another one before that. It makes a TCP and a TLS handshake, and sends no HTTP request.
    /// After a failed attempt, no connection is opened until a call has succeeded.
    ///
    /// The default is 60 s after synchronous calls and after calls on a multi-threaded tokio
    /// runtime, and zero, which means never, after calls on other runtimes. [`Client::warm_up`]
    /// opens the connection of the first call.
    pub fn keep_warm(mut self, duration: Duration) -> Self {
        self.pool.keep_warm = Some(duration);
        self
    }

    /// Uses the connections of another client, for example of a client for another merchant.
    ///
    /// Many clients in one process then need only as many connections as there are concurrent
    /// calls, and share TLS sessions. Each call is still signed with the keys of its own client.
    /// Connections that present the client certificate of APIv2 are never shared.
    ///
    /// The connections have the settings `proxy`, `root_certificate`, `connect_timeout` and
    /// `keep_warm` of the other client. `build` fails if this client sets one of them to another
    /// value.
    ///
    /// ```
    /// # use wechatpay_chain::{Client, Error};
    /// # let secret = "0123456789abcdef0123456789abcdef";
    /// let first = Client::builder().mchid("1900000109").secret(secret).build()?;
    /// let second =
    ///     Client::builder().mchid("1900000110").secret(secret).share_connections(&first).build()?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn share_connections(mut self, client: &Client) -> Self {
        self.shared = Some(client.inner.http.clone());
        self
    }

    /// The connections of the other client, if this client shares them.
    pub(super) fn shared_connections(&mut self) -> Result<Option<HttpClient>, Error> {
        let Some(shared) = self.shared.take() else { return Ok(None) };
        let (connector, config) = shared.settings();
        let differs = [
            ("proxy", self.proxy != Proxy::default() && self.proxy != *connector.proxy()),
            ("root_certificate", !self.roots.is_empty() && self.roots != connector.roots()),
            ("connect_timeout", self.connect_timeout != CONNECT_TIMEOUT && self.connect_timeout != connector.timeout()),
            ("keep_warm", self.pool.keep_warm.is_some() && self.pool.keep_warm != config.keep_warm),
        ];
        match differs.into_iter().find(|(_, differs)| *differs) {
            Some((setting, _)) => Err(Error::config(format!(
                "the setting {setting} differs from that of the client whose connections are shared: set it only there"
            ))),
            None => Ok(Some(shared)),
        }
    }
}

/// Shortens the second in which idle times are measured, for tests.
pub fn with_second(mut settings: ClientBuilder, second: Duration) -> ClientBuilder {
    settings.pool.second = second;
    settings
}

impl Client {
    /// Opens a connection to `base_uri`, so that the first call needs one round trip. Does nothing
    /// if a connection is idle. Call it when the program starts; it sends no HTTP request.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Connect`](crate::ErrorKind::Connect) if the host cannot be reached.
    pub fn warm_up(&self) -> Result<(), Error> {
        self.warm_up_async().wait()
    }

    /// The asynchronous form of [`warm_up`](Self::warm_up).
    pub fn warm_up_async(&self) -> Promise<()> {
        let inner = std::sync::Arc::clone(&self.inner);
        Promise::new(async move { inner.http.warm_up(&inner.base_uri.join("", None)?).await })
    }
}
