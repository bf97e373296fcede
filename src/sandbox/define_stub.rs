//! The methods of a sandbox that define responses.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
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

    /// Defines the responses of an endpoint by a function, which is called for each request and
    /// returns the status and the body. The body of an APIv2 response is an object of fields.
    ///
    /// ```
    /// # use serde_json::{Value, json};
    /// # use wechatpay_chain::sandbox::Sandbox;
    /// # let sandbox = Sandbox::start()?;
    /// sandbox.stub_with("POST", "v3/things", move |request| {
    ///     let thing: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    ///     (201, json!({ "id": "1", "name": thing["name"] }))
    /// });
    /// let things = sandbox.client()?.chain("v3/things");
    /// let thing = things.post(json!({ "json": { "name": "a" } }))?;
    /// assert_eq!(thing.field::<String>("name")?, "a");
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// The function must not call the sandbox, which waits for its response. If it panics, the
    /// connection is closed, and the sandbox panics when it is dropped.
    pub fn stub_with(
        &self,
        method: &str,
        template: &str,
        respond: impl Fn(&Request<Bytes>) -> (u16, Value) + Send + Sync + 'static,
    ) {
        self.add_stub(Stub::function(method, template, Arc::new(respond)));
    }

    fn add_stub(&self, stub: Stub) {
        let _ = self.inner.transact(|state| state.stubs.push(stub));
    }
}
