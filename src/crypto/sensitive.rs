//! Sensitive fields of a JSON body, such as names, phone numbers and card numbers. Each field is
//! encrypted separately.
//!
//! A field is selected by its path, such as `contact_info.mobile_phone`. A path through an array
//! selects the field in each element; `list[].name` is the same as `list.name`.
//!
//! Source: WeChat Pay, "敏感信息加解密".

use serde_json::Value;

use crate::error::Error;
use crate::proto::json_depth;

/// A value that was encrypted for the platform, returned by
/// [`Client::encrypt`](crate::Client::encrypt).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Encrypted {
    /// The ciphertext in base64, for the field.
    pub ciphertext: String,
    /// The ID of the key, for the header `Wechatpay-Serial`: `PUB_KEY_ID_...` or the serial number
    /// of a certificate.
    pub serial: String,
}

/// Replaces the text of the fields at `paths` with the result of `change`. If it fails, `json` is
/// unchanged.
pub(super) fn replace_all<'a>(
    json: &mut Value,
    paths: impl IntoIterator<Item = &'a str>,
    mut change: impl FnMut(&str) -> Result<String, Error>,
) -> Result<(), Error> {
    json_depth::check(json).map_err(Error::options)?;
    let mut changed = json.clone();
    let mut done: Vec<Vec<&str>> = Vec::new();
    for path in paths {
        // A field that is named twice is changed once.
        let names = names(path);
        if !done.contains(&names) {
            replace(&mut changed, path, &mut change)?;
            done.push(names);
        }
    }
    *json = changed;
    Ok(())
}

fn names(path: &str) -> Vec<&str> {
    path.split('.').map(|name| name.strip_suffix("[]").unwrap_or(name)).collect()
}

/// A path in quotes, for a message. A text that is not a path may be the value that was to be
/// encrypted.
fn shown(path: &str) -> String {
    let is_name = |name: &&str| {
        name.len() < 40
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    if names(path).iter().all(is_name) { format!("{path:?}") } else { "***".to_owned() }
}

/// Fails if a path does not lead to a field, because with a misspelled path, the field would be
/// sent unencrypted.
fn replace(json: &mut Value, path: &str, change: &mut impl FnMut(&str) -> Result<String, Error>) -> Result<(), Error> {
    match walk(json, path, &names(path), change)? {
        0 => Err(Error::options(format!(
            "the sensitive field {} is not in the JSON: correct its path, or remove it; encrypt a value elsewhere, such \
             as in the query, with Client::encrypt",
            shown(path)
        ))),
        _ => Ok(()),
    }
}

/// Changes the fields at `names` below `json`, and returns their number.
fn walk(
    json: &mut Value,
    path: &str,
    names: &[&str],
    change: &mut impl FnMut(&str) -> Result<String, Error>,
) -> Result<usize, Error> {
    match (json, names) {
        (Value::Array(items), _) => {
            items.iter_mut().try_fold(0, |changed, item| Ok(changed + walk(item, path, names, change)?))
        }
        (Value::Object(members), [name, rest @ ..]) => match members.get_mut(*name) {
            Some(member) => walk(member, path, rest, change),
            None => Ok(0),
        },
        // An empty optional field stays empty.
        (Value::Null, []) => Ok(1),
        (Value::String(text), []) if text.is_empty() => Ok(1),
        (Value::String(text), []) => {
            *text = change(text)
                .map_err(|error| Error::options(format!("the sensitive field {}: {}", shown(path), error.message())))?;
            Ok(1)
        }
        (_, []) => {
            Err(Error::options(format!("the sensitive field {} is not text: only text can be encrypted", shown(path))))
        }
        (_, [..]) => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn upper(mut json: Value, path: &str) -> Result<Value, String> {
        replace(&mut json, path, &mut |text| Ok(text.to_uppercase())).map_err(|error| error.to_string())?;
        Ok(json)
    }

    #[test]
    fn fields_are_found_by_their_path() {
        for (path, before, after) in [
            ("name", json!({"name": "a", "b": "c"}), json!({"name": "A", "b": "c"})),
            ("a.b", json!({"a": {"b": "x"}}), json!({"a": {"b": "X"}})),
            (
                "list.name",
                json!({"list": [{"name": "a"}, {"x": 1}, {"name": "b"}]}),
                json!({"list": [{"name": "A"}, {"x": 1}, {"name": "B"}]}),
            ),
            ("list[].name", json!({"list": [{"name": "a"}]}), json!({"list": [{"name": "A"}]})),
            ("values", json!({"values": ["a", "b"]}), json!({"values": ["A", "B"]})),
            ("a", json!({"a": ""}), json!({"a": ""})),
            ("a", json!({"a": null}), json!({"a": null})),
        ] {
            assert_eq!(upper(before, path), Ok(after), "{path}");
        }
        for (path, json, expected) in [
            ("nmae", json!({"name": "a"}), "\"nmae\" is not in the JSON"),
            ("a.b.c", json!({"a": {"b": "x"}}), "is not in the JSON"),
            ("", json!({"a": "x"}), "is not in the JSON"),
            ("a", json!({"a": 1}), "is not text"),
            ("a", json!({"a": {"b": "x"}}), "is not text"),
            ("list.name", json!({"list": []}), "is not in the JSON"),
        ] {
            let message = upper(json, path).expect_err(expected);
            assert!(message.contains(expected), "{message}");
        }
    }
}
