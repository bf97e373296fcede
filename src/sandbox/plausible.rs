//! Values for the fields of responses that nothing determines. They follow from the name of the
//! field and from a seed, so that the same object always has the same values.

use serde_json::Value;

use super::china_time;
use super::merchant::{BUYER_OPENID, MCHID, SERIAL};
use crate::catalog::{Field, FieldType};
use crate::clock::{china_date, china_digits};
use crate::crypto::hash;

/// An ID of an app where a request names none.
const APPID: &str = "wxd678efh567hg6787";
/// The amount, in fen, and the number of things, where nothing determines them.
const AMOUNT: u64 = 100;

/// The state of an order that was not paid.
pub(super) const UNPAID: &str = "NOTPAY";

/// What determines the values of an object.
pub(super) struct Seed<'a> {
    /// A text that is the same for the same object.
    pub(super) text: &'a str,
    /// When the object was created, in seconds since 1970.
    pub(super) created_at: i64,
    /// The last change of the object, such as `cancel`.
    pub(super) change: &'a str,
    pub(super) is_v2: bool,
    /// The path of the request.
    pub(super) path: &'a str,
    /// Whether money was taken for the order, if the object is one.
    pub(super) is_paid: bool,
}

impl Seed<'_> {
    /// A value for a field. `path` is its path in the response.
    pub(super) fn value(&self, field: &Field, path: &str) -> Value {
        let unpaid = || field.values.iter().find(|value| *value == UNPAID && !self.is_paid).map(String::as_str);
        let listed = self.reached(&field.values).or_else(unpaid);
        let listed = listed.or_else(|| field.values.first().map(String::as_str));
        if let Some(listed) = listed {
            return match field.field_type {
                FieldType::String => listed.into(),
                _ => serde_json::from_str(listed).unwrap_or_else(|_| listed.into()),
            };
        }
        match field.field_type {
            FieldType::Boolean => false.into(),
            FieldType::Integer | FieldType::Number => self.number(&field.name, path).into(),
            FieldType::Object => Value::Object(serde_json::Map::new()),
            FieldType::String => self.text(&field.name, path).into(),
        }
    }

    /// The listed value that the last change leads to, such as `CANCELLED` after `cancel`.
    pub(super) fn reached<'a>(&self, values: &'a [String]) -> Option<&'a str> {
        let stem = self.change.trim_end_matches('e').to_ascii_uppercase();
        let is_reached = |value: &&String| value.to_ascii_uppercase().starts_with(&stem);
        values.iter().find(is_reached).map(String::as_str).filter(|_| stem.len() >= 4)
    }

    fn number(&self, name: &str, path: &str) -> u64 {
        match kind(name) {
            Kind::Time => u64::try_from(self.created_at).unwrap_or_default(),
            Kind::Number => self.digits(path, 12).parse().unwrap_or_default(),
            _ if name == "offset" => 0,
            _ => AMOUNT,
        }
    }

    fn text(&self, name: &str, path: &str) -> String {
        match kind(name) {
            // In APIv2, these values mean that the message is not an error.
            _ if self.is_v2 && matches!(name, "return_code" | "result_code") => "SUCCESS".to_owned(),
            _ if self.is_v2 && name == "return_msg" => "OK".to_owned(),
            Kind::Merchant => MCHID.to_owned(),
            Kind::Openid => BUYER_OPENID.to_owned(),
            Kind::Appid => APPID.to_owned(),
            Kind::Serial => SERIAL.to_owned(),
            Kind::CodeUrl => format!("weixin://wxpay/bizpayurl?pr={}", self.digits(path, 16)),
            Kind::Url => format!("https://www.example.com/{name}"),
            Kind::Time if self.is_v2 => china_digits(self.created_at),
            Kind::Time => china_time::format_seconds(self.created_at),
            Kind::Date => china_date(self.created_at),
            Kind::Currency => "CNY".to_owned(),
            Kind::Phone => "13800138000".to_owned(),
            Kind::Number => self.digits(path, 20),
            Kind::Amount => AMOUNT.to_string(),
            Kind::State if name == "trade_state" && self.is_paid => "SUCCESS".to_owned(),
            Kind::State if name == "trade_state" => UNPAID.to_owned(),
            Kind::State => "PROCESSING".to_owned(),
            Kind::TradeType => self.trade_type().to_owned(),
            Kind::BankType => "OTHERS".to_owned(),
            Kind::Other => name.to_owned(),
        }
    }

    /// The kind of a payment, by the path of its call.
    fn trade_type(&self) -> &'static str {
        const TYPES: [(&str, &str); 6] = [
            ("micropay", "MICROPAY"),
            ("codepay", "MICROPAY"),
            ("jsapi", "JSAPI"),
            ("h5", "MWEB"),
            ("app", "APP"),
            ("native", "NATIVE"),
        ];
        let last = self.path.rsplit('/').next().unwrap_or_default();
        TYPES.iter().find(|(name, _)| last == *name).map_or("JSAPI", |(_, trade_type)| trade_type)
    }

    /// Decimal digits that are the same for the same object and path. The first one is not 0.
    pub(super) fn digits(&self, path: &str, length: usize) -> String {
        let digest = hash::sha256(format!("{}\n{path}", self.text));
        let digits = digest.bytes().map(|byte| char::from(b'0' + byte % 10));
        std::iter::once('4').chain(digits).take(length).collect()
    }
}

/// What the name of a field tells of its value.
enum Kind {
    Merchant,
    Openid,
    Appid,
    Serial,
    CodeUrl,
    Url,
    Time,
    Date,
    Currency,
    Phone,
    /// A number that names something.
    Number,
    Amount,
    /// What has happened to an object, where the tables do not list the states.
    State,
    TradeType,
    BankType,
    Other,
}

fn kind(name: &str) -> Kind {
    let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| name.ends_with(suffix));
    match name {
        _ if ends(&["mchid", "mch_id"]) => Kind::Merchant,
        _ if ends(&["openid"]) => Kind::Openid,
        _ if ends(&["appid"]) => Kind::Appid,
        _ if ends(&["serial_no"]) => Kind::Serial,
        "code_url" => Kind::CodeUrl,
        "trade_state" | "state" | "status" => Kind::State,
        "trade_type" => Kind::TradeType,
        "bank_type" => Kind::BankType,
        _ if ends(&["url", "_uri"]) => Kind::Url,
        _ if ends(&["time", "_at", "time_end", "timestamp"]) => Kind::Time,
        _ if ends(&["date"]) => Kind::Date,
        _ if ends(&["currency", "fee_type"]) => Kind::Currency,
        _ if ends(&["phone", "mobile"]) => Kind::Phone,
        _ if ends(&["_id", "_no", "number", "billno", "ticket", "token", "_code", "listid"]) || name == "id" => {
            Kind::Number
        }
        _ if ends(&["amount", "fee", "total", "count"]) => Kind::Amount,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(change: &str) -> Seed<'_> {
        Seed { text: "x", path: "/v3/x/native", created_at: 1_700_000_000, change, is_v2: false, is_paid: false }
    }

    #[test]
    fn the_last_change_selects_the_state_that_it_names() {
        let values = ["PROCESSING", "CANCELED", "CLOSED", "SUCCESS"].map(str::to_owned);
        for (change, expected) in
            [("", None), ("cancel", Some("CANCELED")), ("close", Some("CLOSED")), ("x", None), ("suc", None)]
        {
            assert_eq!(seed(change).reached(&values), expected, "{change}");
        }
    }

    #[test]
    fn no_state_and_no_kind_of_payment_is_a_placeholder() {
        fn check(fields: &[Field], count: &mut usize) {
            for field in fields {
                check(&field.fields, count);
                let names = ["trade_state", "state", "status", "trade_type", "bank_type"];
                if names.contains(&field.name.as_str()) {
                    assert_ne!(seed("").value(field, ""), field.name.as_str());
                    *count += 1;
                }
            }
        }
        let mut count = 0;
        for call in crate::catalog::Catalog::builtin().calls() {
            check(call.response(), &mut count);
        }
        assert!(count > 100, "{count}");
    }

    #[test]
    fn values_follow_from_the_seed() {
        assert_eq!(seed("").digits("order_id", 20), seed("x").digits("order_id", 20));
        assert_ne!(seed("").digits("order_id", 20), seed("").digits("other_id", 20));
        assert_eq!(seed("").text("create_time", ""), "2023-11-15T06:13:20+08:00");
        assert_eq!(seed("").text("sub_mchid", ""), MCHID);
        assert_eq!(seed("").number("total_amount", ""), AMOUNT);
        assert_eq!(["trade_state", "trade_type"].map(|name| seed("").text(name, "")), ["NOTPAY", "NATIVE"]);
        assert_eq!(Seed { is_paid: true, ..seed("") }.text("trade_state", ""), "SUCCESS");
    }
}
