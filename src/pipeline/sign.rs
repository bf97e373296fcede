//! The signing layer: signs each attempt with a new timestamp and nonce.
//!
//! APIv3 requests get the `Authorization` header, and APIv2 requests the fields `nonce_str` and
//! `sign`.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderValue};
use tokio::runtime::Handle;
use tower::{Layer, Service};

use crate::clock::{self, now};
use crate::crypto::{PrivateKey, random};
use crate::error::{BoxError, Error, ErrorKind};
use crate::pipeline::call_config::CallConfig;
use crate::pipeline::http_service::ResponseFuture;
use crate::pipeline::response::ResponseInfo;
use crate::pipeline::trace::{self, Part};
use crate::proto::base_uri::BaseUri;
use crate::proto::request::SigningInput;
use crate::proto::signing_string::{self, Authorization};
use crate::proto::verify::SERIAL;
use crate::proto::{diagnose, v2};
use crate::transport::BoxFuture;
use crate::transport::runtime;

/// Signs requests with a private key outside of this process, such as the key of a signing service
/// or an HSM. Pass it to [`ClientBuilder::signer`](crate::ClientBuilder::signer) instead of a
/// private key.
///
/// Source: WeChat Pay, "签名生成".
///
/// ```
/// use wechatpay_chain::{BoxError, BoxFuture, Client, Signature, Signer};
/// # use serde_json::json;
/// # use wechatpay_chain::sandbox::{PUBLIC_KEY_ID, SERIAL, Sandbox};
/// # type SigningService = wechatpay_chain::PrivateKey;
/// # let sandbox = Sandbox::start()?;
/// # let service = sandbox.merchant_key();
///
/// struct Remote(SigningService);
///
/// impl Signer for Remote {
///     fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Signature, BoxError>> {
///         Box::pin(async move {
///             let bytes = self.0.sign(message)?; // the call to the service, with .await
///             Ok(Signature::new(SERIAL, bytes))
///         })
///     }
/// }
///
/// let client = Client::builder()
///     .mchid("1900000109")
///     .signer(Remote(service))
///     .platform_key(PUBLIC_KEY_ID, sandbox.platform_key())
/// #   .base_uri(sandbox.base_uri()).no_proxy()
///     .build()?;
/// client.chain("v3/security/echo").post(json!({ "json": { "echo_message": "hello" } }))?;
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
pub trait Signer: Send + Sync + 'static {
    /// Signs `message` with RSA PKCS#1 v1.5 and SHA-256. The message consists of the method,
    /// target, timestamp, nonce and body, each followed by a line feed.
    ///
    /// If this method returns an error, the request is not sent. The call fails with
    /// [`ErrorKind::Sign`], whose source is this error.
    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Signature, BoxError>>;
}

/// A signature, and the serial number of the merchant certificate of the key that created it.
#[derive(Clone)]
pub struct Signature {
    serial: Arc<str>,
    bytes: Vec<u8>,
}

impl Signature {
    /// Creates a signature. `serial` is the serial number of the merchant certificate as
    /// hexadecimal digits. `bytes` is the raw signature, not base64.
    pub fn new(serial: impl Into<Arc<str>>, bytes: Vec<u8>) -> Self {
        Signature { serial: serial.into(), bytes }
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signature").field("serial", &self.serial).finish_non_exhaustive()
    }
}

/// The signer with the merchant's private key.
pub(crate) struct LocalSigner {
    pub(crate) serial: Arc<str>,
    pub(crate) key: PrivateKey,
}

impl Signer for LocalSigner {
    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Signature, BoxError>> {
        Box::pin(async move { Ok(Signature::new(Arc::clone(&self.serial), self.key.sign(message)?)) })
    }
}

/// Whether a text can be the ID of a merchant: letters and digits.
pub(crate) fn is_merchant_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The merchant's credentials, shared by all calls of a client.
pub(crate) struct Credential {
    pub(crate) mchid: String,
    /// Signs APIv3 calls. Absent if the client can only call APIv2.
    pub(crate) signer: Option<Arc<dyn Signer>>,
    /// Whether the signer is the caller's own.
    pub(crate) is_own_signer: bool,
    /// Signs APIv2 calls. Absent if the client has no APIv2 key.
    pub(crate) apiv2: Option<v2::Apiv2Credential>,
    pub(crate) base_uri: BaseUri,
    /// In public-key mode, the ID of the platform's public key, which makes the service sign with
    /// that key.
    pub(crate) platform_key_id: Option<HeaderValue>,
}

/// The layer.
#[derive(Clone)]
pub(crate) struct SignLayer(pub(crate) Arc<Credential>);

impl<S> Layer<S> for SignLayer {
    type Service = Sign<S>;

    fn layer(&self, inner: S) -> Sign<S> {
        Sign { credential: Arc::clone(&self.0), inner }
    }
}

/// The service of [`SignLayer`].
#[derive(Clone)]
pub(crate) struct Sign<S> {
    credential: Arc<Credential>,
    inner: S,
}

impl<S> Service<http::Request<Bytes>> for Sign<S>
where
    S: Service<http::Request<Bytes>, Response = http::Response<Bytes>, Error = Error> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = http::Response<Bytes>;
    type Error = Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Bytes>) -> ResponseFuture {
        let credential = Arc::clone(&self.credential);
        // The service that is ready is the one to call; its clone takes its place.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let measure = trace::measure(Part::Signing);
            let signed = credential.sign_request(&mut request).await?;
            measure.end();
            let uri = request.uri().clone();
            let mut response = inner.call(request).await?;
            let hint = match (response.status(), signed) {
                (StatusCode::UNAUTHORIZED, Some(signed)) => refusal_hint(&response, &signed, credential.is_own_signer),
                (StatusCode::NOT_FOUND, Some(_)) if !diagnose::has_version(uri.path()) => {
                    Some(diagnose::MISSING_VERSION.into())
                }
                _ => None,
            };
            if let (Some(hint), Some(info)) = (hint, response.extensions_mut().get_mut::<ResponseInfo>()) {
                info.hint = Some(hint);
            }
            Ok(response)
        })
    }
}

/// Explains why the service refused the signature of a request.
fn refusal_hint(response: &http::Response<Bytes>, signed: &[u8], is_own_signer: bool) -> Option<Arc<str>> {
    let body: serde_json::Value = serde_json::from_slice(response.body()).ok()?;
    let hint = diagnose::refusal(signed, is_own_signer, body.get("detail")?, clock::offset(response.headers()))?;
    Some(hint.into())
}

impl Credential {
    /// Signs a request. Returns the signed message of APIv3.
    async fn sign_request(&self, request: &mut http::Request<Bytes>) -> Result<Option<Vec<u8>>, Error> {
        let nonce = random::nonce()?;
        let config = request.extensions().get::<CallConfig>();
        let base_uri = config.and_then(|config| config.base_uri.clone());
        let base_uri = base_uri.as_ref().unwrap_or(&self.base_uri);
        let (signing, read_timeout) = match config {
            Some(config) => (config.signing.clone(), config.read_timeout.unwrap_or_default()),
            None => (SigningInput::Body, std::time::Duration::ZERO),
        };
        let meta = match signing {
            SigningInput::Fields(unsigned) => {
                let credential = self.apiv2()?;
                base_uri.check(request.uri())?;
                credential.sign(request, *unsigned, &nonce)?;
                return Ok(None);
            }
            SigningInput::Meta(meta) => Some(meta),
            SigningInput::Body => None,
        };
        let authorizing = std::pin::pin!(self.authorize(request, meta.as_ref(), base_uri, now(), &nonce));
        // If a layer moved the call to a thread without a runtime, there is no timer, and the HTTP
        // service returns the error.
        if read_timeout.is_zero() || Handle::try_current().is_err() {
            return authorizing.await.map(Some);
        }
        let signed = runtime::timeout(read_timeout, authorizing).await.ok_or_else(|| {
            let message = format!("the signer did not respond within {read_timeout:?}; nothing was sent");
            Error::new(ErrorKind::Sign, message).timed_out()
        })?;
        signed.map(Some)
    }

    /// The APIv2 key. Its absence is an error that names the setting.
    pub(crate) fn apiv2(&self) -> Result<&v2::Apiv2Credential, Error> {
        self.apiv2.as_ref().ok_or_else(|| {
            Error::config(
                "the setting secret is missing: APIv2 (\"v2/...\") signs with the APIv2 key of the merchant platform",
            )
        })
    }

    /// Checks the host, signs the request, and adds `Authorization` and `Wechatpay-Serial`. `meta`
    /// is signed instead of the body; `timestamp` is in seconds since 1970. Returns the signed
    /// message.
    pub(crate) async fn authorize(
        &self,
        request: &mut http::Request<Bytes>,
        meta: Option<&Bytes>,
        base_uri: &BaseUri,
        timestamp: i64,
        nonce: &str,
    ) -> Result<Vec<u8>, Error> {
        base_uri.check(request.uri())?;
        if let Some(id) = &self.platform_key_id {
            request.headers_mut().entry(SERIAL).or_insert_with(|| id.clone());
        }
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let body = meta.unwrap_or(request.body());
        let message = signing_string::request(request.method().as_str(), target, timestamp, nonce, body);
        let (serial, signature) = self.sign_base64(&message).await?;
        let header = Authorization { mchid: &self.mchid, serial: &serial, timestamp, nonce, signature: &signature };
        let mut value = HeaderValue::try_from(header.header_value()).map_err(|_| {
            Error::new(ErrorKind::Sign, "the serial number of the signer has characters that are not valid in a header")
        })?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
        Ok(message)
    }

    /// Signs a message. Returns the serial number of the certificate, and the signature in base64.
    pub(crate) async fn sign_base64(&self, message: &[u8]) -> Result<(Arc<str>, String), Error> {
        let signer = self.signer.as_ref().ok_or_else(|| {
            Error::config("the settings private_key and serial are missing: APIv3 signs with them, and without them only APIv2 can be called")
        })?;
        let signature = signer.sign(message).await.map_err(|source| {
            Error::new(ErrorKind::Sign, format!("the signer failed: {source}")).with_source(source)
        })?;
        Ok((signature.serial, BASE64_STANDARD.encode(&signature.bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct OneByte;

    impl Signer for OneByte {
        fn sign<'a>(&'a self, _: &'a [u8]) -> BoxFuture<'a, Result<Signature, BoxError>> {
            Box::pin(std::future::ready(Ok(Signature::new("S", vec![1]))))
        }
    }

    /// Layers and logs show the value of a header that is not sensitive.
    #[test]
    fn authorization_is_sensitive() {
        let base_uri = BaseUri::official();
        let credential = Credential {
            mchid: "1900000109".to_owned(),
            signer: Some(Arc::new(OneByte)),
            is_own_signer: true,
            apiv2: None,
            base_uri: base_uri.clone(),
            platform_key_id: None,
        };
        let mut request = http::Request::new(Bytes::new());
        *request.uri_mut() = http::Uri::from_static("https://api.mch.weixin.qq.com/v3/x");
        let signing = credential.authorize(&mut request, None, &base_uri, 1, "N");
        assert_eq!(runtime::park_on(signing).expect("signed"), b"GET\n/v3/x\n1\nN\n\n");
        let header = &request.headers()[AUTHORIZATION];
        assert!(header.is_sensitive() && format!("{header:?}") == "Sensitive", "{header:?}");
    }
}
