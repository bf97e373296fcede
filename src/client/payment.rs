//! The parameters with which a front end starts a payment through WeChat's scripts and libraries,
//! and the signatures of vouchers and WeChat Work.

use std::sync::Arc;

use ring::hmac;
use serde_json::{Value, json};

use crate::clock;
use crate::crypto::secret::Secret;
use crate::crypto::{hex, random};
use crate::error::Error;
use crate::pipeline::send::Promise;
use crate::pipeline::sign::Credential;
use crate::proto::signing_string::{joined_by_line_feed, ksort, query_string_like};

/// The signing string of `paySign` for JSAPI and mini programs: four lines, each of which ends with
/// a line feed. `timestamp` is in seconds since 1970, and `package` is `prepay_id=` followed by the
/// prepay ID.
///
/// Source: WeChat Pay, "JSAPI调起支付", "小程序调起支付".
///
/// ```text
/// wx8888888888888888\n
/// 1700000000\n
/// 0123456789ABCDEFGHIJKLMNOPQRSTUV\n
/// prepay_id=wx201410272009395522657a690389285100\n
/// ```
fn jsapi_message(appid: &str, timestamp: &str, nonce: &str, package: &str) -> String {
    joined_by_line_feed([appid, timestamp, nonce, package])
}

/// The argument of `WeixinJSBridge.invoke('getBrandWCPayRequest', ...)`, and the parameters of
/// `wx.requestPayment`. All values are strings.
fn jsapi(appid: &str, timestamp: &str, nonce: &str, package: &str, sign: &str) -> Value {
    json!({
        "appId": appid,
        "timeStamp": timestamp,
        "nonceStr": nonce,
        "package": package,
        "signType": "RSA",
        "paySign": sign,
    })
}

/// Checks the arguments. An error in them would otherwise appear only on the buyer's phone.
fn check(appid: &str, prepay_id: &str) -> Result<(), Error> {
    // A prepay ID has 36 characters, so exchanged arguments are noticed.
    let is_appid = |text: &str| text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if appid.is_empty() || !is_appid(appid) {
        return Err(Error::options("the appid is not an appid such as wx8888888888888888"));
    }
    if prepay_id.is_empty() || !prepay_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
        return Err(Error::options(
            "the prepay_id is not that of a response, such as wx201410272009395522657a690389285100: give it without \"prepay_id=\"",
        ));
    }
    Ok(())
}

/// Signs the parameters for JSAPI and mini programs.
pub(crate) fn sign_jsapi(credential: Arc<Credential>, appid: &str, prepay_id: &str) -> Promise<Value> {
    let checked = check(appid, prepay_id);
    let (appid, package) = (appid.to_owned(), format!("prepay_id={prepay_id}"));
    Promise::new(async move {
        checked?;
        let (timestamp, nonce) = (clock::now().to_string(), random::nonce()?);
        let message = jsapi_message(&appid, &timestamp, &nonce, &package);
        let sign = credential.sign_base64(message.as_bytes()).await?.1;
        Ok(jsapi(&appid, &timestamp, &nonce, &package, &sign))
    })
}

/// Signs the parameters for apps.
pub(crate) fn sign_app(credential: Arc<Credential>, appid: &str, partnerid: &str, prepay_id: &str) -> Promise<Value> {
    let checked = check(appid, prepay_id);
    let (appid, partnerid, prepay_id) = (appid.to_owned(), partnerid.to_owned(), prepay_id.to_owned());
    Promise::new(async move {
        checked?;
        let (timestamp, nonce) = (clock::now().to_string(), random::nonce()?);
        let message = app_message(&appid, &timestamp, &nonce, &prepay_id);
        let sign = credential.sign_base64(message.as_bytes()).await?.1;
        Ok(app(&appid, &partnerid, &prepay_id, &timestamp, &nonce, &sign))
    })
}

/// The signing string of `sign` for payments in apps: four lines, each of which ends with a line
/// feed.
///
/// Source: WeChat Pay, "APP调起支付".
///
/// ```text
/// wx8888888888888888\n
/// 1700000000\n
/// 0123456789ABCDEFGHIJKLMNOPQRSTUV\n
/// wx201410272009395522657a690389285100\n
/// ```
fn app_message(appid: &str, timestamp: &str, nonce: &str, prepay_id: &str) -> String {
    joined_by_line_feed([appid, timestamp, nonce, prepay_id])
}

/// The fields of `PayReq` in the libraries for Android, iOS and HarmonyOS. All values are strings.
fn app(appid: &str, partnerid: &str, prepay_id: &str, timestamp: &str, nonce: &str, sign: &str) -> Value {
    json!({
        "appid": appid,
        "partnerid": partnerid,
        "prepayid": prepay_id,
        "package": "Sign=WXPay",
        "noncestr": nonce,
        "timestamp": timestamp,
        "sign": sign,
    })
}

/// Returns the `sign` of the parameters that send vouchers in mini programs and H5 pages. It is an
/// HMAC-SHA256 with the APIv2 key, as 64 upper-case hexadecimal digits.
///
/// The signing string consists of the parameters, sorted by the bytes of their names and not
/// URL-encoded, followed by the APIv2 key. Empty parameters and `sign` are omitted:
///
/// ```text
/// out_request_no0=abc123&send_coupon_merchant=10016226&stock_id0=1234567891&key=...
/// ```
///
/// Source: WeChat Pay, "小程序发券" and "H5发券", and the examples in the PHP SDK.
///
/// ```
/// use wechatpay_chain::{Secret, voucher_sign};
/// let parameters = [
///     ("stock_id0", "1234567891"),
///     ("out_request_no0", "abc123"),
///     ("send_coupon_merchant", "10016226"),
/// ];
/// let sign = voucher_sign(parameters, &Secret::from("corpusApiv2Key0123456789abcdefgh"));
/// assert_eq!(sign.len(), 64);
/// ```
#[must_use]
pub fn voucher_sign<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>, apiv2_key: &Secret) -> String {
    let mut message = query_string_like(ksort(parameters)).into_bytes();
    message.extend_from_slice(b"&key=");
    message.extend_from_slice(apiv2_key.expose());
    let key = hmac::Key::new(hmac::HMAC_SHA256, apiv2_key.expose());
    hex::encode(hmac::sign(&key, &zeroize::Zeroizing::new(message)).as_ref()).to_ascii_uppercase()
}

/// Returns the `workwx_sign` of red packets and payments in WeChat Work. It is an MD5 digest, as 32
/// upper-case hexadecimal digits.
///
/// The signing string consists of the given fields, sorted by the bytes of their names and not
/// URL-encoded, followed by the secret of the WeChat Work agent. Empty fields and `sign` are
/// omitted:
///
/// ```text
/// act_name=XXX&mch_billno=11111234567890&mch_id=10000098&nonce_str=...&secret=...
/// ```
///
/// The signed fields differ between endpoints, so pass only those that the endpoint's documentation
/// lists. They include `nonce_str`, and the call must carry the same `nonce_str`.
///
/// Source: WeChat Work, "发放企业红包" and "向员工付款".
///
/// ```
/// use wechatpay_chain::{Secret, workwx_sign};
/// let secret = Secret::from("the agent's secret");
/// let fields = [
///     ("act_name", "XXX"),
///     ("mch_billno", "11111234567890"),
///     ("mch_id", "10000098"),
///     ("nonce_str", "qFKEgfig76DF9912fewmkp"),
///     ("re_openid", "oxTWIuGaIt6gTKsQRLau2M0yL16E"),
///     ("total_amount", "1000"),
///     ("wxappid", "wx123456789"),
/// ];
/// let sign = workwx_sign(fields, &secret);
/// assert_eq!(sign.len(), 32);
/// ```
#[must_use]
pub fn workwx_sign<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>, secret: &Secret) -> String {
    let message = query_string_like(ksort(fields));
    crate::crypto::hash::md5_agency(&message, secret).to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workwx_sign_omits_empty_fields() {
        let fields = [("b", "2"), ("a", "1"), ("c", "")];
        // printf 'a=1&b=2&secret=s' | md5sum
        assert_eq!(workwx_sign(fields, &"s".into()), crate::crypto::hash::md5("a=1&b=2&secret=s").to_ascii_uppercase());
    }
}
