//! Expectations of a test: the requests that a sandbox must receive, and their number. They are
//! verified when they are dropped, as in `wiremock`.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::inner::SandboxInner;
use super::request_log::Received;
use super::{Sandbox, path_template, stub};

/// Returns the reason why a request does not match; `None` if it matches.
type Matcher = Box<dyn Fn(&Received, &str) -> Option<String> + Send + Sync>;

/// An expectation of the requests to an endpoint. [`Sandbox::expect`] creates it.
///
/// It counts the requests that the sandbox receives after the expectation was created, including
/// those that it refuses. When the expectation is dropped, it panics if the number is not the
/// expected one, unless the thread is already panicking.
///
/// A test that returns an error with `?` drops its expectations before the error is printed, and
/// their panic replaces it. Use `expect` for the calls of such a test.
#[must_use = "an expectation is verified when it is dropped, so bind it to a variable"]
pub struct Expectation {
    inner: Arc<SandboxInner>,
    /// The number of requests before the expectation was created.
    before: u64,
    method: String,
    /// The template as the test wrote it.
    shown: String,
    template: String,
    matchers: Vec<Matcher>,
    /// The descriptions of the matchers.
    conditions: Vec<String>,
    /// A condition that no request can meet.
    mistake: Option<String>,
    min: usize,
    max: usize,
}

impl Sandbox {
    /// Expects exactly one request to an endpoint from now on. `template` is the path, with
    /// variables as `{x}`. The methods of [`Expectation`] restrict the requests and change the
    /// expected number.
    ///
    /// ```
    /// # use serde_json::json;
    /// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client()?;
    /// let hi = json!({ "echo_message": "hi" });
    /// let asked = sandbox.expect("POST", "v3/security/echo").json(hi);
    /// let never = sandbox.expect("POST", "v3/refund/domestic/refunds").times(0);
    /// let message = json!({ "json": { "echo_message": "hi" } });
    /// client.chain("v3/security/echo").post(message)?;
    /// assert_eq!(asked.requests().len(), 1);
    /// drop((asked, never)); // verifies them
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    pub fn expect(&self, method: &str, template: &str) -> Expectation {
        let (_, parsed) = stub::parse_template(template);
        Expectation {
            before: self.inner.read(|state| state.requests.count()),
            inner: Arc::clone(&self.inner),
            method: method.to_ascii_uppercase(),
            shown: template.trim_start_matches('/').to_owned(),
            template: parsed,
            matchers: Vec::new(),
            conditions: Vec::new(),
            mistake: None,
            min: 1,
            max: 1,
        }
    }
}

impl Expectation {
    /// Expects exactly this number of requests.
    pub fn times(mut self, times: usize) -> Self {
        (self.min, self.max) = (times, times);
        self
    }

    /// Expects at least this number of requests.
    pub fn at_least(mut self, times: usize) -> Self {
        (self.min, self.max) = (times, usize::MAX);
        self
    }

    /// Expects at most this number of requests.
    pub fn at_most(mut self, times: usize) -> Self {
        (self.min, self.max) = (0, times);
        self
    }

    /// Counts only requests whose JSON body has these fields with these values. Other fields are
    /// ignored, also in nested objects. Arrays must be equal.
    pub fn json(mut self, fields: Value) -> Self {
        self.conditions.push(format!("the body {fields}"));
        self.with(move |request, _| match serde_json::from_slice(&request.body) {
            Ok(body) => difference(&fields, &body, "the body"),
            Err(_) => Some("the body is not JSON".to_owned()),
        })
    }

    /// Counts only requests whose query has this parameter. `value` is the decoded value.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.conditions.push(format!("{name}={value} in the query"));
        let (name, value) = (name.to_owned(), value.to_owned());
        self.with(move |request, _| {
            let found = request.query(&name);
            (found.as_deref() != Some(&value)).then(|| format!("{name} in the query is {found:?}"))
        })
    }

    /// Counts only requests whose path variable has this value. `value` is the decoded value.
    pub fn var(mut self, name: &str, value: &str) -> Self {
        self.conditions.push(format!("{{{name}}} as {value:?}"));
        if !self.template.contains(&format!("{{{name}}}")) {
            self.mistake = Some(format!("the path has no variable {{{name}}}"));
        }
        let (name, value) = (name.to_owned(), value.to_owned());
        self.with(move |request, template| {
            let variables = path_template::matches(template, request.path())?;
            let found = variables.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value);
            (found.as_deref() != Some(&value)).then(|| format!("{{{name}}} is {found:?}"))
        })
    }

    /// Counts only requests for which a function returns `true`.
    pub fn matching(mut self, matches: impl Fn(&Received) -> bool + Send + Sync + 'static) -> Self {
        self.conditions.push("a function that returns true".to_owned());
        self.with(move |request, _| (!matches(request)).then(|| "the function returns false".to_owned()))
    }

    fn with(mut self, matcher: impl Fn(&Received, &str) -> Option<String> + Send + Sync + 'static) -> Self {
        self.matchers.push(Box::new(matcher));
        self
    }

    /// Returns the matching requests so far, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        self.received().into_iter().filter(|request| self.mismatch(request).is_none()).collect()
    }

    /// The requests to the endpoint after the expectation was created.
    fn received(&self) -> Vec<Received> {
        self.inner.read(|state| {
            let new = state.requests.calls().filter(|call| call.number > self.before).map(|call| &call.received);
            new.filter(|request| self.is_endpoint(request)).cloned().collect()
        })
    }

    fn is_endpoint(&self, request: &Received) -> bool {
        request.method == self.method.as_str() && path_template::matches(&self.template, request.path()).is_some()
    }

    fn mismatch(&self, request: &Received) -> Option<String> {
        self.matchers.iter().find_map(|matcher| matcher(request, &self.template))
    }

    /// The endpoint, the conditions and the number of requests, for the message of a failure.
    fn description(&self) -> String {
        let mut text = format!("{} {}", self.method, self.shown);
        for (at, condition) in self.conditions.iter().enumerate() {
            text += if at == 0 { " with " } else { " and " };
            text += condition;
        }
        text + &match (self.min, self.max) {
            (min, max) if min == max => format!(": expected {min} requests"),
            (0, max) => format!(": expected at most {max} requests"),
            (min, _) => format!(": expected at least {min} requests"),
        }
    }

    /// The message of the panic; `None` if the expectation is met.
    fn failure(&self) -> Option<String> {
        if let Some(mistake) = &self.mistake {
            return Some(format!("{}: {mistake}", self.description()));
        }
        let oldest = self.inner.read(|state| state.requests.calls().next().map(|call| call.number));
        if oldest.is_some_and(|oldest| oldest > self.before + 1) {
            return Some(format!("{}: the sandbox has received more requests than its log keeps", self.description()));
        }
        let (mut count, mut others) = (0, Vec::new());
        for request in self.received() {
            match self.mismatch(&request) {
                None => count += 1,
                Some(reason) => others.push(reason),
            }
        }
        if (self.min..=self.max).contains(&count) {
            return None;
        }
        let mut message = format!("{}, and {count} matched", self.description());
        if !others.is_empty() {
            message += &format!("; {} other requests to it did not: {}", others.len(), others.join("; "));
        }
        Some(message)
    }
}

/// Describes the first part of `expected` that is missing or different.
fn difference(expected: &Value, found: &Value, at: &str) -> Option<String> {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => expected.iter().find_map(|(name, value)| {
            let at = if at == "the body" { name.clone() } else { format!("{at}.{name}") };
            match found.get(name) {
                Some(found) => difference(value, found, &at),
                None => Some(format!("{at} is missing")),
            }
        }),
        _ if expected == found => None,
        _ => Some(format!("{at} is {found}")),
    }
}

/// Omits the values of the conditions. The message of a failure contains them.
impl fmt::Debug for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expectation")
            .field("method", &self.method)
            .field("template", &self.shown)
            .field("conditions", &self.conditions.len())
            .field("min", &self.min)
            .field("max", &self.max)
            .finish_non_exhaustive()
    }
}

impl Drop for Expectation {
    #[allow(clippy::panic, reason = "an expectation that is not met fails the test")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        if let Some(failure) = self.failure() {
            panic!("{failure}");
        }
    }
}
