//! A path that is being written, and the verbs that call it.

use std::fmt;
use std::ops;
use std::sync::{Arc, OnceLock};

use http::Method;

use crate::call::Core;
use crate::error::Error;
use crate::index::Index;
use crate::options::Options;
use crate::promise::Promise;
use crate::proto::template::Template;
use crate::proto::{path, request};
use crate::response::Response;

/// A path of the API, written segment by segment or at once, and called by a verb.
///
/// All of these are the same chain:
///
/// ```
/// # let client = wechatpay_chain::sandbox::Sandbox::start()?.client()?;
/// use wechatpay_chain::chain;
/// client.seg("v3").seg("marketing").seg("membercardOpen").seg("cards").seg("_card_id_").seg("permissionTokens");
/// client.chain("v3/marketing/membercard-open/cards/{card_id}/permission-tokens");
/// client.chain("v3/marketing").chain("membercard-open/cards/<card_id>").seg("permissionTokens");
/// &client["v3/marketing/membercard-open/cards/{card_id}/permission-tokens"];
/// let chain = chain!(client->v3->marketing->membercardOpen->cards->_card_id_->permissionTokens);
/// assert_eq!(chain.template()?, "v3/marketing/membercard-open/cards/{card_id}/permission-tokens");
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
///
/// The methods that write the path borrow the chain and return a new one, so a prefix can be used for many calls. A mistake in
/// the path is reported by the verb, before anything is sent.
///
/// # Names
///
/// - A camelCase or PascalCase name becomes kebab-case: `permissionTokens` is `permission-tokens`.
/// - `{card_id}`, `<card_id>` and, as a whole name, `_card_id_` are variables, filled from the options. All of RFC 6570 works.
/// - Text with capitals that is no camelCase word is an error: it is a value pasted into the path, and would lose its capitals.
/// - `{empty}` at the end stands for a trailing slash.
pub struct Chain {
    core: Arc<Core>,
    path: Arc<Path>,
    index: OnceLock<Box<Index>>,
}

/// The text of a chain so far, or what is wrong with it.
struct Path {
    text: Result<String, String>,
    /// Parsed at the first call, and shared by all that follow.
    template: OnceLock<Option<Template>>,
}

/// The template text of names that are written one after the other.
#[cfg(feature = "cli")]
pub(crate) fn text<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<String, Error> {
    let root = Path { text: Ok(String::new()), template: OnceLock::new() };
    names.into_iter().fold(root, |path, name| path.join(name)).text.map_err(Error::path)
}

impl Path {
    /// Joins a name to what is there, with one slash between them.
    fn join(&self, name: &str) -> Path {
        let text = match (&self.text, path::normalize(name)) {
            (Err(said), _) => Err(said.clone()),
            (_, Err(error)) => Err(error.message().to_owned()),
            (Ok(text), Ok(name)) if text.is_empty() => Ok(name.into_owned()),
            (Ok(text), Ok(name)) => Ok(format!("{}/{}", text.trim_end_matches('/'), name.trim_start_matches('/'))),
        };
        Path { text, template: OnceLock::new() }
    }

    fn template(&self) -> Result<&Template, Error> {
        let text = self.text.as_ref().map_err(Error::path)?;
        match self.template.get_or_init(|| request::template(text).ok()) {
            Some(template) => Ok(template),
            // Errors cannot be kept and handed out many times, so a wrong template is parsed again to tell why.
            None => Err(request::template(text).err().unwrap_or_else(|| Error::path("the path is no template"))),
        }
    }
}

impl Chain {
    pub(crate) fn root(core: &Arc<Core>) -> Self {
        let path = Path { text: Ok(String::new()), template: OnceLock::new() };
        Chain { core: Arc::clone(core), path: Arc::new(path), index: OnceLock::new() }
    }

    /// Adds one segment: a name in camelCase or kebab-case, or a variable as `_x_`, `{x}` or `<x>`.
    #[must_use]
    pub fn seg(&self, name: &str) -> Chain {
        self.chain(name)
    }

    /// Adds a path of any number of segments.
    #[must_use]
    pub fn chain(&self, path: &str) -> Chain {
        Chain { core: Arc::clone(&self.core), path: Arc::new(self.path.join(path)), index: OnceLock::new() }
    }

    /// The path as the template it has become, such as `v3/pay/transactions/id/{transaction_id}`.
    ///
    /// ```
    /// # let client = wechatpay_chain::sandbox::Sandbox::start()?.client()?;
    /// assert_eq!(client.seg("v3").seg("payScore").seg("_id_").template()?, "v3/pay-score/{id}");
    /// // A value pasted into the path would lose its capitals.
    /// assert!(client.chain("v3/pay-score/pbLatjvWOibDc5").template().is_err());
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Path`](crate::ErrorKind::Path) when a name in it is wrong.
    pub fn template(&self) -> Result<&str, Error> {
        self.path.text.as_deref().map_err(Error::path)
    }

    /// Sends by a method that was chosen at run time.
    pub(crate) fn send(&self, method: Method, options: Options) -> Promise<Response> {
        let shown = self.path.text.as_deref().unwrap_or("(a path that is not valid)");
        self.core.call(method, shown, self.path.template(), options)
    }
}

macro_rules! verbs {
    ($($verb:ident $verb_async:ident $method:ident;)+) => {
        impl Chain {
            $(
                #[doc = concat!("Sends `", stringify!($method), "` and blocks this thread until the verified answer is there.")]
                ///
                /// Works on any thread, with or without a runtime. Inside async code it blocks the thread, so call the
                #[doc = concat!("[`_async`](Self::", stringify!($verb_async), ") twin there.")]
                ///
                /// # Errors
                /// Of every [kind](crate::ErrorKind) but `Probe` and `Replay`, which notifications have; an answer other than 2xx is
                /// one, unless the option `http_errors` is `false`.
                pub fn $verb(&self, options: impl Into<Options>) -> Result<Response, Error> {
                    self.$verb_async(options).wait()
                }

                #[doc = concat!("Sends `", stringify!($method), "`: a future of the verified answer, with the errors of [`",
                    stringify!($verb), "`](Self::", stringify!($verb), ").")]
                pub fn $verb_async(&self, options: impl Into<Options>) -> Promise<Response> {
                    self.send(Method::$method, options.into())
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

impl ops::Index<&'static str> for Chain {
    type Output = Chain;

    /// [`chain`](Chain::chain) with a string literal. The new chain is kept by this one.
    fn index(&self, path: &'static str) -> &Chain {
        self.index.get_or_init(|| Box::new(Index::new())).get_or_insert(path, || self.chain(path))
    }
}

impl Clone for Chain {
    fn clone(&self) -> Self {
        // Not the index: a chain kept in an index must not keep that index.
        Chain { core: Arc::clone(&self.core), path: Arc::clone(&self.path), index: OnceLock::new() }
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Chain").field(&self.path.text).finish()
    }
}

/// A chain as PHP writes it: `chain!(client->v3->pay->transactions->_id_)`.
///
/// What stands before the first arrow is a client or a chain: a name, or an expression in parentheses. Names are written as in
/// PHP; one that is no name of Rust goes into quotes, or into PHP's braces.
///
/// ```
/// # fn show(client: wechatpay_chain::Client) -> Result<(), wechatpay_chain::Error> {
/// use wechatpay_chain::chain;
/// assert_eq!(
///     chain!(client->v3->marketing->membercardOpen->cards->{"{card_id}"}->"permission-tokens").template()?,
///     "v3/marketing/membercard-open/cards/{card_id}/permission-tokens",
/// );
/// # Ok(()) }
/// ```
#[macro_export]
macro_rules! chain {
    ($client:tt $(-> $name:tt)+) => {
        $client $(.seg($crate::chain!(@name $name)))+
    };
    (@name { $name:literal }) => { $name };
    (@name $name:literal) => { $name };
    (@name $name:ident) => { stringify!($name) };
}
