//! Field schemas: what the fields of a request must be, and the refusal of a field that is not.

use std::net::IpAddr;

use http::StatusCode;
use serde_json::Value;

use super::china_time;
use super::refusal::Refusal;
use crate::clock::now;
use crate::proto::url::{web_host, without_userinfo};

/// A field of a request.
#[derive(Clone, Copy)]
pub(super) struct Field {
    /// Its JSON pointer.
    pub(super) pointer: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
}

/// What a value must be.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// A string with at least 1 and at most this many characters.
    Text(usize),
    /// A merchant's number: 1 to 32 letters, digits and `_-|*`.
    Number,
    /// An integer in this range, bounds included.
    Integer(i64, i64),
    Boolean,
    /// A merchant's number with at least six characters.
    OrderNumber,
    /// A merchant's number of letters and digits only.
    BillNumber,
    /// The ID of an app, an official account or a mini program.
    Appid,
    Openid,
    /// A payment code of a buyer.
    PaymentCode,
    /// A `notify_url`.
    Url,
    /// A time in RFC 3339 that is not over.
    Expiry,
    Object,
    /// An array whose length is in this range, bounds included.
    List(usize, usize),
    OneOf(&'static [&'static str]),
}

/// The maximum amount of a payment, in fen.
pub(super) const MAX_FEN: i64 = 10_000_000_000;

pub(super) const fn required(pointer: &'static str, kind: Kind) -> Field {
    Field { pointer, kind, required: true }
}

pub(super) const fn optional(pointer: &'static str, kind: Kind) -> Field {
    Field { pointer, kind, required: false }
}

/// Checks the fields of a body.
pub(super) fn check(body: &Value, fields: &[Field]) -> Result<(), Refusal> {
    check_at(body, "", fields)
}

/// Checks the fields of a part of a body. `at` is the JSON pointer of that part.
pub(super) fn check_at(part: &Value, at: &str, fields: &[Field]) -> Result<(), Refusal> {
    for field in fields {
        let pointer = format!("{at}{}", field.pointer);
        let value = match part.pointer(field.pointer) {
            Some(value) if !value.is_null() => value,
            _ if field.required => return Err(Refusal::missing("body", &pointer)),
            _ => continue,
        };
        if let Err(requirement) = field.kind.check(value) {
            if matches!(field.kind, Kind::Appid) && value.as_str().is_some_and(|appid| matches!(appid.len(), 1..=32)) {
                return Err(Refusal::new(StatusCode::BAD_REQUEST, "APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配"));
            }
            let mut refusal = Refusal::param("body", &pointer, format!("参数 {pointer} {requirement}"));
            // A URL may contain a password.
            refusal.detail["value"] = match (field.kind, value.as_str()) {
                (Kind::Url, Some(text)) if text.contains('@') => without_userinfo(text).into(),
                _ => value.clone(),
            };
            return Err(refusal);
        }
    }
    Ok(())
}

impl Kind {
    /// Checks a value. The error is the requirement that it does not meet.
    fn check(self, value: &Value) -> Result<(), String> {
        let text = value.as_str().filter(|text| !text.is_empty());
        let (valid, requirement) = match self {
            Kind::Text(max) => match text {
                Some(text) => (text.chars().count() <= max, format!("超过{max}个字符")),
                None => (false, "应为非空字符串".to_owned()),
            },
            Kind::Number => {
                (text.is_some_and(is_number), "应为1-32个字符的字符串，只能是数字、大小写字母_-|*".to_owned())
            }
            Kind::Integer(min, max) => {
                (value.as_i64().is_some_and(|number| (min..=max).contains(&number)), format!("应为{min}到{max}的整数"))
            }
            Kind::Boolean => (value.is_boolean(), "应为布尔值".to_owned()),
            Kind::OrderNumber => (
                text.is_some_and(|text| text.len() >= 6 && is_number(text)),
                "应为6-32个字符的字符串，只能是数字、大小写字母_-|*".to_owned(),
            ),
            Kind::BillNumber => (
                text.is_some_and(|text| is_number(text) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())),
                "应为1-32个字符的字符串，只能是数字、大小写字母".to_owned(),
            ),
            Kind::Appid => (text.is_some_and(is_appid), "应为公众号、小程序或应用的AppID".to_owned()),
            Kind::Openid => (text.is_some_and(is_openid), "不是有效的openid".to_owned()),
            Kind::PaymentCode => (text.is_some_and(is_payment_code), WRONG_PAYMENT_CODE.to_owned()),
            Kind::Url => (
                text.is_some_and(is_notify_url),
                "应为https开头、不超过255个字符、不携带参数的URL（本机和内网地址也可用http）".to_owned(),
            ),
            Kind::Expiry => (
                text.and_then(china_time::parse_rfc3339).is_some_and(|time| time > now()),
                "应为RFC 3339格式的时间，如2018-06-08T10:34:56+08:00，且晚于当前时间".to_owned(),
            ),
            Kind::Object => (value.is_object(), "应为对象".to_owned()),
            Kind::List(min, max) => (
                value.as_array().is_some_and(|items| (min..=max).contains(&items.len())),
                format!("应为{min}到{max}个元素的数组"),
            ),
            Kind::OneOf(values) => {
                (text.is_some_and(|text| values.contains(&text)), format!("应为{}之一", values.join("、")))
            }
        };
        if valid { Ok(()) } else { Err(requirement) }
    }
}

/// Whether a text can be a merchant's number.
pub(super) fn is_number(text: &str) -> bool {
    matches!(text.len(), 1..=32) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-|*".contains(&byte))
}

/// Whether a text has the form of an `appid`.
pub(super) fn is_appid(text: &str) -> bool {
    let prefixes = ["wx", "ww"];
    text.len() == 18 && prefixes.iter().any(|prefix| text.starts_with(prefix)) && is_number(text)
}

/// Whether a text has the form of an `openid`.
pub(super) fn is_openid(text: &str) -> bool {
    text.len() == 28
        && text.starts_with('o')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Whether a text is a payment code: 18 digits that begin with 10 to 15.
pub(super) fn is_payment_code(text: &str) -> bool {
    let is_first = |prefix: &str| ["10", "11", "12", "13", "14", "15"].contains(&prefix);
    text.len() == 18 && text.bytes().all(|byte| byte.is_ascii_digit()) && text.get(..2).is_some_and(is_first)
}

pub(super) const WRONG_PAYMENT_CODE: &str = "应为微信支付付款码(以10/11/12/13/14/15为前缀的18位数字)";

/// Whether a text can be a `notify_url`: https, or http on this machine or a private network, and
/// without a query.
pub(super) fn is_notify_url(text: &str) -> bool {
    let Ok(host) = web_host(text) else { return false };
    let is_https = text.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"));
    text.len() <= 255 && !text.contains(['?', '#']) && (is_https || is_private(host))
}

/// Whether a host is on this machine or in a private network.
fn is_private(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private() || address.is_link_local(),
        Ok(IpAddr::V6(address)) => address.is_loopback() || (address.segments()[0] & 0xfe00) == 0xfc00,
        // A name without a dot is one of a local network.
        Err(_) => {
            let local = [".localhost", ".local", ".internal", ".test"];
            !host.contains('.') || local.iter().any(|suffix| host.ends_with(suffix))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_kind_accepts_valid_values_only() {
        for (kind, good, bad) in [
            (Kind::Text(2), json!("中文"), json!("中文字")),
            (Kind::Text(2), json!("a"), json!("")),
            (Kind::Number, json!("A_-|*9"), json!("a b")),
            (Kind::Number, json!("1"), json!(1)),
            (Kind::Integer(1, 9), json!(9), json!(10)),
            (Kind::Integer(1, 9), json!(1), json!("1")),
            (Kind::Integer(1, 9), json!(1), json!(1.5)),
            (Kind::Boolean, json!(false), json!(0)),
            (Kind::Url, json!("https://a.example/x"), json!("ftp://a")),
            (Kind::Url, json!("http://127.0.0.1:1/"), json!("https://a b")),
            (Kind::Url, json!("http://[::1]:1/x"), json!("https://user:QZXJ@a.example/")),
            (Kind::Url, json!("http://192.168.1.2/x"), json!("http://a.example/x")),
            (Kind::Url, json!("http://web:8080/x"), json!("https://a.example/x?y")),
            (Kind::Url, json!("https://a.example"), json!("https://a.example\\@b.example/")),
            (Kind::Url, json!("https://a.example:65535/"), json!("https://a.example:65536/")),
            (Kind::Expiry, json!("2999-06-08T10:34:56+08:00"), json!("2018-06-08T10:34:56+08:00")),
            (Kind::Expiry, json!("2999-06-08T10:34:56Z"), json!("2999-13-45T99:99:99+08:00")),
            (Kind::OrderNumber, json!("A_-|*9"), json!("order")),
            (Kind::BillNumber, json!("a1"), json!("a_1")),
            (Kind::Appid, json!("wxd678efh567hg6787"), json!("wx1")),
            (Kind::Openid, json!("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"), json!("x")),
            (Kind::PaymentCode, json!("120061098828009406"), json!("990061098828009406")),
            (Kind::Object, json!({}), json!([])),
            (Kind::List(1, 1), json!([1]), json!([1, 2])),
            (Kind::OneOf(&["A", "B"]), json!("B"), json!("C")),
        ] {
            assert!(kind.check(&good).is_ok(), "{good}");
            assert!(kind.check(&bad).is_err(), "{bad}");
        }
        let fields = [required("/a", Kind::Integer(1, 2))];
        let refusal = check_at(&json!({"a": 0}), "/list/0", &fields).expect_err("zero");
        assert_eq!(refusal.detail["field"], "/list/0/a");
        assert_eq!(refusal.detail["value"], 0);
        for (url, shown) in [
            ("https://user:QZXJ@a.example/", "https://***@a.example/"),
            ("https://user:QZ#XJ@a.example/", "***"),
            ("example.com", "example.com"),
        ] {
            let refusal = check(&json!({ "u": url }), &[required("/u", Kind::Url)]).expect_err(url);
            assert_eq!(refusal.detail["value"], shown);
        }
    }
}
