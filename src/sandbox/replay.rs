//! Replays a recording: each request receives the recorded response of the same call.

use std::path::Path;

use bytes::Bytes;
use http::{Request, StatusCode};

use super::recorded_call::{RecordedCall, RecordedRequest, read_calls};
use super::refusal::Refusal;
use super::response::RouteResponse;
use super::strict_json;
use crate::error::Error;

/// The error code for a request that is not recorded, or that differs from the recorded one. It is
/// not a code of WeChat Pay, so that programs do not mistake it for the result of a call.
const NOT_RECORDED: &str = "NOT_RECORDED";

/// The calls of a file, each with a flag that is set after its response was returned.
pub(super) struct Replay {
    file: String,
    calls: Vec<(RecordedCall, bool)>,
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
        Ok(Replay { file, calls: calls.into_iter().map(|call| (call, false)).collect() })
    }

    /// Returns the response of the first unused call with the same method and path. If the request
    /// differs from that call, the call stays unused.
    pub(super) fn respond(&mut self, http: &Request<Bytes>) -> Result<RouteResponse, Refusal> {
        let sent = RecordedRequest::new(http.method(), http.uri(), http.body())
            .map_err(|reason| self.refusal(&format!("{} {}: {reason}", http.method(), http.uri().path())))?;
        let same_path = |(call, _): &&(RecordedCall, bool)| call.request.has_path_of(&sent);
        let recorded = self.calls.iter().filter(same_path).count();
        let next = self.calls.iter().position(|(call, used)| !used && call.request.has_path_of(&sent));
        let Some((index, (call, used))) = next.and_then(|index| Some((index, self.calls.get_mut(index)?))) else {
            let line = sent.line();
            return Err(self.refusal(&match recorded {
                0 => format!("the call {line} is not recorded"),
                _ => format!("{line} is recorded {recorded} times, and each was answered"),
            }));
        };
        if let Some(difference) = call.request.difference(&sent) {
            return Err(self.refusal(&format!("{} differs from call {}: {difference}", sent.line(), index + 1)));
        }
        *used = true;
        let (status, body) = call.response();
        Ok(RouteResponse::json_with_status(status, body))
    }

    /// The message for a refused call of APIv2.
    pub(super) fn refuse_v2(&self) -> String {
        format!("recording {}: calls of APIv2 are not recorded", self.file)
    }

    fn refusal(&self, reason: &str) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, NOT_RECORDED, format!("recording {}: {reason}", self.file))
    }
}
