//! The verifying layer: verifies each response before other code sees it.
//!
//! Each 2xx response must have a valid signature, except for the paths in the table of
//! `proto/verify.rs`. Any other response may be unsigned, because gateways in front of the service
//! do not sign; if it has a signature, the signature must be valid. The signature of an APIv2
//! response is one of its fields.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Uri};
use tower::{Layer, Service};

use crate::clock::{self, now};
use crate::crypto::file_digest::{Algorithm, FileDigest};
use crate::error::{BoxError, Error, ErrorKind};
use crate::pipeline::call_config::CallConfig;
use crate::pipeline::http_service::ResponseFuture;
use crate::pipeline::response::{Response, ResponseInfo};
use crate::pipeline::sign::Credential;
use crate::pipeline::trace::{self, Part};
use crate::proto::diagnose;
use crate::proto::excerpt::one_line;
use crate::proto::verify::{self, Covers};
use crate::transport::BoxFuture;

/// Verifies the signatures of responses and notifications with platform keys that are stored
/// elsewhere. Pass it to [`ClientBuilder::verifier`](crate::ClientBuilder::verifier) instead of
/// platform keys. The client checks the headers and the timestamp before it calls the verifier.
///
/// Source: WeChat Pay, "签名验证".
///
/// ```
/// use wechatpay_chain::{BoxError, BoxFuture, Client, PublicKey, Verifier};
/// # use serde_json::json;
/// # use wechatpay_chain::sandbox::{PUBLIC_KEY_ID, Sandbox};
/// # struct KeyService(PublicKey);
/// # impl KeyService {
/// #     async fn fetch(&self, id: &str) -> Result<&PublicKey, BoxError> {
/// #         if id == PUBLIC_KEY_ID { Ok(&self.0) } else { Err("unknown".into()) }
/// #     }
/// # }
/// # let sandbox = Sandbox::start()?;
/// # let service = KeyService(sandbox.platform_key());
///
/// struct Remote(KeyService);
///
/// impl Verifier for Remote {
///     fn verify<'a>(
///         &'a self,
///         serial: &'a str,
///         message: &'a [u8],
///         signature: &'a [u8],
///     ) -> BoxFuture<'a, Result<(), BoxError>> {
///         Box::pin(async move {
///             let key = self.0.fetch(serial).await?;
///             let valid = key.verify(message, signature);
///             if valid { Ok(()) } else { Err("the signature is invalid".into()) }
///         })
///     }
/// }
///
/// let client = Client::builder()
///     .verifier(Remote(service))
///     .mchid("1900000109")
/// #   .serial(wechatpay_chain::sandbox::SERIAL).private_key(sandbox.merchant_key())
/// #   .base_uri(sandbox.base_uri()).no_proxy()
///     .build()?;
/// let message = json!({ "json": { "echo_message": "hello" } });
/// assert!(client.chain("v3/security/echo").post(message)?.is_verified());
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
pub trait Verifier: Send + Sync + 'static {
    /// Verifies that `signature` is a signature of `message` by the platform key with the ID
    /// `serial`. The signature is raw bytes, RSA PKCS#1 v1.5 with SHA-256. The message consists of
    /// the timestamp, nonce and body, each followed by a line feed. If the body was compressed with
    /// `Content-Encoding`, it is verified decoded, and then as received if that fails.
    ///
    /// Returns an error with the reason if the signature is invalid. The call then fails with
    /// [`ErrorKind::Verification`].
    fn verify<'a>(
        &'a self,
        serial: &'a str,
        message: &'a [u8],
        signature: &'a [u8],
    ) -> BoxFuture<'a, Result<(), BoxError>>;
}

/// The layer.
#[derive(Clone)]
pub(crate) struct VerifyLayer {
    /// Verifies APIv3.
    pub(crate) verifier: Arc<dyn Verifier>,
    /// Verifies APIv2, with the APIv2 key.
    pub(crate) credential: Arc<Credential>,
}

impl<S> Layer<S> for VerifyLayer {
    type Service = Verify<S>;

    fn layer(&self, inner: S) -> Verify<S> {
        Verify { layer: self.clone(), inner }
    }
}

/// The service of [`VerifyLayer`].
#[derive(Clone)]
pub(crate) struct Verify<S> {
    layer: VerifyLayer,
    inner: S,
}

impl<S> Service<http::Request<Bytes>> for Verify<S>
where
    S: Service<http::Request<Bytes>, Response = http::Response<Bytes>, Error = Error>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Bytes>;
    type Error = Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Bytes>) -> ResponseFuture {
        let layer = self.layer.clone();
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let config = request.extensions().get::<CallConfig>();
        let is_v2 = config.is_some_and(|config| config.signing.is_v2());
        let digest_is_known = config.is_some_and(|config| config.digest_is_known);
        let sending = self.inner.call(request);
        Box::pin(async move {
            let mut response = sending.await?;
            let verified = if is_v2 {
                layer.verify_v2(&uri, &response)
            } else if digest_is_known && response.status().is_success() {
                // The sink checks the digest.
                Ok(false)
            } else {
                layer.verify_v3(&method, &uri, &response).await
            };
            match verified {
                Ok(verified) => {
                    if let Some(info) = response.extensions_mut().get_mut::<ResponseInfo>() {
                        info.verified = verified;
                    }
                    Ok(response)
                }
                Err(reason) => Err(verification_error(&reason, response, if is_v2 { None } else { Some(uri.path()) })),
            }
        })
    }
}

impl VerifyLayer {
    /// Whether an APIv3 response has a valid signature. Fails if the response must have one and
    /// does not.
    async fn verify_v3(&self, method: &Method, uri: &Uri, response: &http::Response<Bytes>) -> Result<bool, String> {
        let success = response.status().is_success();
        let covers = if success { verify::covers(method, uri.path(), response.headers()) } else { Covers::Body };
        let required = success && covers != Covers::Nothing;
        if !required && !verify::is_signed(response.headers()) {
            return Ok(false);
        }
        let measure = trace::measure(Part::Verifying);
        let result = self.check_signature(response, covers).await;
        measure.end();
        match result {
            Ok(()) => Ok(true),
            // A refusal may be unsigned, but not signed by someone else.
            Err(reason) if required || !success => Err(reason.to_string()),
            Err(_) => Ok(false),
        }
    }

    /// Whether an APIv2 response has a valid signature.
    fn verify_v2(&self, uri: &Uri, response: &http::Response<Bytes>) -> Result<bool, String> {
        if ResponseInfo::is_delivered(response) {
            return Ok(false);
        }
        // The request was signed with this key, so the key is present.
        let credential = self.credential.apiv2().map_err(|error| error.to_string())?;
        if response.status().is_success() {
            credential.check(uri.path(), response.body())
        } else {
            // A refusal may be unsigned, but not signed with another key.
            credential.check_rejection(uri.path(), response.body())
        }
    }

    async fn check_signature(&self, response: &http::Response<Bytes>, covers: Covers) -> Result<(), BoxError> {
        let headers = response.headers();
        let signed = if covers == Covers::StatementSha1 {
            let (sha1, covered) = verify::statement(headers)?;
            // The digest of a body in a sink or stream is checked there.
            if !ResponseInfo::is_delivered(response) {
                let mut digest = FileDigest::new(Algorithm::Sha1, sha1);
                digest.update(response.body());
                digest.finish()?;
            }
            verify::check_headers(headers, covered.as_bytes(), now())?
        } else {
            let signed = verify::check_headers(headers, response.body(), now())?;
            let result = self.verifier.verify(signed.serial, &signed.message, &signed.signature).await;
            // The service may have signed the compressed body.
            let Some(received) = ResponseInfo::received(response).filter(|_| result.is_err()) else { return result };
            verify::check_headers(headers, received, now())?
        };
        self.verifier.verify(signed.serial, &signed.message, &signed.signature).await
    }
}

/// The hint for a body that was decoded. Neither form of it has a valid signature.
pub(super) const ENCODED: &str = "the body has the Content-Encoding gzip, so a gateway may have changed it";

/// The error for a response whose signature is missing or invalid. It contains the response. `path`
/// is that of an APIv3 call.
fn verification_error(reason: &str, response: http::Response<Bytes>, path: Option<&str>) -> Error {
    let clock = clock::offset(response.headers()).and_then(diagnose::clock);
    let path_hint = path.filter(|_| !verify::is_signed(response.headers())).and_then(|path| {
        if !diagnose::has_version(path) {
            Some(diagnose::MISSING_VERSION)
        } else if response.body().starts_with(b"<xml>") {
            Some("the body is XML, as of APIv2, whose paths begin with \"v2/\"")
        } else {
            None
        }
    });
    let encoding = ResponseInfo::received(&response).map(|_| ENCODED);
    let mut message = format!("the response is not trustworthy, because its signature is not valid: {reason}");
    for hint in path_hint.into_iter().chain(clock.as_deref()).chain(encoding) {
        message.extend(["; ", hint]);
    }
    if !response.status().is_success() {
        if let Some((code, text)) = refusal(response.body()) {
            message.push_str(&format!("; the untrusted response reports {code}: {text}"));
        }
    }
    Error::new(ErrorKind::Verification, message).with_response(Response::new(response))
}

/// The code and the message of a refusal in the format of WeChat Pay.
fn refusal(body: &[u8]) -> Option<(String, String)> {
    let json: serde_json::Value = serde_json::from_slice(body).ok()?;
    let field = |name, max| json.get(name)?.as_str().map(|text| one_line(text, max).into_owned());
    Some((field("code", 64)?, field("message", 500)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::response::BodyLocation;
    use crate::proto::base_uri::BaseUri;

    struct NeverCalled;

    impl Verifier for NeverCalled {
        fn verify<'a>(&'a self, _: &'a str, _: &'a [u8], _: &'a [u8]) -> BoxFuture<'a, Result<(), BoxError>> {
            Box::pin(std::future::ready(Err("not expected".into())))
        }
    }

    /// Only this layer decides whether a response is verified.
    #[test]
    fn a_mark_of_a_lower_layer_is_replaced() {
        let credential = Credential {
            mchid: "1900000109".to_owned(),
            signer: None,
            is_own_signer: false,
            apiv2: None,
            base_uri: BaseUri::official(),
            platform_key_id: None,
        };
        let layer = VerifyLayer { verifier: Arc::new(NeverCalled), credential: Arc::new(credential) };
        let mut service = layer.layer(tower::service_fn(|_: http::Request<Bytes>| {
            let mut response = http::Response::new(Bytes::from_static(b"forged"));
            let info = ResponseInfo { verified: true, ..ResponseInfo::new(BodyLocation::Collected) };
            response.extensions_mut().insert(info);
            std::future::ready(Ok::<_, Error>(response))
        }));
        let mut request = http::Request::new(Bytes::new());
        *request.uri_mut() = Uri::from_static("https://api.mch.weixin.qq.com/v3/billdownload/file");
        let response = crate::transport::runtime::park_on(service.call(request)).expect("no signature needed");
        assert!(!response.extensions().get::<ResponseInfo>().expect("info").verified);
    }
}
