//! The settings of a sandbox.

use std::fmt;
use std::path::PathBuf;

use super::delivery::AllowedHosts;
use super::stub::{self, Stub};
use crate::error::Error;

/// The settings of a [`Sandbox`](super::Sandbox), which are those of `wxpay sandbox`.
///
/// ```
/// use wechatpay_chain::sandbox::Sandbox;
/// // All attempts to deliver a notification within 90 seconds, for a merchant in
/// // platform-certificate mode.
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
    /// Translates the explanations of refused signatures. `None`: they are not written.
    pub(super) log: Option<fn(&str) -> String>,
    pub(super) stubs: Vec<Stub>,
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
            error: None,
        }
    }

    /// The port on 127.0.0.1. The default, 0, selects a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Keeps keys and state in this folder across restarts. Whatever a response has reported is
    /// there again, even if the process was killed. Keys and settings for clients are written to
    /// the folder as well.
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Signs with a platform certificate, unless a request names the public key: a merchant in
    /// platform-certificate mode.
    pub fn certificates(mut self) -> Self {
        self.certificates = true;
        self
    }

    /// Divides the pauses between the attempts to deliver a notification by this factor, from 0.001
    /// to 1000000000. By default they are 15 s, 15 s, 30 s, 3 min, 10 min, ...
    pub fn notification_speed(mut self, factor: f64) -> Self {
        self.speed = factor;
        self
    }

    /// Sends notifications to any host. By default they are sent to this machine only, because the
    /// data of a test may contain real URLs.
    pub fn notify_anywhere(mut self) -> Self {
        self.allowed_hosts = AllowedHosts::Any;
        self
    }

    /// Explains each refused signature on standard error.
    pub fn log(self) -> Self {
        self.log_translated(str::to_owned)
    }

    /// Explains each refused signature on standard error, in another language.
    pub(crate) fn log_translated(mut self, translate: fn(&str) -> String) -> Self {
        self.log = Some(translate);
        self
    }

    /// Adds stubs, which are responses for endpoints that the sandbox does not have: a JSON array
    /// or JSON Lines of objects with `method`, `template`, `status` and `response`. A template is
    /// written as in a chain, with variables as `{x}`.
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
