//! A secret that is formatted as `***` and zeroed on drop.

use std::fmt;

use zeroize::Zeroizing;

/// A key, a passphrase or another secret that must not appear in logs. It is formatted as `***` and
/// zeroed on drop.
///
/// ```
/// use wechatpay_chain::Secret;
/// let key = Secret::from("not for your eyes");
/// assert_eq!(format!("{key:?} {key}"), "*** ***");
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Returns the secret bytes, which the caller must then protect.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Secret(Zeroizing::new(bytes))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Secret::from(text.into_bytes())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Secret::from(text.as_bytes().to_vec())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
