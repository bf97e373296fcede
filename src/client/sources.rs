//! Clients from a settings file and from environment variables (feature `settings`).

use std::path::Path;

use crate::client::builder::ClientBuilder;
use crate::client::layers::Layers;
use crate::client::settings::Settings;
use crate::client::{Client, environment};
use crate::error::Error;
use crate::pipeline::trace;

impl Client {
    /// Builds a client from a TOML file, such as the `wxpay.toml` of the command `wxpay`. Requires
    /// the feature `settings`.
    ///
    /// ```toml
    /// mchid = "1900000109"
    /// serial = "3775B6A45ACD588826D15E583A95F5DD40E3FF01"
    /// private_key = "file://apiclient_key.pem"
    /// apiv3_key = "..."                          # optional
    /// secret = "..."                             # the APIv2 key, optional
    /// timeout = 30                               # in seconds, optional
    ///
    /// [certs]
    /// PUB_KEY_ID_0119000001092024111100326200001234 = "file://pub_key.pem"
    /// ```
    ///
    /// Relative `file://` paths start at the folder of the file. The other settings are
    /// `base_uri`, `backup_uri`, `retry`, `connect_timeout`, `keep_warm`, `proxy`,
    /// `root_certificate`, `catalog`, and `cert` and `key`, or `pkcs12` and `passphrase`, in the
    /// table `[merchant]`. [`ClientBuilder`] has a method for each, and
    /// [`ClientBuilder::from_file`] a builder to which more can be added.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("wxpay.toml");
    /// # let secret = "8934e7d15453e97507ef794cf7b0519d";
    /// # std::fs::write(&path, format!("mchid = \"1900000109\"\nsecret = \"{secret}\"\n"))?;
    /// let client = wechatpay_chain::Client::from_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Config`](crate::ErrorKind::Config) if the file cannot be read, if a
    /// setting is unknown, or as [`ClientBuilder::build`]. The message contains the line number,
    /// but no values.
    #[cfg_attr(docsrs, doc(cfg(feature = "settings")))]
    pub fn from_file(path: impl AsRef<Path>) -> Result<Client, Error> {
        ClientBuilder::from_file(path)?.build()
    }

    /// Builds a client from environment variables. Requires the feature `settings`.
    ///
    /// | variable | setting |
    /// | --- | --- |
    /// | `WXPAY_CONFIG` | the path of a TOML file, over which the other variables are laid |
    /// | `WXPAY_MCHID` | `mchid` |
    /// | `WXPAY_SERIAL` | `serial` |
    /// | `WXPAY_PRIVATE_KEY` | `private_key`, as PEM text or `file://` |
    /// | `WXPAY_PLATFORM_KEY_ID`, `WXPAY_PLATFORM_KEY` | a platform key |
    /// | `WXPAY_APIV3_KEY` | `apiv3_key` |
    /// | `WXPAY_SECRET` | `secret` |
    /// | `WXPAY_BASE_URI` | `base_uri` |
    /// | `WXPAY_CATALOG` | `catalog` |
    ///
    /// Settings of two merchants are not mixed. If the file and `WXPAY_MCHID` name different
    /// merchants, it is an error. A variable that replaces a key, a secret or the serial number of
    /// the file, or adds a platform key to those of the file, requires that both name the merchant.
    /// `private_key` and `serial` are replaced together.
    ///
    /// An empty variable counts as missing. A variable that begins with `WXPAY_` and is not in the
    /// table is reported as a [warning](https://docs.rs/tracing).
    ///
    /// # Errors
    /// As [`from_file`](Self::from_file), and for a mixture of two merchants.
    #[cfg_attr(docsrs, doc(cfg(feature = "settings")))]
    pub fn from_env() -> Result<Client, Error> {
        ClientBuilder::from_env()?.build()
    }
}

impl ClientBuilder {
    /// A builder with the settings of a TOML file; see [`Client::from_file`]. Use it to add what a
    /// file cannot contain, such as a [layer](Self::layer).
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use wechatpay_chain::{ClientBuilder, RateLimit};
    /// let limit = RateLimit::new(100, Duration::from_secs(1));
    /// let client = ClientBuilder::from_file("/etc/wechatpay/wxpay.toml")?.layer(limit).build()?;
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Config`](crate::ErrorKind::Config) if the file cannot be read, or if
    /// a setting is unknown or has a value of the wrong type.
    #[cfg_attr(docsrs, doc(cfg(feature = "settings")))]
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        Settings::from_file(path.as_ref())?.with_warnings().client_builder()
    }

    /// A builder with the settings of environment variables; see [`Client::from_env`].
    ///
    /// # Errors
    /// As [`from_file`](Self::from_file), if a variable is not valid UTF-8, and for a mixture of
    /// two merchants, as [`Client::from_env`].
    #[cfg_attr(docsrs, doc(cfg(feature = "settings")))]
    pub fn from_env() -> Result<Self, Error> {
        for warning in environment::unknown_variables() {
            trace::setting(&warning);
        }
        let settings = Layers::load(environment::config_file().as_deref())?.into_settings();
        settings.with_warnings().client_builder()
    }
}
