//! Deserializes JSON. The errors name the field and the position, but no value: bodies contain
//! names, phone numbers and openids, and serde's own messages contain the value that does not
//! match.

use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde_json::Value;
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

/// The types that are read from JSON: all that implement serde's `DeserializeOwned`.
///
/// It exists for the compiler's message if the type of a value is not written, or does not
/// implement `Deserialize`:
///
/// ```compile_fail
/// # fn show(response: wechatpay_chain::Response) -> Result<(), wechatpay_chain::Error> {
/// let code_url = response.field("code_url")?;
/// # Ok(()) }
/// ```
///
/// ```
/// # fn show(response: wechatpay_chain::Response) -> Result<(), wechatpay_chain::Error> {
/// let code_url = response.field::<String>("code_url")?;
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a type that is read from JSON",
    label = "write the type of the value",
    note = "write the type, such as `field::<String>(\"code_url\")`, `pointer::<u64>(\"/amount/total\")` for fen, or `json::<serde_json::Value>()`; a field that may be missing is an `Option`",
    note = "a type of your own needs `#[derive(serde::Deserialize)]`"
)]
pub trait FromJson: DeserializeOwned {}

// Without the attribute, the compiler reports serde's trait instead of this one.
#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> FromJson for T {}

/// Deserializes a text. The error is a clause.
pub(crate) fn from_slice<T: DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    let first = match serde_json::from_slice(json) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let (line, column) = (first.line(), first.column());
    let reason = match first.classify() {
        Category::Data => {
            // The path of the field is determined only after a failure.
            let json = &mut serde_json::Deserializer::from_slice(json);
            let error = serde_path_to_error::deserialize::<_, T>(json).err();
            mismatch(&first, error.map_or_else(String::new, |error| shown(error.path())))
        }
        Category::Eof => "it ends early".to_owned(),
        Category::Syntax | Category::Io => "it is not JSON".to_owned(),
    };
    Err(format!("{reason}, at line {line}, column {column}"))
}

/// Deserializes a value. The error is a clause.
pub(crate) fn from_value<T: DeserializeOwned>(json: &Value) -> Result<T, String> {
    from_value_at(json, "")
}

/// As [`from_value`], for a value that is at this path.
pub(crate) fn from_value_at<T: DeserializeOwned>(json: &Value, path: &str) -> Result<T, String> {
    serde_path_to_error::deserialize(json).map_err(|error| {
        let below = shown(error.path());
        let separator = if path.is_empty() || below.is_empty() || below.starts_with('[') { "" } else { "." };
        mismatch(error.inner(), format!("{path}{separator}{below}"))
    })
}

/// The value of an absent field: `None` for an `Option`, and nothing for any other type.
pub(crate) fn absent<T: DeserializeOwned>() -> Option<T> {
    T::deserialize(Absent).ok()
}

struct Absent;

impl<'de> Deserializer<'de> for Absent {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(serde::de::Error::custom("absent"))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_none()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Why a value does not match. A missing field is named in serde's message, with the name that it
/// has in the type.
fn mismatch(error: &serde_json::Error, path: String) -> String {
    let text = error.to_string();
    let missing = text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    match missing.filter(|name| is_field_name(name)) {
        Some(name) if path.is_empty() => format!("the field {name} is missing"),
        Some(name) => format!("the field {path}.{name} is missing"),
        None if path.is_empty() => "the type does not match".to_owned(),
        None => format!("the type of {path} does not match"),
    }
}

/// The path, such as `amount.total`. A key that does not look like a field of WeChat Pay may be a
/// value, such as an openid, and is shown as `*`.
fn shown(path: &Path) -> String {
    let mut shown = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => shown.push_str(&format!("[{index}]")),
            Segment::Map { key } => {
                if !shown.is_empty() {
                    shown.push('.');
                }
                shown.push_str(if is_field_name(key) { key } else { "*" });
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    shown
}

fn is_field_name(name: &str) -> bool {
    name.len() <= 40
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Order {
        #[allow(dead_code, reason = "only deserialized")]
        amount: Amount,
    }

    #[derive(Debug, Deserialize)]
    struct Amount {
        #[allow(dead_code, reason = "only deserialized")]
        total: u64,
    }

    #[test]
    fn errors_name_the_field_and_no_value() {
        for (json, expected) in [
            (r#"{"amount":{"total":"oPersonal"}}"#, "the type of amount.total does not match, at line 1, column 30"),
            ("{\n\"amount\": \"oPersonal\"}", "the type of amount does not match, at line 2, column 21"),
            (r#"{"amount":{"oPersonal":1}}"#, "the field amount.total is missing, at line 1, column 25"),
            (r#"["oPersonal"]"#, "the type of [0] does not match, at line 1, column 12"),
            ("oPersonal", "it is not JSON, at line 1, column 1"),
            (r#"{"amount":{"total":1"#, "it ends early, at line 1, column 20"),
        ] {
            assert_eq!(from_slice::<Order>(json.as_bytes()).map(drop), Err(expected.to_owned()), "{json}");
        }
        assert!(from_slice::<Order>(br#"{"amount":{"total":1}}"#).is_ok());
        let keyed = from_slice::<BTreeMap<String, u64>>(br#"{"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o":"x"}"#);
        assert_eq!(keyed, Err("the type of * does not match, at line 1, column 35".to_owned()));
        let value = serde_json::json!({"amount": {"total": "oPersonal"}});
        assert_eq!(from_value::<Order>(&value).map(drop), Err("the type of amount.total does not match".to_owned()));
        let list = from_slice::<Vec<u8>>(br#"[1, "oPersonal"]"#);
        assert_eq!(list, Err("the type of [1] does not match, at line 1, column 15".to_owned()));
    }
}
