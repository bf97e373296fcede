//! Notifications that are delivered again.

use bytes::Bytes;
use http::Request;

use super::Sandbox;
use crate::clock::now;
use crate::error::Error;

impl Sandbox {
    /// Signs a [`notification`](Self::notification) anew, as the service does when it delivers it
    /// again: with the same body, and with another timestamp and nonce.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Sign`](crate::ErrorKind::Sign) if the operating system provides no
    /// random bytes.
    pub fn redelivery(&self, notification: &Request<Bytes>) -> Result<Request<Bytes>, Error> {
        let signer = self.inner.read(|state| state.platform.signer(None, now()));
        let mut request = notification.clone();
        signer.sign(request.headers_mut(), notification.body())?;
        Ok(request)
    }
}
