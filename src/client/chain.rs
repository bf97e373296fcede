//! A chain: a path built from segments, and the verbs that send requests to it.

use std::borrow::Cow;
use std::fmt;
use std::ops::{self, Deref};
use std::sync::{Arc, OnceLock};

use http::Method;

use crate::client::chain_cache::ChainCache;
use crate::client::inner::ClientInner;
use crate::client::static_text::StaticText;
use crate::error::Error;
use crate::options::keys::RESERVED;
use crate::options::{IntoOptions, Options};
use crate::pipeline::attributes::CallPath;
use crate::pipeline::response::Response;
use crate::pipeline::send::Promise;
use crate::proto::template::{Template, has_query, may_contain_userinfo, path_for_messages};
use crate::proto::{case, request};

/// An API path, built from segments or given as a whole, with a method for each HTTP verb.
///
/// Each of these lines builds the same chain:
///
/// ```
/// # let client = wechatpay_chain::sandbox::Sandbox::start()?.client()?;
/// use wechatpay_chain::chain;
/// let cards = client.seg("v3").seg("marketing").seg("membercardOpen").seg("cards");
/// cards.seg("_card_id_").seg("permissionTokens");
/// client.chain("v3/marketing/membercard-open/cards/{card_id}/permission-tokens");
/// client.chain("v3/marketing").chain("membercard-open/cards/<card_id>").seg("permissionTokens");
/// &client["v3/marketing/membercard-open/cards/{card_id}/permission-tokens"];
/// let chain = chain!(client->v3->marketing->membercardOpen->cards->_card_id_->permissionTokens);
/// assert_eq!(chain.template()?, "v3/marketing/membercard-open/cards/{card_id}/permission-tokens");
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
///
/// The methods that extend the path borrow the chain and return a new one, so a chain can be stored
/// and reused as a prefix. If the path is invalid, the verb returns an error before anything is
/// sent.
///
/// # Names
///
/// - In `seg`, `[...]` and `chain!`, a camelCase or PascalCase name becomes kebab-case:
///   `permissionTokens` is `permission-tokens`. In [`chain`](Self::chain), which also takes paths
///   that are built at run time, a name with capitals is an error.
/// - `{card_id}` and `<card_id>` are variables, and so is `_card_id_` if it is a whole name. The
///   options contain their values. All operators of RFC 6570 are supported.
/// - `{/x}`, `{?x}` and other expressions that write their own separator follow a name directly:
///   `pendingBills{?limit}`. Without a value they write nothing; an empty value of `{/x}` is an
///   error.
/// - Text with capitals that is not a camelCase word is an error. It is probably a value that was
///   pasted into the path, and it would be converted to lower case.
/// - `{empty}` at the end produces a trailing slash. Names are joined by one slash, even if they
///   begin or end with slashes.
pub struct Chain {
    inner: Arc<ClientInner>,
    path: SharedPath,
    cache: OnceLock<Box<ChainCache<Chain>>>,
}

/// A path that a chain shares with its clones, or the static path of a `chain!`.
#[derive(Clone)]
enum SharedPath {
    Owned(Arc<Path>),
    Static(&'static Path),
}

impl Deref for SharedPath {
    type Target = Path;

    fn deref(&self) -> &Path {
        match self {
            SharedPath::Owned(path) => path,
            SharedPath::Static(path) => path,
        }
    }
}

/// The text of a path, or the error in it.
#[doc(hidden)]
#[derive(Debug)]
pub struct Path {
    text: Result<Cow<'static, str>, String>,
    /// Parsed at the first call, and shared by later calls.
    template: OnceLock<Option<Template>>,
    /// It has a query and was built at run time, so the option `query` must not replace the query.
    keeps_query: bool,
    /// It may contain values of the run time, which must not be in spans and metrics.
    is_run_time_text: bool,
}

/// The template text of a chain with these names.
#[cfg(feature = "cli")]
pub(crate) fn text<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<String, Error> {
    let root = Path::literal("");
    names.into_iter().fold(root, |path, name| path.join(name)).text.map(Cow::into_owned).map_err(Error::path)
}

impl Path {
    /// A path whose text is known at compile time.
    #[must_use]
    pub const fn literal(text: &'static str) -> Path {
        Path { text: Ok(Cow::Borrowed(text)), template: OnceLock::new(), keeps_query: false, is_run_time_text: false }
    }

    /// Appends a name of the program's text, separated by one slash.
    fn join(&self, name: &str) -> Path {
        self.joined(case::normalize(name), may_contain_userinfo(name))
    }

    /// Appends a path that may contain values of the run time.
    fn join_at_run_time(&self, path: &str) -> Path {
        let mut joined = self.joined(case::without_capitals(path), may_contain_userinfo(path));
        joined.keeps_query |= has_query(path);
        joined.is_run_time_text = true;
        joined
    }

    fn joined(&self, name: Result<Cow<'_, str>, Error>, may_contain_userinfo: bool) -> Path {
        let text = match (&self.text, name) {
            (Err(reason), _) => Err(reason.clone()),
            (_, Err(_)) if may_contain_userinfo => Err("the path is not a URI template".to_owned()),
            (_, Err(error)) => Err(error.message().to_owned()),
            (Ok(text), Ok(name)) if text.is_empty() => Ok(name.into_owned().into()),
            (Ok(text), Ok(name)) => {
                Ok(format!("{}/{}", text.trim_end_matches('/'), name.trim_start_matches('/')).into())
            }
        };
        let Path { keeps_query, is_run_time_text, .. } = *self;
        Path { text, template: OnceLock::new(), keeps_query, is_run_time_text }
    }

    fn template(&self) -> Result<&Template, Error> {
        let text = self.text.as_ref().map_err(Error::path)?;
        match self.template.get_or_init(|| request::parse_template(text, &RESERVED).ok()) {
            Some(template) => Ok(template),
            // An `Error` cannot be cloned, so an invalid template is parsed again for its error.
            None => Err(request::parse_template(text, &RESERVED)
                .err()
                .unwrap_or_else(|| Error::path("the path is not a valid template"))),
        }
    }
}

impl Chain {
    pub(crate) fn root(inner: &Arc<ClientInner>) -> Self {
        static EMPTY: Path = Path::literal("");
        Chain::literal(inner, &EMPTY)
    }

    pub(crate) fn literal(inner: &Arc<ClientInner>, path: &'static Path) -> Self {
        Chain { inner: Arc::clone(inner), path: SharedPath::Static(path), cache: OnceLock::new() }
    }

    /// Adds one segment: a name in camelCase or kebab-case, or a variable as `_x_`, `{x}` or `<x>`.
    ///
    /// The name is part of the program's text. A value of the run time is a variable, whose value
    /// the options contain:
    ///
    /// ```compile_fail
    /// # fn show(client: wechatpay_chain::Client, id: String) {
    /// client.seg("v3").seg("pay").seg(&id);
    /// # }
    /// ```
    #[must_use]
    pub fn seg(&self, name: impl StaticText) -> Chain {
        self.name(name.text())
    }

    /// Adds a path with any number of segments, also one that is built at run time.
    ///
    /// Names are written as the API writes them. A segment with capitals is an error, because it
    /// may be a value, which the conversion to kebab-case would change. If the path has a query,
    /// the option `query` is an error, because it would replace that query.
    ///
    /// ```
    /// # let client = wechatpay_chain::sandbox::Sandbox::start()?.client()?;
    /// let id = "testOrder";
    /// let pasted = client.chain(&format!("v3/pay/transactions/out-trade-no/{id}"));
    /// assert!(pasted.template().is_err());
    /// let orders = client.chain("v3/pay/transactions/out-trade-no/{id}");
    /// # let _ = orders.get(serde_json::json!({ "id": id, "query": { "mchid": "1900000109" } }));
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    #[must_use]
    pub fn chain(&self, path: &str) -> Chain {
        self.with_path(self.path.join_at_run_time(path))
    }

    /// Adds a name or a path of the program's text.
    pub(crate) fn name(&self, name: &str) -> Chain {
        self.with_path(self.path.join(name))
    }

    fn with_path(&self, path: Path) -> Chain {
        Chain { inner: Arc::clone(&self.inner), path: SharedPath::Owned(Arc::new(path)), cache: OnceLock::new() }
    }

    /// Adds a path that is known at compile time.
    #[doc(hidden)]
    #[must_use]
    pub fn __literal(&self, path: &'static Path) -> Chain {
        match (&self.path.text, &path.text) {
            (Ok(before), _) if before.is_empty() => Chain::literal(&self.inner, path),
            (_, Ok(text)) => self.name(text),
            (_, Err(_)) => self.clone(),
        }
    }

    /// Returns the path as a template, such as `v3/pay/transactions/id/{transaction_id}`.
    ///
    /// ```
    /// # let client = wechatpay_chain::sandbox::Sandbox::start()?.client()?;
    /// assert_eq!(client.seg("v3").seg("payScore").seg("_id_").template()?, "v3/pay-score/{id}");
    /// // A value pasted into the path would be converted to lower case.
    /// assert!(client.chain("v3/pay-score/pbLatjvWOibDc5").template().is_err());
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Path`](crate::ErrorKind::Path) if the path contains an invalid name.
    pub fn template(&self) -> Result<&str, Error> {
        self.path.text.as_deref().map_err(Error::path)
    }

    /// Prepares a call with any method. All verbs use this.
    pub(crate) fn send(&self, method: Method, options: Options) -> Promise<Response> {
        let text = self.path.text.as_deref().unwrap_or("(an invalid path)");
        let path = CallPath { text: path_for_messages(text), is_run_time_text: self.path.is_run_time_text };
        let options = if self.path.keeps_query { options.refuse_query() } else { options };
        self.inner.call(method, path, self.path.template(), options)
    }
}

// Each blocking verb waits for its `_async` form.
macro_rules! verbs {
    ($($verb:ident $verb_async:ident $method:ident;)+) => {
        impl Chain {
            $(
                #[doc = concat!("Sends `", stringify!($method), "` and blocks this thread until the verified response is received.")]
                ///
                /// Works on any thread, with or without a runtime. To avoid blocking the thread in
                /// async code, use
                #[doc = concat!("[`", stringify!($verb_async), "`](Self::", stringify!($verb_async), ").")]
                ///
                /// # Errors
                /// Fails with any [kind](crate::ErrorKind) except `Probe` and `Replay`, which only
                /// notifications have. A response other than 2xx is an error, unless the option
                /// `http_errors` is `false`.
                pub fn $verb(&self, options: impl IntoOptions) -> Result<Response, Error> {
                    self.$verb_async(options).wait()
                }

                #[doc = concat!("Sends `", stringify!($method), "` and returns a future of the verified response. The errors are those of [`",
                    stringify!($verb), "`](Self::", stringify!($verb), ").")]
                pub fn $verb_async(&self, options: impl IntoOptions) -> Promise<Response> {
                    self.send(Method::$method, options.into_options())
                }
            )+
        }
    };
}

verbs! {
    get get_async GET;
    put put_async PUT;
    post post_async POST;
    patch patch_async PATCH;
    delete delete_async DELETE;
}

impl<T: StaticText> ops::Index<T> for Chain {
    type Output = Chain;

    /// Adds a path of the program's text, in which camelCase becomes kebab-case. This chain caches
    /// the new one. For a path that is built at run time, call [`chain`](Chain::chain).
    fn index(&self, path: T) -> &Chain {
        let path = path.text();
        self.cache.get_or_init(|| Box::new(ChainCache::new())).get_or_insert(path, || self.name(path))
    }
}

impl Clone for Chain {
    fn clone(&self) -> Self {
        // Without the cache: a chain inside a cache must not hold that cache.
        Chain { inner: Arc::clone(&self.inner), path: self.path.clone(), cache: OnceLock::new() }
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Chain").field(&self.path.text.as_deref().map(path_for_messages)).finish()
    }
}
