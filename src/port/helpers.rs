//! Functions that are appended to a program that needs them. They do what PHP does with values that
//! are known only at run time.

/// The name and the Rust code of each helper.
pub(super) const HELPERS: &[(&str, &str)] = &[
    (
        "php_text",
        r#"/// The text that PHP makes of a value.
fn php_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(false) => String::new(),
        Value::Bool(true) => "1".to_owned(),
        Value::Number(number) if number.is_f64() => php_number(number.as_f64().unwrap_or_default()),
        Value::Array(_) | Value::Object(_) => "Array".to_owned(),
        other => other.to_string(),
    }
}"#,
    ),
    (
        "php_true",
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
        r#"/// The whole number that PHP makes of a value.
fn php_int(value: &Value) -> i64 {
    match value {
        Value::Number(number) => number.as_i64().unwrap_or_else(|| number.as_f64().unwrap_or_default() as i64),
        Value::Bool(value) => i64::from(*value),
        Value::String(_) => php_float(value) as i64,
        _ => 0,
    }
}"#,
    ),
    (
        "php_float",
        r#"/// The number that PHP makes of a value.
fn php_float(value: &Value) -> f64 {
    match value {
        Value::Number(number) => number.as_f64().unwrap_or_default(),
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::String(text) => {
            let text = text.trim_start();
            let end = text.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E')).unwrap_or(text.len());
            (0..=end).rev().find_map(|end| text.get(..end)?.parse().ok()).unwrap_or_default()
        }
        _ => 0.0,
    }
}"#,
    ),
    (
        "php_or",
        r#"/// `$value ?? $other`.
fn php_or(value: &Value, other: impl Into<Value>) -> Value {
    if value.is_null() { other.into() } else { value.clone() }
}"#,
    ),
    (
        "php_push",
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
        r#"/// `count($array)`.
fn php_count(array: &Value) -> i64 {
    let count = array.as_array().map(Vec::len).or_else(|| array.as_object().map(|members| members.len()));
    count.and_then(|count| i64::try_from(count).ok()).unwrap_or_default()
}"#,
    ),
    (
        "php_merge",
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
        r#"/// The members of an object as pairs of text.
fn php_fields(array: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    array.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect()
}"#,
    ),
    (
        "php_uniqid",
        r#"/// `uniqid()`: the time in microseconds, in hexadecimal.
fn php_uniqid() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{:08x}{:05x}", since.as_secs(), since.subsec_micros())
}"#,
    ),
    (
        "php_math",
        r#"/// A calculation with values whose types are known at run time alone.
fn php_math(left: &Value, operator: char, right: &Value) -> Value {
    let whole = |value: &Value| match value {
        Value::Null | Value::Bool(false) => Some(0),
        Value::Bool(true) => Some(1),
        Value::String(text) => text.trim().parse::<i64>().ok(),
        other => other.as_i64(),
    };
    if let (Some(left), Some(right)) = (whole(left), whole(right)) {
        let exact = match operator {
            '+' => left.checked_add(right),
            '-' => left.checked_sub(right),
            '*' => left.checked_mul(right),
            '%' => left.checked_rem(right),
            _ => left.checked_div(right).filter(|quotient| quotient * right == left),
        };
        if let Some(exact) = exact {
            return Value::from(exact);
        }
    }
    let (left, right) = (php_float(left), php_float(right));
    php_json(match operator {
        '+' => left + right,
        '-' => left - right,
        '*' => left * right,
        '%' => left.trunc() % right.trunc(),
        _ => left / right,
    })
}"#,
    ),
    (
        "php_json",
        r#"/// The number as PHP writes it into JSON: a whole one without a fraction.
fn php_json(number: f64) -> Value {
    let whole = number.fract() == 0.0 && number.abs() < 9e15;
    if whole { Value::from(number as i64) } else { Value::from(number) }
}"#,
    ),
    (
        "php_equal",
        r#"/// `$left == $right`, where the types may differ.
fn php_equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Array(_) | Value::Object(_), Value::Array(_) | Value::Object(_)) => left == right,
        _ => php_order(left, right).is_eq(),
    }
}"#,
    ),
    (
        "php_order",
        r#"/// `$left <=> $right`: as numbers where both are numbers or texts of numbers, else as texts.
fn php_order(left: &Value, right: &Value) -> std::cmp::Ordering {
    use std::cmp::Ordering;
    let blank = [' ', '\t', '\n', '\r', '\x0b', '\x0c'];
    let written = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    let whole = |value: &Value| match value {
        Value::String(text) => text.trim_matches(blank).parse::<i64>().ok(),
        other => other.as_i64(),
    };
    let number = |value: &Value| match value {
        Value::String(text) => text.trim_matches(blank).parse::<f64>().ok().filter(|_| text.trim_matches(blank).chars().all(written)),
        other => other.as_f64(),
    };
    match (left, right) {
        (Value::Null, Value::String(text)) => "".cmp(text),
        (Value::String(text), Value::Null) => text.as_str().cmp(""),
        (Value::Bool(_) | Value::Null, _) | (_, Value::Bool(_) | Value::Null) => php_true(left).cmp(&php_true(right)),
        (Value::Array(_) | Value::Object(_), Value::Array(_) | Value::Object(_)) => {
            let (left, right) = (php_pairs(left), php_pairs(right));
            let member = |key: &str| right.iter().find(|(other, _)| other == key);
            let mut order = left.len().cmp(&right.len());
            for (key, value) in &left {
                // What the other has not cannot be compared, and counts as more.
                order = order.then_with(|| member(key).map_or(Ordering::Greater, |(_, other)| php_order(value, other)));
            }
            order
        }
        (Value::Array(_) | Value::Object(_), _) => Ordering::Greater,
        (_, Value::Array(_) | Value::Object(_)) => Ordering::Less,
        _ => match (whole(left), whole(right), number(left), number(right)) {
            (Some(left), Some(right), ..) => left.cmp(&right),
            (.., Some(one), Some(other)) => {
                let (Value::String(left), Value::String(right)) = (left, right) else { return one.partial_cmp(&other).unwrap_or(Ordering::Equal) };
                // Digits that no number holds stay apart.
                let long = |text: &str| text.len() > 18 && !text.contains(['.', 'e', 'E']);
                let same = one == other && long(left) && long(right);
                if same { left.cmp(right) } else { one.partial_cmp(&other).unwrap_or(Ordering::Equal) }
            }
            _ => php_text(left).cmp(&php_text(right)),
        },
    }
}"#,
    ),
    (
        "php_number",
        r#"/// The text that PHP makes of a number with a fraction.
fn php_number(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return if number == 0.0 { "0".to_owned() } else { number.to_string().to_uppercase() };
    }
    let digits = format!("{number:.13e}");
    let (mantissa, exponent) = digits.split_once('e').unwrap_or((&digits, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
    if (-4..15).contains(&exponent) {
        let places = usize::try_from(13 - exponent).unwrap_or_default();
        let text = format!("{number:.places$}");
        return if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text };
    }
    let mantissa = if mantissa.contains('.') { mantissa.to_owned() } else { format!("{mantissa}.0") };
    format!("{mantissa}E{exponent:+}")
}"#,
    ),
    (
        "php_print",
        r#"/// What `print_r` makes of a value.
fn php_print(value: &Value, depth: usize) -> String {
    let pairs: Vec<(String, &Value)> = match value {
        Value::Array(items) => items.iter().enumerate().map(|(number, item)| (number.to_string(), item)).collect(),
        Value::Object(members) => members.iter().map(|(key, value)| (key.clone(), value)).collect(),
        other => return php_text(other),
    };
    let space = " ".repeat(depth);
    let mut out = format!("Array\n{space}(\n");
    for (key, value) in pairs {
        out.push_str(&format!("{space}    [{key}] => {}\n", php_print(value, depth + 8)));
    }
    out.push_str(&format!("{space})\n"));
    out
}"#,
    ),
    (
        "php_add",
        r#"/// `$array + $other`: what the first has not is taken from the second.
fn php_add(array: &Value, other: &Value) -> Value {
    if let (Value::Array(items), Value::Array(more)) = (array, other) {
        return items.iter().chain(more.iter().skip(items.len())).cloned().collect();
    }
    let mut sum = serde_json::Map::new();
    for (key, value) in php_pairs(array).into_iter().chain(php_pairs(other)) {
        sum.entry(key).or_insert_with(|| value.clone());
    }
    Value::Object(sum)
}"#,
    ),
    (
        "php_keys",
        r#"/// `array_keys($array)`.
fn php_keys(array: &Value) -> Value {
    match array {
        Value::Array(items) => (0..items.len()).collect(),
        other => php_pairs(other).into_iter().map(|(key, _)| key).collect(),
    }
}"#,
    ),
    (
        "php_part",
        r#"/// `substr($text, $from, $length)`, in bytes.
fn php_part(text: &str, from: i64, length: Option<i64>) -> String {
    let all = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let start = if from < 0 { (all + from).max(0) } else { from.min(all) };
    let end = match length {
        None => all,
        Some(length) if length < 0 => (all + length).max(start),
        Some(length) => start.saturating_add(length).min(all),
    };
    let part = start as usize..end as usize;
    String::from_utf8_lossy(&text.as_bytes()[part]).into_owned()
}"#,
    ),
    (
        "php_percent",
        r#"/// `rawurlencode($text)`.
fn php_percent(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}"#,
    ),
    (
        "php_query",
        r#"/// `http_build_query($array)`, inside of the brackets of a name.
fn php_query(array: &Value, within: &str) -> String {
    let part = |text: &str| php_percent(text).replace("%20", "+").replace('~', "%7E");
    let mut out = Vec::new();
    for (key, value) in php_pairs(array) {
        let name = if within.is_empty() { part(&key) } else { format!("{within}%5B{}%5D", part(&key)) };
        match value {
            Value::Null => {}
            Value::Array(_) | Value::Object(_) => out.push(php_query(value, &name)),
            Value::Bool(value) => out.push(format!("{name}={}", u8::from(*value))),
            other => out.push(format!("{name}={}", part(&php_text(other)))),
        }
    }
    out.retain(|one| !one.is_empty());
    out.join("&")
}"#,
    ),
    (
        "php_base64",
        r#"/// `base64_encode($text)`.
fn php_base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place > three.len() { '=' } else { char::from(letter) });
        }
    }
    out
}"#,
    ),
    (
        "php_unbase64",
        r#"/// `base64_decode($text)`, as text.
fn php_unbase64(text: &str) -> String {
    let (mut bits, mut count, mut out) = (0u32, 0, Vec::new());
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 0xff) as u8);
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}"#,
    ),
    (
        "php_pad",
        r#"/// `str_pad($text, $length, $with)`, on the left or the right.
fn php_pad(text: &str, length: i64, with: &str, left: bool) -> String {
    let missing = usize::try_from(length).unwrap_or_default().saturating_sub(text.len());
    let padding: String = with.chars().cycle().take(missing).collect();
    if left { format!("{padding}{text}") } else { format!("{text}{padding}") }
}"#,
    ),
    (
        "php_first",
        r#"/// `ucfirst($text)`.
fn php_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}"#,
    ),
    (
        "php_wait_all",
        r#"/// `Utils::unwrap($promises)`: waits for one after the other, and stops at the first error.
fn php_wait_all<T: Send + 'static>(promises: Vec<(&str, wechatpay_chain::Promise<T>)>) -> Result<Vec<(String, T)>, BoxError> {
    promises.into_iter().map(|(name, promise)| Ok((name.to_owned(), promise.wait()?))).collect()
}"#,
    ),
];
