//! The parameters that a front end needs to open the payment: what WeChat's own scripts and
//! libraries take.

use ring::hmac;
use serde_json::{Value, json};

use crate::crypto::hex;
use crate::crypto::secret::Secret;
use crate::proto::signing_string::{joined_by_line_feed, ksort, query_string_like};

/// The message that `paySign` of JSAPI and mini programs covers.
///
/// ```text
/// wx8888888888888888\n
/// 1700000000\n
/// 0123456789ABCDEFGHIJKLMNOPQRSTUV\n
/// prepay_id=wx201410272009395522657a690389285100\n
/// ```
pub(crate) fn jsapi_message(appid: &str, timestamp: &str, nonce: &str, package: &str) -> String {
    joined_by_line_feed([appid, timestamp, nonce, package])
}

/// What `WeixinJSBridge.invoke('getBrandWCPayRequest', ...)` and `wx.requestPayment` take.
pub(crate) fn jsapi(appid: &str, timestamp: &str, nonce: &str, package: &str, sign: &str) -> Value {
    json!({
        "appId": appid,
        "timeStamp": timestamp,
        "nonceStr": nonce,
        "package": package,
        "signType": "RSA",
        "paySign": sign,
    })
}

/// The message that `sign` of an app's payment covers.
///
/// ```text
/// wx8888888888888888\n
/// 1700000000\n
/// 0123456789ABCDEFGHIJKLMNOPQRSTUV\n
/// wx201410272009395522657a690389285100\n
/// ```
pub(crate) fn app_message(appid: &str, timestamp: &str, nonce: &str, prepay_id: &str) -> String {
    joined_by_line_feed([appid, timestamp, nonce, prepay_id])
}

/// What the libraries for Android, iOS and HarmonyOS take as `PayReq`.
pub(crate) fn app(appid: &str, partnerid: &str, prepay_id: &str, timestamp: &str, nonce: &str, sign: &str) -> Value {
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

/// The `sign` of parameters that hand out vouchers in H5 and mini programs: HMAC-SHA256 with the
/// APIv2 key, upper-case hexadecimal, over the sorted parameters, empty ones and `sign` left out.
///
/// ```text
/// out_request_no0=abc123&send_coupon_merchant=10016226&stock_id0=1234567891&key=...
/// ```
///
/// ```
/// use wechatpay_chain::{Secret, voucher_sign};
/// let sign = voucher_sign(
///     [("stock_id0", "1234567891"), ("out_request_no0", "abc123"), ("send_coupon_merchant", "10016226")],
///     &Secret::from("corpusApiv2Key0123456789abcdefgh"),
/// );
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

/// The `workwx_sign` of WeChat Work's red packets and payments: MD5 over the given fields, sorted,
/// and the agent's secret, in upper-case hexadecimal. Which fields are signed differs by endpoint,
/// so give just those, `nonce_str` among them, and put the same `nonce_str` into the call.
///
/// Source: WeChat Work, "发放企业红包" and "向员工付款".
///
/// ```
/// use wechatpay_chain::{Secret, workwx_sign};
/// let secret = Secret::from("the agent's secret");
/// let sign = workwx_sign(
///     [("act_name", "XXX"), ("mch_billno", "11111234567890"), ("mch_id", "10000098"), ("nonce_str", "qFKEgfig76DF9912fewmkp"),
///      ("re_openid", "oxTWIuGaIt6gTKsQRLau2M0yL16E"), ("total_amount", "1000"), ("wxappid", "wx123456789")],
///     &secret,
/// );
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
    fn the_signature_of_wechat_work() {
        let fields = [("b", "2"), ("a", "1"), ("c", "")];
        // printf 'a=1&b=2&secret=s' | md5sum
        assert_eq!(workwx_sign(fields, &"s".into()), crate::crypto::hash::md5("a=1&b=2&secret=s").to_ascii_uppercase());
    }
}
