//! Conversions between types, as PHP 8.2 makes them.

use std::borrow::Cow;

use serde_json::{Number, Value};

use super::Fatal;

/// The characters that PHP skips around a number in a string.
const BLANK: [char; 6] = [' ', '\t', '\n', '\r', '\x0b', '\x0c'];

/// An operand of a comparison or calculation: a value, a string, a number or a truth value.
pub trait Operand {
    /// The operand as a value.
    fn operand(&self) -> Cow<'_, Value>;
}

impl Operand for Value {
    fn operand(&self) -> Cow<'_, Value> {
        Cow::Borrowed(self)
    }
}

macro_rules! operands {
    ($($from:ty),*) => {
        $(impl Operand for $from {
            fn operand(&self) -> Cow<'_, Value> {
                Cow::Owned(Value::from(self.to_owned()))
            }
        })*
    };
}

operands!(str, String, i64, f64, bool);

impl<T: Operand + ?Sized> Operand for &T {
    fn operand(&self) -> Cow<'_, Value> {
        (**self).operand()
    }
}

/// `(string) $value`. An array becomes `Array`.
#[must_use]
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(false) => String::new(),
        Value::Bool(true) => "1".to_owned(),
        Value::Number(number) => match integer(number) {
            Some(number) => number.to_string(),
            None => number_text(number.as_f64().unwrap_or_default()),
        },
        Value::Array(_) | Value::Object(_) => "Array".to_owned(),
    }
}

/// `(bool) $value`.
#[must_use]
pub fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !matches!(text.as_str(), "" | "0"),
        Value::Array(items) => !items.is_empty(),
        // An empty array is a list, so that this is an object, or an array with elements.
        Value::Object(_) => true,
    }
}

/// `(int) $value`: a string counts with the number at its start.
#[must_use]
pub fn int(value: &Value) -> i64 {
    match value {
        Value::Null => 0,
        Value::Bool(value) => i64::from(*value),
        Value::Number(number) => match integer(number) {
            Some(number) => number,
            None => int_of_float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => int_of_text(text),
        Value::Array(items) => i64::from(!items.is_empty()),
        Value::Object(_) => 1,
    }
}

/// `(int) $text`.
#[must_use]
pub fn int_of_text(text: &str) -> i64 {
    match leading(text) {
        Some((Numeric::Int(number), _)) => number,
        // PHP saturates here, where it truncates other numbers.
        Some((Numeric::Float(number), _)) if number.abs() >= 9_223_372_036_854_775_807.0 => number as i64,
        Some((Numeric::Float(number), _)) => int_of_float(number),
        None => 0,
    }
}

/// `(int) $number`: the fraction is cut off, and a number beyond 64 bits wraps around.
#[must_use]
pub fn int_of_float(number: f64) -> i64 {
    const TWO_64: f64 = 18_446_744_073_709_551_616.0;
    if !number.is_finite() {
        return 0;
    }
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number) {
        return number as i64;
    }
    let rest = number.trunc() % TWO_64;
    let rest = if rest < 0.0 { rest + TWO_64 } else { rest };
    // Reinterprets the unsigned remainder as signed.
    (rest as u64) as i64
}

/// `(float) $value`.
#[must_use]
pub fn float(value: &Value) -> f64 {
    match value {
        Value::Null => 0.0,
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::Number(number) => number.as_f64().unwrap_or_default(),
        Value::String(text) => float_of_text(text),
        Value::Array(items) => f64::from(u8::from(!items.is_empty())),
        Value::Object(_) => 1.0,
    }
}

/// `(float) $text`.
#[must_use]
pub fn float_of_text(text: &str) -> f64 {
    leading(text).map_or(0.0, |(number, _)| number.float())
}

/// The string that PHP makes of a `float`: 14 significant digits.
#[must_use]
pub fn number_text(number: f64) -> String {
    if number == 0.0 {
        return if number.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    if !number.is_finite() {
        return if number.is_nan() {
            "NAN"
        } else if number > 0.0 {
            "INF"
        } else {
            "-INF"
        }
        .to_owned();
    }
    decimal(&format!("{number:.13e}"), 14, "E")
}

/// The shortest text that is read back as the same `float`, as in JSON.
pub(super) fn exact_text(number: f64, mark: &str) -> String {
    if number == 0.0 {
        return if number.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    let shortest = format!("{number:e}");
    // Of two shortest texts that are equally near, PHP takes the even one.
    let places = shortest.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit).count() - 1;
    let even = format!("{number:.places$e}");
    decimal(if even.parse() == Ok(number) { &even } else { &shortest }, 17, mark)
}

/// Writes the digits of a number in scientific notation as PHP does: with an exponent only if the
/// number is small, or has more than `most` digits before its point.
fn decimal(scientific: &str, most: i32, mark: &str) -> String {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_end_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    if exponent < -4 || exponent >= most {
        let (first, rest) = digits.split_at(1);
        let rest = if rest.is_empty() { "0" } else { rest };
        return format!("{sign}{first}.{rest}{mark}{exponent:+}");
    }
    if exponent < 0 {
        let zeros = "0".repeat(usize::try_from(-1 - exponent).unwrap_or_default());
        return format!("{sign}0.{zeros}{digits}");
    }
    if count <= exponent + 1 {
        let zeros = "0".repeat(usize::try_from(exponent + 1 - count).unwrap_or_default());
        return format!("{sign}{digits}{zeros}");
    }
    let (whole, fraction) = digits.split_at(usize::try_from(exponent + 1).unwrap_or_default());
    format!("{sign}{whole}.{fraction}")
}

/// A number that is written in a string.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Numeric {
    Int(i64),
    Float(f64),
}

impl Numeric {
    pub(super) fn float(self) -> f64 {
        match self {
            Numeric::Int(number) => number as f64,
            Numeric::Float(number) => number,
        }
    }
}

/// The number at the start of a string, and whether nothing but blanks follows it.
pub(super) fn leading(text: &str) -> Option<(Numeric, bool)> {
    let text = text.trim_start_matches(BLANK);
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    let sign = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let whole = digits(sign);
    let mut end = sign + whole;
    let mut is_float = false;
    if bytes.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        if whole + fraction == 0 {
            return None;
        }
        is_float = true;
        end += 1 + fraction;
    } else if whole == 0 {
        return None;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            is_float = true;
            end += 1 + sign + exponent;
        }
    }
    let (number, rest) = text.split_at_checked(end)?;
    let whole = number.parse::<i64>().ok().filter(|_| !is_float).map(Numeric::Int);
    let number = whole.or_else(|| number.parse().ok().map(Numeric::Float))?;
    Some((number, rest.trim_start_matches(BLANK).is_empty()))
}

/// The number that a string consists of; `None` if it is not numeric.
pub(super) fn numeric(text: &str) -> Option<Numeric> {
    leading(text).filter(|(_, whole)| *whole).map(|(number, _)| number)
}

/// `is_numeric($value)`.
#[must_use]
pub fn is_numeric(value: &Value) -> bool {
    match value {
        Value::Number(_) => true,
        Value::String(text) => numeric(text).is_some(),
        _ => false,
    }
}

/// The number as an `int`; `None` for a `float`.
pub(super) fn integer(number: &Number) -> Option<i64> {
    number.as_i64()
}

/// A `float` as a value.
///
/// # Errors
/// Fails if the number is infinite or not a number, which JSON cannot represent.
pub fn finite(number: f64) -> Result<Value, Fatal> {
    Number::from_f64(number).map(Value::Number).ok_or_else(|| Fatal::new("the result is not a finite number"))
}

/// The argument of a parameter that is declared as `int`.
///
/// # Errors
/// Fails where PHP throws a `TypeError`, or loses a fraction.
pub fn int_argument(value: &Value) -> Result<i64, Fatal> {
    let whole = |number: f64| (number.fract() == 0.0 && number.abs() < 9e18).then_some(number as i64);
    let found = match value {
        Value::Bool(value) => Some(i64::from(*value)),
        Value::Number(number) => integer(number).or_else(|| whole(number.as_f64().unwrap_or_default())),
        Value::String(text) => match numeric(text) {
            Some(Numeric::Int(number)) => Some(number),
            Some(Numeric::Float(number)) => whole(number),
            None => None,
        },
        _ => None,
    };
    found.ok_or_else(|| Fatal::new(format!("an int is expected, not {}", super::kind(value))))
}

/// The argument of a parameter that is declared as `float`.
///
/// # Errors
/// Fails where PHP throws a `TypeError`.
pub fn float_argument(value: &Value) -> Result<f64, Fatal> {
    let found = match value {
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => numeric(text).map(Numeric::float),
        _ => None,
    };
    found.ok_or_else(|| Fatal::new(format!("a float is expected, not {}", super::kind(value))))
}

/// The argument of a parameter that is declared as `string`.
///
/// # Errors
/// Fails where PHP throws a `TypeError`.
pub fn text_argument(value: &Value) -> Result<String, Fatal> {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err(Fatal::new(format!("a string is expected, not {}", super::kind(value))))
        }
        value => Ok(text(value)),
    }
}

/// The argument of a parameter that is declared as `bool`.
///
/// # Errors
/// Fails where PHP throws a `TypeError`.
pub fn bool_argument(value: &Value) -> Result<bool, Fatal> {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err(Fatal::new(format!("a bool is expected, not {}", super::kind(value))))
        }
        value => Ok(truth(value)),
    }
}

/// The argument of a parameter that is declared as `array`.
///
/// # Errors
/// Fails where PHP throws a `TypeError`.
pub fn array_argument(value: &Value) -> Result<&Value, Fatal> {
    match value {
        Value::Array(_) | Value::Object(_) => Ok(value),
        value => Err(Fatal::new(format!("an array is expected, not {}", super::kind(value)))),
    }
}

/// A value for a place that is declared as `array`.
///
/// # Errors
/// Fails where PHP throws a `TypeError`.
pub fn array_value(value: Value) -> Result<Value, Fatal> {
    array_argument(&value)?;
    Ok(value)
}

/// The argument of a parameter that may be null: `nullable(value, int_argument)` is PHP's `?int`.
///
/// # Errors
/// Fails where PHP throws a `TypeError`.
pub fn nullable<T: Into<Value>>(
    value: &Value,
    convert: impl FnOnce(&Value) -> Result<T, Fatal>,
) -> Result<Value, Fatal> {
    if value.is_null() { Ok(Value::Null) } else { convert(value).map(Into::into) }
}
