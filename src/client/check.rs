//! The methods of the client and its builder that use the catalogue.

use std::sync::Arc;

#[cfg(feature = "aws-lc-rs")]
use serde_json::Value;

use crate::catalog::{Catalog, Check};
#[cfg(feature = "aws-lc-rs")]
use crate::client::Client;
use crate::client::builder::ClientBuilder;
#[cfg(feature = "aws-lc-rs")]
use crate::error::Error;
#[cfg(feature = "aws-lc-rs")]
use crate::pipeline::response::Response;

impl ClientBuilder {
    /// Compares each call with its documentation before it is sent. The option `check` of a call
    /// replaces this setting. By default, calls are not checked.
    ///
    /// ```
    /// # use serde_json::json;
    /// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
    /// use wechatpay_chain::catalog::Check;
    /// let client = sandbox.client_builder().check(Check::Deny).build()?;
    /// let native = client.chain("v3/pay/transactions/native");
    /// let error = native.post(json!({ "json": { "mchid": 1900000109 } })).unwrap_err();
    /// assert!(error.is_before_send());
    /// assert!(error.message().contains("json.mchid: a number where a string is needed"));
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// With [`Check::Deny`], a call with findings fails with
    /// [`ErrorKind::Options`](crate::ErrorKind::Options).
    #[cfg_attr(docsrs, doc(cfg(feature = "catalog")))]
    pub fn check(mut self, check: Check) -> Self {
        self.catalog.check = check;
        self
    }

    /// Uses this catalogue instead of the built-in one.
    #[cfg_attr(docsrs, doc(cfg(feature = "catalog")))]
    pub fn catalog(mut self, catalog: impl Into<Arc<Catalog>>) -> Self {
        self.catalog.catalog = Some(catalog.into());
        self
    }
}

#[cfg(feature = "aws-lc-rs")]
impl Client {
    /// Returns the JSON of a response in which the documented encrypted fields are decrypted with
    /// the merchant's private key. Fields that are absent or empty are left as they are.
    ///
    /// ```
    /// # use serde_json::json;
    /// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
    /// # let client = sandbox.client()?;
    /// # let phone = sandbox.merchant_key().public_key().encrypt("13800000000".as_bytes())?;
    /// # let path = "v3/merchant-service/complaints-v2/{complaint_id}";
    /// # sandbox.stub("GET", path, 200, json!({ "payer_phone": phone }));
    /// let complaint = client.chain("v3/merchant-service/complaints-v2/{complaint_id}");
    /// let response = complaint.get(json!({ "complaint_id": "200201820200101080076610000" }))?;
    /// let json = client.decrypt_response("GET", complaint.template()?, &response)?;
    /// assert_eq!(json["payer_phone"], "13800000000");
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Decode`](crate::ErrorKind::Decode) if the catalogue does not have
    /// the call, if a field cannot be decrypted, if the client has a
    /// [`signer`](ClientBuilder::signer) instead of a private key, or if the response is not JSON.
    /// The error contains the response.
    #[cfg_attr(docsrs, doc(cfg(feature = "catalog")))]
    pub fn decrypt_response(&self, method: impl AsRef<str>, path: &str, response: &Response) -> Result<Value, Error> {
        let call = self.inner.checks.catalog().find(method, path).ok_or_else(|| {
            response.unreadable(
                "the catalogue does not have the call: give its method and its path, such as Chain::template returns it, or \
                 decrypt its fields with PrivateKey::decrypt_fields",
            )
        })?;
        let mut json: Value = response.json()?;
        let paths = call.encrypted_in_response(&json);
        if !paths.is_empty() {
            let key = self.inner.merchant_key.as_ref().ok_or_else(|| {
                response.unreadable(
                    "the setting private_key is missing: with a custom signer, decrypt where the key is stored",
                )
            })?;
            key.decrypt_fields(&mut json, paths.iter().map(String::as_str))
                .map_err(|error| response.unreadable(error.message()))?;
        }
        Ok(json)
    }
}
