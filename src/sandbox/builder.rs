//! The settings of a sandbox.

use std::fmt;
use std::path::PathBuf;

use super::delivery::AllowedHosts;
use super::stub::{self, Stub};
use crate::error::Error;

/// A builder for a [`Sandbox`](super::Sandbox). The settings are the same as those of `wxpay
/// sandbox`.
///
/// ```
/// use wechatpay_chain::sandbox::Sandbox;
/// // A merchant in platform-certificate mode. All attempts to deliver a notification are made
/// // within 90 seconds.
/// let sandbox = Sandbox::builder().notification_speed(1000.0).certificates().start()?;
/// # assert_ne!(sandbox.address().port(), 0);
/// # Ok::<(), wechatpay_chain::Error>(())
/// ```
#[must_use = "a builder does nothing until start() is called"]
pub struct SandboxBuilder {
    pub(super) port: u16,
    pub(super) dir: Option<PathBuf>,
    pub(super) certificates: bool,
    pub(super) speed: f64,
    pub(super) allowed_hosts: AllowedHosts,
    /// Translates the explanations of rejected signatures. If `None`, they are not printed.
    pub(super) log: Option<fn(&str) -> String>,
    pub(super) stubs: Vec<Stub>,
    pub(super) lenient: bool,
    /// Other hosts than those of the service that the proxy connects to.
    pub(super) proxied_hosts: Vec<String>,
    /// The first invalid setting.
    pub(super) error: Option<Error>,
}

impl SandboxBuilder {
    pub(super) fn new() -> Self {
        SandboxBuilder {
            port: 0,
            dir: None,
            certificates: false,
            speed: 1.0,
            allowed_hosts: AllowedHosts::ThisMachine,
            log: None,
            stubs: Vec::new(),
            lenient: false,
            proxied_hosts: Vec::new(),
            error: None,
        }
    }

    /// Sets the port on 127.0.0.1. The default, 0, selects a free port.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Stores the keys and the state in this folder, so that they survive a restart. Every change
    /// that a response has reported is stored, even if the process is killed. The folder also
    /// contains keys and settings for clients.
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Puts the merchant into platform-certificate mode. Responses are signed with a platform
    /// certificate, unless the request names the public key.
    pub fn certificates(mut self) -> Self {
        self.certificates = true;
        self
    }

    /// Divides the intervals between attempts to deliver a notification by this factor, from 0.001
    /// to 1000000000. By default, the intervals are 15 s, 15 s, 30 s, 3 min, 10 min, ...
    pub fn notification_speed(mut self, factor: f64) -> Self {
        self.speed = factor;
        self
    }

    /// Allows notifications to any host. By default, they are sent only to this machine, because
    /// test data may contain real URLs.
    pub fn notify_anywhere(mut self) -> Self {
        self.allowed_hosts = AllowedHosts::Any;
        self
    }

    /// Accepts requests that differ from the tables of the public documentation, with a warning. By
    /// default they are refused. The tables are no proof of what the service does, so a lenient
    /// sandbox is the way on if one of them is wrong. What the service certainly refuses is always
    /// refused.
    ///
    /// The warnings are in [`Received::findings`](super::Received::findings), on the page, and with
    /// [`log`](Self::log) on standard error.
    pub fn lenient(mut self) -> Self {
        self.lenient = true;
        self
    }

    /// Lets the proxy connect to another host. The sandbox is a proxy for the hosts of the service:
    /// its `base_uri` as `HTTPS_PROXY`, and its root certificate, are all that an SDK needs whose
    /// addresses are built in. Other hosts are refused by default, so that a test does not reach
    /// the network by mistake.
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.proxied_hosts.push(host.into().to_ascii_lowercase());
        self
    }

    /// Prints an explanation of each rejected signature, and each warning, to standard error.
    pub fn log(self) -> Self {
        self.log_translated(str::to_owned)
    }

    /// As [`log`](Self::log), in another language.
    pub(crate) fn log_translated(mut self, translate: fn(&str) -> String) -> Self {
        self.log = Some(translate);
        self
    }

    /// Adds stubs, which define the responses of endpoints, instead of the sandbox's own.
    /// `json` is a JSON array or JSON Lines of objects with `method`, `template`, `status` and
    /// `response`. A template is a path with variables as `{x}`, as in a chain.
    ///
    /// ```
    /// # use wechatpay_chain::sandbox::Sandbox;
    /// let sandbox = Sandbox::builder()
    ///     .stubs(r#"[{"method": "GET", "template": "v3/x", "status": 200, "response": {}}]"#)
    ///     .start()?;
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    pub fn stubs(mut self, json: &str) -> Self {
        match stub::parse_file(json) {
            Ok(stubs) => self.stubs.extend(stubs),
            Err(reason) => {
                self.error.get_or_insert(Error::config(format!("the stubs: {reason}")));
            }
        }
        self
    }
}

impl fmt::Debug for SandboxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxBuilder").field("port", &self.port).field("dir", &self.dir).finish_non_exhaustive()
    }
}
