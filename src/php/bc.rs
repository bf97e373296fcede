//! PHP's `bc*` functions: decimal numbers as strings. Numbers of up to 38 digits are supported.

use super::Fatal;

/// A decimal number: `value` divided by 10 to the power of `scale`.
#[derive(Clone, Copy)]
struct Decimal {
    value: i128,
    scale: u32,
}

fn too_large() -> Fatal {
    Fatal::new("a number of a bc function has more than 38 digits")
}

impl Decimal {
    fn parse(text: &str) -> Result<Self, Fatal> {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !plain(whole) || !plain(fraction) {
            return Err(Fatal::new("a number of a bc function is not well-formed"));
        }
        let fraction = fraction.trim_end_matches('0');
        let joined = format!("{whole}{fraction}");
        let value: i128 = match joined.trim_start_matches('0') {
            "" => 0,
            digits => digits.parse().map_err(|_| too_large())?,
        };
        let scale = u32::try_from(fraction.len()).map_err(|_| too_large())?;
        Ok(Decimal { value: if text.starts_with('-') { -value } else { value }, scale })
    }

    /// The value as an integer with `scale` digits after the point. `scale` is not less than that
    /// of the number.
    fn scaled(self, scale: u32) -> Result<i128, Fatal> {
        let factor = 10_i128.checked_pow(scale.saturating_sub(self.scale));
        factor.and_then(|factor| self.value.checked_mul(factor)).ok_or_else(too_large)
    }

    /// The number with this many digits after the point. Further digits are dropped.
    fn text(self, scale: u32) -> Result<String, Fatal> {
        let dropped = self.scale.saturating_sub(scale);
        // A factor that is too large drops all digits.
        let value = 10_i128.checked_pow(dropped).map_or(0, |factor| self.value / factor);
        let digits = value.unsigned_abs().to_string();
        let (places, missing) = (scale as usize, scale.saturating_sub(self.scale) as usize);
        let digits = format!("{digits}{}", "0".repeat(missing));
        let digits = format!("{digits:0>width$}", width = places + 1);
        let (whole, fraction) = digits.split_at_checked(digits.len() - places).ok_or_else(too_large)?;
        let sign = if value < 0 { "-" } else { "" };
        Ok(if places == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
    }
}

fn operands(a: &str, b: &str, scale: i64) -> Result<(Decimal, Decimal, u32), Fatal> {
    let scale = u32::try_from(scale).ok().filter(|scale| *scale <= 1000);
    let scale = scale.ok_or_else(|| Fatal::new("the scale of a bc function is from 0 to 1000"))?;
    Ok((Decimal::parse(a)?, Decimal::parse(b)?, scale))
}

/// `bcadd($a, $b, $scale)`
///
/// # Errors
/// Fails if an operand is not a number, if a number has too many digits, or if the scale is not
/// from 0 to 1000.
pub fn bcadd(a: &str, b: &str, scale: i64) -> Result<String, Fatal> {
    let (a, b, scale) = operands(a, b, scale)?;
    let common = a.scale.max(b.scale);
    let value = a.scaled(common)?.checked_add(b.scaled(common)?).ok_or_else(too_large)?;
    Decimal { value, scale: common }.text(scale)
}

/// `bcsub($a, $b, $scale)`
///
/// # Errors
/// See [`bcadd`].
pub fn bcsub(a: &str, b: &str, scale: i64) -> Result<String, Fatal> {
    let (a, b, scale) = operands(a, b, scale)?;
    let common = a.scale.max(b.scale);
    let value = a.scaled(common)?.checked_sub(b.scaled(common)?).ok_or_else(too_large)?;
    Decimal { value, scale: common }.text(scale)
}

/// `bcmul($a, $b, $scale)`
///
/// # Errors
/// See [`bcadd`].
pub fn bcmul(a: &str, b: &str, scale: i64) -> Result<String, Fatal> {
    let (a, b, scale) = operands(a, b, scale)?;
    let value = a.value.checked_mul(b.value).ok_or_else(too_large)?;
    Decimal { value, scale: a.scale + b.scale }.text(scale)
}

/// `bcdiv($a, $b, $scale)`
///
/// # Errors
/// See [`bcadd`]. Division by zero fails, too.
pub fn bcdiv(a: &str, b: &str, scale: i64) -> Result<String, Fatal> {
    let (a, b, scale) = operands(a, b, scale)?;
    if b.value == 0 {
        return Err(Fatal::new("Division by zero"));
    }
    let dividend = a.scaled(a.scale.max(b.scale + scale))?;
    let left = a.scale.max(b.scale + scale) - b.scale;
    Decimal { value: dividend / b.value, scale: left }.text(scale)
}

/// `bccomp($a, $b, $scale)`
///
/// # Errors
/// See [`bcadd`].
pub fn bccomp(a: &str, b: &str, scale: i64) -> Result<i64, Fatal> {
    let (a, b, scale) = operands(a, b, scale)?;
    // Digits after the scale are not compared.
    let (a, b) = (Decimal::parse(&a.text(scale)?)?, Decimal::parse(&b.text(scale)?)?);
    let common = a.scale.max(b.scale);
    Ok(a.scaled(common)?.cmp(&b.scaled(common)?) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values are those of PHP 8.2 with bcmath.
    #[test]
    fn decimals_are_those_of_php() {
        let is = |result: Result<String, Fatal>, text: &str| assert_eq!(result.expect("a number"), text);
        is(bcadd("1.234", "5", 4), "6.2340");
        is(bcadd("1", "2", 0), "3");
        is(bcsub("0.001", "0.002", 2), "0.00");
        is(bcsub("1.234", "5", 2), "-3.76");
        is(bcmul("1.34747474747", "35", 3), "47.161");
        is(bcmul("12.5", "100", 0), "1250");
        is(bcmul("0.29", "100", 0), "29");
        is(bcmul("-19.999", "1", 2), "-19.99");
        is(bcmul("2", "4", 2), "8.00");
        is(bcdiv("105", "6.55957", 3), "16.007");
        is(bcdiv("1", "3", 5), "0.33333");
        is(bcdiv("1250", "100", 2), "12.50");
        is(bcdiv("-1", "8", 2), "-0.12");
        is(bcadd("", ".5", 1), "0.5");
        assert_eq!(bccomp("1.001", "1.002", 2).expect("a comparison"), 0);
        assert_eq!(bccomp("1", "2", 0).expect("a comparison"), -1);
        assert_eq!(bccomp("10.5", "9", 1).expect("a comparison"), 1);
        for wrong in ["1e2", " 1", "1,5", "abc", "1.2.3", "--1"] {
            assert!(bcadd(wrong, "1", 2).is_err(), "{wrong}");
        }
        assert!(bcdiv("1", "0", 2).is_err() && bcadd("1", "1", -1).is_err());
        assert!(bcmul(&"9".repeat(30), &"9".repeat(30), 0).is_err());
    }
}
