//! The methods of a sandbox that define responses.

use serde_json::Value;

use super::stub::Stub;
use super::{Sandbox, body};

impl Sandbox {
    /// Serves a file of `length` bytes at a path, without a signature, like a bill. Returns its
    /// SHA-1 digest as hexadecimal digits. The bytes are generated as they are sent, so the file
    /// takes no memory.
    ///
    /// [`Download`](crate::Download) has an example.
    pub fn file(&self, template: &str, length: u64) -> String {
        self.add_stub(Stub::file(template, length));
        body::generated_file_sha1(length)
    }

    /// Defines the response of an endpoint, instead of the sandbox's own. `template` is its path,
    /// with variables as `{x}`.
    ///
    /// ```
    /// # use serde_json::json;
    /// # use wechatpay_chain::sandbox::Sandbox;
    /// # let sandbox = Sandbox::start()?;
    /// sandbox.stub("GET", "v3/certificates/{serial}", 200, json!({ "data": [] }));
    /// let certificate = sandbox.client()?.chain("v3/certificates/{serial}");
    /// let response = certificate.get(json!({ "serial": "1" }))?;
    /// assert_eq!(response.json::<serde_json::Value>()?, json!({ "data": [] }));
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    pub fn stub(&self, method: &str, template: &str, status: u16, response: Value) {
        self.add_stub(Stub::json(method, template, status, response));
    }

    fn add_stub(&self, stub: Stub) {
        let _ = self.inner.transact(|state| state.stubs.push(stub));
    }
}
