//! The retry layer: sends a request again after a failure that another attempt may not meet.
//!
//! A request that could not be sent, because no connection was made, goes to the backup host. A
//! request that may have arrived is repeated only if the caller enabled it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, StatusCode, Uri};
use tower::{Layer, Service, ServiceExt};

use crate::crypto::random;
use crate::error::{Error, ErrorKind};
use crate::pipeline::call_config::{CallConfig, Retry};
use crate::pipeline::http_service::ResponseFuture;
use crate::pipeline::response::ResponseInfo;
use crate::pipeline::trace;
use crate::proto::base_uri::BaseUri;
use crate::transport::runtime;

/// How long calls go to the backup host first, after the primary host could not be reached.
const PRIMARY_DOWN: Duration = Duration::from_secs(60);
/// The longest pause that `Retry-After` may demand.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// The layer. A clone shares the state of the hosts.
#[derive(Clone)]
pub(crate) struct RetryLayer(Arc<Hosts>);

struct Hosts {
    primary: BaseUri,
    backup: Option<BaseUri>,
    /// The client's setting, for calls without the option.
    retry: Retry,
    /// Until when the primary host counts as unreachable.
    primary_down_until: Mutex<Option<Instant>>,
}

impl RetryLayer {
    pub(crate) fn new(primary: BaseUri, backup: Option<BaseUri>, retry: Retry) -> Self {
        RetryLayer(Arc::new(Hosts { primary, backup, retry, primary_down_until: Mutex::default() }))
    }
}

impl<S> Layer<S> for RetryLayer {
    type Service = RetryService<S>;

    fn layer(&self, inner: S) -> RetryService<S> {
        RetryService { hosts: Arc::clone(&self.0), inner }
    }
}

/// The service of [`RetryLayer`].
#[derive(Clone)]
pub(crate) struct RetryService<S> {
    hosts: Arc<Hosts>,
    inner: S,
}

impl<S> Service<http::Request<Bytes>> for RetryService<S>
where
    S: Service<http::Request<Bytes>, Response = http::Response<Bytes>, Error = Error, Future = ResponseFuture>,
    S: Clone + Send + Sync + 'static,
{
    type Response = http::Response<Bytes>;
    type Error = Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Bytes>) -> ResponseFuture {
        let config = request.extensions().get::<CallConfig>();
        let retry = config.and_then(|config| config.retry).unwrap_or(self.hosts.retry);
        let backup = self.hosts.backup_uri(request.uri());
        if retry.times == 0 && backup.is_none() {
            return self.inner.call(request);
        }
        let policy = Policy {
            retry,
            backup,
            in_memory: config.is_some_and(|config| config.sink.is_none() && !config.stream),
            usual_route: config
                .is_some_and(|config| config.http.proxy.is_none() && config.http.connect_timeout.is_none()),
            deadline: config.and_then(|config| config.deadline),
        };
        let clone = self.inner.clone();
        let (hosts, inner) = (Arc::clone(&self.hosts), std::mem::replace(&mut self.inner, clone));
        Box::pin(async move { hosts.send_with_retries(inner, request, policy).await })
    }
}

/// How one call may be repeated.
struct Policy {
    retry: Retry,
    /// The URI of the request at the backup host.
    backup: Option<Uri>,
    /// Whether the response is held in memory. A sink or stream receives a response once.
    in_memory: bool,
    /// Whether the call uses the client's proxy and connect timeout. A failure with others does not
    /// mean that the host is down.
    usual_route: bool,
    deadline: Option<tokio::time::Instant>,
}

impl Hosts {
    fn primary_down_until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.primary_down_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The URI at the backup host, for a request to the primary host.
    fn backup_uri(&self, uri: &Uri) -> Option<Uri> {
        self.backup.as_ref()?.replace_origin(&self.primary, uri)
    }

    async fn send_with_retries<S>(
        &self,
        inner: S,
        request: http::Request<Bytes>,
        policy: Policy,
    ) -> Result<http::Response<Bytes>, Error>
    where
        S: Service<http::Request<Bytes>, Response = http::Response<Bytes>, Error = Error> + Clone,
    {
        let Policy { retry, backup, in_memory, usual_route, deadline } = policy;
        let mut at_backup = backup.is_some() && self.primary_down_until().is_some_and(|until| Instant::now() < until);
        let (mut attempts, mut repetitions) = (0, 0);
        // Whether an earlier attempt may have arrived; whether both hosts were tried since the last
        // pause.
        let (mut maybe_sent, mut other_host_tried) = (false, false);
        loop {
            attempts += 1;
            let mut attempt = request.clone();
            if let (true, Some(uri)) = (at_backup, &backup) {
                *attempt.uri_mut() = uri.clone();
                if let Some(config) = attempt.extensions_mut().get_mut::<CallConfig>() {
                    config.base_uri.clone_from(&self.backup);
                }
            }
            let result = inner.clone().oneshot(attempt).await;
            let unreachable = result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Connect);
            if backup.is_some() && !at_backup {
                if unreachable && usual_route {
                    *self.primary_down_until() = Some(Instant::now() + PRIMARY_DOWN);
                } else if result.is_ok() {
                    *self.primary_down_until() = None;
                }
            }
            // Nothing was sent, so the other host gets the request, once after each pause.
            if unreachable && backup.is_some() && !other_host_tried {
                (other_host_tried, at_backup) = (true, !at_backup);
                let next = if at_backup { backup.as_ref() } else { Some(request.uri()) };
                trace::tries_other_host(attempts, next.and_then(Uri::host));
                continue;
            }
            let pause = if repetitions < retry.times { pause(&result, retry, repetitions, in_memory) } else { None };
            // The result is returned now if the pause would pass the deadline, or if a layer moved
            // the call to a thread without a timer.
            let pause = pause.filter(|pause| {
                deadline.is_none_or(|deadline| tokio::time::Instant::now() + *pause < deadline)
                    && tokio::runtime::Handle::try_current().is_ok()
            });
            let Some(pause) = pause else {
                return match result {
                    Ok(mut response) => {
                        if let Some(info) = response.extensions_mut().get_mut::<ResponseInfo>() {
                            (info.attempts, info.from_backup) = (attempts, at_backup);
                            info.after_another = maybe_sent;
                        }
                        Ok(response)
                    }
                    Err(error) if maybe_sent => Err(error.after_sending()),
                    Err(error) => Err(error),
                };
            };
            maybe_sent |= !unreachable;
            repetitions += 1;
            other_host_tried = false;
            let reason = match &result {
                Ok(response) => response.status().canonical_reason().unwrap_or("status"),
                Err(error) => error.kind().as_str(),
            };
            trace::retries(attempts, reason, pause);
            runtime::sleep_until(tokio::time::Instant::now() + pause).await;
        }
    }
}

/// The pause before the next attempt, if the result allows one: connection errors, 429 and 5xx.
fn pause(
    result: &Result<http::Response<Bytes>, Error>,
    retry: Retry,
    repetition: u32,
    in_memory: bool,
) -> Option<Duration> {
    let backoff = || retry.pause(repetition, random::byte());
    match result {
        Ok(response) if response.status() == StatusCode::TOO_MANY_REQUESTS || response.status().is_server_error() => {
            let demanded = retry_after(response.headers()).map(|demanded| demanded.min(MAX_RETRY_AFTER));
            Some(demanded.unwrap_or_default().max(backoff()))
        }
        Ok(_) => None,
        Err(error) => match error.kind() {
            ErrorKind::Connect | ErrorKind::ServerError => Some(backoff()),
            ErrorKind::Transport if in_memory => Some(backoff()),
            _ => None,
        },
    }
}

/// The value of `Retry-After`: seconds, or a date. A date is compared with the `Date` of the
/// response, because the clock of this machine may differ.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let value = text(RETRY_AFTER)?;
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number that is too large for the type is longer than any pause.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let now = text(DATE).and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or_else(SystemTime::now);
    // A date in the past demands no pause.
    Some(until.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let parsed = |fields: &[(&str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                let name = http::HeaderName::from_bytes(name.as_bytes()).expect("name");
                headers.insert(name, value.parse().expect("value"));
            }
            retry_after(&headers).map(|pause| pause.as_secs())
        };
        let date = ("date", "Mon, 23 Nov 2020 12:00:00 GMT");
        assert_eq!(parsed(&[("retry-after", "7")]), Some(7));
        assert_eq!(parsed(&[("retry-after", "99999999999999999999999999")]), Some(u64::MAX));
        assert_eq!(parsed(&[date, ("retry-after", "Mon, 23 Nov 2020 12:00:20 GMT")]), Some(20));
        assert_eq!(parsed(&[date, ("retry-after", "Monday, 23-Nov-20 12:00:20 GMT")]), Some(20), "the form of RFC 850");
        assert_eq!(parsed(&[date, ("retry-after", "Mon, 23 Nov 2020 11:00:00 GMT")]), Some(0), "in the past");
        let ahead = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(30));
        assert!(parsed(&[("retry-after", &ahead)]).is_some_and(|pause| (25..=30).contains(&pause)), "no Date");
        for wrong in ["", "-1", "soon", "1.5", "+3"] {
            assert_eq!(parsed(&[date, ("retry-after", wrong)]), None, "{wrong}");
        }
    }

    #[test]
    fn retry_after_is_bounded() {
        let pause = |value: &str, pause| {
            let response = http::Response::builder().status(429).header("retry-after", value).body(Bytes::new());
            super::pause(&Ok(response.expect("response")), Retry { times: 1, pause }, 0, true)
        };
        assert_eq!(pause("86400", Duration::ZERO), Some(MAX_RETRY_AFTER));
        assert_eq!(pause("2", Duration::ZERO), Some(Duration::from_secs(2)));
        assert!(pause("0", Duration::from_secs(2)).is_some_and(|pause| pause >= Duration::from_secs(1)));
    }
}
