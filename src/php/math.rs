//! Arithmetic, as PHP 8 does it: with `int` and `float`, and numeric strings.

use serde_json::Value;

use super::Fatal;
use super::convert::{Numeric, Operand, finite, integer, leading};

/// A value as an operand; `None` if it has no number.
fn operand(value: &Value) -> Option<Numeric> {
    match value {
        Value::Null => Some(Numeric::Int(0)),
        Value::Bool(value) => Some(Numeric::Int(i64::from(*value))),
        Value::Number(number) => {
            Some(integer(number).map_or_else(|| Numeric::Float(number.as_f64().unwrap_or_default()), Numeric::Int))
        }
        // PHP warns of what follows the number, and ignores it.
        Value::String(text) => leading(text).map(|(number, _)| number),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// Both operands of a calculation. The message of the error is that of PHP.
fn operands(left: &Value, right: &Value, operator: &str) -> Result<(Numeric, Numeric), Fatal> {
    let kind = super::kind;
    operand(left)
        .zip(operand(right))
        .ok_or_else(|| Fatal::new(format!("Unsupported operand types: {} {operator} {}", kind(left), kind(right))))
}

fn by_zero() -> Fatal {
    Fatal::new("Division by zero")
}

fn calculate(
    left: impl Operand,
    right: impl Operand,
    operator: &str,
    exact: impl FnOnce(i64, i64) -> Option<i64>,
    float: impl FnOnce(f64, f64) -> f64,
) -> Result<Value, Fatal> {
    let (left, right) = operands(&left.operand(), &right.operand(), operator)?;
    if let (Numeric::Int(left), Numeric::Int(right)) = (left, right) {
        if let Some(exact) = exact(left, right) {
            return Ok(Value::from(exact));
        }
    }
    finite(float(left.float(), right.float()))
}

/// `$left + $right`, also of two arrays.
///
/// # Errors
/// Fails where PHP throws an error.
pub fn add(left: impl Operand, right: impl Operand) -> Result<Value, Fatal> {
    let is_array = |value: &Value| matches!(value, Value::Array(_) | Value::Object(_));
    let (left, right) = (left.operand(), right.operand());
    if is_array(&left) && is_array(&right) {
        return Ok(super::array::union(&left, &right));
    }
    let (left, right) = (&*left, &*right);
    calculate(left, right, "+", i64::checked_add, |a, b| a + b)
}

/// `$left - $right`.
///
/// # Errors
/// Fails where PHP throws an error.
pub fn sub(left: impl Operand, right: impl Operand) -> Result<Value, Fatal> {
    calculate(left, right, "-", i64::checked_sub, |a, b| a - b)
}

/// `$left * $right`.
///
/// # Errors
/// Fails where PHP throws an error.
pub fn mul(left: impl Operand, right: impl Operand) -> Result<Value, Fatal> {
    calculate(left, right, "*", i64::checked_mul, |a, b| a * b)
}

/// `$left / $right`: an `int` if both are, and nothing remains.
///
/// # Errors
/// Fails where PHP throws an error, also for a division by zero.
pub fn div(left: impl Operand, right: impl Operand) -> Result<Value, Fatal> {
    let (left, right) = (left.operand(), right.operand());
    let (left, right) = (&*left, &*right);
    if operands(left, right, "/")?.1.float() == 0.0 {
        return Err(by_zero());
    }
    let exact = |a: i64, b: i64| a.checked_rem(b).filter(|rest| *rest == 0).and_then(|_| a.checked_div(b));
    calculate(left, right, "/", exact, |a, b| a / b)
}

/// `$left % $right`, of whole numbers.
///
/// # Errors
/// Fails where PHP throws an error, also for a division by zero.
pub fn rem(left: impl Operand, right: impl Operand) -> Result<i64, Fatal> {
    let whole = |number| match number {
        Numeric::Int(number) => number,
        Numeric::Float(number) => super::convert::int_of_float(number),
    };
    let (left, right) = operands(&left.operand(), &right.operand(), "%")?;
    let (left, right) = (whole(left), whole(right));
    if right == 0 { Err(Fatal::new("Modulo by zero")) } else { Ok(left.wrapping_rem(right)) }
}

/// `$left ** $right`.
///
/// # Errors
/// Fails where PHP throws an error.
pub fn pow(left: impl Operand, right: impl Operand) -> Result<Value, Fatal> {
    let exact = |a: i64, b: i64| u32::try_from(b).ok().and_then(|b| a.checked_pow(b));
    calculate(left, right, "**", exact, f64::powf)
}

/// `-$value`.
///
/// # Errors
/// Fails where PHP throws an error.
pub fn neg(value: impl Operand) -> Result<Value, Fatal> {
    mul(value, -1)
}

/// `$value++`: null becomes 1, and of a string that is not a number, PHP counts the letters and
/// digits at the end.
///
/// # Errors
/// Fails where PHP throws an error.
pub fn increment(value: impl Operand) -> Result<Value, Fatal> {
    let value = &*value.operand();
    match value {
        Value::Bool(_) => Ok(value.clone()),
        Value::String(text) if super::convert::numeric(text).is_none() => Ok(Value::from(counted(text))),
        value => add(value, 1),
    }
}

/// The string after this one: `a9` becomes `b0`, and `Zz` becomes `AAa`.
fn counted(text: &str) -> String {
    let first_of = |c: char| match c {
        'z' => Some('a'),
        'Z' => Some('A'),
        '9' => Some('0'),
        _ => None,
    };
    let mut chars: Vec<char> = text.chars().collect();
    for at in (0..chars.len()).rev() {
        let Some(c) = chars.get_mut(at) else { break };
        match first_of(*c) {
            Some(first) => *c = first,
            None if c.is_ascii_alphanumeric() => {
                *c = char::from_u32(*c as u32 + 1).unwrap_or(*c);
                return chars.into_iter().collect();
            }
            // A character of another kind ends the part that is counted.
            None => return chars.into_iter().collect(),
        }
    }
    // Each character wrapped around, so one of the kind of the first is put in front.
    let one_more = match chars.first() {
        Some('0') | None => '1',
        Some(first) => *first,
    };
    std::iter::once(one_more).chain(chars).collect()
}

/// `$value--`: null stays null.
///
/// # Errors
/// Fails where PHP throws an error.
pub fn decrement(value: impl Operand) -> Result<Value, Fatal> {
    let value = &*value.operand();
    match value {
        Value::Bool(_) | Value::Null => Ok(value.clone()),
        Value::String(text) if text.is_empty() => Ok(Value::from(-1)),
        Value::String(text) if super::convert::numeric(text).is_none() => Ok(value.clone()),
        value => sub(value, 1),
    }
}

/// `$left + $right` of whole numbers.
///
/// # Errors
/// Fails if the sum does not fit into 64 bits, where PHP continues with a `float`.
pub fn add_int(left: i64, right: i64) -> Result<i64, Fatal> {
    left.checked_add(right).ok_or_else(beyond)
}

/// `$left - $right` of whole numbers.
///
/// # Errors
/// Fails if the difference does not fit into 64 bits, where PHP continues with a `float`.
pub fn sub_int(left: i64, right: i64) -> Result<i64, Fatal> {
    left.checked_sub(right).ok_or_else(beyond)
}

/// `$left * $right` of whole numbers.
///
/// # Errors
/// Fails if the product does not fit into 64 bits, where PHP continues with a `float`.
pub fn mul_int(left: i64, right: i64) -> Result<i64, Fatal> {
    left.checked_mul(right).ok_or_else(beyond)
}

/// `intdiv($left, $right)`.
///
/// # Errors
/// Fails where PHP throws an error: for a division by zero, and of the smallest number by -1.
pub fn intdiv(left: i64, right: i64) -> Result<i64, Fatal> {
    if right == 0 { Err(by_zero()) } else { left.checked_div(right).ok_or_else(beyond) }
}

fn beyond() -> Fatal {
    Fatal::new("the result does not fit into 64 bits, where PHP continues with a float")
}

/// `abs($value)`.
///
/// # Errors
/// Fails where PHP throws an error.
pub fn abs(value: impl Operand) -> Result<Value, Fatal> {
    let value = &*value.operand();
    if super::convert::float_argument(value)? < 0.0 { neg(value) } else { add(value, 0) }
}

/// `array_sum($array)`.
///
/// # Errors
/// Fails if an element cannot be added.
pub fn sum(array: &Value) -> Result<Value, Fatal> {
    super::array::values(array).into_iter().try_fold(Value::from(0), |sum, value| match value {
        // PHP ignores these with a warning.
        Value::Array(_) | Value::Object(_) => Err(Fatal::new("an array cannot be summed up")),
        Value::String(text) if leading(text).is_none() => Ok(sum),
        value => add(&sum, value),
    })
}

/// `round($number, $places)` of PHP 8.2, which first rounds to 15 significant digits.
#[must_use]
pub fn round(number: f64, places: i64) -> f64 {
    if number == 0.0 || !number.is_finite() {
        return number;
    }
    let places = i32::try_from(places.clamp(-300, 300)).unwrap_or_default();
    let power = |exponent: i32| 10_f64.powi(exponent.abs());
    let half_up = |x: f64| if x >= 0.0 { (x + 0.5).floor() } else { (x - 0.5).ceil() };
    let digits = 14 - number.abs().log10().floor() as i32;
    let scaled = if digits > places && digits - 15 < places {
        let digits = digits.clamp(-60, 60);
        let rounded = half_up(if digits >= 0 { number * power(digits) } else { number / power(digits) });
        rounded / power((places - digits).max(-60))
    } else {
        let scaled = if places >= 0 { number * power(places) } else { number / power(places) };
        if scaled.abs() >= 1e15 {
            return number;
        }
        scaled
    };
    let rounded = half_up(scaled);
    if rounded.abs() >= 1e15 {
        return number;
    }
    if places > 0 { rounded / power(places) } else { rounded * power(places) }
}

/// `number_format($number, $places, $point, $separator)`.
#[must_use]
pub fn number_format(number: f64, places: i64, point: &str, separator: &str) -> String {
    let places = places.clamp(0, 100);
    let text = format!("{:.*}", usize::try_from(places).unwrap_or_default(), round(number, places).abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (number, digit) in whole.chars().enumerate() {
        if number > 0 && (whole.len() - number) % 3 == 0 {
            grouped.push_str(separator);
        }
        grouped.push(digit);
    }
    let zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    let sign = if number < 0.0 && !zero { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { point };
    format!("{sign}{grouped}{point}{fraction}")
}
