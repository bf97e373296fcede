//! Sends the calls of APIv2 their own way: signed in the body or the query, and verified by the fields of the answer.
//!
//! A call is one of APIv2 when its path begins with `v2/`; all others pass on to signing and verification of APIv3.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tower::Service;

use super::verify::{Verified, untrusted};
use crate::crypto::random;
use crate::error::Error;
use crate::pipeline::call_config::{CallConfig, Delivered};
use crate::proto::base_uri::BaseUri;
use crate::proto::v2::{Credential, Unsigned};
use crate::transport::http_client::{Answer, Transport};

/// The layer.
#[derive(Clone)]
pub(crate) struct V2(pub(crate) Arc<Settings>);

/// What the calls of APIv2 need, shared by all of a client.
pub(crate) struct Settings {
    /// A client that makes no such call has no APIv2 key.
    pub(crate) credential: Option<Credential>,
    pub(crate) base: BaseUri,
}

impl Settings {
    /// The merchant's APIv2 key, or what to set.
    pub(crate) fn credential(&self) -> Result<&Credential, Error> {
        self.credential.as_ref().ok_or_else(missing)
    }
}

pub(crate) fn missing() -> Error {
    Error::config("the setting secret is missing: APIv2 (\"v2/...\") signs with the APIv2 key of the merchant platform")
}

impl V2 {
    /// Wraps what serves APIv3; calls of APIv2 go to the transport.
    pub(crate) fn layer<S>(self, v3: S, transport: Transport) -> V2Service<S> {
        V2Service { settings: self.0, v3, transport }
    }
}

#[derive(Clone)]
pub(crate) struct V2Service<S> {
    settings: Arc<Settings>,
    v3: S,
    transport: Transport,
}

impl<S> Service<http::Request<Bytes>> for V2Service<S>
where
    S: Service<http::Request<Bytes>, Response = http::Response<Bytes>, Error = Error, Future = Answer>,
{
    type Response = http::Response<Bytes>;
    type Error = Error;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // The transport is always ready.
        self.v3.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Bytes>) -> Answer {
        let Some(unsigned) = request.extensions_mut().remove::<Unsigned>() else { return self.v3.call(request) };
        let (settings, mut transport) = (Arc::clone(&self.settings), self.transport.clone());
        Box::pin(async move {
            let credential = settings.credential()?;
            let destination =
                request.extensions().get::<CallConfig>().and_then(|exchange| exchange.destination.as_ref());
            destination.unwrap_or(&settings.base).check(request.uri())?;
            credential.sign(&mut request, unsigned, &random::nonce()?)?;
            let path = request.uri().path().to_owned();
            let mut answer = transport.call(request).await?;
            answer.extensions_mut().remove::<Verified>();
            if answer.status().is_success() && answer.extensions().get::<Delivered>().is_none() {
                match credential.check(&path, answer.body()) {
                    Ok(true) => {
                        answer.extensions_mut().insert(Verified);
                    }
                    Ok(false) => {}
                    Err(said) => return Err(untrusted(&said, answer)),
                }
            }
            Ok(answer)
        })
    }
}
