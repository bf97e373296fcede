//! `print_r`, `var_dump` and `var_export`: values as readable text.

use serde_json::{Number, Value};

use super::array::pairs;
use super::convert::{exact_text, integer};

/// The text that `print_r` prints for a value.
#[must_use]
pub fn print_r(value: &Value) -> String {
    readable(value, 0)
}

fn readable(value: &Value, depth: usize) -> String {
    if !is_array(value) {
        return super::text(value);
    }
    let space = " ".repeat(depth);
    let mut out = format!("Array\n{space}(\n");
    for (key, value) in pairs(value) {
        out.push_str(&format!("{space}    [{}] => {}\n", super::text(&key), readable(value, depth + 8)));
    }
    out.push_str(&format!("{space})\n"));
    out
}

/// The text that `var_dump` prints for a value other than an object.
#[must_use]
pub fn var_dump(value: &Value) -> String {
    let mut out = String::new();
    dump(value, 0, &mut out);
    out
}

fn dump(value: &Value, depth: usize, out: &mut String) {
    let space = " ".repeat(depth);
    out.push_str(&space);
    match value {
        Value::Null => out.push_str("NULL"),
        Value::Bool(value) => out.push_str(&format!("bool({value})")),
        Value::Number(number) => {
            let kind = if integer(number).is_some() { "int" } else { "float" };
            out.push_str(&format!("{kind}({})", exact(number)));
        }
        Value::String(text) => out.push_str(&format!("string({}) \"{text}\"", text.len())),
        Value::Array(_) | Value::Object(_) => {
            out.push_str(&format!("array({}) {{\n", super::array::len(value)));
            for (key, value) in pairs(value) {
                match key {
                    Value::String(key) => out.push_str(&format!("{space}  [\"{key}\"]=>\n")),
                    key => out.push_str(&format!("{space}  [{key}]=>\n")),
                }
                dump(value, depth + 2, out);
            }
            out.push_str(&format!("{space}}}"));
        }
    }
    out.push('\n');
}

/// The PHP code of a value, which is not an object, as `var_export` writes it.
#[must_use]
pub fn var_export(value: &Value) -> String {
    let mut out = String::new();
    export(value, 0, &mut out);
    out
}

fn export(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Null => out.push_str("NULL"),
        Value::Bool(value) => out.push_str(&value.to_string()),
        // PHP has no literal for the smallest number.
        Value::Number(number) if integer(number) == Some(i64::MIN) => {
            out.push_str(&format!("{}-1", i64::MIN + 1));
        }
        Value::Number(number) => {
            let digits = exact(number);
            let is_whole = integer(number).is_none() && !digits.contains(['.', 'E']);
            out.push_str(&digits);
            out.push_str(if is_whole { ".0" } else { "" });
        }
        Value::String(text) => {
            let escaped = text.replace('\\', "\\\\").replace('\'', "\\'").replace('\0', "' . \"\\0\" . '");
            out.push_str(&format!("'{escaped}'"));
        }
        Value::Array(_) | Value::Object(_) => {
            let space = " ".repeat(depth);
            out.push_str("array (\n");
            for (key, value) in pairs(value) {
                out.push_str(&format!("{space}  "));
                export(&key, 0, out);
                out.push_str(" => ");
                if is_array(value) {
                    out.push_str(&format!("\n{space}  "));
                }
                export(value, depth + 2, out);
                out.push_str(",\n");
            }
            out.push_str(&format!("{space})"));
        }
    }
}

fn is_array(value: &Value) -> bool {
    matches!(value, Value::Array(_) | Value::Object(_))
}

/// The shortest text that is read back as the same number. The text of `echo` has 14 digits.
fn exact(number: &Number) -> String {
    integer(number).map_or_else(|| exact_text(number.as_f64().unwrap_or_default(), "E"), |number| number.to_string())
}
