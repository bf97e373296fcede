//! Replays a recording: each request receives the recorded response of the same call.

use std::path::Path;

use bytes::Bytes;
use http::{Request, StatusCode};

use super::difference::Difference;
use super::mask::Bindings;
use super::recorded_call::{RecordedCall, RecordedRequest, read_calls};
use super::refusal::Refusal;
use super::response::RouteResponse;
use crate::error::Error;
use crate::proto::strict_json;

/// The error code for a request that is not recorded, or that differs from the recorded one. It is
/// not a code of WeChat Pay, so that programs do not mistake it for the result of a call.
const NOT_RECORDED: &str = "NOT_RECORDED";

/// The calls of a file, each with a flag that is set after its response was returned.
pub(super) struct Replay {
    file: String,
    calls: Vec<(RecordedCall, bool)>,
    bindings: Bindings,
}

impl Replay {
    /// Reads a recording.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::config(format!("the recording {file} cannot be read: {error}")).with_source(error)
        })?;
        let calls = strict_json::check(text.as_bytes())
            .and_then(|()| read_calls(&text))
            .map_err(|reason| Error::config(format!("the recording {file} is damaged: {reason}")))?;
        let calls = calls.into_iter().map(|call| (call, false)).collect();
        Ok(Replay { file, calls, bindings: Bindings::default() })
    }

    /// Returns the response of the first unused call with the same method and path. A call in which
    /// only a numbered mask stands for another value is skipped. If the request differs otherwise,
    /// it is refused, and the call stays unused.
    pub(super) fn respond(&mut self, http: &Request<Bytes>) -> Result<RouteResponse, Refusal> {
        let line = RecordedRequest::masked_line(http.method(), http.uri());
        let sent = RecordedRequest::new(http.method(), http.uri(), http.body())
            .map_err(|reason| self.refusal(&format!("{line}: {reason}")))?;
        let recorded = self.calls.iter().filter(|(call, _)| call.request.has_path_of(&sent)).count();
        let mut difference = None;
        for (index, (call, used)) in self.calls.iter_mut().enumerate() {
            if *used || !call.request.has_path_of(&sent) {
                continue;
            }
            let mut bindings = self.bindings.clone();
            match call.request.compare(&sent, &mut bindings) {
                Ok(()) => {
                    self.bindings = bindings;
                    *used = true;
                    let (status, body) = call.response();
                    return Ok(RouteResponse::json_with_status(status, body));
                }
                Err(Difference::Mask(reason)) => drop(difference.get_or_insert((index, reason))),
                Err(Difference::Value(reason)) => {
                    difference = Some((index, reason));
                    break;
                }
            }
        }
        Err(self.refusal(&match (difference, recorded) {
            (Some((index, difference)), _) => format!("{line} differs from call {}: {difference}", index + 1),
            (None, 0) => format!("the call {line} is not recorded"),
            (None, _) => format!("{line} is recorded {recorded} times, and each was answered"),
        }))
    }

    /// The message for a refused call of APIv2.
    pub(super) fn refuse_v2(&self) -> String {
        format!("recording {}: calls of APIv2 are not recorded", self.file)
    }

    fn refusal(&self, reason: &str) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, NOT_RECORDED, format!("recording {}: {reason}", self.file))
    }
}
