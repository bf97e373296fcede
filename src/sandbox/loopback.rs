//! Requests that the sandbox's own process sends to this machine: control calls of `wxpay sandbox`,
//! and notifications that a test sends itself.

use bytes::Bytes;
use http::{Request, Response, Uri};
use tower::ServiceExt;

use super::delivery::is_loopback;
use crate::error::Error;
use crate::pipeline::call_config::CallConfig;
use crate::pipeline::http_service::HttpService;
use crate::proto::url::web_host;
use crate::transport::connect::Connector;
use crate::transport::http_client::HttpClient;
use crate::transport::pool::PoolConfig;
use crate::transport::proxy::Proxy;

/// Makes a control call to a running sandbox: by GET, or by POST with `body` if it is not null.
#[cfg(feature = "cli")]
pub(crate) fn control_call(url: &str, body: &serde_json::Value) -> Result<(http::StatusCode, Bytes), Error> {
    let mut request = Request::new(Bytes::new());
    if !body.is_null() {
        *request.method_mut() = http::Method::POST;
        *request.body_mut() = body.to_string().into();
        let json = http::HeaderValue::from_static("application/json");
        request.headers_mut().insert(http::header::CONTENT_TYPE, json);
    }
    let response = crate::transport::runtime::block_on(send(url, request)?)?;
    Ok((response.status(), response.into_body()))
}

/// Returns a future that sends a request to a URL of this machine.
pub(super) fn send(
    url: &str,
    mut request: Request<Bytes>,
) -> Result<impl Future<Output = Result<Response<Bytes>, Error>> + Send + use<>, Error> {
    let host = web_host(url).map_err(|reason| Error::options(format!("the notify_url is not valid: {reason}")))?;
    if !is_loopback(host) {
        return Err(Error::options(format!(
            "the notify_url {url:?} is not on this machine, and the sandbox sends to no other machine"
        )));
    }
    let uri: Uri = url
        .parse()
        .map_err(|source: http::uri::InvalidUri| Error::options("the notify_url is not a URL").with_source(source))?;
    *request.uri_mut() = uri;
    request.extensions_mut().insert(CallConfig::DEFAULT);
    let connector = Connector::new(&Proxy::Off, &[], std::time::Duration::from_secs(5))?;
    Ok(HttpService::new(HttpClient::new(connector, PoolConfig::OFF)).oneshot(request))
}
