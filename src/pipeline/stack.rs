//! The tower stack that each request passes through, from the outermost layer to the innermost:
//!
//! ```text
//! the caller's layers   see the request before it is signed and the response after it is verified,
//!                       so they may change the request and can trust the response
//! retry                 outside of signing, so that each attempt is signed anew, and inside of the
//!                       caller's layers, which see one call (with redirects, each request)
//! verify                directly around sign: no other code sees a response before it is verified
//! sign                  directly around HTTP: the body is final, and each attempt has a timestamp
//!                       and a nonce of its own
//! HTTP                  sends the signed bytes unchanged
//! ```

use std::sync::Arc;

use bytes::Bytes;
use tower::util::{BoxCloneSyncService, BoxCloneSyncServiceLayer};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

use crate::error::{BoxError, Error};
use crate::pipeline::http_service::HttpService;
use crate::pipeline::retry::RetryLayer;
use crate::pipeline::sign::SignLayer;
use crate::pipeline::verify::VerifyLayer;

/// The service that a [layer](crate::ClientBuilder::layer) wraps: requests and responses with
/// bodies in memory.
pub type BoxService = BoxCloneSyncService<http::Request<Bytes>, http::Response<Bytes>, Error>;

/// A custom layer.
pub(crate) type BoxLayer = BoxCloneSyncServiceLayer<BoxService, http::Request<Bytes>, http::Response<Bytes>, Error>;

/// Builds the stack.
pub(crate) fn stack(
    callers: &[BoxLayer],
    retry: RetryLayer,
    verify: VerifyLayer,
    sign: SignLayer,
    http: HttpService,
) -> BoxService {
    let own = ServiceBuilder::new().layer(retry).layer(verify).layer(sign).service(http);
    callers.iter().rev().fold(BoxService::new(own), |inner, layer| layer.layer(inner))
}

/// Builds the stack for the request that fetches the platform certificates. Its response is
/// verified with a certificate that is inside the response, so this stack does not verify.
pub(crate) fn stack_without_verification(retry: RetryLayer, sign: SignLayer, http: HttpService) -> BoxService {
    BoxService::new(ServiceBuilder::new().layer(retry).layer(sign).service(http))
}

/// Boxes a custom layer. An error of this crate passes through it unchanged; any other error
/// becomes the source of an [`ErrorKind::Layer`](crate::ErrorKind::Layer).
pub(crate) fn boxed_layer<L>(layer: L) -> BoxLayer
where
    L: Layer<BoxService> + Send + Sync + 'static,
    L::Service: Service<http::Request<Bytes>, Response = http::Response<Bytes>> + Clone + Send + Sync + 'static,
    <L::Service as Service<http::Request<Bytes>>>::Error: Into<BoxError>,
    <L::Service as Service<http::Request<Bytes>>>::Future: Send + 'static,
{
    let layer = Arc::new(layer);
    BoxCloneSyncServiceLayer::new(tower::layer::layer_fn(move |inner: BoxService| {
        layer.layer(inner).map_err(|error| match error.into().downcast::<Error>() {
            Ok(own) => *own,
            Err(other) => Error::layer(other),
        })
    }))
}
