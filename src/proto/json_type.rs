//! The type of a JSON value, as an error message names it.

use serde_json::Value;

/// A noun with its article: `"a boolean"`, `"an object"`, as in "it is {} where a string is
/// needed".
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
