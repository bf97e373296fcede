//! Sensitive fields: names, phone numbers, card numbers, encrypted one by one inside of JSON.
//!
//! Source: WeChat Pay, "敏感信息加解密". A field is named by its path, `contact_info.mobile_phone`; where the path meets a list, it means
//! the field in each of its elements.

use serde_json::Value;

use crate::error::Error;

/// Replaces the text of each field that `path` names by what `change` makes of it.
///
/// A path that names no field is an error: a field that was meant to be encrypted and is not would go out readable.
pub(crate) fn replace(
    json: &mut Value,
    path: &str,
    change: &mut impl FnMut(&str) -> Result<String, Error>,
) -> Result<(), Error> {
    let names: Vec<&str> = path.split('.').map(|name| name.strip_suffix("[]").unwrap_or(name)).collect();
    match walk(json, path, &names, change)? {
        0 => Err(Error::options(format!(
            "the sensitive field {path:?} is not in the JSON: correct its path, or leave it out"
        ))),
        _ => Ok(()),
    }
}

/// How many fields were changed.
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
        // Optional fields that are empty stay so, as the service has them.
        (Value::Null, []) => Ok(1),
        (Value::String(text), []) if text.is_empty() => Ok(1),
        (Value::String(text), []) => {
            *text = change(text)
                .map_err(|error| Error::options(format!("the sensitive field {path:?}: {}", error.message())))?;
            Ok(1)
        }
        (_, []) => Err(Error::options(format!("the sensitive field {path:?} is no text: only text can be encrypted"))),
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
    fn fields_by_their_path() {
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
            ("a", json!({"a": 1}), "is no text"),
            ("a", json!({"a": {"b": "x"}}), "is no text"),
            ("list.name", json!({"list": []}), "is not in the JSON"),
        ] {
            let message = upper(json, path).expect_err(expected);
            assert!(message.contains(expected), "{message}");
        }
    }
}
