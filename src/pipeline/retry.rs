//! Repeats what may be repeated: at the backup host where no connection could be made, and where the caller consents to it, after an
//! answer that may be different the next time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, StatusCode, Uri};
use tower::{Service, ServiceExt};

use crate::crypto::random;
use crate::error::{Error, ErrorKind};
use crate::pipeline::call_config::{Attempts, CallConfig, Delivery, Retry};
use crate::pipeline::trace;
use crate::proto::base_uri::BaseUri;
use crate::transport::http_client::Answer;

/// How long the primary host is left alone after it could not be reached.
const LEFT_ALONE: Duration = Duration::from_secs(60);
/// The longest pause that `Retry-After` may ask for.
const MOST_ASKED: Duration = Duration::from_secs(60);

/// The layer. A clone shares what is known of the hosts.
#[derive(Clone)]
pub(crate) struct RetryLayer(Arc<Shared>);

struct Shared {
    primary: BaseUri,
    backup: Option<BaseUri>,
    retry: Retry,
    /// Until when the primary host is left alone.
    down: Mutex<Option<Instant>>,
}

impl RetryLayer {
    pub(crate) fn new(primary: BaseUri, backup: Option<BaseUri>, retry: Retry) -> Self {
        RetryLayer(Arc::new(Shared { primary, backup, retry, down: Mutex::default() }))
    }

    pub(crate) fn layer<S>(self, inner: S) -> RetryService<S> {
        RetryService { shared: self.0, inner }
    }
}

#[derive(Clone)]
pub(crate) struct RetryService<S> {
    shared: Arc<Shared>,
    inner: S,
}

impl<S> Service<http::Request<Bytes>> for RetryService<S>
where
    S: Service<http::Request<Bytes>, Response = http::Response<Bytes>, Error = Error, Future = Answer>,
    S: Clone + Send + Sync + 'static,
{
    type Response = http::Response<Bytes>;
    type Error = Error;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Bytes>) -> Answer {
        let exchange = request.extensions().get::<CallConfig>();
        let retry = exchange.and_then(|exchange| exchange.retry).unwrap_or(self.shared.retry);
        let backup = self.shared.backup_of(request.uri());
        if retry.times == 0 && backup.is_none() {
            return self.inner.call(request);
        }
        let how = How {
            retry,
            backup,
            whole: exchange.is_some_and(|exchange| matches!(exchange.delivery, Delivery::Collect)),
            // What a proxy or a time of the call's own does says nothing of the host.
            usual: exchange.is_some_and(|exchange| exchange.proxy.is_none() && exchange.connect_timeout.is_none()),
            until: exchange.and_then(|exchange| exchange.patience.until),
        };
        let clone = self.inner.clone();
        let (shared, inner) = (Arc::clone(&self.shared), std::mem::replace(&mut self.inner, clone));
        Box::pin(async move { shared.repeat(inner, request, how).await })
    }
}

/// How one call is repeated.
struct How {
    retry: Retry,
    /// The call's address at the backup host.
    backup: Option<Uri>,
    /// Whether its answer is held in memory, and can be had again.
    whole: bool,
    usual: bool,
    /// When the call's time ends.
    until: Option<tokio::time::Instant>,
}

impl Shared {
    fn down(&self) -> MutexGuard<'_, Option<Instant>> {
        self.down.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a request to the primary host may go instead.
    fn backup_of(&self, uri: &Uri) -> Option<Uri> {
        self.backup.as_ref()?.replace_origin(&self.primary, uri)
    }

    fn is_down(&self) -> bool {
        self.down().is_some_and(|until| Instant::now() < until)
    }

    async fn repeat<S>(&self, inner: S, request: http::Request<Bytes>, how: How) -> Result<http::Response<Bytes>, Error>
    where
        S: Service<http::Request<Bytes>, Response = http::Response<Bytes>, Error = Error> + Clone,
    {
        let How { retry, backup, whole, usual, until } = how;
        let mut sent = false;
        let mut by_backup = backup.is_some() && self.is_down();
        let (mut count, mut repeated, mut changed) = (0, 0, false);
        loop {
            count += 1;
            let mut attempt = request.clone();
            if let (true, Some(uri)) = (by_backup, &backup) {
                *attempt.uri_mut() = uri.clone();
                if let Some(exchange) = attempt.extensions_mut().get_mut::<CallConfig>() {
                    exchange.destination.clone_from(&self.backup);
                }
            }
            let outcome = inner.clone().oneshot(attempt).await;
            let unreachable = outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::Connect);
            if backup.is_some() && !by_backup {
                if unreachable && usual {
                    *self.down() = Some(Instant::now() + LEFT_ALONE);
                } else if outcome.is_ok() {
                    *self.down() = None;
                }
            }
            // Nothing was sent, so the other host may have it without asking; each host once.
            if unreachable && backup.is_some() && !changed {
                (changed, by_backup) = (true, !by_backup);
                let next = if by_backup { backup.as_ref() } else { Some(request.uri()) };
                trace::repeated(count, "unreachable", next.and_then(Uri::host), 0);
                continue;
            }
            let pause = if repeated < retry.times { pause(&outcome, retry, repeated, whole) } else { None };
            // An answer that is there is more than a time that runs out; and without a clock nothing is waited for.
            let pause = pause.filter(|pause| {
                until.is_none_or(|until| tokio::time::Instant::now() + *pause < until)
                    && tokio::runtime::Handle::try_current().is_ok()
            });
            let Some(pause) = pause else {
                return match outcome {
                    Ok(mut answer) => {
                        answer.extensions_mut().insert(Attempts { count, by_backup });
                        Ok(answer)
                    }
                    // An earlier attempt may have arrived, whatever became of the last.
                    Err(error) if sent => Err(error.after_sending()),
                    Err(error) => Err(error),
                };
            };
            sent |= !unreachable;
            repeated += 1;
            changed = false;
            let why = outcome.as_ref().map_or_else(
                |error| error.kind().as_str(),
                |answer| answer.status().canonical_reason().unwrap_or("status"),
            );
            trace::repeated(count, why, request.uri().host(), pause.as_millis());
            tokio::time::sleep(pause).await;
        }
    }
}

/// The pause before the next attempt, where another may help: after connection errors, 429 and 5xx.
fn pause(outcome: &Result<http::Response<Bytes>, Error>, retry: Retry, repeated: u32, whole: bool) -> Option<Duration> {
    let own = || retry.pause(repeated, random::byte());
    match outcome {
        Ok(answer) if answer.status() == StatusCode::TOO_MANY_REQUESTS || answer.status().is_server_error() => {
            // A pause of our own may be longer than the most that is asked for.
            Some(retry_after(answer.headers()).map_or_else(own, |asked| asked.min(MOST_ASKED).max(own())))
        }
        Ok(_) => None,
        Err(error) => match error.kind() {
            ErrorKind::Connect => Some(own()),
            // What went into a sink or a stream cannot be taken back.
            ErrorKind::Transport if whole => Some(own()),
            ErrorKind::ServerError => Some(own()),
            _ => None,
        },
    }
}

/// `Retry-After`: seconds, or a date, which is compared with the answer's own: this machine's clock may be another.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let asked = text(RETRY_AFTER)?;
    if !asked.is_empty() && asked.bytes().all(|byte| byte.is_ascii_digit()) {
        // More than fits is longer than any pause.
        return Some(Duration::from_secs(asked.parse().unwrap_or(u64::MAX)));
    }
    let until = httpdate::parse_http_date(asked).ok()?;
    let now = text(DATE).and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or_else(SystemTime::now);
    // What is over asks for no pause.
    Some(until.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_asked_for_in_seconds_or_by_a_date() {
        let asked = |fields: &[(&str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                let name = http::HeaderName::from_bytes(name.as_bytes()).expect("name");
                headers.insert(name, value.parse().expect("value"));
            }
            retry_after(&headers).map(|pause| pause.as_secs())
        };
        let date = ("date", "Mon, 23 Nov 2020 12:00:00 GMT");
        assert_eq!(asked(&[("retry-after", "7")]), Some(7));
        assert_eq!(asked(&[("retry-after", "99999999999999999999999999")]), Some(u64::MAX));
        assert_eq!(asked(&[date, ("retry-after", "Mon, 23 Nov 2020 12:00:20 GMT")]), Some(20));
        assert_eq!(asked(&[date, ("retry-after", "Monday, 23-Nov-20 12:00:20 GMT")]), Some(20), "the form of RFC 850");
        assert_eq!(asked(&[date, ("retry-after", "Mon, 23 Nov 2020 11:00:00 GMT")]), Some(0), "over already");
        let ahead = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(30));
        assert!(asked(&[("retry-after", &ahead)]).is_some_and(|pause| (25..=30).contains(&pause)), "no Date");
        for wrong in ["", "-1", "soon", "1.5", "+3"] {
            assert_eq!(asked(&[date, ("retry-after", wrong)]), None, "{wrong}");
        }
    }

    #[test]
    fn nobody_asks_for_more_than_a_minute() {
        let pause = |asked: &str, pause| {
            let answer = http::Response::builder().status(429).header("retry-after", asked).body(Bytes::new());
            super::pause(&Ok(answer.expect("answer")), Retry { times: 1, pause }, 0, true)
        };
        assert_eq!(pause("86400", Duration::ZERO), Some(MOST_ASKED));
        assert_eq!(pause("2", Duration::ZERO), Some(Duration::from_secs(2)));
        assert!(pause("0", Duration::from_secs(2)).is_some_and(|pause| pause >= Duration::from_secs(1)));
    }
}
