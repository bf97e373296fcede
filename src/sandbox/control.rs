//! Methods of a sandbox for actions of a buyer, a user or the platform. If the sandbox has a
//! database, each method waits until the change is written, for at most 10 s.

use serde_json::{Value, json};

use super::{Sandbox, admin_actions};
use crate::clock::now;
use crate::crypto::Certificate;
use crate::error::Error;
use crate::pipeline::send::Promise;
use crate::proto::json_depth;

impl Sandbox {
    /// Simulates the buyer's payment of an order, or of all orders in a combined order. Their state
    /// becomes `SUCCESS`, and notifications are sent to their `notify_url`. Returns the transaction
    /// ID.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Options`](crate::ErrorKind::Options) if the order does not exist or
    /// can no longer be paid.
    pub fn pay(&self, out_trade_no: &str) -> Result<String, Error> {
        self.pay_async(out_trade_no).wait()
    }

    /// The asynchronous form of [`pay`](Self::pay).
    pub fn pay_async(&self, out_trade_no: &str) -> Promise<String> {
        let paid = self.control_async("pay", &json!({ "out_trade_no": out_trade_no }));
        paid.then(|response| response["transaction_id"].as_str().unwrap_or_default().to_owned())
    }

    /// Simulates the user's confirmation of a transfer. Its state becomes `SUCCESS`, and a
    /// notification is sent to its `notify_url`.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Options`](crate::ErrorKind::Options) if the transfer does not exist
    /// or has already ended.
    pub fn confirm_transfer(&self, out_bill_no: &str) -> Result<(), Error> {
        self.confirm_transfer_async(out_bill_no).wait()
    }

    /// The asynchronous form of [`confirm_transfer`](Self::confirm_transfer).
    pub fn confirm_transfer_async(&self, out_bill_no: &str) -> Promise<()> {
        self.control_async("confirm", &json!({ "out_bill_no": out_bill_no })).then(drop)
    }

    /// Makes a control call, like `POST /sandbox/{call}` with `fields` as the body. `call` is
    /// `refund`, `replay`, `probe`, `card`, ...; `docs/SANDBOX.md` describes the calls and their
    /// fields. Returns the response, which lists the notifications that the call causes.
    ///
    /// ```
    /// # let sandbox = wechatpay_chain::sandbox::Sandbox::start()?;
    /// let probe = serde_json::json!({ "notify_url": "http://127.0.0.1:9/" });
    /// let response = sandbox.control("probe", &probe)?;
    /// assert_eq!(response["notifications"][0]["outcome"], "waiting");
    /// # Ok::<(), wechatpay_chain::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Options`](crate::ErrorKind::Options) if the call does not exist, a
    /// field is missing, or the change is not allowed.
    pub fn control(&self, call: &str, fields: &Value) -> Result<Value, Error> {
        self.control_async(call, fields).wait()
    }

    /// The asynchronous form of [`control`](Self::control).
    pub fn control_async(&self, call: &str, fields: &Value) -> Promise<Value> {
        let checked = json_depth::check(fields).map_err(Error::options).map(|()| fields.clone());
        let call = call.to_owned();
        self.inner.transact_async(move |state| {
            let unknown =
                || Error::options(format!("{call:?} is not a control call of the sandbox: {}", admin_actions::calls()));
            admin_actions::run(state, &call, &checked?, now()).unwrap_or_else(|| Err(unknown()))
        })
    }

    /// Issues a new platform certificate and puts the merchant into platform-certificate mode. From
    /// then on, responses are signed with this certificate, unless the request names the public
    /// key. Each further call rotates the certificate; older ones remain valid.
    ///
    /// Returns the new certificate. The first certificates in a process take a few tenths of a
    /// second each.
    ///
    /// # Errors
    /// Fails with [`ErrorKind::Config`](crate::ErrorKind::Config) if a key cannot be generated.
    pub fn rotate_certificate(&self) -> Result<Certificate, Error> {
        self.rotate_certificate_async().wait()
    }

    /// The asynchronous form of [`rotate_certificate`](Self::rotate_certificate).
    pub fn rotate_certificate_async(&self) -> Promise<Certificate> {
        self.inner.transact_async(|state| Certificate::from_pem(&state.platform.rotate()?.pem))
    }
}
