//! `wxpay api example`: a call with placeholders, as JSON or as code.

use std::fmt::Write;

use serde_json::{Value, json};

use super::args::Language;
use crate::catalog::{Call, Place};

pub(super) fn example(call: &Call, language: Language, all: bool) -> String {
    let options = call.example(all);
    let template = call.template().unwrap_or_default();
    match language {
        Language::Json => format!("{options:#}\n"),
        Language::Rust => rust(call, template, &options),
        Language::Php => php(call, template, options),
        Language::Curl => curl(call, template, &options),
    }
}

/// The verb of a chain, such as `post`.
fn verb(call: &Call) -> String {
    call.method().as_str().to_ascii_lowercase()
}

fn rust(call: &Call, template: &str, options: &Value) -> String {
    let verb = verb(call);
    let mut options = options.clone();
    let upload = options.as_object_mut().and_then(|members| members.remove("multipart"));
    let given = if options.as_object().is_some_and(|members| members.is_empty()) {
        "()".to_owned()
    } else {
        format!("json!({options:#})")
    };
    let given = match upload {
        None => given,
        Some(_) if given == "()" => "Media::from_path(\"image.jpg\")".to_owned(),
        Some(_) => format!("Options::from({given}).media(Media::from_path(\"image.jpg\"))"),
    };
    let note = if longest_object(&options) > MAX_MEMBERS {
        "// json! needs #![recursion_limit = \"512\"] at the top of the crate for this many fields.\n"
    } else {
        ""
    };
    format!("{note}let response = client.chain({template:?}).{verb}({given})?;\n")
}

/// The most members of an object that `json!` accepts with the default recursion limit.
const MAX_MEMBERS: usize = 30;

fn longest_object(value: &Value) -> usize {
    match value {
        Value::Object(members) => members.values().map(longest_object).max().unwrap_or_default().max(members.len()),
        Value::Array(items) => items.iter().map(longest_object).max().unwrap_or_default(),
        _ => 0,
    }
}

/// PHP with the SDK, in which the program encrypts fields and names the key.
fn php(call: &Call, template: &str, mut options: Value) -> String {
    let encrypts = options.as_object_mut().and_then(|members| members.remove("encrypt")).is_some();
    let mut before = String::new();
    if let Some(members) = options.as_object_mut() {
        if members.remove("multipart").is_some() {
            before.push_str("$media = new \\WeChatPay\\Util\\MediaUtil('image.jpg');\n");
            members.insert("body".to_owned(), json!({ CODE: "$media->getStream()" }));
            members.insert("headers".to_owned(), json!({ "Content-Type": { CODE: "$media->getContentType()" } }));
        }
        if encrypts {
            for place in [Place::Json, Place::Query] {
                if let Some(value) = members.get_mut(place.as_str()) {
                    for path in call.encrypted_request_fields(place) {
                        let names: Vec<&str> = path.split('.').collect();
                        encrypt(value, &names);
                    }
                }
            }
            let headers = members.entry("headers").or_insert_with(|| json!({}));
            headers["Wechatpay-Serial"] = json!({ CODE: "$platformKeyId" });
        }
    }
    let mut out = format!("{before}$response = $instance->chain('{}')->{}(", php_text(template), verb(call));
    if options.as_object().is_some_and(|members| !members.is_empty()) {
        write_php(&options, 0, &mut out);
    }
    out.push_str(");\n");
    out
}

/// The name of the only member of an object that stands for PHP code.
const CODE: &str = "\u{0}";

/// Replaces the texts at a path with a call that encrypts them.
fn encrypt(value: &mut Value, names: &[&str]) {
    match (value, names) {
        (Value::Array(items), _) => items.iter_mut().for_each(|item| encrypt(item, names)),
        (Value::Object(members), [name, rest @ ..]) => {
            if let Some(member) = members.get_mut(*name) {
                encrypt(member, rest);
            }
        }
        (value @ Value::String(_), []) => {
            let text = value.as_str().unwrap_or_default();
            let code = format!("\\WeChatPay\\Crypto\\Rsa::encrypt('{}', $platformPublicKey)", php_text(text));
            *value = json!({ CODE: code });
        }
        _ => {}
    }
}

fn php_text(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

fn write_php(value: &Value, depth: usize, out: &mut String) {
    let indent = |depth: usize| "  ".repeat(depth);
    let list = |open: &str, items: &mut dyn Iterator<Item = (String, &Value)>, out: &mut String| {
        out.push_str(open);
        for (key, item) in items {
            out.push_str(&format!("\n{}{key}", indent(depth + 1)));
            write_php(item, depth + 1, out);
            out.push(',');
        }
        out.push_str(&format!("\n{}]", indent(depth)));
    };
    match value {
        Value::Object(members) => match members.get(CODE).and_then(Value::as_str) {
            Some(code) => out.push_str(code),
            None if members.is_empty() => out.push_str("new \\stdClass()"),
            None => {
                let mut items = members.iter().map(|(name, value)| (format!("'{}' => ", php_text(name)), value));
                list("[", &mut items, out);
            }
        },
        Value::Array(items) => list("[", &mut items.iter().map(|item| (String::new(), item)), out),
        Value::String(text) => out.push_str(&format!("'{}'", php_text(text))),
        other => out.push_str(&other.to_string()),
    }
}

/// A command line of curl. `wxpay wire` signs the request, since curl cannot.
fn curl(call: &Call, template: &str, options: &Value) -> String {
    let line = json!({ "method": call.method().as_str(), "template": template, "options": options }).to_string();
    let quoted = line.replace('\'', "'\\''");
    // printf and not echo, which replaces backslashes in some shells. The body keeps its last line
    // break.
    let mut out = format!("request=$(printf '%s' '{quoted}' | wxpay wire)\n");
    out.push_str("part() { printf '%s' \"$request\" | jq -j \"$1\"; }\n");
    let _ = write!(out, "curl -X {} \"$(part .uri)\"", call.method());
    out.push_str(" \\\n  -H @<(part '.headers | to_entries[] | .key + \": \" + .value + \"\\n\"')");
    if call.request().iter().any(|section| [Place::Json, Place::Xml, Place::Body].contains(&section.place)) {
        out.push_str(" \\\n  --data-binary @<(part .body)");
    }
    out.push('\n');
    out
}
