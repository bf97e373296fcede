//! Comparisons, as PHP 8 makes them.

use std::cmp::Ordering;

use serde_json::Value;

use super::array::{get, pairs};
use super::convert::{Numeric, Operand, integer, numeric, text, truth};

/// `$left == $right`.
#[must_use]
pub fn equal(left: impl Operand, right: impl Operand) -> bool {
    equal_values(&left.operand(), &right.operand())
}

fn equal_values(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Array(_) | Value::Object(_), Value::Array(_) | Value::Object(_)) => {
            let (left, right) = (pairs(left), right);
            left.len() == super::array::len(right)
                && left.iter().all(|(key, value)| super::array::has(right, key) && equal_values(value, get(right, key)))
        }
        _ => compare(left, right) == Some(Ordering::Equal),
    }
}

/// `$left === $right`, except for objects.
#[must_use]
pub fn identical(left: impl Operand, right: impl Operand) -> bool {
    identical_values(&left.operand(), &right.operand())
}

fn identical_values(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => match (integer(a), integer(b)) {
            (Some(a), Some(b)) => a == b,
            (None, None) => a.as_f64() == b.as_f64(),
            _ => false,
        },
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| identical_values(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((a, x), (b, y))| a == b && identical_values(x, y))
        }
        _ => left == right,
    }
}

/// `$left <=> $right`.
#[must_use]
pub fn order(left: impl Operand, right: impl Operand) -> i64 {
    match compare(&left.operand(), &right.operand()) {
        Some(Ordering::Less) => -1,
        Some(Ordering::Equal) => 0,
        // PHP takes what cannot be compared as greater.
        Some(Ordering::Greater) | None => 1,
    }
}

/// `$left < $right`.
#[must_use]
pub fn less(left: impl Operand, right: impl Operand) -> bool {
    compare(&left.operand(), &right.operand()) == Some(Ordering::Less)
}

/// `$left <= $right`.
#[must_use]
pub fn at_most(left: impl Operand, right: impl Operand) -> bool {
    matches!(compare(&left.operand(), &right.operand()), Some(Ordering::Less | Ordering::Equal))
}

/// `$left > $right`, which is `$right < $left` in PHP.
#[must_use]
pub fn more(left: impl Operand, right: impl Operand) -> bool {
    less(right, left)
}

/// `$left >= $right`, which is `$right <= $left` in PHP.
#[must_use]
pub fn at_least(left: impl Operand, right: impl Operand) -> bool {
    at_most(right, left)
}

/// The order of two values; `None` if neither is less than, equal to or greater than the other.
fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => texts(left, right),
        (Value::Null, Value::String(text)) => Some("".cmp(text)),
        (Value::String(text), Value::Null) => Some(text.as_str().cmp("")),
        (Value::Bool(_) | Value::Null, _) | (_, Value::Bool(_) | Value::Null) => Some(truth(left).cmp(&truth(right))),
        (Value::Array(_) | Value::Object(_), Value::Array(_) | Value::Object(_)) => {
            let (ours, others) = (pairs(left), super::array::len(right));
            if ours.len() != others {
                return Some(ours.len().cmp(&others));
            }
            for (key, value) in &ours {
                if !super::array::has(right, key) {
                    return None;
                }
                match compare(value, get(right, key)) {
                    Some(Ordering::Equal) => {}
                    different => return different,
                }
            }
            Some(Ordering::Equal)
        }
        (Value::Array(_) | Value::Object(_), _) => Some(Ordering::Greater),
        (_, Value::Array(_) | Value::Object(_)) => Some(Ordering::Less),
        (Value::Number(number), Value::String(other)) => match numeric(other) {
            Some(other) => numbers(of_number(number), other),
            None => Some(text(left).as_str().cmp(other)),
        },
        (Value::String(one), Value::Number(number)) => match numeric(one) {
            Some(one) => numbers(one, of_number(number)),
            None => Some(one.as_str().cmp(&text(right))),
        },
        (Value::Number(left), Value::Number(right)) => numbers(of_number(left), of_number(right)),
    }
}

fn of_number(number: &serde_json::Number) -> Numeric {
    integer(number).map_or_else(|| Numeric::Float(number.as_f64().unwrap_or_default()), Numeric::Int)
}

fn numbers(left: Numeric, right: Numeric) -> Option<Ordering> {
    match (left, right) {
        (Numeric::Int(left), Numeric::Int(right)) => Some(left.cmp(&right)),
        (left, right) => left.float().partial_cmp(&right.float()),
    }
}

/// Two strings: as numbers if both are numeric.
pub(super) fn texts(left: &str, right: &str) -> Option<Ordering> {
    match (numeric(left), numeric(right)) {
        (Some(Numeric::Float(a)), Some(Numeric::Float(b))) if a == b && is_beyond(left) && is_beyond(right) => {
            // Digits that neither an int nor a float can hold are compared as text.
            Some(left.cmp(right))
        }
        (Some(a), Some(b)) => numbers(a, b),
        _ => Some(left.cmp(right)),
    }
}

/// Whether a number without a fraction has more digits than an `int`.
fn is_beyond(text: &str) -> bool {
    text.trim().trim_start_matches(['+', '-']).bytes().all(|byte| byte.is_ascii_digit())
}

/// `$left == $right` for two strings.
#[must_use]
pub fn equal_texts(left: &str, right: &str) -> bool {
    texts(left, right) == Some(Ordering::Equal)
}
