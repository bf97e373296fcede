//! PHP's arrays. One whose keys are 0, 1, 2 and so on is a JSON array, any other a JSON object; a
//! key that is a whole number in decimal is an `int`, as in PHP.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::Fatal;
use super::convert::{int_of_float, integer};

static NULL: Value = Value::Null;

/// A key of an array.
pub trait Key {
    /// The text of the key; `None` for a type that PHP does not accept as a key.
    fn key(&self) -> Option<String>;
}

impl Key for str {
    fn key(&self) -> Option<String> {
        Some(self.to_owned())
    }
}

impl Key for String {
    fn key(&self) -> Option<String> {
        Some(self.clone())
    }
}

impl Key for i64 {
    fn key(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Key for Value {
    fn key(&self) -> Option<String> {
        match self {
            Value::Null => Some(String::new()),
            Value::Bool(value) => Some(u8::from(*value).to_string()),
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => {
                let float = || int_of_float(number.as_f64().unwrap_or_default());
                Some(integer(number).unwrap_or_else(float).to_string())
            }
            Value::Array(_) | Value::Object(_) => None,
        }
    }
}

impl<K: Key + ?Sized> Key for &K {
    fn key(&self) -> Option<String> {
        (**self).key()
    }
}

/// The number that a key is; `None` for a key that is a string.
fn index(key: &str) -> Option<i64> {
    key.parse::<i64>().ok().filter(|number| number.to_string() == key)
}

/// A key as a value: an `int` or a string.
fn key_value(key: &str) -> Value {
    index(key).map_or_else(|| Value::from(key), Value::from)
}

fn find<'a>(array: &'a Value, key: &str) -> Option<&'a Value> {
    match array {
        Value::Array(items) => items.get(usize::try_from(index(key)?).ok()?),
        Value::Object(members) => members.get(key),
        _ => None,
    }
}

/// Reads `$array[$key]`. Returns null if the element does not exist.
#[must_use]
pub(super) fn get<K: Key>(array: &Value, key: K) -> &Value {
    key.key().and_then(|key| find(array, &key)).unwrap_or(&NULL)
}

/// Reads `$array[$key]`. Returns null if the element does not exist.
///
/// # Errors
/// Fails if the value is a string, of which PHP reads a character.
pub fn at<K: Key>(array: &Value, key: K) -> Result<&Value, Fatal> {
    if let Value::String(text) = array {
        return character(text, &key.key().unwrap_or_default());
    }
    Ok(get(array, key))
}

/// The ASCII characters, as strings.
static CHARACTERS: LazyLock<Vec<Value>> =
    LazyLock::new(|| (0..128_u8).map(|byte| Value::from(char::from(byte).to_string())).collect());

/// A character of a string, which counts from the end if the index is negative.
fn character(text: &str, key: &str) -> Result<&'static Value, Fatal> {
    let at = index(key).ok_or_else(|| Fatal::new("a string has no element with a name"))?;
    let len = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let at = if at < 0 { len.saturating_add(at) } else { at };
    let byte = usize::try_from(at).ok().and_then(|at| text.as_bytes().get(at));
    match byte {
        None => Ok(&NULL),
        Some(byte) => {
            let found = CHARACTERS.get(usize::from(*byte));
            found.ok_or_else(|| Fatal::new("a byte of a character outside of ASCII is read"))
        }
    }
}

/// `(array) $value`.
#[must_use]
pub fn to_array(value: Value) -> Value {
    match value {
        Value::Null => Value::Array(Vec::new()),
        Value::Array(_) | Value::Object(_) => array(value),
        scalar => Value::Array(vec![scalar]),
    }
}

/// `$value ?? $other`.
#[must_use]
pub fn or(value: &Value, other: impl Into<Value>) -> Value {
    if value.is_null() { other.into() } else { value.clone() }
}

/// `array_key_exists($key, $array)`.
#[must_use]
pub fn has<K: Key>(array: &Value, key: K) -> bool {
    key.key().is_some_and(|key| find(array, &key).is_some())
}

/// Whether the keys are 0, 1, 2 and so on.
fn is_list(members: &Map<String, Value>) -> bool {
    members.keys().enumerate().all(|(number, key)| *key == number.to_string())
}

/// A list where the keys allow it.
fn canonical(members: Map<String, Value>) -> Value {
    if is_list(&members) { members.into_iter().map(|(_, value)| value).collect() } else { Value::Object(members) }
}

fn keyed(items: &mut Vec<Value>) -> Map<String, Value> {
    items.drain(..).enumerate().map(|(number, item)| (number.to_string(), item)).collect()
}

/// `$array[$key]`, to be assigned. Null becomes an array.
///
/// # Errors
/// Fails if the value is neither an array nor null, or if the key has another type.
pub fn slot<K: Key>(array: &mut Value, key: K) -> Result<&mut Value, Fatal> {
    let key = key.key().ok_or_else(|| Fatal::new("an array cannot be the key of an array"))?;
    if array.is_null() {
        *array = Value::Array(Vec::new());
    }
    if let Value::Array(items) = array {
        let at = index(&key).and_then(|at| usize::try_from(at).ok());
        if at.is_none_or(|at| at > items.len()) {
            let members = keyed(items);
            *array = Value::Object(members);
        } else if at == Some(items.len()) {
            items.push(Value::Null);
        }
    }
    match array {
        Value::Array(items) => {
            let at = index(&key).and_then(|at| usize::try_from(at).ok());
            at.and_then(|at| items.get_mut(at)).ok_or_else(|| Fatal::new("the element is missing"))
        }
        Value::Object(members) => Ok(members.entry(key).or_insert(Value::Null)),
        other => Err(Fatal::new(format!("an element cannot be assigned to {}", super::kind(other)))),
    }
}

/// `$array[]`, to be assigned. Null becomes an array.
///
/// # Errors
/// Fails if the value is neither an array nor null, if its greatest key is less than -1, or if its
/// greatest key is the largest integer.
pub fn next(array: &mut Value) -> Result<&mut Value, Fatal> {
    let key = match array {
        Value::Array(items) => i64::try_from(items.len()).unwrap_or(i64::MAX),
        Value::Object(members) => {
            match members.keys().filter_map(|key| index(key)).max() {
                None => 0,
                // The next key is 0 or the negative key plus 1, which depends on the version of PHP
                // and on how the array was created.
                Some(..-1) => return Err(Fatal::new("the next key after a negative key is not certain")),
                Some(most) => most.checked_add(1).ok_or_else(|| {
                    Fatal::new("Cannot add element to the array as the next element is already occupied")
                })?,
            }
        }
        _ => 0,
    };
    slot(array, key)
}

/// `$array[] = $value`.
///
/// # Errors
/// See [`next`].
pub fn push(array: &mut Value, value: Value) -> Result<(), Fatal> {
    *next(array)? = value;
    Ok(())
}

/// `unset($array[$key])`.
pub fn unset<K: Key>(array: &mut Value, key: K) {
    let Some(key) = key.key() else { return };
    if find(array, &key).is_none() {
        return;
    }
    if let Value::Array(items) = array {
        let members = keyed(items);
        *array = Value::Object(members);
    }
    if let Value::Object(members) = array {
        members.shift_remove(&key);
        *array = canonical(std::mem::take(members));
    }
}

pub(super) fn len(array: &Value) -> usize {
    match array {
        Value::Array(items) => items.len(),
        Value::Object(members) => members.len(),
        _ => 0,
    }
}

/// `count($array)`.
///
/// # Errors
/// Fails if the value is not an array.
pub fn count(array: &Value) -> Result<i64, Fatal> {
    match array {
        Value::Array(_) | Value::Object(_) => Ok(i64::try_from(len(array)).unwrap_or(i64::MAX)),
        other => Err(Fatal::new(format!("an array is expected, not {}", super::kind(other)))),
    }
}

/// The elements, for `foreach`.
#[must_use]
pub fn values(array: &Value) -> Vec<&Value> {
    match array {
        Value::Array(items) => items.iter().collect(),
        Value::Object(members) => members.values().collect(),
        _ => Vec::new(),
    }
}

/// The keys and elements, for `foreach`. A key is an `int` or a string.
#[must_use]
pub fn pairs(array: &Value) -> Vec<(Value, &Value)> {
    match array {
        Value::Array(items) => items.iter().enumerate().map(|(number, item)| (Value::from(number), item)).collect(),
        Value::Object(members) => members.iter().map(|(key, value)| (key_value(key), value)).collect(),
        _ => Vec::new(),
    }
}

/// An array of keys and values; a later key replaces an earlier one.
#[must_use]
pub fn from_pairs(pairs: Vec<(Value, Value)>) -> Value {
    canonical(pairs.into_iter().filter_map(|(key, value)| Some((key.key()?, value))).collect())
}

/// A PHP array from JSON: an object without members is an empty array, one with the keys 0, 1, 2
/// and so on a list, and a whole number beyond 64 bits a `float`.
#[must_use]
pub fn array(json: Value) -> Value {
    match json {
        Value::Object(members) => canonical(members.into_iter().map(|(key, value)| (key, array(value))).collect()),
        Value::Array(items) => items.into_iter().map(array).collect(),
        other => number(other),
    }
}

/// A JSON value whose numbers are those of PHP.
pub(super) fn number(json: Value) -> Value {
    match json {
        Value::Object(members) => Value::Object(members.into_iter().map(|(key, value)| (key, number(value))).collect()),
        Value::Array(items) => items.into_iter().map(number).collect(),
        Value::Number(number) if number.as_i64().is_none() => Value::from(number.as_f64().unwrap_or_default()),
        other => other,
    }
}

/// `$array + $other`: the elements of the other whose keys the first does not have are added.
pub(super) fn union(array: &Value, other: &Value) -> Value {
    let members = |array: &Value| {
        pairs(array).into_iter().map(|(key, value)| (key.key().unwrap_or_default(), value.clone())).collect::<Vec<_>>()
    };
    let mut sum: Map<String, Value> = members(array).into_iter().collect();
    for (key, value) in members(other) {
        sum.entry(key).or_insert(value);
    }
    canonical(sum)
}

/// `array_merge(...$arrays)`.
///
/// # Errors
/// Fails if one of them is not an array.
pub fn merge(arrays: &[&Value]) -> Result<Value, Fatal> {
    let mut merged = Map::new();
    let mut next = 0;
    for array in arrays {
        super::convert::array_argument(array)?;
        for (key, value) in pairs(array) {
            let key = match key {
                Value::String(key) => key,
                _ => {
                    next += 1;
                    (next - 1).to_string()
                }
            };
            merged.insert(key, value.clone());
        }
    }
    Ok(canonical(merged))
}

/// `array_keys($array)`.
#[must_use]
pub fn keys(array: &Value) -> Value {
    pairs(array).into_iter().map(|(key, _)| key).collect()
}

/// `array_values($array)`.
#[must_use]
pub fn list(array: &Value) -> Value {
    values(array).into_iter().cloned().collect()
}

/// `array_column($rows, $name)`.
#[must_use]
pub fn column(rows: &Value, name: &str) -> Value {
    values(rows).into_iter().filter(|row| has(row, name)).map(|row| get(row, name).clone()).collect()
}

/// `array_filter($array)`: the elements that are true, with their keys.
#[must_use]
pub fn filter(array: &Value) -> Value {
    let kept = pairs(array).into_iter().filter(|(_, value)| super::truth(value));
    from_pairs(kept.map(|(key, value)| (key, value.clone())).collect())
}

/// `array_flip($array)`.
#[must_use]
pub fn flip(array: &Value) -> Value {
    from_pairs(pairs(array).into_iter().map(|(key, value)| (value.clone(), key)).collect())
}

/// `array_reverse($array)`.
#[must_use]
pub fn reverse(array: &Value) -> Value {
    let mut next = 0;
    let pairs = pairs(array).into_iter().rev().map(|(key, value)| match key {
        Value::String(_) => (key, value.clone()),
        _ => {
            next += 1;
            (Value::from(next - 1), value.clone())
        }
    });
    from_pairs(pairs.collect())
}

/// `implode($glue, $array)`.
#[must_use]
pub fn implode(glue: &str, array: &Value) -> String {
    values(array).into_iter().map(super::text).collect::<Vec<_>>().join(glue)
}
