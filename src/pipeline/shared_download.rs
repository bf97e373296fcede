//! Downloads of the platform certificates that several processes share through a store.
//!
//! One process claims the download, and the others wait for its response. They decrypt and verify
//! it as if they had received it from the service, so the store need not be trusted. Without the
//! store, each process downloads by itself.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::clock::Moment;
use crate::crypto::random;
use crate::proto::verify;
use crate::store::{Claim, Store};
use crate::transport::runtime;

/// How long one process may take to download. The others wait as long, and then download too.
const LEASE: Duration = Duration::from_secs(8);
/// How often a waiting process asks the store.
const POLL: Duration = Duration::from_millis(100);
/// How long the response is stored. Its signature is accepted for five minutes.
const RETENTION: Duration = Duration::from_secs(60);
/// The time limit for one operation of the store.
const TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) struct SharedDownload {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) key: String,
}

/// What a process that needs the certificates should do.
pub(super) enum Turn {
    /// Read the response that another process has received.
    Read(http::Response<Bytes>),
    /// Download. The token is that of the claim, if there is one.
    Download(Option<String>),
}

impl SharedDownload {
    /// Waits for the response of another process, or claims the download.
    pub(super) async fn turn(&self) -> Turn {
        let Ok(token) = random::nonce() else { return Turn::Download(None) };
        let started = Moment::now();
        while started.elapsed() < LEASE {
            let claim = std::pin::pin!(self.store.claim(&self.key, &token, LEASE));
            match runtime::timeout(TIMEOUT, claim).await {
                Some(Ok(Claim::Held)) => return Turn::Download(Some(token.clone())),
                Some(Ok(Claim::Done(stored))) => {
                    return read(&stored).map_or(Turn::Download(None), Turn::Read);
                }
                Some(Ok(Claim::Taken)) => runtime::sleep_until(tokio::time::Instant::now() + POLL).await,
                Some(Err(_)) | None => break,
            }
        }
        Turn::Download(None)
    }

    /// Stores a response for the processes that wait.
    pub(super) async fn publish(&self, response: &http::Response<Bytes>) {
        let Some(text) = write(response) else { return };
        let complete = std::pin::pin!(self.store.complete(&self.key, &text, RETENTION));
        // Without it, the others download after the lease.
        let _ = runtime::timeout(TIMEOUT, complete).await;
    }

    /// Lets another process download after a failure.
    pub(super) async fn give_up(&self, token: &str) {
        let release = std::pin::pin!(self.store.release(&self.key, token));
        let _ = runtime::timeout(TIMEOUT, release).await;
    }
}

/// The headers of the signature.
const HEADERS: [&str; 4] = [verify::SERIAL, verify::SIGNATURE, verify::TIMESTAMP, verify::NONCE];

/// The response as JSON text.
fn write(response: &http::Response<Bytes>) -> Option<String> {
    let mut headers = Map::new();
    for name in HEADERS {
        headers.insert(name.to_owned(), response.headers().get(name)?.to_str().ok()?.into());
    }
    let body = std::str::from_utf8(response.body()).ok()?;
    Some(json!({ "headers": headers, "body": body }).to_string())
}

fn read(stored: &str) -> Option<http::Response<Bytes>> {
    let stored: Value = serde_json::from_str(stored).ok()?;
    let mut response = http::Response::builder();
    for name in HEADERS {
        response = response.header(name, stored["headers"].get(name)?.as_str()?);
    }
    response.body(Bytes::from(stored.get("body")?.as_str()?.to_owned())).ok()
}
