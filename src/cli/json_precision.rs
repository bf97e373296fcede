//! Numbers in JSON text that change when they are parsed: integers beyond 64 bits, and decimals
//! with more digits than a float holds.

/// The longest number that a message shows, in characters.
const MAX_SHOWN: usize = 60;

/// The first number of a JSON text that parsing would change.
pub(super) fn first_inexact_number(json: &str) -> Option<&str> {
    let mut rest = json;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        let (_, token) = rest.split_at_checked(at)?;
        if let Some(string) = token.strip_prefix('"') {
            rest = after_string(string);
            continue;
        }
        let end = token.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E')).unwrap_or(token.len());
        let (number, after) = token.split_at_checked(end)?;
        if !is_exact(number) {
            return Some(number);
        }
        rest = after;
    }
    None
}

/// The error message for such a number.
pub(super) fn inexact_number_message(number: &str) -> String {
    let shown: String = number.chars().take(MAX_SHOWN).collect();
    format!(
        "the number {shown} has more digits than a JSON number can hold, and would be changed: write it as a string, in quotes"
    )
}

/// The text after a JSON string, given the text after its opening quote.
fn after_string(mut text: &str) -> &str {
    while let Some((before, after)) = text.split_once('"') {
        // A quote after an odd number of backslashes is escaped.
        let backslashes = before.len() - before.trim_end_matches('\\').len();
        if backslashes % 2 == 0 {
            return after;
        }
        text = after;
    }
    ""
}

fn is_exact(number: &str) -> bool {
    if number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
        return true;
    }
    let parsed = serde_json::from_str::<f64>(number).ok().and_then(|float| Decimal::parse(&format!("{float:e}")));
    parsed.is_some() && parsed == Decimal::parse(number)
}

/// A decimal number: `significant * 10^exponent`, in the one form without zeros at either end.
#[derive(PartialEq)]
struct Decimal {
    is_negative: bool,
    significant: String,
    exponent: i64,
}

impl Decimal {
    fn parse(number: &str) -> Option<Self> {
        let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let exponent: i64 = exponent.parse().ok()?;
        let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let (is_negative, integer) = integer.strip_prefix('-').map_or((false, integer), |integer| (true, integer));
        let digits = format!("{integer}{fraction}");
        let digits = digits.trim_start_matches('0');
        let significant = digits.trim_end_matches('0');
        if significant.is_empty() {
            return Some(Decimal { is_negative, significant: String::new(), exponent: 0 });
        }
        let shift = i64::try_from(digits.len() - significant.len()).ok()? - i64::try_from(fraction.len()).ok()?;
        Some(Decimal { is_negative, significant: significant.to_owned(), exponent: exponent.checked_add(shift)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_and_inexact_numbers() {
        for exact in [
            "0",
            "-0",
            "7",
            "-7",
            "9007199254740993",
            "18446744073709551615",
            "-9223372036854775808",
            "0.1",
            "0.10",
            "1e3",
            "1E+3",
            "100.250",
            "1.5e-7",
            "0.30000000000000004",
            "123456789012345.67",
            "1e20",
            "0.0",
            "-0.0e5",
        ] {
            assert_eq!(first_inexact_number(exact), None, "{exact}");
        }
        for inexact in [
            "18446744073709551616",
            "-9223372036854775809",
            "12345678901234567890123",
            "9007199254740993.0",
            "0.1234567890123456789",
            "0.3000000000000000444",
            "1e99999999999999999999",
            "123456789012345678e3",
        ] {
            assert_eq!(first_inexact_number(inexact), Some(inexact));
        }
    }

    #[test]
    fn strings_are_skipped() {
        let text = r#"{"a12345678901234567890123":"12345678901234567890123","b\\":"\"12345678901234567890123","c":[1,{"d":2}],"e":true}"#;
        assert_eq!(first_inexact_number(text), None);
        assert_eq!(
            first_inexact_number(r#"{"a":"\\","b":[1, -12345678901234567890123 ]}"#),
            Some("-12345678901234567890123")
        );
        assert_eq!(first_inexact_number("\"never closed 12345678901234567890123"), None);
    }
}
