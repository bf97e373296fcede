//! The query of a URI, as PHP's `http_build_query(.., PHP_QUERY_RFC3986)` writes it. The signature
//! covers this form.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::php_scalar::scalar_text;

/// All characters except `unreserved` of RFC 3986.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The query for a map of values.
///
/// ```text
/// {"a": "x y", "b": true, "c": false}   a=x%20y&b=1&c=0
/// {"a": ["x", "y"]}                     a%5B0%5D=x&a%5B1%5D=y
/// {"a": {"b": {"c": 1}}}                a%5Bb%5D%5Bc%5D=1
/// {"a": null, "b": [], "c": ""}         c=
/// ```
pub(crate) fn from_map(pairs: &Map<String, Value>) -> String {
    let mut out = String::new();
    for (name, value) in pairs {
        let name = utf8_percent_encode(name, COMPONENT).to_string();
        append(&mut out, &name, value);
    }
    out
}

/// The body for the option `form_params`, as `http_build_query(.., PHP_QUERY_RFC1738)` writes it:
/// like a query, except that a blank is `+` and a tilde is encoded.
pub(crate) fn form(pairs: &Map<String, Value>) -> String {
    from_map(pairs).replace("%20", "+").replace('~', "%7E")
}

fn append(out: &mut String, name: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                append(out, &format!("{name}%5B{index}%5D"), item);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                let key = utf8_percent_encode(key, COMPONENT);
                append(out, &format!("{name}%5B{key}%5D"), member);
            }
        }
        scalar => {
            if !out.is_empty() {
                out.push('&');
            }
            out.push_str(name);
            out.push('=');
            match scalar {
                // Elsewhere in PHP the text of `false` is empty.
                Value::Bool(false) => out.push('0'),
                scalar => {
                    let text = scalar_text(scalar).unwrap_or_default();
                    out.extend(utf8_percent_encode(&text, COMPONENT));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn maps_are_written_as_in_php() {
        for (map, query) in [
            (json!({"a": "x y+z", "b": true, "c": false}), "a=x%20y%2Bz&b=1&c=0"),
            (json!({"a": ["x", "y"]}), "a%5B0%5D=x&a%5B1%5D=y"),
            (json!({"a": {"b": {"c": 1}}}), "a%5Bb%5D%5Bc%5D=1"),
            (json!({"a": null, "b": [], "c": "", "d": {}}), "c="),
            (json!({"a": 1.0, "b": 1e25, "c": -3}), "a=1&b=1.0E%2B25&c=-3"),
            (json!({"k y": "中*'():"}), "k%20y=%E4%B8%AD%2A%27%28%29%3A"),
            (json!({"a": "-._~"}), "a=-._~"),
            (json!({}), ""),
        ] {
            let Value::Object(members) = map else { unreachable!() };
            assert_eq!(from_map(&members), query);
        }
    }

    #[test]
    fn forms_are_written_as_in_php() {
        let Value::Object(members) = json!({"a b": "x y+~%20", "c": [true]}) else { unreachable!() };
        assert_eq!(form(&members), "a+b=x+y%2B%7E%2520&c%5B0%5D=1");
    }
}
