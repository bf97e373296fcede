//! The state that all clones and chains of a client share, and the preparation of a call.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

#[cfg(feature = "aws-lc-rs")]
use http::HeaderValue;
use http::Method;
#[cfg(all(feature = "aws-lc-rs", feature = "catalog"))]
use serde_json::Value;
use zeroize::Zeroizing;

#[cfg(feature = "catalog")]
use crate::catalog::Check;
#[cfg(feature = "catalog")]
use crate::client::checks::Checks;
use crate::crypto::PrivateKey;
use crate::error::{Error, ErrorKind};
use crate::notify::NotificationVerifier;
use crate::options::Options;
use crate::options::keys::RESERVED;
use crate::pipeline::attributes::CallPath;
use crate::pipeline::call_config::CallConfig;
use crate::pipeline::platform_keys::PlatformKeys;
use crate::pipeline::response::Response;
use crate::pipeline::send::Promise;
use crate::pipeline::send::{Pipeline, PreparedCall};
use crate::pipeline::sign::Credential;
use crate::pipeline::verify::Verifier;
use crate::proto::base_uri::BaseUri;
#[cfg(all(feature = "aws-lc-rs", feature = "catalog"))]
use crate::proto::request::Query;
#[cfg(any(feature = "aws-lc-rs", feature = "catalog"))]
use crate::proto::request::RequestBody;
use crate::proto::request::{self, UnsignedRequest};
use crate::proto::template::{Template, path_for_messages};
use crate::proto::v2;
#[cfg(feature = "aws-lc-rs")]
use crate::proto::verify::SERIAL;
use crate::transport::http_client::HttpClient;
use crate::transport::slot::Slot;

/// The state that all clones and chains of a client share.
pub(crate) struct ClientInner {
    pub(crate) pipeline: Pipeline,
    pub(crate) credential: Arc<Credential>,
    pub(crate) base_uri: BaseUri,
    /// The time limit of a call without the option `timeout`; zero means no limit.
    pub(crate) timeout: Duration,
    pub(crate) platform_keys: Arc<PlatformKeys>,
    pub(crate) verifier: Arc<dyn Verifier>,
    pub(crate) http: HttpClient,
    /// Created once, so that all users share the replay store.
    pub(crate) notifications: OnceLock<NotificationVerifier>,
    pub(crate) notifications_v2: OnceLock<crate::notify::v2::NotificationVerifier>,
    /// Decrypts sensitive fields. Absent if the client has a custom signer instead of a key.
    #[cfg_attr(not(feature = "aws-lc-rs"), allow(dead_code, reason = "ring cannot decrypt"))]
    pub(crate) merchant_key: Option<PrivateKey>,
    #[cfg(feature = "catalog")]
    pub(crate) checks: Checks,
}

impl ClientInner {
    /// Prepares a call, and returns the future that sends it. If the path or the options are
    /// invalid, the future returns the error.
    pub(crate) fn call(
        self: &Arc<Self>,
        method: Method,
        path: CallPath<'_>,
        template: Result<&Template, Error>,
        options: Options,
    ) -> Promise<Response> {
        let inner = Arc::clone(self);
        #[cfg(feature = "catalog")]
        let (template, options) = match template {
            Ok(template) if self.needs_catalog(&options) => {
                let options = self.validated(&method, template, options);
                match options
                    .and_then(|options| self.checks.apply(self.adds_serial(), &method, path, template, options))
                {
                    Ok(options) => (Ok(template), options),
                    Err(error) => (Err(error), Options::new()),
                }
            }
            template => (template, options),
        };
        if !options.encrypts() {
            let call = template.and_then(|template| self.prepare(&method, path, template, options.checked()?));
            let call = call.map_err(|error| error.with_call(&method, path.text));
            return Promise::new(async move { inner.send(call?).await });
        }
        let (text, is_run_time_text, template) = (path.text.to_owned(), path.is_run_time_text, template.cloned());
        Promise::new(async move {
            let path = CallPath { text: &text, is_run_time_text };
            let call = inner.prepare_encrypted(&method, path, template, options).await;
            inner.send(call.map_err(|error| error.with_call(&method, &text))?).await
        })
    }

    /// Builds the request once before the call is compared with its documentation, because a
    /// mistake in the options is the cause of what would be missing.
    #[cfg(feature = "catalog")]
    fn validated(&self, method: &Method, template: &Template, options: Options) -> Result<Options, Error> {
        let options = options.checked()?;
        let base_uri = options.config.base_uri.as_ref().unwrap_or(&self.base_uri);
        request::build(method.clone(), template, &options.spec, base_uri, &RESERVED)?;
        Ok(options)
    }

    /// Whether the catalogue is needed to prepare a call.
    #[cfg(feature = "catalog")]
    fn needs_catalog(&self, options: &Options) -> bool {
        let check = options.catalog.check.unwrap_or(self.checks.check);
        options.catalog.encrypt_documented || !matches!(check, Check::Off)
    }

    /// Whether the header `Wechatpay-Serial` is sent by default.
    #[cfg(feature = "catalog")]
    pub(crate) fn adds_serial(&self) -> bool {
        self.credential.platform_key_id.is_some()
    }

    #[cfg(not(feature = "catalog"))]
    fn send(&self, call: Box<PreparedCall>) -> impl Future<Output = Result<Response, Error>> {
        self.pipeline.send(call, |_, _| None)
    }

    /// Sends a call. If the service rejects it, the findings of the catalogue are added to the
    /// error.
    #[cfg(feature = "catalog")]
    async fn send(&self, mut call: Box<PreparedCall>) -> Result<Response, Error> {
        let spec = std::mem::take(&mut call.spec);
        let is_in_path = spec.query.is_none() && !matches!(spec.body, Some(RequestBody::Xml(_)));
        let query = call.request.uri().query().filter(|_| is_in_path).map(str::to_owned);
        match self.pipeline.send(call, |method, path| self.checks.documented(method, path)).await {
            Err(error) if error.is_bad_request() => {
                Err(self.checks.explain(self.adds_serial(), error, &spec, query.as_deref()))
            }
            result => result,
        }
    }

    /// Calls a template as given: its names are not converted to kebab-case.
    pub(crate) fn call_uri(self: &Arc<Self>, method: Method, uri: &str, options: Options) -> Promise<Response> {
        let template = request::parse_template(uri, &RESERVED);
        let path = CallPath { text: path_for_messages(uri), is_run_time_text: true };
        self.call(method, path, template.as_ref().map_err(|error| Error::path(error.message())), options)
    }

    /// Builds the request, and fills in the client's settings where the options have none.
    fn prepare(
        &self,
        method: &Method,
        path: CallPath<'_>,
        template: &Template,
        options: Options,
    ) -> Result<Box<PreparedCall>, Error> {
        let Options { spec, mut config, sink, progress, file_check, .. } = options;
        if let Some(template) = &mut config.http.debug {
            *template = path.text.into();
        }
        let base_uri = config.base_uri.get_or_insert_with(|| self.base_uri.clone());
        let UnsignedRequest { mut request, signing } =
            request::build(method.clone(), template, &spec, base_uri, &RESERVED)?;
        config.signing = signing;
        if config.signing.is_v2() {
            if config.redirects.left > 0 {
                return Err(Error::options(
                    "the option \"allow_redirects\" is for APIv3: an APIv2 signature does not cover the address, so a redirect could \
                     lead anywhere",
                ));
            }
            if config.http.client_certificate && request.uri().scheme_str() != Some("https") {
                return Err(Error::options(
                    "the option \"security\" presents the certificate over TLS, and the call uses plain http: set base_uri to https; the \
                     sandbox's is Sandbox::tls_base_uri",
                ));
            }
        } else if config.http.client_certificate {
            return Err(request::belongs_to_v2("security"));
        }
        let file = match sink {
            Some(sink) => {
                let used = || Error::options("the check of this download was used by another call");
                let check = file_check.map(|check| check.take().ok_or_else(used)).transpose()?;
                let (open, file) = sink.open(progress, check)?;
                config.sink = Some(Slot::new(open));
                Some(file)
            }
            None => None,
        };
        // By default, a download has no total time limit, but a limit on the wait for each piece.
        let is_download = config.stream || file.is_some();
        let (default_timeout, default_read_timeout) =
            if is_download { (Duration::ZERO, self.timeout) } else { (self.timeout, Duration::ZERO) };
        config.timeout.get_or_insert(default_timeout);
        config.read_timeout.get_or_insert(default_read_timeout);
        request.extensions_mut().insert(config);
        Ok(Box::new(PreparedCall {
            method: method.clone(),
            template: path.text.to_owned(),
            is_run_time_text: path.is_run_time_text,
            request,
            #[cfg(feature = "catalog")]
            spec,
            file,
        }))
    }

    /// Decrypts a value that was encrypted for the merchant.
    #[cfg(feature = "aws-lc-rs")]
    pub(crate) fn decrypt(&self, ciphertext: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        let key = self.merchant_key.as_ref().ok_or_else(|| {
            Error::config("the setting private_key is missing: with a custom signer, decrypt where the key is stored")
        })?;
        key.decrypt(ciphertext).map(Zeroizing::new)
    }

    #[cfg(not(feature = "aws-lc-rs"))]
    pub(crate) fn decrypt(&self, _: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        Err(Error::config("decrypting needs the feature aws-lc-rs of this crate: ring has no RSA-OAEP"))
    }

    /// Encrypts the fields that the option `encrypt` names, and prepares the call. The platform
    /// certificates may have to be fetched first, within the time limit of the call.
    async fn prepare_encrypted(
        &self,
        method: &Method,
        path: CallPath<'_>,
        template: Result<Template, Error>,
        options: Options,
    ) -> Result<Box<PreparedCall>, Error> {
        if path.text.get(..3).is_some_and(|version| version.eq_ignore_ascii_case("v2/")) {
            return Err(v2::encrypt_belongs_to_v3());
        }
        let template = template?;
        let timeout = options.config.timeout.unwrap_or(self.timeout);
        let started = Instant::now();
        let encrypting = self.encrypt_fields(options);
        let options = if timeout.is_zero() {
            encrypting.await
        } else {
            tokio::time::timeout(timeout, encrypting).await.unwrap_or_else(|_| {
                let message =
                    format!("the key to encrypt with was not received within {timeout:?}; the call was not sent");
                Err(Error::new(ErrorKind::Timeout, message))
            })
        };
        let mut call = self.prepare(method, path, &template, options.map_err(Error::before_sending)?)?;
        let config = call.request.extensions_mut().get_mut::<CallConfig>();
        if let Some(timeout) = config.and_then(|config| config.timeout.as_mut()).filter(|timeout| !timeout.is_zero()) {
            // Zero would be no limit.
            *timeout = timeout.saturating_sub(started.elapsed()).max(Duration::from_millis(1));
        }
        Ok(call)
    }

    /// Encrypts fields of the JSON body, and names the key in `Wechatpay-Serial`.
    #[cfg(feature = "aws-lc-rs")]
    async fn encrypt_fields(&self, options: Options) -> Result<Options, Error> {
        let mut options = options.checked()?;
        let (id, key) = self.platform_keys.encryption_key().await?;
        if let Some(RequestBody::Json(json)) = &mut options.spec.body {
            key.encrypt_fields(json, options.encrypt.iter().map(String::as_str))?;
        }
        #[cfg(feature = "catalog")]
        if let Some(Query::Map(members)) = &mut options.spec.query {
            let mut query = Value::Object(std::mem::take(members));
            key.encrypt_fields(&mut query, options.catalog.encrypt_query.iter().map(String::as_str))?;
            if let Value::Object(encrypted) = query {
                *members = encrypted;
            }
        }
        let id = HeaderValue::try_from(id)
            .map_err(|_| Error::config("the ID of the platform key is not valid in a header"))?;
        if options.spec.headers.get(SERIAL).is_some_and(|given| *given != id) {
            return Err(Error::options(
                "the header Wechatpay-Serial names another key than the one that \"encrypt\" uses: omit the header",
            ));
        }
        options.spec.headers.insert(SERIAL, id);
        Ok(options)
    }

    #[cfg(not(feature = "aws-lc-rs"))]
    async fn encrypt_fields(&self, _: Options) -> Result<Options, Error> {
        Err(Error::config("the option \"encrypt\" needs the feature aws-lc-rs of this crate: ring has no RSA-OAEP"))
    }
}
