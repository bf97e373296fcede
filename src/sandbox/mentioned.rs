//! The numbers that a message mentions, such as an `out_trade_no`. They connect a call or a
//! notification with the orders, refunds and transfers that it is about.

use std::collections::BTreeSet;

use serde_json::Value;

use super::documented_check::variables;
use super::numbers;
use super::query_fields::query_fields;
use super::request::InboundRequest;
use crate::catalog::Call;
use crate::proto::xml;

/// The maximum length of a body that is searched, in bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// The maximum count of numbers that are kept for one message. A combined order has up to 50
/// orders.
const MAX_NUMBERS: usize = 300;
/// The maximum length of a number, in bytes.
const MAX_NUMBER_BYTES: usize = 128;

/// The fields that name a sub-merchant. Its numbers are separate from those of the merchant.
pub(super) const SUB_MERCHANT: [&str; 2] = ["sub_mchid", "sub_mch_id"];

/// Numbers with the names of their fields, each once, in the order of the message.
#[derive(Default)]
pub(super) struct Mentioned(Vec<(String, String)>);

impl Mentioned {
    /// The numbers of a request and its response.
    pub(super) fn in_call(call: Option<&Call>, request: &InboundRequest, response: &[u8]) -> Self {
        let mut mentioned = Mentioned::default();
        for (name, value) in call.map(|call| variables(call, request.path())).unwrap_or_default() {
            mentioned.add(&name, value);
        }
        mentioned.add_all(&query_fields(request.http.uri().query().unwrap_or_default()).into());
        match &request.parts {
            Some(Ok(parts)) => {
                for part in parts.iter().filter(|part| !part.is_file) {
                    mentioned.add_body(&part.contents);
                }
            }
            _ => mentioned.add_body(request.http.body()),
        }
        mentioned.add_body(response);
        mentioned
    }

    /// The numbers of a JSON value.
    pub(super) fn in_json(value: &Value) -> Self {
        let mut mentioned = Mentioned::default();
        mentioned.add_all(value);
        mentioned
    }

    fn add_body(&mut self, body: &[u8]) {
        let value = match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            _ if body.len() > MAX_BODY_BYTES => None,
            Some(b'{' | b'[') => serde_json::from_slice(body).ok(),
            Some(b'<') => xml::read(body).ok().map(Value::Object),
            _ => None,
        };
        self.add_all(&value.unwrap_or_default());
    }

    /// Adds the numbers at any depth. The parsers of JSON and XML limit the depth.
    fn add_all(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.add_all(item)),
            Value::Object(members) => {
                for (name, member) in members {
                    match numbers::text(member) {
                        Some(text) => self.add(name, text),
                        None => self.add_all(member),
                    }
                }
            }
            _ => {}
        }
    }

    fn add(&mut self, name: &str, value: String) {
        let is_wanted = numbers::is_number(name) || SUB_MERCHANT.contains(&name);
        if is_wanted && value.len() <= MAX_NUMBER_BYTES && self.0.len() < MAX_NUMBERS && !self.contains(name, &value) {
            self.0.push((name.to_owned(), value));
        }
    }

    pub(super) fn contains(&self, name: &str, value: &str) -> bool {
        self.0.iter().any(|(known, number)| known == name && number == value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether the message mentions one of the wanted numbers.
    pub(super) fn has_any(&self, wanted: &BTreeSet<(&str, &str)>) -> bool {
        self.iter().any(|number| wanted.contains(&number))
    }

    /// The approximate memory of the numbers, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(|(name, value)| size_of::<(String, String)>() + name.len() + value.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_json_and_xml() {
        let mut mentioned = Mentioned::default();
        mentioned.add_body(
            br#" {"out_trade_no":"o1","amount":{"total":1},"sub_orders":[{"out_trade_no":"o2"}],"mchid":"1"}"#,
        );
        mentioned.add_body(b"<xml><transaction_id><![CDATA[4200]]></transaction_id><sub_mch_id>9</sub_mch_id></xml>");
        mentioned.add_body(b"{\"out_trade_no\":");
        mentioned.add_body(br#"{"out_trade_no":"o1","description":"o3"}"#);
        let found: Vec<_> = mentioned.iter().collect();
        assert_eq!(
            found,
            [("out_trade_no", "o1"), ("out_trade_no", "o2"), ("transaction_id", "4200"), ("sub_mch_id", "9")]
        );
        assert!(mentioned.has_any(&BTreeSet::from([("transaction_id", "4200")])));
        assert!(!mentioned.has_any(&BTreeSet::from([("out_trade_no", "4200")])));
    }

    #[test]
    fn the_number_of_numbers_is_bounded() {
        let all: Value = (0..1000).map(|number| serde_json::json!({ "out_trade_no": number })).collect();
        assert_eq!(Mentioned::in_json(&all).iter().count(), MAX_NUMBERS);
    }
}
