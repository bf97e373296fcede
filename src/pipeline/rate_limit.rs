//! A limit on the rate of calls: a token bucket, in Redis or in this process (a tower layer).
//!
//! The bucket is a virtual schedule (GCRA): the time of the next free permit. A call reserves that
//! permit and waits until its time. A response with status 429 moves the schedule into the future.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use tower::{Layer, Service};

use crate::error::{BoxError, Error, ErrorKind};
use crate::pipeline::retry::retry_after;
use crate::proto::xml;
#[cfg(feature = "redis")]
use crate::store::RedisStore;
use crate::transport::{BoxFuture, runtime};

/// The default longest time that a call waits for a permit.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// The pause after a refusal without `Retry-After`.
const DEFAULT_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause that `Retry-After` may demand.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// How long the bucket of this process is used after Redis did not respond in time.
#[cfg(feature = "redis")]
const LOCAL_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// The time limit for Redis, which delays each call.
#[cfg(feature = "redis")]
const REDIS_TIMEOUT: Duration = Duration::from_millis(250);

/// A layer that limits the rate of calls. Clones share the limit.
///
/// WeChat Pay limits each merchant, not each process, and refuses calls beyond the limit with
/// `FREQUENCY_LIMITED` (status 429; in APIv2 an `err_code`). With `shared` (feature `redis`), all
/// processes of a merchant share one bucket, and a refusal with its `Retry-After` pauses all of
/// them. While Redis is unavailable, the bucket of this process is used.
///
/// ```
/// use std::time::Duration;
/// use wechatpay_chain::{Client, RateLimit};
///
/// // 300 calls a second, and up to 10 at once:
/// let limit = RateLimit::new(300, Duration::from_secs(1)).burst(10);
/// let client = Client::builder().layer(limit);
/// ```
///
/// A call waits for its permit, at most [`max_wait`](Self::max_wait) and within the timeout of the
/// call. A call that is dropped while it waits has used its permit, and one that waits for its
/// permit when a refusal arrives is still sent.
///
/// The layer is outside of the option `retry`: the further attempts of a call use no permit, and a
/// refusal after which a retry succeeds causes no pause. Use one of the two.
#[derive(Clone)]
pub struct RateLimit(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    bucket: Bucket,
    max_wait: Duration,
    /// The rate of this process while Redis is unavailable.
    #[cfg(feature = "redis")]
    local_bucket: Bucket,
    #[cfg(feature = "redis")]
    shared: Option<(RedisStore, Arc<str>)>,
    local: Arc<Mutex<Local>>,
}

/// The shape of a bucket.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// The time between two permits.
    interval: Duration,
    /// How far ahead of the schedule a permit may be used: one interval less than the burst.
    tolerance: Duration,
}

/// The bucket of this process.
#[derive(Default)]
struct Local {
    /// The time of the next permit in the schedule; `None` at first.
    next: Option<Instant>,
    /// Redis failed, and is not asked until then.
    #[cfg(feature = "redis")]
    until: Option<Instant>,
}

impl Bucket {
    fn new(interval: Duration, burst: u32) -> Self {
        Bucket { interval, tolerance: interval.saturating_mul(burst.max(1) - 1) }
    }
}

impl Local {
    /// Reserves a permit. Returns how long to wait for it, or as an error how long it would be if
    /// that is more than `max_wait`.
    fn reserve(&mut self, bucket: Bucket, max_wait: Duration, now: Instant) -> Result<Duration, Duration> {
        let next = self.next.map_or(now, |next| next.max(now));
        let wait = next.saturating_duration_since(now).saturating_sub(bucket.tolerance);
        if wait > max_wait {
            return Err(wait);
        }
        self.next = next.checked_add(bucket.interval);
        Ok(wait)
    }

    /// Lets no permit be used before `pause` is over.
    fn pause(&mut self, bucket: Bucket, pause: Duration, now: Instant) {
        if let Some(until) = now.checked_add(pause.saturating_add(bucket.tolerance)) {
            self.next = Some(self.next.map_or(until, |next| next.max(until)));
        }
    }
}

impl RateLimit {
    /// Creates a limit of `calls`, at least 1, in each period `per`. Calls are spread over the
    /// period, unless [`burst`](Self::burst) permits several at once.
    #[must_use]
    pub fn new(calls: u32, per: Duration) -> Self {
        let bucket = Bucket::new(per / calls.max(1), 1);
        RateLimit(Arc::new(Inner {
            bucket,
            max_wait: MAX_WAIT,
            #[cfg(feature = "redis")]
            local_bucket: bucket,
            #[cfg(feature = "redis")]
            shared: None,
            local: Arc::default(),
        }))
    }

    fn with(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Inner { local: Arc::default(), ..(*self.0).clone() };
        change(&mut inner);
        RateLimit(Arc::new(inner))
    }

    /// Sets how many calls can be made at once after a time without calls. The default is 1.
    #[must_use]
    pub fn burst(self, calls: u32) -> Self {
        self.with(|inner| inner.bucket = Bucket::new(inner.bucket.interval, calls))
    }

    /// Sets how long a call may wait for its permit. The default is five seconds. A call that would
    /// wait longer fails with [`ErrorKind::Timeout`] at once, and
    /// [`Error::is_before_send`](crate::Error::is_before_send) returns `true`.
    #[must_use]
    pub fn max_wait(self, max_wait: Duration) -> Self {
        self.with(|inner| inner.max_wait = max_wait)
    }

    /// Shares the limit with all processes that use this `name`, such as the merchant ID. While
    /// Redis is unavailable, each of that many `processes` uses its part of the rate.
    ///
    /// Each call is one more round trip to Redis, from version 5.
    #[cfg(feature = "redis")]
    #[must_use]
    pub fn shared(self, store: RedisStore, name: &str, processes: u32) -> Self {
        self.with(|inner| {
            inner.shared = Some((store, Arc::from(name)));
            inner.local_bucket = Bucket::new(inner.bucket.interval.saturating_mul(processes.max(1)), 1);
        })
    }
}

impl Inner {
    fn local(&self) -> MutexGuard<'_, Local> {
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a permit.
    async fn wait(&self) -> Result<(), Error> {
        let reserved = match self.reserve_shared().await {
            Some(reserved) => reserved,
            None => self.local().reserve(self.unshared_bucket(), self.max_wait, Instant::now()),
        };
        let wait = reserved.map_err(|wait| {
            let message =
                format!("the next permit of the rate limit is in {wait:?}, longer than max_wait ({:?})", self.max_wait);
            Error::new(ErrorKind::Timeout, message).before_sending()
        })?;
        if !wait.is_zero() {
            runtime::sleep_until(tokio::time::Instant::now() + wait).await;
        }
        Ok(())
    }

    #[cfg(not(feature = "redis"))]
    #[expect(clippy::unused_async, reason = "the form of the feature `redis`")]
    async fn reserve_shared(&self) -> Option<Result<Duration, Duration>> {
        None
    }

    #[cfg(not(feature = "redis"))]
    fn unshared_bucket(&self) -> Bucket {
        self.bucket
    }

    #[cfg(feature = "redis")]
    fn unshared_bucket(&self) -> Bucket {
        if self.shared.is_some() { self.local_bucket } else { self.bucket }
    }

    /// Reserves a permit in Redis. `None` if it is unavailable or there is none.
    #[cfg(feature = "redis")]
    async fn reserve_shared(&self) -> Option<Result<Duration, Duration>> {
        let (store, name) = self.shared.as_ref()?;
        if self.local().until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let reserving =
            std::pin::pin!(store.reserve_permit(name, self.bucket.interval, self.bucket.tolerance, self.max_wait));
        match runtime::timeout(REDIS_TIMEOUT, reserving).await {
            Some(Ok(reserved)) => Some(reserved),
            Some(Err(_)) | None => {
                self.local().until = Instant::now().checked_add(LOCAL_AFTER_FAILURE);
                None
            }
        }
    }

    /// Pauses all processes after a refusal.
    async fn pause(&self, pause: Duration) {
        self.local().pause(self.unshared_bucket(), pause, Instant::now());
        #[cfg(feature = "redis")]
        if let Some((store, name)) = &self.shared {
            let pausing = std::pin::pin!(store.pause_permits(name, pause.saturating_add(self.bucket.tolerance)));
            // Without Redis, the other processes learn it from their own refusals.
            let _ = runtime::timeout(REDIS_TIMEOUT, pausing).await;
        }
        #[cfg(not(feature = "redis"))]
        std::future::ready(()).await;
    }
}

/// How long to pause after this response, if it is a refusal because of the rate.
fn demanded_pause(response: &http::Response<Bytes>) -> Option<Duration> {
    let is_refusal = response.status() == StatusCode::TOO_MANY_REQUESTS || is_limited_v2(response.body());
    let demanded = || retry_after(response.headers()).unwrap_or(DEFAULT_PAUSE).min(MAX_PAUSE);
    is_refusal.then(demanded)
}

/// Whether the body is that of APIv2 with the code `FREQUENCY_LIMITED`, whose status is 200.
fn is_limited_v2(body: &[u8]) -> bool {
    const CODE: &[u8] = b"FREQUENCY_LIMITED";
    body.starts_with(b"<")
        && body.len() < 16 * 1024
        && body.windows(CODE.len()).any(|window| window == CODE)
        && xml::read(body).is_ok_and(|fields| fields.get("err_code").is_some_and(|code| code == "FREQUENCY_LIMITED"))
}

impl<S> Layer<S> for RateLimit {
    type Service = RateLimited<S>;

    fn layer(&self, inner: S) -> RateLimited<S> {
        RateLimited { limit: self.clone(), inner }
    }
}

/// The service of [`RateLimit`].
#[derive(Clone)]
pub struct RateLimited<S> {
    limit: RateLimit,
    inner: S,
}

impl<S> Service<http::Request<Bytes>> for RateLimited<S>
where
    S: Service<http::Request<Bytes>, Response = http::Response<Bytes>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Bytes>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<http::Response<Bytes>, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: http::Request<Bytes>) -> Self::Future {
        let clone = self.inner.clone();
        // The service that is ready is the one that was polled.
        let (mut inner, limit) = (std::mem::replace(&mut self.inner, clone), self.limit.clone());
        Box::pin(async move {
            limit.0.wait().await?;
            let response = inner.call(request).await.map_err(Into::into)?;
            if let Some(pause) = demanded_pause(&response) {
                limit.0.pause(pause).await;
            }
            Ok(response)
        })
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit").field("bucket", &self.0.bucket).finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for RateLimited<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimited").field("limit", &self.limit).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_are_spread_and_bursts_are_bounded() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let bucket = Bucket::new(second / 10, 3);
        let mut local = Local::default();
        let mut waits = |after| local.reserve(bucket, second, start + after);
        let tenths = |number: u32| Ok(second / 10 * number);
        for expected in [0, 0, 0, 1, 2, 3] {
            assert_eq!(waits(Duration::ZERO), tenths(expected));
        }
        // After a long time, the bucket holds no more than the burst.
        for expected in [0, 0, 0, 1] {
            assert_eq!(waits(second * 100), tenths(expected));
        }
        let mut local = Local::default();
        for _ in 0..13 {
            assert!(local.reserve(bucket, second, start).is_ok());
        }
        assert_eq!(local.reserve(bucket, second, start), Err(second / 10 * 11));
        assert_eq!(local.reserve(bucket, second, start + second / 10), Ok(second), "the refused one used no permit");
        local.pause(bucket, second * 5, start);
        assert_eq!(local.reserve(bucket, second * 9, start), Ok(second * 5));
        local.pause(bucket, second, start);
        assert_eq!(
            local.reserve(bucket, second * 9, start),
            Ok(second / 10 * 51),
            "a shorter pause ends no longer one"
        );
    }

    #[test]
    fn refusals_are_recognized() {
        let pause = |status: u16, after: Option<&str>, body: &'static str| {
            let mut response = http::Response::builder().status(status);
            if let Some(after) = after {
                response = response.header("retry-after", after);
            }
            demanded_pause(&response.body(Bytes::from_static(body.as_bytes())).expect("response"))
                .map(|time| time.as_secs())
        };
        assert_eq!(pause(429, Some("7"), ""), Some(7));
        assert_eq!(pause(429, None, ""), Some(1));
        assert_eq!(pause(429, Some("99999999999"), ""), Some(60));
        assert_eq!(pause(200, None, "<xml><err_code><![CDATA[FREQUENCY_LIMITED]]></err_code></xml>"), Some(1));
        assert_eq!(pause(200, None, "<xml><attach>FREQUENCY_LIMITED</attach></xml>"), None);
        assert_eq!(pause(200, None, "FREQUENCY_LIMITED"), None);
        assert_eq!(pause(503, Some("7"), ""), None);
    }
}
