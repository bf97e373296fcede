//! A path that is being written, and the verbs that call it.

use std::borrow::Cow;
use std::fmt;
use std::ops::{self, Deref};
use std::sync::{Arc, OnceLock};

use http::Method;

use crate::client::chain_cache::Index;
use crate::client::inner::ClientInner;
use crate::client::promise::Promise;
use crate::error::Error;
use crate::options::Options;
use crate::pipeline::response::Response;
use crate::proto::template::Template;
use crate::proto::{case, request};

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
    core: Arc<ClientInner>,
    path: Shared,
    index: OnceLock<Box<Index>>,
}

/// A path of this chain and its clones, or of every `chain!` at one place of a program.
#[derive(Clone)]
enum Shared {
    Counted(Arc<Path>),
    Literal(&'static Path),
}

impl Deref for Shared {
    type Target = Path;

    fn deref(&self) -> &Path {
        match self {
            Shared::Counted(path) => path,
            Shared::Literal(path) => path,
        }
    }
}

/// The text of a chain so far, or what is wrong with it.
#[doc(hidden)]
#[derive(Debug)]
pub struct Path {
    text: Result<Cow<'static, str>, String>,
    /// Parsed at the first call, and shared by all that follow.
    template: OnceLock<Option<Template>>,
}

/// The template text of names that are written one after the other.
#[cfg(feature = "cli")]
pub(crate) fn text<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<String, Error> {
    let root = Path::literal("");
    names.into_iter().fold(root, |path, name| path.join(name)).text.map(Cow::into_owned).map_err(Error::path)
}

impl Path {
    /// A path whose text the compiler has written.
    #[must_use]
    pub const fn literal(text: &'static str) -> Path {
        Path { text: Ok(Cow::Borrowed(text)), template: OnceLock::new() }
    }

    /// Joins a name to what is there, with one slash between them.
    fn join(&self, name: &str) -> Path {
        let text = match (&self.text, case::normalize(name)) {
            (Err(said), _) => Err(said.clone()),
            (_, Err(error)) => Err(error.message().to_owned()),
            (Ok(text), Ok(name)) if text.is_empty() => Ok(name.into_owned().into()),
            (Ok(text), Ok(name)) => {
                Ok(format!("{}/{}", text.trim_end_matches('/'), name.trim_start_matches('/')).into())
            }
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
    pub(crate) fn root(core: &Arc<ClientInner>) -> Self {
        static EMPTY: Path = Path::literal("");
        Chain::literal(core, &EMPTY)
    }

    pub(crate) fn literal(core: &Arc<ClientInner>, path: &'static Path) -> Self {
        Chain { core: Arc::clone(core), path: Shared::Literal(path), index: OnceLock::new() }
    }

    /// Adds one segment: a name in camelCase or kebab-case, or a variable as `_x_`, `{x}` or `<x>`.
    #[must_use]
    pub fn seg(&self, name: &str) -> Chain {
        self.chain(name)
    }

    /// Adds a path of any number of segments.
    #[must_use]
    pub fn chain(&self, path: &str) -> Chain {
        Chain {
            core: Arc::clone(&self.core),
            path: Shared::Counted(Arc::new(self.path.join(path))),
            index: OnceLock::new(),
        }
    }

    /// Adds a path that the compiler has written.
    #[doc(hidden)]
    #[must_use]
    pub fn __literal(&self, path: &'static Path) -> Chain {
        match (&self.path.text, &path.text) {
            (Ok(before), _) if before.is_empty() => Chain::literal(&self.core, path),
            (_, Ok(text)) => self.chain(text),
            (_, Err(_)) => self.clone(),
        }
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
        Chain { core: Arc::clone(&self.core), path: self.path.clone(), index: OnceLock::new() }
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Chain").field(&self.path.text).finish()
    }
}
