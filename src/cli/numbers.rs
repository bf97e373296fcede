//! Numbers in JSON text that do not survive being read: whole ones beyond 64 bits, and those with more digits than a float holds.

/// The first number of a JSON text that would be another one once it is read.
pub(super) fn lost(json: &str) -> Option<&str> {
    let mut rest = json;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        let (_, here) = rest.split_at_checked(at)?;
        if let Some(text) = here.strip_prefix('"') {
            rest = behind_text(text);
            continue;
        }
        let end = here.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E')).unwrap_or(here.len());
        let (number, behind) = here.split_at_checked(end)?;
        if !is_kept(number) {
            return Some(number);
        }
        rest = behind;
    }
    None
}

/// Why such a number is refused.
pub(super) fn said(number: &str) -> String {
    let shown: String = number.chars().take(60).collect();
    format!(
        "the number {shown} has more digits than a JSON number keeps, and would go out as another: write it as a string, in quotes"
    )
}

/// What follows a text whose first quote was read.
fn behind_text(mut text: &str) -> &str {
    while let Some((before, behind)) = text.split_once('"') {
        let escapes = before.len() - before.trim_end_matches('\\').len();
        if escapes % 2 == 0 {
            return behind;
        }
        text = behind;
    }
    ""
}

fn is_kept(number: &str) -> bool {
    if number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
        return true;
    }
    let read = serde_json::from_str::<f64>(number).ok().and_then(|read| digits(&format!("{read:e}")));
    read.is_some() && read == digits(number)
}

/// A number as its digits, without zeros around them, and the exponent of the last.
fn digits(number: &str) -> Option<(bool, String, i64)> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let exponent: i64 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let (negative, whole) = whole.strip_prefix('-').map_or((false, whole), |whole| (true, whole));
    let all = format!("{whole}{fraction}");
    let all = all.trim_start_matches('0');
    let significant = all.trim_end_matches('0');
    if significant.is_empty() {
        return Some((negative, String::new(), 0));
    }
    let scale = i64::try_from(all.len() - significant.len()).ok()? - i64::try_from(fraction.len()).ok()?;
    Some((negative, significant.to_owned(), exponent.checked_add(scale)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_and_what_is_lost() {
        for kept in [
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
            assert_eq!(lost(kept), None, "{kept}");
        }
        for gone in [
            "18446744073709551616",
            "-9223372036854775809",
            "12345678901234567890123",
            "9007199254740993.0",
            "0.1234567890123456789",
            "0.3000000000000000444",
            "1e99999999999999999999",
            "123456789012345678e3",
        ] {
            assert_eq!(lost(gone), Some(gone));
        }
    }

    #[test]
    fn only_numbers_are_looked_at() {
        let text = r#"{"a12345678901234567890123":"12345678901234567890123","b\\":"\"12345678901234567890123","c":[1,{"d":2}],"e":true}"#;
        assert_eq!(lost(text), None);
        assert_eq!(lost(r#"{"a":"\\","b":[1, -12345678901234567890123 ]}"#), Some("-12345678901234567890123"));
        assert_eq!(lost("\"never closed 12345678901234567890123"), None);
    }
}
