//! Functions that stand at the end of a program that needs them: what PHP does with values that are known at run time alone.

/// Name, what it needs imported, and text.
pub(super) const HELPERS: &[(&str, &[&str], &str)] = &[
    (
        "php_text",
        &["Value"],
        r#"/// The text that PHP makes of a value.
fn php_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(false) => String::new(),
        Value::Bool(true) => "1".to_owned(),
        other => other.to_string(),
    }
}"#,
    ),
    (
        "php_true",
        &["Value"],
        r#"/// Whether PHP finds a value true.
fn php_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !matches!(text.as_str(), "" | "0"),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}"#,
    ),
    (
        "php_int",
        &["Value"],
        r#"/// The whole number that PHP makes of a value.
fn php_int(value: &Value) -> i64 {
    match value {
        Value::Number(number) => number.as_i64().unwrap_or_else(|| number.as_f64().unwrap_or_default() as i64),
        Value::Bool(value) => i64::from(*value),
        Value::String(text) => text.trim().parse().unwrap_or_else(|_| text.trim().parse::<f64>().unwrap_or_default() as i64),
        _ => 0,
    }
}"#,
    ),
    (
        "php_float",
        &["Value"],
        r#"/// The number that PHP makes of a value.
fn php_float(value: &Value) -> f64 {
    match value {
        Value::Number(number) => number.as_f64().unwrap_or_default(),
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::String(text) => text.trim().parse().unwrap_or_default(),
        _ => 0.0,
    }
}"#,
    ),
    (
        "php_or",
        &["Value"],
        r#"/// `$value ?? $other`.
fn php_or(value: &Value, other: impl Into<Value>) -> Value {
    if value.is_null() { other.into() } else { value.clone() }
}"#,
    ),
    (
        "php_push",
        &["Value"],
        r#"/// `$list[] = $value`.
fn php_push(list: &mut Value, value: Value) {
    match list {
        Value::Array(items) => items.push(value),
        Value::Object(members) => {
            let next = members.keys().filter_map(|key| key.parse::<u64>().ok()).max().map_or(0, |key| key + 1);
            members.insert(next.to_string(), value);
        }
        other => *other = Value::Array(vec![value]),
    }
}"#,
    ),
    (
        "php_values",
        &["Value"],
        r#"/// The elements of a PHP array.
fn php_values(array: &Value) -> Vec<&Value> {
    match array {
        Value::Array(items) => items.iter().collect(),
        Value::Object(members) => members.values().collect(),
        _ => Vec::new(),
    }
}"#,
    ),
    (
        "php_pairs",
        &["Value"],
        r#"/// The keys and elements of a PHP array.
fn php_pairs(array: &Value) -> Vec<(String, &Value)> {
    match array {
        Value::Array(items) => items.iter().enumerate().map(|(number, item)| (number.to_string(), item)).collect(),
        Value::Object(members) => members.iter().map(|(key, value)| (key.clone(), value)).collect(),
        _ => Vec::new(),
    }
}"#,
    ),
    (
        "php_count",
        &["Value"],
        r#"/// `count($array)`.
fn php_count(array: &Value) -> i64 {
    let count = array.as_array().map(Vec::len).or_else(|| array.as_object().map(|members| members.len()));
    count.and_then(|count| i64::try_from(count).ok()).unwrap_or_default()
}"#,
    ),
    (
        "php_merge",
        &["Value"],
        r#"/// `array_merge(...$arrays)`.
fn php_merge(arrays: Vec<Value>) -> Value {
    if arrays.iter().all(|array| array.as_array().is_some()) {
        return arrays.into_iter().flat_map(|array| array.as_array().cloned().unwrap_or_default()).collect();
    }
    let mut merged = serde_json::Map::new();
    for array in arrays {
        match array {
            Value::Object(members) => merged.extend(members),
            Value::Array(items) => {
                for item in items {
                    merged.insert(merged.len().to_string(), item);
                }
            }
            _ => {}
        }
    }
    Value::Object(merged)
}"#,
    ),
    (
        "php_fields",
        &["Value"],
        r#"/// The members of an object as pairs of text.
fn php_fields(array: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    array.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect()
}"#,
    ),
    (
        "php_uniqid",
        &[],
        r#"/// `uniqid()`: the time in microseconds, in hexadecimal.
fn php_uniqid() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{:08x}{:05x}", since.as_secs(), since.subsec_micros())
}"#,
    ),
];
