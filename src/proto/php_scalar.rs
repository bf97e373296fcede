//! The text of a scalar JSON value, as PHP converts it to a string.

use std::borrow::Cow;

use serde_json::Value;

/// The significant digits of a float: the default of PHP's setting `precision`.
const PRECISION: usize = 14;

/// The text of a scalar; `None` for null, arrays and objects.
///
/// Strings are borrowed. `true` is `1` and `false` is the empty string. Floats keep 14 significant
/// digits, so `0.1 + 0.2` is `0.3`. Pass a string if more digits are needed.
pub(crate) fn scalar_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Bool(true) => Some(Cow::Borrowed("1")),
        Value::Bool(false) => Some(Cow::Borrowed("")),
        Value::Number(number) => Some(Cow::Owned(match number.as_f64() {
            // `as_f64` also converts integers, which lose digits above 2^53.
            Some(float) if number.is_f64() => float_text(float),
            _ => number.to_string(),
        })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The text of a float: C's `%.14G`, except that the exponential form has at least one digit after
/// the point and no zero padding in the exponent (`1.0E+25`, `1.5E-7`).
fn float_text(number: f64) -> String {
    // Rust rounds the exact binary value, ties to even, which is what PHP's dtoa does too. Rounding
    // comes before the choice of the layout because it can add a digit: 99999999999999.9 is
    // 1.0E+14.
    let scientific = format!("{number:.*e}", PRECISION - 1);
    let parsed =
        scientific.split_once('e').and_then(|(mantissa, exponent)| Some((mantissa, exponent.parse::<i32>().ok()?)));
    let Some((mantissa, exponent)) = parsed else {
        // Infinity and NaN have no exponent. They cannot occur in JSON; PHP writes INF and NAN.
        return scientific.to_uppercase();
    };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let (head, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');

    match usize::try_from(exponent) {
        Ok(places) if places < PRECISION => {
            // Move the point `places` digits to the right; it may run past the last digit.
            match fraction.split_at_checked(places) {
                Some((whole, "")) => format!("{sign}{head}{whole}"),
                Some((whole, rest)) => format!("{sign}{head}{whole}.{rest}"),
                None => format!("{sign}{head}{fraction:0<places$}"),
            }
        }
        Err(_) if exponent >= -4 => {
            let zeros = match exponent {
                -1 => "",
                -2 => "0",
                -3 => "00",
                _ => "000",
            };
            format!("{sign}0.{zeros}{head}{fraction}")
        }
        _ => {
            let fraction = if fraction.is_empty() { "0" } else { fraction };
            format!("{sign}{head}.{fraction}E{exponent:+}")
        }
    }
}
