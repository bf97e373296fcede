//! Records the calls of a client in a file (a tower layer), and replays them at a sandbox.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Request, Response};
use tower::{Layer, ServiceExt};

use super::mask::Masks;
use super::recorded_call::{RecordedCall, RecordedRequest, is_certificate_list};
use super::replay::Replay;
use super::{Sandbox, private_file};
use crate::error::Error;
use crate::pipeline::call_config::CallConfig;
use crate::pipeline::response::ResponseInfo;
use crate::pipeline::stack::BoxService;

/// A layer that records the calls of a client, for [`Sandbox::replay`]. Clones share the recording.
///
/// The client can talk to the real service or to a sandbox.
///
/// ```
/// use serde_json::json;
/// use wechatpay_chain::sandbox::{Recording, Sandbox};
///
/// let file = std::env::temp_dir().join("wechatpay-chain-echo.json");
/// let message = json!({ "json": { "echo_message": "hi" } });
/// let sandbox = Sandbox::start()?;
/// let recording = Recording::new();
/// let client = sandbox.client_builder().layer(recording.clone()).build()?;
/// client.chain("v3/security/echo").post(&message)?;
/// recording.save(&file)?;
///
/// let sandbox = Sandbox::start()?;
/// sandbox.replay(&file)?;
/// let response = sandbox.client()?.chain("v3/security/echo").post(&message)?;
/// assert_eq!(response.field::<String>("echo_message")?, "hi");
/// # std::fs::remove_file(file).unwrap();
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
///
/// The file is a JSON array with one object for each call, in the order of the requests: `method`,
/// `path` with the query, `request` (the JSON body, or `null`), `status` and `response`. It can be
/// read and edited.
///
/// # Omitted values
///
/// Headers are not recorded, so the file does not contain signatures or serial numbers. The host
/// and the download of platform certificates are not recorded either. `***` and a number replace
/// the following values. Equal values have the same number, and different values different numbers.
/// A ciphertext or a signature, which differs each time, is `***` without a number:
///
/// - fields that the catalogue marks as encrypted or signed, and each text that is an RSA
///   ciphertext or an RSA signature as base64;
/// - fields, parameters of the query and documented variables of the path whose names end with
///   `openid`, `unionid`, `token`, `sign` or `signature`, or contain `phone`, `mobile`, `email`,
///   `id_card`, `identity`, `bank_account`, `card_number`, `auth_code`, `client_ip`, `device_ip`,
///   `password` or `secret`, and the fields `account`, `user_received_account`, `user_name`,
///   `real_name` and `download_url`;
/// - `detail.value` of a refusal, which repeats the value of a field.
///
/// **Everything else is recorded as it was sent and received**: order numbers, amounts, merchant
/// and app IDs, `prepay_id`, `code_url`, free texts, and the variables of a path that is not
/// documented. Read a recording of production before you commit it.
///
/// # Unsupported calls
///
/// Calls of APIv2, uploads, other bodies than JSON, and calls with the options `sink` or `stream`
/// (such as downloads) are refused with [`ErrorKind::Options`](crate::ErrorKind::Options) before
/// they are sent. If a call that was sent has no response, or a response that is not verified or is
/// not JSON, the caller receives the same result as without the layer, and [`save`](Self::save)
/// fails.
#[derive(Clone, Default)]
pub struct Recording(Arc<Mutex<Recorded>>);

struct Recorded {
    /// The calls in the order of their requests, or the reasons why they were not recorded.
    calls: Vec<Result<RecordedCall, String>>,
    /// The values that were replaced, in memory only.
    masks: Masks,
}

impl Default for Recorded {
    fn default() -> Self {
        Recorded { calls: Vec::new(), masks: Masks::numbered() }
    }
}

impl Recording {
    /// Creates an empty recording.
    #[must_use]
    pub fn new() -> Self {
        Recording::default()
    }

    /// Writes the recorded calls to a file that only its owner can read. An existing file is
    /// replaced.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Config`](crate::ErrorKind::Config) if the file cannot be written, or
    /// if a call is still in progress, was cancelled, or could not be recorded. The message names
    /// the call, and no file is written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let failed = |reason: &dyn fmt::Display| {
            Error::config(format!("the recording {} cannot be saved: {reason}", path.as_ref().display()))
        };
        let text = {
            let recorded = self.recorded();
            let calls: Result<Vec<&RecordedCall>, &String> = recorded.calls.iter().map(Result::as_ref).collect();
            let calls = calls.map_err(|reason| failed(reason))?;
            serde_json::to_string_pretty(&calls).map_err(|error| failed(&error))?
        };
        private_file::write(path.as_ref(), text + "\n").map_err(|error| failed(&error).with_source(error))
    }

    fn recorded(&self) -> MutexGuard<'_, Recorded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(&self, inner: BoxService, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        if is_certificate_list(request.uri().path()) {
            return inner.oneshot(request).await;
        }
        let started = recordable(&request)
            .map_err(|reason| Error::options(format!("a Recording cannot record this call: {reason}")))?;
        let (started, line, index) = {
            let mut recorded = self.recorded();
            let started = started.masked(&mut recorded.masks);
            let line = started.line();
            recorded.calls.push(Err(format!("{line} is under way, or was cancelled")));
            (started, line, recorded.calls.len() - 1)
        };
        let result = inner.oneshot(request).await;
        let mut recorded = self.recorded();
        let call = match &result {
            Ok(response) => complete(started, response, &mut recorded.masks),
            Err(_) => Err("no response was accepted".to_owned()),
        };
        if let Some(slot) = recorded.calls.get_mut(index) {
            *slot = call.map_err(|reason| format!("{line}: {reason}"));
        }
        drop(recorded);
        result
    }
}

/// The recorded parts of a request, or the reason why it cannot be recorded.
fn recordable(request: &Request<Bytes>) -> Result<RecordedRequest, String> {
    let config = request.extensions().get::<CallConfig>();
    if config.is_some_and(|config| config.signing.is_v2()) {
        return Err("it is a call of APIv2".to_owned());
    }
    if config.is_some_and(|config| config.stream || config.sink.is_some()) {
        return Err("its response goes to a stream or a sink".to_owned());
    }
    RecordedRequest::new(request.method(), request.uri(), request.body())
}

fn complete(started: RecordedRequest, response: &Response<Bytes>, masks: &mut Masks) -> Result<RecordedCall, String> {
    // The sandbox signs a replayed response, so only a verified response is recorded.
    if !response.extensions().get::<ResponseInfo>().is_some_and(|info| info.verified) {
        return Err(format!("the response with status {} is not verified", response.status()));
    }
    started.with_response(response.status(), response.body(), masks)
}

impl Layer<BoxService> for Recording {
    type Service = BoxService;

    fn layer(&self, inner: BoxService) -> BoxService {
        let recording = self.clone();
        BoxService::new(tower::service_fn(move |request| {
            let (recording, inner) = (recording.clone(), inner.clone());
            async move { recording.send(inner, request).await }
        }))
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").field("calls", &self.recorded().calls.len()).finish()
    }
}

impl Sandbox {
    /// Responds to APIv3 requests with the calls in a file that a [`Recording`] saved, instead of
    /// the sandbox's own responses. [`Recording`] has an example.
    ///
    /// Each recorded response is returned once. Calls with the same method and path are used in
    /// their order in the file. The query and the body must be equal to the recorded ones; `***` in
    /// them, or as a segment of the path, matches any value. `***` with a number matches any value,
    /// too, but always the same one, and not that of another number, so a call of another user is
    /// skipped. A request that is not recorded or that differs is refused with status 400 and the
    /// code `NOT_RECORDED`; the message names the file and the difference, and shows no personal
    /// value. An edited file may contain real values in place of masks.
    ///
    /// Requests are verified and responses are signed as usual. [`stub`](Self::stub) and the other
    /// methods that define a response take precedence, and the sandbox itself responds to the
    /// download of its platform certificates. Replaced values in a response stay masks. The calls
    /// do not change the sandbox's orders and do not cause notifications. Calls of APIv2 are
    /// refused. A second call of `replay` replaces the first recording.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Config`](crate::ErrorKind::Config) if the file cannot be read or is
    /// damaged. The message names the file and the line.
    pub fn replay(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let replay = Replay::read(path.as_ref())?;
        let _ = self.inner.transact(|state| state.replay = Some(replay));
        Ok(())
    }
}
