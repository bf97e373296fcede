//! Signs each request: adds `Authorization`, made anew for every attempt.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderValue};
use tower::Service;

use crate::BoxFuture;
use crate::clock::{self, now};
use crate::crypto::{PrivateKey, random};
use crate::error::{BoxError, Error, ErrorKind};
use crate::pipeline::call_config::{CallConfig, Hint};
use crate::pipeline::trace::{self, Part};
use crate::proto::base_uri::BaseUri;
use crate::proto::diagnose;
use crate::proto::request::SignedBody;
use crate::proto::signing_string::{self, Authorization};
use crate::proto::verify::SERIAL;
use crate::transport::http_client::Answer;
use crate::transport::work_limiter;

/// Makes the signature of a request: for a company whose keys stay inside a signing service. It takes the place of the merchant's key,
/// by [`ClientBuilder::signer`](crate::ClientBuilder::signer).
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
///             let bytes = self.0.sign(message)?; // a call of the service's, with .await
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
    /// Signs `message` with RSA PKCS#1 v1.5 and SHA-256: method, target, timestamp, nonce and body, each with a line feed behind it.
    ///
    /// An error becomes [`ErrorKind::Sign`], with this one as its source; nothing is sent.
    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Signature, BoxError>>;
}

/// A signature and the serial number of the merchant certificate whose key made it.
#[derive(Clone)]
pub struct Signature {
    serial: Arc<str>,
    bytes: Vec<u8>,
}

impl Signature {
    /// `serial` is the merchant certificate's serial number in hexadecimal; `bytes` the raw signature, not base64.
    pub fn new(serial: impl Into<Arc<str>>, bytes: Vec<u8>) -> Self {
        Signature { serial: serial.into(), bytes }
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signature").field("serial", &self.serial).finish_non_exhaustive()
    }
}

/// The default signer: the merchant's key in this process.
pub(crate) struct LocalKey {
    pub(crate) serial: Arc<str>,
    pub(crate) key: PrivateKey,
}

impl Signer for LocalKey {
    fn sign<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Signature, BoxError>> {
        Box::pin(async move {
            work_limiter::turn().await;
            Ok(Signature::new(Arc::clone(&self.serial), self.key.sign(message)?))
        })
    }
}

/// What signing needs, shared by all calls of a client.
pub(crate) struct Credential {
    pub(crate) mchid: String,
    /// A merchant who makes calls of APIv2 only has none.
    pub(crate) signer: Option<Arc<dyn Signer>>,
    pub(crate) base: BaseUri,
    /// In public-key mode the id of the platform's key, so that the service answers with that key and not a certificate's.
    pub(crate) platform_key_id: Option<HeaderValue>,
}

/// The layer.
#[derive(Clone)]
pub(crate) struct Sign(pub(crate) Arc<Credential>);

impl Sign {
    pub(crate) fn layer<S>(self, inner: S) -> SignService<S> {
        SignService { credential: self.0, inner }
    }
}

#[derive(Clone)]
pub(crate) struct SignService<S> {
    credential: Arc<Credential>,
    inner: S,
}

impl<S> Service<http::Request<Bytes>> for SignService<S>
where
    S: Service<http::Request<Bytes>, Response = http::Response<Bytes>, Error = Error> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = http::Response<Bytes>;
    type Error = Error;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Bytes>) -> Answer {
        let credential = Arc::clone(&self.credential);
        // The service that was made ready is the one to call; a clone of it takes its place.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let exchange = request.extensions().get::<CallConfig>();
            let silence = exchange.map(|exchange| exchange.patience.silence).unwrap_or_default();
            let destination = exchange.and_then(|exchange| exchange.destination.clone());
            let base = destination.as_ref().unwrap_or(&credential.base);
            let nonce = random::nonce()?;
            let measure = trace::measure(Part::Signing);
            let signing = credential.authorize(&mut request, base, now(), &nonce);
            let signed = if silence.is_zero() {
                signing.await?
            } else {
                tokio::time::timeout(silence, signing).await.map_err(|_| {
                    Error::new(ErrorKind::Sign, format!("the signer did not sign within {silence:?}; nothing was sent"))
                        .timed_out()
                })??
            };
            measure.end();
            let mut answer = inner.call(request).await?;
            if answer.status() == StatusCode::UNAUTHORIZED {
                if let Some(hint) = hint(&answer, &signed) {
                    answer.extensions_mut().insert(hint);
                }
            }
            Ok(answer)
        })
    }
}

fn hint(answer: &http::Response<Bytes>, signed: &[u8]) -> Option<Hint> {
    let body: serde_json::Value = serde_json::from_slice(answer.body()).ok()?;
    let said = diagnose::refusal(signed, body.get("detail")?, clock::offset(answer.headers()))?;
    Some(Hint(said.into()))
}

impl Credential {
    /// Adds the headers that identify the merchant, for a given time (seconds since 1970) and nonce. Returns the message that was signed.
    pub(crate) async fn authorize(
        &self,
        request: &mut http::Request<Bytes>,
        base: &BaseUri,
        timestamp: i64,
        nonce: &str,
    ) -> Result<Vec<u8>, Error> {
        base.check(request.uri())?;
        if let Some(id) = &self.platform_key_id {
            request.headers_mut().entry(SERIAL).or_insert_with(|| id.clone());
        }
        let (header, message) = self.header(request, timestamp, nonce).await?;
        request.headers_mut().insert(AUTHORIZATION, header);
        Ok(message)
    }

    /// Signs any message: the certificate's serial number, and the signature in base64.
    pub(crate) async fn sign(&self, message: &[u8]) -> Result<(Arc<str>, String), Error> {
        let signer = self.signer.as_ref().ok_or_else(|| {
            Error::config("the settings private_key and serial are missing, and APIv3 signs with them: without, there is APIv2 only")
        })?;
        let signature = signer.sign(message).await.map_err(|source| {
            Error::new(ErrorKind::Sign, format!("the signer refused: {source}")).with_source(source)
        })?;
        Ok((signature.serial, BASE64_STANDARD.encode(&signature.bytes)))
    }

    /// The `Authorization` of a request for a given time (seconds since 1970) and nonce, and the message that it signs.
    pub(crate) async fn header(
        &self,
        request: &http::Request<Bytes>,
        timestamp: i64,
        nonce: &str,
    ) -> Result<(HeaderValue, Vec<u8>), Error> {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let signed = request.extensions().get::<SignedBody>();
        let body = signed.map_or(request.body(), |SignedBody(meta)| meta);
        let message = signing_string::request(request.method().as_str(), target, timestamp, nonce, body);
        let (serial, signature) = self.sign(&message).await?;
        let header = Authorization { mchid: &self.mchid, serial: &serial, timestamp, nonce, signature: &signature };
        let mut value = HeaderValue::try_from(header.header_value()).map_err(|_| {
            Error::new(ErrorKind::Sign, "the signer's serial number holds characters that no header takes")
        })?;
        value.set_sensitive(true);
        Ok((value, message))
    }
}
