//! Verifies each answer before anybody sees it.
//!
//! Every 2xx answer must carry a good signature, but for the paths in the table of `proto/verify.rs`. An answer other than 2xx
//! becomes an error either way; its signature is checked where there is one.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tower::Service;

use crate::BoxFuture;
use crate::clock::{self, now};
use crate::crypto::file_digest::{Algorithm, FileDigest};
use crate::error::{BoxError, Error, ErrorKind};
use crate::pipeline::call_config::Delivered;
use crate::pipeline::response::Response;
use crate::pipeline::trace::{self, Part};
use crate::proto::diagnose;
use crate::proto::verify::{self, Covers};
use crate::transport::http_client::Answer;

/// Checks the signatures of answers and notifications: for a company whose platform keys are kept elsewhere. It takes the place of the
/// map of keys, by [`ClientBuilder::verifier`](crate::ClientBuilder::verifier). Headers and clock are checked before it is asked.
///
/// Source: WeChat Pay, "签名验证".
///
/// ```
/// use wechatpay_chain::{BoxError, BoxFuture, Client, PublicKey, Verifier};
/// # use serde_json::json;
/// # use wechatpay_chain::sandbox::{PUBLIC_KEY_ID, Sandbox};
/// # struct KeyService(PublicKey);
/// # impl KeyService {
/// #     async fn fetch(&self, id: &str) -> Result<&PublicKey, BoxError> { if id == PUBLIC_KEY_ID { Ok(&self.0) } else { Err("unknown".into()) } }
/// # }
/// # let sandbox = Sandbox::start()?;
/// # let service = KeyService(sandbox.platform_key());
///
/// struct Remote(KeyService);
///
/// impl Verifier for Remote {
///     fn verify<'a>(&'a self, serial: &'a str, message: &'a [u8], signature: &'a [u8]) -> BoxFuture<'a, Result<(), BoxError>> {
///         Box::pin(async move {
///             let key = self.0.fetch(serial).await?;
///             key.verify(message, signature).then_some(()).ok_or_else(|| "the signature does not hold".into())
///         })
///     }
/// }
///
/// let client = Client::builder()
///     .verifier(Remote(service))
///     .mchid("1900000109")
/// #   .serial(wechatpay_chain::sandbox::SERIAL).private_key(sandbox.merchant_key()).base_uri(sandbox.base_uri()).no_proxy()
///     .build()?;
/// assert!(client.chain("v3/security/echo").post(json!({ "json": { "echo_message": "hello" } }))?.is_verified());
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
pub trait Verifier: Send + Sync + 'static {
    /// Whether `signature` (raw, RSA PKCS#1 v1.5 with SHA-256) of the platform key `serial` covers `message`: timestamp, nonce and body, each
    /// with a line feed behind it.
    ///
    /// An error says why not and becomes [`ErrorKind::Verification`], with this one as its source.
    fn verify<'a>(
        &'a self,
        serial: &'a str,
        message: &'a [u8],
        signature: &'a [u8],
    ) -> BoxFuture<'a, Result<(), BoxError>>;
}

/// Marks an answer whose signature was there and held.
#[derive(Clone, Copy)]
pub(crate) struct Verified;

/// The layer.
#[derive(Clone)]
pub(crate) struct Verify(pub(crate) Arc<dyn Verifier>);

impl Verify {
    pub(crate) fn layer<S>(self, inner: S) -> VerifyService<S> {
        VerifyService { verifier: self.0, inner }
    }
}

#[derive(Clone)]
pub(crate) struct VerifyService<S> {
    verifier: Arc<dyn Verifier>,
    inner: S,
}

impl<S> Service<http::Request<Bytes>> for VerifyService<S>
where
    S: Service<http::Request<Bytes>, Response = http::Response<Bytes>, Error = Error>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Bytes>;
    type Error = Error;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Bytes>) -> Answer {
        let verifier = Arc::clone(&self.verifier);
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let sent = self.inner.call(request);
        Box::pin(async move {
            let mut answer = sent.await?;
            // Set by this layer alone; nothing below could have, but an answer must not vouch for itself.
            answer.extensions_mut().remove::<Verified>();
            let success = answer.status().is_success();
            let covers = if success { verify::covers(&method, uri.path(), answer.headers()) } else { Covers::Body };
            let must = success && covers != Covers::Nothing;
            if must || verify::is_signed(answer.headers()) {
                let measure = trace::measure(Part::Verifying);
                let checked = check(&*verifier, &answer, covers).await;
                measure.end();
                match checked {
                    Ok(()) => {
                        answer.extensions_mut().insert(Verified);
                    }
                    Err(said) if must => return Err(untrusted(&said.to_string(), answer)),
                    Err(_) => {}
                }
            }
            Ok(answer)
        })
    }
}

/// The error for an answer whose signature does not hold; it keeps the answer.
pub(super) fn untrusted(said: &str, answer: http::Response<Bytes>) -> Error {
    let clock = clock::offset(answer.headers()).and_then(diagnose::clock);
    let hint = match answer.body().get(..5) {
        Some(b"<xml>") if !answer.headers().contains_key(verify::SIGNATURE) && !said.contains("sign ") => {
            "; it is XML as APIv2 answers, whose paths are written with \"v2/\" in front"
        }
        _ => "",
    };
    let said = format!("the answer is not to be trusted, as its signature does not hold: {said}{hint}");
    let said = clock.map_or_else(|| said.clone(), |clock| format!("{said}; {clock}"));
    Error::new(ErrorKind::Verification, said).with_response(Response::new(answer, false))
}

async fn check(verifier: &dyn Verifier, answer: &http::Response<Bytes>, covers: Covers) -> Result<(), BoxError> {
    let headers = answer.headers();
    let signed = if covers == Covers::StatementSha1 {
        let (sha1, covered) = verify::statement(headers)?;
        // A file that went elsewhere is compared by who took it there.
        if answer.extensions().get::<Delivered>().is_none() {
            let mut digest = FileDigest::new(Algorithm::Sha1, sha1);
            digest.update(answer.body());
            digest.finish()?;
        }
        verify::read(headers, covered.as_bytes(), now())?
    } else {
        verify::read(headers, answer.body(), now())?
    };
    verifier.verify(signed.serial, &signed.message, &signed.signature).await
}
