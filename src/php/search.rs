//! PHP's functions that compare the elements or the keys of an array.

use serde_json::Value;

use super::Fatal;
use super::array::{from_pairs, pairs, values};
use super::compare::{equal, equal_texts, identical, less, order};
use super::convert::text;

/// `array_unique($array)`.
#[must_use]
pub fn unique(array: &Value) -> Value {
    let mut kept: Vec<(Value, Value)> = Vec::new();
    for (key, value) in pairs(array) {
        if kept.iter().all(|(_, other)| !equal_texts(&text(other), &text(value))) {
            kept.push((key, value.clone()));
        }
    }
    from_pairs(kept)
}

/// `ksort($array)`.
pub fn ksort(array: &mut Value) {
    let mut sorted: Vec<(Value, Value)> = pairs(array).into_iter().map(|(key, value)| (key, value.clone())).collect();
    sorted.sort_by(|(one, _), (other, _)| order(one, other).cmp(&0));
    *array = from_pairs(sorted);
}

/// `in_array($value, $array)`.
#[must_use]
pub fn contains(array: &Value, value: &Value) -> bool {
    values(array).into_iter().any(|item| equal(item, value))
}

/// `in_array($value, $array, true)`.
#[must_use]
pub fn contains_identical(array: &Value, value: &Value) -> bool {
    values(array).into_iter().any(|item| identical(item, value))
}

/// `max($array)`.
///
/// # Errors
/// Fails if the array is empty.
pub fn max(array: &Value) -> Result<Value, Fatal> {
    let most = values(array).into_iter().reduce(|most, value| if less(most, value) { value } else { most });
    most.cloned().ok_or_else(|| Fatal::new("the array has no greatest element"))
}

/// `min($array)`.
///
/// # Errors
/// Fails if the array is empty.
pub fn min(array: &Value) -> Result<Value, Fatal> {
    let least = values(array).into_iter().reduce(|least, value| if less(value, least) { value } else { least });
    least.cloned().ok_or_else(|| Fatal::new("the array has no least element"))
}
