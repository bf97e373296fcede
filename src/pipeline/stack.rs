//! The stack that every request passes, outermost first, and why in this order:
//!
//! ```text
//! the caller's layers   see the request before it is signed and the answer after it was verified,
//!                       so they may change the one and must be able to trust the other
//! failover              outside of signing, so that each attempt is signed anew, and inside of the caller's layers, who see one call
//! v2                    calls of APIv2 leave here: signed and verified in their own way, then straight to the transport
//! verify                right outside of sign: nothing but this crate touches an answer before it is checked
//! sign                  innermost: the body is final, and each attempt has its own timestamp and nonce
//! transport             sends the signed bytes as they are
//! ```

use std::sync::Arc;

use bytes::Bytes;
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceExt};

use crate::error::{BoxError, Error};
use crate::pipeline::retry::RetryLayer;
use crate::pipeline::sign::Sign;
use crate::pipeline::v2;
use crate::pipeline::verify::Verify;
use crate::transport::http_client::Transport;

/// What a [layer](crate::ClientBuilder::layer) wraps: requests and answers with whole bodies.
pub type BoxService = BoxCloneSyncService<http::Request<Bytes>, http::Response<Bytes>, Error>;

pub(crate) type Wrap = Arc<dyn Fn(BoxService) -> BoxService + Send + Sync>;

/// The stack, from the outermost layer to the innermost.
pub(crate) fn stack(
    outer: &[Wrap],
    failover: RetryLayer,
    v2: v2::V2,
    verify: Verify,
    sign: Sign,
    transport: Transport,
) -> BoxService {
    let checked = v2.layer(verify.layer(sign.layer(transport.clone())), transport);
    let repeated = BoxService::new(failover.layer(checked));
    outer.iter().rev().fold(repeated, |inner, wrap| wrap(inner))
}

/// The stack for the one request whose answer cannot be verified by it: the platform's certificates, which bring the key.
pub(crate) fn unverified(failover: RetryLayer, sign: Sign, transport: Transport) -> BoxService {
    BoxService::new(failover.layer(sign.layer(transport)))
}

/// Makes a [`Wrap`] of a layer. Its error may be of any type: one of this crate passes through, another becomes its source.
pub(crate) fn wrap<L>(layer: L) -> Wrap
where
    L: Layer<BoxService> + Send + Sync + 'static,
    L::Service: Service<http::Request<Bytes>, Response = http::Response<Bytes>> + Clone + Send + Sync + 'static,
    <L::Service as Service<http::Request<Bytes>>>::Error: Into<BoxError>,
    <L::Service as Service<http::Request<Bytes>>>::Future: Send + 'static,
{
    Arc::new(move |inner| {
        let outer = layer.layer(inner).map_err(|error| match error.into().downcast::<Error>() {
            Ok(ours) => *ours,
            Err(other) => Error::layer(other),
        });
        BoxService::new(outer)
    })
}
